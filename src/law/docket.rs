//! The docket: what of the parties' records bears on what is due, kept so that a new record costs microseconds.
//!
//! It holds facts and no results: results are computed from it for the time asked about. The facts are the same in
//! whatever order the logs' records come, and so are the results, byte for byte.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::aside::{Aside, branch, plain};
use super::live::Live;
use super::registrar::{Filed, Filing};
use super::roles::Roles;
use super::used::used_fields;
use crate::ledger::profile::Profile;
use crate::ledger::{Disowned, MAX_PARTIES, NoteId, Reference, Timestamp, Treaty};
use crate::tlog::Hash;

/// A note's place: its log, by the party's place in the treaty file, and its index; on a branch that was set aside, that
/// branch stands in the index as well ([`Docket::number`] tells it).
pub type Place = (usize, u64);

/// Most references from a note to one that bears on it. Whoever writes a note chooses what it refers to, so that no other
/// note can push it out of reach.
pub(super) const MAX_DEPTH: usize = 16;
/// Most notes among which an earlier one is looked for, along what its sender refers to.
const MAX_EARLIER: usize = 4096;
/// Most notes of a thread.
const MAX_THREAD: usize = 256;

/// What is kept of a notification.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub kind: Arc<str>,
    pub sent: Timestamp,
    pub to: Vec<String>,
    /// Its record's leaf hash: a reference by another one is to another record.
    pub leaf: Hash,
    pub re: Vec<(Place, Hash)>,
    /// Those of its fields on which rules depend.
    pub body: Map<String, Value>,
}

/// A note that stands in a log and is not its party's word: nothing follows from it.
#[derive(Clone, Debug)]
struct Void {
    sent: Timestamp,
    re: Vec<Reference>,
    why: Why,
}

/// Why nothing follows from a note.
#[derive(Clone, Copy, Debug)]
enum Why {
    Disowned(Disowned),
    /// It stands here already.
    Repeated(Place),
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
    /// A record, by its place and leaf hash, and a note that refers to it. Whether that is the record there shows when it
    /// is held.
    referrers: BTreeSet<(Place, Hash, Place)>,
    /// All references of those notes that refer to a log which the treaty does not have yet.
    unknown: BTreeMap<Place, Vec<Reference>>,
    /// By log, branch and id, where it stands first: a note that a party logs once more says nothing new.
    ids: HashMap<(usize, u64, NoteId), Place>,
    /// By log and number: the branches that were set aside.
    pub(super) asides: BTreeMap<(usize, u64), Aside>,
    void: BTreeMap<Place, Void>,
    /// By log, then by party.
    receipts: Vec<Vec<Vec<Seen>>>,
    pub(super) sizes: Vec<u64>,
    used: BTreeMap<String, BTreeSet<String>>,
    /// Which roles the parties had when.
    pub(super) roles: Roles,
    live: Mutex<Live>,
}

/// What was found along references.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// The nearest first.
    pub notes: Vec<(Place, &'a Fact)>,
    /// There is more, farther away than is looked.
    pub is_cut: bool,
}

/// An earlier note that was looked for.
pub(super) enum Earlier {
    /// It is held.
    Found(Place),
    /// It is none of those that are held; others may come.
    NotHeld,
    /// All that the note refers to is held, and it is none of them.
    None,
}

impl Docket {
    /// An empty docket.
    pub fn new(treaty: Arc<Treaty>, profile: Arc<Profile>) -> Self {
        let parties = treaty.parties().len();
        let used = used_fields(&profile);
        let roles = Roles::of(&treaty);
        Self {
            treaty,
            profile,
            notes: BTreeMap::new(),
            of_kind: BTreeMap::new(),
            referrers: BTreeSet::new(),
            unknown: BTreeMap::new(),
            ids: HashMap::new(),
            asides: BTreeMap::new(),
            void: BTreeMap::new(),
            receipts: vec![vec![Vec::new(); parties]; parties],
            sizes: vec![0; parties],
            used,
            roles,
            live: Mutex::default(),
        }
    }

    /// The treaty was amended: there may be more parties, and others may be bound.
    pub fn amend(&mut self, treaty: Arc<Treaty>) {
        let parties = treaty.parties().len().max(self.sizes.len());
        self.sizes.resize(parties, 0);
        self.roles = Roles::of(&treaty);
        self.treaty = treaty;
        for (place, references) in std::mem::take(&mut self.unknown) {
            self.refer(place, references);
        }
        self.reopen();
    }

    /// Takes in a record of a log, which has to follow those that came before of that log. Logs of parties that the treaty
    /// does not have yet are passed over: it is amended first.
    pub fn enter(&mut self, Filing { log, index, note }: Filing) {
        let Some(size) = self.sizes.get_mut(log) else { return };
        *size = (*size).max(index + 1);
        if let Some(filed) = note {
            self.take((log, index), filed);
        }
    }

    pub(super) fn take(&mut self, place: Place, Filed { leaf, sent, note, disowned }: Filed) {
        let repeated = match disowned {
            Some(why) => Some(Why::Disowned(why)),
            None => self.repeated(place, note.id, sent).map(Why::Repeated),
        };
        if let Some(why) = repeated {
            self.void.insert(place, Void { sent, re: note.re, why });
            return;
        }
        let used = self.used.get(&note.kind);
        let body = note.body.into_iter().filter(|(name, _)| used.is_some_and(|used| used.contains(name))).collect();
        let known = self.of_kind.get_key_value(note.kind.as_str()).map(|(kind, _)| kind.clone());
        let kind: Arc<str> = known.unwrap_or_else(|| note.kind.into());
        self.of_kind.entry(kind.clone()).or_default().insert(place);
        self.notes.insert(place, Fact { kind, sent, to: note.to, leaf, re: Vec::new(), body });
        self.refer(place, note.re);
        // Whatever rests on it has to be looked at again.
        let owing: Vec<_> = self.above(place).into_iter().filter(|place| self.is_owing(*place)).collect();
        owing.into_iter().for_each(|place| self.live().open(place));
    }

    /// Where the same note stands as well and counts: before in the log; and of several branches on that where it was sent
    /// first.
    fn repeated(&mut self, place: Place, id: NoteId, sent: Timestamp) -> Option<Place> {
        let first = *self.ids.entry((place.0, branch(place), id)).or_insert(place);
        if first != place {
            return Some(first);
        }
        let others: Vec<Place> = self
            .places((place.0, 0))
            .map(branch)
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|number| *number != branch(place))
            .filter_map(|number| self.ids.get(&(place.0, number, id)).copied())
            .collect();
        let sent_at = |other: &Place| {
            let void = self.void.get(other).map(|void| void.sent);
            self.notes.get(other).map(|fact| fact.sent).or(void).map(|sent| (sent, *other))
        };
        let (before, other) = others.iter().filter_map(sent_at).min()?;
        if (before, other) < (sent, place) {
            return Some(other);
        }
        self.withdraw(other, place);
        None
    }

    /// A note was logged on another branch before.
    fn withdraw(&mut self, place: Place, first: Place) {
        let Some(fact) = self.notes.remove(&place) else { return };
        self.of_kind.get_mut(&fact.kind).map(|places| places.remove(&place));
        let known = fact.re.iter().map(|(earlier, leaf)| {
            self.referrers.remove(&(*earlier, *leaf, place));
            Reference { index: earlier.1, leaf: *leaf, log: self.treaty.party(earlier.0).code.clone() }
        });
        let re = known.collect();
        let re = self.unknown.remove(&place).unwrap_or(re);
        self.void.insert(place, Void { sent: fact.sent, re, why: Why::Repeated(first) });
        self.reopen();
    }

    /// Keeps to which notes one refers.
    fn refer(&mut self, place: Place, references: Vec<Reference>) {
        let found = |re: &Reference| Some(((self.treaty.find(&re.log)?, re.index), re.leaf));
        let re: Vec<(Place, Hash)> = references.iter().filter_map(found).collect();
        self.referrers.extend(re.iter().map(|(earlier, leaf)| (*earlier, *leaf, place)));
        if re.len() < references.len() {
            self.unknown.insert(place, references);
        }
        if let Some(fact) = self.notes.get_mut(&place) {
            fact.re = re;
        }
    }

    /// The notes to which one refers, as far as they are held.
    fn earlier(&self, fact: &Fact) -> impl Iterator<Item = (Place, &Fact)> {
        fact.re.iter().filter_map(|re| self.meant(re))
    }

    /// A note, and those to which it refers, as far as an answer may be away from what it answers, and one step more: what
    /// takes an answer back refers to the answer.
    fn above(&self, note: Place) -> BTreeSet<Place> {
        let mut seen = BTreeSet::from([note]);
        let mut level = vec![note];
        for _ in 0..=MAX_DEPTH {
            let next = level.iter().filter_map(|place| self.notes.get(place)).flat_map(|fact| self.earlier(fact));
            level = next.map(|(place, _)| place).filter(|place| seen.insert(*place)).collect();
        }
        seen
    }

    /// Whether something is due from a note of this kind.
    fn is_owing(&self, place: Place) -> bool {
        let kind = self.notes.get(&place).and_then(|fact| self.profile.kind.get(&*fact.kind));
        kind.is_some_and(|kind| !kind.due.is_empty())
    }

    /// All notes from which something is due.
    pub(super) fn owing(&self) -> impl Iterator<Item = Place> {
        let owing = |kind: &str| self.profile.kind.get(kind).is_some_and(|kind| !kind.due.is_empty());
        let of = self.of_kind.iter().filter(move |(kind, _)| owing(kind));
        of.flat_map(|(_, places)| places.iter().copied())
    }

    /// What was done may be undone.
    pub(super) fn reopen(&mut self) {
        let live = Live::new(self.owing());
        *self.live() = live;
    }

    /// The log is known to have so many records, also if not all of them were taken in: of a part of a ledger.
    pub fn known_to(&mut self, log: usize, size: u64) {
        if let Some(known) = self.sizes.get_mut(log) {
            *known = (*known).max(size);
        }
    }

    /// Takes in a verified receipt of `log` by `by`; those of one party come in the order of its log.
    pub fn apply_receipt(&mut self, log: usize, by: usize, seen: Seen) {
        if log >= MAX_PARTIES || by >= MAX_PARTIES {
            return;
        }
        // It may come before what makes the treaty have this log.
        let of = row(&mut self.receipts, log);
        let receipts = row(of, by);
        // One that covers no more than an earlier one says nothing new.
        if receipts.last().is_none_or(|last: &Seen| last.size < seen.size) {
            receipts.push(seen);
        }
    }

    /// Takes a receipt out again that turned out to be of another branch of the log.
    pub fn refute(&mut self, log: usize, by: usize, seen: Seen) {
        if let Some(receipts) = self.receipts.get_mut(log).and_then(|of| of.get_mut(by)) {
            receipts.retain(|other| *other != seen);
        }
        self.reopen();
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
        if branch(note) > 0 {
            return self.received_aside(note, by, as_of);
        }
        let receipts = self.receipts.get(note.0)?.get(by)?;
        let first = receipts.get(receipts.partition_point(|seen| seen.size <= note.1))?;
        (first.size <= self.size(note.0) && first.time <= as_of).then_some(*first)
    }

    /// Notes that refer to a note, sent by `as_of`, in order.
    pub(super) fn answers(&self, note: Place, as_of: Timestamp) -> impl Iterator<Item = (Place, &Fact)> {
        self.answers_in(note, (0, 0)..=(usize::MAX, u64::MAX), as_of)
    }

    /// Those of them that one party sent.
    pub(super) fn answers_by(&self, note: Place, log: usize, as_of: Timestamp) -> impl Iterator<Item = (Place, &Fact)> {
        self.answers_in(note, (log, 0)..=(log, u64::MAX), as_of)
    }

    fn answers_in(
        &self,
        note: Place,
        places: std::ops::RangeInclusive<Place>,
        as_of: Timestamp,
    ) -> impl Iterator<Item = (Place, &Fact)> {
        let leaf = self.notes.get(&note).map(|fact| fact.leaf);
        let note = plain(note);
        let found = leaf.map(|leaf| self.referrers.range((note, leaf, *places.start())..=(note, leaf, *places.end())));
        found.into_iter().flatten().filter_map(move |(.., place)| {
            let fact = self.notes.get(place)?;
            (fact.sent <= as_of).then_some((*place, fact))
        })
    }

    /// Notes that refer to a note, or to one that does, and so on, up to 16 references away; the nearest first. What
    /// refers to a later note of the same kind belongs to that one.
    pub(super) fn behind(&self, note: Place, as_of: Timestamp) -> Found<'_> {
        let kind = self.notes.get(&note).map(|fact| fact.kind.clone());
        self.below(note, as_of, MAX_DEPTH, &|fact| Some(&fact.kind) != kind.as_ref())
    }

    /// Whether anything that bears on a note was sent later than `as_of`.
    pub(super) fn has_later(&self, note: Place, as_of: Timestamp) -> bool {
        let all = self.below(note, Timestamp::from_posix(u64::MAX), MAX_DEPTH + 1, &|_| true);
        all.notes.iter().any(|(_, fact)| fact.sent > as_of)
    }

    fn below(&self, note: Place, as_of: Timestamp, depth: usize, goes_on: &dyn Fn(&Fact) -> bool) -> Found<'_> {
        let mut out = Found::default();
        let mut seen = BTreeSet::from([note]);
        let mut level = vec![note];
        for _ in 0..depth {
            let mut next = Vec::new();
            for place in level {
                for (place, fact) in self.answers(place, as_of) {
                    if seen.insert(place) {
                        out.notes.push((place, fact));
                        next.extend(goes_on(fact).then_some(place));
                    }
                }
            }
            level = next;
        }
        out.is_cut = level.iter().any(|place| self.answers(*place, as_of).any(|(place, _)| !seen.contains(&place)));
        out
    }

    /// The nearest note of a kind along the references of a note, breadth first; any kind, if none is named.
    pub(super) fn before(&self, note: Place, of: Option<&str>, as_of: Timestamp) -> Earlier {
        let mut seen = BTreeSet::from([note]);
        let mut level = vec![note];
        let mut all_held = true;
        while !level.is_empty() && seen.len() < MAX_EARLIER {
            let mut next = Vec::new();
            for fact in level.iter().filter_map(|place| self.notes.get(place)) {
                for re in &fact.re {
                    match self.meant(re) {
                        Some((place, _)) if !seen.insert(place) => {}
                        Some((_, found)) if found.sent > as_of => all_held = false,
                        Some((place, found)) if of.is_none_or(|kind| *found.kind == *kind) => {
                            return Earlier::Found(place);
                        }
                        Some((place, _)) => next.push(place),
                        // By a wrong hash it refers to nothing that can ever be held.
                        None => all_held &= !self.may_come(re.0),
                    }
                }
            }
            all_held &= level.iter().all(|place| !self.unknown.contains_key(place));
            level = next;
        }
        if all_held { Earlier::None } else { Earlier::NotHeld }
    }

    /// Notes that hang together with a note by references, itself included, in order of sending: the 256 nearest, and
    /// whether there are more.
    pub fn thread(&self, note: Place, as_of: Timestamp) -> (Vec<Place>, bool) {
        let mut seen = BTreeSet::from([note]);
        let mut next = VecDeque::from([note]);
        let mut is_cut = false;
        while let Some(place) = next.pop_front() {
            let before = self.notes.get(&place).into_iter().flat_map(|fact| self.earlier(fact));
            for (place, fact) in before.chain(self.answers(place, as_of)) {
                if fact.sent > as_of || seen.contains(&place) {
                    continue;
                }
                if seen.len() == MAX_THREAD {
                    is_cut = true;
                    break;
                }
                seen.insert(place);
                next.push_back(place);
            }
        }
        let mut places: Vec<_> = seen.into_iter().filter(|place| self.notes.contains_key(place)).collect();
        places.sort_by_key(|place| (self.notes[place].sent, *place));
        (places, is_cut)
    }

    /// The notes that stand in the logs by a time and count for nothing, the last one last: those that are not their
    /// party's word, and those that were logged once more.
    pub fn disregarded(&self, as_of: Timestamp) -> Vec<Place> {
        let found = self.void.iter().filter(|(_, void)| void.sent <= as_of).map(|(place, _)| *place);
        let mut places: Vec<_> = found.collect();
        places.sort_by_key(|place| (self.void[place].sent, *place));
        places
    }

    /// Those of them that say to refer to one of these notes; the 256 first.
    pub fn disregarded_about(&self, notes: &[Place], as_of: Timestamp) -> Vec<Place> {
        let notes: BTreeSet<_> = notes.iter().collect();
        let place = |re: &Reference| Some((self.treaty.find(&re.log)?, re.index));
        let about =
            |void: &Void| void.re.iter().filter_map(place).any(|re| self.places(re).any(|at| notes.contains(&at)));
        self.disregarded(as_of).into_iter().filter(|place| about(&self.void[place])).take(MAX_THREAD).collect()
    }

    /// Why a note counts for nothing, in a sentence; `None` if it counts.
    pub fn why_disregarded(&self, note: Place) -> Option<String> {
        let why = match self.void.get(&note)?.why {
            Why::Disowned(why) => why.words(&self.code(note.0)),
            Why::Repeated(first) => format!("the same note stands in the log already, as {}", self.number(first)),
        };
        Some(format!("{} counts for nothing: {why}.", self.number(note)))
    }

    /// A note's number, as `US/15`; on a branch that was set aside, as `US~1/15`.
    pub fn number(&self, place: Place) -> String {
        let (code, index) = (&self.treaty.party(place.0).code, plain(place).1);
        match branch(place) {
            0 => format!("{code}/{index}"),
            number => format!("{code}~{number}/{index}"),
        }
    }

    pub(super) fn name(&self, party: usize) -> &str {
        &self.treaty.party(party).name
    }

    pub(super) fn code(&self, party: usize) -> String {
        self.treaty.party(party).code.clone()
    }
}

/// A row of a table, which grows for it.
fn row<T: Default + Clone>(table: &mut Vec<T>, at: usize) -> &mut T {
    if table.len() <= at {
        table.resize(at + 1, T::default());
    }
    &mut table[at]
}
