//! In which order records came to this node, and when; and which notes refer to a record.
//!
//! Records that arrive together, one after the other of one log, are one entry: a page of thousands costs two writes.

use rocksdb::WriteBatch;

use super::columns::{self, BY_RECORD, BY_SEQUENCE, Column, Fields, after, arrival_key, log_bytes, record_key};
use super::{Store, StoreError};
use crate::node::{LogId, NewRecord};

/// When a record came to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Arrival {
    /// Its number among all arrivals, from 0.
    pub sequence: u64,
    /// Its log.
    pub log: LogId,
    /// Its place in the log.
    pub index: u64,
    /// This node's clock then, in POSIX milliseconds.
    pub time_ms: u64,
}

/// Records of one log that arrived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub sequence: u64,
    pub log: LogId,
    pub from: u64,
    pub count: u64,
    pub time_ms: u64,
}

impl Run {
    /// Reads an entry of either kind.
    pub fn parse(key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        let read = || {
            let (kind, rest) = key.split_first()?;
            let (mut key, mut value) = (Fields(rest), Fields(value));
            let run = match *kind {
                BY_SEQUENCE => Self {
                    sequence: key.number()?,
                    log: value.log()?,
                    from: value.number()?,
                    count: value.number()?,
                    time_ms: value.number()?,
                },
                BY_RECORD => Self {
                    log: key.log()?,
                    from: key.number()?,
                    sequence: value.number()?,
                    count: value.number()?,
                    time_ms: value.number()?,
                },
                _ => return None,
            };
            let ends = run.sequence.checked_add(run.count).and(run.from.checked_add(run.count));
            key.end().and(value.end()).and(ends).filter(|_| run.count > 0).map(|_| run)
        };
        read().ok_or_else(|| StoreError::damaged("an entry of the index `arrivals` does not read as one"))
    }

    fn arrival(&self, offset: u64) -> Arrival {
        let Self { sequence, log, from, time_ms, .. } = *self;
        Arrival { sequence: sequence + offset, log, index: from + offset, time_ms }
    }
}

impl Store {
    /// Puts one run into a batch, under both keys.
    pub(super) fn put_run(&self, out: &mut WriteBatch, run: &Run) -> Result<(), StoreError> {
        let family = self.cf(Column::Arrivals)?;
        let (count, time) = (run.count.to_be_bytes(), run.time_ms.to_be_bytes());
        let by_sequence = [&log_bytes(run.log)[..], &run.from.to_be_bytes(), &count, &time].concat();
        let by_record = [run.sequence.to_be_bytes(), count, time].concat();
        out.put_cf(family, columns::sequence_key(run.sequence), by_sequence);
        out.put_cf(family, arrival_key(run.log, run.from), by_record);
        Ok(())
    }

    /// Puts the arrival of these records into a batch; says the next sequence number.
    pub(super) fn put_arrivals(
        &self,
        out: &mut WriteBatch,
        records: &[NewRecord],
        time_ms: u64,
        mut sequence: u64,
    ) -> Result<u64, StoreError> {
        for together in records.chunk_by(|a, b| a.log == b.log && a.index + 1 == b.index) {
            let Some(first) = together.first() else { continue };
            let count = together.len() as u64;
            self.put_run(out, &Run { sequence, log: first.log, from: first.index, count, time_ms })?;
            sequence += count;
        }
        Ok(sequence)
    }

    /// The run that holds this key, or the last one before it.
    fn run_at(&self, from: &[u8], key: Vec<u8>) -> Result<Option<Run>, StoreError> {
        let entry = self.last(Column::Arrivals, from, &after(key))?;
        entry.map(|(key, value)| Run::parse(&key, &value)).transpose()
    }

    pub(super) fn stored_arrivals(&self) -> Result<u64, StoreError> {
        let last = self.run_at(&[BY_SEQUENCE], columns::sequence_key(u64::MAX))?;
        Ok(last.map_or(0, |run| run.sequence + run.count))
    }

    /// How many records have arrived: the sequence number of the next one.
    pub fn arrivals_end(&self) -> u64 {
        self.writer().next_arrival
    }

    /// Arrivals in their order, from a sequence number on, at most `count`.
    pub fn arrivals(&self, from: u64, count: usize) -> Result<Vec<Arrival>, StoreError> {
        let mut arrivals = Vec::new();
        let Some(first) = self.run_at(&[BY_SEQUENCE], columns::sequence_key(from))? else { return Ok(arrivals) };
        let start = columns::sequence_key(first.sequence);
        let mut scan = self.scan(Column::Arrivals, &start, &after(columns::sequence_key(u64::MAX)))?;
        while arrivals.len() < count
            && let Some((key, value)) = scan.next()?
        {
            let run = Run::parse(key, value)?;
            let offsets = from.saturating_sub(run.sequence)..run.count;
            arrivals.extend(offsets.take(count - arrivals.len()).map(|offset| run.arrival(offset)));
        }
        Ok(arrivals)
    }

    /// When a record arrived; `None` if it is not held.
    pub fn arrival(&self, log: LogId, index: u64) -> Result<Option<Arrival>, StoreError> {
        let run = self.run_at(&arrival_key(log, 0), arrival_key(log, index))?;
        Ok(run.filter(|run| index - run.from < run.count).map(|run| run.arrival(index - run.from)))
    }

    /// Notifications that refer to a record, by log and index, at most `count`. The record itself need not be held.
    pub fn replies(&self, log: LogId, index: u64, count: usize) -> Result<Vec<(LogId, u64)>, StoreError> {
        let start = record_key(log, index);
        let mut scan = self.scan(Column::Replies, &start, &[&start[..], &[u8::MAX; 11]].concat())?;
        let mut replies = Vec::new();
        while replies.len() < count
            && let Some((key, _)) = scan.next()?
        {
            let mut fields = Fields(key);
            let read = fields.log().and(fields.number()).and_then(|_| fields.log()).zip(fields.number());
            replies.push(read.ok_or_else(|| StoreError::damaged("an entry of the index `replies` is none"))?);
        }
        Ok(replies)
    }
}
