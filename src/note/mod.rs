//! Signed notes: the one envelope in which everything that Verbale signs travels.
//!
//! Implements [C2SP signed-note v1.0.0](https://c2sp.org/signed-note@v1.0.0), with Ed25519 keys only.

mod characters;
mod key;
mod signed;

pub use characters::is_visible;
pub use key::{KeyError, KeyType, SigningKey, VerifierKey, check_key_name, key_id};
pub use signed::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError, Signature, SignedNote};
