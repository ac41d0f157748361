//! The first reading: who received what when, and what bears on deadlines.

use std::collections::BTreeMap;

use crate::audit::{Item, OtherBranch, Reading, Scope};
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
    /// The branch of that log that it covers, by its place in [`Reading::branches`]; none for the log itself.
    pub branch: Option<u32>,
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
    /// By branch that a log left: who received how much of it, and when, in the order of the receivers' logs.
    apart: Vec<Vec<(LogId, u64, Timestamp)>>,
    /// By party: the latest time, by its own clock, at which it logged or receipted anything.
    reached: Vec<Timestamp>,
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
            apart: vec![Vec::new(); reading.branches.len()],
            reached: vec![Timestamp::default(); logs],
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
        gathered.branches(reading)?;
        gathered.astray = std::mem::take(&mut gathered.references).astray(&reading.treaty);
        Ok(gathered)
    }

    /// What stands on branches that logs left bears on what is due as what stands in the logs.
    fn branches(&mut self, reading: &Reading<'_>) -> Result<(), TablesError> {
        for (at, branch) in (0..).zip(&reading.branches) {
            let (log, number, is_held) = (branch.log, branch.number as u64, branch.is_held());
            self.docket.set_aside(log, number, is_held);
            let mut registrar = self.registrar.up_to(log, branch.restart.common);
            reading.each_on(branch, &mut |index, bytes| {
                if let Some(record) = Record::parse(&bytes).ok().filter(|_| is_held) {
                    registrar.learn(log, &record);
                    self.docket.enter_aside(number, registrar.file(log, index, &bytes));
                }
                Ok::<_, TablesError>(())
            })?;
            for (by, given) in self.receipts.iter().enumerate() {
                for Given { index, size, time, .. } in given.iter().filter(|given| given.branch == Some(at)) {
                    self.docket.receipt_aside(log, number, by, Seen { size: *size, index: *index, time: *time });
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, by: LogId, record: &Record<'_>, bytes: &[u8], reading: &Reading<'_>) {
        self.reached[by] = self.reached[by].max(record.time);
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
        let Some(found) = Self::receipt(reading, by, record) else { return };
        let Given { index, log, size, time, branch } = found;
        let log = log as LogId;
        self.reached[by] = self.reached[by].max(time);
        let (given, wider) = (&mut self.receipts[by], &mut self.wider[log][by]);
        if let Some(branch) = branch {
            self.apart[branch as usize].push((by, size, time));
        } else {
            self.docket.apply_receipt(log, by, Seen { size, index, time });
        }
        if branch.is_none()
            && wider.last().is_none_or(|last| given[*last as usize].size < size)
            && let Ok(at) = u32::try_from(given.len())
        {
            wider.push(at);
        }
        given.push(found);
    }

    /// The latest time that the clocks of more than half of the parties which said anything had reached: a clock that is far
    /// ahead moves nothing.
    pub fn as_of(&self) -> Timestamp {
        let mut reached: Vec<_> = self.reached.iter().copied().filter(|time| *time > Timestamp::default()).collect();
        reached.sort_unstable();
        reached.get(reached.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    /// The receipt that a record of a party's log holds, if it is one.
    pub fn receipt(reading: &Reading<'_>, by: LogId, record: &Record<'_>) -> Option<Given> {
        let receipt = Receipt::verify(record.payload, by, record.index, &reading.keys).ok()?;
        let (log, size) = (receipt.log, receipt.checkpoint.size);
        let is_on = |branch: &OtherBranch| branch.log == log && branch.has(&receipt.checkpoint);
        let branch = reading.branches.iter().position(is_on).map(|at| at as u32);
        Some(Given { index: record.index, log: log as u32, size, time: receipt.time, branch })
    }

    /// The same of a record on a branch that a log left.
    pub fn received_apart(&self, branch: usize, index: u64) -> Vec<(Timestamp, LogId)> {
        let mut first: BTreeMap<LogId, Timestamp> = BTreeMap::new();
        for (by, size, time) in self.apart.get(branch).into_iter().flatten() {
            if *size > index {
                first.entry(*by).or_insert(*time);
            }
        }
        let mut found: Vec<_> = first.into_iter().map(|(by, time)| (time, by)).collect();
        found.sort_unstable();
        found
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
