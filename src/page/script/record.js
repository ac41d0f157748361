// Records, and the notifications in them (docs/format.md, sections 7 and 8).
import { decimal, hashOfHex, isCode, isKind, isTime, need, textOf, utf8 } from "./bytes.js";
import { fields, list, natural, parseLine } from "./canon.js";
import { leafHash } from "./hash.js";
import { parseNote } from "./note.js";

const MAX_RECORD_BYTES = 65535;
const MAX_INDEX = 2n ** 64n - 1n;
const HEADER =
  /^\{"index":([0-9]+),"log":"([A-Za-z0-9./-]+)","prev":"([0-9a-f]{64})","time":"([^"\n]*)","type":"(notification|credential|receipt|evidence|amendment)"\}\n/;

/** Reads a record's bytes. */
export async function parseRecord(bytes) {
  need(bytes.length <= MAX_RECORD_BYTES, `a record is at most ${MAX_RECORD_BYTES} bytes long; this one has ${bytes.length}`);
  const text = textOf(bytes, "the record");
  const head = HEADER.exec(text);
  need(head !== null && isTime(head[4]), "the record's first line is not its canonical header");
  const payload = text.slice(head[0].length);
  need(payload.endsWith("\n"), "the record's payload is not UTF-8 text that ends in a newline");
  return {
    index: decimal(head[1], "the record's index", MAX_INDEX),
    log: head[2],
    prev: hashOfHex(head[3]),
    time: head[4],
    type: head[5],
    payload: utf8(payload),
    bytes,
    leaf: await leafHash(bytes),
  };
}

/** Reads a signed note and the notification in it. Verifies no signature. */
export function parseNotification(payload) {
  const note = parseNote(payload);
  const required = ["body", "from", "id", "issued", "kind", "ledger", "re", "to", "v"];
  const map = fields(parseLine(note.text, 60000, true), "the note", required, ["attachments"]);
  const value = Object.fromEntries(map);
  need(value.body instanceof Map, "the field `body` should be an object");
  need(isCode(value.from), "the field `from` should be a party code");
  need(typeof value.id === "string" && /^[0-9a-f]{32}$/.test(value.id), "the field `id` should be 32 lowercase hex digits");
  need(isTime(value.issued), "the field `issued` should be a time as 2021-06-18T09:00:00Z");
  need(isKind(value.kind), "the field `kind` should be a kind's name");
  value.ledger = hashOfHex(value.ledger);
  need(value.v === 1, "the field `v` should be a version that this page knows");
  list(value.to, "to", 1, 256);
  const codes = value.to.every((code) => code === "*" || isCode(code)) && new Set(value.to).size === value.to.length;
  need(codes, "the field `to` should be party codes or `*`, none twice");
  value.re = list(value.re, "re", 0, 256).map((item) => {
    const re = Object.fromEntries(fields(item, "`re`", ["index", "leaf", "log"]));
    natural(re.index, "index");
    need(isCode(re.log), "the field `log` should be a party code");
    return { ...re, leaf: hashOfHex(re.leaf) };
  });
  value.attachments = "attachments" in value ? list(value.attachments, "attachments", 1, 256).map(attachment) : [];
  return { note, value };
}

function attachment(item) {
  const file = Object.fromEntries(fields(item, "`attachments`", ["media", "name", "sha256", "size"]));
  const { media, name } = file;
  const short = typeof name === "string" && utf8(name).length >= 1 && utf8(name).length <= 255;
  need(short && !/[/\\]/.test(name) && name !== "." && name !== "..", "the field `name` should be a file name without a path");
  const plain = typeof media === "string" && /^[\x00-\x7f]{0,127}$/.test(media) && !media.includes(" ");
  need(plain && media.split("/").length === 2, "the field `media` should be a media type as application/pdf");
  hashOfHex(file.sha256);
  natural(file.size, "size");
  return file;
}
