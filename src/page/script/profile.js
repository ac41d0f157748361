// The profile (docs/format.md, section 6): what the kinds of notes and their fields are called, and what they hold.
import { hex, isKind, need, textOf } from "./bytes.js";
import { sha256 } from "./hash.js";
import { parseToml } from "./toml.js";

const MAX_BYTES = 1 << 20;
const MAX_NESTING = 8;

/**
 * Reads a profile for a treaty, which fixes its bytes. What else it says, of quotas and what is due every year, is not for
 * this page.
 */
export async function parseProfile(bytes, treaty) {
  need(bytes.length <= MAX_BYTES, `a profile is at most ${MAX_BYTES} bytes long`);
  const hash = hex(await sha256(bytes));
  need(hash === hex(treaty.profileHash), `its SHA-256 is ${hash}, and the treaty file names ${hex(treaty.profileHash)}`);
  const file = parseToml(textOf(bytes, "the profile"));
  need(file.get("version") === 1, `\`version\` ${file.get("version")} is not known`);
  need(file.get("kind") instanceof Map, "`kind` should be a table");
  const kinds = new Map();
  for (const [name, entry] of file.get("kind")) {
    need(isKind(name), `kind \`${name}\`: a kind's name is lower-case words with hyphens`);
    need(entry instanceof Map && typeof entry.get("title") === "string", `kind \`${name}\`: \`title\` is missing`);
    const fields = readFields(entry.get("field"), `kind \`${name}\``, 0);
    kinds.set(name, {
      title: entry.get("title"),
      article: entry.get("article") ?? "",
      fields,
      schema: entry.get("schema") ?? true,
      from: texts(entry, "from", name),
      mustReach: texts(entry, "must_reach", name),
      after: texts(entry, "after", name),
      signatures: entry.get("signatures") ?? 1,
      behalf: entry.get("behalf") ?? null,
      deemedReceived: entry.get("deemed_received"),
      informs: entry.get("informs") === true,
      effect: tables(entry, "effect", name).map((effect) => Object.fromEntries(effect)),
      due: tables(entry, "due", name).map((due) => readDue(due, `kind \`${name}\`, \`due\``)),
    });
  }
  const groups = new Map();
  for (const [name, group] of file.get("group") ?? []) groups.set(name, { members: texts(group, "members", name), title: group instanceof Map ? group.get("title") : undefined });
  const message = file.get("message") instanceof Map ? Object.fromEntries(file.get("message")) : null;
  return { bytes, title: file.get("title"), zone: file.get("zone"), kinds, groups, message, amendment: amendmentRule(file.get("amendment")) };
}

function texts(table, key, where) {
  const value = (table instanceof Map ? table.get(key) : undefined) ?? [];
  need(Array.isArray(value) && value.every((item) => typeof item === "string"), `\`${where}\`: \`${key}\` should be a list of texts`);
  return value;
}

function tables(table, key, where) {
  const value = table.get(key) ?? [];
  need(Array.isArray(value) && value.every((item) => item instanceof Map), `kind \`${where}\`: \`${key}\` should be a list of tables`);
  return value;
}

/** A rule of time, with what it leaves out. */
function readDue(table, where) {
  need(["id", "title"].every((key) => typeof table.get(key) === "string"), `${where}: a rule without \`id\` or \`title\``);
  const list = (key) => texts(table, key, where);
  const when = (key) => {
    const value = table.get(key) ?? new Map();
    need(value instanceof Map, `${where}: \`${key}\` should be a table`);
    return value;
  };
  return {
    ...Object.fromEntries(table),
    article: table.get("article") ?? "",
    then: table.get("then") ?? "",
    by: list("by"),
    when: when("when"),
    disputed: tables(table, "disputed", where).map((reading) => Object.fromEntries(reading)),
  };
}

/** Who has to sign an amendment of the treaty file; `null` if the profile does not say. */
function amendmentRule(table) {
  if (table === undefined) return null;
  const [, a, b] = /^([1-9][0-9]{0,3})\/([1-9][0-9]{0,3})$/.exec(table instanceof Map ? table.get("share") : "") ?? [];
  need(a !== undefined && 2 * Number(a) > Number(b) && Number(a) <= Number(b), "`amendment`: `share` should be a fraction above one half");
  const depositaries = table.get("depositaries") ?? 0;
  need(Number.isInteger(depositaries) && depositaries >= 0, "`amendment`: `depositaries` should be a number");
  return { share: [Number(a), Number(b)], depositaries };
}

function readFields(value, where, depth) {
  need(value === undefined || (Array.isArray(value) && depth < MAX_NESTING), `${where}: \`field\` should be a list of tables`);
  return (value ?? []).map((item) => {
    need(item instanceof Map && ["name", "title", "type"].every((key) => typeof item.get(key) === "string"), `${where}: a field without \`name\`, \`title\` or \`type\``);
    return { ...Object.fromEntries(item), fields: readFields(item.get("field"), where, depth + 1) };
  });
}
