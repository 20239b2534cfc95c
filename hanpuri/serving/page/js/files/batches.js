/*
Texts ─► the numbers of those that go into one request each, by what the service takes.

In:  ["확잠실읾", "념뭄", …] and {texts: 1000, body_bytes: 1000000, …}.   Out: [[0, 1, …], [200, 201, …], …]
*/

// Far less than the service takes: the bar moves often, and others who ask get their turn between.
const MAX_TEXTS = 200;
const MAX_CHARACTERS = 20_000;
const ROUND_BYTES = 200;  // of what stands round the texts

export function cutBatches(texts, limits) {
  const encoder = new TextEncoder();
  const maxTexts = Math.min(MAX_TEXTS, limits.texts);
  const batches = [];
  let batch = [];
  let [bytes, characters] = [ROUND_BYTES, 0];
  texts.forEach((text, number) => {
    const size = encoder.encode(JSON.stringify(text)).length + 1;
    const isLong = bytes + size > limits.body_bytes || characters + text.length > MAX_CHARACTERS;
    if (batch.length > 0 && (isLong || batch.length >= maxTexts)) {
      batches.push(batch);
      batch = [];
      [bytes, characters] = [ROUND_BYTES, 0];
    }
    batch.push(number);
    bytes += size;
    characters += text.length;
  });
  if (batch.length > 0) batches.push(batch);
  return batches;
}
