//! Ports on this machine for nodes that are tried out on it.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The lowest port that is given.
const LOWEST: u16 = 10_000;
/// How many there are. They end below 32,768: from there on Linux picks ports for outgoing connections, and would take
/// one between the day that it was found free and the day that a node listens on it, or listens on it again.
const COUNT: u16 = 22_000;

/// A port that is free for TCP and UDP on loopback now. One process gets none twice.
///
/// # Errors
/// When a thousand ports in turn are taken.
pub fn free_port() -> io::Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let mut start = [0; 2];
        // Where it begins only keeps two processes from trying the same ports: without chance it begins below.
        let _ = getrandom::fill(&mut start);
        AtomicU16::new(u16::from_le_bytes(start) % COUNT)
    });
    for _ in 0..1_000 {
        let port = LOWEST + next.fetch_add(1, Ordering::Relaxed) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no port on 127.0.0.1 is free for TCP and UDP"))
}
