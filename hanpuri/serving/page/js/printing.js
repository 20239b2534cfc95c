/*
Paper: a text box is never broken over pages, so that its text is printed as a paragraph in its place.

In:  what stands in <textarea class="text"> when the browser begins to print. Out: a <div class="printed"> after each.
*/

function layOut() {
  for (const box of document.querySelectorAll("textarea.text:not([hidden])")) {
    const text = document.createElement("div");
    text.className = "text printed";
    text.lang = box.lang;
    text.textContent = box.value;
    box.after(text);
  }
}

function clear() {
  for (const text of document.querySelectorAll(".printed")) text.remove();
}

export function startPrinting() {
  window.addEventListener("beforeprint", () => { clear(); layOut(); });
  window.addEventListener("afterprint", clear);
}
