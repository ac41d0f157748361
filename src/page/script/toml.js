// A reader of the TOML 1.0 of treaty files and profiles. Fractions and dates do not occur in them, and are refused.
//
// Tables are read as maps.
import { Refused } from "./bytes.js";

const MAX_DEPTH = 64;
const ESCAPES = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };

export function parseToml(source) {
  const reader = new Reader(source.replace(/\r\n/g, "\n"));
  return reader.document();
}

class Reader {
  constructor(source) {
    this.source = source;
    this.at = 0;
    this.depth = 0;
    /** Tables that are closed to additions: inline ones, and those that had their own header. */
    this.closed = new Set();
    this.headed = new Set();
    this.listed = new Set();
  }

  fail(what) {
    const line = this.source.slice(0, this.at).split("\n").length;
    throw new Refused(`line ${line}: ${what}`);
  }

  peek(text) {
    return this.source.startsWith(text, this.at);
  }

  take(text) {
    if (!this.peek(text)) return false;
    this.at += text.length;
    return true;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found) this.at += found[0].length;
    return found?.[0];
  }

  spaces() {
    this.match(/[ \t]*/y);
  }

  /** White space, comments and newlines. */
  blank() {
    this.match(/(?:[ \t\n]|#[^\n\x00-\x08\x0b-\x1f\x7f]*)*/y);
  }

  lineEnd() {
    this.match(/[ \t]*(?:#[^\n\x00-\x08\x0b-\x1f\x7f]*)?/y);
    if (this.at < this.source.length && !this.take("\n")) this.fail("expected the end of the line");
  }

  document() {
    const root = new Map();
    let table = root;
    for (this.blank(); this.at < this.source.length; this.blank()) {
      if (this.take("[[")) table = this.header(root, true);
      else if (this.take("[")) table = this.header(root, false);
      else this.pair(table);
      this.lineEnd();
    }
    return root;
  }

  header(root, many) {
    this.spaces();
    const path = this.key();
    this.spaces();
    if (!this.take(many ? "]]" : "]")) this.fail("expected the end of a table's name");
    const last = path.pop();
    let table = root;
    for (const name of path) table = this.descend(table, name);
    if (many) {
      const items = table.get(last) ?? [];
      if (!Array.isArray(items) || (table.has(last) && !this.listed.has(items))) this.fail(`\`${last}\` is not a list of tables`);
      table.set(last, items);
      this.listed.add(items);
      items.push(new Map());
      return items.at(-1);
    }
    const found = table.get(last) ?? new Map();
    if (!(found instanceof Map) || this.headed.has(found) || this.closed.has(found)) this.fail(`\`${last}\` stands there twice`);
    table.set(last, found);
    this.headed.add(found);
    return found;
  }

  descend(table, name) {
    let next = table.get(name);
    if (next === undefined) {
      next = new Map();
      table.set(name, next);
    }
    if (Array.isArray(next) && this.listed.has(next)) next = next.at(-1);
    if (!(next instanceof Map) || this.closed.has(next)) this.fail(`\`${name}\` is not a table`);
    return next;
  }

  /** A key, which may be dotted. */
  key() {
    const path = [];
    do {
      this.spaces();
      if (this.peek('"') || this.peek("'")) {
        if (this.peek('"""') || this.peek("'''")) this.fail("expected a key");
        path.push(this.string());
      } else {
        path.push(this.match(/[A-Za-z0-9_-]+/y) ?? this.fail("expected a key"));
      }
      this.spaces();
    } while (this.take("."));
    return path;
  }

  pair(table) {
    const path = this.key();
    if (!this.take("=")) this.fail("expected `=`");
    this.spaces();
    const last = path.pop();
    for (const name of path) {
      if (table.has(name) && this.headed.has(table.get(name))) this.fail(`\`${name}\` is a table of its own`);
      table = this.descend(table, name);
    }
    if (table.has(last)) this.fail(`\`${last}\` stands there twice`);
    table.set(last, this.value());
  }

  value() {
    if (this.depth > MAX_DEPTH) this.fail("nested too deep");
    if (this.peek('"') || this.peek("'")) return this.string();
    this.depth += 1;
    const value = this.take("[") ? this.array() : this.take("{") ? this.inline() : this.word();
    this.depth -= 1;
    return value;
  }

  array() {
    const items = [];
    for (;;) {
      this.blank();
      if (this.take("]")) return items;
      items.push(this.value());
      this.blank();
      if (!this.take(",") && !this.peek("]")) this.fail("expected `,` or `]`");
    }
  }

  inline() {
    const table = new Map();
    this.spaces();
    if (!this.take("}")) {
      do {
        this.pair(table);
        this.spaces();
      } while (this.take(","));
      if (!this.take("}")) this.fail("expected `,` or `}`");
    }
    this.close(table);
    return table;
  }

  close(table) {
    this.closed.add(table);
    for (const value of table.values()) if (value instanceof Map) this.close(value);
  }

  word() {
    const word = this.match(/[A-Za-z0-9_+.:-]+/y) ?? this.fail("expected a value");
    if (word === "true" || word === "false") return word === "true";
    if (!/^(?:[+-]?(?:0|[1-9](?:_?[0-9])*)|0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*)$/.test(word)) {
      this.fail(`\`${word}\` is not a value that these files have`);
    }
    const number = Number(word.replaceAll("_", ""));
    if (!Number.isSafeInteger(number)) this.fail(`\`${word}\` is too large a number`);
    return number;
  }

  string() {
    const quote = this.source[this.at];
    const many = this.peek(quote.repeat(3));
    this.at += many ? 3 : 1;
    if (many) this.take("\n");
    let out = "";
    for (;;) {
      out += this.match(quote === "'" ? /[^'\n\x00-\x08\x0b-\x1f\x7f]*/y : /[^"\\\n\x00-\x08\x0b-\x1f\x7f]*/y);
      if (many && this.take("\n")) {
        out += "\n";
      } else if (quote === '"' && this.take("\\")) {
        out += this.escape(many);
      } else if (this.peek(quote)) {
        if (!many) {
          this.at += 1;
          return out;
        }
        // Up to two quotes may stand before the three that close.
        const quotes = this.match(quote === '"' ? /"+/y : /'+/y);
        if (quotes.length > 5) this.fail("expected the end of a string");
        if (quotes.length >= 3) return out + quote.repeat(quotes.length - 3);
        out += quotes;
      } else {
        this.fail("expected the end of a string");
      }
    }
  }

  escape(many) {
    if (many && this.match(/[ \t]*\n[ \t\n]*/y) !== undefined) return "";
    const letter = this.source[this.at++] ?? "";
    if (Object.hasOwn(ESCAPES, letter)) return ESCAPES[letter];
    const digits = letter === "u" ? this.match(/[0-9A-Fa-f]{4}/y) : letter === "U" ? this.match(/[0-9A-Fa-f]{8}/y) : undefined;
    const code = digits === undefined ? NaN : parseInt(digits, 16);
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) this.fail("an escape sequence that TOML does not have");
    return String.fromCodePoint(code);
  }
}
