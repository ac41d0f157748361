//! The column families: what each holds, its keys, and how it is kept.
//!
//! Numbers in keys and values are big-endian, so that keys sort as the numbers do. A log is two bytes: the place of
//! its party in the treaty file.
//!
//! | family | key | value |
//! |---|---|---|
//! | `records` | log, index u64 | the record's bytes |
//! | `tiles` | log, level u8, n u64 | 1 to 256 hashes of 32 bytes |
//! | `heads` | log, size u64 | the signed checkpoint |
//! | `state` | `format` | u32 |
//! | | `treaty` | SHA-256 of the treaty file |
//! | | `rebuilding` | present while the indexes are being rebuilt |
//! | | `cosigned`, log | size u64, root |
//! | `forks` | log | the fork proof's text |
//! | `branches` | log, kept u64 | the restart certificate that names it, a branch's name being the size of the kept head |
//! | | log, kept u64, index u64 | a record of the branch that does not go on |
//! | `ids` | log, notification id (16 bytes), index u64 | |
//! | `receipts` | log, by (a log), size u64, index u64 | POSIX seconds u64 |
//! | `credentials` | log, index u64 | |
//! | `amendments` | log, index u64 | |
//! | `replies` | log, index u64, referring log, referring index u64 | |
//! | `arrivals` | `s`, sequence u64 | log, first index u64, count u64, POSIX milliseconds u64 |
//! | | `r`, log, first index u64 | sequence u64, count u64, POSIX milliseconds u64 |
//!
//! `ids` to `arrivals` are indexes: they say where to look, records say what is so. The keys of `ids`, `receipts` and
//! `replies` end in the index of the record, so that writing one never needs a read.

use rocksdb::{BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel, Options};

use crate::ledger::NoteId;
use crate::node::LogId;

/// A column family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Records,
    Tiles,
    Heads,
    State,
    Forks,
    Branches,
    Ids,
    Receipts,
    Credentials,
    Amendments,
    Replies,
    Arrivals,
}

impl Column {
    pub const ALL: [Self; 12] = [
        Self::Records,
        Self::Tiles,
        Self::Heads,
        Self::State,
        Self::Forks,
        Self::Branches,
        Self::Ids,
        Self::Receipts,
        Self::Credentials,
        Self::Amendments,
        Self::Replies,
        Self::Arrivals,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Tiles => "tiles",
            Self::Heads => "heads",
            Self::State => "state",
            Self::Forks => "forks",
            Self::Branches => "branches",
            Self::Ids => "ids",
            Self::Receipts => "receipts",
            Self::Credentials => "credentials",
            Self::Amendments => "amendments",
            Self::Replies => "replies",
            Self::Arrivals => "arrivals",
        }
    }

    /// Bytes of changes kept in memory before they are written out as a sorted file.
    fn write_buffer(self) -> usize {
        match self {
            Self::Records => 16 << 20,
            Self::Tiles | Self::Ids | Self::Receipts => 4 << 20,
            _ => 1 << 20,
        }
    }
}

/// Shared by all families: blocks, their indexes and filters.
const BLOCK_CACHE_BYTES: usize = 32 << 20;
/// Changes in memory over all families.
const WRITE_BUFFER_BYTES: usize = 40 << 20;
/// Write-ahead log to be replayed at a start, at most about this much.
const WAL_BYTES: u64 = 64 << 20;
const MAX_OPEN_FILES: i32 = 256;

/// Options of the whole database.
pub(super) fn options(create: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    options.set_max_open_files(MAX_OPEN_FILES);
    options.set_db_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_background_jobs(2);
    options.set_max_total_wal_size(WAL_BYTES);
    // Every batch is synced before it is acknowledged: what an unfinished write left at the end of the log was never
    // promised to anyone. These three must not weaken that.
    options.set_wal_bytes_per_sync(0);
    options.set_recycle_log_file_num(0);
    options.set_manual_wal_flush(false);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_paranoid_checks(true);
    options.set_bytes_per_sync(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_stats_dump_period_sec(0);
    options
}

/// All families with their options.
pub(super) fn descriptors() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let descriptor = |column: Column| {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&cache);
        blocks.set_block_size(16 << 10);
        // Counted in the block cache, so that memory does not grow with the number of records.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        let mut options = Options::default();
        options.set_block_based_table_factory(&blocks);
        options.set_write_buffer_size(column.write_buffer());
        options.set_max_write_buffer_number(2);
        // Hashes do not compress.
        let compressible = column != Column::Tiles;
        options.set_compression_type(if compressible { DBCompressionType::Lz4 } else { DBCompressionType::None });
        ColumnFamilyDescriptor::new(column.name(), options)
    };
    Column::ALL.map(descriptor).into()
}

pub(super) const FORMAT: &[u8] = b"format";
pub(super) const TREATY: &[u8] = b"treaty";
pub(super) const REBUILDING: &[u8] = b"rebuilding";
const COSIGNED: &[u8] = b"cosigned";
/// Arrivals by sequence number, and by record.
pub(super) const BY_SEQUENCE: u8 = b's';
pub(super) const BY_RECORD: u8 = b'r';

/// A log's two bytes. A treaty has at most 256 parties: the largest number is nobody's.
pub(super) fn log_bytes(log: LogId) -> [u8; 2] {
    u16::try_from(log).unwrap_or(u16::MAX).to_be_bytes()
}

/// A key of a log and numbers.
fn key(log: LogId, numbers: &[u64]) -> Vec<u8> {
    let mut key = log_bytes(log).to_vec();
    numbers.iter().for_each(|n| key.extend_from_slice(&n.to_be_bytes()));
    key
}

pub(super) fn record_key(log: LogId, index: u64) -> Vec<u8> {
    key(log, &[index])
}

pub(super) fn head_key(log: LogId, size: u64) -> Vec<u8> {
    key(log, &[size])
}

/// Of a restart certificate, or with an index of a record on the branch that does not go on.
pub(super) fn branch_key(log: LogId, kept: u64, index: Option<u64>) -> Vec<u8> {
    match index {
        None => key(log, &[kept]),
        Some(index) => key(log, &[kept, index]),
    }
}

pub(super) fn tile_key(log: LogId, level: u8, n: u64) -> Vec<u8> {
    [&log_bytes(log)[..], &[level], &n.to_be_bytes()].concat()
}

pub(super) fn cosigned_key(log: LogId) -> Vec<u8> {
    [COSIGNED, &log_bytes(log)].concat()
}

pub(super) fn id_key(log: LogId, id: &NoteId, index: u64) -> Vec<u8> {
    [&log_bytes(log)[..], &id.0, &index.to_be_bytes()].concat()
}

pub(super) fn receipt_key(log: LogId, by: LogId, size: u64, index: u64) -> Vec<u8> {
    [&log_bytes(log)[..], &log_bytes(by), &size.to_be_bytes(), &index.to_be_bytes()].concat()
}

pub(super) fn reply_key(log: LogId, index: u64, by: LogId, at: u64) -> Vec<u8> {
    [record_key(log, index), record_key(by, at)].concat()
}

pub(super) fn sequence_key(sequence: u64) -> Vec<u8> {
    [&[BY_SEQUENCE][..], &sequence.to_be_bytes()].concat()
}

pub(super) fn arrival_key(log: LogId, from: u64) -> Vec<u8> {
    [&[BY_RECORD][..], &record_key(log, from)].concat()
}

/// The smallest key after this one.
pub(super) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// Reads fixed-width numbers off the front of keys and values; `None` once there is too little.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    pub fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn number(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    pub fn log(&mut self) -> Option<LogId> {
        self.bytes().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// Whether everything was read.
    pub fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
