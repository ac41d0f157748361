//! The command line: one command a file, each with its arguments (`Args`) and what it does (`run`).

mod failure;
#[cfg(feature = "node")]
pub mod fsck;
mod output;

use std::path::PathBuf;

pub use failure::{Code, Failure};
pub use output::Output;

/// What every command is handed: where the party's files are, and how to speak to the person.
pub struct Context {
    /// The party's home folder: `treaty.toml`, `profile.toml`, `verbale.toml`, `keys/`, `data/`.
    pub home: PathBuf,
    /// Tables and colour, or JSON.
    pub out: Output,
}
