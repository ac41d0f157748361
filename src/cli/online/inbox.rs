//! `verbale inbox` and `verbale sent`: notes in a list, the newest first.

use super::client::Client;
use crate::api::view::NoteView;
use crate::cli::Failure;
use crate::cli::display::{self, time};
use crate::cli::{Context, NodeConfig};

/// Which notes to list, and how many
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also notes that are addressed to others (inbox only)
    #[arg(long)]
    all: bool,
    /// Only notes of this kind
    #[arg(long)]
    kind: Option<String>,
    /// How many at most, the newest ones
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

/// Lists what was received.
pub fn inbox(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let folder = if args.all { "all" } else { "inbox" };
    list(folder, args, ctx)
}

/// Lists what was sent.
pub fn sent(args: &Args, ctx: &Context) -> Result<(), Failure> {
    list("sent", args, ctx)
}

fn list(folder: &str, args: &Args, ctx: &Context) -> Result<(), Failure> {
    let client = Client::new(&NodeConfig::load(&ctx.home)?.socket)?;
    let mut notes: Vec<NoteView> = Vec::new();
    let mut before = None;
    while notes.len() < args.limit {
        let from = before.map(|place: u64| format!("&before={place}")).unwrap_or_default();
        let page: Vec<NoteView> =
            client.get(&format!("/v1/notes?box={folder}&limit={}{from}", args.limit.min(1000)))?;
        let Some(last) = page.last() else { break };
        before = Some(last.sequence);
        notes.extend(page.into_iter().filter(|note| args.kind.as_ref().is_none_or(|kind| *kind == note.kind)));
    }
    notes.truncate(args.limit);
    if ctx.out.json {
        ctx.out.value(&notes);
        return Ok(());
    }
    if notes.is_empty() {
        ctx.out.line(if folder == "sent" { "Nothing was sent yet." } else { "Nothing was received yet." });
        return Ok(());
    }
    let rows = notes.iter().map(|note| {
        let receipts = format!("{} of {}", note.receipts, note.others);
        let state = if note.is_final { ctx.out.good("final") } else { "waiting".to_owned() };
        let marks = match note.marks.len() {
            0 => String::new(),
            1 => ctx.out.bad("1 mark"),
            n => ctx.out.bad(&format!("{n} marks")),
        };
        vec![
            ctx.out.bold(&note.number),
            note.title.clone(),
            note.to.join(", ").replace('*', "all"),
            time(note.arrived.unwrap_or(note.logged)),
            receipts,
            state,
            marks,
        ]
    });
    display::table(&ctx.out, &["note", "kind", "to", "arrived", "receipts", "", ""], &rows.collect::<Vec<_>>());
    Ok(())
}
