//! Verbale
#![forbid(unsafe_code)]
#![warn(missing_docs)]
pub mod note;
pub mod tlog;
