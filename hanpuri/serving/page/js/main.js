/*
Starts the page: words, tabs, and each tab's own script.

Every script has start(service): `service` is a promise of what GET /v1/service says, because it may have to wait for a
key: {"version": "0.1.0", "limits": {"texts": 1000, "characters": 10000, "body_bytes": 1000000}, "feedback": true, …}.
*/

import { get, sleep } from "./api.js";
import { startKey } from "./key.js";
import { show, startLanguage } from "./language.js";
import { notify } from "./notice.js";
import { startPrinting } from "./printing.js";
import { hideTab, startTabs } from "./tabs.js";
import { start as startRestore } from "./restore.js";
import { start as startFeedback } from "./feedback.js";
import { start as startFiles } from "./files/files.js";
import { start as startObfuscate } from "./obfuscate.js";
import { start as startCompare } from "./compare.js";

const AGAIN_SECONDS = 10;

/* Nothing goes on without it, so that it is asked for until it comes. */
async function askService() {
  for (;;) {
    try {
      return await get("v1/service");
    } catch (fault) {
      if (fault.key === undefined) throw fault;
      notify(fault.key, fault.values);
      await sleep(AGAIN_SECONDS);
    }
  }
}

startLanguage();
startTabs();
startKey();
startPrinting();
const service = askService();
for (const start of [startRestore, startFeedback, startFiles, startObfuscate, startCompare]) start(service);
service.then(({ version, compare }) => {
  show(document.getElementById("version"), "shell.version", { version });
  if (!compare) hideTab("compare");
});
