//! The export of a whole ledger as a folder of text files that a person can read, and its audit.
//!
//! ```text
//! README.txt                what this is, and how it is checked
//! treaty.toml profile.toml  the root of trust and the treaty's law, byte for byte
//! policy.txt                the quorum as a C2SP tlog-policy, as it follows from the treaty file
//! logs/CA/records.txt       every record of a party's log, byte for byte
//! logs/CA/checkpoints.txt   the heads that the party signed
//! logs/CA/receipts.txt      which head was receipted by whom, and where that receipt stands
//! forks/CA.txt              the proof that a log forked, if it did
//! ```
//!
//! An audit reads each file once, record by record: it needs no more memory for a long log than for a short one.

mod amendments;
mod export;
mod folder;
mod grow;
mod report;
mod verify;
mod walk;

pub use export::{ExportError, export};
pub use grow::{GrowError, Growing, Position, Tree};
pub use report::{Fault, ForkedLog, LogReport, MAX_LISTED, MarkedNote, Missing, Report};
pub use verify::{AuditError, verify_folder};
