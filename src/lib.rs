//! Verbale
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#[cfg(feature = "node")]
pub mod api;
#[cfg(feature = "cli")]
pub mod audit;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "node")]
pub mod daemon;
#[cfg(feature = "cli")]
pub mod keys;
pub mod ledger;
#[cfg(feature = "node")]
pub mod net;
pub mod node;
pub mod note;
#[cfg(feature = "node")]
pub mod store;
pub mod tlog;
