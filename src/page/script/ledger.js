// The export of a ledger, or of a part of it (docs/format.md, sections 16 and 17): every byte of each log, its heads, and who
// received what.
import { Adoption, amendedByFiles, isAmendmentFile, isQuorum } from "./amendment.js";
import { batches, breathe, sideBySide } from "./batch.js";
import { Refused, base64, hex, need, same, textOf, within } from "./bytes.js";
import { verifyHead, verifyReceipt } from "./checkpoint.js";
import { verifyForkBytes } from "./fork.js";
import { frames, items } from "./frames.js";
import { History, Keyring } from "./keys.js";
import { isBy, parseNote } from "./note.js";
import { parsePart, partSentences } from "./part.js";
import { parseRecord } from "./record.js";
import { isRestart, lies, verifyRestart } from "./restart.js";
import { CompactRange } from "./tree.js";
import { astray, judge } from "./validity.js";

/** Most branches of a log that do not go on. */
const MAX_BRANCHES = 16;

/** One log's own files, read to their ends. */
class Log {
  constructor(at, treaty, files) {
    this.at = at;
    this.party = treaty.parties[at];
    this.file = (name) => files.get(`logs/${this.party.code}/${name}.txt`);
    this.name = (name) => `logs/${this.party.code}/${name}.txt`;
    this.heads = new Map();
    this.roots = new Map();
    this.notes = [];
    this.receipts = [];
    /** By log: the largest head of it that this one has receipted so far. */
    this.given = new Map();
    this.counts = { records: 0, notifications: 0, receipts: 0, credentials: 0, evidence: 0, amendments: 0, void: 0, redacted: 0, omitted: 0 };
    this.history = new History(at, treaty, 0n);
    this.adoption = new Adoption();
    /** What the root has said of keys, in order; and the leaf hashes of the records that change the log's own. */
    this.credentials = [];
    /** By id of a note: the first record with it. */
    this.ids = new Map();
    this.restarts = [];
    /** By index: the leaf hash of each record that is there or withheld. */
    this.leaves = new Map();
    this.changes = [];
    /** Stretches of records that are there or withheld, each from its first index up to, not including, its end. */
    this.stretches = [];
    this.last = null;
    this.complete = false;
  }

  /** The heads, by size, each signed by the log alone. */
  async readHeads(keys, trace, pause) {
    let [last, read] = [-1n, 0];
    for (const batch of batches(frames(this.file("checkpoints"), "checkpoint"))) {
      const take = sideBySide(batch, async ([, bytes]) => {
        const note = parseNote(bytes);
        return { note, head: await verifyHead(note, keys, trace) };
      });
      for (const [at, [size, bytes]] of batch.entries()) {
        const { note, head } = await take(at);
        const own = keys.of[this.at];
        const signers = [own.leaving(head.size), own.inForce("log", head.size)].filter((key) => key !== null);
        const alone = note.signatures.length === signers.length && signers.every((key, at) => isBy(note.signatures[at], key));
        need(head.log === this.at && alone && head.size === size, `head ${size}: expected this head with the log's own signature and nothing else`);
        need(size > last, `head ${size}: heads should stand by size, each once`);
        last = size;
        this.heads.set(size, head.root);
        read += bytes.length;
      }
      await pause(read);
    }
    this.signed = last < 0n ? 0n : last;
  }

  /** The sizes at which somebody receipted the log, as its list says; whether the list is right is seen later. */
  listedSizes() {
    const text = textOf(this.file("receipts"), this.name("receipts"));
    return new Set(Array.from(text.matchAll(/^size ([0-9]{1,19}) /gm), ([, size]) => BigInt(size)));
  }

  /**
   * Reads all records. What each says of keys and of the treaty is taken in by its place; signatures on notes and receipts
   * are verified side by side between such records, and so are hashes that do not wait for each other.
   */
  async walk(context) {
    const { treaty, trace, pause, part } = context;
    const [range, wanted, { code, name }] = [new CompactRange(), this.listedSizes(), this.party];
    let last = treaty.hash;
    let checked = 0;
    /** What is under way, in order: roots at the sizes of heads and receipts; notes and receipts. */
    const [roots, notes] = [[], []];
    const settle = async () => {
      for (const done of roots.splice(0)) await done();
      for (const done of notes.splice(0)) await done();
    };
    const atSize = () => {
      const [size, head] = [range.size, this.heads.get(range.size)];
      if (head === undefined && !wanted.has(size)) return;
      const computed = range.root();
      roots.push(async () => {
        const root = await computed;
        this.roots.set(size, root);
        if (head === undefined) return;
        const leads = same(head, root);
        trace.rule(`The records of ${name} lead to its head of ${size}`, leads);
        need(leads, `head ${size} of ${code}: the records are not what this head was signed over`);
        checked += 1;
      });
    };
    const place = async (item, take) => {
      need(item.index === range.size, `record ${range.size} of ${code} is not the one that should stand there`);
      this.counts.records += Number(item.count ?? 1n);
      if (item.bytes !== undefined || item.withheld) this.stretch(item.index);
      if (item.subtrees !== undefined) {
        need(!item.withheld || part.redact.length > 0, `record ${item.index} of ${code} is withheld, and part.json does not say why`);
        this.counts[item.withheld ? "redacted" : "omitted"] += Number(item.count);
        for (const [leaves, root] of item.subtrees) {
          range.pushSubtree(leaves, root);
          atSize();
        }
        last = item.withheld ? item.subtrees[0][1] : null;
        if (last !== null) this.leaves.set(item.index, last);
        return;
      }
      const record = await take();
      const fits = record.index === item.index && record.log === this.party.origin;
      need(fits, `record ${item.index} of ${code} is not the one that should stand there`);
      need(last === null || same(record.prev, last), `record ${item.index} of ${code} does not chain to the one before it`);
      last = record.leaf;
      this.leaves.set(record.index, last);
      const before = isRestart(record.payload) ? await range.root() : null;
      range.push(record.leaf);
      atSize();
      this.last = record.time;
      if (record.type === "notification" || record.type === "receipt") notes.push(this.begin(record, context));
      else {
        // What it changes holds for what comes after it.
        await settle();
        await this.take(record, before, context);
      }
    };
    wanted.add(0n);
    atSize();
    const parse = (item) => within(`record ${item.index} of ${code}`, async () => (item.bytes === undefined ? null : parseRecord(item.bytes)));
    for (const batch of batches(items(this.file("records"), part !== null))) {
      const take = sideBySide(batch, parse);
      try {
        for (const [at, item] of batch.entries()) await place(item, () => take(at));
      } finally {
        // A head that does not fit is said before what comes after it.
        await settle();
      }
      await pause(batch.at(-1).at);
    }
    await settle();
    this.size = range.size;
    need(checked === this.heads.size, `heads of ${code} within what is left out, or past its records`);
    need(this.signed === range.size, `the last records of ${this.party.code} are not covered by any head in the folder`);
    this.complete = true;
  }

  stretch(index) {
    const open = this.stretches.at(-1);
    if (open !== undefined && open[1] === index) open[1] += 1n;
    else this.stretches.push([index, index + 1n]);
  }

  /** In which earlier record a note's id stands; `null` if the record at `index` is the first. */
  logged(id, index) {
    if (!this.ids.has(id)) this.ids.set(id, index);
    const first = this.ids.get(id);
    return first < index ? first : null;
  }

  /** A restart certificate in its place: right after the head that goes on, whose root is that of the records before it. */
  async restart(record, before, { treaty, trace }) {
    if (!isRestart(record.payload)) return false;
    const restart = await verifyRestart(record.payload, this.at, treaty, trace);
    const { kept, common, keptLeaf } = restart;
    need(kept.size === record.index && same(kept.root, before), "the certificate does not stand after the head that goes on");
    // A record that a part leaves out speaks against nothing.
    const leaf = this.leaves.get(common);
    need(leaf === undefined || same(leaf, keptLeaf), "the certificate names another record where the branches part");
    this.restarts.push(restart);
    return true;
  }

  /** Begins to check a note or a receipt; what is given finishes it, and is to be called in the records' order. */
  begin(record, { treaty, keys, profile, trace }) {
    const [apart, isNote] = [trace.apart(), record.type === "notification"];
    this.adoption.pass(record.index, record.time, treaty);
    const checked = isNote
      ? judge(record, this.at, this.history, this.adoption.last(), treaty, profile, apart, (id) => this.logged(id, record.index))
      : verifyReceipt(record.payload, this.at, record.index, keys, apart);
    const settled = checked.then((value) => ({ value }), (error) => ({ error }));
    this.counts[isNote ? "notifications" : "receipts"] += 1;
    return async () => {
      const { value, error } = await settled;
      if (error !== undefined) this.countsForNothing(error);
      else if (isNote) this.notes.push({ log: this.at, record, ...value });
      else {
        this.receipts.push({ ...value, index: record.index });
        const most = this.given.get(value.log) ?? 0n;
        this.given.set(value.log, value.size > most ? value.size : most);
      }
    };
  }

  /** It stands in the log, and counts for nothing. */
  countsForNothing(error) {
    if (!(error instanceof Refused)) throw error;
    this.counts.void += 1;
  }

  /** Takes in a record by which something changes, or that speaks of another log. */
  async take(record, before, context) {
    const { treaty, keys, forked } = context;
    const trace = context.trace.apart();
    if (record.type !== "amendment") this.adoption.pass(record.index, record.time, treaty);
    this.history.pass(record.index, record.time);
    try {
      if (record.type === "credential") {
        this.counts.credentials += 1;
        if (await this.restart(record, before, { ...context, trace })) return;
        const credential = await this.history.take(record, trace);
        this.credentials.push(credential);
        if (credential.action === "rotate" && credential.counts) this.changes.push(record.leaf);
      } else if (record.type === "amendment") {
        const taken = await this.adoption.take(record.index, record.time, record.payload, treaty, trace);
        if ((taken.grown ?? treaty).taken.length > treaty.taken.length) this.lacks = `record ${record.index} of ${this.party.code} is an amendment that is not in the folder \`amendments\``;
        need(taken.treaty !== null, taken.why);
        this.counts.amendments += 1;
      } else {
        this.counts.evidence += 1;
        const fork = await verifyForkBytes(record.payload, treaty, false, trace);
        const { code } = treaty.parties[fork.log];
        const why = `the proof is record ${record.index} of the log of ${this.party.name}`;
        const late = keys.of[fork.log].isLate(fork.signers, this.given.get(fork.log) ?? 0n);
        if (!late) forked.push({ party: code, why, heads: fork.heads });
      }
    } catch (error) {
      this.countsForNothing(error);
    }
  }
}

/** Every file that should be there is, and no other. */
function checkLayout(files, treaty, faults) {
  const due = new Set(["README.txt", "treaty.toml", "profile.toml", "policy.txt"]);
  const allowed = new Set();
  for (const { code } of treaty.parties) {
    for (const name of ["records", "checkpoints", "receipts"]) due.add(`logs/${code}/${name}.txt`);
    allowed.add(`forks/${code}.txt`);
    allowed.add(`logs/${code}/keys.txt`);
    for (let number = 1; number <= MAX_BRANCHES; number += 1) allowed.add(`branches/${code}-${number}.txt`);
  }
  allowed.add("part.json");
  for (const name of due) if (!files.has(name)) faults.push({ file: name, what: "the file is missing" });
  for (const name of files.keys()) {
    const amendment = isAmendmentFile(name) && Number(name.slice(11, 14)) <= treaty.taken.length && Number(name.slice(11, 14)) > 0;
    if (!due.has(name) && !allowed.has(name) && !amendment) faults.push({ file: name, what: "the file does not belong there" });
  }
}

/** What this file says of itself, gathered as a fault if it is refused. */
async function gather(file, faults, check) {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    faults.push({ file, what: error.part === "" ? error.message : `${error.part}: ${error.message}` });
  }
}

/** Verifies the files of an export. `progress` is told how many bytes were checked, and of how many. */
export async function verifyLedger(files, given, profile, trace, progress) {
  const [faults, forked, missing] = [[], [], []];
  const governed = { ...given, rule: profile.amendment };
  const treaty = await amendedByFiles(governed, files, trace, (file, what) => faults.push({ file, what }));
  if (treaty === null) return report(governed, null, [], faults, forked, missing);
  checkLayout(files, treaty, faults);
  if (faults.length > 0) return report(treaty, null, [], faults, forked, missing);
  let part = null;
  if (files.has("part.json")) await gather("part.json", faults, () => (part = parsePart(files.get("part.json"), treaty, profile)));
  const { keys, listed } = await readKeyLists(files, treaty, faults, trace);
  await gather("policy.txt", faults, () =>
    need(textOf(files.get("policy.txt"), "policy.txt") === treaty.policyText, "it is not the policy that follows from the treaty file"),
  );
  for (const { code } of treaty.parties.filter(({ code }) => files.has(`forks/${code}.txt`))) {
    await gather(`forks/${code}.txt`, faults, async () => {
      const fork = await verifyForkBytes(files.get(`forks/${code}.txt`), treaty, true, trace);
      need(treaty.parties[fork.log].code === code, "it is about another log");
      const why = `it signed contradictory heads of ${fork.smaller} and of ${fork.larger} records`;
      // Nobody's log shows where it was: it says nothing if a key in it was replaced since.
      if (!keys.of[fork.log].isLate(fork.signers, null)) forked.push({ party: code, why, heads: fork.heads });
    });
  }
  const logs = treaty.parties.map((_, at) => new Log(at, treaty, files));
  const [HEADS, RECORDS] = ["checkpoints", "records"];
  const total = logs.reduce((sum, log) => sum + log.file(HEADS).length + log.file(RECORDS).length, 0);
  let done = 0;
  for (const log of logs) {
    const pause = async (at) => {
      progress(done + at, total);
      await breathe();
    };
    await gather(log.name(HEADS), faults, () => log.readHeads(keys, trace, pause));
    done += log.file(HEADS).length;
    if (log.signed !== undefined) await gather(log.name(RECORDS), faults, () => log.walk({ treaty, keys, part, profile, trace, forked, pause }));
    const sameChanges = log.changes.length === listed[log.at].length && log.changes.every((leaf, at) => same(leaf, listed[log.at][at]));
    if (log.complete && !sameChanges) faults.push({ file: log.name("keys"), what: "it does not list exactly the records by which this log's keys were changed" });
    if (log.lacks !== undefined) faults.push({ file: log.name("records"), what: log.lacks });
    done += log.file(RECORDS).length;
    await pause(0);
  }
  markAstray(logs);
  for (const log of logs) await readBranches(log, files, treaty, faults);
  // Where a log was not read to its end, there is nothing to compare.
  if (faults.length === 0) await compareReceipts(logs, { treaty, keys }, faults, forked, missing);
  if (faults.length === 0 && part !== null) checkRanges(part, logs, faults);
  for (const log of logs.filter((one) => one.complete && one.restarts.length > 0)) {
    await moreRoots(log, part !== null, forked.filter(({ party }) => party === log.party.code).flatMap(({ heads }) => heads));
  }
  return report(treaty, part, logs, faults, forked, missing);
}

/** Marks notes that refer to other records than stand there; nothing is said of places at which a root accepted two. */
function markAstray(logs) {
  const leafAt = (code, index) => {
    const log = logs.find((one) => one.party.code === code);
    return log === undefined || log.restarts.some(({ common }) => common <= index) ? undefined : log.leaves.get(index);
  };
  for (const note of logs.flatMap((log) => log.notes)) {
    if (note.value !== null) note.marks.push(...astray(note.value, leafAt));
  }
}

/** The records by which the parties changed their keys, which say by what key a receipt in any log has to be signed. */
async function readKeyLists(files, treaty, faults, trace) {
  const keys = new Keyring(treaty, 2n ** 64n);
  const listed = treaty.parties.map(() => []);
  for (const [at, { code, origin }] of treaty.parties.entries()) {
    const name = `logs/${code}/keys.txt`;
    if (!files.has(name)) continue;
    await gather(name, faults, async () => {
      let next = 0n;
      for (const [number, bytes] of frames(files.get(name), "record")) {
        const record = await parseRecord(bytes);
        const fits = record.index === number && number >= next && record.log === origin && record.type === "credential";
        const credential = fits ? await keys.of[at].take(record, trace) : null;
        need(credential?.action === "rotate" && credential.counts, `record ${number} does not change a key of this log`);
        next = number + 1n;
        listed[at].push(record.leaf);
      }
    });
  }
  return { keys, listed };
}

/** What was asked for as records without a gap is there without a gap. */
function checkRanges(part, logs, faults) {
  for (const [at, [code, first, last]] of part.stretches.entries()) {
    const log = logs.find((one) => one.party.code === code);
    const whole = log.stretches.some(([from, to]) => from <= first && last < to);
    if (!whole) faults.push({ file: "part.json", what: `some of the records ${part.ranges[at]} are not there` });
  }
}

/** The lists of receipts have exactly the receipts that stand in the logs; those count towards the quorum. */
async function compareReceipts(logs, { treaty, keys }, faults, forked, missing) {
  for (const log of logs) {
    const own = logs.flatMap((other) => other.receipts.filter((receipt) => receipt.log === log.at));
    own.sort((a, b) => (a.size !== b.size ? (a.size < b.size ? -1 : 1) : a.by !== b.by ? a.by - b.by : a.index < b.index ? -1 : 1));
    const line = (r) => `size ${r.size} root ${base64(r.root)} by ${treaty.parties[r.by].code} record ${r.index} time ${r.time}\n`;
    const listed = textOf(log.file("receipts"), log.name("receipts"));
    if (own.map(line).join("") !== listed) {
      faults.push({ file: log.name("receipts"), what: "it does not list exactly the receipts that stand in the other logs' records" });
      continue;
    }
    log.received = new Map();
    let most = 0n;
    for (const receipt of own) {
      const root = log.roots.get(receipt.size);
      if (receipt.size > log.size) {
        const accepted = log.restarts.length > 0 && lies(receipt, undefined, undefined, log.restarts) === true;
        if (!accepted && receipt.size > most) most = receipt.size;
      } else if (root === undefined) {
        faults.push({ file: log.name("receipts"), what: `a receipt for ${receipt.size} records, which is within what is left out` });
      } else if (!same(root, receipt.root)) {
        const why = `${treaty.parties[receipt.by].name} holds another head of ${receipt.size} records, in record ${receipt.index} of its log`;
        const before = own.filter(({ by, index }) => by === receipt.by && index <= receipt.index).map(({ size }) => size);
        const history = keys.of[log.at];
        const late = history.isLate([history.inForce("log", receipt.size)], before.reduce((a, b) => (a > b ? a : b), 0n));
        if (!late) forked.push({ party: log.party.code, why, heads: [receipt] });
      } else log.received.set(treaty.parties[receipt.by].code, receipt);
    }
    if (most > log.size) missing.push({ party: log.party.code, have: Number(log.size), signed: Number(most) });
    log.own = own;
    log.final = 0n;
    for (const { size } of log.received.values()) {
      const have = new Set([...log.received].filter(([, receipt]) => receipt.size >= size).map(([code]) => code));
      if (size > log.final && isQuorum(treaty, log.adoption.ofSize(size), have)) log.final = size;
    }
  }
}

/** The branches of a log that do not go on, each with the roots that lead to its head, if its records are there. */
async function readBranches(log, files, treaty, faults) {
  for (const restart of log.restarts) restart.roots = null;
  for (let number = 1; number <= MAX_BRANCHES; number += 1) {
    const name = `branches/${log.party.code}-${number}.txt`;
    if (!files.has(name)) continue;
    await gather(name, faults, async () => {
      const restart = log.restarts[number - 1];
      need(restart !== undefined, "no certificate in the log names this branch");
      restart.roots = await branchRoots(files.get(name), restart, log.party.origin, treaty);
    });
  }
}

/** The roots of a log at the sizes of heads that seem to contradict it: its records are read a second time. */
async function moreRoots(log, part, heads) {
  const wanted = new Set(heads.map(({ size }) => size).filter((size) => !log.roots.has(size)));
  if (wanted.size === 0) return;
  const range = new CompactRange();
  const atSize = async () => {
    if (wanted.has(range.size)) log.roots.set(range.size, await range.root());
  };
  for (const item of items(log.file("records"), part)) {
    if (item.subtrees === undefined) {
      range.push((await parseRecord(item.bytes)).leaf);
      await atSize();
    } else {
      for (const [leaves, root] of item.subtrees) {
        range.pushSubtree(leaves, root);
        await atSize();
      }
    }
  }
}

async function branchRoots(bytes, { common, other, otherLeaf }, origin, treaty) {
  const [range, roots] = [new CompactRange(), new Map()];
  let last = common === 0n ? treaty.hash : null;
  for (const item of items(bytes, true)) {
    if (item.subtrees !== undefined) {
      need(!item.withheld && item.index === 0n && range.size === 0n && item.count === common, "it does not begin with the common records");
      for (const [leaves, root] of item.subtrees) range.pushSubtree(leaves, root);
      continue;
    }
    const record = await within(`record ${item.index}`, () => parseRecord(item.bytes));
    const place = record.index === item.index && record.index === range.size && record.index >= common && record.log === origin;
    const follows = (last === null || same(last, record.prev)) && (record.index > common || (otherLeaf !== null && same(record.leaf, otherLeaf)));
    need(place && follows, `record ${item.index} is not the one that should stand there`);
    last = record.leaf;
    range.push(record.leaf);
    roots.set(range.size, await range.root());
  }
  need(range.size === other.size && same(await range.root(), other.root), "it does not lead to the head that the certificate names");
  return roots;
}

/** What seems to show that a log forked, and what of it only missing records would explain; the first thing of each log. */
function unexplained(forked, logs) {
  const [forks, unchecked] = [[], []];
  for (const { party, why, heads } of forked) {
    const log = logs.find((one) => one.party.code === party);
    const restarts = log?.restarts ?? [];
    for (const restart of restarts) restart.roots ??= null;
    const place = (head, at) => lies(head, log.roots.get(head.size), heads[1 - at], restarts);
    const where = restarts.length === 0 ? [false] : heads.map(place);
    const list = where.includes(false) ? forks : where.includes(null) ? unchecked : null;
    if (list?.every((fork) => fork.party !== party)) list.push({ party, why });
  }
  return { forks, unchecked };
}

function report(treaty, part, logs, faults, forked, missing) {
  const { forks, unchecked } = unexplained(forked, logs);
  const sound = faults.length === 0 && forks.length === 0 && unchecked.length === 0 && missing.length === 0;
  return { unchecked, title: treaty.title, treaty, hash: hex(treaty.hash), part, asked: part === null ? [] : partSentences(part), logs, faults, forks, missing, sound };
}

/** What an audit by `verbale verify --json` says as well. */
export function ledgerData(report) {
  const logs = report.logs.map((log) => ({
    party: log.party.code,
    complete: log.complete,
    ...log.counts,
    checkpoints: log.heads.size,
    final_size: Number(log.final ?? 0n),
    last: log.last,
  }));
  const marked = report.logs.flatMap((log) => log.notes.filter((note) => note.marks.length > 0).map((note) => `${log.party.code}/${note.record.index}`));
  const { sound, faults, forks, missing } = report;
  return { sound, ledger: { logs, marked, faults, forks, missing } };
}
