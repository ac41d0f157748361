//! Opening a growing folder again: each log is verified as if somebody else had written it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::BufReader;
use std::path::Path;

use super::super::frame::Reader;
use super::super::layout::{CHECKPOINTS, LOGS, RECEIPTS, RECORDS};
use super::{End, GrowError, Growing, Log, open};
use crate::ledger::Record;
use crate::note::SignedNote;
use crate::tlog::{Appender, leaf_hash};

impl Growing {
    /// Reads a log's files, and cuts off what was not written to its end.
    pub(super) fn load(&mut self, log: usize) -> Result<Log, GrowError> {
        let folder = self.folder.join(LOGS).join(&self.treaty.party(log).code);
        fs::create_dir_all(&folder).map_err(|source| GrowError::Io { path: folder, source })?;
        let [records, checkpoints, receipts] = [RECORDS, CHECKPOINTS, RECEIPTS].map(|name| self.file(log, name));
        let append = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map_err(|source| GrowError::Io { path: path.to_owned(), source })
        };
        let (out, heads_out) = (append(&records)?, append(&checkpoints)?);
        append(&receipts)?;
        let damaged = |path: &Path, what: String| GrowError::Damaged { path: path.to_owned(), what };
        let mut reader = Reader::new(BufReader::new(open(&records)?));
        let mut heads = Reader::new(BufReader::new(open(&checkpoints)?));
        let start = End { edge: Appender::default(), last_leaf: self.treaty.hash(), bytes: 0 };
        let (mut end, mut sealed) = (start.clone(), start);
        let (mut head, mut roots, mut heads_bytes) = (None, BTreeMap::new(), 0);
        let mut key_records = Vec::new();
        // A frame that is cut off at the end was never promised to be there.
        while let Ok(Some((size, bytes))) = heads.next_frame("checkpoint") {
            let wrong = |what: &str| damaged(&checkpoints, format!("the head of {size} records: {what}"));
            let note = SignedNote::parse(&bytes).map_err(|error| wrong(&error.to_string()))?;
            // Which key it should be signed with, the records say.
            while end.edge.size() < size {
                let frame = reader.next_frame("record").map_err(|broken| damaged(&records, broken.what()))?;
                let (index, bytes) = frame.ok_or_else(|| damaged(&records, "records are missing".into()))?;
                let changed = self.take(log, &mut end, &bytes).map_err(|what| damaged(&records, what.to_string()))?;
                end.bytes = reader.bytes;
                if changed {
                    key_records.push((index, bytes));
                }
            }
            let verified = self.keys.party(log).verify_head(&note);
            let checkpoint = verified.map_err(|error| wrong(&error.to_string()))?;
            if checkpoint.size != size || end.edge.size() != size || end.edge.root() != checkpoint.root {
                return Err(wrong("the records do not lead to it"));
            }
            roots.insert(size, checkpoint.root);
            (sealed, head, heads_bytes) = (end.clone(), Some(note), heads.bytes);
        }
        // Records that no head covers yet are kept if they chain: the next head will say whether they are the right ones.
        while let Ok(Some((index, bytes))) = reader.next_frame("record") {
            let Ok(changed) = self.take(log, &mut end, &bytes) else { break };
            end.bytes = reader.bytes;
            if changed {
                key_records.push((index, bytes));
            }
        }
        let cut = |file: &File, path: &Path, bytes: u64| {
            file.set_len(bytes).map_err(|source| GrowError::Io { path: path.to_owned(), source })
        };
        cut(&out, &records, end.bytes)?;
        cut(&heads_out, &checkpoints, heads_bytes)?;
        // The lines of what no head covers yet are worked out when one does, with all others.
        let lines_of = if end.bytes > sealed.bytes { u64::MAX } else { 0 };
        Ok(Log {
            records: out,
            checkpoints: heads_out,
            end,
            sealed,
            head,
            roots,
            key_records,
            listed_keys: None,
            lines_of,
            unsealed: Vec::new(),
        })
    }

    /// Checks that a record continues a log, and moves its end; whether it changed one of the log's keys.
    fn take(&mut self, log: usize, end: &mut End, bytes: &[u8]) -> Result<bool, GrowError> {
        let index = end.edge.size();
        let origin = self.treaty.origin(log).to_owned();
        let record =
            Record::parse_at(bytes, &origin, index, &end.last_leaf).map_err(|error| GrowError::Record(index, error))?;
        end.last_leaf = leaf_hash(bytes);
        end.edge.push(end.last_leaf, &mut Vec::new());
        self.absorb(log, &record)
    }
}
