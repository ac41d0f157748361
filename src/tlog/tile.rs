//! Tiles of 256 hashes ([C2SP tlog-tiles](https://c2sp.org/tlog-tiles)): how a tree is kept.
//!
//! [`Appender`] is the right edge of a tree: enough to append leaves, to know the root after each, and to say which
//! tiles changed. It needs no reads. [`Tiles`] is the read side, on which proofs are computed.

use super::hash::{Hash, empty_root, node_hash};

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;
const TILE_HEIGHT: u8 = 8;

/// Where tiles are read from. A tile is a run of 32-byte hashes; the last of a level may be partial.
pub trait Tiles {
    /// Why a read failed.
    type Error;

    /// The hashes of tile `n` of a level, as far as they exist; empty if there are none.
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Self::Error>;

    /// The hash over the 2^`height` leaves that start at `index`·2^`height`; `None` if the tiles do not hold them all.
    fn subtree(&self, height: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        let (level, below) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let width = 1u64 << below;
        let first = index * width;
        let tile = self.tile(level, first / TILE_WIDTH as u64)?;
        let start = (first % TILE_WIDTH as u64) as usize;
        Ok(tile.get(start..start + width as usize).map(full_root))
    }
}

/// Root over a power of two of hashes.
fn full_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&full_root(left), &full_root(right))
        }
    }
}

/// A tile that changed: to be stored under its level and index, in place of what stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileWrite {
    /// Level, from 0 (leaf hashes).
    pub level: u8,
    /// Index within the level.
    pub n: u64,
    /// 1 to 256 hashes.
    pub hashes: Vec<Hash>,
}

/// The right edge of a tree.
#[derive(Clone, Debug, Default)]
pub struct Appender {
    size: u64,
    /// The partial tile of each level (at most 255 hashes), lowest first.
    edge: Vec<Vec<Hash>>,
}

impl Appender {
    /// Reads the right edge of a tree of `size` leaves back from its tiles; `None` if tiles are missing.
    pub fn load<T: Tiles>(tiles: &T, size: u64) -> Result<Option<Self>, T::Error> {
        let mut edge = Vec::new();
        let mut width = size;
        let mut level = 0;
        while width > 0 {
            let partial = (width % TILE_WIDTH as u64) as usize;
            let mut hashes = if partial == 0 { Vec::new() } else { tiles.tile(level, width / TILE_WIDTH as u64)? };
            if hashes.len() < partial {
                return Ok(None);
            }
            hashes.truncate(partial);
            edge.push(hashes);
            width /= TILE_WIDTH as u64;
            level += 1;
        }
        Ok(Some(Self { size, edge }))
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf. Tiles that became full are pushed to `full`.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<TileWrite>) {
        self.size += 1;
        let mut carry = Some(leaf);
        let mut level = 0u8;
        while let Some(hash) = carry.take() {
            if self.edge.len() == usize::from(level) {
                self.edge.push(Vec::new());
            }
            let tile = &mut self.edge[usize::from(level)];
            tile.push(hash);
            if tile.len() == TILE_WIDTH {
                let hashes = std::mem::take(tile);
                carry = Some(full_root(&hashes));
                let n = (self.size >> (u32::from(TILE_HEIGHT) * (u32::from(level) + 1))) - 1;
                full.push(TileWrite { level, n, hashes });
                level += 1;
            }
        }
    }

    /// The partial tiles of the right edge, as they have to be stored for [`Appender::load`].
    pub fn partial_tiles(&self) -> impl Iterator<Item = TileWrite> + '_ {
        self.edge.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| TileWrite {
            level: level as u8,
            n: self.size >> (8 * (level + 1)),
            hashes: hashes.clone(),
        })
    }

    /// The hashes of a tile, if it is the partial one of its level.
    pub fn partial(&self, level: u8, n: u64) -> Option<&[Hash]> {
        let hashes = self.edge.get(usize::from(level))?;
        (n == self.size >> (8 * (u32::from(level) + 1))).then_some(hashes.as_slice())
    }

    /// The tree's root (RFC 6962, section 2.1).
    pub fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        for tile in &self.edge {
            // Complete subtrees inside the partial tile, widest first; folded from the right, with what lower
            // levels gave as the rightmost part.
            let mut parts = Vec::new();
            let mut rest = tile.as_slice();
            while !rest.is_empty() {
                let (part, tail) = rest.split_at(1 << rest.len().ilog2());
                parts.push(full_root(part));
                rest = tail;
            }
            for part in parts.into_iter().rev() {
                right = Some(match right {
                    Some(right) => node_hash(&part, &right),
                    None => part,
                });
            }
        }
        right.unwrap_or_else(empty_root)
    }
}
