//! Keys that change: learning of a log's new key, and what a replaced key's signature is still worth.
//!
//! A head that is signed in a log's name with an unknown key is no fault: the log may have changed its key in records
//! that are still to come. The peer is asked for what the log's root signed about its keys, which needs nobody else's
//! word; from which place on a key counts, the records tell when they are here.

use super::engine::{Engine, FIRST_SEARCH_MS};
use super::message::Request;
use super::storage::{LogId, Read, ReadError};
use crate::ledger::{ForkProof, Job, KeyHistory, Keyring, Record, RecordType};
use crate::note::{SignedNote, VerifierKey};

/// Shortest time between two questions to one peer for the keys of one log, in milliseconds.
const ASK_AGAIN_MS: u64 = 4 * FIRST_SEARCH_MS;

/// A place in a party's log.
pub(super) type Place = (LogId, u64);

impl Engine {
    /// Asks a peer what the root of a log has signed about its keys.
    pub(super) fn ask_keys(&mut self, peer: LogId, log: LogId) {
        let last = self.keys_asked.get(&(peer, log)).copied();
        let soon = last.is_some_and(|last| self.passed_ms.saturating_sub(last) < ASK_AGAIN_MS);
        if !soon && self.connected.contains_key(&peer) {
            self.keys_asked.insert((peer, log), self.passed_ms);
            self.request(peer, Request::Keys { log });
        }
    }

    /// Takes in what a peer knows of a log's keys. What is news may make heads good that were passed over.
    pub(super) fn learn_keys(&mut self, peer: LogId, log: LogId, notes: &[Vec<u8>]) {
        let treaty = self.config.treaty.clone();
        let mut news = false;
        for note in notes {
            match self.keys.party_mut(log).announce(note, &treaty) {
                Ok(new) => news |= new,
                Err(error) => return self.fault(peer, format!("a key that its party's root did not sign: {error}")),
            }
        }
        if news {
            self.fetches.trust(peer, log);
            self.ask_heads(peer);
        }
    }

    /// The key history of a log if these records, which continue it from `size` on, are taken in; none if there is no
    /// credential among them.
    pub(super) fn rekeyed(
        &self,
        log: LogId,
        size: u64,
        kinds: &[RecordType],
        records: &[Vec<u8>],
    ) -> Option<KeyHistory> {
        kinds.contains(&RecordType::Credential).then(|| {
            let mut history = self.keys.party(log).clone();
            for (bytes, _) in records.iter().zip(kinds).filter(|(_, kind)| **kind == RecordType::Credential) {
                if let Ok(record) = Record::parse(bytes) {
                    history.apply(&record, &self.config.treaty);
                }
            }
            history.known_to(size + records.len() as u64);
            history
        })
    }

    /// A page up to `size` was taken in: its keys are in force.
    pub(super) fn take_keys(&mut self, log: LogId, rekeyed: Option<KeyHistory>, size: u64) {
        let Some(rekeyed) = rekeyed else { return self.keys.party_mut(log).known_to(size) };
        let before = self.keys.party(log);
        let changed = before.changes().len() != rekeyed.changes().len();
        let moved = before.endpoint() != rekeyed.endpoint();
        *self.keys.party_mut(log) = rekeyed;
        if changed {
            self.logs[log].review_heads(self.keys.party(log));
        }
        if moved {
            self.tell_endpoint(log);
        }
    }

    /// Whether a head is signed with a key that was replaced since, and is not shown to be older than that.
    ///
    /// Whoever has the old key can sign what the log might have said before. That is held against the log only where
    /// another party's log shows, at `seen`, that it was there before that party receipted the change.
    pub(super) fn is_late(
        &self,
        log: LogId,
        note: &SignedNote,
        seen: Option<Place>,
        read: &dyn Read,
    ) -> Result<bool, ReadError> {
        let history = self.keys.party(log);
        let signed: Vec<_> = history.all_keys(Job::Log).filter(|key| note.verify(key).is_ok()).collect();
        any_late(history, signed.into_iter(), seen, &mut |by, size| self.first_receipt(log, by, size, read))
    }

    /// The same, of a fork's proof that stands in the log of another party.
    pub(super) fn is_late_proof(&self, proof: &ForkProof, seen: Place, read: &dyn Read) -> Result<bool, ReadError> {
        let log = proof.log();
        late_proof(&self.keys, proof, seen, &mut |by, size| self.first_receipt(log, by, size, read))
    }

    /// Index of a party's first receipt on a head of at least this size, stored or in this step's batch.
    fn first_receipt(&self, log: LogId, by: LogId, size: u64, read: &dyn Read) -> Result<Option<u64>, ReadError> {
        let stored = read.receipt_from(log, by, size)?;
        let fresh = self.batch.receipts.iter().filter(|e| e.log == log && e.by == by && e.size >= size);
        Ok(fresh.copied().chain(stored).min_by_key(|entry| entry.size).map(|entry| entry.index))
    }
}

/// Whether a fork's proof in a party's log is held against the forked log: see [`Keyring`].
///
/// With the stored receipts alone; a proof that came too late says nothing.
pub fn counts(proof: &ForkProof, by: LogId, index: u64, keys: &Keyring, read: &dyn Read) -> Result<bool, ReadError> {
    let log = proof.log();
    let mut first = |by, size| Ok(read.receipt_from(log, by, size)?.map(|entry| entry.index));
    Ok(!late_proof(keys, proof, (by, index), &mut first)?)
}

type FirstReceipt<'a> = &'a mut dyn FnMut(LogId, u64) -> Result<Option<u64>, ReadError>;

fn late_proof(keys: &Keyring, proof: &ForkProof, seen: Place, first: FirstReceipt<'_>) -> Result<bool, ReadError> {
    let history = keys.party(proof.log());
    let signed: Vec<_> = proof.signed_by(history).collect();
    any_late(history, signed.into_iter(), Some(seen), first)
}

fn any_late<'a>(
    history: &KeyHistory,
    signed: impl Iterator<Item = &'a VerifierKey>,
    seen: Option<Place>,
    first: FirstReceipt<'_>,
) -> Result<bool, ReadError> {
    for key in signed {
        let Some(change) = history.replaced_at(key) else { continue };
        let in_time = match seen {
            None => false,
            Some((by, index)) => first(by, change + 1)?.is_none_or(|receipt| index < receipt),
        };
        if !in_time {
            return Ok(true);
        }
    }
    Ok(false)
}
