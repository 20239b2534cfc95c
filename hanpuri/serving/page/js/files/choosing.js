/*
What can be chosen in an opened file: its sheet, the row that holds the names, the column; and what stands in it.

In:  what js/files/source.js describes.   Out: the fields and the preview of the step "choice".

All that comes from the file is written as text; the numbers and names of columns are entries of the word lists.
*/

import { show } from "../language.js";

const element = (id) => document.getElementById(id);
const ENCODINGS = { "utf-8": "UTF-8", "euc-kr": "CP949 (EUC-KR)", "utf-16le": "UTF-16", "utf-16be": "UTF-16" };
const HEADER_LENGTH = 40;

export function showFacts({ kind, encoding, numRows }) {
  const key = kind === "xlsx" ? "files.facts_sheet" : kind === "csv" ? "files.facts" : "files.facts_lines";
  show(element("files-facts"), key, { rows: numRows, encoding: ENCODINGS[encoding] ?? "" });
}

export function offerSheets({ sheets, sheet }) {
  element("files-sheets").hidden = sheets.length < 2;
  element("files-sheet").replaceChildren(...sheets.map((name, at) => new Option(name, at, at === sheet, at === sheet)));
}

export function fillChoice({ kind, columns, column, headers, header }) {
  element("files-columns").hidden = columns.length < 2;
  element("files-column").replaceChildren(...columns.map(({ name }, at) => {
    const option = new Option("", at, at === column, at === column);
    nameColumn(option, name, at);
    return option;
  }));
  element("files-headers").hidden = kind === "txt";
  const none = new Option("", -1, header < 0, header < 0);
  show(none, "files.no_header");
  element("files-header").replaceChildren(none, ...headers.map(({ row, line, text }) => {
    const option = new Option("", row, row === header, row === header);
    const short = Array.from(text).slice(0, HEADER_LENGTH).join("");
    show(option, "files.header_row", { line, text: short === text ? text : `${short}…` });
    return option;
  }));
}

export function showPreview({ columns, preview }) {
  const chosen = Number(element("files-column").value);
  const table = element("files-preview");
  const numShown = Math.max(0, ...preview.map(({ cells }) => cells.length));
  const shown = columns.slice(0, numShown).map((_, at) => at);
  table.tHead.replaceChildren(makeRow("th", shown, chosen, (cell, at) => {
    cell.scope = "col";
    nameColumn(cell, columns[at].name, at);
  }));
  table.tBodies[0].replaceChildren(...preview.map(({ cells }) =>
    makeRow("td", shown, chosen, (cell, at) => { cell.textContent = cells[at] ?? ""; })));
}

function nameColumn(place, name, at) {
  if (name) show(place, "files.named_column", { number: at + 1, name });
  else show(place, "files.column_number", { number: at + 1 });
}

function makeRow(tag, columns, chosen, fill) {
  const row = document.createElement("tr");
  row.append(...columns.map((at) => {
    const cell = document.createElement(tag);
    cell.classList.toggle("chosen", at === chosen);
    fill(cell, at);
    return cell;
  }));
  return row;
}
