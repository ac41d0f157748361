// What is to be said of a notification record (docs/format.md, section 14). A mark takes nothing away from the proof.
import { atTime, formerBy } from "./amendment.js";
import { Refused, same, utf8 } from "./bytes.js";
import { verifies } from "./ed25519.js";
import { faults } from "./form.js";
import { ED25519, isBy } from "./note.js";
import { validAt } from "./keys.js";
import { disorder } from "./order.js";
import { parseNotification } from "./record.js";

/** A time with its zone: `2020-05-22 14:00:00 UTC`. */
const utc = (time) => time.replace("T", " ").replace("Z", " UTC");

/** That a party was none any more at a time, by some amendment that is known; `null` if it was one. */
export function formerParty(log, time, treaty) {
  const change = formerBy(treaty, treaty.taken.length, log, time);
  if (change === null) return null;
  const text = `From ${utc(change.from)} on, ${treaty.parties[log].code} is no longer a party to the treaty (amendment ${change.number}).`;
  return { code: "former-party", text };
}

/**
 * Judges the payload of a record of the log of the party at `log`. `history` has the party's officials, `place` is how the
 * treaty stands there, `logged` knows in which earlier record of the log a note's id stands.
 */
export async function judge(record, log, history, place, treaty, profile, trace, logged = () => null) {
  const time = record.time > place.clock ? record.time : place.clock;
  const then = atTime(treaty, time, log);
  const party = then.parties[log];
  const [signers, marks] = [[], []];
  const mark = (code, text) => marks.push({ code, text });
  let note, value;
  try {
    ({ note, value } = parseNotification(record.payload));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    mark("malformed", `It cannot be read as a notification: ${error.message}.`);
    return { signers, marks, value: null };
  }
  if (!same(value.ledger, treaty.hash)) mark("other-ledger", "It was signed for another ledger (another treaty file).");
  const earlier = logged(value.id);
  if (earlier !== null) mark("repeated", `A note with this id stands in the log already, as ${party.code}/${earlier}.`);
  if (value.from !== party.code) {
    mark("other-sender", `It says to be from ${value.from}, but stands in the log of ${party.code}.`);
  }
  if (party.roles.length === 1 && party.roles[0] === "observer") {
    mark("observer", `${party.code} is an observer, not a party that notifies.`);
  }
  const former = formerParty(log, time, treaty);
  if (former !== null) marks.push(former);
  for (const code of value.to) {
    // By what held in the log there: one that accedes later is no party yet.
    const parties = treaty.parties.slice(0, (treaty.states[place.number] ?? treaty.states.at(-1)).parties);
    if (code !== "*" && parties.every((other) => other.code !== code)) {
      mark("unknown-addressee", `It is addressed to ${code}, which is not a party.`);
    }
  }
  if (profile) {
    const kind = profile.kinds.get(value.kind);
    if (kind === undefined) mark("unknown-kind", `The treaty's profile does not know the kind \`${value.kind}\`.`);
    else for (const fault of faults(kind, value.body, profile)) mark("form", `Not in the treaty's form: ${fault}.`);
  }
  for (const line of note.signatures) {
    const { state, grant, at } = history.standing(line, record.index, record.time);
    if (grant === null) {
      mark("unauthorised", `${line.name} signed it, whose key the party's root had not granted before.`);
    } else if (!(await signedBy(note, grant, trace))) {
      mark("bad-signature", `The signature by ${line.name} does not verify.`);
    } else if (state === "revoked") {
      mark("unauthorised", `The key of ${grant.title} had been revoked in record ${at} of the log.`);
    } else if (state === "outside" && validAt(grant, record.time)) {
      mark("unauthorised", pastItsEnd(grant));
    } else if (state === "outside") {
      const [from, until] = [grant.from, grant.until].map((time) => (time === null ? null : utc(time)));
      const span = `valid from ${from ?? "the grant"} until ${until ?? "revoked"}`;
      mark("unauthorised", `The key of ${grant.title} is ${span}; it was logged at ${utc(record.time)}.`);
    } else if (!grant.kinds.includes("*") && !grant.kinds.includes(value.kind)) {
      mark("unauthorised", `${grant.title} may not sign notes of the kind \`${value.kind}\`.`);
    } else {
      signers.push({ key: line.name, title: grant.title, granted_at: Number(grant.index) });
    }
  }
  const kind = profile?.kinds.get(value.kind);
  // Keys with one name are one official's.
  const officials = new Set(signers.map((signer) => signer.key)).size;
  if (kind !== undefined) for (const [code, text] of disorder(kind, value, log, officials, then, profile)) mark(code, text);
  return { signers, marks, value, note };
}

/** A mark for each reference to a record that is at hand and is another; `leafAt` gives the leaf hash at a place, or `undefined`. */
export function astray(value, leafAt) {
  const wrong = ({ log, index, leaf }) => {
    const held = leafAt(log, BigInt(index));
    return held !== undefined && !same(held, leaf);
  };
  const text = ({ log, index }) => `It refers to ${log}/${index}, and by its hash to another record than stands there.`;
  return value.re.filter(wrong).map((re) => ({ code: "reference", text: text(re) }));
}

/** Of a key that would be valid by the note's own time, and was not by what had come before it. */
function pastItsEnd({ title, until, ended }) {
  const says = `The key of ${title} is valid until ${utc(until)};`;
  if (ended.by === null) return `${says} the log had come to ${utc(ended.time)} before, by its own record ${ended.index}.`;
  const [a, b] = ended.by;
  return `${says} before this note its log held what ${a} and ${b} had logged at ${utc(ended.time)} or later, each by its own clock.`;
}

/** Whether every line by the key verifies. */
async function signedBy(note, { key, title }, trace) {
  const message = utf8(note.text);
  let all = true;
  for (const line of note.signatures.filter((signature) => isBy(signature, key))) {
    const ok = key.kind === ED25519 && (await verifies(key.key, message, line.bytes));
    trace.signature({ says: `${title} signed this note`, key, message, signature: line.bytes, ok });
    all &&= ok;
  }
  return all;
}
