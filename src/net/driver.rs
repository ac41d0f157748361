//! The task that owns the swarm: commands in, events out.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance};
use libp2p::request_response::{self, OutboundRequestId};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{PeerId, Swarm, ping};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::behaviour::{Behaviour, BehaviourEvent};
use super::codec::Unreadable;
use super::config::Parties;
use super::dial::Dials;
use super::limits::*;
use super::outbox::Outbox;
use super::serving::{Job, Serve, Serving};
use super::{NetCommand, NetEvent};
use crate::ledger::{Endpoint, Treaty};
use crate::node::LogId;
use crate::node::message::{Gossip, MAX_GOSSIP_BYTES, Request, Response};

/// Connections of both sides that were dialled at the same time are younger than this when the second one is up.
const SIMULTANEOUS: Duration = Duration::from_secs(5);
/// How long closing all connections may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to a party.
#[derive(Clone, Copy, Debug)]
struct Link {
    id: ConnectionId,
    since: Instant,
}

/// The network's state.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    topic: IdentTopic,
    parties: Parties,
    me: LogId,
    /// By party: which of its peer ids was dialled last.
    turns: Vec<usize>,
    links: Vec<Vec<Link>>,
    dials: Dials,
    meters: Vec<Meter>,
    quarantined: Vec<(Instant, LogId)>,
    serving: Serving,
    /// Requests under way, by libp2p's number: the asker's number.
    requests: HashMap<OutboundRequestId, (LogId, u64)>,
    own_gossip: GossipMeter,
    /// The newest gossip that this node's own rate has held back.
    held_gossip: Option<Vec<u8>>,
    outbox: Outbox,
}

impl Driver {
    /// A driver that has not dialled anybody yet.
    pub fn new(swarm: Swarm<Behaviour>, topic: IdentTopic, parties: Parties, me: LogId, serve: Serve) -> Self {
        let now = Instant::now();
        let count = parties.len();
        // Without randomness of the operating system the waits are not spread, and nothing worse.
        let mut dials = Dials::new(count, || getrandom::u64().unwrap_or(u64::MAX));
        for log in (0..count).filter(|log| *log != me && !parties.addresses(*log).is_empty()) {
            dials.start(log, now);
        }
        Self {
            swarm,
            topic,
            links: vec![Vec::new(); count],
            dials,
            meters: std::iter::repeat_with(|| Meter::new(count, now)).take(count).collect(),
            quarantined: Vec::new(),
            serving: Serving::new(serve, count, now),
            parties,
            me,
            turns: vec![0; count],
            requests: HashMap::new(),
            own_gossip: GossipMeter::new(OWN_GOSSIP_PER_SECOND, OWN_GOSSIP_BYTES_PER_SECOND, now),
            held_gossip: None,
            outbox: Outbox::default(),
        }
    }

    /// Runs until it is told to stop, or nobody listens to its events any more; then closes all connections.
    pub async fn run(mut self, mut commands: mpsc::Receiver<NetCommand>, events: mpsc::Sender<NetEvent>) {
        loop {
            let now = Instant::now();
            self.do_due(now);
            let wake = self.next_due();
            let has_room = self.outbox.has_room();
            tokio::select! {
                room = events.reserve(), if !self.outbox.is_empty() => match (room, self.outbox.pop()) {
                    (Ok(room), Some(event)) => room.send(event),
                    _ => break,
                },
                command = commands.recv(), if has_room => match command {
                    Some(NetCommand::Gossip(gossip)) => self.gossip(&gossip),
                    Some(NetCommand::Request { peer, id, request }) => self.request(peer, id, request),
                    Some(NetCommand::Treaty(treaty)) => self.amended(&treaty, now),
                    Some(NetCommand::Endpoint { party, endpoint }) => self.change(party, &endpoint),
                    Some(NetCommand::Stop) | None => break,
                },
                (job, response) = self.serving.answered() => self.respond(job, response),
                event = self.swarm.select_next_some(), if has_room => self.on_event(event),
                () = sleep_until(wake) => {}
            }
        }
        self.close().await;
    }

    /// Closes all connections, so that the others know at once.
    async fn close(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // It is an error only if the connection has gone in the meantime.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            debug!("some connections did not close in time");
        }
    }

    /// The treaty was amended: new parties may connect, and whoever listens elsewhere now is dialled there.
    fn amended(&mut self, treaty: &Treaty, now: Instant) {
        let before = self.parties.clone();
        if let Err(error) = self.parties.amend(treaty) {
            self.parties = before;
            return warn!(%error, "the amended treaty does not tell whom to connect to");
        }
        let count = self.parties.len();
        self.turns.resize(count, 0);
        self.links.resize(count, Vec::new());
        self.meters.resize_with(count, || Meter::new(count, now));
        self.serving.grow(count, now);
        self.dials.grow(count);
        for log in 0..self.parties.len() {
            if before.peers_of(log).is_empty() {
                for peer in self.parties.peers_of(log) {
                    self.swarm.behaviour_mut().allowed.allow_peer(*peer);
                }
            }
            let changed = before.addresses(log) != self.parties.addresses(log);
            let away = self.links.get(log).is_some_and(Vec::is_empty);
            if log != self.me && changed && away && !self.parties.addresses(log).is_empty() {
                self.dials.start(log, now);
            }
        }
    }

    /// Whatever time has brought about: dials, answers that a rate held back, gossip that our own rate held back.
    fn do_due(&mut self, now: Instant) {
        self.serving.begin_due(now);
        if let Some(gossip) = self.held_gossip.take() {
            self.publish(gossip, now);
        }
        self.quarantined.retain(|(until, log)| {
            let over = *until <= now;
            if over {
                for peer in self.parties.peers_of(*log) {
                    self.swarm.behaviour_mut().allowed.allow_peer(*peer);
                }
            }
            !over
        });
        for log in self.dials.due(now) {
            self.dial(log, now);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let gossip = self.held_gossip.as_ref().map(|bytes| self.own_gossip.ready_at(bytes.len()));
        let quarantine = self.quarantined.iter().map(|(until, _)| *until).min();
        [self.dials.next_due(), self.serving.next_due(), gossip, quarantine].into_iter().flatten().min()
    }

    fn dial(&mut self, log: LogId, now: Instant) {
        // A party whose peer id changes may be there under the old one still: each has its turn.
        let peers = self.parties.peers_of(log);
        let Some(turn) = self.turns.get_mut(log).filter(|_| !peers.is_empty()) else { return };
        *turn = turn.wrapping_add(1);
        let peer = peers[*turn % peers.len()];
        // From a port of its own: two nodes that dial each other from their listening ports at the same moment
        // would make one TCP connection with two dialling ends.
        let options =
            DialOpts::peer_id(peer).addresses(self.parties.addresses(log).to_vec()).allocate_new_port().build();
        if let Err(error) = self.swarm.dial(options) {
            debug!(log, %error, "not dialled");
            self.dial_failed(log, now);
        }
    }

    fn dial_failed(&mut self, log: LogId, now: Instant) {
        let connected = self.links.get(log).is_some_and(|links| !links.is_empty());
        if !connected && !self.parties.addresses(log).is_empty() {
            self.dials.failed(log, now);
        }
    }

    /// A party's peer id or addresses have changed.
    fn change(&mut self, log: LogId, endpoint: &Endpoint) {
        let gone = self.parties.change(log, endpoint);
        let quarantined = self.quarantined.iter().any(|(_, held)| *held == log);
        if !quarantined {
            for peer in self.parties.peers_of(log) {
                self.swarm.behaviour_mut().allowed.allow_peer(*peer);
            }
        }
        self.disallow(&gone);
        let connected = self.links.get(log).is_some_and(|links| !links.is_empty());
        if log != self.me && !connected && !self.parties.addresses(log).is_empty() {
            self.dials.start(log, Instant::now());
        }
    }

    /// Peer ids that are nobody's any more; what is connected under them is closed.
    fn disallow(&mut self, gone: &[PeerId]) {
        for peer in gone {
            self.swarm.behaviour_mut().allowed.disallow_peer(*peer);
        }
    }

    fn gossip(&mut self, gossip: &Gossip) {
        let bytes = gossip.to_bytes();
        if bytes.len() > MAX_GOSSIP_BYTES {
            warn!(bytes = bytes.len(), "a gossip message is over its limit and was not sent");
            return;
        }
        self.publish(bytes, Instant::now());
    }

    /// Publishes, or holds it back until this node's own rate allows. A newer message takes an older one's place.
    fn publish(&mut self, bytes: Vec<u8>, now: Instant) {
        if !self.own_gossip.take(bytes.len(), now) {
            self.held_gossip = Some(bytes);
        } else {
            self.held_gossip = None;
            if let Err(error) = self.swarm.behaviour_mut().gossip.publish(self.topic.clone(), bytes) {
                // Nobody is there, or all are slow: gossip is a hint, and the exchange of heads brings it to them.
                debug!(%error, "gossip not sent");
            }
        }
    }

    fn request(&mut self, to: LogId, id: u64, request: Request) {
        let peer = self.parties.peers_of(to).iter().rev().find(|peer| self.swarm.is_connected(peer)).copied();
        match peer {
            Some(peer) if self.requests.len() < MAX_REQUESTS_SENT => {
                let number = self.swarm.behaviour_mut().requests.send_request(&peer, Ok(request));
                self.requests.insert(number, (to, id));
            }
            _ => self.outbox.push(NetEvent::Response { id, response: None }),
        }
    }

    fn respond(&mut self, job: Job, response: Option<Response>) {
        let linked = self.links.get(job.from).is_some_and(|links| links.iter().any(|link| link.id == job.connection));
        // Dropping the channel refuses the request.
        let Some(response) = response.filter(|_| linked) else { return };
        if self.swarm.behaviour_mut().requests.send_response(job.channel, Ok(response)).is_ok() {
            self.serving.sending(job.from, job.connection, job.id);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = Instant::now();
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint, now);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                debug!(%peer_id, ?cause, "connection closed");
                self.on_closed(connection_id, now);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                match &error {
                    DialError::WrongPeerId { obtained, address } => {
                        warn!(%peer, %obtained, %address, "another node than the treaty file's answers at this address");
                    }
                    error => debug!(%peer, %error, "not reached"),
                }
                if let Some(log) = self.parties.of(&peer) {
                    self.dial_failed(log, now);
                }
            }
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                debug!(?peer_id, %send_back_addr, %error, "connection refused");
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => warn!(?addresses, ?reason, "no longer listening"),
            SwarmEvent::ListenerError { error, .. } => warn!(%error, "listening"),
            SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) => self.on_request_event(event, now),
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            })) => {
                let from = self.read_gossip(&propagation_source, &message, now);
                let acceptance = if from.is_some() { MessageAcceptance::Accept } else { MessageAcceptance::Ignore };
                self.swarm.behaviour_mut().gossip.report_message_validation_result(
                    &message_id,
                    &propagation_source,
                    acceptance,
                );
                if let Some((from, message)) = from {
                    self.outbox.push(NetEvent::Gossip { from, message });
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { connection, result: Err(error), .. }))
                if !matches!(error, ping::Failure::Unsupported) =>
            {
                debug!(%error, "connection is dead");
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint, now: Instant) {
        let Some(log) = self.parties.of(&peer) else { return };
        let gone = self.parties.has_come_as(log, &peer);
        self.disallow(&gone);
        let Some(links) = self.links.get_mut(log) else { return };
        debug!(log, address = %endpoint.get_remote_address(), "connected");
        if endpoint.is_listener() {
            // A party dials only when it sees no connection. What is left here of older ones is dead at its end, and
            // would swallow requests until it times out; only dials of both sides at once make two good ones.
            for old in links.iter() {
                if now.saturating_duration_since(old.since) >= SIMULTANEOUS {
                    self.swarm.close_connection(old.id);
                }
            }
        }
        let first = links.is_empty();
        links.push(Link { id, since: now });
        self.dials.connected(log);
        if first {
            self.outbox.push(NetEvent::Connected(log));
        }
        if endpoint.is_listener() && self.meters.get_mut(log).is_some_and(|meter| !meter.connections.take(1, now)) {
            self.swarm.close_connection(id);
            self.fault(log, Fault::TooManyConnections, RECONNECT_COST, now);
        }
    }

    fn on_closed(&mut self, id: ConnectionId, now: Instant) {
        self.serving.closed(id);
        // By the connection: the peer id may be nobody's any more.
        let held = |links: &Vec<Link>| links.iter().any(|link| link.id == id);
        let Some(log) = self.links.iter().position(held) else { return };
        let Some(links) = self.links.get_mut(log) else { return };
        let since = links.iter().find(|link| link.id == id).map(|link| link.since);
        links.retain(|link| link.id != id);
        if let Some(since) = since.filter(|_| links.is_empty()) {
            self.outbox.push(NetEvent::Disconnected(log));
            if !self.parties.addresses(log).is_empty() {
                self.dials.lost(log, now.saturating_duration_since(since), now);
            }
        }
    }

    fn on_request_event(
        &mut self,
        event: request_response::Event<Result<Request, Unreadable>, Result<Response, Unreadable>>,
        now: Instant,
    ) {
        use request_response::{Event, Message};
        match event {
            Event::Message { peer, connection_id, message: Message::Request { request_id, request, channel } } => {
                let Some(from) = self.parties.of(&peer) else { return };
                let job = Job { from, connection: connection_id, id: request_id, channel };
                match request {
                    Ok(request) => {
                        if !self.serving.accept(job, request, now) {
                            self.fault(from, Fault::TooManyRequests, 1, now);
                        }
                    }
                    Err(Unreadable::TooLong) => self.fault(from, Fault::LongRequest, MALFORMED_COST, now),
                    Err(_) => self.fault(from, Fault::MalformedRequest, MALFORMED_COST, now),
                }
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                let Some((from, id)) = self.requests.remove(&request_id) else { return };
                match response {
                    Err(Unreadable::TooLong) => self.fault(from, Fault::LongResponse, MALFORMED_COST, now),
                    Err(Unreadable::Malformed) => self.fault(from, Fault::MalformedResponse, MALFORMED_COST, now),
                    Err(Unreadable::Empty) => debug!(from, "a request of ours was refused"),
                    Ok(_) => {}
                }
                self.outbox.push(NetEvent::Response { id, response: response.ok() });
            }
            Event::OutboundFailure { request_id, error, .. } => {
                let Some((from, id)) = self.requests.remove(&request_id) else { return };
                debug!(from, %error, "no response");
                self.outbox.push(NetEvent::Response { id, response: None });
            }
            Event::InboundFailure { request_id, error, .. } => {
                debug!(%error, "a response was not taken");
                self.serving.sent(request_id);
            }
            Event::ResponseSent { request_id, .. } => self.serving.sent(request_id),
        }
    }

    /// A gossiped message, if it is one, and comes from a party by way of a party that keeps to its rate.
    fn read_gossip(&mut self, relay: &PeerId, message: &gossipsub::Message, now: Instant) -> Option<(LogId, Gossip)> {
        let from = self.parties.of(relay)?;
        let author = message.source.and_then(|source| self.parties.of(&source));
        let meter = self.meters.get_mut(from)?;
        // Whoever hands a message over pays for it, not its author: an old message of another can be handed over again.
        let rate = if author == Some(from) { &mut meter.own } else { &mut meter.relayed };
        if !rate.take(message.data.len(), now) {
            self.fault(from, Fault::TooMuchGossip, 1, now);
            return None;
        }
        let Some(author) = author else {
            self.fault(from, Fault::StrangersGossip, MALFORMED_COST, now);
            return None;
        };
        match Gossip::parse(&message.data) {
            Ok(gossip) => Some((author, gossip)),
            Err(_) => {
                self.fault(from, Fault::MalformedGossip, MALFORMED_COST, now);
                None
            }
        }
    }

    /// A peer broke a rule: says so, and disconnects it for a while if it does not stop.
    fn fault(&mut self, log: LogId, fault: Fault, cost: u32, now: Instant) {
        let Some(meter) = self.meters.get_mut(log) else { return };
        if meter.reports(fault, now) {
            self.outbox.push(NetEvent::Fault { peer: log, what: fault });
        }
        if meter.forgive(cost, now) || self.quarantined.iter().any(|(_, held)| *held == log) {
            return;
        }
        if !self.parties.peers_of(log).is_empty() {
            info!(log, "disconnected for breaking limits");
            meter.reset_patience(now);
            let peers = self.parties.peers_of(log).to_vec();
            self.disallow(&peers);
            self.quarantined.push((now + QUARANTINE, log));
            self.outbox.push(NetEvent::Fault { peer: log, what: Fault::Quarantined });
        }
    }
}

/// Until then, or for ever.
async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
