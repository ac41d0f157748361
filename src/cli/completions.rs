//! `verbale completions SHELL`: a script that lets a shell complete commands and arguments.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Context, Failure, app::Cli};

/// Prints a completion script, to be sourced by the shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "verbale", &mut script);
    context.out.line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
