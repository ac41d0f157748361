// Heads and receipts (docs/format.md, sections 11 and 12). `keys` are those of all parties, with the treaty.
import { decimal, hashOfBase64, need } from "./bytes.js";
import { isBy, parseNote } from "./note.js";

/** Reads a note's text as a checkpoint: three lines. */
export function parseCheckpoint(text) {
  const lines = text.split("\n");
  need(lines.length === 4 && lines[3] === "" && lines[0] !== "", "a checkpoint has three lines: origin, size, root hash; this text has not");
  const size = decimal(lines[1], "the tree size on line 2 as a plain decimal number");
  return { origin: lines[0], size, root: hashOfBase64(lines[2]) };
}

/** Reads a checkpoint's note and verifies that a log of the treaty signed it, with a key in force. */
export async function verifyHead(note, keys, trace) {
  const head = keys.stated(note);
  await keys.of[head.log].verifyHead(note, head.size, trace);
  return head;
}

/**
 * Verifies a head with all of its signatures: the log's first, then receipts in the treaty's order, and nothing else.
 * The receipts are `{ by, time, size }`, `by` being the place of the party.
 */
export async function verifyReceiptedHead(note, keys, trace) {
  const head = await verifyHead(note, keys, trace);
  const { name } = keys.treaty.parties[head.log];
  const [first, ...others] = note.signatures;
  need(keys.of[head.log].all("log").some((key) => isBy(first, key)), "the log's own signature should come first");
  const receipts = [];
  let next = 0;
  for (const line of others) {
    const isWitness = (_, at) => at >= next && at !== head.log && keys.of[at].all("witness").some((key) => isBy(line, key));
    const by = keys.of.findIndex(isWitness);
    need(by >= 0, "a signature line that is unknown, there twice, or out of order");
    const says = `${keys.treaty.parties[by].name} signed that it holds all ${head.size} records of the log of ${name},`;
    receipts.push({ by, time: await keys.of[by].cosigned(note, null, trace, says), size: head.size });
    next = by + 1;
  }
  return { ...head, receipts };
}

/** Verifies a receipt that the party at `by` logged in the record at `index`. */
export async function verifyReceipt(payload, by, index, keys, trace) {
  const note = parseNote(payload);
  need(keys.stated(note).log !== by, "the receipt is for the party's own log");
  const head = await verifyHead(note, keys, trace);
  const [receiver, sender] = [keys.treaty.parties[by], keys.treaty.parties[head.log]];
  const says = `${receiver.name} signed that it holds all ${head.size} records of the log of ${sender.name},`;
  const time = await keys.of[by].cosigned(note, index, trace, says);
  need(time !== null, `there is no cosignature by ${receiver.witness.name}`);
  return { ...head, by, time };
}
