// JSON Schema, as far as a profile may use it (docs/format.md, section 6). Schemas and values are of maps.
import { Refused } from "./bytes.js";
import { write } from "./canon.js";

const TYPES = {
  object: (value) => value instanceof Map,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: Number.isInteger,
  number: Number.isInteger,
  boolean: (value) => typeof value === "boolean",
  null: () => false,
};

const number = (holds) => (value, told) => typeof value !== "number" || holds(value, told);
/** Lengths of texts are in code points. */
const text = (holds) => (value, told) => typeof value !== "string" || holds([...value].length, told, value);
const items = (holds) => (value, told) => !Array.isArray(value) || holds(value, told);
const table = (holds) => (value, told, schema) => !(value instanceof Map) || holds(value, told, schema);

const WORDS = {
  type: (value, told) => [told].flat().some((name) => TYPES[name](value)),
  enum: (value, told) => told.some((one) => write(one) === write(value)),
  const: (value, told) => write(told) === write(value),
  minimum: number((value, least) => value >= least),
  maximum: number((value, most) => value <= most),
  exclusiveMinimum: number((value, bound) => value > bound),
  exclusiveMaximum: number((value, bound) => value < bound),
  minLength: text((length, least) => length >= least),
  maxLength: text((length, most) => length <= most),
  pattern: text((_, pattern, value) => new RegExp(pattern, "u").test(value)),
  items: items((value, schema) => value.every((item) => fitsSchema(schema, item))),
  minItems: items((value, least) => value.length >= least),
  maxItems: items((value, most) => value.length <= most),
  uniqueItems: items((value, wanted) => !wanted || new Set(value.map(write)).size === value.length),
  properties: table((value, schemas) => [...schemas].every(([name, schema]) => !value.has(name) || fitsSchema(schema, value.get(name)))),
  required: table((value, names) => names.every((name) => value.has(name))),
  additionalProperties: table((value, told, schema) => {
    const others = [...value.keys()].filter((name) => !schema.get("properties")?.has(name));
    return others.every((name) => fitsSchema(told, value.get(name)));
  }),
  minProperties: table((value, least) => value.size >= least),
  maxProperties: table((value, most) => value.size <= most),
  dependentRequired: table((value, told) => [...told].every(([name, names]) => !value.has(name) || names.every((one) => value.has(one)))),
  allOf: (value, schemas) => schemas.every((schema) => fitsSchema(schema, value)),
  anyOf: (value, schemas) => schemas.some((schema) => fitsSchema(schema, value)),
  oneOf: (value, schemas) => schemas.filter((schema) => fitsSchema(schema, value)).length === 1,
  not: (value, schema) => !fitsSchema(schema, value),
  if: (value, test, schema) => fitsSchema(schema.get(fitsSchema(test, value) ? "then" : "else") ?? true, value),
  then: () => true,
  else: () => true,
  title: () => true,
  description: () => true,
  $comment: () => true,
};

/** Whether a value fits a schema. */
export function fitsSchema(schema, value) {
  if (typeof schema === "boolean") return schema;
  return [...schema].every(([word, told]) => {
    if (!Object.hasOwn(WORDS, word)) throw new Refused(`the profile's schema has \`${word}\`, which this page does not know`, "profile.toml");
    return WORDS[word](value, told, schema);
  });
}
