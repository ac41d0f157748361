//! Everything verified again from the stored bytes: nothing that an earlier check left behind is believed.
//!
//! First each log by itself (chain, tree, signed heads), then what is found by other means: indexes both ways,
//! receipts, cosigned heads, fork proofs. Of a record, its leaf in the tree and the next record's `prev`, two agree
//! against the one that was altered: that one is named, and the check goes on with what the other two say.

mod indexes;
mod log;

use std::collections::{BTreeMap, HashSet};

use super::columns::{Column, log_bytes};
use super::{Store, StoreError};
use crate::ledger::Keyring;
use crate::node::{AcceptedBranches, LogId};

/// Most faults listed; the rest is counted.
pub const MAX_FAULTS: usize = 1000;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// What is wrong: `record US/12`, `tile US/0/3`, `head US/13`, …
    pub place: String,
    /// What is wrong with it.
    pub what: String,
    /// [`Store::rebuild_indexes`] puts it right: no signed data is concerned.
    pub repairable: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Records verified.
    pub records: u64,
    /// Tiles recomputed.
    pub tiles: u64,
    /// Signed heads verified.
    pub heads: u64,
    /// Receipts verified.
    pub receipts: u64,
    /// Fork proofs verified.
    pub forks: u64,
    /// By code of a party whose log goes on with another branch: receipts of which only records tell that are still to come
    /// whether they are for that branch, or for the other one. Nothing is wrong with them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, u64>,
    /// What is wrong, at most [`MAX_FAULTS`].
    pub faults: Vec<Fault>,
    /// Further faults, not listed.
    pub unlisted: u64,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    fn add(&mut self, place: impl Into<String>, what: impl Into<String>, repairable: bool) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { place: place.into(), what: what.into(), repairable });
        } else {
            self.unlisted += 1;
        }
    }

    fn open(&mut self, code: &str) {
        *self.open.entry(code.to_owned()).or_default() += 1;
    }

    fn fault(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.add(place, what, false);
    }

    fn index_fault(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.add(place, what, true);
    }
}

/// A check under way.
struct Check<'a> {
    store: &'a Store,
    report: Report,
    /// Records whose bytes are not those that were logged: what they say about indexes counts for nothing.
    altered: HashSet<(LogId, u64)>,
    /// Which keys are in force where, by the records as they are read.
    keys: Keyring,
    /// What certificates explain.
    accepted: AcceptedBranches,
    /// By log: whether chain and tree hold.
    sound: Vec<bool>,
    /// Records read, each twice, and records in all.
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

/// Verifies everything. `progress` is told how many records are done, and of how many.
///
/// Faults in the data are in the report, places that cannot be read included; an error is only what keeps the check
/// itself from going on.
pub fn fsck(store: &Store, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, StoreError> {
    let parties = store.logs();
    let total = (0..parties).map(|log| store.held(log)).sum::<u64>();
    let (report, altered, sound) = (Report::default(), HashSet::new(), vec![true; parties]);
    let (keys, accepted) = (Keyring::new(&store.treaty()), AcceptedBranches::default());
    let mut check = Check { store, report, altered, keys, accepted, sound, done: 0, total, progress };
    check.guard("the parties' keys".into(), |check| store.scan_keyring().map(|keys| check.keys = keys))?;
    let branches = "the branches that do not go on";
    check.guard(branches.into(), |check| store.accepted_branches().map(|found| check.accepted = found))?;
    for log in 0..parties {
        check.guard(format!("log {}", store.treaty().party(log).code), |check| check.log(log))?;
    }
    check.guard("the stored data".into(), Check::strangers)?;
    check.guard("the indexes".into(), Check::indexes)?;
    (check.progress)(total, total);
    Ok(check.report)
}

impl Check<'_> {
    /// Runs a part of the check. What cannot be read is a fault of that part, and the others go on.
    fn guard(
        &mut self,
        place: String,
        part: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match part(self) {
            Err(StoreError::Damaged { what }) => {
                self.report.fault(place, format!("cannot be read further: {what}"));
                self.sound.iter_mut().for_each(|sound| *sound = false);
                Ok(())
            }
            other => other,
        }
    }

    fn code(&self, log: LogId) -> String {
        // Logs come from keys, too.
        self.store.treaty().parties().get(log).map_or_else(|| format!("#{log}"), |party| party.code.clone())
    }

    fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(1024) {
            (self.progress)(self.done / 2, self.total);
        }
    }

    /// Entries under the numbers of logs that the treaty does not have.
    fn strangers(&mut self) -> Result<(), StoreError> {
        let from = log_bytes(self.store.logs());
        for column in [
            Column::Records,
            Column::Tiles,
            Column::Heads,
            Column::Forks,
            Column::Ids,
            Column::Receipts,
            Column::Credentials,
            Column::Amendments,
            Column::Replies,
        ] {
            if self.store.first(column, &from, &[u8::MAX; 64])?.is_some() {
                let what = "has entries of a log that is not in the treaty file";
                self.report.fault(format!("column family {}", column.name()), what);
            }
        }
        Ok(())
    }
}
