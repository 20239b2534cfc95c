/*
CSV and TSV ─► records that remember where they end; and the same file with one more column.

In:  'id,후기\r\n1,"뽱이, 꺠끗"\r\n'.
Out: [{line: 1, cells: ["id", "후기"], end: 5, isBlank: false}, {line: 2, cells: ["1", "뽱이, 꺠끗"], end: 18, …}]

A column is added by putting a few characters where each record ends. All else, the quotes and line ends that were chosen
among it, stays as it was written, which no reader that gives cells alone could promise; hence this module and no library.
*/

import { FileFault } from "./faults.js";

const DELIMITERS = [",", "\t", ";", "|"];
const SAMPLE = 50;

/*
Read a table. `delimiter` is found out if not given; tabs may stand beside quotes that are just letters, so where quotes
do not close, or not at a cell's end, none is taken for one. Gives {records, delimiter, quotes, width}.
*/
export function readTable(text, name) {
  const told = /^sep=([,;|\t])(?=\r?\n)/i.exec(text);  // a line with which Excel is told the delimiter
  const delimiter = told ? told[1] : guessDelimiter(text, name);
  let records;
  let quotes = true;
  try {
    records = readRecords(text, delimiter);
  } catch (fault) {
    if (delimiter !== "\t" || !(fault instanceof FileFault)) throw fault;
    quotes = false;
    records = readRecords(text, delimiter, { quotes });
  }
  if (told) records[0].isBlank = true;
  const width = records.reduce((most, { cells, isBlank }) => (isBlank ? most : Math.max(most, cells.length)), 0);
  return { records, delimiter, quotes, width };
}

/* Whether the first lines, two at least, all have one and the same number of tabs. */
export function isTabTable(text) {
  return /[\r\n]./.test(text) && evenness(text, "\t") === 1;
}

/* Cut a text into records of cells, `limit` of them at most. */
export function readRecords(text, delimiter, { quotes = true, limit = Infinity } = {}) {
  const plain = new RegExp(`[^\\r\\n${delimiter === "|" ? "\\|" : delimiter}]*`, "y");
  const records = [];
  let at = 0;
  let line = 1;
  while (at < text.length && records.length < limit) {
    const record = { line, cells: [], end: at, isBlank: false };
    const start = at;
    for (;;) {
      const cell = quotes && text[at] === '"' ? quotedCell(text, at, plain, line) : plainCell(text, at, plain);
      if (cell.hasRest && delimiter === "\t") throw new FileFault("files.fault_quote", { line });
      record.cells.push(cell.value);
      line += cell.breaks;
      at = cell.end;
      if (text[at] !== delimiter) break;
      at += 1;
    }
    record.end = at;
    record.isBlank = text.slice(start, at).trim() === "" && record.cells.length === 1;
    records.push(record);
    at += text.startsWith("\r\n", at) ? 2 : 1;
    line += 1;
  }
  return records;
}

/*
Add a column behind the widest record; shorter ones get empty cells, so that it stands below its name everywhere.
`values` holds a string for each record, or null where nothing is added.
*/
export function addColumn(text, { records, delimiter, quotes, width }, values) {
  const pieces = [];
  let from = 0;
  records.forEach(({ end, cells, isBlank }, row) => {
    if (isBlank) return;
    const value = values[row] ?? "";
    const missing = delimiter.repeat(width - cells.length);
    const written = quotes ? quote(value, delimiter) : value.replace(/[\t\r\n]+/g, " ");
    pieces.push(text.slice(from, end), missing, delimiter, written);
    from = end;
  });
  pieces.push(text.slice(from));
  return pieces.join("");
}

/* The delimiter for which most of the first records have one and the same number of cells, more than one. */
function guessDelimiter(text, name) {
  if (/\.tsv$/i.test(name)) return "\t";
  let best = { delimiter: ",", share: 0 };
  for (const delimiter of DELIMITERS) {
    const share = evenness(text, delimiter);
    if (share > best.share) best = { delimiter, share };
  }
  return best.delimiter;
}

function evenness(text, delimiter) {
  let records;
  try {
    records = readRecords(text, delimiter, { limit: SAMPLE }).filter(({ isBlank }) => !isBlank);
  } catch {
    return 0;
  }
  const counts = new Map();
  for (const { cells } of records) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  counts.delete(1);
  return Math.max(0, ...counts.values()) / records.length;
}

function plainCell(text, at, plain) {
  plain.lastIndex = at;
  const value = plain.exec(text)[0];
  return { value, end: at + value.length, breaks: 0 };
}

/* A cell in quotes; what stands between its closing quote and the delimiter belongs to it, as Excel has it. */
function quotedCell(text, at, plain, line) {
  let close = at;
  do {
    close = text.indexOf('"', close + 1);
    if (close < 0) throw new FileFault("files.fault_quote", { line });
    if (text[close + 1] !== '"') break;
    close += 1;
  } while (true);
  const inside = text.slice(at + 1, close);
  const rest = plainCell(text, close + 1, plain);
  const value = inside.replaceAll('""', '"') + rest.value;
  return { value, end: rest.end, breaks: countBreaks(inside), hasRest: rest.value !== "" };
}

function countBreaks(text) {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0;
}

function quote(value, delimiter) {
  const needed = value.includes(delimiter) || /["\r\n]|^\s|\s$/.test(value);
  return needed ? `"${value.replaceAll('"', '""')}"` : value;
}
