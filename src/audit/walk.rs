//! One log's three files, read side by side.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::branches::Branches;
use super::checks::{Checks, Heads, Law};
use super::crew::Crew;
use super::frame::{Broken, Reader};
use super::layout::{CHECKPOINTS, RECEIPTS, ReceiptLine};
use super::report::{LogReport, Report, SetBack, SetBacks};
use super::source::{Input, LOG_FILES};
use crate::ledger::{Adoption, Fault, FaultPlace, KeyHistory, Keyring, Record, RecordType, Timestamp, Treaty};
use crate::tlog::{Checkpoint, Hash};

/// One of a log's files while it is read.
pub(super) type File = Reader<Input>;

/// A record that was read and is not yet in the tree: the next one says whether it is what it should be.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub index: u64,
    pub leaf: Hash,
    pub line: u64,
    pub byte: u64,
}

/// A head that was read, with where it stands.
pub(super) struct Head {
    pub checkpoint: Checkpoint,
    pub line: u64,
    pub byte: u64,
}

/// One log while its files are read.
pub(super) struct Walk {
    pub log: usize,
    pub folder: String,
    heads: Heads,
    pub receipts: File,
    pub records: File,
    /// The next head, verified.
    pub head: Option<Head>,
    /// The next line of `receipts.txt`.
    pub receipt: Option<ReceiptLine>,
    last_receipt: Option<ReceiptLine>,
    pub tree: Branches,
    pub pending: Option<Pending>,
    /// Leaf hash of the last record, if it is known.
    pub last_leaf: Option<Hash>,
    pub receipted: Vec<u64>,
    /// By log: the largest head of it that this log has receipted so far.
    pub given: Vec<u64>,
    /// Receipts that contradict the log, each with what shows it, by whom it was given, and in which record.
    pub contradicted: Vec<(String, Checkpoint, usize, u64)>,
    /// By party and record that changed the log key: the party's first receipt for more.
    pub first_after: BTreeMap<(usize, u64), u64>,
    /// Size of the largest head that is known to be signed.
    pub signed: u64,
    /// A head did not agree with the records; it is said once, until one agrees again.
    pub astray: bool,
    /// The log's keys, by the records that were read.
    keys: Arc<RwLock<KeyHistory>>,
    /// Leaf hashes of the records that change them.
    pub key_leaves: Vec<Hash>,
    pub adoption: Adoption,
    /// The latest time of the records that were read, and the first record that has it: the log's clock.
    clock: Option<(Timestamp, u64)>,
    /// The next moment at which the clock ends an official's key.
    pub next_end: Option<Timestamp>,
    pub checks: Checks,
    pub out: LogReport,
}

impl Walk {
    pub fn new(law: &Law, log: usize, [checkpoints, receipts, records]: [Input; 3]) -> Self {
        let treaty = &*law.treaty;
        let party = treaty.party(log).code.clone();
        let expected = format!("a head with the signature by {} and no other", treaty.party(log).log.name());
        let keys = Arc::new(RwLock::new(Keyring::new(treaty).party(log).clone()));
        Self {
            log,
            folder: format!("{}/{party}", super::layout::LOGS),
            heads: Heads::new(log, law.clone(), checkpoints, expected),
            receipts: Reader::new(receipts),
            records: Reader::new(records),
            head: None,
            receipt: None,
            last_receipt: None,
            tree: Branches::new(),
            pending: None,
            last_leaf: Some(treaty.hash()),
            receipted: vec![0; treaty.parties().len()],
            given: vec![0; treaty.parties().len()],
            contradicted: Vec::new(),
            first_after: BTreeMap::new(),
            signed: 0,
            astray: false,
            checks: Checks::new(log, law.clone(), keys.clone()),
            keys,
            key_leaves: Vec::new(),
            adoption: Adoption::default(),
            clock: None,
            next_end: None,
            out: LogReport { party, name: treaty.party(log).name.clone(), ..LogReport::default() },
        }
    }

    /// Number of records that were read, the one included that is not in the tree yet.
    pub fn read(&self) -> u64 {
        self.tree.size() + u64::from(self.pending.is_some())
    }

    /// Bytes of its files that were read.
    pub fn bytes(&self) -> u64 {
        self.records.bytes + self.heads.bytes() + self.receipts.bytes
    }

    /// A fault in one of the log's files.
    pub fn fault(&self, file: &str, broken: Broken, means: impl Into<String>) -> Fault {
        Fault {
            file: format!("{}/{file}", self.folder),
            place: FaultPlace::line(broken.line, broken.byte),
            expected: broken.expected,
            found: broken.found,
            means: means.into(),
        }
    }

    /// The log's keys, by the records that were read.
    pub fn keys(&self) -> RwLockReadGuard<'_, KeyHistory> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to take in a record.
    pub fn keys_mut(&self) -> RwLockWriteGuard<'_, KeyHistory> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in when a record was logged, by the log's own clock: officials' keys end by it, also where it goes back.
    pub fn pass(&mut self, record: &Record<'_>) {
        if let Some(before) = self.out.last.filter(|before| record.time < *before) {
            let back = SetBack { record: record.index, before, after: record.time };
            let worst = self.out.set_back.get_or_insert_with(|| SetBacks { count: 0, worst: back.clone() });
            worst.count += 1;
            if back.seconds() > worst.worst.seconds() {
                worst.worst = back;
            }
        }
        self.out.last = Some(record.time);
        let (clock, index) = *match &mut self.clock {
            Some(clock) if clock.0 >= record.time => clock,
            clock => clock.insert((record.time, record.index)),
        };
        // The threads that check notes share the keys: they are written to only where that changes anything.
        let ends = self.next_end.is_some_and(|end| end < clock);
        if ends || record.kind == RecordType::Credential {
            self.keys_mut().pass(index, clock);
        }
        if ends {
            let next_end = self.keys().officials().waits_for();
            self.next_end = next_end;
        }
    }

    /// Reads on to the next head that verifies. What does not verify proves nothing, and those after it still do.
    pub fn next_head(&mut self, treaty: &Treaty, crew: &Crew, report: &mut Report) {
        self.head = None;
        let party = treaty.party(self.log);
        loop {
            let Some(listed) = self.heads.next(crew) else { return };
            let start = listed.start;
            let (number, read) = match listed.read {
                Ok(read) => read,
                Err(broken) => {
                    let means = "The heads from here on were not looked at.";
                    return report.fault(self.fault(CHECKPOINTS, broken, means));
                }
            };
            let last = self.head.as_ref().map_or(0, |head| head.checkpoint.size);
            match read {
                Ok(checkpoint) if checkpoint.size >= last => {
                    self.signed = self.signed.max(number);
                    self.head = Some(Head { checkpoint, line: start.line, byte: start.byte });
                    return;
                }
                read => {
                    let found = read.err().unwrap_or_else(|| "a smaller head than the one before it".into());
                    let means = format!(
                        "It does not show that {} signed a log of {number} records. Its other heads stand.",
                        party.name
                    );
                    let mut fault = self.fault(CHECKPOINTS, Broken { found, ..start }, means);
                    fault.place = fault.place.signature(party.log.name());
                    report.fault(fault);
                }
            }
        }
    }

    /// Reads on to the next line about a receipt.
    pub fn next_receipt(&mut self, treaty: &Treaty, report: &mut Report) {
        self.receipt = None;
        loop {
            let start = self.receipts.broken("a line `size … root … by … record … time …`", "");
            let text = match self.receipts.next_line() {
                Ok(Some(text)) => text,
                Ok(None) => return,
                Err(broken) => {
                    let means =
                        "The receipts listed from here on were not looked at; those in the others' records were.";
                    return report.fault(self.fault(RECEIPTS, broken, means));
                }
            };
            let line = ReceiptLine::parse(&text, treaty).filter(|line| line.by != self.log);
            let broken = match line {
                None => Broken { found: super::frame::quoted(&text), ..start },
                Some(line) if self.last_receipt.is_some_and(|last| last >= line) => Broken {
                    expected: "receipts by size, party and record, each once".into(),
                    found: super::frame::quoted(&text),
                    ..start
                },
                Some(line) => {
                    (self.last_receipt, self.receipt) = (Some(line), Some(line));
                    return;
                }
            };
            let means = "This line shows nothing. The receipt itself, if there is one, is the record that it names.";
            report.fault(self.fault(RECEIPTS, broken, means));
        }
    }

    /// Gives the files back.
    pub fn into_files(self) -> ([(&'static str, Input); 3], LogReport) {
        let [a, b, c] = LOG_FILES;
        let files = [(a, self.heads.into_inner()), (b, self.receipts.into_inner()), (c, self.records.into_inner())];
        (files, self.out)
    }
}
