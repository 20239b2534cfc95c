/* Puts a text on the clipboard: true, if it did. */

/* Pages that do not come by https or from this machine have no navigator.clipboard; the old way still works there. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const holder = document.createElement("textarea");
    holder.value = text;
    holder.className = "spoken";
    const focused = document.activeElement;
    document.body.append(holder);
    holder.select();
    const done = document.execCommand("copy");
    holder.remove();
    focused?.focus();
    return done;
  }
}
