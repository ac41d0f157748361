//! Branches of logs that do not go on, read from stored data for the docket.

use std::sync::Arc;

use crate::law::{Docket, Registrar, Seen};
use crate::ledger::{Profile, Record, Restart, Treaty};
use crate::node::{BranchRead, LogId, Read, ReadError};

/// Records read at a time.
const PAGE: u64 = 256;
/// Most bytes of them.
const PAGE_BYTES: usize = 4 << 20;

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
    let (mut at, end) = (branch.restart().common, branch.size(log)?);
    while at < end {
        let page = branch.records(log, at, PAGE.min(end - at), PAGE_BYTES)?;
        if page.is_empty() {
            return Err(ReadError(format!("record {at} of a branch of log {log} is missing")));
        }
        for bytes in page {
            docket.enter_aside(number, registrar.file(log, at, &bytes));
            at += 1;
        }
    }
    for by in (0..parties).filter(|by| *by != log) {
        let mut size = branch.restart().common + 1;
        while let Some(entry) = branch.receipt_from(log, by, size)? {
            let seen = Seen { size: entry.size, index: entry.index, time: entry.time };
            docket.receipt_aside(log, number, by, seen);
            size = entry.size + 1;
        }
    }
    Ok(())
}
