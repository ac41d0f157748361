//! The docket of a running node: built from the store in the background, then kept up with each commit.
//!
//! A thread of its own reads what was committed. Starting a node does not wait for it; whoever asks what is due does,
//! until the docket has everything that the store had when they asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::law::{Docket, Filing, Registrar};
use crate::ledger::{Credentials, Profile, Record, Treaty};
use crate::node::{Read, ReadError, ReceiptEntry, counted, seen, set_aside};
use crate::store::Store;

/// Most records that are read at a time.
const PAGE: u64 = 4096;
/// Most bytes that are read at a time.
const PAGE_BYTES: usize = 4 << 20;
/// So many records are not worth another thread.
const FEW: usize = 64;
/// How long whoever asks waits for the docket to be built.
const PATIENCE: Duration = Duration::from_secs(60);

/// The docket could not be asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LawError {
    /// It is still being built.
    #[error("what is due is still being computed from the stored records; ask again in a minute")]
    NotYet,
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The docket, shared.
pub(super) struct Law {
    state: Mutex<State>,
    profile: Arc<Profile>,
    changed: Condvar,
    stops: AtomicBool,
}

struct State {
    docket: Docket,
    /// By log, where officials' keys end at a time: what is known of its officials, and by how many of its records.
    officials: BTreeMap<usize, (Credentials, u64)>,
    /// The branches that do not go on were taken in.
    has_branches: bool,
    failed: Option<ReadError>,
}

/// Something was committed.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// These receipts turned out to be of another branch.
    pub refuted: Vec<ReceiptEntry>,
    /// A log goes on with another branch than was held, or the records of one came that does not go on: what followed from
    /// the records is computed anew.
    pub turned: bool,
}

impl Law {
    /// Starts to build it. Each message through the sender has it read what is new; it ends with the sender.
    pub fn start(
        treaty: Arc<Treaty>,
        profile: Arc<Profile>,
        store: Arc<Store>,
    ) -> std::io::Result<(Arc<Self>, Sender<Committed>, JoinHandle<()>)> {
        let docket = Docket::new(treaty, profile.clone());
        let state = State { docket, officials: BTreeMap::new(), has_branches: false, failed: None };
        let (changed, stops) = (Condvar::new(), AtomicBool::new(false));
        let law = Arc::new(Self { state: Mutex::new(state), profile, changed, stops });
        let (committed, commits) = channel();
        let shared = law.clone();
        let thread = std::thread::Builder::new().name("law".into()).spawn(move || shared.run(&store, &commits))?;
        Ok((law, committed, thread))
    }

    /// Has the thread end soon, once nobody can commit any more: it holds the store.
    pub fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
    }

    fn run(&self, store: &Store, commits: &Receiver<Committed>) {
        let mut news = Committed::default();
        let mut registrar = Registrar::new(store.treaty(), self.profile.clone());
        let mut branches_wait = true;
        loop {
            if news.turned {
                branches_wait = true;
                registrar = Registrar::new(store.treaty(), self.profile.clone());
                let mut state = self.lock();
                state.docket = Docket::new(store.treaty(), self.profile.clone());
                state.officials.clear();
                state.has_branches = false;
            }
            let caught_up = self.catch_up(&mut registrar, store, &news.refuted);
            let caught_up = caught_up.and_then(|()| if branches_wait { self.set_aside(store) } else { Ok(true) });
            if let Ok(complete) = &caught_up {
                branches_wait = !complete;
            }
            if let Err(error) = caught_up {
                tracing::error!(%error, "what is due could not be read from the store");
                self.lock().failed = Some(error);
                self.changed.notify_all();
                return;
            }
            // The node has stopped when nobody can commit any more.
            let Ok(first) = commits.recv() else { return };
            news = first;
            for more in commits.try_iter() {
                news.refuted.extend(more.refuted);
                news.turned |= more.turned;
            }
        }
    }

    /// Takes in the branches that do not go on. `false` if a log does not reach its certificate yet.
    fn set_aside(&self, store: &Store) -> Result<bool, ReadError> {
        let mut state = self.lock();
        let complete = set_aside(&mut state.docket, store, &store.treaty(), &self.profile)?;
        state.has_branches = true;
        drop(state);
        self.changed.notify_all();
        Ok(complete)
    }

    fn catch_up(&self, registrar: &mut Registrar, store: &Store, refuted: &[ReceiptEntry]) -> Result<(), ReadError> {
        let treaty = store.treaty();
        registrar.amend(treaty.clone());
        let parties = treaty.parties().len();
        amend(&mut self.lock().docket, treaty);
        for log in 0..parties {
            while !self.stops.load(Ordering::Relaxed) {
                let from = self.lock().docket.size(log);
                if from >= store.size(log)? {
                    break;
                }
                let records = store.records(log, from, PAGE, PAGE_BYTES)?;
                let now = store.treaty();
                let mut receipts = Vec::with_capacity(records.len());
                for (index, bytes) in (from..).zip(&records) {
                    receipts.push(counted(store, &now, log, index, bytes)?);
                }
                // Signatures are verified while the docket may be asked.
                let filings = file(registrar, log, from, &records);
                let mut state = self.lock();
                // What was read may be about a party that acceded meanwhile.
                amend(&mut state.docket, store.treaty());
                for (filing, receipt) in filings.into_iter().zip(receipts) {
                    state.docket.enter(filing);
                    if let Some(entry) = receipt {
                        state.docket.apply_receipt(entry.log, entry.by, seen(&entry));
                    }
                }
                if let Some(officials) = registrar.officials(log).filter(|officials| officials.have_ends()) {
                    state.officials.insert(log, (officials.clone(), from + records.len() as u64));
                }
                if records.is_empty() {
                    return Err(ReadError(format!("record {from} of log {log} is missing")));
                }
                drop(state);
                self.changed.notify_all();
            }
        }
        let mut state = self.lock();
        refuted.iter().for_each(|entry| state.docket.refute(entry.log, entry.by, seen(entry)));
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Asks the docket, once it has all records that the store has now. Waits up to a minute: on a thread that may wait.
    pub fn ask<T>(&self, store: &Store, question: impl FnOnce(&Docket) -> T) -> Result<T, LawError> {
        let sizes = (0..store.treaty().parties().len()).map(|log| store.size(log)).collect::<Result<Vec<_>, _>>()?;
        let until = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone().into());
            }
            if state.has_branches && sizes.iter().enumerate().all(|(log, size)| state.docket.size(log) >= *size) {
                return Ok(question(&state.docket));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LawError::NotYet);
            }
            let waited = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
    }

    /// What is known of the officials of a log in which keys end at a time, and by how many of its records; `None` of other
    /// logs, and until that many records were read. Does not wait.
    pub fn officials(&self, log: usize) -> Option<(Credentials, u64)> {
        self.lock().officials.get(&log).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn amend(docket: &mut Docket, treaty: Arc<Treaty>) {
    if docket.treaty().number() != treaty.number() {
        docket.amend(treaty);
    }
}

/// Reads records of a log and verifies whose word they are, with all of the machine's cores if they are many.
fn file(registrar: &mut Registrar, log: usize, from: u64, records: &[Vec<u8>]) -> Vec<Filing> {
    // Stored records were checked; one that does not read says nothing, and is passed over.
    records.iter().filter_map(|bytes| Record::parse(bytes).ok()).for_each(|record| registrar.learn(log, &record));
    let registrar = &*registrar;
    let some = |from: u64, records: &[Vec<u8>]| -> Vec<Filing> {
        (from..).zip(records).map(|(index, bytes)| registrar.file(log, index, bytes)).collect()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = records.len().div_ceil(cores).max(FEW);
    if records.len() <= each {
        return some(from, records);
    }
    std::thread::scope(|scope| {
        let work: Vec<_> = (from..)
            .step_by(each)
            .zip(records.chunks(each))
            .map(|(from, records)| scope.spawn(move || some(from, records)))
            .collect();
        let found = work.into_iter().map(|work| work.join().unwrap_or_else(|why| std::panic::resume_unwind(why)));
        found.flatten().collect()
    })
}
