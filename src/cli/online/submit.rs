//! `verbale submit`: hand a signed note to the node, and see the receipts arrive.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use super::client::Client;
use crate::api::view::{AcceptedView, EventView, StatusView};
use crate::cli::{Code, Failure};
use crate::cli::{Context, NodeConfig, files};
use crate::note::MAX_NOTE_BYTES;

/// Hand a signed note (or a credential) to this party's node, which logs it and sends it to all
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Signed notes, as `verbale sign` and `verbale keys grant` write them; `-` reads one from standard input
    #[arg(required = true)]
    notes: Vec<PathBuf>,
    #[command(flatten)]
    waiting: Waiting,
}

/// What to wait for, and how long.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// What to wait for: the quorum's receipts, everybody's, or none
    #[arg(long, value_enum, default_value = "quorum")]
    wait: Wait,
    /// How many seconds to wait at most; 0 for as long as it takes
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// The treaty's quorum has receipted it: it is final
    Quorum,
    /// Every party has receipted it
    All,
    /// It is on this node's disk
    None,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    accepted: AcceptedView,
    #[serde(rename = "final")]
    is_final: bool,
    receipts: Vec<Arrived>,
    missing: Vec<String>,
    waited_ms: u128,
}

#[derive(Serialize)]
struct Arrived {
    party: String,
    after_ms: u128,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    // All are read before the first is handed in: a wrong name stops it all.
    let notes = args.notes.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    deliver(notes, &args.waiting, ctx)
}

/// Hands in notes, one after the other, and waits for their receipts.
pub fn deliver(notes: Vec<Vec<u8>>, args: &Waiting, ctx: &Context) -> Result<(), Failure> {
    let client = Client::new(&NodeConfig::load(&ctx.home)?.socket)?;
    let mut outcomes = Vec::new();
    let mut late = None;
    for note in notes {
        let outcome = submit(&client, note, args.wait, args.timeout, ctx)?;
        if !outcome.is_waited_for(args.wait) {
            late = Some(outcome.accepted.number.clone());
        }
        outcomes.push(outcome);
    }
    if ctx.out.json {
        ctx.out.value(&outcomes);
    }
    let before = outcomes.iter().find(|outcome| outcome.accepted.already);
    match (late, before) {
        (None, None) => Ok(()),
        (None, Some(outcome)) => {
            let text = format!("the note had been logged before, as {}; nothing new was sent", outcome.accepted.number);
            Err(Failure::new(Code::Already, text)
                .hint("that is all right: a note is logged once, however often it is handed in"))
        }
        (Some(number), _) => {
            let text = format!("{number} is logged and sent, but not all receipts arrived within {} s", args.timeout);
            let hint = "nothing needs to be sent again: receipts come as soon as parties are reachable; \
                        `verbale show` tells who is missing";
            Err(Failure::new(Code::NotYet, text).hint(hint))
        }
    }
}

/// A note from a file, or from standard input.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return files::read(path, MAX_NOTE_BYTES);
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_NOTE_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(Code::Input, format!("standard input cannot be read: {error}")))?;
    Ok(bytes)
}

impl Outcome {
    fn is_waited_for(&self, wait: Wait) -> bool {
        match wait {
            Wait::None => true,
            Wait::Quorum => self.is_final,
            Wait::All => self.missing.is_empty(),
        }
    }
}

fn submit(client: &Client, note: Vec<u8>, wait: Wait, timeout: u64, ctx: &Context) -> Result<Outcome, Failure> {
    // Listened to from before the note is handed in, so that no receipt is missed.
    let mut events = client.events()?;
    let start = Instant::now();
    let accepted: AcceptedView = client.post("/v1/notes", note)?;
    if !ctx.out.json {
        let what = match &accepted.leaf {
            None => "The certificate is accepted. When the records before it are here it is logged as",
            Some(_) if accepted.already => "The note was logged before as",
            Some(_) => "The note is logged as",
        };
        ctx.out.line(format!("{what} {}.", ctx.out.bold(&accepted.number)));
    }
    let mut outcome = Outcome { accepted, is_final: false, receipts: Vec::new(), missing: Vec::new(), waited_ms: 0 };
    outcome.take(&client.get("/v1/status")?, start, ctx);
    let deadline = (timeout > 0).then(|| start + Duration::from_secs(timeout));
    while !outcome.is_waited_for(wait) {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match events.next(left)? {
            None => break,
            Some(EventView::Receipt { log, by, records, final_records, .. })
                if log == outcome.accepted.party && records > outcome.accepted.index =>
            {
                outcome.is_final |= final_records > outcome.accepted.index;
                outcome.receipted(&by.code, &by.name, start, ctx);
            }
            Some(EventView::Missed { .. }) => outcome.take(&client.get("/v1/status")?, start, ctx),
            Some(_) => {}
        }
    }
    outcome.waited_ms = start.elapsed().as_millis();
    if !ctx.out.json && wait != Wait::None && outcome.is_final {
        ctx.out.line(format!(
            "{} is {}: the treaty's quorum has receipted it ({} ms).",
            outcome.accepted.number,
            ctx.out.good("final"),
            outcome.waited_ms
        ));
    }
    Ok(outcome)
}

impl Outcome {
    /// Takes over what the node knows already.
    fn take(&mut self, status: &StatusView, start: Instant, ctx: &Context) {
        let index = self.accepted.index;
        let Some(own) = status.logs.iter().find(|log| log.own) else { return };
        self.is_final |= own.final_records > index;
        for receipted in &own.receipts {
            if receipted.records <= index {
                if !self.receipts.iter().any(|r| r.party == receipted.party) && !self.missing.contains(&receipted.party)
                {
                    self.missing.push(receipted.party.clone());
                }
            } else {
                let found = status.logs.iter().find(|log| log.party.code == receipted.party);
                self.receipted(&receipted.party, found.map_or("", |log| &log.party.name), start, ctx);
            }
        }
    }

    fn receipted(&mut self, code: &str, name: &str, start: Instant, ctx: &Context) {
        if self.receipts.iter().any(|receipt| receipt.party == code) {
            return;
        }
        let after_ms = start.elapsed().as_millis();
        if !ctx.out.json {
            ctx.out.line(format!(
                "  {} {name} ({code}) has received it  {}",
                ctx.out.good("✓"),
                ctx.out.dim(&format!("{after_ms} ms"))
            ));
        }
        self.missing.retain(|missing| missing != code);
        self.receipts.push(Arrived { party: code.to_owned(), after_ms });
    }
}
