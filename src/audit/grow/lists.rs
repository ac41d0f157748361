//! The lists of receipts of a growing folder, which follow from the records of all logs.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use super::super::export::receipt_line;
use super::super::frame::Reader;
use super::super::layout::{RECEIPTS, ReceiptLine};
use super::{GrowError, Growing, Position, open, put};
use crate::ledger::{Keyring, Receipt, Record, RecordType};

impl Growing {
    /// Brings the lists of receipts up to date.
    pub fn settle(&mut self) -> Result<(), GrowError> {
        if self.relist {
            self.list_anew()?;
        }
        for log in 0..self.logs.len() {
            if self.pending[log].is_empty() {
                continue;
            }
            let mut new = std::mem::take(&mut self.pending[log]);
            new.sort_unstable();
            let path = self.file(log, RECEIPTS);
            let partial = self.unsettled.with_extension("receipts");
            self.merge(&path, &partial, new)?;
            fs::rename(&partial, &path).map_err(|source| GrowError::Io { path, source })?;
        }
        match fs::remove_file(&self.unsettled) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(GrowError::Io { path: self.unsettled.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Works out all lists of receipts from all records that a head covers.
    fn list_anew(&mut self) -> Result<(), GrowError> {
        if !self.unsettled.exists() {
            put(&self.unsettled, b"")?;
        }
        for log in 0..self.logs.len() {
            put(&self.file(log, RECEIPTS), b"")?;
        }
        let mut pending = vec![Vec::new(); self.logs.len()];
        for log in 0..self.logs.len() {
            self.since(log, &mut Position::default(), |_, bytes| {
                let line = Record::parse(bytes).ok().and_then(|record| line_of(&record, log, &self.sealed_keys));
                if let Some((receipted, line)) = line {
                    pending[receipted].push(line);
                }
            })?;
        }
        self.pending = pending;
        self.relist = false;
        Ok(())
    }

    /// The lines of a list, with new ones in their places.
    fn merge(&self, path: &Path, partial: &Path, new: Vec<ReceiptLine>) -> Result<(), GrowError> {
        let fail = |source| GrowError::Io { path: partial.to_owned(), source };
        let damaged = |what: String| GrowError::Damaged { path: path.to_owned(), what };
        let mut old = Reader::new(BufReader::new(open(path)?));
        let mut out = BufWriter::new(File::create(partial).map_err(fail)?);
        let mut new = new.into_iter().peekable();
        loop {
            let line = old.next_line().map_err(|broken| damaged(broken.what()))?;
            let line = line.map(|line| ReceiptLine::parse(&line, &self.treaty).ok_or(line)).transpose();
            let line = line.map_err(|line| damaged(format!("not a line of receipts: {line:?}")))?;
            while let Some(next) = new.next_if(|next| line.is_none_or(|line| *next < line)) {
                out.write_all(next.to_text(&self.treaty).as_bytes()).map_err(fail)?;
            }
            let Some(line) = line else { break };
            new.next_if_eq(&line);
            out.write_all(line.to_text(&self.treaty).as_bytes()).map_err(fail)?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all()).map_err(fail)
    }
}

/// The line that a record makes due, and in which log's list.
pub(super) fn line_of(record: &Record, log: usize, keys: &Keyring) -> Option<(usize, ReceiptLine)> {
    if record.kind != RecordType::Receipt {
        return None;
    }
    let receipt = Receipt::verify(record.payload, log, record.index, keys).ok()?;
    Some((receipt.log, receipt_line(&receipt, record.index)))
}
