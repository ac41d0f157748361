//! The docket: what of the parties' records bears on what is due, kept so that a new record costs microseconds.
//!
//! It holds facts and no results: results are computed from it for the time asked about. The facts are the same in
//! whatever order the logs' records come, and so are the results, byte for byte.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::used::used_fields;
use crate::ledger::profile::Profile;
use crate::ledger::{Keyring, NoteId, Notification, Receipt, Record, RecordType, Timestamp, Treaty};

/// A note's place: its log, by the party's place in the treaty file, and its index.
pub type Place = (usize, u64);

/// Most notes that are followed from reference to reference.
pub(super) const MAX_THREAD: usize = 256;

/// What is kept of a notification.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub kind: Arc<str>,
    pub sent: Timestamp,
    pub to: Vec<String>,
    pub re: Vec<Place>,
    /// Those of its fields on which rules depend.
    pub body: Map<String, Value>,
}

/// A receipt of a log by a party, as it counts for notes below `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The log's size that it covers.
    pub size: u64,
    /// Its index in the receiving party's log.
    pub index: u64,
    /// When the party received it, by its own clock.
    pub time: Timestamp,
}

/// All that bears on what is due, of all logs.
pub struct Docket {
    pub(super) treaty: Arc<Treaty>,
    pub(super) profile: Arc<Profile>,
    pub(super) notes: BTreeMap<Place, Fact>,
    /// The notes of each kind.
    of_kind: BTreeMap<Arc<str>, BTreeSet<Place>>,
    /// Notes that refer to a place, in order.
    pub(super) referrers: HashMap<Place, Vec<Place>>,
    /// By log and id: a note that a party logs once more says nothing new, and nothing follows from it.
    ids: HashSet<(usize, NoteId)>,
    /// Which keys are in force where, by the records taken in.
    keys: Keyring,
    /// By log, then by party.
    receipts: Vec<Vec<Vec<Seen>>>,
    sizes: Vec<u64>,
    used: BTreeMap<String, BTreeSet<String>>,
    /// The profile has rules: without any, no fact is worth keeping.
    has_rules: bool,
    pub(super) live: Mutex<Live>,
}

/// Notes about which something may still be outstanding: what makes asking for that cheap.
///
/// What was done stays done: as of any later time, and whatever else comes in, there is an act, or a note that ended the
/// obligation. Silence that is deemed something is not such: a late predecessor may move its time.
#[derive(Default)]
pub(super) struct Live {
    /// All others are done as of `as_of`.
    pub notes: BTreeSet<Place>,
    pub as_of: Timestamp,
}

impl Docket {
    /// An empty docket.
    pub fn new(treaty: Arc<Treaty>, profile: Arc<Profile>) -> Self {
        let parties = treaty.parties().len();
        let keys = Keyring::new(&treaty);
        let used = used_fields(&profile);
        let has_rules = profile.quota.is_some()
            || !profile.periodic.is_empty()
            || profile.kind.values().any(|kind| !kind.due.is_empty() || !kind.effect.is_empty());
        Self {
            treaty,
            profile,
            notes: BTreeMap::new(),
            of_kind: BTreeMap::new(),
            referrers: HashMap::new(),
            ids: HashSet::new(),
            receipts: vec![vec![Vec::new(); parties]; parties],
            keys,
            sizes: vec![0; parties],
            used,
            has_rules,
            live: Mutex::default(),
        }
    }

    /// The treaty has more parties now.
    pub fn amend(&mut self, treaty: Arc<Treaty>) {
        let parties = treaty.parties().len().max(self.sizes.len());
        self.sizes.resize(parties, 0);
        self.receipts.resize(parties, Vec::new());
        self.receipts.iter_mut().for_each(|of| of.resize(parties, Vec::new()));
        self.keys.amend(&treaty);
        self.treaty = treaty;
    }

    /// Takes in a record of a log, which has to follow those that came before of that log. Receipts are verified; what
    /// does not hold counts for nothing. Logs beyond the treaty file's are passed over.
    pub fn apply(&mut self, log: usize, index: u64, bytes: &[u8]) {
        let Ok(record) = Record::parse(bytes) else { return };
        self.apply_note(log, index, &record);
        if record.kind == RecordType::Receipt
            // The other log's records may come later: what its key is does not change who gave the receipt, and when.
            && let Ok(receipt) = Receipt::verify_or_open(record.payload, log, index, &self.keys)
        {
            let seen = Seen { size: receipt.checkpoint.size, index, time: receipt.time };
            self.apply_receipt(receipt.log, log, seen);
        }
    }

    /// The same, without looking at receipts: for who has verified them already and gives them by themselves.
    pub fn apply_note(&mut self, log: usize, index: u64, record: &Record) {
        let Some(size) = self.sizes.get_mut(log) else { return };
        *size = (*size).max(index + 1);
        self.keys.party_mut(log).apply(record, &self.treaty);
        if record.kind != RecordType::Notification || !self.has_rules {
            return;
        }
        let Ok((_, note)) = Notification::of_note(record.payload) else { return };
        if !self.ids.insert((log, note.id)) {
            return;
        }
        let re: Vec<Place> = note.re.iter().filter_map(|re| Some((self.treaty.find(&re.log)?, re.index))).collect();
        for place in &re {
            let referrers = self.referrers.entry(*place).or_default();
            if let Err(at) = referrers.binary_search(&(log, index)) {
                referrers.insert(at, (log, index));
            }
        }
        if self.profile.kind.get(&note.kind).is_some_and(|kind| !kind.due.is_empty()) {
            self.live().notes.insert((log, index));
        }
        let used = self.used.get(&note.kind);
        let body = note.body.into_iter().filter(|(name, _)| used.is_some_and(|used| used.contains(name))).collect();
        let known = self.of_kind.get_key_value(note.kind.as_str()).map(|(kind, _)| kind.clone());
        let kind: Arc<str> = known.unwrap_or_else(|| note.kind.into());
        self.of_kind.entry(kind.clone()).or_default().insert((log, index));
        self.notes.insert((log, index), Fact { kind, sent: record.time, to: note.to, re, body });
    }

    /// The log is known to have so many records, also if not all of them were taken in: of a part of a ledger.
    pub fn known_to(&mut self, log: usize, size: u64) {
        if let Some(known) = self.sizes.get_mut(log) {
            *known = (*known).max(size);
        }
    }

    /// Takes in a verified receipt of `log` by `by`; those of one party come in the order of its log.
    pub fn apply_receipt(&mut self, log: usize, by: usize, seen: Seen) {
        let Some(receipts) = self.receipts.get_mut(log).and_then(|of| of.get_mut(by)) else { return };
        if !self.has_rules {
            return;
        }
        // One that covers no more than an earlier one says nothing new.
        if receipts.last().is_none_or(|last| last.size < seen.size) {
            receipts.push(seen);
        }
    }

    /// Takes a receipt out again that turned out to be of another branch of the log.
    pub fn refute(&mut self, log: usize, by: usize, seen: Seen) {
        if let Some(receipts) = self.receipts.get_mut(log).and_then(|of| of.get_mut(by)) {
            receipts.retain(|other| *other != seen);
        }
        // What it had done is undone.
        let due = |name: &str| self.profile.kind.get(name).is_some_and(|kind| !kind.due.is_empty());
        let all = self.of_kinds(due).into_iter().map(|(place, _)| place).collect();
        *self.live() = Live { notes: all, as_of: Timestamp::default() };
    }

    /// The notes of the kinds that are asked for, by place.
    pub(super) fn of_kinds(&self, is: impl Fn(&str) -> bool) -> Vec<(Place, &Fact)> {
        let of = self.of_kind.iter().filter(|(kind, _)| is(kind)).flat_map(|(_, places)| places);
        let mut notes: Vec<_> = of.filter_map(|place| Some((*place, self.notes.get(place)?))).collect();
        notes.sort_unstable_by_key(|(place, _)| *place);
        notes
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records taken in of a log.
    pub fn size(&self, log: usize) -> u64 {
        self.sizes.get(log).copied().unwrap_or(0)
    }

    /// The latest time at which a note that is held was sent.
    pub(super) fn last_sent(&self) -> Option<Timestamp> {
        self.notes.values().map(|fact| fact.sent).max()
    }

    /// Notes held.
    pub fn len(&self) -> usize {
        self.notes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The treaty.
    pub fn treaty(&self) -> &Treaty {
        &self.treaty
    }

    /// Its profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A party's first receipt that covers a note, if it had been given by `as_of`. A receipt of records that are not
    /// held yet does not count yet.
    pub fn received(&self, note: Place, by: usize, as_of: Timestamp) -> Option<Seen> {
        let receipts = self.receipts.get(note.0)?.get(by)?;
        let first = receipts.get(receipts.partition_point(|seen| seen.size <= note.1))?;
        (first.size <= self.sizes[note.0] && first.time <= as_of).then_some(*first)
    }

    /// Notes that refer to a note, sent by `as_of`, in order.
    pub(super) fn answers(&self, note: Place, as_of: Timestamp) -> impl Iterator<Item = (Place, &Fact)> {
        let places = self.referrers.get(&note).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(move |place| {
            let fact = self.notes.get(place)?;
            (fact.sent <= as_of).then_some((*place, fact))
        })
    }

    /// Notes that refer to a note, or to one that does, and so on; in the order in which they are found.
    pub(super) fn behind(&self, note: Place, as_of: Timestamp) -> Vec<(Place, &Fact)> {
        let mut found: Vec<(Place, &Fact)> = Vec::new();
        let mut seen = BTreeSet::from([note]);
        let mut next = vec![note];
        while let Some(place) = next.pop() {
            for (place, fact) in self.answers(place, as_of) {
                if found.len() < MAX_THREAD && seen.insert(place) {
                    found.push((place, fact));
                    next.push(place);
                }
            }
        }
        found
    }

    /// The nearest note of a kind along the references of a note, breadth first; any kind, if none is named.
    pub(super) fn before(&self, note: Place, of: Option<&str>, as_of: Timestamp) -> Option<(Place, &Fact)> {
        let mut seen = BTreeSet::from([note]);
        let mut level = vec![note];
        while !level.is_empty() && seen.len() < MAX_THREAD {
            let mut next = Vec::new();
            for fact in level.iter().filter_map(|place| self.notes.get(place)) {
                for place in fact.re.iter().filter(|place| !seen.contains(place)) {
                    if let Some(found) = self.notes.get(place).filter(|found| found.sent <= as_of)
                        && of.is_none_or(|kind| *found.kind == *kind)
                    {
                        return Some((*place, found));
                    }
                    next.push(*place);
                }
            }
            seen.extend(&next);
            level = next;
        }
        None
    }

    /// All notes that hang together with a note by references, itself included, at most 256, in order of sending.
    pub fn thread(&self, note: Place, as_of: Timestamp) -> Vec<Place> {
        let mut seen = BTreeSet::from([note]);
        let mut next = vec![note];
        while let Some(place) = next.pop() {
            let before = self.notes.get(&place).map(|fact| fact.re.clone()).unwrap_or_default();
            for place in before.into_iter().chain(self.answers(place, as_of).map(|(place, _)| place)) {
                if seen.len() < MAX_THREAD && self.notes.contains_key(&place) && seen.insert(place) {
                    next.push(place);
                }
            }
        }
        let mut places: Vec<_> = seen.into_iter().filter(|place| self.notes.contains_key(place)).collect();
        places.sort_by_key(|place| (self.notes[place].sent, *place));
        places
    }

    /// A note's number, as `US/15`.
    pub fn number(&self, place: Place) -> String {
        format!("{}/{}", self.treaty.party(place.0).code, place.1)
    }

    pub(super) fn name(&self, party: usize) -> &str {
        &self.treaty.party(party).name
    }

    pub(super) fn code(&self, party: usize) -> String {
        self.treaty.party(party).code.clone()
    }
}
