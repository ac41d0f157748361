// An evidence file (docs/format.md, section 15): every byte of it is checked, or it is refused.
import { Adoption, amended } from "./amendment.js";
import { Refused, concat, decimal, hashOfBase64, hashOfHex, hex, need, textOf, unbase64, utf8, within } from "./bytes.js";
import { fields, list, parse, string } from "./canon.js";
import { verifyReceipt, verifyReceiptedHead } from "./checkpoint.js";
import { verifyFork } from "./fork.js";
import { History, Keyring } from "./keys.js";
import { parseNote } from "./note.js";
import { verifyOutside } from "./outside.js";
import { parseRecord } from "./record.js";
import { verifyRestarts } from "./restart.js";
import { silenceRules } from "./due.js";
import { verifySilence } from "./silence.js";
import { find } from "./treaty.js";
import { verifyInclusion } from "./tree.js";
import { formerParty, judge } from "./validity.js";
import { utc, weigh } from "./verdict.js";

const MAX_EXTRA_BYTES = 16 << 20;
const MAX_EVIDENCE_BYTES = Math.floor(MAX_EXTRA_BYTES / 3) * 4 + (1 << 17);
const UNNEEDED = "nothing in the file needs it";
const FIRST_LINE = "c2sp.org/tlog-proof@v1";

/** The parts of a `.tlog-proof` file with a bundle. Verifies nothing. */
function readFile(bytes) {
  need(bytes.length <= MAX_EVIDENCE_BYTES, `an evidence file is at most ${MAX_EVIDENCE_BYTES} bytes long`);
  const text = textOf(bytes, "the file");
  const end = text.indexOf("\n\n");
  const [first, extra, index, ...path] = text.slice(0, end < 0 ? text.length : end).split("\n");
  need(first === FIRST_LINE, `line 1 should read \`${FIRST_LINE}\`: this is not an evidence file`);
  need(end >= 0 && index !== undefined, "the file is not complete");
  need(extra.startsWith("extra "), "line 2: the file has no extra data, in which the record and the credentials should be");
  const bundle = unbase64(extra.slice(6));
  need(bundle !== null && bundle.length > 0, "line 2: expected `extra` and base64 data");
  need(index.startsWith("index "), "line 3: expected `index` and the entry's number");
  need(path.length <= 63, "a Merkle proof has at most 63 hashes");
  return {
    bundle: parse(textOf(bundle, "the extra data"), MAX_EXTRA_BYTES, false),
    index: decimal(index.slice(6), "`index` and the entry's number on line 3"),
    path: path.map(hashOfBase64),
    checkpoint: parseNote(utf8(text.slice(end + 2))),
  };
}

function readPath(value) {
  return list(value, "path", 0, 63).map((hash) => hashOfHex(hash));
}

/** Reads a record and verifies that it stands at its own index under a head's root. */
async function verifyRecord(text, path, head, treaty, trace, type) {
  const record = await parseRecord(utf8(string(text, "record")));
  const party = treaty.parties[head.log];
  need(record.log === party.origin, `the record belongs to the log ${record.log}`);
  need(type === undefined || record.type === type, "the record is of another type than those that belong here");
  await included(record, path, head, party, trace);
  return record;
}

async function included(record, path, head, party, trace) {
  const says = `Record ${record.index} stands in the log of ${party.name}, under its signed head of ${head.size} records`;
  const check = { says, leaf: record.leaf, index: record.index, size: head.size, root: head.root, steps: [] };
  trace.hash({ says: `The leaf hash of record ${record.index} of ${party.name}`, data: concat(Uint8Array.of(0), record.bytes), hash: record.leaf, ok: true });
  try {
    check.steps = await verifyInclusion(record.leaf, record.index, head.size, path, head.root);
  } catch (error) {
    trace.proof({ ...check, ok: false });
    throw error;
  }
  trace.proof({ ...check, ok: true });
}

/** Verifies an evidence file and says what follows. */
export async function verifyEvidence(bytes, given, profile, trace) {
  let treaty = { ...given, rule: profile?.amendment ?? null };
  trace.about("the file");
  const file = readFile(bytes);
  const { bundle } = file;
  const required = ["anchors", "credentials", "heads", "record", "treaty", "v"];
  need(bundle instanceof Map && bundle.has("treaty"), "line 2, the extra data: the field `treaty` is missing");
  const ledger = hex(hashOfHex(bundle.get("treaty")));
  // First, as it explains all else that may be wrong.
  need(ledger === hex(treaty.hash), `the evidence is for another ledger: the treaty file with the SHA-256 ${ledger}`);
  fields(bundle, "the extra data", required, ["amendments", "fork", "keys", "outside", "restarts", "silence"]);
  need(bundle.get("v") === 1, "the field `v` should be a version that this page knows");
  trace.rule("The evidence names this treaty file by its SHA-256");

  // By which keys and by which quorum the rest is to be judged.
  const stated = await within("the record", () => parseRecord(utf8(string(bundle.get("record"), "record"))));
  const follow = await followAmendments(bundle, stated, treaty, trace);
  const { adoption, part } = follow;
  treaty = follow.treaty;
  const keys = new Keyring(treaty);
  trace.about("keys");
  const carried = bundle.has("keys") ? list(bundle.get("keys"), "keys", 1, 1024) : [];
  await keys.carry(carried, trace);
  const needed = keys.needed(await statedLines(bundle, file.checkpoint));
  await within("keys", () => need(needed.length === carried.length && needed.every((note, at) => note === carried[at]), UNNEEDED_KEYS));

  trace.about("the checkpoint");
  const main = await within("the checkpoint", () => verifyReceiptedHead(file.checkpoint, keys, trace));
  trace.about("the record");
  const record = await within("the record", async () => {
    const record = await verifyRecord(bundle.get("record"), file.path, main, treaty, trace);
    need(record.index === file.index, "it is another record than the file's `index` says");
    need(record.type === "notification", `the record is not a notification but of the type \`${record.type}\``);
    return record;
  });
  const heads = await verifyHeads(bundle, record, main, keys, trace);
  const receipts = [main, ...heads].flatMap((head) => head.receipts);
  const { history, records: credentials } = await verifyCredentials(bundle, record, main, treaty, trace);
  const bounds = await verifyAnchors(bundle, record, main, history, keys, trace);
  // Of others' clocks no single one decides.
  if (bounds.length > 1) history.pass(0n, bounds[1].time, [bounds[0].by, bounds[1].by]);
  const fork = bundle.has("fork") ? await within("fork", () => forkOf(bundle.get("fork"), main.log, treaty, trace)) : null;
  const of = { log: main.log, record, receipts };
  const restarts = await verifyRestarts(bundle.get("restarts"), credentials, of, treaty, trace);
  const item = (value, type) => verifyItem(value, main, treaty, trace, type);
  const { silence, notes } = bundle.has("silence")
    ? await within("silence", () => verifySilence(bundle.get("silence"), of, item, keys, adoption.last(), trace))
    : { silence: null, notes: [] };
  const under = (path, head) => included(record, readPath(path), head, treaty.parties[main.log], trace);
  const outside = bundle.has("outside") ? await verifyOutside(bundle.get("outside"), main.log, under, keys, trace) : [];
  await verifyAmendments(part, { ...of, main, bounds, silence }, treaty, trace);
  trace.about("the note");
  const judged = await judge(record, main.log, history, adoption.at(record.index), treaty, profile, trace);
  const late = lateByOthers(main.log, judged.marks, bounds, treaty);
  if (late !== null) judged.marks.push(late);
  const verdict = weigh({ ...of, ...judged, main, heads, history, keys, bounds, fork, restarts, silence, notes, outside, adoption }, treaty, profile);
  return { ...verdict, rules: silenceRules(verdict, profile) };
}

const UNNEEDED_KEYS = "they are not just those that the file's heads and cosignatures need, by party and by their bytes";

/**
 * The signature lines of all heads and receipts in the file that are looked at, for which a later key may be needed. What
 * cannot be read has none; it is refused where it stands.
 */
async function statedLines(bundle, checkpoint) {
  const lines = [...checkpoint.signatures];
  const origin = checkpoint.text.split("\n")[0];
  const take = (bytes, only = null) => {
    try {
      const note = parseNote(bytes);
      if (only === null || note.text.split("\n")[0] === only) lines.push(...note.signatures);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  };
  const get = (value, ...names) => names.reduce((at, name) => (at instanceof Map ? at.get(name) : undefined), value);
  const takeRecord = async (text, only) => {
    if (typeof text !== "string") return;
    try {
      const { type, payload } = await parseRecord(utf8(text));
      if (type === "receipt") take(payload, only);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  };
  const all = (value) => (Array.isArray(value) ? value : []);
  for (const part of [...all(bundle.get("heads")), ...all(bundle.get("outside"))]) {
    if (typeof get(part, "checkpoint") === "string") take(utf8(part.get("checkpoint")));
  }
  for (const anchor of all(bundle.get("anchors"))) await takeRecord(get(anchor, "receipt", "record"));
  await takeRecord(get(bundle, "silence", "since", "record"));
  if (typeof get(bundle, "silence", "head") === "string") take(utf8(get(bundle, "silence", "head")));
  for (const text of all(get(bundle, "silence", "records"))) await takeRecord(text, origin);
  return lines;
}

/** A party that dates its notes back is none any more by what its log held before, by another party's clock. */
function lateByOthers(log, marks, bounds, treaty) {
  const bound = bounds[0];
  const mark = bound === undefined || marks.some(({ code }) => code === "former-party") ? null : formerParty(log, bound.time, treaty);
  if (mark === null) return null;
  const text = `${mark.text} Its log held before this note what ${bound.by} logged at ${utc(bound.time)}, by its own clock.`;
  return { ...mark, text };
}

/**
 * Follows the amendments in the file from the treaty file on: those that the note's log had taken up, by its records,
 * then bare ones. That the records stand in the log is checked when the log's keys are known.
 */
async function followAmendments(bundle, note, treaty, trace) {
  const [adoption, part] = [new Adoption(), { logged: [], clock: null, known: [] }];
  if (!bundle.has("amendments")) return { treaty, adoption, part };
  trace.about("amendments");
  const map = fields(bundle.get("amendments"), "`amendments`", [], ["clock", "known", "logged"]);
  need(map.size > 0, "the field `amendments` should not be empty");
  const steps = [{ index: note.index, time: note.time, name: null }];
  const read = async (value, name, type) => {
    fields(value, "an item", ["path", "record"]);
    const { index, time, payload } = await within(name, () => parseRecord(utf8(string(value.get("record"), "record"))));
    steps.push({ index, time, name, payload: type === "amendment" ? payload : null });
    return { value, name, type };
  };
  for (const [at, value] of (map.has("logged") ? list(map.get("logged"), "logged", 1, 512) : []).entries()) {
    part.logged.push(await read(value, `amendments.logged[${at}]`, "amendment"));
  }
  if (map.has("clock")) part.clock = await read(map.get("clock"), "amendments.clock", undefined);
  part.known = map.has("known") ? list(map.get("known"), "known", 1, 256) : [];
  let out = treaty;
  for (const { index, time, name, payload } of steps.sort((a, b) => (a.index < b.index ? -1 : Number(a.index > b.index)))) {
    if (name === null || payload === null) {
      const comes = adoption.pass(index, time, out);
      await within(name ?? "", () => need(name === null || comes, UNNEEDED));
      continue;
    }
    const taken = await adoption.take(index, time, payload, out, trace);
    await within(name, () => need(taken.treaty !== null, taken.why));
    out = taken.treaty;
  }
  for (const [at, text] of part.known.entries()) {
    await within(`amendments.known[${at}]`, async () => {
      need(!adoption.contested, "the log has two amendments of one number: no other is taken up");
      out = await amended(out, utf8(string(text, "known")), trace);
    });
  }
  return { treaty: out, adoption, part };
}

/** The amendments' records stand in the note's log, and the last of the bare notes is needed. */
async function verifyAmendments({ logged, clock, known }, of, treaty, trace) {
  let next = 0n;
  for (const { value, name, type } of [...logged, ...(clock === null ? [] : [clock])]) {
    trace.about(name);
    const record = await within(name, () => verifyItem(value, of.main, treaty, trace, type));
    if (type === undefined) continue;
    await within(name, () => need(record.index >= next, "amendments go by index"));
    next = record.index + 1n;
  }
  if (known.length === 0) return;
  const number = treaty.taken.length;
  const says = treaty.statuses.some((status) => status.number === number && status.party === of.log);
  const takesPart = ({ code }, at) =>
    at === of.log ||
    of.receipts.some(({ by }) => by === at) ||
    of.bounds.some(({ by }) => by === code) ||
    (of.silence !== null && (of.silence.party === code || of.silence.seen_by.some(({ party }) => party === code)));
  const acceded = treaty.parties.some((party, at) => at >= treaty.states[number - 1].parties && takesPart(party, at));
  await within("amendments.known", () => need(says || acceded, UNNEEDED));
}

/** An item of the bundle: a record with its path to a head. */
async function verifyItem(value, head, treaty, trace, type) {
  fields(value, "an item", ["path", "record"]);
  return verifyRecord(value.get("record"), readPath(value.get("path")), head, treaty, trace, type);
}

async function verifyHeads(bundle, record, main, keys, trace) {
  const heads = [];
  let last = 0n;
  for (const [at, value] of list(bundle.get("heads"), "heads", 0, 256).entries()) {
    const part = `heads[${at}]`;
    trace.about(part);
    await within(part, async () => {
      fields(value, "a head", ["checkpoint", "path"]);
      const head = await verifyReceiptedHead(parseNote(utf8(string(value.get("checkpoint"), "checkpoint"))), keys, trace);
      need(head.log === main.log, "the checkpoint is of another log");
      await included(record, readPath(value.get("path")), head, keys.treaty.parties[main.log], trace);
      const inPlace = head.size > last && head.size !== main.size && head.receipts.length > 0;
      need(inPlace, "heads go by size, each size stands once, and each has a receipt");
      last = head.size;
      heads.push(head);
    });
  }
  return heads;
}

/** What the root had said of those who signed the note: records of the same log, before the note, by index. */
async function verifyCredentials(bundle, note, main, treaty, trace) {
  const [history, records] = [new History(main.log, treaty, 0n), []];
  let next = 0n;
  for (const [at, value] of list(bundle.get("credentials"), "credentials", 0, 256).entries()) {
    const part = `credentials[${at}]`;
    trace.about(part);
    await within(part, async () => {
      const record = await verifyItem(value, main, treaty, trace, "credential");
      need(record.index >= next && record.index < note.index, "credentials go by index, and come before the note");
      next = record.index + 1n;
      records.push(record);
      history.pass(record.index, record.time);
      try {
        await history.take(record, trace);
      } catch (error) {
        // It stays in the log, and changes nothing.
        if (!(error instanceof Refused)) throw error;
      }
    });
  }
  return { history, records };
}

/** Records of other parties that are older than the note, each with the receipt that shows it. */
async function verifyAnchors(bundle, note, main, history, keys, trace) {
  const { treaty } = keys;
  const bounds = [];
  let next = 0;
  for (const [at, value] of list(bundle.get("anchors"), "anchors", 0, 16).entries()) {
    const part = `anchors[${at}]`;
    trace.about(part);
    await within(part, async () => {
      fields(value, "an anchor", ["receipt", "record"]);
      const mine = await verifyItem(value.get("receipt"), main, treaty, trace, "receipt");
      const receipt = await verifyReceipt(mine.payload, main.log, mine.index, keys, trace);
      const inPlace = mine.index < note.index && receipt.log >= next;
      need(inPlace, "they go by party, each once, and the receipt comes before the note");
      next = receipt.log + 1;
      history.pass(mine.index, mine.time);
      const older = await verifyItem(value.get("record"), receipt, treaty, trace);
      const other = treaty.parties[receipt.log];
      const why = `it follows record ${older.index} of the log of ${other.name}`;
      bounds.push({ time: older.time, by: other.code, why });
    });
  }
  return bounds.sort((a, b) => (a.time === b.time ? find(treaty, a.by) - find(treaty, b.by) : a.time < b.time ? 1 : -1));
}

async function forkOf(text, log, treaty, trace) {
  trace.about("fork");
  const fork = await verifyFork(string(text, "fork"), treaty, true, trace);
  need(fork.log === log, "it is about another log");
  return { smaller: Number(fork.smaller), larger: Number(fork.larger) };
}
