//! The secret key file itself.

use std::fmt;
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use zeroize::Zeroizing;

use super::passphrase::{self, Opened};
use super::{KeyFileError, Passphrase, TransportKey, armour, disk};
use crate::note::{KeyType, SigningKey, VerifierKey, check_key_name};

/// Longest key file, in bytes.
pub const MAX_KEY_FILE_BYTES: usize = 4096;
const FORMAT: &str = "verbale-secret-key-1";
const WARNING: &str = "# A secret key, not encrypted: whoever can read this file can sign as its owner.\n";

/// How a key file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// Encrypted by a passphrase.
    Encrypted,
    /// In the clear.
    Plain,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "encrypted",
            Self::Plain => "plain",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Signing(KeyType),
    Transport,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Signing(KeyType::Ed25519) => "ed25519",
            Self::Signing(KeyType::Cosignature) => "cosignature",
            Self::Transport => "libp2p",
        }
    }
}

/// A new key from the system's random bytes.
pub fn generate(name: &str, kind: KeyType) -> Result<SigningKey, KeyFileError> {
    SigningKey::from_seed(name, kind, &*random()?).map_err(|e| KeyFileError::Random(e.to_string()))
}

/// A new transport key from the system's random bytes.
pub fn generate_transport(name: &str) -> Result<TransportKey, KeyFileError> {
    TransportKey::from_seed(name, &*random()?).map_err(|e| KeyFileError::Random(e.to_string()))
}

fn random() -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|e| KeyFileError::Random(e.to_string()))?;
    Ok(seed)
}

/// Writes a signing key to a new file; plain if there is no passphrase. On disk on return; never overwrites.
pub fn create(path: &Path, key: &SigningKey, protect: Option<&Passphrase>) -> Result<(), KeyFileError> {
    write(path, Kind::Signing(key.public().kind()), key.public().name(), &key.seed(), protect)
}

/// Writes a transport key to a new file; plain if there is no passphrase. On disk on return; never overwrites.
pub fn create_transport(path: &Path, key: &TransportKey, protect: Option<&Passphrase>) -> Result<(), KeyFileError> {
    write(path, Kind::Transport, key.name(), key.seed(), protect)
}

fn write(
    path: &Path,
    kind: Kind,
    name: &str,
    seed: &[u8; 32],
    protect: Option<&Passphrase>,
) -> Result<(), KeyFileError> {
    let encoded = Zeroizing::new(BASE64.encode(seed));
    let line = Zeroizing::new(format!("{FORMAT} {} {name} {}\n", kind.word(), *encoded));
    let content = match protect {
        None => Zeroizing::new(format!("{WARNING}{}", *line)),
        Some(passphrase) => {
            let encrypted = passphrase::encrypt(&passphrase.choose()?, line.as_bytes())
                .map_err(|what| KeyFileError::malformed(path, what))?;
            Zeroizing::new(armour::wrap(&encrypted))
        }
    };
    disk::create_new(path, 0o600, content.as_bytes())
}

/// How a key file is kept, by its first line; refuses a plain one that others can read.
pub fn stored(path: &Path) -> Result<Stored, KeyFileError> {
    let (bytes, mode) = disk::read(path)?;
    if bytes.starts_with(armour::BEGIN.as_bytes()) {
        return Ok(Stored::Encrypted);
    }
    disk::check_private(path, mode)?;
    Ok(Stored::Plain)
}

/// Reads a signing key, whatever its name. The passphrase is asked for only if the file is encrypted.
pub fn load(path: &Path, passphrase: &Passphrase) -> Result<SigningKey, KeyFileError> {
    let (kind, name, seed) = read(path, passphrase)?;
    match kind {
        Kind::Signing(kind) => {
            SigningKey::from_seed(&name, kind, &seed).map_err(|e| KeyFileError::malformed(path, e.to_string()))
        }
        Kind::Transport => {
            let (expected, found) = ("a key that signs".into(), format!("{name} of kind libp2p"));
            Err(KeyFileError::OtherKey { path: path.to_owned(), expected, found })
        }
    }
}

/// Reads the signing key whose public half is known, as from the treaty file.
pub fn load_as(path: &Path, public: &VerifierKey, passphrase: &Passphrase) -> Result<SigningKey, KeyFileError> {
    let key = load(path, passphrase)?;
    if key.public() != public {
        let (expected, found) = (public.to_string(), key.public().to_string());
        return Err(KeyFileError::OtherKey { path: path.to_owned(), expected, found });
    }
    Ok(key)
}

/// Reads a transport key.
pub fn load_transport(path: &Path, passphrase: &Passphrase) -> Result<TransportKey, KeyFileError> {
    let (kind, name, seed) = read(path, passphrase)?;
    if kind != Kind::Transport {
        let (expected, found) = ("a transport key".into(), format!("{name} of kind {}", kind.word()));
        return Err(KeyFileError::OtherKey { path: path.to_owned(), expected, found });
    }
    TransportKey::from_seed(&name, &seed).map_err(|e| KeyFileError::malformed(path, e.to_string()))
}

type Parts = (Kind, String, Zeroizing<[u8; 32]>);

fn read(path: &Path, passphrase: &Passphrase) -> Result<Parts, KeyFileError> {
    let (bytes, mode) = disk::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyFileError::malformed(path, "it is not text"))?;
    if !text.starts_with(armour::BEGIN) {
        disk::check_private(path, mode)?;
        return parse(text).map_err(|what| KeyFileError::malformed(path, what));
    }
    let encrypted = armour::unwrap(text).map_err(|what| KeyFileError::malformed(path, what))?;
    match passphrase::decrypt(&passphrase.open(path)?, &encrypted) {
        Opened::Plain(plain) => {
            let text = std::str::from_utf8(&plain).map_err(|_| KeyFileError::malformed(path, "it is not text"))?;
            parse(text).map_err(|what| KeyFileError::malformed(path, what))
        }
        Opened::Wrong => Err(KeyFileError::WrongPassphrase(path.to_owned())),
        Opened::Damaged(what) => Err(KeyFileError::malformed(path, what)),
    }
}

fn parse(text: &str) -> Result<Parts, &'static str> {
    let Some(body) = text.strip_suffix('\n') else { return Err("it was cut short: its last line does not end") };
    let mut lines = body.lines().filter(|line| !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err("it should hold one line with one key") };
    let mut words = line.split(' ');
    if words.next() != Some(FORMAT) {
        return Err("its line does not start with `verbale-secret-key-1`");
    }
    let (Some(kind), Some(name), Some(seed), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("its line should have a kind, a name and a seed");
    };
    let kinds = [Kind::Signing(KeyType::Ed25519), Kind::Signing(KeyType::Cosignature), Kind::Transport];
    let kind = kinds.into_iter().find(|k| k.word() == kind).ok_or("its kind of key is not known here")?;
    check_key_name(name).map_err(|_| "its name is not that of a key")?;
    let seed = Zeroizing::new(BASE64.decode(seed).map_err(|_| "its seed is not base64 of 32 bytes")?);
    let seed: [u8; 32] = seed.as_slice().try_into().map_err(|_| "its seed is not base64 of 32 bytes")?;
    Ok((kind, name.to_owned(), Zeroizing::new(seed)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn witness() -> SigningKey {
        SigningKey::from_seed("t/CA/witness", KeyType::Cosignature, &[3; 32]).unwrap()
    }

    fn none() -> Passphrase {
        Passphrase::of("not asked for")
    }

    #[test]
    fn a_plain_key_reads_back_is_private_and_is_never_overwritten() {
        let folder = folder();
        let path = folder.path().join("keys/witness.key");
        create(&path, &witness(), None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(stored(&path).unwrap(), Stored::Plain);
        let read = load_as(&path, witness().public(), &none()).unwrap();
        assert_eq!(*read.seed(), [3; 32]);
        let before = fs::read(&path).unwrap();
        assert!(matches!(create(&path, &witness(), None), Err(KeyFileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_only_and_whole_only() {
        let folder = folder();
        let path = folder.path().join("witness.key");
        create(&path, &witness(), Some(&Passphrase::of("open"))).unwrap();
        assert_eq!(stored(&path).unwrap(), Stored::Encrypted);
        assert!(!fs::read_to_string(&path).unwrap().contains("t/CA/witness"));
        assert_eq!(load(&path, &Passphrase::of("open")).unwrap().public(), witness().public());
        assert!(matches!(load(&path, &Passphrase::of("0pen")), Err(KeyFileError::WrongPassphrase(_))));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 40]).unwrap();
        assert!(matches!(load(&path, &Passphrase::of("open")), Err(KeyFileError::Malformed { .. })));
    }

    #[test]
    fn a_plain_key_that_others_can_read_is_refused() {
        let folder = folder();
        let path = folder.path().join("witness.key");
        create(&path, &witness(), None).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(load(&path, &none()), Err(KeyFileError::Exposed { mode: m, .. }) if m == mode));
        }
    }

    #[test]
    fn a_key_is_not_taken_for_another() {
        let folder = folder();
        let (signing, transport) = (folder.path().join("witness.key"), folder.path().join("transport.key"));
        create(&signing, &witness(), None).unwrap();
        create_transport(&transport, &TransportKey::from_seed("t/CA/transport", &[4; 32]).unwrap(), None).unwrap();
        let other = SigningKey::from_seed("t/HU/witness", KeyType::Cosignature, &[3; 32]).unwrap();
        assert!(matches!(load_as(&signing, other.public(), &none()), Err(KeyFileError::OtherKey { .. })));
        assert!(matches!(load_transport(&signing, &none()), Err(KeyFileError::OtherKey { .. })));
        assert!(matches!(load(&transport, &none()), Err(KeyFileError::OtherKey { .. })));
        assert_eq!(*load_transport(&transport, &none()).unwrap().seed().as_slice(), [4; 32]);
    }

    #[test]
    fn no_cut_and_no_flipped_bit_reads_as_the_same_key_or_panics() {
        let folder = folder();
        let path = folder.path().join("witness.key");
        create(&path, &witness(), None).unwrap();
        let bytes = fs::read(&path).unwrap();
        let line = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        for end in 0..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            assert!(matches!(load(&path, &none()), Err(KeyFileError::Malformed { .. })), "cut after {end}");
        }
        for bit in line * 8..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &altered).unwrap();
            let same = load(&path, &none()).is_ok_and(|key| key.public() == witness().public());
            assert!(!same, "bit {bit}");
        }
        fs::write(&path, vec![b'#'; MAX_KEY_FILE_BYTES + 1]).unwrap();
        assert!(load(&path, &none()).unwrap_err().to_string().contains("longer than 4096 bytes"));
    }

    #[test]
    fn what_is_no_file_is_refused_and_does_not_hang() {
        let folder = folder();
        assert!(matches!(load(folder.path(), &none()), Err(KeyFileError::Io { .. })));
        assert!(matches!(load(&folder.path().join("none"), &none()), Err(KeyFileError::Missing(_))));
    }
}
