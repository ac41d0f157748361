// What a part of a ledger was asked for (docs/format.md, section 17): `part.json`.
import { decimal, isKind, isTime, need, textOf, utf8 } from "./bytes.js";
import { fields, list, parseLine, string } from "./canon.js";
import { find } from "./treaty.js";
import { utc } from "./verdict.js";

const MAX_BYTES = 65536;
const MAX_ITEMS = 1024;
const LISTS = ["kinds", "parties", "ranges", "redact", "threads"];

/** Reads `part.json`. */
export function parsePart(bytes, treaty, profile) {
  need(bytes.length <= MAX_BYTES, `part.json is at most ${MAX_BYTES} bytes long`);
  const map = fields(parseLine(textOf(bytes, "part.json"), MAX_BYTES, true), "part.json", [...LISTS, "v"], ["since", "until"]);
  need(map.get("v") === 1, "the field `v` should be 1");
  const part = { since: map.get("since") ?? null, until: map.get("until") ?? null };
  need([part.since, part.until].every((time) => time === null || isTime(time)), "the fields `since` and `until` should be times");

  const party = (code) => {
    need(find(treaty, code) >= 0, `${code} is not a party of the treaty`);
    return code;
  };
  const kind = (name) => {
    need(profile.kinds.has(name), `the profile has no kind \`${name}\``);
    return name;
  };
  const place = (text) => {
    const [, code, index] = /^([A-Z][A-Z0-9]{1,7})\/([0-9]+)$/.exec(text) ?? [];
    need(code !== undefined, `${text} is not a note as US/12`);
    return [party(code), decimal(index, "a number", 2n ** 53n - 1n)];
  };
  const range = (text) => {
    const [, code, first, last] = /^([A-Z][A-Z0-9]{1,7})\/([0-9]+)\.\.([0-9]+)$/.exec(text) ?? [];
    need(code !== undefined, `${text} is not records as US/10..40`);
    const ends = [first, last].map((number) => decimal(number, "a number", 2n ** 53n - 1n));
    need(ends[0] <= ends[1], `${text} ends before it begins`);
    return [party(code), ...ends];
  };
  const withheld = (text) => {
    if (text === "confidential") return [0];
    const [, word, name] = /^(kind|field):(.*)$/su.exec(text) ?? [];
    if (word === undefined) return [3, ...place(text)];
    if (word === "kind") need(isKind(name), `${text} names no kind`);
    need(name !== "" && utf8(name).length <= 200, `${text} names no field`);
    return word === "kind" ? [1, kind(name)] : [2, name];
  };
  const readers = { kinds: (name) => [kind(name)], parties: (code) => [party(code)], ranges: range, redact: withheld, threads: place };
  for (const name of LISTS) {
    const items = list(map.get(name), name, 0, MAX_ITEMS).map((item) => string(item, name));
    const keys = items.map(readers[name]);
    need(keys.every((key, at) => at === 0 || isBefore(keys[at - 1], key)), `the field \`${name}\` is not in order`);
    part[name] = items;
    if (name === "ranges") part.stretches = keys;
  }
  need(LISTS.some((name) => part[name].length > 0) || part.since !== null || part.until !== null, "a part that asks for everything");
  return part;
}

/** Whether a list comes before another one: by its first item that differs; texts by their bytes. */
function isBefore(a, b) {
  for (const [at, one] of a.entries()) {
    if (at >= b.length) return false;
    const other = b[at];
    if (one === other) continue;
    return typeof one === "string" ? bytesBefore(utf8(one), utf8(other)) : one < other;
  }
  return a.length < b.length;
}

function bytesBefore(a, b) {
  const at = a.findIndex((byte, place) => byte !== b[place]);
  return at < 0 ? a.length < b.length : at < b.length && a[at] < b[at];
}

/** What was asked for, in plain sentences. */
export function partSentences(part) {
  const wanted = [];
  if (part.parties.length > 0) wanted.push(`sent by ${part.parties.join(", ")}`);
  if (part.kinds.length > 0) wanted.push(`of the kind ${part.kinds.join(", ")}`);
  if (part.since !== null) wanted.push(`logged at ${utc(part.since)} or later`);
  if (part.until !== null) wanted.push(`logged before ${utc(part.until)}`);
  if (part.threads.length > 0) wanted.push(`in the thread of ${part.threads.join(", ")}`);
  const out = wanted.length > 0 ? [`Asked for: notes ${wanted.join(", ")}.`] : [];
  if (part.ranges.length > 0) out.push(`Asked for: all records ${part.ranges.join(", ")}.`);
  if (wanted.length === 0 && part.ranges.length === 0) out.push("Asked for: everything.");
  if (part.redact.length > 0) out.push(`Withheld: ${part.redact.join(", ")}.`);
  return out;
}
