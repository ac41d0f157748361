//! Proof of silence: that what a party had shown of its log, to a quorum and until a time, holds no answer to a note.
//!
//! A part of the evidence for that note. It carries *all* records of the party's log from a size that is provably
//! older than the note up to a head that others have cosigned: the roots of the complete subtrees before them lead,
//! with the records' own hashes, to both heads' roots. It states what the log did not hold, and never what anybody
//! read, knew or meant.

use serde_json::{Value, json};

use super::amended::Place;
use super::evidence::{Evidence, EvidenceError, HeadPart, Included, PartError, included};
use super::fields::{FieldError, Fields};
use super::keyring::Keyring;
use super::notification::Notification;
use super::receipt::Receipt;
use super::record::{MAX_RECORD_BYTES, Record, RecordType};
use super::time::Timestamp;
use super::treaty::{Treaty, is_party_code};
use super::verdict::Received;
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, CompactRange, Hash, leaf_hash};

/// Most records of the party's log in one file; the size of the whole limits them as well.
pub const MAX_SILENCE_RECORDS: usize = 16_384;

/// What an evidence file carries about a party that has not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilencePart {
    /// Code of the party.
    pub party: String,
    /// The profile's rule by which an answer was due: its id at the note's kind.
    pub due: Option<String>,
    /// A receipt in the sender's log, before the note, for the party's log; its path leads to the file's checkpoint.
    /// What it covers is older than the note and cannot answer it. Without one, the records begin at 0.
    pub since: Option<Included>,
    /// Roots of the complete subtrees before the first record, widest first.
    pub roots: Vec<Hash>,
    /// All records of the party's log from there on.
    pub records: Vec<String>,
    /// The head that ends with the last of them: the party's signature, then cosignatures in the treaty's order.
    pub head: SignedNote,
}

/// A note of the party that refers to the note.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Answer {
    /// Its place in the party's log.
    pub index: u64,
    /// Its kind.
    pub kind: String,
    /// When the party logged it, by its own clock.
    pub logged: Timestamp,
}

/// What a verified proof of silence shows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Silence {
    /// Code of the party.
    pub party: String,
    /// The profile's rule that the file names.
    pub due: Option<String>,
    /// The records that were looked at: from this one on …
    pub from: u64,
    /// … up to, not including, this one. There is no other record of that log in between.
    pub to: u64,
    /// Who had seen the party's log up to there and nothing beyond, and when last, by the clock of each.
    pub seen_by: Vec<Received>,
    /// The latest time since which a whole quorum of them still saw it so, the note's sender left out: whoever claims that
    /// there was no answer does not vouch for it.
    pub as_of: Option<Timestamp>,
    /// Notes among those records that refer to the note; none, if the party was silent.
    pub answers: Vec<Answer>,
    /// When the party had received the note at the latest, by its own clock: its cosignature, in the file or among those
    /// records.
    pub received: Option<Timestamp>,
}

impl SilencePart {
    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({
            "head": String::from_utf8_lossy(&self.head.to_bytes()),
            "party": self.party,
            "records": self.records,
            "roots": self.roots,
        });
        if let Some(due) = &self.due {
            value["due"] = json!(due);
        }
        if let Some(since) = &self.since {
            value["since"] = json!({"path": since.path, "record": since.record});
        }
        value
    }

    pub(super) fn of_value(value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::of_value(value, "silence")?;
        let expected = "an array of at most 16,384 records";
        let record = |value: Value| match value {
            Value::String(text) if text.len() <= MAX_RECORD_BYTES => Ok(text),
            _ => Err(FieldError::Wrong { field: "records", expected }),
        };
        let hashes = "an array of at most 64 hashes in hex";
        let hash = |v: Value| {
            let hash = v.as_str().and_then(Hash::from_hex);
            hash.ok_or(FieldError::Wrong { field: "roots", expected: hashes })
        };
        let note = |text: &str| SignedNote::parse(text.as_bytes()).ok().filter(|n| n.to_bytes() == text.as_bytes());
        let part = Self {
            party: fields.text("party", "a party code", |c| is_party_code(c).then(|| c.to_owned()))?,
            due: match fields.optional("due") {
                None => None,
                Some(Value::String(id)) if is_rule(&id) => Some(id),
                Some(_) => return Err(FieldError::Wrong { field: "due", expected: "the id of a rule" }),
            },
            since: fields.optional("since").map(|value| included(value, "since")).transpose()?,
            roots: fields.array("roots", 64, hashes, hash)?,
            records: fields.array("records", MAX_SILENCE_RECORDS, expected, record)?,
            head: fields.text("head", "a checkpoint as a signed note", note)?,
        };
        fields.finish()?;
        Ok(part)
    }

    /// Checks every part. `receipts` are those for the note itself; `log`, `note` and `main` are the note's.
    pub(super) fn check(
        &self,
        evidence: &Evidence,
        (log, note, main): (usize, &Record<'_>, &Checkpoint),
        receipts: &[(usize, Timestamp, u64)],
        (treaty, keys, at): (&Treaty, &Keyring, Place),
    ) -> Result<Silence, EvidenceError> {
        let fail = |name: &str, fault: PartError| EvidenceError::Part { part: format!("silence.{name}"), fault };
        let misplaced = |name: &str, what| fail(name, PartError::Misplaced(what));
        let party = treaty.find(&self.party).filter(|party| *party != log);
        let party = party.ok_or_else(|| misplaced("party", "it is not another party of the treaty"))?;
        let since = match &self.since {
            None => None,
            Some(item) => {
                Some(self.since(item, (log, note, main), party, (treaty, keys)).map_err(|e| fail("since", e))?)
            }
        };
        let from = since.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let range = CompactRange::new(from, self.roots.clone());
        let mut range = range.ok_or_else(|| misplaced("roots", "they are not as many as the size asks for"))?;
        if since.is_some_and(|checkpoint| checkpoint.root != range.root()) {
            return Err(misplaced("roots", "they do not lead to the root of the head that was receipted"));
        }
        let mut seen = Vec::new();
        let head = HeadPart { checkpoint: self.head.clone(), path: Vec::new() };
        let head = super::check::head(&head, party, keys, &mut seen).map_err(|e| fail("head", e))?;

        let leaf = leaf_hash(evidence.record.record.as_bytes());
        let (mut answers, mut logged_receipt) = (Vec::new(), None);
        for (at, text) in self.records.iter().enumerate() {
            let name = format!("records[{at}]");
            let record = Record::parse(text.as_bytes()).map_err(|e| fail(&name, e.into()))?;
            if record.index != range.size() || record.log != treaty.origin(party) {
                return Err(misplaced(&name, "it is not the log's next record"));
            }
            range.push(leaf_hash(text.as_bytes()));
            match record.kind {
                RecordType::Notification => answers.extend(answer(&record, &leaf)),
                RecordType::Receipt if logged_receipt.is_none() => {
                    let receipt = Receipt::verify(record.payload, party, record.index, keys).ok();
                    let covers = |r: &Receipt| r.log == log && r.checkpoint.size > note.index;
                    logged_receipt = receipt.filter(covers).map(|receipt| receipt.time);
                }
                _ => {}
            }
        }
        if range.size() != head.size || range.root() != head.root {
            return Err(misplaced("records", "with the roots before them they do not lead to the head's root"));
        }
        let own = receipts.iter().filter(|(by, ..)| *by == party).map(|(_, time, _)| *time).min();
        let mut silence = Silence {
            party: self.party.clone(),
            due: self.due.clone(),
            from,
            to: head.size,
            seen_by: Vec::new(),
            as_of: None,
            answers,
            received: own.into_iter().chain(logged_receipt).min(),
        };
        silence.weigh(seen, log, treaty, at);
        Ok(silence)
    }

    /// The head of the party's log that the sender had receipted before it logged the note.
    fn since(
        &self,
        item: &Included,
        (log, note, main): (usize, &Record<'_>, &Checkpoint),
        party: usize,
        (treaty, keys): (&Treaty, &Keyring),
    ) -> Result<Checkpoint, PartError> {
        let record = item.check_kind(treaty.origin(log), main, RecordType::Receipt)?;
        let receipt = Receipt::verify(record.payload, log, record.index, keys)?;
        if receipt.log != party || record.index >= note.index {
            return Err(PartError::Misplaced(
                "the receipt is not for that party's log, or does not come before the note",
            ));
        }
        Ok(receipt.checkpoint)
    }
}

impl Silence {
    /// Whether no note of the party refers to the note.
    pub fn is_silent(&self) -> bool {
        self.answers.is_empty()
    }

    /// Why it does not show that the party had not answered; `None` if it does.
    pub fn against(&self) -> Option<&'static str> {
        match (self.is_silent(), self.as_of) {
            (false, _) => Some("there is an answer"),
            (true, None) => Some("no quorum, without the sender, vouches for the log that is to show the silence"),
            (true, Some(_)) => None,
        }
    }

    /// What it shows, in plain sentences; `name` gives a party's name.
    pub(super) fn sentences(&self, sender: &str, name: impl Fn(&str) -> String) -> Vec<String> {
        let party = name(&self.party);
        let mut out = Vec::new();
        out.push(match self.received {
            Some(time) => format!("{party} had received the note at {}, by its own clock.", time.display()),
            None => format!(
                "No receipt by {party} for the note is in this file; the receipts of the others show that it was to be \
                 had from them since then."
            ),
        });
        let range = match self.to.saturating_sub(self.from) {
            0 => format!("nothing after its first {} records", self.from),
            1 => format!("record {}", self.from),
            _ => format!("records {} to {} without a gap", self.from, self.to - 1),
        };
        out.push(format!(
            "Of the log of {party}, this file holds {range}; what comes before them is older than the note."
        ));
        for seen in &self.seen_by {
            let (by, time) = (name(&seen.party), seen.time.display());
            out.push(format!(
                "At {time}, by its own clock, {by} held the log of {party} up to there, and nothing beyond."
            ));
        }
        if self.answers.is_empty() {
            let shown = match self.as_of {
                Some(time) => format!(": until {}, as a quorum saw it, {party} had not answered.", time.display()),
                None if self.seen_by.is_empty() => {
                    format!(
                        ". Nobody vouches for it that the log had no more: that {party} did not answer is not shown."
                    )
                }
                None => format!(
                    ". Without {sender} these are not a quorum: that {party} did not answer is the word of each of them alone."
                ),
            };
            out.push(format!("There is no note among them that refers to this one{shown}"));
        }
        for answer in &self.answers {
            let (index, kind) = (answer.index, &answer.kind);
            let logged = answer.logged.display();
            out.push(format!(
                "Record {index} of the log of {party}, a note of the kind `{kind}`, refers to this note; {party} logged it \
                 at {logged}, by its own clock."
            ));
        }
        out
    }

    /// What it does not show.
    pub(super) fn gaps(&self, name: impl Fn(&str) -> String) -> Vec<String> {
        let party = name(&self.party);
        vec![
            format!("That {party} did not answer in another way than by a note in its log, or later."),
            format!("That {party} had not logged an answer of which those who cosigned had not yet heard."),
        ]
    }

    /// Who saw the log so, the latest first, and since when a quorum did.
    fn weigh(&mut self, mut seen: Vec<(usize, Timestamp, u64)>, sender: usize, treaty: &Treaty, at: Place) {
        seen.sort_by_key(|(by, time, _)| (std::cmp::Reverse(*time), *by));
        let mut have: Vec<usize> = Vec::new();
        for (by, time, size) in seen {
            have.extend((by != sender).then_some(by));
            self.seen_by.push(Received { party: treaty.party(by).code.clone(), time, size });
            if self.as_of.is_none() && treaty.is_quorum(at, &|by| have.contains(&by)) {
                self.as_of = Some(time);
            }
        }
    }
}

/// Ids of rules in a profile: as kinds are named.
fn is_rule(text: &str) -> bool {
    super::notification::is_kind_name(text)
}

/// What in a record answers a note: a notification that refers to its leaf hash.
fn answer(record: &Record<'_>, leaf: &Hash) -> Option<Answer> {
    let (_, notification) = Notification::of_note(record.payload).ok()?;
    notification.re.iter().any(|reference| reference.leaf == *leaf).then_some(Answer {
        index: record.index,
        kind: notification.kind,
        logged: record.time,
    })
}
