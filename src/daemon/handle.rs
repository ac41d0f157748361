//! How the rest of the process uses a running node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::asks::Asks;
use super::law::{Law, LawError};
use super::status::Status;
use super::worker::Job;
use crate::law::Docket;
use crate::ledger::{Credentials, Profile, Treaty};
use crate::net::NetCommand;
use crate::node::message::{Request, Response};
use crate::node::{Accepted, Event, LogId, Refusal};
use crate::store::Store;

/// How long a peer may take to cosign a head as of now.
const ATTEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The engine has stopped: the disk failed, or the node is shutting down. Whether the note was logged is not known;
/// submitting it again does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// A running node, to be asked and to be given notes. Clones are cheap; each has the treaty as it stands when it is made.
pub struct Handle {
    /// The treaty, with the amendments that are known.
    pub treaty: Arc<Treaty>,
    /// Its profile.
    pub profile: Arc<Profile>,
    /// This party.
    pub me: LogId,
    /// Stored data.
    pub store: Arc<Store>,
    /// When the node started, in POSIX milliseconds.
    pub started_ms: u64,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) asks: Arc<Asks>,
    pub(super) law: Arc<Law>,
    pub(super) to_net: mpsc::Sender<NetCommand>,
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) events: broadcast::Sender<Event>,
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self {
            treaty: self.store.treaty(),
            profile: self.profile.clone(),
            me: self.me,
            store: self.store.clone(),
            started_ms: self.started_ms,
            jobs: self.jobs.clone(),
            asks: self.asks.clone(),
            law: self.law.clone(),
            to_net: self.to_net.clone(),
            status: self.status.clone(),
            events: self.events.clone(),
        }
    }
}

impl Handle {
    /// Hands in a signed note. The answer comes when it is on disk, or refused.
    pub async fn submit(&self, note: Vec<u8>) -> Result<Result<Accepted, Refusal>, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Submit { note, answer }).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// What this node and all peers that are connected hold of a log, cosigned as of now: each a checkpoint with one
    /// cosignature, not verified. Waits at most as long as a request may take; who does not answer is left out.
    pub async fn attested(&self, log: LogId) -> Vec<Vec<u8>> {
        let connected: Vec<_> = self
            .status()
            .logs
            .iter()
            .enumerate()
            .filter(|(_, view)| view.peer.is_some())
            .map(|(peer, _)| peer)
            .collect();
        let peers = connected.into_iter().filter(|peer| *peer != log && *peer != self.me);
        let asked = peers.map(|peer| async move {
            let (id, answered) = self.asks.begin();
            let command = NetCommand::Request { peer, id, request: Request::Attest { log } };
            self.to_net.send(command).await.ok()?;
            match tokio::time::timeout(ATTEST_TIMEOUT, answered).await {
                Ok(Ok(Some(Response::Attested { log: answered, note }))) if answered == log => Some(note),
                Ok(_) => None,
                Err(_) => {
                    self.asks.end(id, None);
                    None
                }
            }
        });
        let (own, others) = futures::future::join(self.attest(log, true), futures::future::join_all(asked)).await;
        own.into_iter().chain(others.into_iter().flatten()).collect()
    }

    /// This party's own cosignature, as of now, on the head of another party's log: a checkpoint with that one line.
    /// Unless `grown`, only on the head that it has cosigned before.
    pub async fn attest(&self, log: LogId, grown: bool) -> Option<Vec<u8>> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Attest { log, grown, answer }).await.ok()?;
        answered.await.ok().flatten()
    }

    /// Asks the docket: what is due, what has taken effect. It knows all that is stored when it is asked; after a start it
    /// waits up to a minute for that, so that it is to be called where one may wait.
    pub fn law<T>(&self, question: impl FnOnce(&Docket) -> T) -> Result<T, LawError> {
        self.law.ask(&self.store, question)
    }

    /// The officials of a log in which keys end at a time, by so many of its records; `None` of other logs.
    pub fn officials(&self, log: LogId) -> Option<(Credentials, u64)> {
        self.law.officials(log)
    }

    /// What the engine knows now.
    pub fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// What happens from now on. A reader that lags is told how much it missed.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
