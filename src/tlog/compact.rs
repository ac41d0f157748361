//! A compact range: the first leaves of a tree as the roots of its complete subtrees, to which further leaves are
//! appended (the tree of RFC 9162, section 2.1).
//!
//! It shows that a list of records is *all* that a log holds from one size to another: the roots give the tree's root
//! at the smaller size, and with the leaves appended the root at the larger one.

use super::hash::{Hash, empty_root, node_hash};
use super::tile::Tiles;

/// The complete subtrees that leaves `from` to, not including, `to` make up, from the left: the height of each and its
/// index among those of its height.
pub fn subtrees(from: u64, to: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let width = to.checked_sub(at).filter(|width| *width > 0)?;
        // As wide as the place where it begins and what is left allow.
        let height = at.trailing_zeros().min(width.ilog2());
        let found = (height as u8, at >> height);
        at += 1 << height;
        Some(found)
    })
}

/// The first `size` leaves of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    /// Widest first: one root for each bit of `size` that is set.
    roots: Vec<Hash>,
}

impl CompactRange {
    /// From the subtrees' roots, widest first; `None` if there are not as many as `size` has bits that are set.
    pub fn new(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// Reads it from a tree's tiles; `None` if they do not hold the tree.
    pub fn load<T: Tiles>(tiles: &T, size: u64) -> Result<Option<Self>, T::Error> {
        let mut roots = Vec::new();
        for height in (0..64u8).rev().filter(|height| (size >> height) & 1 == 1) {
            // The subtree of this height that ends where the bits down to it end.
            let Some(root) = tiles.subtree(height, (size >> height) - 1)? else { return Ok(None) };
            roots.push(root);
        }
        Ok(Some(Self { size, roots }))
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtrees' roots, widest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends a leaf. The size stays below 2^64 as long as it stands for leaves that somebody holds.
    pub fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            root = node_hash(&left, &root);
        }
        self.roots.push(root);
        self.size = self.size.wrapping_add(1);
    }

    /// Appends 2^`height` leaves by the root of their complete subtree; `false`, with nothing appended, where such a
    /// subtree does not begin at this size.
    pub fn push_subtree(&mut self, height: u8, root: Hash) -> bool {
        let Some(width) = 1u64.checked_shl(height.into()) else { return false };
        let Some(size) = self.size.checked_add(width).filter(|_| self.size.is_multiple_of(width)) else { return false };
        let mut root = root;
        for _ in 0..(self.size >> height).trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            root = node_hash(&left, &root);
        }
        self.roots.push(root);
        self.size = size;
        true
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        let fold = |right: Hash, left: &Hash| node_hash(left, &right);
        match self.roots.split_last() {
            None => empty_root(),
            Some((last, wider)) => wider.iter().rev().fold(*last, fold),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::hash::leaf_hash;
    use super::super::tile::Appender;
    use super::*;

    struct Memory(HashMap<(u8, u64), Vec<Hash>>);

    impl Tiles for Memory {
        type Error = Infallible;
        fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Infallible> {
            Ok(self.0.get(&(level, n)).cloned().unwrap_or_default())
        }
    }

    proptest! {
        #[test]
        fn a_range_goes_on_to_the_trees_own_roots(before in 0u64..700, after in 0u64..300) {
            let (mut appender, mut full) = (Appender::default(), Vec::new());
            let leaf = |n: u64| leaf_hash(&n.to_be_bytes());
            (0..before).for_each(|n| appender.push(leaf(n), &mut full));
            let tiles = full.iter().cloned().chain(appender.partial_tiles());
            let memory = Memory(tiles.map(|tile| ((tile.level, tile.n), tile.hashes)).collect());
            let mut range = CompactRange::load(&memory, before).unwrap().unwrap();
            prop_assert_eq!(range.root(), appender.root());
            prop_assert_eq!(CompactRange::new(before, range.roots().to_vec()), Some(range.clone()));
            prop_assert_eq!(CompactRange::new(before + 1, range.roots().to_vec()).is_some(),
                before.count_ones() == (before + 1).count_ones());
            for n in before..before + after {
                appender.push(leaf(n), &mut full);
                range.push(leaf(n));
            }
            prop_assert_eq!(range.root(), appender.root());
            prop_assert_eq!(range.size(), before + after);
        }

        #[test]
        fn leaves_left_out_are_stood_for_by_the_roots_of_their_subtrees(size in 1u64..900, a in 0u64..900, b in 0u64..900) {
            let (from, to) = (a.min(b).min(size), a.max(b).min(size));
            let (mut appender, mut full) = (Appender::default(), Vec::new());
            let leaf = |n: u64| leaf_hash(&n.to_be_bytes());
            (0..size).for_each(|n| appender.push(leaf(n), &mut full));
            let tiles = full.iter().cloned().chain(appender.partial_tiles());
            let memory = Memory(tiles.map(|tile| ((tile.level, tile.n), tile.hashes)).collect());
            let mut range = CompactRange::default();
            (0..from).for_each(|n| range.push(leaf(n)));
            let mut count = 0;
            for (height, index) in subtrees(from, to) {
                prop_assert_eq!(index << height, range.size());
                prop_assert!(range.push_subtree(height, memory.subtree(height, index).unwrap().unwrap()));
                count += 1;
            }
            prop_assert!(count <= 2 * 64 && range.size() == to);
            (to..size).for_each(|n| range.push(leaf(n)));
            prop_assert_eq!(range.root(), appender.root());
            if !size.is_multiple_of(2) {
                prop_assert!(!range.clone().push_subtree(1, leaf(0)));
            }
            prop_assert!(!range.push_subtree(64, leaf(0)));
        }
    }
}
