// The rule behind a proof of silence: what the profile says was due, and by when, counted from what the file holds. The
// same steps and sentences as `verbale verify` gives (section 6a).
//
// What is not counted here says so: what an answer did, the n-th note of a kind, and whom the treaty bound where amendments or
// notes in the file change that.
import { write } from "./canon.js";
import { RANGE, counted, endOf, eventOf, lengthOf, momentOf, parseCount, posix, ofPosix } from "./clock.js";
import { isZoned } from "./form.js";
import { members, parties } from "./order.js";
import { ROLES, find } from "./treaty.js";
import { utc } from "./verdict.js";

const MAX_EARLIER = 4096;
const OTHERS = "That nothing in other logs, or later, moved the deadline or ended what was due: it is counted from what this file holds.";

/** Why a rule is not counted here. */
class Elsewhere extends Error {}

/** What has not happened, in a sentence; or, if `never`, why there will be no time. */
class Waits extends Error {
  constructor(text, never = false) {
    super(text);
    this.never = never;
  }
}

/** `{ as_of, items, sentences, not_proven }` for a proof of silence; `null` for other evidence. */
export function silenceRules(verdict, profile) {
  const { silence, treaty } = verdict;
  if (silence === null) return null;
  if (profile === null) {
    return { as_of: null, items: [], sentences: ["Without the treaty's profile it is not known which rule applies."], not_proven: [] };
  }
  return new Count(verdict, silence, treaty, profile).rules();
}

class Count {
  constructor(verdict, silence, treaty, profile) {
    Object.assign(this, { verdict, silence, treaty, profile });
    const { log, record, value } = verdict.parts;
    this.party = find(treaty, silence.party);
    this.note = this.fact(log, record.index, record.time, value);
    // What a party logs once more says nothing new.
    const ids = new Set();
    const first = ({ value: { id } }) => !ids.has(id) && ids.add(id);
    this.facts = verdict.parts.notes.filter(first).map((note) => this.fact(this.party, note.index, note.time, note.value));
    if (value !== null) this.facts.unshift(this.note);
    this.receipts = new Map(verdict.receipts.map((receipt) => [find(treaty, receipt.party), receipt.time]));
    this.receipts.delete(this.party);
    if (silence.received !== null) this.receipts.set(this.party, silence.received);
    this.asOf = silence.as_of;
    this.known = latest([...this.receipts.values(), this.asOf, ...this.facts.map((fact) => fact.sent)]) ?? verdict.logged;
  }

  fact(log, index, sent, value) {
    const re = (value?.re ?? []).map((re) => this.place(find(this.treaty, re.log), re.index));
    return { log, index: BigInt(index), place: this.place(log, index), kind: value?.kind, sent, value, re };
  }

  place(log, index) {
    return `${this.treaty.parties[log]?.code ?? "?"}/${index}`;
  }

  name(at) {
    return this.treaty.parties[at].name;
  }

  titleOf(kind) {
    return this.profile.kinds.get(kind)?.title ?? kind;
  }

  rules() {
    const party = this.name(this.party);
    const [items, sentences] = [[], []];
    const named = (due) => this.silence.due === null || this.silence.due === due.id;
    let elsewhere = false;
    for (const due of this.profile.kinds.get(this.note.kind)?.due ?? []) {
      if (due.itself || !named(due)) continue;
      try {
        this.needSilence();
        for (const { parties, group } of this.owing(due).filter(({ parties }) => parties.includes(this.party))) {
          const item = this.item(due, parties, group);
          items.push(item);
          this.tell(item, due, sentences);
        }
      } catch (error) {
        if (!(error instanceof Elsewhere)) throw error;
        elsewhere = true;
        const article = due.article === "" ? "" : `, ${due.article}`;
        sentences.push(`The rule \`${due.id}\`${article} (“${due.title}”) is not recomputed here: ${error.message}. \`verbale verify\` computes it from the same file.`);
      }
    }
    if (items.length === 0 && !elsewhere) {
      const rule = this.silence.due === null ? "rule" : `rule \`${this.silence.due}\``;
      sentences.push(`The profile has no ${rule} by which ${party} owed an answer to this note.`);
    }
    return { as_of: this.asOf, items, sentences, not_proven: items.length > 0 ? [OTHERS] : [] };
  }

  /** Who owes what a rule asks for: parties, of whom one is enough, and the title of the group that they are. */
  owing(due) {
    const [lists, told] = [[], new Set()];
    for (const address of due.by) {
      for (const debtor of this.debtors(address)) {
        const key = debtor.parties.join(" ");
        if (!told.has(key)) lists.push(debtor);
        told.add(key);
      }
    }
    return lists;
  }

  debtors(address) {
    const word = address.replace(/^any /, "");
    const { value, log } = this.note;
    const [first, name] = word.split(":");
    const group = (name) => ({ parties: members(name, this.treaty, this.profile).sort((a, b) => a - b), group: this.profile.groups.get(name)?.title });
    const { behalf } = this.profile.kinds.get(this.note.kind);
    const on = behalf === null ? undefined : value.body.get(behalf);
    const own = { parties: [log] };
    let found;
    if (first === "group" && name !== undefined) found = [group(name)];
    else if (first === "field" && name !== undefined) found = [value.body.get(name)].flat().filter((one) => typeof one === "string").map(group);
    else if (word === "sender") found = [typeof on === "string" && group(on).parties.includes(log) ? group(on) : own];
    else found = this.meant(word, value, log).map((at) => ({ parties: [at] }));
    const several = found.length > 1;
    const depositary = word === "depositary";
    const counts = (at) => {
      const { roles } = this.treaty.parties[at];
      if (roles.length === 1 && roles[0] === "observer") return false;
      const other = ROLES.includes(word) || word === "addressee";
      return !(other && several && !depositary && at === log);
    };
    found = found.map((debtor) => ({ ...debtor, parties: debtor.parties.filter(counts) })).filter(({ parties }) => parties.length > 0);
    for (const debtor of found) if (debtor.parties.length < 2) debtor.group = undefined;
    if (!address.startsWith("any ") || found.length < 2) return found;
    return [{ parties: [...new Set(found.flatMap(({ parties }) => parties))].sort((a, b) => a - b) }];
  }

  /** Refuses to count what other notes in the file, or amendments, decide. */
  needSilence() {
    const moves = (fact) => (this.profile.kinds.get(fact.kind)?.effect ?? []).some((effect) => effect.standing !== undefined || effect.meanwhile !== undefined);
    if (this.treaty.taken.length > 0 || this.facts.some(moves)) throw new Elsewhere("amendments or notes in this file say whom the treaty bound");
    if (this.answers(this.note).length > 0) throw new Elsewhere("a note in this file refers to this one, and what that did has to be weighed");
  }

  meant(word, value, from) {
    return [...new Set(parties(word, value, from, this.treaty, this.profile))].sort((a, b) => a - b);
  }

  item(due, debtors, group) {
    const codes = debtors.map((at) => this.treaty.parties[at].code);
    const item = { rule: due.id, title: due.title, article: due.article, owed_by: codes, state: "waiting", from: null, until: null, act: null, text: "", steps: [], readings: [] };
    const fails = [...due.when].sort(([a], [b]) => (a < b ? -1 : 1)).find(([name, value]) => !this.has(this.note, name, value));
    if (fails !== undefined) {
      return { ...item, state: "not-applicable", text: `Not due: it applies where \`${fails[0]}\` is ${write(fails[1])}.` };
    }
    if (group !== undefined) item.steps.push(`${group} act as one: one of them is enough.`);
    const start = this.attempt(() => this.start(due.start, debtors));
    item.steps.push(start.text);
    let never = start.never ? start.text : null;
    if (start.event !== undefined) {
      const bounds = this.bounds(start.event, due, {});
      item.steps.push(...bounds.steps);
      Object.assign(item, { from: bounds.from, until: bounds.until });
      never = bounds.beyond;
      if (never !== null) item.steps.push(never);
    }
    item.readings = due.disputed.map((reading) => {
      const other = reading.start === undefined ? start : this.attempt(() => this.start(reading.start, debtors));
      const { from, until } = other.event === undefined ? { from: null, until: null } : this.bounds(other.event, due, reading);
      return { title: reading.title, from, until };
    });
    const run = item.until !== null && item.until < this.known;
    if (never !== null && due.promptly !== true) Object.assign(item, { state: "no-time", done: false, text: `No time can be computed: ${never}` });
    else if (start.event === undefined && never === null) item.state = "waiting";
    else item.state = !run ? "open" : due.deemed === undefined ? "missed" : "deemed";
    if (item.state === "missed") item.by_s = posix(this.known) - posix(item.until);
    return item;
  }

  /** A start: its event and the sentence for it; or the sentence for what it waits for. */
  attempt(find) {
    try {
      return find();
    } catch (error) {
      if (error instanceof Waits) return { text: error.message, never: error.never };
      throw error;
    }
  }

  start(start, debtors) {
    if (typeof start === "string") {
      const before = /^predecessor-(.*)$/.exec(start);
      return before === null ? this.point(this.note, start, debtors) : this.point(this.before(), before[1], debtors);
    }
    if (start.has("nth")) throw new Elsewhere(`it is counted from the n-th note “${this.titleOf(start.get("of"))}”`);
    return this.point(this.before(start.get("of")), start.get("at"), debtors);
  }

  /** The nearest note of a kind along the references of the note; of any kind, if none is named. */
  before(kind) {
    const known = new Map(this.facts.map((fact) => [fact.place, fact]));
    const seen = new Set([this.note.place]);
    let held = true;
    for (let level = [this.note]; level.length > 0 && seen.size < MAX_EARLIER; ) {
      const next = [];
      for (const place of level.flatMap((fact) => fact.re)) {
        if (seen.has(place)) continue;
        seen.add(place);
        const found = known.get(place);
        if (found === undefined) held = false;
        else if (kind === undefined || found.kind === kind) return found;
        else next.push(found);
      }
      level = next;
    }
    const what = kind === undefined ? "an earlier note" : `a note of the kind “${this.titleOf(kind)}”`;
    if (held) throw new Waits(`${this.note.place} does not refer to ${what}.`, true);
    throw new Waits(`${this.note.place} does not refer to ${what} that is held.`);
  }

  /** A point of a note's life: `{ event, text }`. */
  point(fact, point, by) {
    const { place, log, value } = fact;
    const addressees = this.meant("addressee", value, log);
    const named = ({ code, roles }) => roles.length !== 1 || roles[0] !== "observer" || value.to.includes(code);
    const reached = addressees.filter((at) => named(this.treaty.parties[at]));
    if (point === "sent") return { event: { time: fact.sent }, text: `${this.name(log)} sent ${place} at ${utc(fact.sent)}.` };
    if (point === "received" && by.length > 0) return this.several(fact, by, false, (at) => this.receipt(fact, at));
    if (point === "received" || point === "received-by-each") return this.several(fact, reached, true, (at) => this.receipt(fact, at));
    if (point === "received-by-depositary" || point === "received-by-each-depositary") {
      const isDepositary = (at) => this.treaty.parties[at].roles.includes("depositary");
      const depositaries = [...addressees.filter(isDepositary), ...(isDepositary(log) ? [log] : [])];
      if (depositaries.length === 0) throw new Waits(`${place} is addressed to no depositary.`, true);
      return this.several(fact, depositaries, point === "received-by-each-depositary", (at) => this.receipt(fact, at));
    }
    if (point === "informed-by-depositary") {
      const each = by.length === 0;
      return this.several(fact, each ? reached : by, each, (at) => this.informed(fact, at));
    }
    const name = point.replace(/^field:/, "");
    const event = eventOf(value.body.get(name), isZoned);
    if (event === null) throw new Waits(`${place} names no date or time in its field \`${name}\`.`, true);
    const title = this.profile.kinds.get(fact.kind)?.fields.find((field) => field.name === name)?.title ?? name;
    return { event, text: `${place} says: ${title}: ${value.body.get(name)}.` };
  }

  /** The first of several events, or the last once all are there. */
  several({ place }, all, each, event) {
    let [best, missing] = [null, null];
    for (const at of all) {
      const found = this.attempt(() => event(at));
      if (found.event === undefined) {
        missing ??= found;
        continue;
      }
      const [now, old] = [momentOf(found.event, "UTC"), best === null ? null : momentOf(best.event, "UTC")];
      if (best === null || (each ? now > old : now < old)) best = found;
    }
    if (missing !== null && (each || best === null)) throw new Waits(missing.text, missing.never);
    if (best === null) throw new Waits(`${place} is addressed to nobody whom the treaty bound then.`, true);
    return best;
  }

  receipt(fact, by) {
    const { place, log, sent } = fact;
    const name = this.name(by);
    if (by === log) return { event: { time: sent }, text: `${place} is ${name}'s own; it counts from its sending at ${utc(sent)}.` };
    const seen = fact === this.note ? (this.receipts.get(by) ?? null) : null;
    const rule = this.profile.kinds.get(fact.kind)?.deemedReceived;
    const count = rule === undefined ? null : this.length(rule);
    const end = count === null ? null : endOf({ time: sent }, count, { counting: "exclusive", ends: "moment", zone: this.zone(this.profile.zone), back: false });
    const deemed = end !== null && end.at <= this.known ? end.at : null;
    if (seen !== null && (deemed === null || seen <= deemed)) return { event: { time: seen }, text: `${name} received ${place} at ${utc(seen)}.` };
    if (deemed !== null) return { event: { time: deemed }, text: `${place} is deemed received by ${name} ${count.text} after its sending, at ${utc(deemed)}.` };
    throw new Waits(`${name} has not receipted ${place}.`);
  }

  /** When a party was informed of a note by a depositary. */
  informed(fact, party) {
    let first = null;
    for (const circular of this.answers(fact)) {
      const informs = this.profile.kinds.get(circular.kind)?.informs && this.treaty.parties[circular.log].roles.includes("depositary");
      if (!informs || (circular.log !== party && !this.meant("addressee", circular.value, circular.log).includes(party))) continue;
      const found = this.attempt(() => this.receipt(circular, party));
      if (found.event !== undefined && (first === null || found.event.time < first.event.time)) first = found;
    }
    if (first === null) throw new Waits(`No depositary's note about ${fact.place} has reached ${this.name(party)}.`);
    return first;
  }

  bounds(start, due, reading) {
    const zone = this.zone(reading.zone ?? due.zone ?? this.profile.zone);
    const counting = reading.counting ?? due.counting ?? "exclusive";
    const ends = reading.ends ?? due.ends ?? "end-of-day";
    const out = { from: null, until: null, steps: [], beyond: null };
    const length = (text) => (text === undefined ? null : this.length(text));
    // The day itself, from its first moment to its last.
    const day = due.simultaneous === true ? this.length("0 days") : null;
    const first = length(due.window?.[0] ?? due.not_before) ?? day;
    const last = length(due.window?.[1] ?? due.within);
    const other = length(reading.length);
    const isHours = (count) => count.unit === "hour";
    const beyond = (text) => `Counted: ${text}: it lies outside of the years in which times are computed: ${RANGE}.`;
    if (first !== null) {
      const manner = { counting, ends: ends === "moment" && day === null ? "moment" : "start-of-day", zone, back: false };
      const found = endOf(start, first, manner);
      const text = `not before ${first.text} after`;
      if (found === null) out.beyond = beyond(text);
      else out.from = found.at;
      if (found !== null && day === null) out.steps.push(counted(text, manner, found, isHours(first)));
    }
    const back = due.before !== undefined;
    const count = back ? (other ?? length(due.before)) : last === null ? day : (other ?? last);
    if (count === null) return out;
    const until = day === null ? ends : "end-of-day";
    const manner = { counting, ends: until, zone, back };
    const found = endOf(start, count, manner);
    const text = due.simultaneous === true ? "on the same day" : back ? `not later than ${count.text} before` : `not later than ${count.text} after`;
    if (found === null) return { ...out, beyond: beyond(text) };
    // The last second of the day is in time.
    const inside = until === "end-of-day" && !isHours(count) ? 1 : 0;
    out.until = ofPosix(Math.max(posix(found.at) - inside, 0));
    out.steps.push(counted(text, manner, found, isHours(count)));
    return out;
  }

  length(text) {
    try {
      return parseCount(text);
    } catch (error) {
      throw new Elsewhere(error.message);
    }
  }

  /** A zone that this browser knows. */
  zone(name) {
    if (name === undefined) return "UTC";
    try {
      new Intl.DateTimeFormat("en", { timeZone: name });
      return name;
    } catch {
      throw new Elsewhere(`this browser does not know the time zone ${name}`);
    }
  }

  has(fact, name, value) {
    return fact.value.body.has(name) && write(fact.value.body.get(name)) === write(value);
  }

  /** Notes in the file that refer to a note. */
  answers(fact) {
    const refer = this.facts.filter((other) => other.re.includes(fact.place));
    return refer.sort((a, b) => a.log - b.log || Number(a.index - b.index));
  }

  tell(item, due, out) {
    const party = this.name(this.party);
    const article = item.article === "" ? "" : `, ${item.article}`;
    if (item.state === "not-applicable" && item.steps.length === 0) {
      out.push(`The rule \`${item.rule}\`${article} (“${item.title}”) asks nothing of ${party} here. ${item.text}`);
      return;
    }
    out.push(`By the treaty's profile ${party} owed: ${item.title} (rule \`${item.rule}\`${article}).`);
    if (item.owed_by.length > 1) {
      const all = item.owed_by.map((code) => this.name(find(this.treaty, code))).join(" or ");
      out.push(`It was enough if one of these did it: ${all}. This file shows the log of ${party} alone.`);
    }
    out.push(...item.steps);
    if (item.from !== null) out.push(`Not before ${utc(item.from)}, as computed.`);
    const { until } = item;
    const hasRun = until !== null && this.asOf !== null && until < this.asOf;
    if (until === null) {
      const limited = [due.before, due.within, due.window, due.simultaneous].some((rule) => rule !== undefined && rule !== false);
      if (item.state === "waiting") out.push("By what this file holds, its time had not begun: what starts it is not here.");
      else if (item.state === "no-time") out.push(item.text);
      else out.push(limited ? "No deadline follows from what this file holds." : "The rule sets no last time.");
    } else if (this.asOf === null) {
      out.push(`Deadline: ${utc(until)}, as computed. No quorum says when the log was seen.`);
    } else if (!hasRun) {
      const left = lengthOf(posix(until) - posix(this.asOf));
      out.push(`Deadline: ${utc(until)}, as computed. This file shows the log as of ${utc(this.asOf)}, ${left} before it: the time had not run.`);
    } else {
      const after = lengthOf(posix(this.asOf) - posix(until));
      out.push(`Deadline: ${utc(until)}, as computed. This file shows the log as of ${utc(this.asOf)}, ${after} after it: no answer was in it.`);
    }
    if (item.state === "deemed" && hasRun) out.push(`By the profile, silence until then is deemed ${due.deemed}.`);
    if (hasRun && due.then !== "") out.push(`When the time has run, by the profile: ${due.then}`);
    for (const other of item.readings) {
      if (other.until !== null && other.until !== until) out.push(`Another reading, ${other.title}: ${utc(other.until)}.`);
    }
    if (due.unconfirmed !== undefined) out.push(`Not checked against the treaty's text: ${due.unconfirmed}`);
  }
}

const latest = (times) => times.filter((time) => time !== null && time !== undefined).sort().at(-1) ?? null;
