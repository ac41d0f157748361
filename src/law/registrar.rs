//! What a record says for the docket, and whether it is its party's word: all that costs a signature is done here, once.

use std::sync::Arc;

use super::docket::{Docket, Seen};
use crate::ledger::{
    Credentials, Disowned, Keyring, Notification, Profile, Receipt, Record, RecordType, Reference, Timestamp, Treaty,
    disowned,
};
use crate::tlog::{Hash, leaf_hash};

/// A record, as the docket takes it in.
pub struct Filing {
    pub(super) log: usize,
    pub(super) index: u64,
    pub(super) note: Option<Filed>,
}

/// A notification in it.
pub(super) struct Filed {
    pub leaf: Hash,
    pub sent: Timestamp,
    pub note: Notification,
    /// Why it is not its party's word.
    pub disowned: Option<Disowned>,
}

impl Filing {
    /// A record at a place of a log, of which it was verified elsewhere that it is its party's word.
    pub fn vouched(log: usize, index: u64, bytes: &[u8]) -> Self {
        Self::read(log, index, bytes, |_, _, _| None)
    }

    /// What the note in it refers to.
    pub fn references(&self) -> &[Reference] {
        self.note.as_ref().map_or(&[], |filed| &filed.note.re)
    }

    fn read(
        log: usize,
        index: u64,
        bytes: &[u8],
        disowned: impl FnOnce(&Record, &crate::note::SignedNote, &Notification) -> Option<Disowned>,
    ) -> Self {
        let record = Record::parse(bytes).ok().filter(|record| record.kind == RecordType::Notification);
        let note = record.and_then(|record| {
            let (signed, note) = Notification::of_note(record.payload).ok()?;
            let disowned = disowned(&record, &signed, &note);
            Some(Filed { leaf: leaf_hash(bytes), sent: record.time, note, disowned })
        });
        Self { log, index, note }
    }
}

/// Knows which keys are in force where in each log, by the records that it was shown.
#[derive(Clone)]
pub struct Registrar {
    treaty: Arc<Treaty>,
    profile: Arc<Profile>,
    keys: Keyring,
}

impl Registrar {
    /// One that knows the keys in the treaty file.
    pub fn new(treaty: Arc<Treaty>, profile: Arc<Profile>) -> Self {
        let keys = Keyring::new(&treaty);
        Self { treaty, profile, keys }
    }

    /// The treaty was amended: there may be more parties.
    pub fn amend(&mut self, treaty: Arc<Treaty>) {
        self.keys.amend(&treaty);
        self.treaty = treaty;
    }

    /// One that knows of a log only what its first records say: for a branch that has these in common with it.
    pub fn up_to(&self, log: usize, common: u64) -> Self {
        let mut known = self.clone();
        if log < known.keys.len() {
            known.keys.party_mut(log).forget_from(common);
        }
        known
    }

    /// Takes in what a record says of its party's keys; those of a log come in its order. Logs of parties that the treaty
    /// does not have yet are passed over: it is amended first.
    pub fn learn(&mut self, log: usize, record: &Record) {
        if log < self.keys.len() {
            self.keys.party_mut(log).apply(record, &self.treaty);
        }
    }

    /// The officials of a log's party, by the records that were learnt; `None` if the treaty does not have it yet.
    pub fn officials(&self, log: usize) -> Option<&Credentials> {
        (log < self.keys.len()).then(|| self.keys.party(log).officials())
    }

    /// Reads a record, and verifies whose word it is. The credentials before it in its log have to be known; it does no
    /// harm if later ones are.
    pub fn file(&self, log: usize, index: u64, bytes: &[u8]) -> Filing {
        Filing::read(log, index, bytes, |record, signed, note| {
            let officials = self.officials(log)?;
            disowned(record, (signed, note), log, &self.treaty, &self.profile, officials)
        })
    }

    /// Takes a record of a log into a docket; it has to follow those that came before of that log. Receipts are verified;
    /// what does not hold counts for nothing.
    pub fn apply(&mut self, docket: &mut Docket, log: usize, index: u64, bytes: &[u8]) {
        let record = Record::parse(bytes).ok();
        record.iter().for_each(|record| self.learn(log, record));
        docket.enter(self.file(log, index, bytes));
        if let Some(record) = record.filter(|record| record.kind == RecordType::Receipt)
            // The other log's records may come later: what its key is does not change who gave the receipt, and when.
            && log < self.keys.len()
            && let Ok(receipt) = Receipt::verify_or_open(record.payload, log, index, &self.keys)
        {
            let seen = Seen { size: receipt.checkpoint.size, index, time: receipt.time };
            docket.apply_receipt(receipt.log, log, seen);
        }
    }
}
