//! Reading a ledger's records one after another, for whoever makes something else of them: from stored data, or from an
//! export that was verified before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::choose::{Chosen, PAGE_BYTES, PAGE_RECORDS, choose, head_size};
use super::frame::{Frame, Reader};
use super::layout::{KEYS, LOGS, PART, PROFILE, RECORDS, TREATY, branch_file};
use super::selection::{MAX_PART_BYTES, Selection};
use super::source::Source;
use super::verify::MAX_KEYS_BYTES;
use super::{AuditError, ExportError, Report, Stage, amendments};
use crate::ledger::{Keyring, MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Profile, Record, Restart, Treaty};
use crate::node::{LogId, LogTiles, Read, ReadError, load_keyring};
use crate::tlog::{Checkpoint, CompactRange, Hash, Tiles, leaf_hash, subtrees};

/// What stands at a place of a log.
#[derive(Debug)]
pub enum Item {
    /// A record's bytes.
    Record(Vec<u8>),
    /// A note that is withheld: its leaf hash.
    Withheld(Hash),
}

/// Which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that can be had and is not withheld; of an export, all that it has.
    All,
    /// Those that were asked for, with what is withheld of them.
    Chosen,
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadingError {
    /// Stored data, or what was asked for.
    #[error(transparent)]
    Stored(#[from] ExportError),
    /// An export, or its treaty file.
    #[error(transparent)]
    Export(#[from] AuditError),
    /// A file of an export is not what it was when it was verified.
    #[error("the export's {0}: {1}")]
    Changed(String, String),
}

impl From<ReadError> for ReadingError {
    fn from(error: ReadError) -> Self {
        Self::Stored(error.into())
    }
}

enum Place<'a> {
    Stored(&'a dyn Read, Chosen),
    Export(PathBuf),
}

/// A branch that a log left by a restart certificate.
#[derive(Debug)]
pub struct OtherBranch {
    /// The log.
    pub log: LogId,
    /// The certificate's number in that log, from 1: as in `US~1/12`.
    pub number: usize,
    /// The certificate.
    pub restart: Restart,
    /// Its roots by size, as far as they are known: that of its head always, those after the common records if these are
    /// held. 40 bytes a record.
    roots: BTreeMap<u64, Hash>,
}

impl OtherBranch {
    /// Whether a head is on this branch, as far as its records tell.
    pub fn has(&self, head: &Checkpoint) -> bool {
        self.roots.get(&head.size) == Some(&head.root)
    }

    /// Whether the branch's records are held.
    pub fn is_held(&self) -> bool {
        self.roots.len() as u64 == self.restart.other_head().size - self.restart.common
    }
}

/// A ledger, or a part of it, whose records are read in the order of the logs.
pub struct Reading<'a> {
    /// The treaty with all its amendments.
    pub treaty: Arc<Treaty>,
    /// Its profile.
    pub profile: Arc<Profile>,
    /// What was asked for.
    pub selection: Selection,
    /// The keys that were in force at any place of the logs.
    pub keys: Keyring,
    /// Number of records of each log, those that are not there included.
    pub sizes: Vec<u64>,
    /// The branches that do not go on, by log and number; none where a part was asked for.
    pub branches: Vec<OtherBranch>,
    place: Place<'a>,
}

impl<'a> Reading<'a> {
    /// From stored data; up to the signed heads of now.
    pub fn stored(
        read: &'a dyn Read,
        treaty: &[u8],
        profile: &[u8],
        selection: Selection,
        progress: &mut dyn FnMut(Stage, u64, u64),
    ) -> Result<Self, ReadingError> {
        let treaty = Treaty::parse(treaty).map_err(ExportError::from)?;
        if Hash::digest(profile) != treaty.file().profile_sha256 {
            return Err(ExportError::Profile.into());
        }
        let parsed = Profile::parse(profile).map_err(ExportError::from)?;
        let treaty = amendments::found(treaty, profile, read)?;
        let selection = selection.sorted();
        let sizes: Vec<u64> =
            (0..treaty.parties().len()).map(|log| head_size(read, log, &treaty)).collect::<Result<_, _>>()?;
        let chosen = choose(read, &treaty, &parsed, &selection, sizes.clone(), progress)?;
        let keys = load_keyring(&treaty, read)?.settled();
        let mut found = Vec::new();
        for (log, size) in sizes.iter().enumerate() {
            let restarts = read.restarts(log)?;
            let restarts = restarts.iter().filter_map(|note| Restart::verify(note, log, &treaty).ok());
            found.extend(restarts.filter(|restart| restart.kept_head().size < *size).map(|restart| (log, restart)));
        }
        let (treaty, profile) = (Arc::new(treaty), Arc::new(parsed));
        let place = Place::Stored(read, chosen);
        Self { treaty, profile, selection, keys, sizes, branches: Vec::new(), place }.with_branches(found)
    }

    /// From an export that [`super::verify_export`] found sound, with its report.
    pub fn export(path: &Path, report: &Report) -> Result<Self, ReadingError> {
        let fail = |name: &str, what: String| ReadingError::Changed(name.to_owned(), what);
        let mut source = Source::open(path).map_err(|e| fail("archive", e.to_string()))?;
        let mut small = |name: &str, most: usize| source.small(name, most).map_err(|e| fail(name, e.to_string()));
        let missing = |name: &str| fail(name, "there is no such file".to_owned());
        let treaty = small(TREATY, MAX_TREATY_BYTES)?.ok_or_else(|| missing(TREATY))?;
        let profile = small(PROFILE, MAX_PROFILE_BYTES)?.ok_or_else(|| missing(PROFILE))?;
        let part = small(PART, MAX_PART_BYTES)?;
        let treaty = Treaty::parse(&treaty).map_err(AuditError::from)?;
        if report.treaty != Some(treaty.hash()) || Hash::digest(&profile) != treaty.file().profile_sha256 {
            return Err(fail(TREATY, "it is another one than was verified".to_owned()));
        }
        let treaty = amendments::read(&mut source, Some(&profile), treaty)?;
        let profile = Profile::parse(&profile).map_err(ExportError::from)?;
        let selection = match part {
            None => Selection::default(),
            Some(bytes) => Selection::parse(&bytes).map_err(|e| fail(PART, e.to_string()))?,
        };
        source.know(&treaty, &mut Report::default());
        let mut keys = Keyring::new(&treaty);
        for (log, party) in treaty.parties().iter().enumerate() {
            let name = format!("{LOGS}/{}/{KEYS}", party.code);
            let bytes = source.small(&name, MAX_KEYS_BYTES).map_err(|e| fail(&name, e.to_string()))?;
            let bytes = bytes.unwrap_or_default();
            let mut reader = Reader::new(bytes.as_slice());
            while let Some((_, bytes)) = reader.next_frame("record").map_err(|e| fail(&name, e.what()))? {
                if let Ok(record) = Record::parse(&bytes) {
                    keys.party_mut(log).apply(&record, &treaty);
                }
            }
        }
        let sizes = report.logs.iter().map(|log| log.records).collect();
        let certificates = |(log, party): (usize, &crate::ledger::Party)| {
            report.certificates(&party.code).map(|(_, restart)| (log, restart.clone())).collect::<Vec<_>>()
        };
        let found = treaty.parties().iter().enumerate().flat_map(certificates).collect();
        let (treaty, profile, keys) = (Arc::new(treaty), Arc::new(profile), keys.settled());
        let place = Place::Export(path.to_owned());
        Self { treaty, profile, selection, keys, sizes, branches: Vec::new(), place }.with_branches(found)
    }

    /// With the branches that these certificates of logs name, by log and place.
    fn with_branches(mut self, found: Vec<(LogId, Restart)>) -> Result<Self, ReadingError> {
        if !self.selection.is_whole() {
            return Ok(self);
        }
        for (log, restart) in found {
            let number = self.branches.iter().filter(|branch| branch.log == log).count() + 1;
            let head = restart.other_head().clone();
            let mut branch = OtherBranch { log, number, restart, roots: BTreeMap::new() };
            let mut roots = BTreeMap::new();
            if let Some(mut range) = self.beginning(&branch)? {
                self.each_on::<ReadingError>(&branch, &mut |_, bytes| {
                    range.push(leaf_hash(&bytes));
                    roots.insert(range.size(), range.root());
                    Ok(())
                })?;
            }
            // A node has a branch whole, or as far as it once held it: then it proves nothing by itself.
            match roots.get(&head.size) == Some(&head.root) {
                true => branch.roots = roots,
                false => drop(branch.roots.insert(head.size, head.root)),
            }
            self.branches.push(branch);
        }
        Ok(self)
    }

    /// The tree of the records that a branch has in common with its log; `None` if the branch is not held.
    fn beginning(&self, branch: &OtherBranch) -> Result<Option<CompactRange>, ReadingError> {
        let common = branch.restart.common;
        let mut range = CompactRange::default();
        match &self.place {
            Place::Stored(read, _) => {
                let tiles = LogTiles { read: *read, log: branch.log };
                for (height, index) in subtrees(0, common) {
                    let missing = || ReadError(format!("tiles of {} are missing", self.treaty.origin(branch.log)));
                    range.push_subtree(height, tiles.subtree(height, index)?.ok_or_else(missing)?);
                }
                Ok(Some(range))
            }
            Place::Export(_) => {
                let mut there = common == 0;
                self.frames_on(branch, &mut |frame| {
                    if let Frame::Omitted(0, count, roots) = frame {
                        there = count == common;
                        for ((height, _), root) in subtrees(0, count).zip(roots) {
                            range.push_subtree(height, root);
                        }
                    }
                    Ok::<_, ReadingError>(())
                })?;
                Ok(there.then_some(range))
            }
        }
    }

    /// Hands over each record of a branch after the common ones that is held, with its index.
    pub fn each_on<E: From<ReadingError>>(
        &self,
        branch: &OtherBranch,
        each: &mut dyn FnMut(u64, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (restart, end) = (&branch.restart, branch.restart.other_head().size);
        match &self.place {
            Place::Stored(read, _) => {
                let mut at = restart.common;
                while at < end && restart.other_leaf.is_some() {
                    let page = read.branch(branch.log, restart.kept_head().size, at, PAGE_RECORDS, PAGE_BYTES);
                    let page = page.map_err(ReadingError::from)?;
                    if page.is_empty() {
                        break;
                    }
                    for bytes in page.into_iter().take(usize::try_from(end - at).unwrap_or(usize::MAX)) {
                        each(at, bytes)?;
                        at += 1;
                    }
                }
                Ok(())
            }
            Place::Export(_) => self.frames_on(branch, &mut |frame| match frame {
                Frame::Record(index, bytes) => each(index, bytes),
                _ => Ok(()),
            }),
        }
    }

    /// Hands over what stands in a branch's file of an export, if it is there.
    fn frames_on<E: From<ReadingError>>(
        &self,
        branch: &OtherBranch,
        each: &mut dyn FnMut(Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let Place::Export(path) = &self.place else { return Ok(()) };
        let name = branch_file(&self.treaty.party(branch.log).code, branch.number);
        let fail = |what: String| ReadingError::Changed(name.clone(), what);
        let mut source = Source::open(path).map_err(|e| fail(e.to_string()))?;
        source.know(&self.treaty, &mut Report::default());
        let Some(file) = source.file(&name).map_err(|e| fail(e.to_string()))? else { return Ok(()) };
        let mut reader = Reader::new(file);
        while let Some(frame) = reader.next_record(true).map_err(|e| fail(e.what()))? {
            each(frame)?;
        }
        Ok(())
    }

    /// Whether what is read is the whole ledger, so that what is not there was not said.
    pub fn is_whole(&self, scope: Scope) -> bool {
        match self.place {
            Place::Stored(..) if scope == Scope::All => self.selection.redact.is_empty(),
            _ => self.selection.is_whole(),
        }
    }

    /// Hands over each record, log by log; a log's records in their order. Memory: a page of records.
    pub fn each<E: From<ReadingError>>(
        &self,
        scope: Scope,
        each: &mut dyn FnMut(LogId, u64, Item) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.place {
            Place::Stored(read, chosen) => {
                for log in 0..self.sizes.len() {
                    self.stored_log(*read, chosen, log, scope, each)?;
                }
                Ok(())
            }
            Place::Export(path) => self.exported(path, each),
        }
    }

    fn stored_log<E: From<ReadingError>>(
        &self,
        read: &dyn Read,
        chosen: &Chosen,
        log: LogId,
        scope: Scope,
        each: &mut dyn FnMut(LogId, u64, Item) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.sizes[log];
        // With something withheld, nothing of it may show in what is computed from the records either.
        let all = scope == Scope::All && self.selection.redact.is_empty();
        let mut at = 0;
        while at < size {
            let present = if all { Some((0, size)) } else { chosen.present[log].next(at) };
            let withheld = if all { None } else { chosen.redacted[log].next(at) };
            let from = present.map_or(size, |(from, _)| from.max(at));
            if let Some((first, to)) = withheld.filter(|(first, _)| (*first).max(at) < from) {
                for index in first.max(at)..to {
                    let tiles = LogTiles { read, log };
                    let leaf = tiles.subtree(0, index).map_err(ReadingError::from)?;
                    let damaged = || ReadError(format!("tiles of {} are missing", self.treaty.origin(log)));
                    each(log, index, Item::Withheld(leaf.ok_or_else(damaged).map_err(ReadingError::from)?))?;
                }
                at = to;
                continue;
            }
            let Some((_, to)) = present else { break };
            at = from;
            while at < to {
                let page = read.records(log, at, PAGE_RECORDS.min(to - at), PAGE_BYTES).map_err(ReadingError::from)?;
                if page.is_empty() {
                    let what = format!("record {at} of {} is missing", self.treaty.origin(log));
                    return Err(ReadingError::from(ReadError(what)).into());
                }
                for bytes in page {
                    each(log, at, Item::Record(bytes))?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn exported<E: From<ReadingError>>(
        &self,
        path: &Path,
        each: &mut dyn FnMut(LogId, u64, Item) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |name: &str, what: String| ReadingError::Changed(name.to_owned(), what);
        let mut source = Source::open(path).map_err(|e| fail("archive", e.to_string()))?;
        source.know(&self.treaty, &mut Report::default());
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let name = format!("{LOGS}/{}/{RECORDS}", party.code);
            let mut reader = Reader::new(source.records(&party.code).map_err(|e| fail(&name, e.to_string()))?);
            let mut next = 0;
            while let Some(frame) = reader.next_record(!self.selection.is_whole()).map_err(|e| fail(&name, e.what()))? {
                next = match frame {
                    Frame::Record(index, _) | Frame::Redacted(index, _) => index.saturating_add(1),
                    Frame::Omitted(from, count, _) => from + count,
                };
                match frame {
                    Frame::Record(index, bytes) => each(log, index, Item::Record(bytes))?,
                    Frame::Redacted(index, leaf) => each(log, index, Item::Withheld(leaf))?,
                    Frame::Omitted(..) => {}
                }
            }
            if next != self.sizes[log] {
                let what = format!("it ends after {next} records; {} were verified", self.sizes[log]);
                return Err(fail(&name, what).into());
            }
            source.give_back(2, reader.into_inner()).map_err(|e| fail(&name, e.to_string()))?;
        }
        Ok(())
    }
}
