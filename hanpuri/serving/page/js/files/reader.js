/*
The page's side of js/files/worker.js: asks it, one file at a time.

In:  await new Reader().ask("open", {name, bytes}).   Out: what the worker answers, or a FileFault.
*/

import { FileFault } from "./faults.js";

export class Reader {
  constructor() {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.count = 0;
    this.broken = null;  // what made an end of the worker, maybe before it was asked anything
    this.worker.addEventListener("message", ({ data: { id, answer, fault } }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (fault) reject(new FileFault(fault.key, fault.values));
      else resolve(answer);
    });
    this.worker.addEventListener("error", (event) => {  // only a script that ran has something to say
      this.fail(event instanceof ErrorEvent ? "files.fault_damaged" : "files.fault_not_loaded");
    });
  }

  ask(ask, given, transfer = []) {
    return new Promise((resolve, reject) => {
      if (this.broken) throw new FileFault(this.broken);
      this.count += 1;
      this.waiting.set(this.count, { resolve, reject });
      this.worker.postMessage({ id: this.count, ask, given }, transfer);
    });
  }

  fail(key) {
    this.broken = key;
    for (const { reject } of this.waiting.values()) reject(new FileFault(key));
    this.waiting.clear();
  }

  close() {
    this.worker.terminate();
    this.fail("files.fault_closed");
  }
}
