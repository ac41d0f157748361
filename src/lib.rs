//! Verbale
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#[cfg(feature = "cli")]
pub mod audit;
#[cfg(feature = "cli")]
pub mod cli;
pub mod ledger;
pub mod node;
pub mod note;
pub mod tlog;
