//! The verdict on evidence: what is proven, by whom, and what is not.

use serde_json::{Map, Value};

use super::canon;
use super::credential::Credentials;
use super::evidence::{Evidence, EvidenceError, HeadPart, PartError, parse_bare_fork};
use super::notification::{Attachment, Notification};
use super::profile::Profile;
use super::receipt::Receipt;
use super::record::{Record, RecordType};
use super::time::Timestamp;
use super::treaty::Treaty;
use super::validity::{Mark, Signer, check_notification};
use crate::tlog::{Checkpoint, Cosignature, Hash, leaf_hash};

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
    /// What this does not prove, in sentences.
    pub not_proven: Vec<String>,
}

/// Verifies an evidence file: every byte of it, with nothing but the treaty file (and the profile, for titles and the
/// form of the note).
pub fn verify_evidence(bytes: &[u8], treaty: &Treaty, profile: Option<&Profile>) -> Result<Verdict, EvidenceError> {
    let evidence = Evidence::parse(bytes, &treaty.hash())?;
    let origin = evidence.checkpoint.text().split('\n').next().unwrap_or_default();
    let log = treaty.log_of_origin(origin).ok_or_else(|| EvidenceError::UnknownLog(origin.to_owned()))?;

    let mut receipts = Vec::new();
    let own = HeadPart { checkpoint: evidence.checkpoint.clone(), path: evidence.record.path.clone() };
    let main = part("the checkpoint", || head(&own, log, treaty, &mut receipts))?;
    let record = part("the record", || evidence.record.check(origin, main.size, &main.root))?;
    if record.index != evidence.index {
        return Err(misplaced("the record", "it is another record than the file's `index` says"));
    }
    if record.kind != RecordType::Notification {
        return Err(EvidenceError::NotANotification(record.kind.as_str()));
    }
    let mut last_size = 0;
    for (at, item) in evidence.heads.iter().enumerate() {
        let name = format!("heads[{at}]");
        let before = receipts.len();
        let checkpoint = part(&name, || {
            let checkpoint = head(item, log, treaty, &mut receipts)?;
            let leaf = leaf_hash(evidence.record.record.as_bytes());
            crate::tlog::verify_inclusion(&leaf, record.index, checkpoint.size, &item.path, &checkpoint.root)?;
            Ok(checkpoint)
        })?;
        if checkpoint.size <= last_size || checkpoint.size == main.size || receipts.len() == before {
            return Err(misplaced(&name, "heads go by size, each size stands once, and each has a receipt"));
        }
        last_size = checkpoint.size;
    }
    let credentials = credentials(&evidence, &record, &main, log, treaty)?;
    let not_before = anchors(&evidence, &record, &main, log, treaty)?;
    let fork = match &evidence.fork {
        None => None,
        Some(text) => {
            let proof = part("fork", || parse_bare_fork(text.as_bytes(), treaty))?;
            if proof.log() != log {
                return Err(misplaced("fork", "it is about another log"));
            }
            let (smaller, larger) = proof.sizes();
            Some(Forked { smaller, larger })
        }
    };

    let validity = check_notification(record.payload, log, record.index, treaty, profile, &credentials);
    let mut verdict = Verdict {
        party: treaty.party(log).code.clone(),
        index: record.index,
        leaf: leaf_hash(evidence.record.record.as_bytes()),
        kind: String::new(),
        title: "Notification".into(),
        id: String::new(),
        to: Vec::new(),
        body: Map::new(),
        attachments: Vec::new(),
        issued: None,
        signers: validity.signers,
        marks: validity.marks,
        logged: record.time,
        not_before,
        not_after: None,
        receipts: Vec::new(),
        is_final: false,
        final_since: None,
        fork,
        not_proven: Vec::new(),
    };
    if let Ok((_, notification)) = Notification::of_note(record.payload) {
        let known = profile.and_then(|profile| profile.kind.get(&notification.kind));
        verdict.title = known.map_or_else(|| notification.kind.clone(), |kind| kind.title.clone());
        verdict.kind = notification.kind;
        verdict.id = notification.id.to_string();
        verdict.to = notification.to;
        verdict.body = notification.body;
        verdict.attachments = notification.attachments;
        verdict.issued = Some(notification.issued);
    }
    verdict.weigh(receipts, treaty);
    Ok(verdict)
}

fn part<T>(name: &str, check: impl FnOnce() -> Result<T, PartError>) -> Result<T, EvidenceError> {
    check().map_err(|fault| EvidenceError::Part { part: name.to_owned(), fault })
}

fn misplaced(name: &str, what: &'static str) -> EvidenceError {
    EvidenceError::Part { part: name.to_owned(), fault: PartError::Misplaced(what) }
}

/// Verifies a head with all of its signatures: the log's first, then receipts in the treaty's order, and nothing else.
fn head(
    part: &HeadPart,
    log: usize,
    treaty: &Treaty,
    receipts: &mut Vec<(usize, Timestamp, u64)>,
) -> Result<Checkpoint, PartError> {
    let note = &part.checkpoint;
    let checkpoint = Checkpoint::verify(note, &treaty.party(log).log)?;
    let mut lines = note.signatures().iter();
    if !lines.next().is_some_and(|line| line.is_by(&treaty.party(log).log)) {
        return Err(PartError::Misplaced("the log's own signature should come first"));
    }
    let mut next = 0;
    for line in lines {
        let by = (next..treaty.parties().len()).find(|by| *by != log && line.is_by(&treaty.party(*by).witness));
        let Some(by) = by else {
            return Err(PartError::Misplaced("a signature line that is unknown, there twice, or out of order"));
        };
        let time = Cosignature::verify(note, &treaty.party(by).witness)?.time;
        receipts.push((by, Timestamp::from_posix(time), checkpoint.size));
        next = by + 1;
    }
    Ok(checkpoint)
}

/// The grants of those who signed the note: records of the same log, before the note, by index.
fn credentials(
    evidence: &Evidence,
    note: &Record<'_>,
    main: &Checkpoint,
    log: usize,
    treaty: &Treaty,
) -> Result<Credentials, EvidenceError> {
    let mut credentials = Credentials::default();
    let mut next = 0;
    for (at, item) in evidence.credentials.iter().enumerate() {
        let name = format!("credentials[{at}]");
        let record = part(&name, || item.check_kind(treaty.origin(log), main, RecordType::Credential))?;
        if record.index < next || record.index >= note.index {
            return Err(misplaced(&name, "credentials go by index, and come before the note"));
        }
        next = record.index + 1;
        credentials.apply(&record, treaty.party(log), &treaty.hash());
    }
    Ok(credentials)
}

/// Records of other parties that are older than the note, each with the receipt that shows it.
fn anchors(
    evidence: &Evidence,
    note: &Record<'_>,
    main: &Checkpoint,
    log: usize,
    treaty: &Treaty,
) -> Result<Vec<Bound>, EvidenceError> {
    let mut bounds = Vec::new();
    let mut next = 0;
    for (at, item) in evidence.anchors.iter().enumerate() {
        let name = format!("anchors[{at}]");
        let (receipt, at_index) = part(&name, || {
            let record = item.receipt.check_kind(treaty.origin(log), main, RecordType::Receipt)?;
            Ok((Receipt::verify(record.payload, log, treaty)?, record.index))
        })?;
        if at_index >= note.index || receipt.log < next {
            return Err(misplaced(&name, "they go by party, each once, and the receipt comes before the note"));
        }
        next = receipt.log + 1;
        let other = treaty.origin(receipt.log);
        let older = part(&name, || item.record.check(other, receipt.checkpoint.size, &receipt.checkpoint.root))?;
        bounds.push(Bound {
            time: older.time,
            by: treaty.party(receipt.log).code.clone(),
            why: format!("it follows record {} of the log of {}", older.index, treaty.party(receipt.log).name),
        });
    }
    bounds.sort_by_key(|bound| std::cmp::Reverse(bound.time));
    Ok(bounds)
}

impl Verdict {
    /// What the receipts say together.
    fn weigh(&mut self, mut receipts: Vec<(usize, Timestamp, u64)>, treaty: &Treaty) {
        receipts.sort_by_key(|(by, time, size)| (*time, *by, *size));
        let mut seen: Vec<usize> = Vec::new();
        for (by, time, size) in receipts {
            if seen.contains(&by) {
                continue;
            }
            seen.push(by);
            let party = &treaty.party(by).code;
            self.receipts.push(Received { party: party.clone(), time, size });
            let has = |code: &str| treaty.find(code).is_some_and(|at| seen.contains(&at));
            if !self.is_final && treaty.policy().is_satisfied(&has) {
                (self.is_final, self.final_since) = (true, Some(time));
            }
        }
        // A treaty may ask for no receipts at all.
        self.is_final |= treaty.policy().is_satisfied(&|_| false);
        self.not_after = self.receipts.first().map(|first| Bound {
            time: first.time,
            by: first.party.clone(),
            why: "the earliest receipt".into(),
        });
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
            "That what the note says is true.".to_owned(),
        ];
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
        if self.fork.is_some() {
            gaps.push(format!("That {sender} showed the same log to all: the contrary is proven."));
        }
        gaps
    }

    /// The verdict in plain sentences, with names and times in UTC.
    pub fn sentences(&self, treaty: &Treaty, profile: Option<&Profile>) -> Vec<String> {
        let name = |code: &str| party_name(treaty, code);
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
            out.push(format!("It says that it was issued at {}.", issued.display()));
        }
        for mark in &self.marks {
            out.push(format!("Not in order: {}", mark.text));
        }
        out.push(format!("By the clock of {sender}, it was logged at {}.", self.logged.display()));
        for bound in &self.not_before {
            let (time, by) = (bound.time.display(), name(&bound.by));
            out.push(format!("It was not sent before {time}, by the clock of {by}: {}.", bound.why));
        }
        if let Some(bound) = &self.not_after {
            let (time, by) = (bound.time.display(), name(&bound.by));
            out.push(format!(
                "It was sent by {time} at the latest, by the clock of {by}, which gave the first receipt."
            ));
            if let Some(late) = self.not_before.iter().find(|late| late.time > bound.time) {
                out.push(format!("The clocks of {} and {by} do not agree with each other.", name(&late.by)));
            }
        }
        for receipt in &self.receipts {
            out.push(format!("{} had received it at {}.", name(&receipt.party), receipt.time.display()));
        }
        out.push(match (self.is_final, self.final_since) {
            (true, Some(since)) => {
                format!(
                    "The receipts make the quorum that the treaty asks for, since {}: the note is final.",
                    since.display()
                )
            }
            (true, None) => "The treaty asks for no receipts: the note is final.".to_owned(),
            (false, _) => {
                "The receipts do not make the quorum that the treaty asks for: the note is not final.".to_owned()
            }
        });
        if let Some(fork) = self.fork {
            let (a, b) = (fork.smaller, fork.larger);
            out.push(format!(
                "The log of {sender} has forked: it signed two heads, of {a} and of {b} records, that contradict each other."
            ));
        }
        out
    }
}

fn party_name(treaty: &Treaty, code: &str) -> String {
    treaty.find(code).map_or_else(|| code.to_owned(), |at| treaty.party(at).name.clone())
}

/// A value of a note's body, for people.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join("; "),
        other => canon::write(other),
    }
}

fn list(items: &[impl AsRef<str>], last: &str) -> String {
    let items: Vec<_> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [init @ .., end] => format!("{} {last} {end}", init.join(", ")),
    }
}
