//! Notes that refer to each other, and which of them belong together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::law_view::{DepositaryView, ThreadNote};
use super::view::PartyView;
use crate::law::{Docket, Place};
use crate::ledger::{
    MAX_RECORD_BYTES, Notification, Profile, Record, RecordType, Reference, Restart, Role, Timestamp, Treaty,
};
use crate::node::{Read, ReadError};
use crate::tlog::{Hash, leaf_hash};

/// How many references away from its first note a note still belongs to a thread.
const DEPTH: usize = 2;

/// A note as it was logged.
pub(super) struct Noted {
    /// When, by its sender's clock.
    pub logged: Timestamp,
    /// What it says.
    pub note: Notification,
    leaf: Hash,
    /// Something follows from it.
    counts: bool,
}

/// Notes as of a time, and how they refer to each other.
pub(super) struct Threads<'a> {
    docket: &'a Docket,
    treaty: &'a Treaty,
    profile: &'a Profile,
    notes: BTreeMap<Place, Noted>,
    replies: BTreeMap<Place, Vec<Place>>,
}

impl<'a> Threads<'a> {
    /// Reads those notes that were logged up to a time.
    pub fn load(
        read: &dyn Read,
        docket: &'a Docket,
        places: &[Place],
        counts: &dyn Fn(Place) -> bool,
        as_of: Timestamp,
    ) -> Result<Self, ReadError> {
        let (treaty, profile) = (docket.treaty(), docket.profile());
        let mut notes = BTreeMap::new();
        for place in places {
            if let Some(bytes) = record(read, docket, *place)?
                && let Ok(record) = Record::parse(&bytes)
                && record.kind == RecordType::Notification
                && record.time <= as_of
                && let Ok((_, note)) = Notification::of_note(record.payload)
            {
                let (leaf, counts) = (leaf_hash(&bytes), counts(*place));
                notes.insert(*place, Noted { logged: record.time, note, leaf, counts });
            }
        }
        let mut replies: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for (place, noted) in &notes {
            for earlier in referred(&noted.note, docket, &notes) {
                replies.entry(earlier).or_default().push(*place);
            }
        }
        Ok(Self { docket, treaty, profile, notes, replies })
    }

    /// A note, if it was logged by then.
    pub fn get(&self, place: Place) -> Option<&Noted> {
        self.notes.get(&place)
    }

    /// How people call a note.
    pub fn number(&self, place: Place) -> String {
        self.docket.number(place)
    }

    /// The places of the notes that belong together with one: from the note that it answers, if it is an answer, what
    /// that one refers to, and what refers to it and to its answers.
    pub fn thread(&self, of: Place) -> BTreeSet<Place> {
        let mut first = of;
        let mut climbed = BTreeSet::new();
        while let Some(above) = self.answered_by(first).filter(|above| climbed.insert(*above)) {
            first = above;
        }
        let earlier = self.earlier(first);
        // What it rests on was acknowledged, or not.
        let answers = earlier
            .iter()
            .flat_map(|place| self.replies.get(place).into_iter().flatten().map(|reply| (*place, *reply)));
        let answers = answers.filter(|(place, reply)| self.answers_by_kind(*place, *reply)).map(|(_, reply)| reply);
        let mut thread: BTreeSet<Place> = answers.chain(earlier.iter().copied()).chain([first, of]).collect();
        let mut edge = vec![first];
        for _ in 0..DEPTH {
            let next = edge.iter().flat_map(|place| self.replies.get(place).into_iter().flatten()).copied();
            edge = next.filter(|place| thread.insert(*place)).collect();
        }
        thread
    }

    fn earlier(&self, of: Place) -> Vec<Place> {
        let noted = self.notes.get(&of).map(|noted| referred(&noted.note, self.docket, &self.notes));
        noted.unwrap_or_default()
    }

    /// Whether a note is of a kind that answers another's.
    fn answers_by_kind(&self, asked: Place, answer: Place) -> bool {
        let kind = |place: Place| self.notes.get(&place).map(|noted| &noted.note.kind);
        let asked = kind(asked).and_then(|name| self.profile.kind.get(name));
        let named =
            asked.into_iter().flat_map(|kind| kind.reply.iter().chain(kind.due.iter().flat_map(|due| &due.answer)));
        kind(answer).is_some_and(|answer| named.into_iter().any(|name| name == answer))
    }

    /// The note that this one answers by its kind: a reply to it, a depositary's note about it, what takes it back.
    fn answered_by(&self, place: Place) -> Option<Place> {
        let answer = self.notes.get(&place)?;
        let kind = self.profile.kind.get(&answer.note.kind)?;
        self.earlier(place).into_iter().find(|above| {
            let Some(noted) = self.notes.get(above) else { return false };
            let Some(asked) = self.profile.kind.get(&noted.note.kind) else { return false };
            let named = asked.reply.iter().chain(asked.due.iter().flat_map(|due| &due.answer));
            kind.informs || self.takes_back(answer, *above) || named.into_iter().any(|name| *name == answer.note.kind)
        })
    }

    /// Whether a note takes an earlier one of its sender back.
    fn takes_back(&self, noted: &Noted, earlier: Place) -> bool {
        let revokes = self.profile.kind.get(&noted.note.kind).filter(|_| noted.counts).map(|kind| &kind.revokes);
        let of = self.notes.get(&earlier).filter(|of| of.note.from == noted.note.from);
        of.is_some_and(|of| revokes.is_some_and(|kinds| kinds.iter().any(|kind| kind == "*" || *kind == of.note.kind)))
    }

    /// A note as people see it in its thread.
    pub fn view(&self, place: Place, as_of: Timestamp) -> Option<ThreadNote> {
        let Noted { logged, note, .. } = self.notes.get(&place)?;
        let kind = self.profile.kind.get(&note.kind);
        let mut depositaries = Vec::new();
        for (by, party) in self.treaty.parties().iter().enumerate() {
            if by != place.0 && party.roles.contains(&Role::Depositary) && note.to.contains(&party.code) {
                let receipt = self.docket.received(place, by, as_of);
                depositaries.push(DepositaryView {
                    party: PartyView { code: party.code.clone(), name: party.name.clone() },
                    received: receipt.map(|receipt| receipt.time),
                    number: receipt.map(|receipt| format!("{}/{}", party.code, receipt.index)),
                });
            }
        }
        let party = self.treaty.party(place.0);
        let fields = kind.into_iter().flat_map(|kind| &kind.fields);
        let says = fields.filter_map(|field| Some((field.title.clone(), words(note.body.get(&field.name)?))));
        Some(ThreadNote {
            number: self.number(place),
            kind: note.kind.clone(),
            title: kind.map_or(note.kind.clone(), |kind| kind.title.clone()),
            from: PartyView { code: party.code.clone(), name: party.name.clone() },
            to: note.to.clone(),
            logged: *logged,
            re: note.re.iter().map(|re| format!("{}/{}", re.log, re.index)).collect(),
            notice: kind.is_none_or(|kind| kind.notice),
            says: says.collect(),
            remarks: self.remarks(place),
            depositaries,
        })
    }

    fn remarks(&self, place: Place) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(noted) = self.notes.get(&place) {
            let earlier = self.earlier(place).into_iter().filter(|earlier| self.takes_back(noted, *earlier));
            remarks.extend(earlier.map(|earlier| format!("takes {} back", self.number(earlier))));
        }
        for reply in self.replies.get(&place).into_iter().flatten() {
            let Some(noted) = self.notes.get(reply).filter(|noted| self.takes_back(noted, place)) else { continue };
            remarks.push(format!("taken back by {} on {}", self.number(*reply), noted.logged.display()));
        }
        remarks
    }
}

/// The notes that one refers to, of these: by place and hash.
fn referred(note: &Notification, docket: &Docket, notes: &BTreeMap<Place, Noted>) -> Vec<Place> {
    let is_it = |place: &Place, re: &Reference| notes.get(place).is_some_and(|noted| noted.leaf == re.leaf);
    note.re.iter().filter_map(|re| docket.places_of(re).into_iter().find(|place| is_it(place, re))).collect()
}

/// A record by its place, on a branch that was set aside as well.
fn record(read: &dyn Read, docket: &Docket, place: Place) -> Result<Option<Vec<u8>>, ReadError> {
    let (log, index, branch) = docket.parts(place);
    let Some(at) = branch.checked_sub(1) else { return read.record(log, index) };
    let certificates = read.restarts(log)?;
    let restart = certificates.get(at).and_then(|note| Restart::verify(note, log, docket.treaty()).ok());
    let Some(restart) = restart else { return Ok(None) };
    Ok(read.branch(log, restart.kept_head().size, index, 1, MAX_RECORD_BYTES)?.pop())
}

/// A field's value as people write it.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        Value::Object(map) => map.iter().map(|(k, v)| format!("{k} {}", words(v))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
