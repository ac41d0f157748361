//! Writing the folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::amendments;
use super::folder::{
    CHECKPOINTS, FORKS, KEYS, LOGS, POLICY, PROFILE, README, RECEIPTS, RECORDS, ReceiptLine, TREATY, readme,
    write_frame,
};
use crate::ledger::{ForkProof, Keyring, Receipt, Record, RecordType, Treaty, TreatyError};
use crate::node::{Read, ReadError, load_keyring};
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, Hash};

/// Records and bytes read at a time.
const PAGE_RECORDS: u64 = 1024;
const PAGE_BYTES: usize = 1 << 20;

/// Why nothing was exported. The target does not exist, as it did not before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Nothing is ever overwritten.
    #[error("{} exists already, and an export overwrites nothing", .0.display())]
    Exists(PathBuf),
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
}

/// Exports everything that is held and covered by signed heads. The folder appears whole or not at all.
///
/// `progress` is told how many records were written, and of how many. Returns the number of records.
pub fn export(
    read: &dyn Read,
    treaty: &[u8],
    profile: &[u8],
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, ExportError> {
    let parsed = Treaty::parse(treaty)?;
    if Hash::digest(profile) != parsed.file().profile_sha256 {
        return Err(ExportError::Profile);
    }
    let parsed = amendments::found(parsed, profile, read)?;
    let keys = load_keyring(&parsed, read)?.settled();
    let exists = || target.symlink_metadata().is_ok();
    if exists() {
        return Err(ExportError::Exists(target.to_owned()));
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = target.with_file_name(name);
    let make = |path: &Path| fs::create_dir(path).map_err(|source| ExportError::Io { path: path.to_owned(), source });
    make(&partial)?;
    let written =
        Export { read, treaty: &parsed, keys, folder: &partial }.write(treaty, profile, progress).and_then(|count| {
            if exists() {
                return Err(ExportError::Exists(target.to_owned()));
            }
            let fail = |source| ExportError::Io { path: target.to_owned(), source };
            fs::rename(&partial, target).map_err(fail)?;
            let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent).and_then(|folder| folder.sync_all()).map_err(fail)?;
            Ok(count)
        });
    if written.is_err() {
        // What is left of it is of no use, and says so by its name if it cannot be removed.
        let _ = fs::remove_dir_all(&partial);
    }
    written
}

struct Export<'a> {
    read: &'a dyn Read,
    treaty: &'a Treaty,
    keys: Keyring,
    folder: &'a Path,
}

impl Export<'_> {
    fn write(&self, treaty: &[u8], profile: &[u8], progress: &mut dyn FnMut(u64, u64)) -> Result<u64, ExportError> {
        self.file(README, readme(self.treaty).as_bytes())?;
        self.file(TREATY, treaty)?;
        self.file(PROFILE, profile)?;
        self.file(POLICY, self.treaty.policy_text().as_bytes())?;
        if self.treaty.number() > 0 {
            self.folder_in(&[amendments::FOLDER])?;
        }
        for (at, (note, _)) in self.treaty.amendments().enumerate() {
            self.file(&amendments::name(at + 1), note)?;
        }
        let parties = self.treaty.parties().len();
        // Fixed before anything is written: the logs of a running node grow meanwhile.
        let sizes: Vec<_> = (0..parties).map(|log| self.head_size(log)).collect::<Result<_, _>>()?;
        let total = sizes.iter().sum();
        let mut done = 0;
        let mut receipts: Vec<Vec<ReceiptLine>> = vec![Vec::new(); parties];
        self.folder_in(&[LOGS])?;
        for (log, size) in sizes.iter().enumerate() {
            self.folder_in(&[LOGS, &self.treaty.party(log).code])?;
            self.records(log, *size, &mut receipts, &mut |written| progress(done + written, total))?;
            self.checkpoints(log, *size)?;
            self.keys(log, *size)?;
            done += size;
        }
        for (log, mut lines) in receipts.into_iter().enumerate() {
            lines.sort_unstable();
            let mut out = self.create(&self.log_file(log, RECEIPTS))?;
            for line in lines {
                self.put(&mut out, |out| out.write_all(line.to_text(self.treaty).as_bytes()))?;
            }
            self.finish(out)?;
        }
        self.forks()?;
        Ok(total)
    }

    /// Size of the largest signed head that the records held cover.
    fn head_size(&self, log: usize) -> Result<u64, ExportError> {
        let Some(note) = self.read.head(log, self.read.size(log)?)? else { return Ok(0) };
        Ok(self.checkpoint(log, &note)?.size)
    }

    fn checkpoint(&self, log: usize, note: &[u8]) -> Result<Checkpoint, ExportError> {
        let damaged = || ReadError(format!("a stored head of the log {} is damaged", self.treaty.origin(log)));
        let note = SignedNote::parse(note).map_err(|_| damaged())?;
        Ok(Checkpoint::parse(note.text()).map_err(|_| damaged())?)
    }

    fn records(
        &self,
        log: usize,
        size: u64,
        receipts: &mut [Vec<ReceiptLine>],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ExportError> {
        let mut out = self.create(&self.log_file(log, RECORDS))?;
        let mut index = 0;
        while index < size {
            let page = self.read.records(log, index, PAGE_RECORDS.min(size - index), PAGE_BYTES)?;
            if page.is_empty() {
                return Err(ReadError(format!("record {index} of {} is missing", self.treaty.origin(log))).into());
            }
            for bytes in page {
                self.put(&mut out, |out| write_frame(out, "record", index, &bytes))?;
                if let Ok(record) = Record::parse(&bytes)
                    && record.kind == RecordType::Receipt
                    && let Ok(receipt) = Receipt::verify(record.payload, log, index, &self.keys)
                {
                    receipts[receipt.log].push(receipt_line(&receipt, index));
                }
                index += 1;
            }
            progress(index);
        }
        self.finish(out)
    }

    fn checkpoints(&self, log: usize, size: u64) -> Result<(), ExportError> {
        let mut out = self.create(&self.log_file(log, CHECKPOINTS))?;
        let mut at_least = 1;
        while let Some(note) = self.read.head_from(log, at_least)? {
            let checkpoint = self.checkpoint(log, &note)?;
            if checkpoint.size > size || checkpoint.size < at_least {
                break;
            }
            self.put(&mut out, |out| write_frame(out, "checkpoint", checkpoint.size, &note))?;
            at_least = checkpoint.size + 1;
        }
        self.finish(out)
    }

    /// The records that changed the log's keys, if there are any.
    fn keys(&self, log: usize, size: u64) -> Result<(), ExportError> {
        let changes = self.keys.party(log).changes().iter().filter(|change| change.index < size);
        let mut out = None;
        for change in changes {
            let missing = || ReadError(format!("record {} of {} is missing", change.index, self.treaty.origin(log)));
            let bytes = self.read.record(log, change.index)?.ok_or_else(missing)?;
            let out = match &mut out {
                Some(out) => out,
                None => out.insert(self.create(&self.log_file(log, KEYS))?),
            };
            self.put(out, |out| write_frame(out, "record", change.index, &bytes))?;
        }
        out.map_or(Ok(()), |out| self.finish(out))
    }

    fn forks(&self) -> Result<(), ExportError> {
        let mut any = false;
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let Some(text) = self.read.fork(log)? else { continue };
            let proof = ForkProof::parse(&text, self.treaty)
                .map_err(|e| ReadError(format!("the stored fork proof about {} is damaged: {e}", party.code)))?;
            if !any {
                self.folder_in(&[FORKS])?;
                any = true;
            }
            let name = format!("{FORKS}/{}.txt", party.code);
            self.file(&name, proof.to_text().as_bytes())?;
        }
        Ok(())
    }

    fn log_file(&self, log: usize, name: &str) -> String {
        format!("{LOGS}/{}/{name}", self.treaty.party(log).code)
    }

    fn folder_in(&self, parts: &[&str]) -> Result<(), ExportError> {
        let path = parts.iter().fold(self.folder.to_owned(), |path, part| path.join(part));
        fs::create_dir(&path).map_err(|source| ExportError::Io { path, source })
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let mut out = self.create(name)?;
        self.put(&mut out, |out| out.write_all(bytes))?;
        self.finish(out)
    }

    fn create(&self, name: &str) -> Result<BufWriter<File>, ExportError> {
        let path = self.folder.join(name);
        File::create_new(&path).map(BufWriter::new).map_err(|source| ExportError::Io { path, source })
    }

    fn put(
        &self,
        out: &mut BufWriter<File>,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), ExportError> {
        write(out).map_err(|source| ExportError::Io { path: self.folder.to_owned(), source })
    }

    fn finish(&self, out: BufWriter<File>) -> Result<(), ExportError> {
        let synced = out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.map_err(|source| ExportError::Io { path: self.folder.to_owned(), source })
    }
}

/// The line about a receipt that stands in the log of the party that gave it.
pub(super) fn receipt_line(receipt: &Receipt, index: u64) -> ReceiptLine {
    let (size, root) = (receipt.checkpoint.size, receipt.checkpoint.root);
    ReceiptLine { size, by: receipt.by, index, root, time: receipt.time }
}
