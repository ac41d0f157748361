//! The evidence page in a real Chromium, and the golden files before three verifiers.
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;
mod driver;
mod golden;
mod mutations;
mod page;
mod pictures;
mod set_back;
mod speed;
mod units;
mod write;
mod write_fifth;
mod write_fourth;
mod write_ledger;
mod write_second;
mod write_second_ledger;
mod write_third;
