// SHA-256, by WebCrypto, and the hashes of the tree (RFC 9162, section 2.1.1).
import { concat } from "./bytes.js";

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", parts.length === 1 ? parts[0] : concat(...parts)));
}

export function leafHash(record) {
  return sha256(Uint8Array.of(0), record);
}

/** Of two hashes, or of such that are still being computed. */
export async function nodeHash(left, right) {
  return sha256(Uint8Array.of(1), await left, await right);
}
