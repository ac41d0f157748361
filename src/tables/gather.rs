//! The first reading: who received what when, and what bears on deadlines.

use crate::audit::{Item, Reading, Scope};
use std::collections::BTreeMap;

use crate::law::{Docket, Registrar, Seen};
use crate::ledger::{Mark, Receipt, Record, RecordType, References, Restart, Timestamp};
use crate::node::LogId;
use crate::tlog::leaf_hash;

use super::TablesError;

/// Records between two reports of progress.
pub(super) const BETWEEN_REPORTS: u64 = 1024;

/// A verified receipt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// Its place in the receiver's log.
    pub index: u64,
    /// The log that it is for.
    pub log: u32,
    /// How much of that it covers.
    pub size: u64,
    /// When it was given.
    pub time: Timestamp,
}

/// What rows need to know that does not stand in their own records.
pub(super) struct Gathered {
    pub docket: Docket,
    registrar: Registrar,
    references: References,
    /// By note: its marks for references to other records than stand there.
    pub astray: BTreeMap<(LogId, u64), (bool, Vec<Mark>)>,
    /// By receiver, in the order of its log.
    pub receipts: Vec<Vec<Given>>,
    /// By log, then by receiver: which of the receiver's receipts cover more of it than all before.
    wider: Vec<Vec<Vec<u32>>>,
    /// The latest time at which anything was logged or receipted.
    pub latest: Timestamp,
}

impl Gathered {
    pub fn read(reading: &Reading<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, TablesError> {
        let logs = reading.sizes.len();
        let mut gathered = Self {
            docket: Docket::new(reading.treaty.clone(), reading.profile.clone()),
            registrar: Registrar::new(reading.treaty.clone(), reading.profile.clone()),
            references: References::default(),
            astray: BTreeMap::new(),
            receipts: vec![Vec::new(); logs],
            wider: vec![vec![Vec::new(); logs]; logs],
            latest: Timestamp::default(),
        };
        let total = reading.sizes.iter().sum();
        let before: Vec<u64> =
            reading.sizes.iter().scan(0, |sum, size| Some(std::mem::replace(sum, *sum + size))).collect();
        reading.each(Scope::All, &mut |log, index, item| {
            if index.is_multiple_of(BETWEEN_REPORTS) {
                progress(before[log] + index, total);
            }
            match item {
                Item::Withheld(leaf) => gathered.references.record(log, index, &leaf),
                Item::Record(bytes) => {
                    gathered.references.record(log, index, &leaf_hash(&bytes));
                    if let Ok(record) = Record::parse(&bytes) {
                        gathered.record(log, &record, &bytes, reading);
                    }
                }
            }
            Ok::<_, TablesError>(())
        })?;
        for (log, size) in reading.sizes.iter().enumerate() {
            gathered.docket.known_to(log, *size);
        }
        gathered.astray = std::mem::take(&mut gathered.references).astray(&reading.treaty);
        Ok(gathered)
    }

    fn record(&mut self, by: LogId, record: &Record<'_>, bytes: &[u8], reading: &Reading<'_>) {
        self.latest = self.latest.max(record.time);
        self.registrar.learn(by, record);
        let filing = self.registrar.file(by, record.index, bytes);
        self.references.note((by, record.index), filing.references(), false, &reading.treaty);
        self.docket.enter(filing);
        if let Some(restart) = Restart::of_record(record, by, &reading.treaty) {
            self.references.parted(by, restart.common);
        }
        if record.kind != RecordType::Receipt {
            return;
        }
        // What is no receipt stands in the log and counts for nothing.
        let Ok(receipt) = Receipt::verify(record.payload, by, record.index, &reading.keys) else { return };
        let (index, log, size, time) = (record.index, receipt.log, receipt.checkpoint.size, receipt.time);
        self.latest = self.latest.max(time);
        self.docket.apply_receipt(log, by, Seen { size, index, time });
        let (given, wider) = (&mut self.receipts[by], &mut self.wider[log][by]);
        if wider.last().is_none_or(|last| given[*last as usize].size < size)
            && let Ok(at) = u32::try_from(given.len())
        {
            wider.push(at);
        }
        given.push(Given { index, log: log as u32, size, time });
    }

    /// Each party's first receipt that covers a record, the earliest first.
    pub fn received(&self, log: LogId, index: u64) -> Vec<(Timestamp, LogId)> {
        let first = |by: LogId| {
            let wider = self.wider.get(log)?.get(by)?;
            let at = wider.partition_point(|at| self.receipts[by][*at as usize].size <= index);
            Some((self.receipts[by][*wider.get(at)? as usize].time, by))
        };
        let mut found: Vec<_> = (0..self.receipts.len()).filter_map(first).collect();
        found.sort_unstable();
        found
    }
}
