//! Questions of the node's own to its peers, beside those of the engine: the answers come back by number.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use crate::node::message::Response;

/// The engine counts its requests from 1 and never comes as far.
const FIRST: u64 = 1 << 63;

/// Questions under way.
#[derive(Default)]
pub(super) struct Asks {
    count: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Option<Response>>>>,
}

impl Asks {
    /// A new question: its number, and where its answer comes.
    pub fn begin(&self) -> (u64, oneshot::Receiver<Option<Response>>) {
        let id = FIRST + self.count.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(id, answer);
        (id, answered)
    }

    /// Hands an answer to whoever asked; gives it back if it is one to the engine.
    pub fn end(&self, id: u64, response: Option<Response>) -> Option<Option<Response>> {
        if id < FIRST {
            return Some(response);
        }
        let waiting = self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&id);
        if let Some(answer) = waiting {
            // Whoever asked may have given up.
            let _ = answer.send(response);
        }
        None
    }
}
