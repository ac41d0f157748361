//! Evidence for one notification: a C2SP tlog-proof file that anybody can check offline with the treaty file alone.
//!
//! The file's entry is the notification's record. Its extra data is one canonical JSON object, the *bundle*: the
//! record itself, the credentials of those who signed it, further heads with the receipts of parties that are not on
//! the file's own checkpoint, records of other parties that are provably older than the note, the proof that the
//! log forked if it did, and where it was asked for, what a party's log held instead of an answer. Nothing in the file goes unchecked: a part that does not verify, an unknown field, or a
//! signature by somebody unknown, and the whole file is refused.

use serde_json::{Value, json};

use super::canon::{self, Text};
use super::chain::AmendmentPart;
use super::fields::{FieldError, Fields};
use super::fork::{ForkError, ForkProof};
use super::outside::{MAX_OUTSIDE, OutsidePart};
use super::record::{MAX_RECORD_BYTES, Record, RecordError, RecordType};
use super::restart::{MAX_RESTARTS, RestartError, RestartPart};
use super::silence::SilencePart;
use super::treaty::{MAX_PARTIES, Treaty};
use crate::note::{MAX_NOTE_BYTES, NoteError, SignedNote};
use crate::tlog::{
    Checkpoint, CheckpointError, CosignatureError, Hash, MAX_EXTRA_BYTES, ProofError, ProofInvalid, TlogProof,
    leaf_hash, verify_inclusion,
};

/// Longest evidence file, in bytes: the longest extra data as base64, and room for proof and checkpoint.
pub const MAX_EVIDENCE_BYTES: usize = MAX_EXTRA_BYTES / 3 * 4 + (1 << 17);
/// Most credentials in one file.
pub const MAX_CREDENTIALS: usize = 256;
/// Most older records of other parties in one file.
pub const MAX_ANCHORS: usize = 16;
/// Most notes about keys in one file.
pub const MAX_KEYS: usize = 1_024;
const VERSION: u64 = 1;

/// Why a file is not the evidence that it should be. Nothing in it may then be relied on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Over [`MAX_EVIDENCE_BYTES`].
    #[error("an evidence file is at most {MAX_EVIDENCE_BYTES} bytes long")]
    TooLong,
    /// Not a `.tlog-proof` file.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The file is a proof, but not written as it is written here.
    #[error("the file is not in its canonical form")]
    NotCanonical,
    /// It carries no bundle, as proofs of other logs do not.
    #[error("line 2: the file has no extra data, in which the record and the credentials should be")]
    NoBundle,
    /// The bundle's fields.
    #[error("line 2, the extra data: {0}")]
    Bundle(#[from] FieldError),
    /// It belongs to another treaty file.
    #[error("the evidence is for another ledger: the treaty file with the SHA-256 {}", .0.to_hex())]
    OtherTreaty(Hash),
    /// The log is not one of the treaty's.
    #[error("the checkpoint is of the log {0}, which is not in the treaty file")]
    UnknownLog(String),
    /// The record is of another type.
    #[error("the record is not a notification but of the type `{0}`")]
    NotANotification(&'static str),
    /// One part of it does not hold.
    #[error("{part}: {fault}")]
    Part {
        /// Which part, as `heads[1]`; items count from 0.
        part: String,
        /// What is wrong with it.
        fault: PartError,
    },
}

/// What is wrong with one part of an evidence file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartError {
    /// Not the record that should stand there.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not a checkpoint that the log signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A cosignature fails.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// The record is not under the signed root.
    #[error(transparent)]
    Inclusion(#[from] ProofInvalid),
    /// A receipt fails.
    #[error(transparent)]
    Receipt(#[from] super::receipt::ReceiptError),
    /// The fork proof fails.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// Not a restart certificate of the party.
    #[error(transparent)]
    Restart(#[from] RestartError),
    /// Not the treaty's next amendment.
    #[error(transparent)]
    Amendment(#[from] super::amendment::AmendmentError),
    /// Not a credential of the party.
    #[error(transparent)]
    Credential(#[from] super::credential::CredentialError),
    /// It verifies, but does not belong there.
    #[error("{0}")]
    Misplaced(&'static str),
}

/// A record with the audit path that leads to a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// The record's bytes.
    pub record: String,
    /// The audit path, from the leaf's sibling up.
    pub path: Vec<Hash>,
}

/// A signed head of the log with receipts on it, and the audit path of the notification's record to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadPart {
    /// The checkpoint: the log's signature, then the cosignatures in the treaty's order of parties.
    pub checkpoint: SignedNote,
    /// The audit path.
    pub path: Vec<Hash>,
}

/// Shows that a note is younger than a record of another party.
///
/// The sender's log holds, before the note, a receipt for a head of the other log; that head covers the other record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The receipt, a record of the sender's log; its path leads to the file's own checkpoint.
    pub receipt: Included,
    /// The other party's record; its path leads to the head that was receipted.
    pub record: Included,
}

/// The parts of an evidence file. Making or reading one verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Index of the notification's record.
    pub index: u64,
    /// The notification's record, with its path to `checkpoint`.
    pub record: Included,
    /// The file's own checkpoint: the log's signature, then the cosignatures in the treaty's order of parties.
    pub checkpoint: SignedNote,
    /// Credential records of the same log that come before the note; their paths lead to `checkpoint`.
    pub credentials: Vec<Included>,
    /// Other heads with receipts, by size.
    pub heads: Vec<HeadPart>,
    /// Older records of other parties, in the treaty's order of parties.
    pub anchors: Vec<Anchor>,
    /// The proof that the log forked (the payload of an evidence record).
    pub fork: Option<String>,
    /// Restart certificates of the log that do not come before the note, by the kept head's size.
    pub restarts: Vec<RestartPart>,
    /// That a party has not answered.
    pub silence: Option<SilencePart>,
    /// Heads with cosignatures by witnesses outside the ledger, by size.
    pub outside: Vec<OutsidePart>,
    /// Amendments of the treaty file.
    pub amendments: AmendmentPart,
    /// Root-signed notes that put in force the keys of heads and cosignatures in this file that are not in the treaty
    /// file, by party in the treaty's order, and in the order of their bytes.
    pub keys: Vec<String>,
}

impl Evidence {
    /// The file's bytes.
    pub fn to_bytes(&self, treaty: &Hash) -> Vec<u8> {
        let included = |item: &Included| json!({"path": item.path, "record": item.record});
        let mut bundle = json!({
            "anchors": self.anchors.iter().map(|anchor| json!({
                "receipt": included(&anchor.receipt), "record": included(&anchor.record),
            })).collect::<Value>(),
            "credentials": self.credentials.iter().map(included).collect::<Value>(),
            "heads": self.heads.iter().map(|head| json!({
                "checkpoint": String::from_utf8_lossy(&head.checkpoint.to_bytes()), "path": head.path,
            })).collect::<Value>(),
            "record": self.record.record,
            "treaty": treaty,
            "v": VERSION,
        });
        if let Some(fork) = &self.fork {
            bundle["fork"] = json!(fork);
        }
        if !self.restarts.is_empty() {
            let item = |part: &RestartPart| json!({"certificate": part.certificate, "path": part.path});
            bundle["restarts"] = self.restarts.iter().map(item).collect();
        }
        if let Some(silence) = &self.silence {
            bundle["silence"] = silence.to_value();
        }
        if !self.outside.is_empty() {
            bundle["outside"] = self.outside.iter().map(OutsidePart::to_value).collect();
        }
        if !self.amendments.is_empty() {
            bundle["amendments"] = self.amendments.to_value();
        }
        if !self.keys.is_empty() {
            bundle["keys"] = json!(self.keys);
        }
        let proof = TlogProof {
            extra: canon::write(&bundle).into_bytes(),
            index: self.index,
            path: self.record.path.clone(),
            checkpoint: self.checkpoint.clone(),
        };
        proof.to_text().into_bytes()
    }

    /// Reads a file for a treaty.
    pub fn parse(bytes: &[u8], treaty: &Hash) -> Result<Self, EvidenceError> {
        if bytes.len() > MAX_EVIDENCE_BYTES {
            return Err(EvidenceError::TooLong);
        }
        let proof = TlogProof::parse(bytes)?;
        if proof.to_text().as_bytes() != bytes {
            return Err(EvidenceError::NotCanonical);
        }
        if proof.extra.is_empty() {
            return Err(EvidenceError::NoBundle);
        }
        let bundle = canon::parse(&proof.extra, MAX_EXTRA_BYTES, Text::Any).map_err(FieldError::from)?;
        let mut fields = Fields::of_value(bundle, "extra")?;
        // First, as it explains all else that may be wrong.
        let found = fields.hash("treaty")?;
        if found != *treaty {
            return Err(EvidenceError::OtherTreaty(found));
        }
        let anchor = |value: Value| {
            let mut fields = Fields::of_value(value, "anchors")?;
            let anchor = Anchor {
                receipt: included(fields.value("receipt")?, "receipt")?,
                record: included(fields.value("record")?, "record")?,
            };
            fields.finish()?;
            Ok(anchor)
        };
        let fork = match fields.optional("fork") {
            None => None,
            Some(Value::String(text)) if text.len() <= MAX_RECORD_BYTES => Some(text),
            Some(_) => return Err(FieldError::Wrong { field: "fork", expected: "a fork proof" }.into()),
        };
        let keys = match fields.optional("keys") {
            None => Vec::new(),
            Some(value) => signed_notes(value)?,
        };
        let evidence = Self {
            index: proof.index,
            anchors: fields.array("anchors", MAX_ANCHORS, "an array of at most 16 objects", anchor)?,
            credentials: fields.array("credentials", MAX_CREDENTIALS, "an array of at most 256 objects", |v| {
                included(v, "credentials")
            })?,
            heads: fields.array("heads", MAX_PARTIES, "an array of at most 256 objects", head)?,
            record: Included { record: record_text(&mut fields)?, path: proof.path },
            checkpoint: proof.checkpoint,
            fork,
            restarts: restarts(&mut fields)?,
            silence: fields.optional("silence").map(SilencePart::of_value).transpose()?,
            outside: outside(&mut fields)?,
            amendments: fields.optional("amendments").map(AmendmentPart::of_value).transpose()?.unwrap_or_default(),
            keys,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        Ok(evidence)
    }
}

/// The field is absent where there is nothing to say, and so never an empty array.
fn outside(fields: &mut Fields) -> Result<Vec<OutsidePart>, FieldError> {
    let expected = "an array of 1 to 16 objects";
    match fields.optional("outside") {
        None => Ok(Vec::new()),
        Some(Value::Array(parts)) if (1..=MAX_OUTSIDE).contains(&parts.len()) => {
            parts.into_iter().map(OutsidePart::of_value).collect()
        }
        Some(_) => Err(FieldError::Wrong { field: "outside", expected }),
    }
}

fn restarts(fields: &mut Fields) -> Result<Vec<RestartPart>, FieldError> {
    let part = |value: Value| {
        let mut fields = Fields::of_value(value, "restarts")?;
        let short = |text: &str| (text.len() <= MAX_NOTE_BYTES).then(|| text.to_owned());
        let certificate = fields.text("certificate", "a restart certificate", short)?;
        let part = RestartPart { certificate, path: path(&mut fields)? };
        fields.finish()?;
        Ok(part)
    };
    match fields.optional("restarts") {
        None => Ok(Vec::new()),
        Some(Value::Array(parts)) if (1..=MAX_RESTARTS).contains(&parts.len()) => parts.into_iter().map(part).collect(),
        Some(_) => Err(FieldError::Wrong { field: "restarts", expected: "an array of 1 to 16 objects" }),
    }
}

/// The notes about keys: an absent field is how a file without them is written.
fn signed_notes(value: Value) -> Result<Vec<String>, FieldError> {
    let wrong = FieldError::Wrong { field: "keys", expected: "an array of 1 to 1,024 signed notes" };
    match value {
        Value::Array(items) if (1..=MAX_KEYS).contains(&items.len()) => {
            let text = |item: Value| match item {
                Value::String(text) if text.len() <= MAX_NOTE_BYTES => Ok(text),
                _ => Err(wrong.clone()),
            };
            items.into_iter().map(text).collect()
        }
        _ => Err(wrong),
    }
}

fn record_text(fields: &mut Fields) -> Result<String, FieldError> {
    let short = |text: &str| (text.len() <= MAX_RECORD_BYTES).then(|| text.to_owned());
    fields.text("record", "a record of at most 65,535 bytes", short)
}

pub(super) fn path(fields: &mut Fields) -> Result<Vec<Hash>, FieldError> {
    let expected = "an array of at most 63 hashes in hex";
    let hash = |v: Value| v.as_str().and_then(Hash::from_hex).ok_or(FieldError::Wrong { field: "path", expected });
    fields.array("path", 63, expected, hash)
}

pub(super) fn included(value: Value, field: &'static str) -> Result<Included, FieldError> {
    let mut fields = Fields::of_value(value, field)?;
    let included = Included { record: record_text(&mut fields)?, path: path(&mut fields)? };
    fields.finish()?;
    Ok(included)
}

/// A note in a string, written as it is written here.
pub(super) fn signed_note(text: &str) -> Option<SignedNote> {
    SignedNote::parse(text.as_bytes()).ok().filter(|note| note.to_bytes() == text.as_bytes())
}

fn head(value: Value) -> Result<HeadPart, FieldError> {
    let mut fields = Fields::of_value(value, "heads")?;
    let head = HeadPart {
        checkpoint: fields.text("checkpoint", "a checkpoint as a signed note", signed_note)?,
        path: path(&mut fields)?,
    };
    fields.finish()?;
    Ok(head)
}

impl Included {
    /// Reads the record and checks that it stands at its own index under a root.
    pub(super) fn check(&self, origin: &str, size: u64, root: &Hash) -> Result<Record<'_>, PartError> {
        let record = Record::parse(self.record.as_bytes())?;
        if record.log != origin {
            return Err(RecordError::Log(record.log.to_owned()).into());
        }
        verify_inclusion(&leaf_hash(self.record.as_bytes()), record.index, size, &self.path, root)?;
        Ok(record)
    }

    /// The same, for a record of a type.
    pub(super) fn check_kind(&self, origin: &str, at: &Checkpoint, kind: RecordType) -> Result<Record<'_>, PartError> {
        let record = self.check(origin, at.size, &at.root)?;
        if record.kind != kind {
            return Err(PartError::Misplaced("the record is of another type than those that belong here"));
        }
        Ok(record)
    }
}

/// Reads a fork proof as [`ForkProof::to_text`] writes it; any other way of writing it is refused.
pub fn parse_bare_fork(text: &[u8], treaty: &Treaty) -> Result<ForkProof, PartError> {
    let proof = ForkProof::parse(text, treaty)?;
    if proof.to_text().as_bytes() != text {
        return Err(PartError::Misplaced("it carries something that nobody could check"));
    }
    Ok(proof)
}
