// Keys as text and signed notes (docs/format.md, sections 3 and 4; C2SP signed-note).
import { Refused, base64, concat, hex, need, same, textOf, unbase64, utf8, timeOf } from "./bytes.js";
import { isAdmissible, verifies } from "./ed25519.js";
import { sha256 } from "./hash.js";
import { isNameLike } from "./unicode.js";

/** Signs the text of a note. */
export const ED25519 = 0x01;
/** Cosigns a checkpoint. */
export const COSIGNATURE = 0x04;
const MAX_NOTE_BYTES = 65535;
const MAX_SIGNATURES = 64;

function isName(name) {
  return name !== "" && utf8(name).length <= 200 && isNameLike(name);
}

/** Reads a vkey: `name+hash+base64`. */
export async function parseKey(text) {
  const [name, id, ...rest] = String(text).split("+");
  need(id !== undefined && rest.length > 0, "a key reads `name+hash+base64`; this one does not");
  need(isName(name), "the key's name is empty, too long, or has a space, a plus sign or an invisible character in it");
  const material = unbase64(rest.join("+"));
  need(material !== null && material.length === 33, "the key material is not base64 of one type byte and 32 key bytes");
  const kind = material[0];
  need(kind === ED25519 || kind === COSIGNATURE, `signature type 0x${hex([kind])} is not supported`);
  const full = await sha256(utf8(name), Uint8Array.of(10), material);
  need(id === hex(full.subarray(0, 4)), `the key's hash should read ${hex(full.subarray(0, 4))}; it was altered or mistyped`);
  const key = material.subarray(1);
  need(isAdmissible(key), "the public key is not an admissible Ed25519 key (canonical, of full order, torsion-free)");
  return { name, id: full.slice(0, 4), kind, key, text };
}

/** Reads a signed note's bytes: its text, and its signature lines. Verifies no signature. */
export function parseNote(bytes) {
  need(bytes.length <= MAX_NOTE_BYTES, `a note is at most ${MAX_NOTE_BYTES} bytes long; this one has ${bytes.length}`);
  need(bytes.every((byte) => byte >= 0x20 || byte === 10), "a note is UTF-8 text without control characters");
  const whole = textOf(bytes, "the note");
  const split = whole.lastIndexOf("\n\n");
  const shape = "a note has a text, a blank line and at least one signature line; this has not";
  need(split >= 1 && whole.endsWith("\n") && split + 2 < whole.length, shape);
  const lines = whole.slice(split + 2, -1).split("\n");
  need(lines.length <= MAX_SIGNATURES, `a note has at most ${MAX_SIGNATURES} signatures`);
  const signatures = lines.map((line, at) => {
    const [, name, encoded] = /^— ([^ ]*) (.*)$/su.exec(line) ?? [];
    const data = name !== undefined && isName(name) ? unbase64(encoded) : null;
    need(data !== null && data.length >= 5, `signature line ${at + 1} does not read \`— name base64\``);
    return { name, id: data.slice(0, 4), bytes: data.slice(4), line };
  });
  return { text: whole.slice(0, split + 1), signatures };
}

export function isBy(signature, key) {
  return signature.name === key.name && same(signature.id, key.id);
}

/** Most signatures that are remembered; any more are verified as often as they come. */
const MAX_KNOWN = 1 << 16;
/** Longest text that is remembered with its signature. */
const MAX_KNOWN_CHARACTERS = 400;
const known = new Map();

/** Whether a line is the key's signature of a text. Each party's receipt repeats the head that it is for: it is verified once. */
function isSignature(key, text, message, line) {
  if (text.length > MAX_KNOWN_CHARACTERS) return verifies(key.key, message, line.bytes);
  const these = `${key.text}\n${line.line}\n${text}`;
  const before = known.get(these);
  if (before !== undefined) return before;
  const verified = verifies(key.key, message, line.bytes);
  if (known.size < MAX_KNOWN) known.set(these, verified);
  return verified;
}

/**
 * Verifies a note's signature by a key of type 0x01: at least one line is by it, and each such line verifies.
 * `says` is told to the trace: what the signature states.
 */
export async function verifyNote(note, key, trace, says) {
  const lines = note.signatures.filter((signature) => isBy(signature, key));
  need(lines.length > 0, `no signature by ${key.name} is on this note`);
  const message = utf8(note.text);
  for (const line of lines) {
    const ok = key.kind === ED25519 && (await isSignature(key, note.text, message, line));
    trace.signature({ says, key, message, signature: line.bytes, ok });
    need(ok, `the signature by ${key.name} does not verify: the text or the signature was altered`);
  }
}

/** What a cosignature signs. */
export function cosignedText(text, seconds) {
  return `cosignature/v1\ntime ${seconds}\n${text}`;
}

/** Verifies the cosignature of a key of type 0x04 (section 12) and gives its time; `null` if there is none. */
export async function verifyCosignature(note, key, trace, says) {
  let time = null;
  for (const line of note.signatures.filter((signature) => isBy(signature, key))) {
    const what = `the cosignature by ${key.name} does not verify`;
    need(line.bytes.length === 72 && key.kind === COSIGNATURE, what);
    const seconds = new DataView(line.bytes.buffer, line.bytes.byteOffset).getBigUint64(0);
    const message = utf8(cosignedText(note.text, seconds));
    const signature = line.bytes.subarray(8);
    const ok = seconds < 2n ** 63n && (await verifies(key.key, message, signature));
    trace.signature({ says: `${says} at ${timeOf(seconds)}`, key, message, signature, ok });
    if (!ok) throw new Refused(what);
    time = timeOf(seconds);
  }
  return time;
}

/** A signature line as it stands in a note. */
export function signatureLine(key, bytes) {
  return `— ${key.name} ${base64(concat(key.id, bytes))}`;
}
