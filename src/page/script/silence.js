// Proof of silence: what a party's log held instead of an answer (docs/format.md, section 15).
import { isQuorum } from "./amendment.js";
import { Refused, hashOfHex, isCode, isKind, need, same, utf8, within } from "./bytes.js";
import { fields, list, string } from "./canon.js";
import { verifyReceipt, verifyReceiptedHead } from "./checkpoint.js";
import { parseNote } from "./note.js";
import { parseNotification, parseRecord } from "./record.js";
import { find } from "./treaty.js";
import { CompactRange } from "./tree.js";

const MAX_RECORDS = 16384;

/**
 * Verifies the part; `included` reads an item of the file's own log, `of` is the note with its log and receipts, `place`
 * how the treaty stands at the end of that log.
 */
export async function verifySilence(value, of, included, keys, place, trace) {
  const { treaty } = keys;
  fields(value, "`silence`", ["head", "party", "records", "roots"], ["due", "since"]);
  const code = value.get("party");
  need(isCode(code), "the field `party` should be a party code");
  need(!value.has("due") || isKind(value.get("due")), "the field `due` should be the id of a rule");
  const party = find(treaty, code);
  await within("silence.party", () => need(party >= 0 && party !== of.log, "it is not another party of the treaty"));
  const { name } = treaty.parties[party];
  trace.about("silence.since");
  const since = value.has("since") ? await within("silence.since", () => sinceHead(value.get("since"), of, party, included, keys, trace)) : null;
  const from = since?.size ?? 0n;
  trace.about("silence.records");
  const range = await within("silence.roots", async () => {
    const roots = list(value.get("roots"), "roots", 0, 64).map((root) => hashOfHex(root));
    const range = new CompactRange(from, roots);
    need(since === null || same(await range.root(), since.root), "they do not lead to the root of the head that was receipted");
    return range;
  });
  const { answers, logged, notes } = await readRecords(value, of, party, range, keys, trace);
  trace.about("silence.head");
  const head = await within("silence.head", () => verifyReceiptedHead(parseNote(utf8(string(value.get("head"), "head"))), keys, trace));
  await within("silence.head", () => need(head.log === party, `the checkpoint is not of the log of ${code}`));
  const leads = range.size === head.size && same(await range.root(), head.root);
  trace.rule(`The records ${from} to ${head.size} of the log of ${name}, without a gap, lead to the head that the others saw`, leads);
  await within("silence.records", () => need(leads, "with the roots before them they do not lead to the head's root"));
  const own = of.receipts.filter((receipt) => receipt.by === party).map((receipt) => receipt.time);
  const received = [...own, ...(logged === null ? [] : [logged])].sort()[0];
  const silence = {
    party: code,
    due: value.get("due") ?? null,
    from: Number(from),
    to: Number(head.size),
    ...weighSeen(head.receipts, place, treaty),
    answers,
    received: received ?? null,
  };
  return { silence, notes };
}

async function sinceHead(item, of, party, included, keys, trace) {
  const record = await included(item, "receipt");
  const receipt = await verifyReceipt(record.payload, of.log, record.index, keys, trace);
  const fits = receipt.log === party && record.index < of.record.index;
  need(fits, "the receipt is not for that party's log, or does not come before the note");
  return receipt;
}

/** Appends the records to the range; gives the notes and the answers among them, and when the party first receipted the note. */
async function readRecords(value, of, party, range, keys, trace) {
  const records = await within("silence.records", () => list(value.get("records"), "records", 0, MAX_RECORDS));
  const [notes, origin] = [[], keys.treaty.parties[party].origin];
  let logged = null;
  for (const [at, text] of records.entries()) {
    await within(`silence.records[${at}]`, async () => {
      const record = await parseRecord(utf8(string(text, "records")));
      need(record.index === range.size && record.log === origin, "it is not the log's next record");
      await range.push(record.leaf);
      if (record.type === "notification") notes.push(...readable(record));
      if (record.type === "receipt" && logged === null) logged = await receiptFor(record, party, of, keys, trace);
    });
  }
  // A note answers this one if it refers to its leaf hash.
  const answers = notes
    .filter(({ value }) => value.re.some((reference) => same(reference.leaf, of.record.leaf)))
    .map(({ index, time, value }) => ({ index: Number(index), kind: value.kind, logged: time }));
  return { answers, logged, notes };
}

/** The notification in a record, if there is one. */
function readable(record) {
  try {
    const { value } = parseNotification(record.payload);
    return [{ index: record.index, time: record.time, value }];
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
}

async function receiptFor(record, party, of, keys, trace) {
  const before = trace.checks.length;
  try {
    const receipt = await verifyReceipt(record.payload, party, record.index, keys, trace);
    if (receipt.log === of.log && receipt.size > of.record.index) return receipt.time;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  // Receipts that are void, or for something else, count for nothing here.
  trace.checks.length = before;
  return null;
}

/** Who saw the log so, the latest first, and the time since when a quorum did. */
function weighSeen(receipts, place, treaty) {
  const seen = [...receipts].sort((a, b) => (a.time === b.time ? a.by - b.by : a.time < b.time ? 1 : -1));
  const have = new Set();
  let as_of = null;
  for (const { by, time } of seen) {
    have.add(treaty.parties[by].code);
    if (as_of === null && isQuorum(treaty, place, have)) as_of = time;
  }
  const seen_by = seen.map(({ by, time, size }) => ({ party: treaty.parties[by].code, time, size: Number(size) }));
  return { seen_by, as_of };
}
