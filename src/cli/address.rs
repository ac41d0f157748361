//! libp2p addresses, as far as they can be checked without a network: the forms that a node listens on and dials.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Checks `/ip4|ip6|dns|dns4|dns6/HOST/udp/PORT/quic-v1` or `…/tcp/PORT`; says what is wrong.
pub fn check_address(text: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("the address {text:?} {what}, as /ip4/192.0.2.1/udp/4001/quic-v1"));
    let parts: Vec<&str> = text.split('/').collect();
    let (host_kind, host, transport, port) = match parts.as_slice() {
        ["", kind, host, "udp", port, "quic-v1"] => (*kind, *host, "udp", *port),
        ["", kind, host, "tcp", port] => (*kind, *host, "tcp", *port),
        _ => return wrong("should have a host, then `udp/PORT/quic-v1` or `tcp/PORT`, and nothing after it"),
    };
    let name = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
    let host_fits = match host_kind {
        "ip4" => host.parse::<Ipv4Addr>().is_ok(),
        "ip6" => host.parse::<Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" => (1..=253).contains(&host.len()) && host.bytes().all(name),
        _ => return wrong("should start with ip4, ip6, dns, dns4 or dns6"),
    };
    if !host_fits {
        return wrong(&format!("has no {host_kind} host"));
    }
    if port.parse::<u16>().is_err() || port.starts_with('+') {
        return wrong(&format!("has no {transport} port from 0 to 65535"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_node_can_use_pass_and_mistyped_ones_do_not() {
        for good in [
            "/ip4/192.0.2.1/udp/4001/quic-v1",
            "/ip6/2001:db8::1/tcp/4001",
            "/dns/node.example/udp/1/quic-v1",
            "/ip4/0.0.0.0/tcp/0",
        ] {
            assert_eq!(check_address(good), Ok(()));
        }
        for bad in [
            "",
            "/",
            "192.0.2.1:4001",
            "/ip4/192.0.2/udp/4001/quic-v1",
            "/ip4/192.0.2.1/udp/4001",
            "/ip4/192.0.2.1/tcp/70000",
            "/ip4/192.0.2.1/tcp/+1",
            "/dns//tcp/1",
            "/dns/a b/tcp/1",
            "/ip4/192.0.2.1/tcp/4001/p2p/x",
            "/onion/x/tcp/1",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
