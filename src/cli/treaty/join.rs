//! `verbale treaty join`: amendments for a home folder, so that a newcomer's node can start.

use std::path::PathBuf;

use serde_json::json;

use super::super::{Code, Context, Failure, files};
use super::changes::in_words;
use crate::ledger::Amendment;
use crate::note::MAX_NOTE_BYTES;

/// Take signed amendments into the home folder, the earliest first. A node that runs learns of them by itself; a state
/// that accedes needs those up to its own before its node can start.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Signed amendments.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let mut treaty = context.treaty()?;
    let mut taken = Vec::new();
    for file in &args.files {
        let bytes = files::read(file, MAX_NOTE_BYTES)?;
        let fail = |what: &dyn std::fmt::Display| Failure::new(Code::Input, format!("{}: {what}", file.display()));
        if treaty.amendments().any(|(known, _)| known == bytes) {
            continue;
        }
        treaty = treaty.amended(&bytes).map_err(|e| fail(&e))?;
        taken.push((treaty.number(), bytes));
    }
    for (number, bytes) in &taken {
        context.keep_amendment(*number, bytes)?;
    }
    let out = &context.out;
    if out.json {
        out.value(&json!({ "amendments": treaty.number(), "taken": taken.len() }));
        return Ok(());
    }
    for (number, bytes) in &taken {
        out.line(format!("Amendment {number}:"));
        if let Ok((_, amendment)) = Amendment::of_note(bytes) {
            in_words(&treaty, &amendment).iter().for_each(|line| out.line(format!("  {line}")));
        }
    }
    out.line(format!("The treaty file has {} amendments now.", treaty.number()));
    Ok(())
}
