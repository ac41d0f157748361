//! Checkpoints: a log's signed head ([C2SP tlog-checkpoint v1.0.0](https://c2sp.org/tlog-checkpoint@v1.0.0)).

use super::hash::Hash;
use crate::note::{NoteError, SignedNote, SigningKey, VerifierKey};

/// Why a text is not a checkpoint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The envelope is not a signed note, or a signature fails.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not the three lines origin, size, root.
    #[error("a checkpoint has three lines: origin, size, root hash; this text has not")]
    Shape,
    /// The size is not a decimal number without leading zeroes, at most 2^63 - 1.
    #[error("the tree size on line 2 is not a plain decimal number")]
    Size,
    /// The root is not base64 of 32 bytes.
    #[error("the root hash on line 3 is not base64 of 32 bytes")]
    Root,
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    Origin {
        /// The log asked for.
        expected: String,
        /// The log it is of.
        found: String,
    },
    /// The checkpoint is of a log that is not in the treaty file.
    #[error("a head of the log {0}, which is not in the treaty file")]
    UnknownLog(String),
    /// It is signed with a key of the log that was not in force for a head of this size.
    #[error("the head of {size} records of {origin} is signed with a key that is not in force for it")]
    NotInForce {
        /// The log.
        origin: String,
        /// The head's size.
        size: u64,
    },
    /// It is signed in the log's name with a key that is not known to be the log's.
    #[error("the head is signed in the name of {0} with a key that is not known")]
    UnknownKey(String),
    /// At a change of the log's key the old key signs as well, and did not.
    #[error("the head of {size} records changes the log's key, and the old key has not signed it")]
    Changeover {
        /// The head's size.
        size: u64,
    },
}

/// A log's head: origin, size and root. Extension lines are refused, as nobody could audit them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, `<ledger>/<party>`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The note text: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// Reads a note's text.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Shape)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Shape);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Shape);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: parse_size(size)?,
            root: Hash::from_base64(root).ok_or(CheckpointError::Root)?,
        })
    }

    /// Signs the head with the log's key. The key's name is the origin.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(self.text())?;
        note.sign(key);
        Ok(note)
    }

    /// Verifies that the log itself signed the note, and reads its text.
    pub fn verify(note: &SignedNote, log: &VerifierKey) -> Result<Self, CheckpointError> {
        note.verify(log)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != log.name() {
            return Err(CheckpointError::Origin { expected: log.name().to_owned(), found: checkpoint.origin });
        }
        Ok(checkpoint)
    }
}

pub(super) fn parse_size(text: &str) -> Result<u64, CheckpointError> {
    let canonical = text == "0" || (text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0'));
    text.parse().ok().filter(|n| canonical && *n <= i64::MAX as u64).ok_or(CheckpointError::Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_standards_own_checkpoint_reads_and_reprints() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.text(), TEXT);
    }

    #[test]
    fn other_shapes_are_refused() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let cases = [
            (format!("a\n1\n{root}"), CheckpointError::Shape),
            (format!("\n1\n{root}\n"), CheckpointError::Shape),
            (format!("a\n1\n{root}\nextension\n"), CheckpointError::Shape),
            (format!("a\n01\n{root}\n"), CheckpointError::Size),
            (format!("a\n+1\n{root}\n"), CheckpointError::Size),
            (format!("a\n\n{root}\n"), CheckpointError::Size),
            (format!("a\n9223372036854775808\n{root}\n"), CheckpointError::Size),
            ("a\n1\nAAAA\n".to_owned(), CheckpointError::Root),
        ];
        for (text, error) in cases {
            assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
        }
    }
}
