//! The daemon: the engine on a thread of its own, with the store below it and the network beside it.
//!
//! Whatever happens is queued for that one thread. It takes what waits, lets the engine work on it, writes one batch,
//! syncs it, and only then carries out what the engine wants done: answers, gossip, requests. Many submissions that
//! arrive together so share one sync. Reading, for peers and for people, goes past the thread, straight to the store.

mod asks;
mod clock;
mod handle;
mod law;
mod room;
mod status;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use clock::now_ms;
pub use handle::{Handle, Stopped};
pub use law::LawError;
pub use status::{LogStatus, Status};
pub use worker::WorkerError;

use crate::keys::TransportKey;
use crate::ledger::{Profile, Treaty};
use crate::net::{Net, NetCommand, NetConfig, NetError, NetEvent};
use crate::node::message::{Request, Response};
use crate::node::{Budget, Config, Engine, Input, LogId, ReadError, serve};
use crate::note::SigningKey;
use crate::store::high_water::{HighWater, HighWaterError};
use crate::store::{Store, StoreError};
use asks::Asks;
use worker::{Job, Worker};

/// Most jobs that wait for the engine; whoever brings more waits.
const MAX_QUEUE: usize = 1024;
/// Most events that a slow watcher may lag behind before it misses some.
const MAX_EVENTS: usize = 4096;
/// How often the engine is told that time has passed.
const TICK: Duration = Duration::from_millis(250);
/// How long closing the connections may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request to a peer may take, in milliseconds.
const REQUEST_TIMEOUT_MS: u64 = 15_000;

/// What a node is started with.
pub struct Settings {
    /// The treaty.
    pub treaty: Arc<Treaty>,
    /// Its profile.
    pub profile: Arc<Profile>,
    /// This party.
    pub me: LogId,
    /// Sign this party's checkpoints; the log says which of them does so where.
    pub log_keys: Vec<SigningKey>,
    /// Cosign others' checkpoints, likewise.
    pub witness_keys: Vec<SigningKey>,
    /// libp2p identities: the one in force is taken.
    pub transport_keys: Vec<TransportKey>,
    /// The database's folder.
    pub data: PathBuf,
    /// The high-water mark's file.
    pub high_water: PathBuf,
    /// libp2p addresses to listen on.
    pub listen: Vec<String>,
    /// How often all heads are told to all, in milliseconds.
    pub head_interval_ms: u64,
    /// How long after the first peer's answer to wait for the others' before signing, in milliseconds.
    pub settle_ms: u64,
    /// The operator says by name that the node may sign without having heard from any peer.
    pub sign_without_peers: bool,
    /// What each other party's log may take of the disk.
    pub budget: Budget,
    /// While fewer bytes than this are free on the file system of `data`, nothing of other parties is fetched.
    pub disk_reserve: u64,
}

/// Why a node did not start. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The high-water mark.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    /// Stored data.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The engine's thread.
    #[error("the engine's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running node.
pub struct Daemon {
    /// To use it with.
    pub handle: Handle,
    /// libp2p addresses that it listens on.
    pub listening: Vec<String>,
    engine: JoinHandle<Result<(), WorkerError>>,
    jobs: mpsc::Sender<Job>,
    pump: JoinHandle<()>,
    forward: JoinHandle<()>,
    room: JoinHandle<()>,
    to_net: mpsc::Sender<NetCommand>,
    net: JoinHandle<()>,
    law: std::thread::JoinHandle<()>,
}

impl Daemon {
    /// Starts a node: opens the store, loads and checks the logs' edges, listens, and sets the engine to work.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings { treaty, profile, me, .. } = &settings;
        let (treaty, profile, me) = (treaty.clone(), profile.clone(), *me);
        let store = Arc::new(Store::open(&settings.data, &treaty)?);
        let mut high_water = HighWater::open(&settings.high_water, &treaty.hash(), &treaty.party(me).code)?;
        let config = Config {
            treaty: treaty.clone(),
            profile: profile.clone(),
            me,
            log_keys: settings.log_keys,
            witness_keys: settings.witness_keys,
            high_water: high_water.mark(),
            head_interval_ms: settings.head_interval_ms,
            settle_ms: settings.settle_ms,
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            sign_without_peers: settings.sign_without_peers,
            budget: settings.budget,
        };
        let engine = Engine::load(config, &*store)?;
        // By the logs it may have more amendments than by the settings.
        let treaty = engine.treaty().clone();
        store.set_treaty(treaty.clone());
        // Before the first word to anybody: the store answers peers with the head that it has.
        if let Some(mark) = engine.high_water() {
            high_water.update(mark)?;
        }
        let endpoints = (0..treaty.parties().len()).map(|log| engine.keys().party(log).endpoint()).collect();
        let identity = transport(&engine, me, &settings.transport_keys);
        let (jobs, inbox) = mpsc::channel(MAX_QUEUE);
        let net = crate::net::start(
            NetConfig { identity, me, treaty: treaty.clone(), endpoints, listen: settings.listen },
            answerer(store.clone(), jobs.clone()),
        )
        .await?;

        let (events, _) = broadcast::channel(MAX_EVENTS);
        let (status, status_seen) = watch::channel(Arc::new(Status::of(&engine)));
        // The engine itself limits what it has under way, so that this queue is short; it must never wait for it.
        let (effects, mut from_engine) = mpsc::unbounded_channel();
        let (law, committed, law_thread) = law::Law::start(treaty.clone(), profile.clone(), store.clone())?;
        let worker = Worker::new(engine, store.clone(), high_water, inbox, effects, events.clone(), status);
        let worker = worker.telling(committed);
        let Net { commands, events: mut net_events, listening, task: net } = net;
        let commands_out = commands.clone();
        let engine = tokio::task::spawn_blocking(move || worker.run());
        let forward = tokio::spawn(async move {
            while let Some(command) = from_engine.recv().await {
                if commands_out.send(command).await.is_err() {
                    break;
                }
            }
        });
        let asks = Arc::new(Asks::default());
        let (queue, answers) = (jobs.clone(), asks.clone());
        let pump = tokio::spawn(async move {
            let mut tick = tokio::time::interval(TICK);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let input = tokio::select! {
                    event = net_events.recv() => match event {
                        Some(event) => event_input(event, &answers),
                        None => break,
                    },
                    _ = tick.tick() => Some(Input::Tick),
                };
                if let Some(input) = input
                    && queue.send(Job::Input(input)).await.is_err()
                {
                    break;
                }
            }
        });
        let room = tokio::spawn(room::watch(settings.data, settings.disk_reserve, jobs.clone()));
        let started_ms = now_ms();
        let handle = Handle {
            treaty,
            profile,
            me,
            store,
            jobs: jobs.clone(),
            asks,
            law,
            to_net: commands.clone(),
            status: status_seen,
            events,
            started_ms,
        };
        Ok(Self { handle, listening, engine, jobs, pump, forward, room, to_net: commands, net, law: law_thread })
    }

    /// Waits until the engine stops by itself, which it only does when the disk fails.
    pub async fn failed(&mut self) -> WorkerError {
        match (&mut self.engine).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => WorkerError::Stopped,
            Err(panic) => WorkerError::Panicked(panic.to_string()),
        }
    }

    /// Stops cleanly: what was accepted is on disk, connections are closed.
    pub async fn stop(self) -> Result<(), WorkerError> {
        self.pump.abort();
        self.room.abort();
        let _ = self.jobs.send(Job::Stop).await;
        let ended = match self.engine.await {
            Ok(ended) => ended,
            Err(panic) => Err(WorkerError::Panicked(panic.to_string())),
        };
        // It has the store: whoever opens that next finds it free.
        self.handle.law.stop();
        let law = self.law;
        let _ = tokio::task::spawn_blocking(move || law.join()).await;
        self.forward.abort();
        let _ = self.to_net.send(NetCommand::Stop).await;
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.net).await;
        ended
    }
}

/// The libp2p identity to come with: the key that this party's log puts in force, as soon as a quorum has receipted
/// that; others may not know it before. A lost key is not used again.
fn transport(engine: &Engine, me: LogId, keys: &[TransportKey]) -> zeroize::Zeroizing<[u8; 32]> {
    let history = engine.keys().party(me);
    let named = |peer: &str| keys.iter().find(|key| key.peer_id() == peer);
    let known =
        named(history.peer(engine.final_size(me))).filter(|key| history.endpoint().peers.contains(&key.peer_id()));
    // Without the right key the network says which one it should be.
    let key = known.or_else(|| named(history.peer(u64::MAX))).or(keys.first());
    key.map(|key| key.seed().clone()).unwrap_or_default()
}

/// Answers peers' requests straight from the store, but for what the engine has to sign.
fn answerer(store: Arc<Store>, jobs: mpsc::Sender<Job>) -> crate::net::Serve {
    Arc::new(move |peer, request| {
        if let Request::Attest { log } = request {
            return attested(log, &jobs).map_or(Response::Nothing, |note| Response::Attested { log, note });
        }
        let treaty = store.treaty();
        match serve(&request, &treaty, &*store, now_ms()) {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(peer = treaty.party(peer).code, %error, "a peer's request could not be answered");
                Response::Nothing
            }
        }
    })
}

/// Waits for the engine's signature; this is on a thread that may wait.
fn attested(log: LogId, jobs: &mpsc::Sender<Job>) -> Option<Vec<u8>> {
    let (answer, answered) = oneshot::channel();
    jobs.blocking_send(Job::Attest { log, grown: true, answer }).ok()?;
    answered.blocking_recv().ok().flatten()
}

fn event_input(event: NetEvent, asks: &Asks) -> Option<Input> {
    Some(match event {
        NetEvent::Connected(peer) => Input::Connected(peer),
        NetEvent::Disconnected(peer) => Input::Disconnected(peer),
        NetEvent::Gossip { from, message } => Input::Gossip { from, message },
        NetEvent::Response { id, response } => Input::Response { id, response: asks.end(id, response)? },
        NetEvent::Fault { .. } => return None,
    })
}
