//! Auditing an export: every byte of it, each file once.

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::amendments;
use super::checks::Law;
use super::crew::Crew;
use super::differences::Differences;
use super::frame::Reader;
use super::known::KnownHeads;
use super::layout::{FORKS, KEYS, LOGS, PART, POLICY, PROFILE, README, RECEIPTS, TREATY, UNFINISHED, readme};
use super::report::{MAX_LISTED, Missing, Report};
use super::selection::{MAX_PART_BYTES, Selection};
use super::source::Source;
use super::walk::Walk;
use crate::ledger::{
    AmendmentError, Fault, FaultPlace, ForkProof, Keyring, MAX_PROFILE_BYTES, MAX_RECORD_BYTES, MAX_TREATY_BYTES,
    Profile, Record, References, Treaty, TreatyError, parse_bare_fork,
};
use crate::node::final_size;
use crate::tlog::{Hash, leaf_hash};

/// Longest README, in bytes: it names 256 parties.
const MAX_README_BYTES: usize = 1 << 18;
/// Longest list of changes of a log's keys, in bytes.
pub(super) const MAX_KEYS_BYTES: usize = 64 << 20;

/// Why an export could not be audited at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A file without which nothing can be checked.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The export's treaty file.
    #[error("the export's {TREATY}: {0}")]
    Treaty(#[from] TreatyError),
    /// One of the export's amendments.
    #[error("the export's {0}: {1}")]
    Amendment(String, AmendmentError),
    /// The export belongs to another ledger.
    #[error("the export is of another ledger: its {TREATY} has the SHA-256 {found}, the trusted one has {trusted}")]
    OtherTreaty {
        /// SHA-256 of the export's file.
        found: String,
        /// SHA-256 of the trusted one.
        trusted: String,
    },
    /// It was interrupted, and never finished.
    #[error("this export was interrupted and is not whole: it has a file {UNFINISHED}")]
    Unfinished,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// Audits an export: a folder or a `.tar.zst`. `trusted` is the treaty file from elsewhere; without it, the report says
/// what to compare.
///
/// `progress` is told how many bytes were read, and of how many. Memory: some records for each of the machine's cores, all
/// of which work, and per log O(log n) hashes and the credentials; 8 bytes for each record and about 40 for each reference,
/// by which references are held against records; never the log. Nothing is written to disk.
pub fn verify_export(
    path: &Path,
    trusted: Option<&[u8]>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, AuditError> {
    verify_export_by(cores(), path, trusted, progress)
}

/// How many threads this machine's cores are worth; 1, if it does not say.
pub fn cores() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// [`verify_export`] by so many threads. What is found does not depend on how many there are.
pub fn verify_export_by(
    threads: NonZero<usize>,
    path: &Path,
    trusted: Option<&[u8]>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, AuditError> {
    let fail = |name: &str| {
        let path = if path.is_dir() { path.join(name) } else { path.to_owned() };
        move |source| AuditError::Io { path, source }
    };
    if path.is_dir() && path.join(UNFINISHED).symlink_metadata().is_ok() {
        return Err(AuditError::Unfinished);
    }
    let mut source = Source::open(path).map_err(fail(""))?;
    let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such file");
    let read_me = source.small(README, MAX_README_BYTES);
    let bytes = source.small(TREATY, MAX_TREATY_BYTES).and_then(|b| b.ok_or_else(missing)).map_err(fail(TREATY))?;
    if let Some(trusted) = trusted.filter(|trusted| *trusted != bytes) {
        let (found, trusted) = (Hash::digest(&bytes).to_hex(), Hash::digest(trusted).to_hex());
        return Err(AuditError::OtherTreaty { found, trusted });
    }
    let treaty = Treaty::parse(&bytes)?;
    let profile = source.small(PROFILE, MAX_PROFILE_BYTES);
    let policy = source.small(POLICY, 1 << 20);
    let part = source.small(PART, MAX_PART_BYTES);
    let rule = profile.as_ref().ok().and_then(|bytes| bytes.as_deref());
    let shared = Arc::new(amendments::read(&mut source, rule, treaty)?);
    let treaty = &*shared;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|e| AuditError::Random(e.to_string()))?;
    let mut report = Report {
        title: treaty.file().title.clone(),
        treaty: Some(treaty.hash()),
        treaty_given: trusted.is_some(),
        ..Report::default()
    };
    source.know(treaty, &mut report);
    let receipts = (0..treaty.parties().len()).map(|_| Differences::new(key)).collect();
    let mut audit = Audit {
        source,
        treaty,
        shared: shared.clone(),
        crew: Crew::new(threads),
        keys: Arc::new(Keyring::new(treaty).settled()),
        known: Arc::default(),
        key_leaves: vec![Vec::new(); treaty.parties().len()],
        profile: None,
        part: None,
        report,
        receipts,
        ends: vec![None; treaty.parties().len()],
        references: References::default(),
        done: 0,
        total: 0,
        progress,
    };
    audit.small_files([read_me, profile, policy, part]);
    audit.total = audit.source.layout(treaty, audit.part.is_some(), &mut audit.report);
    let forks = audit.forks();
    audit.key_lists();
    audit.shown_forks(forks);
    for log in 0..treaty.parties().len() {
        audit.log(log);
    }
    audit.receipt_sets();
    audit.asked_for();
    audit.restarted(path);
    // Where a log parted, a place says nothing: by those certificates that count.
    for (log, common) in audit.report.partings_by_place(treaty) {
        audit.references.parted(log, common);
    }
    let astray = std::mem::take(&mut audit.references).astray(treaty);
    audit.report.astray(astray, treaty);
    let Audit { source, mut report, .. } = audit;
    if let Err(error) = source.finish() {
        let means = "The archive is not one that an export makes; what was read of it is above.";
        report.file_fault(&archive_name(path), "the end of the archive", error.to_string(), means);
    }
    Ok(report)
}

fn archive_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().replace(char::is_control, "\u{fffd}")
}

pub(super) struct Audit<'a> {
    pub source: Source,
    pub treaty: &'a Treaty,
    pub shared: Arc<Treaty>,
    pub crew: Crew,
    /// Which keys are in force where, by what the export lists; each log is held against its list.
    pub keys: Arc<Keyring>,
    known: Arc<KnownHeads>,
    /// Leaf hashes of the records in each of these lists.
    key_leaves: Vec<Vec<Hash>>,
    profile: Option<Arc<Profile>>,
    pub part: Option<Selection>,
    pub report: Report,
    /// By receipted log: the receipts in the records of all logs, and those in its list.
    pub receipts: Vec<Differences>,
    /// By log: size and root of its records, if they could be read to their end.
    pub ends: Vec<Option<(u64, Hash)>>,
    pub references: References,
    pub done: u64,
    pub total: u64,
    pub progress: &'a mut dyn FnMut(u64, u64),
}

impl Audit<'_> {
    /// The files beside the logs, in the order in which they stand in an archive.
    fn small_files(&mut self, [read_me, profile, policy, part]: [io::Result<Option<Vec<u8>>>; 4]) {
        if let Some(bytes) = self.present(PROFILE, profile) {
            let (expected, found) = (self.treaty.file().profile_sha256, Hash::digest(&bytes));
            let means = "Titles and the form of the notes were not looked at. All else stands.";
            if found != expected {
                let (expected, found) = (expected.to_hex(), found.to_hex());
                let expected = format!("a file with the SHA-256 {expected}, which the treaty file names");
                self.report.file_fault(PROFILE, expected, format!("one with {found}"), means);
            } else {
                match Profile::parse(&bytes) {
                    Ok(profile) => self.profile = Some(Arc::new(profile)),
                    Err(error) => self.report.file_fault(PROFILE, "a profile", error.to_string(), means),
                }
            }
        }
        if let Some(bytes) = self.present(PART, part) {
            match Selection::parse(&bytes).and_then(|part| match &self.profile {
                Some(profile) => part.check(self.treaty, profile).map(|()| part),
                None => Ok(part),
            }) {
                Ok(part) => (self.report.part, self.part) = (Some(part.clone()), Some(part)),
                Err(error) => {
                    let means = "It is not known what was asked for.";
                    self.report.file_fault(PART, "a selection in its one form", error.to_string(), means);
                }
            }
        }
        let follows = "what follows from the treaty file";
        let means = "It is for readers and proves nothing; the proofs do not rest on it.";
        let expected = readme(self.treaty, self.part.as_ref());
        if self.present(README, read_me).is_some_and(|bytes| bytes != expected.as_bytes()) {
            self.report.file_fault(README, follows, "another text", means);
        }
        let expected = self.treaty.policy_text();
        if self.present(POLICY, policy).is_some_and(|bytes| bytes != expected.as_bytes()) {
            self.report.file_fault(POLICY, follows, "another policy", "Here the policy of the treaty file was used.");
        }
    }

    /// A file that was read whole; missing ones are reported with the layout.
    fn present(&mut self, name: &str, read: io::Result<Option<Vec<u8>>>) -> Option<Vec<u8>> {
        match read {
            Ok(bytes) => {
                self.done += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                bytes
            }
            Err(error) => {
                self.report.file_fault(name, "what can be read", error.to_string(), "It was not looked at.");
                None
            }
        }
    }

    fn forks(&mut self) -> Vec<ForkProof> {
        let mut proofs = Vec::new();
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let name = format!("{FORKS}/{}.txt", party.code);
            let read = self.source.small(&name, MAX_RECORD_BYTES);
            let Some(bytes) = self.present(&name, read) else { continue };
            let found = match parse_bare_fork(&bytes, self.treaty) {
                Ok(proof) if proof.log() == log => {
                    proofs.push(proof);
                    continue;
                }
                Ok(_) => "one about another log".to_owned(),
                Err(error) => error.to_string(),
            };
            let means = format!("This file does not show that the log of {} forked.", party.name);
            self.report.file_fault(&name, "two contradictory heads of this log, with the proof", found, means);
        }
        proofs
    }

    /// The proofs count that are by no key which was replaced since: nobody's log shows where they were.
    fn shown_forks(&mut self, proofs: Vec<ForkProof>) {
        for proof in proofs.into_iter().filter(|proof| !self.is_late(proof, None)).collect::<Vec<_>>() {
            let (a, b) = proof.sizes();
            let why = format!("it signed contradictory heads of {a} and of {b} records");
            let code = self.treaty.party(proof.log()).code.clone();
            self.report.forked(&code, why, super::records::heads_of(&proof));
        }
    }

    /// The records by which the parties changed their keys. They are needed before any log is read: a receipt in one
    /// log is signed with the keys of another.
    fn key_lists(&mut self) {
        let mut keys = Keyring::new(self.treaty);
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let name = format!("{LOGS}/{}/{KEYS}", party.code);
            let read = self.source.small(&name, MAX_KEYS_BYTES);
            let Some(bytes) = self.present(&name, read) else { continue };
            let mut reader = Reader::new(bytes.as_slice());
            let history = keys.party_mut(log);
            loop {
                let start = reader.broken("the next record of this log that changes one of its keys", "");
                let fault = match reader.next_frame("record") {
                    Ok(None) => break,
                    Err(broken) => broken,
                    Ok(Some((number, bytes))) => {
                        let before = history.changes().len();
                        match Record::parse(&bytes) {
                            Ok(record) if record.index == number && record.log == self.treaty.origin(log) => {
                                history.apply(&record, self.treaty);
                            }
                            _ => {}
                        }
                        if history.changes().len() == before + 1 && history.size() == number + 1 {
                            self.key_leaves[log].push(leaf_hash(&bytes));
                            continue;
                        }
                        super::frame::Broken { found: format!("another record ({number})"), ..start }
                    }
                };
                let means =
                    format!("Heads of {} by a later key, and receipts by it, could not be checked.", party.name);
                let place = FaultPlace::line(fault.line, fault.byte);
                let (expected, found) = (fault.expected, fault.found);
                self.report.fault(Fault { file: name.clone(), place, expected, found, means });
                break;
            }
        }
        self.keys = Arc::new(keys.settled());
    }

    fn log(&mut self, log: usize) {
        let code = &self.treaty.party(log).code;
        let opened = self.source.log(code);
        let mut failed = false;
        let files = super::source::LOG_FILES.map(|file| format!("{LOGS}/{code}/{file}"));
        for (name, file) in files.iter().zip(&opened) {
            if let Err(error) = file {
                failed = true;
                if error.kind() != io::ErrorKind::NotFound {
                    let means = "The log was not looked at.";
                    self.report.file_fault(name, "what can be read", error.to_string(), means);
                }
            }
        }
        let [Ok(checkpoints), Ok(receipts), Ok(records)] = opened else {
            debug_assert!(failed);
            return;
        };
        let (treaty, profile, keys) = (self.shared.clone(), self.profile.clone(), self.keys.clone());
        let law = Law { treaty, profile, keys, known: self.known.clone() };
        let mut walk = Walk::new(&law, log, [checkpoints, receipts, records]);
        walk.out.complete = self.walk(&mut walk);
        walk.out.final_size = final_size(self.treaty, &walk.adoption, &walk.receipted);
        walk.out.records = walk.tree.size();
        self.ends[log] = walk.out.complete.then(|| (walk.tree.size(), walk.tree.root()));
        let lives = walk.keys().lives();
        walk.out.keys = lives;
        if walk.out.complete && walk.key_leaves != self.key_leaves[log] {
            let expected = "exactly the records by which this log's keys were changed";
            let means = "Which key was in force where could not be told for certain.";
            self.report.file_fault(&format!("{LOGS}/{code}/{KEYS}"), expected, "other ones", means);
        }
        if walk.out.complete && walk.signed > walk.out.records {
            let (have, signed) = (walk.out.records, walk.signed);
            self.report.missing.push(Missing { party: code.clone(), have, signed });
        }
        self.done += walk.bytes();
        let (files, out) = walk.into_files();
        for (at, (file, input)) in files.into_iter().enumerate() {
            if let super::source::Input::Entry(entry) = &input {
                self.done = entry.done();
            }
            if let Err(error) = self.source.give_back(at, input) {
                let means = "The archive was not read on behind it.";
                self.report.file_fault(&format!("{LOGS}/{code}/{file}"), "its end", error.to_string(), means);
            }
        }
        (self.progress)(self.done.min(self.total), self.total);
        self.report.logs.push(out);
    }

    /// The lists of receipts have exactly the receipts that stand in the logs, to the bit.
    fn receipt_sets(&mut self) {
        let read =
            self.report.logs.len() == self.treaty.parties().len() && self.report.logs.iter().all(|log| log.complete);
        if !read {
            // Some log was not read to its end: there is nothing to compare.
            return;
        }
        for (log, party) in self.treaty.parties().iter().enumerate() {
            if self.receipts[log].agree() {
                continue;
            }
            let file = format!("{LOGS}/{}/{RECEIPTS}", party.code);
            let expected = "exactly the receipts that stand in the other logs' records";
            let Some([records, listed]) = self.receipts[log].found() else {
                let means =
                    format!("What the list says of who has received the log of {} cannot be relied on.", party.name);
                self.report.file_fault(&file, expected, "other ones", means);
                continue;
            };
            for line in listed.iter().chain(records) {
                let (by, size) = (self.treaty.party(line.by), line.size);
                let is_listed = listed.contains(line);
                let what =
                    format!("the receipt by {} for {size} records, as record {} of its log", by.name, line.index);
                let (found, means) = match is_listed {
                    true => (
                        format!("{what}, in the list only"),
                        format!(
                            "Nothing here proves that {} received the first {size} records of {}: the receipt that is listed \
                             does not stand in its log.",
                            by.name, party.name
                        ),
                    ),
                    false => (
                        format!("{what}, not in the list"),
                        format!("The receipt is there, and {} received the records; the list leaves it out.", by.name),
                    ),
                };
                let place = FaultPlace::default().signature(by.witness.name());
                let (file, expected) = (file.clone(), expected.to_owned());
                self.report.fault(Fault { file, place, expected, found, means });
            }
        }
    }

    /// What was asked for as records without a gap is there without a gap.
    fn asked_for(&mut self) {
        for range in self.part.iter().flat_map(|part| part.ranges.clone()).collect::<Vec<_>>() {
            let Some(log) = self.report.logs.iter().find(|log| log.party == range.party) else { continue };
            let here = (range.first..=range.last).all(|index| {
                log.stretches.iter().any(|(first, last)| (*first..=*last).contains(&index))
                    || log.redacted_at.contains(&index)
            });
            let listed = log.stretches.len() < MAX_LISTED && log.redacted_at.len() < MAX_LISTED;
            if listed && !here && log.complete {
                let means = format!("The part is not what it says: some of the records {range} were left out.");
                self.report.file_fault(PART, format!("all records {range}"), "not all of them", means);
            }
        }
    }
}
