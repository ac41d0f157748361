//! How a command fails: one clear sentence, what to do next, and an exit code that scripts can rely on.

use std::fmt;

/// Exit codes. They never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Evidence did not verify, or a check found faults.
    NotVerified = 1,
    /// Wrong arguments (clap's own code).
    Usage = 2,
    /// A file is missing, unreadable or malformed.
    Input = 3,
    /// The rules refuse it: unknown kind, unauthorised signer, other ledger, too large.
    Refused = 4,
    /// No node answers.
    NoNode = 5,
    /// The wait ended before the receipts were there; the note is logged all the same.
    NotYet = 6,
    /// A key or its passphrase.
    Key = 7,
    /// Stored data is damaged.
    Damaged = 8,
    /// The disk is full or fails.
    Disk = 9,
    /// An address is in use or cannot be listened on.
    Listen = 10,
    /// The node does not sign yet: it has not heard from its peers, or they hold more of its log.
    NotSigning = 11,
    /// The data folder belongs to a running node.
    Locked = 12,
    /// The note is in the log already.
    Already = 13,
    /// Anything else.
    Other = 70,
}

/// A failure to be shown to a person and to a script.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What happened, and what was kept.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
