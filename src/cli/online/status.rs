//! `verbale status`: the node, its peers, and who has received what.

use super::client::Client;
use super::{due, law};
use crate::api::view::{LogView, StatusView};
use crate::cli::Failure;
use crate::cli::display::{self, time};
use crate::cli::{Context, NodeConfig};
use crate::ledger::profile::Standing;

/// Show this party's node: whether it signs, who is connected, and who has received what
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args, ctx: &Context) -> Result<(), Failure> {
    let status: StatusView = Client::new(&NodeConfig::load(&ctx.home)?.socket)?.get("/v1/status")?;
    if ctx.out.json {
        ctx.out.value(&status);
        return Ok(());
    }
    let out = &ctx.out;
    out.line(format!("{} ({})  {}", out.bold(&status.party.name), status.party.code, status.treaty));
    let mode = if status.signs {
        out.good("The node signs.")
    } else {
        out.bad(&format!("The node does not sign: {}.", status.mode_text))
    };
    out.line(format!("{mode}  {} of {} other parties are connected.", status.connected, status.logs.len() - 1));
    out.line(format!("Its clock says {}; it has run since {}.", time(status.time), time(status.started)));
    let amended = match status.amendments {
        0 => String::new(),
        n => format!(", with {}", display::count(n, "amendment", "amendments")),
    };
    out.line(format!("Treaty file: SHA-256 {}{amended}\n", status.treaty_sha256));
    let rows = status.logs.iter().map(|log| row(log, ctx));
    display::table(out, &["party", "", "node", "clock", "records", "final", "received by"], &rows.collect::<Vec<_>>());
    for log in status.logs.iter().filter(|log| log.amendments < status.amendments) {
        let text = format!("In the log of {}, {} of the amendments hold.", log.party.name, log.amendments);
        out.line(out.dim(&text));
    }
    for log in status.logs.iter().filter(|log| log.forked) {
        let text = format!(
            "The log of {} has forked: it signed two heads that contradict each other. Both are kept as evidence.",
            log.party.name
        );
        out.line(out.bad(&text));
    }
    for log in status.logs.iter().filter(|log| !log.in_doubt.is_empty()) {
        let sizes: Vec<_> = log.in_doubt.iter().map(u64::to_string).collect();
        let text = format!(
            "Of the log of {}, a signed head of {} records is in doubt: whether it contradicts the log, or is of a branch that the \
             party's root has accepted, only records tell that are still to come. Until then this node gives that log no \
             receipts.",
            log.party.name,
            sizes.join(" and one of ")
        );
        out.line(out.bad(&text));
    }
    for log in &status.logs {
        if let Some(why) = &log.not_fetched_text {
            let text = format!(
                "Nothing more of the log of {} is fetched for the time being: {why}. {} of its records are not here yet. \
                 This party's own log goes on.",
                log.party.name,
                log.known - log.records
            );
            out.line(out.bad(&text));
        }
    }
    print_law(ctx)
}

/// Parties that are not simply bound, and what is due next.
fn print_law(ctx: &Context) -> Result<(), Failure> {
    let out = &ctx.out;
    for standing in law::parties(None, None, ctx)?.standing {
        if standing.now && standing.standing != Standing::StateParty {
            let since = standing.since.map_or(String::new(), |since| format!(" since {}", time(since)));
            out.line(format!("{} ({}): {}{since}.", standing.party.name, standing.party.code, standing.words));
        }
    }
    let list = law::due(None, None, false, ctx)?;
    let open: Vec<_> = list.items.iter().filter(|item| item.until.is_some_and(|until| until >= list.as_of)).collect();
    if let Some(next) = open.first() {
        let rest = match open.len() - 1 {
            0 => String::new(),
            n => format!("  {} more: verbale due", display::count(n, "item", "items")),
        };
        out.line(format!("Next: {} {}: {}{rest}", due::names(next), next.title, due::when(next)));
    }
    Ok(())
}

fn row(log: &LogView, ctx: &Context) -> Vec<String> {
    let out = &ctx.out;
    let node = match (log.own, log.connected) {
        (true, _) => "this one".to_owned(),
        (_, true) => out.good("connected"),
        (_, false) => out.bad("away"),
    };
    let name = if log.former { format!("{} (former party)", log.party.name) } else { log.party.name.clone() };
    let clock = match log.clock_ahead_ms {
        None => String::new(),
        Some(ms) if ms.abs() < 1000 => "within 1 s".to_owned(),
        Some(ms) => out.bad(&format!("{:+} s", ms / 1000)),
    };
    let records =
        if log.known > log.records { format!("{} of {}", log.records, log.known) } else { log.records.to_string() };
    // What is final wants no more receipts; receipts of receipts are not owed.
    let behind: Vec<_> =
        log.receipts.iter().filter(|r| r.records < log.final_records).map(|r| r.party.as_str()).collect();
    let received = match behind.len() {
        0 => "all".to_owned(),
        n if n <= 6 => format!("all but {}", behind.join(", ")),
        n => format!("all but {n} parties"),
    };
    let state = if log.forked { out.bad("forked") } else { log.final_records.to_string() };
    vec![out.bold(&log.party.code), name, node, clock, records, state, received]
}
