//! Public halves: `NAME.pub` beside `NAME.key`. An optional line `# title`, then one vkey or peer id.

use std::path::{Path, PathBuf};

use super::{KeyFileError, disk, peer_key};
use crate::ledger::canon::check_plain;
use crate::note::VerifierKey;

/// A public key as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Of a key that signs.
    Verifier(VerifierKey),
    /// The peer id of a transport key.
    Peer(String),
}

/// A public key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    /// What the key is for, or its owner's title.
    pub title: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// Where the public half of a key file lies.
pub fn public_path(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

/// Writes the public half. Never overwrites.
pub fn create_public(path: &Path, public: &Public) -> Result<(), KeyFileError> {
    let title = public.title.as_ref().map(|title| format!("# {title}\n")).unwrap_or_default();
    let key = match &public.key {
        PublicKey::Verifier(key) => key.to_string(),
        PublicKey::Peer(id) => id.clone(),
    };
    disk::create_new(path, 0o644, format!("{title}{key}\n").as_bytes())
}

/// Reads a public key file.
pub fn load_public(path: &Path) -> Result<Public, KeyFileError> {
    let (bytes, _) = disk::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyFileError::malformed(path, "it is not UTF-8"))?;
    let (comments, keys): (Vec<_>, Vec<_>) =
        text.lines().filter(|line| !line.is_empty()).partition(|line| line.starts_with('#'));
    let [key] = keys.as_slice() else {
        return Err(KeyFileError::malformed(path, "a public key file has one key"));
    };
    let key = match peer_key(key) {
        Some(_) => PublicKey::Peer((*key).to_owned()),
        None => PublicKey::Verifier(VerifierKey::parse(key).map_err(|e| KeyFileError::malformed(path, e.to_string()))?),
    };
    let title = comments.first().map(|line| line.trim_start_matches('#').trim().to_owned());
    // Such files are sent around, and the title is shown on screen and signed in grants.
    if title.as_ref().is_some_and(|title| check_plain(title).is_err()) {
        return Err(KeyFileError::malformed(path, "its title has invisible characters"));
    }
    Ok(Public { title: title.filter(|title| !title.is_empty()), key })
}
