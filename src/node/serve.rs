//! Answers to peers' requests, straight from stored data: the engine is not asked, but for what it has to sign.

use super::message::{MAX_KEYS, MAX_PAGE_BYTES, MAX_PAGE_RECORDS, Request, Response};
use super::storage::{LogId, LogTiles, Read, ReadError};
use crate::ledger::{Job, KeyChange, Keyring, Record, Treaty};
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, consistency_proof, root_at};

/// Answers a request. `time_ms` is this node's clock in POSIX milliseconds.
pub fn serve(request: &Request, treaty: &Treaty, read: &dyn Read, time_ms: u64) -> Result<Response, ReadError> {
    let logs = treaty.parties().len();
    match *request {
        Request::Heads { treaty: theirs } if theirs != treaty.hash() => {
            Ok(Response::OtherTreaty { treaty: treaty.hash() })
        }
        Request::Heads { .. } => {
            let mut heads = Vec::new();
            for log in 0..logs {
                heads.extend(read.head(log, read.size(log)?)?);
            }
            Ok(Response::Heads { time_ms, heads })
        }
        Request::Records { log, from, count } if log < logs => records(log, from, count, read),
        Request::Proof { log, old } if log < logs => proof(log, old, read),
        Request::Keys { log } if log < logs => keys(log, treaty, read),
        Request::Restarts { log } if log < logs => {
            let notes = read.restarts(log)?;
            Ok(if notes.is_empty() { Response::Nothing } else { Response::Restarts { log, notes } })
        }
        Request::Branch { log, kept, from, count } if log < logs => {
            let records = read.branch(log, kept, from, count.min(MAX_PAGE_RECORDS), MAX_PAGE_BYTES)?;
            Ok(if records.is_empty() { Response::Nothing } else { Response::Branch { log, kept, from, records } })
        }
        // The engine answers this one: it signs.
        _ => Ok(Response::Nothing),
    }
}

/// What the root of a log has signed about its key, the latest of it.
fn keys(log: LogId, treaty: &Treaty, read: &dyn Read) -> Result<Response, ReadError> {
    let mut history = Keyring::new(treaty);
    let history = history.party_mut(log);
    for index in read.credentials(log)? {
        let bytes = read.record(log, index)?;
        if let Some(record) = bytes.as_deref().and_then(|bytes| Record::parse(bytes).ok()) {
            history.apply(&record, treaty);
        }
    }
    let of_log = |change: &&KeyChange| change.rotation.key.job() == Job::Log;
    let mut notes: Vec<_> = history.changes().iter().filter(of_log).map(|change| change.note.clone()).collect();
    notes.drain(..notes.len().saturating_sub(MAX_KEYS));
    Ok(if notes.is_empty() { Response::Nothing } else { Response::Keys { log, notes } })
}

/// The largest head that is covered by the records held.
fn held_head(log: LogId, read: &dyn Read) -> Result<Option<(u64, Vec<u8>)>, ReadError> {
    let Some(note) = read.head(log, read.size(log)?)? else { return Ok(None) };
    let checkpoint = SignedNote::parse(&note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
    match checkpoint {
        Some(checkpoint) => Ok(Some((checkpoint.size, note))),
        None => Err(ReadError(format!("the stored head of log {log} is not a checkpoint"))),
    }
}

fn records(log: LogId, from: u64, count: u64, read: &dyn Read) -> Result<Response, ReadError> {
    let Some((size, checkpoint)) = held_head(log, read)? else { return Ok(Response::Nothing) };
    let count = count.min(MAX_PAGE_RECORDS).min(size.saturating_sub(from));
    let records = if count == 0 { Vec::new() } else { read.records(log, from, count, MAX_PAGE_BYTES)? };
    if records.is_empty() {
        return Ok(Response::Nothing);
    }
    let end = from + records.len() as u64;
    match consistency_proof(&LogTiles { read, log }, end, size)? {
        Some(proof) => Ok(Response::Records { log, from, records, checkpoint, proof }),
        None => Ok(Response::Nothing),
    }
}

fn proof(log: LogId, old: u64, read: &dyn Read) -> Result<Response, ReadError> {
    let Some((size, checkpoint)) = held_head(log, read)? else { return Ok(Response::Nothing) };
    let tiles = LogTiles { read, log };
    if old > size {
        return Ok(Response::Nothing);
    }
    Ok(match (root_at(&tiles, old)?, consistency_proof(&tiles, old, size)?) {
        (Some(root), Some(proof)) => Response::Proof { log, old, root, checkpoint, proof },
        _ => Response::Nothing,
    })
}
