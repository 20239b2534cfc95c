/*
The XML of one sheet ─► its rows; and the same XML with one more column.

In:  '<sheetData><row r="2"><c r="A2" t="s"><v>0</v></c></row></sheetData>', and the strings that cells point to.
Out: {rows: [{line: 2, cells: ["뽱이"]}], width: 1}; a number stands as it is written. Cells that are not there are holes in
the array: a row may reach to the 16,384th column, and have two. `unknown` of a row names columns whose formula was never
worked out, as programs write it that are no spreadsheet.

A new cell is put into the XML where its row ends, as a string of its own, with the style of the cell that it was made
of. A string is never a formula, whatever it begins with. All else stays as it was written, letter by letter.
*/

import { FileFault } from "./faults.js";
import { unescapeString } from "./workbook.js";
import { attribute, escape, scanXml, textOf } from "./xml.js";

export const MAX_COLUMNS = 16_384;
const TEXTS = new Set(["s", "str", "inlineStr"]);

/* Read the rows; `width` counts the columns that hold something or belong to a merged cell. */
export function readSheet(xml, strings) {
  const rows = [];
  let width = 0;
  for (const step of walk(xml, strings)) {
    if (step.kind === "row") rows.push({ line: step.line, cells: [], isBlank: true });
    if (step.kind === "merged") width = Math.max(width, step.right + 1);
    if (step.kind !== "cell" || !step.isFull) continue;
    const row = rows[rows.length - 1];
    row.cells[step.column] = step.text;
    if (step.hasFormula && step.text === "" && step.type !== "str") (row.unknown ??= []).push(step.column);
    row.isBlank &&= step.text === "";
    width = Math.max(width, step.column + 1);
  }
  return { rows, width };
}

/*
Add a column at `width`. `values` holds a string for each row of `readSheet`, or null where nothing is added; `source` is
the column whose style and width it takes.
*/
export function addSheetColumn(xml, strings, width, values, source) {
  const cuts = [];  // [from, to, text]: what takes the place of xml.slice(from, to)
  let row = -1;
  let like = null;
  let place = null;
  for (const step of walk(xml, strings)) {
    if (step.kind === "row") {
      row += 1;
      [like, place] = [null, null];
      if (values[row] !== null) cuts.push(...widenSpans(xml, step, width));
    } else if (step.kind === "cell") {
      if (step.column === source) like = step;
      if (step.column >= width) place ??= [step.start, step.column === width ? step.end : step.start];
    } else if (step.kind === "rowEnd" && values[row] !== null) {
      const [from, to] = place ?? [step.start, step.start];
      cuts.push([from, to, newCell(step, columnName(width) + step.line, like, values[row])]);
    } else if (step.kind === "dimension") {
      cuts.push(...widenDimension(xml, step, width));
    } else if (step.kind === "columns") {
      cuts.push(...copyWidth(step, source, width));
    }
  }
  return splice(xml, cuts);
}

/* 0 ─► "A", 27 ─► "AB". */
export function columnName(column) {
  const letter = String.fromCharCode(65 + (column % 26));
  return column < 26 ? letter : columnName(Math.floor(column / 26) - 1) + letter;
}

/* "AB12" ─► 27; undefined, if it is no reference. */
export function columnOf(reference) {
  const letters = /^\$?([A-Z]{1,3})\$?\d+$/.exec(reference ?? "")?.[1];
  return letters && [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

/* The steps of a sheet that matter here: dimension, columns, row, cell, rowEnd, merged. */
function* walk(xml, strings) {
  let line = 0;
  let column = -1;
  let columns = null;
  let cell = null;
  let hasData = false;
  for (const token of scanXml(xml)) {
    const { kind, name, start, end } = token;
    if (cell) {
      if (readInto(cell, token, xml)) {
        cell.end = end;
        finishCell(cell, strings);
        yield cell;
        cell = null;
      }
    } else if (kind === "text") {
      continue;
    } else if (name === "row" && kind !== "close") {
      line = Number(attribute(token, "r") ?? line + 1);
      column = -1;
      yield { kind: "row", line, tag: token };
      if (kind === "empty") continue;
    } else if (name === "row") {
      yield { kind: "rowEnd", line, start, prefix: token.prefix };
    } else if (name === "c" && kind !== "close") {
      column = columnOf(attribute(token, "r")) ?? column + 1;
      const style = attribute(token, "s");
      const type = attribute(token, "t") ?? "n";
      const found = {
        kind: "cell", column, style, type, start, end, text: "", isFull: false,
        inside: "", inReading: false, hasFormula: false,
      };
      if (kind === "empty") yield found;
      else cell = found;
    } else if (name === "mergeCell") {
      yield { kind: "merged", right: columnOf(attribute(token, "ref")?.split(":").pop()) ?? -1 };
    } else if (name === "dimension" && kind !== "close") {
      yield { kind: "dimension", tag: token };
    } else if (name === "cols") {
      if (kind === "open") columns = [];
      if (kind === "close") yield { kind: "columns", columns, start };
    } else if (name === "col" && columns) {
      columns.push(token);
    } else if (name === "sheetData") {
      hasData = true;
    }
  }
  if (!hasData || cell) throw new FileFault("files.fault_damaged");
}

/* Take in a token inside of a cell; true, if it was the cell's end. */
function readInto(cell, token, xml) {
  if (token.kind === "text") {
    if (cell.inside === "v" || (cell.inside === "t" && !cell.inReading)) cell.text += textOf(xml, token);
  } else if (token.kind === "close" && token.name === "c") {
    return true;
  } else if (token.name === "rPh") {
    cell.inReading = token.kind === "open";
  } else if (token.name === "v" || token.name === "t" || token.name === "f") {
    cell.inside = token.kind === "open" ? token.name : "";
    cell.hasFormula ||= token.name === "f";
  }
  return false;
}

/* Put the text in the place of what pointed to it. */
function finishCell(cell, strings) {
  const { type, text } = cell;
  cell.isFull = text !== "" || cell.hasFormula;
  if (type === "s") cell.text = strings[Number(text)] ?? "";
  else if (type === "str" || type === "inlineStr") cell.text = unescapeString(text);
}

/* A string; what is no text but a number, a date, true or false is copied as it is, and so looks the same. */
function newCell({ prefix }, reference, like, value) {
  const p = prefix && `${prefix}:`;
  const s = like?.style === undefined ? "" : ` s="${escape(like.style)}"`;
  if (like && like.text === value && !TEXTS.has(like.type)) {
    return `<${p}c r="${reference}"${s} t="${escape(like.type)}"><${p}v>${escape(value)}</${p}v></${p}c>`;
  }
  const text = escape(escapeString(value));
  return `<${p}c r="${reference}"${s} t="inlineStr"><${p}is><${p}t xml:space="preserve">${text}</${p}t></${p}is></${p}c>`;
}

/* Write what XML cannot hold, and what would be read as such, in Excel's own way. */
function escapeString(text) {
  const hex = (sign) => `_x${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`;
  return text
    .replace(/_(?=x[0-9a-f]{4}_)/gi, "_x005F_")
    .replace(/[\0-\x08\x0b-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, hex);
}

/* spans="1:3" tells Excel between which columns a row has cells. */
function widenSpans(xml, { tag }, width) {
  const text = xml.slice(tag.start, tag.end);
  const wider = text.replace(/(\sspans\s*=\s*["']\d+:)(\d+)(?=["'])/, (whole, before, last) =>
    Number(last) > width ? whole : `${before}${width + 1}`);
  return wider === text ? [] : [[tag.start, tag.end, wider]];
}

function widenDimension(xml, { tag }, width) {
  const [first, last] = (attribute(tag, "ref") ?? "").split(":");
  const right = columnOf(last ?? first);
  if (right === undefined || right >= width) return [];
  const line = /\d+$/.exec(last ?? first)[0];
  const text = xml.slice(tag.start, tag.end).replace(/(\sref\s*=\s*["'])[^"']*/, `$1${first}:${columnName(width)}${line}`);
  return [[tag.start, tag.end, text]];
}

/* Make the new column as wide as the one that it was made of, unless the sheet says how wide it is. */
function copyWidth({ columns, start }, source, width) {
  const range = (tag) => [Number(attribute(tag, "min")) - 1, Number(attribute(tag, "max")) - 1];
  const holds = (column) => (tag) => range(tag)[0] <= column && column <= range(tag)[1];
  const like = columns.find(holds(source));
  const size = like && attribute(like, "width");
  if (!size || columns.some(holds(width))) return [];
  const place = columns.find((tag) => range(tag)[0] > width)?.start ?? start;
  const p = like.prefix && `${like.prefix}:`;
  return [[place, place, `<${p}col min="${width + 1}" max="${width + 1}" width="${escape(size)}" customWidth="1"/>`]];
}

function splice(xml, cuts) {
  const pieces = [];
  let at = 0;
  for (const [from, to, text] of cuts) {
    pieces.push(xml.slice(at, from), text);
    at = to;
  }
  pieces.push(xml.slice(at));
  return pieces.join("");
}
