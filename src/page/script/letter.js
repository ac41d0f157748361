// The note as the treaty's practice writes it: the form of an OSCC message, filled from the verified record.
import { said, utc } from "./verdict.js";
import { nameOf } from "./treaty.js";

/** 1 is `a`, 26 is `z`, 27 is `aa`. */
function letters(ordinal) {
  let out = "";
  for (let rest = ordinal; rest > 0; rest = Math.floor((rest - 1) / 26)) out = String.fromCharCode(97 + ((rest - 1) % 26)) + out;
  return out;
}

/** `A.`, below it `(1)`, below that `(a)`, and two forms more for what nests deeper. */
function label(level, ordinal) {
  const forms = [`${letters(ordinal).toUpperCase()}.`, `(${ordinal})`, `(${letters(ordinal)})`, `${ordinal})`, `${letters(ordinal)})`];
  return forms[Math.min(level, 5) - 1];
}

function entries(title, value, fields, level, ordinal) {
  const indent = "   ".repeat(level);
  const head = `${indent}${label(level, ordinal)} ${title}`;
  const nested = Array.isArray(value) || value instanceof Map;
  if (!nested) return [`${head}: ${typeof value === "string" ? value : said(value)}`];
  const items = Array.isArray(value)
    ? value.map((item) => [null, item, fields])
    : [...value].map(([key, item]) => {
        const field = fields?.find((one) => one.name === key);
        return [field?.title ?? key, item, field?.fields];
      });
  const inner = items.flatMap(([name, item, below], at) => {
    if (name !== null || item instanceof Map || Array.isArray(item)) return entries(name ?? "", item, below, level + 1, at + 1);
    return [`${"   ".repeat(level + 1)}${label(level + 1, at + 1)} ${typeof item === "string" ? item : said(item)}`];
  });
  return [`${head}:`.replace(/ :$/, ""), ...inner];
}

/** The message's lines; `null` if the record is not a notification. */
export function letter(verdict, treaty, profile) {
  const { value } = verdict.parts;
  if (value === null) return null;
  const kind = profile?.kinds.get(value.kind);
  const number = `${verdict.party}/${verdict.index}`;
  const named = (code) => nameOf(treaty, code).toUpperCase();
  const direct = value.to.filter((code) => code !== "*").map(named);
  const references = value.re.map((re) => `${re.log}/${re.index}`);
  const lines = [
    ["FROM:", named(value.from)],
    ["TO:", direct.length > 0 ? direct.join(", ") : "ALL PARTIES"],
    ["INFO:", value.to.includes("*") && direct.length > 0 ? "ALL PARTIES" : "–"],
    ["SUBJECT:", verdict.title],
    ["1. MESSAGE NUMBER:", number],
    ["2. MESSAGE DATE AND TIME:", utc(value.issued)],
    ["3. TREATY REFERENCE:", kind?.article ? `Article ${kind.article}` : "–"],
    ["4. MESSAGE REFERENCE:", references.length > 0 ? references.join("; ") : "–"],
    ["5. CONTENT:", ""],
  ].map(([head, text]) => `${head} ${text}`.trimEnd());
  const fields = kind?.fields ?? [];
  const title = (key) => fields.find((field) => field.name === key);
  const ordered = [...value.body].sort(([a], [b]) => place(fields, a) - place(fields, b));
  for (const [at, [key, item]] of ordered.entries()) {
    lines.push(...entries(title(key)?.title ?? key, item, title(key)?.fields, 1, at + 1));
  }
  for (const file of value.attachments) lines.push(`   Attached: ${file.name}, ${file.media}, ${file.size} bytes, SHA-256 ${file.sha256}`);
  lines.push("6. REMARKS: –", `7. END OF MESSAGE NUMBER: ${number}`);
  return lines;
}

/** Fields go in the order of the profile, others after them. */
function place(fields, key) {
  const at = fields.findIndex((field) => field.name === key);
  return at < 0 ? fields.length : at;
}
