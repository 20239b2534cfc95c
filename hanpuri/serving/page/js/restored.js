/*
Shows a Reading: changed and unsure syllables are buttons in the text, and each opens what else may stand there.

The buttons are one stop of the Tab key; arrow keys go from one to the next. A click or Enter opens a list box of
alternatives: arrow keys, Home and End move in it, Enter takes one, Escape leaves everything as it was.
*/

import { number, onLanguage, show, word } from "./language.js";
import { marked } from "./marking.js";

const place = document.getElementById("restored");
const box = document.getElementById("choices");
const list = document.getElementById("choices-list");

let reading = null;
let onChoose = () => {};
let openAt = null;   // the position whose list is open

/* Show a reading; `chosen` is called after somebody took an alternative. */
export function startRestored(shown, chosen) {
  reading = shown;
  onChoose = chosen;
  place.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-position]");
    if (mark) open(mark);
  });
  place.addEventListener("keydown", onMarkKey);
  place.addEventListener("focusin", (event) => {
    if (event.target.dataset.position !== undefined) makeTabStop(event.target);
  });
  place.addEventListener("scroll", () => close());
  list.addEventListener("keydown", onListKey);
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  document.addEventListener("pointerdown", (event) => {
    if (!box.contains(event.target) && !place.contains(event.target)) close();
  });
  window.addEventListener("resize", () => { if (openAt !== null) putBelow(place.querySelector("[aria-expanded]")); });
  onLanguage(draw);
}

/* Draw the text anew; who stood on a syllable stands on it again. */
export function draw() {
  close();
  const focused = place.contains(document.activeElement) ? Number(document.activeElement.dataset.position) : null;
  place.replaceChildren(build());
  const marks = place.querySelectorAll("[data-position]");
  // A long text has to be scrolled by keyboard even where nothing in it can be opened.
  place.tabIndex = marks.length === 0 && place.scrollHeight > place.clientHeight ? 0 : -1;
  if (marks.length === 0) return;
  const after = focused === null ? marks[0] : allMarks().find((mark) => Number(mark.dataset.position) >= focused);
  const next = after ?? marks[marks.length - 1];
  makeTabStop(next);
  if (focused !== null) next.focus({ preventScroll: true });
}

function build() {
  if (reading.answer === null || reading.hand !== null || !reading.isMarked) {
    return document.createTextNode(reading.text);
  }
  return marked(reading.text, (position, character) => {
    const at = reading.at(position);
    return at.changed || at.unsure || at.chosen ? makeMark(position, character, at) : null;
  });
}

/* Copying one mark for all takes a third of the time of making each: a long text has thousands. */
const blank = document.createElement("span");
for (const [name, value] of Object.entries({
  role: "button", tabindex: "-1", "aria-haspopup": "listbox", "aria-controls": "choices-list",
})) blank.setAttribute(name, value);

function makeMark(position, character, at) {
  const mark = blank.cloneNode();
  mark.className = at.unsure ? "unsure" : at.chosen ? "changed chosen" : isRewritten(at) ? "changed rewritten" : "changed";
  mark.setAttribute("data-position", position);
  mark.setAttribute("aria-label", describe(character, at));
  return mark;
}

/* Whether more than the sound was hidden. */
function isRewritten({ kind }) {
  return kind !== null && kind !== "sound";
}

function describe(now, { noisy, changed, chosen, confidence }) {
  if (chosen) return word("restore.syllable_chosen", { now });
  const sure = confidence === null ? "" : word("restore.sure", { percent: percent(confidence) });
  return word(changed ? "restore.syllable_changed" : "restore.syllable_kept", { now, noisy }) + sure;
}

function onMarkKey(event) {
  const mark = event.target.closest("[data-position]");
  if (!mark || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " " || event.key === "ArrowDown") {
    event.preventDefault();
    open(mark);
    return;
  }
  const to = neighbour(allMarks(), mark, event.key, ["ArrowLeft", "ArrowRight"]);
  if (to === null) return;
  event.preventDefault();
  to.focus();
}

function open(mark) {
  close();
  openAt = Number(mark.dataset.position);
  const { now, noisy, kind } = reading.at(openAt);
  const title = document.getElementById("choices-title");
  if (isRewritten({ kind })) show(title, "restore.choices_kind", { noisy, kind: word(`restore.kind_${kind}`) });
  else show(title, "restore.choices", { noisy });
  list.replaceChildren(...reading.offers(openAt).map((offer) => makeOption(offer, now, noisy)));
  mark.setAttribute("aria-expanded", "true");
  box.hidden = false;
  putBelow(mark);
  (list.querySelector("[aria-selected=true]") ?? list.firstElementChild).focus();
}

function putBelow(mark) {
  const [around, at] = [box.parentElement.getBoundingClientRect(), mark.getBoundingClientRect()];
  const left = Math.min(at.left - around.left, around.width - box.offsetWidth);
  box.style.left = `${Math.max(0, left)}px`;
  box.style.top = `${at.bottom - around.top + 6}px`;
}

function makeOption({ text, confidence }, now, noisy) {
  const option = document.createElement("div");
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", String(text === now));
  option.tabIndex = -1;
  option.dataset.text = text;
  const shown = document.createElement("span");
  shown.className = "choice";
  shown.textContent = text;
  const note = document.createElement("span");
  note.className = "quiet";
  note.lang = document.documentElement.lang;
  if (confidence !== null) show(note, "restore.percent", { percent: percent(confidence) });
  else if (text === noisy) show(note, "restore.as_written");
  else show(note, "restore.by_model");
  option.append(shown, " ", note);
  return option;
}

function onListKey(event) {
  const option = event.target.closest("[role=option]");
  if (event.key === "Escape" || event.key === "Tab") {
    // The syllable is the place that Tab goes on from.
    if (event.key === "Escape") event.preventDefault();
    close({ focus: true });
    return;
  }
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    take(option);
    return;
  }
  const to = neighbour([...list.children], option, event.key, ["ArrowUp", "ArrowDown"]);
  if (to === null) return;
  event.preventDefault();
  to.focus();
}

function take(option) {
  const position = openAt;
  reading.choose(position, option.dataset.text);
  close({ focus: true });
  draw();
  onChoose(option.dataset.text);
}

export function close({ focus = false } = {}) {
  if (openAt === null) return;
  const mark = place.querySelector(`[data-position="${openAt}"]`);
  openAt = null;
  const hadFocus = box.contains(document.activeElement);
  mark?.removeAttribute("aria-expanded");
  if (mark && (focus || hadFocus)) mark.focus({ preventScroll: true });
  box.hidden = true;
}

function neighbour(all, one, key, [back, forth]) {
  const at = all.indexOf(one);
  const last = all.length - 1;
  const to = { [back]: Math.max(0, at - 1), [forth]: Math.min(last, at + 1), Home: 0, End: last }[key];
  return to === undefined ? null : all[to];
}

function makeTabStop(mark) {
  for (const other of place.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  mark.tabIndex = 0;
}

function allMarks() {
  return [...place.querySelectorAll("[data-position]")];
}

function percent(confidence) {
  return number(100 * confidence, 0);
}
