//! Where a passphrase comes from.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use super::{KeyFileError, disk};

/// Longest passphrase, in bytes.
const MAX_BYTES: usize = 1024;
/// scrypt work factor, as a power of two: 256 MiB of memory and about a second, as the `age` program takes.
const WORK: u8 = 18;
/// Largest work factor accepted on reading: 1 GiB of memory.
const MAX_WORK: u8 = 20;
const VARIABLE: &str = "VERBALE_PASSPHRASE";

/// A passphrase that is fetched when first needed, and once only: from a file if one is named, else from the
/// environment (`VERBALE_PASSPHRASE`), else from the person at the terminal.
///
/// Plain key files never ask for it.
pub struct Passphrase {
    file: Option<PathBuf>,
    known: OnceLock<SecretString>,
}

impl Passphrase {
    /// From this file if one is named, else from the environment or the terminal.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, known: OnceLock::new() }
    }

    /// This one.
    pub fn of(text: &str) -> Self {
        Self { file: None, known: OnceLock::from(SecretString::from(text)) }
    }

    /// The passphrase of an existing key file.
    pub(super) fn open(&self, path: &Path) -> Result<SecretString, KeyFileError> {
        self.get(|| ask(&format!("Passphrase of {}: ", path.display())))
    }

    /// The passphrase of key files to be made; a person types it twice.
    pub fn choose(&self) -> Result<SecretString, KeyFileError> {
        self.get(|| {
            let first = ask("New passphrase for the keys: ")?;
            if *first != *ask("The same once more: ")? {
                return Err(KeyFileError::Passphrase("the two passphrases differ; nothing was written".into()));
            }
            Ok(first)
        })
    }

    fn get(&self, ask: impl FnOnce() -> Result<Zeroizing<String>, KeyFileError>) -> Result<SecretString, KeyFileError> {
        if let Some(known) = self.known.get() {
            return Ok(known.clone());
        }
        let text = match (&self.file, std::env::var(VARIABLE)) {
            (Some(file), _) => from_file(file)?,
            (None, Ok(text)) => Zeroizing::new(text),
            (None, Err(std::env::VarError::NotPresent)) => ask()?,
            (None, Err(_)) => return Err(KeyFileError::Passphrase(format!("{VARIABLE} is not UTF-8"))),
        };
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(KeyFileError::Passphrase(format!("a passphrase has 1 to {MAX_BYTES} bytes")));
        }
        let secret = SecretString::from(text.as_str());
        Ok(self.known.get_or_init(|| secret).clone())
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passphrase").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The first line of a file that only its owner can read.
fn from_file(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let (bytes, mode) = disk::read(path).map_err(|error| match error {
        KeyFileError::Missing(path) => {
            KeyFileError::Passphrase(format!("there is no passphrase file {}", path.display()))
        }
        other => other,
    })?;
    disk::check_private(path, mode)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| KeyFileError::Passphrase(format!("the passphrase file {} is not UTF-8", path.display())))?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, KeyFileError> {
    if !std::io::stdin().is_terminal() {
        return Err(KeyFileError::NoPassphrase);
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| KeyFileError::NoPassphrase)
}

/// Encrypts to a passphrase (age, scrypt recipient).
pub(super) fn encrypt(secret: &SecretString, plain: &[u8]) -> Result<Vec<u8>, String> {
    let mut recipient = age::scrypt::Recipient::new(secret.clone());
    recipient.set_work_factor(WORK);
    age::encrypt(&recipient, plain).map_err(|e| e.to_string())
}

/// What decrypting came to.
pub(super) enum Opened {
    /// The content.
    Plain(Zeroizing<Vec<u8>>),
    /// Another passphrase.
    Wrong,
    /// Not an age file of this kind, or altered.
    Damaged(String),
}

/// Decrypts with a passphrase.
pub(super) fn decrypt(secret: &SecretString, encrypted: &[u8]) -> Opened {
    let mut identity = age::scrypt::Identity::new(secret.clone());
    identity.set_max_work_factor(MAX_WORK);
    match age::decrypt(&identity, encrypted) {
        Ok(plain) => Opened::Plain(Zeroizing::new(plain)),
        Err(age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed) => Opened::Wrong,
        Err(age::DecryptError::NoMatchingKeys) => Opened::Damaged("it is not encrypted to a passphrase".into()),
        Err(error) => Opened::Damaged(error.to_string()),
    }
}
