//! The three files of one log.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::ExportError;
use super::choose::{Chosen, for_each};
use super::frame::{Reader, write_frame, write_omitted, write_redacted};
use super::layout::{CHECKPOINTS, KEYS, LOGS, RECEIPTS, RECORDS, ReceiptLine};
use super::spool::Merge;
use crate::ledger::{KeyHistory, Keyring, Record, Treaty};
use crate::node::{LogId, LogTiles, Read, ReadError};
use crate::note::SignedNote;
use crate::tlog::{CompactRange, Hash, TILE_WIDTH, Tiles, subtrees};

/// Writes the files of one log.
pub(super) struct LogWriter<'a> {
    read: &'a dyn Read,
    treaty: &'a Treaty,
    keys: &'a KeyHistory,
    log: LogId,
    folder: PathBuf,
    chosen: &'a Chosen,
}

impl<'a> LogWriter<'a> {
    pub fn new(
        read: &'a dyn Read,
        (treaty, keys): (&'a Treaty, &'a Keyring),
        log: LogId,
        folder: &Path,
        chosen: &'a Chosen,
    ) -> Self {
        Self {
            read,
            treaty,
            keys: keys.party(log),
            log,
            folder: folder.join(LOGS).join(&treaty.party(log).code),
            chosen,
        }
    }

    fn size(&self) -> u64 {
        self.chosen.sizes[self.log]
    }

    fn fail(&self, name: &str, source: io::Error) -> ExportError {
        ExportError::Io { path: self.folder.join(name), source }
    }

    fn damaged(&self, what: &str) -> ExportError {
        ReadError(format!("the log {}: {what}", self.treaty.origin(self.log))).into()
    }

    /// `receipts.txt` and `checkpoints.txt`: the receipts for this log that are among the records, and the heads that
    /// were receipted by them, with the last head.
    ///
    /// Which other heads a node has heard of depends on when it was connected; these follow from the records alone.
    pub fn lists(&self, merge: &mut Merge) -> Result<(), ExportError> {
        let create =
            |name: &str| File::create(self.folder.join(name)).map(BufWriter::new).map_err(|e| self.fail(name, e));
        let (mut receipts, mut checkpoints) = (create(RECEIPTS)?, create(CHECKPOINTS)?);
        let mut roots = Roots {
            tiles: LogTiles { read: self.read, log: self.log },
            range: CompactRange::default(),
            tile: Vec::new(),
        };
        let mut last = 0;
        while let Some(line) = merge.next_for(self.log).map_err(|e| self.fail(RECEIPTS, e))? {
            let text = line.to_text(self.treaty);
            receipts.write_all(text.as_bytes()).map_err(|e| self.fail(RECEIPTS, e))?;
            if line.size > last && line.size <= self.size() {
                let root = roots.at(line.size)?.ok_or_else(|| self.damaged("tiles are missing"))?;
                // Another root: the log has forked, and this is a head of another branch.
                if line.root == root {
                    let note = self.receipted(&line, line.size)?;
                    write_frame(&mut checkpoints, "checkpoint", line.size, &note)
                        .map_err(|e| self.fail(CHECKPOINTS, e))?;
                    last = line.size;
                }
            }
        }
        if let Some(note) = self.read.head(self.log, self.size())?.filter(|_| last < self.size() || self.size() == 0) {
            let note = self.bare(&note, self.size())?;
            write_frame(&mut checkpoints, "checkpoint", self.size(), &note).map_err(|e| self.fail(CHECKPOINTS, e))?;
        }
        self.key_list()?;
        finish(receipts).map_err(|e| self.fail(RECEIPTS, e))?;
        finish(checkpoints).map_err(|e| self.fail(CHECKPOINTS, e))
    }

    /// `keys.txt`: the records that changed the log's keys, if there are any.
    fn key_list(&self) -> Result<(), ExportError> {
        let mut out = Vec::new();
        for change in self.keys.changes().iter().filter(|change| change.index < self.size()) {
            let bytes = self.read.record(self.log, change.index)?;
            let bytes = bytes.ok_or_else(|| self.damaged("a record that changed a key is missing"))?;
            write_frame(&mut out, "record", change.index, &bytes).map_err(|e| self.fail(KEYS, e))?;
        }
        if out.is_empty() {
            return Ok(());
        }
        let write = || {
            let mut file = File::create(self.folder.join(KEYS))?;
            file.write_all(&out)?;
            file.sync_all()
        };
        write().map_err(|e| self.fail(KEYS, e))
    }

    /// The head that was receipted, from the receipt's record.
    fn receipted(&self, line: &ReceiptLine, size: u64) -> Result<Vec<u8>, ExportError> {
        let bytes = self.read.record(line.by, line.index)?.unwrap_or_default();
        let record = Record::parse(&bytes).map_err(|e| self.damaged(&e.to_string()))?;
        self.bare(record.payload, size)
    }

    /// A head with the log's own signature and nothing else.
    fn bare(&self, note: &[u8], size: u64) -> Result<Vec<u8>, ExportError> {
        let damaged = |_| self.damaged("a stored head cannot be read");
        let note = SignedNote::parse(note).map_err(damaged)?;
        Ok(self.keys.bare(&note, size, u64::MAX).map_err(damaged)?.to_bytes())
    }

    /// `records.txt`, from a record on; `bytes` of the file are written already.
    pub fn records(self, index: u64, bytes: u64) -> Result<Records<'a>, ExportError> {
        let open = || {
            let mut file =
                OpenOptions::new().create(true).truncate(false).write(true).open(self.folder.join(RECORDS))?;
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|e| self.fail(RECORDS, e))?;
        let splits = File::open(self.folder.join(RECEIPTS)).map_err(|e| self.fail(RECEIPTS, e))?;
        let splits = Splits { lines: Reader::new(BufReader::new(splits)), last: 0 };
        Ok(Records {
            out: Counted { out: BufWriter::with_capacity(1 << 16, file), bytes },
            splits,
            index,
            writer: self,
        })
    }
}

fn finish(out: BufWriter<File>) -> io::Result<()> {
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Roots of a log at ascending sizes.
struct Roots<'a> {
    tiles: LogTiles<'a>,
    range: CompactRange,
    /// The tile of leaf hashes that the next leaf is in.
    tile: Vec<Hash>,
}

impl Roots<'_> {
    fn at(&mut self, size: u64) -> Result<Option<Hash>, ReadError> {
        while self.range.size() < size {
            let at = (self.range.size() % TILE_WIDTH as u64) as usize;
            if at == 0 || self.tile.is_empty() {
                self.tile = self.tiles.tile(0, self.range.size() / TILE_WIDTH as u64)?;
            }
            let Some(leaf) = self.tile.get(at) else { return Ok(None) };
            self.range.push(*leaf);
        }
        Ok(Some(self.range.root()))
    }
}

/// The sizes that stand in a list of receipts: the tree's root at each of them has to be found again.
struct Splits {
    lines: Reader<BufReader<File>>,
    last: u64,
}

impl Splits {
    /// The first one after an index.
    fn after(&mut self, index: u64) -> Option<u64> {
        while self.last <= index {
            let line = self.lines.next_line().ok()??;
            self.last = line.split(' ').nth(1)?.parse().ok()?;
        }
        Some(self.last)
    }
}

struct Counted {
    out: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `records.txt` while it is written.
pub(super) struct Records<'a> {
    writer: LogWriter<'a>,
    out: Counted,
    splits: Splits,
    index: u64,
}

impl Records<'_> {
    /// Writes at least so many records further; where the next one is, or `None` at the end.
    pub fn go_on(&mut self, count: u64, progress: &mut dyn FnMut(u64)) -> Result<Option<u64>, ExportError> {
        let stop = self.index.saturating_add(count);
        let size = self.writer.size();
        while self.index < size {
            if self.index >= stop {
                return Ok(Some(self.index));
            }
            self.stretch(stop, size)?;
            progress(self.index);
        }
        Ok(None)
    }

    /// Everything so far on disk; how many bytes it is.
    pub fn sync(&mut self) -> Result<u64, ExportError> {
        let synced = self.out.flush().and_then(|()| self.out.out.get_ref().sync_all());
        synced.map_err(|e| self.writer.fail(RECORDS, e))?;
        Ok(self.out.bytes)
    }

    /// Writes records that are all there, withheld, or left out.
    fn stretch(&mut self, stop: u64, size: u64) -> Result<(), ExportError> {
        let Self { writer, out, splits, index } = self;
        let fail = |e| ExportError::Io { path: writer.folder.join(RECORDS), source: e };
        let from = *index;
        let present = writer.chosen.present[writer.log].next(from).unwrap_or((size, size));
        let redacted = writer.chosen.redacted[writer.log].next(from).unwrap_or((size, size));
        let tiles = LogTiles { read: writer.read, log: writer.log };
        let subtree = |height, index| match tiles.subtree(height, index) {
            Ok(Some(root)) => Ok(root),
            Ok(None) => Err(writer.damaged("tiles are missing")),
            Err(error) => Err(error.into()),
        };
        if present.0 <= from {
            let to = present.1.min(stop).min(from + super::choose::PAGE_RECORDS);
            for_each(writer.read, writer.log, (from, to), writer.treaty, &mut |number, bytes| {
                write_frame(out, "record", number, &bytes).map_err(fail)
            })?;
            *index = to;
        } else if redacted.0 <= from {
            write_redacted(out, from, subtree(0, from)?).map_err(fail)?;
            *index = from + 1;
        } else {
            let to = present.0.min(redacted.0).min(size).min(splits.after(from).unwrap_or(size));
            let roots =
                subtrees(from, to).map(|(height, index)| subtree(height, index)).collect::<Result<Vec<_>, _>>()?;
            write_omitted(out, from, to - from, &roots).map_err(fail)?;
            *index = to;
        }
        Ok(())
    }
}
