//! The promises, kept by real processes with real sockets and real databases.
#![cfg(feature = "node")]

mod api;
mod commands;
mod crashes;
mod faults;
mod keys;
mod ledger;
mod membership;
mod restart;
#[allow(dead_code, reason = "shared with the benches")]
#[path = "../../benches/ledger/trial.rs"]
mod trial;
