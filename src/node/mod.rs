//! The protocol engine, without I/O: inputs in, effects out, and the seams to the disk and to the other nodes.

mod amend;
mod attest;
mod branch;
mod branches;
mod budget;
mod engine;
mod fetch;
mod memory;
pub mod message;
mod own;
mod prove;
mod published;
mod recovery;
mod rekey;
mod replica;
mod replicate;
mod restart;
mod serve;
mod silence;
mod storage;

pub use amend::{adoption, load as load_amendments};
pub use branch::BranchRead;
pub use budget::{Budget, NoRoom};
pub use engine::{Config, Effect, Engine, Event, Input, Step, final_size, load_keyring};
pub use memory::{Memory, note_id};
pub use own::{Accepted, Refusal};
pub use prove::{ProveError, prove, prove_silence};
pub use published::{OUTSIDE_LINES, PublicHead, final_head, key_notes, newest_head, receipted_head};
pub use recovery::Mode;
pub use rekey::counts;
pub use restart::RestartRefusal;
pub use serve::serve;
pub use silence::SilenceQuery;
pub use storage::{Batch, Cosigned, LogId, LogTiles, NewRecord, Read, ReadError, ReceiptEntry, SetAside};
