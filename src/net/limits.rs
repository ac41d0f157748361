//! Every limit of the network, and the meters that keep them.
//!
//! A limit that a peer runs into costs that peer, and nobody else: its request is refused, its message dropped, or it
//! waits. What gossip loses, the next exchange of heads brings back.

use std::time::Duration;

use tokio::time::Instant;

/// Connections to one party at a time: one dialled by each side, and as many again while old ones are being closed.
pub const MAX_CONNECTIONS_PER_PEER: u32 = 4;
/// Connections that one party may set up, a second; and so many at once after a pause.
pub const CONNECTIONS_PER_SECOND: u32 = 1;
const CONNECTIONS_BURST: u32 = 20;
/// Incoming connections that have not yet shown their peer id. Only these can be taken up by strangers.
pub const MAX_PENDING_INCOMING: u32 = 128;
/// Streams open on one connection, both ways and of all protocols together. A peer that opens more is disconnected.
pub const MAX_STREAMS: usize = 160;
/// Streams on one connection that carry requests, both ways together: those answered, waiting and our own.
pub const MAX_REQUEST_STREAMS: usize = 128;
/// New connections are refused while this process uses more than this part of the machine's memory.
pub const MAX_MEMORY_PART: f64 = 0.8;
/// Bytes that one peer may have on their way to us over QUIC, on one connection.
pub const MAX_QUIC_WINDOW_BYTES: u32 = 15_000_000;

/// How long a request may take, from its first byte to the last byte of its response.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests of one peer that are answered at the same time. With [`MAX_RESPONSE_BYTES`] this bounds the memory that a
/// peer can make us hold by not reading: 17 MiB.
///
/// [`MAX_RESPONSE_BYTES`]: crate::node::message::MAX_RESPONSE_BYTES
pub const MAX_REQUESTS_ANSWERED: usize = 4;
/// Requests of one peer that wait for their turn. Further ones are refused.
pub const MAX_REQUESTS_WAITING: usize = 64;
/// Requests of one peer that are begun to be answered, a second.
pub const REQUESTS_PER_SECOND: u32 = 500;
/// Requests of this node under way, to all peers together. Further ones are answered with none at once.
pub const MAX_REQUESTS_SENT: usize = 1024;

/// Gossiped messages of one party, a second, taken from that party itself. From a party that passes on those of
/// others, as many times this as there are parties.
pub const GOSSIP_PER_SECOND: u32 = 200;
/// Bytes of them, a second.
pub const GOSSIP_BYTES_PER_SECOND: u32 = 8 << 20;
/// Messages that this node gossips, a second. Of those beyond, the newest is sent as soon as it may be.
pub const OWN_GOSSIP_PER_SECOND: u32 = 100;
/// Bytes of them, a second.
pub const OWN_GOSSIP_BYTES_PER_SECOND: u32 = 4 << 20;
/// Gossiped messages that wait for one peer that reads slowly. Further ones are dropped for that peer.
pub const MAX_GOSSIP_WAITING: usize = 64;
/// Gossiped messages that wait, besides those in the channel, until the events are read. The oldest goes first.
pub const MAX_GOSSIP_UNREAD: usize = 64;
/// Events of all kinds that wait besides those in the channel. Beyond, the network waits.
pub const MAX_EVENTS_WAITING: usize = 4096;
/// Longest envelope of a gossiped message: source, number, topic, signature, key.
pub const GOSSIP_ENVELOPE_BYTES: usize = 4 << 10;

/// Violations that a peer has to its credit; a malformed message counts as [`MALFORMED_COST`].
const PATIENCE: u32 = 2000;
/// Violations that are forgiven, a second.
const PATIENCE_PER_SECOND: u32 = 20;
/// What a malformed message counts.
pub(super) const MALFORMED_COST: u32 = 20;
/// What a connection too many counts.
pub(super) const RECONNECT_COST: u32 = 200;
/// How long a peer that used up our patience is disconnected.
pub const QUARANTINE: Duration = Duration::from_secs(60);
/// The same fault of the same peer is reported once in this time.
pub const FAULT_INTERVAL: Duration = Duration::from_secs(10);

/// What a peer did wrong, as the transport sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A request that is not one.
    #[error("it sent a request that is not a message of this protocol")]
    MalformedRequest,
    /// A request over its limit.
    #[error("it sent a request that is longer than {} bytes", crate::node::message::MAX_REQUEST_BYTES)]
    LongRequest,
    /// A response that is not one.
    #[error("it sent a response that is not a message of this protocol")]
    MalformedResponse,
    /// A response over its limit.
    #[error("it sent a response that is longer than {} bytes", crate::node::message::MAX_RESPONSE_BYTES)]
    LongResponse,
    /// Gossip that cannot be read.
    #[error("it gossiped something that is not a message of this protocol")]
    MalformedGossip,
    /// Gossip of a node that is not in the treaty file.
    #[error("it passed on gossip of a node that is not in the treaty file")]
    StrangersGossip,
    /// More requests than may wait.
    #[error("it has more than {MAX_REQUESTS_WAITING} requests waiting; further ones are refused")]
    TooManyRequests,
    /// Gossip above the rate.
    #[error(
        "it gossips faster than {GOSSIP_PER_SECOND} messages or {GOSSIP_BYTES_PER_SECOND} bytes a second; some are dropped"
    )]
    TooMuchGossip,
    /// Connections that come and go.
    #[error("it connects more often than {CONNECTIONS_PER_SECOND} times a second; the connection is closed")]
    TooManyConnections,
    /// It went on after it had run into limits.
    #[error("it kept breaking limits, and is disconnected for {} seconds", QUARANTINE.as_secs())]
    Quarantined,
}

/// A token bucket: so many a second, and a burst to begin with and after a pause.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    tokens: f64,
    per_second: f64,
    burst: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self { tokens: burst.into(), per_second: per_second.into(), burst: burst.into(), at: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = self.at.max(now);
    }

    /// Takes so many, if they are there.
    pub fn take(&mut self, count: u32, now: Instant) -> bool {
        self.fill(now);
        let enough = self.tokens >= count.into();
        if enough {
            self.tokens -= f64::from(count);
        }
        enough
    }

    /// When so many will be there.
    pub fn ready_at(&self, count: u32) -> Instant {
        let missing = (f64::from(count).min(self.burst) - self.tokens).max(0.0);
        self.at + Duration::from_secs_f64(missing / self.per_second)
    }
}

/// Messages and bytes a second.
#[derive(Clone, Debug)]
pub(super) struct GossipMeter {
    messages: Bucket,
    bytes: Bucket,
}

impl GossipMeter {
    /// Two seconds' worth of both to begin with.
    pub fn new(messages: u32, bytes: u32, now: Instant) -> Self {
        Self {
            messages: Bucket::new(messages, messages.saturating_mul(2), now),
            bytes: Bucket::new(bytes, bytes.saturating_mul(2), now),
        }
    }

    /// Whether a message of this length may pass.
    pub fn take(&mut self, length: usize, now: Instant) -> bool {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.messages.take(1, now) && self.bytes.take(length, now)
    }

    /// When a message of this length may pass.
    pub fn ready_at(&self, length: usize) -> Instant {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.messages.ready_at(1).max(self.bytes.ready_at(length))
    }
}

/// What is counted of one peer.
#[derive(Debug)]
pub(super) struct Meter {
    /// Gossip that the peer wrote itself.
    pub own: GossipMeter,
    /// Gossip of others that it passes on. The others are limited where they enter, so that this is their sum.
    pub relayed: GossipMeter,
    /// Connections that the peer sets up.
    pub connections: Bucket,
    patience: Bucket,
    reported: Vec<(Fault, Instant)>,
}

impl Meter {
    /// A peer that has done nothing yet.
    pub fn new(parties: usize, now: Instant) -> Self {
        let others = u32::try_from(parties).unwrap_or(u32::MAX);
        Self {
            own: GossipMeter::new(GOSSIP_PER_SECOND, GOSSIP_BYTES_PER_SECOND, now),
            relayed: GossipMeter::new(
                GOSSIP_PER_SECOND.saturating_mul(others),
                GOSSIP_BYTES_PER_SECOND.saturating_mul(others),
                now,
            ),
            connections: Bucket::new(CONNECTIONS_PER_SECOND, CONNECTIONS_BURST, now),
            patience: Bucket::new(PATIENCE_PER_SECOND, PATIENCE, now),
            reported: Vec::new(),
        }
    }

    /// Whether patience with the peer lasts for a violation that counts so much.
    pub fn forgive(&mut self, cost: u32, now: Instant) -> bool {
        self.patience.take(cost, now)
    }

    /// Full patience again.
    pub fn reset_patience(&mut self, now: Instant) {
        self.patience = Bucket::new(PATIENCE_PER_SECOND, PATIENCE, now);
    }

    /// Whether this fault is to be reported now.
    pub fn reports(&mut self, fault: Fault, now: Instant) -> bool {
        match self.reported.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, at)) if now.saturating_duration_since(*at) < FAULT_INTERVAL => false,
            Some((_, at)) => {
                *at = now;
                true
            }
            None => {
                self.reported.push((fault, now));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 20, start);
        assert_eq!((0..100).filter(|_| bucket.take(1, start)).count(), 20);
        assert_eq!(bucket.ready_at(1), start + Duration::from_millis(100));
        let later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| bucket.take(1, later)).count(), 10);
        // A clock that stands still or goes back gives nothing.
        assert!(!bucket.take(1, start));
        let much_later = later + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(1, much_later)).count(), 20);
    }

    #[test]
    fn a_fault_is_reported_once_in_a_while() {
        let start = Instant::now();
        let mut meter = Meter::new(3, start);
        assert!(meter.reports(Fault::TooMuchGossip, start));
        assert!(!meter.reports(Fault::TooMuchGossip, start + FAULT_INTERVAL / 2));
        assert!(meter.reports(Fault::LongRequest, start));
        assert!(meter.reports(Fault::TooMuchGossip, start + FAULT_INTERVAL));
    }
}
