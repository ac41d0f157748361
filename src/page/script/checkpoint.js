// Heads, receipts and fork proofs (docs/format.md, sections 11 to 13).
import { decimal, hashOfBase64, hashOfHex, need, textOf, utf8, same } from "./bytes.js";
import { fields, list, parseLine, string } from "./canon.js";
import { isBy, parseNote, verifyCosignature, verifyNote } from "./note.js";
import { logOf } from "./treaty.js";
import { verifyConsistency } from "./tree.js";

const MAX_FORK_BYTES = 65535;

/** Reads a note's text as a checkpoint: three lines. */
export function parseCheckpoint(text) {
  const lines = text.split("\n");
  need(lines.length === 4 && lines[3] === "" && lines[0] !== "", "a checkpoint has three lines: origin, size, root hash; this text has not");
  const size = decimal(lines[1], "the tree size on line 2 as a plain decimal number");
  return { origin: lines[0], size, root: hashOfBase64(lines[2]) };
}

/** Reads a checkpoint's note and verifies that a log of the treaty signed it. */
export async function verifyHead(note, treaty, trace) {
  const head = parseCheckpoint(note.text);
  const log = logOf(treaty, head.origin);
  const party = treaty.parties[log];
  await verifyNote(note, party.log, trace, `${party.name} signed the head of ${head.size} records of its log`);
  return { ...head, log };
}

/**
 * Verifies a head with all of its signatures: the log's first, then receipts in the treaty's order, and nothing else.
 * The receipts are `{ by, time, size }`, `by` being the place of the party.
 */
export async function verifyReceiptedHead(note, treaty, trace) {
  const head = await verifyHead(note, treaty, trace);
  const { name } = treaty.parties[head.log];
  const [first, ...others] = note.signatures;
  need(isBy(first, treaty.parties[head.log].log), "the log's own signature should come first");
  const receipts = [];
  let next = 0;
  for (const line of others) {
    const by = treaty.parties.findIndex((party, at) => at >= next && at !== head.log && isBy(line, party.witness));
    need(by >= 0, "a signature line that is unknown, there twice, or out of order");
    const says = `${treaty.parties[by].name} signed that it holds all ${head.size} records of the log of ${name},`;
    receipts.push({ by, time: await verifyCosignature(note, treaty.parties[by].witness, trace, says), size: head.size });
    next = by + 1;
  }
  return { ...head, receipts };
}

/** Verifies a receipt that the party at `by` logged. */
export async function verifyReceipt(payload, by, treaty, trace) {
  const note = parseNote(payload);
  const stated = parseCheckpoint(note.text);
  need(logOf(treaty, stated.origin) !== by, "the receipt is for the party's own log");
  const head = await verifyHead(note, treaty, trace);
  const [receiver, sender] = [treaty.parties[by], treaty.parties[head.log]];
  const says = `${receiver.name} signed that it holds all ${head.size} records of the log of ${sender.name},`;
  const time = await verifyCosignature(note, receiver.witness, trace, says);
  need(time !== null, `there is no cosignature by ${receiver.witness.name}`);
  return { ...head, by, time };
}

/** Verifies a fork proof; a bare one carries the log's own signature lines only. */
export async function verifyFork(text, treaty, bare, trace) {
  const map = fields(parseLine(text, MAX_FORK_BYTES, false), "the fork proof", ["kind", "larger", "proof", "root", "smaller", "v"]);
  need(map.get("kind") === "fork" && map.get("v") === 1, "the field `kind` should be `fork`, and `v` 1");
  const notes = ["smaller", "larger"].map((name) => parseNote(utf8(string(map.get(name), name))));
  need(!bare || notes.every((note) => note.signatures.length === 1), "it carries something that nobody could check");
  const smaller = await verifyHead(notes[0], treaty, trace);
  const larger = await verifyHead(notes[1], treaty, trace);
  need(smaller.log === larger.log, "the two heads are of two logs");
  const root = hashOfHex(map.get("root"));
  const proof = list(map.get("proof"), "proof", 0, 64).map((hash) => hashOfHex(hash));
  await verifyConsistency(smaller.size, root, larger.size, larger.root, proof);
  need(!same(root, smaller.root), "the two heads agree with each other");
  trace.rule(`What the larger head says of the first ${smaller.size} records is not what the smaller one says`);
  return { log: smaller.log, smaller: smaller.size, larger: larger.size };
}

/** The same, from bytes. */
export function verifyForkBytes(bytes, treaty, bare, trace) {
  return verifyFork(textOf(bytes, "the fork proof"), treaty, bare, trace);
}
