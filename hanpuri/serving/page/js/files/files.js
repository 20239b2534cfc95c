/*
Files, below the text boxes: one is dropped or chosen, a column is picked, its texts are restored, the file comes back.

The file is read in the browser (js/files/worker.js); only texts of the chosen column go to the service, in batches.
Steps, of which one is shown at a time: nothing opened ─► "choice" ─► "work" (stopped or not) ─► "done".
*/

import { sleep } from "../api.js";
import { number, show, word } from "../language.js";
import { notify } from "../notice.js";
import { currentReach } from "../restore.js";
import { FileFault } from "./faults.js";
import { Reader } from "./reader.js";
import { Restoring } from "./restoring.js";
import { fillChoice, offerSheets, showFacts, showPreview } from "./choosing.js";

const MAX_FILE_BYTES = 100_000_000;
const TOLD_SECONDS = 10;   // a screen reader is told of the progress so often
const TYPES = {
  csv: "text/csv",
  txt: "text/plain",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
};

const element = (id) => document.getElementById(id);
const STEPS = ["choice", "work", "done"];
const CHOICES = ["files-sheet", "files-header", "files-column", "files-start"];

let limits = null;      // a promise of the service's limits
let reader = null;
let told = null;        // what the worker said of the file that is open
let work = null;        // {restoring, plan, isTaken, signalling, startedAt, startedWith}
let choosing = null;    // what had the focus before choices were switched off

export function start(service) {
  limits = service.then((one) => one.limits);
  element("files-input").addEventListener("change", (event) => {
    open(event.target.files);
    event.target.value = "";  // so that the same file can be chosen again
  });
  startDropping();
  element("files-download").addEventListener("click", () => {
    work.isTaken = true;
    show(element("files-fault"), null);
  });
  element("files-sheet").addEventListener("change", (event) => look("sheet", { sheet: Number(event.target.value) }));
  element("files-header").addEventListener("change", (event) => look("describe", { header: Number(event.target.value) }));
  element("files-column").addEventListener("change", () => showPreview(told));
  element("files-start").addEventListener("click", begin);
  element("files-stop").addEventListener("click", () => work.signalling.abort());
  element("files-resume").addEventListener("click", run);
  for (const id of ["files-close-choice", "files-close-work", "files-close-done"]) {
    element(id).addEventListener("click", () => { close(); element("files-input").focus(); });
  }
}

/* Files may be dropped anywhere on the card; beside it a drop does nothing, where browsers would leave the page. */
function startDropping() {
  const card = element("files");
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    const isOver = card.contains(event.target);
    event.dataTransfer.dropEffect = isOver ? "copy" : "none";
    card.classList.toggle("over", isOver);
  });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) card.classList.remove("over"); });
  window.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    card.classList.remove("over");
    if (card.contains(event.target)) open(event.dataTransfer.files);
  });
}

async function open(files) {
  if (files.length === 0) return;
  const [file] = files;
  if (wouldBeLost()) return fail(new FileFault("files.fault_not_done"));
  if (files.length > 1) return fail(new FileFault("files.fault_many", { count: files.length }));
  if (file.size > MAX_FILE_BYTES) return fail(new FileFault("files.fault_big", { limit: MAX_FILE_BYTES / 1e6 }));
  close();
  show(element("files-said"), "files.reading");
  const mine = new Reader();
  reader = mine;
  try {
    const bytes = new Uint8Array(await file.arrayBuffer().catch(() => { throw new FileFault("files.fault_unread"); }));
    const found = await mine.ask("open", { name: file.name, bytes }, [bytes.buffer]);
    element("files-name").textContent = file.name;
    offerSheets(found);
    shown("choice");
    take(found);
    if (found.numRows > 0) show(element("files-said"), "files.opened", { rows: found.numRows });
    else show(element("files-said"), null);
    element("files-choice").focus();  // what had the focus is hidden now
  } catch (fault) {
    if (reader === mine) fail(fault);  // else another file was given meanwhile
  }
}

/* Another sheet, or another row of names. */
async function look(ask, given) {
  const mine = reader;
  mayChoose(false);
  try {
    take(await mine.ask(ask, given));
  } catch (fault) {
    if (reader === mine) fail(fault);
  } finally {
    if (reader === mine) mayChoose(true);
  }
}

/* While the worker reads or plans, what it was asked about stays as it is: else one sheet's plan would meet another. */
function mayChoose(may) {
  const focused = document.activeElement;
  for (const id of CHOICES) element(id).disabled = !may;
  if (may) element("files-start").disabled = told === null || told.numRows === 0;
  if (!may) choosing = focused;
  else if (document.activeElement === document.body && choosing && !choosing.disabled) choosing.focus();
}

function take(found) {
  told = found;
  showFacts(told);
  fillChoice(told);
  showPreview(told);
  element("files-start").disabled = told.numRows === 0;
  show(element("files-fault"), told.numRows === 0 ? "files.fault_no_rows" : null);
}

async function begin() {
  const mine = reader;
  const choice = { column: Number(element("files-column").value), header: told.header };
  mayChoose(false);
  try {
    const taken = await limits;
    const { texts, batches, ...plan } = await mine.ask("plan", { ...choice, limits: taken });
    work = { restoring: new Restoring(texts, { batches, model: element("model").value, reach: currentReach() }), plan };
    await run();
  } catch (fault) {
    if (reader === mine) fail(fault);
  } finally {
    mayChoose(true);
  }
}

/* Restore what is left of the texts; what stops it is said, and it can be gone on with. */
async function run() {
  const mine = work;
  const { restoring } = mine;
  const startedWith = restoring.charactersDone;
  Object.assign(mine, { signalling: new AbortController(), startedAt: performance.now(), startedWith });
  show(element("files-fault"), null);
  shown("work");
  isRunning(true);
  progress(restoring);
  tellNowAndThen(mine);
  try {
    await restoring.run(mine.signalling.signal, () => { if (work === mine) progress(restoring); });
    if (work === mine) await finish(mine);
  } catch (fault) {
    if (work !== mine) return;
    if (mine.signalling.signal.aborted) {
      notify(null);  // nobody asks any more
      show(element("files-said"), "files.stopped");
    } else {
      fail(fault);
    }
    isRunning(false);
  } finally {
    mine.signalling.abort();
  }
}

function isRunning(running) {
  show(element("files-bar-label"), running ? "files.working" : "files.paused");
  if (!running) show(element("files-left"), null);
  element("files-stop").hidden = !running;
  for (const id of ["files-resume", "files-close-work"]) element(id).hidden = running;
  element(running ? "files-stop" : "files-resume").focus();
}

function progress({ numDone, texts, charactersDone, numCharacters }) {
  const bar = element("files-bar");
  const share = numCharacters ? charactersDone / numCharacters : 1;
  bar.value = share;
  bar.setAttribute("aria-valuetext", word("files.counts", { done: numDone, all: texts.length }));
  show(element("files-counts"), "files.counts", { done: numDone, all: texts.length });
  const seconds = (performance.now() - work.startedAt) / 1000;
  const speed = (charactersDone - work.startedWith) / seconds;
  const left = speed > 0 && seconds > 1 ? Math.ceil((numCharacters - charactersDone) / speed) : null;
  if (left === null || left === 0) show(element("files-left"), null);
  else if (left < 60) show(element("files-left"), "files.seconds_left", { seconds: left });
  else show(element("files-left"), "files.minutes_left", { minutes: Math.ceil(left / 60) });
}

async function tellNowAndThen(mine) {
  const { restoring, signalling: { signal } } = mine;
  show(element("files-said"), "files.started", { all: restoring.texts.length });
  try {
    for (;;) {
      await sleep(TOLD_SECONDS, signal);
      progress(restoring);  // the time that is left grows while nothing comes back
      show(element("files-said"), "files.counts", { done: restoring.numDone, all: restoring.texts.length });
    }
  } catch {
    // It is done or was stopped, which is said elsewhere.
  }
}

async function finish({ restoring, plan }) {
  const { bytes, name, formulaLike } = await reader.ask("write", { restored: restoring.restored });
  const link = element("files-download");
  link.href = URL.createObjectURL(new Blob([bytes], { type: TYPES[told.kind] }));
  link.download = name;
  const changed = restoring.restored.filter((text, at) => text !== null && text !== restoring.texts[at]).length;
  show(element("files-summary"), "files.summary", { all: restoring.numDone, changed });
  element("files-remarks").replaceChildren(...remarks(restoring, plan, formulaLike));
  shown("done");
  show(element("files-fault"), null);
  show(element("files-said"), "files.done");
  link.focus();
}

/* What somebody should know of the new file, an entry a line. */
function remarks({ numRefused }, { tooLong, numWithoutValue }, formulaLike) {
  const uneven = told.uneven;
  const found = [
    [told.encoding === "euc-kr", "files.remark_mark"],
    [told.kind === "csv" && told.encoding === "utf-8" && !told.mark, "files.remark_utf8"],
    [tooLong.count > 0, "files.remark_long", { count: tooLong.count, lines: listLines(tooLong) }],
    [numRefused > 0, "files.remark_refused", { count: numRefused }],
    [numWithoutValue > 0, "files.remark_formulas", { count: numWithoutValue }],
    [uneven.count > 0, "files.remark_uneven", { count: uneven.count, lines: listLines(uneven) }],
    [formulaLike > 0, "files.remark_formula", { count: formulaLike }],
  ];
  return found.filter(([holds]) => holds).map(([, key, values]) => {
    const item = document.createElement("li");
    show(item, key, values);
    return item;
  });
}

function listLines({ count, lines }) {
  return lines.map((line) => number(line)).join(", ") + (count > lines.length ? ", …" : "");
}

function fail(fault) {
  show(element("files-said"), null);
  if (fault.key === undefined) throw fault;  // a mistake of ours: the console shall have it
  show(element("files-fault"), fault.key, fault.values);
  if (work === null && told === null) close({ keepFault: true });
}

/* Forget the file and all that was made of it; what is still being asked about it fails, and nobody is told. */
function close({ keepFault = false } = {}) {
  work?.signalling?.abort();
  reader?.close();
  [reader, told, work] = [null, null, null];
  URL.revokeObjectURL(element("files-download").href);
  element("files-download").removeAttribute("href");
  if (!keepFault) show(element("files-fault"), null);
  show(element("files-said"), null);
  shown(null);
}

function shown(step) {
  for (const one of STEPS) element(`files-${one}`).hidden = one !== step;
  element("files-opening").hidden = step !== null;
  // Not before there is something to lose: some browsers keep no page for "back" that listens to this.
  if (step === "work") window.addEventListener("beforeunload", confirmLeaving);
  else if (step === null) window.removeEventListener("beforeunload", confirmLeaving);
}

/* Whether something was restored, or is being restored, that nobody has downloaded yet. */
function wouldBeLost() {
  return work !== null && !work.isTaken;
}

/* Whoever leaves the page then is asked whether they mean it. */
function confirmLeaving(event) {
  if (wouldBeLost()) event.preventDefault();
}
