// Canonical JSON (docs/format.md, section 5; RFC 8785): a text that is not its own canonical form is refused.
//
// Objects are read as maps, whose keys stand in the order of the text, and which have no keys of their own.
import { Refused, need, utf8 } from "./bytes.js";
import { isVisible } from "./unicode.js";

const MAX_DEPTH = 32;
const ESCAPES = { '"': '"', "\\": "\\", b: "\b", t: "\t", n: "\n", f: "\f", r: "\r" };

/** Whether a text has nothing that a person would not see, and is in normalisation form C. */
export function isPlain(text) {
  return isVisible(text) && text.normalize("NFC") === text;
}

export function write(value) {
  if (value instanceof Map) {
    const keys = [...value.keys()].sort((a, b) => (a < b ? -1 : Number(a > b)));
    return "{" + keys.map((key) => quoted(key) + ":" + write(value.get(key))).join(",") + "}";
  }
  if (Array.isArray(value)) return "[" + value.map(write).join(",") + "]";
  return typeof value === "string" ? quoted(value) : String(value);
}

function quoted(text) {
  const escape = (c) => {
    const short = Object.keys(ESCAPES).find((letter) => ESCAPES[letter] === c);
    return "\\" + (short ?? "u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  };
  return '"' + text.replace(/["\\\x00-\x1f]/g, escape) + '"';
}

/** Reads a text; `plain` as above for all strings in it, keys too. */
export function parse(text, maxBytes, plain) {
  need(utf8(text).length <= maxBytes, `the JSON text is longer than ${maxBytes} bytes`);
  const reader = { text, at: 0, plain };
  const value = readValue(reader, 0);
  expect(reader, reader.at === text.length, "the end of the text");
  return value;
}

function expect(reader, condition, what) {
  if (!condition) throw new Refused(`not canonical JSON: expected ${what} at character ${reader.at}`);
}

function readValue(reader, depth) {
  expect(reader, depth <= MAX_DEPTH, "fewer levels");
  const rest = reader.text[reader.at];
  if (rest === "{") return readObject(reader, depth);
  if (rest === "[") return readArray(reader, depth);
  if (rest === '"') return readString(reader);
  for (const [word, value] of [["true", true], ["false", false]]) {
    if (reader.text.startsWith(word, reader.at)) {
      reader.at += word.length;
      return value;
    }
  }
  return readInteger(reader);
}

function readInteger(reader) {
  const pattern = /-?[0-9]+/y;
  pattern.lastIndex = reader.at;
  const digits = pattern.exec(reader.text)?.[0];
  expect(reader, digits !== undefined, "a value");
  expect(reader, !/[.eE]/.test(reader.text[reader.at + digits.length] ?? ""), "an integer, without fraction or exponent");
  expect(reader, /^(0|-?[1-9][0-9]*)$/.test(digits), "an integer in its shortest form");
  const value = BigInt(digits);
  expect(reader, value <= 2n ** 53n && value >= -(2n ** 53n), "an integer within ±2^53");
  reader.at += digits.length;
  return Number(value);
}

function readObject(reader, depth) {
  reader.at += 1;
  const map = new Map();
  if (reader.text[reader.at] === "}") {
    reader.at += 1;
    return map;
  }
  for (let last = null; ; ) {
    const key = readString(reader);
    // JavaScript compares strings by UTF-16 code units, as the standard does.
    expect(reader, last === null || key > last, `keys in ascending order, each once (${JSON.stringify(key)})`);
    take(reader, ":");
    map.set(key, readValue(reader, depth + 1));
    last = key;
    if (ends(reader, "}")) return map;
  }
}

function readArray(reader, depth) {
  reader.at += 1;
  const items = [];
  if (reader.text[reader.at] === "]") {
    reader.at += 1;
    return items;
  }
  for (;;) {
    items.push(readValue(reader, depth + 1));
    if (ends(reader, "]")) return items;
  }
}

function take(reader, character) {
  expect(reader, reader.text[reader.at] === character, `\`${character}\``);
  reader.at += 1;
}

function ends(reader, close) {
  if (reader.text[reader.at] === close) {
    reader.at += 1;
    return true;
  }
  take(reader, ",");
  return false;
}

function readString(reader) {
  take(reader, '"');
  const start = reader.at;
  let out = "";
  for (;;) {
    const plainRun = /[^"\\\x00-\x1f]*/y;
    plainRun.lastIndex = reader.at;
    const run = plainRun.exec(reader.text)[0];
    out += run;
    reader.at += run.length;
    const c = reader.text[reader.at];
    if (c === '"') break;
    expect(reader, c === "\\", "the end of a string");
    const letter = reader.text[reader.at + 1] ?? "";
    if (letter === "u") {
      const digits = reader.text.slice(reader.at + 2, reader.at + 6);
      expect(reader, /^00[01][0-9a-f]$/.test(digits), "another escape sequence");
      const character = String.fromCharCode(parseInt(digits, 16));
      expect(reader, !Object.values(ESCAPES).includes(character), "another escape sequence");
      out += character;
      reader.at += 6;
    } else {
      expect(reader, Object.hasOwn(ESCAPES, letter), "another escape sequence");
      out += ESCAPES[letter];
      reader.at += 2;
    }
  }
  if (reader.plain && !isPlain(out)) {
    reader.at = start;
    expect(reader, false, "a string in normalisation form C without invisible characters");
  }
  reader.at += 1;
  return out;
}

/** One line: a canonical object and a newline. */
export function parseLine(text, maxBytes, plain) {
  need(text.endsWith("\n"), "the text is not one line that ends in a newline");
  const value = parse(text.slice(0, -1), maxBytes, plain);
  need(value instanceof Map, "the text is not a JSON object");
  return value;
}

/** An object with exactly these fields. */
export function fields(value, where, required, optional = []) {
  need(value instanceof Map, `${where} should be an object`);
  for (const name of required) need(value.has(name), `the field \`${name}\` of ${where} is missing`);
  for (const name of value.keys()) {
    need(required.includes(name) || optional.includes(name), `the field \`${name}\` of ${where} is not known`);
  }
  return value;
}

export function list(value, field, least, most) {
  const fits = Array.isArray(value) && value.length >= least && value.length <= most;
  need(fits, `the field \`${field}\` should be an array of ${least} to ${most} items`);
  return value;
}

export function string(value, field) {
  need(typeof value === "string", `the field \`${field}\` should be a text`);
  return value;
}

export function natural(value, field) {
  need(Number.isInteger(value) && value >= 0, `the field \`${field}\` should be an integer from 0`);
  return value;
}
