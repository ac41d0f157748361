//! What of a log is checked by several threads: the signatures of notes, receipts and heads. Each check depends on the
//! bytes and on what stood before them, and on nothing that is found meanwhile: results come in the order of the file.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use super::crew::{Crew, Found};
use super::export::receipt_line;
use super::frame::{Broken, Reader};
use super::known::KnownHeads;
use super::layout::ReceiptLine;
use super::source::Input;
use crate::ledger::{
    KeyHistory, Keyring, Mark, NoteId, Notification, Place, Profile, Receipt, Record, RecordType, Reference, Treaty,
    check_notification,
};
use crate::note::SignedNote;
use crate::tlog::Checkpoint;

/// Most records that are given out at a time.
const MOST_RECORDS: usize = 64;
/// Most bytes of them, if they are more than one.
const MOST_BYTES: usize = 1 << 18;
/// Heads that are read ahead at a time.
const HEADS: usize = 64;

/// What all checks of a ledger go by.
#[derive(Clone)]
pub(super) struct Law {
    pub treaty: Arc<Treaty>,
    pub profile: Option<Arc<Profile>>,
    /// Which keys are in force where, by what the export lists.
    pub keys: Arc<Keyring>,
    /// Heads that were verified by these keys.
    pub known: Arc<KnownHeads>,
}

/// A notification or a receipt that is to be checked.
pub(super) struct Task {
    /// The record.
    pub bytes: Vec<u8>,
    /// How the treaty stands at its place.
    pub at: Place,
}

/// What was found in some records of a log.
#[derive(Default)]
pub(super) struct Checked {
    /// Notes that are not in order, by their index.
    pub marked: Vec<(u64, Vec<Mark>)>,
    /// What notes refer to, by their index, and whether the note is among those.
    pub references: Vec<(u64, Vec<Reference>, bool)>,
    /// Receipts that count, each with the log that it is for.
    pub receipts: Vec<(usize, ReceiptLine)>,
    /// Number of receipts that are none.
    pub void: u64,
}

/// The same as the threads find it: whether a note stood in the log before is not known to them.
struct Apart {
    tasks: Vec<Task>,
    notes: Vec<Note>,
    receipts: Vec<(usize, ReceiptLine)>,
    void: u64,
}

/// A notification: which task it is, its place, its id if it can be read, what it refers to, and what is not in order.
struct Note {
    task: usize,
    index: u64,
    id: Option<NoteId>,
    re: Vec<Reference>,
    marks: Vec<Mark>,
}

/// The checks of one log's records.
pub(super) struct Checks {
    log: usize,
    law: Law,
    /// Of the log itself. A later credential changes nothing for the records before it, so that all may share one history.
    keys: Arc<RwLock<KeyHistory>>,
    tasks: Vec<Task>,
    bytes: usize,
    under_way: VecDeque<Found<Apart>>,
    /// Where each note's id stands first: 25 to 57 bytes of memory for each note of the log.
    ids: HashMap<NoteId, u64>,
}

impl Checks {
    pub fn new(log: usize, law: Law, keys: Arc<RwLock<KeyHistory>>) -> Self {
        let (tasks, under_way, ids) = (Vec::new(), VecDeque::new(), HashMap::new());
        Self { log, law, keys, tasks, bytes: 0, under_way, ids }
    }

    /// Takes in the next record.
    pub fn push(&mut self, task: Task, crew: &Crew) {
        self.bytes += task.bytes.len();
        self.tasks.push(task);
        if self.tasks.len() >= MOST_RECORDS || self.bytes >= MOST_BYTES {
            self.give(crew);
        }
    }

    fn give(&mut self, crew: &Crew) {
        let (log, law, keys) = (self.log, self.law.clone(), self.keys.clone());
        let tasks = std::mem::take(&mut self.tasks);
        self.bytes = 0;
        self.under_way.push_back(crew.give(move || check(log, tasks, &law, &keys)));
    }

    /// The next result, if more is under way than is of use, or if all of it is wanted.
    pub fn take(&mut self, all: bool, crew: &Crew) -> Option<Checked> {
        if all && !self.tasks.is_empty() {
            self.give(crew);
        }
        let due = all || self.under_way.len() > crew.most();
        if due { self.under_way.pop_front().map(|found| self.in_order(found.take())) } else { None }
    }

    /// With what only the order of the log shows: that a note was logged once more.
    fn in_order(&mut self, Apart { tasks, notes, receipts, void }: Apart) -> Checked {
        let mut checked = Checked { receipts, void, ..Checked::default() };
        for Note { task, index, id, re, mut marks } in notes {
            let first = id.map(|id| *self.ids.entry(id).or_insert(index)).filter(|first| *first < index);
            if let Some(record) = first.and_then(|_| Record::parse(&tasks[task].bytes).ok()) {
                marks = note(&record, self.log, tasks[task].at, &self.law, &self.keys, |_| first);
            }
            if !re.is_empty() {
                checked.references.push((index, re, !marks.is_empty()));
            }
            if !marks.is_empty() {
                checked.marked.push((index, marks));
            }
        }
        checked
    }
}

fn check(log: usize, tasks: Vec<Task>, law: &Law, keys: &RwLock<KeyHistory>) -> Apart {
    let (mut notes, mut receipts, mut void) = (Vec::new(), Vec::new(), 0);
    for (task, Task { bytes, at }) in tasks.iter().enumerate() {
        // It was read before, or it would not be here.
        let Ok(record) = Record::parse(bytes) else { continue };
        let index = record.index;
        if record.kind == RecordType::Receipt {
            let head = |keys: &KeyHistory, note: &SignedNote| law.known.verify(keys, note);
            match Receipt::verify_with(record.payload, log, index, &law.keys, &head) {
                Ok(receipt) => receipts.push((receipt.log, receipt_line(&receipt, index))),
                Err(_) => void += 1,
            }
        } else {
            let mut id = None;
            let marks = note(&record, log, *at, law, keys, |read| {
                id = Some(*read);
                None
            });
            let re = Notification::of_note(record.payload).map(|(_, note)| note.re).unwrap_or_default();
            notes.push(Note { task, index, id, re, marks });
        }
    }
    Apart { tasks, notes, receipts, void }
}

/// What is not in order with a notification; `logged` tells where a note with its id stands before.
fn note(
    record: &Record<'_>,
    log: usize,
    at: Place,
    law: &Law,
    keys: &RwLock<KeyHistory>,
    logged: impl FnOnce(&NoteId) -> Option<u64>,
) -> Vec<Mark> {
    let (keys, profile) = (keys.read().unwrap_or_else(PoisonError::into_inner), law.profile.as_deref());
    check_notification(record, log, at, &law.treaty, profile, keys.officials(), logged).marks
}

/// A head as it stands in the list.
pub(super) struct ListedHead {
    /// Where it begins.
    pub start: Broken,
    /// The size in its frame, and what it says if the log signed it and nobody else; or why the list cannot be read on.
    pub read: Result<(u64, Result<Checkpoint, String>), Broken>,
}

/// The heads of a log, read ahead.
pub(super) struct Heads {
    log: usize,
    law: Law,
    file: Reader<Input>,
    expected: String,
    ended: bool,
    next: VecDeque<ListedHead>,
    under_way: VecDeque<Found<Vec<ListedHead>>>,
}

impl Heads {
    /// `expected`: what should stand at each place, in words.
    pub fn new(log: usize, law: Law, file: Input, expected: String) -> Self {
        let (next, under_way) = (VecDeque::new(), VecDeque::new());
        Self { log, law, file: Reader::new(file), expected, ended: false, next, under_way }
    }

    /// The next one; `None` at the end of the list.
    pub fn next(&mut self, crew: &Crew) -> Option<ListedHead> {
        while self.next.is_empty() {
            while !self.ended && self.under_way.len() <= usize::from(crew.most() > 0) {
                self.read_ahead(crew);
            }
            self.next.extend(self.under_way.pop_front()?.take());
        }
        self.next.pop_front()
    }

    fn read_ahead(&mut self, crew: &Crew) {
        let mut frames = Vec::new();
        while frames.len() < HEADS && !self.ended {
            let start = self.file.broken(self.expected.clone(), "");
            match self.file.next_frame("checkpoint") {
                Ok(Some(frame)) => frames.push((start, Ok(frame))),
                Ok(None) => self.ended = true,
                Err(broken) => {
                    self.ended = true;
                    frames.push((start, Err(broken)));
                }
            }
        }
        let (log, law) = (self.log, self.law.clone());
        let read = move |(start, frame): (Broken, Result<(u64, Vec<u8>), Broken>)| {
            let read = frame.map(|(size, bytes)| (size, head(&bytes, size, law.keys.party(log), &law.known)));
            ListedHead { start, read }
        };
        self.under_way.push_back(crew.give(move || frames.into_iter().map(read).collect()));
    }

    /// Bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// Gives the file back.
    pub fn into_inner(self) -> Input {
        self.file.into_inner()
    }
}

/// A head of this size that the log signed, and nobody else.
fn head(bytes: &[u8], size: u64, keys: &KeyHistory, known: &KnownHeads) -> Result<Checkpoint, String> {
    let note = SignedNote::parse(bytes).map_err(|e| e.to_string())?;
    let checkpoint = known.verify(keys, &note).map_err(|e| e.to_string())?;
    let bare = keys.bare(&note, checkpoint.size, u64::MAX).map_err(|e| e.to_string())?;
    if checkpoint.size != size || bare.to_bytes() != bytes {
        return Err("another size, or more signatures than that".to_owned());
    }
    Ok(checkpoint)
}
