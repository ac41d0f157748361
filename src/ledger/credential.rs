//! Credentials: what a party's root key says about the party's other keys, as records in its log.
//!
//! Today the root grants officials their keys. `action` leaves room for rotation and revocation: a record with an
//! action that this version does not know stays in the log and is shown as such; it grants nothing.

use serde_json::{Value, json};

use super::canon::{self, Text};
use super::fields::{FieldError, Fields};
use super::notification::is_kind_name;
use super::record::{Record, RecordType};
use super::time::Timestamp;
use super::treaty::{Party, is_party_code};
use crate::note::{KeyType, NoteError, SignedNote, VerifierKey};
use crate::tlog::Hash;

/// Longest text of a credential, in bytes.
const MAX_TEXT_BYTES: usize = 16_384;
const VERSION: u64 = 1;

/// Why a note is not a credential of the party.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialError {
    /// Envelope or the root's signature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It is for another ledger.
    #[error("the credential is for another ledger (treaty file {0:?})")]
    Ledger(Hash),
    /// It is for another party.
    #[error("the credential is of party {0}")]
    Party(String),
    /// The key's name does not belong to the party.
    #[error("an official's key is named {expected}/…; this one is named {found}")]
    KeyName {
        /// The log's origin.
        expected: String,
        /// The key's name.
        found: String,
    },
}

/// A grant: this key may sign notifications of these kinds for the party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// When the root says it was issued.
    pub issued: Timestamp,
    /// The official's key.
    pub key: VerifierKey,
    /// Kinds that it may sign; `*` for all.
    pub kinds: Vec<String>,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// The party's code.
    pub party: String,
    /// The official's title, for people.
    pub title: String,
}

impl Grant {
    /// The text for the root to sign.
    pub fn to_text(&self) -> String {
        canon::write(&json!({
            "action": "grant", "issued": self.issued, "key": self.key, "kinds": self.kinds, "ledger": self.ledger,
            "party": self.party, "title": self.title, "v": VERSION,
        })) + "\n"
    }

    /// Reads a credential and verifies that the party's root signed it for this ledger.
    pub fn verify(bytes: &[u8], party: &Party, origin: &str, ledger: &Hash) -> Result<Self, CredentialError> {
        let note = SignedNote::parse(bytes)?;
        note.verify(&party.root)?;
        let grant = Self::parse(note.text())?;
        if grant.ledger != *ledger {
            return Err(CredentialError::Ledger(grant.ledger));
        }
        if grant.party != party.code {
            return Err(CredentialError::Party(grant.party));
        }
        if !grant.key.name().strip_prefix(origin).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1) {
            return Err(CredentialError::KeyName { expected: origin.to_owned(), found: grant.key.name().to_owned() });
        }
        Ok(grant)
    }

    fn parse(text: &str) -> Result<Self, FieldError> {
        let mut fields = Fields::of_text(text, MAX_TEXT_BYTES, Text::Plain)?;
        fields.text("action", "`grant` (all that this version knows)", |a| (a == "grant").then_some(()))?;
        let expected = "an array of 1 to 256 kinds or `*`";
        let kind = |v: Value| {
            let kind = v.as_str().filter(|k| *k == "*" || is_kind_name(k)).map(str::to_owned);
            kind.ok_or(FieldError::Wrong { field: "kinds", expected })
        };
        let key = |text: &str| VerifierKey::parse(text).ok().filter(|key| key.kind() == KeyType::Ed25519);
        let grant = Self {
            issued: fields.time("issued")?,
            key: fields.text("key", "an Ed25519 key as name+hash+base64", key)?,
            kinds: fields.array("kinds", 256, expected, kind)?,
            ledger: fields.hash("ledger")?,
            party: fields.text("party", "a party code", |c| is_party_code(c).then(|| c.to_owned()))?,
            title: fields
                .text("title", "a title of 1 to 200 bytes", |t| (1..=200).contains(&t.len()).then(|| t.to_owned()))?,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        if grant.kinds.is_empty() { Err(FieldError::Wrong { field: "kinds", expected }) } else { Ok(grant) }
    }

    /// Whether the key may sign notifications of a kind.
    pub fn allows(&self, kind: &str) -> bool {
        self.kinds.iter().any(|k| k == "*" || k == kind)
    }
}

/// The credentials of one party's log, in the order in which they took effect.
#[derive(Clone, Debug, Default)]
pub struct Credentials(Vec<(u64, Grant)>);

impl Credentials {
    /// Takes in a record of the party's log; what is not a valid credential changes nothing.
    pub fn apply(&mut self, record: &Record<'_>, party: &Party, ledger: &Hash) {
        if record.kind == RecordType::Credential
            && let Ok(grant) = Grant::verify(record.payload, party, record.log, ledger)
        {
            self.0.push((record.index, grant));
        }
    }

    /// Takes back what was taken in of the records from `index` on.
    pub fn forget_from(&mut self, index: u64) {
        self.0.retain(|(at, _)| *at < index);
    }

    /// Grants in force for the record at `index`: those logged before it, each with its place.
    pub fn before(&self, index: u64) -> impl Iterator<Item = (u64, &Grant)> {
        self.0.iter().filter(move |(at, _)| *at < index).map(|(at, grant)| (*at, grant))
    }

    /// All grants, each with its place.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Grant)> {
        self.before(u64::MAX)
    }
}
