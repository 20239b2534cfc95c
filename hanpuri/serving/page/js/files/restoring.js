/*
Texts ─► restored texts, by requests that fit the service, two on their way at a time; may be stopped and gone on with.

In:  new Restoring(["확잠실읾", …], {batches: [[0, 1, …], …], model: "base"}).
Out: after run(signal), `restored`: a string for each text, or null for one that the service refused.
*/

import { Fault, post } from "../api.js";

const AT_A_TIME = 2;
const REFUSED = new Set([413, 422]);
const HOPELESS = 20;

export class Restoring {
  constructor(texts, { batches, model }) {
    this.texts = texts;
    this.model = model;
    this.restored = new Array(texts.length).fill(undefined);
    this.numDone = 0;
    this.numRefused = 0;
    this.charactersDone = 0;
    this.numCharacters = texts.reduce((sum, text) => sum + text.length, 0);
    this.pending = [...batches].reverse();
  }

  /* Restore what is left. Throws what stopped it: an AbortError by `signal`, or a Fault; run again to go on. */
  async run(signal, onProgress) {
    const stop = new AbortController();
    const stopped = () => stop.abort(signal.reason);
    signal.addEventListener("abort", stopped, { once: true });
    if (signal.aborted) stopped();
    let cause = null;
    const work = async () => {
      while (this.pending.length > 0 && !stop.signal.aborted) await this.send(this.pending.pop(), stop.signal, onProgress);
    };
    const guarded = () => work().catch((fault) => {
      cause ??= fault;
      stop.abort(fault);  // the other requests are given up, and asked again when it goes on
    });
    await Promise.all(Array.from({ length: AT_A_TIME }, guarded));
    signal.removeEventListener("abort", stopped);
    signal.throwIfAborted();
    if (cause) throw cause;
  }

  async send(batch, signal, onProgress) {
    let answer;
    try {
      const texts = batch.map((number) => this.texts[number]);
      answer = await post("v1/restore", this.model ? { texts, model: this.model } : { texts }, { signal });
    } catch (fault) {
      if (!(fault instanceof Fault && REFUSED.has(fault.status) && this.hasHope())) {
        this.pending.push(batch);
        throw fault;
      }
      if (batch.length > 1) this.halve(batch);
      else this.settle(batch[0], null);
      onProgress(this);
      return;
    }
    batch.forEach((number, place) => this.settle(number, answer.results[place].text));
    onProgress(this);
  }

  /* Whether what was refused may be single texts: not, if all that were asked alone were refused. */
  hasHope() {
    return this.numRefused < HOPELESS || this.numRefused < this.numDone;
  }

  halve(batch) {
    const middle = batch.length >> 1;
    this.pending.push(batch.slice(middle), batch.slice(0, middle));
  }

  settle(number, text) {
    this.restored[number] = text;
    this.numDone += 1;
    if (text === null) this.numRefused += 1;
    this.charactersDone += this.texts[number].length;
  }
}
