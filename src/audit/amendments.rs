//! The amendments of the treaty file in an export: `amendments/001.note`, `002.note` and so on, as they were signed.
//!
//! A reader needs them before the logs, as a state that acceded has a log too. Where they hold follows from the logs.

use std::path::PathBuf;
use std::sync::Arc;

use super::source::Source;
use super::verify::AuditError;
use crate::ledger::{MAX_AMENDMENTS, Profile, Treaty};
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

/// The treaty with the amendments of an export, by the rule of its profile if that is the treaty's.
pub(super) fn read(source: &mut Source, profile: Option<&[u8]>, mut treaty: Treaty) -> Result<Treaty, AuditError> {
    if let Some(bytes) = profile
        && Hash::digest(bytes) == treaty.file().profile_sha256
        && let Ok(profile) = Profile::parse(bytes)
    {
        treaty = treaty.governed_by(&profile);
    }
    for number in 1..=MAX_AMENDMENTS {
        let name = name(number);
        let fail = |source| AuditError::Io { path: PathBuf::from(&name), source };
        let Some(bytes) = source.small(&name, MAX_NOTE_BYTES).map_err(fail)? else { break };
        treaty = treaty.amended(&bytes).map_err(|error| AuditError::Amendment(name.clone(), error))?;
    }
    Ok(treaty)
}
