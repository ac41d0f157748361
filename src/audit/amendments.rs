//! The amendments of the treaty file in an export: `amendments/001.note`, `002.note` and so on, as they were signed.
//!
//! A reader needs them before the logs, as a state that acceded has a log too. Where they hold follows from the logs.

use std::path::Path;
use std::sync::Arc;

use super::folder::PROFILE;
use super::verify::{AuditError, read_file};
use crate::ledger::{MAX_AMENDMENTS, MAX_PROFILE_BYTES, Profile, Treaty};
use crate::node::{Read, ReadError, load_amendments};
use crate::note::MAX_NOTE_BYTES;
use crate::tlog::Hash;

pub(super) const FOLDER: &str = "amendments";

/// The file of an amendment, from the folder on.
pub(super) fn name(number: usize) -> String {
    format!("{FOLDER}/{number:03}.note")
}

/// The treaty with the amendments that stored logs have.
pub(super) fn found(treaty: Treaty, profile: &[u8], read: &dyn Read) -> Result<Treaty, ReadError> {
    let Ok(profile) = Profile::parse(profile) else { return Ok(treaty) };
    let mut treaty = Arc::new(treaty.governed_by(&profile));
    load_amendments(&mut treaty, read)?;
    Ok(Arc::unwrap_or_clone(treaty))
}

/// The treaty with the amendments of a folder, by the rule of the folder's profile if that is the treaty's.
pub(super) fn read(folder: &Path, mut treaty: Treaty) -> Result<Treaty, AuditError> {
    if let Ok(bytes) = read_file(&folder.join(PROFILE), MAX_PROFILE_BYTES)
        && Hash::digest(&bytes) == treaty.file().profile_sha256
        && let Ok(profile) = Profile::parse(&bytes)
    {
        treaty = treaty.governed_by(&profile);
    }
    for number in 1..=MAX_AMENDMENTS {
        let path = folder.join(name(number));
        if path.symlink_metadata().is_err() {
            break;
        }
        let bytes = read_file(&path, MAX_NOTE_BYTES).map_err(|source| AuditError::Io { path, source })?;
        treaty = treaty.amended(&bytes).map_err(|error| AuditError::Amendment(name(number), error))?;
    }
    Ok(treaty)
}
