//! Receipts: another party's checkpoint with this party's cosignature, as a record of this party's log.

use super::keyring::{KeyHistory, Keyring};
use super::time::Timestamp;
use crate::note::{NoteError, SignedNote};
use crate::tlog::{Checkpoint, CheckpointError, CosignatureError};

/// Why a payload is not a receipt by the party.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not a checkpoint, or the log did not sign it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The party did not cosign it.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// It is of a log that is not in the treaty file.
    #[error("the receipt is for the log {0}, which is not in the treaty file")]
    UnknownLog(String),
    /// A party does not receipt its own log.
    #[error("the receipt is for the party's own log")]
    Own,
}

/// How a log's own signature on a head is verified.
pub type VerifyHead<'a> = dyn Fn(&KeyHistory, &SignedNote) -> Result<Checkpoint, CheckpointError> + 'a;

/// A verified receipt: `by` holds every record of `log` up to `checkpoint.size`, since `time` at the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Place in the treaty file of the party whose log is receipted.
    pub log: usize,
    /// Place in the treaty file of the party that receipts.
    pub by: usize,
    /// The receipted head.
    pub checkpoint: Checkpoint,
    /// When, by the clock of the party that receipts.
    pub time: Timestamp,
    /// The log signed the head with a key that is not known yet: only its records will tell whether this is a receipt.
    pub open: bool,
}

impl Receipt {
    /// What a payload says to be a receipt of, without a look at any signature: the log's place and the size.
    pub fn stated(payload: &[u8], treaty: &super::treaty::Treaty) -> Option<(usize, u64)> {
        let checkpoint = Checkpoint::parse(SignedNote::parse(payload).ok()?.text()).ok()?;
        Some((treaty.log_of_origin(&checkpoint.origin)?, checkpoint.size))
    }

    /// Verifies a receipt that party `by` logged in the record at `index`: the log's own signature and the cosignature,
    /// with the keys in force.
    pub fn verify(payload: &[u8], by: usize, index: u64, keys: &Keyring) -> Result<Self, ReceiptError> {
        Self::verify_with(payload, by, index, keys, &KeyHistory::verify_head)
    }

    /// The same, where `head` does what [`KeyHistory::verify_head`] does, and may remember what it has verified.
    pub fn verify_with(
        payload: &[u8],
        by: usize,
        index: u64,
        keys: &Keyring,
        head: &VerifyHead<'_>,
    ) -> Result<Self, ReceiptError> {
        let receipt = Self::read(payload, by, index, keys, head)?;
        if receipt.open {
            return Err(CheckpointError::UnknownKey(receipt.checkpoint.origin).into());
        }
        Ok(receipt)
    }

    /// The same; but where the log signed with a new key, and the records are not known that put it in force, the
    /// receipt is [`Receipt::open`].
    pub fn verify_or_open(payload: &[u8], by: usize, index: u64, keys: &Keyring) -> Result<Self, ReceiptError> {
        Self::read(payload, by, index, keys, &KeyHistory::verify_head)
    }

    fn read(
        payload: &[u8],
        by: usize,
        index: u64,
        keys: &Keyring,
        head: &VerifyHead<'_>,
    ) -> Result<Self, ReceiptError> {
        let note = SignedNote::parse(payload)?;
        let stated = Checkpoint::parse(note.text())?;
        let log = keys.log_of_origin(&stated.origin).ok_or_else(|| ReceiptError::UnknownLog(stated.origin.clone()))?;
        if log == by {
            return Err(ReceiptError::Own);
        }
        let of = keys.party(log);
        let (checkpoint, open) = match head(of, &note) {
            Ok(checkpoint) => (checkpoint, false),
            Err(CheckpointError::UnknownKey(_)) if stated.size > of.size() => (stated, true),
            Err(error) => return Err(error.into()),
        };
        let cosignature = keys.party(by).verify_cosignature(&note, index)?;
        Ok(Self { log, by, checkpoint, time: Timestamp::from_posix(cosignature.time), open })
    }
}
