//! `verbale watch`: what happens, line by line, as it happens.

use super::client::Client;
use crate::api::view::EventView;
use crate::cli::Failure;
use crate::cli::display;
use crate::cli::{Context, NodeConfig};

/// Watch notes and receipts arrive; one line each, or one JSON text each with --json
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only notes, forks and the node's own state; no receipts
    #[arg(long)]
    quiet: bool,
}

/// Runs the command until it is interrupted.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let client = Client::new(&NodeConfig::load(&ctx.home)?.socket)?;
    let mut events = client.events()?;
    while let Some(event) = events.next(None)? {
        if args.quiet && matches!(event, EventView::Receipt { .. }) {
            continue;
        }
        if ctx.out.json {
            // One line an event, for whoever reads line by line.
            ctx.out.value_line(&event);
        } else {
            ctx.out.line(sentence(&event, ctx));
        }
    }
    Ok(())
}

fn sentence(event: &EventView, ctx: &Context) -> String {
    let out = &ctx.out;
    match event {
        EventView::Note { note } => {
            let to = note.to.join(", ").replace('*', "all");
            format!("{}  {}  {} to {to}", display::time(note.logged), out.bold(&note.number), note.title)
        }
        EventView::Restarted { party } => {
            format!("The root of {} ({}) accepted both branches of its log; the log goes on", party.name, party.code)
        }
        EventView::Receipt { log, by, records, time, final_records } => {
            let last = records.saturating_sub(1);
            let end = if final_records >= records { format!("; {}", out.good("final")) } else { String::new() };
            format!("{}  {} ({}) has received {log} up to {log}/{last}{end}", display::time(*time), by.name, by.code)
        }
        EventView::Fork { party } => out.bad(&format!(
            "The log of {} ({}) has forked: two heads that contradict each other are kept as evidence.",
            party.name, party.code
        )),
        EventView::Mode { signs: true, .. } => out.good("The node signs."),
        EventView::Mode { text, .. } => format!("The node does not sign: {text}."),
        EventView::Amended { amendments } => out.bold(&format!("The treaty file has {amendments} amendments now.")),
        EventView::Contested { number } => {
            out.bad(&format!("The parties signed two amendments number {number}; neither holds."))
        }
        EventView::Fault { party, what } => format!("{} ({}) sent {what}.", party.name, party.code),
        EventView::OtherTreaty { party } => {
            out.bad(&format!("The node of {} ({}) has another treaty file.", party.name, party.code))
        }
        EventView::Missed { events } => format!("({events} events were missed: this reader is too slow)"),
    }
}
