//! Which records are asked from whom: a few pages at a time, of several logs at once, each range once.

use std::collections::BTreeMap;

use super::engine::{Engine, FIRST_SEARCH_MS};
use super::message::{Request, Response};
use super::storage::LogId;

/// Records asked for in one request. A page may hold fewer: it is limited in bytes too.
const PAGE_RECORDS: u64 = 2048;
/// Pages of one log asked for ahead of what is held.
const PAGES_AHEAD: u64 = 3;
/// Requests for records under way. Beyond them, a peer that has none to answer can be asked for one page, so that
/// peers who keep a node waiting never keep it from those who do not.
const MAX_OUTSTANDING: usize = 8;
/// Bytes of pages that wait for those in front of them; past this, only the next page of each log is asked for.
const MAX_WAITING_BYTES: usize = 32 << 20;
/// Longest time for which a peer is not asked again for a log of which it did not give what it said to hold, as a
/// multiple of the interval at which heads are told.
const MAX_DOUBT_INTERVALS: u64 = 4;

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
    /// By peer and log: how often in a row it did not give what it said to hold, and until when it is not asked again.
    doubts: BTreeMap<(LogId, LogId), (u32, u64)>,
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
        let late: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, p)| now_ms.saturating_sub(p.sent_ms) >= timeout_ms)
            .map(|(id, _)| *id)
            .collect();
        late.into_iter().filter_map(|id| self.pending.remove(&id)).map(|p| (p.peer, p.request)).collect()
    }

    /// Gives up what was asked of a peer that is gone.
    pub fn peer_gone(&mut self, peer: LogId) {
        self.pending.retain(|_, p| p.peer != peer);
    }

    /// The peer did not give records of a log that it said to hold: it is not asked again for a while, each time longer.
    fn doubt(&mut self, peer: LogId, log: LogId, now_ms: u64, longest_ms: u64) {
        let (times, until_ms) = self.doubts.entry((peer, log)).or_default();
        let wait_ms = FIRST_SEARCH_MS.saturating_mul(1 << (*times).min(20)).min(longest_ms);
        *times = times.saturating_add(1);
        *until_ms = now_ms.saturating_add(wait_ms);
    }

    /// The peer gave records of a log that hold.
    pub fn trust(&mut self, peer: LogId, log: LogId) {
        self.doubts.remove(&(peer, log));
    }

    fn is_doubted(&self, peer: LogId, log: LogId, now_ms: u64) -> bool {
        self.doubts.get(&(peer, log)).is_some_and(|(_, until_ms)| now_ms < *until_ms)
    }

    /// Whether the last time that the peer was asked for records of a log it did not give them.
    fn failed(&self, peer: LogId, log: LogId) -> bool {
        self.doubts.contains_key(&(peer, log))
    }

    /// Requests for records under way, in all and to one peer.
    fn under_way(&self, peer: LogId) -> (usize, usize) {
        let records = self.pending.values().filter(|p| matches!(p.request, Request::Records { .. }));
        records.fold((0, 0), |(all, its), p| (all + 1, its + usize::from(p.peer == peer)))
    }

    fn waiting_bytes(&self) -> usize {
        self.arrived.values().flat_map(|page| &page.records).map(Vec::len).sum()
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
    /// A head is known whose records nobody that is connected is known to hold: all are asked again what they hold, at
    /// once and then at growing intervals.
    pub(super) fn search(&mut self) {
        if self.passed_ms < self.next_search_ms || !self.misses_a_holder() {
            return;
        }
        self.next_search_ms = self.passed_ms.saturating_add(self.search_wait_ms);
        self.search_wait_ms = (2 * self.search_wait_ms).min(self.config.head_interval_ms.max(FIRST_SEARCH_MS));
        for state in self.connected.values_mut() {
            state.ask_heads = true;
        }
    }

    /// Asks for what is missing, as far as the limits allow and somebody is there who has it.
    pub(super) fn schedule_fetches(&mut self) {
        for log in 0..self.logs.len() {
            let replica = &self.logs[log];
            let (size, target) = (replica.size(), replica.known_size());
            let stays = replica.fork.is_some() || log >= self.config.treaty.settled_parties();
            if target <= size || stays || !self.has_room(log) {
                continue;
            }
            while let Some((from, count)) = self.fetches.next_range(log, size, target) {
                let Some(peer) = self.who_has(log, from) else { break };
                let (all, its) = self.fetches.under_way(peer);
                // Pages ahead of the next one are asked for where there is room, of peers that gave what they said.
                let ahead = from > size;
                let fits = || self.fetches.waiting_bytes() <= MAX_WAITING_BYTES && !self.fetches.failed(peer, log);
                if (all >= MAX_OUTSTANDING && its > 0) || (ahead && !fits()) {
                    break;
                }
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
                && self.has_room(log)
                && !self.fetches.is_fetching(log)
                && self.who_has(log, replica.size()).is_none()
        })
    }

    /// A connected peer that is known to hold a record, and not in doubt; the least busy one.
    fn who_has(&self, log: LogId, index: u64) -> Option<LogId> {
        let has = self.connected.iter().filter(|(id, peer)| {
            peer.sizes.get(&log).is_some_and(|size| *size > index)
                && !self.fetches.is_doubted(**id, log, self.passed_ms)
        });
        has.map(|(id, _)| *id).min_by_key(|id| self.fetches.pending.values().filter(|p| p.peer == *id).count())
    }

    /// A peer did not give the records that it was asked for, or others than those.
    pub(super) fn peer_lacks(&mut self, peer: LogId, request: &Request) {
        let Request::Records { log, from, .. } = request else { return };
        let longest_ms = self.config.head_interval_ms.saturating_mul(MAX_DOUBT_INTERVALS);
        self.fetches.doubt(peer, *log, self.passed_ms, longest_ms);
        if let Some(state) = self.connected.get_mut(&peer) {
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
        (Request::Keys { log }, Response::Keys { log: l, .. }) => log == l,
        (Request::Restarts { log }, Response::Restarts { log: l, .. }) => log == l,
        (Request::Branch { log, kept, from, count }, Response::Branch { log: l, kept: k, from: f, records }) => {
            (log, kept, from) == (l, k, f) && !records.is_empty() && records.len() as u64 <= *count
        }
        _ => false,
    }
}
