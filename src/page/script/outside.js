// Cosignatures by witnesses outside the ledger (docs/format.md, section 15): each by a key that the file itself names.
import { hex, need, utf8, within } from "./bytes.js";
import { fields, list, string } from "./canon.js";
import { verifyHead } from "./checkpoint.js";
import { COSIGNATURE, isBy, parseKey, parseNote, verifyCosignature } from "./note.js";

const MAX_OUTSIDE = 16;

/** Verifies the heads; `included` checks that the note stands under a head by a path. */
export async function verifyOutside(value, log, included, keys, trace) {
  const { treaty } = keys;
  const witnesses = [];
  let last = 0n;
  for (const [at, item] of list(value, "outside", 1, MAX_OUTSIDE).entries()) {
    const part = `outside[${at}]`;
    trace.about(part);
    await within(part, async () => {
      const map = fields(item, "an outside head", ["checkpoint", "keys", "path"]);
      const note = parseNote(utf8(string(map.get("checkpoint"), "checkpoint")));
      const head = await verifyHead(note, keys, trace);
      need(head.log === log, "the checkpoint is of another log");
      await included(map.get("path"), head);
      const named = [];
      for (const text of list(map.get("keys"), "keys", 1, MAX_OUTSIDE)) named.push(await parseKey(string(text, "keys")));
      need(named.every((key) => key.kind === COSIGNATURE && utf8(key.text).length <= 300), "the field `keys` should be keys of type 0x04");
      const own = keys.of[log].all("log").some((key) => isBy(note.signatures[0], key));
      const each = note.signatures.length === named.length + 1 && own;
      need(each, "it should have the log's own signature and one by each of its keys");
      const known = new Set(treaty.parties.flatMap((party) => [party.root, party.log, party.witness]).map((key) => hex(key.key)));
      for (const [place, key] of named.entries()) {
        const fits = !known.has(hex(key.key)) && isBy(note.signatures[place + 1], key);
        need(fits, "a key stands twice, is a party's own, or is not that of its line");
        const partys = treaty.parties.some(({ origin }) => key.name === origin || key.name.startsWith(`${origin}/`));
        need(!partys, "a key is named like a party's");
        known.add(hex(key.key));
        const time = await verifyCosignature(note, key, trace, `Somebody with the key of ${key.name} signed that it has seen this head,`);
        witnesses.push({ key: key.text, time, size: Number(head.size) });
      }
      need(head.size > last, "heads go by size, and each size stands once");
      last = head.size;
    });
  }
  return witnesses;
}
