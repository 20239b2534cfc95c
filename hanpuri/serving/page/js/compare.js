/*
The third tab: two models restore the same text, nobody is told which is which, and a vote is taken.

In:  "확잠실읾 념뭄 잙앙욤".   Out: two texts side by side, where they differ marked; after the vote, the models' names.

The keys 1 to 4 vote while the focus is in the result, where it is put when the texts have come; elsewhere they are
digits. Votes are counted for as long as the page is open.
*/

import { post, remove } from "./api.js";
import { currentLanguage, show } from "./language.js";
import { codePoints, marked } from "./marking.js";
import { makeId, visitor } from "./feedback.js";

const CHOICES = ["left", "right", "both", "neither"];
const SIDES = ["left", "right"];
/* Written afresh, and obfuscated as far as the sliders go: on easier texts good models agree. */
const EXAMPLES = [
  "옥싫 펜쑤꺄 늪렸섦 샨엄학콤 낭먼 묶뤼 밝몫꺄치 차욕. 쨩문욺 얽먼 없 껸묾 뼉많 뽄엶오.",
  "캉앓쥐 뚜 말뤽꺄 맑츙 냠왕옰. 떫 앓렐룬킥꺄 익숫먼 삐할쉰눈 켐 좋겡섣옴.",
  "왑임퍄윅깎 짭뀨 큰컸썼 쟤택끈묽는 뮤륄얩옭. 텍쉰 테랖술엠셔 뵤눈 뇨울윕 짬 얩펴옳.",
  "펀뉩첨운 켤억석 옴 뿐윈뗍 팖퀼릭 엉듀얽온. 쏜천퉁 한날 쳉킷쎄옷.",
];

const element = (id) => document.getElementById(id);
const field = (name) => element(`compare-${name}`);

let limits = null;
let takesVotes = false;
let running = null;
let compared = null;     // the answer that is shown
let ballot = null;       // {id, choice} of its vote, once pressed: sent again it has the same id
let example = 0;
let sent = [];           // ids of votes that can be taken back
const tally = new Map(); // model ─► {better, both, neither, worse}

export function start(service) {
  field("form").addEventListener("submit", (event) => { event.preventDefault(); compare(); });
  field("example").addEventListener("click", nextExample);
  field("next").addEventListener("click", nextExample);
  field("forget").addEventListener("click", forget);
  for (const choice of CHOICES) field(`vote-${choice}`).addEventListener("click", () => vote(choice));
  field("result").addEventListener("keydown", onKey);
  service.then((told) => {
    limits = told.limits;
    takesVotes = told.feedback;
    if (!takesVotes) show(field("what"), "compare.what_no_votes");
  });
}

function nextExample() {
  field("text").value = EXAMPLES[example];
  example = (example + 1) % EXAMPLES.length;
  compare();
}

async function compare() {
  running?.abort();
  const text = field("text").value.toWellFormed?.() ?? field("text").value;
  hideResult();
  if (text.trim() === "") return show(field("fault"), "compare.empty");
  const over = codePoints(text).length - (limits?.characters ?? Infinity);
  if (over > 0) return show(field("fault"), "compare.too_long", { limit: limits.characters, over });
  const mine = new AbortController();
  running = mine;
  show(field("said"), "compare.working");
  try {
    const answer = await post("v1/compare", { text }, { signal: mine.signal });
    if (running === mine) showResult(answer);
  } catch (fault) {
    if (mine.signal.aborted) return;
    show(field("said"), null);
    if (fault.key === undefined) throw fault;
    show(field("fault"), fault.key, fault.values);
  }
}

function hideResult() {
  [compared, ballot] = [null, null];
  field("result").hidden = field("going-on").hidden = true;
  for (const name of ["fault", "said", "vote-said"]) show(field(name), null);
}

function showResult(answer) {
  compared = answer;
  const differing = differences(answer.left.text, answer.right.text);
  SIDES.forEach((side, number) => {
    const isMarked = (position) => (differing[number].has(position) ? document.createElement("mark") : null);
    field(side).replaceChildren(marked(answer[side].text, isMarked));
    show(field(`${side}-name`), null);
    field(`${side}-card`).classList.remove("voted");
  });
  show(field("said"), null);
  if (answer.same) show(field("differing"), "compare.same");
  else show(field("differing"), "compare.differing", { count: Math.max(...differing.map(({ size }) => size)) });
  field("voting").hidden = answer.same || !takesVotes;
  field("no-votes").hidden = answer.same || takesVotes;
  mayVote(true);
  field("result").hidden = field("going-on").hidden = false;
  // Whoever writes on meanwhile goes on writing: in the result, a digit would be a vote.
  if (!document.activeElement.matches("textarea, input")) field("result").focus();
}

/*
The positions in which two texts differ, of each. Of equal length, as a compact model's always are, they are compared
place by place; else all between their common beginning and end is marked, without the ends of a character torn.
*/
export function differences(left, right) {
  const [one, other] = [codePoints(left), codePoints(right)];
  if (one.length === other.length) {
    const found = new Set([...one.keys()].filter((at) => one[at] !== other[at]));
    return [found, found];
  }
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < shorter - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  return [one, other].map(({ length }) => new Set(Array.from({ length: length - end - start }, (_, at) => start + at)));
}

function onKey(event) {
  const choice = CHOICES[Number(event.key) - 1];
  if (!choice || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (!field("voting").hidden && !field(`vote-${choice}`).disabled) vote(choice);
}

function mayVote(may) {
  for (const choice of CHOICES) {
    field(`vote-${choice}`).disabled = !may;
    field(`vote-${choice}`).setAttribute("aria-pressed", String(ballot?.choice === choice));
  }
  field("consent").disabled = !may;  // what is sent is not changed by it any more
}

async function vote(choice) {
  if (ballot?.choice !== choice) ballot = { id: makeId(), choice };
  const mine = { ...ballot, compared };
  mayVote(false);
  try {
    const { models } = await sendVote(mine);
    count(models, choice);
    sent.push(mine.id);
    if (compared === mine.compared) tellNames(models, choice);
  } catch (fault) {
    if (fault.key === undefined) throw fault;
    if (compared !== mine.compared) return;
    mayVote(true);
    show(field("vote-said"), fault.key, fault.values);
    if (isFree()) field(`vote-${choice}`).focus();
  }
  showSent();
}

/*
A service that was started anew does not know its own comparison any more. It is asked for another one; if both models
still make these texts, the vote goes with that one, on whichever side they stand there.
*/
async function sendVote(vote) {
  const consent = field("consent").checked;
  const send = ({ comparison, noisy, left, right }, choice) => post("v1/feedback", {
    kind: "vote", comparison, noisy, left: left.text, right: right.text, choice, id: vote.id, visitor, consent,
  });
  const { noisy, left, right } = vote.compared;
  try {
    return await send(vote.compared, vote.choice);
  } catch (fault) {
    if (fault.status !== 422) throw fault;
    const renewed = await post("v1/compare", { text: noisy });
    const texts = [renewed.left.text, renewed.right.text];
    if (texts[0] === left.text && texts[1] === right.text) return send(renewed, vote.choice);
    if (texts[0] !== right.text || texts[1] !== left.text) throw Object.assign(fault, { key: "compare.outdated" });
    const { models } = await send(renewed, { left: "right", right: "left" }[vote.choice] ?? vote.choice);
    return { models: { left: models.right, right: models.left } };
  }
}

function tellNames(models, choice) {
  for (const side of SIDES) {
    show(field(`${side}-name`), "compare.was", { model: models[side] });
    field(`${side}-card`).classList.toggle("voted", choice === side || choice === "both");
  }
  show(field("vote-said"), "compare.told", models);
  if (isFree()) field("next").focus();
}

/* Whether the focus is where the vote left it: nobody is called back who went on elsewhere while it was sent. */
function isFree() {
  return document.activeElement === document.body || field("result").contains(document.activeElement);
}

function count(models, choice) {
  for (const side of SIDES) {
    const counts = tally.get(models[side]) ?? { better: 0, worse: 0, both: 0, neither: 0 };
    counts[!SIDES.includes(choice) ? choice : choice === side ? "better" : "worse"] += 1;
    tally.set(models[side], counts);
  }
}

/* The votes of this visit, and the button that takes them back. */
function showSent() {
  field("tally").hidden = tally.size === 0;
  const rows = [...tally.entries()].sort(([one], [other]) => one.localeCompare(other, currentLanguage()));
  field("counts").replaceChildren(...rows.map(([model, counts]) => {
    const row = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = model;
    row.append(name, ...["better", "both", "neither", "worse"].map((key) => {
      const cell = document.createElement("td");
      cell.textContent = counts[key];
      return cell;
    }));
    return row;
  }));
  field("forget").hidden = sent.length === 0;
  show(field("forget"), "compare.forget", { count: sent.length });
}

async function forget() {
  field("forget").disabled = true;
  try {
    while (sent.length > 0) {
      await remove(`v1/feedback/${sent[0]}`).catch((fault) => {
        if (fault.status !== 404) throw fault;  // gone already is gone
      });
      sent.shift();
    }
    tally.clear();
    hideResult();  // the names that it shows were told for a vote that is gone
    show(field("said"), "compare.forgotten");
    field("example").focus();
  } catch (fault) {
    if (fault.key === undefined) throw fault;
    show(field("vote-said"), fault.key, fault.values);
  } finally {
    field("forget").disabled = false;
    showSent();
  }
}
