// Restart certificates (docs/format.md, section 9b): a party's root accepts both branches of its forked log as its own.
import { Refused, hashOfHex, isTime, need, same, utf8, within } from "./bytes.js";
import { fields, isPlain, list, natural, parseLine, string } from "./canon.js";
import { verifyFork } from "./fork.js";
import { parseNote, verifyNote } from "./note.js";
import { verifyInclusion } from "./tree.js";

const MAX_TEXT_BYTES = 40000;
const MAX_RESTARTS = 16;

/** Verifies a certificate of the party at `log`. */
export async function verifyRestart(bytes, log, treaty, trace) {
  const party = treaty.parties[log];
  const note = parseNote(bytes);
  await verifyNote(note, party.root, trace, `${party.name}, by its root key, accepted both branches of its log as its own`);
  const names = ["action", "common", "fork", "issued", "kept_leaf", "ledger", "party", "v"];
  const maybe = ["keep", "other_leaf", "reason"];
  const value = Object.fromEntries(fields(parseLine(note.text, MAX_TEXT_BYTES, false), "the certificate", names, maybe));
  need(value.action === "restart" && value.v === 1 && isTime(value.issued), "the certificate's `action`, `issued` or `v`");
  const fork = await verifyFork(string(value.fork, "fork"), treaty, true, trace);
  const common = BigInt(natural(value.common, "common"));
  const keptLeaf = hashOfHex(value.kept_leaf);
  const otherLeaf = value.other_leaf === undefined ? null : hashOfHex(value.other_leaf);
  const { reason } = value;
  const short = reason === undefined || (typeof reason === "string" && isPlain(reason) && reason !== "" && utf8(reason).length <= 1000);
  need(short, "the field `reason` should be a plain text of 1 to 1,000 bytes");
  need(same(hashOfHex(value.ledger), treaty.hash), "the certificate is for another ledger");
  need(value.party === party.code && fork.log === log, "the certificate is of another party, or about another log");
  const differ = otherLeaf === null || !same(keptLeaf, otherLeaf);
  need(common < fork.smaller && differ, "the branches part in two different records that both of them have");
  const smaller = value.keep === "smaller";
  need(value.keep === undefined || (smaller && fork.smaller < fork.larger), "the field `keep` should be `smaller`, where one of the heads is");
  need(note.signatures.length === 1, "a restart certificate carries the root's signature and no other");
  const [kept, other] = smaller ? fork.heads : [...fork.heads].reverse();
  return { common, kept, other, keptLeaf, otherLeaf, issued: value.issued };
}

function data({ common, kept, other, issued }, branch) {
  return { common: Number(common), kept: Number(kept.size), other: Number(other.size), issued, branch };
}

/** Whether a record's payload says to be a certificate. Verifies nothing. */
export function isRestart(payload) {
  const start = utf8('{"action":"restart"');
  return payload.length > start.length && same(payload.subarray(0, start.length), start);
}

function isHead(a, b) {
  return a.size === b.size && same(a.root, b.root);
}

/**
 * Where a head of a restarted log lies: true on the log or on an accepted branch, false elsewhere, null if records would tell
 * that are not there. `own` is the log's root at its size or undefined; each certificate has the `roots` of its branch, by
 * size, or null; `against` is a head that is proved to contradict this one.
 */
export function lies(head, own, against, certificates) {
  let unknown = false;
  for (const { common, kept, other, otherLeaf, roots } of certificates) {
    if (isHead(head, other)) return true;
    if (head.size > common && head.size < other.size && otherLeaf !== null) {
      if (roots !== null && same(roots.get(head.size), head.root)) return true;
      const apart = against !== undefined && isHead(against, other) && !isHead(against, head);
      if (roots === null && !apart) unknown = true;
    }
    if (head.size === kept.size) own ??= kept.root;
  }
  if (own !== undefined && same(own, head.root)) return true;
  return own === undefined || unknown ? null : false;
}

/** Whether a path leads from the note to a head. */
async function leads(record, path, head) {
  try {
    await verifyInclusion(record.leaf, record.index, head.size, path, head.root);
    return true;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

/**
 * The forks of the note's log that its party's root has accepted: by certificates among the credentials before the note,
 * and by those in the file that name a head which covers it.
 */
export async function verifyRestarts(value, before, { log, record }, treaty, trace) {
  const found = [];
  for (const item of before) {
    const kept = trace.checks.length;
    try {
      const restart = await verifyRestart(item.payload, log, treaty, trace);
      if (restart.kept.size === item.index) found.push(data(restart, "kept"));
    } catch (error) {
      // It stands in the log, and changes nothing.
      if (!(error instanceof Refused)) throw error;
      trace.checks.length = kept;
    }
  }
  let last = -1n;
  for (const [at, item] of (value === undefined ? [] : list(value, "restarts", 1, MAX_RESTARTS)).entries()) {
    trace.about(`restarts[${at}]`);
    await within(`restarts[${at}]`, async () => {
      fields(item, "a restart", ["certificate", "path"]);
      const restart = await verifyRestart(utf8(string(item.get("certificate"), "certificate")), log, treaty, trace);
      const path = list(item.get("path"), "path", 0, 63).map((hash) => hashOfHex(hash));
      const isKept = await leads(record, path, restart.kept);
      need(isKept || (await leads(record, path, restart.other)), "the Merkle proof does not lead to the signed root");
      need(isKept || record.index >= restart.common, "a note that stands on both branches comes with its path to the head that goes on");
      need(restart.kept.size > last, "certificates go by the size of the head that goes on, and each stands once");
      last = restart.kept.size;
      found.push(data(restart, !isKept ? "other" : record.index < restart.common ? "common" : "kept"));
    });
  }
  return found;
}

const STANDS = {
  common: "This note is older than both branches",
  kept: "This note stands on the branch that goes on",
  other: "This note stands on the other branch, and was sent all the same",
};

/** What a certificate comes to; `utc` writes a time. */
export function restartSentence({ common, kept, other, issued, branch }, sender, utc) {
  return (
    `The log of ${sender} had two branches from record ${common} on, of ${kept} and of ${other} records. The root ` +
    `of ${sender} accepted both as its own at ${utc(issued)}, and goes on with that of ${kept}. ${STANDS[branch]}.`
  );
}
