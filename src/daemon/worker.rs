//! The engine's thread: take what waits, write and sync one batch, then act.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::clock::now_ms;
use super::law::Committed;
use super::status::Status;
use crate::ledger::Treaty;
use crate::net::NetCommand;
use crate::node::{Accepted, Effect, Engine, Event, Input, LogId, ReadError, Refusal, Step};
use crate::store::high_water::{HighWater, HighWaterError};
use crate::store::{Store, StoreError};

/// Most jobs in one step: what they bring is written and synced together.
const MAX_JOBS: usize = 256;

/// Something for the engine to do.
pub(super) enum Job {
    /// Something happened.
    Input(Input),
    /// A note was handed in.
    Submit { note: Vec<u8>, answer: oneshot::Sender<Result<Accepted, Refusal>> },
    /// A log's head is to be cosigned again as of now.
    Attest { log: LogId, grown: bool, answer: oneshot::Sender<Option<Vec<u8>>> },
    /// The node is to stop.
    Stop,
}

/// Why the engine stopped. What was acknowledged before is on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// Writing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Writing the high-water mark.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    /// Reading.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It was stopped.
    #[error("the engine was stopped")]
    Stopped,
    /// A bug.
    #[error("the engine's thread panicked: {0}")]
    Panicked(String),
}

/// Tells the operator's log what is not fetched any more, and what is again.
fn tell_of_room(before: &Status, now: &Status, treaty: &Treaty) {
    for (log, now) in now.logs.iter().enumerate() {
        let party = &treaty.party(log).code;
        match (before.logs.get(log).and_then(|before| before.not_fetched), now.not_fetched) {
            (before, Some(why)) if before != Some(why) => {
                tracing::warn!(party, %why, "nothing more of a party's log is fetched for the time being");
            }
            (Some(_), None) => tracing::info!(party, "a party's log is fetched again"),
            _ => {}
        }
    }
}

pub(super) struct Worker {
    engine: Engine,
    store: Arc<Store>,
    high_water: HighWater,
    inbox: mpsc::Receiver<Job>,
    network: mpsc::UnboundedSender<NetCommand>,
    events: broadcast::Sender<Event>,
    status: watch::Sender<Arc<Status>>,
    answers: HashMap<u64, oneshot::Sender<Result<Accepted, Refusal>>>,
    attests: HashMap<u64, oneshot::Sender<Option<Vec<u8>>>>,
    next_ticket: u64,
    committed: Option<std::sync::mpsc::Sender<Committed>>,
}

impl Worker {
    pub fn new(
        engine: Engine,
        store: Arc<Store>,
        high_water: HighWater,
        inbox: mpsc::Receiver<Job>,
        network: mpsc::UnboundedSender<NetCommand>,
        events: broadcast::Sender<Event>,
        status: watch::Sender<Arc<Status>>,
    ) -> Self {
        Self {
            engine,
            store,
            high_water,
            inbox,
            network,
            events,
            status,
            answers: HashMap::new(),
            attests: HashMap::new(),
            next_ticket: 0,
            committed: None,
        }
    }

    /// Tells somebody of each commit.
    pub fn telling(self, committed: std::sync::mpsc::Sender<Committed>) -> Self {
        Self { committed: Some(committed), ..self }
    }

    /// Works until it is stopped or the disk fails. Whoever still waits for an answer then learns that none comes.
    pub fn run(mut self) -> Result<(), WorkerError> {
        while let Some(job) = self.inbox.blocking_recv() {
            let mut goes_on = self.take(job)?;
            for _ in 1..MAX_JOBS {
                match self.inbox.try_recv() {
                    Ok(job) if goes_on => goes_on = self.take(job)?,
                    _ => break,
                }
            }
            self.step()?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, job: Job) -> Result<bool, WorkerError> {
        let input = match job {
            Job::Input(input) => input,
            Job::Submit { note, answer } => {
                self.next_ticket += 1;
                self.answers.insert(self.next_ticket, answer);
                Input::Submit { ticket: self.next_ticket, note }
            }
            Job::Attest { log, grown, answer } => {
                self.next_ticket += 1;
                self.attests.insert(self.next_ticket, answer);
                Input::Attest { ticket: self.next_ticket, log, grown }
            }
            Job::Stop => return Ok(false),
        };
        self.engine.handle(input, now_ms(), &*self.store)?;
        Ok(true)
    }

    fn step(&mut self) -> Result<(), WorkerError> {
        let Step { batch, effects } = self.engine.step(&*self.store)?;
        let treaty = self.engine.treaty();
        if !Arc::ptr_eq(treaty, &self.store.treaty()) {
            // Before anything of a new party's log is written. Who may connect is told to the network as well.
            self.store.set_treaty(treaty.clone());
            drop(self.network.send(NetCommand::Treaty(treaty.clone())));
        }
        if !batch.is_empty() {
            // The commit point: nothing below may happen before both of these are on disk, in this order. A mark
            // ahead of the database would stop a node for good that crashed between the two.
            self.store.commit(&batch, now_ms())?;
            if let Some(mark) = batch.high_water {
                let left = batch.left_high_water;
                if left { self.high_water.replace(mark) } else { self.high_water.update(mark) }?;
            }
        }
        if let Some(committed) = self.committed.as_ref().filter(|_| !batch.is_empty()) {
            // Whoever keeps the docket reads the rest from the store; it may have failed, and the node goes on.
            let turned = !batch.restarts.is_empty() || !batch.branches.is_empty();
            let _ = committed.send(Committed { refuted: batch.refuted.clone(), turned });
        }
        let status = Status::of(&self.engine);
        self.status.send_if_modified(|before| {
            let changed = **before != status;
            if changed {
                tell_of_room(before, &status, treaty);
                *before = Arc::new(status);
            }
            changed
        });
        for effect in effects {
            match effect {
                Effect::Gossip(gossip) => drop(self.network.send(NetCommand::Gossip(gossip))),
                Effect::Request { peer, id, request } => {
                    drop(self.network.send(NetCommand::Request { peer, id, request }))
                }
                Effect::Answer { ticket, outcome } => {
                    if let Some(answer) = self.answers.remove(&ticket) {
                        // A client that went away does not want to know.
                        let _ = answer.send(outcome);
                    }
                }
                Effect::Attested { ticket, note } => {
                    if let Some(answer) = self.attests.remove(&ticket) {
                        let _ = answer.send(note);
                    }
                }
                Effect::Endpoint { party, endpoint } => {
                    drop(self.network.send(NetCommand::Endpoint { party, endpoint }))
                }
                Effect::Event(event) => drop(self.events.send(event)),
            }
        }
        Ok(())
    }
}
