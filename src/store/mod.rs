//! Stored data on disk, in RocksDB: the seam [`crate::node::Read`] and the synced commit of a [`Batch`].
//!
//! # Layout
//!
//! - `columns`: the column families, their keys and values
//! - `index`: what a record is found again under
//! - `arrivals`: in which order records came to this node, and when
//! - `branches`: what is set aside where a log was restarted
//! - `read`: what stored data can be asked
//! - `rebuild`: the indexes made anew from the records
//! - [`high_water`]: the own log's highest signed head, kept outside the database
//! - [`fsck`]: everything verified again from the stored bytes
//!
//! # What may be relied on
//!
//! [`Store::commit`] returns after the write-ahead log with the whole batch has gone through `fdatasync`: the batch is
//! on disk whole, or it is not there at all. Once a write has failed, every later one is refused with the same error:
//! nobody knows then what the disk holds until the database is opened again.
//!
//! The files are *not* trusted: a node verifies each log's edge when it starts, and [`fsck`] verifies all of it.

mod arrivals;
mod branches;
mod columns;
mod error;
pub mod fsck;
pub mod high_water;
mod index;
mod read;
mod rebuild;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rocksdb::{ColumnFamily, DB, WriteBatch, WriteOptions, checkpoint::Checkpoint};

pub use arrivals::Arrival;
pub use error::StoreError;

use crate::ledger::{MAX_PARTIES, Treaty};
use crate::node::{Batch, LogId, load_amendments};
use columns::Column;

/// The format written by this version.
const FORMAT: u32 = 1;
/// Held while a process has the folder open for writing. RocksDB's own lock does not keep readers away.
const LOCK: &str = "verbale.lock";

/// A party's stored data.
pub struct Store {
    db: DB,
    path: PathBuf,
    /// With the amendments that are known.
    treaty: RwLock<Arc<Treaty>>,
    /// Records held, by log: of as many as there can ever be.
    sizes: Vec<AtomicU64>,
    writer: Mutex<Writer>,
    _lock: Option<File>,
}

/// What commits go by, one at a time.
struct Writer {
    next_arrival: u64,
    /// The first write error.
    failed: Option<StoreError>,
}

impl Store {
    /// Opens the data folder of a treaty's ledger, and makes it if there is none.
    pub fn open(path: &Path, treaty: &Treaty) -> Result<Self, StoreError> {
        let new = !path.exists();
        std::fs::create_dir_all(path).map_err(|e| StoreError::io(path, "cannot make the data folder", &e))?;
        if new && let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            sync_folder(parent).map_err(|e| StoreError::io(parent, "cannot sync", &e))?;
        }
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(|e| StoreError::io(&lock_path, "cannot open", &e))?;
        lock.try_lock().map_err(|e| not_locked(path, e))?;
        check_files(path)?;
        let db = DB::open_cf_descriptors(&columns::options(true), path, columns::descriptors())
            .map_err(|e| StoreError::of(path, &e))?;
        let store = Self::new(db, path, treaty, Some(lock))?;
        store.identify(true)?;
        let store = store.load()?;
        if store.get(Column::State, columns::REBUILDING)?.is_some() {
            // It was interrupted: what is there is half of it.
            store.rebuild_indexes(&mut |_, _| ())?;
        }
        Ok(store)
    }

    /// Opens a data folder that no node is running on, or a [`Store::snapshot`], without changing a byte of it.
    pub fn open_read_only(path: &Path, treaty: &Treaty) -> Result<Self, StoreError> {
        // A snapshot has no lock file: nothing writes to it.
        let lock = match File::open(path.join(LOCK)) {
            Ok(lock) => {
                lock.try_lock_shared().map_err(|e| not_locked(path, e))?;
                Some(lock)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::io(path, "cannot open the lock file in", &error)),
        };
        if !path.join("CURRENT").exists() && !has_database_files(path)? {
            return Err(StoreError::Io(format!("there is no stored data in {}", path.display())));
        }
        check_files(path)?;
        let db = DB::open_cf_descriptors_read_only(&columns::options(false), path, columns::descriptors(), false)
            .map_err(|e| StoreError::of(path, &e))?;
        let store = Self::new(db, path, treaty, lock)?;
        store.identify(false)?;
        store.load()
    }

    fn new(db: DB, path: &Path, treaty: &Treaty, lock: Option<File>) -> Result<Self, StoreError> {
        let sizes = (0..MAX_PARTIES).map(|_| AtomicU64::new(0)).collect();
        let treaty = RwLock::new(Arc::new(treaty.clone()));
        let writer = Mutex::new(Writer { next_arrival: 0, failed: None });
        Ok(Self { db, path: path.to_owned(), treaty, sizes, writer, _lock: lock })
    }

    /// Checks that the folder is of this format and treaty; marks an empty one as such.
    fn identify(&self, write: bool) -> Result<(), StoreError> {
        let (format, treaty) = (self.get(Column::State, columns::FORMAT)?, self.get(Column::State, columns::TREATY)?);
        let hash = self.treaty().hash().0;
        match (format, treaty) {
            (Some(format), Some(treaty)) => {
                let found = format.as_slice().try_into().map(u32::from_be_bytes);
                match found {
                    Ok(found) if found > FORMAT => Err(StoreError::NewerFormat(format!("format {found}"))),
                    Ok(FORMAT) if treaty == hash => Ok(()),
                    Ok(FORMAT) => Err(StoreError::OtherTreaty(self.path.clone())),
                    _ => Err(StoreError::damaged("the format number does not read as one")),
                }
            }
            (None, None) if write && self.first(Column::Records, &[], &[u8::MAX; 11])?.is_none() => {
                let mut batch = WriteBatch::default();
                batch.put_cf(self.cf(Column::State)?, columns::FORMAT, FORMAT.to_be_bytes());
                batch.put_cf(self.cf(Column::State)?, columns::TREATY, hash);
                self.write(batch)
            }
            _ => Err(StoreError::damaged("the format number or the treaty's hash is missing")),
        }
    }

    /// Reads the sizes and the next arrival's number.
    fn load(self) -> Result<Self, StoreError> {
        for (log, size) in self.sizes.iter().enumerate() {
            let (from, to) = (columns::record_key(log, 0), columns::after(columns::record_key(log, u64::MAX)));
            let last = self.last(Column::Records, &from, &to)?;
            let end = match last {
                None => 0,
                Some((key, _)) => {
                    let mut fields = columns::Fields(&key);
                    let index = fields.log().and_then(|_| fields.number()).and_then(|index| index.checked_add(1));
                    index.ok_or_else(|| StoreError::damaged("a record has a key that is none"))?
                }
            };
            size.store(end, Ordering::Release);
        }
        let next = self.stored_arrivals()?;
        self.writer().next_arrival = next;
        let mut treaty = self.treaty();
        load_amendments(&mut treaty, &self).map_err(|e| StoreError::damaged(e.0))?;
        self.set_treaty(treaty);
        Ok(self)
    }

    /// Writes a batch whole and syncs it. `now_ms` is this node's clock in POSIX milliseconds, the records' arrival.
    ///
    /// Records must continue their logs. After an error nothing is known of the disk: this and every later call fails,
    /// and the node is to stop.
    pub fn commit(&self, batch: &Batch, now_ms: u64) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if let Some(error) = &writer.failed {
            return Err(error.clone());
        }
        let written = self.try_commit(batch, now_ms, writer.next_arrival);
        match written {
            Ok(next_arrival) => writer.next_arrival = next_arrival,
            Err(ref error) => writer.failed = Some(error.clone()),
        }
        written.map(|_| ())
    }

    fn try_commit(&self, batch: &Batch, now_ms: u64, next_arrival: u64) -> Result<u64, StoreError> {
        let bytes: usize = batch.records.iter().map(|r| r.bytes.len() + 160).sum();
        let mut out = WriteBatch::with_capacity_bytes(bytes + (batch.tiles.len() << 13));
        let treaty = self.treaty();
        let mut sizes: Vec<u64> = self.sizes.iter().map(|size| size.load(Ordering::Acquire)).collect();
        for part in &batch.set_aside {
            self.put_aside(&mut out, part, &treaty)?;
            if let Some(size) = sizes.get_mut(part.log) {
                *size = part.from.min(*size);
            }
        }
        for (log, kept, note) in &batch.restarts {
            out.put_cf(self.cf(Column::Branches)?, columns::branch_key(*log, *kept, None), note);
        }
        for (kept, record) in &batch.branches {
            let key = columns::branch_key(record.log, *kept, Some(record.index));
            out.put_cf(self.cf(Column::Branches)?, key, &record.bytes);
        }
        for log in &batch.explained {
            out.delete_cf(self.cf(Column::Forks)?, columns::log_bytes(*log));
        }
        let (records, ids) = (self.cf(Column::Records)?, self.cf(Column::Ids)?);
        for record in &batch.records {
            let (log, index) = (record.log, record.index);
            let size = sizes.get_mut(log).ok_or(StoreError::Order { log, index, expected: 0 })?;
            if index != *size {
                return Err(StoreError::Order { log, index, expected: *size });
            }
            *size += 1;
            out.put_cf(records, columns::record_key(log, index), &record.bytes);
            for (column, key) in index::entries(log, index, record.kind, &record.bytes, &treaty) {
                let family = if column == Column::Ids { ids } else { self.cf(column)? };
                out.put_cf(family, key, b"");
            }
        }
        for (log, tile) in &batch.tiles {
            let hashes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
            out.put_cf(self.cf(Column::Tiles)?, columns::tile_key(*log, tile.level, tile.n), hashes);
        }
        for (log, size) in &batch.refuted_heads {
            out.delete_cf(self.cf(Column::Heads)?, columns::head_key(*log, *size));
        }
        for (log, size, note) in &batch.heads {
            out.put_cf(self.cf(Column::Heads)?, columns::head_key(*log, *size), note);
        }
        for (log, cosigned) in &batch.cosigned {
            let value = [&cosigned.size.to_be_bytes()[..], &cosigned.root.0].concat();
            out.put_cf(self.cf(Column::State)?, columns::cosigned_key(*log), value);
        }
        for (log, proof) in &batch.forks {
            out.put_cf(self.cf(Column::Forks)?, columns::log_bytes(*log), proof);
        }
        for receipt in &batch.receipts {
            let key = columns::receipt_key(receipt.log, receipt.by, receipt.size, receipt.index);
            out.put_cf(self.cf(Column::Receipts)?, key, receipt.time.posix().to_be_bytes());
        }
        for receipt in &batch.refuted {
            let key = columns::receipt_key(receipt.log, receipt.by, receipt.size, receipt.index);
            out.delete_cf(self.cf(Column::Receipts)?, key);
        }
        let next_arrival = self.put_arrivals(&mut out, &batch.records, now_ms, next_arrival)?;
        if !out.is_empty() {
            self.write(out)?;
        }
        for (stored, size) in self.sizes.iter().zip(sizes) {
            stored.store(size, Ordering::Release);
        }
        Ok(next_arrival)
    }

    /// The one place from which anything is written: with the write-ahead log, synced.
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(batch, &options).map_err(|e| StoreError::of(&self.path, &e))
    }

    /// A consistent copy of everything stored, while the node goes on. `dir` must not exist; on the same disk its
    /// files are hard links.
    pub fn snapshot(&self, dir: &Path) -> Result<(), StoreError> {
        if dir.exists() {
            return Err(StoreError::Io(format!(
                "{} exists already: a snapshot is written to a new folder",
                dir.display()
            )));
        }
        let checkpoint = Checkpoint::new(&self.db).map_err(|e| StoreError::of(&self.path, &e))?;
        checkpoint.create_checkpoint(dir).map_err(|e| StoreError::of(dir, &e))
    }

    /// The treaty whose ledger is stored, with the amendments that are known.
    pub fn treaty(&self) -> Arc<Treaty> {
        self.treaty.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The treaty has one amendment more.
    pub fn set_treaty(&self, treaty: Arc<Treaty>) {
        *self.treaty.write().unwrap_or_else(PoisonError::into_inner) = treaty;
    }

    /// Number of logs.
    fn logs(&self) -> usize {
        self.treaty().parties().len()
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records held of a log of the treaty; 0 of any other.
    fn held(&self, log: LogId) -> u64 {
        self.sizes.get(log).map_or(0, |size| size.load(Ordering::Acquire))
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, Writer> {
        // What a panicking thread left behind is still right: it is changed only after a write went well.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cf(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        let missing = || StoreError::damaged(format!("the column family `{}` is missing", column.name()));
        self.db.cf_handle(column.name()).ok_or_else(missing)
    }
}

fn not_locked(path: &Path, error: TryLockError) -> StoreError {
    match error {
        TryLockError::WouldBlock => StoreError::Locked(path.to_owned()),
        TryLockError::Error(error) => StoreError::io(path, "cannot lock", &error),
    }
}

/// Refuses what RocksDB would overwrite (a folder that lost its `CURRENT` file) or what this version does not know.
fn check_files(path: &Path) -> Result<(), StoreError> {
    if !path.join("CURRENT").exists() {
        return match has_database_files(path)? {
            true => Err(StoreError::damaged(format!("the file CURRENT is missing from {}", path.display()))),
            false => Ok(()),
        };
    }
    let names = DB::list_cf(&columns::options(false), path).map_err(|e| StoreError::of(path, &e))?;
    let known = |name: &String| name == "default" || Column::ALL.iter().any(|column| column.name() == name);
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(StoreError::NewerFormat(format!("it has the column family `{name}`"))),
        None => Ok(()),
    }
}

fn has_database_files(path: &Path) -> Result<bool, StoreError> {
    let entries = std::fs::read_dir(path).map_err(|e| StoreError::io(path, "cannot read", &e))?;
    let is_data = |name: &str| name.starts_with("MANIFEST-") || name.ends_with(".sst");
    Ok(entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_data)))
}

/// Makes a folder's entries durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
