//! The tree of a published log: tiles that are believed only as far as they lead to the signed root.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::runtime::Runtime;

use super::place::{FetchError, Place};
use crate::tlog::{Appender, Checkpoint, CompactRange, Hash, TILE_WIDTH, TilePath, Tiles};

const TILE_BYTES: usize = 32 * TILE_WIDTH;

/// Why a published log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Fetching.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Something is not there that the head needs.
    #[error("{0} is missing, and the signed head needs it")]
    Missing(String),
    /// Something does not lead to the signed root.
    #[error("{0} is not what the head was signed over")]
    Wrong(String),
}

/// The tiles of a published log under one of its heads. Each was checked before it is handed out.
pub struct SignedTree<'a> {
    place: &'a Place,
    runtime: &'a Runtime,
    /// `<ledger>/<party>`.
    prefix: String,
    size: u64,
    /// The partial tile of each level.
    edge: Vec<Vec<Hash>>,
    /// Of each level the tile that was read last.
    last: RefCell<BTreeMap<u8, (u64, Vec<Hash>)>>,
}

/// The right edge, as it was fetched.
struct Edge<'a>(&'a [Vec<Hash>]);

impl Tiles for Edge<'_> {
    type Error = std::convert::Infallible;
    fn tile(&self, level: u8, _: u64) -> Result<Vec<Hash>, Self::Error> {
        Ok(self.0.get(usize::from(level)).cloned().unwrap_or_default())
    }
}

impl<'a> SignedTree<'a> {
    /// Fetches the right edge and checks that it leads to the head's root.
    pub fn open(place: &'a Place, runtime: &'a Runtime, prefix: &str, head: &Checkpoint) -> Result<Self, TreeError> {
        let levels = (0..8).take_while(|level| head.size >> (8 * level) > 0).count();
        let mut tree = Self {
            place,
            runtime,
            prefix: prefix.to_owned(),
            size: head.size,
            edge: vec![Vec::new(); levels],
            last: RefCell::default(),
        };
        for path in TilePath::partials(head.size) {
            if let Some(level) = path.level {
                tree.edge[usize::from(level)] = tree.fetch(path)?;
            }
        }
        let loaded = match Appender::load(&Edge(&tree.edge), head.size) {
            Ok(loaded) => loaded,
            Err(never) => match never {},
        };
        match loaded {
            Some(edge) if edge.root() == head.root => Ok(tree),
            _ => Err(TreeError::Wrong(format!("{prefix}: the tree's edge at {} records", head.size))),
        }
    }

    /// Fetches the hashes of a tile; of a partial one that is gone, the full one's first.
    fn fetch(&self, path: TilePath) -> Result<Vec<Hash>, TreeError> {
        let name = |path: TilePath| format!("{}/{path}", self.prefix);
        let get = |path: TilePath| self.runtime.block_on(self.place.get(&name(path), TILE_BYTES));
        let found = match get(path)? {
            None if path.is_partial() => get(path.full())?,
            found => found,
        };
        let bytes = found.ok_or_else(|| TreeError::Missing(name(path)))?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        match hashes.get(..usize::from(path.width)) {
            Some(hashes) if rest.is_empty() => Ok(hashes.iter().map(|hash| Hash(*hash)).collect()),
            _ => Err(TreeError::Wrong(name(path))),
        }
    }
}

impl Tiles for SignedTree<'_> {
    type Error = TreeError;

    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, TreeError> {
        let full = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        if n >= full {
            let edge = self.edge.get(usize::from(level)).filter(|_| n == full);
            return Ok(edge.cloned().unwrap_or_default());
        }
        if let Some((_, hashes)) = self.last.borrow().get(&level).filter(|(at, _)| *at == n) {
            return Ok(hashes.clone());
        }
        let path = TilePath { level: Some(level), n, width: TILE_WIDTH as u16 };
        let hashes = self.fetch(path)?;
        let above = self.tile(level + 1, n / TILE_WIDTH as u64)?;
        if above.get((n % TILE_WIDTH as u64) as usize) != Some(&root(&hashes)) {
            return Err(TreeError::Wrong(format!("{}/{path}", self.prefix)));
        }
        self.last.borrow_mut().insert(level, (n, hashes.clone()));
        Ok(hashes)
    }
}

/// Root over a tile's hashes.
fn root(hashes: &[Hash]) -> Hash {
    let mut range = CompactRange::new(0, Vec::new());
    if let Some(range) = &mut range {
        hashes.iter().for_each(|hash| range.push(*hash));
    }
    range.map_or_else(crate::tlog::empty_root, |range| range.root())
}
