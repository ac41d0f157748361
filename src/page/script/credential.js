// Credentials (docs/format.md, section 9): what a party's root key says of the party's other keys.
import { hashOfHex, isCode, isKind, isTime, need, same, utf8 } from "./bytes.js";
import { fields, list, parseLine, string } from "./canon.js";
import { COSIGNATURE, ED25519, parseKey, parseNote, verifyNote } from "./note.js";
import { isPeer } from "./treaty.js";

const MAX_TEXT_BYTES = 16384;
const COMMON = ["action", "issued", "key", "ledger", "party", "v"];
const SHAPES = {
  grant: [["kinds", "title"], ["from", "until"]],
  revoke: [[], ["reason"]],
  rotate: [["job", "old"], ["reason"]],
};

/** Whose credential a text says to be, or "". */
export function partyOfCredential(text) {
  const value = parseLine(text, MAX_TEXT_BYTES, true).get("party");
  return isCode(value) ? value : "";
}

/** Reads a credential of a party and verifies that its root key signed it for this ledger. */
export async function parseCredential(payload, party, treaty, trace, says) {
  const note = parseNote(payload);
  await verifyNote(note, party.root, trace, says);
  const map = parseLine(note.text, MAX_TEXT_BYTES, true);
  const action = map.get("action");
  need(Object.hasOwn(SHAPES, action ?? ""), "the field `action` should be `grant`, `revoke` or `rotate`");
  const [required, optional] = SHAPES[action];
  const value = Object.fromEntries(fields(map, "the credential", [...COMMON, ...required], optional));
  need(value.v === 1 && isTime(value.issued), "the credential's `issued` or `v`");
  need(same(hashOfHex(value.ledger), treaty.hash), `the credential is for another ledger (${value.ledger})`);
  need(value.party === party.code, "the credential is of another party");
  need(action === "grant" || note.signatures.length === 1, "a revocation or a rotation carries the root's signature and no other");
  const short = (text, most) => typeof text === "string" && utf8(text).length >= 1 && utf8(text).length <= most;
  need(value.reason === undefined || short(value.reason, 1000), "the field `reason` should be a text of 1 to 1,000 bytes");
  if (action === "rotate") return rotation(value, party);
  const key = await parseKey(string(value.key, "key"));
  const prefix = `${party.origin}/`;
  need(key.kind === ED25519 && key.name.startsWith(prefix) && key.name !== prefix, `an official's key is named ${prefix}…`);
  if (action === "revoke") return { action, key, issued: value.issued, reason: value.reason ?? null };
  const kinds = list(value.kinds, "kinds", 1, 256);
  need(kinds.every((kind) => kind === "*" || isKind(kind)), "the field `kinds` should be kinds or `*`");
  need(short(value.title, 200), "the field `title` should be a text of 1 to 200 bytes");
  const [from, until] = [value.from ?? null, value.until ?? null];
  need([from, until].every((time) => time === null || isTime(time)), "the fields `from` and `until` should be times");
  need(from === null || until === null || from <= until, "the field `until` should be a time not before `from`");
  return { action, key, kinds, title: value.title, issued: value.issued, from, until };
}

async function rotation({ job, old, key, issued, reason = null }, party) {
  need(["log", "witness", "transport"].includes(job), "the field `job` should be `log`, `witness` or `transport`");
  need(old === "retired" || old === "lost", "the field `old` should be `retired` or `lost`");
  const base = { action: "rotate", job, old, issued, reason };
  if (job === "transport") {
    need(isPeer(key), "the field `key` should be a libp2p peer id");
    return { ...base, key };
  }
  const [name, kind] = job === "log" ? [party.origin, ED25519] : [`${party.origin}/witness`, COSIGNATURE];
  const read = await parseKey(string(key, "key"));
  need(read.name === name && read.kind === kind, `the key should be named ${name}`);
  return { ...base, key: read };
}
