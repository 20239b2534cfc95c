/*
The bytes of a ZIP ─► its parts, whole and unharmed.

In:  50 4B 03 04 …   Out: {"xl/workbook.xml": bytes, …}

What would unpack to far more than it looks is refused before it is unpacked. The library unpacks, but compares nothing:
each part is held against the sum (CRC-32) that the archive names for it, lest a damaged file give other letters.
*/

import "../../vendor/fflate/fflate.js";
import { FileFault } from "./faults.js";

const MAX_UNPACKED_BYTES = 300_000_000;
const MAX_PARTS = 10_000;
const MAX_RATIO = 500;  // of an honest sheet of equal rows it is some 100
const SMALL = 1_000_000;
const END = 0x06054b50;  // how the last record begins, and an entry of the list before it
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const ELSEWHERE = 0xffffffff;  // a place that only the records of large archives (ZIP64) name
const { unzipSync } = self.fflate;

const SUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

export function unpack(bytes) {
  let total = 0;
  let count = 0;
  const filter = ({ size, originalSize }) => {
    total += originalSize;
    count += 1;
    const swells = originalSize > SMALL && originalSize > size * MAX_RATIO;
    if (total > MAX_UNPACKED_BYTES || count > MAX_PARTS || swells) throw new FileFault("files.fault_bomb");
    return true;
  };
  let parts;
  try {
    parts = unzipSync(bytes, { filter });
  } catch (fault) {
    throw fault instanceof FileFault ? fault : new FileFault("files.fault_damaged");
  }
  const sums = readSums(bytes);
  const isWhole = sums.size === 0 || Object.values(parts).every((part) => sums.has(sumOf(part)));
  if (!isWhole) throw new FileFault("files.fault_damaged");
  return parts;
}

/* The sums of all parts; none, where they cannot be found. */
function readSums(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - END_BYTES;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  let at = end < 0 ? ELSEWHERE : view.getUint32(end + 16, true);
  const sums = new Set();
  while (at + ENTRY_BYTES <= end && view.getUint32(at, true) === ENTRY) {
    sums.add(view.getUint32(at + 16, true));
    at += ENTRY_BYTES + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return sums;
}

function sumOf(bytes) {
  let sum = -1;
  for (let at = 0; at < bytes.length; at += 1) sum = (sum >>> 8) ^ SUMS[(sum ^ bytes[at]) & 0xff];
  return ~sum >>> 0;
}
