//! Receipts on demand: that this party still holds just this head of a log, and no longer one.
//!
//! An idle log gets no new receipts. Whoever has to show that a party has *not* answered asks the others what they
//! hold of its log now: each cosigns the head that it had cosigned last, with the time of today. That promises nothing
//! beyond what is on disk already. Where the head has grown by records that ask for no receipt, it is receipted first,
//! as a record like any other, and not more often than every ten seconds.

use super::engine::{Effect, Engine};
use super::storage::LogId;
use crate::tlog::Cosignature;

/// Shortest time between two receipts of one log that are given only because they were asked for, in milliseconds.
const FORCED_RECEIPT_MS: u64 = 10_000;

impl Engine {
    pub(super) fn attest(&mut self, ticket: u64, log: LogId) {
        if let Some(replica) = self.logs.get_mut(log)
            && log != self.config.me
            && replica.cosigned.is_none_or(|cosigned| cosigned.size < replica.head_size())
            && self.forced.get(&log).is_none_or(|last| self.passed_ms.saturating_sub(*last) >= FORCED_RECEIPT_MS)
        {
            replica.wants_until = replica.wants_until.max(replica.head_size());
            self.forced.insert(log, self.passed_ms);
        }
        self.attests.push((ticket, log));
    }

    /// After the receipts that are due were issued: what they cover is in this step's batch, or on disk already.
    pub(super) fn answer_attests(&mut self) {
        for (ticket, log) in std::mem::take(&mut self.attests) {
            let note = self.attested(log);
            self.effects.push(Effect::Attested { ticket, note });
        }
    }

    fn attested(&self, log: LogId) -> Option<Vec<u8>> {
        let replica = self.logs.get(log)?;
        let head = replica.head.as_ref()?;
        let is_current = replica.head_size() == replica.size()
            && replica.cosigned.is_some_and(|c| c.size == head.checkpoint.size && c.root == head.checkpoint.root);
        if log == self.config.me || !self.mode.signs() || replica.fork.is_some() || !is_current {
            return None;
        }
        let mut note = head.note.clone();
        Cosignature::sign(&mut note, self.witness_key()?, self.now().posix());
        Some(note.to_bytes())
    }
}
