//! Peers that do not keep to the rules.

use std::sync::{Arc, Mutex, mpsc};

use libp2p::gossipsub::IdentTopic;
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use verbale::net::{Fault, NetEvent};
use verbale::node::message::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Request, Response};
use verbale::tlog::Hash;

use crate::lab::{Lab, Node, Via, gossip, gossip_arrives, identity};
use crate::raw::Raw;

const HEADS: Request = Request::Heads { treaty: Hash([0; 32]) };

fn topic(lab: &Lab) -> IdentTopic {
    IdentTopic::new(format!("/verbale/1/{}", lab.treaty.hash().to_hex()))
}

async fn until_fault(node: &mut Node, peer: usize, fault: Fault) {
    node.until(|event| match event {
        NetEvent::Fault { peer: p, what } => {
            assert_eq!(*p, peer, "{what}");
            (*what == fault).then_some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_let_in() {
    for via in [Via::Tcp, Via::Quic] {
        let lab = Lab::new(2, via);
        let served = Arc::new(Mutex::new(Vec::new()));
        let seen = served.clone();
        let mut a = lab
            .start_serving(0, move |from, _| {
                seen.lock().unwrap().push(from);
                Response::Nothing
            })
            .await;
        let mut stranger = Raw::new(Keypair::generate_ed25519());
        let peer = identity(0).public().to_peer_id();
        stranger.dial(lab.address(0));
        let asked = stranger.ask(&peer, HEADS.to_bytes()).await;
        assert!(asked.is_err(), "{asked:?}");
        // It may look to the stranger as if it were connected, for a moment.
        stranger.until(|event| matches!(event, SwarmEvent::ConnectionClosed { .. }).then_some(())).await;
        let mut b = lab.start(1).await;
        assert!(matches!(a.next().await, NetEvent::Connected(1)), "the first event is the party's");
        b.until_connected(0).await;
        assert_eq!(b.ask(0, HEADS).await, Some(Response::Nothing));
        assert_eq!(*served.lock().unwrap(), [1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_a_fault_of_its_sender_and_disturbs_nobody() {
    let lab = Lab::new(3, Via::Quic);
    let mut a = lab.start(0).await;
    let mut good = lab.start(2).await;
    good.until_connected(0).await;
    let mut bad = Raw::new(identity(1));
    let topic = topic(&lab);
    bad.subscribe(&topic);
    let peer = identity(0).public().to_peer_id();
    bad.dial(lab.address(0));
    bad.until_heard().await;
    assert_eq!(bad.ask(&peer, b"GET / HTTP/1.1\r\n\r\n".to_vec()).await, Ok(Vec::new()));
    until_fault(&mut a, 1, Fault::MalformedRequest).await;
    // The rest of it is never read: the stream may break under the sender, and then there is no answer at all.
    let long = bad.ask(&peer, vec![1; 100 * MAX_REQUEST_BYTES]).await;
    assert!(long.is_err() || long == Ok(Vec::new()), "{long:?}");
    until_fault(&mut a, 1, Fault::LongRequest).await;
    assert_eq!(bad.ask(&peer, HEADS.to_bytes()).await, Ok(Response::Nothing.to_bytes()), "it may still ask properly");

    assert!(bad.publish(&topic, b"not a head".to_vec()));
    let living = tokio::spawn(async move { bad.live().await });
    until_fault(&mut a, 1, Fault::MalformedGossip).await;
    assert_eq!(good.ask(0, HEADS).await, Some(Response::Nothing));
    gossip_arrives(&good, &mut a, 1).await;
    living.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_over_its_limit_is_none_and_a_fault() {
    for (via, response, fault) in [
        (Via::Tcp, vec![1; MAX_RESPONSE_BYTES + 1], Fault::LongResponse),
        (Via::Quic, vec![1; 3 * MAX_RESPONSE_BYTES], Fault::LongResponse),
        (Via::Quic, b"nonsense".to_vec(), Fault::MalformedResponse),
    ] {
        let lab = Lab::new(2, via);
        let mut a = lab.start(0).await;
        let mut bad = Raw::new(identity(1));
        bad.response = response;
        bad.dial(lab.address(0));
        let living = tokio::spawn(async move { bad.live().await });
        a.until_connected(1).await;
        let id = a.request(1, HEADS).await;
        until_fault(&mut a, 1, fault).await;
        let answered = a.until(|event| match event {
            NetEvent::Response { id: i, response } if *i == id => Some(response.clone()),
            _ => None,
        });
        assert_eq!(answered.await, None);
        living.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_comes_and_goes_is_kept_away() {
    let lab = Lab::new(2, Via::Tcp);
    let mut a = lab.start(0).await;
    let address = lab.address(0).to_string();
    let flapping = tokio::spawn(async move {
        let mut bad = Raw::new(identity(1));
        let peer = identity(0).public().to_peer_id();
        loop {
            bad.dial(&address);
            bad.until(|event| {
                matches!(event, SwarmEvent::ConnectionEstablished { .. } | SwarmEvent::OutgoingConnectionError { .. })
                    .then_some(())
            })
            .await;
            if bad.swarm.disconnect_peer_id(peer).is_ok() {
                bad.until(|event| matches!(event, SwarmEvent::ConnectionClosed { .. }).then_some(())).await;
            }
        }
    });
    let mut came = 0;
    a.until(|event| match event {
        NetEvent::Connected(1) => {
            came += 1;
            None
        }
        NetEvent::Fault { peer: 1, what: Fault::Quarantined } => Some(()),
        _ => None,
    })
    .await;
    assert!(came < 200, "{came}");
    flapping.abort();
}

/// While all places of the flooding peer are taken up, another one is answered; then the flood is cut off.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_costs_the_one_who_floods() {
    let lab = Lab::new(3, Via::Quic);
    let (release, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let begun = Arc::new(Mutex::new(0));
    let count = begun.clone();
    let mut a = lab
        .start_serving(0, move |from, _| {
            if from == 1 {
                *count.lock().unwrap() += 1;
                let _ = hold.lock().unwrap().recv();
            }
            Response::Nothing
        })
        .await;
    let mut good = lab.start(2).await;
    good.until_connected(0).await;
    let mut bad = Raw::new(identity(1));
    let peer = identity(0).public().to_peer_id();
    bad.dial(lab.address(0));
    bad.until_connected().await;
    let flood = tokio::spawn(async move {
        let mut under_way = 0;
        loop {
            while under_way < 100 {
                bad.request(&peer, HEADS.to_bytes());
                under_way += 1;
            }
            let closed = bad.until(|event| match event {
                SwarmEvent::Behaviour(crate::raw::BehaviourEvent::Requests(
                    libp2p::request_response::Event::Message { .. }
                    | libp2p::request_response::Event::OutboundFailure { .. },
                )) => Some(false),
                SwarmEvent::ConnectionClosed { .. } => Some(true),
                _ => None,
            });
            if closed.await {
                return;
            }
            under_way -= 1;
        }
    });
    until_fault(&mut a, 1, Fault::TooManyRequests).await;
    assert_eq!(good.ask(0, HEADS).await, Some(Response::Nothing));
    until_fault(&mut a, 1, Fault::Quarantined).await;
    flood.await.unwrap();
    a.until_disconnected(1).await;
    assert_eq!(good.ask(0, HEADS).await, Some(Response::Nothing));
    assert_eq!(*begun.lock().unwrap(), verbale::net::limits::MAX_REQUESTS_ANSWERED);
    drop(release);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_gossip_is_limited_and_others_are_still_heard() {
    let lab = Lab::new(3, Via::Tcp);
    let mut a = lab.start(0).await;
    let mut good = lab.start(2).await;
    good.until_connected(0).await;
    let topic = topic(&lab);
    let mut bad = Raw::new(identity(1));
    bad.subscribe(&topic);
    bad.dial(lab.address(0));
    let flood = tokio::spawn(async move {
        bad.until_heard().await;
        let mut number = 0;
        loop {
            for _ in 0..50 {
                number += 1;
                bad.publish(&topic, gossip(1 << 32 | number).to_bytes());
            }
            let turn = std::time::Duration::from_millis(1);
            if tokio::time::timeout(turn, bad.live()).await.is_ok() {
                return;
            }
        }
    });
    let mut heard = 0;
    let started = std::time::Instant::now();
    a.until(|event| match event {
        NetEvent::Gossip { from: 1, .. } => {
            heard += 1;
            None
        }
        NetEvent::Fault { peer, what } => {
            assert_eq!(*peer, 1, "{what}");
            (*what == Fault::TooMuchGossip).then_some(())
        }
        _ => None,
    })
    .await;
    let allowed = f64::from(verbale::net::limits::GOSSIP_PER_SECOND) * (2.0 + started.elapsed().as_secs_f64());
    assert!(f64::from(heard) <= allowed, "{heard} messages passed, {allowed} may");
    assert_eq!(gossip_arrives(&good, &mut a, 1).await, 2);
    flood.abort();
}
