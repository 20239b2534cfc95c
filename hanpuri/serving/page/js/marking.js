/*
Text with marks in it, built of text nodes and elements: what a user wrote is never read as HTML.

In:  marked("넓고 깨끗", (position) => (position === 3 ? changedMark() : null)).
Out: a fragment: "넓고 ", <mark>깨</mark>, "끗". Positions count code points, as the service does; an emoji of one code
point is one position, and a joined one is not torn unless a mark stands inside it.
*/

/* "가😀" ─► ["가", "😀"]. */
export function codePoints(text) {
  return Array.from(text);
}

/* Build a text; `markOf(position, character)` gives an element that takes the character, or null. */
export function marked(text, markOf) {
  const fragment = document.createDocumentFragment();
  let plain = "";
  codePoints(text).forEach((character, position) => {
    const mark = markOf(position, character);
    if (mark === null) {
      plain += character;
      return;
    }
    if (plain) fragment.append(plain);
    plain = "";
    mark.textContent = character;
    fragment.append(mark);
  });
  if (plain) fragment.append(plain);
  return fragment;
}
