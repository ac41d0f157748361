//! What a party is in the treaty, as an argument.

use clap::ValueEnum;

use crate::ledger::Role;

/// A role on the command line.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum RoleArg {
    /// Bound by the treaty.
    StateParty,
    /// Keeps the treaty; receives and circulates notices.
    Depositary,
    /// Reads and receipts, sends nothing that binds.
    Observer,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::StateParty => Self::StateParty,
            RoleArg::Depositary => Self::Depositary,
            RoleArg::Observer => Self::Observer,
        }
    }
}
