//! Real processes: nodes of the real program, with their databases, over libp2p on loopback.
#![cfg(feature = "node")]

mod crash;
mod ledger;
