//! Reading, witnessing and watching from outside: for people and programs that run no node of the ledger.
//!
//! # Layout
//!
//! - `shown`: what a ledger shows to everybody, by its path: C2SP tlog-tiles, and a small index
//! - [`server`]: the same over HTTP, with its limits
//! - [`publish`]: the same as static files
//!
//! Nothing here holds a party's log or witness key, and nothing waits for the engine: reading goes to the store.

pub mod publish;
pub mod server;
mod shown;

pub use shown::{Caching, Resource, Shown};
