/*
An Excel file (XLSX) ─► its sheets; and the same file with other sheets.

In:  the bytes of a file.
Out: {parts: {"xl/workbook.xml": bytes, …}, sheets: [{name: "후기", path: "xl/worksheets/sheet1.xml"}], strings: ["뽱이", …]}

The file is a ZIP of XML parts. One part is changed, the others are packed again as they are: styles, formulas,
pictures, macros.
*/

import "../../vendor/fflate/fflate.js";
import { unpack } from "./archive.js";
import { decode, encode } from "./encodings.js";
import { FileFault } from "./faults.js";
import { attribute, scanXml, textOf } from "./xml.js";

const LEVEL = 3;  // of 0 to 9: half the time of the usual 6, and files that are a quarter larger
const OTHER_OFFICE = /HwpSummaryInformation|WordDocument|PowerPoint Document/;
const { zipSync } = self.fflate;

export function isZip(bytes) {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 0x03 && bytes[3] === 0x04;
}

/* The old form of Office files (.xls, .hwp), in which Excel also wraps a file that has a password. */
export function isOldOffice(bytes) {
  return [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1].every((byte, at) => bytes[at] === byte);
}

export function oldOfficeFault(bytes) {
  const wide = new TextDecoder("utf-16le").decode(bytes.subarray(0, bytes.length & ~1));
  if (wide.includes("EncryptedPackage")) return new FileFault("files.fault_password");
  return new FileFault(OTHER_OFFICE.test(wide) ? "files.fault_no_workbook" : "files.fault_xls");
}

export function openWorkbook(bytes) {
  const parts = unpack(bytes);
  const workbook = relations(parts, "").find(({ type }) => type === "officeDocument")?.path;
  if (!workbook || !parts[workbook] || !workbook.endsWith(".xml")) throw new FileFault("files.fault_no_workbook");
  const related = relations(parts, workbook);
  const sheets = [];
  for (const tag of scanXml(partText(parts, workbook))) {
    if (tag.name !== "sheet" || tag.kind === "close") continue;
    const id = attribute(tag, "(?:\\w+:)?id");
    const target = related.find((one) => one.id === id && one.type === "worksheet");  // not: a sheet that is one chart
    if (target && parts[target.path]) sheets.push({ name: attribute(tag, "name") ?? "", path: target.path });
  }
  if (sheets.length === 0) throw new FileFault("files.fault_no_workbook");
  const shared = related.find(({ type }) => type === "sharedStrings")?.path;
  return { parts, sheets, strings: shared && parts[shared] ? readStrings(partText(parts, shared)) : [] };
}

/* The XML of a sheet: {text, encoding, mark}. */
export function sheetText({ parts }, { path }) {
  return decodePart(parts, path);
}

/* Pack the workbook with another XML for one of its sheets, encoded as that one was. */
export function packWorkbook({ parts }, { path }, xml, encoding) {
  const changed = { ...parts, [path]: encode(xml, encoding) };
  return zipSync(changed, { level: LEVEL, mtime: new Date(1980, 0, 1) });  // the date that Excel itself writes
}

/* "_x000D_" stands for a character that XML cannot hold. */
export function unescapeString(text) {
  if (!text.includes("_")) return text;
  return text.replace(/_x([0-9a-f]{4})_/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function partText(parts, path) {
  return decodePart(parts, path).text;
}

/* XML without a mark is UTF-8, whatever else its bytes may look like. */
function decodePart(parts, path) {
  const found = decode(parts[path]);
  if (found.encoding === "euc-kr") throw new FileFault("files.fault_damaged");
  return found;
}

/* What a part names: [{id: "rId1", type: "worksheet", path: "xl/worksheets/sheet1.xml"}]. */
function relations(parts, part) {
  const folder = part.includes("/") ? part.slice(0, part.lastIndexOf("/") + 1) : "";
  const path = `${folder}_rels/${part.slice(folder.length)}.rels`;
  if (!parts[path]) return [];
  const found = [];
  for (const tag of scanXml(partText(parts, path))) {
    if (tag.name !== "Relationship" || attribute(tag, "TargetMode") === "External") continue;
    const { pathname } = new URL(attribute(tag, "Target") ?? "", `file:///${folder}`);
    const type = (attribute(tag, "Type") ?? "").split("/").pop();
    found.push({ id: attribute(tag, "Id"), type, path: decodeURI(pathname).slice(1) });
  }
  return found;
}

/* The strings that cells point to; of rich text the letters, of a text with its reading (rPh) not the reading. */
function readStrings(xml) {
  const strings = [];
  let text = "";
  let inText = false;
  let inReading = false;
  for (const token of scanXml(xml)) {
    if (token.kind === "text") {
      if (inText && !inReading) text += textOf(xml, token);
    } else if (token.name === "si" && token.kind === "open") {
      text = "";
    } else if (token.name === "si") {
      strings.push(token.kind === "empty" ? "" : unescapeString(text));
    } else if (token.name === "t") {
      inText = token.kind === "open";
    } else if (token.name === "rPh") {
      inReading = token.kind === "open";
    }
  }
  return strings;
}
