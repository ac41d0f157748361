//! That a party had not answered a note, shown by a whole export: for what is too large for one file of evidence.
//!
//! Every record of the party's log is looked at. Who had seen that log up to which size, and when last, is told by the receipts
//! in the other logs, and by a head that parties have cosigned since, which is given beside the export. It states what the log
//! did not hold, and never what anybody read, knew or meant.

use std::collections::BTreeMap;
use std::path::Path;

use super::reading::{Item, Reading, ReadingError};
use super::report::Report;
use crate::ledger::{Adoption, Answer, Notification, Receipt, Received, Record, RecordType, Timestamp};
use crate::note::SignedNote;
use crate::tlog::{CompactRange, Hash, leaf_hash};

/// Most answers that are listed.
const MAX_ANSWERS: usize = 100;

/// What an export shows of a party's silence.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ExportedSilence {
    /// The note, as `US/12`.
    pub note: String,
    /// When it was logged, by its party's clock.
    pub logged: Timestamp,
    /// Code of the party whose silence is looked at.
    pub party: String,
    /// So many records has its log here: all of them were looked at.
    pub records: u64,
    /// Notes among them that refer to the note, at most 100.
    pub answers: Vec<Answer>,
    /// When the party had received the note, by its own clock.
    pub received: Option<Timestamp>,
    /// Who had seen its log up to which size and nothing beyond, and when last, by the clock of each; the latest first.
    pub seen_by: Vec<Received>,
    /// The latest time since which a whole quorum of them still saw it so, the note's sender left out.
    pub as_of: Option<Timestamp>,
}

/// Why an export shows nothing of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SilenceError {
    /// The export could not be read again.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// It does not verify, lacks records, or a log of it has forked.
    #[error("the export does not verify, so that it shows no silence")]
    Unsound,
    /// A part of a ledger.
    #[error("it is a part of the ledger; silence is shown by a whole export")]
    Part,
    /// No such note.
    #[error("{0} is no notification in this export")]
    NoSuchNote(String),
    /// Not another party.
    #[error("whose silence? {0} is no other party of the treaty than the note's sender")]
    NoSuchParty(String),
    /// The head that was given beside the export.
    #[error("the head that was cosigned since: {0}")]
    Head(String),
}

/// A note that may be answered.
struct Asked {
    leaf: Hash,
    logged: Timestamp,
}

/// What an export, which was verified with this report, shows of a party's silence on a note. `seen`: a head of the party's log
/// with the cosignatures of others, as [`crate::node::seen_head`] gathers them.
pub fn exported_silence(
    path: &Path,
    report: &Report,
    (sender, index): (&str, u64),
    party: &str,
    seen: Option<&[u8]>,
) -> Result<ExportedSilence, SilenceError> {
    if !report.is_sound() {
        return Err(SilenceError::Unsound);
    }
    let reading = Reading::export(path, report)?;
    if !reading.selection.is_whole() {
        return Err(SilenceError::Part);
    }
    let treaty = &reading.treaty;
    let note = format!("{sender}/{index}");
    let log = treaty.find(sender).ok_or_else(|| SilenceError::NoSuchNote(note.clone()))?;
    let by = treaty.find(party).filter(|by| *by != log);
    let by = by.ok_or_else(|| SilenceError::NoSuchParty(party.to_owned()))?;

    let head = seen.map(|bytes| cosigned(bytes, by, &reading)).transpose()?;
    let (mut asked, mut received, mut adoption) = (None, None, Adoption::default());
    // By party: the last head of the log in question that it has cosigned.
    let mut last: BTreeMap<usize, (Timestamp, u64)> = BTreeMap::new();
    reading.each::<SilenceError>(super::Scope::All, &mut |of, at, item| {
        let Item::Record(bytes) = item else { return Ok(()) };
        let Ok(record) = Record::parse(&bytes) else { return Ok(()) };
        if of == log {
            adoption.pass(at, record.time, treaty);
            if record.kind == RecordType::Amendment {
                adoption.take(at, record.time, record.payload, &mut treaty.clone());
            }
            if at == index && record.kind == RecordType::Notification {
                asked = Some(Asked { leaf: leaf_hash(&bytes), logged: record.time });
            }
        }
        if record.kind == RecordType::Receipt
            && let Ok(receipt) = Receipt::verify(record.payload, of, at, &reading.keys)
        {
            if receipt.log == by {
                // A party's receipts stand in their order.
                last.insert(of, (receipt.time, receipt.checkpoint.size));
            }
            if of == by && receipt.log == log && receipt.checkpoint.size > index && received.is_none() {
                received = Some(receipt.time);
            }
        }
        Ok(())
    })?;
    let asked: Asked = asked.ok_or_else(|| SilenceError::NoSuchNote(note.clone()))?;

    let (mut answers, mut range, mut root) = (Vec::new(), CompactRange::new(0, Vec::new()), None);
    reading.each::<SilenceError>(super::Scope::All, &mut |of, _, item| {
        let Item::Record(bytes) = item else { return Ok(()) };
        let Some(range) = range.as_mut().filter(|_| of == by) else { return Ok(()) };
        range.push(leaf_hash(&bytes));
        if head.as_ref().is_some_and(|head| head.size == range.size()) {
            root = Some(range.root());
        }
        if answers.len() < MAX_ANSWERS
            && let Ok(record) = Record::parse(&bytes)
            && record.kind == RecordType::Notification
            && let Ok((_, found)) = Notification::of_note(record.payload)
            && found.re.iter().any(|reference| reference.leaf == asked.leaf)
        {
            answers.push(Answer { index: record.index, kind: found.kind, logged: record.time });
        }
        Ok(())
    })?;
    if let Some(head) = head {
        if root != Some(head.root) {
            let text = format!("the records here do not lead to it: it is of {} records", head.size);
            return Err(SilenceError::Head(text));
        }
        for (witness, time) in head.by {
            let known = last.entry(witness).or_insert((time, head.size));
            *known = (*known).max((time, head.size));
        }
    }
    let mut seen: Vec<_> = last.into_iter().collect();
    seen.sort_by_key(|(witness, (time, _))| (std::cmp::Reverse(*time), *witness));
    let (mut have, mut as_of) = (Vec::new(), None);
    for (witness, (time, _)) in seen.iter().filter(|(witness, _)| *witness != log) {
        have.push(*witness);
        if as_of.is_none() && treaty.is_quorum(adoption.last(), &|party| have.contains(&party)) {
            as_of = Some(*time);
        }
    }
    let code = |at: usize| treaty.party(at).code.clone();
    Ok(ExportedSilence {
        note,
        logged: asked.logged,
        party: code(by),
        records: reading.sizes[by],
        answers,
        received,
        seen_by: seen.into_iter().map(|(at, (time, size))| Received { party: code(at), time, size }).collect(),
        as_of,
    })
}

/// A head of a log, and who has cosigned it when.
struct Cosigned {
    size: u64,
    root: Hash,
    by: Vec<(usize, Timestamp)>,
}

fn cosigned(bytes: &[u8], log: usize, reading: &Reading<'_>) -> Result<Cosigned, SilenceError> {
    let fail = |what: String| SilenceError::Head(what);
    let note = SignedNote::parse(bytes).map_err(|e| fail(e.to_string()))?;
    let head = reading.keys.party(log).verify_head(&note).map_err(|e| fail(e.to_string()))?;
    let others = (0..reading.keys.len()).filter(|by| *by != log);
    let mut by = Vec::new();
    for party in others {
        // As of now: with the key that is in force at the end of that party's log.
        if let Ok(line) = reading.keys.party(party).verify_cosignature(&note, reading.sizes[party]) {
            by.push((party, Timestamp::from_posix(line.time)));
        }
    }
    Ok(Cosigned { size: head.size, root: head.root, by })
}

impl ExportedSilence {
    /// Why it does not show that the party had not answered; `None` if it does.
    pub fn against(&self) -> Option<&'static str> {
        match (self.answers.is_empty(), self.as_of) {
            (false, _) => Some("there is an answer"),
            (true, None) => Some("no quorum, without the sender, vouches for the log that is to show the silence"),
            (true, Some(_)) => None,
        }
    }

    /// What it shows, in plain sentences.
    pub fn sentences(&self) -> Vec<String> {
        let Self { note, party, records, .. } = self;
        let mut out = vec![match self.received {
            Some(time) => format!("{party} had received {note} at {}, by its own clock.", time.display()),
            None => format!("There is no receipt by {party} for {note}."),
        }];
        for seen in &self.seen_by {
            let (by, time, size) = (&seen.party, seen.time.display(), seen.size);
            out.push(format!(
                "At {time}, by its own clock, {by} held the log of {party} up to {size} records, and nothing beyond."
            ));
        }
        for answer in &self.answers {
            let (index, kind, logged) = (answer.index, &answer.kind, answer.logged.display());
            out.push(format!(
                "{party}/{index}, a note of the kind `{kind}`, refers to {note}; {party} logged it at {logged}, by its own clock."
            ));
        }
        if self.answers.is_empty() {
            out.push(match self.as_of {
                Some(time) => format!(
                    "None of the {records} records of {party} refers to {note}: until {}, as a quorum saw it, {party} had not \
                     answered.",
                    time.display()
                ),
                None => format!(
                    "None of the {records} records of {party} refers to {note}. Without the sender those who saw them are not a \
                     quorum: that {party} did not answer is the word of each of them alone."
                ),
            });
        }
        out
    }

    /// What it does not show.
    pub fn gaps(&self) -> Vec<String> {
        let party = &self.party;
        vec![
            format!("That {party} did not answer in another way than by a note in its log, or later."),
            format!("That {party} had not logged an answer of which those who cosigned had not yet heard."),
        ]
    }
}
