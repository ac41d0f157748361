// The profile (docs/format.md, section 6): what the kinds of notes and their fields are called, and what they hold.
import { hex, isKind, need, textOf } from "./bytes.js";
import { sha256 } from "./hash.js";
import { parseToml } from "./toml.js";

const MAX_BYTES = 1 << 20;
const MAX_NESTING = 8;

/**
 * Reads a profile for a treaty, which fixes its bytes. What else it says, of deadlines and addressees, is not for this page.
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
    kinds.set(name, { title: entry.get("title"), article: entry.get("article") ?? "", fields, schema: entry.has("schema") });
  }
  const groups = new Set(file.get("group") instanceof Map ? file.get("group").keys() : []);
  return { bytes, title: file.get("title"), kinds, groups, amendable: file.has("amendment") };
}

function readFields(value, where, depth) {
  need(value === undefined || (Array.isArray(value) && depth < MAX_NESTING), `${where}: \`field\` should be a list of tables`);
  return (value ?? []).map((item) => {
    need(item instanceof Map && ["name", "title", "type"].every((key) => typeof item.get(key) === "string"), `${where}: a field without \`name\`, \`title\` or \`type\``);
    return { ...Object.fromEntries(item), fields: readFields(item.get("field"), where, depth + 1) };
  });
}
