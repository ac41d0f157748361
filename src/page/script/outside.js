// Cosignatures by witnesses outside the ledger (docs/format.md, section 15, step 9).
import { need, same, utf8, within } from "./bytes.js";
import { fields, list, string } from "./canon.js";
import { verifyHead } from "./checkpoint.js";
import { COSIGNATURE, isBy, parseKey, parseNote, verifyCosignature } from "./note.js";

const MAX_KEY_BYTES = 300;

/**
 * Verifies the heads with outside cosignatures: `{ name, key, time, size }` each. `included` verifies that the note stands
 * under a head. Each verifies by a key that the file itself names: whose key it is, the file does not show.
 */
export async function verifyOutside(value, log, included, treaty, trace) {
  const witnesses = [];
  let last = 0n;
  for (const [at, part] of list(value, "outside", 1, 16).entries()) {
    const name = `outside[${at}]`;
    trace.about(name);
    await within(name, async () => {
      fields(part, "a head", ["checkpoint", "keys", "path"]);
      const note = parseNote(utf8(string(part.get("checkpoint"), "checkpoint")));
      const head = await verifyHead(note, treaty, trace);
      need(head.log === log, "the checkpoint is of another log");
      await included(part.get("path"), head);
      const keys = [];
      for (const text of list(part.get("keys"), "keys", 1, 16)) keys.push(await witnessKey(text, keys, treaty));
      const [first, ...lines] = note.signatures;
      const own = isBy(first, treaty.parties[log].log) && lines.length === keys.length;
      need(own && lines.every((line, n) => isBy(line, keys[n])), "it should have the log's own signature and one by each of its keys");
      need(head.size > last, "heads go by size, and each size stands once");
      last = head.size;
      for (const key of keys) {
        const says = `Whoever has the key ${key.text} signed that it saw the log with ${head.size} records`;
        const time = await verifyCosignature(note, key, trace, says);
        witnesses.push({ name: key.name, key: key.text, time, size: Number(head.size) });
      }
    });
  }
  return witnesses;
}

async function witnessKey(value, before, treaty) {
  const text = string(value, "keys");
  need(utf8(text).length <= MAX_KEY_BYTES, `a key has at most ${MAX_KEY_BYTES} bytes`);
  const key = await parseKey(text);
  need(key.kind === COSIGNATURE, "a witness's key is of type 0x04");
  const known = [...before, ...treaty.parties.flatMap((party) => [party.root, party.log, party.witness])];
  need(known.every((other) => !same(other.key, key.key)), "a key stands twice, or is a party's own");
  return key;
}

/** A sentence for each. */
export function outsideSentences(witnesses, utc) {
  const one = ({ name, time }) =>
    `Somebody with the key of ${name} that this file names had seen the log with this note in it at ${utc(time)}, by its ` +
    "own clock. That is worth as much as the key: compare it with the one that you know.";
  return witnesses.map(one);
}
