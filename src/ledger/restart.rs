//! Restart certificates: a party whose log forked names both branches, accepts both as its own, and goes on with one.
//!
//! A certificate is a note by the party's root key. It is a `credential` record of the log, the very first one after the
//! head that goes on; without one, a log that forked stays frozen. It takes nothing back: what stands on either branch
//! stays signed by the party, provable, and attributed to it.
//!
//! It carries a fork proof whose two heads are the ends of the two branches, so that it shows by itself that they
//! contradict each other. What it explains is exactly the heads of these two branches: one that lies on neither freezes
//! the log again. Which it is, records tell, and never a size: [`Restart::covers`], [`lies`].

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
    /// Of two heads of one size, none is the smaller one.
    #[error("`keep`: both heads are of one size, and the one that goes on stands in `larger`")]
    Keep,
    /// It carries another signature than the root's.
    #[error("a restart certificate carries the root's signature and no other")]
    OtherSignatures,
}

/// A restart certificate. One that was read with [`Restart::verify`] has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// So many records, from the first on, are the same on both branches.
    pub common: u64,
    /// Shows that the ends of the two branches contradict each other. Of two that are as large, the one that goes on stands
    /// there as the larger.
    pub fork: ForkProof,
    /// When the root says it was issued.
    pub issued: Timestamp,
    /// The branch with the smaller head goes on, rather than that with the larger one.
    pub keeps_smaller: bool,
    /// Leaf hash of record `common` on the branch that goes on.
    pub kept_leaf: Hash,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// Leaf hash of record `common` on the other branch. Without it nobody has that branch's records, and nothing is
    /// covered of it but its head: somebody else may have signed that with the log's key.
    pub other_leaf: Option<Hash>,
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
            "kept_leaf": self.kept_leaf, "ledger": self.ledger, "party": self.party, "v": VERSION,
        });
        if self.keeps_smaller {
            value["keep"] = json!("smaller");
        }
        if let Some(leaf) = &self.other_leaf {
            value["other_leaf"] = json!(leaf);
        }
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
            keeps_smaller: keep(&mut fields)?,
            kept_leaf: fields.hash("kept_leaf")?,
            ledger: fields.hash("ledger")?,
            other_leaf: other_leaf(&mut fields)?,
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
        let (smaller, larger) = restart.fork.sizes();
        if restart.common >= smaller || restart.other_leaf == Some(restart.kept_leaf) {
            return Err(RestartError::Common);
        }
        if restart.keeps_smaller && smaller == larger {
            return Err(RestartError::Keep);
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

    /// The last head of the branch that goes on.
    pub fn kept_head(&self) -> &Checkpoint {
        self.fork.checkpoints()[usize::from(!self.keeps_smaller)]
    }

    /// The last head of the other branch.
    pub fn other_head(&self) -> &Checkpoint {
        self.fork.checkpoints()[usize::from(self.keeps_smaller)]
    }

    /// The signed notes of the two heads: that which goes on, and the other one.
    pub fn notes(&self) -> (&SignedNote, &SignedNote) {
        let (smaller, larger) = self.fork.heads();
        if self.keeps_smaller { (smaller, larger) } else { (larger, smaller) }
    }

    /// Whether a head is one of the branch that does not go on, after the common records. `branch` is the root that this
    /// branch has at the head's size, where its records are at hand; `None` comes back if only they would tell.
    pub fn covers(&self, size: u64, root: &Hash, branch: Option<Hash>) -> Option<bool> {
        let other = self.other_head();
        if size == other.size {
            return Some(*root == other.root);
        }
        if size <= self.common || size > other.size || self.other_leaf.is_none() {
            return Some(false);
        }
        branch.map(|branch| branch == *root)
    }
}

/// Where a signed head of a log lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// On the log, or on a branch that the root has accepted: nothing speaks against it.
    Accepted,
    /// On neither: it is of a branch that no certificate names.
    Elsewhere,
    /// Records would tell that are not at hand.
    Unknown,
}

impl Lies {
    /// What two heads that contradict each other come to. If both are accepted, that is why they contradict each other.
    pub fn of_fork(heads: [Self; 2]) -> Self {
        match heads {
            [Self::Accepted, Self::Accepted] => Self::Accepted,
            [Self::Elsewhere, _] | [_, Self::Elsewhere] => Self::Elsewhere,
            _ => Self::Unknown,
        }
    }
}

/// Where a head of a log lies by the certificates that count in it: each with the root that its other branch has at the
/// head's size, and `own` that of the log itself, `None` where records are not at hand. `against` is a head that is proved
/// to contradict this one, if there is one: then they are not on one branch.
pub fn lies<'a>(
    head: &Checkpoint,
    own: Option<Hash>,
    against: Option<&Checkpoint>,
    certificates: impl IntoIterator<Item = (&'a Restart, Option<Hash>)>,
) -> Lies {
    let (mut own, mut unknown) = (own, false);
    for (restart, branch) in certificates {
        let other = restart.other_head();
        let apart = against.is_some_and(|against| against == other && against != head);
        match restart.covers(head.size, &head.root, branch) {
            Some(true) => return Lies::Accepted,
            None if !apart => unknown = true,
            _ => {}
        }
        if restart.kept_head().size == head.size {
            own = own.or(Some(restart.kept_head().root));
        }
    }
    match own {
        Some(own) if own == head.root => Lies::Accepted,
        Some(_) if !unknown => Lies::Elsewhere,
        _ => Lies::Unknown,
    }
}

fn keep(fields: &mut Fields) -> Result<bool, FieldError> {
    match fields.optional("keep") {
        None => Ok(false),
        Some(Value::String(which)) if which == "smaller" => Ok(true),
        Some(_) => Err(FieldError::Wrong { field: "keep", expected: "`smaller`, or nothing" }),
    }
}

fn other_leaf(fields: &mut Fields) -> Result<Option<Hash>, FieldError> {
    match fields.optional("other_leaf") {
        None => Ok(None),
        Some(value) => match value.as_str().and_then(Hash::from_hex) {
            Some(leaf) => Ok(Some(leaf)),
            None => Err(FieldError::Wrong { field: "other_leaf", expected: "a SHA-256 in hex" }),
        },
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
