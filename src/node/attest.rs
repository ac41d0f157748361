//! Receipts on demand: that this party still holds just this head of a log, and no longer one.
//!
//! An idle log gets no new receipts. Whoever has to show that a party has *not* answered asks the others what they
//! hold of its log now: each cosigns the head of all that it holds, with the time of today. No record is written for
//! that: a record would be asked for in its turn, and an idle ledger would grow for ever. Where the log has grown by
//! records that ask for no receipt, the head is stored as the one that was cosigned last, before the cosignature leaves.

use super::engine::{Effect, Engine};
use super::storage::{Cosigned, LogId, Read, ReadError};
use crate::tlog::Cosignature;

/// Somebody waits for a cosignature.
pub(super) struct Attest {
    pub ticket: u64,
    pub log: LogId,
    /// Also over a head that was not cosigned before.
    pub grown: bool,
}

impl Engine {
    /// After the receipts that are due were issued: what they cover is in this step's batch, or on disk already.
    pub(super) fn answer_attests(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        for Attest { ticket, log, grown } in std::mem::take(&mut self.attests) {
            let note = self.attested(log, grown, read)?;
            self.effects.push(Effect::Attested { ticket, note });
        }
        Ok(())
    }

    fn attested(&mut self, log: LogId, grown: bool, read: &dyn Read) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(replica) = self.logs.get(log) else { return Ok(None) };
        let Some(head) = replica.head.clone() else { return Ok(None) };
        let Cosigned { size, root } = Cosigned { size: head.checkpoint.size, root: head.checkpoint.root };
        let before = replica.cosigned;
        if log == self.config.me
            || log >= self.config.treaty.settled_parties()
            || !self.mode.signs()
            || replica.fork.is_some()
            || size != replica.size()
        {
            return Ok(None);
        }
        if before.is_none_or(|before| before.size != size || before.root != root) {
            // What asks for a receipt gets one that stands in this party's log, and nothing else.
            let wants = replica.wants_until > before.map_or(0, |before| before.size);
            if !grown || wants || !self.extends(log, before, read)? {
                return Ok(None);
            }
        }
        let time = self.now().posix();
        let mut note = head.note;
        let Some(key) = self.witness_key() else { return Ok(None) };
        Cosignature::sign(&mut note, key, time);
        if before.is_none_or(|before| before.size < size) {
            let cosigned = Cosigned { size, root };
            self.logs[log].cosigned = Some(cosigned);
            self.batch.cosigned.push((log, cosigned));
        }
        Ok(Some(note.to_bytes()))
    }

    /// A witness never contradicts itself: what it cosigned before is a prefix of what it holds now.
    pub(super) fn extends(&mut self, log: LogId, before: Option<Cosigned>, read: &dyn Read) -> Result<bool, ReadError> {
        let Some(before) = before else { return Ok(true) };
        Ok(self.logs[log].root_at(before.size, &self.batch, read)? == Some(before.root)
            || self.is_other(log, before.size, &before.root, read)?)
    }
}
