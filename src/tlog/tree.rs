//! Merkle proofs: RFC 9162, section 2.1 (the trees and proofs of RFC 6962).

use super::hash::{Hash, empty_root, node_hash};
use super::tile::Tiles;

/// A proof does not lead to the roots that it should lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle proof does not lead to the signed root")]
pub struct ProofInvalid;

/// The largest power of two below `n`, for `n` of at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// MTH(D[lo:hi]), for a range that begins at a multiple of its width's power of two, as all ranges here do.
fn range_root<T: Tiles>(tiles: &T, lo: u64, hi: u64) -> Result<Option<Hash>, T::Error> {
    let width = hi - lo;
    if width.is_power_of_two() {
        let height = width.trailing_zeros() as u8;
        return tiles.subtree(height, lo >> height);
    }
    let k = split(width);
    let (left, right) = (range_root(tiles, lo, lo + k)?, range_root(tiles, lo + k, hi)?);
    Ok(left.zip(right).map(|(l, r)| node_hash(&l, &r)))
}

/// Root of the first `size` leaves; `None` if the tiles do not hold them.
pub fn root_at<T: Tiles>(tiles: &T, size: u64) -> Result<Option<Hash>, T::Error> {
    if size == 0 { Ok(Some(empty_root())) } else { range_root(tiles, 0, size) }
}

/// PATH(index, D\[0:size\]): the audit path, from the leaf's sibling up (RFC 9162, section 2.1.3.1).
///
/// `None` if the index is not within the size, or the tiles do not hold the tree.
pub fn inclusion_proof<T: Tiles>(tiles: &T, index: u64, size: u64) -> Result<Option<Vec<Hash>>, T::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut lo, mut hi) = (0, size);
    let mut path = Vec::new();
    while hi - lo > 1 {
        let middle = lo + split(hi - lo);
        let sibling = if index < middle { range_root(tiles, middle, hi)? } else { range_root(tiles, lo, middle)? };
        let Some(sibling) = sibling else { return Ok(None) };
        path.push(sibling);
        if index < middle { hi = middle } else { lo = middle }
    }
    path.reverse();
    Ok(Some(path))
}

/// Verifies an audit path (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofInvalid> {
    if index >= size {
        return Err(ProofInvalid);
    }
    let (mut f, mut s) = (index, size - 1);
    let mut r = *leaf;
    for p in path {
        if s == 0 {
            return Err(ProofInvalid);
        }
        if f & 1 == 1 || f == s {
            r = node_hash(p, &r);
            while f & 1 == 0 && f != 0 {
                f >>= 1;
                s >>= 1;
            }
        } else {
            r = node_hash(&r, p);
        }
        f >>= 1;
        s >>= 1;
    }
    if s == 0 && r == *root { Ok(()) } else { Err(ProofInvalid) }
}

/// PROOF(old, D\[0:new\]): that the first `old` leaves are a prefix (RFC 9162, section 2.1.4.1).
///
/// Empty where `old` is 0 or equals `new`. `None` if `old` exceeds `new` or the tiles do not hold the tree.
pub fn consistency_proof<T: Tiles>(tiles: &T, old: u64, new: u64) -> Result<Option<Vec<Hash>>, T::Error> {
    if old > new {
        return Ok(None);
    }
    if old == 0 || old == new {
        return Ok(Some(Vec::new()));
    }
    let mut proof = Vec::new();
    let (mut lo, mut hi) = (0, new);
    // Walk down to the subtree whose right end is `old`; each step leaves the other half as a proof hash.
    while hi != old {
        let middle = lo + split(hi - lo);
        let other = if old <= middle {
            let right = range_root(tiles, middle, hi)?;
            hi = middle;
            right
        } else {
            let left = range_root(tiles, lo, middle)?;
            lo = middle;
            left
        };
        let Some(other) = other else { return Ok(None) };
        proof.push(other);
    }
    if lo != 0 {
        let Some(last) = range_root(tiles, lo, hi)? else { return Ok(None) };
        proof.push(last);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Verifies a consistency proof (RFC 9162, section 2.1.4.2). An empty tree is a prefix of every tree.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofInvalid> {
    let fits = |ok: bool| if ok { Ok(()) } else { Err(ProofInvalid) };
    if old == 0 {
        return fits(proof.is_empty() && *old_root == empty_root() && (new > 0 || *new_root == empty_root()));
    }
    if old == new {
        return fits(proof.is_empty() && old_root == new_root);
    }
    if old > new {
        return Err(ProofInvalid);
    }
    // Where `old` is a power of two, its root is itself a node of the new tree and not repeated in the proof.
    let mut rest = proof.iter();
    let seed = if old.is_power_of_two() { old_root } else { rest.next().ok_or(ProofInvalid)? };
    let (mut f, mut s) = (old - 1, new - 1);
    while f & 1 == 1 {
        f >>= 1;
        s >>= 1;
    }
    let (mut fr, mut sr) = (*seed, *seed);
    for c in rest {
        if s == 0 {
            return Err(ProofInvalid);
        }
        if f & 1 == 1 || f == s {
            fr = node_hash(c, &fr);
            sr = node_hash(c, &sr);
            while f & 1 == 0 && f != 0 {
                f >>= 1;
                s >>= 1;
            }
        } else {
            sr = node_hash(&sr, c);
        }
        f >>= 1;
        s >>= 1;
    }
    fits(s == 0 && fr == *old_root && sr == *new_root)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::hash::leaf_hash;
    use super::super::tile::Appender;
    use super::*;

    #[derive(Default)]
    struct Memory(HashMap<(u8, u64), Vec<Hash>>);

    impl Tiles for Memory {
        type Error = Infallible;
        fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Infallible> {
            Ok(self.0.get(&(level, n)).cloned().unwrap_or_default())
        }
    }

    fn tree(leaves: &[Hash]) -> (Memory, Appender) {
        let (mut memory, mut appender, mut full) = (Memory::default(), Appender::default(), Vec::new());
        for leaf in leaves {
            appender.push(*leaf, &mut full);
        }
        for tile in full.into_iter().chain(appender.partial_tiles()) {
            memory.0.insert((tile.level, tile.n), tile.hashes);
        }
        (memory, appender)
    }

    /// MTH as RFC 6962 defines it, with nothing clever in it.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    #[test]
    fn the_well_known_tree_of_eight_has_its_published_roots() {
        // The test tree of certificate-transparency's reference implementation.
        let entries: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for n in 1..=8 {
            let hashes: Vec<_> = entries[..n].iter().map(|e| leaf_hash(e)).collect();
            assert_eq!(tree(&hashes).1.root().to_hex(), roots[n - 1], "{n} leaves");
        }
    }

    #[test]
    fn every_small_tree_has_every_root_and_proof() {
        for size in [0, 1, 2, 3, 7, 8, 15, 64, 65, 255, 256, 257, 511, 600] {
            let leaves = leaves(size);
            let (memory, appender) = tree(&leaves);
            assert_eq!(appender.root(), mth(&leaves));
            let step = (size / 20).max(1) as usize;
            for old in (0..=size).step_by(step) {
                let old_root = root_at(&memory, old).unwrap().unwrap();
                assert_eq!(old_root, mth(&leaves[..old as usize]));
                let proof = consistency_proof(&memory, old, size).unwrap().unwrap();
                verify_consistency(old, &old_root, size, &appender.root(), &proof).unwrap();
                if old < size {
                    let path = inclusion_proof(&memory, old, size).unwrap().unwrap();
                    verify_inclusion(&leaves[old as usize], old, size, &path, &appender.root()).unwrap();
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_proof_holds_for_its_own_claim_and_no_other(size in 1u64..700, a in 0u64..700, b in 0u64..700, bit in 0usize..256) {
            let leaves = leaves(size);
            let (memory, appender) = tree(&leaves);
            let (index, other) = (a % size, b % size);
            let root = appender.root();
            let path = inclusion_proof(&memory, index, size).unwrap().unwrap();
            verify_inclusion(&leaves[index as usize], index, size, &path, &root).unwrap();
            if other != index {
                prop_assert!(verify_inclusion(&leaves[other as usize], index, size, &path, &root).is_err());
                prop_assert!(verify_inclusion(&leaves[index as usize], other, size, &path, &root).is_err());
            }
            let mut bent = root;
            bent.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_inclusion(&leaves[index as usize], index, size, &path, &bent).is_err());
            let old = index + 1;
            let old_root = mth(&leaves[..old as usize]);
            let proof = consistency_proof(&memory, old, size).unwrap().unwrap();
            verify_consistency(old, &old_root, size, &root, &proof).unwrap();
            prop_assert!(verify_consistency(old, &old_root, size, &bent, &proof).is_err());
            if !proof.is_empty() {
                let mut bent = proof.clone();
                let at = b as usize % bent.len();
                bent[at].0[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(verify_consistency(old, &old_root, size, &root, &bent).is_err());
            }
        }

        #[test]
        fn a_reloaded_edge_goes_on_as_the_old_one(before in 0u64..1200, after in 1u64..300) {
            let leaves = leaves(before + after);
            let (memory, _) = tree(&leaves[..before as usize]);
            let mut edge = Appender::load(&memory, before).unwrap().unwrap();
            for leaf in &leaves[before as usize..] {
                edge.push(*leaf, &mut Vec::new());
            }
            prop_assert_eq!(edge.root(), mth(&leaves));
        }
    }
}
