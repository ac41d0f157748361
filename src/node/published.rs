//! What a log shows to everybody: its heads, each with the receipts on it.

use std::sync::Arc;

use super::amend::adoption;
use super::rekey::load_keyring;
use super::storage::{LogId, LogTiles, Read, ReadError};
use crate::ledger::{MAX_ANNOUNCED, Receipt, Record, Treaty};
use crate::note::{MAX_SIGNATURES, SignedNote};
use crate::tlog::{Checkpoint, root_at};

/// Signature lines that are left free on a head, for cosignatures by outside witnesses.
pub const OUTSIDE_LINES: usize = 16;

/// A signed head that the records held cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHead {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The log's signature, then the receipts' cosignatures in the treaty's order of parties.
    pub note: SignedNote,
    /// The parties whose receipts are on it.
    pub by: Vec<LogId>,
}

/// The newest signed head of a log that the records held cover, with the receipts on it.
pub fn newest_head(read: &dyn Read, treaty: &Treaty, log: LogId) -> Result<Option<PublicHead>, ReadError> {
    let Some(bytes) = read.head(log, read.size(log)?)? else { return Ok(None) };
    let damaged =
        |what: String| ReadError(format!("a stored head of the log {} is damaged: {what}", treaty.origin(log)));
    let note = SignedNote::parse(&bytes).map_err(|e| damaged(e.to_string()))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|e| damaged(e.to_string()))?;
    let receipted = receipted_head(read, treaty, log, checkpoint.size)?;
    Ok(Some(receipted.unwrap_or(PublicHead { checkpoint, note, by: Vec::new() })))
}

/// The newest head of a log that by itself carries a quorum of receipts. `from` is the size of one that is known to,
/// or 0: nothing below it is looked at.
pub fn final_head(read: &dyn Read, treaty: &Treaty, log: LogId, from: u64) -> Result<Option<PublicHead>, ReadError> {
    let adoption = adoption(log, &mut Arc::new(treaty.clone()), read)?;
    let has =
        |size: u64, parties: &[LogId]| treaty.is_quorum(adoption.of_size(size), &|party| parties.contains(&party));
    if has(u64::MAX, &[]) {
        return newest_head(read, treaty, log);
    }
    let mut at_most = read.size(log)?;
    loop {
        let mut latest = Vec::new();
        for by in (0..treaty.parties().len()).filter(|by| *by != log) {
            latest.extend(read.receipt_up_to(log, by, at_most)?);
        }
        let Some(size) = latest.iter().map(|entry| entry.size).max().filter(|size| *size >= from) else {
            return Ok(None);
        };
        let here: Vec<_> = latest.iter().filter(|entry| entry.size == size).map(|entry| entry.by).collect();
        if has(size, &here)
            && let Some(head) = receipted_head(read, treaty, log, size)?.filter(|head| has(size, &head.by))
        {
            return Ok(Some(head));
        }
        let Some(below) = size.checked_sub(1) else { return Ok(None) };
        at_most = below;
    }
}

/// The head of just this size with the receipts on it; `None` if nobody has receipted the tree that is held.
pub fn receipted_head(
    read: &dyn Read,
    treaty: &Treaty,
    log: LogId,
    size: u64,
) -> Result<Option<PublicHead>, ReadError> {
    let keys = load_keyring(treaty, read)?;
    let root = root_at(&LogTiles { read, log }, size)?;
    let mut head: Option<PublicHead> = None;
    for by in (0..treaty.parties().len()).filter(|by| *by != log) {
        let Some(entry) = read.receipt_from(log, by, size)?.filter(|entry| entry.size == size) else { continue };
        let Some(bytes) = read.record(by, entry.index)? else { continue };
        // A receipt may have come before the records that it is about, and turn out to be about others.
        let Ok(record) = Record::parse(&bytes) else { continue };
        let Ok(receipt) = Receipt::verify(record.payload, by, entry.index, &keys) else { continue };
        let Ok(note) = SignedNote::parse(record.payload) else { continue };
        if receipt.log != log || receipt.checkpoint.size != size || Some(receipt.checkpoint.root) != root {
            continue;
        }
        let own = keys.party(log).log_line(&note, size).cloned();
        let cosignature = keys.party(by).witness_line(&note, entry.index).cloned();
        let (Some(own), Some(cosignature)) = (own, cosignature) else { continue };
        if head.is_none() {
            let mut bare = SignedNote::new(note.text().to_owned()).map_err(|e| ReadError(e.to_string()))?;
            bare.add(own);
            head = Some(PublicHead { checkpoint: receipt.checkpoint, note: bare, by: Vec::new() });
        }
        if let Some(head) = head.as_mut().filter(|head| head.by.len() + 1 + OUTSIDE_LINES < MAX_SIGNATURES) {
            head.note.add(cosignature);
            head.by.push(by);
        }
    }
    Ok(head)
}

/// What the root of a log has signed about its log and witness keys, the latest of it: for who has not read the log yet.
pub fn key_notes(read: &dyn Read, treaty: &Treaty, log: LogId) -> Result<Vec<String>, ReadError> {
    let keys = load_keyring(treaty, read)?;
    let changes = keys.party(log).changes().iter().filter(|change| change.rotation.key.verifier().is_some());
    let mut notes: Vec<_> = changes.map(|change| String::from_utf8_lossy(&change.note).into_owned()).collect();
    notes.drain(..notes.len().saturating_sub(MAX_ANNOUNCED));
    Ok(notes)
}
