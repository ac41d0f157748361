//! The branch of a log that does not go on after a restart: its tree, and a view of stored data in which it is the log.
//!
//! What stands on such a branch was said by the party all the same. Seen through [`BranchRead`] it is shown and proved as
//! any other log is.

use std::collections::{BTreeMap, HashMap};

use super::memory::note_id;
use super::rekey::load_keyring;
use super::storage::{Cosigned, LogId, LogTiles, Read, ReadError, ReceiptEntry};
use crate::ledger::{NoteId, Receipt, Record, RecordType, Restart, Treaty};
use crate::note::SignedNote;
use crate::tlog::{Appender, Checkpoint, Hash, TileWrite, Tiles, leaf_hash, root_at};

/// Records read at a time.
const PAGE_RECORDS: u64 = 256;
const PAGE_BYTES: usize = 1 << 20;

/// The tree over a branch: 32 bytes a record, in memory.
#[derive(Clone, Debug)]
pub(super) struct BranchTree {
    from: u64,
    size: u64,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

impl BranchTree {
    /// Hashes the records that are held of the branch; `None` if they do not lead to its head.
    pub fn load(log: LogId, restart: &Restart, read: &dyn Read) -> Result<Option<Self>, ReadError> {
        let (from, head) = (restart.common, restart.other_head());
        let Some(mut edge) = Appender::load(&LogTiles { read, log }, from.min(read.size(log)?))? else {
            return Ok(None);
        };
        let (mut at, mut full) = (from, Vec::new());
        while at < head.size && edge.size() == at {
            let page = read.branch(log, restart.kept_head().size, at, PAGE_RECORDS, PAGE_BYTES)?;
            if page.is_empty() {
                return Ok(None);
            }
            at += page.len() as u64;
            page.iter().for_each(|bytes| edge.push(leaf_hash(bytes), &mut full));
        }
        if edge.size() != head.size || edge.root() != head.root {
            return Ok(None);
        }
        Ok(Some(Self::new(from, edge, full)))
    }

    /// The tree from where the branches part, of its end and the tiles that were full before it.
    pub fn new(from: u64, edge: Appender, mut full: Vec<TileWrite>) -> Self {
        let size = edge.size();
        full.extend(edge.partial_tiles());
        Self { from, size, tiles: full.into_iter().map(|tile| ((tile.level, tile.n), tile.hashes)).collect() }
    }

    /// The branch's tiles; those that are whole before the branches part are the log's.
    pub fn tiles<'a>(&'a self, log: LogId, read: &'a dyn Read) -> BranchTiles<'a> {
        BranchTiles { tree: self, log, read }
    }

    /// The root that the branch has at a size; `None` beyond its end.
    pub fn root_at(&self, log: LogId, size: u64, read: &dyn Read) -> Result<Option<Hash>, ReadError> {
        if size > self.size { Ok(None) } else { root_at(&self.tiles(log, read), size) }
    }
}

pub(super) struct BranchTiles<'a> {
    tree: &'a BranchTree,
    log: LogId,
    read: &'a dyn Read,
}

impl Tiles for BranchTiles<'_> {
    type Error = ReadError;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        match self.tree.tiles.get(&(level, n)) {
            Some(hashes) => Ok(hashes.clone()),
            None => self.read.tile(self.log, level, n),
        }
    }
}

/// Stored data with one branch of one log in the place of that log.
pub struct BranchRead<'a> {
    read: &'a dyn Read,
    log: LogId,
    restart: Restart,
    tree: BranchTree,
    head: Vec<u8>,
    /// By party and size.
    receipts: BTreeMap<(LogId, u64), ReceiptEntry>,
    credentials: Vec<u64>,
    amendments: Vec<u64>,
    notes: HashMap<NoteId, u64>,
}

impl<'a> BranchRead<'a> {
    /// The branch that the restart certificate with this number left, from 1; `None` if there is none, or its records are
    /// not held. Reads the branch, and what the other logs have received since the branches parted.
    pub fn open(read: &'a dyn Read, treaty: &Treaty, log: LogId, number: usize) -> Result<Option<Self>, ReadError> {
        let notes = read.restarts(log)?;
        let note = number.checked_sub(1).and_then(|at| notes.get(at));
        let Some(restart) = note.and_then(|note| Restart::verify(note, log, treaty).ok()) else { return Ok(None) };
        let Some(tree) = BranchTree::load(log, &restart, read)? else { return Ok(None) };
        let head = restart.notes().1.to_bytes();
        let before = |all: Vec<u64>| all.into_iter().filter(|index| *index < restart.common).collect::<Vec<_>>();
        let (credentials, amendments) = (before(read.credentials(log)?), before(read.amendments(log)?));
        let (receipts, notes) = (BTreeMap::new(), HashMap::new());
        let mut branch = Self { read, log, restart, tree, head, receipts, credentials, amendments, notes };
        branch.index()?;
        branch.find_receipts(treaty)?;
        Ok(Some(branch))
    }

    /// The certificate.
    pub fn restart(&self) -> &Restart {
        &self.restart
    }

    fn own(&self, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        self.read.branch(self.log, self.restart.kept_head().size, from, count, max_bytes)
    }

    fn index(&mut self) -> Result<(), ReadError> {
        let mut at = self.tree.from;
        while at < self.tree.size {
            for bytes in self.own(at, PAGE_RECORDS, PAGE_BYTES)? {
                if let Ok(record) = Record::parse(&bytes) {
                    match record.kind {
                        RecordType::Credential => self.credentials.push(at),
                        RecordType::Amendment => self.amendments.push(at),
                        _ => {}
                    }
                    if let Some(id) = note_id(record.kind, &bytes) {
                        self.notes.entry(id).or_insert(at);
                    }
                }
                at += 1;
            }
        }
        Ok(())
    }

    /// Receipts on this branch are in no index: they are found in the logs of those who gave them.
    fn find_receipts(&mut self, treaty: &Treaty) -> Result<(), ReadError> {
        let keys = load_keyring(treaty, self)?;
        let (log, read, parties) = (self.log, self.read, treaty.parties().len());
        about(read, log, parties, self.tree.from, &mut |by, index, record| {
            let Some(stated) = stated(record, treaty.origin(log)) else { return Ok(()) };
            if stated.size <= self.tree.from || self.tree.root_at(log, stated.size, read)? != Some(stated.root) {
                return Ok(());
            }
            if let Ok(receipt) = Receipt::verify(record.payload, by, index, &keys) {
                let (size, time) = (stated.size, receipt.time);
                self.receipts.entry((by, size)).or_insert(ReceiptEntry { log, by, size, index, time });
            }
            Ok(())
        })
    }
}

/// Walks over the receipts and fork proofs in the other logs since each party's last receipt for at most so many records
/// of a log: what is found on a branch is in no index. `found` is told the party, the place and the record.
pub(super) fn about(
    read: &dyn Read,
    log: LogId,
    parties: usize,
    after: u64,
    found: &mut dyn FnMut(LogId, u64, &Record<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    for by in (0..parties).filter(|by| *by != log) {
        let mut at = read.receipt_up_to(log, by, after)?.map_or(0, |entry| entry.index + 1);
        let end = read.size(by)?;
        while at < end {
            let page = read.records(by, at, PAGE_RECORDS.min(end - at), PAGE_BYTES)?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                if let Ok(record) = Record::parse(&bytes)
                    && matches!(record.kind, RecordType::Receipt | RecordType::Evidence)
                {
                    found(by, at, &record)?;
                }
                at += 1;
            }
        }
    }
    Ok(())
}

/// The head that a receipt's record is about, if it is of a log; nothing is verified.
pub(super) fn stated(record: &Record<'_>, origin: &str) -> Option<Checkpoint> {
    if record.kind != RecordType::Receipt || !record.payload.starts_with(origin.as_bytes()) {
        return None;
    }
    let note = SignedNote::parse(record.payload).ok()?;
    Checkpoint::parse(note.text()).ok().filter(|stated| stated.origin == origin)
}

impl Read for BranchRead<'_> {
    fn size(&self, log: LogId) -> Result<u64, ReadError> {
        if log == self.log { Ok(self.tree.size) } else { self.read.size(log) }
    }
    fn record(&self, log: LogId, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        if log == self.log && index >= self.tree.from {
            return Ok(self.own(index, 1, PAGE_BYTES)?.pop());
        }
        self.read.record(log, index)
    }
    fn records(&self, log: LogId, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        if log != self.log {
            return self.read.records(log, from, count, max_bytes);
        }
        if from >= self.tree.from {
            return self.own(from, count, max_bytes);
        }
        self.read.records(log, from, count.min(self.tree.from - from), max_bytes)
    }
    fn tile(&self, log: LogId, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        if log == self.log { self.tree.tiles(log, self.read).tile(level, n) } else { self.read.tile(log, level, n) }
    }
    fn head(&self, log: LogId, at_most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        if log != self.log {
            return self.read.head(log, at_most);
        }
        if at_most >= self.tree.size {
            return Ok(Some(self.head.clone()));
        }
        self.read.head(log, at_most.min(self.tree.from))
    }
    fn head_from(&self, log: LogId, at_least: u64) -> Result<Option<Vec<u8>>, ReadError> {
        if log != self.log {
            return self.read.head_from(log, at_least);
        }
        let own = |note: &Vec<u8>| {
            let stated = SignedNote::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
            stated.is_some_and(|stated| stated.size <= self.tree.from)
        };
        let common = self.read.head_from(log, at_least)?.filter(own);
        Ok(common.or_else(|| (at_least <= self.tree.size).then(|| self.head.clone())))
    }
    fn cosigned(&self, log: LogId) -> Result<Option<Cosigned>, ReadError> {
        self.read.cosigned(log)
    }
    fn fork(&self, log: LogId) -> Result<Option<Vec<u8>>, ReadError> {
        self.read.fork(log)
    }
    fn receipt_from(&self, log: LogId, by: LogId, at_least: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        if log != self.log {
            return self.read.receipt_from(log, by, at_least);
        }
        let common = self.read.receipt_from(log, by, at_least)?.filter(|entry| entry.size <= self.tree.from);
        Ok(common.or_else(|| self.receipts.range((by, at_least)..=(by, u64::MAX)).next().map(|(_, entry)| *entry)))
    }
    fn receipt_up_to(&self, log: LogId, by: LogId, at_most: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        if log != self.log {
            return self.read.receipt_up_to(log, by, at_most);
        }
        match self.receipts.range((by, 0)..=(by, at_most)).next_back() {
            Some((_, entry)) => Ok(Some(*entry)),
            None => self.read.receipt_up_to(log, by, at_most.min(self.tree.from)),
        }
    }
    fn note(&self, log: LogId, id: &NoteId) -> Result<Option<u64>, ReadError> {
        let found = self.read.note(log, id)?;
        if log != self.log {
            return Ok(found);
        }
        Ok(found.filter(|index| *index < self.tree.from).or_else(|| self.notes.get(id).copied()))
    }
    fn credentials(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        if log == self.log { Ok(self.credentials.clone()) } else { self.read.credentials(log) }
    }
    fn amendments(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        if log == self.log { Ok(self.amendments.clone()) } else { self.read.amendments(log) }
    }
    fn restarts(&self, log: LogId) -> Result<Vec<Vec<u8>>, ReadError> {
        self.read.restarts(log)
    }
    fn branch(
        &self,
        log: LogId,
        kept: u64,
        from: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        self.read.branch(log, kept, from, count, max_bytes)
    }
}
