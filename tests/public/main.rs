//! Reading, mirroring, witnessing and watching from outside, with real nodes, real sockets, and servers that lie.
#![cfg(feature = "node")]

mod changes;
#[path = "../common/mod.rs"]
mod common;
mod following;
mod http;
#[path = "../processes/ledger.rs"]
#[allow(dead_code, reason = "shared with the tests of processes")]
mod ledger;
mod mirrors;
mod monitors;
mod servers;
#[allow(dead_code, reason = "shared with the benches")]
#[path = "../../benches/ledger/trial.rs"]
mod trial;
mod witnesses;
