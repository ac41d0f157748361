//! The protocols that run on a connection, and who may have one.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{
    self, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity, ValidationMode,
    WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, memory_connection_limits, ping};

use super::codec::{MessageCodec, PROTOCOL};
use super::config::{NetError, Parties};
use super::limits::*;
use crate::ledger::Treaty;
use crate::node::message::MAX_GOSSIP_BYTES;

/// Gossip on the one topic of this treaty.
pub(super) type GossipBehaviour =
    gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>>;

/// All protocols. The three that refuse connections stand first: those after them set up their part of a connection
/// when they are asked, and would keep it if a later one refused.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub allowed: allow_block_list::Behaviour<AllowedPeers>,
    pub limits: connection_limits::Behaviour,
    pub memory: memory_connection_limits::Behaviour,
    pub requests: request_response::Behaviour<MessageCodec>,
    pub gossip: GossipBehaviour,
    pub ping: ping::Behaviour,
    pub identify: identify::Behaviour,
}

/// The gossip topic of a treaty. Nodes with another treaty file talk on another one.
pub(super) fn topic(treaty: &Treaty) -> IdentTopic {
    IdentTopic::new(format!("/verbale/1/{}", treaty.hash().to_hex()))
}

impl Behaviour {
    /// The protocols of a node of this treaty.
    pub fn new(identity: &Keypair, parties: &Parties, treaty: &Treaty) -> Result<Self, NetError> {
        let mut allowed = allow_block_list::Behaviour::default();
        for peer in parties.peers() {
            allowed.allow_peer(*peer);
        }
        let connections = ConnectionLimits::default()
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER));
        let requests = request_response::Config::default()
            .with_request_timeout(REQUEST_TIMEOUT)
            .with_max_concurrent_streams(MAX_REQUEST_STREAMS);
        let identify = identify::Config::new(PROTOCOL.to_string(), identity.public())
            .with_agent_version(format!("verbale/{}", env!("CARGO_PKG_VERSION")))
            .with_cache_size(0);
        Ok(Self {
            allowed,
            limits: connection_limits::Behaviour::new(connections),
            memory: memory_connection_limits::Behaviour::with_max_percentage(MAX_MEMORY_PART),
            requests: request_response::Behaviour::with_codec(
                MessageCodec,
                [(PROTOCOL, ProtocolSupport::Full)],
                requests,
            ),
            gossip: gossip(identity, treaty)?,
            // A connection whose other end is gone without a word is closed by this, where QUIC does not notice first.
            ping: ping::Behaviour::new(ping::Config::new().with_timeout(Duration::from_secs(30))),
            identify: identify::Behaviour::new(identify),
        })
    }
}

fn gossip(identity: &Keypair, treaty: &Treaty) -> Result<GossipBehaviour, NetError> {
    // A message is known by its author and number, not by its content: heads that are gossiped again unchanged are
    // meant for whoever missed them, and nobody can have another's message taken for a duplicate by sending it first.
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(MAX_GOSSIP_BYTES + GOSSIP_ENVELOPE_BYTES)
        .connection_handler_queue_len(MAX_GOSSIP_WAITING)
        .max_publish_messages(MAX_GOSSIP_WAITING)
        // What this node writes goes to every connected party at once. The mesh is for parties that cannot reach each
        // other, and a few neighbours are enough for that.
        .flood_publish(true)
        .mesh_outbound_min(1)
        .mesh_n_low(3)
        .mesh_n(4)
        .mesh_n_high(6)
        .gossip_lazy(4)
        .heartbeat_initial_delay(Duration::from_secs(1))
        .build()
        .map_err(|e| NetError::Setup(e.to_string()))?;
    let topic = topic(treaty);
    let filter = MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(HashSet::from([topic.hash()])),
        max_subscribed_topics: 1,
        max_subscriptions_per_request: 16,
    };
    let author = MessageAuthenticity::Signed(identity.clone());
    let mut gossip =
        GossipBehaviour::new_with_subscription_filter_and_transform(author, config, filter, IdentityTransform)
            .map_err(|e| NetError::Setup(e.into()))?;
    gossip.subscribe(&topic).map_err(|e| NetError::Setup(e.to_string()))?;
    Ok(gossip)
}
