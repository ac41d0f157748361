//! `verbale treaty`: composing, reading and checking the treaty file.

mod add_party;
mod amend;
mod changes;
mod check;
mod explain;
mod join;
mod new;
mod quorum;
mod show;
mod sign;

use clap::Subcommand;

use super::{Context, Failure};

/// Compose, show and check the treaty file, the root of trust.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Args),
    AddParty(add_party::Args),
    Show(show::Args),
    Check(check::Args),
    Amend(amend::Args),
    Sign(sign::Args),
    Join(join::Args),
    Explain(explain::Args),
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    match &args.command {
        Command::New(args) => new::run(args, context),
        Command::AddParty(args) => add_party::run(args, context),
        Command::Show(args) => show::run(args, context),
        Command::Check(args) => check::run(args, context),
        Command::Amend(args) => amend::run(args, context),
        Command::Sign(args) => sign::run(args, context),
        Command::Join(args) => join::run(args, context),
        Command::Explain(args) => explain::run(args, context),
    }
}
