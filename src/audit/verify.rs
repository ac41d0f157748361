//! Auditing the folder: every byte of it, each file once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::amendments;
use super::export::receipt_line;
use super::folder::{
    Broken, CHECKPOINTS, FORKS, KEYS, LOGS, POLICY, PROFILE, README, RECEIPTS, RECORDS, Reader, ReceiptLine, TREATY,
    readme,
};
use super::report::{MAX_LISTED, MarkedNote, Missing, Report};
use super::walk::Walk;
use crate::ledger::{
    AmendmentError, Credential, ForkProof, Keyring, MAX_PROFILE_BYTES, MAX_RECORD_BYTES, MAX_TREATY_BYTES, Profile,
    Receipt, Record, RecordType, Treaty, TreatyError, check_notification, parse_bare_fork,
};
use crate::node::final_size;
use crate::tlog::{Hash, leaf_hash};

/// Why a folder could not be audited at all.
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
    /// The folder's treaty file.
    #[error("the folder's {TREATY}: {0}")]
    Treaty(#[from] TreatyError),
    /// One of the folder's amendments.
    #[error("the folder's {0}: {1}")]
    Amendment(String, AmendmentError),
    /// The folder belongs to another ledger.
    #[error("the folder is of another ledger: its {TREATY} has the SHA-256 {found}, the trusted one has {trusted}")]
    OtherTreaty {
        /// SHA-256 of the folder's file.
        found: String,
        /// SHA-256 of the trusted one.
        trusted: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// Audits an export folder. `trusted` is the treaty file from elsewhere; without it, the report says what to compare.
///
/// `progress` is told how many bytes were read, and of how many. Memory: one record, and per log O(log n) hashes and
/// the grants; never the log.
pub fn verify_folder(
    folder: &Path,
    trusted: Option<&[u8]>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, AuditError> {
    let path = folder.join(TREATY);
    let bytes = read_file(&path, MAX_TREATY_BYTES).map_err(|source| AuditError::Io { path, source })?;
    if let Some(trusted) = trusted.filter(|trusted| *trusted != bytes) {
        let (found, trusted) = (Hash::digest(&bytes).to_hex(), Hash::digest(trusted).to_hex());
        return Err(AuditError::OtherTreaty { found, trusted });
    }
    let shared = Arc::new(amendments::read(folder, Treaty::parse(&bytes)?)?);
    let treaty = &*shared;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|e| AuditError::Random(e.to_string()))?;
    let mut audit = Audit {
        folder,
        treaty,
        shared: shared.clone(),
        profile: None,
        keys: Keyring::new(&treaty).settled(),
        key,
        report: Report {
            title: treaty.file().title.clone(),
            treaty: Some(treaty.hash()),
            treaty_given: trusted.is_some(),
            ..Report::default()
        },
        in_records: vec![[0; 32]; treaty.parties().len()],
        listed: vec![[0; 32]; treaty.parties().len()],
        done: 0,
        total: 0,
        progress,
    };
    audit.layout();
    audit.key_lists();
    audit.small_files();
    for log in 0..treaty.parties().len() {
        audit.log(log);
    }
    audit.receipt_sets();
    Ok(audit.report)
}

struct Audit<'a> {
    folder: &'a Path,
    treaty: &'a Treaty,
    shared: Arc<Treaty>,
    profile: Option<Profile>,
    /// Which keys are in force where, by what the folder lists; each log is held against its list.
    keys: Keyring,
    /// Drawn anew for each audit, so that nobody can write a folder whose two sets differ and have the same digest.
    key: [u8; 32],
    report: Report,
    /// By receipted log: digest of the set of receipts that stand in the records of all logs.
    in_records: Vec<[u8; 32]>,
    /// By receipted log: digest of the set of lines of its `receipts.txt`.
    listed: Vec<[u8; 32]>,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Audit<'_> {
    /// Every file that should be there is, and no other.
    fn layout(&mut self) {
        let mut due: BTreeSet<String> = [README, TREATY, PROFILE, POLICY].map(str::to_owned).into();
        let mut folders: BTreeSet<String> = [LOGS, FORKS].map(str::to_owned).into();
        let mut allowed = BTreeSet::new();
        for party in self.treaty.parties() {
            folders.insert(format!("{LOGS}/{}", party.code));
            due.extend([RECORDS, CHECKPOINTS, RECEIPTS].map(|name| format!("{LOGS}/{}/{name}", party.code)));
            allowed.insert(format!("{FORKS}/{}.txt", party.code));
            allowed.insert(format!("{LOGS}/{}/{KEYS}", party.code));
        }
        folders.insert(amendments::FOLDER.to_owned());
        due.extend((1..=self.treaty.number()).map(amendments::name));
        self.list("", &folders, &mut due, &allowed);
        for name in due {
            self.report.fault(&name, 0, "the file is missing");
        }
    }

    fn list(
        &mut self,
        within: &str,
        folders: &BTreeSet<String>,
        due: &mut BTreeSet<String>,
        allowed: &BTreeSet<String>,
    ) {
        let entries = match fs::read_dir(self.folder.join(within)) {
            Ok(entries) => entries,
            Err(error) => return self.report.fault(within, 0, format!("the folder cannot be read: {error}")),
        };
        for entry in entries {
            let Ok(entry) = entry else { return self.report.fault(within, 0, "the folder cannot be read") };
            // Names of files that are none of ours are shown to people: nothing in them steers a terminal.
            let name = entry.file_name().to_string_lossy().replace(char::is_control, "\u{fffd}");
            let name = if within.is_empty() { name } else { format!("{within}/{name}") };
            // Links are not followed: what they lead to is not part of the export.
            let Ok(meta) = entry.path().symlink_metadata() else {
                self.report.fault(&name, 0, "it cannot be read");
                continue;
            };
            if meta.is_dir() && folders.contains(&name) {
                self.list(&name, folders, due, allowed);
            } else if meta.is_file() && (due.remove(&name) || allowed.contains(&name)) {
                self.total += meta.len();
            } else {
                self.report.fault(&name, 0, "it is no part of an export");
            }
        }
    }

    fn small_files(&mut self) {
        let same = |audit: &mut Self, name: &str, expected: &[u8]| match audit.small(name, expected.len()) {
            Some(bytes) if bytes != expected => {
                audit.report.fault(name, 0, "it is not what follows from the treaty file")
            }
            _ => {}
        };
        same(self, README, readme(self.treaty).as_bytes());
        same(self, POLICY, self.treaty.policy_text().as_bytes());
        if let Some(bytes) = self.small(PROFILE, MAX_PROFILE_BYTES) {
            if Hash::digest(&bytes) != self.treaty.file().profile_sha256 {
                self.report.fault(PROFILE, 0, "its SHA-256 is not the one in the treaty file");
            } else {
                match Profile::parse(&bytes) {
                    Ok(profile) => self.profile = Some(profile),
                    Err(error) => self.report.fault(PROFILE, 0, error.to_string()),
                }
            }
        }
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let name = format!("{FORKS}/{}.txt", party.code);
            if self.folder.join(&name).symlink_metadata().is_err() {
                continue;
            }
            let Some(bytes) = self.small(&name, MAX_RECORD_BYTES) else { continue };
            match parse_bare_fork(&bytes, self.treaty) {
                Ok(proof) if proof.log() == log => {
                    let (a, b) = proof.sizes();
                    self.report.forked(&party.code, format!("it signed contradictory heads of {a} and of {b} records"));
                }
                Ok(_) => self.report.fault(&name, 0, "it is about another log"),
                Err(error) => self.report.fault(&name, 0, error.to_string()),
            }
        }
    }

    /// The records by which the parties changed their keys. They are needed before any log is read: a receipt in one
    /// log is signed with the keys of another.
    fn key_lists(&mut self) {
        let mut keys = Keyring::new(self.treaty);
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let name = format!("{LOGS}/{}/{KEYS}", party.code);
            if self.folder.join(&name).symlink_metadata().is_err() {
                continue;
            }
            let mut reader = match open(&self.folder.join(&name)) {
                Ok(file) => Reader::new(BufReader::new(file)),
                Err(error) => {
                    self.report.fault(&name, 0, format!("it cannot be read: {error}"));
                    continue;
                }
            };
            let history = keys.party_mut(log);
            let mut fault = None;
            loop {
                let line = reader.line;
                match reader.next_frame("record") {
                    Ok(None) => break,
                    Err(broken) => fault = Some((broken.line, broken.what)),
                    Ok(Some((number, bytes))) => match Record::parse(&bytes) {
                        Ok(record) if record.index == number && record.log == self.treaty.origin(log) => {
                            let before = history.changes().len();
                            history.apply(&record, self.treaty);
                            if history.changes().len() == before || history.size() != number + 1 {
                                fault = Some((line, "it is not the next record that changes a key of this log".into()));
                            }
                        }
                        _ => fault = Some((line, "it is not that record of this log".into())),
                    },
                }
                if let Some((line, what)) = fault {
                    self.report.fault(&name, line, what);
                    break;
                }
            }
            self.done += reader.bytes;
        }
        self.keys = keys.settled();
    }

    /// A file that is read whole; missing ones were reported with the layout.
    fn small(&mut self, name: &str, max_bytes: usize) -> Option<Vec<u8>> {
        match read_file(&self.folder.join(name), max_bytes) {
            Ok(bytes) => {
                self.done += bytes.len() as u64;
                Some(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.report.fault(name, 0, format!("it cannot be read: {error}"));
                None
            }
        }
    }

    fn log(&mut self, log: usize) {
        let party = self.treaty.party(log);
        let name = |file: &str| format!("{LOGS}/{}/{file}", party.code);
        let open = |file: &str| open(&self.folder.join(name(file))).map(|file| Reader::new(BufReader::new(file)));
        let (records, checkpoints, receipts) = match (open(RECORDS), open(CHECKPOINTS), open(RECEIPTS)) {
            (Ok(records), Ok(checkpoints), Ok(receipts)) => (records, checkpoints, receipts),
            (records, checkpoints, receipts) => {
                for (file, result) in [(RECORDS, records), (CHECKPOINTS, checkpoints), (RECEIPTS, receipts)] {
                    if let Err(error) = result {
                        self.report.fault(&name(file), 0, format!("it cannot be read: {error}"));
                    }
                }
                return;
            }
        };
        let mut walk = Walk::new(self.treaty, log, [records, checkpoints, receipts]);
        let walked = self.walk(&mut walk);
        self.done += walk.bytes();
        (self.progress)(self.done, self.total);
        walk.out.final_size = final_size(self.treaty, &walk.adoption, &walk.receipted);
        let (have, signed) = (walk.out.records, walk.signed);
        match walked {
            Err((file, broken)) => self.report.fault(&name(file), broken.line, broken.what),
            Ok(()) => {
                if walk.keys.changes() != self.keys.party(log).changes() {
                    let what = "it does not list exactly the records by which this log's keys were changed";
                    self.report.fault(&name(KEYS), 0, what);
                }
                walk.out.complete = true;
                if signed > have {
                    self.report.missing.push(Missing { party: party.code.clone(), have, signed });
                }
            }
        }
        self.report.logs.push(walk.out);
    }

    /// Reads the three files of a log side by side: heads and receipts are checked when the tree has their size.
    fn walk(&mut self, walk: &mut Walk) -> Result<(), (&'static str, Broken)> {
        walk.next_checkpoint(self.keys.party(walk.log))?;
        walk.next_receipt(self.treaty)?;
        self.at_size(walk)?;
        while let Some((number, bytes)) = walk.records.next_frame("record").map_err(|b| (RECORDS, b))? {
            let line = walk.records.line;
            self.record(walk, number, &bytes).map_err(|what| {
                // The line of the frame, not the one after it.
                let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64 + 2;
                (RECORDS, Broken { line: line.saturating_sub(lines), what })
            })?;
            self.at_size(walk)?;
            if walk.out.records.is_multiple_of(1024) {
                (self.progress)(self.done + walk.bytes(), self.total);
            }
        }
        if let Some((checkpoint, _)) = &walk.checkpoint {
            let what = format!("a head of {} records, but the log has only {}", checkpoint.size, walk.out.records);
            return Err((CHECKPOINTS, walk.checkpoints.broken(what)));
        }
        if walk.signed != walk.out.records {
            return Err((RECORDS, walk.records.broken("the last records are not covered by any head in the folder")));
        }
        // Receipts for what is not here: the folder is not all there is.
        while let Some(line) = walk.receipt {
            walk.signed = walk.signed.max(line.size);
            self.take_line(walk, line);
            walk.next_receipt(self.treaty)?;
        }
        Ok(())
    }

    fn record(&mut self, walk: &mut Walk, number: u64, bytes: &[u8]) -> Result<(), String> {
        let (log, index) = (walk.log, walk.out.records);
        if number != index {
            return Err(format!("record {number} where record {index} should be"));
        }
        let origin = self.treaty.origin(log);
        let record =
            Record::parse_at(bytes, origin, index, &walk.last_leaf).map_err(|e| format!("record {index}: {e}"))?;
        walk.last_leaf = leaf_hash(bytes);
        walk.edge.push(walk.last_leaf, &mut Vec::new());
        walk.out.records += 1;
        walk.out.last = Some(record.time);
        let party = self.treaty.party(log);
        walk.adoption.pass(index, record.time, self.treaty);
        match record.kind {
            RecordType::Amendment => {
                let mut treaty = self.shared.clone();
                let held = walk.adoption.take(index, record.time, record.payload, &mut treaty);
                walk.out.amendments += u64::from(held);
                walk.out.void += u64::from(!held);
                if treaty.number() > self.treaty.number() {
                    return Err(format!("record {index}: an amendment that is not in the folder's `amendments`"));
                }
            }
            RecordType::Notification => {
                walk.out.notifications += 1;
                let (treaty, profile) = (self.treaty, self.profile.as_ref());
                let at = walk.adoption.last();
                let marks = check_notification(&record, log, at, treaty, profile, walk.keys.officials()).marks;
                if !marks.is_empty() {
                    self.report.marked_count += 1;
                    if self.report.marked.len() < MAX_LISTED {
                        self.report.marked.push(MarkedNote { party: party.code.clone(), index, marks });
                    }
                }
            }
            RecordType::Credential => {
                walk.out.credentials += 1;
                let valid = Credential::verify(record.payload, party, origin, &self.treaty.hash()).is_ok();
                walk.out.void += u64::from(!valid);
                walk.keys.apply(&record, self.treaty);
            }
            RecordType::Receipt => {
                walk.out.receipts += 1;
                match Receipt::verify(record.payload, log, index, &self.keys) {
                    Ok(receipt) => {
                        let line = receipt_line(&receipt, index);
                        toggle(&mut self.in_records[receipt.log], &self.key, line, self.treaty);
                    }
                    Err(_) => walk.out.void += 1,
                }
            }
            RecordType::Evidence => {
                walk.out.evidence += 1;
                match ForkProof::parse(record.payload, self.treaty) {
                    Ok(proof) => {
                        let why = format!("the proof is record {index} of the log of {}", party.name);
                        self.report.forked(&self.treaty.party(proof.log()).code, why);
                    }
                    Err(_) => walk.out.void += 1,
                }
            }
        }
        Ok(())
    }

    /// Checks the heads and receipts of the size that the tree has now.
    fn at_size(&mut self, walk: &mut Walk) -> Result<(), (&'static str, Broken)> {
        let size = walk.out.records;
        let due = |at: Option<u64>| at.is_some_and(|at| at <= size);
        if !due(walk.checkpoint.as_ref().map(|(c, _)| c.size)) && !due(walk.receipt.map(|r| r.size)) {
            return Ok(());
        }
        let root = walk.edge.root();
        while let Some((checkpoint, line)) = walk.checkpoint.take_if(|(checkpoint, _)| checkpoint.size <= size) {
            if checkpoint.size < size {
                return Err((CHECKPOINTS, Broken { line, what: "heads should stand by size, each once".into() }));
            }
            if checkpoint.root != root {
                let what = match (walk.good, size.saturating_sub(1)) {
                    (from, to) if from >= to => format!("record {to} is not the one that this head was signed over"),
                    (from, to) => format!("one of the records {from} to {to} is not what this head was signed over"),
                };
                return Err((CHECKPOINTS, Broken { line, what }));
            }
            walk.good = size;
            walk.out.checkpoints += 1;
            walk.next_checkpoint(self.keys.party(walk.log))?;
        }
        while let Some(line) = walk.receipt.filter(|receipt| receipt.size <= size) {
            // Ascending order was checked when the line was read, so that the size is this one.
            if line.root == root {
                let last = &mut walk.receipted[line.by];
                *last = (*last).max(size);
            } else {
                let by = &self.treaty.party(line.by).name;
                let why = format!("{by} holds another head of {size} records, in record {} of its log", line.index);
                self.report.forked(&self.treaty.party(walk.log).code, why);
            }
            self.take_line(walk, line);
            walk.next_receipt(self.treaty)?;
        }
        Ok(())
    }

    fn take_line(&mut self, walk: &Walk, line: ReceiptLine) {
        toggle(&mut self.listed[walk.log], &self.key, line, self.treaty);
    }

    /// The lists of receipts have exactly the receipts that stand in the logs, to the bit.
    fn receipt_sets(&mut self) {
        if !self.report.faults.is_empty() {
            // Some log was not read to its end: there is nothing to compare.
            return;
        }
        for (log, party) in self.treaty.parties().iter().enumerate() {
            if self.in_records[log] != self.listed[log] {
                let name = format!("{LOGS}/{}/{RECEIPTS}", party.code);
                self.report.fault(
                    &name,
                    0,
                    "it does not list exactly the receipts that stand in the other logs' records",
                );
            }
        }
    }
}

/// Adds a line to the digest of a set in which no line stands twice.
fn toggle(digest: &mut [u8; 32], key: &[u8; 32], line: ReceiptLine, treaty: &Treaty) {
    let one = Sha256::new().chain_update(key).chain_update(line.to_text(treaty)).finalize();
    digest.iter_mut().zip(one).for_each(|(sum, byte)| *sum ^= byte);
}

/// Opens a file; a pipe or a device, on which reading might never end, is refused.
fn open(path: &Path) -> io::Result<File> {
    if path.symlink_metadata()?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"))
    }
}

/// Reads a file of at most so many bytes.
pub(super) fn read_file(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(max_bytes as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {max_bytes} bytes")));
    }
    Ok(bytes)
}
