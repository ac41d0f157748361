//! A node of our own making that speaks the protocol badly.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, OutboundRequestId, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::time::timeout;
use verbale::net::PROTOCOL;

use crate::lab::DEADLINE;

/// Bytes as they are.
#[derive(Clone)]
pub struct Bytes;

impl request_response::Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await.map(|_| bytes)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await.map(|_| bytes)
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }
}

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    requests: request_response::Behaviour<Bytes>,
    gossip: gossipsub::Behaviour,
}

/// The badly behaved node.
pub struct Raw {
    pub swarm: Swarm<Behaviour>,
    /// What it answers to every request.
    pub response: Vec<u8>,
    answers: HashMap<OutboundRequestId, Result<Vec<u8>, String>>,
}

impl Raw {
    pub fn new(identity: Keypair) -> Self {
        let swarm = SwarmBuilder::with_existing_identity(identity)
            .with_tokio()
            .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_quic()
            .with_behaviour(|key| {
                let protocols = [(PROTOCOL, ProtocolSupport::Full)];
                let requests = request_response::Config::default().with_max_concurrent_streams(10_000);
                let gossip = gossipsub::ConfigBuilder::default().max_transmit_size(1 << 20).build().unwrap();
                Behaviour {
                    requests: request_response::Behaviour::with_codec(Bytes, protocols, requests),
                    gossip: gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), gossip).unwrap(),
                }
            })
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
            .build();
        Self { swarm, response: Vec::new(), answers: HashMap::new() }
    }

    pub fn dial(&mut self, address: &str) {
        self.swarm.dial(address.parse::<Multiaddr>().unwrap()).unwrap();
    }

    /// Subscribes to the gossip of a treaty.
    pub fn subscribe(&mut self, topic: &IdentTopic) {
        self.swarm.behaviour_mut().gossip.subscribe(topic).unwrap();
    }

    pub fn publish(&mut self, topic: &IdentTopic, bytes: Vec<u8>) -> bool {
        self.swarm.behaviour_mut().gossip.publish(topic.clone(), bytes).is_ok()
    }

    pub fn request(&mut self, peer: &PeerId, bytes: Vec<u8>) -> OutboundRequestId {
        self.swarm.behaviour_mut().requests.send_request(peer, bytes)
    }

    /// Lives until something has happened; other requests are answered meanwhile.
    pub async fn until<T>(&mut self, mut pick: impl FnMut(&SwarmEvent<BehaviourEvent>) -> Option<T>) -> T {
        timeout(DEADLINE, async {
            loop {
                let event = self.swarm.select_next_some().await;
                let picked = pick(&event);
                self.on_event(event);
                if let Some(picked) = picked {
                    return picked;
                }
            }
        })
        .await
        .expect("it did not happen to the raw node")
    }

    pub async fn until_connected(&mut self) {
        self.until(|event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(())).await;
    }

    /// Connected, and what it publishes will be sent.
    pub async fn until_heard(&mut self) {
        self.until(|event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. })) => Some(()),
            _ => None,
        })
        .await;
    }

    /// Asks, and waits for the answer, or why there is none.
    pub async fn ask(&mut self, peer: &PeerId, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        let id = self.request(peer, bytes);
        while !self.answers.contains_key(&id) {
            let event = timeout(DEADLINE, self.swarm.select_next_some()).await.expect("no answer");
            self.on_event(event);
        }
        self.answers.remove(&id).unwrap()
    }

    /// Lives for ever.
    pub async fn live(&mut self) {
        loop {
            let event = self.swarm.select_next_some().await;
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        use request_response::{Event, Message};
        let SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) = event else { return };
        match event {
            Event::Message { message: Message::Request { channel, .. }, .. } => {
                let _ = self.swarm.behaviour_mut().requests.send_response(channel, self.response.clone());
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.answers.insert(request_id, Ok(response));
            }
            Event::OutboundFailure { request_id, error, .. } => {
                self.answers.insert(request_id, Err(error.to_string()));
            }
            _ => {}
        }
    }
}
