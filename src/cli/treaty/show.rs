//! `verbale treaty show`: the parties, the quorum in words, the ledger's identity.

use serde_json::json;

use super::super::{Context, Failure, clock, display};
use super::changes::in_words;
use super::quorum;

/// Show the treaty: its parties, where their nodes listen, and whose receipts make a note final.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    let file = treaty.file();
    let out = &context.out;
    let text = treaty.quorum_text();
    let quorum = quorum::in_words(&text);
    let now = clock::now();
    let roles = |at: usize| treaty.roles(treaty.number(), at, now).to_vec();
    let amendments: Vec<_> = treaty.amendments().map(|(_, amendment)| amendment.clone()).collect();
    if out.json {
        out.value(&json!({
            "name": file.name, "title": file.title, "sha256": treaty.hash(), "profile_sha256": file.profile_sha256,
            "quorum": text, "quorum_in_words": quorum, "parties": treaty.parties(),
            "roles_now": (0..treaty.parties().len()).map(roles).collect::<Vec<_>>(),
            "amendments": amendments.iter().map(|a| json!({
                "number": a.number, "issued": a.issued, "changes": in_words(&treaty, a),
            })).collect::<Vec<_>>(),
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
        .enumerate()
        .map(|(at, p)| {
            let roles = match treaty.former(treaty.number(), at, now) {
                Some(change) if change.roles.is_empty() => format!("former party since {}", display::time(change.from)),
                Some(change) => format!("{}; former party", display::roles(&change.roles)),
                None => display::roles(&roles(at)),
            };
            vec![p.code.clone(), p.name.clone(), roles, p.addresses.join("\n")]
        })
        .collect();
    display::table(out, &["Code", "Party", "Roles", "Addresses"], &rows);
    for amendment in &amendments {
        out.line(format!("\nAmendment {}, written {}:", amendment.number, display::time(amendment.issued)));
        in_words(&treaty, amendment).iter().for_each(|line| out.line(format!("  {line}")));
    }
    Ok(())
}
