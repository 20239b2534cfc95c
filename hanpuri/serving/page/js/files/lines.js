/*
A text file ─► its lines, and the same file with other lines.

In:  "뽱이 좁아요\r\n\r\n꺠끗해요".   Out: [{line: 1, cells: ["뽱이 좁아요"], start: 0, end: 6, isBlank: false}, {line: 2, …}, …]
*/

export function readLines(text) {
  const records = [];
  const pattern = /([^\r\n]*)(\r\n|\r|\n|$)/y;
  while (pattern.lastIndex < text.length) {
    const start = pattern.lastIndex;
    const [, line] = pattern.exec(text);
    records.push({ line: records.length + 1, cells: [line], start, end: start + line.length, isBlank: !line.trim() });
  }
  return records;
}

/* Put `values` in the place of lines; where one is null the line stays. */
export function replaceLines(text, records, values) {
  const pieces = [];
  let from = 0;
  records.forEach(({ start, end }, row) => {
    if (values[row] === null) return;
    pieces.push(text.slice(from, start), values[row]);
    from = end;
  });
  pieces.push(text.slice(from));
  return pieces.join("");
}
