//! What a mirror finds: what the places show, and what a person should know.

use crate::ledger::Timestamp;

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Finding {
    /// A log has signed two heads that contradict each other; both are kept.
    Fork {
        /// Code of the party.
        party: String,
        /// The place that showed the other head.
        place: String,
        /// Size of the smaller head.
        smaller: u64,
        /// Size of the larger head.
        larger: u64,
    },
    /// A place shows an older head than it did before, or none any more; what it showed is kept.
    Rollback {
        /// Code of the party.
        party: String,
        /// The place.
        place: String,
        /// Which file.
        file: String,
        /// Size of the head that it showed before.
        before: u64,
        /// Size of the head that it shows now; none if it shows none.
        now: Option<u64>,
    },
    /// A place can be read, and has nothing of this ledger: its address is wrong, or all of it was taken away.
    Nothing {
        /// The place.
        place: String,
    },
    /// What a place has does not hold; nothing of it was kept.
    Refused {
        /// Code of the party.
        party: String,
        /// The place.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// A place cannot be read.
    Unreachable {
        /// The place.
        place: String,
        /// Why.
        why: String,
    },
}

/// What a place shows of a log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// The place.
    pub place: String,
    /// Code of the party.
    pub party: String,
    /// Size of the head that a quorum has receipted; none if there is none.
    pub checkpoint: Option<u64>,
    /// Size of the newest head.
    pub latest: Option<u64>,
    /// The receipts on these heads, each verified.
    pub receipts: Vec<SeenReceipt>,
}

/// A receipt on a published head.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SeenReceipt {
    /// Code of the party that gave it.
    pub by: String,
    /// Size of the head.
    pub size: u64,
    /// When, by that party's clock.
    pub time: Timestamp,
}

/// What one round brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Round {
    /// Records that are new in the mirror.
    pub new: u64,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// What the places show.
    pub seen: Vec<Seen>,
    /// Codes of the parties of whose log no place has shown anything, now or before.
    pub unseen: Vec<String>,
}
