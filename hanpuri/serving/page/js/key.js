/*
The API key: asked for once a request was refused for want of one, kept until the tab is closed.

It lies in sessionStorage, not in localStorage: who uses the machine next finds none.
*/

import { show } from "./language.js";
import { notify } from "./notice.js";

const REMEMBERED = "hanpuri.key";
let key = remembered();
let waiting = [];

/* The key, or null. */
export function currentKey() {
  return key;
}

/* Show the form, until somebody has given a key; an AbortError, if the signal comes first. */
export function waitForKey(signal) {
  if (key !== null) return Promise.resolve();  // given while this request was on its way
  const form = document.getElementById("key");
  if (form.hidden) {
    form.hidden = false;
    // Whoever writes at this moment would go on in the wrong field.
    if (document.activeElement.matches("textarea, input")) notify("key.title");
    else document.getElementById("key-input").focus();
  }
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    waiting.push(resolve);
  });
}

/* The service refused this key: forget it, unless another one was given meanwhile. */
export function keyWasWrong(sent) {
  if (sent !== key) return;
  remember(null);
  show(document.getElementById("key-fault"), "key.wrong");
}

/* The service took the key: the form goes away. */
export function keyWasRight() {
  const form = document.getElementById("key");
  if (form.hidden) return;
  const hadFocus = form.contains(document.activeElement);
  form.hidden = true;
  if (hadFocus) document.querySelector("[role=tab][aria-selected=true]").focus();  // what had it is gone
  show(document.getElementById("key-fault"), null);
  document.getElementById("key-input").value = "";
}

export function startKey() {
  document.getElementById("key").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = document.getElementById("key-input").value.trim();
    if (!/^[\x21-\x7e]+$/.test(given)) {  // no header could carry it
      show(document.getElementById("key-fault"), "key.wrong");
      return;
    }
    remember(given);
    const released = waiting;
    waiting = [];
    for (const resolve of released) resolve();
  });
}

function remember(given) {
  key = given;
  try {
    if (given === null) sessionStorage.removeItem(REMEMBERED);
    else sessionStorage.setItem(REMEMBERED, given);
  } catch {
    // A browser that keeps nothing asks again after the page is loaded anew.
  }
}

function remembered() {
  try {
    return sessionStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}
