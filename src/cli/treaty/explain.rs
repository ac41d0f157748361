//! `verbale treaty explain`: a kind of note as plain law.

use std::path::PathBuf;

use serde_json::json;

use super::super::{Context, Failure, Output, display, kind, read_profile};
use crate::ledger::Profile;
use crate::ledger::profile::Explained;

/// Explain a kind of note: who sends it, to whom, what it says, by when what is due, and what follows. Without a kind,
/// list the kinds.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind, as the treaty's profile names it.
    kind: Option<String>,
    /// The profile; by default that of the home folder.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let path = args.profile.clone().unwrap_or_else(|| context.profile_path());
    let (profile, _) = read_profile(&path)?;
    let out = &context.out;
    let Some(name) = &args.kind else {
        list(&profile, out);
        return Ok(());
    };
    kind::find(name, &profile)?;
    let Some(explained) = profile.explain(name) else { return Ok(()) };
    if out.json {
        out.value(&json!({ "explained": explained, "schema": profile.schema(name) }));
    } else {
        print(&explained, &profile, out);
    }
    Ok(())
}

fn list(profile: &Profile, out: &Output) {
    if out.json {
        let kinds = profile.kind.iter().map(
            |(name, kind)| json!({ "kind": name, "title": kind.title, "article": kind.article, "notice": kind.notice }),
        );
        return out.value(&json!({ "title": profile.title, "kinds": kinds.collect::<Vec<_>>() }));
    }
    out.line(out.bold(&profile.title));
    let row =
        |(name, kind): (&String, &crate::ledger::Kind)| vec![name.clone(), kind.title.clone(), kind.article.clone()];
    display::table(out, &["Kind", "Title", "Article"], &profile.kind.iter().map(row).collect::<Vec<_>>());
}

fn print(explained: &Explained, profile: &Profile, out: &Output) {
    let article = if explained.article.is_empty() { String::new() } else { format!(", {}", explained.article) };
    out.line(out.bold(&explained.title));
    out.line(out.dim(&format!("{}: {}{article}", profile.title, explained.kind)));
    for (part, sentences) in [
        ("Who", &explained.who),
        ("To whom", &explained.to),
        ("What", &explained.what),
        ("By when", &explained.when),
        ("Then", &explained.then),
        ("Not checked against the treaty's text", &explained.unconfirmed),
    ] {
        if sentences.is_empty() {
            continue;
        }
        out.line("");
        out.line(out.bold(part));
        sentences.iter().for_each(|sentence| out.line(format!("  {sentence}")));
    }
}
