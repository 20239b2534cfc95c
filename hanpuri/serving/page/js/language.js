/*
Korean and English: which one the page speaks, and every word in it.

In:  <p data-words="restore.clear"></p>, or show(element, "restore.count", {changed: 12}).
Out: the element's text in the language of the page; it changes with the language, values and all.

A text of the user's is never written by these functions, and an entry of the word lists is never read as HTML.
*/

import { words } from "./words/all.js";

const REMEMBERED = "hanpuri.language";
const ATTRIBUTES = {
  words: (element, text) => { element.textContent = text; },
  wordsLabel: (element, text) => { element.setAttribute("aria-label", text); },
  wordsPlaceholder: (element, text) => { element.setAttribute("placeholder", text); },
};
const SELECTOR = "[data-words], [data-words-label], [data-words-placeholder]";

const valuesOf = new WeakMap();
const listeners = [];
const formats = {};
let language = remembered() ?? (navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en");

/* "ko" or "en". */
export function currentLanguage() {
  return language;
}

/* A word list's entry in the language of the page; numbers among the values are written as that language does. */
export function word(key, values = {}) {
  const entry = words[key];
  if (!entry) {  // a slip of ours, which tests find: the rest of the page goes on
    console.error(`no words for ${key}`);
    return key;
  }
  return entry[language].replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : String(value ?? whole);
  });
}

/* 12345 ─► "12,345". */
export function number(value, digits = 0) {
  const kind = `${language} ${digits}`;
  formats[kind] ??= new Intl.NumberFormat(language, { maximumFractionDigits: digits });  // making one takes long
  return formats[kind].format(value);
}

/* Write an entry into an element; it stays right when the language changes. `null` empties the element. */
export function show(element, key, values = {}) {
  if (key === null) {
    delete element.dataset.words;
    element.textContent = "";
    return;
  }
  element.dataset.words = key;
  valuesOf.set(element, values);
  element.textContent = word(key, values);
}

/* Do something now and whenever the language changes: for what `show` cannot write. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/* Speak a language from now on. */
export function speak(chosen) {
  language = chosen;
  try {
    localStorage.setItem(REMEMBERED, chosen);
  } catch {
    // A browser that keeps nothing still speaks the language until the page is closed.
  }
  translate();
  for (const listener of listeners) listener();
}

/* Fill every element that names an entry. */
function translate() {
  document.documentElement.lang = language;
  document.title = word("shell.title");
  for (const element of document.querySelectorAll(SELECTOR)) {
    for (const [attribute, write] of Object.entries(ATTRIBUTES)) {
      const key = element.dataset[attribute];
      if (key) write(element, word(key, valuesOf.get(element)));
    }
  }
}

/* Fill the page, and let the button in its head change the language. */
export function startLanguage() {
  const button = document.getElementById("language");
  const name = () => { button.lang = language === "ko" ? "en" : "ko"; };
  button.addEventListener("click", () => speak(language === "ko" ? "en" : "ko"));
  onLanguage(name);
  name();
  translate();
}

function remembered() {
  try {
    const found = localStorage.getItem(REMEMBERED);
    return found === "ko" || found === "en" ? found : null;
  } catch {
    return null;
  }
}
