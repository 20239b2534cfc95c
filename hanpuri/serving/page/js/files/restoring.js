/*
Texts ─► restored texts, by requests that fit the service, two on their way at a time; may be stopped and gone on with.
A slow model gets few texts at a time, or the service would give each request up when its time is over, again and again.

In:  new Restoring(["확잠실읾", …], {batches: [[0, 1, …], …], model: "base"}).
Out: after run(signal), `restored`: a string for each text, or null for one that the service refused.
*/

import { Fault, post } from "../api.js";

const AT_A_TIME = 2;
const REFUSED = new Set([413, 422]);
const HOPELESS = 20;
const FIRST_TEXTS = 20;    // as many, until it is known how fast the model is
const MAX_SECONDS = 8;     // well below what the service has for a request

export class Restoring {
  constructor(texts, { batches, model, reach }) {
    this.texts = texts;
    this.asked = { model: model || undefined, reach };
    this.restored = new Array(texts.length).fill(undefined);
    this.numDone = 0;
    this.numRefused = 0;
    this.charactersDone = 0;
    this.speed = null;  // characters a second, of the request that was answered last
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
      while (this.pending.length > 0 && !stop.signal.aborted) await this.send(this.take(), stop.signal, onProgress);
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

  /* The next texts, no more than can be restored in time; the others of their batch come next. */
  take() {
    const batch = this.pending.pop();
    const maxTexts = this.speed === null ? FIRST_TEXTS : batch.length;
    const maxCharacters = this.speed === null ? Infinity : this.speed * MAX_SECONDS;
    let [count, characters] = [1, this.texts[batch[0]].length];
    while (count < maxTexts && count < batch.length) {
      characters += this.texts[batch[count]].length;
      if (characters > maxCharacters) break;
      count += 1;
    }
    if (count < batch.length) this.pending.push(batch.slice(count));
    return batch.slice(0, count);
  }

  async send(batch, signal, onProgress) {
    let answer;
    const startedAt = performance.now();
    try {
      const texts = batch.map((number) => this.texts[number]);
      answer = await post("v1/restore", { texts, ...this.asked }, { signal });
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
    const characters = batch.reduce((sum, number) => sum + this.texts[number].length, 0);
    this.speed = characters / Math.max(performance.now() - startedAt, 1) * 1000;
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
