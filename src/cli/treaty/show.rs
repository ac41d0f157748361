//! `verbale treaty show`: the parties, the quorum in words, the ledger's identity.

use serde_json::json;

use super::super::{Context, Failure, display};
use super::quorum;

/// Show the treaty: its parties, where their nodes listen, and whose receipts make a note final.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    let file = treaty.file();
    let out = &context.out;
    let quorum = quorum::in_words(&file.quorum);
    if out.json {
        out.value(&json!({
            "name": file.name, "title": file.title, "sha256": treaty.hash(), "profile_sha256": file.profile_sha256,
            "quorum": file.quorum, "quorum_in_words": quorum, "parties": treaty.parties(),
        }));
        return Ok(());
    }
    out.line(out.bold(&file.title));
    out.line(format!("Ledger: {}", file.name));
    out.line(format!("SHA-256 of the treaty file: {}", treaty.hash().to_hex()));
    out.line(quorum);
    out.line("");
    let rows: Vec<_> = treaty
        .parties()
        .iter()
        .map(|p| vec![p.code.clone(), p.name.clone(), display::roles(&p.roles), p.addresses.join("\n")])
        .collect();
    display::table(out, &["Code", "Party", "Roles", "Addresses"], &rows);
    Ok(())
}
