//! Branches that a restart certificate set aside: what a party said there it said, and it counts as before.
//!
//! Which records come first makes no difference: a note's place tells the branch, and a reference finds its record by its
//! hash, on whatever branch that stands.

use super::docket::{Docket, Fact, Place, Seen};
use super::registrar::Filing;
use crate::ledger::{MAX_PARTIES, Reference, Timestamp};
use crate::tlog::Hash;

/// Where the number of the branch stands in the index of a place. A log has fewer than 2^53 records, and at most 16 restart
/// certificates are followed.
const SHIFT: u32 = 56;

/// The place of a record on the branch that the log's restart certificate with this number left, from 1.
pub(super) fn on_branch((log, index): Place, number: u64) -> Place {
    (log, index | number << SHIFT)
}

/// The number of the branch on which a place is; 0 for what goes on.
pub(super) fn branch((_, index): Place) -> u64 {
    index >> SHIFT
}

/// The place without the branch.
pub(super) fn plain((log, index): Place) -> Place {
    (log, index & ((1 << SHIFT) - 1))
}

/// A branch of a log.
#[derive(Default)]
pub(super) struct Aside {
    is_held: bool,
    /// By party.
    receipts: Vec<Vec<Seen>>,
}

impl Docket {
    /// The log's root accepted a branch that does not go on: that of the certificate with this number, from 1. Until its
    /// records are held, what they say counts for nothing, and [`Self::not_held`] says so.
    pub fn set_aside(&mut self, log: usize, number: u64, is_held: bool) {
        if log < MAX_PARTIES {
            self.asides.entry((log, number)).or_default().is_held |= is_held;
            self.reopen();
        }
    }

    /// Takes in a record of such a branch.
    pub fn enter_aside(&mut self, number: u64, filing: Filing) {
        if let Some(filed) = filing.note.filter(|_| filing.log < self.sizes.len()) {
            self.take(on_branch((filing.log, filing.index), number), filed);
        }
    }

    /// Takes in a verified receipt for such a branch by a party; those of one party come in the order of its log.
    pub fn receipt_aside(&mut self, log: usize, number: u64, by: usize, seen: Seen) {
        let Some(aside) = self.asides.get_mut(&(log, number)).filter(|_| by < MAX_PARTIES) else { return };
        aside.receipts.resize(aside.receipts.len().max(by + 1), Vec::new());
        if aside.receipts[by].last().is_none_or(|last| last.size < seen.size) {
            aside.receipts[by].push(seen);
        }
    }

    pub(super) fn received_aside(&self, note: Place, by: usize, as_of: Timestamp) -> Option<Seen> {
        let receipts = self.asides.get(&(note.0, branch(note)))?.receipts.get(by)?;
        let first = receipts.get(receipts.partition_point(|seen| seen.size <= plain(note).1))?;
        (first.time <= as_of).then_some(*first)
    }

    /// The branches that were set aside and whose records are not held, as `RU~1`.
    pub fn not_held(&self) -> Vec<String> {
        let lacking = self.asides.iter().filter(|(_, aside)| !aside.is_held);
        lacking.map(|((log, number), _)| format!("{}~{number}", self.treaty.party(*log).code)).collect()
    }

    /// All places at which a record of a log with this index can be.
    pub(super) fn places(&self, place: Place) -> impl Iterator<Item = Place> {
        let asides = self.asides.range((place.0, 0)..=(place.0, u64::MAX));
        std::iter::once(place).chain(asides.map(move |((_, number), _)| on_branch(place, *number)))
    }

    /// All places that a reference may mean, by their numbers alone.
    pub fn places_of(&self, re: &Reference) -> Vec<Place> {
        self.treaty.find(&re.log).into_iter().flat_map(|log| self.places((log, re.index))).collect()
    }

    /// A place's log, its index there, and the number of its branch; 0 for what goes on.
    pub fn parts(&self, place: Place) -> (usize, u64, usize) {
        (place.0, plain(place).1, branch(place) as usize)
    }

    /// The note that a reference means, if it is held.
    pub(super) fn meant(&self, (place, leaf): &(Place, Hash)) -> Option<(Place, &Fact)> {
        self.places(*place).find_map(|place| Some((place, self.notes.get(&place).filter(|fact| fact.leaf == *leaf)?)))
    }

    /// Whether a reference can mean a record that is not held: not if another one stands at its place, and on every branch.
    pub(super) fn may_come(&self, place: Place) -> bool {
        let lacks = |(_, aside): (_, &Aside)| !aside.is_held;
        !self.notes.contains_key(&place) || self.asides.range((place.0, 0)..=(place.0, u64::MAX)).any(lacks)
    }
}
