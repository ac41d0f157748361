//! The network over real libp2p on loopback: what arrives, who is let in, and what a bad peer can do to others.
#![cfg(feature = "node")]

mod hostile;
mod lab;
mod peers;
mod raw;
mod start;
