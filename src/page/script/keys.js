// Which keys are in force where (docs/format.md, section 9): what a party's root says of its officials' and its own keys.
import { Refused, hex, need, same, within } from "./bytes.js";
import { isBy, parseNote, verifyCosignature, verifyNote } from "./note.js";
import { parseCheckpoint } from "./checkpoint.js";
import { parseCredential, partyOfCredential } from "./credential.js";
import { find, logOf } from "./treaty.js";

/** Longest list of rotations of one party that a file carries without their places. */
const MAX_CARRIED = 64;

/** Whether a key signed the note; a line by the key that does not verify is refused. */
async function isSigned(note, key, trace, says) {
  if (!note.signatures.some((line) => isBy(line, key))) return false;
  await verifyNote(note, key, trace, says);
  return true;
}

/** Whether a note may be logged with a grant's key at a time. */
export const validAt = ({ from, until }, time) => (from === null || from <= time) && (until === null || time <= until);

/** The keys of one party, as far as its log is known: `known` records, in which `changes` are all. */
export class History {
  constructor(at, treaty, known) {
    this.party = treaty.parties[at];
    this.treaty = treaty;
    this.known = known;
    /** Rotations in their places, officials' grants and their revocations. */
    this.changes = [];
    this.grants = [];
    this.revocations = [];
    /** Rotations whose place is not shown. */
    this.carried = [];
    /** The latest time of the log's records so far, and the first one with it. */
    this.clock = { time: "", index: 0n, by: null };
  }

  /**
   * A record of the log was logged at a time, or two other parties' clocks, `by`, had come to it before: officials' keys come to
   * their end by it, also where the log's own times go back.
   */
  pass(index, time, by = null) {
    if (time <= this.clock.time) return;
    this.clock = { time, index, by };
    this.grants.forEach((grant) => this.end(grant));
  }

  end(grant) {
    if (grant.ended === null && grant.until !== null && grant.until < this.clock.time) grant.ended = this.clock;
  }

  /** Takes in a credential record; refused if it is none. Gives what it says, and whether it changes anything. */
  async take(record, trace) {
    const says = `${this.party.name}, by its root key, said in record ${record.index} which keys are its own`;
    const value = await parseCredential(record.payload, this.party, this.treaty, trace, says);
    const credential = { ...value, index: record.index, logged: record.time, counts: true };
    if (value.action === "grant") {
      credential.counts = this.isFree(value.key);
      credential.ended = null;
      this.end(credential);
      if (credential.counts) this.grants.push(credential);
    } else if (value.action === "revoke") this.revocations.push(credential);
    else if (this.isNew(value)) this.changes.push(credential);
    else credential.counts = false;
    return credential;
  }

  /** Whether an official's key may be granted: one that was revoked never comes back, and a key has one job and one holder. */
  isFree(key) {
    const { parties } = this.treaty;
    const own = [...parties.flatMap(({ root, log, witness }) => [root, log, witness]), ...this.changes.filter(({ job }) => job !== "transport").map((one) => one.key)];
    const others = this.grants.map((grant) => grant.key).filter(({ name }) => name !== key.name);
    return [...own, ...others, ...this.revocations.map((one) => one.key)].every((other) => !same(other.key, key.key));
  }

  /** One key, one job, once. */
  isNew({ job, key }) {
    const { parties } = this.treaty;
    if (job === "transport") {
      return parties.every(({ peer }) => peer !== key) && this.changes.every((change) => change.job !== job || change.key !== key);
    }
    const before = this.changes.filter((change) => change.job !== "transport");
    const used = [...parties.flatMap(({ root, log, witness }) => [root, log, witness]), ...[...before, ...this.grants].map((one) => one.key)];
    return used.every((other) => !same(other.key, key.key));
  }

  /** Takes in a rotation that a file carries; refused if it puts no new key in force. */
  async carry(text, bytes, trace) {
    const value = await parseCredential(bytes, this.party, this.treaty, trace, `${this.party.name}, by its root key, put a new key in force`);
    const news = value.action === "rotate" && value.job !== "transport" && this.isNew(value);
    need(news && this.carried.every(({ key }) => key.text !== value.key.text) && this.carried.length < MAX_CARRIED, "it puts no new key in force");
    this.carried.push({ ...value, note: text, bytes });
  }

  later(job) {
    return this.carried.filter((rotation) => rotation.job === job).map((rotation) => rotation.key);
  }

  /** The key of a job for a record at `index`; `null` for one past all that are known. */
  inForce(job, index) {
    const change = this.changes.findLast((one) => one.job === job && (index === null || one.index < index));
    return change?.key ?? this.party[job];
  }

  /**
   * Whether a head by one of these keys says nothing, as that key was replaced since: where no log shows it (`given` is
   * null), or in a log that had receipted so many records before, the changeover among them.
   */
  isLate(keys, given) {
    const changes = this.changes.filter(({ job }) => job === "log");
    const replaced = keys.map(({ key }) => changes.find(({ index }) => same(this.inForce("log", index).key, key)));
    return replaced.some((change) => change !== undefined && (given === null || given > change.index));
  }

  /** All keys that ever had a job, the treaty file's first. */
  all(job) {
    return [this.party[job], ...this.changes.filter((change) => change.job === job).map((change) => change.key), ...this.later(job)];
  }

  candidates(job, index, size) {
    return size <= this.known ? [this.inForce(job, index)] : [this.inForce(job, null), ...this.later(job)];
  }

  /** The old log key, which signs the head with which it goes. */
  leaving(size) {
    const change = size <= this.known ? this.changes.find((one) => one.job === "log" && one.index + 1n === size) : undefined;
    return change === undefined || change.old === "lost" ? null : this.inForce("log", change.index);
  }

  /** Verifies that the log signed a head of this size, with a key in force. */
  async verifyHead(note, size, trace) {
    const says = `${this.party.name} signed the head of ${size} records of its log`;
    let signed = false;
    for (const key of this.candidates("log", size, size)) signed = (await isSigned(note, key, trace, says)) || signed;
    if (!signed) {
      const known = this.all("log").some((key) => note.signatures.some((line) => isBy(line, key)));
      need(!known, `the head of ${size} records is signed with a key of ${this.party.origin} that was not in force there`);
      throw new Refused(`no signature by ${this.party.origin} is on this note`);
    }
    const old = this.leaving(size);
    const both = old === null || (await isSigned(note, old, trace, `${says}, with the key that it replaced there`));
    need(both, `the head of ${size} records replaces the log's key, and the old key did not sign it`);
  }

  /** The time of the party's cosignature in the record at `index` of its log; without an index, with any of its keys. */
  async cosigned(note, index, trace, says) {
    const keys = index === null ? this.all("witness") : this.candidates("witness", index, index + 1n);
    for (const key of keys) {
      const time = await verifyCosignature(note, key, trace, says);
      if (time !== null) return time;
    }
    return null;
  }

  revoked(grant, index) {
    return this.revocations.find((one) => grant.index < one.index && one.index < index && same(one.key.key, grant.key.key));
  }

  /** How the key of a signature line stands for a record at `index`, logged at `time`: `{ state, grant, at }`. */
  standing(line, index, time) {
    const mine = this.grants.filter((grant) => grant.index < index && isBy(line, grant.key));
    const live = mine.filter((grant) => this.revoked(grant, index) === undefined);
    const holds = (grant) => validAt(grant, time) && (grant.ended === null || grant.ended.index >= index);
    const valid = live.find(holds);
    if (valid !== undefined) return { state: "in force", grant: valid };
    if (live.length > 0) return { state: "outside", grant: live[0] };
    const ended = mine.findLast((grant) => this.revoked(grant, index) !== undefined);
    if (ended !== undefined) return { state: "revoked", grant: ended, at: this.revoked(ended, index).index };
    return { state: "unknown", grant: null };
  }
}

/** The keys of all parties. */
export class Keyring {
  constructor(treaty, known = 0n) {
    this.treaty = treaty;
    this.of = treaty.parties.map((_, at) => new History(at, treaty, known));
  }

  /** Rotations that a file carries; `log` if they are all of one party, as in a fork proof. */
  async carry(notes, trace, log = null) {
    for (const [at, text] of notes.entries()) {
      await within(log === null ? `keys[${at}]` : "", async () => {
        need(typeof text === "string", "it should be a signed note");
        const bytes = new TextEncoder().encode(text);
        const party = log ?? find(this.treaty, partyOfCredential(parseNote(bytes).text));
        need(party >= 0, "it is not a credential of a party");
        await this.of[party].carry(text, bytes, trace);
      });
    }
  }

  /** The notes that put in force the keys of these signature lines, by party and by their bytes. */
  needed(lines) {
    return this.of.flatMap(({ carried }) => {
      const used = carried.filter(({ key }) => lines.some((line) => isBy(line, key)));
      return used.sort((a, b) => (hex(a.bytes) < hex(b.bytes) ? -1 : 1)).map(({ note }) => note);
    });
  }

  /** Reads a note as a checkpoint of one of the logs. Verifies nothing. */
  stated(note) {
    const head = parseCheckpoint(note.text);
    return { ...head, log: logOf(this.treaty, head.origin) };
  }
}
