//! Which records are asked from whom: a few pages at a time, of several logs at once, each range once.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::message::{Request, Response};
use super::storage::LogId;

/// Records asked for in one request. A page may hold fewer: it is limited in bytes too.
const PAGE_RECORDS: u64 = 2048;
/// Pages of one log asked for ahead of what is held.
const PAGES_AHEAD: u64 = 3;
/// Requests under way in all.
const MAX_OUTSTANDING: usize = 8;

struct Pending {
    peer: LogId,
    request: Request,
    sent_ms: u64,
}

/// A page that arrived before those in front of it.
pub(super) struct Arrived {
    pub peer: LogId,
    pub records: Vec<Vec<u8>>,
    pub checkpoint: Vec<u8>,
    pub proof: Vec<crate::tlog::Hash>,
}

/// Requests under way, and pages that wait for those in front of them.
#[derive(Default)]
pub(super) struct Fetches {
    next: u64,
    pending: BTreeMap<u64, Pending>,
    arrived: BTreeMap<(LogId, u64), Arrived>,
}

impl Fetches {
    /// Notes a request; its number.
    pub fn begin(&mut self, peer: LogId, request: &Request, now_ms: u64) -> u64 {
        self.next += 1;
        self.pending.insert(self.next, Pending { peer, request: request.clone(), sent_ms: now_ms });
        self.next
    }

    /// Ends a request; `None` if it was given up before. Says to whom it went, what was asked, and when.
    pub fn end(&mut self, id: u64) -> Option<(LogId, Request, u64)> {
        self.pending.remove(&id).map(|p| (p.peer, p.request, p.sent_ms))
    }

    /// Gives up what takes too long; says which peers kept it waiting for which log.
    pub fn expire(&mut self, now_ms: u64, timeout_ms: u64) -> Vec<(LogId, Request)> {
        let late: Vec<_> =
            self.pending.iter().filter(|(_, p)| now_ms >= p.sent_ms + timeout_ms).map(|(id, _)| *id).collect();
        late.into_iter().filter_map(|id| self.pending.remove(&id)).map(|p| (p.peer, p.request)).collect()
    }

    /// Gives up what was asked of a peer that is gone.
    pub fn peer_gone(&mut self, peer: LogId) {
        self.pending.retain(|_, p| p.peer != peer);
    }

    /// Whether the peer is being asked for its heads.
    pub fn is_asked_for_heads(&self, peer: LogId) -> bool {
        self.pending.values().any(|p| p.peer == peer && matches!(p.request, Request::Heads { .. }))
    }

    /// Whether records of a log are being asked for.
    pub fn is_fetching(&self, log: LogId) -> bool {
        self.pending.values().any(|p| matches!(p.request, Request::Records { log: other, .. } if other == log))
    }

    /// Whether a proof from this size on is being asked for.
    pub fn is_asked_for_proof(&self, log: LogId, old: u64) -> bool {
        self.pending.values().any(|p| p.request == Request::Proof { log, old })
    }

    /// Keeps a page until those in front of it are there.
    pub fn keep(&mut self, log: LogId, from: u64, page: Arrived) {
        self.arrived.insert((log, from), page);
    }

    /// The page that continues a log of this size, if it has arrived.
    pub fn take(&mut self, log: LogId, size: u64) -> Option<(u64, Arrived)> {
        let keys: Vec<_> = self.arrived.range((log, 0)..=(log, size)).map(|(key, _)| *key).collect();
        let mut found = None;
        for key in keys {
            if let Some(page) = self.arrived.remove(&key)
                && key.1 + page.records.len() as u64 > size
            {
                found = Some((key.1, page));
            }
        }
        found
    }

    /// Forgets the pages of a log.
    pub fn forget(&mut self, log: LogId) {
        self.arrived.retain(|(other, _), _| *other != log);
    }

    /// The first range of a log that is neither held, nor here, nor on its way.
    fn next_range(&self, log: LogId, size: u64, target: u64) -> Option<(u64, u64)> {
        let mut taken: Vec<_> = self
            .arrived
            .range((log, 0)..=(log, u64::MAX))
            .map(|((_, from), page)| (*from, from + page.records.len() as u64))
            .collect();
        taken.extend(self.pending.values().filter_map(|p| match p.request {
            Request::Records { log: other, from, count } if other == log => Some((from, from.saturating_add(count))),
            _ => None,
        }));
        taken.sort_unstable();
        let end = target.min(size.saturating_add(PAGES_AHEAD * PAGE_RECORDS));
        let mut at = size;
        for (from, to) in taken {
            if from > at {
                return Some((at, (from - at).min(PAGE_RECORDS)));
            }
            at = at.max(to);
        }
        (at < end).then(|| (at, (end - at).min(PAGE_RECORDS)))
    }
}

impl Engine {
    /// Asks for what is missing, as far as the limits allow and somebody is there who has it.
    pub(super) fn schedule_fetches(&mut self) {
        for log in 0..self.logs.len() {
            let replica = &self.logs[log];
            let (size, target) = (replica.size(), replica.known_size());
            if target <= size || replica.fork.is_some() {
                continue;
            }
            while self.fetches.pending.len() < MAX_OUTSTANDING {
                let Some((from, count)) = self.fetches.next_range(log, size, target) else { break };
                let Some(peer) = self.who_has(log, from) else { break };
                self.request(peer, Request::Records { log, from, count });
            }
        }
    }

    /// Whether a log is known to have more records than are held, and no connected peer is known to hold the next one.
    pub(super) fn misses_a_holder(&self) -> bool {
        (0..self.logs.len()).any(|log| {
            let replica = &self.logs[log];
            replica.known_size() > replica.size()
                && replica.fork.is_none()
                && !self.fetches.is_fetching(log)
                && self.who_has(log, replica.size()).is_none()
        })
    }

    /// A connected peer that is known to hold a record; the least busy one.
    fn who_has(&self, log: LogId, index: u64) -> Option<LogId> {
        let has = self.connected.iter().filter(|(_, peer)| peer.sizes.get(&log).is_some_and(|size| *size > index));
        has.map(|(id, _)| *id).min_by_key(|id| self.fetches.pending.values().filter(|p| p.peer == *id).count())
    }

    /// Takes the answer to a request that this engine made, or none.
    pub(super) fn peer_lacks(&mut self, peer: LogId, request: &Request) {
        if let Request::Records { log, from, .. } = request
            && let Some(state) = self.connected.get_mut(&peer)
        {
            // Until it says again what it has, it is not asked for this again.
            let size = state.sizes.entry(*log).or_default();
            *size = (*size).min(*from);
        }
    }
}

/// Whether a response can be the answer to a request at all.
pub(super) fn answers(request: &Request, response: &Response) -> bool {
    match (request, response) {
        (_, Response::Nothing) => true,
        (Request::Heads { .. }, Response::Heads { .. } | Response::OtherTreaty { .. }) => true,
        (Request::Records { log, from, count }, Response::Records { log: l, from: f, records, .. }) => {
            log == l && from == f && !records.is_empty() && records.len() as u64 <= *count
        }
        (Request::Proof { log, old }, Response::Proof { log: l, old: o, .. }) => log == l && old == o,
        _ => false,
    }
}
