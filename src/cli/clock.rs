//! This machine's clock: the commands' only source of the present.

use std::time::SystemTime;

use crate::ledger::Timestamp;

/// Now, to the second. A clock that stands before 1970 reads as 1970.
pub fn now() -> Timestamp {
    Timestamp::from_posix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
