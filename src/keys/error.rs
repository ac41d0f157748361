//! Why a key file was not read or not written.

use std::io;
use std::path::{Path, PathBuf};

use super::MAX_KEY_FILE_BYTES;

/// Why a key file was not read or not written. Every sentence names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// No such file.
    #[error("there is no key file {}", .0.display())]
    Missing(PathBuf),
    /// A key file stands there already.
    #[error("{} exists already, and a key file is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A plain secret that users other than its owner can read or write.
    #[error("{} is not encrypted, and others than its owner can read or write it (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key file: too long, cut short, or something else.
    #[error("{} is not a key file that can be read: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// A passphrase is needed, and there is none to be had.
    #[error("a passphrase is needed, and there is no terminal to ask for it")]
    NoPassphrase,
    /// The passphrase is empty or too long, or the two that were typed differ.
    #[error("{0}")]
    Passphrase(String),
    /// Another key than the one that belongs there.
    #[error("{} holds the key {found}, and should hold {expected}", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The key that belongs there.
        expected: String,
        /// The key that it holds.
        found: String,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

impl KeyFileError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_owned()),
            io::ErrorKind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    pub(super) fn malformed(path: &Path, what: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn too_long(path: &Path) -> Self {
        Self::malformed(path, format!("it is longer than {MAX_KEY_FILE_BYTES} bytes"))
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(_) => Some("make the party's keys with `verbale keys new`".into()),
            Self::Exists(_) => Some("move it away first if you do want a new key".into()),
            Self::Exposed { path, .. } => Some(format!(
                "if nobody else has read it: chmod 600 {}; otherwise make a new key and have it take this one's place",
                path.display()
            )),
            Self::Malformed { .. } => Some("restore the file from its backup".into()),
            Self::WrongPassphrase(_) | Self::NoPassphrase => {
                Some("set VERBALE_PASSPHRASE, give a passphrase file, or run it on a terminal".into())
            }
            Self::OtherKey { .. } => Some("put the right key file there".into()),
            _ => None,
        }
    }
}
