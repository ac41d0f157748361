//! The command line: one command a file, each with its arguments (`Args`) and what it does (`run`).

mod address;
pub mod app;
pub mod clock;
mod completions;
mod config;
pub mod display;
pub mod draft;
mod failure;
pub mod files;
mod home;
mod keys;
mod kind;
mod new;
#[cfg(feature = "node")]
pub mod online;
mod output;
pub mod progress;
pub mod prompt;
mod public_config;
mod restart;
mod role;
mod sign;
mod source;
mod treaty;
pub mod verify;

use std::path::PathBuf;

pub use address::check_address;
pub use config::{LogFormat, NodeConfig};
pub use failure::{Code, Failure};
pub use home::{Identity, check_profile, entry, read_profile, read_treaty};
pub use output::Output;
pub use public_config::{OutsideWitness, PublicConfig, WitnessedLog};

/// What every command is handed: where the party's files are, and how to speak to the person.
pub struct Context {
    /// The party's home folder: `treaty.toml`, `profile.toml`, `verbale.toml`, `keys/`, `data/`.
    pub home: PathBuf,
    /// Tables and colour, or JSON.
    pub out: Output,
}
