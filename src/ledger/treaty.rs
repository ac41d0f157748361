//! The treaty file: the root of trust, the same bytes at every party.
//!
//! Its SHA-256 is the ledger's identity: notifications name it, and the first record of every log chains to it. That
//! stays so when the treaty is amended: parties are added at the end and none is ever taken away, so that a party's
//! place, which numbers its log, is the same for good. `amended` has what amendments do.

use serde::{Deserialize, Serialize};

use super::amended::{State, StatusChange, Taken};
use super::amendment::AmendmentRule;
use crate::note::{KeyType, VerifierKey};
use crate::tlog::{Hash, Policy, PolicyError};

/// Longest treaty file, in bytes.
pub const MAX_TREATY_BYTES: usize = 1 << 20;
/// Most parties.
pub const MAX_PARTIES: usize = 256;

/// Why a treaty file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreatyError {
    /// Over 1 MiB.
    #[error("a treaty file is at most {MAX_TREATY_BYTES} bytes long")]
    TooLong,
    /// Not TOML, a missing or unknown field, or a key that was not admitted; the message has line and column.
    #[error("{0}")]
    Toml(String),
    /// A party's entry contradicts itself or another one.
    #[error("party {code}: {what}")]
    Party {
        /// The party's code.
        code: String,
        /// What is wrong.
        what: String,
    },
    /// The ledger's name, version or number of parties.
    #[error("{0}")]
    Ledger(String),
    /// The quorum text.
    #[error("`quorum`: {0}")]
    Quorum(#[from] PolicyError),
}

/// What a party is in the treaty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Bound by the treaty.
    StateParty,
    /// Keeps the treaty; receives and circulates notices.
    Depositary,
    /// Reads and receipts, sends nothing that binds.
    Observer,
}

/// One party's entry: its code, its names, its public keys and where its node listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// ISO 3166 code, or a short name in capitals for an organisation.
    pub code: String,
    /// Name, for people.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Signs credentials; kept offline. Named `<ledger>/<code>/root`.
    pub root: VerifierKey,
    /// Signs checkpoints. Named `<ledger>/<code>`, the log's origin.
    pub log: VerifierKey,
    /// Cosigns others' checkpoints. Named `<ledger>/<code>/witness`.
    pub witness: VerifierKey,
    /// libp2p peer id of its node.
    pub peer: String,
    /// libp2p addresses of its node.
    pub addresses: Vec<String>,
}

/// The file's fields, as they are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreatyFile {
    /// Format version: 1.
    pub version: u32,
    /// The ledger's name, as `open-skies`: first part of every log's origin.
    pub name: String,
    /// The treaty's title, for people.
    pub title: String,
    /// SHA-256 of the profile file.
    pub profile_sha256: Hash,
    /// The lines `group …` and `quorum …` of a C2SP tlog-policy; witnesses are the parties, by code.
    pub quorum: String,
    /// The parties. Their order numbers the logs.
    #[serde(default, rename = "party")]
    pub parties: Vec<Party>,
}

/// A checked treaty file, with the amendments that are known of it.
#[derive(Clone, Debug)]
pub struct Treaty {
    pub(super) file: TreatyFile,
    /// Those of the file, then those that acceded.
    pub(super) parties: Vec<Party>,
    pub(super) origins: Vec<String>,
    hash: Hash,
    /// By number of amendments: how the treaty stands with them.
    pub(super) states: Vec<State>,
    pub(super) statuses: Vec<StatusChange>,
    pub(super) taken: Vec<Taken>,
    /// Who has to sign an amendment, by the profile.
    pub(super) rule: Option<AmendmentRule>,
    /// The number of which two amendments are known, and the second one.
    pub(super) contested: Option<(usize, Vec<u8>)>,
}

/// Party codes: two to eight capitals and digits, a letter first.
pub fn is_party_code(text: &str) -> bool {
    (2..=8).contains(&text.len())
        && text.as_bytes()[0].is_ascii_uppercase()
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Whether a text can be a libp2p peer id. It is read where libp2p is: here only that it is not something else altogether.
pub fn is_peer_id(text: &str) -> bool {
    (46..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Ledger names: lower-case words with hyphens and dots, at most 64 bytes, a letter first.
pub fn is_ledger_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.as_bytes()[0].is_ascii_lowercase()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

impl Party {
    /// Reads a party file: the same fields as a `[[party]]` of the treaty file.
    pub fn from_toml(text: &str) -> Result<Self, TreatyError> {
        toml::from_str(text).map_err(|e| TreatyError::Toml(e.to_string()))
    }

    /// Checks one entry by itself.
    fn check(&self, ledger: &str) -> Result<(), String> {
        if !is_party_code(&self.code) {
            return Err("a code is two to eight capitals or digits, as `CA`".into());
        }
        if self.name.is_empty() || self.name.len() > 200 || super::canon::check_plain(&self.name).is_err() {
            return Err("`name` is empty, too long or has invisible characters".into());
        }
        if self.roles.is_empty() {
            return Err("`roles` is empty".into());
        }
        let origin = format!("{ledger}/{}", self.code);
        let keys = [
            ("root", &self.root, format!("{origin}/root"), KeyType::Ed25519),
            ("log", &self.log, origin.clone(), KeyType::Ed25519),
            ("witness", &self.witness, format!("{origin}/witness"), KeyType::Cosignature),
        ];
        for (field, key, name, kind) in keys {
            if key.name() != name {
                return Err(format!("the `{field}` key is named {}, and should be named {name}", key.name()));
            }
            if key.kind() != kind {
                return Err(format!(
                    "the `{field}` key is of type 0x{:02x}, not 0x{:02x}",
                    key.kind() as u8,
                    kind as u8
                ));
            }
        }
        if !is_peer_id(&self.peer) {
            return Err("`peer` is not a libp2p peer id (12D3KooW…)".into());
        }
        check_addresses(&self.addresses)
    }
}

impl Treaty {
    /// Reads and checks a treaty file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, TreatyError> {
        if bytes.len() > MAX_TREATY_BYTES {
            return Err(TreatyError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| TreatyError::Toml(format!("not UTF-8: {e}")))?;
        let file: TreatyFile = toml::from_str(text).map_err(|e| TreatyError::Toml(e.to_string()))?;
        Self::check(file, Hash::digest(bytes))
    }

    fn check(file: TreatyFile, hash: Hash) -> Result<Self, TreatyError> {
        if file.version != 1 {
            return Err(TreatyError::Ledger(format!("`version` {} is not known; this program knows 1", file.version)));
        }
        if !is_ledger_name(&file.name) {
            return Err(TreatyError::Ledger("`name` is lower-case words with hyphens, as `open-skies`".into()));
        }
        if file.parties.is_empty() || file.parties.len() > MAX_PARTIES {
            return Err(TreatyError::Ledger(format!("a treaty has 1 to {MAX_PARTIES} parties")));
        }
        check_parties(&file.name, &file.parties, 0)?;
        let policy = Policy::parse(&policy_text(&file.parties, &file.quorum))?;
        let origins = file.parties.iter().map(|p| format!("{}/{}", file.name, p.code)).collect();
        let (parties, rule) = (file.parties.clone(), None);
        let states = vec![State { policy, parties: parties.len() }];
        let (statuses, taken, contested) = (Vec::new(), Vec::new(), None);
        Ok(Self { file, parties, origins, hash, states, statuses, taken, rule, contested })
    }

    /// SHA-256 of the file: the ledger's identity.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The file's fields.
    pub fn file(&self) -> &TreatyFile {
        &self.file
    }

    /// The parties, in the file's order; then those that acceded. Former parties stay among them.
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// A party by its place, which must be one of [`Treaty::parties`].
    pub fn party(&self, at: usize) -> &Party {
        &self.parties[at]
    }

    /// Whether a name is that of a party's log or begins as those of its keys do.
    pub fn is_partys_name(&self, name: &str) -> bool {
        let rest = |log| name.strip_prefix(self.origin(log));
        (0..self.parties().len()).filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The log origin of a party by its place.
    pub fn origin(&self, at: usize) -> &str {
        &self.origins[at]
    }

    /// The place of a party by its code.
    pub fn find(&self, code: &str) -> Option<usize> {
        self.parties.iter().position(|p| p.code == code)
    }

    /// The place of the party whose log has this origin.
    pub fn log_of_origin(&self, origin: &str) -> Option<usize> {
        self.origins.iter().position(|o| o == origin)
    }

    /// The whole policy of the treaty file, as a C2SP tlog-policy file; amendments are not in it.
    pub fn policy_text(&self) -> String {
        policy_text(&self.file.parties, &self.file.quorum)
    }
}

/// Checks parties from a place on, each by itself and against all before it.
pub(super) fn check_parties(ledger: &str, parties: &[Party], from: usize) -> Result<(), TreatyError> {
    for (at, party) in parties.iter().enumerate().skip(from) {
        let fail = |what| TreatyError::Party { code: party.code.clone(), what };
        party.check(ledger).map_err(fail)?;
        for other in &parties[..at] {
            if other.code == party.code {
                return Err(fail("this code stands in the file twice".into()));
            }
            if other.peer == party.peer {
                return Err(fail(format!("its peer id is also that of {}", other.code)));
            }
        }
        // One key, one job: the formats do not separate their domains for us.
        let all =
            parties[..=at].iter().flat_map(|p| [("root", p, &p.root), ("log", p, &p.log), ("witness", p, &p.witness)]);
        let all: Vec<_> = all.collect();
        for (i, (job, owner, key)) in all.iter().enumerate() {
            if let Some((other_job, other, _)) = all[..i].iter().find(|(_, _, k)| k.public() == key.public()) {
                let what = format!("its {job} key is also the {other_job} key of {}", other.code);
                return Err(TreatyError::Party { code: owner.code.clone(), what });
            }
        }
    }
    Ok(())
}

pub(super) fn policy_text(parties: &[Party], quorum: &str) -> String {
    let mut out = String::new();
    for party in parties {
        out.push_str(&format!("log {}\nwitness {} {}\n", party.log, party.code, party.witness));
    }
    out + quorum
}

/// Whether addresses are in form, as far as can be said without libp2p.
pub(super) fn check_addresses(addresses: &[String]) -> Result<(), String> {
    if addresses.len() > 16 || addresses.iter().any(|a| !a.starts_with('/') || a.len() > 256) {
        return Err("`addresses` are at most 16 libp2p addresses, as /ip4/192.0.2.1/udp/4001/quic-v1".into());
    }
    Ok(())
}
