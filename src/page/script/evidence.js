// An evidence file (docs/format.md, section 15): every byte of it is checked, or it is refused.
import { Beyond, Refused, concat, decimal, hashOfBase64, hashOfHex, hex, need, textOf, unbase64, utf8, within } from "./bytes.js";
import { fields, list, parse, string } from "./canon.js";
import { verifyFork, verifyReceipt, verifyReceiptedHead } from "./checkpoint.js";
import { parseNote } from "./note.js";
import { verifyOutside } from "./outside.js";
import { parseCredential, parseRecord } from "./record.js";
import { verifySilence } from "./silence.js";
import { find } from "./treaty.js";
import { verifyInclusion } from "./tree.js";
import { judge } from "./validity.js";
import { weigh } from "./verdict.js";

const MAX_EXTRA_BYTES = 16 << 20;
const MAX_EVIDENCE_BYTES = Math.floor(MAX_EXTRA_BYTES / 3) * 4 + (1 << 17);
/** What this page does not follow, and so does not pass over. */
const AMENDED = "the file rests on amendments of the treaty file, which this page does not follow";
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
export async function verifyEvidence(bytes, treaty, profile, trace) {
  trace.about("the file");
  const file = readFile(bytes);
  const { bundle } = file;
  const required = ["anchors", "credentials", "heads", "record", "treaty", "v"];
  need(bundle instanceof Map && bundle.has("treaty"), "line 2, the extra data: the field `treaty` is missing");
  const ledger = hex(hashOfHex(bundle.get("treaty")));
  // First, as it explains all else that may be wrong.
  need(ledger === hex(treaty.hash), `the evidence is for another ledger: the treaty file with the SHA-256 ${ledger}`);
  fields(bundle, "the extra data", required, ["amendments", "fork", "outside", "silence"]);
  // Amendments say by which keys and by which quorum the rest is to be judged: without them nothing could be said.
  need(!bundle.has("amendments"), `${AMENDED}: verify it with verbale verify`);
  need(bundle.get("v") === 1, "the field `v` should be a version that this page knows");
  trace.rule("The evidence names this treaty file by its SHA-256");

  trace.about("the checkpoint");
  const main = await within("the checkpoint", () => verifyReceiptedHead(file.checkpoint, treaty, trace));
  trace.about("the record");
  const record = await within("the record", async () => {
    const record = await verifyRecord(bundle.get("record"), file.path, main, treaty, trace);
    need(record.index === file.index, "it is another record than the file's `index` says");
    need(record.type === "notification", `the record is not a notification but of the type \`${record.type}\``);
    return record;
  });
  const heads = await verifyHeads(bundle, record, main, treaty, trace);
  const receipts = [main, ...heads].flatMap((head) => head.receipts);
  const grants = await verifyCredentials(bundle, record, main, treaty, trace);
  const bounds = await verifyAnchors(bundle, record, main, treaty, trace);
  const fork = bundle.has("fork") ? await within("fork", () => forkOf(bundle.get("fork"), main.log, treaty, trace)) : null;
  const of = { log: main.log, record, receipts };
  const item = (value, type) => verifyItem(value, main, treaty, trace, type);
  const silence = bundle.has("silence")
    ? await within("silence", () => verifySilence(bundle.get("silence"), of, item, treaty, trace))
    : null;
  const under = (path, head) => included(record, readPath(path), head, treaty.parties[main.log], trace);
  const outside = bundle.has("outside") ? await verifyOutside(bundle.get("outside"), main.log, under, treaty, trace) : [];
  trace.about("the note");
  const judged = await judge(record, main.log, grants, treaty, profile, trace);
  return weigh({ ...of, ...judged, main, heads, grants, bounds, fork, silence, outside }, treaty, profile);
}

/** An item of the bundle: a record with its path to a head. */
async function verifyItem(value, head, treaty, trace, type) {
  fields(value, "an item", ["path", "record"]);
  return verifyRecord(value.get("record"), readPath(value.get("path")), head, treaty, trace, type);
}

async function verifyHeads(bundle, record, main, treaty, trace) {
  const heads = [];
  let last = 0n;
  for (const [at, value] of list(bundle.get("heads"), "heads", 0, 256).entries()) {
    const part = `heads[${at}]`;
    trace.about(part);
    await within(part, async () => {
      fields(value, "a head", ["checkpoint", "path"]);
      const head = await verifyReceiptedHead(parseNote(utf8(string(value.get("checkpoint"), "checkpoint"))), treaty, trace);
      need(head.log === main.log, "the checkpoint is of another log");
      await included(record, readPath(value.get("path")), head, treaty.parties[main.log], trace);
      const inPlace = head.size > last && head.size !== main.size && head.receipts.length > 0;
      need(inPlace, "heads go by size, each size stands once, and each has a receipt");
      last = head.size;
      heads.push(head);
    });
  }
  return heads;
}

/** The grants of those who signed the note: records of the same log, before the note, by index. */
async function verifyCredentials(bundle, note, main, treaty, trace) {
  const grants = [];
  let next = 0n;
  for (const [at, value] of list(bundle.get("credentials"), "credentials", 0, 256).entries()) {
    const part = `credentials[${at}]`;
    trace.about(part);
    await within(part, async () => {
      const record = await verifyItem(value, main, treaty, trace, "credential");
      need(record.index >= next && record.index < note.index, "credentials go by index, and come before the note");
      next = record.index + 1n;
      try {
        grants.push(await parseCredential(record, treaty.parties[main.log], treaty, trace));
      } catch (error) {
        // It stays in the log, and grants nothing.
        if (!(error instanceof Refused) || error instanceof Beyond) throw error;
      }
    });
  }
  return grants;
}

/** Records of other parties that are older than the note, each with the receipt that shows it. */
async function verifyAnchors(bundle, note, main, treaty, trace) {
  const bounds = [];
  let next = 0;
  for (const [at, value] of list(bundle.get("anchors"), "anchors", 0, 16).entries()) {
    const part = `anchors[${at}]`;
    trace.about(part);
    await within(part, async () => {
      fields(value, "an anchor", ["receipt", "record"]);
      const mine = await verifyItem(value.get("receipt"), main, treaty, trace, "receipt");
      const receipt = await verifyReceipt(mine.payload, main.log, treaty, trace);
      const inPlace = mine.index < note.index && receipt.log >= next;
      need(inPlace, "they go by party, each once, and the receipt comes before the note");
      next = receipt.log + 1;
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
