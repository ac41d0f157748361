//! Notes about which something may still be outstanding: what makes asking for that cheap.
//!
//! It changes nothing of what is told. What was found done as of a time is done as of any later one, as long as no note
//! comes in that bears on it, nothing that is held was sent later, and the treaty binds the same parties at the same times.
//! Silence that is deemed something is not such: a late predecessor may move its time.

use std::collections::{BTreeMap, BTreeSet};

use super::docket::Place;
use super::effect::Bound;
use crate::ledger::Timestamp;

/// What is done since when, and what is not.
#[derive(Default)]
pub(super) struct Live {
    open: BTreeSet<Place>,
    /// As of which time each of the others was found done.
    done: BTreeMap<Place, Timestamp>,
    /// The same by time.
    by_time: BTreeSet<(Timestamp, Place)>,
    /// Found so with these parties bound.
    bound: Option<Bound>,
}

impl Live {
    /// All of these are to be looked at.
    pub fn new(notes: impl Iterator<Item = Place>) -> Self {
        Self { open: notes.collect(), ..Self::default() }
    }

    /// A note is to be looked at again.
    pub fn open(&mut self, note: Place) {
        if let Some(time) = self.done.remove(&note) {
            self.by_time.remove(&(time, note));
        }
        self.open.insert(note);
    }

    /// All that is due from a note was found done.
    pub fn settle(&mut self, note: Place, as_of: Timestamp) {
        self.open(note);
        self.open.remove(&note);
        self.done.insert(note, as_of);
        self.by_time.insert((as_of, note));
    }

    /// The notes that have to be looked at as of a time, in order; `all` are those from which something is due.
    pub fn at(&mut self, as_of: Timestamp, bound: &Bound, all: impl Iterator<Item = Place>) -> Vec<Place> {
        if self.bound.as_ref() != Some(bound) {
            *self = Self { bound: Some(bound.clone()), ..Self::new(all) };
        }
        let later = self.by_time.range((as_of, (usize::MAX, u64::MAX))..).map(|(_, note)| *note);
        let mut notes: Vec<_> = self.open.iter().copied().chain(later).collect();
        notes.sort_unstable();
        notes
    }
}
