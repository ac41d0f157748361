//! Transparency-log formats, one file a standard: hashes and tree (RFC 6962), checkpoints, cosignatures, policies,
//! proofs and tiles (C2SP).

mod bundle;
mod checkpoint;
mod compact;
mod cosignature;
mod hash;
mod policy;
mod proof;
mod tile;
mod tree;
mod witness;

pub use bundle::{MAX_BUNDLE_BYTES, TilePath, read_bundle, write_bundle};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use compact::{CompactRange, subtrees};
pub use cosignature::{Cosignature, CosignatureError};
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use policy::{Policy, PolicyError};
pub use proof::{MAX_EXTRA_BYTES, ProofError, TlogProof};
pub use tile::{Appender, TILE_WIDTH, TileWrite, Tiles};
pub use tree::{ProofInvalid, consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion};
pub use witness::{AddCheckpoint, MAX_ADD_CHECKPOINT_BYTES, NotWitnessed, parse_extended};
