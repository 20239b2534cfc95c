/*
The bytes of a text file ─► its text and what it was written in; and back.

In:  EF BB BF ED 9B 84 EA B8 B0 …   Out: {text: "후기…", encoding: "utf-8", mark: true}

UTF-8 and UTF-16 with or without a mark (BOM), and CP949, which holds EUC-KR. A file that is none of these is refused:
a wrong guess would lose letters. What is written is what was read, with a mark or without; only CP949 becomes UTF-8 with
a mark, by which Excel knows it: no browser can write CP949, and it lacks letters that a restored text may have.
*/

import { FileFault } from "./faults.js";

const MARKS = [["utf-8", [0xef, 0xbb, 0xbf]], ["utf-16le", [0xff, 0xfe]], ["utf-16be", [0xfe, 0xff]]];
const NARROW = ["utf-8", "euc-kr"];  // a browser's "euc-kr" is all of CP949
const LOOKED_AT = 4096;
// What stands in no text: bytes of something else that were read in pairs.
const NO_TEXT = /[\0-\x08\x0e-\x1f\p{Cn}\p{Co}]/u;

export function decode(bytes) {
  for (const [encoding, mark] of MARKS) {
    if (!mark.every((byte, at) => bytes[at] === byte)) continue;
    const text = tryDecode(bytes.subarray(mark.length), encoding);
    if (text === null) throw unreadable(bytes, [encoding]);
    return { text, encoding, mark: true };
  }
  const narrow = decodeUnmarked(bytes, NARROW);
  const zero = bytes.indexOf(0);
  if (narrow && zero < 0) return narrow;
  const { encodings, isSure } = guessWide(bytes);
  const wide = zero >= 0 && (isSure || !narrow) ? decodeUnmarked(bytes, encodings) : null;
  if (wide && !NO_TEXT.test(wide.text)) return wide;
  if (narrow) throw new FileFault("files.fault_nul", { line: lineOf(bytes, zero) });
  throw unreadable(bytes, NARROW);
}

/* Text ─► bytes, as the file was from which it came. */
export function encode(text, { encoding, mark }) {
  const marked = mark || encoding === "euc-kr" ? `\ufeff${text}` : text;
  if (!encoding.startsWith("utf-16")) return new TextEncoder().encode(marked);
  const view = new DataView(new ArrayBuffer(marked.length * 2));
  for (let at = 0; at < marked.length; at += 1) view.setUint16(at * 2, marked.charCodeAt(at), encoding === "utf-16le");
  return new Uint8Array(view.buffer);
}

function decodeUnmarked(bytes, encodings) {
  for (const encoding of encodings) {
    const text = tryDecode(bytes, encoding);
    if (text !== null) return { text, encoding, mark: false };
  }
  return null;
}

/* Which UTF-16 it may be: bytes that are 0 are many there, nearly all on the side of the higher byte. */
function guessWide(bytes) {
  const zeros = [0, 0];
  const looked = Math.min(bytes.length, LOOKED_AT);
  for (let at = 0; at < looked; at += 1) {
    if (bytes[at] === 0) zeros[at % 2] += 1;
  }
  const isSure = Math.max(...zeros) * 4 >= looked;
  return { encodings: [zeros[1] > zeros[0] ? "utf-16le" : "utf-16be"], isSure };
}

/* The line, from 1, in which a byte stands. */
function lineOf(bytes, at) {
  return bytes.subarray(0, at).reduce((line, byte) => line + (byte === 0x0a), 1);
}

function tryDecode(bytes, encoding) {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/* What is wrong: no text at all, or a line that no encoding can read. */
function unreadable(bytes, encodings) {
  if (bytes.includes(0)) return new FileFault("files.fault_binary");
  for (let start = 0, line = 1; start < bytes.length; line += 1) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found + 1;
    if (encodings.every((encoding) => tryDecode(bytes.subarray(start, end), encoding) === null)) {
      return new FileFault("files.fault_encoding", { line });
    }
    start = end;
  }
  return new FileFault("files.fault_mixed");  // each line in one of them, and not all in the same
}
