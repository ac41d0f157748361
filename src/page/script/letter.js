// The note as the treaty's practice writes it: an OSCC message, word for word what `verbale show --message` writes.
import { write } from "./canon.js";
import { find } from "./treaty.js";
import { utc } from "./verdict.js";

const ALL = "ALL STATES PARTIES";
const NONE = "NONE";
/** What a reader would take as nothing said. */
const NOTHING = ["", NONE, "N/A", "NIL", "NOT APPLICABLE", "-", "–", "—"];

/** 1 is `a`, 26 is `z`, 27 is `aa`. */
function letters(ordinal) {
  let out = "";
  for (let rest = ordinal; rest > 0; rest = Math.floor((rest - 1) / 26)) out = String.fromCharCode(97 + ((rest - 1) % 26)) + out;
  return out;
}

/** `A.`, below it `(1)`, `(a)`, `1)`, `a)`, `((1))`, `((a))` and so on. */
function label(level, ordinal) {
  const name = level % 2 === 0 ? `${ordinal}` : letters(ordinal);
  if (level <= 1) return `${name.toUpperCase()}.`;
  if (level <= 3) return `(${name})`;
  if (level <= 5) return `${name})`;
  const brackets = Math.floor((Math.min(level, 13) - 2) / 2);
  return "(".repeat(brackets) + name + ")".repeat(brackets);
}

/** A text, in quotation marks if it would otherwise be read as nothing, or lose white space. */
function words(text) {
  const needsMarks = (inside) => {
    if (inside.trim() !== inside || NOTHING.includes(inside.toUpperCase())) return true;
    return inside.length >= 2 && inside.startsWith('"') && inside.endsWith('"') && needsMarks(inside.slice(1, -1));
  };
  return needsMarks(text) ? `"${text}"` : text;
}

/** Writes the content's entries as lines. */
class Content {
  constructor(treaty, profile) {
    this.lines = [];
    this.nameOf = (code) => {
      const name = treaty.parties[find(treaty, code)]?.name ?? profile?.groups.get(code)?.title;
      return name !== undefined && !name.includes(";") ? `${name} (${code})` : code;
    };
  }

  entry(level, ordinal, text) {
    this.lines.push(`${"   ".repeat(level)}${label(level, ordinal)} ${text}`.trimEnd());
  }

  value(field, value) {
    if (typeof value !== "string") return field.type === "integer" && typeof value === "number" && field.unit ? `${value} ${field.unit}` : write(value);
    if (field.type === "party") return this.nameOf(value);
    return field.type === "time" ? utc(value) : words(value);
  }

  /** Each field has its letter, whether it is there or not; neighbours with the same `under` share one. */
  fields(fields, body, level) {
    const slots = [];
    for (const field of fields.filter((one) => !isRemarks(one))) {
      if (field.under !== undefined && slots.at(-1)?.[0].under === field.under) slots.at(-1).push(field);
      else slots.push([field]);
    }
    for (const [at, slot] of slots.entries()) {
      const there = slot.map((field, place) => [field, place + 1]).filter(([field]) => body.has(field.name));
      if (slot[0].under === undefined || there.length === 0) {
        for (const [field] of there) this.field(field, body.get(field.name), level, at + 1);
        continue;
      }
      this.entry(level, at + 1, `${slot[0].under}:`);
      for (const [field, place] of there) this.field(field, body.get(field.name), level + 1, place);
    }
    const known = (key) => fields.some((field) => field.name === key && (!isRemarks(field) || typeof body.get(key) === "string"));
    const others = [...body].filter(([key]) => !known(key));
    for (const [at, [key, value]] of others.entries()) {
      this.entry(level, slots.length + at + 1, `${key}: ${typeof value === "string" ? words(value) : write(value)}`);
    }
  }

  field(field, value, level, ordinal) {
    const several = field.repeatable || field.type === "list";
    const nested = (Array.isArray(value) && several && value.length > 0) || (value instanceof Map && field.type === "group" && !several);
    const text = Array.isArray(value) && several ? NONE : nested ? "" : this.value(field, value);
    this.entry(level, ordinal, nested ? `${field.title}:` : `${field.title}: ${text}`);
    if (value instanceof Map && nested) this.fields(field.fields, value, level + 1);
    else if (nested) for (const [at, item] of value.entries()) this.item(field, item, level + 1, at + 1);
  }

  /** One of a field's several values. */
  item(field, value, level, ordinal) {
    if (value instanceof Map && field.type === "group") {
      this.entry(level, ordinal, "");
      this.fields(field.fields, value, level + 1);
    } else if (Array.isArray(value) && field.type === "list") {
      this.entry(level, ordinal, value.length === 0 ? NONE : "");
      for (const [at, one] of value.entries()) this.entry(level + 1, at + 1, this.value(field, one));
    } else {
      this.entry(level, ordinal, this.value(field, value));
    }
  }
}

function isRemarks(field) {
  return field.name === "remarks" && field.type === "text" && !field.repeatable;
}

/** The number of a note by the profile's pattern; `US/12` if the pattern asks for more than is known. */
export function numberOf(of, profile) {
  const plain = `${of.party}/${of.index}`;
  let known = true;
  const number = (profile?.message?.number ?? plain).replace(/\{([a-z]+)(?::([1-9]))?\}/g, (_, name, digits) => {
    known &&= of[name] !== undefined;
    return String(of[name]).padStart(Number(digits ?? 1), "0");
  });
  return known ? number : plain;
}

/** The message's lines; `null` if the record is not a notification. */
export function letter(verdict, treaty, profile) {
  const { value, record } = verdict.parts;
  if (value === null) return null;
  const kind = profile?.kinds.get(value.kind);
  const number = numberOf({ party: value.from, index: verdict.index, year: Number(record.time.slice(0, 4)), kind: value.kind }, profile);
  const content = new Content(treaty, profile);
  const direct = value.to.filter((code) => code !== "*").map(content.nameOf).join("; ");
  const references = value.re.map((re) => numberOf({ party: re.log, index: re.index }, profile));
  const fields = kind?.fields ?? [];
  content.fields(fields, value.body, 1);
  const remarks = fields.some(isRemarks) ? value.body.get("remarks") : undefined;
  const mark = profile?.message?.prefix ? `${profile.message.prefix} ` : "";
  return [
    `PRECEDENCE: ${profile?.message?.precedence || NONE}`,
    `FROM: ${content.nameOf(value.from)}`,
    `TO: ${direct === "" ? ALL : direct}`,
    `INFO: ${direct !== "" && value.to.includes("*") ? ALL : NONE}`,
    `SUBJECT: ${kind?.title ?? value.kind}`,
    `1. ${mark}MESSAGE NUMBER: ${number}`,
    `2. ${mark}MESSAGE DATE AND TIME: ${utc(value.issued)}`,
    `3. TREATY REFERENCE: ${kind?.article || NONE}`,
    `4. MESSAGE REFERENCE: ${references.length > 0 ? references.join("; ") : NONE}`,
    content.lines.length > 0 ? "5. CONTENT:" : `5. CONTENT: ${NONE}`,
    ...content.lines,
    `6. REMARKS: ${typeof remarks === "string" ? words(remarks) : NONE}`,
    ...value.attachments.map((file) => `   ATTACHMENT: ${file.size} bytes, ${file.media}, SHA-256 ${file.sha256}, ${words(file.name)}`),
    `7. END OF ${mark}MESSAGE NUMBER: ${number}`,
  ];
}
