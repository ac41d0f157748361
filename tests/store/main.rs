//! The store: it answers as the model does, loses nothing that it acknowledged, and fsck names what was altered.
#![cfg(feature = "node")]

#[path = "../common/mod.rs"]
mod common;

mod command;
mod fixture;
mod folder;
mod high_water;
mod ledger;
mod model;
mod restarted;
mod tamper;
