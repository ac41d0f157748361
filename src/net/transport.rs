//! QUIC, and TCP with Noise and Yamux below it; names are looked up where the treaty file has any.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, dns, noise, quic, tcp, yamux};

use super::config::NetError;
use super::limits::{MAX_QUIC_WINDOW_BYTES, MAX_STREAMS};

/// How long a connection may take to be set up, names and handshakes included.
const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The transport of a node.
pub(super) fn build(identity: &Keypair, with_dns: bool) -> Result<Boxed<(PeerId, StreamMuxerBox)>, NetError> {
    let mut quic = quic::Config::new(identity);
    quic.max_concurrent_stream_limit = MAX_STREAMS as u32;
    quic.max_connection_data = MAX_QUIC_WINDOW_BYTES;
    let quic = quic::tokio::Transport::new(quic).map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));

    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(MAX_STREAMS);
    // Nagle's algorithm is off by default, so that small messages leave at once.
    let tcp = tcp::tokio::Transport::new(tcp::Config::new())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(identity).map_err(|e| NetError::Setup(e.to_string()))?)
        .multiplex(muxer)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));

    let both = OrTransport::new(quic, tcp).map(|either, _| either.into_inner());
    Ok(if with_dns {
        let named = dns::tokio::Transport::system(both).map_err(NetError::Resolver)?;
        TransportTimeout::new(named, SETUP_TIMEOUT).boxed()
    } else {
        TransportTimeout::new(both, SETUP_TIMEOUT).boxed()
    })
}
