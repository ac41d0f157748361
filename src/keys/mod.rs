//! Secret keys on disk: one key a file, encrypted by a passphrase ([age](https://c2sp.org/age)) or plain.
//!
//! A key file holds one line that names the key and its seed:
//!
//! ```text
//! verbale-secret-key-1 ed25519 open-skies/CA/root <base64 of the 32-byte seed>
//! ```
//!
//! The second word is the key's kind: `ed25519` (signatures over notes), `cosignature` (receipts) or `libp2p` (the
//! node's transport identity). An encrypted file is that line in an age file with ASCII armour, so that `age -d` reads
//! it too. A plain file has comment lines (`#`) and that line. Beside each `NAME.key` lies `NAME.pub` with the public
//! half, so that whoever only needs the public key is never asked for a passphrase.
//!
//! Files are created anew and never overwritten, with mode 0600, and are on disk when a function here returns. Seeds
//! are wiped from memory. A plain file that others can read is refused.

mod armour;
mod disk;
mod error;
mod passphrase;
mod public;
mod secret;
mod transport;

pub use error::KeyFileError;
pub use passphrase::Passphrase;
pub use public::{Public, PublicKey, create_public, load_public, public_path};
pub use secret::{
    MAX_KEY_FILE_BYTES, Stored, create, create_transport, generate, generate_transport, load, load_as, load_transport,
    stored,
};
pub use transport::{TransportKey, peer_id, peer_key};
