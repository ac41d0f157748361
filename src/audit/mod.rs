//! The export of a ledger, or of a part of it, as text files that a person can read, and its audit.
//!
//! ```text
//! README.txt                what this is, and how it is checked
//! treaty.toml profile.toml  the root of trust and the treaty's law, byte for byte
//! policy.txt                the quorum as a C2SP tlog-policy, as it follows from the treaty file
//! amendments/001.note       the amendments of the treaty file, if there are any
//! part.json                 what was asked for, if it is not everything
//! logs/CA/records.txt       every record of a party's log, byte for byte, or the hashes that stand for it
//! logs/CA/checkpoints.txt   the heads that the party signed
//! logs/CA/receipts.txt      which head was receipted by whom, and where that receipt stands
//! forks/CA.txt              the proof that a log forked, if it did
//! branches/CA-1.txt         what a log said on a branch that does not go on, after a restart certificate
//! ```
//!
//! The same files may stand in a folder or in one `.tar.zst`. An audit reads each file once, record by record: it needs
//! no more memory for a long log than for a short one.

mod amendments;
mod archive;
mod branches;
mod checks;
mod choose;
mod copy;
mod crew;
mod differences;
mod export;
mod frame;
mod grow;
mod known;
mod layout;
mod reading;
mod records;
mod report;
mod restarted;
mod selection;
mod silence;
mod source;
mod spans;
mod spool;
mod state;
mod unpack;
mod verify;
mod walk;
mod write;

pub use choose::{Chosen, choose};
pub use copy::LogCopy;
pub use export::{ExportError, Exported, Form, Job, Stage, export, partial};
pub use grow::{GrowError, Growing, Position, Tree};
pub use reading::{Item, OtherBranch, Reading, ReadingError, Scope};
pub use report::{BranchReport, ForkedLog, LogReport, MAX_LISTED, MarkedNote, Missing, Report, RestartedLog};
pub use selection::{MAX_PART_BYTES, Place, Range, Redaction, Selection, SelectionError};
pub use silence::{ExportedSilence, SilenceError, exported_silence};
pub use spans::Spans;
pub use unpack::{MAX_ARCHIVE_BYTES, MAX_RATIO, peek, unpack_small};
pub use verify::{AuditError, cores, verify_export, verify_export_by};
