//! Fork proofs: two heads that one log signed and that cannot both be of one append-only log.
//!
//! Where the two sizes are equal, the two roots differ, and that is all. Where they are not, the proof shows the root
//! that the larger tree had at the smaller size (by a consistency proof), and that root is not the one signed.

use serde_json::{Value, json};

use super::canon::{self, Text};
use super::fields::{FieldError, Fields};
use super::record::MAX_RECORD_BYTES;
use super::treaty::Treaty;
use crate::note::{NoteError, SignedNote};
use crate::tlog::{Checkpoint, CheckpointError, Hash, ProofInvalid, verify_consistency};

const VERSION: u64 = 1;

/// Why a text proves no fork.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForkError {
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A head is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A head is not a checkpoint that the log signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The heads are of a log that is not in the treaty file.
    #[error("the heads are of the log {0}, which is not in the treaty file")]
    UnknownLog(String),
    /// The roots agree: there is no fork.
    #[error("the two heads agree with each other")]
    Consistent,
    /// The consistency proof fails.
    #[error(transparent)]
    Proof(#[from] ProofInvalid),
}

/// Two contradictory heads of one log. A value of this type has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkProof {
    log: usize,
    smaller: SignedNote,
    larger: SignedNote,
    /// What the larger head's tree has as its root at the smaller size.
    root: Hash,
    proof: Vec<Hash>,
    sizes: (u64, u64),
}

impl ForkProof {
    /// Verifies the two heads, of which `smaller` is not the larger one, and the proof between them.
    ///
    /// `root` is the root of the larger head's tree at the smaller size; with equal sizes it is the larger's own root.
    /// Of the heads' signatures only the log's own are kept.
    pub fn new(
        treaty: &Treaty,
        smaller: SignedNote,
        larger: SignedNote,
        root: Hash,
        proof: Vec<Hash>,
    ) -> Result<Self, ForkError> {
        let stated = Checkpoint::parse(smaller.text())?;
        let log = treaty.log_of_origin(&stated.origin).ok_or(ForkError::UnknownLog(stated.origin))?;
        let key = &treaty.party(log).log;
        let (a, b) = (Checkpoint::verify(&smaller, key)?, Checkpoint::verify(&larger, key)?);
        verify_consistency(a.size, &root, b.size, &b.root, &proof)?;
        if root == a.root {
            return Err(ForkError::Consistent);
        }
        // Other lines would go on with the proof to everybody, with nobody to vouch for them or to limit them.
        let bare = |note: SignedNote| {
            let mut bare = SignedNote::new(note.text().to_owned())?;
            note.signatures().iter().filter(|line| line.is_by(key)).for_each(|line| bare.add(line.clone()));
            Ok::<_, NoteError>(bare)
        };
        let (smaller, larger) = (bare(smaller)?, bare(larger)?);
        Ok(Self { log, smaller, larger, root, proof, sizes: (a.size, b.size) })
    }

    /// Place in the treaty file of the party whose log forked.
    pub fn log(&self) -> usize {
        self.log
    }

    /// The two heads, the smaller first.
    pub fn heads(&self) -> (&SignedNote, &SignedNote) {
        (&self.smaller, &self.larger)
    }

    /// The sizes of the two heads.
    pub fn sizes(&self) -> (u64, u64) {
        self.sizes
    }

    /// The payload of an evidence record.
    pub fn to_text(&self) -> String {
        let note = |note: &SignedNote| String::from_utf8_lossy(&note.to_bytes()).into_owned();
        canon::write(&json!({
            "kind": "fork", "larger": note(&self.larger), "proof": self.proof, "root": self.root,
            "smaller": note(&self.smaller), "v": VERSION,
        })) + "\n"
    }

    /// Reads and verifies the payload of an evidence record.
    pub fn parse(payload: &[u8], treaty: &Treaty) -> Result<Self, ForkError> {
        let text = std::str::from_utf8(payload).map_err(|_| FieldError::OneLine)?;
        let mut fields = Fields::of_text(text, MAX_RECORD_BYTES, Text::Any)?;
        fields.text("kind", "`fork`", |k| (k == "fork").then_some(()))?;
        let note = |text: &str| Some(SignedNote::parse(text.as_bytes()));
        let larger = fields.text("larger", "a signed checkpoint", note)??;
        let smaller = fields.text("smaller", "a signed checkpoint", note)??;
        let expected = "at most 64 hashes";
        let hash = |v: Value| v.as_str().and_then(Hash::from_hex).ok_or(FieldError::Wrong { field: "proof", expected });
        let proof = fields.array("proof", 64, expected, hash)?;
        let root = fields.hash("root")?;
        fields.version(VERSION)?;
        fields.finish()?;
        Self::new(treaty, smaller, larger, root, proof)
    }
}
