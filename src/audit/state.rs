//! What an export that is under way knows of itself, so that it can go on after an interruption.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::UNFINISHED;
use super::selection::Selection;
use crate::tlog::Hash;

/// How far an export is. What it says to be written is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// SHA-256 of the treaty file.
    pub treaty: Hash,
    pub selection: Selection,
    /// Of each log: the size of the head that the export ends with.
    pub sizes: Vec<u64>,
    /// Which of the two passes over the logs.
    pub pass: Pass,
    /// The log that is worked on; those before it are done.
    pub log: usize,
    /// The record that comes next.
    pub index: u64,
    /// Length of its `records.txt` so far, in bytes.
    pub bytes: u64,
    /// Runs of receipts on disk.
    pub runs: u32,
    /// Of each log: where the first proof stands that it forked: log and record.
    pub forks: Vec<Option<(usize, u64)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pass {
    /// Receipts are gathered from the records.
    Receipts,
    /// Each log's files are written.
    Logs,
    /// All files are there; they are packed, or get their name.
    Packing,
}

const EXPLANATION: &str =
    "This export was interrupted, and is not whole. `verbale export` with --resume finishes it.\n";

impl State {
    /// At the start, with the sizes that the logs have now.
    pub fn new(treaty: Hash, selection: Selection, sizes: Vec<u64>) -> Self {
        let forks = vec![None; sizes.len()];
        Self { treaty, selection, sizes, pass: Pass::Receipts, log: 0, index: 0, bytes: 0, runs: 0, forks }
    }

    /// Writes it, whole or not at all; on disk on return.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = format!("{EXPLANATION}{}\n", serde_json::to_string(self)?);
        let temporary = folder.join(format!("{UNFINISHED}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, folder.join(UNFINISHED))?;
        File::open(folder)?.sync_all()
    }

    /// Reads it back; `None` if there is none.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(folder.join(UNFINISHED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let state = text.strip_prefix(EXPLANATION).and_then(|text| serde_json::from_str(text).ok());
        state.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its state cannot be read"))
    }
}
