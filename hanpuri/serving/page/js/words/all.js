/* Every word of the page, in Korean and English: {"shell.name": {ko: "한풀이", en: "Hanpuri"}, …}. */

import { words as shell } from "./shell.js";
import { words as restore } from "./restore.js";
import { words as feedback } from "./feedback.js";
import { words as files } from "./files.js";
import { words as obfuscate } from "./obfuscate.js";
import { words as compare } from "./compare.js";

export const words = { ...shell, ...restore, ...feedback, ...files, ...obfuscate, ...compare };
