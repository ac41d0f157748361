//! A treaty whose parties run real nodes on loopback.

use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use tokio::time::timeout;
use verbale::ledger::Treaty;
use verbale::net::{Net, NetCommand, NetConfig, NetEvent, Serve, start};
use verbale::node::LogId;
use verbale::node::message::{Gossip, HeadUpdate, Request, Response};
use verbale::note::{KeyType, SigningKey};
use verbale::tlog::Hash;

/// Long enough for a busy machine: reached only when a test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How nodes reach each other.
#[derive(Clone, Copy, Debug)]
pub enum Via {
    Quic,
    Tcp,
}

pub struct Lab {
    pub treaty: Arc<Treaty>,
    text: String,
    listen: Vec<String>,
}

pub fn seed(party: usize) -> [u8; 32] {
    Hash::digest(format!("transport {party}").as_bytes()).0
}

pub fn identity(party: usize) -> Keypair {
    Keypair::ed25519_from_bytes(seed(party)).unwrap()
}

fn key(name: &str, kind: KeyType) -> SigningKey {
    SigningKey::from_seed(name, kind, &Hash::digest(name.as_bytes()).0).unwrap()
}

/// An address that nobody listens on, on a loopback network of this process's own.
pub fn free_address(via: Via) -> String {
    let id = std::process::id();
    let ip = Ipv4Addr::new(127, (id >> 8) as u8, id as u8, 1);
    match via {
        Via::Tcp => format!("/ip4/{ip}/tcp/{}", TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port()),
        Via::Quic => {
            format!("/ip4/{ip}/udp/{}/quic-v1", UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap().port())
        }
    }
}

impl Lab {
    pub fn new(parties: usize, via: Via) -> Self {
        let mut text = format!(
            "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\n\
             quorum = \"group all 1 P0\\nquorum all\\n\"\n",
            Hash::digest(b"").to_hex()
        );
        let listen: Vec<_> = (0..parties).map(|_| free_address(via)).collect();
        for (party, address) in listen.iter().enumerate() {
            let origin = format!("trial/P{party}");
            write!(
                text,
                "[[party]]\ncode = \"P{party}\"\nname = \"Party {party}\"\nroles = [\"state-party\"]\nroot = \"{}\"\n\
                 log = \"{}\"\nwitness = \"{}\"\npeer = \"{}\"\naddresses = [\"{address}\"]\n",
                key(&format!("{origin}/root"), KeyType::Ed25519).public(),
                key(&origin, KeyType::Ed25519).public(),
                key(&format!("{origin}/witness"), KeyType::Cosignature).public(),
                identity(party).public().to_peer_id(),
            )
            .unwrap();
        }
        Self { treaty: Arc::new(Treaty::parse(text.as_bytes()).unwrap()), text, listen }
    }

    /// The same parties at the same addresses, in a file with another text.
    pub fn with_another_treaty(&self) -> Self {
        let text = self.text.replace("A trial", "Another trial");
        Self { treaty: Arc::new(Treaty::parse(text.as_bytes()).unwrap()), text, listen: self.listen.clone() }
    }

    /// The same treaty, but only these parties have addresses in it. (Another hash: for what needs no gossip.)
    pub fn with_addresses_of(&self, parties: &[usize]) -> Self {
        let mut text = self.text.clone();
        for (party, address) in self.listen.iter().enumerate() {
            if !parties.contains(&party) {
                text = text.replace(&format!("\"{address}\""), "");
            }
        }
        Self { treaty: Arc::new(Treaty::parse(text.as_bytes()).unwrap()), text, listen: self.listen.clone() }
    }

    /// The treaty with something replaced in its text.
    pub fn edited(&self, from: &str, to: &str) -> Treaty {
        assert!(self.text.contains(from));
        Treaty::parse(self.text.replace(from, to).as_bytes()).unwrap()
    }

    pub fn address(&self, party: usize) -> &str {
        &self.listen[party]
    }

    pub fn config(&self, party: usize) -> NetConfig {
        NetConfig {
            identity: seed(party).into(),
            me: party,
            treaty: self.treaty.clone(),
            endpoints: Vec::new(),
            listen: vec![self.listen[party].clone()],
        }
    }

    pub async fn start(&self, party: usize) -> Node {
        self.start_serving(party, |_, _| Response::Nothing).await
    }

    pub async fn start_serving(
        &self,
        party: usize,
        serve: impl Fn(LogId, Request) -> Response + Send + Sync + 'static,
    ) -> Node {
        let serve: Serve = Arc::new(serve);
        Node { net: start(self.config(party), serve).await.unwrap(), last_id: 0 }
    }
}

impl Node {
    /// A node that has nothing to say.
    pub async fn of(config: NetConfig) -> Self {
        Self { net: start(config, Arc::new(|_, _| Response::Nothing)).await.unwrap(), last_id: 0 }
    }
}

/// A node, and what is read of its events.
pub struct Node {
    pub net: Net,
    last_id: u64,
}

impl Node {
    pub async fn next(&mut self) -> NetEvent {
        timeout(DEADLINE, self.net.events.recv()).await.expect("no event came").expect("the network ended")
    }

    /// Reads events until one is picked.
    pub async fn until<T>(&mut self, mut pick: impl FnMut(&NetEvent) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(&self.next().await) {
                return picked;
            }
        }
    }

    pub async fn until_connected(&mut self, party: LogId) {
        self.until(|event| matches!(event, NetEvent::Connected(p) if *p == party).then_some(())).await;
    }

    pub async fn until_disconnected(&mut self, party: LogId) {
        self.until(|event| matches!(event, NetEvent::Disconnected(p) if *p == party).then_some(())).await;
    }

    pub async fn send(&self, command: NetCommand) {
        timeout(DEADLINE, self.net.commands.send(command)).await.expect("commands are not taken").unwrap();
    }

    /// Sends a request; its number.
    pub async fn request(&mut self, peer: LogId, request: Request) -> u64 {
        self.last_id += 1;
        self.send(NetCommand::Request { peer, id: self.last_id, request }).await;
        self.last_id
    }

    /// Asks, and waits for the answer; other events meanwhile are dropped.
    pub async fn ask(&mut self, peer: LogId, request: Request) -> Option<Response> {
        let sent = self.request(peer, request).await;
        self.until(|event| match event {
            NetEvent::Response { id, response } if *id == sent => Some(response.clone()),
            _ => None,
        })
        .await
    }
}

/// Gossip that is told from other gossip by a number.
pub fn gossip(number: u64) -> Gossip {
    Gossip { heads: vec![HeadUpdate { checkpoint: b"head".to_vec(), from: number, records: vec![vec![7; 500]] }] }
}

/// Publishes until the other one has it: gossip may be lost, above all before both know each other's topics.
pub async fn gossip_arrives(from: &Node, to: &mut Node, number: u64) -> LogId {
    let arrived = to.until(|event| match event {
        NetEvent::Gossip { from, message } if *message == gossip(number) => Some(*from),
        _ => None,
    });
    tokio::pin!(arrived);
    loop {
        from.send(NetCommand::Gossip(gossip(number))).await;
        if let Ok(author) = timeout(Duration::from_millis(50), &mut arrived).await {
            return author;
        }
    }
}
