//! This party's own log: what is taken into it, and what is refused.
//!
//! The ledger keeps whatever another party logged, but a party's own node logs only what is in order.

use super::engine::{Effect, Engine};
use super::recovery::Mode;
use super::replica::{End, Head};
use super::storage::{Read, ReadError};
use crate::ledger::{
    AmendmentError, Credential, CredentialError, MAX_RECORD_BYTES, Mark, NewKey, Notification, NotificationError,
    Record, RecordType, Reference, Restart, Timestamp, check_notification,
};
use crate::note::{SignedNote, SigningKey};
use crate::tlog::{Checkpoint, Hash, leaf_hash};

/// A note that stands in this party's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its place.
    pub index: u64,
    /// Its leaf hash; `None` of a restart certificate that waits for the records before it, or for the node to sign.
    pub leaf: Option<Hash>,
    /// It had been logged before; nothing new was written.
    pub already: bool,
}

/// Why a note was not taken into this party's log. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The node does not sign now.
    #[error("the node does not sign now: {0}")]
    NotSigning(String),
    /// It would not fit a record.
    #[error(
        "a note with its record's first line is at most {MAX_RECORD_BYTES} bytes long; put what is larger into an attachment"
    )]
    TooLong,
    /// Neither a notification nor a credential.
    #[error("it cannot be read as a notification: {0}")]
    Notification(NotificationError),
    /// Looks like a credential, and is not one of this party's root.
    #[error("it is not a credential of this party: {0}")]
    Credential(CredentialError),
    /// Looks like an amendment, and is not the treaty's next one.
    #[error("it is not an amendment of the treaty: {0}")]
    Amendment(AmendmentError),
    /// Looks like a restart certificate, and does not hold.
    #[error("{0}")]
    Restart(super::restart::RestartRefusal),
    /// A rotation to a key that has a job already, or had one; or a grant of such a key, or of another official's.
    #[error("its key is no new one: a key has one job and one holder, once")]
    KeyUsed,
    /// A rotation to a key whose secret half this node does not have.
    #[error("this node does not have the secret half of that key: put its file into the keys folder and start again")]
    KeyNotHere,
    /// A revocation of a key that is not granted.
    #[error("no grant is in force for that key")]
    NothingToRevoke,
    /// A grant of a key that was revoked.
    #[error("its key was revoked in record {0} of this log, and a revoked key does not come back: grant a new one")]
    KeyRevoked(u64),
    /// Another note with the same id is in the log.
    #[error("another note with this id is number {0} of the log already")]
    IdTaken(u64),
    /// The same note is in the log, without one of these signatures.
    #[error(
        "this note is number {0} of the log already, with other signatures; what is logged gets no further ones: \
         send a new note that refers to it"
    )]
    OtherSignatures(u64),
    /// A reference to a record that this node holds, with another leaf hash than the record has.
    #[error("it refers to {0}, but with a hash that is not that record's")]
    Reference(String),
    /// It would carry marks.
    #[error("it is not in order: {}", .0.iter().map(|mark| mark.text.as_str()).collect::<Vec<_>>().join(" "))]
    Marks(Vec<Mark>),
}

/// Where this party's log ended before the records that no head covers yet.
pub(super) struct Unsigned {
    end: End,
    /// Tiles that the batch had then.
    tiles: usize,
}

impl Engine {
    pub(super) fn submit(&mut self, ticket: u64, note: Vec<u8>, read: &dyn Read) -> Result<(), ReadError> {
        let outcome = if Restart::is_named(&note) && self.mode == Mode::Contradicted {
            self.take_in_restart(&note, read)?
        } else if self.mode.signs() {
            self.take_in(&note, read)?
        } else if self.mode == Mode::WithoutKey && note.starts_with(b"{\"action\":\"rotate\"") {
            // The one thing that helps: the root puts another key in the lost one's place.
            self.take_in_credential(&note, read)?
        } else {
            Err(Refusal::NotSigning(self.mode.to_string()))
        };
        self.effects.push(Effect::Answer { ticket, outcome });
        Ok(())
    }

    fn take_in(&mut self, note: &[u8], read: &dyn Read) -> Result<Result<Accepted, Refusal>, ReadError> {
        match Notification::of_note(note) {
            Ok((_, notification)) => self.take_in_notification(note, &notification, read),
            // Only a credential has an action: whoever made one deserves to be told what is wrong with it as such.
            Err(_) if Restart::is_named(note) => self.take_in_restart(note, read),
            Err(_) if note.starts_with(b"{\"action\":\"amend\"") => self.take_in_amendment(note, read),
            Err(_) if note.starts_with(b"{\"action\":") => self.take_in_credential(note, read),
            Err(error) => Ok(Err(Refusal::Notification(error))),
        }
    }

    fn take_in_notification(
        &mut self,
        note: &[u8],
        notification: &Notification,
        read: &dyn Read,
    ) -> Result<Result<Accepted, Refusal>, ReadError> {
        let me = self.config.me;
        let treaty = self.config.treaty.clone();
        let found = match self.fresh_ids.get(&notification.id) {
            Some(index) => Some(*index),
            None => read.note(me, &notification.id)?,
        };
        if let Some(index) = found {
            return self.logged_before(index, note, notification, read);
        }
        let mut referred = Vec::new();
        for reference in &notification.re {
            let Some(log) = treaty.find(&reference.log) else { continue };
            let held = self.record(log, reference.index, read)?;
            let is_other = held.as_ref().is_some_and(|bytes| leaf_hash(bytes) != reference.leaf);
            if is_other && !self.is_on_branch(log, reference, read)? {
                let text = format!("{}/{}", treaty.party(log).code, reference.index);
                return Ok(Err(Refusal::Reference(text)));
            }
            referred.push(held.map(|bytes| kind_of(&bytes)));
        }
        let disorder = self.config.profile.predecessors(&notification.kind, &referred);
        if !disorder.is_empty() {
            let mark = |(code, text): (&str, String)| Mark { code: code.to_owned(), text };
            return Ok(Err(Refusal::Marks(disorder.into_iter().map(mark).collect())));
        }
        let index = self.logs[me].size();
        let (prev, kind) = (self.logs[me].last_leaf(), RecordType::Notification);
        let record = Record { index, log: treaty.origin(me), prev, time: self.now(), kind, payload: note };
        let officials = self.keys.party(me).officials();
        let at = self.logs[me].adoption.last();
        let mut validity =
            check_notification(&record, me, at, &treaty, Some(&self.config.profile), officials, |_| None);
        if !validity.marks.is_empty() {
            let (kind, profile) = (&notification.kind, &self.config.profile);
            validity.name_who_is_missing(kind, profile, index, record.time, officials);
            return Ok(Err(Refusal::Marks(validity.marks)));
        }
        let id = notification.id;
        Ok(self.append_own(RecordType::Notification, note).inspect(|accepted| {
            self.fresh_ids.insert(id, accepted.index);
        }))
    }

    /// Whether a reference is to a record of a branch that the log's root accepted as well: of one that is not held, it may be.
    fn is_on_branch(&self, log: usize, reference: &Reference, read: &dyn Read) -> Result<bool, ReadError> {
        for (restart, _) in self.logs[log].restarts.iter().filter(|(restart, _)| restart.common <= reference.index) {
            let held = read.branch(log, restart.kept_head().size, reference.index, 1, MAX_RECORD_BYTES)?;
            if held.first().is_none_or(|bytes| leaf_hash(bytes) == reference.leaf) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A note with this id is in the log: the same one is acknowledged again, another one is refused.
    fn logged_before(
        &self,
        index: u64,
        note: &[u8],
        notification: &Notification,
        read: &dyn Read,
    ) -> Result<Result<Accepted, Refusal>, ReadError> {
        let id = &notification.id;
        let missing = || ReadError(format!("the note {id} should be record {index} of this log, and is not"));
        let bytes = self.record(self.config.me, index, read)?.ok_or_else(missing)?;
        let record = Record::parse(&bytes).map_err(|_| missing())?;
        let (logged_note, logged) = Notification::of_note(record.payload).map_err(|_| missing())?;
        let signed = SignedNote::parse(note)
            .is_ok_and(|note| note.signatures().iter().all(|line| logged_note.signatures().contains(line)));
        Ok(match logged == *notification {
            true if signed => Ok(Accepted { index, leaf: Some(leaf_hash(&bytes)), already: true }),
            true => Err(Refusal::OtherSignatures(index)),
            false => Err(Refusal::IdTaken(index)),
        })
    }

    fn take_in_credential(&mut self, note: &[u8], read: &dyn Read) -> Result<Result<Accepted, Refusal>, ReadError> {
        let me = self.config.me;
        let treaty = self.config.treaty.clone();
        let credential = match Credential::verify(note, treaty.party(me), treaty.origin(me), &treaty.hash()) {
            Ok(credential) => credential,
            Err(error) => return Ok(Err(Refusal::Credential(error))),
        };
        let history = self.keys.party(me);
        let before = match &credential {
            Credential::Grant(grant) => history.officials().all().find(|(_, other)| *other == grant).map(|(at, _)| at),
            Credential::Revoke(revocation) => {
                history.officials().revocations().find(|(_, other)| *other == revocation).map(|(at, _)| at)
            }
            Credential::Rotate(rotation) => {
                history.changes().iter().find(|change| change.rotation == *rotation).map(|change| change.index)
            }
        };
        if let Some(index) = before {
            let missing = || ReadError(format!("record {index} of this log, a credential, is missing"));
            let leaf = Some(leaf_hash(&self.record(me, index, read)?.ok_or_else(missing)?));
            return Ok(Ok(Accepted { index, leaf, already: true }));
        }
        match &credential {
            Credential::Grant(grant) => {
                if let Some(at) = history.officials().ended(grant) {
                    return Ok(Err(Refusal::KeyRevoked(at)));
                }
                if history.is_own(grant) || history.officials().is_used(grant, &treaty) {
                    return Ok(Err(Refusal::KeyUsed));
                }
            }
            Credential::Revoke(revocation) => {
                let granted = |(_, grant): (u64, &crate::ledger::Grant)| grant.key.public() == revocation.key.public();
                if !history.officials().before(u64::MAX).any(granted) {
                    return Ok(Err(Refusal::NothingToRevoke));
                }
            }
            Credential::Rotate(rotation) => {
                if !(0..self.keys.len()).all(|party| self.keys.party(party).is_new(&rotation.key, &treaty)) {
                    return Ok(Err(Refusal::KeyUsed));
                }
                let held = match &rotation.key {
                    NewKey::Log(key) => self.config.log_keys.iter().any(|held| held.public() == key),
                    NewKey::Witness(key) => self.config.witness_keys.iter().any(|held| held.public() == key),
                    // It is taken up at the next start.
                    NewKey::Transport(_) => true,
                };
                if !held {
                    return Ok(Err(Refusal::KeyNotHere));
                }
                // The old log key has a part in this, unless it is the one that is lost.
                let alone = matches!(rotation.key, NewKey::Log(_)) && rotation.lost;
                if !alone && self.log_key(self.logs[me].size() + 1).is_none() {
                    return Ok(Err(Refusal::NotSigning(self.mode.to_string())));
                }
            }
        }
        let accepted = self.append_own(RecordType::Credential, note);
        if let (Ok(accepted), Credential::Rotate(rotation)) = (&accepted, &credential) {
            // A log's rotation is the last record under the head that both keys sign.
            self.sign_head(accepted.index + 1);
            if matches!(rotation.key, NewKey::Transport(_)) {
                self.tell_endpoint(me);
            }
        }
        Ok(accepted)
    }

    /// The secret half of the log key for heads of this size, if it is here.
    pub(super) fn log_key(&self, size: u64) -> Option<&SigningKey> {
        let key = self.keys.party(self.config.me).log_key(size);
        self.config.log_keys.iter().find(|held| held.public() == key)
    }

    /// The secret half of the witness key for the next receipt, if it is here.
    pub(super) fn witness_key(&self) -> Option<&SigningKey> {
        let me = self.config.me;
        let key = self.keys.party(me).witness_key(self.logs[me].size());
        self.config.witness_keys.iter().find(|held| held.public() == key)
    }

    /// Whether this node has the keys that are in force for what it signs next.
    pub(super) fn has_its_keys(&self) -> bool {
        self.log_key(self.logs[self.config.me].size() + 1).is_some() && self.witness_key().is_some()
    }

    /// The head over all records that this log has, which are `size`; at a changeover signed with the old key as well.
    pub(super) fn signed_head(&self, size: u64) -> Option<Head> {
        let me = self.config.me;
        let origin = self.config.treaty.origin(me).to_owned();
        let checkpoint = Checkpoint { origin, size, root: self.logs[me].root() };
        // The origin was checked when the treaty file was read, so this text is always one that can be signed.
        let mut note = SignedNote::new(checkpoint.text()).ok()?;
        if let Some(old) = self.keys.party(me).leaving_log_key(size) {
            note.sign(self.config.log_keys.iter().find(|held| held.public() == old)?);
        }
        note.sign(self.log_key(size)?);
        Some(Head { checkpoint, note })
    }

    /// Appends a record to this party's log; the head over it is signed at the end of the step.
    pub(super) fn append_own(&mut self, kind: RecordType, payload: &[u8]) -> Result<Accepted, Refusal> {
        let me = self.config.me;
        let treaty = self.config.treaty.clone();
        let replica = &mut self.logs[me];
        let (index, prev) = (replica.size(), replica.last_leaf());
        let time = Timestamp::from_posix(self.now_ms / 1000);
        let record = Record { index, log: treaty.origin(me), prev, time, kind, payload };
        let bytes = record.to_bytes().map_err(|_| Refusal::TooLong)?;
        let page = replica.check(treaty.origin(me), std::slice::from_ref(&bytes)).map_err(|_| Refusal::TooLong)?;
        let leaf = Some(leaf_hash(&bytes));
        if self.unsigned.is_none() {
            self.unsigned = Some(Unsigned { end: replica.end(), tiles: self.batch.tiles.len() });
        }
        self.keys.party_mut(me).apply(&record, &treaty);
        replica.adopt(page, vec![bytes], &mut self.batch);
        replica.adoption.pass(index, time, &treaty);
        Ok(Accepted { index, leaf, already: false })
    }

    /// Takes back the records of this step over which no head was signed yet: this log turned out to be longer than was
    /// known, so that they have another place in it. Whoever handed them in is told so.
    pub(super) fn take_back_unsigned(&mut self, why: Mode) {
        let Some(Unsigned { end, tiles }) = self.unsigned.take() else { return };
        let me = self.config.me;
        self.logs[me].return_to(end);
        let size = self.logs[me].size();
        self.batch.records.retain(|record| record.log != me || record.index < size);
        let mut at = 0;
        self.batch.tiles.retain(|(log, _)| {
            at += 1;
            at <= tiles || *log != me
        });
        self.keys.party_mut(me).forget_from(size);
        self.fresh_ids.clear();
        for effect in &mut self.effects {
            if let Effect::Answer { outcome, .. } = effect
                && outcome.as_ref().is_ok_and(|accepted| accepted.index >= size)
            {
                *outcome = Err(Refusal::NotSigning(why.to_string()));
            }
        }
    }

    /// A record, whether it is stored already or waits in this step's batch.
    pub(super) fn record(&self, log: usize, index: u64, read: &dyn Read) -> Result<Option<Vec<u8>>, ReadError> {
        let pending = self.batch.records.iter().find(|record| record.log == log && record.index == index);
        match pending {
            Some(record) => Ok(Some(record.bytes.clone())),
            None => read.record(log, index),
        }
    }
}

/// The kind of the notification in a record; empty if it is something else.
fn kind_of(bytes: &[u8]) -> String {
    let record = Record::parse(bytes).ok();
    let note = record.and_then(|record| Notification::of_note(record.payload).ok());
    note.map_or(String::new(), |(_, notification)| notification.kind)
}
