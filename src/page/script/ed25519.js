// The one signature rule (docs/format.md, section 3): what is accepted here is what every verifier accepts.
//
// WebCrypto verifies; before that, this file refuses the keys and signatures on which verifiers differ. A public key is
// admitted only if its encoding is canonical, it is not of small order and it has no torsion part; a signature only if S is
// below the group's order, and R is written canonically and not of small order. Arithmetic is on public values: it need not
// take constant time.
import { concat, hex } from "./bytes.js";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function mod(a) {
  const r = a % P;
  return r < 0n ? r + P : r;
}

function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = mod(result * b);
    b = mod(b * b);
  }
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
/** The y coordinates of the eight points of small order. */
const ORDER_EIGHT = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
const SMALL = new Set([0n, 1n, P - 1n, ORDER_EIGHT, P - ORDER_EIGHT]);

function littleEndian(bytes) {
  return BigInt("0x" + hex(bytes.slice().reverse()));
}

/** The y coordinate as it is written, and the sign of x. */
function encoded(bytes) {
  const number = littleEndian(bytes);
  return [number & (2n ** 255n - 1n), number >> 255n];
}

/** Extended coordinates (X : Y : Z : T), RFC 8032, section 5.1.4; complete, so it doubles as well. */
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * D * t1 * t2);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

/** RFC 8032, section 5.1.3; `null` where there is no such point, or it is not written canonically. */
function decompress(bytes) {
  const [y, sign] = encoded(bytes);
  if (y >= P) return null;
  const square = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * ROOT_OF_MINUS_ONE);
  if (mod(x * x) !== square || (x === 0n && sign === 1n)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

/** By a key's bytes, and by the array that holds them: what was decided. */
const [admitted, seen] = [new Map(), new WeakMap()];

/** Whether a public key is canonical, not of small order, and without a torsion part. */
export function isAdmissible(key) {
  const before = seen.get(key);
  if (before !== undefined) return before;
  const name = hex(key);
  if (!admitted.has(name)) admitted.set(name, decideAdmissible(key));
  seen.set(key, admitted.get(name));
  return admitted.get(name);
}

function decideAdmissible(key) {
  if (key.length !== 32) return false;
  const point = decompress(key);
  if (point === null || SMALL.has(point[1])) return false;
  // Times the group's order: the neutral element, unless there is a torsion part.
  let [result, double] = [[0n, 1n, 1n, 0n], point];
  for (let scalar = ORDER; scalar > 0n; scalar >>= 1n) {
    if (scalar & 1n) result = add(result, double);
    double = add(double, double);
  }
  return result[0] === 0n && result[1] === result[2];
}

const imported = new WeakMap();

/** A public key for WebCrypto, read once. */
function importKey(key) {
  if (!imported.has(key)) imported.set(key, crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]));
  return imported.get(key);
}

/** Whether 64 bytes are this key's signature of a message (RFC 8032, section 5.1.7, without cofactor). */
export async function verifies(key, message, signature) {
  if (signature.length !== 64 || !isAdmissible(key)) return false;
  const [y] = encoded(signature.subarray(0, 32));
  if (y >= P || SMALL.has(y) || littleEndian(signature.subarray(32)) >= ORDER) return false;
  return crypto.subtle.verify({ name: "Ed25519" }, await importKey(key), signature, message);
}

/** A public key as a DER SubjectPublicKeyInfo (RFC 8410), which OpenSSL reads. */
export function spki(key) {
  return concat(Uint8Array.of(0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0), key);
}

/** Whether this browser verifies Ed25519 at all: RFC 8032, section 7.1, test 2. */
export async function isAble() {
  const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  try {
    return await verifies(
      bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
      Uint8Array.of(0x72),
      bytes("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    );
  } catch {
    return false;
  }
}
