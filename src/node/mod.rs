//! The protocol engine, without I/O: inputs in, effects out, and the seams to the disk and to the other nodes.

mod memory;
pub mod message;
mod serve;
mod storage;

pub use memory::{Memory, note_id};
pub use serve::serve;
pub use storage::{Batch, Cosigned, LogId, LogTiles, NewRecord, Read, ReadError, ReceiptEntry};
