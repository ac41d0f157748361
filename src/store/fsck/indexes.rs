//! What is found by other means than a record's number: each entry leads to a record that justifies it, and each
//! record has its entries. And what is kept beside the logs: cosigned heads and fork proofs.

use super::Check;
use crate::ledger::{ForkProof, Lies, Receipt, Record, RecordType};
use crate::node::{Cosigned, LogId, LogTiles, Read};
use crate::note::SignedNote;
use crate::store::StoreError;
use crate::store::columns::{Column, Fields, after, cosigned_key, log_bytes, receipt_key, record_key};
use crate::store::index::entries;
use crate::store::read::{parse_cosigned, parse_receipt};
use crate::tlog::{Checkpoint, Hash, root_at};

const INDEXES: [Column; 5] = [Column::Ids, Column::Receipts, Column::Credentials, Column::Amendments, Column::Replies];

impl Check<'_> {
    pub(super) fn indexes(&mut self) -> Result<(), StoreError> {
        // Entries that a record justifies and that are there.
        let mut justified = [0u64; INDEXES.len()];
        for log in 0..self.store.logs() {
            let store = self.store;
            let mut scan = store.scan_all(Column::Records, &record_key(log, 0), &after(record_key(log, u64::MAX)))?;
            while let Some((key, bytes)) = scan.next()? {
                let index = key.last_chunk::<8>().map_or(0, |index| u64::from_be_bytes(*index));
                self.step();
                if !self.altered.contains(&(log, index))
                    && let Ok(record) = Record::parse(bytes)
                {
                    self.entries_of(log, &record, bytes, &mut justified)?;
                }
            }
        }
        for (column, justified) in INDEXES.into_iter().zip(justified) {
            let mut count = 0;
            let mut scan = self.store.scan_all(column, &[], &[u8::MAX; 64])?;
            while scan.next()?.is_some() {
                count += 1;
            }
            if count != justified {
                self.unjustified(column)?;
            }
        }
        let report = &mut self.report;
        self.store.check_arrivals(&mut |place, what| report.index_fault(place, what))?;
        self.forks()?;
        self.cosigned()
    }

    /// Whether the entries of a record are there.
    fn entries_of(
        &mut self,
        log: LogId,
        record: &Record<'_>,
        bytes: &[u8],
        justified: &mut [u64; INDEXES.len()],
    ) -> Result<(), StoreError> {
        let place = format!("record {}/{}", self.code(log), record.index);
        let mut count = |column| {
            if let Some((_, count)) = INDEXES.iter().zip(justified.iter_mut()).find(|(other, _)| **other == column) {
                *count += 1;
            }
        };
        for (column, key) in entries(log, record.index, record.kind, bytes, &self.store.treaty()) {
            if self.store.has(column, &key)? {
                count(column);
            } else {
                self.report.index_fault(&place, format!("is missing from the index `{}`", column.name()));
            }
        }
        match record.kind {
            RecordType::Receipt => {
                // What is no receipt stays in its log and counts for nothing.
                let Ok(receipt) = Receipt::verify_or_open(record.payload, log, record.index, &self.keys) else {
                    return Ok(());
                };
                let (of, size) = (receipt.log, receipt.checkpoint.size);
                self.report.receipts += 1;
                let key = receipt_key(of, log, size, record.index);
                let entry = self.store.get(Column::Receipts, &key)?;
                let agrees = !self.sound[of] || self.store.agrees(&receipt)?;
                let forked = self.store.has(Column::Forks, &log_bytes(of))?;
                let damaged = |error: crate::node::ReadError| StoreError::damaged(error.0);
                let lies = || self.accepted.lies(of, &receipt.checkpoint, None, self.store).map_err(damaged);
                if !agrees && !forked && lies()? == Lies::Elsewhere {
                    let what = format!(
                        "receipts a head of {} that its records held here contradict, and no proof of a fork is kept",
                        self.code(of)
                    );
                    self.report.fault(&place, what);
                }
                match entry.map(|value| parse_receipt(&key, &value)) {
                    Some(Ok(entry)) if entry.time == receipt.time => count(Column::Receipts),
                    Some(_) => {
                        count(Column::Receipts);
                        self.report.index_fault(&place, "has another time in the index `receipts`");
                    }
                    // Of which branch it is, only records tell that are still to come; those of the other one are in no index.
                    None if self.is_open(of, size) && lies()? != Lies::Elsewhere => {
                        let code = self.code(of);
                        self.report.open(&code);
                    }
                    None if agrees => self.report.index_fault(&place, "is missing from the index `receipts`"),
                    None => {}
                }
            }
            RecordType::Evidence => {
                if let Ok(proof) = ForkProof::parse(record.payload, &self.store.treaty())
                    && !self.store.has(Column::Forks, &log_bytes(proof.log()))?
                    && self.store.counts(&proof, (log, record.index), &self.keys, &self.accepted)?
                {
                    let what = format!("proves that the log of {} forked, which is not kept", self.code(proof.log()));
                    self.report.index_fault(&place, what);
                }
            }
            RecordType::Notification | RecordType::Credential | RecordType::Amendment => {}
        }
        Ok(())
    }

    /// Whether a head is beyond the records held of a log whose root has accepted two branches.
    fn is_open(&self, log: LogId, size: u64) -> bool {
        self.accepted.has(log) && size > self.store.held(log)
    }

    /// Names the entries of an index that no record justifies.
    fn unjustified(&mut self, column: Column) -> Result<(), StoreError> {
        let store = self.store;
        let mut scan = store.scan_all(column, &[], &[u8::MAX; 64])?;
        while let Some((key, value)) = scan.next()? {
            let Some((log, index)) = record_of(column, key) else {
                self.report.index_fault(format!("index `{}`", column.name()), "an entry does not read as one");
                continue;
            };
            if self.altered.contains(&(log, index)) {
                continue;
            }
            let bytes = store.get(Column::Records, &record_key(log, index))?;
            let record = bytes.as_deref().and_then(|bytes| Record::parse(bytes).ok().map(|record| (record, bytes)));
            let justified = record.is_some_and(|(record, bytes)| match column {
                Column::Receipts => {
                    Receipt::verify_or_open(record.payload, log, index, &self.keys).is_ok_and(|receipt| {
                        record.kind == RecordType::Receipt
                            && parse_receipt(key, value)
                                .is_ok_and(|entry| (entry.log, entry.size) == (receipt.log, receipt.checkpoint.size))
                    })
                }
                _ => entries(log, index, record.kind, bytes, &store.treaty()).iter().any(|(_, entry)| entry == key),
            });
            if !justified {
                let place = format!("record {}/{index}", self.code(log));
                let what = format!("does not justify its entry in the index `{}`", column.name());
                self.report.index_fault(place, what);
            }
        }
        Ok(())
    }

    fn forks(&mut self) -> Result<(), StoreError> {
        let store = self.store;
        let mut scan = store.scan_all(Column::Forks, &[], &[u8::MAX; 64])?;
        while let Some((key, proof)) = scan.next()? {
            self.report.forks += 1;
            let log = Fields(key).log().unwrap_or(usize::MAX);
            let what = match ForkProof::parse(proof, &store.treaty()) {
                Ok(proof) if proof.log() == log => continue,
                Ok(proof) => format!("it proves a fork of the log of {}", self.code(proof.log())),
                Err(error) => error.to_string(),
            };
            self.report.fault(format!("fork proof {}", self.code(log)), what);
        }
        Ok(())
    }

    /// The last cosigned heads are those of this party's own receipts, or, where it cosigned on demand since, larger
    /// heads of the records held. Which party this is, the heads themselves tell: it is the one whose receipts fit best.
    fn cosigned(&mut self) -> Result<(), StoreError> {
        let mut stored = Vec::new();
        for log in 0..self.store.logs() {
            let value = self.store.get(Column::State, &cosigned_key(log))?;
            stored.push(value.map(|value| parse_cosigned(&value)));
        }
        if stored.iter().all(Option::is_none) {
            return Ok(());
        }
        let mut best: Option<(usize, Vec<LogId>)> = None;
        for by in 0..stored.len() {
            let (mut misfits, mut wrong) = (0, Vec::new());
            for (log, stored) in stored.iter().enumerate() {
                let receipted = self.last_receipted(log, by)?;
                // Of a receipt that was altered only its size is known, by the index.
                let fits = match (stored, receipted) {
                    (Some(Some(stored)), Some((size, root))) => {
                        stored.size == size && root.is_none_or(|root| root == stored.root)
                    }
                    (None, None) => true,
                    // All of what was cosigned is on a branch that does not go on.
                    (Some(Some(stored)), None) if self.accepted.has(log) => stored.size == 0,
                    _ => false,
                };
                misfits += usize::from(!fits);
                let beyond = receipted.map_or(0, |(size, _)| size);
                if !fits && !matches!(stored, Some(Some(stored)) if self.was_held(log, stored, beyond)?) {
                    wrong.push(log);
                }
            }
            if best.as_ref().is_none_or(|(most, _)| misfits < *most) {
                best = Some((misfits, wrong));
            }
        }
        for log in best.map(|(_, wrong)| wrong).unwrap_or_default() {
            let what = "the last head that this party cosigned is neither that of its last receipt nor a later one";
            self.report.fault(format!("cosigned {}", self.code(log)), what);
        }
        Ok(())
    }

    /// Whether a head is one of the records held, beyond a size.
    fn was_held(&self, log: LogId, head: &Cosigned, beyond: u64) -> Result<bool, StoreError> {
        if head.size <= beyond || head.size > self.store.size(log).map_err(|e| StoreError::damaged(e.0))? {
            return Ok(false);
        }
        let tiles = LogTiles { read: self.store, log };
        Ok(root_at(&tiles, head.size).map_err(|e| StoreError::damaged(e.0))? == Some(head.root))
    }

    /// Size of the head of a party's last receipt for a log, and its root if the receipt is as it was logged.
    fn last_receipted(&self, log: LogId, by: LogId) -> Result<Option<(u64, Option<Hash>)>, StoreError> {
        // What was receipted of a branch that does not go on was cosigned there.
        let most = if self.accepted.has(log) { self.store.held(log) } else { u64::MAX };
        let entry = self.store.receipt_up_to(log, by, most).map_err(|e| StoreError::damaged(e.0))?;
        let Some(entry) = entry else { return Ok(None) };
        let bytes = self.store.get(Column::Records, &record_key(by, entry.index))?;
        let root = bytes
            .filter(|_| !self.altered.contains(&(by, entry.index)))
            .and_then(|bytes| SignedNote::parse(Record::parse(&bytes).ok()?.payload).ok())
            .and_then(|note| Checkpoint::parse(note.text()).ok())
            .map(|head| head.root);
        Ok(Some((entry.size, root)))
    }
}

/// The record that an entry leads to.
fn record_of(column: Column, key: &[u8]) -> Option<(LogId, u64)> {
    let mut fields = Fields(key);
    let place = match column {
        Column::Ids => (fields.log()?, fields.bytes::<16>().and(fields.number())?),
        Column::Receipts => {
            let _ = fields.log()?;
            let by = fields.log()?;
            (by, fields.number().and_then(|_| fields.number())?)
        }
        Column::Replies => {
            let _ = (fields.log()?, fields.number()?);
            (fields.log()?, fields.number()?)
        }
        _ => (fields.log()?, fields.number()?),
    };
    fields.end().map(|()| place)
}
