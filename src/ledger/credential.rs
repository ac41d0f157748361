//! Credentials: what a party's root key says about the party's other keys, as records in its log.
//!
//! The root grants officials their keys, revokes such a grant, and replaces the party's log, witness or transport key
//! by another one. A record with an action that this version does not know stays in the log and is shown as such; it
//! changes nothing.

use serde_json::{Value, json};

use super::canon::{self, Text};
use super::fields::{FieldError, Fields};
use super::notification::is_kind_name;
use super::time::Timestamp;
use super::treaty::{Party, is_party_code, is_peer_id};
use crate::note::{KeyType, NoteError, SignedNote, SigningKey, VerifierKey};
use crate::tlog::Hash;

/// Longest text of a credential, in bytes.
const MAX_TEXT_BYTES: usize = 16_384;
/// Longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 1_000;
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
    /// The key's name does not belong to the party, or not to this job.
    #[error("the key should be named {expected}; this one is named {found}")]
    KeyName {
        /// What the name should be, or begin with.
        expected: String,
        /// The key's name.
        found: String,
    },
    /// A revocation or a rotation carries another signature than the root's.
    #[error("a revocation or a rotation carries the root's signature and no other")]
    OtherSignatures,
}

/// A key with one job, which the treaty file names and the root can replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Job {
    /// Signs the log's heads.
    Log,
    /// Cosigns others' heads.
    Witness,
    /// The node's libp2p identity.
    Transport,
}

impl Job {
    /// The word in a credential.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Witness => "witness",
            Self::Transport => "transport",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Log, Self::Witness, Self::Transport].into_iter().find(|job| job.as_str() == word)
    }
}

/// A new key for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// A log key.
    Log(VerifierKey),
    /// A witness key.
    Witness(VerifierKey),
    /// A libp2p peer id.
    Transport(String),
}

impl NewKey {
    /// Its job.
    pub fn job(&self) -> Job {
        match self {
            Self::Log(_) => Job::Log,
            Self::Witness(_) => Job::Witness,
            Self::Transport(_) => Job::Transport,
        }
    }

    /// The verifier key, but for a peer id.
    pub fn verifier(&self) -> Option<&VerifierKey> {
        match self {
            Self::Log(key) | Self::Witness(key) => Some(key),
            Self::Transport(_) => None,
        }
    }
}

impl std::fmt::Display for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(key) | Self::Witness(key) => key.fmt(f),
            Self::Transport(peer) => f.write_str(peer),
        }
    }
}

/// A grant: this key may sign notifications of these kinds for the party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The first moment at which a note may be logged with it.
    pub from: Option<Timestamp>,
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
    /// The last moment at which a note may be logged with it.
    pub until: Option<Timestamp>,
}

/// A revocation: what an official's key signs counts no longer, in records after this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When the root says it was issued.
    pub issued: Timestamp,
    /// The official's key.
    pub key: VerifierKey,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// The party's code.
    pub party: String,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A rotation: another key does this job from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When the root says it was issued.
    pub issued: Timestamp,
    /// The new key.
    pub key: NewKey,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// The old key is lost, or somebody else may have it: it has no part in the change.
    pub lost: bool,
    /// The party's code.
    pub party: String,
    /// Why, for people.
    pub reason: Option<String>,
}

/// Anything that a party's root says about its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An official's key.
    Grant(Grant),
    /// An end to that.
    Revoke(Revocation),
    /// Another key for one of the party's own jobs.
    Rotate(Rotation),
}

impl Grant {
    /// The text for the root to sign.
    pub fn to_text(&self) -> String {
        let mut value = json!({
            "action": "grant", "issued": self.issued, "key": self.key, "kinds": self.kinds, "ledger": self.ledger,
            "party": self.party, "title": self.title, "v": VERSION,
        });
        for (field, time) in [("from", self.from), ("until", self.until)] {
            if let Some(time) = time {
                value[field] = json!(time);
            }
        }
        canon::write(&value) + "\n"
    }

    /// Reads a grant and verifies that the party's root signed it for this ledger.
    pub fn verify(bytes: &[u8], party: &Party, origin: &str, ledger: &Hash) -> Result<Self, CredentialError> {
        match Credential::verify(bytes, party, origin, ledger)? {
            Credential::Grant(grant) => Ok(grant),
            _ => Err(FieldError::Wrong { field: "action", expected: "`grant`" }.into()),
        }
    }

    /// Whether the key may sign notifications of a kind.
    pub fn allows(&self, kind: &str) -> bool {
        self.kinds.iter().any(|k| k == "*" || k == kind)
    }

    /// Whether a note may be logged with it at a time.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until)
    }

    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let expected = "an array of 1 to 256 kinds or `*`";
        let kind = |v: Value| {
            let kind = v.as_str().filter(|k| *k == "*" || is_kind_name(k)).map(str::to_owned);
            kind.ok_or(FieldError::Wrong { field: "kinds", expected })
        };
        let grant = Self {
            from: optional_time(&mut fields, "from")?,
            issued: fields.time("issued")?,
            key: vkey(&mut fields, KeyType::Ed25519)?,
            kinds: fields.array("kinds", 256, expected, kind)?,
            ledger: fields.hash("ledger")?,
            party: party_code(&mut fields)?,
            title: fields
                .text("title", "a title of 1 to 200 bytes", |t| (1..=200).contains(&t.len()).then(|| t.to_owned()))?,
            until: optional_time(&mut fields, "until")?,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        if grant.kinds.is_empty() {
            return Err(FieldError::Wrong { field: "kinds", expected });
        }
        if grant.from.zip(grant.until).is_some_and(|(from, until)| until < from) {
            return Err(FieldError::Wrong { field: "until", expected: "a time not before `from`" });
        }
        Ok(grant)
    }
}

impl Revocation {
    /// The text for the root to sign.
    pub fn to_text(&self) -> String {
        let mut value = json!({
            "action": "revoke", "issued": self.issued, "key": self.key, "ledger": self.ledger, "party": self.party,
            "v": VERSION,
        });
        if let Some(reason) = &self.reason {
            value["reason"] = json!(reason);
        }
        canon::write(&value) + "\n"
    }

    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let revocation = Self {
            issued: fields.time("issued")?,
            key: vkey(&mut fields, KeyType::Ed25519)?,
            ledger: fields.hash("ledger")?,
            party: party_code(&mut fields)?,
            reason: reason(&mut fields)?,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        Ok(revocation)
    }
}

impl Rotation {
    /// The text for the root to sign.
    pub fn to_text(&self) -> String {
        let mut value = json!({
            "action": "rotate", "issued": self.issued, "job": self.key.job().as_str(), "key": self.key.to_string(),
            "ledger": self.ledger, "old": if self.lost { "lost" } else { "retired" }, "party": self.party,
            "v": VERSION,
        });
        if let Some(reason) = &self.reason {
            value["reason"] = json!(reason);
        }
        canon::write(&value) + "\n"
    }

    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let job = fields.text("job", "`log`, `witness` or `transport`", Job::parse)?;
        let rotation = Self {
            issued: fields.time("issued")?,
            key: match job {
                Job::Log => NewKey::Log(vkey(&mut fields, KeyType::Ed25519)?),
                Job::Witness => NewKey::Witness(vkey(&mut fields, KeyType::Cosignature)?),
                Job::Transport => NewKey::Transport(
                    fields.text("key", "a libp2p peer id", |peer| is_peer_id(peer).then(|| peer.to_owned()))?,
                ),
            },
            ledger: fields.hash("ledger")?,
            lost: fields.text("old", "`retired` or `lost`", |word| match word {
                "retired" => Some(false),
                "lost" => Some(true),
                _ => None,
            })?,
            party: party_code(&mut fields)?,
            reason: reason(&mut fields)?,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        Ok(rotation)
    }
}

impl Credential {
    /// The text for the root to sign.
    pub fn to_text(&self) -> String {
        match self {
            Self::Grant(grant) => grant.to_text(),
            Self::Revoke(revocation) => revocation.to_text(),
            Self::Rotate(rotation) => rotation.to_text(),
        }
    }

    /// Signs it with the party's root key.
    pub fn sign(&self, root: &SigningKey) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(self.to_text())?;
        note.sign(root);
        Ok(note)
    }

    /// Reads a credential and verifies that the party's root signed it for this ledger.
    pub fn verify(bytes: &[u8], party: &Party, origin: &str, ledger: &Hash) -> Result<Self, CredentialError> {
        let note = SignedNote::parse(bytes)?;
        note.verify(&party.root)?;
        let credential = Self::read(note.text())?;
        let (of_ledger, of_party) = match &credential {
            Self::Grant(grant) => (&grant.ledger, &grant.party),
            Self::Revoke(revocation) => (&revocation.ledger, &revocation.party),
            Self::Rotate(rotation) => (&rotation.ledger, &rotation.party),
        };
        if of_ledger != ledger {
            return Err(CredentialError::Ledger(*of_ledger));
        }
        if *of_party != party.code {
            return Err(CredentialError::Party(of_party.clone()));
        }
        let named = |key: &VerifierKey, expected: String, fits: bool| match fits {
            true => Ok(()),
            false => Err(CredentialError::KeyName { expected, found: key.name().to_owned() }),
        };
        match &credential {
            Self::Grant(Grant { key, .. }) | Self::Revoke(Revocation { key, .. }) => {
                let rest = key.name().strip_prefix(origin);
                named(key, format!("{origin}/…"), rest.is_some_and(|rest| rest.starts_with('/') && rest.len() > 1))?;
            }
            Self::Rotate(Rotation { key: NewKey::Log(key), .. }) => {
                named(key, origin.to_owned(), key.name() == origin)?;
            }
            Self::Rotate(Rotation { key: NewKey::Witness(key), .. }) => {
                let expected = format!("{origin}/witness");
                let fits = key.name() == expected;
                named(key, expected, fits)?;
            }
            Self::Rotate(Rotation { key: NewKey::Transport(_), .. }) => {}
        }
        // Grants were always read with further lines; of what is new, nobody has to guess what another line means.
        if !matches!(credential, Self::Grant(_)) && note.signatures().len() != 1 {
            return Err(CredentialError::OtherSignatures);
        }
        Ok(credential)
    }

    /// Whose credential a note says to be; nothing is verified.
    pub(super) fn party_of(note: &[u8]) -> Option<String> {
        let note = SignedNote::parse(note).ok()?;
        Some(match Self::read(note.text()).ok()? {
            Self::Grant(grant) => grant.party,
            Self::Revoke(revocation) => revocation.party,
            Self::Rotate(rotation) => rotation.party,
        })
    }

    fn read(text: &str) -> Result<Self, FieldError> {
        let mut fields = Fields::of_text(text, MAX_TEXT_BYTES, Text::Plain)?;
        let read = fields.text("action", "`grant`, `revoke` or `rotate`", |action| {
            Some(match action {
                "grant" => (|fields| Grant::read(fields).map(Self::Grant)) as fn(Fields) -> _,
                "revoke" => |fields| Revocation::read(fields).map(Self::Revoke),
                "rotate" => |fields| Rotation::read(fields).map(Self::Rotate),
                _ => return None,
            })
        })?;
        read(fields)
    }
}

fn vkey(fields: &mut Fields, kind: KeyType) -> Result<VerifierKey, FieldError> {
    let expected = match kind {
        KeyType::Ed25519 => "an Ed25519 key as name+hash+base64",
        KeyType::Cosignature => "a cosignature key as name+hash+base64",
    };
    fields.text("key", expected, |text| VerifierKey::parse(text).ok().filter(|key| key.kind() == kind))
}

fn party_code(fields: &mut Fields) -> Result<String, FieldError> {
    fields.text("party", "a party code", |code| is_party_code(code).then(|| code.to_owned()))
}

fn optional_time(fields: &mut Fields, field: &'static str) -> Result<Option<Timestamp>, FieldError> {
    let expected = "a time as 2021-06-18T09:00:00Z";
    match fields.optional(field) {
        None => Ok(None),
        Some(value) => match value.as_str().and_then(Timestamp::parse) {
            Some(time) => Ok(Some(time)),
            None => Err(FieldError::Wrong { field, expected }),
        },
    }
}

fn reason(fields: &mut Fields) -> Result<Option<String>, FieldError> {
    match fields.optional("reason") {
        None => Ok(None),
        Some(Value::String(text)) if (1..=MAX_REASON_BYTES).contains(&text.len()) => Ok(Some(text)),
        Some(_) => Err(FieldError::Wrong { field: "reason", expected: "a text of 1 to 1,000 bytes" }),
    }
}
