//! The tree of a log whose records do not all fit together: which of two readings a signed head confirms.
//!
//! Where a record's bytes have another hash than the next record says, one of the two was altered. Both readings are
//! followed until a head confirms one of them. So an altered record is named, and those around it still stand.

use crate::tlog::{CompactRange, Hash};

/// Most readings that are followed at a time.
const MAX_READINGS: usize = 16;

/// A record whose hash is not what the record after it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub index: u64,
    /// Where the record stands in the file.
    pub line: u64,
    pub byte: u64,
    /// The hash of its bytes.
    pub found: Hash,
    /// The hash that the next record names.
    pub claimed: Hash,
}

/// The readings of a log so far. The first one takes all bytes as they are.
pub(super) struct Branches {
    readings: Vec<(CompactRange, Vec<Doubt>)>,
    /// Doubts that no head has settled.
    open: Vec<Doubt>,
    /// There were too many to follow.
    lost: bool,
}

impl Branches {
    pub fn new() -> Self {
        Self { readings: vec![(CompactRange::default(), Vec::new())], open: Vec::new(), lost: false }
    }

    pub fn size(&self) -> u64 {
        self.readings[0].0.size()
    }

    /// The root of the bytes as they are.
    pub fn root(&self) -> Hash {
        self.readings[0].0.root()
    }

    /// Adds a record that nothing speaks against.
    pub fn push(&mut self, leaf: Hash) {
        self.readings.iter_mut().for_each(|(range, _)| range.push(leaf));
    }

    /// Adds a record that may have been altered.
    pub fn doubt(&mut self, doubt: Doubt) {
        self.open.push(doubt);
        if self.readings.len() * 2 > MAX_READINGS || self.lost {
            self.lost = true;
            return self.push(doubt.found);
        }
        let mut others = self.readings.clone();
        self.push(doubt.found);
        for (range, altered) in &mut others {
            range.push(doubt.claimed);
            altered.push(doubt);
        }
        self.readings.extend(others);
    }

    /// Adds records by the root of their subtree; `false` if such a subtree does not begin here.
    pub fn push_subtree(&mut self, height: u8, root: Hash) -> bool {
        self.readings.iter_mut().all(|(range, _)| range.push_subtree(height, root))
    }

    /// Whether a reading has this root. It is the only one from then on; the records that were altered by it.
    pub fn confirm(&mut self, root: &Hash) -> Option<Vec<Doubt>> {
        let found = self.readings.iter().position(|(range, _)| range.root() == *root)?;
        let (range, altered) = self.readings.swap_remove(found);
        self.readings = vec![(range, Vec::new())];
        self.open.clear();
        Some(altered)
    }

    /// Doubts that no head has settled.
    pub fn unsettled(&self) -> &[Doubt] {
        &self.open
    }
}
