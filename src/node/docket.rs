//! The docket of stored data: what the logs say, and the branches of them that do not go on.

use std::sync::Arc;

use super::branch::BranchRead;
use super::storage::{LogId, Read, ReadError, ReceiptEntry};
use crate::law::{Docket, Registrar, Seen};
use crate::ledger::{Profile, Receipt, Record, RecordType, Restart, Treaty};

/// Records read at a time.
const PAGE: u64 = 1024;
/// Most bytes of them.
const PAGE_BYTES: usize = 4 << 20;

/// Reads it from the beginning.
pub fn docket(read: &dyn Read, treaty: &Arc<Treaty>, profile: &Arc<Profile>) -> Result<Docket, ReadError> {
    let mut registrar = Registrar::new(treaty.clone(), profile.clone());
    let mut docket = Docket::new(treaty.clone(), profile.clone());
    for log in 0..treaty.parties().len() {
        each(read, log, (0, read.size(log)?), &mut |index, bytes| {
            if let Ok(record) = Record::parse(bytes) {
                registrar.learn(log, &record);
            }
            docket.enter(registrar.file(log, index, bytes));
            if let Some(entry) = counted(read, treaty, log, index, bytes)? {
                docket.apply_receipt(entry.log, entry.by, seen(&entry));
            }
            Ok(())
        })?;
    }
    set_aside(&mut docket, read, treaty, profile)?;
    Ok(docket)
}

/// The receipt that a record is, if the engine has verified it and counts it.
pub fn counted(
    read: &dyn Read,
    treaty: &Treaty,
    by: LogId,
    index: u64,
    bytes: &[u8],
) -> Result<Option<ReceiptEntry>, ReadError> {
    let Ok(record) = Record::parse(bytes) else { return Ok(None) };
    if record.kind != RecordType::Receipt {
        return Ok(None);
    }
    let Some((log, size)) = Receipt::stated(record.payload, treaty) else { return Ok(None) };
    Ok(read.receipt_from(log, by, size)?.filter(|entry| entry.size == size && entry.index == index))
}

/// A stored receipt, as the docket takes it.
pub fn seen(entry: &ReceiptEntry) -> Seen {
    Seen { size: entry.size, index: entry.index, time: entry.time }
}

/// Takes in all branches that the logs' roots have accepted; a docket that has the logs, and not yet those. `false` if a log
/// does not reach its certificate yet: then it is to be asked again.
pub fn set_aside(
    docket: &mut Docket,
    read: &dyn Read,
    treaty: &Arc<Treaty>,
    profile: &Arc<Profile>,
) -> Result<bool, ReadError> {
    let mut complete = true;
    for log in 0..treaty.parties().len() {
        for (number, note) in (1..).zip(read.restarts(log)?) {
            let Ok(restart) = Restart::verify(&note, log, treaty) else { continue };
            if restart.kept_head().size >= read.size(log)? {
                complete = false;
                continue;
            }
            let branch = BranchRead::open(read, treaty, log, number)?;
            docket.set_aside(log, number as u64, branch.is_some());
            if let Some(branch) = branch {
                let registrar = Registrar::new(treaty.clone(), profile.clone());
                take(docket, registrar, &branch, (log, number as u64), treaty.parties().len())?;
            }
        }
    }
    Ok(complete)
}

fn take(
    docket: &mut Docket,
    mut registrar: Registrar,
    branch: &BranchRead<'_>,
    (log, number): (LogId, u64),
    parties: usize,
) -> Result<(), ReadError> {
    for index in branch.credentials(log)? {
        if let Some(bytes) = branch.record(log, index)?
            && let Ok(record) = Record::parse(&bytes)
        {
            registrar.learn(log, &record);
        }
    }
    each(branch, log, (branch.restart().common, branch.size(log)?), &mut |index, bytes| {
        docket.enter_aside(number, registrar.file(log, index, bytes));
        Ok(())
    })?;
    for by in (0..parties).filter(|by| *by != log) {
        let mut size = branch.restart().common + 1;
        while let Some(entry) = branch.receipt_from(log, by, size)? {
            docket.receipt_aside(log, number, by, seen(&entry));
            size = entry.size + 1;
        }
    }
    Ok(())
}

/// Takes a record: its index and its bytes.
type Found<'a> = dyn FnMut(u64, &[u8]) -> Result<(), ReadError> + 'a;

fn each(read: &dyn Read, log: LogId, (from, to): (u64, u64), found: &mut Found<'_>) -> Result<(), ReadError> {
    let mut at = from;
    while at < to {
        let page = read.records(log, at, PAGE.min(to - at), PAGE_BYTES)?;
        if page.is_empty() {
            return Err(ReadError(format!("record {at} of log {log} is missing")));
        }
        for bytes in page {
            found(at, &bytes)?;
            at += 1;
        }
    }
    Ok(())
}
