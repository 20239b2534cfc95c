/*
Asks the service, and bears what can be borne: a missing key, a busy service, one that is away for a while.

In:  await post("v1/restore", {text: "확잠실읾"}, {signal}).
Out: the answer's JSON, or a Fault that people have to know about: {status: 422, key: "fault.422", error: "…", …}.

401 asks for the key and then goes on. 429 waits as long as the service says. A service that cannot be reached, or is
just ending (503), is asked again until it is back. 502 and 504 may come of a model's own server, for which every
question is work: after three more questions they are a Fault. Only `signal` ends the waiting otherwise, with an
AbortError. What is sent has to be right when it arrives twice; feedback has an id of its own for that.
*/

import { waitForKey, currentKey, keyWasWrong, keyWasRight } from "./key.js";
import { notify } from "./notice.js";

const AGAIN_SECONDS = [1, 2, 4, 8];
const FAILED = new Set([502, 504]);
const MAX_FAILED = 3;
const MAX_BUSY = 20;

/* When the service takes requests again, in seconds of this page; newer ones wait as well, however fast people type. */
let quietUntil = 0;

/* What the service refused: `key` and `values` are for show(), `error` and `mend` the service's own English words. */
export class Fault extends Error {
  constructor(status, { error = "", mend = "" } = {}) {
    super(`${status}: ${error}`);
    Object.assign(this, { status, error, mend, values: {} });
    const known = [403, 404, 408, 409, 413, 422, 429];
    this.key = known.includes(status) ? `fault.${status}` : status >= 500 ? "fault.500" : "fault.400";
  }
}

export function get(path, options) {
  return ask("GET", path, undefined, options);
}

export function post(path, body, options) {
  return ask("POST", path, body, options);
}

export function remove(path, options) {
  return ask("DELETE", path, undefined, options);
}

async function ask(method, path, body, { signal } = {}) {
  let [away, failed] = [0, 0];
  for (let busy = 0; ;) {
    const early = quietUntil - performance.now() / 1000;
    if (early > 0) await sleep(early, signal);
    const sentKey = currentKey();
    const answer = await send(method, path, body, sentKey, signal);
    if (answer === null || answer.status === 503 || (FAILED.has(answer.status) && failed < MAX_FAILED)) {
      notify("notice.away");
      if (FAILED.has(answer?.status)) failed += 1;
      await sleep(answer?.retryAfter ?? AGAIN_SECONDS[Math.min(away, AGAIN_SECONDS.length - 1)], signal);
      away += 1;
    } else if (answer.status === 401) {
      if (sentKey !== null) keyWasWrong(sentKey);
      await waitForKey(signal);
    } else if (answer.status === 429 && busy < MAX_BUSY) {
      const seconds = answer.retryAfter ?? 1;
      notify("notice.busy", { seconds });
      quietUntil = performance.now() / 1000 + seconds;
      busy += 1;
    } else {
      notify(null);
      if (sentKey !== null) keyWasRight();
      return read(answer);
    }
  }
}

/* One request: {status, retryAfter in seconds or null, text}; null, if no whole answer came. */
async function send(method, path, body, key, signal) {
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const answer = await fetch(path, { method, headers, body: sent, signal, credentials: "omit", cache: "no-store" });
    const retryAfter = readSeconds(answer.headers.get("Retry-After"));
    return { status: answer.status, retryAfter, text: await answer.text() };
  } catch (error) {
    if (signal?.aborted) throw error;
    return null;
  }
}

function read({ status, text }) {
  if (status === 204) return null;
  let said = null;
  try {
    said = JSON.parse(text);
  } catch {
    // A proxy in front may answer with a page of its own.
  }
  if (status < 200 || status > 299) throw new Fault(status, said ?? {});
  if (said === null) throw new Fault(500);
  return said;
}

/* The head "3" ─► 3; null, if it is missing or a date. */
function readSeconds(head) {
  const seconds = Number(head ?? NaN);
  return Number.isFinite(seconds) ? Math.max(seconds, 0.1) : null;
}

/* Wait; an AbortError, if the signal comes first. */
export function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
