//! What is refused before anything listens.

use std::sync::Arc;

use verbale::ledger::Treaty;
use verbale::net::{NetConfig, NetError, start};
use verbale::node::message::Response;

use crate::lab::{Lab, Via, seed};

async fn refusal(config: NetConfig) -> NetError {
    start(config, Arc::new(|_, _| Response::Nothing)).await.expect_err("it started")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_to_be_so() {
    for via in [Via::Tcp, Via::Quic] {
        let lab = Lab::new(2, via);
        let first = lab.start(0).await;
        assert_eq!(first.net.listening, [lab.address(0)]);
        let mut config = lab.config(1);
        config.listen = vec![lab.address(0).into()];
        match refusal(config).await {
            NetError::InUse { address } => assert_eq!(address, lab.address(0)),
            other => panic!("{via:?}: {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_another_machine_cannot_be_listened_on() {
    let lab = Lab::new(1, Via::Tcp);
    for address in ["/ip4/192.0.2.1/tcp/0", "/ip4/192.0.2.1/udp/0/quic-v1"] {
        let mut config = lab.config(0);
        config.listen = vec![address.into()];
        let refused = refusal(config).await;
        assert!(matches!(&refused, NetError::Listen { address: a, .. } if a == address), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_the_treaty_files_is_refused() {
    let lab = Lab::new(2, Via::Tcp);
    let mut config = lab.config(0);
    config.identity = seed(1).into();
    match refusal(config).await {
        NetError::Identity { code, expected, found } => {
            assert_eq!(code, "P0");
            assert_eq!(expected, lab.treaty.party(0).peer);
            assert_eq!(found, lab.treaty.party(1).peer);
        }
        other => panic!("{other}"),
    }
    let mut config = lab.config(0);
    config.me = 2;
    assert!(matches!(refusal(config).await, NetError::Me { me: 2, parties: 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_peers_and_addresses_name_their_place() {
    let lab = Lab::new(2, Via::Tcp);
    let config = |treaty: Treaty| NetConfig { treaty: Arc::new(treaty), ..lab.config(0) };
    let peer = lab.treaty.party(1).peer.clone();

    let refused = refusal(config(lab.edited(&peer, &"l".repeat(52)))).await;
    assert!(matches!(&refused, NetError::Peer { code, .. } if code == "P1"), "{refused}");

    let refused = refusal(config(lab.edited(lab.address(1), "/ip4/127.0.0.1/tcp/99999"))).await;
    assert!(matches!(&refused, NetError::Address { place, .. } if place.contains("P1")), "{refused}");

    let mut config = lab.config(0);
    config.listen = vec!["localhost:4001".into()];
    let refused = refusal(config).await;
    assert!(matches!(&refused, NetError::Address { place, .. } if place == "`listen`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_can_start_again_at_once() {
    for via in [Via::Tcp, Via::Quic] {
        let lab = Lab::new(2, via);
        let mut a = lab.start(0).await;
        for _ in 0..3 {
            let mut b = lab.start(1).await;
            a.until_connected(1).await;
            b.until_connected(0).await;
            b.net.stop().await;
            a.until_disconnected(1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_serves_both_transports_and_both_ip_versions() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // This machine has no IPv6.
    }
    let lab = Lab::new(1, Via::Tcp);
    let mut config = lab.config(0);
    let port = lab.address(0).rsplit('/').next().unwrap();
    config.listen =
        ["/ip4/0.0.0.0/tcp/PORT", "/ip6/::/tcp/PORT", "/ip4/0.0.0.0/udp/PORT/quic-v1", "/ip6/::/udp/PORT/quic-v1"]
            .map(|address| address.replace("PORT", port))
            .into();
    let node = start(config, Arc::new(|_, _| Response::Nothing)).await.unwrap();
    for kind in [format!("/tcp/{port}"), format!("/udp/{port}/quic-v1")] {
        for version in ["/ip4/", "/ip6/"] {
            assert!(
                node.listening.iter().any(|a| a.starts_with(version) && a.ends_with(&kind)),
                "{:?}",
                node.listening
            );
        }
    }
    node.stop().await;
}
