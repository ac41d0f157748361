// What is to be said of a notification record (docs/format.md, section 14). A mark takes nothing away from the proof.
import { Refused, same, utf8 } from "./bytes.js";
import { verifies } from "./ed25519.js";
import { faults } from "./form.js";
import { ED25519, isBy } from "./note.js";
import { parseNotification } from "./record.js";

/** Judges the payload of a record of the log of the party at `log`; `grants` are those before it. */
export async function judge(record, log, grants, treaty, profile, trace) {
  const party = treaty.parties[log];
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
  if (value.from !== party.code) {
    mark("other-sender", `It says to be from ${value.from}, but stands in the log of ${party.code}.`);
  }
  if (party.roles.length === 1 && party.roles[0] === "observer") {
    mark("observer", `${party.code} is an observer, not a party that notifies.`);
  }
  for (const code of value.to) {
    if (code !== "*" && treaty.parties.every((other) => other.code !== code)) {
      mark("unknown-addressee", `It is addressed to ${code}, which is not a party.`);
    }
  }
  if (profile) {
    const kind = profile.kinds.get(value.kind);
    if (kind === undefined) mark("unknown-kind", `The treaty's profile does not know the kind \`${value.kind}\`.`);
    else for (const fault of faults(kind, value.body, profile)) mark("form", `Not in the treaty's form: ${fault}.`);
  }
  for (const line of note.signatures) {
    const grant = grants.find(({ key }) => isBy(line, key));
    if (grant === undefined) {
      mark("unauthorised", `${line.name} signed it, whose key the party's root had not granted before.`);
    } else if (!(await signedBy(note, grant, trace))) {
      mark("bad-signature", `The signature by ${line.name} does not verify.`);
    } else if (!grant.kinds.includes("*") && !grant.kinds.includes(value.kind)) {
      mark("unauthorised", `${grant.title} may not sign notes of the kind \`${value.kind}\`.`);
    } else {
      signers.push({ key: line.name, title: grant.title, granted_at: Number(grant.index) });
    }
  }
  return { signers, marks, value, note };
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
