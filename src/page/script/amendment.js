// Amendments of the treaty file (docs/format.md, section 9a): a chain of signed notes, and where in a log each holds.
import { Refused, hashOfHex, hex, isCode, isTime, need, same, textOf, utf8 } from "./bytes.js";
import { fields, list, parseLine, string } from "./canon.js";
import { sha256 } from "./hash.js";
import { isBy, parseNote, verifyNote } from "./note.js";
import { isSatisfied } from "./policy.js";
import { ROLES, checkAddresses, find, parsePolicyOf, readParty } from "./treaty.js";

const MAX_TEXT_BYTES = 40000;
const MAX_AMENDMENTS = 256;
const BINDING = ["state-party", "depositary"];

/** Reads an amendment's note. Verifies nothing. */
async function parseAmendment(bytes) {
  const note = parseNote(bytes);
  const names = ["action", "changes", "issued", "ledger", "number", "prev", "v"];
  const value = Object.fromEntries(fields(parseLine(note.text, MAX_TEXT_BYTES, true), "the amendment", names));
  need(value.action === "amend" && value.v === 1, "the field `action` should be `amend`, and `v` 1");
  need(isTime(value.issued) && Number.isInteger(value.number) && value.number >= 0, "the fields `issued` and `number`");
  list(value.changes, "changes", 1, 64);
  const [ledger, prev] = [hashOfHex(value.ledger), hashOfHex(value.prev)];
  return { ...value, ledger, prev, note, bytes, hash: await sha256(utf8(note.text)) };
}

/** The treaty with the first so many of its amendments. */
function firstOf(treaty, number) {
  return {
    ...treaty,
    taken: treaty.taken.slice(0, number),
    states: treaty.states.slice(0, number + 1),
    statuses: treaty.statuses.filter((status) => status.number <= number),
    parties: treaty.parties.slice(0, treaty.states[number].parties),
  };
}

/** The change of status that holds for a party at a time, with so many amendments; `null` if none does. */
function statusOf(treaty, number, party, time) {
  const holds = treaty.statuses.filter((one) => one.number <= number && one.party === party && one.from <= time);
  // Of those with the latest date the last one counts: they stand by amendment, and in its order.
  return holds.reduce((last, one) => (last === null || one.from >= last.from ? one : last), null);
}

function rolesOf(treaty, number, party, time) {
  return statusOf(treaty, number, party, time)?.roles ?? treaty.parties[party].roles;
}

/** By which change a party is a former party at a time, with so many amendments; `null` if it is none. */
export function formerBy(treaty, number, party, time) {
  const change = statusOf(treaty, number, party, time);
  return change !== null && !change.roles.some((role) => BINDING.includes(role)) ? change : null;
}

/**
 * The treaty with the roles that each party has at a time, by all amendments that are known. A sender that has left keeps the
 * roles that it had last: that it has left is said by itself.
 */
export function atTime(treaty, time, sender) {
  if (treaty.statuses.every((one) => one.from > time)) return treaty;
  const all = treaty.taken.length;
  const binding = treaty.statuses.filter((one) => one.roles.some((role) => BINDING.includes(role)));
  const rolesAt = (at) => {
    const left = at === sender && formerBy(treaty, all, at, time) !== null;
    return rolesOf(left ? { ...treaty, statuses: binding } : treaty, all, at, time);
  };
  return { ...treaty, parties: treaty.parties.map((party, at) => ({ ...party, roles: rolesAt(at) })) };
}

/** Whether receipts by these parties (codes) make the quorum, as the treaty stands at a place of a log. */
export function isQuorum(treaty, place, have) {
  const gone = (code) => {
    const party = find(treaty, code);
    return party >= 0 && formerBy(treaty, place.number, party, place.clock) !== null;
  };
  return isSatisfied(treaty.states[place.number].policy, have, gone);
}

/** The treaty with its next amendment; refused if the note is not that, or not signed as the profile demands. */
export async function amended(treaty, bytes, trace) {
  const amendment = await parseAmendment(bytes);
  const number = treaty.taken.length + 1;
  need(same(amendment.ledger, treaty.hash), "the amendment is for another ledger");
  const prev = treaty.taken.at(-1)?.hash ?? treaty.hash;
  need(amendment.number === number && same(amendment.prev, prev), `it is not amendment ${number} of this treaty file`);
  const before = treaty.taken.at(-1)?.issued ?? "";
  need(amendment.issued >= before, "it is dated before the amendment that it builds on");
  need(number <= MAX_AMENDMENTS, `a treaty file has at most ${MAX_AMENDMENTS} amendments`);
  const out = { ...treaty, parties: [...treaty.parties], statuses: [...treaty.statuses] };
  const acceding = [];
  let quorum = null;
  for (const change of amendment.changes) {
    need(change instanceof Map, "a change should be an object");
    if (change.get("change") === "accede") acceding.push(await accede(change, out));
    else if (change.get("change") === "addresses") moved(change, out);
    else if (change.get("change") === "status") out.statuses.push(status(change, out, number, amendment.issued));
    else {
      need(change.get("change") === "quorum" && quorum === null, "a change that is not known, or a second quorum");
      quorum = lines(change);
    }
  }
  const quorumText = quorum ?? treaty.states.at(-1).quorumText;
  const policy = parsePolicyOf(out.parties, quorumText);
  await verifySignatures(treaty, amendment, acceding, trace);
  out.states = [...treaty.states, { policy, quorumText, parties: out.parties.length }];
  out.taken = [...treaty.taken, amendment];
  return out;
}

async function accede(change, out) {
  fields(change, "an accession", ["change", "party"]);
  need(out.parties.length < 256, "a treaty has at most 256 parties");
  const party = await readParty(change.get("party"), out.name);
  for (const other of out.parties) {
    need(other.code !== party.code && other.peer !== party.peer, `party ${party.code}: its code or its peer is another party's`);
  }
  const used = new Set(out.parties.flatMap(({ root, log, witness }) => [root, log, witness]).map((key) => hex(key.key)));
  for (const job of ["root", "log", "witness"]) {
    need(!used.has(hex(party[job].key)), `party ${party.code}: its ${job} key is another one's`);
    used.add(hex(party[job].key));
  }
  out.parties.push(party);
  return party;
}

function moved(change, out) {
  fields(change, "a change of addresses", ["addresses", "change", "party"]);
  need(isCode(change.get("party")) && find(out, change.get("party")) >= 0, "a change of addresses of nobody");
  checkAddresses(change.get("addresses"));
}

function status(change, out, number, issued) {
  fields(change, "a change of status", ["change", "from", "party", "roles"]);
  const [from, code, roles] = ["from", "party", "roles"].map((name) => change.get(name));
  need(isCode(code) && find(out, code) >= 0, "a change of status of nobody");
  list(roles, "roles", 0, 3);
  need(roles.every((role) => ROLES.includes(role)) && new Set(roles).size === roles.length, "the field `roles` should be roles, none twice");
  need(isTime(from) && from >= issued, `the status of ${code} is to change before the amendment was written`);
  return { number, party: find(out, code), roles, from };
}

function lines(change) {
  fields(change, "a change of the quorum", ["change", "lines"]);
  return list(change.get("lines"), "lines", 0, 256)
    .map((line) => {
      need(utf8(string(line, "lines")).length <= 8192 && /^ *(group|quorum)( |$)/.test(line), "a quorum has lines `group …` and `quorum …` only");
      return `${line}\n`;
    })
    .join("");
}

/** Who has signed, as the treaty stands without it. */
async function verifySignatures(treaty, amendment, acceding, trace) {
  need(treaty.rule !== null, "the profile has no rule for amendments");
  const { note, issued, number } = amendment;
  const signs = async ({ root, name }) => {
    if (!note.signatures.some((line) => isBy(line, root))) return false;
    await verifyNote(note, root, trace, `${name}, by its root key, signed amendment ${number} of the treaty file`);
    return true;
  };
  let [parties, signed, depositaries] = [0, 0, 0];
  amendment.signed = [];
  for (const [at, party] of treaty.parties.entries()) {
    const roles = rolesOf(treaty, treaty.taken.length, at, issued);
    if (!roles.some((role) => BINDING.includes(role))) continue;
    const [state, depositary] = BINDING.map((role) => roles.includes(role));
    parties += Number(state);
    if (!(await signs(party))) continue;
    amendment.signed.push(party.code);
    signed += Number(state);
    depositaries += Number(depositary);
  }
  const [a, b] = treaty.rule.share;
  need(signed >= Math.ceil((parties * a) / b), `only ${signed} of the ${parties} state parties signed amendment ${number}`);
  need(depositaries >= treaty.rule.depositaries, `only ${depositaries} of the depositaries signed amendment ${number}`);
  for (const party of acceding) {
    need(await signs(party), `${party.code} accedes by amendment ${number} and has not signed it`);
    amendment.signed.push(party.code);
  }
}

/** Which amendments hold in one log, by place. A place is `{ number, clock }`. */
export class Adoption {
  constructor() {
    this.points = [];
    this.contested = false;
  }

  last() {
    return this.points.at(-1)?.place ?? { number: 0, clock: "" };
  }

  /** What holds for the record at an index. */
  at(index) {
    return this.points.findLast((point) => point.index <= index)?.place ?? { number: 0, clock: "" };
  }

  /** What holds for a log of so many records: at its last one. */
  ofSize(size) {
    return size > 0n ? this.at(size - 1n) : { number: 0, clock: "" };
  }

  /** A record's time: dates up to then have come. Whether one has. */
  pass(index, time, treaty) {
    const { number, clock } = this.last();
    const comes = treaty.statuses.some((one) => one.number <= number && clock < one.from && one.from <= time);
    if (comes) this.points.push({ index, place: { number, clock: time } });
    return comes;
  }

  /**
   * An amendment record. Gives the treaty, which has grown if it is the next amendment of all that is known, or `null` if
   * nothing changes in this log; then `why`, and the treaty that has `grown` all the same.
   */
  async take(index, time, payload, treaty, trace) {
    this.pass(index, time, treaty);
    if (this.contested) return { treaty: null, why: "the log has two amendments of one number" };
    const place = this.last();
    const clock = place.clock > time ? place.clock : time;
    try {
      const { number, hash } = await parseAmendment(payload);
      const known = treaty.taken[number - 1];
      if (known !== undefined && !same(known.hash, hash)) {
        await amended(firstOf(treaty, number - 1), payload, trace);
        this.contested = true;
        this.points.push({ index, place: { number: Math.min(place.number, number - 1), clock } });
        return { treaty };
      }
      const grown = known === undefined ? await amended(treaty, payload, trace) : treaty;
      const isNext = number === place.number + 1;
      if (isNext) this.points.push({ index, place: { number, clock } });
      return { treaty: isNext ? grown : null, grown, why: "it changes nothing here" };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { treaty: null, why: error.message };
    }
  }

  /** From which record on so many amendments hold, or `null`. */
  placeOf(number) {
    return this.points.find(({ place }) => place.number >= number)?.index ?? null;
  }
}

/** What an amendment changes, in words. */
export function describeChanges(amendment, nameOf, utc) {
  return amendment.changes.map((change) => {
    const party = change.get("party");
    switch (change.get("change")) {
      case "accede":
        return `${party.get("name")} (${party.get("code")}) accedes.`;
      case "addresses":
        return `The node of ${nameOf(party)} is to be found elsewhere.`;
      case "quorum":
        return `The quorum is another one: ${change.get("lines").join("; ")}.`;
      default: {
        const roles = change.get("roles").map((role) => role.replace("state-party", "state party"));
        const former = !change.get("roles").some((role) => BINDING.includes(role));
        const as = roles.length > 0 ? `${former ? " It stays as an" : " It is"} ${roles.join(" and ")}.` : "";
        return `From ${utc(change.get("from"))} on, ${nameOf(party)} is ${former ? "no longer a party" : "a party in another capacity"}.${as}`;
      }
    }
  });
}

/** An amendment's bytes as a file of an export. */
function amendmentFile(number) {
  return `amendments/${String(number).padStart(3, "0")}.note`;
}

export function isAmendmentFile(name) {
  return /^amendments\/[0-9]{3}\.note$/.test(name);
}

/** The treaty with the amendments of an export. */
export async function amendedByFiles(treaty, files, trace, fail) {
  let out = treaty;
  for (let number = 1; files.has(amendmentFile(number)); number += 1) {
    const name = amendmentFile(number);
    try {
      textOf(files.get(name), name);
      out = await amended(out, files.get(name), trace);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      fail(name, error.message);
      return null;
    }
  }
  return out;
}
