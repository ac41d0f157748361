// An export as one archive (docs/format.md, section 17), once its compression was taken off: no browser unpacks Zstandard.
import { concat, need, same, utf8 } from "./bytes.js";

const BLOCK = 512;
const latin1 = new TextDecoder("latin1");
const ZSTANDARD = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

export function isZstandard(bytes) {
  return same(bytes.subarray(0, 4), ZSTANDARD);
}

export function isTar(bytes) {
  return bytes.length >= BLOCK && latin1.decode(bytes.subarray(257, 262)) === "ustar";
}

/** The one header that a file of this name and size has. */
function header(name, size) {
  const octal = (number, digits) => utf8(number.toString(8).padStart(digits, "0"));
  const out = new Uint8Array(BLOCK);
  const put = (at, bytes) => out.set(bytes, at);
  put(0, utf8(name));
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(0, 11));
  put(148, utf8("        0"));
  put(156, utf8("0"));
  put(257, utf8("ustar"));
  put(263, utf8("00"));
  const sum = out.reduce((total, byte) => total + byte, 0);
  put(148, concat(octal(sum, 7), Uint8Array.of(0)));
  return out;
}

/** The folder's name, and its files by name. */
export function untar(bytes) {
  const files = new Map();
  const zero = (from, to) => to <= bytes.length && bytes.subarray(from, to).every((byte) => byte === 0);
  let [root, at] = [null, 0];
  for (; at < bytes.length && bytes[at] !== 0; ) {
    const block = bytes.subarray(at, at + BLOCK);
    const name = latin1.decode(block.subarray(0, 100)).replace(/\0.*$/s, "");
    const size = Number.parseInt(latin1.decode(block.subarray(124, 135)), 8);
    const what = `the archive's file at byte ${at}`;
    need(block.length === BLOCK && Number.isSafeInteger(size) && same(block, header(name, size)), `${what} does not have the header that an export gives it`);
    const [, folder, file] = /^([^/]+)\/(.+)$/.exec(name) ?? [];
    need(file !== undefined && folder === (root ??= folder) && !files.has(file), `${what} is in another folder, or is there twice`);
    const end = at + BLOCK + size;
    const next = Math.ceil(end / BLOCK) * BLOCK;
    need(zero(end, next), `${what} is cut off`);
    files.set(file, bytes.subarray(at + BLOCK, end));
    at = next;
  }
  need(root !== null && at + 2 * BLOCK === bytes.length && zero(at, bytes.length), "the archive does not end as an export does");
  return { root, files };
}
