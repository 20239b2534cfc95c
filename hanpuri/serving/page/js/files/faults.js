/* What is wrong with a file, as an entry of the word lists: new FileFault("files.fault_quote", {line: 3}). */

export class FileFault extends Error {
  constructor(key, values = {}) {
    super(key);
    Object.assign(this, { key, values });
  }
}
