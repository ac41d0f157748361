//! Whether two sets of receipts are the same, and where they differ: those in the records and those in the lists.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::layout::ReceiptLine;
use crate::ledger::Treaty;

/// Most receipts that wait for their other half; past that it is only known whether the sets differ.
const MAX_WAITING: usize = 1 << 16;

/// Two sets of receipts for one log.
pub(super) struct Differences {
    /// Drawn anew for each audit, so that nobody can write two sets that differ and have the same digest.
    key: [u8; 32],
    digests: [[u8; 32]; 2],
    /// Seen in one of the two sets so far; `None` once they were too many.
    waiting: [Option<BTreeSet<ReceiptLine>>; 2],
}

impl Differences {
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, digests: [[0; 32]; 2], waiting: [Some(BTreeSet::new()), Some(BTreeSet::new())] }
    }

    /// A receipt that stands in a record.
    pub fn in_records(&mut self, line: ReceiptLine, treaty: &Treaty) {
        self.toggle(0, line, treaty);
    }

    /// A receipt that is listed.
    pub fn listed(&mut self, line: ReceiptLine, treaty: &Treaty) {
        self.toggle(1, line, treaty);
    }

    fn toggle(&mut self, side: usize, line: ReceiptLine, treaty: &Treaty) {
        // No line stands twice in either set, so that the sum of all lines' digests is that of the set.
        let one = Sha256::new().chain_update(self.key).chain_update(line.to_text(treaty)).finalize();
        self.digests[side].iter_mut().zip(one).for_each(|(sum, byte)| *sum ^= byte);
        let [a, b] = &mut self.waiting;
        let (own, other) = if side == 0 { (a, b) } else { (b, a) };
        let (Some(mine), Some(theirs)) = (own.as_mut(), other.as_mut()) else { return };
        if !theirs.remove(&line) {
            mine.insert(line);
        }
        if mine.len() > MAX_WAITING {
            self.waiting = [None, None];
        }
    }

    /// Whether they are the same.
    pub fn agree(&self) -> bool {
        self.digests[0] == self.digests[1]
    }

    /// What stands in the records only, and what in the list only; `None` if that was too much to keep.
    pub fn found(&self) -> Option<[&BTreeSet<ReceiptLine>; 2]> {
        let [records, listed] = &self.waiting;
        Some([records.as_ref()?, listed.as_ref()?])
    }
}
