//! Verbale: a ledger of the notifications that states bound by a treaty send each other, which nobody runs.
//!
//! Each party is a transparency log, and each party is a witness of every other party's log. `README.md` says what it
//! is for, `ARCHITECTURE.md` how it is built, `docs/format.md` what is signed.
//!
//! # Layout
//!
//! A lower floor never imports a higher one. Floors 1 to 3 do no I/O, know no clock and no async.
//!
//! | floor | module | what it is |
//! |---|---|---|
//! | 1 | [`note`] | signed notes and verifier keys |
//! | 1 | [`tlog`] | Merkle tree, proofs, checkpoints, cosignatures, policy, tiles |
//! | 2 | [`ledger`] | records, notifications, credentials, treaty file, profile, validity, evidence |
//! | 2 | [`law`] | what is due, by when, and how that was counted; effects, standings, quotas |
//! | 2 | [`message`] | notifications in the message format of a treaty's network, written and read |
//! | 3 | [`node`] | the protocol engine: inputs in, effects out |
//! | 3 | [`scenario`] | what was sent and when, as data; played through engines in a simulated clock |
//! | 4 | `store` | RocksDB, the high-water mark, fsck |
//! | 4 | `net` | libp2p |
//! | 4 | `keys` | secret keys in files |
//! | 5 | `daemon` | the engine's thread between store and network |
//! | 5 | `api` | HTTP on a local socket |
//! | 5 | `audit` | the export folder, written and verified |
//! | 5 | `page` | the evidence page, which verifies itself in a browser |
//! | 5 | `public` | the logs for everybody over HTTP and as static files; mirrors, outside witnesses, monitor |
//! | 5 | `tables` | the ledger as tables for analysts: JSON Lines, CSV, Parquet |
//! | 6 | `cli` | the commands |
//!
//! Without features there are floors 1 to 3; `cli` adds what needs no network and no database; `node` is everything.
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
pub mod law;
pub mod ledger;
pub mod message;
#[cfg(feature = "node")]
pub mod net;
pub mod node;
pub mod note;
#[cfg(feature = "cli")]
pub mod page;
#[cfg(feature = "node")]
pub mod public;
pub mod scenario;
#[cfg(feature = "node")]
pub mod store;
#[cfg(feature = "node")]
pub mod tables;
pub mod tlog;
