//! Officials: whose keys may sign notifications, at a place in the party's log and at a time.
//!
//! A grant is in force for the records after its own, until a revocation of its key. What was logged before the
//! revocation stays as it was: nothing reaches back in a log. A key that was revoked never comes back: whoever has the
//! log key, and not the root's, could log its old grant again otherwise.
//!
//! The last moment of a key is judged by the *log's clock*: the latest time of its records so far. Otherwise a party that
//! sets its clock back could go on with keys that had come to their end by its own word.

use std::collections::BTreeMap;

use super::credential::{Credential, Grant, Revocation};
use super::record::{Record, RecordType};
use super::time::Timestamp;
use super::treaty::Treaty;
use crate::note::Signature;

/// What a party's root has said about its officials, in the order in which it took effect.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    grants: Vec<(u64, Grant)>,
    revocations: Vec<(u64, Revocation)>,
    /// The latest time of the log's records that were passed, the first one with it.
    clock: Option<Passed>,
    /// By the place of a grant: what passed its last moment.
    ended: BTreeMap<u64, Passed>,
    /// The earliest last moment of the others.
    next_end: Option<Timestamp>,
}

/// What had come to a time before a place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// By which record: those after it come too late.
    pub index: u64,
    /// The time.
    pub time: Timestamp,
    /// The two parties by whose clocks it had come, where the log's own does not show it.
    pub by: Option<[String; 2]>,
}

/// How the key of a signature line stands at a place of the log and at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// A grant is in force; its place.
    InForce(u64, &'a Grant),
    /// A grant is in force, but not at that time.
    Outside(u64, &'a Grant),
    /// The grant was revoked before; the place of the revocation.
    Revoked(u64, &'a Grant),
    /// It was not granted before.
    Unknown,
}

impl Credentials {
    /// Takes in a record of the party's log; what is not a valid credential changes nothing.
    pub fn apply(&mut self, record: &Record<'_>, log: usize, treaty: &Treaty) {
        self.pass(record.index, record.time);
        if record.kind == RecordType::Credential
            && let Ok(credential) = Credential::verify(record.payload, treaty.party(log), record.log, &treaty.hash())
        {
            self.take(record.index, credential, treaty);
        }
    }

    /// Takes in a verified credential; whether it counts. A rotation says nothing of officials.
    pub(super) fn take(&mut self, index: u64, credential: Credential, treaty: &Treaty) -> bool {
        match credential {
            Credential::Grant(grant) if self.ended(&grant).is_some() || self.is_used(&grant, treaty) => return false,
            Credential::Grant(grant) => {
                let ends = grant.until.is_some();
                self.grants.push((index, grant));
                if ends {
                    self.end_keys();
                }
            }
            Credential::Revoke(revocation) => self.revocations.push((index, revocation)),
            Credential::Rotate(_) => return false,
        }
        true
    }

    /// Takes in that a record of the log was logged at a time.
    pub fn pass(&mut self, index: u64, time: Timestamp) {
        self.come_to(Passed { index, time, by: None });
    }

    /// Takes in that two other parties' clocks had come to a time before the log came to where it is looked at.
    pub fn pass_by_others(&mut self, time: Timestamp, by: [String; 2]) {
        self.come_to(Passed { index: 0, time, by: Some(by) });
    }

    fn come_to(&mut self, passed: Passed) {
        if self.clock.as_ref().is_some_and(|clock| clock.time >= passed.time) {
            return;
        }
        let ends = self.next_end.is_some_and(|end| end < passed.time);
        self.clock = Some(passed);
        if ends {
            self.end_keys();
        }
    }

    /// The earliest last moment of the grants that have not ended: no earlier time changes how any of them stands.
    pub fn waits_for(&self) -> Option<Timestamp> {
        self.next_end
    }

    /// Whether the key of any grant ends at a time, or has ended.
    pub fn have_ends(&self) -> bool {
        self.next_end.is_some() || !self.ended.is_empty()
    }

    fn end_keys(&mut self) {
        self.next_end = None;
        for (at, grant) in &self.grants {
            let Some(until) = grant.until.filter(|_| !self.ended.contains_key(at)) else { continue };
            match self.clock.as_ref().filter(|clock| until < clock.time) {
                Some(clock) => drop(self.ended.insert(*at, clock.clone())),
                None => self.next_end = Some(self.next_end.map_or(until, |end| end.min(until))),
            }
        }
    }

    /// What passed the last moment of a grant before the record at `index`.
    pub fn ended_before(&self, at: u64, index: u64) -> Option<&Passed> {
        self.ended.get(&at).filter(|passed| passed.index < index)
    }

    /// One key, one job, one holder: whether a grant's key is some party's own, or an official's of another name.
    ///
    /// One secret key would stand for two officials otherwise.
    pub fn is_used(&self, grant: &Grant, treaty: &Treaty) -> bool {
        let mut own = treaty.parties().iter().flat_map(|party| [&party.root, &party.log, &party.witness]);
        let other = |(_, other): &(u64, Grant)| {
            other.key.public() == grant.key.public() && other.key.name() != grant.key.name()
        };
        own.any(|key| key.public() == grant.key.public()) || self.grants.iter().any(other)
    }

    /// Where the key of a grant was revoked, whatever grant of it that was about.
    pub fn ended(&self, grant: &Grant) -> Option<u64> {
        let of = |(_, revocation): &&(u64, Revocation)| revocation.key.public() == grant.key.public();
        self.revocations.iter().find(of).map(|(place, _)| *place)
    }

    /// Takes back what was taken in of the records from `index` on.
    pub fn forget_from(&mut self, index: u64) {
        self.grants.retain(|(at, _)| *at < index);
        self.revocations.retain(|(at, _)| *at < index);
        self.ended.retain(|at, passed| *at < index && passed.index < index);
        // What the records before it had come to is to be passed again.
        self.clock = self.clock.take().filter(|clock| clock.index < index);
        self.end_keys();
    }

    /// Grants in force for the record at `index`: those logged before it and not revoked since, each with its place.
    pub fn before(&self, index: u64) -> impl Iterator<Item = (u64, &Grant)> {
        let live = move |(at, grant): &&(u64, Grant)| *at < index && self.revoked(*at, grant, index).is_none();
        self.grants.iter().filter(live).map(|(at, grant)| (*at, grant))
    }

    /// All grants, revoked ones too, each with its place.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Grant)> {
        self.grants.iter().map(|(at, grant)| (*at, grant))
    }

    /// All revocations, each with its place.
    pub fn revocations(&self) -> impl Iterator<Item = (u64, &Revocation)> {
        self.revocations.iter().map(|(at, revocation)| (*at, revocation))
    }

    /// Where the grant that was logged at `at` was revoked, if that is before `index`.
    pub fn revoked(&self, at: u64, grant: &Grant, index: u64) -> Option<u64> {
        let ends = |(place, revocation): &&(u64, Revocation)| {
            at < *place && *place < index && revocation.key.public() == grant.key.public()
        };
        self.revocations.iter().find(ends).map(|(place, _)| *place)
    }

    /// The places of the records that decide [`Self::standing`]: of a grant, and of its revocation if that ended it.
    pub fn deciding(&self, line: &Signature, index: u64, time: Timestamp) -> Vec<u64> {
        match self.standing(line, index, time) {
            Standing::InForce(at, _) | Standing::Outside(at, _) => vec![at],
            Standing::Revoked(at, grant) => {
                let granted = self.grants.iter().rev().find(|(_, other)| std::ptr::eq(other, grant));
                granted.map(|(place, _)| *place).into_iter().chain([at]).collect()
            }
            Standing::Unknown => Vec::new(),
        }
    }

    /// How the key of a signature line stands for a record at `index` that was logged at `time`.
    ///
    /// The first grant in force counts that is valid at that time, and whose last moment the log had not passed before.
    pub fn standing(&self, line: &Signature, index: u64, time: Timestamp) -> Standing<'_> {
        let mut live = self.before(index).filter(|(_, grant)| line.is_by(&grant.key)).peekable();
        let first = live.peek().copied();
        let holds = |at: u64, grant: &Grant| grant.is_valid_at(time) && self.ended_before(at, index).is_none();
        if let Some((at, grant)) = live.find(|(at, grant)| holds(*at, grant)) {
            return Standing::InForce(at, grant);
        }
        if let Some((at, grant)) = first {
            return Standing::Outside(at, grant);
        }
        let mut ended = self.grants.iter().rev().filter(|(at, grant)| *at < index && line.is_by(&grant.key));
        let ended = ended.find_map(|(at, grant)| self.revoked(*at, grant, index).map(|place| (place, grant)));
        ended.map_or(Standing::Unknown, |(place, grant)| Standing::Revoked(place, grant))
    }
}
