/*
What is restored now: the model's answer, what people chose in its place, what they wrote by hand.

In:  {"model": "base", "noisy": "…", "text": "…", "edits": […], "confidences": […], "alternatives": […]} of /v1/restore.
Out: the text as it stands, and of each character whether it changed or is unsure. Nothing here touches the page.

Positions count characters of the restored text. Where the answer was asked for with a wide reach, its edits tell their
kind, and what a character stands for may be several characters.
*/

import { codePoints } from "./marking.js";

/* Below this a syllable is shown as unsure; the service names alternatives below the same (compact/alternatives.py). */
const UNSURE = 0.9;

export class Reading {
  answer = null;
  chosen = new Map();   // position ─► syllable
  hand = null;          // a text of another length than the model's, written by hand
  lost = null;          // what was written by hand before the input changed

  noisy = [];
  restored = [];
  places = null;        // of a wide answer: what each character of the restored text stands for
  choices = new Map();  // position ─► [{text, confidence}, …]

  /*
  Take an answer; what was chosen stays where the input around it did not change. `null`, where there is none, leaves
  the choices for the next one.
  */
  take(answer) {
    this.lost = this.hand ?? this.lost;
    this.hand = null;
    this.answer = answer;
    const before = this.places ? this.restored : this.noisy;
    this.restored = answer ? codePoints(answer.text) : [];
    this.places = answer?.edits.some((edit) => edit.kind) ? placesOf(answer) : null;
    this.choices = new Map((answer?.alternatives ?? []).map(({ position, choices }) => [this.find(position), choices]));
    if (!answer) return;
    this.noisy = codePoints(answer.noisy);
    this.chosen = carryOver(this.chosen, before, this.places ? this.restored : this.noisy);
    for (const position of this.chosen.keys()) {
      if (!this.isMarked || this.chosen.get(position) === this.restored[position]) this.chosen.delete(position);
    }
  }

  /* Whether each character has its place in the input; a language model's answer may not. */
  get isAligned() {
    return this.places === null && this.noisy.length === this.restored.length;
  }

  /* Whether it is known of each character what it stands for. */
  get isMarked() {
    return this.places !== null || this.isAligned;
  }

  /* Where the character of the input at a position went. */
  find(position) {
    return this.places ? this.places.findIndex((place) => place.position === position) : position;
  }

  /* How many parts were hidden in which way, but for what is read as it sounds: [["hanja", 2], …]. */
  get kinds() {
    const counted = new Map();
    for (const { kind } of this.places ? this.answer.edits : []) {
      if (kind !== "sound") counted.set(kind, (counted.get(kind) ?? 0) + 1);
    }
    return [...counted];
  }

  get text() {
    if (this.hand !== null) return this.hand;
    if (this.answer === null || this.chosen.size === 0) return this.answer?.text ?? "";
    return this.restored.map((character, position) => this.chosen.get(position) ?? character).join("");
  }

  /* Whether people changed what the model said. */
  get isCorrected() {
    return this.answer !== null && this.text !== this.answer.text;
  }

  get numChanged() {
    return this.answer?.edits.length ?? 0;
  }

  /* What a position is: {noisy, kind, restored, now, confidence of the model, chosen, changed, unsure}. */
  at(position) {
    const { noisy, kind } = this.places?.[position] ?? { noisy: this.noisy[position], kind: null };
    const restored = this.restored[position];
    const now = this.chosen.get(position) ?? restored;
    const chosen = this.chosen.has(position);
    const confidence = this.answer.confidences?.[position] ?? null;
    const offered = (this.choices.get(position)?.length ?? 0) > 1;
    const unsure = !chosen && (offered || (confidence !== null && confidence < UNSURE));
    return { noisy, kind, restored, now, confidence, chosen, changed: now !== noisy, unsure };
  }

  /* What may stand at a position, likeliest first, without repetition; the syllable as it was written comes last. */
  offers(position) {
    const { restored, confidence } = this.at(position);
    const noisy = this.places?.[position].isShared ? undefined : this.at(position).noisy;
    const offers = [...(this.choices.get(position) ?? [{ text: restored, confidence }])];
    for (const text of [restored, noisy, this.chosen.get(position)]) {
      if (text !== undefined && !offers.some((offer) => offer.text === text)) offers.push({ text, confidence: null });
    }
    return offers;
  }

  choose(position, text) {
    if (text === this.restored[position]) this.chosen.delete(position);
    else this.chosen.set(position, text);
  }

  /* Take a text that was written by hand; where it has the model's length, each difference is a choice. */
  write(text) {
    const written = codePoints(text.normalize("NFC"));
    this.chosen.clear();
    this.hand = null;
    if (!this.isMarked || written.length !== this.restored.length) {
      if (written.join("") !== this.answer.text) this.hand = written.join("");
      return;
    }
    written.forEach((character, position) => this.choose(position, character));
  }

  /* A new text begins: nothing of the last one is to come back. */
  forget() {
    this.hand = this.lost = null;
    this.chosen.clear();
  }

  /* Bring back what was written by hand before the input changed. */
  undo() {
    const lost = this.lost;
    this.lost = null;
    this.write(lost);
  }
}

/*
What each character of a wide answer's text stands for: {noisy, kind, position}, and isShared where several characters
stand for one part, so that none of them can be set back alone.
*/
function placesOf({ noisy: text, edits }) {
  const noisy = codePoints(text);
  const places = [];
  let at = 0;
  const keepUntil = (end) => {
    for (; at < end; at += 1) places.push({ noisy: noisy[at], kind: null, position: at, isShared: false });
  };
  for (const edit of edits) {
    keepUntil(edit.position);
    const [before, after] = [codePoints(edit.noisy), codePoints(edit.restored)];
    const position = before.length === 1 && after.length === 1 ? at : null;
    for (const _ of after) places.push({ noisy: edit.noisy, kind: edit.kind, position, isShared: after.length > 1 });
    at += before.length;
  }
  keepUntil(noisy.length);
  return places;
}

/* Choices of an older input at their places in a newer one: those before and after what changed stay. */
function carryOver(chosen, older, newer) {
  const shorter = Math.min(older.length, newer.length);
  let head = 0;
  while (head < shorter && older[head] === newer[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && older.at(-1 - tail) === newer.at(-1 - tail)) tail += 1;
  const shift = newer.length - older.length;
  const kept = new Map();
  for (const [position, text] of chosen) {
    if (position < head) kept.set(position, text);
    else if (position >= older.length - tail) kept.set(position + shift, text);
  }
  return kept;
}
