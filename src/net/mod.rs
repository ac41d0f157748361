//! The network: a shell of libp2p around the messages of [`crate::node::message`].
//!
//! Connections are QUIC, or TCP with Noise and Yamux, and only the peer ids of the treaty file may have one. Heads go
//! by gossipsub on a topic of the treaty; questions and answers by a request-response protocol, `/verbale/1`. What
//! libp2p signs and encrypts is transport, never evidence: the checkpoints and records inside prove themselves.
//!
//! # Layout
//!
//! - `config`: what it is started with, the parties' peer ids and addresses
//! - `transport`, `behaviour`, `codec`: what runs on a connection
//! - [`limits`]: every limit, and the meters that keep them
//! - `dial`: when to dial whom
//! - `serving`: answering requests
//! - `outbox`: events that wait to be read
//! - `driver`: the task that holds it all together

mod behaviour;
mod codec;
mod config;
mod dial;
mod driver;
pub mod limits;
mod outbox;
mod serving;
mod transport;

use std::collections::HashSet;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::Swarm;
use libp2p::core::transport::{ListenerId, TransportError};
use libp2p::identity::Keypair;
use libp2p::swarm::{self, SwarmEvent};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use codec::PROTOCOL;
pub use config::{NetConfig, NetError};
pub use limits::Fault;
pub use serving::Serve;

use crate::ledger::{Endpoint, Treaty};
use crate::node::LogId;
use crate::node::message::{Gossip, Request, Response};
use behaviour::Behaviour;
use config::{ListenAddress, Parties, listen_address};
use driver::Driver;

/// Commands that may wait; further ones make the sender wait.
const COMMANDS: usize = 64;
/// Events that may wait in the channel; further ones wait in the network's task.
const EVENTS: usize = 64;
/// How long the operating system may take to let us listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a port may stay in use after the node that had it was stopped in the same process, and how often we look.
/// QUIC keeps a connection for three probe timeouts after its end: 3 s, if it ended in the middle of its handshake.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
const RELEASE_INTERVAL: Duration = Duration::from_millis(20);
/// Connections are kept also when nothing is said: a party that is not connected is a party that is away.
const IDLE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What the network is told.
#[derive(Debug)]
pub enum NetCommand {
    /// Publish to all. It may be dropped: when nobody is there, or when a newer one follows faster than
    /// [`limits::OWN_GOSSIP_PER_SECOND`] allows.
    Gossip(Gossip),
    /// Ask a party. Exactly one [`NetEvent::Response`] follows, unless the network is stopped before.
    Request {
        /// Whom.
        peer: LogId,
        /// Comes back with the response.
        id: u64,
        /// What.
        request: Request,
    },
    /// The treaty was amended: who may connect, and where they listen.
    Treaty(Arc<Treaty>),
    /// A party is to be reached elsewhere from now on, or comes under another peer id.
    Endpoint {
        /// Which party.
        party: LogId,
        /// Peer ids and addresses.
        endpoint: Endpoint,
    },
    /// Close all connections and end.
    Stop,
}

/// What the network says.
#[derive(Debug)]
pub enum NetEvent {
    /// The first connection to a party is up.
    Connected(LogId),
    /// The last connection to a party is down. It is dialled again if the treaty file has an address of it.
    Disconnected(LogId),
    /// A gossiped message.
    Gossip {
        /// Its author. Whoever passed it on may not hold yet what it tells of.
        from: LogId,
        /// The message.
        message: Gossip,
    },
    /// The answer to a request.
    Response {
        /// The request's number.
        id: u64,
        /// What was answered; none if the party is not connected, refused, was gone before it answered, took longer
        /// than [`limits::REQUEST_TIMEOUT`], or answered what is no message.
        response: Option<Response>,
    },
    /// A party's node broke a rule. The same one is reported at most once in [`limits::FAULT_INTERVAL`].
    Fault {
        /// Which party.
        peer: LogId,
        /// What it did.
        what: Fault,
    },
}

/// A running network. To drop `commands` stops it like [`NetCommand::Stop`].
#[derive(Debug)]
pub struct Net {
    /// To tell it something. Waits while too many commands are unread.
    pub commands: mpsc::Sender<NetCommand>,
    /// What it says; it ends after the network was stopped. While nobody reads, old gossip is dropped, and nothing else.
    pub events: mpsc::Receiver<NetEvent>,
    /// Where it listens, with the ports that port 0 became.
    pub listening: Vec<String>,
    /// Ends when all connections are closed.
    pub task: JoinHandle<()>,
}

impl Net {
    /// Closes all connections, and returns when that is done.
    pub async fn stop(self) {
        // Either may have ended by itself already.
        let _ = self.commands.send(NetCommand::Stop).await;
        let _ = self.task.await;
    }
}

/// Starts the network on the current tokio runtime: listens, then dials all parties. Requests of others are answered
/// by `serve`, which runs on blocking threads and may take its time.
pub async fn start(config: NetConfig, serve: Serve) -> Result<Net, NetError> {
    let parties = Parties::read(&config.treaty, &config.endpoints)?;
    let me = config.me;
    let identity = identity(&config, &parties)?;
    let listen = config.listen.iter().map(|text| listen_address(text)).collect::<Result<Vec<_>, _>>()?;

    // An amendment may bring names, where the system can look them up.
    let later = config.treaty.amendment_rule().is_some() && std::path::Path::new("/etc/resolv.conf").exists();
    let transport = transport::build(&identity, parties.need_dns() || later)?;
    let behaviour = Behaviour::new(&identity, &parties, &config.treaty)?;
    let swarm_config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_max_negotiating_inbound_streams(limits::MAX_STREAMS)
        // QUIC first, TCP a moment later if that does not answer.
        .with_smart_dial();
    let mut swarm = Swarm::new(transport, behaviour, identity.public().to_peer_id(), swarm_config);
    let listening = listen_on_all(&mut swarm, &listen).await?;

    let (commands, commands_in) = mpsc::channel(COMMANDS);
    let (events_out, events) = mpsc::channel(EVENTS);
    let driver = Driver::new(swarm, behaviour::topic(&config.treaty), parties, me, serve);
    let task = tokio::spawn(driver.run(commands_in, events_out));
    Ok(Net { commands, events, listening, task })
}

/// The node's key, if it is the one in the treaty file.
fn identity(config: &NetConfig, parties: &Parties) -> Result<Keypair, NetError> {
    let me = config.me;
    let expected = parties.peers_of(me).last().ok_or(NetError::Me { me, parties: parties.len() })?;
    // libp2p wipes the copy that it reads.
    let identity =
        Keypair::ed25519_from_bytes(*config.identity).map_err(|e| NetError::Setup(format!("transport key: {e}")))?;
    let found = identity.public().to_peer_id();
    if parties.peers_of(me).contains(&found) {
        return Ok(identity);
    }
    let code = config.treaty.party(me).code.clone();
    Err(NetError::Identity { code, expected: expected.to_string(), found: found.to_string() })
}

/// Listens on all addresses, and waits until the operating system has confirmed each.
async fn listen_on_all(swarm: &mut Swarm<Behaviour>, listen: &[ListenAddress]) -> Result<Vec<String>, NetError> {
    let mut unconfirmed: HashSet<ListenerId> = HashSet::new();
    // libp2p shares TCP ports, so that a second node on the same port would start, and take half of the connections;
    // and it hides why a UDP port is not to be had. Plain sockets find out, all of them before libp2p has any.
    for wanted in listen {
        until_free(wanted).await.map_err(|e| listen_error(wanted.address.to_string(), &e))?;
    }
    for ListenAddress { address, .. } in listen {
        let id = swarm.listen_on(address.clone()).map_err(|error| match error {
            TransportError::Other(e) => listen_error(address.to_string(), &e),
            TransportError::MultiaddrNotSupported(_) => NetError::Listen {
                address: address.to_string(),
                reason: "this kind of address is not supported".into(),
            },
        })?;
        unconfirmed.insert(id);
    }
    let mut listening = Vec::new();
    let all_confirmed = async {
        while !unconfirmed.is_empty() {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, address } => {
                    unconfirmed.remove(&listener_id);
                    listening.push(address.to_string());
                }
                SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                    let address = addresses.first().map_or_else(String::new, ToString::to_string);
                    return Err(listen_error(address, &error));
                }
                _ => {}
            }
        }
        Ok(())
    };
    match tokio::time::timeout(LISTEN_TIMEOUT, all_confirmed).await {
        Ok(confirmed) => confirmed.map(|()| listening),
        Err(_) => {
            let address = listen.iter().map(|l| l.address.to_string()).collect::<Vec<_>>().join(", ");
            Err(NetError::Listen { address, reason: "no interface has this address".into() })
        }
    }
}

/// Waits a little for a port in use: a node that was just stopped still says goodbye over QUIC.
async fn until_free(ListenAddress { socket, tcp, .. }: &ListenAddress) -> io::Result<()> {
    let bind = || if *tcp { TcpListener::bind(socket).map(drop) } else { UdpSocket::bind(socket).map(drop) };
    let in_use = |bound: &io::Result<()>| matches!(bound, Err(e) if e.kind() == io::ErrorKind::AddrInUse);
    let give_up = Instant::now() + RELEASE_TIMEOUT;
    let mut bound = bind();
    while in_use(&bound) && Instant::now() < give_up {
        tokio::time::sleep(RELEASE_INTERVAL).await;
        bound = bind();
    }
    bound
}

/// The operating system's answer, the most frequent one by name.
fn listen_error(address: String, error: &io::Error) -> NetError {
    match error.kind() {
        io::ErrorKind::AddrInUse => NetError::InUse { address },
        _ => NetError::Listen { address, reason: error.to_string() },
    }
}
