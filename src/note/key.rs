//! Keys as text (C2SP signed-note, "Verifier keys") and the one signature rule.
//!
//! A public key is admitted only if its encoding is canonical, it is not of small order and it has no torsion part;
//! a signature is accepted only by `verify_strict`. What passes here is accepted by every RFC 8032 verifier that we
//! know of, so that two auditors with different tools never disagree.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::characters::is_visible;

/// Longest admitted key name, in bytes. The standard sets no limit; ours bounds every parser downstream.
const MAX_NAME_BYTES: usize = 200;

/// Signature types of C2SP signed-note that Verbale signs and verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyType {
    /// `0x01`: Ed25519 over the note's text.
    Ed25519 = 0x01,
    /// `0x04`: timestamped Ed25519 cosignature of a checkpoint (C2SP tlog-cosignature).
    Cosignature = 0x04,
}

impl KeyType {
    fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::Cosignature),
            other => Err(KeyError::UnsupportedType(other)),
        }
    }
}

/// Why a key was not admitted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The text does not have the three parts `name+hash+base64`.
    #[error("a key reads `name+hash+base64`; this one does not")]
    Shape,
    /// The name is empty, over 200 bytes, or holds a space, a plus sign, a control or an invisible character.
    #[error("the key name is empty, too long, or has a space, a plus sign or an invisible character in it")]
    Name,
    /// The key material is not canonical base64 of a type byte and 32 bytes.
    #[error("the key material is not base64 of one type byte and 32 key bytes")]
    Material,
    /// A signature type that Verbale does not use.
    #[error("signature type 0x{0:02x} is not supported; Ed25519 (0x01) and its cosignatures (0x04) are")]
    UnsupportedType(u8),
    /// The eight hex digits do not match the name and the key.
    #[error("the key's hash should read {expected}; it was altered or mistyped")]
    Hash {
        /// The hash that belongs to this name and key.
        expected: String,
    },
    /// Not a point, not canonical, of small order, or with a torsion part.
    #[error("the public key is not an admissible Ed25519 key (canonical, of full order, torsion-free)")]
    Inadmissible,
}

/// Key ID: the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
pub fn key_id(name: &str, kind: KeyType, public: &[u8; 32]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', kind as u8]).chain_update(public).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Checks a key name: non-empty, at most 200 bytes, no Unicode white space, no `+`, and only characters that all readers
/// see alike.
pub fn check_key_name(name: &str) -> Result<(), KeyError> {
    let bad = |c: char| c.is_whitespace() || c == '+' || !is_visible(c);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(bad) {
        return Err(KeyError::Name);
    }
    Ok(())
}

/// A public key with its name and the kind of signature that it makes: a *vkey*.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyType,
    key: ed25519_dalek::VerifyingKey,
    /// Follows from the others; each signature line is compared with it.
    id: [u8; 4],
}

impl VerifierKey {
    /// Admits 32 public key bytes under a name.
    pub fn new(name: &str, kind: KeyType, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_key_name(name)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(public).map_err(|_| KeyError::Inadmissible)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != public || key.is_weak() || !point.is_torsion_free() {
            return Err(KeyError::Inadmissible);
        }
        Ok(Self { name: name.to_owned(), kind, key, id: key_id(name, kind, public) })
    }

    /// Reads `name+hash+base64`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Shape);
        };
        let material = BASE64.decode(material).map_err(|_| KeyError::Material)?;
        let (kind, public) = material.split_first().ok_or(KeyError::Material)?;
        let kind = KeyType::from_byte(*kind)?;
        let public: &[u8; 32] = public.try_into().map_err(|_| KeyError::Material)?;
        let key = Self::new(name, kind, public)?;
        let expected = hex(&key.id());
        if hash != expected {
            return Err(KeyError::Hash { expected });
        }
        Ok(key)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of signature it makes.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The 32 public key bytes (RFC 8032, section 5.1.5).
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The four-byte key ID.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The one signature rule: `verify_strict`, never batch verification.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind as u8];
        material.extend_from_slice(self.public());
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), BASE64.encode(material))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for VerifierKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for VerifierKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A secret key with its name and kind. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct SigningKey {
    public: VerifierKey,
    secret: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes a key from its 32-byte seed (RFC 8032, section 5.1.5).
    pub fn from_seed(name: &str, kind: KeyType, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, kind, secret.verifying_key().as_bytes())?;
        Ok(Self { public, secret })
    }

    /// The seed, for writing it to a key file.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a message (RFC 8032, section 5.1.6). The caller builds the message that belongs to the key's kind.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer;
        self.secret.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_the_text_it_prints() {
        // From the standard, "Verifier keys", "Example".
        let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let key = VerifierKey::parse(text).unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(key.name(), "example.com/foo");
    }

    #[test]
    fn altered_keys_are_refused_each_for_its_reason() {
        let cases = [
            ("example.com/foo", KeyError::Shape),
            ("example.com/foo+530d903a+AekyeRrm", KeyError::Material),
            ("example.com/foo+530d903a+!", KeyError::Material),
            (
                "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
                KeyError::Hash { expected: "530d903a".into() },
            ),
            ("example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::UnsupportedType(2)),
            ("a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Name),
        ];
        for (text, error) in cases {
            assert_eq!(VerifierKey::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn keys_of_small_order_non_canonical_or_with_torsion_are_refused() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        // y = p + 1: the identity again, in a non-canonical encoding.
        let mut non_canonical = [0xffu8; 32];
        non_canonical[0] = 0xee;
        non_canonical[31] = 0x7f;
        // A full-order key plus the point of order two (0, -1): torsion, though not weak.
        let good = SigningKey::from_seed("x", KeyType::Ed25519, &[7; 32]).unwrap();
        let mut minus_one = [0xffu8; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        let order_two = ed25519_dalek::VerifyingKey::from_bytes(&minus_one).unwrap().to_edwards();
        let full = ed25519_dalek::VerifyingKey::from_bytes(good.public().public()).unwrap().to_edwards();
        let torsion = (full + order_two).compress().to_bytes();
        for bytes in [identity, non_canonical, torsion] {
            assert_eq!(VerifierKey::new("x", KeyType::Ed25519, &bytes), Err(KeyError::Inadmissible), "{bytes:?}");
        }
    }
}
