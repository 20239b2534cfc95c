/*
Reads and writes files beside the page, so that a large one does not make it stand still.

In:  {id: 1, ask: "open", given: {name: "reviews.csv", bytes}}.
Out: {id: 1, answer: {kind: "csv", columns: […], …}}, or {id: 1, fault: {key: "files.fault_quote", values: {line: 3}}}.
*/

import { cutBatches } from "./batches.js";
import { FileFault } from "./faults.js";
import { describe, openSource, planTexts, selectSheet, writeSource } from "./source.js";

let source = null;
let plan = null;
let choice = null;

const ANSWERS = {
  open({ name, bytes }) {
    source = openSource(name, bytes);
    return describe(source);
  },
  sheet({ sheet }) {
    source = selectSheet(source, sheet);
    return describe(source);
  },
  describe({ header }) {
    return describe(source, header);
  },
  plan({ limits, ...chosen }) {
    choice = chosen;
    plan = planTexts(source, choice, limits);
    const { texts, tooLong, numWithoutValue } = plan;
    return { texts, tooLong, numWithoutValue, batches: cutBatches(texts, limits) };
  },
  write({ restored }) {
    return writeSource(source, choice, plan, restored);
  },
};

self.addEventListener("message", ({ data: { id, ask, given } }) => {
  try {
    const answer = ANSWERS[ask](given);
    self.postMessage({ id, answer }, answer.bytes ? [answer.bytes.buffer] : []);
  } catch (fault) {
    const known = fault instanceof FileFault;
    // What else goes wrong in a file's inside is a damaged file; the reason is for the browser's console.
    if (!known) console.warn(fault);
    const key = fault instanceof RangeError ? "files.fault_memory" : "files.fault_damaged";
    self.postMessage({ id, fault: known ? { ...fault } : { key, values: {} } });
  }
});
