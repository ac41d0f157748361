//! How the store fails, in sentences that a person can act on.

use std::path::{Path, PathBuf};

use crate::node::ReadError;

/// Why stored data could not be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the folder open.
    #[error("the data folder {} is in use by a running node", .0.display())]
    Locked(PathBuf),
    /// The folder belongs to another ledger.
    #[error("the data folder {} belongs to another treaty file", .0.display())]
    OtherTreaty(PathBuf),
    /// No room is left. Nothing of the refused batch counts as written.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// What is stored is not what was written.
    #[error("the stored data is damaged: {what}")]
    Damaged {
        /// What, and where.
        what: String,
    },
    /// A newer version of this program wrote the folder.
    #[error("the data folder was written by a newer version of this program ({0})")]
    NewerFormat(String),
    /// A batch does not continue the stored logs. Nothing of it was written.
    #[error("a batch has record {index} of log {log}, where number {expected} should come next")]
    Order {
        /// The log, by the place of its party in the treaty file.
        log: usize,
        /// The record's index.
        index: u64,
        /// The index that should have come.
        expected: u64,
    },
    /// The operating system refused something else.
    #[error("{0}")]
    Io(String),
}

impl StoreError {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(super) fn io(path: &Path, what: &str, error: &std::io::Error) -> Self {
        let text = format!("{what} {}: {error}", path.display());
        if error.kind() == std::io::ErrorKind::StorageFull { Self::DiskFull(text) } else { Self::Io(text) }
    }

    /// RocksDB tells kinds apart by their texts only, below the level of corruption and I/O.
    pub(super) fn of(path: &Path, error: &rocksdb::Error) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["No space left on device", "Disk quota exceeded", "File too large"]) {
            return Self::DiskFull(text);
        }
        if says(&["lock hold by current process"]) || (says(&["lock file"]) && !says(&["Permission denied"])) {
            return Self::Locked(path.to_owned());
        }
        let lost = says(&["No such file"]) && says(&[".sst", "MANIFEST"]);
        if error.kind() == rocksdb::ErrorKind::Corruption || lost { Self::damaged(text) } else { Self::Io(text) }
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
