/*
The second tab: clear Korean is obfuscated while it is written, by four sliders, a seed, a strength and a profile.

In:  "화장실이 너무 작아요".   Out: "확창실인 념문 짝앎오", what changed marked; a press takes it to the first tab.

The same text, settings and seed give the same noise, so the seed stands where people see it and can write it down.
*/

import { post } from "./api.js";
import { copyText } from "./copying.js";
import { onLanguage, show, word } from "./language.js";
import { codePoints, marked } from "./marking.js";
import { restoreText } from "./restore.js";

const REST_SECONDS = 0.15;
const SPEAK_SECONDS = 1.0;     // a screen reader is told once the hand rests, not at every step of a slider
const MAX_SEED = 1_000_000;
const MIDDLE = 0.5;
const SLIDERS = ["liaison", "doubling", "change", "tail_insertion"];
const EXAMPLES = [
  "화장실이 너무 작아요. 그래도 침대는 폭신해서 아침까지 푹 잤습니다.",
  "사장님이 친절하게 짐을 맡아 주셨는데, 엘리베이터가 없어서 오층까지 걸어 올라갔어요.",
  "바다가 보인다더니 주차장만 보이고, 밤새 옆방 텔레비전 소리가 들렸습니다.",
];

const element = (id) => document.getElementById(id);
const field = (name) => element(`obfuscate-${name}`);
const ranges = [...SLIDERS, "strength"];

let limits = null;
let running = null;
let timer = null;
let speaking = null;
let noisy = "";
let example = 0;

export function start(service) {
  for (const name of ["text", "seed", ...ranges]) field(name).addEventListener("input", later);
  field("profile").addEventListener("change", later);
  for (const name of ranges) field(name).addEventListener("input", () => showValue(name));
  field("roll").addEventListener("click", roll);
  field("middle").addEventListener("click", toMiddle);
  field("example").addEventListener("click", showExample);
  field("copy").addEventListener("click", copy);
  field("restore").addEventListener("click", () => restoreText(noisy));
  onLanguage(() => ranges.forEach(showValue));
  ranges.forEach(showValue);
  field("seed").value = 1;
  service.then((told) => { limits = told.limits; later(); });
}

/* 0.35 ─► "35%", for eyes and for screen readers. */
function showValue(name) {
  const range = field(name);
  const percent = Math.round(Number(range.value) * 100);
  show(field(`${name}-value`), "obfuscate.percent", { percent });
  range.setAttribute("aria-valuetext", word("obfuscate.percent", { percent }));
}

function roll() {
  field("seed").value = 1 + Math.floor(Math.random() * MAX_SEED);
  later();
}

function toMiddle() {
  for (const name of SLIDERS) {
    field(name).value = MIDDLE;
    showValue(name);
  }
  later();
}

function showExample() {
  field("text").value = EXAMPLES[example];
  example = (example + 1) % EXAMPLES.length;
  later();
}

async function copy() {
  const done = await copyText(noisy);
  show(field("said"), done ? "obfuscate.copied" : "obfuscate.not_copied");
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(obfuscate, REST_SECONDS * 1000);
}

async function obfuscate() {
  running?.abort();
  running = null;
  show(field("said"), null);
  const body = asked();
  if (body === null || body.text.trim() === "") return take(null);
  const mine = new AbortController();
  running = mine;
  try {
    const answer = await post("v1/obfuscate", body, { signal: mine.signal });
    if (running === mine) take(answer);
  } catch (fault) {
    if (mine.signal.aborted) return;
    if (fault.key === undefined) throw fault;
    take(null);
    show(field("fault"), fault.key, fault.values);
  }
}

/* What to ask for; null, with a word about it, if the service would refuse it. */
function asked() {
  const text = field("text").value.toWellFormed?.() ?? field("text").value;
  const seed = Number(field("seed").value);
  const length = codePoints(text).length;
  show(field("fault"), null);
  if (limits && length > limits.characters) {
    show(field("fault"), "obfuscate.too_long", { limit: limits.characters, over: length - limits.characters });
    return null;
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    show(field("fault"), "obfuscate.no_seed");
    return null;
  }
  const sliders = Object.fromEntries(SLIDERS.map((name) => [name, Number(field(name).value)]));
  return { text, sliders, seed, strength: Number(field("strength").value), profile: field("profile").value };
}

function take(answer) {
  noisy = answer?.noisy ?? "";
  const cleanAt = new Map(answer?.edits.map(({ position, clean }) => [position, clean]));
  const markOf = (position) => (cleanAt.has(position) ? mark(cleanAt.get(position)) : null);
  const place = field("noisy");
  place.replaceChildren(marked(noisy, markOf));
  place.tabIndex = place.scrollHeight > place.clientHeight ? 0 : -1;  // so that it is scrolled by keyboard
  for (const name of ["copy", "restore"]) field(name).disabled = noisy === "";
  const values = { changed: cleanAt.size, characters: codePoints(noisy).length };
  show(field("count"), answer && "obfuscate.count", values);
  clearTimeout(speaking);
  if (answer) speaking = setTimeout(() => show(field("spoken"), "obfuscate.count", values), SPEAK_SECONDS * 1000);
}

function mark(clean) {
  const made = document.createElement("mark");
  made.className = "changed";
  made.title = clean;
  return made;
}
