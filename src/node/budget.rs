//! How much room the other parties' logs get on this node's disk.
//!
//! What a party logs all others store, so that one party could fill everybody's disk. Each other log therefore has a
//! budget that grows back with time. Past it nothing more of that log is fetched for the time being; this party's own
//! log, and those of all others, go on. While the disk is nearly full this is so for all other logs.

use std::fmt;

use super::engine::Engine;
use super::storage::LogId;

const DAY_MS: i128 = 86_400_000;

/// What each other party's log may take, in bytes of records. A page that was asked for in time is taken in whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// At once: after the node's start, or when the log was quiet for long.
    pub at_once: u64,
    /// A day, in the long run.
    pub a_day: u64,
}

impl Default for Budget {
    /// 2 GiB at once, 64 MiB a day.
    fn default() -> Self {
        Self { at_once: 2 << 30, a_day: 64 << 20 }
    }
}

/// Why nothing more of a log is fetched for the time being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// It has used up its budget.
    Budget,
    /// The disk is nearly full.
    Disk,
}

impl NoRoom {
    /// For programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Disk => "disk",
        }
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Budget => "it has grown by more than its budget on this disk, which grows back with time",
            Self::Disk => "this disk is nearly full",
        })
    }
}

/// What is left of a log's budget.
#[derive(Clone, Copy)]
pub(super) struct Left {
    /// In bytes times milliseconds of a day, so that nothing is rounded; below 0 if the last page was larger.
    amount: i128,
    /// When that was so, in the time that has passed.
    at_ms: u64,
}

impl Engine {
    /// Whether more of a log may be stored now.
    pub(super) fn has_room(&self, log: LogId) -> bool {
        self.why_no_room(log).is_none()
    }

    /// Why nothing more of a log is fetched now, if there is more of it.
    pub fn not_fetched(&self, log: LogId) -> Option<NoRoom> {
        let lacks = self.known_size(log) > self.size(log);
        self.why_no_room(log).filter(|_| lacks)
    }

    fn why_no_room(&self, log: LogId) -> Option<NoRoom> {
        if log == self.config.me {
            return None;
        }
        if !self.disk_has_room {
            return Some(NoRoom::Disk);
        }
        (self.left(log) <= 0).then_some(NoRoom::Budget)
    }

    fn left(&self, log: LogId) -> i128 {
        let Budget { at_once, a_day } = self.config.budget;
        let most = i128::from(at_once) * DAY_MS;
        let Some(Left { amount, at_ms }) = self.budgets.get(&log) else { return most };
        let passed = i128::from(self.passed_ms.saturating_sub(*at_ms));
        amount.saturating_add(passed.saturating_mul(a_day.into())).min(most)
    }

    /// So many bytes of a log are stored.
    pub(super) fn spend(&mut self, log: LogId, bytes: usize) {
        let amount = self.left(log) - bytes as i128 * DAY_MS;
        self.budgets.insert(log, Left { amount, at_ms: self.passed_ms });
    }
}
