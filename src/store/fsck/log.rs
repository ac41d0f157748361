//! One log by itself: the chain of its records, the tiles of its tree, its signed heads.

use super::Check;
use crate::ledger::Record;
use crate::node::LogId;
use crate::note::SignedNote;
use crate::store::StoreError;
use crate::store::columns::{Column, Fields, after, head_key, record_key, tile_key};
use crate::store::read::Scan;
use crate::tlog::{Appender, Checkpoint, CheckpointError, Hash, TILE_WIDTH, TileWrite, leaf_hash};

/// Entries of one log under a number each, one ahead of the reader.
struct Numbered<'a> {
    scan: Scan<'a>,
    next: Option<(u64, Vec<u8>)>,
}

impl<'a> Numbered<'a> {
    fn new(scan: Scan<'a>) -> Result<Self, StoreError> {
        let mut numbered = Self { scan, next: None };
        numbered.take()?;
        Ok(numbered)
    }

    /// The next entry, after which `self.next` is the one that follows it.
    fn take(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let following = match self.scan.next()? {
            None => None,
            Some((key, value)) => {
                let mut fields = Fields(key);
                let number = fields.log().and_then(|_| fields.number());
                let number = number.filter(|_| fields.end().is_some());
                Some((number.ok_or_else(|| StoreError::damaged("a key is none"))?, value.to_vec()))
            }
        };
        Ok(std::mem::replace(&mut self.next, following))
    }
}

/// One log while it is being read through.
struct Walk<'a> {
    log: LogId,
    code: String,
    edge: Appender,
    full: Vec<TileWrite>,
    /// Leaf hash of the record before.
    prev: Hash,
    /// The stored tile of leaf hashes that the next record belongs to.
    leaves: Vec<Hash>,
    heads: Numbered<'a>,
}

impl<'a> Check<'a> {
    pub(super) fn log(&mut self, log: LogId) -> Result<(), StoreError> {
        let before = self.report.faults.len();
        let store = self.store;
        let records = store.scan_all(Column::Records, &record_key(log, 0), &after(record_key(log, u64::MAX)))?;
        let heads = store.scan_all(Column::Heads, &head_key(log, 0), &after(head_key(log, u64::MAX)))?;
        let mut records = Numbered::new(records)?;
        let mut walk = Walk {
            log,
            code: self.code(log),
            edge: Appender::default(),
            full: Vec::new(),
            prev: store.treaty().hash(),
            leaves: Vec::new(),
            heads: Numbered::new(heads)?,
        };
        self.heads_at(&mut walk)?;
        let mut whole = true;
        while let Some((index, bytes)) = records.take()? {
            let next = records.next.as_ref().filter(|(next, _)| index.checked_add(1) == Some(*next));
            whole = self.gap(&mut walk, index, &bytes)?;
            if !whole {
                break;
            }
            self.record(&mut walk, &bytes, next.map(|(_, bytes)| bytes.as_slice()))?;
            self.step();
        }
        if whole {
            self.end(&mut walk)?;
            self.tiles_within(&walk)?;
        }
        if self.report.faults.len() > before || self.report.unlisted > 0 {
            self.sound[log] = false;
        }
        Ok(())
    }

    /// Steps over missing records up to `index`, by the leaves that the tree has of them; false if it has them not.
    fn gap(&mut self, walk: &mut Walk<'_>, index: u64, bytes: &[u8]) -> Result<bool, StoreError> {
        let first = walk.edge.size();
        if index == first {
            return Ok(true);
        }
        let claimed = Record::parse(bytes).ok().map(|record| record.prev);
        while walk.edge.size() < index {
            let leaf = self.stored_leaf(walk)?.or(claimed.filter(|_| walk.edge.size() + 1 == index));
            let Some(leaf) = leaf else { break };
            self.altered.insert((walk.log, walk.edge.size()));
            self.push(walk, leaf)?;
        }
        let last = index - 1;
        let code = &walk.code;
        let place =
            if first == last { format!("record {code}/{first}") } else { format!("records {code}/{first} to {last}") };
        let reached = walk.edge.size() == index;
        let what = if reached { "missing" } else { "missing, with their tiles: what follows cannot be verified" };
        self.report.fault(place, what);
        Ok(reached)
    }

    /// The leaf hash that the tree has for the next record.
    fn stored_leaf(&self, walk: &mut Walk<'_>) -> Result<Option<Hash>, StoreError> {
        let (n, at) = (walk.edge.size() / TILE_WIDTH as u64, (walk.edge.size() % TILE_WIDTH as u64) as usize);
        if at == 0 || walk.leaves.is_empty() {
            let value = self.store.get(Column::Tiles, &tile_key(walk.log, 0, n))?.unwrap_or_default();
            walk.leaves = value.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect();
        }
        Ok(walk.leaves.get(at).copied())
    }

    fn record(&mut self, walk: &mut Walk<'_>, bytes: &[u8], next: Option<&[u8]>) -> Result<(), StoreError> {
        let index = walk.edge.size();
        let treaty = self.store.treaty();
        let origin = treaty.origin(walk.log);
        let parsed = Record::parse_at(bytes, origin, index, &walk.prev);
        let (computed, stored) = (leaf_hash(bytes), self.stored_leaf(walk)?);
        let mut leaf = computed;
        if let Some(stored) = stored.filter(|stored| *stored != computed) {
            let chained = next.and_then(|next| Record::parse(next).ok()).map(|next| next.prev);
            let tree_is_right = match chained {
                Some(chained) => chained == stored,
                None => self.signed_with(walk, stored) || (parsed.is_err() && !self.signed_with(walk, computed)),
            };
            if tree_is_right {
                leaf = stored;
            }
        }
        let altered = leaf != computed;
        match parsed {
            Err(ref error) => self.report.fault(format!("record {}/{index}", walk.code), error.to_string()),
            Ok(_) if altered => {
                let what = "its bytes are not those that were logged: they do not hash to its leaf in the tree";
                self.report.fault(format!("record {}/{index}", walk.code), what);
            }
            Ok(_) => {}
        }
        if altered || parsed.is_err() {
            self.altered.insert((walk.log, index));
        }
        self.report.records += 1;
        self.push(walk, leaf)
    }

    /// Whether a signed head has this leaf as its last one.
    fn signed_with(&self, walk: &Walk<'_>, leaf: Hash) -> bool {
        let Some((size, note)) = &walk.heads.next else { return false };
        let mut edge = walk.edge.clone();
        edge.push(leaf, &mut Vec::new());
        let stated = SignedNote::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        *size == edge.size() && stated.is_some_and(|stated| stated.root == edge.root())
    }

    fn push(&mut self, walk: &mut Walk<'_>, leaf: Hash) -> Result<(), StoreError> {
        walk.prev = leaf;
        walk.edge.push(leaf, &mut walk.full);
        for tile in std::mem::take(&mut walk.full) {
            self.tile(walk, &tile)?;
        }
        self.heads_at(walk)
    }

    /// Compares a tile as it should be with the stored one.
    fn tile(&mut self, walk: &Walk<'_>, tile: &TileWrite) -> Result<(), StoreError> {
        let stored = self.store.get(Column::Tiles, &tile_key(walk.log, tile.level, tile.n))?;
        self.report.tiles += 1;
        let place = format!("tile {}/{}/{}", walk.code, tile.level, tile.n);
        let Some(stored) = stored else {
            self.report.fault(place, "missing");
            return Ok(());
        };
        let (hashes, rest) = stored.as_chunks::<32>();
        let differs = tile.hashes.iter().zip(hashes).position(|(hash, stored)| hash.0 != *stored);
        if let Some(at) = differs {
            let below = if tile.level == 0 { "record" } else { "tile below" };
            self.report.fault(place, format!("entry {at} is not the hash of its {below}"));
        } else if hashes.len() != tile.hashes.len() || !rest.is_empty() {
            self.report.fault(place, format!("has {} bytes, and should have {}", stored.len(), 32 * tile.hashes.len()));
        }
        Ok(())
    }

    /// Verifies the heads of the size that was reached.
    fn heads_at(&mut self, walk: &mut Walk<'_>) -> Result<(), StoreError> {
        while walk.heads.next.as_ref().is_some_and(|(size, _)| *size <= walk.edge.size()) {
            let Some((size, note)) = walk.heads.take()? else { break };
            self.head(walk, size, &note, Some(walk.edge.root()));
        }
        Ok(())
    }

    /// Verifies a head: its signature, its size, and its root where the tree up to it is held.
    fn head(&mut self, walk: &Walk<'_>, size: u64, note: &[u8], root: Option<Hash>) -> bool {
        self.report.heads += 1;
        let verified =
            SignedNote::parse(note).map_err(|e| e.to_string()).map(|note| self.keys.party(walk.log).verify_head(&note));
        let what = match verified {
            Err(error) => error,
            // A larger head by a key that the records still to come put in force.
            Ok(Err(CheckpointError::UnknownKey(_))) if size > self.store.held(walk.log) => return true,
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(head)) if head.size != size => format!("it is of size {}", head.size),
            Ok(Ok(head)) if root.is_some_and(|root| root != head.root) => {
                "the root that the log signed is not that of the records held".into()
            }
            Ok(Ok(_)) => return true,
        };
        self.report.fault(format!("head {}/{size}", walk.code), what);
        false
    }

    /// After the last record: the partial tiles, and the heads of what is still to come.
    fn end(&mut self, walk: &mut Walk<'_>) -> Result<(), StoreError> {
        let size = walk.edge.size();
        let partial: Vec<_> = walk.edge.partial_tiles().collect();
        for tile in partial {
            self.tile(walk, &tile)?;
        }
        let last = self.store.last(Column::Heads, &head_key(walk.log, size), &after(head_key(walk.log, u64::MAX)))?;
        if size > 0 && last.is_none() {
            let what = "no signed head covers the last of them";
            self.report.fault(format!("records {}", walk.code), what);
        }
        while let Some((at, note)) = walk.heads.take()? {
            self.head(walk, at, &note, None);
        }
        Ok(())
    }

    /// Looks for tiles that the tree does not have.
    fn tiles_within(&mut self, walk: &Walk<'_>) -> Result<(), StoreError> {
        let end = after(tile_key(walk.log, u8::MAX, u64::MAX));
        let mut scan = self.store.scan_all(Column::Tiles, &tile_key(walk.log, 0, 0), &end)?;
        while let Some((key, _)) = scan.next()? {
            let mut fields = Fields(key);
            let read = fields.log().and_then(|_| fields.bytes::<1>()).zip(fields.number());
            let ([level], n) = read.ok_or_else(|| StoreError::damaged("a tile's key is none"))?;
            let width = walk.edge.size().checked_shr(8 * u32::from(level)).unwrap_or(0);
            if n.checked_mul(TILE_WIDTH as u64).is_none_or(|first| first >= width) {
                self.report.fault(format!("tile {}/{level}/{n}", walk.code), "there are no records for it");
            }
        }
        Ok(())
    }
}
