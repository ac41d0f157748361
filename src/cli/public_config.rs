//! `[public]` of `verbale.toml`: what this node shows to everybody, whose logs it witnesses, and who witnesses its own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use crate::note::{KeyType, VerifierKey};

/// Most logs witnessed, and most outside witnesses.
const MAX_LOGS: usize = 1024;
const MAX_WITNESSES: usize = 16;

/// The fields of `[public]`. Without `listen` nothing is served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicConfig {
    /// Address and port to serve HTTP on. Default: none.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// What stands before the ledger's name in the URL's path. Default: nothing.
    #[serde(default)]
    pub prefix: String,
    /// Codes of the parties whose logs are shown. Default: all.
    #[serde(default)]
    pub logs: Vec<String>,
    /// Connections at once, 1 to 10,000. Default: 256.
    #[serde(default = "default_connections")]
    pub max_connections: usize,
    /// Requests a second that one address may make, 1 to 100,000. Default: 100.
    #[serde(default = "default_rate")]
    pub requests_per_second: u32,
    /// The address of the reverse proxy in front of it, whose `X-Forwarded-For` says who asks. Default: none.
    #[serde(default)]
    pub trusted_proxy: Option<IpAddr>,
    /// The folder for what is kept about other logs and by outside witnesses. Default: `public`.
    #[serde(default = "default_state")]
    pub state: PathBuf,
    /// The key with which logs outside the ledger are cosigned. Default: none, and none are.
    #[serde(default)]
    pub witness_key: Option<PathBuf>,
    /// Logs outside the ledger that this node witnesses.
    #[serde(default, rename = "log")]
    pub witnessed: Vec<WitnessedLog>,
    /// Outside witnesses of this party's log.
    #[serde(default, rename = "witness")]
    pub witnesses: Vec<OutsideWitness>,
}

/// A log outside the ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessedLog {
    /// Its key.
    pub vkey: VerifierKey,
    /// The first line of its checkpoints. Default: the key's name.
    #[serde(default)]
    pub origin: Option<String>,
}

/// A witness outside the ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideWitness {
    /// Its submission prefix: what stands before `/add-checkpoint`.
    pub url: String,
    /// Its key.
    pub vkey: VerifierKey,
}

fn default_connections() -> usize {
    256
}

fn default_rate() -> u32 {
    100
}

fn default_state() -> PathBuf {
    "public".into()
}

impl PublicConfig {
    /// What is wrong with a value.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
        let prefix = &self.prefix;
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/') || !prefix.chars().all(is_word)) {
            return Err("field `public.prefix`: a path as \"/ledgers\", without a slash at its end".into());
        }
        if !(1..=10_000).contains(&self.max_connections) {
            return Err("field `public.max_connections`: 1 to 10000".into());
        }
        if !(1..=100_000).contains(&self.requests_per_second) {
            return Err("field `public.requests_per_second`: 1 to 100000".into());
        }
        if self.witnessed.len() > MAX_LOGS {
            return Err(format!("`[[public.log]]`: at most {MAX_LOGS} logs"));
        }
        if self.witnesses.len() > MAX_WITNESSES {
            return Err(format!("`[[public.witness]]`: at most {MAX_WITNESSES} witnesses"));
        }
        if self.witness_key.is_none() && !self.witnessed.is_empty() {
            return Err("field `public.witness_key`: other logs are cosigned with a key of its own; make one with \
                        `verbale keys outside`"
                .into());
        }
        for (at, log) in self.witnessed.iter().enumerate() {
            if log.vkey.kind() != KeyType::Ed25519 {
                return Err(format!("`[[public.log]]`: {} is not a log's key (Ed25519, type 0x01)", log.vkey.name()));
            }
            let origin = log.origin();
            if origin.is_empty() || origin.len() > 1024 || origin.contains('\n') {
                return Err("`[[public.log]]`: an `origin` is one line of at most 1024 bytes".into());
            }
            if self.witnessed[..at].iter().any(|other| other.origin() == origin) {
                return Err(format!("`[[public.log]]`: {origin} stands there twice"));
            }
        }
        for (at, witness) in self.witnesses.iter().enumerate() {
            if witness.vkey.kind() != KeyType::Cosignature {
                let name = witness.vkey.name();
                return Err(format!("`[[public.witness]]`: {name} is not a witness's key (type 0x04)"));
            }
            if !witness.url.starts_with("https://") && !witness.url.starts_with("http://") {
                return Err(format!("`[[public.witness]]`: {} is not an http or https address", witness.url));
            }
            if self.witnesses[..at].iter().any(|other| other.vkey.public() == witness.vkey.public()) {
                return Err(format!("`[[public.witness]]`: {} stands there twice", witness.vkey.name()));
            }
        }
        Ok(())
    }
}

impl WitnessedLog {
    /// The first line of its checkpoints.
    pub fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or(self.vkey.name())
    }
}
