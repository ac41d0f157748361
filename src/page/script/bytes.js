// Bytes and their texts: UTF-8, hexadecimal, base64, decimals, times (docs/format.md, section 2).

/** What is said of a file that is not what it should be. `part` names the part, as `heads[1]`. */
export class Refused extends Error {
  constructor(what, part = "") {
    super(what);
    this.part = part;
  }
}

export function need(condition, what) {
  if (!condition) throw new Refused(what);
}

/** Runs a check; what it refuses is said to be wrong with this part. */
export async function within(part, check) {
  try {
    return await check();
  } catch (error) {
    if (error instanceof Refused && error.part === "") error.part = part;
    throw error;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function utf8(text) {
  return encoder.encode(text);
}

export function textOf(bytes, what) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Refused(`${what} is not UTF-8 text`);
  }
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function same(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A hash in hexadecimal. */
export function hashOfHex(text, what = "a SHA-256 as 64 lowercase hex digits") {
  need(typeof text === "string" && /^[0-9a-f]{64}$/.test(text), `expected ${what}`);
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

export function base64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/** RFC 4648, section 4: padded, no white space, unused bits zero; anything else is `null`. */
export function unbase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  let binary;
  try {
    binary = atob(text);
  } catch {
    return null;
  }
  // Only the last group can hold unused bits.
  if (text !== "" && btoa(binary.slice(Math.floor((binary.length - 1) / 3) * 3)) !== text.slice(-4)) return null;
  const out = new Uint8Array(binary.length);
  for (let at = 0; at < out.length; at++) out[at] = binary.charCodeAt(at);
  return out;
}

export function hashOfBase64(text) {
  const bytes = unbase64(text);
  need(bytes !== null && bytes.length === 32, "expected a hash as base64 of 32 bytes");
  return bytes;
}

const MAX_SIZE = 2n ** 63n - 1n;

/** A decimal without sign and leading zeroes. Sizes go up to 2^63 - 1, past what a number holds. */
export function decimal(text, what, most = MAX_SIZE) {
  need(/^(0|[1-9][0-9]{0,19})$/.test(text), `expected ${what}`);
  const value = BigInt(text);
  need(value <= most, `expected ${what}`);
  return value;
}

/** 9998-12-31T23:59:59Z, in POSIX seconds. */
const LAST_SECOND = 253370764799n;

/** A time by its POSIX seconds; past the year 9998 it stays at its end. */
export function timeOf(seconds) {
  const within = seconds < LAST_SECOND ? seconds : LAST_SECOND;
  return new Date(Number(within) * 1000).toISOString().slice(0, 19) + "Z";
}

export function isTime(text) {
  if (typeof text !== "string" || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/.test(text)) return false;
  const date = new Date(text);
  // A day that does not exist reads as another one, or as none.
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 19) + "Z" === text && text >= "1970" && text < "9999";
}

export function isCode(text) {
  return typeof text === "string" && /^[A-Z][A-Z0-9]{1,7}$/.test(text);
}

/** Kinds of notes, and ids of a profile's rules. */
export function isKind(text) {
  return typeof text === "string" && /^[a-z][a-z0-9-]{0,63}$/.test(text);
}
