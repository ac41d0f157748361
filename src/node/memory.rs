//! Stored data in memory: for the simulator, and for whatever else needs no disk.

use std::collections::BTreeMap;

use super::storage::{Batch, Cosigned, LogId, Read, ReadError, ReceiptEntry, SetAside};
use crate::ledger::{NoteId, Notification, Record, RecordType};
use crate::tlog::Hash;

/// All that a node keeps, in memory. Cloning it is taking a backup.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    records: BTreeMap<(LogId, u64), Vec<u8>>,
    tiles: BTreeMap<(LogId, u8, u64), Vec<Hash>>,
    heads: BTreeMap<(LogId, u64), Vec<u8>>,
    cosigned: BTreeMap<LogId, Cosigned>,
    forks: BTreeMap<LogId, Vec<u8>>,
    receipts: BTreeMap<(LogId, LogId, u64), ReceiptEntry>,
    notes: BTreeMap<(LogId, NoteId), u64>,
    credentials: BTreeMap<LogId, Vec<u64>>,
    amendments: BTreeMap<LogId, Vec<u64>>,
    restarts: BTreeMap<(LogId, u64), Vec<u8>>,
    branches: BTreeMap<(LogId, u64, u64), Vec<u8>>,
}

impl Memory {
    /// Takes in a batch whole.
    pub fn commit(&mut self, batch: &Batch) {
        batch.set_aside.iter().for_each(|part| self.set_aside(part));
        for record in &batch.records {
            match record.kind {
                RecordType::Credential => self.credentials.entry(record.log).or_default().push(record.index),
                RecordType::Amendment => self.amendments.entry(record.log).or_default().push(record.index),
                _ => {}
            }
            if let Some(id) = note_id(record.kind, &record.bytes) {
                self.notes.entry((record.log, id)).or_insert(record.index);
            }
            self.records.insert((record.log, record.index), record.bytes.clone());
        }
        for (log, tile) in &batch.tiles {
            self.tiles.insert((*log, tile.level, tile.n), tile.hashes.clone());
        }
        batch.refuted_heads.iter().for_each(|key| drop(self.heads.remove(key)));
        for (log, size, note) in &batch.heads {
            self.heads.insert((*log, *size), note.clone());
        }
        for (log, kept, note) in &batch.restarts {
            self.restarts.insert((*log, *kept), note.clone());
        }
        for (kept, record) in &batch.branches {
            self.branches.insert((record.log, *kept, record.index), record.bytes.clone());
        }
        batch.explained.iter().for_each(|log| drop(self.forks.remove(log)));
        self.cosigned.extend(batch.cosigned.iter().copied());
        self.forks.extend(batch.forks.iter().cloned());
        for receipt in &batch.receipts {
            self.receipts.entry((receipt.log, receipt.by, receipt.size)).or_insert(*receipt);
        }
        for receipt in &batch.refuted {
            self.receipts.remove(&(receipt.log, receipt.by, receipt.size));
        }
    }

    fn set_aside(&mut self, part: &SetAside) {
        let SetAside { log, kept, from, .. } = *part;
        let records: Vec<_> = self.records.range((log, from)..=(log, u64::MAX)).map(|(key, _)| *key).collect();
        for key in records {
            if let Some(bytes) = self.records.remove(&key) {
                self.branches.insert((log, kept, key.1), bytes);
            }
        }
        // A tile of a level covers 256 times what one of the level below does.
        let first = |level: u8| from.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        self.tiles.retain(|(of, level, n), _| *of != log || *n < first(*level));
        self.tiles.extend(part.tiles.iter().map(|tile| ((log, tile.level, tile.n), tile.hashes.clone())));
        self.heads.retain(|(of, size), _| *of != log || *size <= from);
        self.receipts.retain(|(of, _, size), _| *of != log || *size <= from);
        self.notes.retain(|(of, _), index| *of != log || *index < from);
        for indexes in [&mut self.credentials, &mut self.amendments].into_iter().filter_map(|all| all.get_mut(&log)) {
            indexes.retain(|index| *index < from);
        }
    }
}

/// The id of the notification in a record, if it can be read as one.
pub fn note_id(kind: RecordType, record: &[u8]) -> Option<NoteId> {
    if kind != RecordType::Notification {
        return None;
    }
    let record = Record::parse(record).ok()?;
    Notification::of_note(record.payload).ok().map(|(_, notification)| notification.id)
}

impl Read for Memory {
    fn size(&self, log: LogId) -> Result<u64, ReadError> {
        Ok(self.records.range((log, 0)..=(log, u64::MAX)).next_back().map_or(0, |((_, index), _)| index + 1))
    }
    fn record(&self, log: LogId, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.records.get(&(log, index)).cloned())
    }
    fn records(&self, log: LogId, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let range = self.records.range((log, from)..(log, from.saturating_add(count)));
        Ok(page(range.map(|(_, bytes)| bytes), max_bytes))
    }
    fn tile(&self, log: LogId, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        Ok(self.tiles.get(&(log, level, n)).cloned().unwrap_or_default())
    }
    fn head(&self, log: LogId, at_most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.heads.range((log, 0)..=(log, at_most)).next_back().map(|(_, note)| note.clone()))
    }
    fn head_from(&self, log: LogId, at_least: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.heads.range((log, at_least)..=(log, u64::MAX)).next().map(|(_, note)| note.clone()))
    }
    fn cosigned(&self, log: LogId) -> Result<Option<Cosigned>, ReadError> {
        Ok(self.cosigned.get(&log).copied())
    }
    fn fork(&self, log: LogId) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.forks.get(&log).cloned())
    }
    fn receipt_from(&self, log: LogId, by: LogId, at_least: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        Ok(self.receipts.range((log, by, at_least)..=(log, by, u64::MAX)).next().map(|(_, entry)| *entry))
    }
    fn receipt_up_to(&self, log: LogId, by: LogId, at_most: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        Ok(self.receipts.range((log, by, 0)..=(log, by, at_most)).next_back().map(|(_, entry)| *entry))
    }
    fn note(&self, log: LogId, id: &NoteId) -> Result<Option<u64>, ReadError> {
        Ok(self.notes.get(&(log, *id)).copied())
    }
    fn credentials(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        Ok(self.credentials.get(&log).cloned().unwrap_or_default())
    }
    fn amendments(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        Ok(self.amendments.get(&log).cloned().unwrap_or_default())
    }
    fn restarts(&self, log: LogId) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.restarts.range((log, 0)..=(log, u64::MAX)).map(|(_, note)| note.clone()).collect())
    }
    fn branch(
        &self,
        log: LogId,
        kept: u64,
        from: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let range = self.branches.range((log, kept, from)..(log, kept, from.saturating_add(count)));
        Ok(page(range.map(|(_, bytes)| bytes), max_bytes))
    }
}

/// The first of these: one at least if there is any, and no more than so many bytes in all.
fn page<'a>(all: impl Iterator<Item = &'a Vec<u8>>, max_bytes: usize) -> Vec<Vec<u8>> {
    let (mut found, mut left) = (Vec::new(), max_bytes);
    for bytes in all {
        if !found.is_empty() && bytes.len() > left {
            break;
        }
        left = left.saturating_sub(bytes.len());
        found.push(bytes.clone());
    }
    found
}
