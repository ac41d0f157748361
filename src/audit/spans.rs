//! Sets of records of one log, as stretches: 16 bytes for each, however long it is.

use std::collections::BTreeMap;

/// A set of indexes. Stretches that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// By its first index: the index after its last one.
    ends: BTreeMap<u64, u64>,
}

impl Spans {
    /// The records `from` to, not including, `to`.
    pub fn of(from: u64, to: u64) -> Self {
        let mut spans = Self::default();
        spans.insert(from, to);
        spans
    }

    /// Adds the records `from` to, not including, `to`.
    pub fn insert(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let (mut from, mut to) = (from, to);
        while let Some((start, end)) = self.ends.range(..=to).next_back().map(|(s, e)| (*s, *e)) {
            if end < from {
                break;
            }
            (from, to) = (from.min(start), to.max(end));
            self.ends.remove(&start);
        }
        self.ends.insert(from, to);
    }

    /// Whether an index is in the set.
    pub fn contains(&self, index: u64) -> bool {
        self.next(index).is_some_and(|(from, _)| from <= index)
    }

    /// The stretch that has an index in it, or the first one after it.
    pub fn next(&self, index: u64) -> Option<(u64, u64)> {
        let around = self.ends.range(..=index).next_back().filter(|(_, end)| **end > index);
        around.or_else(|| self.ends.range(index..).next()).map(|(from, to)| (*from, *to))
    }

    /// The stretches, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ends.iter().map(|(from, to)| (*from, *to))
    }

    /// Number of indexes.
    pub fn count(&self) -> u64 {
        self.iter().map(|(from, to)| to - from).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_stretches_is_the_set(stretches in prop::collection::vec((0u64..60, 0u64..9), 0..20)) {
            let (mut spans, mut set) = (Spans::default(), BTreeSet::new());
            for (from, length) in stretches {
                spans.insert(from, from + length);
                set.extend(from..from + length);
            }
            prop_assert_eq!(spans.iter().flat_map(|(from, to)| from..to).collect::<BTreeSet<_>>(), set.clone());
            prop_assert!(spans.iter().zip(spans.iter().skip(1)).all(|((_, end), (start, _))| end < start));
            prop_assert_eq!(spans.count(), set.len() as u64);
            for index in 0..80 {
                prop_assert_eq!(spans.contains(index), set.contains(&index));
                let next = spans.next(index).map(|(from, _)| from.max(index));
                prop_assert_eq!(next, set.range(index..).next().copied());
            }
        }
    }
}
