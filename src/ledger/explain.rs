//! Why an evidence file does not verify, and what of it still holds.
//!
//! A file is refused whole if any part of it fails: nobody may be misled by what was added to it. Here the parts that
//! fail are named and put aside, one after the other, and what is left is verified like any other file.

use super::check::check;
use super::credential::Grant;
use super::evidence::{Evidence, EvidenceError, PartError};
use super::fault::{Fault, FaultPlace};
use super::notification::Notification;
use super::profile::Profile;
use super::record::Record;
use super::treaty::Treaty;
use super::verdict::{Verdict, list, party_name};
use crate::note::{Signature, SignedNote};
use crate::tlog::CosignatureError;

/// Most parts that are put aside one by one.
const MAX_FAULTS: usize = 1000;

/// What there is to say of an evidence file that does not verify.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// What fails.
    pub faults: Vec<Fault>,
    /// What the file proves without the parts that fail; nothing if the note itself cannot be shown.
    pub holds: Option<Verdict>,
    /// What that comes to, in sentences.
    pub summary: Vec<String>,
}

/// Explains why a file does not verify. `file` is its name.
pub fn explain_evidence(file: &str, bytes: &[u8], treaty: &Treaty, profile: Option<&Profile>) -> Explanation {
    let evidence = match Evidence::parse(bytes, &treaty.hash()) {
        Ok(evidence) => evidence,
        Err(error) => {
            let fault = unreadable(file, &error, treaty);
            let summary = vec!["Nothing in this file could be checked, and nothing follows from it.".to_owned()];
            return Explanation { faults: vec![fault], holds: None, summary };
        }
    };
    let mut left = Left::new(file, evidence, treaty);
    loop {
        match check(&left.evidence, treaty, profile) {
            Ok(verdict) => return left.weigh(Some(verdict)),
            Err(error) => {
                if !left.put_aside(&error) || left.faults.len() >= MAX_FAULTS {
                    return left.weigh(None);
                }
            }
        }
    }
}

/// A file that cannot be read as evidence for this treaty.
fn unreadable(file: &str, error: &EvidenceError, treaty: &Treaty) -> Fault {
    let means = match error {
        EvidenceError::OtherTreaty(_) => {
            "Under this treaty file nothing in it can be checked. It may be good evidence under the one that it names."
        }
        EvidenceError::NoBundle => "It may be a good proof for another program; this one finds no note in it.",
        _ => "The file was altered, cut off, or never was evidence. Ask for it again.",
    };
    let (expected, place) = match error {
        EvidenceError::OtherTreaty(_) => {
            (format!("evidence for the treaty file with the SHA-256 {}", treaty.hash().to_hex()), FaultPlace::default())
        }
        EvidenceError::Proof(crate::tlog::ProofError::Line { line, expected }) => {
            ((*expected).to_owned(), FaultPlace { line: Some(*line as u64), ..FaultPlace::default() })
        }
        EvidenceError::Bundle(_) => (
            "extra data that lists the record and its proofs".to_owned(),
            FaultPlace { line: Some(2), ..FaultPlace::default() },
        ),
        _ => ("an evidence file in its one form".to_owned(), FaultPlace::default()),
    };
    Fault { file: file.to_owned(), place, expected, found: error.to_string(), means: means.to_owned() }
}

/// What is left of a file, and what was put aside.
struct Left<'a> {
    file: &'a str,
    treaty: &'a Treaty,
    evidence: Evidence,
    /// Places that the heads, credentials and anchors had at first.
    heads: Vec<usize>,
    credentials: Vec<usize>,
    anchors: Vec<usize>,
    /// The line on which the file's own checkpoint begins.
    checkpoint_line: u64,
    faults: Vec<Fault>,
    /// Of each fault: the parties whose receipts went with it.
    lost: Vec<Vec<String>>,
    /// Line numbers of the checkpoint's signature lines at first.
    lines: Vec<Signature>,
}

impl<'a> Left<'a> {
    fn new(file: &'a str, evidence: Evidence, treaty: &'a Treaty) -> Self {
        Self {
            file,
            treaty,
            heads: (0..evidence.heads.len()).collect(),
            credentials: (0..evidence.credentials.len()).collect(),
            anchors: (0..evidence.anchors.len()).collect(),
            // The first line, `extra`, `index`, the path, and the empty line come before it.
            checkpoint_line: evidence.record.path.len() as u64 + 5,
            lines: evidence.checkpoint.signatures().to_vec(),
            evidence,
            faults: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// Puts the part aside that fails; `false` if the note cannot be shown without it.
    fn put_aside(&mut self, error: &EvidenceError) -> bool {
        let EvidenceError::Part { part, fault } = error else {
            self.core(error, "the record");
            return false;
        };
        let (name, at) = match part.split_once('[') {
            Some((name, at)) => (name, at.trim_end_matches(']').parse::<usize>().unwrap_or(0)),
            None => (part.as_str(), 0),
        };
        match name {
            "the checkpoint" => match self.bad_line(&self.evidence.checkpoint, fault) {
                Some(line) => {
                    let at = self.lines.iter().position(|l| *l == line).unwrap_or(0) as u64;
                    let place = FaultPlace { line: Some(self.checkpoint_line + 4 + at), ..FaultPlace::part(name) };
                    self.evidence.checkpoint = without(&self.evidence.checkpoint, &line);
                    self.receipt(place, &line, fault);
                    true
                }
                None => {
                    self.core(error, name);
                    false
                }
            },
            "heads" if at < self.heads.len() => {
                let place = FaultPlace::part(format!("heads[{}]", self.heads[at]));
                let head = self.evidence.heads[at].checkpoint.clone();
                match self.bad_line(&head, fault).filter(|_| head.signatures().len() > 2) {
                    Some(line) => {
                        self.evidence.heads[at].checkpoint = without(&head, &line);
                        self.receipt(place, &line, fault);
                    }
                    None => {
                        let lost = head.signatures().iter().filter_map(|line| self.witness(line)).collect();
                        self.evidence.heads.remove(at);
                        self.heads.remove(at);
                        self.aside(
                            place,
                            "a head of the sender's log with receipts, which covers the note",
                            fault,
                            lost,
                            "",
                        );
                    }
                }
                true
            }
            "credentials" if at < self.credentials.len() => {
                let place = FaultPlace::part(format!("credentials[{}]", self.credentials[at]));
                self.evidence.credentials.remove(at);
                self.credentials.remove(at);
                let means = "It does not show that the sender's root had granted this key when the note was logged.";
                self.aside(
                    place,
                    "a record of the sender's log from before the note, which grants a key",
                    fault,
                    Vec::new(),
                    means,
                );
                true
            }
            "anchors" if at < self.anchors.len() => {
                let place = FaultPlace::part(format!("anchors[{}]", self.anchors[at]));
                self.evidence.anchors.remove(at);
                self.anchors.remove(at);
                let means = "It does not show that the note is younger than this record of another party.";
                self.aside(
                    place,
                    "an older record of another party, and the receipt for it in the sender's log",
                    fault,
                    Vec::new(),
                    means,
                );
                true
            }
            "fork" if self.evidence.fork.take().is_some() => {
                let means = "This file does not show that the sender's log forked.";
                self.aside(
                    FaultPlace::part("fork"),
                    "two contradictory heads of the sender's log",
                    fault,
                    Vec::new(),
                    means,
                );
                true
            }
            "restarts" if at < self.evidence.restarts.len() => {
                let place = FaultPlace::part(format!("restarts[{at}]"));
                self.evidence.restarts.remove(at);
                let means = "This file does not show that the sender's root accepted both branches of its log.";
                let expected = "a certificate by the sender's root that names a head which covers the note";
                self.aside(place, expected, fault, Vec::new(), means);
                true
            }
            _ if name.starts_with("silence") && self.evidence.silence.take().is_some() => {
                let means =
                    "This file shows nothing about whether the party answered. What it says of the note itself stands.";
                self.aside(
                    FaultPlace::part(part.as_str()),
                    "all records of that party's log up to a head that others cosigned",
                    fault,
                    Vec::new(),
                    means,
                );
                true
            }
            _ => {
                self.core(error, name);
                false
            }
        }
    }

    /// The signature line of a head that fails, if it is not the log's own.
    fn bad_line(&self, head: &SignedNote, fault: &PartError) -> Option<Signature> {
        let lines = head.signatures().get(1..)?;
        match fault {
            PartError::Cosignature(CosignatureError::Invalid(name)) => {
                lines.iter().find(|line| line.name == *name).cloned()
            }
            PartError::Misplaced(_) => {
                // By the treaty's order: the first one that is unknown, or not after the one before it.
                let mut last = None;
                for line in lines {
                    let place = self.witness(line).and_then(|code| self.treaty.find(&code));
                    if place.is_none() || place <= last {
                        return Some(line.clone());
                    }
                    last = place;
                }
                lines.last().cloned()
            }
            _ => None,
        }
    }

    /// The party that a line says to be the receipt of.
    fn witness(&self, line: &Signature) -> Option<String> {
        let origin = line.name.strip_suffix("/witness")?;
        Some(self.treaty.party(self.treaty.log_of_origin(origin)?).code.clone())
    }

    fn receipt(&mut self, place: FaultPlace, line: &Signature, fault: &PartError) {
        let lost: Vec<_> = self.witness(line).into_iter().collect();
        let expected = match lost.first() {
            Some(code) => format!("the receipt of {} on this head", party_name(self.treaty, code)),
            None => "receipts of the treaty's parties, in the treaty's order".to_owned(),
        };
        self.aside(place.signature(line.name.clone()), &expected, fault, lost, "");
    }

    fn aside(&mut self, place: FaultPlace, expected: &str, fault: &PartError, lost: Vec<String>, means: &str) {
        let (file, found) = (self.file.to_owned(), fault.to_string());
        self.faults.push(Fault { file, place, expected: expected.to_owned(), found, means: means.to_owned() });
        self.lost.push(lost);
    }

    /// What ties the note to the sender's log fails.
    fn core(&mut self, error: &EvidenceError, part: &str) {
        let expected = match part {
            "the checkpoint" => "a head of the sender's log with the signature of that log",
            _ => "a notification of the sender's log that stands under the file's head",
        };
        let found = match error {
            EvidenceError::Part { fault, .. } => fault.to_string(),
            other => other.to_string(),
        };
        let mut place = FaultPlace::part(part);
        if part == "the checkpoint" {
            place.line = Some(self.checkpoint_line);
            place.signature = self.lines.first().map(|line| line.name.clone());
        } else {
            place.record = Some(self.evidence.index);
        }
        let means = "Nothing ties the note to the sender's log: not when it was sent, nor who had received it.";
        let (file, expected, means) = (self.file.to_owned(), expected.to_owned(), means.to_owned());
        self.faults.push(Fault { file, place, expected, found, means });
        self.lost.push(Vec::new());
    }

    /// What is left, and what the faults mean for it.
    fn weigh(mut self, holds: Option<Verdict>) -> Explanation {
        let treaty = self.treaty;
        let name = |code: &String| party_name(treaty, code);
        let mut summary = Vec::new();
        let Some(verdict) = &holds else {
            summary.extend(signed_for(&self.evidence, treaty));
            if summary.is_empty() {
                summary.push("Nothing is shown: not that the note was sent, nor by whom.".into());
            }
            return Explanation { faults: self.faults, holds, summary };
        };
        let received = |code: &String| verdict.receipts.iter().any(|receipt| receipt.party == *code);
        for (fault, lost) in self.faults.iter_mut().zip(&self.lost).filter(|(fault, _)| fault.means.is_empty()) {
            let (still, gone): (Vec<_>, Vec<_>) = lost.iter().partition(|code| received(code));
            let mut means = Vec::new();
            if !gone.is_empty() {
                let names: Vec<_> = gone.into_iter().map(name).collect();
                means.push(format!("Nothing in this file proves that {} received the note.", list(&names, "and that")));
            }
            if !still.is_empty() {
                let names: Vec<_> = still.into_iter().map(name).collect();
                means.push(format!("Other receipts in it show that {} received the note.", list(&names, "and")));
            }
            if lost.is_empty() {
                means.push("It shows nothing.".into());
            }
            fault.means = means.join(" ");
        }
        let mut gone: Vec<String> = self.lost.concat().into_iter().filter(|code| !received(code)).collect();
        gone.sort();
        gone.dedup();
        let authentic = if verdict.signers.is_empty() {
            format!("The note stands in the log of {}", party_name(treaty, &verdict.party))
        } else {
            "The note is authentic".to_owned()
        };
        summary.push(match gone.as_slice() {
            [] => format!("{authentic}. What is said below holds without the parts that fail."),
            gone => {
                let names: Vec<_> = gone.iter().map(name).collect();
                format!("{authentic}, but nothing proves that {} received it.", list(&names, "or"))
            }
        });
        if !verdict.is_final {
            summary.push("What is left of the receipts does not make the quorum that the treaty asks for.".into());
        }
        Explanation { faults: self.faults, holds, summary }
    }
}

/// A note without one of its lines.
fn without(note: &SignedNote, line: &Signature) -> SignedNote {
    let Ok(mut left) = SignedNote::new(note.text().to_owned()) else { return note.clone() };
    note.signatures().iter().filter(|other| *other != line).for_each(|other| left.add(other.clone()));
    left
}

/// What the note itself shows where its place in a log does not: an official's signature, with a key that the party's
/// root has granted.
fn signed_for(evidence: &Evidence, treaty: &Treaty) -> Vec<String> {
    let mut out = Vec::new();
    let Ok(record) = Record::parse(evidence.record.record.as_bytes()) else { return out };
    let Ok((note, notification)) = Notification::of_note(record.payload) else { return out };
    let Some(at) = treaty.find(&notification.from).filter(|_| notification.ledger == treaty.hash()) else { return out };
    let party = treaty.party(at);
    for item in &evidence.credentials {
        let Ok(record) = Record::parse(item.record.as_bytes()) else { continue };
        let Ok(grant) = Grant::verify(record.payload, party, treaty.origin(at), &treaty.hash()) else { continue };
        if note.verify(&grant.key).is_ok() {
            out.push(format!(
                "The note bears the signature of {}, whose key the root key of {} has granted: {} wrote it. Nothing proves \
                 that it was sent, when, or who received it.",
                grant.title, party.name, party.name
            ));
        }
    }
    out
}
