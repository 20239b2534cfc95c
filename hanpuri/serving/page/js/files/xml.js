/*
XML text ─► its tags and texts with their places, one after the other.

In:  '<row r="1"><v>3</v></row>'.
Out: {name: "row", kind: "open", attributes: ' r="1"', start: 0, end: 11}, {kind: "open", name: "v", …}, {kind: "text", …}

A browser's own reader gives a tree: written out again it is another file, it needs ten times the memory, and a worker
has none. Here places are enough. A document type is refused, for with it could come entities that grow without end.
*/

import { FileFault } from "./faults.js";

const TAG = /<(?:!--[\s\S]*?--|\?[\s\S]*?\?|!\[CDATA\[[\s\S]*?\]\]|(\/?)(?:([\w.-]+):)?([\w.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?))>/y;
const CDATA = "<![CDATA[";
const patterns = new Map();
const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/* Tokens: kind is "open", "close", "empty" or "text"; a tag has `prefix`, `name` and `attributes`, textOf() gives a text. */
export function* scanXml(xml) {
  let at = 0;
  while (at < xml.length) {
    if (xml[at] !== "<") {
      const found = xml.indexOf("<", at);
      const end = found < 0 ? xml.length : found;
      yield { kind: "text", start: at, end, isRaw: false };
      at = end;
      continue;
    }
    TAG.lastIndex = at;
    const tag = TAG.exec(xml);
    if (!tag) throw new FileFault("files.fault_damaged");
    const [whole, close, prefix = "", name, attributes, empty] = tag;
    const end = at + whole.length;
    if (name !== undefined) {
      yield { kind: close ? "close" : empty ? "empty" : "open", prefix, name, attributes, start: at, end };
    } else if (whole.startsWith(CDATA)) {
      yield { kind: "text", start: at + CDATA.length, end: end - 3, isRaw: true };
    }
    at = end;
  }
}

/* What a token of the kind "text" says. */
export function textOf(xml, { start, end, isRaw }) {
  const text = xml.slice(start, end);
  return isRaw ? text : unescape(text);
}

/* The value of an attribute, or undefined. */
export function attribute({ attributes }, name) {
  if (attributes === "") return undefined;
  if (!patterns.has(name)) patterns.set(name, new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`));
  const found = patterns.get(name).exec(attributes);
  return found ? unescape(found[1] ?? found[2]) : undefined;
}

export function escape(text) {
  return text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
}

function unescape(text) {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name) return ENTITIES[name.toLowerCase()];
    const point = Number.parseInt(hex ?? decimal, hex ? 16 : 10);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}
