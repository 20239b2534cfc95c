/* One line above all tabs for what holds for the whole page: the service is busy, the service is away. */

import { show } from "./language.js";

/* Show a notice by its entry in the word lists; null takes it away. */
export function notify(key, values) {
  show(document.getElementById("notice"), key, values);
}
