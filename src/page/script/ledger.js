// The export of a whole ledger (docs/format.md, section 16): every byte of each log, its heads, and who received what.
import { Beyond, Refused, base64, decimal, hex, need, same, textOf, within } from "./bytes.js";
import { verifyForkBytes, verifyHead, verifyReceipt } from "./checkpoint.js";
import { parseNote } from "./note.js";
import { isSatisfied } from "./policy.js";
import { parseCredential, parseRecord } from "./record.js";
import { CompactRange } from "./tree.js";
import { judge } from "./validity.js";

const MAX_FRAME_BYTES = 65535;
/** So many records are checked before the page is drawn again. */
const PAUSE = 200;

/** The framed items of a file: a line `record 12 bytes 345`, the bytes, a newline. */
function* frames(bytes, word) {
  const decoder = new TextDecoder("latin1");
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const top = end < 0 || end - at > 250 ? "" : decoder.decode(bytes.subarray(at, end));
    const [, first, number, length] = /^([a-z]+) ([0-9]+) bytes ([0-9]+)$/.exec(top) ?? [];
    need(first === word, `expected a line \`${word} NUMBER bytes LENGTH\` at byte ${at}`);
    const size = Number(decimal(length, "a length"));
    need(size <= MAX_FRAME_BYTES, `${size} bytes are more than the ${MAX_FRAME_BYTES} that are allowed`);
    const start = end + 1;
    need(bytes[start + size] === 10, `the bytes of ${word} ${number} should be followed by a newline`);
    yield [decimal(number, "a number"), bytes.subarray(start, start + size)];
    at = start + size + 1;
  }
}

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
    this.counts = { records: 0, notifications: 0, receipts: 0, credentials: 0, evidence: 0, void: 0 };
    this.last = null;
    this.complete = false;
  }

  /** The heads, by size, each signed by the log alone. */
  async readHeads(treaty, trace) {
    let last = -1n;
    for (const [size, bytes] of frames(this.file("checkpoints"), "checkpoint")) {
      const note = parseNote(bytes);
      const head = await verifyHead(note, treaty, trace);
      const own = head.log === this.at && note.signatures.length === 1 && head.size === size;
      need(own, `head ${size}: expected this head with the log's own signature and nothing else`);
      need(size > last, `head ${size}: heads should stand by size, each once`);
      last = size;
      this.heads.set(size, head.root);
    }
    this.signed = last < 0n ? 0n : last;
  }

  /** The sizes at which somebody receipted the log, as its list says; whether the list is right is seen later. */
  listedSizes() {
    const text = textOf(this.file("receipts"), this.name("receipts"));
    return new Set(Array.from(text.matchAll(/^size ([0-9]{1,19}) /gm), ([, size]) => BigInt(size)));
  }

  async walk(context) {
    const { treaty, trace, pause } = context;
    const [range, grants, wanted] = [new CompactRange(), [], this.listedSizes()];
    let last = treaty.hash;
    this.roots.set(0n, await range.root());
    for (const [number, bytes] of frames(this.file("records"), "record")) {
      const record = await within(`record ${number} of ${this.party.code}`, () => parseRecord(bytes));
      const place = number === range.size && record.index === number && record.log === this.party.origin;
      need(place, `record ${range.size} of ${this.party.code} is not the one that should stand there`);
      need(same(record.prev, last), `record ${number} of ${this.party.code} does not chain to the one before it`);
      last = record.leaf;
      await range.push(record.leaf);
      if (this.heads.has(range.size) || wanted.has(range.size)) this.roots.set(range.size, await range.root());
      const head = this.heads.get(range.size);
      const leads = head === undefined || same(head, this.roots.get(range.size));
      if (head !== undefined) trace.rule(`The records of ${this.party.name} lead to its head of ${range.size}`, leads);
      need(leads, `head ${range.size} of ${this.party.code}: the records are not what this head was signed over`);
      this.counts.records += 1;
      this.last = record.time;
      await this.take(record, grants, context);
      if (this.counts.records % PAUSE === 0) await pause(bytes.byteOffset + bytes.length);
    }
    this.size = range.size;
    need(this.signed === range.size, `the last records of ${this.party.code} are not covered by any head in the folder`);
    this.complete = true;
  }

  async take(record, grants, { treaty, profile, trace, forked }) {
    const kept = trace.checks.length;
    try {
      if (record.type === "notification") {
        this.counts.notifications += 1;
        const judged = await judge(record, this.at, grants, treaty, profile, trace);
        this.notes.push({ log: this.at, record, ...judged });
      } else if (record.type === "credential") {
        this.counts.credentials += 1;
        grants.push(await parseCredential(record, this.party, treaty, trace));
      } else if (record.type === "receipt") {
        this.counts.receipts += 1;
        this.receipts.push({ ...(await verifyReceipt(record.payload, this.at, treaty, trace)), index: record.index });
      } else if (record.type === "amendment") {
        need(false, "an amendment whose file is not here");
      } else {
        this.counts.evidence += 1;
        const fork = await verifyForkBytes(record.payload, treaty, false, trace);
        const { code } = treaty.parties[fork.log];
        if (!forked.has(code)) forked.set(code, `the proof is record ${record.index} of the log of ${this.party.name}`);
      }
    } catch (error) {
      if (!(error instanceof Refused) || error instanceof Beyond) throw error;
      // It stands in the log, and counts for nothing.
      this.counts.void += 1;
    }
    trace.checks.length = kept;
  }
}

/** Every file that should be there is, and no other. */
function checkLayout(files, treaty, faults) {
  const due = new Set(["README.txt", "treaty.toml", "profile.toml", "policy.txt"]);
  const allowed = new Set();
  for (const { code } of treaty.parties) {
    for (const name of ["records", "checkpoints", "receipts"]) due.add(`logs/${code}/${name}.txt`);
    allowed.add(`forks/${code}.txt`);
  }
  for (const name of due) if (!files.has(name)) faults.push({ file: name, what: "the file is missing" });
  for (const name of files.keys()) {
    // Amendments say by which keys and by which quorum the rest is to be judged: they are not passed over.
    const amended = /^amendments\/[0-9]{3}\.note$/.test(name);
    if (amended) faults.push({ file: name, what: "the ledger has amendments of the treaty file, which this page does not follow: verify it with verbale verify" });
    else if (!due.has(name) && !allowed.has(name)) faults.push({ file: name, what: "the file does not belong there" });
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
export async function verifyLedger(files, treaty, profile, trace, progress) {
  const [faults, forked, missing] = [[], new Map(), []];
  checkLayout(files, treaty, faults);
  if (faults.length > 0) return report(treaty, [], faults, forked, missing);
  await gather("policy.txt", faults, () =>
    need(textOf(files.get("policy.txt"), "policy.txt") === treaty.policyText, "it is not the policy that follows from the treaty file"),
  );
  for (const { code } of treaty.parties.filter(({ code }) => files.has(`forks/${code}.txt`))) {
    await gather(`forks/${code}.txt`, faults, async () => {
      const fork = await verifyForkBytes(files.get(`forks/${code}.txt`), treaty, true, trace);
      need(treaty.parties[fork.log].code === code, "it is about another log");
      forked.set(code, `it signed contradictory heads of ${fork.smaller} and of ${fork.larger} records`);
    });
  }
  const logs = treaty.parties.map((_, at) => new Log(at, treaty, files));
  const total = logs.reduce((sum, log) => sum + log.file("records").length, 0);
  let done = 0;
  for (const log of logs) {
    const pause = async (at) => {
      progress(done + Math.min(at, log.file("records").length), total);
      await new Promise((resolve) => setTimeout(resolve));
    };
    await gather(log.name("checkpoints"), faults, () => log.readHeads(treaty, trace));
    if (log.signed !== undefined) await gather(log.name("records"), faults, () => log.walk({ treaty, profile, trace, forked, pause }));
    done += log.file("records").length;
    await pause(0);
  }
  // Where a log was not read to its end, there is nothing to compare.
  if (faults.length === 0) await compareReceipts(logs, treaty, faults, forked, missing);
  return report(treaty, logs, faults, forked, missing);
}

/** The lists of receipts have exactly the receipts that stand in the logs; those count towards the quorum. */
async function compareReceipts(logs, treaty, faults, forked, missing) {
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
      if (receipt.size > log.size) most = receipt.size > most ? receipt.size : most;
      else if (root === undefined || !same(root, receipt.root)) {
        const why = `${treaty.parties[receipt.by].name} holds another head of ${receipt.size} records, in record ${receipt.index} of its log`;
        if (!forked.has(log.party.code)) forked.set(log.party.code, why);
      } else log.received.set(treaty.parties[receipt.by].code, receipt);
    }
    if (most > log.size) missing.push({ party: log.party.code, have: Number(log.size), signed: Number(most) });
    log.own = own;
    log.final = 0n;
    for (const { size } of log.received.values()) {
      const have = new Set([...log.received].filter(([, receipt]) => receipt.size >= size).map(([code]) => code));
      if (isSatisfied(treaty.policy, have) && size > log.final) log.final = size;
    }
    if (treaty.policy.quorum === "none") log.final = log.size;
  }
}

function report(treaty, logs, faults, forked, missing) {
  const forks = [...forked].map(([party, why]) => ({ party, why }));
  const sound = faults.length === 0 && forks.length === 0 && missing.length === 0;
  return { title: treaty.title, treaty: hex(treaty.hash), logs, faults, forks, missing, sound };
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
