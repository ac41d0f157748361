//! Branches of logs that forked and were restarted: records that are set aside, and the certificates that name them.

use rocksdb::WriteBatch;

use super::arrivals::Run;
use super::columns::{self, Column, after, arrival_key, branch_key, head_key, receipt_key, record_key, tile_key};
use super::{Store, StoreError, index};
use crate::ledger::{MAX_PARTIES, Record, Treaty};
use crate::node::{LogId, SetAside};

/// Levels that a tree's tiles can have: 256 leaves a tile, 2^63 leaves a tree.
const LEVELS: u8 = 8;

impl Store {
    /// Moves the end of a log to a branch, with all that is found by it. One write, as large as the branch.
    pub(super) fn put_aside(&self, out: &mut WriteBatch, part: &SetAside, treaty: &Treaty) -> Result<(), StoreError> {
        let SetAside { log, kept, from, .. } = *part;
        let (start, end) = (record_key(log, from), after(record_key(log, u64::MAX)));
        let (records, branches) = (self.cf(Column::Records)?, self.cf(Column::Branches)?);
        let mut scan = self.scan(Column::Records, &start, &end)?;
        while let Some((key, bytes)) = scan.next()? {
            let index = key.last_chunk::<8>().map(|index| u64::from_be_bytes(*index)).unwrap_or_default();
            out.put_cf(branches, branch_key(log, kept, Some(index)), bytes);
            if let Ok(record) = Record::parse(bytes) {
                for (column, key) in index::entries(log, index, record.kind, bytes, treaty) {
                    out.delete_cf(self.cf(column)?, key);
                }
            }
        }
        out.delete_range_cf(records, start, end);
        for level in 0..LEVELS {
            let first = from.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            out.delete_range_cf(
                self.cf(Column::Tiles)?,
                tile_key(log, level, first),
                after(tile_key(log, level, u64::MAX)),
            );
        }
        for tile in &part.tiles {
            let hashes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
            out.put_cf(self.cf(Column::Tiles)?, tile_key(log, tile.level, tile.n), hashes);
        }
        let heads = (head_key(log, from.saturating_add(1)), after(head_key(log, u64::MAX)));
        out.delete_range_cf(self.cf(Column::Heads)?, heads.0, heads.1);
        for by in 0..MAX_PARTIES {
            let start = receipt_key(log, by, from.saturating_add(1), 0);
            let end = after(receipt_key(log, by, u64::MAX, u64::MAX));
            out.delete_range_cf(self.cf(Column::Receipts)?, start, end);
        }
        self.cut_arrivals(out, log, from)
    }

    /// Arrivals of the records that are set aside are forgotten; a run that goes across the cut is shortened.
    fn cut_arrivals(&self, out: &mut WriteBatch, log: LogId, from: u64) -> Result<(), StoreError> {
        let (start, end) = (arrival_key(log, 0), after(arrival_key(log, u64::MAX)));
        let mut scan = self.scan(Column::Arrivals, &start, &end)?;
        let mut runs = Vec::new();
        while let Some((key, value)) = scan.next()? {
            runs.push(Run::parse(key, value)?);
        }
        for run in runs.into_iter().filter(|run| run.from + run.count > from) {
            if run.from < from {
                self.put_run(out, &Run { count: from - run.from, ..run })?;
            } else {
                out.delete_cf(self.cf(Column::Arrivals)?, columns::sequence_key(run.sequence));
                out.delete_cf(self.cf(Column::Arrivals)?, arrival_key(log, run.from));
            }
        }
        Ok(())
    }

    pub(super) fn stored_restarts(&self, log: LogId) -> Result<Vec<Vec<u8>>, StoreError> {
        let (start, end) = (branch_key(log, 0, None), after(branch_key(log, u64::MAX, Some(u64::MAX))));
        let (mut notes, length) = (Vec::new(), branch_key(log, 0, None).len());
        let mut scan = self.scan(Column::Branches, &start, &end)?;
        while let Some((key, value)) = scan.next()? {
            if key.len() == length {
                notes.push(value.to_vec());
            }
        }
        Ok(notes)
    }

    pub(super) fn branch_page(
        &self,
        log: LogId,
        kept: u64,
        from: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let end = branch_key(log, kept, Some(from.saturating_add(count)));
        self.values(Column::Branches, &branch_key(log, kept, Some(from)), &end, max_bytes)
    }
}
