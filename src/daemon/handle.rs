//! How the rest of the process uses a running node.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::status::Status;
use super::worker::Job;
use crate::ledger::{Profile, Treaty};
use crate::node::{Accepted, Event, LogId, Refusal};
use crate::store::Store;

/// The engine has stopped: the disk failed, or the node is shutting down. Whether the note was logged is not known;
/// submitting it again does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// A running node, to be asked and to be given notes. Clones are cheap.
#[derive(Clone)]
pub struct Handle {
    /// The treaty.
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
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) events: broadcast::Sender<Event>,
}

impl Handle {
    /// Hands in a signed note. The answer comes when it is on disk, or refused.
    pub async fn submit(&self, note: Vec<u8>) -> Result<Result<Accepted, Refusal>, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Submit { note, answer }).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
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
