//! `verbale node`: this party's node, until it is told to stop.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::data::failure;
use super::public_files::Public;
use crate::api::{Api, ApiError};
use crate::cli::{Code, Failure};
use crate::cli::{Context, NodeConfig, Output};
use crate::daemon::{Daemon, Handle, Settings, StartError, WorkerError};
use crate::keys::{self, Passphrase};
use crate::ledger::Job;
use crate::net::NetError;
use crate::node::{Budget, Event};
use crate::note::{SigningKey, VerifierKey};

const MIB: u64 = 1 << 20;

/// Run this party's node: keep its log, exchange notes and receipts with the other parties
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sign although no other party's node has been heard. Only for the first start of a ledger, or when the operator
    /// knows that this log was not signed further elsewhere: a log that contradicts itself is forked for good
    #[arg(long)]
    sign_without_peers: bool,
}

/// Runs the node.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let config = NodeConfig::load(&ctx.home)?;
    start_log(&config)?;
    let settings = settings(&config, args.sign_without_peers, ctx)?;
    let public = Public::prepare(&config, &settings.treaty, settings.me, ctx)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Other, format!("no runtime could be started: {error}")))?;
    runtime.block_on(serve(settings, public, &config, ctx.home.clone()))
}

fn start_log(config: &NodeConfig) -> Result<(), Failure> {
    let level = std::env::var("VERBALE_LOG").unwrap_or_else(|_| config.log.clone());
    let filter = EnvFilter::try_new(&level).map_err(|error| {
        Failure::new(Code::Input, format!("`log` is `{level}`: {error}")).hint("as `info`, or `info,verbale=debug`")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if config.log_format == crate::cli::LogFormat::Json {
        log.json().init()
    } else {
        log.with_target(false).init()
    }
    Ok(())
}

fn settings(config: &NodeConfig, sign_without_peers: bool, ctx: &Context) -> Result<Settings, Failure> {
    let treaty = ctx.treaty()?;
    let profile = ctx.profile(&treaty)?;
    let me = treaty.find(&config.party).ok_or_else(|| {
        let text = format!("`party` is {}, which is not in the treaty file", config.party);
        Failure::new(Code::Input, text).hint("see `verbale treaty show`")
    })?;
    let passphrase = Passphrase::new(config.passphrase_file.clone());
    let folder = ctx.home.join("keys");
    let party = treaty.party(me);
    let log_keys = signing_keys(&folder, Job::Log, &party.log, &passphrase)?;
    let witness_keys = signing_keys(&folder, Job::Witness, &party.witness, &passphrase)?;
    let mut transport_keys = Vec::new();
    for path in key_files(&folder, Job::Transport) {
        transport_keys.push(keys::load_transport(&path, &passphrase)?);
    }
    let listen = if config.listen.is_empty() { party.addresses.clone() } else { config.listen.clone() };
    Ok(Settings {
        treaty: Arc::new(treaty),
        profile: Arc::new(profile),
        me,
        log_keys,
        witness_keys,
        transport_keys,
        data: config.data.clone(),
        high_water: config.high_water.clone(),
        listen,
        head_interval_ms: config.head_interval_seconds.saturating_mul(1000),
        settle_ms: config.recovery_settle_seconds.saturating_mul(1000),
        sign_without_peers,
        budget: Budget {
            at_once: config.log_mib_at_once.saturating_mul(MIB),
            a_day: config.log_mib_a_day.saturating_mul(MIB),
        },
        disk_reserve: config.disk_reserve_mib.saturating_mul(MIB),
    })
}

/// The files with keys of a job: the first one, and those that rotations brought. If there is none, where the first
/// should be.
fn key_files(folder: &Path, job: Job) -> Vec<PathBuf> {
    let first = folder.join(format!("{}.key", job.as_str()));
    let prefix = format!("{}-", job.as_str());
    let is_later = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&prefix) && name.ends_with(".key")
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok().map(|e| e.path()));
    let mut later: Vec<_> = entries.filter(is_later).collect();
    later.sort();
    if first.exists() || later.is_empty() {
        later.insert(0, first);
    }
    later
}

/// The keys of a job. The log tells at the start which of them are in force.
fn signing_keys(
    folder: &Path,
    job: Job,
    first: &VerifierKey,
    passphrase: &Passphrase,
) -> Result<Vec<SigningKey>, Failure> {
    let mut found = Vec::new();
    for path in key_files(folder, job) {
        let is_first = path.file_name().is_some_and(|name| name == format!("{}.key", job.as_str()).as_str());
        let key = if is_first { keys::load_as(&path, first, passphrase)? } else { keys::load(&path, passphrase)? };
        if key.public().name() != first.name() || key.public().kind() != first.kind() {
            let text = format!(
                "{} holds the key {}, which is no {} key of this party",
                path.display(),
                key.public().name(),
                job.as_str()
            );
            return Err(Failure::new(Code::Key, text));
        }
        found.push(key);
    }
    Ok(found)
}

async fn serve(settings: Settings, public: Option<Public>, config: &NodeConfig, home: PathBuf) -> Result<(), Failure> {
    let signals =
        |kind| signal(kind).map_err(|error| Failure::new(Code::Other, format!("signals cannot be handled: {error}")));
    let (mut terminate, mut interrupt) = (signals(SignalKind::terminate())?, signals(SignalKind::interrupt())?);
    let mut daemon = Daemon::start(settings).await.map_err(failed_to_start)?;
    let handle = daemon.handle.clone();
    let teller = tokio::spawn(tell(handle.clone(), home));
    let outside = public.as_ref().and_then(|public| public.outside.clone());
    let api = match Api::serve_with(&config.socket, handle.clone(), outside).await {
        Ok(api) => api,
        Err(error) => {
            let _ = daemon.stop().await;
            let code = if matches!(error, ApiError::InUse(_)) { Code::Locked } else { Code::Listen };
            return Err(Failure::new(code, error.to_string()));
        }
    };
    let started = match public {
        Some(public) => public.start(config, &handle).await.map(Some),
        None => Ok(None),
    };
    let public = match started {
        Ok(public) => public,
        Err(failure) => {
            api.stop();
            let _ = daemon.stop().await;
            return Err(failure);
        }
    };
    let party = handle.treaty.party(handle.me);
    tracing::info!(
        party = party.code,
        name = party.name,
        treaty = handle.treaty.file().title,
        treaty_sha256 = handle.treaty.hash().to_hex(),
        listening = daemon.listening.join(" "),
        socket = %config.socket.display(),
        "the node runs"
    );
    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        error = daemon.failed() => Some(error),
    };
    tracing::info!("the node stops");
    api.stop();
    if let Some(public) = public {
        public.stop();
    }
    teller.abort();
    match failure {
        Some(error) => Err(failed_to_work(error)),
        None => daemon.stop().await.map_err(failed_to_work),
    }
}

/// Tells the log what an operator wants to find there.
async fn tell(handle: Handle, home: PathBuf) {
    let mut events = handle.events();
    let code = |log: usize| handle.store.treaty().party(log).code.clone();
    let context = Context { home, out: Output::new(false) };
    keep_amendments(&handle, &context);
    tracing::info!(state = %handle.status().mode, "started");
    loop {
        match events.recv().await {
            Ok(Event::Stored { log, from, to }) => tracing::debug!(log = code(log), from, to, "records stored"),
            Ok(Event::Receipt { log, by, size, .. }) => {
                tracing::debug!(log = code(log), by = code(by), records = size, "receipt")
            }
            Ok(Event::Fork(log)) => tracing::error!(party = code(log), "a log has forked; both heads are kept"),
            Ok(Event::Restarted(log)) => {
                tracing::warn!(party = code(log), "the root of a log that forked accepted both branches; it goes on");
            }
            Ok(Event::Amended(number)) => {
                tracing::warn!(number, "the treaty file has an amendment more; see `verbale treaty show`");
                keep_amendments(&handle, &context);
            }
            Ok(Event::Contested(number)) => {
                tracing::error!(number, "the parties signed two amendments of this number; neither holds")
            }
            Ok(Event::Mode(mode)) if mode.signs() => tracing::info!("the node signs"),
            Ok(Event::Mode(mode)) => tracing::warn!(why = %mode, "the node does not sign"),
            Ok(Event::Fault { peer, what }) => {
                tracing::warn!(peer = code(peer), what, "a peer sent what does not hold")
            }
            Ok(Event::OtherTreaty(peer)) => {
                tracing::error!(peer = code(peer), "a peer has another treaty file; nothing is exchanged with it")
            }
            Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => tracing::debug!(missed, "events not told"),
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Copies of the amendments, for the commands that work without the node. The logs are what counts.
fn keep_amendments(handle: &Handle, context: &Context) {
    for (at, (note, _)) in handle.store.treaty().amendments().enumerate() {
        if let Err(error) = context.keep_amendment(at + 1, note) {
            tracing::warn!(error = error.message, "an amendment could not be copied to the home folder");
        }
    }
}

fn failed_to_start(error: StartError) -> Failure {
    match error {
        StartError::Store(error) => failure(error),
        StartError::HighWater(error) => Failure::new(Code::Damaged, error.to_string()),
        StartError::Net(error @ (NetError::InUse { .. } | NetError::Listen { .. })) => {
            Failure::new(Code::Listen, error.to_string()).hint("see `listen` in verbale.toml")
        }
        StartError::Net(error @ NetError::Identity { .. }) => Failure::new(Code::Key, error.to_string()),
        StartError::Net(error) => Failure::new(Code::Input, error.to_string()),
        StartError::Read(error) => Failure::new(Code::Damaged, error.to_string()).hint("run `verbale fsck`"),
        StartError::Thread(_) => Failure::new(Code::Other, error.to_string()),
    }
}

fn failed_to_work(error: WorkerError) -> Failure {
    let kept = "what was acknowledged is on disk; the node takes up where it stopped when it is started again";
    match error {
        WorkerError::Store(error) => failure(error),
        WorkerError::HighWater(_) => Failure::new(Code::Disk, error.to_string()).hint(kept),
        WorkerError::Read(error) => Failure::new(Code::Damaged, error.to_string()).hint("run `verbale fsck`"),
        WorkerError::Stopped | WorkerError::Panicked(_) => Failure::new(Code::Other, error.to_string()).hint(kept),
    }
}
