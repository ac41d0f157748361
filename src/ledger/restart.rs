//! Restart certificates: a party whose log forked names both branches, accepts both as its own, and goes on with one.
//!
//! A certificate is a note by the party's root key. It is a `credential` record of the log, the very first one after the
//! head that goes on; without one, a log that forked stays frozen. It takes nothing back: what stands on either branch
//! stays signed by the party, provable, and attributed to it.
//!
//! It carries a fork proof whose two heads are the ends of the two branches, so that it shows by itself that they
//! contradict each other. A head that lies on neither branch is not covered by it: the log freezes again.

use serde_json::{Value, json};

use super::canon::{self, Text, check_plain};
use super::credential::MAX_REASON_BYTES;
use super::evidence::{PartError, parse_bare_fork};
use super::fields::{FieldError, Fields};
use super::fork::ForkProof;
use super::record::{Record, RecordType};
use super::time::Timestamp;
use super::treaty::{Treaty, is_party_code};
use crate::note::{NoteError, SignedNote, SigningKey};
use crate::tlog::{Checkpoint, Hash};

/// Longest text of a restart certificate, in bytes.
pub const MAX_RESTART_BYTES: usize = 40_000;
/// Most restart certificates of one log that are followed.
pub const MAX_RESTARTS: usize = 16;
const VERSION: u64 = 1;

/// Why a note is not a restart certificate of a party.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestartError {
    /// The envelope, or the root's signature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It does not prove that the two heads contradict each other.
    #[error("`fork`: {0}")]
    Fork(Box<PartError>),
    /// It is for another ledger.
    #[error("the certificate is for another ledger (treaty file {0:?})")]
    Ledger(Hash),
    /// It is for another party.
    #[error("the certificate is of party {0}")]
    Party(String),
    /// Its two heads are of another party's log.
    #[error("its two heads are of another party's log")]
    OtherLog,
    /// The branches have to part before either of them ends, and in different records.
    #[error("the branches part in two different records that both of them have, which `common` does not say")]
    Common,
    /// It carries another signature than the root's.
    #[error("a restart certificate carries the root's signature and no other")]
    OtherSignatures,
}

/// A restart certificate. One that was read with [`Restart::verify`] has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// So many records, from the first on, are the same on both branches.
    pub common: u64,
    /// Shows that the ends of the two branches contradict each other. The one with the larger head goes on; of two that
    /// are as large, the one that stands there as the larger.
    pub fork: ForkProof,
    /// When the root says it was issued.
    pub issued: Timestamp,
    /// Leaf hash of record `common` on the branch that goes on.
    pub kept_leaf: Hash,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// Leaf hash of record `common` on the other branch.
    pub other_leaf: Hash,
    /// The party's code.
    pub party: String,
    /// Why, for people.
    pub reason: Option<String>,
}

impl Restart {
    /// The text for the root to sign.
    pub fn to_text(&self) -> String {
        let mut value = json!({
            "action": "restart", "common": self.common, "fork": self.fork.to_text(), "issued": self.issued,
            "kept_leaf": self.kept_leaf, "ledger": self.ledger, "other_leaf": self.other_leaf, "party": self.party,
            "v": VERSION,
        });
        if let Some(reason) = &self.reason {
            value["reason"] = json!(reason);
        }
        canon::write(&value) + "\n"
    }

    /// Signs it with the party's root key.
    pub fn sign(&self, root: &SigningKey) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(self.to_text())?;
        note.sign(root);
        Ok(note)
    }

    /// Reads a text. Of the fork proof in it the signatures are verified, of the rest nothing.
    pub fn parse(text: &str, treaty: &Treaty) -> Result<Self, RestartError> {
        let mut fields = Fields::of_text(text, MAX_RESTART_BYTES, Text::Any)?;
        fields.text("action", "`restart`", |action| (action == "restart").then_some(()))?;
        let fork = fields.text("fork", "a fork proof", |text| Some(parse_bare_fork(text.as_bytes(), treaty)))?;
        let restart = Self {
            common: fields.integer("common")?,
            fork: fork.map_err(|error| RestartError::Fork(Box::new(error)))?,
            issued: fields.time("issued")?,
            kept_leaf: fields.hash("kept_leaf")?,
            ledger: fields.hash("ledger")?,
            other_leaf: fields.hash("other_leaf")?,
            party: fields.text("party", "a party code", |code| is_party_code(code).then(|| code.to_owned()))?,
            reason: reason(&mut fields)?,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        Ok(restart)
    }

    /// Reads a certificate and verifies that the root of the party at this place signed it for this ledger, and that it
    /// names two heads of that party's log.
    pub fn verify(bytes: &[u8], log: usize, treaty: &Treaty) -> Result<Self, RestartError> {
        let note = SignedNote::parse(bytes)?;
        let party = treaty.party(log);
        note.verify(&party.root)?;
        let restart = Self::parse(note.text(), treaty)?;
        if restart.ledger != treaty.hash() {
            return Err(RestartError::Ledger(restart.ledger));
        }
        if restart.party != party.code {
            return Err(RestartError::Party(restart.party));
        }
        if restart.fork.log() != log {
            return Err(RestartError::OtherLog);
        }
        if restart.common >= restart.fork.sizes().0 || restart.kept_leaf == restart.other_leaf {
            return Err(RestartError::Common);
        }
        // Of what is new, nobody has to guess what another line means.
        if note.signatures().len() != 1 {
            return Err(RestartError::OtherSignatures);
        }
        Ok(restart)
    }

    /// Whether a record's payload says to be one. Nothing is verified.
    pub fn is_named(payload: &[u8]) -> bool {
        payload.starts_with(b"{\"action\":\"restart\"")
    }

    /// The certificate in a record of the log, if it is one and stands in its place: right after the head that goes on.
    /// That this head's tree is the log's, whoever has the log checks.
    pub fn of_record(record: &Record<'_>, log: usize, treaty: &Treaty) -> Option<Self> {
        if record.kind != RecordType::Credential || !Self::is_named(record.payload) {
            return None;
        }
        Self::verify(record.payload, log, treaty).ok().filter(|restart| restart.kept_head().size == record.index)
    }

    /// The last head of the branch that goes on: the larger one, so that whatever the log signs after it is larger than
    /// both, and nobody can take one branch's heads for the other's.
    pub fn kept_head(&self) -> &Checkpoint {
        self.fork.checkpoints()[1]
    }

    /// The last head of the other branch.
    pub fn other_head(&self) -> &Checkpoint {
        self.fork.checkpoints()[0]
    }

    /// The signed notes of the two heads: that which goes on, and the other one.
    pub fn notes(&self) -> (&SignedNote, &SignedNote) {
        let (other, kept) = self.fork.heads();
        (kept, other)
    }

    /// Whether a head can lie on the branch that does not go on, as far as size and root tell.
    pub fn may_be_other(&self, size: u64, root: &Hash) -> bool {
        let other = self.other_head();
        size > self.common && (size < other.size || (size == other.size && *root == other.root))
    }
}

fn reason(fields: &mut Fields) -> Result<Option<String>, FieldError> {
    let plain = |text: &String| (1..=MAX_REASON_BYTES).contains(&text.len()) && check_plain(text).is_ok();
    match fields.optional("reason") {
        None => Ok(None),
        Some(Value::String(text)) if plain(&text) => Ok(Some(text)),
        Some(_) => Err(FieldError::Wrong { field: "reason", expected: "a plain text of 1 to 1,000 bytes" }),
    }
}

/// A restart certificate in an evidence file, for a note that stands before it or on the other branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPart {
    /// The root-signed note.
    pub certificate: String,
    /// The audit path of the notification's record to the root of either head.
    pub path: Vec<Hash>,
}

/// Where a note stands with respect to a fork that the party's root has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Branch {
    /// Before the branches part.
    Common,
    /// On the branch that goes on, or after the certificate.
    Kept,
    /// On the other branch.
    Other,
}

/// What a certificate in an evidence file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Restarted {
    /// So many records are the same on both branches.
    pub common: u64,
    /// Number of records of the branch that goes on, up to the certificate.
    pub kept: u64,
    /// Number of records of the other branch.
    pub other: u64,
    /// When the root says that it accepted both.
    pub issued: Timestamp,
    /// Where the note stands.
    pub branch: Branch,
}

impl Restarted {
    pub(super) fn new(restart: &Restart, branch: Branch) -> Self {
        let (kept, other) = (restart.kept_head().size, restart.other_head().size);
        Self { common: restart.common, kept, other, issued: restart.issued, branch }
    }

    /// What it comes to, in a sentence or two.
    pub fn sentence(&self, sender: &str) -> String {
        let Self { common, kept, other, issued, branch } = *self;
        let stands = match branch {
            Branch::Common => "This note is older than both branches",
            Branch::Kept => "This note stands on the branch that goes on",
            Branch::Other => "This note stands on the other branch, and was sent all the same",
        };
        format!(
            "The log of {sender} had two branches from record {common} on, of {kept} and of {other} records. The root \
             of {sender} accepted both as its own at {}, and goes on with that of {kept}. {stands}.",
            issued.display()
        )
    }
}
