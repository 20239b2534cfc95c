/*
What people send in: "it is right", or the text as they corrected it; and taking it back.

In:  the reading of the first tab.
Out: POST v1/feedback with an id made here, so that a request that is sent again after a fault is stored once; DELETE
v1/feedback/<id> for each while the page is open. Nothing is sent without a press.
*/

import { post, remove } from "./api.js";
import { show } from "./language.js";
import { currentReading, onReading } from "./restore.js";

const element = (id) => document.getElementById(id);
const [said, accept, correct, forget] = ["feedback-said", "accept", "correct", "forget"].map(element);

/* One visit of the page, so that votes of one person can be told from those of many; nothing of it is kept here. */
export const visitor = makeId();

let sent = [];            // ids that can be taken back
let sentText = null;      // what was sent last: it is not sent again
let prepared = null;      // {text, id}: a request that failed goes out again under its id
let isSending = false;
let isTaken = false;      // whether the service takes feedback at all

export function start(service) {
  accept.addEventListener("click", () => send());
  correct.addEventListener("click", () => send());
  forget.addEventListener("click", takeBack);
  onReading((reading) => {
    if (contentOf(reading) !== sentText) show(said, null);
    showButtons();
  });
  service.then(({ feedback }) => { isTaken = feedback; showButtons(); });
}

/* A random UUID (version 4); crypto.randomUUID exists only where the page comes by https or from this machine. */
export function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

async function send() {
  const { answer, text, isCorrected } = currentReading();
  const content = contentOf(currentReading());
  if (prepared?.content !== content) prepared = { content, id: makeId() };
  const { id } = prepared;
  const body = {
    kind: "correction", id, visitor, model: answer.model, noisy: answer.noisy, restored: answer.text,
    consent: element("consent").checked, ...(isCorrected ? { corrected: text } : { accepted: true }),
  };
  isSending = true;
  let isThanked = false;
  showButtons();
  try {
    await post("v1/feedback", body);
    prepared = null;
    sent.push(id);
    sentText = content;
    show(said, "feedback.sent", { id });
    isThanked = true;
  } catch (fault) {
    show(said, fault.key ?? "feedback.failed", fault.values);
  } finally {
    isSending = false;
    showButtons();
    // The button that had the focus is off now; unless somebody went on elsewhere meanwhile, go to the one beside it.
    if (isThanked && document.activeElement === document.body) forget.focus();
  }
}

async function takeBack() {
  isSending = true;
  showButtons();
  try {
    while (sent.length > 0) {
      await remove(`v1/feedback/${sent[0]}`).catch((fault) => {
        if (fault.status !== 404) throw fault;  // gone already is gone
      });
      sent.shift();
    }
    sentText = null;
    show(said, "feedback.forgotten");
  } catch (fault) {
    show(said, fault.key ?? "feedback.failed", fault.values);
  } finally {
    isSending = false;
    showButtons();
    if (forget.hidden) element("consent").focus();  // the button that had the focus is gone
  }
}

function contentOf({ answer, text }) {
  return answer && JSON.stringify([answer.model, answer.noisy, answer.text, text]);
}

function showButtons() {
  const reading = currentReading();
  const may = reading.answer !== null && !isSending && contentOf(reading) !== sentText;
  element("feedback").hidden = !isTaken || (reading.answer === null && sent.length === 0 && said.textContent === "");
  accept.disabled = !may || reading.isCorrected;
  correct.disabled = !may || !reading.isCorrected || reading.text.trim() === "";
  forget.hidden = sent.length === 0;
  forget.disabled = isSending;
  show(forget, "feedback.forget", { count: sent.length });
}
