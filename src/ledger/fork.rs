//! Fork proofs: two heads that one log signed and that cannot both be of one append-only log.
//!
//! Where the two sizes are equal, the two roots differ, and that is all. Where they are not, the proof shows the root
//! that the larger tree had at the smaller size (by a consistency proof), and that root is not the one signed.
//!
//! The two heads may be signed with different keys of the log's history. The proof then carries what the root signed
//! to put those keys in force that are not in the treaty file, so that it stands for itself.

use serde_json::{Value, json};

use super::canon::{self, Text};
use super::credential::{CredentialError, Job};
use super::fields::{FieldError, Fields};
use super::keyring::{KeyHistory, Keyring};
use super::record::MAX_RECORD_BYTES;
use super::treaty::Treaty;
use crate::note::{NoteError, SignedNote, VerifierKey};
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
    /// A key that the proof carries is not one that the log's root put in force.
    #[error("`keys`: {0}")]
    Credential(#[from] CredentialError),
    /// The keys that the proof carries are not those of its heads, each once.
    #[error("`keys` are not those with which the two heads are signed")]
    Keys,
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
    checkpoints: [Checkpoint; 2],
    /// Root-signed notes about the keys of the heads that are not in the treaty file.
    keys: Vec<String>,
}

impl ForkProof {
    /// Verifies the two heads, of which `smaller` is not the larger one, and the proof between them.
    ///
    /// `root` is the root of the larger head's tree at the smaller size; with equal sizes it is the larger's own root.
    /// Each head is signed with any log key that the party's root ever put in force. Of its signatures only that one is
    /// kept.
    pub fn new(
        keys: &Keyring,
        smaller: &SignedNote,
        larger: &SignedNote,
        root: Hash,
        proof: Vec<Hash>,
    ) -> Result<Self, ForkError> {
        let stated = Checkpoint::parse(smaller.text())?;
        let log = keys.log_of_origin(&stated.origin).ok_or(ForkError::UnknownLog(stated.origin))?;
        let history = keys.party(log);
        let size = Checkpoint::parse(larger.text())?.size;
        let (smaller_key, larger_key) = (signer(smaller, stated.size, history)?, signer(larger, size, history)?);
        let (a, b) = (Checkpoint::verify(smaller, smaller_key)?, Checkpoint::verify(larger, larger_key)?);
        verify_consistency(a.size, &root, b.size, &b.root, &proof)?;
        if root == a.root {
            return Err(ForkError::Consistent);
        }
        // Other lines would go on with the proof to everybody, with nobody to vouch for them or to limit them.
        let bare = |note: &SignedNote, key: &VerifierKey| {
            let mut bare = SignedNote::new(note.text().to_owned())?;
            note.signatures().iter().filter(|line| line.is_by(key)).for_each(|line| bare.add(line.clone()));
            Ok::<_, NoteError>(bare)
        };
        let mut carried: Vec<String> = Vec::new();
        for note in [smaller_key, larger_key].into_iter().filter_map(|key| history.note_of(key)) {
            let note = String::from_utf8_lossy(note).into_owned();
            if !carried.contains(&note) {
                carried.push(note);
            }
        }
        let (smaller, larger) = (bare(smaller, smaller_key)?, bare(larger, larger_key)?);
        Ok(Self { log, smaller, larger, root, proof, checkpoints: [a, b], keys: carried })
    }

    /// Place in the treaty file of the party whose log forked.
    pub fn log(&self) -> usize {
        self.log
    }

    /// The two heads, the smaller first.
    pub fn heads(&self) -> (&SignedNote, &SignedNote) {
        (&self.smaller, &self.larger)
    }

    /// The log keys with which the two heads are signed, by the history of that log.
    pub fn signed_by<'a>(&'a self, history: &'a KeyHistory) -> impl Iterator<Item = &'a VerifierKey> {
        let heads = [&self.smaller, &self.larger].into_iter().zip(&self.checkpoints);
        heads.filter_map(|(note, head)| signer(note, head.size, history).ok())
    }

    /// Whether one of the heads says nothing against the log, by what is known of its keys: see [`KeyHistory::is_late`].
    pub fn is_late<E>(
        &self,
        history: &KeyHistory,
        mut receipted: Option<&mut dyn FnMut(u64) -> Result<bool, E>>,
    ) -> Result<bool, E> {
        for (note, head) in [&self.smaller, &self.larger].into_iter().zip(&self.checkpoints) {
            let at = receipted.as_mut().map(|receipted| &mut **receipted as &mut dyn FnMut(u64) -> Result<bool, E>);
            if history.is_late(signer(note, head.size, history).ok(), at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The notes that put in force those keys of the heads that are not in the treaty file.
    pub fn carried_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(String::as_bytes)
    }

    /// The sizes of the two heads.
    pub fn sizes(&self) -> (u64, u64) {
        (self.checkpoints[0].size, self.checkpoints[1].size)
    }

    /// What the two heads say, the smaller first.
    pub fn checkpoints(&self) -> [&Checkpoint; 2] {
        self.checkpoints.each_ref()
    }

    /// The payload of an evidence record.
    pub fn to_text(&self) -> String {
        let note = |note: &SignedNote| String::from_utf8_lossy(&note.to_bytes()).into_owned();
        let mut value = json!({
            "kind": "fork", "larger": note(&self.larger), "proof": self.proof, "root": self.root,
            "smaller": note(&self.smaller), "v": VERSION,
        });
        if !self.keys.is_empty() {
            value["keys"] = json!(self.keys);
        }
        canon::write(&value) + "\n"
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
        let expected = "an array of 1 or 2 signed notes";
        let keys = match fields.optional("keys") {
            None => Vec::new(),
            Some(Value::Array(items)) if matches!(items.len(), 1 | 2) => {
                let text = |item: Value| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(FieldError::Wrong { field: "keys", expected }),
                };
                items.into_iter().map(text).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(FieldError::Wrong { field: "keys", expected }.into()),
        };
        fields.version(VERSION)?;
        fields.finish()?;
        let mut keyring = Keyring::new(treaty);
        let origin = Checkpoint::parse(smaller.text())?.origin;
        let log = treaty.log_of_origin(&origin).ok_or(ForkError::UnknownLog(origin))?;
        for note in &keys {
            keyring.party_mut(log).announce(note.as_bytes(), treaty)?;
        }
        let fork = Self::new(&keyring, &smaller, &larger, root, proof)?;
        if fork.keys == keys { Ok(fork) } else { Err(ForkError::Keys) }
    }
}

/// The key that signed a head: that in force for its size, as at a changeover two did; otherwise the first one of the log's
/// history.
fn signer<'a>(note: &SignedNote, size: u64, history: &'a KeyHistory) -> Result<&'a VerifierKey, CheckpointError> {
    for key in std::iter::once(history.log_key(size)).chain(history.all_keys(Job::Log)) {
        match note.verify(key) {
            Ok(()) => return Ok(key),
            Err(NoteError::NotSigned(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let first = history.log_key(0);
    Err(NoteError::NotSigned(first.name().to_owned()).into())
}
