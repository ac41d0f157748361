//! The indexes made anew from the records.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rocksdb::WriteBatch;

use super::arrivals::Run;
use super::columns::{self, Column, after, log_bytes, receipt_key, record_key};
use super::index::entries;
use super::{Store, StoreError, Writer};
use crate::ledger::{ForkProof, Keyring, Receipt, Record, RecordType, Timestamp};
use crate::node::{AcceptedBranches, LogId, LogTiles, Read, ReadError, counts};
use crate::tlog::root_at;

/// Records between two writes.
const BATCH: u64 = 4096;
/// Past every key of every index.
const END: [u8; 64] = [u8::MAX; 64];

impl Store {
    /// Makes all indexes anew. `progress` is told how many records were read, and of how many.
    ///
    /// Arrivals are kept if they are sound. Otherwise this node no longer knows when records came: they are put in the
    /// order of the times that their senders state. A fork that some record proves and that is not kept is kept again.
    /// An interruption does no harm: the next [`Store::open`] begins anew.
    pub fn rebuild_indexes(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let (keys, accepted) = (self.scan_keyring()?, self.accepted_branches()?);
        let sound = self.arrivals_are_sound()?;
        let mut out = WriteBatch::default();
        out.put_cf(self.cf(Column::State)?, columns::REBUILDING, b"");
        for column in [Column::Ids, Column::Receipts, Column::Credentials, Column::Amendments, Column::Replies] {
            out.delete_range_cf(self.cf(column)?, &[][..], &END[..]);
        }
        self.write(out)?;
        let total = (0..self.sizes.len()).map(|log| self.held(log)).sum();
        let (mut out, mut done) = (WriteBatch::default(), 0);
        for log in 0..self.sizes.len() {
            let mut scan = self.scan_all(Column::Records, &record_key(log, 0), &after(record_key(log, u64::MAX)))?;
            while let Some((_, bytes)) = scan.next()? {
                // What cannot be read has no entries; naming it is for fsck.
                if let Ok(record) = Record::parse(bytes) {
                    self.index_again(log, &record, bytes, (&keys, &accepted), &mut out)?;
                }
                done += 1;
                if u64::is_multiple_of(done, BATCH) {
                    self.write(std::mem::take(&mut out))?;
                    progress(done, total);
                }
            }
        }
        self.write(out)?;
        if !sound {
            self.rebuild_arrivals(&mut writer)?;
        }
        let mut out = WriteBatch::default();
        out.delete_cf(self.cf(Column::State)?, columns::REBUILDING);
        self.write(out)?;
        progress(total, total);
        Ok(())
    }

    fn index_again(
        &self,
        log: LogId,
        record: &Record<'_>,
        bytes: &[u8],
        (keys, accepted): (&Keyring, &AcceptedBranches),
        out: &mut WriteBatch,
    ) -> Result<(), StoreError> {
        for (column, key) in entries(log, record.index, record.kind, bytes, &self.treaty()) {
            out.put_cf(self.cf(column)?, key, b"");
        }
        match record.kind {
            RecordType::Receipt => {
                if let Ok(receipt) = Receipt::verify_or_open(record.payload, log, record.index, keys)
                    && self.agrees(&receipt)?
                {
                    let key = receipt_key(receipt.log, log, receipt.checkpoint.size, record.index);
                    out.put_cf(self.cf(Column::Receipts)?, key, receipt.time.posix().to_be_bytes());
                }
            }
            RecordType::Evidence => {
                if let Ok(proof) = ForkProof::parse(record.payload, &self.treaty())
                    && !self.has(Column::Forks, &log_bytes(proof.log()))?
                    && self.counts(&proof, (log, record.index), keys, accepted)?
                {
                    out.put_cf(self.cf(Column::Forks)?, log_bytes(proof.log()), record.payload);
                }
            }
            RecordType::Notification | RecordType::Credential | RecordType::Amendment => {}
        }
        Ok(())
    }

    /// Whether a receipt's head is one of the log as it is held, as far as it is held.
    pub(super) fn agrees(&self, receipt: &Receipt) -> Result<bool, StoreError> {
        let (log, size) = (receipt.log, receipt.checkpoint.size);
        if size > self.held(log) {
            return Ok(true);
        }
        let tiles = LogTiles { read: self as &dyn Read, log };
        let root = root_at(&tiles, size).map_err(|e| StoreError::damaged(e.0))?;
        Ok(root == Some(receipt.checkpoint.root))
    }

    /// The key histories by the credentials that stand in the records, whatever the index says.
    pub(super) fn scan_keyring(&self) -> Result<Keyring, StoreError> {
        let treaty = self.treaty();
        let mut keys = Keyring::new(&treaty);
        // There is room for more logs than parties: for those that accede.
        for log in 0..keys.len() {
            let mut scan = self.scan_all(Column::Records, &record_key(log, 0), &after(record_key(log, u64::MAX)))?;
            while let Some((_, bytes)) = scan.next()? {
                if let Ok(record) = Record::parse(bytes)
                    && record.kind == RecordType::Credential
                {
                    keys.party_mut(log).apply(&record, &treaty);
                }
            }
            keys.party_mut(log).known_to(self.held(log));
        }
        Ok(keys)
    }

    /// Whether a fork's proof that stands in a log is held against the forked log.
    pub(super) fn counts(
        &self,
        proof: &ForkProof,
        (by, at): (LogId, u64),
        keys: &Keyring,
        accepted: &AcceptedBranches,
    ) -> Result<bool, StoreError> {
        let damaged = |error: ReadError| StoreError::damaged(error.0);
        Ok(accepted.leave_open(proof, self).map_err(damaged)? && counts(proof, by, at, keys, self).map_err(damaged)?)
    }

    /// The branches of restarted logs.
    pub(super) fn accepted_branches(&self) -> Result<AcceptedBranches, StoreError> {
        AcceptedBranches::load(&self.treaty(), self).map_err(|error| StoreError::damaged(error.0))
    }

    fn arrivals_are_sound(&self) -> Result<bool, StoreError> {
        let mut sound = true;
        self.check_arrivals(&mut |_, _| sound = false)?;
        Ok(sound)
    }

    /// Looks for what is wrong with the arrivals: `fault` is told the place and what is wrong there.
    pub(super) fn check_arrivals(&self, fault: &mut dyn FnMut(String, String)) -> Result<(), StoreError> {
        let branches = self.first(Column::Branches, &[], &[u8::MAX; 11])?.is_some();
        let mut next = 0;
        let mut runs = 0u64;
        let mut scan = self.scan_all(Column::Arrivals, &[columns::BY_SEQUENCE], &[columns::BY_SEQUENCE + 1])?;
        while let Some((key, value)) = scan.next()? {
            let place = || format!("arrival {next}");
            runs += 1;
            match Run::parse(key, value) {
                Err(error) => fault(place(), error.to_string()),
                Ok(run) => {
                    // What was set aside left a gap.
                    if run.sequence < next || (run.sequence > next && !branches) {
                        fault(place(), format!("is missing: the next one is number {}", run.sequence));
                    }
                    let twin = columns::arrival_key(run.log, run.from);
                    let same = |value: Vec<u8>| Run::parse(&twin, &value).is_ok_and(|twin| twin == run);
                    if !self.get(Column::Arrivals, &twin)?.is_some_and(same) {
                        fault(place(), "does not agree with the entry of its records".into());
                    }
                    next = run.sequence + run.count;
                }
            }
        }
        let mut held = vec![0; self.sizes.len()];
        let mut scan = self.scan_all(Column::Arrivals, &[columns::BY_RECORD], &[columns::BY_RECORD + 1])?;
        while let Some((key, value)) = scan.next()? {
            runs = runs.wrapping_sub(1);
            let Ok(run) = Run::parse(key, value) else {
                fault("arrivals".into(), "an entry does not read as one".into());
                continue;
            };
            match held.get_mut(run.log) {
                Some(size) if *size == run.from => *size += run.count,
                _ => fault(
                    "arrivals".into(),
                    format!("records from {} of log {} on are out of place", run.from, run.log),
                ),
            }
        }
        if runs != 0 {
            fault("arrivals".into(), "the entries by number and by record are not as many".into());
        }
        for (log, arrived) in held.into_iter().enumerate() {
            let size = self.held(log);
            if arrived != size {
                let treaty = self.treaty();
                let code = treaty.parties().get(log).map_or("?", |party| &party.code);
                fault("arrivals".into(), format!("of {size} records of {code}, {arrived} are said to have arrived"));
            }
        }
        Ok(())
    }

    /// Puts all records in the order of their stated times.
    fn rebuild_arrivals(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let mut out = WriteBatch::default();
        out.delete_range_cf(self.cf(Column::Arrivals)?, &[][..], &END[..]);
        self.write(std::mem::take(&mut out))?;
        let range = |log| (record_key(log, 0), after(record_key(log, u64::MAX)));
        let mut scans = Vec::new();
        let mut next = BinaryHeap::new();
        for log in 0..self.sizes.len() {
            let mut scan = self.scan_all(Column::Records, &range(log).0, &range(log).1)?;
            if let Some((_, bytes)) = scan.next()? {
                next.push(Reverse((stated_time(bytes, Timestamp::default()), log, 0)));
            }
            scans.push(scan);
        }
        let (mut run, mut sequence): (Option<Run>, u64) = (None, 0);
        while let Some(Reverse((time, log, index))) = next.pop() {
            let time_ms = time.posix() * 1000;
            match &mut run {
                Some(run) if run.log == log && run.time_ms == time_ms && run.from + run.count == index => {
                    run.count += 1
                }
                _ => {
                    let fresh = Run { sequence, log, from: index, count: 1, time_ms };
                    if let Some(run) = run.replace(fresh) {
                        self.put_run(&mut out, &run)?;
                    }
                    if out.len() as u64 >= BATCH {
                        self.write(std::mem::take(&mut out))?;
                    }
                }
            }
            sequence += 1;
            if let Some(scan) = scans.get_mut(log)
                && let Some((_, bytes)) = scan.next()?
            {
                // Within a log the order is that of the log, whatever times it states.
                next.push(Reverse((stated_time(bytes, time).max(time), log, index + 1)));
            }
        }
        if let Some(run) = run {
            self.put_run(&mut out, &run)?;
        }
        self.write(out)?;
        writer.next_arrival = sequence;
        Ok(())
    }
}

fn stated_time(record: &[u8], otherwise: Timestamp) -> Timestamp {
    Record::parse(record).map_or(otherwise, |record| record.time)
}
