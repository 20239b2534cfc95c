/*
The first tab: what is written on the left is restored on the right while it is written.

A request goes out when the typing rests for a moment, or every half second if it does not; a newer one ends the older,
so that no older answer comes after a newer one. The text box itself is never written to while somebody types in it: an
input method that composes a syllable would lose it.
*/

import { get, post } from "./api.js";
import { copyText } from "./copying.js";
import { number, onLanguage, show, word } from "./language.js";
import { codePoints } from "./marking.js";
import { Reading } from "./reading.js";
import { draw, startRestored } from "./restored.js";
import { openTab } from "./tabs.js";

const REST_SECONDS = 0.15;
const LONGEST_SECONDS = 0.5;   // without a request, while somebody types on
const WORKING_SECONDS = 0.4;   // after that long the page says that it works
const SPEAK_SECONDS = 1.0;     // a screen reader is told once the typing rests, not at every syllable
const MAX_SPOKEN = 200;        // characters; of a longer text only the numbers are spoken
const NUM_ALTERNATIVES = 4;
/* Written afresh and obfuscated by `hanpuri obfuscate`. */
const EXAMPLES = [
  "슉숀는 싸친보따 훨신 작곧 확짱싫옛셔 냄세갸 났썸요. 밤엠눈 옆팡 먈쏘리캬 따 뜰렸섣 한숨토 묫 잤습닛댜. " +
    "가격많 보꼬 얘악캬찌 망쎄오.",
  "윔치는 엌에섰 걸었셔 요 뿐뉠람 뻔했억옵. 땀많 침땍카 피걱걱뤽코 수꺼닢 축축헤셔 댜움예눈 탈룬 곳쑬 찾읊럭꼬욕.",
  "삼쨩님은 찐쩔핫쉰뎁 포읽럭가 고쟝 나셔 너무 추었서오 😢 창문토 챨 얀 닻휙꽃 버계 콤빵익걀 있넷요. " +
    "야있와 함꼐랴면 말리콕 싶업오.",
];

const element = (id) => document.getElementById(id);
const [noisy, byHand, said] = ["noisy", "by-hand", "restored-said"].map(element);
const reading = new Reading();
const listeners = [];

let limits = null;
let running = null;      // the AbortController of the request on its way
let timer = null;
let firstChange = null;  // when the oldest change was made that no request has seen
let speaking = null;

/* What is restored now, for the other parts of the page: `answer`, `text`, `isCorrected`. */
export function currentReading() {
  return reading;
}

/* Call a listener whenever what is restored changes. */
export function onReading(listener) {
  listeners.push(listener);
}

/* Open this tab with a text in it. */
export function restoreText(text) {
  openTab("restore");
  replaceText(text);
  noisy.focus();
}

export function start(service) {
  startRestored(reading, () => changed("restore.chosen"));
  noisy.addEventListener("input", onInput);
  element("clear").addEventListener("click", () => { replaceText(""); noisy.focus(); });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => showExample(Number(button.dataset.example)));
  }
  element("copy").addEventListener("click", copy);
  element("edit").addEventListener("click", toggleEditing);
  byHand.addEventListener("input", () => { reading.write(byHand.value); changed(null); });
  element("undo").addEventListener("click", () => {
    reading.undo();
    showReading();
    changed("restore.undone");
    element("edit").focus();  // the button that had the focus is gone
  });
  element("model").addEventListener("change", () => { restore(); });
  element("wide").addEventListener("change", () => { restore(); });
  element("retry").addEventListener("click", retry);
  onLanguage(showNumbers);
  onLanguage(showKinds);
  service.then((told) => { limits = told.limits; onInput(); offerModels(); });
}

/* Without this list the service's first model answers. */
async function offerModels() {
  const { data } = await get("v1/models").catch(() => ({ data: [] }));
  const restoring = data.filter((model) => model.restores);
  if (restoring.length === 0) return;
  for (const { id } of restoring) element("model").append(new Option(id, id));
  element("model").value = (restoring.find((model) => model.default) ?? restoring[0]).id;
  element("model-choice").hidden = restoring.length < 2;
}

function showExample(example) {
  replaceText(EXAMPLES[example]);
  leaveToTouch();
}

function retry() {
  noisy.focus();  // the button that had the focus goes away
  leaveToTouch();
  restore();
}

/* On a phone the keyboard would cover what there is to read. */
function leaveToTouch() {
  if (matchMedia("(hover: none)").matches) noisy.blur();
}

/* Write into the text box so that Ctrl+Z brings back what stood there. */
function replaceText(text) {
  noisy.focus();
  noisy.select();
  const done = text === "" ? document.execCommand("delete") : document.execCommand("insertText", false, text);
  if (!done || noisy.value !== text) {
    noisy.value = text;
    onInput();
  }
}

function onInput() {
  showNumbers();
  element("restored-empty").hidden = reading.answer !== null || noisy.value !== "";
  const now = performance.now() / 1000;
  firstChange ??= now;
  clearTimeout(timer);
  const wait = Math.max(0, Math.min(REST_SECONDS, firstChange + LONGEST_SECONDS - now));
  timer = setTimeout(restore, wait * 1000);
}

/* The text as it is sent: in NFC, and without halves of characters, which no JSON can carry. */
function normalText() {
  const whole = noisy.value.toWellFormed?.() ?? noisy.value;
  // Of a text that is too long by far only its length matters.
  return limits && whole.length > 4 * limits.characters ? whole : whole.normalize("NFC");
}

async function restore() {
  firstChange = null;
  clearTimeout(timer);
  running?.abort();
  const text = normalText();
  if (!showFault(text) || text.trim() === "") {
    running = null;
    if (text === "") reading.forget();
    take(null);
    return;
  }
  const mine = new AbortController();
  running = mine;
  element("restored").setAttribute("aria-busy", "true");
  const working = setTimeout(() => show(element("restored-count"), "restore.working"), WORKING_SECONDS * 1000);
  const model = element("model").value || undefined;
  try {
    const asked = { text, model, alternatives: NUM_ALTERNATIVES, reach: currentReach() };
    const answer = await post("v1/restore", asked, { signal: mine.signal });
    if (running === mine) take(answer);
  } catch (fault) {
    if (mine.signal.aborted) return;
    if (fault.key === undefined) throw fault;
    take(null);
    show(element("noisy-fault"), fault.key, fault.values);
    element("retrying").hidden = fault.status < 500 && fault.status !== 429;  // the same is refused again
  } finally {
    clearTimeout(working);
    if (running === mine) running = null;
    if (running === null) element("restored").removeAttribute("aria-busy");
  }
}

/* What is asked of the service: undefined, which is left out, keeps to syllables. */
export function currentReach() {
  return element("wide").checked ? "wide" : undefined;
}

function take(answer) {
  reading.take(answer);
  showReading();
  const key = reading.isAligned ? "restore.said" : reading.isMarked ? "restore.said_wide" : "restore.said_unaligned";
  changed(answer ? key : null, { changed: reading.numChanged, characters: reading.noisy.length });
}

/* Say what is too long before the service has to; true, if nothing is. */
function showFault(text) {
  const length = codePoints(text).length;
  const tooLong = limits !== null && length > limits.characters;
  const values = tooLong ? { limit: limits.characters, over: length - limits.characters } : {};
  show(element("noisy-fault"), tooLong ? "restore.too_long" : null, values);
  element("retrying").hidden = true;
  return !tooLong;
}

function showNumbers() {
  const characters = codePoints(normalText()).length;
  if (limits) show(element("noisy-count"), "restore.count", { characters, limit: limits.characters });
  const { answer } = reading;
  if (!answer) show(element("restored-count"), null);
  else {
    const milliseconds = Math.round(answer.milliseconds);
    const wide = reading.isMarked ? "restore.figures_wide" : "restore.figures_unaligned";
    const key = reading.isAligned ? "restore.figures" : wide;
    show(element("restored-count"), key, { changed: reading.numChanged, milliseconds });
  }
}

/* Signs that are gone cannot be marked: how many were hidden how is told below. */
function showKinds() {
  const told = reading.answer ? reading.kinds.map(([kind, count]) => `${word(`restore.kind_${kind}`)} ${number(count)}`) : [];
  element("restored-kinds").textContent = told.join(" · ");
  element("restored-kinds").hidden = told.length === 0;
  element("legend-rewritten").hidden = told.length === 0;
}

function showReading() {
  draw();
  showKinds();
  if (!byHand.hidden && byHand.value !== reading.text) byHand.value = reading.text;
}

/* Whatever changed on the right: buttons, numbers, what is said, and whoever else wants to know. */
function changed(key, values) {
  const has = reading.answer !== null;
  element("copy").disabled = element("edit").disabled = !has;
  if (!has && !byHand.hidden) toggleEditing();
  element("restored-hint").hidden = !has || !byHand.hidden || element("restored").firstElementChild === null;
  element("restored-empty").hidden = has || noisy.value !== "";
  element("undo").hidden = reading.lost === null || !has;
  showNumbers();
  clearTimeout(speaking);
  show(said, null);
  if (key?.startsWith("restore.said")) speaking = setTimeout(() => speak(key, values), SPEAK_SECONDS * 1000);
  else if (key) show(said, key, values);
  for (const listener of listeners) listener(reading);
}

/* What the eye sees anyhow is only spoken: the text in one piece, for in it each marked syllable is a button. */
function speak(key, values) {
  const spoken = element("restored-spoken");
  show(spoken, key, values);
  if (reading.noisy.length > MAX_SPOKEN) return;
  const text = document.createElement("span");
  text.lang = "ko";
  text.textContent = ` ${reading.text}`;
  spoken.append(text);
}

async function copy() {
  const done = await copyText(reading.text);
  show(said, done ? "restore.copied" : "restore.not_copied");
}

function toggleEditing() {
  const edits = byHand.hidden;
  byHand.hidden = !edits;
  element("restored").hidden = edits;
  element("edit").setAttribute("aria-pressed", String(edits));
  if (edits) {
    byHand.value = reading.text;
    byHand.focus();
    byHand.setSelectionRange(0, 0);
    byHand.scrollTop = 0;
  } else if (reading.answer) draw();
  element("restored-hint").hidden = edits || element("restored").firstElementChild === null;
}
