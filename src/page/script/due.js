// The rule behind a proof of silence: what the profile says was due, and by when, counted from what the file holds. The
// same steps and sentences as `verbale verify` gives (section 6a).
//
// What is not counted here says so: the n-th note of a kind, and who was bound where a note in the file changes that.
import { write } from "./canon.js";
import { counted, endOf, eventOf, lengthOf, momentOf, parseCount, posix, ofPosix } from "./clock.js";
import { isZoned } from "./form.js";
import { maySend, parties } from "./order.js";
import { ROLES, find } from "./treaty.js";
import { utc } from "./verdict.js";

const MAX_THREAD = 256;
const OTHERS = "That nothing in other logs, or later, moved the deadline or ended what was due: it is counted from what this file holds.";

/** Why a rule is not counted here. */
class Elsewhere extends Error {}

/** What has not happened, in a sentence. */
class Waits extends Error {}

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
    this.asOf = silence.as_of ?? latest(silence.seen_by.map((seen) => seen.time));
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
        for (const debtors of this.owing(due).filter((debtors) => debtors.includes(this.party))) {
          const item = this.item(due, debtors);
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

  /** Who owes what a rule asks for: lists of parties, of each of which one is enough. */
  owing(due) {
    const [lists, told] = [[], new Set()];
    for (const address of due.by) {
      const debtors = this.debtors(address);
      if (address.startsWith("any ")) {
        if (debtors.length > 0) lists.push(debtors);
        continue;
      }
      for (const debtor of debtors.filter((debtor) => !told.has(debtor))) {
        told.add(debtor);
        lists.push([debtor]);
      }
    }
    return lists;
  }

  debtors(address) {
    const word = address.replace(/^any /, "");
    const { value, log } = this.note;
    let found = this.meant(word, value, log);
    const observer = ({ roles }) => roles.length === 1 && roles[0] === "observer";
    found = found.filter((at) => !observer(this.treaty.parties[at]));
    if (word === "*" || word === "state-party") {
      const moves = (fact) => (this.profile.kinds.get(fact.kind)?.effect ?? []).some((effect) => effect.standing !== undefined || effect.meanwhile !== undefined);
      if (this.facts.some(moves)) throw new Elsewhere("a note in this file changes whom the treaty binds");
    }
    if (found.length > 1 && (ROLES.includes(word) || word === "addressee")) {
      found = found.filter((at) => word === "depositary" || at !== log);
    }
    return found;
  }

  meant(word, value, from) {
    return [...new Set(parties(word, value, from, this.treaty, this.profile))].sort((a, b) => a - b);
  }

  item(due, debtors) {
    const codes = debtors.map((at) => this.treaty.parties[at].code);
    const item = { rule: due.id, title: due.title, article: due.article, owed_by: codes, state: "waiting", from: null, until: null, act: null, text: "", steps: [], readings: [] };
    const fails = [...due.when].sort(([a], [b]) => (a < b ? -1 : 1)).find(([name, value]) => !this.has(this.note, name, value));
    if (fails !== undefined) {
      return { ...item, state: "not-applicable", text: `Not due: it applies where \`${fails[0]}\` is ${write(fails[1])}.` };
    }
    const start = this.attempt(() => this.start(due.start, debtors));
    item.steps.push(start.text);
    if (start.event !== undefined) {
      const bounds = this.bounds(start.event, due, {});
      item.steps.push(...bounds.steps);
      Object.assign(item, { from: bounds.from, until: bounds.until });
    }
    item.readings = due.disputed.map((reading) => {
      const other = reading.start === undefined ? start : this.attempt(() => this.start(reading.start, debtors));
      const { from, until } = other.event === undefined ? { from: null, until: null } : this.bounds(other.event, due, reading);
      return { title: reading.title, from, until };
    });
    const act = this.act(due, debtors, item.from);
    const stopped = this.stopped(due);
    if (act !== null) {
      this.judge(item, act);
      item.steps.push(act.text);
    } else if (stopped !== null) {
      Object.assign(item, { state: "not-applicable", text: "No longer due." });
      item.steps.push(stopped);
    } else if (start.event !== undefined) {
      const run = item.until !== null && item.until < this.known;
      item.state = !run ? "open" : due.deemed === undefined ? "missed" : "deemed";
      if (item.state === "missed") item.by_s = posix(this.known) - posix(item.until);
    }
    return item;
  }

  /** A start: its event and the sentence for it; or the sentence for what it waits for. */
  attempt(find) {
    try {
      return find();
    } catch (error) {
      if (error instanceof Waits) return { text: error.message };
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
    for (let level = [this.note.place]; level.length > 0 && seen.size < MAX_THREAD; ) {
      const next = [];
      for (const fact of level.map((place) => known.get(place)).filter((fact) => fact !== undefined)) {
        for (const place of fact.re.filter((place) => !seen.has(place))) {
          const found = known.get(place);
          if (found !== undefined && (kind === undefined || found.kind === kind)) return found;
          next.push(place);
        }
      }
      next.forEach((place) => seen.add(place));
      level = next;
    }
    const what = kind === undefined ? "an earlier note" : `a note of the kind “${this.titleOf(kind)}”`;
    throw new Waits(`${this.note.place} does not refer to ${what} that is held.`);
  }

  /** A point of a note's life: `{ event, text }`. */
  point(fact, point, by) {
    const { place, log, value } = fact;
    const addressees = this.meant("addressee", value, log);
    if (point === "sent") return { event: { time: fact.sent }, text: `${this.name(log)} sent ${place} at ${utc(fact.sent)}.` };
    if (point === "received" && by.length > 0) return this.several(by, false, (at) => this.receipt(fact, at));
    if (point === "received" || point === "received-by-each") return this.several(addressees, true, (at) => this.receipt(fact, at));
    if (point === "received-by-depositary" || point === "received-by-each-depositary") {
      const isDepositary = (at) => this.treaty.parties[at].roles.includes("depositary");
      const depositaries = [...addressees.filter(isDepositary), ...(isDepositary(log) ? [log] : [])];
      if (depositaries.length === 0) throw new Waits(`${place} is addressed to no depositary.`);
      return this.several(depositaries, point === "received-by-each-depositary", (at) => this.receipt(fact, at));
    }
    if (point === "informed-by-depositary") {
      const each = by.length === 0;
      return this.several(each ? addressees : by, each, (at) => this.informed(fact, at));
    }
    const name = point.replace(/^field:/, "");
    const event = eventOf(value.body.get(name), isZoned);
    if (event === null) throw new Waits(`${place} names no date or time in its field \`${name}\`.`);
    const title = this.profile.kinds.get(fact.kind)?.fields.find((field) => field.name === name)?.title ?? name;
    return { event, text: `${place} says: ${title}: ${value.body.get(name)}.` };
  }

  /** The first of several events, or the last once all are there. */
  several(all, each, event) {
    let [best, missing] = [null, null];
    for (const at of all) {
      const found = this.attempt(() => event(at));
      if (found.event === undefined) {
        missing ??= found.text;
        continue;
      }
      const [now, old] = [momentOf(found.event, "UTC"), best === null ? null : momentOf(best.event, "UTC")];
      if (best === null || (each ? now > old : now < old)) best = found;
    }
    if (missing !== null && (each || best === null)) throw new Waits(missing);
    if (best === null) throw new Waits("It has no addressee.");
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
    const out = { from: null, until: null, steps: [] };
    const length = (text) => (text === undefined ? null : this.length(text));
    const first = length(due.window?.[0] ?? due.not_before);
    const last = length(due.window?.[1] ?? due.within);
    const other = length(reading.length);
    const isHours = (count) => count.unit === "hour";
    if (first !== null) {
      const manner = { counting, ends: ends === "moment" ? "moment" : "start-of-day", zone, back: false };
      const found = endOf(start, first, manner);
      if (found !== null) {
        out.from = found.at;
        out.steps.push(counted(`not before ${first.text} after`, manner, found, isHours(first)));
      }
    }
    const back = due.before !== undefined;
    const count = back ? (other ?? length(due.before)) : due.simultaneous ? this.length("0 days") : last === null ? null : (other ?? last);
    if (count === null) return out;
    const manner = { counting, ends, zone, back };
    const found = endOf(start, count, manner);
    if (found === null) return out;
    // The last second of the day is in time.
    const inside = ends === "end-of-day" && !isHours(count) ? 1 : 0;
    out.until = ofPosix(Math.max(posix(found.at) - inside, 0));
    const text = due.simultaneous ? "on the same day" : back ? `not later than ${count.text} before` : `not later than ${count.text} after`;
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

  /** Those, and notes that refer to one of them, and so on. */
  behind(fact) {
    const [found, seen, next] = [[], new Set([fact.place]), [fact]];
    while (next.length > 0) {
      for (const answer of this.answers(next.pop())) {
        if (found.length >= MAX_THREAD || seen.has(answer.place)) continue;
        seen.add(answer.place);
        found.push(answer);
        next.push(answer);
      }
    }
    return found;
  }

  /** What did it: the first that was in time, else the first. */
  act(due, debtors, from) {
    const acts = [];
    for (const answer of due.thread ? this.behind(this.note) : this.answers(this.note)) {
      if (!debtors.includes(answer.log) || !due.answer.includes(answer.kind)) continue;
      if (![...due.answerWhen].every(([name, value]) => this.has(answer, name, value))) continue;
      const by = due.act === "received" ? this.creditors(due) : [];
      const { event, text } = this.attempt(() => this.point(answer, due.act ?? "sent", by));
      const time = event === undefined ? null : momentOf(event, this.zone(this.profile.zone));
      if (time === null) continue;
      const early = from !== null && momentOf(event, "UTC") !== null && momentOf(event, "UTC") < from;
      acts.push({ early, time, answer, text });
    }
    const order = (a, b) => Number(a.early) - Number(b.early) || (a.time === b.time ? a.answer.log - b.answer.log || Number(a.answer.index - b.answer.index) : a.time < b.time ? -1 : 1);
    return acts.sort(order)[0] ?? null;
  }

  creditors(due) {
    return due.to.length === 0 ? [this.note.log] : due.to.flatMap((word) => this.meant(word.replace(/^any /, ""), this.note.value, this.note.log));
  }

  stopped(due) {
    const ends = this.behind(this.note).filter((fact) => due.endedBy.some((ender) => this.ends(ender, fact)) && this.stands(fact));
    const first = ends.sort((a, b) => (a.sent === b.sent ? a.log - b.log || Number(a.index - b.index) : a.sent < b.sent ? -1 : 1))[0];
    return first === undefined ? null : `${first.place}, “${this.titleOf(first.kind)}”, ended it at ${utc(first.sent)}.`;
  }

  /** Whether a note is of a kind that ends what is due of the note, from who may. */
  ends({ kind, from }, fact) {
    const meant = (word) => this.meant(word.replace(/^any /, ""), this.note.value, this.note.log);
    return fact.kind === kind && (from.length === 0 || from.some((word) => meant(word).includes(fact.log)));
  }

  /** Whether a note's kind is for its sender to send, and the sender has not taken it back. */
  stands(fact) {
    const kind = this.profile.kinds.get(fact.kind);
    if (kind !== undefined && !maySend(kind, fact.value, fact.log, this.treaty, this.profile)) return false;
    const revokes = ({ kind }) => (this.profile.kinds.get(kind)?.revokes ?? []).some((name) => name === "*" || name === fact.kind);
    return !this.answers(fact).some((other) => other.log === fact.log && revokes(other));
  }

  judge(item, act) {
    const did = `${act.answer.place} at ${utc(act.time)}`;
    item.act = { number: act.answer.place, title: this.titleOf(act.answer.kind), time: act.time };
    if (item.from !== null && act.time < item.from) {
      const by_s = posix(item.from) - posix(act.time);
      Object.assign(item, { state: "early", by_s, text: `Early by ${lengthOf(by_s)}: ${did}, not before ${utc(item.from)}.` });
    } else if (item.until !== null && item.until < act.time) {
      const by_s = posix(act.time) - posix(item.until);
      Object.assign(item, { state: "late", by_s, text: `Late by ${lengthOf(by_s)}: ${did}, as computed until ${utc(item.until)}.` });
    } else {
      Object.assign(item, { state: "met", text: `Met by ${did}.` });
    }
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
    const silent = this.silence.answers.length === 0;
    const { until } = item;
    const hasRun = until !== null && this.asOf !== null && until < this.asOf;
    if (until === null) {
      const limited = [due.before, due.within, due.window, due.simultaneous].some((rule) => rule !== undefined && rule !== false);
      if (item.state === "waiting") out.push("By what this file holds, its time had not begun: what starts it is not here.");
      else out.push(limited ? "No deadline follows from what this file holds." : "The rule sets no last time.");
    } else if (this.asOf === null) {
      out.push(`Deadline: ${utc(until)}, as computed. No cosignature says when the log was seen.`);
    } else if (!hasRun) {
      const left = lengthOf(posix(until) - posix(this.asOf));
      out.push(`Deadline: ${utc(until)}, as computed. This file shows the log as of ${utc(this.asOf)}, ${left} before it: the time had not run.`);
    } else {
      const after = lengthOf(posix(this.asOf) - posix(until));
      out.push(`Deadline: ${utc(until)}, as computed. This file shows the log as of ${utc(this.asOf)}, ${after} after it${silent ? ": no answer was in it" : ""}.`);
    }
    const own = due.act === undefined || due.act === "sent" || due.act.startsWith("field:");
    if (item.act !== null || item.state === "not-applicable") out.push(item.text);
    else if (item.state === "deemed" && silent && hasRun) out.push(`By the profile, silence until then is deemed ${due.deemed}.`);
    else if (!silent && !own) out.push("Whether an answer was in time depends on when it was received, which this file does not show.");
    else if (!silent) out.push("No answer in this file is one that this rule asks for.");
    if (silent && hasRun && item.state !== "not-applicable" && due.then !== "") out.push(`When the time has run, by the profile: ${due.then}`);
    for (const other of item.readings) {
      if (other.until !== null && other.until !== until) out.push(`Another reading, ${other.title}: ${utc(other.until)}.`);
    }
    if (due.unconfirmed !== undefined) out.push(`Not checked against the treaty's text: ${due.unconfirmed}`);
  }
}

const latest = (times) => times.filter((time) => time !== null && time !== undefined).sort().at(-1) ?? null;
