//! What the network is started with, and the parties as libp2p knows them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use zeroize::Zeroizing;

use crate::ledger::{Endpoint, Treaty};
use crate::node::LogId;

/// What the network is started with.
pub struct NetConfig {
    /// The Ed25519 seed (RFC 8032) of this node's libp2p identity.
    pub identity: Zeroizing<[u8; 32]>,
    /// This party.
    pub me: LogId,
    /// The treaty: who may connect, where to find them, and the name of the gossip topic.
    pub treaty: Arc<Treaty>,
    /// By party: where it is to be reached by the ledger, in place of what the treaty file says. May be empty.
    pub endpoints: Vec<Endpoint>,
    /// Where to listen: `/ip4/0.0.0.0/udp/4001/quic-v1`, `/ip4/0.0.0.0/tcp/4001`. Port 0 takes any free port.
    pub listen: Vec<String>,
}

/// Why the network could not be started. Nothing listens and nothing was sent when one of these is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// `me` is not a place in the treaty file.
    #[error("the treaty file has {parties} parties; there is no party at place {me}")]
    Me {
        /// The place asked for.
        me: LogId,
        /// Number of parties.
        parties: usize,
    },
    /// A party's `peer` in the treaty file is not a peer id, or another party has it too.
    #[error("treaty file, party {code}: `peer` {what}")]
    Peer {
        /// The party's code.
        code: String,
        /// What is wrong.
        what: String,
    },
    /// The transport key is not the one whose peer id stands in the treaty file.
    #[error("the transport key has the peer id {found}, but the treaty file says {expected} for {code}")]
    Identity {
        /// This party's code.
        code: String,
        /// The peer id in the treaty file.
        expected: String,
        /// The peer id of the key.
        found: String,
    },
    /// An address that is no `/ip4|ip6|dns…/tcp/…` or `/…/udp/…/quic-v1`.
    #[error("{place}: the address {address} {what}")]
    Address {
        /// `listen`, or the party in the treaty file.
        place: String,
        /// The address as it was written.
        address: String,
        /// What is wrong.
        what: String,
    },
    /// Another process, or this one, already listens there.
    #[error("cannot listen on {address}: the port is in use by another program")]
    InUse {
        /// The address.
        address: String,
    },
    /// The operating system does not let us listen there.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// The operating system's reason.
        reason: String,
    },
    /// An address has a DNS name, and the system's resolver settings cannot be read.
    #[error("the treaty file has DNS names in it, and the system's DNS settings cannot be read: {0}")]
    Resolver(std::io::Error),
    /// A part of libp2p refused its settings.
    #[error("the network could not be set up: {0}")]
    Setup(String),
}

/// The parties by peer id, and where they listen.
#[derive(Clone, Debug)]
pub(super) struct Parties {
    /// Of each party the peer ids under which it may come, the one in force last.
    peers: Vec<Vec<PeerId>>,
    by_peer: HashMap<PeerId, LogId>,
    addresses: Vec<Vec<Multiaddr>>,
}

impl Parties {
    /// Reads peer ids and addresses of the treaty file, or those that are in force by the ledger where it says so.
    pub fn read(treaty: &Treaty, endpoints: &[Endpoint]) -> Result<Self, NetError> {
        let mut parties = Self { peers: Vec::new(), by_peer: HashMap::new(), addresses: Vec::new() };
        parties.amend(treaty)?;
        for (log, endpoint) in endpoints.iter().enumerate().take(parties.len()) {
            parties.change(log, endpoint);
        }
        Ok(parties)
    }

    /// Takes in the parties that are new in a treaty, and where the others listen by it.
    pub fn amend(&mut self, treaty: &Treaty) -> Result<(), NetError> {
        for (log, party) in treaty.parties().iter().enumerate() {
            let fail = |what: &str| NetError::Peer { code: party.code.clone(), what: what.into() };
            let peer: PeerId = party.peer.parse().map_err(|_| fail("is not a libp2p peer id (12D3KooW…)"))?;
            let place = format!("treaty file, party {}", party.code);
            let addresses = party.addresses.iter().map(|text| dial_address(&place, text, peer));
            let addresses = addresses.collect::<Result<_, _>>()?;
            if let Some(known) = self.addresses.get_mut(log) {
                *known = addresses;
                continue;
            }
            if self.by_peer.insert(peer, log).is_some() {
                return Err(fail("is also that of another party"));
            }
            self.peers.push(vec![peer]);
            self.addresses.push(addresses);
        }
        Ok(())
    }

    /// A party is to be reached elsewhere, or comes as somebody else. What cannot be read, and a peer id that is
    /// another party's already, changes nothing. Says which peer ids are no longer the party's.
    pub fn change(&mut self, log: LogId, endpoint: &Endpoint) -> Vec<PeerId> {
        let Some(before) = self.peers.get_mut(log) else { return Vec::new() };
        let by_peer = &mut self.by_peer;
        let read = endpoint.peers.iter().filter_map(|text| text.parse().ok());
        let free = |peer: &PeerId| by_peer.get(peer).is_none_or(|other| *other == log);
        let now: Vec<PeerId> = read.filter(free).collect();
        let Some(last) = now.last().copied() else { return Vec::new() };
        let place = "the ledger";
        let addresses: Vec<_> =
            endpoint.addresses.iter().filter_map(|text| dial_address(place, text, last).ok()).collect();
        by_peer.extend(now.iter().map(|peer| (*peer, log)));
        let gone: Vec<_> = std::mem::replace(before, now.clone()).into_iter().filter(|p| !now.contains(p)).collect();
        by_peer.retain(|peer, _| !gone.contains(peer));
        if let Some(known) = self.addresses.get_mut(log) {
            *known = addresses;
        }
        gone
    }

    /// The party has come under its newest peer id: the others are no longer its own.
    pub fn has_come_as(&mut self, log: LogId, peer: &PeerId) -> Vec<PeerId> {
        let Some(peers) = self.peers.get_mut(log).filter(|peers| peers.last() == Some(peer)) else { return Vec::new() };
        let gone = std::mem::replace(peers, vec![*peer]);
        let gone: Vec<_> = gone.into_iter().filter(|old| old != peer).collect();
        self.by_peer.retain(|peer, _| !gone.contains(peer));
        gone
    }

    /// Number of parties.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// The party with this peer id.
    pub fn of(&self, peer: &PeerId) -> Option<LogId> {
        self.by_peer.get(peer).copied()
    }

    /// The peer ids under which a party may come, the one in force last.
    pub fn peers_of(&self, log: LogId) -> &[PeerId] {
        self.peers.get(log).map_or(&[], Vec::as_slice)
    }

    /// All peer ids, in the treaty file's order.
    pub fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.iter().flatten()
    }

    /// Where a party listens.
    pub fn addresses(&self, log: LogId) -> &[Multiaddr] {
        self.addresses.get(log).map_or(&[], Vec::as_slice)
    }

    /// Whether any address has a name in it that must be looked up.
    pub fn need_dns(&self) -> bool {
        let named = |p: Protocol| matches!(p, Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_));
        self.addresses.iter().flatten().any(|address| address.iter().any(named))
    }
}

fn parse(place: &str, text: &str) -> Result<Multiaddr, NetError> {
    text.parse().map_err(|e| malformed(place, text, &format!("is not a libp2p address: {e}")))
}

fn malformed(place: &str, address: &str, what: &str) -> NetError {
    NetError::Address { place: place.into(), address: address.into(), what: what.into() }
}

/// An address to dial; a peer id at its end must be the party's own, and is dropped.
fn dial_address(place: &str, text: &str, peer: PeerId) -> Result<Multiaddr, NetError> {
    let mut address = parse(place, text)?;
    if let Some(Protocol::P2p(named)) = address.iter().last() {
        if named != peer {
            return Err(malformed(place, text, "ends with the peer id of somebody else"));
        }
        address.pop();
    }
    let parts: Vec<_> = address.iter().collect();
    match parts.as_slice() {
        [host, transport @ ..] if is_host(host) && is_transport(transport) => Ok(address),
        _ => {
            Err(malformed(place, text, "is neither /ip4|ip6|dns/HOST/tcp/PORT nor /ip4|ip6|dns/HOST/udp/PORT/quic-v1"))
        }
    }
}

fn is_host(part: &Protocol) -> bool {
    use Protocol::{Dns, Dns4, Dns6, Ip4, Ip6};
    matches!(part, Ip4(_) | Ip6(_) | Dns(_) | Dns4(_) | Dns6(_))
}

fn is_transport(parts: &[Protocol]) -> bool {
    matches!(parts, [Protocol::Tcp(_)] | [Protocol::Udp(_), Protocol::QuicV1])
}

/// An address to listen on.
#[derive(Debug)]
pub(super) struct ListenAddress {
    pub address: Multiaddr,
    pub socket: SocketAddr,
    /// TCP, or else UDP.
    pub tcp: bool,
}

/// Reads an address to listen on: with an IP address, since a name is not an interface.
pub(super) fn listen_address(text: &str) -> Result<ListenAddress, NetError> {
    let address = parse("`listen`", text)?;
    let parts: Vec<_> = address.iter().collect();
    let ip = match parts.first() {
        Some(Protocol::Ip4(ip)) => Some(IpAddr::from(*ip)),
        Some(Protocol::Ip6(ip)) => Some(IpAddr::from(*ip)),
        _ => None,
    };
    let (ip, port, tcp) = match (ip, parts.get(1..)) {
        (Some(ip), Some([Protocol::Tcp(port)])) => (ip, *port, true),
        (Some(ip), Some([Protocol::Udp(port), Protocol::QuicV1])) => (ip, *port, false),
        _ => {
            return Err(malformed(
                "`listen`",
                text,
                "is neither /ip4|ip6/IP/tcp/PORT nor /ip4|ip6/IP/udp/PORT/quic-v1",
            ));
        }
    };
    Ok(ListenAddress { address, socket: SocketAddr::new(ip, port), tcp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_are_ip_with_tcp_or_quic() {
        assert!(listen_address("/ip4/0.0.0.0/tcp/4001").unwrap().tcp);
        assert!(!listen_address("/ip6/::/udp/4001/quic-v1").unwrap().tcp);
        for bad in ["", "/", "127.0.0.1:4001", "/ip4/127.0.0.1", "/dns/example.org/tcp/1", "/ip4/127.0.0.1/udp/1"] {
            assert!(matches!(listen_address(bad), Err(NetError::Address { .. })), "{bad}");
        }
    }

    #[test]
    fn an_address_may_end_with_its_own_peer_id_only() {
        let peer = PeerId::random();
        let plain = "/dns4/node.example.org/udp/4001/quic-v1";
        let dialled = dial_address("x", &format!("{plain}/p2p/{peer}"), peer).unwrap();
        assert_eq!(dialled.to_string(), plain);
        assert!(dial_address("x", &format!("{plain}/p2p/{}", PeerId::random()), peer).is_err());
        assert!(dial_address("x", "/ip4/192.0.2.1/tcp/1/ws", peer).is_err());
    }
}
