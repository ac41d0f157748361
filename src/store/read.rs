//! What stored data can be asked: single values, and ranges of keys whose ends are always given.

use rocksdb::{DBRawIterator, ReadOptions};

use super::columns::{self, Column, Fields, after, head_key, id_key, log_bytes, receipt_key, record_key};
use super::{Store, StoreError};
use crate::ledger::{NoteId, Timestamp};
use crate::node::{Cosigned, LogId, Read, ReadError, ReceiptEntry, note_id};
use crate::tlog::Hash;

/// Key and value.
type Entry = (Vec<u8>, Vec<u8>);
type Borrowed<'a> = (&'a [u8], &'a [u8]);

/// Entries in the order of their keys, one after the other.
pub(super) struct Scan<'a> {
    iterator: DBRawIterator<'a>,
    store: &'a Store,
    started: bool,
}

impl Scan<'_> {
    /// The next entry.
    pub fn next(&mut self) -> Result<Option<Borrowed<'_>>, StoreError> {
        if self.started {
            self.iterator.next();
        }
        self.started = true;
        self.iterator.status().map_err(|e| StoreError::of(&self.store.path, &e))?;
        Ok(self.iterator.item())
    }
}

impl Store {
    pub(super) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db.get_pinned_cf(self.cf(column)?, key).map_err(|e| StoreError::of(&self.path, &e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    pub(super) fn has(&self, column: Column, key: &[u8]) -> Result<bool, StoreError> {
        let value = self.db.get_pinned_cf(self.cf(column)?, key).map_err(|e| StoreError::of(&self.path, &e))?;
        Ok(value.is_some())
    }

    fn range(&self, column: Column, from: &[u8], to: &[u8], keep: bool) -> Result<DBRawIterator<'_>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        options.fill_cache(keep);
        if !keep {
            options.set_readahead_size(1 << 20);
        }
        Ok(self.db.raw_iterator_cf_opt(self.cf(column)?, options))
    }

    /// The entries from one key up to, not including, another one.
    pub(super) fn scan(&self, column: Column, from: &[u8], to: &[u8]) -> Result<Scan<'_>, StoreError> {
        let mut iterator = self.range(column, from, to, true)?;
        iterator.seek_to_first();
        Ok(Scan { iterator, store: self, started: false })
    }

    /// All of a family or much of it, without pushing what others read out of the cache.
    pub(super) fn scan_all(&self, column: Column, from: &[u8], to: &[u8]) -> Result<Scan<'_>, StoreError> {
        let mut iterator = self.range(column, from, to, false)?;
        iterator.seek_to_first();
        Ok(Scan { iterator, store: self, started: false })
    }

    pub(super) fn first(&self, column: Column, from: &[u8], to: &[u8]) -> Result<Option<Entry>, StoreError> {
        let mut scan = self.scan(column, from, to)?;
        Ok(scan.next()?.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    pub(super) fn last(&self, column: Column, from: &[u8], to: &[u8]) -> Result<Option<Entry>, StoreError> {
        let mut iterator = self.range(column, from, to, true)?;
        iterator.seek_to_last();
        iterator.status().map_err(|e| StoreError::of(&self.path, &e))?;
        Ok(iterator.item().map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn page(&self, log: LogId, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let end = record_key(log, from.saturating_add(count));
        self.values(Column::Records, &record_key(log, from), &end, max_bytes)
    }

    /// The values of a range, in order: one at least if there is any, and no more than so many bytes in all.
    pub(super) fn values(
        &self,
        column: Column,
        start: &[u8],
        end: &[u8],
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut scan = self.scan(column, start, end)?;
        let (mut records, mut left) = (Vec::new(), max_bytes);
        while let Some((_, bytes)) = scan.next()? {
            if !records.is_empty() && bytes.len() > left {
                break;
            }
            left = left.saturating_sub(bytes.len());
            records.push(bytes.to_vec());
        }
        Ok(records)
    }

    pub(super) fn stored_tile(&self, log: LogId, level: u8, n: u64) -> Result<Vec<Hash>, StoreError> {
        let value = self.db.get_pinned_cf(self.cf(Column::Tiles)?, columns::tile_key(log, level, n));
        let value = value.map_err(|e| StoreError::of(&self.path, &e))?;
        let (hashes, rest) = value.as_deref().unwrap_or_default().as_chunks::<32>();
        if !rest.is_empty() || hashes.len() > crate::tlog::TILE_WIDTH {
            let place = self.treaty();
            let place = place.parties().get(log).map_or("?", |party| &party.code);
            return Err(StoreError::damaged(format!("tile {place}/{level}/{n} is not a run of hashes")));
        }
        Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
    }

    fn stored_cosigned(&self, log: LogId) -> Result<Option<Cosigned>, StoreError> {
        let Some(value) = self.get(Column::State, &columns::cosigned_key(log))? else { return Ok(None) };
        let damaged = || StoreError::damaged("the last cosigned head of a log does not read as one");
        parse_cosigned(&value).map(Some).ok_or_else(damaged)
    }

    fn stored_note(&self, log: LogId, id: &NoteId) -> Result<Option<u64>, StoreError> {
        let mut scan = self.scan(Column::Ids, &id_key(log, id, 0), &after(id_key(log, id, u64::MAX)))?;
        while let Some((key, _)) = scan.next()? {
            let index = key.last_chunk::<8>().map(|index| u64::from_be_bytes(*index));
            let index = index.ok_or_else(|| StoreError::damaged("an entry of the index `ids` has no index"))?;
            // The entry is a hint: a text that only looks like a notification has none.
            let record = self.get(Column::Records, &record_key(log, index))?;
            if record.is_some_and(|bytes| note_id(crate::ledger::RecordType::Notification, &bytes) == Some(*id)) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Indexes of a log's records of a type that has an index.
    fn stored_indexes(&self, column: Column, log: LogId) -> Result<Vec<u64>, StoreError> {
        let mut scan = self.scan(column, &record_key(log, 0), &after(record_key(log, u64::MAX)))?;
        let mut indexes = Vec::new();
        while let Some((key, _)) = scan.next()? {
            let mut fields = Fields(key);
            let index = fields.log().and_then(|_| fields.number());
            indexes.push(index.ok_or_else(|| StoreError::damaged("an entry of an index of records is none"))?);
        }
        Ok(indexes)
    }

    fn receipt(&self, from: &[u8], to: &[u8]) -> Result<Option<ReceiptEntry>, StoreError> {
        self.first(Column::Receipts, from, to)?.map(|(key, value)| parse_receipt(&key, &value)).transpose()
    }
}

pub(super) fn parse_cosigned(value: &[u8]) -> Option<Cosigned> {
    let mut fields = Fields(value);
    let cosigned = Cosigned { size: fields.number()?, root: Hash(fields.bytes()?) };
    fields.end().map(|()| cosigned)
}

pub(super) fn parse_receipt(key: &[u8], value: &[u8]) -> Result<ReceiptEntry, StoreError> {
    let read = || {
        let (mut key, mut value) = (Fields(key), Fields(value));
        let (log, by, size, index) = (key.log()?, key.log()?, key.number()?, key.number()?);
        let entry = ReceiptEntry { log, by, size, index, time: Timestamp::from_posix(value.number()?) };
        key.end().and(value.end()).map(|()| entry)
    };
    read().ok_or_else(|| StoreError::damaged("an entry of the index `receipts` does not read as one"))
}

impl Read for Store {
    fn size(&self, log: LogId) -> Result<u64, ReadError> {
        Ok(self.held(log))
    }

    fn record(&self, log: LogId, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.get(Column::Records, &record_key(log, index))?)
    }

    fn records(&self, log: LogId, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.page(log, from, count, max_bytes)?)
    }

    fn tile(&self, log: LogId, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        Ok(self.stored_tile(log, level, n)?)
    }

    fn head(&self, log: LogId, at_most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let last = self.last(Column::Heads, &head_key(log, 0), &after(head_key(log, at_most)))?;
        Ok(last.map(|(_, note)| note))
    }

    fn head_from(&self, log: LogId, at_least: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let first = self.first(Column::Heads, &head_key(log, at_least), &after(head_key(log, u64::MAX)))?;
        Ok(first.map(|(_, note)| note))
    }

    fn cosigned(&self, log: LogId) -> Result<Option<Cosigned>, ReadError> {
        Ok(self.stored_cosigned(log)?)
    }

    fn fork(&self, log: LogId) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.get(Column::Forks, &log_bytes(log))?)
    }

    fn receipt_from(&self, log: LogId, by: LogId, at_least: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        let end = after(receipt_key(log, by, u64::MAX, u64::MAX));
        Ok(self.receipt(&receipt_key(log, by, at_least, 0), &end)?)
    }

    fn receipt_up_to(&self, log: LogId, by: LogId, at_most: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        let end = after(receipt_key(log, by, at_most, u64::MAX));
        let Some((key, value)) = self.last(Column::Receipts, &receipt_key(log, by, 0, 0), &end)? else {
            return Ok(None);
        };
        // Of several receipts for the largest head, the first one.
        let largest = parse_receipt(&key, &value)?.size;
        Ok(self.receipt(&receipt_key(log, by, largest, 0), &end)?)
    }

    fn note(&self, log: LogId, id: &NoteId) -> Result<Option<u64>, ReadError> {
        Ok(self.stored_note(log, id)?)
    }

    fn credentials(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        Ok(self.stored_indexes(Column::Credentials, log)?)
    }

    fn amendments(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        Ok(self.stored_indexes(Column::Amendments, log)?)
    }

    fn restarts(&self, log: LogId) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.stored_restarts(log)?)
    }

    fn branch(
        &self,
        log: LogId,
        kept: u64,
        from: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.branch_page(log, kept, from, count, max_bytes)?)
    }
}
