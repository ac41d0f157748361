// The framed items of an export's files (docs/format.md, sections 16 and 17).
import { decimal, hashOfBase64, need } from "./bytes.js";

const MAX_FRAME_BYTES = 65535;
const MAX_LINE_BYTES = 250;
const decoder = new TextDecoder("latin1");

function lineAt(bytes, at) {
  const end = bytes.indexOf(10, at);
  return end < 0 || end - at > MAX_LINE_BYTES ? { text: "", end } : { text: decoder.decode(bytes.subarray(at, end)), end };
}

/** The bytes of an item whose first line ends at `end`. */
function content(bytes, end, length, what) {
  const size = Number(decimal(length, "a length"));
  need(size <= MAX_FRAME_BYTES, `${size} bytes are more than the ${MAX_FRAME_BYTES} that are allowed`);
  const start = end + 1;
  need(bytes[start + size] === 10, `the bytes of ${what} should be followed by a newline`);
  return bytes.subarray(start, start + size);
}

/** Items of a file: a line `record 12 bytes 345`, the bytes, a newline. */
export function* frames(bytes, word) {
  for (let at = 0; at < bytes.length; ) {
    const { text, end } = lineAt(bytes, at);
    const [, first, number, length] = /^([a-z]+) ([0-9]+) bytes ([0-9]+)$/.exec(text) ?? [];
    need(first === word, `expected a line \`${word} NUMBER bytes LENGTH\` at byte ${at}`);
    const item = content(bytes, end, length, `${word} ${number}`);
    yield [decimal(number, "a number"), item];
    at = end + 1 + item.length + 1;
  }
}

/**
 * Items of `records.txt`: of a record its `bytes`; in a `part` also, of what is not shown, the roots of its `subtrees`, each with
 * its number of leaves, and whether it is a note that is `withheld`.
 */
export function* items(bytes, part) {
  for (let at = 0; at < bytes.length; ) {
    const { text, end } = lineAt(bytes, at);
    const words = text.split(" ");
    const [first, number, second, third] = words;
    const known = words.length === 4 && { record: "bytes", redacted: "leaf", omitted: "count" }[first] === second;
    need(known && (part || first === "record"), `expected a line \`record NUMBER bytes LENGTH\` at byte ${at}`);
    const index = decimal(number, "a number");
    if (first === "record") {
      const record = content(bytes, end, third, `record ${number}`);
      yield { index, bytes: record, at };
      at = end + 1 + record.length + 1;
    } else if (first === "redacted") {
      yield { index, withheld: true, subtrees: [[1n, hashOfBase64(third)]], count: 1n, at };
      at = end + 1;
    } else {
      const count = decimal(third, "a number of records");
      need(count > 0n, "nothing is left out");
      at = end + 1;
      const subtrees = [];
      for (const leaves of subtreeSizes(index, count)) {
        const line = lineAt(bytes, at);
        subtrees.push([leaves, hashOfBase64(line.text)]);
        at = line.end + 1;
      }
      yield { index, withheld: false, subtrees, count, at };
    }
  }
}

/** The sizes of the complete subtrees that so many leaves make up from a place on. */
function* subtreeSizes(from, count) {
  for (let [at, left] = [from, count]; left > 0n; ) {
    let size = 1n;
    while (size * 2n <= left && at % (size * 2n) === 0n) size *= 2n;
    yield size;
    at += size;
    left -= size;
  }
}
