// Two histories in plain words: of the parties' keys, and of the treaty file's amendments.
import { describeChanges } from "./amendment.js";
import { h } from "./dom.js";
import { nameOf } from "./treaty.js";
import { listed, utc } from "./verdict.js";

const JOBS = { log: "the key that signs the log's heads", witness: "the key that signs its receipts", transport: "the identity of its node" };

function kindsOf(kinds, profile) {
  return kinds.includes("*") ? "notes of all kinds" : `${listed(kinds.map((kind) => `“${profile?.kinds.get(kind)?.title ?? kind}”`), "and")} only`;
}

/** What a credential says, in one sentence. */
function says(credential, profile, grants) {
  const { action, key, from, until, reason } = credential;
  if (action === "grant") {
    const span = [from === null ? "" : ` from ${utc(from)}`, until === null ? "" : ` until ${utc(until)}`].join("");
    const counts = credential.counts === false ? " The key had been withdrawn, or was used already, and so nothing changed." : "";
    return `${credential.title} may sign ${kindsOf(credential.kinds, profile)}${span}.${counts}`;
  }
  const why = reason === null ? "" : ` The reason given: ${reason}`;
  if (action === "revoke") {
    const title = grants.findLast((grant) => grant.key.text === key.text)?.title ?? "an official";
    return `The key of ${title} is withdrawn, for what is logged after this.${why}`;
  }
  const old = credential.old === "lost" ? "the old one is lost, or in other hands, and had no part in it" : "the old one is retired";
  const counts = credential.counts === false ? " It was used before, and so nothing changed." : "";
  return `Another key takes over as ${JOBS[credential.job]}; ${old}.${counts}${why}`;
}

function table(caption, label, heads, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "history" }, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)),
  );
}

function row(party, place, logged, text, key) {
  const hint = key === null ? null : h("span", { class: "key" }, key);
  return h("tr", {}, h("th", { scope: "row" }, party), h("td", {}, place), h("td", { class: "moment" }, logged), h("td", { class: "words" }, text, hint));
}

/** A key by its name and the start of its hash, as it stands in a vkey. */
function keyHint(key) {
  return typeof key === "string" ? key : key.text.split("+").slice(0, 2).join("+");
}

const KEY_HEADS = ["Party", "Record", "Logged (UTC)", "What its root key said"];
const NO_REACH = "What is said counts from that place of the log on: nothing reaches back before a record.";

/** The keys that an evidence file speaks of. */
export function keysOfNote(verdict, treaty, profile) {
  const { history, keys } = verdict.parts;
  const own = [...history.grants, ...history.revocations, ...history.changes].sort((a, b) => (a.index < b.index ? -1 : 1));
  const rows = own.map((one) => row(history.party.name, `${one.index}`, utc(one.logged), says(one, profile, history.grants), keyHint(one.key)));
  for (const { party, carried } of keys.of) {
    for (const one of carried) rows.push(row(party.name, "not shown", `${utc(one.issued)} (when it was written)`, says(one, profile, []), keyHint(one.key)));
  }
  if (rows.length === 0) return [h("p", {}, "No official's key is in this file. All heads and receipts are signed with keys of the treaty file.")];
  return [table(`All else is signed with keys of the treaty file. ${NO_REACH}`, "History of keys", KEY_HEADS, rows)];
}

/** The keys of all logs of a ledger. */
export function keysOfLedger(report, profile) {
  const rows = report.logs.flatMap(({ party, credentials, history }) =>
    credentials.map((one) => row(party.name, `${one.index}`, utc(one.logged), says(one, profile, history.grants), keyHint(one.key))),
  );
  if (rows.length === 0) return [h("p", {}, "No party has said anything of its keys beside the treaty file.")];
  return [table(NO_REACH, "History of keys", KEY_HEADS, rows)];
}

/** The amendments of the treaty file; `places` says of one by its number where it holds. */
export function amendments(treaty, places) {
  if (treaty.taken.length === 0) return [];
  const name = (code) => nameOf(treaty, code);
  const rows = treaty.taken.map((amendment) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, `${amendment.number}`),
      h("td", { class: "moment" }, utc(amendment.issued)),
      h(
        "td",
        { class: "words" },
        describeChanges(amendment, name, utc).map((text) => h("p", {}, text)),
        h("p", { class: "hint" }, `Signed by the roots of ${listed(amendment.signed.map(name), "and")}. It holds ${places(amendment.number)}.`),
      ),
    ),
  );
  const heads = ["No.", "Written (UTC)", "What changes"];
  return [table("Each was signed by those whom the treaty's profile asks. In each log it holds from the record on in which that party logged it.", "Amendments", heads, rows)];
}
