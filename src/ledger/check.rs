//! Verifying an evidence file: every part of it, and what follows.

use serde_json::Map;

use super::carried;
use super::credential::Job;
use super::evidence::{Evidence, EvidenceError, HeadPart, PartError, parse_bare_fork};
use super::keyring::Keyring;
use super::notification::Notification;
use super::officials::Credentials;
use super::outside::OutsideWitness;
use super::profile::Profile;
use super::receipt::Receipt;
use super::record::{Record, RecordType};
use super::restart::{Branch, Restart, Restarted};
use super::time::Timestamp;
use super::treaty::Treaty;
use super::validity::{Mark, check_notification, former_party};
use super::verdict::{Bound, Demanded, Forked, Verdict};
use crate::tlog::{Checkpoint, leaf_hash, verify_inclusion};

/// Verifies an evidence file: every byte of it, with nothing but the treaty file (and the profile, for titles and the
/// form of the note).
pub fn verify_evidence(bytes: &[u8], treaty: &Treaty, profile: Option<&Profile>) -> Result<Verdict, EvidenceError> {
    check(&Evidence::parse(bytes, &treaty.hash())?, treaty, profile)
}

/// Verifies every part of an evidence file that was read.
pub(super) fn check(evidence: &Evidence, treaty: &Treaty, profile: Option<&Profile>) -> Result<Verdict, EvidenceError> {
    let stated = Record::parse(evidence.record.record.as_bytes());
    let stated = stated.map_err(|e| EvidenceError::Part { part: "the record".into(), fault: e.into() })?;
    let amended = evidence.amendments.follow(&stated, treaty, profile)?;
    let treaty = &*amended.treaty;
    let origin = evidence.checkpoint.text().split('\n').next().unwrap_or_default();
    let log = treaty.log_of_origin(origin).ok_or_else(|| EvidenceError::UnknownLog(origin.to_owned()))?;

    let keys = carried::keyring(evidence, treaty)?;
    let mut receipts = Vec::new();
    let own = HeadPart { checkpoint: evidence.checkpoint.clone(), path: evidence.record.path.clone() };
    let main = part("the checkpoint", || head(&own, log, &keys, &mut receipts))?;
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
            let checkpoint = head(item, log, &keys, &mut receipts)?;
            let leaf = leaf_hash(evidence.record.record.as_bytes());
            verify_inclusion(&leaf, record.index, checkpoint.size, &item.path, &checkpoint.root)?;
            Ok(checkpoint)
        })?;
        if checkpoint.size <= last_size || checkpoint.size == main.size || receipts.len() == before {
            return Err(misplaced(&name, "heads go by size, each size stands once, and each has a receipt"));
        }
        last_size = checkpoint.size;
    }
    let mut credentials = credentials(evidence, &record, &main, log, treaty)?;
    let not_before = anchors(evidence, &record, &main, log, (treaty, &keys))?;
    pass_times(&mut credentials, evidence, &not_before);
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

    let restarts = restarts(evidence, &record, log, treaty)?;
    let silence = match &evidence.silence {
        None => None,
        Some(part) => {
            Some(part.check(evidence, (log, &record, &main), &receipts, (treaty, &keys, amended.adoption.last()))?)
        }
    };

    let outside = outside(evidence, &record, log, treaty, &keys)?;
    let has_part = |party: usize| {
        let in_silence = silence.as_ref().is_some_and(|silence| {
            silence.party == treaty.party(party).code
                || silence.seen_by.iter().any(|seen| seen.party == treaty.party(party).code)
        });
        let anchors = || not_before.iter().any(|bound| bound.by == treaty.party(party).code);
        party == log || receipts.iter().any(|(by, ..)| *by == party) || in_silence || anchors()
    };
    evidence.amendments.check(log, &main, treaty, has_part)?;

    let at = amended.adoption.at(record.index);
    let mut validity = check_notification(&record, log, at, treaty, profile, &credentials, |_| None);
    validity.marks.extend(late_by_others(log, &validity.marks, &not_before, treaty));
    let given = validity.officials();
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
        demanded: None,
        marks: validity.marks,
        logged: record.time,
        not_before,
        not_after: None,
        receipts: Vec::new(),
        is_final: false,
        final_since: None,
        fork,
        restarts,
        silence,
        outside,
        amended: None,
        not_proven: Vec::new(),
        acceded: Vec::new(),
    };
    if let Ok((_, notification)) = Notification::of_note(record.payload) {
        let known = profile.and_then(|profile| profile.kind.get(&notification.kind));
        verdict.title = known.map_or_else(|| notification.kind.clone(), |kind| kind.title.clone());
        verdict.demanded = known.filter(|kind| kind.signatures > 1).map(|kind| Demanded {
            officials: kind.signatures,
            article: kind.article.clone(),
            given,
        });
        verdict.kind = notification.kind;
        verdict.id = notification.id.to_string();
        verdict.to = notification.to;
        verdict.body = notification.body;
        verdict.attachments = notification.attachments;
        verdict.issued = Some(notification.issued);
    }
    verdict.weigh(receipts, treaty, &amended.adoption);
    Ok(verdict)
}

/// What the file shows of the log's clock before the note: times of its own records there, and what two other parties'
/// clocks had come to, as no single one of them is to decide.
fn pass_times(credentials: &mut Credentials, evidence: &Evidence, not_before: &[Bound]) {
    for anchor in &evidence.anchors {
        if let Ok(record) = Record::parse(anchor.receipt.record.as_bytes()) {
            credentials.pass(record.index, record.time);
        }
    }
    if let [latest, second, ..] = not_before {
        credentials.pass_by_others(second.time, [latest.by.clone(), second.by.clone()]);
    }
}

/// A party that dates its notes back is none any more by what its log held before, by another party's clock.
fn late_by_others(log: usize, marks: &[Mark], not_before: &[Bound], treaty: &Treaty) -> Option<Mark> {
    let bound = not_before.iter().max_by_key(|bound| bound.time)?;
    let mut mark = former_party(log, bound.time, treaty).filter(|mark| marks.iter().all(|m| m.code != mark.code))?;
    let (time, by) = (bound.time.display(), &bound.by);
    mark.text = format!("{} Its log held before this note what {by} logged at {time}, by its own clock.", mark.text);
    Some(mark)
}

fn part<T>(name: &str, check: impl FnOnce() -> Result<T, PartError>) -> Result<T, EvidenceError> {
    check().map_err(|fault| EvidenceError::Part { part: name.to_owned(), fault })
}

fn misplaced(name: &str, what: &'static str) -> EvidenceError {
    EvidenceError::Part { part: name.to_owned(), fault: PartError::Misplaced(what) }
}

/// Verifies a head with all of its signatures: the log's first, then receipts in the treaty's order, and nothing else.
pub(super) fn head(
    part: &HeadPart,
    log: usize,
    keys: &Keyring,
    receipts: &mut Vec<(usize, Timestamp, u64)>,
) -> Result<Checkpoint, PartError> {
    let note = &part.checkpoint;
    let checkpoint = keys.party(log).verify_head(note)?;
    let mut lines = note.signatures().iter();
    if !lines.next().is_some_and(|line| keys.party(log).all_keys(Job::Log).any(|key| line.is_by(key))) {
        return Err(PartError::Misplaced("the log's own signature should come first"));
    }
    let mut next = 0;
    for line in lines {
        let is_witness = |by: &usize| keys.party(*by).all_keys(Job::Witness).any(|key| line.is_by(key));
        let Some(by) = (next..keys.len()).find(|by| *by != log && is_witness(by)) else {
            return Err(PartError::Misplaced("a signature line that is unknown, there twice, or out of order"));
        };
        let time = keys.party(by).verify_any_cosignature(note)?.time;
        receipts.push((by, Timestamp::from_posix(time), checkpoint.size));
        next = by + 1;
    }
    Ok(checkpoint)
}

/// Heads with cosignatures from outside the ledger, by size.
fn outside(
    evidence: &Evidence,
    note: &Record<'_>,
    log: usize,
    treaty: &Treaty,
    keys: &Keyring,
) -> Result<Vec<OutsideWitness>, EvidenceError> {
    let (mut witnesses, mut last) = (Vec::new(), 0);
    let leaf = leaf_hash(evidence.record.record.as_bytes());
    for (at, item) in evidence.outside.iter().enumerate() {
        let name = format!("outside[{at}]");
        let (head, by) = part(&name, || item.check(treaty, keys.party(log), &leaf, note.index))?;
        if head.size <= last {
            return Err(misplaced(&name, "heads go by size, and each size stands once"));
        }
        last = head.size;
        witnesses.extend(by);
    }
    Ok(witnesses)
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
        credentials.apply(&record, log, treaty);
    }
    Ok(credentials)
}

/// Forks that the party's root has accepted: by certificates among the credentials, which come before the note, and by
/// such as name a head that covers the note.
fn restarts(
    evidence: &Evidence,
    note: &Record<'_>,
    log: usize,
    treaty: &Treaty,
) -> Result<Vec<Restarted>, EvidenceError> {
    let before = evidence.credentials.iter().filter_map(|item| Record::parse(item.record.as_bytes()).ok());
    let before = before.filter_map(|record| Restart::of_record(&record, log, treaty));
    let mut found: Vec<_> = before.map(|restart| Restarted::new(&restart, Branch::Kept)).collect();
    let leaf = leaf_hash(evidence.record.record.as_bytes());
    let mut last = None;
    for (at, item) in evidence.restarts.iter().enumerate() {
        let name = format!("restarts[{at}]");
        let restart = part(&name, || Ok(Restart::verify(item.certificate.as_bytes(), log, treaty)?))?;
        let under = |head: &Checkpoint| verify_inclusion(&leaf, note.index, head.size, &item.path, &head.root);
        let branch = match under(restart.kept_head()) {
            Ok(()) if note.index < restart.common => Branch::Common,
            Ok(()) => Branch::Kept,
            Err(_) => part(&name, || Ok(under(restart.other_head()).map(|()| Branch::Other)?))?,
        };
        if branch == Branch::Other && note.index < restart.common {
            return Err(misplaced(
                &name,
                "a note that stands on both branches comes with its path to the head that goes on",
            ));
        }
        if last.is_some_and(|last| last >= restart.kept_head().size) {
            return Err(misplaced(&name, "certificates go by the size of the head that goes on, and each stands once"));
        }
        last = Some(restart.kept_head().size);
        found.push(Restarted::new(&restart, branch));
    }
    Ok(found)
}

/// Records of other parties that are older than the note, each with the receipt that shows it.
fn anchors(
    evidence: &Evidence,
    note: &Record<'_>,
    main: &Checkpoint,
    log: usize,
    (treaty, keys): (&Treaty, &Keyring),
) -> Result<Vec<Bound>, EvidenceError> {
    let mut bounds = Vec::new();
    let mut next = 0;
    for (at, item) in evidence.anchors.iter().enumerate() {
        let name = format!("anchors[{at}]");
        let (receipt, at_index) = part(&name, || {
            let record = item.receipt.check_kind(treaty.origin(log), main, RecordType::Receipt)?;
            Ok((Receipt::verify(record.payload, log, record.index, keys)?, record.index))
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
