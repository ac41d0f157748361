// Fork proofs (docs/format.md, section 13): two heads that one log signed and that contradict each other.
import { hashOfHex, need, same, textOf, utf8 } from "./bytes.js";
import { fields, list, parseLine, string } from "./canon.js";
import { Keyring } from "./keys.js";
import { isBy, parseNote, verifyNote } from "./note.js";
import { verifyConsistency } from "./tree.js";

const MAX_BYTES = 65535;

/** Verifies a fork proof; a bare one carries the log's own signature lines only. */
export async function verifyFork(text, treaty, bare, trace) {
  const map = fields(parseLine(text, MAX_BYTES, false), "the fork proof", ["kind", "larger", "proof", "root", "smaller", "v"], ["keys"]);
  need(map.get("kind") === "fork" && map.get("v") === 1, "the field `kind` should be `fork`, and `v` 1");
  const notes = ["smaller", "larger"].map((name) => parseNote(utf8(string(map.get(name), name))));
  need(!bare || notes.every((note) => note.signatures.length === 1), "it carries something that nobody could check");
  const keys = new Keyring(treaty);
  const [smaller, larger] = notes.map((note) => keys.stated(note));
  need(smaller.log === larger.log, "the two heads are of two logs");
  const carried = map.has("keys") ? list(map.get("keys"), "keys", 1, 2) : [];
  await keys.carry(carried, trace, smaller.log);
  const [used, signers] = [[], []];
  for (const [at, head] of [smaller, larger].entries()) {
    const key = await signer(notes[at], head, keys, trace);
    signers.push(key);
    const note = keys.of[head.log].carried.find((rotation) => rotation.key === key)?.note;
    if (note !== undefined && !used.includes(note)) used.push(note);
  }
  need(used.length === carried.length && used.every((note, at) => note === carried[at]), "`keys` are not those with which the two heads are signed");
  const root = hashOfHex(map.get("root"));
  const proof = list(map.get("proof"), "proof", 0, 64).map((hash) => hashOfHex(hash));
  await verifyConsistency(smaller.size, root, larger.size, larger.root, proof);
  need(!same(root, smaller.root), "the two heads agree with each other");
  trace.rule(`What the larger head says of the first ${smaller.size} records is not what the smaller one says`);
  return { log: smaller.log, smaller: smaller.size, larger: larger.size, heads: [smaller, larger], signers };
}

/** The first key of the log's that signed a head. */
async function signer(note, head, keys, trace) {
  const { party } = keys.of[head.log];
  const key = keys.of[head.log].all("log").find((one) => note.signatures.some((line) => isBy(line, one)));
  need(key !== undefined, `no signature by ${party.origin} is on this note`);
  await verifyNote(note, key, trace, `${party.name} signed the head of ${head.size} records of its log`);
  return key;
}

/** The same, from bytes. */
export function verifyForkBytes(bytes, treaty, bare, trace) {
  return verifyFork(textOf(bytes, "the fork proof"), treaty, bare, trace);
}
