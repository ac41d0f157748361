//! The node's transport identity: an Ed25519 key of libp2p, and the peer id that follows from it.

use zeroize::Zeroizing;

use crate::note::{KeyError, KeyType, SigningKey, VerifierKey};

/// A libp2p peer id of an Ed25519 key is an identity multihash of the key in protobuf (libp2p specification "Peer Ids
/// and Keys"): code 0x00, length 0x24, then field 1 (type) = 1 (Ed25519), field 2 (data) = 32 bytes.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// A transport key. It never signs evidence.
#[derive(Clone)]
pub struct TransportKey {
    name: String,
    seed: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl TransportKey {
    /// Makes a key from its seed. The name is `<ledger>/<code>/transport`.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_seed(name, KeyType::Ed25519, seed)?;
        Ok(Self { name: name.to_owned(), seed: key.seed(), public: *key.public().public() })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32-byte seed, as libp2p takes it.
    pub fn seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.seed
    }

    /// The libp2p peer id.
    pub fn peer_id(&self) -> String {
        peer_id(&self.public)
    }
}

impl std::fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TransportKey({} {})", self.name, self.peer_id())
    }
}

/// The libp2p peer id of an Ed25519 public key: `12D3KooW…`.
pub fn peer_id(public: &[u8; 32]) -> String {
    let mut bytes = PREFIX.to_vec();
    bytes.extend_from_slice(public);
    bs58::encode(bytes).into_string()
}

/// The Ed25519 public key in a libp2p peer id; `None` if the text is not one of an admissible key.
pub fn peer_key(text: &str) -> Option<[u8; 32]> {
    if text.len() > 64 {
        return None;
    }
    let bytes = bs58::decode(text).into_vec().ok()?;
    let public: [u8; 32] = bytes.strip_prefix(&PREFIX)?.try_into().ok()?;
    // The name does not matter to whether a key is admitted.
    VerifierKey::new("peer", KeyType::Ed25519, &public).ok().map(|_| public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_reads_back_and_altered_ones_are_refused() {
        let key = TransportKey::from_seed("t/CA/transport", &[9; 32]).unwrap();
        let id = key.peer_id();
        assert!(id.starts_with("12D3KooW") && id.len() == 52, "{id}");
        assert_eq!(peer_key(&id), Some(key.public));
        for text in ["", "12D3KooW", &id[1..], &format!("{id}1"), "l0OI", &"1".repeat(64), &"1".repeat(1000)] {
            assert_eq!(peer_key(text), None, "{text}");
        }
    }

    #[test]
    fn the_peer_id_is_the_one_that_libp2p_computes() {
        // Computed by libp2p-identity 0.3 from the same seed.
        let key = TransportKey::from_seed("t/CA/transport", &[9; 32]).unwrap();
        assert_eq!(key.peer_id(), "12D3KooWSrKnMZUcSxK8G7wmBbXdU8nFEfWGhLu6H8xjn8LmCSJb");
    }
}
