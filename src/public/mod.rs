//! Reading, witnessing and watching from outside: for people and programs that run no node of the ledger.
//!
//! # Layout
//!
//! - `shown`: what a ledger shows to everybody, by its path: C2SP tlog-tiles, and a small index
//! - [`server`]: the same over HTTP, with its limits; `share`: what one address may hold of it
//! - [`publish`]: the same as static files, in a folder or an S3 store
//! - [`place`]: where somebody publishes, to be read
//! - `tree`: tiles that are believed as far as they lead to a signed root
//! - [`mirror`]: follows published logs, checks and keeps them; `finding`: what it finds
//! - [`witness`]: cosigns other logs
//! - [`outside`]: has this party's log cosigned by outside witnesses
//! - [`monitor`]: what is not as it should be in a mirror's logs; [`alarm`], [`webhook`]: how it is told
//!
//! A mirror and a monitor hold no party's key. Reading goes to the store and waits for no engine; the one thing that the
//! engine is asked for is a cosignature on a log of the ledger.

pub mod alarm;
mod finding;
pub mod mirror;
pub mod monitor;
pub mod outside;
pub mod place;
pub mod publish;
pub mod server;
mod share;
mod shown;
mod tree;
pub mod webhook;
pub mod witness;

pub use shown::{Caching, Resource, Shown};
