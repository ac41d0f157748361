//! Verbale
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod keys;
pub mod ledger;
pub mod node;
pub mod note;
pub mod tlog;
