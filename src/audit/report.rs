//! What an audit found.

use crate::ledger::{Mark, Timestamp};
use crate::tlog::Hash;

/// Most faults, and most marked notes, that a report lists one by one; it counts the others.
pub const MAX_LISTED: usize = 1000;

/// Something that does not verify. What comes after it in the same log was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The file, from the folder on.
    pub file: String,
    /// The line, from 1; 0 if the file as a whole is meant.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// One party's log, as far as it verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LogReport {
    /// The party's code.
    pub party: String,
    /// Whether it was read to its end without a fault; otherwise the numbers below are those up to the fault.
    pub complete: bool,
    /// Number of records.
    pub records: u64,
    /// Notifications among them.
    pub notifications: u64,
    /// Receipts for other logs among them.
    pub receipts: u64,
    /// Credentials among them.
    pub credentials: u64,
    /// Fork proofs among them.
    pub evidence: u64,
    /// Amendments of the treaty file that hold from there on.
    pub amendments: u64,
    /// Records that are not what their type says: they stand in the log and count for nothing.
    pub void: u64,
    /// Signed heads.
    pub checkpoints: u64,
    /// Records that a quorum of parties has receipted.
    pub final_size: u64,
    /// When the last record was logged, by the party's own clock.
    pub last: Option<Timestamp>,
}

/// A notification that is not in order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MarkedNote {
    /// Code of the party whose log it is in.
    pub party: String,
    /// Its place there.
    pub index: u64,
    /// What is not in order.
    pub marks: Vec<Mark>,
}

/// A log of which others have receipted more than is here.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Code of the party whose log it is.
    pub party: String,
    /// Records in the folder.
    pub have: u64,
    /// Size of the largest head that the party signed and somebody receipted.
    pub signed: u64,
}

/// A log that forked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ForkedLog {
    /// Code of the party whose log it is.
    pub party: String,
    /// What shows it.
    pub why: String,
}

/// What an audit of an export folder found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The treaty's title.
    pub title: String,
    /// SHA-256 of the treaty file.
    pub treaty: Option<Hash>,
    /// Whether the treaty file was given from outside. Otherwise its hash is to be compared with a trusted one.
    pub treaty_given: bool,
    /// The logs, in the treaty's order.
    pub logs: Vec<LogReport>,
    /// Notifications that are not in order, at most [`MAX_LISTED`].
    pub marked: Vec<MarkedNote>,
    /// Number of notifications that are not in order.
    pub marked_count: u64,
    /// Logs that forked.
    pub forks: Vec<ForkedLog>,
    /// Logs that are longer than what is here.
    pub missing: Vec<Missing>,
    /// What does not verify, at most [`MAX_LISTED`].
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether everything verifies, nothing is known to be missing, and no log has forked.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.missing.is_empty() && self.forks.is_empty()
    }

    pub(super) fn fault(&mut self, file: &str, line: u64, what: impl Into<String>) {
        if self.faults.len() < MAX_LISTED {
            self.faults.push(Fault { file: file.to_owned(), line, what: what.into() });
        }
    }

    pub(super) fn forked(&mut self, party: &str, why: impl Into<String>) {
        if self.forks.len() < MAX_LISTED && self.forks.iter().all(|fork| fork.party != party) {
            self.forks.push(ForkedLog { party: party.to_owned(), why: why.into() });
        }
    }
}
