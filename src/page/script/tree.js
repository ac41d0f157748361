// Merkle tree and proofs (docs/format.md, section 10; RFC 9162, section 2.1), over SHA-256. Sizes are BigInts.
import { need, same } from "./bytes.js";
import { nodeHash, sha256 } from "./hash.js";

const DOES_NOT_LEAD = "the Merkle proof does not lead to the signed root";

/**
 * Verifies an audit path (section 2.1.3.2). Gives its steps, so that each can be done again: the sibling, and whether it
 * stands on the left.
 */
export async function verifyInclusion(leaf, index, size, path, root) {
  need(index < size, "the record's place is past the end of the tree");
  let [f, s, r] = [index, size - 1n, leaf];
  const steps = [];
  for (const p of path) {
    need(s !== 0n, "the Merkle proof has a hash too many");
    const left = (f & 1n) === 1n || f === s;
    if (left) {
      while ((f & 1n) === 0n && f !== 0n) [f, s] = [f >> 1n, s >> 1n];
    }
    steps.push({ sibling: p, left });
    r = left ? await nodeHash(p, r) : await nodeHash(r, p);
    [f, s] = [f >> 1n, s >> 1n];
  }
  need(s === 0n, "the Merkle proof has a hash too few");
  need(same(r, root), DOES_NOT_LEAD);
  return steps;
}

/** Verifies a consistency proof (section 2.1.4.2). An empty tree is a prefix of every tree. */
export async function verifyConsistency(old, oldRoot, size, root, proof) {
  need(old <= size, "the tree to which the proof leads is the smaller one");
  if (old === 0n || old === size) {
    const empty = await sha256(new Uint8Array());
    need(proof.length === 0 && same(oldRoot, old === 0n ? empty : root), DOES_NOT_LEAD);
    need(size > 0n || same(root, empty), DOES_NOT_LEAD);
    return;
  }
  // Where `old` is a power of two, its root is itself a node of the larger tree and not repeated in the proof.
  const path = (old & (old - 1n)) === 0n ? [oldRoot, ...proof] : proof;
  need(path.length > 0, DOES_NOT_LEAD);
  let [f, s] = [old - 1n, size - 1n];
  while ((f & 1n) === 1n) [f, s] = [f >> 1n, s >> 1n];
  let [fr, sr] = [path[0], path[0]];
  for (const c of path.slice(1)) {
    need(s !== 0n, DOES_NOT_LEAD);
    if ((f & 1n) === 1n || f === s) {
      [fr, sr] = [await nodeHash(c, fr), await nodeHash(c, sr)];
      while ((f & 1n) === 0n && f !== 0n) [f, s] = [f >> 1n, s >> 1n];
    } else {
      sr = await nodeHash(sr, c);
    }
    [f, s] = [f >> 1n, s >> 1n];
  }
  need(s === 0n && same(fr, oldRoot) && same(sr, root), DOES_NOT_LEAD);
}

/**
 * The first leaves of a tree as the roots of its complete subtrees, widest first, to which leaves are appended. A root may be
 * one that is still being computed: hashes that do not wait for each other are computed side by side.
 */
export class CompactRange {
  constructor(size = 0n, roots = []) {
    const set = size.toString(2).split("").filter((bit) => bit === "1").length;
    need(roots.length === set, "the subtrees' roots are not as many as the size asks for");
    this.size = size;
    this.roots = [...roots];
  }

  push(leaf) {
    let root = leaf;
    for (let size = this.size; (size & 1n) === 1n; size >>= 1n) root = nodeHash(this.roots.pop(), root);
    this.roots.push(root);
    this.size += 1n;
  }

  /** Appends a complete subtree of so many leaves, a power of two, by its root. */
  pushSubtree(leaves, subtree) {
    need(this.size % leaves === 0n, "a subtree that does not begin here");
    let root = subtree;
    for (let size = this.size / leaves; (size & 1n) === 1n; size >>= 1n) root = nodeHash(this.roots.pop(), root);
    this.roots.push(root);
    this.size += leaves;
  }

  async root() {
    if (this.roots.length === 0) return sha256(new Uint8Array());
    let root = this.roots.at(-1);
    for (const wider of this.roots.slice(0, -1).reverse()) root = nodeHash(wider, root);
    return root;
  }
}
