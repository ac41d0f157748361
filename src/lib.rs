//! Verbale
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#[cfg(feature = "cli")]
pub mod cli;
pub mod ledger;
pub mod node;
pub mod note;
#[cfg(feature = "node")]
pub mod store;
pub mod tlog;
