//! What notes refer to: whether the records that are at hand are those which a note means.
//!
//! A reference names a record by its place and by its leaf hash. One whose record is not at hand may be right; nothing is
//! said of it, wherever it points: a log goes on, and a copy of it may end anywhere.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::notification::{Notification, Reference};
use super::treaty::Treaty;
use super::validity::Mark;
use crate::tlog::Hash;

/// A mark for each reference to a record that is at hand and is another; `leaf` gives the leaf hash of the record at a
/// place, if it is at hand.
pub fn astray<E>(
    note: &Notification,
    treaty: &Treaty,
    mut leaf: impl FnMut(usize, u64) -> Result<Option<Hash>, E>,
) -> Result<Vec<Mark>, E> {
    let mut marks = Vec::new();
    for reference in &note.re {
        let Some(log) = treaty.find(&reference.log) else { continue };
        if leaf(log, reference.index)?.is_some_and(|leaf| leaf != reference.leaf) {
            marks.push(mark(reference));
        }
    }
    Ok(marks)
}

fn mark(Reference { log, index, .. }: &Reference) -> Mark {
    Mark {
        code: "reference".to_owned(),
        text: format!("It refers to {log}/{index}, and by its hash to another record than stands there."),
    }
}

/// The references of a whole ledger, looked at when all of its logs were read: a note may refer to a log that comes later.
///
/// Memory: 8 bytes for each record, and 40 or so for each reference.
#[derive(Default)]
pub struct References {
    /// Nobody who writes a reference knows what its hash becomes here.
    key: RandomState,
    /// By log: stretches of records at hand, each with its first index.
    at_hand: BTreeMap<usize, Vec<(u64, Vec<u64>)>>,
    /// From where on the place of a record says nothing, as the log's root accepted another branch as well.
    parted: HashMap<usize, u64>,
    asked: Vec<Asked>,
}

/// A reference: of which note, whether that has other marks, to what place, by which hash.
struct Asked {
    from: (usize, u64),
    marked: bool,
    to: (usize, u64),
    leaf: u64,
}

impl References {
    /// The next record of a log that is at hand.
    pub fn record(&mut self, log: usize, index: u64, leaf: &Hash) {
        let hash = self.key.hash_one(leaf);
        let stretches = self.at_hand.entry(log).or_default();
        match stretches.last_mut() {
            Some((from, hashes)) if *from + hashes.len() as u64 == index => hashes.push(hash),
            _ => stretches.push((index, vec![hash])),
        }
    }

    /// The log's root accepted two branches, which have so many records in common.
    pub fn parted(&mut self, log: usize, common: u64) {
        let first = self.parted.entry(log).or_insert(common);
        *first = common.min(*first);
    }

    /// What a note refers to; `marked` if something else of it is not in order.
    pub fn note(&mut self, from: (usize, u64), re: &[Reference], marked: bool, treaty: &Treaty) {
        for reference in re {
            let Some(log) = treaty.find(&reference.log) else { continue };
            let leaf = self.key.hash_one(reference.leaf);
            self.asked.push(Asked { from, marked, to: (log, reference.index), leaf });
        }
    }

    fn leaf(&self, (log, index): (usize, u64)) -> Option<u64> {
        let stretches = self.at_hand.get(&log)?;
        let at = stretches.partition_point(|(from, _)| *from <= index).checked_sub(1)?;
        let (from, hashes) = &stretches[at];
        let is_parted = self.parted.get(&log).is_some_and(|common| *common <= index);
        hashes.get(usize::try_from(index - from).ok()?).copied().filter(|_| !is_parted)
    }

    /// The notes that refer to other records than stand at those places, in the order of logs: of each whether it has
    /// other marks, and its marks for this.
    pub fn astray(&self, treaty: &Treaty) -> BTreeMap<(usize, u64), (bool, Vec<Mark>)> {
        let mut found: BTreeMap<_, (bool, Vec<Mark>)> = BTreeMap::new();
        for asked in self.asked.iter().filter(|asked| self.leaf(asked.to).is_some_and(|leaf| leaf != asked.leaf)) {
            let log = treaty.party(asked.to.0).code.clone();
            let mark = mark(&Reference { index: asked.to.1, leaf: Hash([0; 32]), log });
            let (marked, marks) = found.entry(asked.from).or_default();
            *marked = asked.marked;
            marks.push(mark);
        }
        found
    }
}
