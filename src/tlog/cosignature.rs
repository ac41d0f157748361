//! Cosignatures: the receipt of one party on the head of another
//! ([C2SP tlog-cosignature](https://c2sp.org/tlog-cosignature), Ed25519, type 0x04).
//!
//! Verbale gives them the meaning of C2SP tlog-mirror: *I hold every leaf up to this size, durably.*

use crate::note::{KeyType, Signature, SignedNote, SigningKey, VerifierKey};

/// Why there is no valid cosignature on a note.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CosignatureError {
    /// No line of the note is by this key.
    #[error("there is no cosignature by {0}")]
    Missing(String),
    /// A line names the key, but is not 72 bytes or does not verify.
    #[error("the cosignature by {0} does not verify")]
    Invalid(String),
}

/// A verified cosignature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// When the cosigner says it signed: POSIX seconds, UTC.
    pub time: u64,
}

impl Cosignature {
    /// Adds `key`'s cosignature at `time` (POSIX seconds) to a checkpoint's note.
    pub fn sign(note: &mut SignedNote, key: &SigningKey, time: u64) {
        debug_assert_eq!(key.public().kind(), KeyType::Cosignature);
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend_from_slice(&key.sign(message(note.text(), time).as_bytes()));
        note.add(Signature { name: key.public().name().to_owned(), id: key.public().id(), bytes });
    }

    /// Verifies the cosignature that `key` put on a checkpoint's note.
    pub fn verify(note: &SignedNote, key: &VerifierKey) -> Result<Self, CosignatureError> {
        let mut verified = Err(CosignatureError::Missing(key.name().to_owned()));
        for signature in note.signatures().iter().filter(|s| s.is_by(key)) {
            let time = Self::verify_bytes(note.text(), key, &signature.bytes)
                .ok_or_else(|| CosignatureError::Invalid(key.name().to_owned()))?;
            verified = Ok(Self { time });
        }
        verified
    }

    fn verify_bytes(text: &str, key: &VerifierKey, bytes: &[u8]) -> Option<u64> {
        let (time, signature) = bytes.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let valid = key.kind() == KeyType::Cosignature
            && time <= i64::MAX as u64
            && key.verify(message(text, time).as_bytes(), signature.try_into().ok()?);
        valid.then_some(time)
    }
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Checkpoint, Hash};

    #[test]
    fn a_cosignature_binds_text_time_and_key() {
        let witness = SigningKey::from_seed("w", KeyType::Cosignature, &[3; 32]).unwrap();
        let other = SigningKey::from_seed("w", KeyType::Cosignature, &[4; 32]).unwrap();
        let checkpoint = Checkpoint { origin: "log".into(), size: 3, root: Hash([9; 32]) };
        let mut note = SignedNote::new(checkpoint.text()).unwrap();
        Cosignature::sign(&mut note, &witness, 1_679_315_147);
        assert_eq!(Cosignature::verify(&note, witness.public()), Ok(Cosignature { time: 1_679_315_147 }));
        assert_eq!(Cosignature::verify(&note, other.public()), Err(CosignatureError::Missing("w".into())));
        for bit in 0..72 * 8 {
            let mut signature = note.signatures()[0].clone();
            signature.bytes[bit / 8] ^= 1 << (bit % 8);
            let mut bent = note.clone();
            bent.add(signature);
            assert!(Cosignature::verify(&bent, witness.public()).is_err(), "bit {bit}");
        }
    }
}
