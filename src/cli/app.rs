//! The program: arguments in, a command run, an exit code out.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

#[cfg(feature = "node")]
use super::online;
use super::output::printable;
use super::{Code, Context, Failure, Output, completions, keys, new, restart, sign, treaty, verify};

/// The notes that states bound by a treaty send each other, so that what was sent and received can be proved.
#[derive(Debug, Parser)]
#[command(name = "verbale", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// The party's home folder: treaty.toml, profile.toml, verbale.toml, keys, data.
    #[arg(long, global = true, env = "VERBALE_HOME", default_value = ".", value_name = "FOLDER")]
    home: PathBuf,
    /// Print JSON, also of failures.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keys(keys::Args),
    Treaty(treaty::Args),
    New(new::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Restart(restart::Args),
    #[cfg(feature = "node")]
    #[command(flatten)]
    Online(online::Command),
    Completions(completions::Args),
}

impl Command {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Keys(args) => keys::run(args, context),
            Self::Treaty(args) => treaty::run(args, context),
            Self::New(args) => new::run(args, context),
            Self::Sign(args) => sign::run(args, context),
            Self::Verify(args) => verify::run(args, context),
            Self::Restart(args) => restart::run(args, context),
            #[cfg(feature = "node")]
            Self::Online(command) => command.run(context),
            Self::Completions(args) => completions::run(args, context),
        }
    }
}

/// Runs the program on this process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let context = Context { home: cli.home, out: Output::new(cli.json) };
    match cli.command.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, cli.json),
    }
}

/// Help and version are answers, not failures; they go to standard output.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && json {
        let text = match error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing".to_owned(),
            _ => error.to_string(),
        };
        let text = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
        return report(&Failure::new(Code::Usage, text), true);
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Code::Usage as u8))
}

fn report(failure: &Failure, json: bool) -> ExitCode {
    let code = failure.code as u8;
    let text = if json {
        serde_json::json!({ "code": code, "error": failure.message, "hint": failure.hint }).to_string()
    } else {
        let hint = failure.hint.as_ref().map(|hint| format!("\n  {hint}")).unwrap_or_default();
        // Sentences quote files that others wrote.
        printable(&format!("error: {}{hint}", failure.message.trim_end()))
    };
    // Nobody may be reading; the exit code says it all the same.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_all_commands_are_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
