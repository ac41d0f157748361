//! The amendments that an evidence file carries, and how the treaty stands by them at places of the note's log.
//!
//! Those that the log had taken up come as its records, like credentials. Those that it had not, come as bare notes, as
//! they prove themselves: whoever acceded by one may have cosigned, and one may say since when the sender is no party.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::amended::Adoption;
use super::evidence::{Evidence, EvidenceError, Included, PartError, included};
use super::fields::{FieldError, Fields};
use super::profile::Profile;
use super::record::{Record, RecordType};
use super::treaty::Treaty;
use crate::note::MAX_NOTE_BYTES;
use crate::tlog::Checkpoint;

/// Most amendments in one file: each number twice at most.
const MAX_LOGGED: usize = 2 * super::amendment::MAX_AMENDMENTS;

/// The amendments in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmendmentPart {
    /// Amendment records of the note's log, by index; their paths lead to the file's checkpoint.
    pub logged: Vec<Included>,
    /// Another record of that log that shows which dates had come.
    pub clock: Option<Included>,
    /// Further amendments, as signed notes, by number.
    pub known: Vec<String>,
}

/// The treaty by the amendments of a file.
pub(super) struct Amended {
    /// With all of them.
    pub treaty: Arc<Treaty>,
    /// With those that the note's log had taken up, by place.
    pub adoption: Adoption,
}

impl Evidence {
    /// The treaty with all amendments in the file, whose places in the log [`super::verify_evidence`] checks.
    pub fn treaty(&self, given: &Treaty, profile: Option<&Profile>) -> Result<Arc<Treaty>, EvidenceError> {
        let stated = Record::parse(self.record.record.as_bytes()).map_err(|e| part("the record", e.into()))?;
        Ok(self.amendments.follow(&stated, given, profile)?.treaty)
    }
}

impl AmendmentPart {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.logged.is_empty() && self.clock.is_none() && self.known.is_empty()
    }

    pub(super) fn to_value(&self) -> Value {
        let item = |item: &Included| json!({"path": item.path, "record": item.record});
        let mut value = Map::new();
        if !self.logged.is_empty() {
            value.insert("logged".into(), self.logged.iter().map(item).collect());
        }
        if let Some(clock) = &self.clock {
            value.insert("clock".into(), item(clock));
        }
        if !self.known.is_empty() {
            value.insert("known".into(), json!(self.known));
        }
        Value::Object(value)
    }

    pub(super) fn of_value(value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::of_value(value, "amendments")?;
        let expected = "an array of 1 to 256 signed notes";
        let logged = fields.optional("logged").map(|items| match items {
            Value::Array(items) if (1..=MAX_LOGGED).contains(&items.len()) => {
                items.into_iter().map(|item| included(item, "logged")).collect()
            }
            _ => Err(FieldError::Wrong { field: "logged", expected: "an array of 1 to 512 records with their paths" }),
        });
        let known = fields.optional("known").map(|notes| match notes {
            Value::Array(notes) if (1..=super::amendment::MAX_AMENDMENTS).contains(&notes.len()) => {
                let text = |note| match note {
                    Value::String(text) if text.len() <= MAX_NOTE_BYTES => Ok(text),
                    _ => Err(FieldError::Wrong { field: "known", expected }),
                };
                notes.into_iter().map(text).collect()
            }
            _ => Err(FieldError::Wrong { field: "known", expected }),
        });
        let part = Self {
            logged: logged.transpose()?.unwrap_or_default(),
            clock: fields.optional("clock").map(|item| included(item, "clock")).transpose()?,
            known: known.transpose()?.unwrap_or_default(),
        };
        fields.finish()?;
        if part.is_empty() {
            return Err(FieldError::Wrong { field: "amendments", expected: "an object that is not empty, or absent" });
        }
        Ok(part)
    }

    /// Follows the amendments from the treaty file on. That the records stand in the log is checked by
    /// [`AmendmentPart::check`], when the log's keys are known.
    pub(super) fn follow(
        &self,
        note: &Record<'_>,
        given: &Treaty,
        profile: Option<&Profile>,
    ) -> Result<Amended, EvidenceError> {
        let mut treaty = given.with_first(0);
        if treaty.amendment_rule().is_none()
            && let Some(profile) = profile
        {
            treaty = treaty.governed_by(profile);
        }
        let (mut treaty, mut adoption) = (Arc::new(treaty), Adoption::default());
        let mut records = vec![(None, note.index, note.time, None)];
        for (at, item) in self.logged.iter().chain(&self.clock).enumerate() {
            let name =
                if at < self.logged.len() { format!("amendments.logged[{at}]") } else { "amendments.clock".into() };
            let record = Record::parse(item.record.as_bytes()).map_err(|e| part(&name, e.into()))?;
            let payload = (at < self.logged.len()).then_some(record.payload);
            records.push((Some(name), record.index, record.time, payload));
        }
        records.sort_by_key(|(_, index, ..)| *index);
        for (name, index, time, payload) in records {
            let (before, waits) = (adoption.clone(), adoption.waits(&treaty));
            match payload {
                Some(payload) => {
                    // Why it is refused says more than that it is.
                    let error = treaty.amended(payload).err();
                    if !adoption.take(index, time, payload, &mut treaty) {
                        let fault = error.map_or(PartError::Misplaced(UNNEEDED), PartError::from);
                        return Err(part(&name.unwrap_or_default(), fault));
                    }
                }
                None => adoption.pass(index, time, &treaty),
            }
            if let Some(name) = name.filter(|_| payload.is_none())
                && (!waits || adoption == before)
            {
                return Err(part(&name, PartError::Misplaced(UNNEEDED)));
            }
        }
        for (at, note) in self.known.iter().enumerate() {
            let amended = treaty.amended(note.as_bytes());
            treaty = Arc::new(amended.map_err(|e| part(&format!("amendments.known[{at}]"), e.into()))?);
        }
        Ok(Amended { treaty, adoption })
    }

    /// Checks that the records stand in the note's log, and that the last of the bare notes is needed: that it says what
    /// that log's party is, or made a party of one that has a part in the file.
    pub(super) fn check(
        &self,
        log: usize,
        main: &Checkpoint,
        treaty: &Treaty,
        has_part: impl Fn(usize) -> bool,
    ) -> Result<(), EvidenceError> {
        for (at, item) in self.logged.iter().enumerate() {
            let name = format!("amendments.logged[{at}]");
            let last = at.checked_sub(1).and_then(|before| Record::parse(self.logged[before].record.as_bytes()).ok());
            let record =
                item.check_kind(treaty.origin(log), main, RecordType::Amendment).map_err(|e| part(&name, e))?;
            if last.is_some_and(|last| last.index >= record.index) {
                return Err(part(&name, PartError::Misplaced("amendments go by index")));
            }
        }
        if let Some(item) = &self.clock {
            item.check(treaty.origin(log), main.size, &main.root).map_err(|e| part("amendments.clock", e))?;
        }
        let number = treaty.number();
        let acceded = treaty.parties_at(number.saturating_sub(1))..treaty.parties().len();
        let says = treaty.statuses().iter().any(|status| status.number == number && status.party == log);
        if !self.known.is_empty() && !says && !acceded.into_iter().any(has_part) {
            return Err(part("amendments.known", PartError::Misplaced(UNNEEDED)));
        }
        Ok(())
    }
}

const UNNEEDED: &str = "nothing in the file needs it";

fn part(name: &str, fault: PartError) -> EvidenceError {
    EvidenceError::Part { part: name.to_owned(), fault }
}
