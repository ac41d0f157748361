// The files that a page carries, and those that its reader gives it.
import { Refused, hex, need, textOf, unbase64 } from "./bytes.js";
import { sha256 } from "./hash.js";
import { isTar, isZstandard } from "./tar.js";

const CARRIER = /<script type="text\/plain" data-name="([^"]+)">\n([A-Za-z0-9+/=\n]*)<\/script>/g;

/** The files inside a page's text, by name. They are carried as lines of base64, which no reader of HTML changes. */
export function carried(html) {
  const files = new Map();
  for (const [, name, text] of html.matchAll(CARRIER)) {
    need(!files.has(name), `the page carries ${name} twice`);
    files.set(name, decoded(name, text));
  }
  return files;
}

function decoded(name, text) {
  const bytes = unbase64(text.replaceAll("\n", ""));
  if (bytes === null) throw new Refused(`it is not base64`, name);
  return bytes;
}

/** The files of this page. */
export function carriedHere() {
  const files = new Map();
  for (const element of document.querySelectorAll("script[data-name]")) {
    const { name } = element.dataset;
    need(!files.has(name), `the page carries ${name} twice`);
    files.set(name, decoded(name, element.textContent));
  }
  return files;
}

/** What a file from the reader's disk is: `evidence`, `page`, `archive`, `treaty` or `profile`. */
export async function kindOf(bytes, treaty) {
  need(!isZstandard(bytes), "it is compressed, and no browser unpacks that. `zstd -d FILE.tar.zst` makes a FILE.tar of it, which this page reads");
  if (isTar(bytes)) return "archive";
  const text = textOf(bytes, "the file");
  if (text.startsWith("c2sp.org/tlog-proof@")) return "evidence";
  if (/^<!doctype html>/i.test(text)) return "page";
  if (treaty !== null && hex(await sha256(bytes)) === hex(treaty.profileHash)) return "profile";
  return /^\[\[party\]\]/m.test(text) ? "treaty" : "profile";
}

