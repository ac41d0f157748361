//! The verdict on evidence: what is proven, by whom, and what is not.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::amended::Adoption;
use super::canon;
use super::notification::Attachment;
use super::outside::OutsideWitness;
use super::profile::Profile;
use super::restart::Restarted;
use super::silence::Silence;
use super::time::Timestamp;
use super::treaty::Treaty;
use super::validity::{Mark, Signer};
use crate::tlog::Hash;

/// A moment with the clock that it was read from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Bound {
    /// The moment.
    pub time: Timestamp,
    /// Code of the party whose clock it is.
    pub by: String,
    /// What shows it.
    pub why: String,
}

/// One party's receipt.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Received {
    /// Code of the party.
    pub party: String,
    /// When, by that party's clock.
    pub time: Timestamp,
    /// Size of the head that it receipted: it holds every record before this number.
    pub size: u64,
}

/// Two contradictory heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Forked {
    /// Size of the smaller head.
    pub smaller: u64,
    /// Size of the larger head, which may be as small.
    pub larger: u64,
}

/// Amendments of the treaty file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Amendments {
    /// So many held in the sender's log at the note.
    pub held: usize,
    /// So many are in the file.
    pub known: usize,
}

/// Signatures that the profile demands, where it demands more than one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Demanded {
    /// So many officials have to sign a note of this kind.
    pub officials: u32,
    /// Where the treaty says so, by the profile; may be empty.
    pub article: String,
    /// So many have, with signatures that hold.
    pub given: usize,
}

/// What a verified evidence file proves. Every field follows from bytes that were checked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// Code of the party whose log it is.
    pub party: String,
    /// Index of the record in that log.
    pub index: u64,
    /// Leaf hash of the record.
    pub leaf: Hash,
    /// The notification's kind; empty if it cannot be read as one.
    pub kind: String,
    /// The kind's title by the profile; the kind itself without a profile.
    pub title: String,
    /// The notification's id.
    pub id: String,
    /// Addressees: party codes, or `*` for all.
    pub to: Vec<String>,
    /// What is notified.
    pub body: Map<String, Value>,
    /// Files that go with it, fixed by their hashes.
    pub attachments: Vec<Attachment>,
    /// When the officials say that it was issued.
    pub issued: Option<Timestamp>,
    /// Officials whose signatures verify, with keys that the party's root had granted before.
    pub signers: Vec<Signer>,
    /// How many signatures the profile demands, if it demands more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demanded: Option<Demanded>,
    /// What is not in order.
    pub marks: Vec<Mark>,
    /// When the sending party says that it logged the note: by its own clock.
    pub logged: Timestamp,
    /// Not sent before these moments, by the clocks of other parties; the latest first.
    pub not_before: Vec<Bound>,
    /// Not sent after this moment: the earliest receipt, by the clock of the party that gave it.
    pub not_after: Option<Bound>,
    /// Who has received it; the earliest receipt of each party, by time.
    pub receipts: Vec<Received>,
    /// Whether the receipts make the treaty's quorum.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// When the last receipt that was needed for the quorum was given, by the clock of its party.
    pub final_since: Option<Timestamp>,
    /// The log is proven to have forked.
    pub fork: Option<Forked>,
    /// Forks of the log of which the party's root has accepted both branches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<Restarted>,
    /// What a party's log holds instead of an answer, if the file was made to show that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// Witnesses outside the ledger that have cosigned a head which covers the note, each by a key that the file names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<OutsideWitness>,
    /// Amendments of the treaty file, if there are any in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amended: Option<Amendments>,
    /// What this does not prove, in sentences.
    pub not_proven: Vec<String>,
    /// Codes and names of those who acceded by amendments in the file: the treaty file does not have them.
    #[serde(skip)]
    pub(super) acceded: Vec<(String, String)>,
}

impl Verdict {
    /// What the receipts say together.
    pub(super) fn weigh(&mut self, mut receipts: Vec<(usize, Timestamp, u64)>, treaty: &Treaty, adoption: &Adoption) {
        receipts.sort_by_key(|(by, time, size)| (*time, *by, *size));
        let sizes: BTreeSet<u64> = receipts.iter().map(|(.., size)| *size).collect();
        let since = |size: u64| {
            let mut seen = Vec::new();
            let mut covering = receipts.iter().filter(|(.., of)| *of >= size);
            covering.find_map(|(by, time, _)| {
                seen.push(*by);
                treaty.is_quorum(adoption.of_size(size), &|by| seen.contains(&by)).then_some(*time)
            })
        };
        self.final_since = sizes.into_iter().filter_map(since).min();
        // A treaty may ask for no receipts at all.
        self.is_final = self.final_since.is_some() || treaty.is_quorum(adoption.last(), &|_| false);
        let mut seen: Vec<usize> = Vec::new();
        for (by, time, size) in receipts {
            if !seen.contains(&by) {
                seen.push(by);
                self.receipts.push(Received { party: treaty.party(by).code.clone(), time, size });
            }
        }
        let held = adoption.at(self.index).number;
        self.amended = (treaty.number() > 0).then_some(Amendments { held, known: treaty.number() });
        self.not_after = self.receipts.first().map(|first| Bound {
            time: first.time,
            by: first.party.clone(),
            why: "the earliest receipt".into(),
        });
        let later = treaty.parties().iter().skip(treaty.parties_at(0));
        self.acceded = later.map(|party| (party.code.clone(), party.name.clone())).collect();
        self.not_proven = self.gaps(treaty);
    }

    /// Whether there is nothing to be said against it: final, in order, and the log not forked.
    pub fn is_sound(&self) -> bool {
        self.is_final && self.marks.is_empty() && self.fork.is_none()
    }

    fn gaps(&self, treaty: &Treaty) -> Vec<String> {
        let name = |code: &str| party_name(treaty, code);
        let sender = name(&self.party);
        let mut gaps = vec![
            "That any person read the note: a receipt says that a party's node has stored it.".to_owned(),
            "That any clock was right: each time is what the named party's clock said.".to_owned(),
            format!(
                "That {sender} had not withdrawn an official's key before the note: this file has the grants, and \
                 only the whole log shows that nothing else was recorded."
            ),
            "That no node's key had been replaced before, as lost or stolen: this file does not show it, and the logs of those \
             who signed do."
                .to_owned(),
            "That what the note says is true.".to_owned(),
            format!(
                "That {sender} had not logged the same note before: only the whole log shows it, and what answered it there."
            ),
        ];
        if treaty.amendment_rule().is_some() {
            gaps.push(format!(
                "That no further amendment of the treaty file held at that place: only the whole log of {sender} shows it."
            ));
        }
        let missing: Vec<_> = treaty
            .parties()
            .iter()
            .filter(|p| p.code != self.party && self.receipts.iter().all(|r| r.party != p.code))
            .map(|p| p.name.as_str())
            .collect();
        if !missing.is_empty() {
            gaps.push(format!("That {} received it: no receipt of theirs is in this file.", list(&missing, "or")));
        }
        if self.not_before.is_empty() {
            gaps.push(format!("When it was sent at the earliest: there is only the word of {sender}."));
        }
        if self.receipts.is_empty() {
            gaps.push("When it was sent at the latest: there is no receipt.".to_owned());
        }
        if !self.attachments.is_empty() {
            gaps.push("That an attached file is the right one: compare its SHA-256 with the one in the note.".into());
        }
        if let Some(silence) = &self.silence {
            gaps.extend(silence.gaps(name));
        }
        if self.fork.is_some() {
            gaps.push(format!("That {sender} showed the same log to all: the contrary is proven."));
        }
        gaps
    }

    /// That the first receipt is older than the note can be by other clocks, and which receipt says the same without it:
    /// one party alone must not date a note back.
    fn first_receipt_too_early(&self, first: &Bound, name: impl Fn(&str) -> String) -> Vec<String> {
        let (by, mut out) = (name(&first.by), Vec::new());
        if let Some(late) = self.not_before.iter().find(|late| late.time > first.time) {
            out.push(format!("The clocks of {} and {by} do not agree with each other.", name(&late.by)));
        }
        if self.logged > first.time {
            let sender = name(&self.party);
            out.push(format!(
                "The clocks of {sender} and {by} do not agree: by that of {sender}, it was logged later."
            ));
        }
        let earliest = self.not_before.iter().map(|bound| bound.time).chain([self.logged]).max();
        if !out.is_empty()
            && let Some(next) = self.receipts.iter().find(|receipt| Some(receipt.time) >= earliest)
        {
            let (time, next) = (utc(next.time), name(&next.party));
            out.push(format!("Without {by}, it was sent by {time} at the latest, by the clock of {next}."));
        }
        out
    }

    /// The verdict in plain sentences, with names and times in UTC.
    pub fn sentences(&self, treaty: &Treaty, profile: Option<&Profile>) -> Vec<String> {
        let name = |code: &str| {
            let acceded = self.acceded.iter().find(|(other, _)| other == code);
            acceded.map_or_else(|| party_name(treaty, code), |(_, name)| name.clone())
        };
        let sender = name(&self.party);
        let mut out = vec![format!("{sender} sent this note: “{}”, record {} of its log.", self.title, self.index)];
        if !self.to.is_empty() {
            let to: Vec<_> =
                self.to.iter().map(|c| if c == "*" { "all parties".to_owned() } else { name(c) }).collect();
            out.push(format!("It is addressed to {}.", list(&to, "and")));
        }
        if self.signers.is_empty() {
            out.push("No official whose key the party had granted signed it.".to_owned());
        } else {
            let officials: Vec<_> =
                self.signers.iter().map(|s| format!("{} (key granted in record {})", s.title, s.granted_at)).collect();
            out.push(format!("It was signed for {sender} by: {}.", officials.join("; ")));
        }
        if let Some(Demanded { officials, article, given }) = &self.demanded {
            let article = if article.is_empty() { String::new() } else { format!(" ({article})") };
            out.push(format!(
                "The treaty's profile{article} demands that {officials} officials sign such a note; {given} have."
            ));
        }
        let fields = profile.and_then(|profile| profile.kind.get(&self.kind)).map(|kind| kind.fields.as_slice());
        for (key, value) in &self.body {
            let known = fields.and_then(|fields| fields.iter().find(|field| field.name == *key));
            let title = known.map_or(key.as_str(), |field| field.title.as_str());
            out.push(format!("It says: {title}: {}", said(value)));
        }
        for file in &self.attachments {
            out.push(format!("With it goes the file “{}” of {} bytes.", file.name, file.size));
        }
        if let Some(issued) = self.issued {
            out.push(format!("It says that it was issued at {}.", utc(issued)));
        }
        if let Some(Amendments { held, known }) = self.amended {
            out.push(match (held, known - held) {
                (_, 0) => format!("At this place of the log, the treaty file held with its first {held} amendments."),
                (_, later) => format!(
                    "At this place of the log, the treaty file held with its first {held} amendments; {later} more are in \
                     this file."
                ),
            });
        }
        for mark in &self.marks {
            out.push(format!("Not in order: {}", mark.text));
        }
        out.push(format!("By the clock of {sender}, it was logged at {}.", utc(self.logged)));
        for bound in &self.not_before {
            let (time, by) = (utc(bound.time), name(&bound.by));
            out.push(format!("It was not sent before {time}, by the clock of {by}: {}.", bound.why));
        }
        if let Some(bound) = &self.not_after {
            let (time, by) = (utc(bound.time), name(&bound.by));
            out.push(format!(
                "It was sent by {time} at the latest, by the clock of {by}, which gave the first receipt."
            ));
            out.extend(self.first_receipt_too_early(bound, name));
        }
        for receipt in &self.receipts {
            out.push(format!("{} had received it at {}.", name(&receipt.party), utc(receipt.time)));
        }
        out.push(match (self.is_final, self.final_since) {
            (true, Some(since)) => {
                format!(
                    "The receipts make the quorum that the treaty asks for, since {}: the note is final.",
                    utc(since)
                )
            }
            (true, None) => "The treaty asks for no receipts: the note is final.".to_owned(),
            (false, _) => {
                "The receipts do not make the quorum that the treaty asks for: the note is not final.".to_owned()
            }
        });
        if let Some(silence) = &self.silence {
            out.extend(silence.sentences(name));
        }
        out.extend(self.restarts.iter().map(|restarted| restarted.sentence(&sender)));
        if let Some(fork) = self.fork {
            let (a, b) = (fork.smaller, fork.larger);
            out.push(format!(
                "The log of {sender} has forked: it signed two heads, of {a} and of {b} records, that contradict each other."
            ));
        }
        out
    }
}

/// A time with its zone: `2020-05-22 14:00:00 UTC`.
fn utc(time: Timestamp) -> String {
    time.display()
}

pub(super) fn party_name(treaty: &Treaty, code: &str) -> String {
    treaty.find(code).map_or_else(|| code.to_owned(), |at| treaty.party(at).name.clone())
}

/// A value of a note's body, for people.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => Timestamp::parse(text).map_or_else(|| text.clone(), utc),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join("; "),
        other => canon::write(other),
    }
}

pub(super) fn list(items: &[impl AsRef<str>], last: &str) -> String {
    let items: Vec<_> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [init @ .., end] => format!("{} {last} {end}", init.join(", ")),
    }
}
