// Whether a note's body is in the form that the treaty's profile gives its kind.
import { isCode, isTime } from "./bytes.js";
import { fitsSchema } from "./schema.js";

const isText = (value) => typeof value === "string" && value !== "";
const isList = (value) => Array.isArray(value) && value.every((item) => typeof item === "string");

/** What a value of a type looks like, and whether one does. */
const TYPES = {
  text: ["a text", isText],
  integer: ["an integer", (value) => Number.isInteger(value)],
  date: ["a date as 2021-12-18", (value) => typeof value === "string" && isTime(`${value}T00:00:00Z`)],
  time: ["a time in UTC as 2021-06-18T09:00:00Z", isTime],
  "zoned-time": ["a time with its zone as 2021-06-18T11:00:00+02:00[Europe/Berlin]", isZoned],
  list: ["a list of texts", isList],
  choice: ["one of its choices", isText],
  party: ["a party's code as CA, or a group's name", isText],
  group: ["a table of fields", (value) => value instanceof Map],
};

/** RFC 9557, with the offset that the zone had at that moment. */
export function isZoned(value) {
  const pattern = /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})((?:\.[0-9]{0,8}[1-9])?)([+-][0-9]{2}:[0-9]{2})\[([A-Za-z][A-Za-z0-9_+/-]*)\]$/;
  const [, local, , offset, zone] = (typeof value === "string" && pattern.exec(value)) || [];
  if (local === undefined || !isTime(`${local}Z`)) return false;
  try {
    const moment = new Date(`${local}${offset}`);
    const parts = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(moment);
    const named = parts.find((part) => part.type === "timeZoneName").value.slice(3);
    return (named === "" ? "+00:00" : named) === offset;
  } catch {
    return false;
  }
}

function expected(field) {
  const range = { true: "", false: ` from ${field.min}` }[field.min === undefined];
  const upTo = field.max === undefined ? "" : ` ${field.min === undefined ? "up " : ""}to ${field.max}`;
  let one = TYPES[field.type]?.[0] ?? "of a type that this page knows";
  if (field.type === "choice") one = `one of ${(field.choices ?? []).map((choice) => `“${choice}”`).join(", ")}`;
  if (field.type === "integer") one = `an integer${field.unit === undefined ? "" : ` in ${field.unit}`}${range}${upTo}`;
  const most = field.at_most === undefined ? "" : `, at most ${field.at_most}`;
  return field.repeatable ? `a list of which each is ${one}${most}` : `${one}${most}`;
}

function fits(field, value, profile) {
  if (!(TYPES[field.type]?.[1](value) ?? false)) return false;
  if (field.type === "integer") return (field.min ?? value) <= value && value <= (field.max ?? value);
  if (field.type === "choice") return (field.choices ?? []).includes(value);
  if (field.type === "list" && !field.repeatable) return value.length <= (field.at_most ?? value.length);
  return field.type !== "party" || isCode(value) || profile.groups.has(value);
}

function checkOne(field, value, place, profile, out) {
  if (!fits(field, value, profile)) out.push(`the field \`${place}\` (${field.title}) is not ${expected(field)}`);
  else if (value instanceof Map) checkFields(field.fields, value, `${place}.`, profile, out);
}

function checkFields(fields, body, place, profile, out) {
  for (const field of fields) {
    const here = `${place}${field.name}`;
    const value = body.get(field.name);
    if (value === undefined) {
      if (field.required) out.push(`the field \`${here}\` (${field.title}) is missing`);
    } else if (!field.repeatable) {
      checkOne(field, value, here, profile, out);
    } else if (Array.isArray(value) && value.length <= (field.at_most ?? value.length)) {
      for (const [at, item] of value.entries()) checkOne(field, item, `${here}[${at}]`, profile, out);
    } else {
      out.push(`the field \`${here}\` (${field.title}) is not ${expected(field)}`);
    }
  }
  for (const name of body.keys()) {
    if (fields.every((field) => field.name !== name)) out.push(`the field \`${place}${name}\` is not one of this kind`);
  }
}

/** What is wrong with a body of a kind, one sentence a fault: its fields, or, if they are in form, the kind's schema. */
export function faults(kind, body, profile) {
  const out = [];
  checkFields(kind.fields, body, "", profile, out);
  if (out.length === 0 && !fitsSchema(kind.schema, body)) out.push("the body does not fit the kind's schema");
  return out;
}
