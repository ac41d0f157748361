//! All receipts of a ledger in the order of the lists, without holding them in memory: sorted runs on disk, then merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::layout::ReceiptLine;
use crate::ledger::Timestamp;
use crate::node::LogId;
use crate::tlog::Hash;

/// Lines in one run, of 72 bytes each in memory and on disk.
pub(super) const RUN_LINES: usize = 1 << 18;
const ENTRY_BYTES: usize = 72;

/// Receipts that were read, on their way to the lists.
pub(super) struct Spool {
    folder: PathBuf,
    lines: Vec<(LogId, ReceiptLine)>,
    /// Number of runs on disk.
    pub runs: u32,
}

impl Spool {
    /// In a folder with so many runs; what lies there besides is removed.
    pub fn open(folder: &Path, runs: u32) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            if number.is_none_or(|number| number >= runs) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder: folder.to_owned(), lines: Vec::new(), runs })
    }

    /// Takes in the receipt for a log.
    pub fn push(&mut self, log: LogId, line: ReceiptLine) {
        self.lines.push((log, line));
    }

    /// Whether what waits in memory should be written.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= RUN_LINES
    }

    /// Writes what waits as a run, on disk on return.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.lines.sort_unstable();
        let mut out = BufWriter::new(File::create(self.folder.join(self.runs.to_string()))?);
        for (log, line) in self.lines.drain(..) {
            out.write_all(&entry(log, &line))?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        self.runs += 1;
        Ok(())
    }

    /// All receipts, by log and then in the order of its list.
    pub fn merge(&self) -> io::Result<Merge> {
        let mut merge = Merge { runs: Vec::new(), heads: BinaryHeap::new() };
        for run in 0..self.runs {
            merge.runs.push(BufReader::with_capacity(16 * 1024, File::open(self.folder.join(run.to_string()))?));
            merge.advance(run as usize)?;
        }
        Ok(merge)
    }
}

/// Runs while they are merged.
pub(super) struct Merge {
    runs: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<(LogId, ReceiptLine, usize)>>,
}

impl Merge {
    /// The next receipt, if it is for that log.
    pub fn next_for(&mut self, log: LogId) -> io::Result<Option<ReceiptLine>> {
        let Some(Reverse((_, line, run))) = self.heads.peek().filter(|Reverse((at, ..))| *at == log).copied() else {
            return Ok(None);
        };
        self.heads.pop();
        self.advance(run)?;
        Ok(Some(line))
    }

    fn advance(&mut self, run: usize) -> io::Result<()> {
        let mut bytes = [0; ENTRY_BYTES];
        match self.runs[run].read_exact(&mut bytes) {
            Ok(()) => {
                let (log, line) = of_entry(&bytes);
                self.heads.push(Reverse((log, line, run)));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn entry(log: LogId, line: &ReceiptLine) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..8].copy_from_slice(&(log as u64).to_be_bytes());
    bytes[8..16].copy_from_slice(&line.size.to_be_bytes());
    bytes[16..24].copy_from_slice(&(line.by as u64).to_be_bytes());
    bytes[24..32].copy_from_slice(&line.index.to_be_bytes());
    bytes[32..64].copy_from_slice(&line.root.0);
    bytes[64..].copy_from_slice(&line.time.posix().to_be_bytes());
    bytes
}

fn of_entry(bytes: &[u8; ENTRY_BYTES]) -> (LogId, ReceiptLine) {
    let number = |at: usize| bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let mut root = [0; 32];
    root.copy_from_slice(&bytes[32..64]);
    let (size, by, index) = (number(8), number(16) as usize, number(24));
    let time = Timestamp::from_posix(number(64));
    (number(0) as usize, ReceiptLine { size, by, index, root: Hash(root), time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_merge_in_the_order_of_the_lists() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 0).unwrap();
        let mut all = Vec::new();
        for number in 0..1000u64 {
            let seed = Hash::digest(&number.to_be_bytes()).0;
            let line = ReceiptLine {
                size: u64::from(seed[0]),
                by: seed[1] as usize % 3,
                index: number,
                root: Hash(seed),
                time: Timestamp::from_posix(number * 1000),
            };
            let log = seed[2] as usize % 4;
            spool.push(log, line);
            all.push((log, line));
            if number % 150 == 149 {
                spool.flush().unwrap();
            }
        }
        spool.flush().unwrap();
        assert_eq!(spool.runs, 7);
        // What a later start does not know of is done away with.
        fs::write(dir.path().join("7"), "x").unwrap();
        let spool = Spool::open(dir.path(), 7).unwrap();
        let mut merge = spool.merge().unwrap();
        all.sort();
        for log in 0..4 {
            let mut lines = Vec::new();
            while let Some(line) = merge.next_for(log).unwrap() {
                lines.push((log, line));
            }
            assert_eq!(lines, all.iter().filter(|(at, _)| *at == log).copied().collect::<Vec<_>>());
        }
    }
}
