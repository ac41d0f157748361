//! The seam to the disk: what the engine reads, and the one batch that it asks to have written and synced.

use crate::ledger::{NoteId, RecordType, Timestamp};
use crate::tlog::{Hash, TileWrite, Tiles};

/// A log, by the place of its party in the treaty file.
pub type LogId = usize;

/// A read failed. The engine cannot go on: its state would no longer be that of the disk.
#[derive(Clone, Debug, thiserror::Error)]
#[error("reading stored data failed: {0}")]
pub struct ReadError(pub String);

/// The last head of a log that this party cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// A receipt as it is found again: what a witness's log says about another log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptEntry {
    /// The log that is receipted.
    pub log: LogId,
    /// The party that receipts.
    pub by: LogId,
    /// Size of the receipted head.
    pub size: u64,
    /// Index of the receipt in the log of `by`.
    pub index: u64,
    /// Time of the cosignature.
    pub time: Timestamp,
}

/// What stored data can be asked. Everything was verified before it was written.
pub trait Read {
    /// Number of records held of a log.
    fn size(&self, log: LogId) -> Result<u64, ReadError>;
    /// A record's bytes.
    fn record(&self, log: LogId, index: u64) -> Result<Option<Vec<u8>>, ReadError>;
    /// Records from an index on, until `count` or `max_bytes` are reached; at least one if there is one.
    fn records(&self, log: LogId, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, ReadError>;
    /// A tile of a log's tree.
    fn tile(&self, log: LogId, level: u8, n: u64) -> Result<Vec<Hash>, ReadError>;
    /// The largest stored head of a log with at most this size.
    fn head(&self, log: LogId, at_most: u64) -> Result<Option<Vec<u8>>, ReadError>;
    /// The smallest stored head of a log with at least this size.
    fn head_from(&self, log: LogId, at_least: u64) -> Result<Option<Vec<u8>>, ReadError>;
    /// The last head of a log that this party cosigned.
    fn cosigned(&self, log: LogId) -> Result<Option<Cosigned>, ReadError>;
    /// The proof that a log forked, if it did.
    fn fork(&self, log: LogId) -> Result<Option<Vec<u8>>, ReadError>;
    /// The first receipt by a party on a head of at least this size.
    fn receipt_from(&self, log: LogId, by: LogId, at_least: u64) -> Result<Option<ReceiptEntry>, ReadError>;
    /// The receipt by a party on the largest head of at most this size.
    fn receipt_up_to(&self, log: LogId, by: LogId, at_most: u64) -> Result<Option<ReceiptEntry>, ReadError>;
    /// The receipt by a party on the largest head.
    fn last_receipt(&self, log: LogId, by: LogId) -> Result<Option<ReceiptEntry>, ReadError> {
        self.receipt_up_to(log, by, u64::MAX)
    }
    /// Where the notification with this id stands in a log.
    fn note(&self, log: LogId, id: &NoteId) -> Result<Option<u64>, ReadError>;
    /// Indexes of a log's credential records.
    fn credentials(&self, log: LogId) -> Result<Vec<u64>, ReadError>;
    /// Indexes of a log's amendment records.
    fn amendments(&self, log: LogId) -> Result<Vec<u64>, ReadError>;
    /// The restart certificates of a log that were accepted, by the size of the head that goes on.
    fn restarts(&self, log: LogId) -> Result<Vec<Vec<u8>>, ReadError>;
    /// Records of a branch that does not go on, from an index on, as far as they are held; until `count` or `max_bytes`
    /// are reached. The branch is named by the size of the head that its restart certificate keeps.
    fn branch(&self, log: LogId, kept: u64, from: u64, count: u64, max_bytes: usize)
    -> Result<Vec<Vec<u8>>, ReadError>;
}

/// The tiles of one log, for the proof functions.
pub struct LogTiles<'a> {
    /// Where they are read.
    pub read: &'a dyn Read,
    /// Which log.
    pub log: LogId,
}

impl Tiles for LogTiles<'_> {
    type Error = ReadError;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        self.read.tile(self.log, level, n)
    }
}

/// A verified record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Its log.
    pub log: LogId,
    /// Its place.
    pub index: u64,
    /// Its type.
    pub kind: RecordType,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The records of a log from an index on become a branch; with them its heads and the receipts for them go from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Which log.
    pub log: LogId,
    /// The branch's name: the size of the head that its restart certificate keeps.
    pub kept: u64,
    /// The first record that is set aside.
    pub from: u64,
    /// The tiles at the edge of what is left.
    pub tiles: Vec<TileWrite>,
}

/// Everything that one step wants on disk, all or nothing, synced before any effect of the step is seen outside.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Records, of any logs.
    pub records: Vec<NewRecord>,
    /// Changed tiles.
    pub tiles: Vec<(LogId, TileWrite)>,
    /// Signed heads: log, size, note.
    pub heads: Vec<(LogId, u64, Vec<u8>)>,
    /// Heads, by log and size, that were stored before the records which they turned out not to be about. They are
    /// taken out before the others are written.
    pub refuted_heads: Vec<(LogId, u64)>,
    /// Heads that this party cosigns.
    pub cosigned: Vec<(LogId, Cosigned)>,
    /// Fork proofs.
    pub forks: Vec<(LogId, Vec<u8>)>,
    /// Restart certificates that were accepted: log, size of the head that goes on, note.
    pub restarts: Vec<(LogId, u64, Vec<u8>)>,
    /// Branches that do not go on, or parts of such, that are set aside. They are moved before anything else of the
    /// batch is written.
    pub set_aside: Vec<SetAside>,
    /// Records of branches that do not go on, each with its branch's name.
    pub branches: Vec<(u64, NewRecord)>,
    /// Logs whose fork is explained: the stored proof is not held against them any more.
    pub explained: Vec<LogId>,
    /// Receipts found in the records.
    pub receipts: Vec<ReceiptEntry>,
    /// Receipts that were stored before the records which they turned out not to be about.
    pub refuted: Vec<ReceiptEntry>,
    /// The own log's new head, for the high-water mark that is kept outside the database.
    pub high_water: Option<Cosigned>,
    /// The mark so far is on a branch that the root has accepted and that does not go on: the new one takes its place,
    /// whichever is larger.
    pub left_high_water: bool,
}

impl Batch {
    /// Takes in what was to be written after it, so that both are written at once.
    pub fn append(&mut self, later: Self) {
        let Self { records, tiles, heads, cosigned, forks, receipts, refuted, high_water, .. } = later;
        self.restarts.extend(later.restarts);
        self.branches.extend(later.branches);
        self.set_aside.extend(later.set_aside);
        self.explained.extend(later.explained);
        // What an earlier one found, and a later one refutes, is not to be found again.
        self.receipts.retain(|receipt| !refuted.contains(receipt));
        self.heads.retain(|(log, size, _)| !later.refuted_heads.contains(&(*log, *size)));
        self.refuted_heads.extend(later.refuted_heads);
        self.records.extend(records);
        self.tiles.extend(tiles);
        self.heads.extend(heads);
        self.cosigned.extend(cosigned);
        self.forks.extend(forks);
        self.receipts.extend(receipts);
        self.refuted.extend(refuted);
        self.high_water = high_water.or(self.high_water);
        self.left_high_water |= later.left_high_water;
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.heads.is_empty()
            && self.refuted_heads.is_empty()
            && self.forks.is_empty()
            && self.cosigned.is_empty()
            && self.restarts.is_empty()
            && self.branches.is_empty()
    }
}
