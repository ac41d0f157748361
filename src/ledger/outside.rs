//! Cosignatures by witnesses outside the ledger, as part of the evidence for a note.
//!
//! They count for nothing in the treaty's quorum. Each verifies by a key that the file itself names: whoever reads it
//! believes those whose keys are known from elsewhere.

use serde_json::{Value, json};

use super::evidence::{PartError, path, signed_note};
use super::fields::{FieldError, Fields};
use super::keyring::KeyHistory;
use super::time::Timestamp;
use super::treaty::Treaty;
use crate::note::{KeyType, SignedNote, VerifierKey};
use crate::tlog::{Checkpoint, Cosignature, Hash, verify_inclusion};

/// Most heads with outside cosignatures in one file, and most cosignatures on each.
pub const MAX_OUTSIDE: usize = 16;
/// Longest key as text, in bytes.
const MAX_KEY_BYTES: usize = 300;

/// A head of the log with cosignatures by outside witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsidePart {
    /// The checkpoint: the log's signature, then one by each of `keys`, in their order.
    pub checkpoint: SignedNote,
    /// The witnesses' keys.
    pub keys: Vec<VerifierKey>,
    /// The audit path of the notification's record.
    pub path: Vec<Hash>,
}

/// A witness outside the ledger that has cosigned a head which covers the note.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OutsideWitness {
    /// Its key, as the file has it.
    pub key: VerifierKey,
    /// When it cosigned, by its own clock.
    pub time: Timestamp,
    /// Size of the head.
    pub size: u64,
}

impl OutsidePart {
    pub(super) fn to_value(&self) -> Value {
        let checkpoint = String::from_utf8_lossy(&self.checkpoint.to_bytes()).into_owned();
        json!({"checkpoint": checkpoint, "keys": self.keys, "path": self.path})
    }

    pub(super) fn of_value(value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::of_value(value, "outside")?;
        let expected = "an array of 1 to 16 keys of type 0x04";
        let key = |value: Value| {
            let key = value.as_str().filter(|text| text.len() <= MAX_KEY_BYTES).and_then(|text| {
                // One way of writing a key only.
                VerifierKey::parse(text).ok().filter(|key| key.to_string() == text)
            });
            key.filter(|key| key.kind() == KeyType::Cosignature).ok_or(FieldError::Wrong { field: "keys", expected })
        };
        let part = Self {
            checkpoint: fields.text("checkpoint", "a checkpoint as a signed note", signed_note)?,
            keys: fields.array("keys", MAX_OUTSIDE, expected, key)?,
            path: path(&mut fields)?,
        };
        fields.finish()?;
        Ok(part)
    }

    /// Verifies all of it: the head, the note's place under it, and every signature line.
    pub(super) fn check(
        &self,
        treaty: &Treaty,
        log: &KeyHistory,
        leaf: &Hash,
        index: u64,
    ) -> Result<(Checkpoint, Vec<OutsideWitness>), PartError> {
        let head = log.verify_head(&self.checkpoint)?;
        verify_inclusion(leaf, index, head.size, &self.path, &head.root)?;
        let lines = self.checkpoint.signatures();
        if self.keys.is_empty()
            || lines.len() != self.keys.len() + 1
            || log.log_line(&self.checkpoint, head.size) != lines.first()
        {
            return Err(PartError::Misplaced("it should have the log's own signature and one by each of its keys"));
        }
        let mut witnesses: Vec<OutsideWitness> = Vec::new();
        for (key, line) in self.keys.iter().zip(&lines[1..]) {
            let of_party = |party: &super::treaty::Party| {
                [&party.root, &party.log, &party.witness].iter().any(|known| known.public() == key.public())
            };
            let twice = witnesses.iter().any(|witness| witness.key.public() == key.public());
            if twice || treaty.parties().iter().any(of_party) || !line.is_by(key) {
                return Err(PartError::Misplaced("a key stands twice, is a party's own, or is not that of its line"));
            }
            if treaty.is_partys_name(key.name()) {
                return Err(PartError::Misplaced("a key is named like a party's"));
            }
            let time = Timestamp::from_posix(Cosignature::verify(&self.checkpoint, key)?.time);
            witnesses.push(OutsideWitness { key: key.clone(), time, size: head.size });
        }
        Ok((head, witnesses))
    }
}

/// What follows from the cosignatures in a file for somebody who trusts some witnesses, in plain sentences.
pub fn outside_sentences(found: &[OutsideWitness], trusted: &[VerifierKey]) -> Vec<String> {
    let mut out = Vec::new();
    for witness in found {
        let (name, time, last) = (witness.key.name(), witness.time.display(), witness.size.saturating_sub(1));
        out.push(if trusted.contains(&witness.key) {
            format!(
                "The outside witness {name}, which you trust, had seen the log with this note in it at {time}, by its \
                 own clock, up to record {last}."
            )
        } else {
            format!(
                "Somebody with the key of {name} that this file names had seen the log with this note in it at {time}, \
                 by its own clock. That is worth as much as the key: name it with --witness if you know it."
            )
        });
    }
    for key in trusted.iter().filter(|key| found.iter().all(|witness| witness.key != **key)) {
        out.push(format!("There is no cosignature by the outside witness {} in this file.", key.name()));
    }
    out
}
