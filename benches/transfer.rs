//! How fast pages of records and gossip go from one node to another on loopback.
//!
//! `cargo bench --bench transfer` prints, for QUIC and for TCP: bytes a second in full pages, requests a second one
//! after the other, and how long a gossiped head takes from being published to being handed up. Then a treaty of 34
//! parties in one process: how long until all are connected, and until a head has reached all.

use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::identity::Keypair;
use verbale::ledger::Treaty;
use verbale::net::{Net, NetCommand, NetConfig, NetEvent, Serve, start};
use verbale::node::message::{Gossip, HeadUpdate, MAX_PAGE_RECORDS, Request, Response};
use verbale::note::{KeyType, SigningKey};
use verbale::tlog::Hash;

/// A record as they usually are.
const RECORD_BYTES: usize = 500;
const PAGES: u64 = 200;
const PAGES_AT_ONCE: u64 = 3;
/// Few enough to stay within the rate at which a node answers one peer.
const ROUND_TRIPS: u64 = 700;
const HEADS: u64 = 300;

fn treaty(addresses: &[String]) -> Arc<Treaty> {
    let mut text = format!(
        "version = 1\nname = \"bench\"\ntitle = \"A bench\"\nprofile_sha256 = \"{}\"\n\
         quorum = \"group all 1 P0\\nquorum all\\n\"\n",
        Hash::digest(b"").to_hex()
    );
    for (party, address) in addresses.iter().enumerate() {
        let key = |name: &str, kind| {
            SigningKey::from_seed(name, kind, &Hash::digest(name.as_bytes()).0).unwrap().public().to_string()
        };
        let origin = format!("bench/P{party}");
        write!(
            text,
            "[[party]]\ncode = \"P{party}\"\nname = \"Party {party}\"\nroles = [\"state-party\"]\nroot = \"{}\"\n\
             log = \"{}\"\nwitness = \"{}\"\npeer = \"{}\"\naddresses = [\"{address}\"]\n",
            key(&format!("{origin}/root"), KeyType::Ed25519),
            key(&origin, KeyType::Ed25519),
            key(&format!("{origin}/witness"), KeyType::Cosignature),
            Keypair::ed25519_from_bytes(seed(party)).unwrap().public().to_peer_id(),
        )
        .unwrap();
    }
    Arc::new(Treaty::parse(text.as_bytes()).unwrap())
}

fn seed(party: usize) -> [u8; 32] {
    Hash::digest(&[party as u8]).0
}

async fn node(party: usize, treaty: &Arc<Treaty>, address: &str, serve: Serve) -> Net {
    let (identity, listen) = (seed(party).into(), vec![address.into()]);
    start(NetConfig { identity, me: party, treaty: treaty.clone(), endpoints: Vec::new(), listen }, serve)
        .await
        .unwrap()
}

async fn next(net: &mut Net) -> NetEvent {
    tokio::time::timeout(Duration::from_secs(60), net.events.recv()).await.expect("no event").expect("it ended")
}

async fn ask(net: &Net, id: u64, request: Request) {
    net.commands.send(NetCommand::Request { peer: 1, id, request }).await.unwrap();
}

async fn answer(net: &mut Net) -> Response {
    loop {
        if let NetEvent::Response { response, .. } = next(net).await {
            return response.expect("no answer");
        }
    }
}

/// The parties of the Treaty on Open Skies.
const PARTIES: usize = 34;

async fn measure_many(addresses: Vec<String>) {
    let treaty = treaty(&addresses);
    let started = Instant::now();
    let mut nodes = Vec::new();
    for (party, address) in addresses.iter().enumerate() {
        nodes.push(node(party, &treaty, address, Arc::new(|_, _| Response::Nothing)).await);
    }
    for node in &mut nodes {
        let mut connected = 0;
        while connected < PARTIES - 1 {
            connected += usize::from(matches!(next(node).await, NetEvent::Connected(_)));
        }
    }
    println!("{PARTIES} parties: all connected after {:.1} s", started.elapsed().as_secs_f64());
    let mut author = nodes.remove(0);
    // Until all know what all are subscribed to.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut times = Vec::new();
    for from in 0..50 {
        let heads = vec![HeadUpdate { checkpoint: vec![1; 300], from, records: vec![vec![5; RECORD_BYTES]] }];
        let started = Instant::now();
        author.commands.send(NetCommand::Gossip(Gossip { heads })).await.unwrap();
        for node in &mut nodes {
            while !matches!(next(node).await, NetEvent::Gossip { message, .. } if message.heads[0].from == from) {}
        }
        times.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
        while author.events.try_recv().is_ok() {}
    }
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{PARTIES} parties: a head is with all after {:.1} ms, at most {:.1} ms", ms(times[25]), ms(times[49]));
}

async fn measure(name: &str, addresses: [String; 2]) {
    let treaty = treaty(&addresses);
    let count = MAX_PAGE_RECORDS as usize;
    let page = Response::Records {
        log: 1,
        from: 0,
        records: vec![vec![5; RECORD_BYTES]; count],
        checkpoint: vec![1; 300],
        proof: vec![Hash([3; 32]); 20],
    };
    let serve: Serve = Arc::new(move |_, request| match request {
        Request::Records { .. } => page.clone(),
        _ => Response::Nothing,
    });
    let mut a = node(0, &treaty, &addresses[0], Arc::new(|_, _| Response::Nothing)).await;
    let mut b = node(1, &treaty, &addresses[1], serve).await;
    while !matches!(next(&mut a).await, NetEvent::Connected(1)) {}

    let started = Instant::now();
    let mut asked = 0;
    for received in 0..PAGES {
        while asked < PAGES.min(received + PAGES_AT_ONCE) {
            ask(&a, asked, Request::Records { log: 1, from: 0, count: count as u64 }).await;
            asked += 1;
        }
        assert!(matches!(answer(&mut a).await, Response::Records { .. }));
    }
    let seconds = started.elapsed().as_secs_f64();
    let records = (PAGES * count as u64) as f64;
    let mib = records * RECORD_BYTES as f64 / f64::from(1 << 20);
    println!("{name}: {:.0} MiB/s, {:.0} records of {RECORD_BYTES} bytes a second", mib / seconds, records / seconds);

    let started = Instant::now();
    for id in 0..ROUND_TRIPS {
        ask(&a, id, Request::Proof { log: 0, old: 0 }).await;
        answer(&mut a).await;
    }
    println!("{name}: {:.2} ms a small request", started.elapsed().as_secs_f64() * 1e3 / ROUND_TRIPS as f64);

    let mut times = Vec::new();
    for from in 0..HEADS {
        let heads = vec![HeadUpdate { checkpoint: vec![1; 300], from, records: vec![vec![5; RECORD_BYTES]] }];
        let started = Instant::now();
        a.commands.send(NetCommand::Gossip(Gossip { heads })).await.unwrap();
        while !matches!(next(&mut b).await, NetEvent::Gossip { message, .. } if message.heads[0].from == from) {}
        times.push(started.elapsed());
        // Slower than the node's own limit, or the limit would be measured.
        tokio::time::sleep(Duration::from_millis(12)).await;
    }
    times.sort();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e3;
    println!("{name}: gossip takes {:.2} ms, 99 of 100 at most {:.2} ms", at(50), at(99));
    a.stop().await;
    b.stop().await;
}

#[tokio::main]
async fn main() {
    let ip = Ipv4Addr::LOCALHOST;
    let udp = || UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap().port();
    let tcp = || TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port();
    measure("QUIC", [(); 2].map(|()| format!("/ip4/{ip}/udp/{}/quic-v1", udp()))).await;
    measure("TCP ", [(); 2].map(|()| format!("/ip4/{ip}/tcp/{}", tcp()))).await;
    measure_many((0..PARTIES).map(|_| format!("/ip4/{ip}/udp/{}/quic-v1", udp())).collect()).await;
}
