//! Amendments: what changes the treaty file after the ledger has begun. Accession, withdrawal, addresses, the quorum.
//!
//! An amendment is a signed note by the root keys of parties, as many as the profile's `[amendment]` asks for. It has
//! a number and names the hash of the one before (the first one names the treaty file), so that they form one chain.
//! It proves itself: whoever has the treaty file can check the first one, and whoever has that, the second.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::canon::{self, Text};
use super::fields::{FieldError, Fields};
use super::time::Timestamp;
use super::treaty::{Party, Role, is_party_code};
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::tlog::Hash;

/// Longest text of an amendment, in bytes; the rest of a record's 65,535 is left to header and signatures.
pub const MAX_AMENDMENT_BYTES: usize = 40_000;
/// Most amendments of one treaty file.
pub const MAX_AMENDMENTS: usize = 256;
/// Most changes in one amendment.
const MAX_CHANGES: usize = 64;
/// Most lines of a quorum.
const MAX_QUORUM_LINES: usize = 256;
const VERSION: u64 = 1;

/// Whose signatures an amendment needs: the profile's table `[amendment]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmendmentRule {
    /// So many depositaries.
    #[serde(default)]
    pub depositaries: usize,
    /// This share of the state parties, more than a half of them: `2/3`, or `1/1` for all.
    pub share: Share,
}

/// A fraction above one half, at most 1, as `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share {
    above: usize,
    below: usize,
}

impl Share {
    /// How many of so many: rounded up.
    pub fn of(self, all: usize) -> usize {
        (all * self.above).div_ceil(self.below)
    }
}

impl TryFrom<String> for Share {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number =
            |text: &str| text.parse::<usize>().ok().filter(|n| (1..=1000).contains(n) && n.to_string() == text);
        let read = text.split_once('/').and_then(|(above, below)| Some((number(above)?, number(below)?)));
        match read {
            Some((above, below)) if above <= below && 2 * above > below => Ok(Self { above, below }),
            // With half of the parties or fewer, two amendments that exclude each other could both be valid.
            _ => Err("`share` is a fraction of more than a half, as \"2/3\", or \"1/1\" for all"),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        format!("{}/{}", share.above, share.below)
    }
}

/// Why a note is not the treaty's next amendment.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmendmentError {
    /// The envelope, or a signature by a party's root key that does not verify.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The profile has no `[amendment]`, or no profile was given.
    #[error("the treaty's profile does not say how the treaty file is amended (its table `[amendment]`)")]
    NoRule,
    /// It is for another ledger.
    #[error("the amendment is for another ledger (treaty file {0:?})")]
    Ledger(Hash),
    /// Its number or its predecessor is another one.
    #[error("it is amendment {found}, or builds on another one; the next one is number {next}")]
    Order {
        /// The number that would be next.
        next: usize,
        /// Its number.
        found: u64,
    },
    /// It is dated before the one that it builds on.
    #[error("it is dated before the amendment that it builds on")]
    Issued,
    /// It is dated more than a day ahead of the clock of the node that was to log it.
    #[error("it is dated {}, more than a day after now", .0.display())]
    Ahead(Timestamp),
    /// A change contradicts the treaty as it stands.
    #[error("change {at}: {what}")]
    Change {
        /// Which one, from 1.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// Signatures are missing.
    #[error("{0}")]
    Signatures(String),
    /// Two amendments of one number are known.
    #[error(
        "two amendments number {0} are known that the parties signed; neither holds, and no further one is taken up: \
         the parties have to agree on a new treaty file"
    )]
    Contested(usize),
    /// Over [`MAX_AMENDMENTS`].
    #[error("a treaty file has at most {MAX_AMENDMENTS} amendments")]
    TooMany,
}

/// One thing that an amendment changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A party more. Its root key signs too: nobody is made a party without its consent.
    Accede(Box<Party>),
    /// Where a party's node listens.
    Addresses {
        /// The party's code.
        party: String,
        /// libp2p addresses.
        addresses: Vec<String>,
    },
    /// Whose receipts make a note final: the lines `group …` and `quorum …`.
    Quorum(Vec<String>),
    /// What a party is, from a date on. Without the roles of a state party and of a depositary it is a former party.
    Status {
        /// The party's code.
        party: String,
        /// Its roles; none, if nothing is left.
        roles: Vec<Role>,
        /// Since when.
        from: Timestamp,
    },
}

/// An amendment's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// What changes, in this order.
    pub changes: Vec<Change>,
    /// When it was written, by the word of those who signed it.
    pub issued: Timestamp,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// Its number, from 1.
    pub number: u64,
    /// SHA-256 of the text of the amendment before; of the treaty file, for the first one.
    pub prev: Hash,
}

impl Amendment {
    /// The text for the root keys to sign.
    pub fn to_text(&self) -> String {
        let changes: Vec<Value> = self.changes.iter().map(Change::to_value).collect();
        canon::write(&json!({
            "action": "amend", "changes": changes, "issued": self.issued, "ledger": self.ledger,
            "number": self.number, "prev": self.prev, "v": VERSION,
        })) + "\n"
    }

    /// The hash by which the next amendment names this one: of its text, whoever signed it.
    pub fn hash(&self) -> Hash {
        Hash::digest(self.to_text().as_bytes())
    }

    /// Reads a text. Nothing is verified by that.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let mut fields = Fields::of_text(text, MAX_AMENDMENT_BYTES, Text::Plain)?;
        fields.text("action", "`amend`", |a| (a == "amend").then_some(()))?;
        let amendment = Self {
            changes: fields.array("changes", MAX_CHANGES, "an array of 1 to 64 changes", Change::of_value)?,
            issued: fields.time("issued")?,
            ledger: fields.hash("ledger")?,
            number: fields.integer("number")?,
            prev: fields.hash("prev")?,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        if amendment.changes.is_empty() {
            return Err(FieldError::Wrong { field: "changes", expected: "an array of 1 to 64 changes" });
        }
        Ok(amendment)
    }

    /// Reads a signed note's text as an amendment.
    pub fn of_note(bytes: &[u8]) -> Result<(SignedNote, Self), AmendmentError> {
        let note = SignedNote::parse(bytes)?;
        let amendment = Self::parse(note.text())?;
        Ok((note, amendment))
    }

    /// The entries of those who accede by it.
    pub fn acceding(&self) -> impl Iterator<Item = &Party> {
        self.changes.iter().filter_map(|change| match change {
            Change::Accede(party) => Some(&**party),
            _ => None,
        })
    }
}

/// Who has to sign, and who has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// Codes of the parties whose root signed.
    pub signed: Vec<String>,
    /// Of those that may sign, who has not.
    pub missing: Vec<String>,
    /// Signatures that are still needed, in words; empty if it is enough.
    pub needed: Vec<String>,
}

impl AmendmentRule {
    /// Counts root signatures. `may_sign` are the parties as they stand: code, root key, whether it is a depositary, a
    /// state party. A line by one of these keys, or by one that accedes, that does not verify is an error.
    pub(super) fn count<'a>(
        &self,
        note: &SignedNote,
        amendment: &Amendment,
        may_sign: impl Iterator<Item = (&'a str, &'a VerifierKey, bool, bool)>,
    ) -> Result<Signatures, NoteError> {
        let mut out = Signatures::default();
        let (mut parties, mut signed, mut depositaries) = (0, 0, 0);
        for (code, root, is_depositary, is_party) in may_sign {
            parties += usize::from(is_party);
            if note.signatures().iter().any(|line| line.is_by(root)) {
                note.verify(root)?;
                out.signed.push(code.to_owned());
                signed += usize::from(is_party);
                depositaries += usize::from(is_depositary);
            } else {
                out.missing.push(code.to_owned());
            }
        }
        let share = self.share.of(parties);
        if signed < share {
            out.needed.push(format!("{} more of the {parties} state parties", share - signed));
        }
        if depositaries < self.depositaries {
            out.needed.push(format!("{} more of the depositaries", self.depositaries - depositaries));
        }
        for party in amendment.acceding() {
            if note.signatures().iter().any(|line| line.is_by(&party.root)) {
                note.verify(&party.root)?;
                out.signed.push(party.code.clone());
            } else {
                out.needed.push(format!("{}, which accedes", party.code));
            }
        }
        Ok(out)
    }
}

impl Change {
    fn to_value(&self) -> Value {
        match self {
            Self::Accede(party) => json!({"change": "accede", "party": party}),
            Self::Addresses { party, addresses } => {
                json!({"addresses": addresses, "change": "addresses", "party": party})
            }
            Self::Quorum(lines) => json!({"change": "quorum", "lines": lines}),
            Self::Status { party, roles, from } => {
                json!({"change": "status", "from": from, "party": party, "roles": roles})
            }
        }
    }

    fn of_value(value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::of_value(value, "changes")?;
        let kind = fields.text("change", "`accede`, `addresses`, `quorum` or `status`", |k| Some(k.to_owned()))?;
        let texts = |fields: &mut Fields, field, max, expected| {
            let text = |v: Value| match v {
                Value::String(text) if text.len() <= 8192 => Ok(text),
                _ => Err(FieldError::Wrong { field, expected }),
            };
            fields.array(field, max, expected, text)
        };
        let code =
            |fields: &mut Fields| fields.text("party", "a party code", |c| is_party_code(c).then(|| c.to_owned()));
        let change = match kind.as_str() {
            "accede" => {
                let entry: Map<String, Value> = match fields.value("party")? {
                    Value::Object(entry) => entry,
                    _ => return Err(FieldError::Wrong { field: "party", expected: "a party's entry" }),
                };
                let party = serde_json::from_value(Value::Object(entry));
                Self::Accede(Box::new(party.map_err(|_| FieldError::Wrong {
                    field: "party",
                    expected: "a party's entry, with the fields of a `[[party]]` of the treaty file",
                })?))
            }
            "addresses" => {
                let addresses = texts(&mut fields, "addresses", 16, "an array of at most 16 addresses")?;
                Self::Addresses { party: code(&mut fields)?, addresses }
            }
            "quorum" => Self::Quorum(texts(&mut fields, "lines", MAX_QUORUM_LINES, "an array of at most 256 lines")?),
            "status" => {
                let expected = "an array of roles, none twice";
                let role =
                    |v: Value| serde_json::from_value(v).map_err(|_| FieldError::Wrong { field: "roles", expected });
                let roles: Vec<Role> = fields.array("roles", 3, expected, role)?;
                if (1..roles.len()).any(|at| roles[..at].contains(&roles[at])) {
                    return Err(FieldError::Wrong { field: "roles", expected });
                }
                Self::Status { party: code(&mut fields)?, roles, from: fields.time("from")? }
            }
            _ => {
                return Err(FieldError::Wrong {
                    field: "change",
                    expected: "`accede`, `addresses`, `quorum` or `status`",
                });
            }
        };
        fields.finish()?;
        Ok(change)
    }
}
