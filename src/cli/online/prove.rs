//! `verbale prove`: evidence for one note, in a file that a stranger can verify.

use std::path::PathBuf;

use super::client::Client;
use super::number::Number;
use crate::cli::{Code, Failure};
use crate::cli::{Context, NodeConfig, files};

/// Write the evidence for one note: who said what to whom, between which times, and who has received it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The note, as US/12
    number: Number,
    /// The file to write; `-` for standard output [default: US-12.tlog-proof]
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let client = Client::new(&NodeConfig::load(&ctx.home)?.socket)?;
    let proof = client.get_bytes(&format!("/v1/proof/{}", args.number)).map_err(|failure| match failure.code {
        Code::Refused => failure.hint("`verbale show` tells whose receipts are missing"),
        _ => failure,
    })?;
    let name = || PathBuf::from(format!("{}-{}.tlog-proof", args.number.party, args.number.index));
    let path = args.output.clone().unwrap_or_else(name);
    if path == *"-" {
        ctx.out.line(String::from_utf8_lossy(&proof).trim_end_matches('\n'));
        return Ok(());
    }
    files::replace(&path, &proof)?;
    if ctx.out.json {
        ctx.out.value(&serde_json::json!({ "number": args.number.to_string(), "file": path, "bytes": proof.len() }));
    } else {
        ctx.out.line(format!("The evidence for {} is in {} ({} bytes).", args.number, path.display(), proof.len()));
        ctx.out.line(format!("Anyone can check it: verbale verify {} --treaty treaty.toml", path.display()));
    }
    Ok(())
}
