/*
One opened file, whatever its form ─► what can be chosen in it, the texts to restore, and the file with the restored ones.

In:  openSource("reviews.csv", bytes).
Out: {name, kind: "csv", encoding: "euc-kr", records: [{line: 1, cells: ["id", "후기"], isBlank: false}, …], width: 2, …}

    describe(source)                       ─► columns, a guess which of them to restore and where its name stands, a preview
    planTexts(source, choice, limits)      ─► each different text once, and which row it belongs to
    writeSource(source, choice, plan, restored) ─► the bytes of the new file

A row's cell is left alone where it is empty or longer than the service takes; where no Hangul is in it there is nothing
to restore, and the new column holds it as it is.
*/

import { addColumn, isTabTable, readTable } from "./delimited.js";
import { decode, encode } from "./encodings.js";
import { FileFault } from "./faults.js";
import { readLines, replaceLines } from "./lines.js";
import { addSheetColumn, MAX_COLUMNS, readSheet } from "./sheet.js";
import { isOldOffice, isZip, oldOfficeFault, openWorkbook, packWorkbook, sheetText } from "./workbook.js";

const NEW_COLUMN = "restored";
const GUESSED_FROM = 200;
const HEADER_ROWS = 5;
const HEADER_LENGTH = 40;
const PREVIEW_ROWS = 4;
const PREVIEW_COLUMNS = 12;
const PREVIEW_LENGTH = 80;
const NAMED_LINES = 5;
const PDF = [0x25, 0x50, 0x44, 0x46, 0x2d];
const HANGUL = /\p{Script=Hangul}/u;
const ALL_HANGUL = /\p{Script=Hangul}/gu;

export function openSource(name, bytes) {
  if (isOldOffice(bytes)) throw oldOfficeFault(bytes);
  if (PDF.every((byte, at) => bytes[at] === byte)) throw new FileFault("files.fault_binary");
  if (isZip(bytes)) {
    return openBestSheet({ name, kind: "xlsx", workbook: openWorkbook(bytes) });
  }
  if (/\.(xlsx|xlsm|xlsb|xls|ods|numbers)$/i.test(name)) throw new FileFault("files.fault_no_workbook");
  const { text, encoding, mark } = decode(bytes);
  const source = { name, text, encoding, mark };
  const isTabbed = !/\.csv$/i.test(name) && isTabTable(text);  // Excel names tables with tabs .txt
  if (isTabbed || /\.(csv|tsv)$/i.test(name)) {
    Object.assign(source, { kind: "csv", table: readTable(text, isTabbed ? `${name}.tsv` : name) });
  }
  else Object.assign(source, { kind: "txt", table: { records: readLines(text), width: 1 } });
  return withRecords(source, source.table.records, source.table.width);
}

/* Look at another sheet of a workbook, counted from 0. */
export function selectSheet(source, number) {
  const { workbook } = source;
  const { text, encoding, mark } = sheetText(workbook, workbook.sheets[number]);
  const { rows, width } = readSheet(text, workbook.strings);
  return withRecords({ ...source, sheet: number, text, encoding, mark }, rows, width);
}

/* What can be chosen; `header` is the row that holds the names (-1: none), guessed if not given. */
export function describe(source, header = guessHeader(source)) {
  const { records, width, kind, encoding, mark, workbook, sheet = 0 } = source;
  const names = records[header]?.cells ?? [];
  const columns = Array.from({ length: width }, (_, column) => ({ name: names[column]?.trim() ?? "" }));
  const first = records.slice(0, HEADER_ROWS);
  const headers = first.map(({ line, cells }, row) => {
    return { row, line, text: cut(cells.filter((cell) => cell !== "").join(" · ")) };
  });
  return {
    kind, encoding, mark, header, columns, sheet,
    sheets: workbook ? workbook.sheets.map(({ name }) => name) : [],
    headers: kind === "txt" ? [] : headers.filter(({ text }) => text !== ""),
    column: guessColumn(source, header),
    preview: preview(source, header),
    numRows: records.slice(header + 1).filter(({ isBlank }) => !isBlank).length,
    uneven: unevenLines(source, header),
  };
}

/*
What is to be done: {texts, places, tooLong, numWithoutValue}; places[row] is the number of the row's text, or -1, and the
last one counts formulas of which the file does not hold what they come to.
*/
export function planTexts({ kind, records, width }, { column, header }, limits) {
  if (kind === "xlsx" && width >= MAX_COLUMNS) throw new FileFault("files.fault_wide");
  const texts = [];
  const numberOf = new Map();
  const tooLong = [];
  const places = records.map(({ cells, line }, row) => {
    const text = row > header ? cells[column] ?? "" : "";
    if (!HANGUL.test(text)) return -1;
    if (isTooLong(text, limits)) {
      tooLong.push(line);
      return -1;
    }
    if (!numberOf.has(text)) numberOf.set(text, texts.push(text) - 1);
    return numberOf.get(text);
  });
  if (texts.length === 0) {
    const key = tooLong.length > 0 ? "files.fault_all_long" : width > 1 ? "files.fault_no_hangul" : "files.fault_no_korean";
    throw new FileFault(key);
  }
  const numWithoutValue = records.filter(({ unknown }, row) => row > header && unknown?.includes(column)).length;
  return { texts, places, tooLong: { count: tooLong.length, lines: tooLong.slice(0, NAMED_LINES) }, numWithoutValue };
}

/* The new file: {bytes, name, formulaLike}; `restored` holds a string for each text of the plan, or null. */
export function writeSource(source, choice, { places, tooLong }, restored) {
  const values = source.records.map((record, row) => newValue(source, choice, record, row, places[row], restored));
  const formulaLike = source.kind === "csv" ? values.filter((value) => /^[=+\-@\t]/.test(value ?? "")).length : 0;
  return { bytes: newBytes(source, choice, values), name: newFileName(source), formulaLike, tooLong };
}

/* "후기.csv" ─► "후기_restored.csv"; a workbook that is called otherwise, which Excel would not open, becomes .xlsx. */
function newFileName({ name, kind }) {
  const isMisnamed = kind === "xlsx" && !/\.(xlsx|xlsm|xltx|xltm)$/i.test(name);
  return name.replace(/(\.[^.]*)?$/, (ending) => `_${NEW_COLUMN}${isMisnamed ? ".xlsx" : ending}`);
}

function newValue({ kind, records }, { column, header }, { cells }, row, place, restored) {
  if (row === header) return newName(records[header].cells);
  if (row < header) return null;
  if (place >= 0) return restored[place];
  const text = cells[column] ?? "";
  return kind === "txt" || text === "" || HANGUL.test(text) ? null : text;
}

function newBytes(source, { column }, values) {
  const { kind, text, table, workbook, sheet, width } = source;
  if (kind === "xlsx") {
    const changed = addSheetColumn(text, workbook.strings, width, values, column);
    return packWorkbook(workbook, workbook.sheets[sheet], changed, source);
  }
  const changed = kind === "csv" ? addColumn(text, table, values) : replaceLines(text, table.records, values);
  return encode(changed, source);
}

/* "restored", or "restored_2" where a column is called so already. */
function newName(names) {
  const taken = new Set(names.map((name) => name.trim()));
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? NEW_COLUMN : `${NEW_COLUMN}_${number}`;
    if (!taken.has(name)) return name;
  }
}

function withRecords(source, records, width) {
  if (!records.some(({ isBlank }) => !isBlank)) {
    if (source.kind !== "xlsx" || source.workbook.sheets.length === 1) throw new FileFault("files.fault_empty");
  }
  return { ...source, records, width };
}

/* Open the first sheet that has Hangul in it; the first of all, if none has. */
function openBestSheet(source) {
  let first = null;
  for (let number = 0; number < source.workbook.sheets.length; number += 1) {
    const selected = selectSheet(source, number);
    first ??= selected;
    const looked = selected.records.slice(0, GUESSED_FROM);
    if (looked.some(({ cells }) => cells.some((cell) => HANGUL.test(cell)))) return selected;
  }
  return first;
}

/*
The row that holds the names: short cells, none a number, and, where the table has more columns than one, at least two of
them, so that no title above the table is taken for it. -1, if there is none; text files have none.
*/
function guessHeader({ kind, records, width }) {
  if (kind === "txt") return -1;
  for (let row = 0; row < Math.min(records.length, HEADER_ROWS); row += 1) {
    const full = records[row].cells.filter((cell) => cell.trim() !== "");
    if (records[row].isBlank || full.length < Math.min(2, width)) continue;
    const areNames = full.every((cell) => [...cell].length <= HEADER_LENGTH && !/^[\d\s.,:%/-]+$/.test(cell));
    const isFirst = areNames && (width > 1 || standsOut(records, row));
    return isFirst ? row : -1;
  }
  return -1;
}

/* In a single column a name is short, beside reviews that are not. */
function standsOut(records, row) {
  const below = records.slice(row + 1, row + 1 + GUESSED_FROM).filter(({ isBlank }) => !isBlank);
  if (below.length === 0) return false;
  const mean = below.reduce((sum, { cells }) => sum + (cells[0] ?? "").length, 0) / below.length;
  const name = records[row].cells[0];
  return !HANGUL.test(name) || (!name.trim().includes(" ") && name.length * 2 < mean);
}

function guessColumn({ records, width }, header) {
  const counts = Array.from({ length: width }, (_, column) => countHangul(records.slice(header + 1), column));
  return Math.max(0, counts.indexOf(Math.max(...counts)));
}

function countHangul(records, column) {
  let count = 0;
  for (const { cells } of records.slice(0, GUESSED_FROM)) count += cells[column]?.match(ALL_HANGUL)?.length ?? 0;
  return count;
}

function preview({ records }, header) {
  const below = records.slice(header + 1).filter(({ isBlank }) => !isBlank).slice(0, PREVIEW_ROWS);
  return below.map(({ line, cells }) => ({ line, cells: cells.slice(0, PREVIEW_COLUMNS).map(cut) }));
}

/* Rows of a CSV that have another number of cells than the first one. */
function unevenLines({ kind, records }, header) {
  if (kind !== "csv") return { count: 0, lines: [] };
  const full = records.filter(({ isBlank }) => !isBlank);
  const expected = (records[header] ?? full[0]).cells.length;
  const lines = full.filter(({ cells }) => cells.length !== expected).map(({ line }) => line);
  return { count: lines.length, lines: lines.slice(0, NAMED_LINES) };
}

function isTooLong(text, { characters, body_bytes: bytes }) {
  if (text.length * 2 <= characters && text.length * 6 + 200 <= bytes) return false;  // true of most, and cheap to see
  return [...text].length > characters || sizeOf(text) + 200 > bytes;
}

function cut(text) {
  return text.length > PREVIEW_LENGTH ? `${text.slice(0, PREVIEW_LENGTH).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/* The bytes of a text in a request: JSON in UTF-8. */
function sizeOf(text) {
  return new TextEncoder().encode(JSON.stringify(text)).length;
}
