//! Writing an export: the whole ledger or a part, as a folder or as one archive, and going on after an interruption.
//!
//! Everything is written into a folder beside the target, `TARGET.partial`, with a file that says that it is not
//! finished. Only when all of it is on disk does it get its name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::amendments;
use super::archive;
use super::choose::{Chosen, choose, for_each, head_size};
use super::layout::{BRANCHES, FORKS, LOGS, PART, POLICY, PROFILE, README, ReceiptLine, TREATY, UNFINISHED, readme};
use super::selection::{Selection, SelectionError};
use super::spool::Spool;
use super::state::{Pass, State};
use super::write::LogWriter;
use crate::ledger::{ForkProof, Keyring, Profile, ProfileError, Receipt, Record, RecordType, Treaty, TreatyError};
use crate::node::{Read, ReadError, load_keyring};
use crate::tlog::Hash;

/// Records after which an export notes how far it is.
const RECORDS_BETWEEN_STATES: u64 = 1 << 18;
const SPOOL: &str = "spool";

/// Why nothing was exported. The target does not exist, as it did not before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Nothing is ever overwritten.
    #[error("{} exists already, and an export overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// An export to the same place was interrupted.
    #[error("an export to this place was interrupted: {} has what is there of it", .0.display())]
    Interrupted(PathBuf),
    /// There is no interrupted export that could go on, or it is another one.
    #[error("{}", .0)]
    Resume(String),
    /// A file could not be written.
    #[error("{} cannot be written: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Stored data could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The treaty file.
    #[error("the treaty file: {0}")]
    Treaty(#[from] TreatyError),
    /// The profile is not the treaty file's.
    #[error("the profile's SHA-256 is not the one in the treaty file")]
    Profile,
    /// The profile cannot be read.
    #[error("the profile: {0}")]
    ProfileFile(#[from] ProfileError),
    /// What is asked for cannot be had.
    #[error(transparent)]
    Selection(#[from] SelectionError),
}

/// What an export is doing. Each stage counts for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Records are looked through for what was asked for.
    Choosing,
    /// Receipts are gathered and verified.
    Receipts,
    /// Records are written.
    Writing,
    /// Bytes are compressed.
    Packing,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder of text files.
    Folder,
    /// The same files in one `.tar.zst`.
    Archive,
}

/// What is exported, and where to.
pub struct Job<'a> {
    /// Where the ledger is read from.
    pub read: &'a dyn Read,
    /// The treaty file's bytes.
    pub treaty: &'a [u8],
    /// The profile's bytes.
    pub profile: &'a [u8],
    /// What is asked for.
    pub selection: Selection,
    /// Folder or archive.
    pub form: Form,
    /// What is written; must not exist.
    pub target: &'a Path,
    /// Go on with an export that was interrupted.
    pub resume: bool,
}

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Records that are there in full.
    pub records: u64,
    /// Notes of which there is the leaf hash only.
    pub redacted: u64,
    /// Records that were not asked for; there are hashes of subtrees instead of them.
    pub omitted: u64,
}

/// Exports everything that is held and covered by signed heads, as a folder. Returns the number of records.
pub fn export(
    read: &dyn Read,
    treaty: &[u8],
    profile: &[u8],
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, ExportError> {
    let job = Job { read, treaty, profile, selection: Selection::default(), form: Form::Folder, target, resume: false };
    Ok(job.run(&mut |_, done, total| progress(done, total))?.records)
}

impl Job<'_> {
    /// Writes the export. It appears whole or not at all; what was interrupted stays beside it, under a name that says so.
    ///
    /// The bytes follow from the logs, the selection and the version of the program: not from when the records came.
    pub fn run(&self, progress: &mut dyn FnMut(Stage, u64, u64)) -> Result<Exported, ExportError> {
        let treaty = Treaty::parse(self.treaty)?;
        if Hash::digest(self.profile) != treaty.file().profile_sha256 {
            return Err(ExportError::Profile);
        }
        let profile = Profile::parse(self.profile)?;
        let treaty = amendments::found(treaty, self.profile, self.read)?;
        let selection = self.selection.clone().sorted();
        let target_is_free = || match self.target.symlink_metadata() {
            Ok(_) => Err(ExportError::Exists(self.target.to_owned())),
            Err(_) => Ok(()),
        };
        target_is_free()?;
        let partial = partial(self.target);
        let started = State::read(&partial).map_err(|e| ExportError::Resume(format!("{}: {e}", partial.display())))?;
        let state = match (started, self.resume) {
            (Some(state), true) if (state.treaty, &state.selection) == (treaty.hash(), &selection) => state,
            (Some(_), true) => {
                let what = "is of another ledger, or something else was asked for";
                return Err(ExportError::Resume(format!("the export in {} {what}", partial.display())));
            }
            (None, true) => {
                return Err(ExportError::Resume(format!("{} has no export that could go on", partial.display())));
            }
            (Some(_), false) => return Err(ExportError::Interrupted(partial)),
            // The logs of a running node grow meanwhile: their sizes are fixed now.
            (None, false) => {
                let sizes = (0..treaty.parties().len()).map(|log| head_size(self.read, log, &treaty));
                State::new(treaty.hash(), selection, sizes.collect::<Result<_, _>>()?)
            }
        };
        // Before anything is on disk: what cannot be had leaves nothing behind.
        let chosen = choose(self.read, &treaty, &profile, &state.selection, state.sizes.clone(), progress)?;
        self.prepare(&treaty, &state, &partial).map_err(|source| ExportError::Io { path: partial.clone(), source })?;
        let keys = load_keyring(&treaty, self.read)?.settled();
        let mut run = Run { read: self.read, treaty: &treaty, keys, folder: &partial, chosen, state };
        let exported = run.exported();
        run.receipts(progress)?;
        run.logs(progress)?;
        target_is_free()?;
        run.finish(self.form, self.target, progress)?;
        Ok(exported)
    }

    /// The folder with all that is known before the logs are read.
    fn prepare(&self, treaty: &Treaty, state: &State, partial: &Path) -> io::Result<()> {
        if !self.resume {
            fs::create_dir(partial)?;
        }
        state.write(partial)?;
        let part = (!state.selection.is_whole()).then_some(&state.selection);
        put(partial, README, readme(treaty, part).as_bytes())?;
        put(partial, TREATY, self.treaty)?;
        put(partial, PROFILE, self.profile)?;
        put(partial, POLICY, treaty.policy_text().as_bytes())?;
        if treaty.number() > 0 {
            fs::create_dir_all(partial.join(amendments::FOLDER))?;
        }
        for (at, (note, _)) in treaty.amendments().enumerate() {
            put(partial, &amendments::name(at + 1), note)?;
        }
        if let Some(part) = part {
            put(partial, PART, part.to_text().as_bytes())?;
        }
        let logs = partial.join(LOGS);
        treaty.parties().iter().try_for_each(|party| fs::create_dir_all(logs.join(&party.code)))
    }
}

/// Where an export lies until it is finished.
pub fn partial(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    target.with_file_name(name)
}

/// Writes a small file anew, on disk on return.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes)?;
    File::open(&path)?.sync_all()
}

struct Run<'a> {
    read: &'a dyn Read,
    treaty: &'a Treaty,
    keys: Keyring,
    folder: &'a Path,
    chosen: Chosen,
    state: State,
}

impl Run<'_> {
    fn exported(&self) -> Exported {
        let records = self.chosen.present.iter().map(super::Spans::count).sum();
        let redacted = self.chosen.redacted.iter().map(super::Spans::count).sum();
        let all: u64 = self.chosen.sizes.iter().sum();
        Exported { records, redacted, omitted: all - records - redacted }
    }

    fn fail(&self, source: io::Error) -> ExportError {
        ExportError::Io { path: self.folder.to_owned(), source }
    }

    fn save(&self) -> Result<(), ExportError> {
        self.state.write(self.folder).map_err(|e| self.fail(e))
    }

    /// The first pass: every receipt among the records that will be there, and where forks are proved.
    fn receipts(&mut self, progress: &mut dyn FnMut(Stage, u64, u64)) -> Result<(), ExportError> {
        if self.state.pass != Pass::Receipts {
            return Ok(());
        }
        let mut spool = Spool::open(&self.folder.join(SPOOL), self.state.runs).map_err(|e| self.fail(e))?;
        let total: u64 = self.chosen.present.iter().map(super::Spans::count).sum();
        let before = |log: usize, to: u64| -> u64 {
            self.chosen.present[log].iter().map(|(from, end)| end.min(to).saturating_sub(from)).sum()
        };
        let mut done: u64 = (0..self.state.log).map(|log| before(log, u64::MAX)).sum();
        done += before(self.state.log.min(self.chosen.sizes.len() - 1), self.state.index);
        while self.state.log < self.chosen.sizes.len() {
            let log = self.state.log;
            while let Some((from, to)) = self.chosen.present[log].next(self.state.index) {
                let from = from.max(self.state.index);
                // So far and no further between two states: a run has all receipts up to there and none beyond.
                let to = to.min(from + RECORDS_BETWEEN_STATES);
                let (treaty, keys, forks) = (self.treaty, &self.keys, &mut self.state.forks);
                for_each(self.read, log, (from, to), treaty, &mut |index, bytes| {
                    receipt_of((log, index, &bytes), treaty, keys, &mut spool, forks);
                    done += 1;
                    if done.is_multiple_of(super::choose::PAGE_RECORDS) || done == total {
                        progress(Stage::Receipts, done, total);
                    }
                    Ok(())
                })?;
                self.state.index = to;
                if spool.is_full() {
                    self.flush(&mut spool)?;
                }
            }
            (self.state.log, self.state.index) = (log + 1, 0);
        }
        (self.state.pass, self.state.log) = (Pass::Logs, 0);
        self.flush(&mut spool)
    }

    fn flush(&mut self, spool: &mut Spool) -> Result<(), ExportError> {
        spool.flush().map_err(|e| self.fail(e))?;
        self.state.runs = spool.runs;
        self.save()
    }

    /// The second pass: the files of each log.
    fn logs(&mut self, progress: &mut dyn FnMut(Stage, u64, u64)) -> Result<(), ExportError> {
        if self.state.pass != Pass::Logs {
            return Ok(());
        }
        let spool = Spool::open(&self.folder.join(SPOOL), self.state.runs).map_err(|e| self.fail(e))?;
        let mut merge = spool.merge().map_err(|e| self.fail(e))?;
        let total: u64 = self.chosen.sizes.iter().sum();
        let mut done = 0;
        for log in 0..self.chosen.sizes.len() {
            let writer = LogWriter::new(self.read, (self.treaty, &self.keys), log, self.folder, &self.chosen);
            let size = self.chosen.sizes[log];
            if log < self.state.log {
                // Written before: only what is to be passed over.
                while merge.next_for(log).map_err(|e| self.fail(e))?.is_some() {}
            } else {
                if self.state.index == 0 {
                    writer.lists(&mut merge)?;
                } else {
                    while merge.next_for(log).map_err(|e| self.fail(e))?.is_some() {}
                }
                let mut records = writer.records(self.state.index, self.state.bytes)?;
                while let Some(index) = records.go_on(RECORDS_BETWEEN_STATES, &mut |index| {
                    progress(Stage::Writing, done + index, total);
                })? {
                    (self.state.index, self.state.bytes) = (index, records.sync()?);
                    self.save()?;
                }
                records.sync()?;
                (self.state.log, self.state.index, self.state.bytes) = (log + 1, 0, 0);
            }
            done += size;
            progress(Stage::Writing, done, total);
        }
        self.forks()?;
        if self.state.selection.is_whole() {
            for log in 0..self.chosen.sizes.len() {
                super::restarted::write_branches((self.read, self.treaty), log, &mut |name, bytes| {
                    let write =
                        || fs::create_dir_all(self.folder.join(BRANCHES)).and_then(|()| put(self.folder, name, bytes));
                    write().map_err(|e| self.fail(e))
                })?;
            }
        }
        self.state.pass = Pass::Packing;
        self.save()
    }

    /// The first proof that stands in the records of the ledger; otherwise what this node knows.
    fn forks(&self) -> Result<(), ExportError> {
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let logged = match self.state.forks[log] {
                Some((by, index)) => self.read.record(by, index)?,
                None => None,
            };
            let logged =
                logged.as_deref().and_then(|bytes| Record::parse(bytes).ok()).map(|record| record.payload.to_vec());
            let Some(text) = logged.map_or_else(|| self.read.fork(log), |text| Ok(Some(text)))? else { continue };
            let proof = ForkProof::parse(&text, self.treaty)
                .map_err(|e| ReadError(format!("the stored fork proof about {} is damaged: {e}", party.code)))?;
            let folder = self.folder.join(FORKS);
            fs::create_dir_all(&folder).map_err(|e| self.fail(e))?;
            put(&folder, &format!("{}.txt", party.code), proof.to_text().as_bytes()).map_err(|e| self.fail(e))?;
        }
        Ok(())
    }

    /// Gives it its name.
    fn finish(self, form: Form, target: &Path, progress: &mut dyn FnMut(Stage, u64, u64)) -> Result<(), ExportError> {
        let fail = |source| ExportError::Io { path: target.to_owned(), source };
        let finished = (|| {
            let spool = self.folder.join(SPOOL);
            if spool.exists() {
                fs::remove_dir_all(&spool)?;
            }
            match form {
                Form::Folder => {
                    // The last thing that says that it is not finished goes when all else is on disk.
                    let _ = fs::remove_file(self.folder.join(format!("{UNFINISHED}.new")));
                    fs::remove_file(self.folder.join(UNFINISHED))?;
                    fs::rename(self.folder, target)?;
                }
                Form::Archive => {
                    let packed = self.folder.join("packed");
                    archive::pack(self.folder, self.treaty, &packed, &mut |done, total| {
                        progress(Stage::Packing, done, total)
                    })?;
                    fs::rename(&packed, target)?;
                }
            }
            let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent)?.sync_all()?;
            if form == Form::Archive {
                fs::remove_dir_all(self.folder)?;
            }
            Ok(())
        })();
        finished.map_err(fail)
    }
}

/// What of a record goes into the lists.
fn receipt_of(
    (log, index, bytes): (usize, u64, &[u8]),
    treaty: &Treaty,
    keys: &Keyring,
    spool: &mut Spool,
    forks: &mut [Option<(usize, u64)>],
) {
    let Ok(record) = Record::parse(bytes) else { return };
    match record.kind {
        RecordType::Receipt => {
            if let Ok(receipt) = Receipt::verify(record.payload, log, index, keys) {
                spool.push(receipt.log, receipt_line(&receipt, index));
            }
        }
        RecordType::Evidence => {
            if let Ok(proof) = ForkProof::parse(record.payload, treaty) {
                forks[proof.log()].get_or_insert((log, index));
            }
        }
        _ => {}
    }
}

/// The line about a receipt that stands in the log of the party that gave it.
pub(super) fn receipt_line(receipt: &Receipt, index: u64) -> ReceiptLine {
    let (size, root) = (receipt.checkpoint.size, receipt.checkpoint.root);
    ReceiptLine { size, by: receipt.by, index, root, time: receipt.time }
}
