//! Answering requests: a few of each peer at a time, away from the network's own task.
//!
//! A request waits for a place and for its peer's rate; only what does not fit the queue is refused. A place is taken
//! from when the answer is begun until it is sent, so that a peer that does not read holds up only itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use libp2p::request_response::{InboundRequestId, ResponseChannel};
use libp2p::swarm::ConnectionId;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::codec::Unreadable;
use super::limits::{Bucket, MAX_REQUESTS_ANSWERED, MAX_REQUESTS_WAITING, REQUESTS_PER_SECOND};
use crate::node::LogId;
use crate::node::message::{Request, Response};

/// Answers a request of a party; may block.
pub type Serve = Arc<dyn Fn(LogId, Request) -> Response + Send + Sync>;

/// Where an answer goes.
pub(super) type Channel = ResponseChannel<Result<Response, Unreadable>>;

/// A request to be answered.
#[derive(Debug)]
pub(super) struct Job {
    pub from: LogId,
    pub connection: ConnectionId,
    pub id: InboundRequestId,
    pub channel: Channel,
}

#[derive(Debug)]
struct Peer {
    rate: Bucket,
    waiting: VecDeque<(Job, Request)>,
    running: usize,
    sending: usize,
}

impl Peer {
    fn new(now: Instant) -> Self {
        let rate = Bucket::new(REQUESTS_PER_SECOND, 2 * REQUESTS_PER_SECOND, now);
        Self { rate, waiting: VecDeque::new(), running: 0, sending: 0 }
    }
}

/// All requests that are waiting, being answered and being sent.
pub(super) struct Serving {
    serve: Serve,
    peers: Vec<Peer>,
    running: JoinSet<(Job, Option<Response>)>,
    sending: HashMap<InboundRequestId, (LogId, ConnectionId)>,
}

impl Serving {
    /// Nothing asked yet.
    pub fn new(serve: Serve, parties: usize, now: Instant) -> Self {
        Self {
            serve,
            peers: std::iter::repeat_with(|| Peer::new(now)).take(parties).collect(),
            running: JoinSet::new(),
            sending: HashMap::new(),
        }
    }

    /// There are more parties now.
    pub fn grow(&mut self, parties: usize, now: Instant) {
        self.peers.resize_with(parties.max(self.peers.len()), || Peer::new(now));
    }

    /// Takes a request in; false if too many of that peer wait already. Then the channel is dropped, which refuses it.
    pub fn accept(&mut self, job: Job, request: Request, now: Instant) -> bool {
        let from = job.from;
        match self.peers.get_mut(from) {
            Some(peer) if peer.waiting.len() < MAX_REQUESTS_WAITING => peer.waiting.push_back((job, request)),
            _ => return false,
        }
        self.begin(from, now);
        true
    }

    /// Begins what of all peers may be begun by now.
    pub fn begin_due(&mut self, now: Instant) {
        for log in 0..self.peers.len() {
            self.begin(log, now);
        }
    }

    fn begin(&mut self, log: LogId, now: Instant) {
        let Some(peer) = self.peers.get_mut(log) else { return };
        // Whoever asked may be gone by now.
        peer.waiting.retain(|(job, _)| job.channel.is_open());
        while !peer.waiting.is_empty()
            && peer.running + peer.sending < MAX_REQUESTS_ANSWERED
            && peer.rate.take(1, now)
            && let Some((job, request)) = peer.waiting.pop_front()
        {
            peer.running += 1;
            let serve = self.serve.clone();
            let from = job.from;
            self.running.spawn(async move {
                // If the answer panics, its request is refused, and its place is free again.
                let response = tokio::task::spawn_blocking(move || serve(from, request)).await.ok();
                (job, response)
            });
        }
    }

    /// When a peer's rate lets its next request be begun.
    pub fn next_due(&self) -> Option<Instant> {
        let waits = |peer: &&Peer| !peer.waiting.is_empty() && peer.running + peer.sending < MAX_REQUESTS_ANSWERED;
        self.peers.iter().filter(waits).map(|peer| peer.rate.ready_at(1)).min()
    }

    /// The next answer, with the place where it goes; never, if none is being made.
    pub async fn answered(&mut self) -> (Job, Option<Response>) {
        match self.running.join_next().await {
            Some(Ok((job, response))) => {
                if let Some(peer) = self.peers.get_mut(job.from) {
                    peer.running = peer.running.saturating_sub(1);
                }
                (job, response)
            }
            _ => std::future::pending().await,
        }
    }

    /// An answer is on its way.
    pub fn sending(&mut self, from: LogId, connection: ConnectionId, id: InboundRequestId) {
        if let Some(peer) = self.peers.get_mut(from) {
            peer.sending += 1;
            self.sending.insert(id, (from, connection));
        }
    }

    /// An answer was sent, or will never be.
    pub fn sent(&mut self, id: InboundRequestId) {
        if let Some((from, _)) = self.sending.remove(&id)
            && let Some(peer) = self.peers.get_mut(from)
        {
            peer.sending = peer.sending.saturating_sub(1);
        }
    }

    /// Nothing more is sent on this connection.
    pub fn closed(&mut self, connection: ConnectionId) {
        let gone: Vec<_> = self.sending.iter().filter(|(_, (_, c))| *c == connection).map(|(id, _)| *id).collect();
        for id in gone {
            self.sent(id);
        }
    }
}
