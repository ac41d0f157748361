//! Keys that change: learning of a log's new key, and what a replaced key's signature is still worth.
//!
//! A head that is signed in a log's name with an unknown key is no fault: the log may have changed its key in records
//! that are still to come. The peer is asked for what the log's root signed about its keys, which needs nobody else's
//! word; from which place on a key counts, the records tell when they are here.

use super::engine::{Engine, FIRST_SEARCH_MS};
use super::message::Request;
use super::replica::Head;
use super::storage::{LogId, Read, ReadError};
use crate::ledger::{ForkProof, Job, KeyHistory, Keyring, Record, RecordType, Treaty};

/// Shortest time between two questions to one peer for the keys of one log, in milliseconds.
const ASK_AGAIN_MS: u64 = 4 * FIRST_SEARCH_MS;

/// Records read at a time in search of the latest time.
const PAGE_RECORDS: u64 = 256;
const PAGE_BYTES: usize = 1 << 20;

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

    /// What this party's own log had come to by its own clock, from one record up to another: by that its officials' keys end.
    /// Only where a key is to end anything is read.
    pub(super) fn pass_own_times(&mut self, (mut from, to): (u64, u64), read: &dyn Read) -> Result<(), ReadError> {
        let me = self.config.me;
        while from < to && self.keys.party(me).officials().waits_for().is_some() {
            let page = read.records(me, from, PAGE_RECORDS.min(to - from), PAGE_BYTES)?;
            if page.is_empty() {
                return Err(ReadError(format!("record {from} of this party's own log is missing")));
            }
            for bytes in page {
                if let Ok(record) = Record::parse(&bytes) {
                    self.keys.party_mut(me).pass(from, record.time);
                }
                from += 1;
            }
        }
        Ok(())
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

    /// Records of a log came in, from one size to another. Heads in between that were stored before them are looked at again:
    /// whether the key that is in force signed them, and whether the records lead there, was not known then.
    pub(super) fn pass_heads(
        &mut self,
        log: LogId,
        (from, to): (u64, u64),
        peer: LogId,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let mut heads: Vec<Head> = self
            .batch
            .heads
            .iter()
            .filter(|(of, size, _)| *of == log && *size > from && *size <= to)
            .filter_map(|(_, _, note)| Head::parse(note))
            .collect();
        let mut at = from + 1;
        while let Some(head) = read.head_from(log, at)?.and_then(|note| Head::parse(&note))
            && head.checkpoint.size <= to
        {
            at = head.checkpoint.size + 1;
            heads.push(head);
        }
        heads.sort_by_key(|head| head.checkpoint.size);
        for head in heads {
            let size = head.checkpoint.size;
            let in_force = self.keys.party(log).verify_head(&head.note).is_ok();
            let replica = &mut self.logs[log];
            if in_force && replica.root_at(size, &self.batch, read)? == Some(head.checkpoint.root) {
                if size > replica.head_size() {
                    replica.set_head(head, &mut self.batch);
                }
                continue;
            }
            self.batch.heads.retain(|(of, at, _)| (*of, *at) != (log, size));
            self.batch.refuted_heads.push((log, size));
            if in_force {
                self.contradicts(log, head, (peer, None), read)?;
            }
        }
        Ok(())
    }

    /// Whether a head says nothing against its log, by the keys that signed it; `seen` is where in a log it stands.
    pub(super) fn is_late(
        &self,
        log: LogId,
        head: &Head,
        seen: Option<Place>,
        read: &dyn Read,
    ) -> Result<bool, ReadError> {
        let history = self.keys.party(log);
        let signed: Vec<_> = history.all_keys(Job::Log).filter(|key| head.note.verify(key).is_ok()).collect();
        let mut first = |by, size| self.first_receipt(log, by, size, read);
        let mut receipted = seen.map(|seen| receipted_by(seen, &mut first));
        history.is_late(signed, receipted.as_mut().map(|f| f as _))
    }

    /// The same, of a fork's proof that stands in the log of another party.
    pub(super) fn is_late_proof(&self, proof: &ForkProof, seen: Place, read: &dyn Read) -> Result<bool, ReadError> {
        let log = proof.log();
        let mut first = |by, size| self.first_receipt(log, by, size, read);
        proof.is_late(self.keys.party(log), Some(&mut receipted_by(seen, &mut first)))
    }

    /// Whether a fork's proof cannot be judged yet: a key that signed one of its heads is the log's by its root's word, and
    /// from which record on it is in force, records tell that are still to come. Then one of the heads may be by a key
    /// that had been replaced. They are in doubt until then.
    pub(super) fn waits_for_keys(&mut self, proof: &ForkProof, seen: Option<Place>) -> bool {
        let (log, treaty) = (proof.log(), self.config.treaty.clone());
        for note in proof.carried_keys() {
            // What a proof carries was verified with it.
            let _ = self.keys.party_mut(log).announce(note, &treaty);
        }
        let history = self.keys.party(log);
        let keys: Vec<_> = proof.signed_by(history).cloned().collect();
        let waits = keys.first() != keys.last() && keys.iter().any(|key| history.is_unplaced(key));
        if waits {
            let (notes, heads) = (proof.heads(), proof.checkpoints());
            for (note, checkpoint) in [notes.0, notes.1].into_iter().zip(heads) {
                self.logs[log].doubt(Head { checkpoint: checkpoint.clone(), note: note.clone() }, seen);
            }
        }
        waits
    }

    /// Whether a head is signed with a key of which it is not known from which record on it is in force.
    pub(super) fn is_by_unplaced(&self, log: LogId, head: &Head) -> bool {
        let history = self.keys.party(log);
        history.all_keys(Job::Log).any(|key| history.is_unplaced(key) && head.note.verify(key).is_ok())
    }

    /// Index of a party's first receipt on a head of at least this size, stored or in this step's batch.
    fn first_receipt(&self, log: LogId, by: LogId, size: u64, read: &dyn Read) -> Result<Option<u64>, ReadError> {
        let stored = read.receipt_from(log, by, size)?;
        let fresh = self.batch.receipts.iter().filter(|e| e.log == log && e.by == by && e.size >= size);
        Ok(fresh.copied().chain(stored).min_by_key(|entry| entry.size).map(|entry| entry.index))
    }
}

/// Whether a fork's proof in a party's log is held against the forked log: see [`KeyHistory::is_late`].
///
/// With the stored receipts alone.
pub fn counts(proof: &ForkProof, by: LogId, index: u64, keys: &Keyring, read: &dyn Read) -> Result<bool, ReadError> {
    let log = proof.log();
    let mut first = |by, size| Ok(read.receipt_from(log, by, size)?.map(|entry| entry.index));
    Ok(!proof.is_late(keys.party(log), Some(&mut receipted_by((by, index), &mut first)))?)
}

/// Whether a party had given a receipt for a head of at least a size before a place in its log.
fn receipted_by<'a>(
    (by, index): Place,
    first: &'a mut dyn FnMut(LogId, u64) -> Result<Option<u64>, ReadError>,
) -> impl FnMut(u64) -> Result<bool, ReadError> + 'a {
    move |size| Ok(first(by, size)?.is_some_and(|receipt| receipt <= index))
}

/// The key histories of all parties, from the credentials in stored data, which were verified before they were written.
pub fn load_keyring(treaty: &Treaty, read: &dyn Read) -> Result<Keyring, ReadError> {
    let mut keys = Keyring::new(treaty);
    for log in 0..treaty.parties().len() {
        for index in read.credentials(log)? {
            if let Some(bytes) = read.record(log, index)?
                && let Ok(record) = Record::parse(&bytes)
            {
                keys.party_mut(log).apply(&record, treaty);
            }
        }
        keys.party_mut(log).known_to(read.size(log)?);
    }
    Ok(keys)
}
