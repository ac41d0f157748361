//! Nodes that keep to the rules.

use std::collections::BTreeMap;
use std::sync::mpsc;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use verbale::net::limits::MAX_GOSSIP_UNREAD;
use verbale::net::{NetCommand, NetEvent};
use verbale::node::message::{MAX_PAGE_BYTES, Request, Response};
use verbale::tlog::Hash;

use crate::lab::{DEADLINE, Lab, Via, gossip, gossip_arrives};

const RECORDS: Request = Request::Records { log: 1, from: 7, count: 9 };

/// The largest page that a node may send.
fn full_page() -> Response {
    let records = vec![vec![5; 1 << 16 >> 1]; MAX_PAGE_BYTES >> 15];
    Response::Records { log: 1, from: 7, records, checkpoint: vec![1; 2000], proof: vec![Hash([3; 32]); 40] }
}

async fn nodes_talk(via: Via) {
    let lab = Lab::new(2, via);
    let mut a = lab.start(0).await;
    let mut b = lab
        .start_serving(1, |from, request| {
            assert_eq!((from, request), (0, RECORDS));
            full_page()
        })
        .await;
    a.until_connected(1).await;
    b.until_connected(0).await;
    assert_eq!(gossip_arrives(&a, &mut b, 1).await, 0);
    assert_eq!(gossip_arrives(&b, &mut a, 2).await, 1);
    assert_eq!(a.ask(1, RECORDS).await, Some(full_page()));
    a.net.stop().await;
    b.until_disconnected(0).await;
    b.net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_talk_over_quic() {
    nodes_talk(Via::Quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_talk_over_tcp() {
    nodes_talk(Via::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_reaches_a_party_that_is_reached_only_through_another() {
    let lab = Lab::new(3, Via::Quic);
    let mut middle = lab.start(0).await;
    // These two listen elsewhere than the treaty file says, so that they find only the first.
    let mut nodes = Vec::new();
    for party in [1, 2] {
        let mut config = lab.config(party);
        config.listen.clear();
        nodes.push(crate::lab::Node::of(config).await);
    }
    let [a, b] = nodes.as_mut_slice() else { unreachable!() };
    middle.until_connected(1).await;
    let events = tokio::spawn(async move { middle.until(|_| None::<()>).await });
    a.until_connected(0).await;
    b.until_connected(0).await;
    // They are not connected: the one in the middle passed it on. It counts for its author.
    assert_eq!(gossip_arrives(a, b, 1).await, 1);
    events.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_treaty_file_is_answered_plainly_and_its_gossip_is_not_heard() {
    let lab = Lab::new(3, Via::Quic);
    let ours = lab.treaty.hash();
    let other = lab.with_another_treaty();
    let theirs = other.treaty.hash();
    let mut a = other.start(0).await;
    let mut b = lab
        .start_serving(1, move |_, request| match request {
            Request::Heads { treaty } if treaty != ours => Response::OtherTreaty { treaty: ours },
            _ => Response::Nothing,
        })
        .await;
    let mut c = lab.start(2).await;
    a.until_connected(1).await;
    assert_eq!(a.ask(1, Request::Heads { treaty: theirs }).await, Some(Response::OtherTreaty { treaty: ours }));
    for number in 0..20 {
        a.send(NetCommand::Gossip(gossip(number))).await;
    }
    c.until_connected(1).await;
    // What b hears first is what c says.
    let arrived = gossip_arrives(&c, &mut b, 99);
    assert_eq!(arrived.await, 2);
    a.net.stop().await;
    let heard = b.until(|event| match event {
        NetEvent::Gossip { message, .. } if *message != gossip(99) => Some(true),
        NetEvent::Disconnected(0) => Some(false),
        _ => None,
    });
    assert!(!heard.await, "gossip of another treaty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_peer_is_noticed_and_dialled_again() {
    for via in [Via::Tcp, Via::Quic] {
        let lab = Lab::new(2, via);
        let mut a = lab.start(0).await;
        // A runtime that ends takes everything of the node with it, without a goodbye.
        let runtime = Runtime::new().unwrap();
        let config = lab.config(1);
        runtime.spawn(async move {
            let node = crate::lab::Node::of(config).await;
            std::future::pending::<()>().await;
            drop(node);
        });
        a.until_connected(1).await;
        tokio::task::spawn_blocking(|| runtime.shutdown_timeout(DEADLINE)).await.unwrap();
        a.until_disconnected(1).await;
        // It comes back, and does not dial: the first node has to.
        let mut config = lab.config(1);
        config.treaty = lab.with_addresses_of(&[1]).treaty;
        let mut b = crate::lab::Node::of(config).await;
        b.until_connected(0).await;
        a.until_connected(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_one_response_also_when_the_peer_vanishes() {
    let lab = Lab::new(3, Via::Quic);
    let mut a = lab.start(0).await;
    let (asked_out, asked) = mpsc::channel();
    let (release, hold) = mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let mut b = lab
        .start_serving(1, move |_, _| {
            asked_out.send(()).unwrap();
            // Until the test is over.
            let _ = hold.lock().unwrap().recv();
            Response::Nothing
        })
        .await;
    b.until_connected(0).await;
    a.until_connected(1).await;
    let mut responses = BTreeMap::new();
    for _ in 0..20 {
        responses.insert(a.request(1, RECORDS).await, 0);
    }
    // Party 2 never was there.
    responses.insert(a.request(2, RECORDS).await, 0);
    asked.recv_timeout(DEADLINE).unwrap();
    b.net.stop().await;
    while responses.values().any(|count| *count == 0) {
        if let NetEvent::Response { id, response } = a.next().await {
            assert_eq!(response, None);
            *responses.get_mut(&id).unwrap() += 1;
        }
    }
    assert_eq!(a.ask(1, RECORDS).await, None, "not connected any more");
    assert!(responses.values().all(|count| *count == 1), "{responses:?}");
    drop(release);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_taken_while_events_are_unread() {
    let lab = Lab::new(2, Via::Tcp);
    let mut a = lab.start(0).await;
    for _ in 0..1000 {
        a.request(1, RECORDS).await;
    }
    for expected in 1..=1000 {
        let id = a.until(|event| match event {
            NetEvent::Response { id, response: None } => Some(*id),
            _ => None,
        });
        assert_eq!(id.await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_panics_refuses_its_request_and_no_other() {
    let lab = Lab::new(2, Via::Tcp);
    let mut a = lab.start(0).await;
    let _b = lab
        .start_serving(1, |_, request| match request {
            Request::Proof { .. } => panic!("on purpose"),
            _ => full_page(),
        })
        .await;
    a.until_connected(1).await;
    for _ in 0..20 {
        assert_eq!(a.ask(1, Request::Proof { log: 0, old: 0 }).await, None);
    }
    assert_eq!(a.ask(1, RECORDS).await, Some(full_page()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_gossip_ends_with_its_newest_message() {
    let lab = Lab::new(2, Via::Quic);
    let mut a = lab.start(0).await;
    let mut b = lab.start(1).await;
    a.until_connected(1).await;
    b.until_connected(0).await;
    gossip_arrives(&a, &mut b, 0).await;
    const LAST: u64 = 2000;
    let (done_out, done) = oneshot::channel();
    let reader = tokio::spawn(async move {
        let mut heard = 0;
        b.until(|event| match event {
            NetEvent::Gossip { message, .. } => {
                heard += 1;
                (*message == gossip(LAST)).then_some(())
            }
            NetEvent::Fault { what, .. } => panic!("{what}"),
            _ => None,
        })
        .await;
        done_out.send(heard).unwrap();
        b
    });
    for number in 1..=LAST {
        a.send(NetCommand::Gossip(gossip(number))).await;
    }
    let heard = done.await.unwrap();
    assert!(heard < LAST, "nothing was held back, so that this test shows nothing");
    drop(reader);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_events_are_unread_still_answers_and_then_has_the_newest_gossip() {
    let lab = Lab::new(2, Via::Quic);
    let mut a = lab.start(0).await;
    let mut b = lab.start_serving(1, |_, _| full_page()).await;
    a.until_connected(1).await;
    b.until_connected(0).await;
    gossip_arrives(&a, &mut b, 0).await;
    const LAST: u64 = 300;
    for number in 1..=LAST {
        a.send(NetCommand::Gossip(gossip(number))).await;
        assert_eq!(a.ask(1, RECORDS).await, Some(full_page()));
    }
    let mut heard = 0;
    b.until(|event| match event {
        NetEvent::Gossip { message, .. } => {
            heard += 1;
            (*message == gossip(LAST)).then_some(())
        }
        _ => None,
    })
    .await;
    assert!(heard <= 2 * MAX_GOSSIP_UNREAD as u64 + 1, "{heard}");
}
