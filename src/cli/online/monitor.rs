//! `verbale monitor`: watch published logs without anybody's key, and raise an alarm.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::mirror::{Source, failure, look};
use crate::cli::{Code, Context, Failure, clock, display, files, read_profile};
use crate::ledger::Timestamp;
use crate::public::alarm::{Alarms, Change};
use crate::public::mirror::Mirror;
use crate::public::monitor::{Figures, Monitor, Rules};
use crate::public::webhook::Webhook;

/// Watch published logs without anybody's key; raise an alarm on a fork, a rollback, missing receipts, a log that stops
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Look once; the exit code is 1 if an alarm is on
    #[arg(long)]
    once: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Alarm if a log has shown nothing new for so many hours [default: never; an idle log is silent by design]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=87_600))]
    stale_after: Option<u64>,
    /// Alarm if a note has waited so many minutes for a quorum of receipts
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=5_256_000))]
    quorum_after: u64,
    /// Alarm as well if the receipt of this party is missing after that time (may be given several times)
    #[arg(long = "receipts-from", value_name = "CODE")]
    receipts_from: Vec<String>,
    /// Do not compute what the treaty's profile asks for by when
    #[arg(long)]
    no_deadlines: bool,
    /// Send each alarm as JSON, by POST, to this address; what is not taken is sent again, at growing intervals
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Write figures for Prometheus into this file after each look (for node_exporter's textfile collector)
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let webhook = args.webhook.as_deref().map(Webhook::open).transpose();
    let webhook = webhook.map_err(|error| Failure::new(Code::Input, error.to_string()))?;
    let mut mirror = args.source.open(ctx)?;
    let treaty = mirror.ledger().treaty();
    let receipts_from = args.receipts_from.iter().map(|code| {
        treaty.find(code).ok_or_else(|| Failure::new(Code::Input, format!("{code} is not a party to this treaty")))
    });
    let rules = Rules {
        stale_after: args.stale_after.map(|hours| hours * 3600),
        quorum_after: Some(args.quorum_after * 60),
        receipts_from: receipts_from.collect::<Result<_, _>>()?,
        deadlines: !args.no_deadlines,
        // A hiccup of the network is no alarm to somebody who looks again anyway.
        unreachable_rounds: if args.once { 1 } else { 3 },
    };
    let (profile, _) = read_profile(&mirror.ledger().folder().join("profile.toml"))?;
    let mut monitor = Monitor::new(rules, treaty, profile);
    let path = args.source.dir.join("alarms.json");
    let kept = |error: std::io::Error| Failure::new(Code::Disk, format!("{}: {error}", path.display()));
    let mut alarms = Alarms::open(&path).map_err(kept)?;
    loop {
        let round = look(&mut mirror, ctx)?;
        let now = clock::now();
        let found = monitor.look(&mirror, &round, now).map_err(|error| failure(error.into()))?;
        let changes = alarms.update(now, found, webhook.is_some()).map_err(kept)?;
        if args.once {
            deliver(&mut alarms, webhook.as_ref(), true, ctx).map_err(kept)?;
        }
        let figures = monitor.figures(&mirror);
        if let Some(path) = &args.metrics {
            files::replace(path, metrics(&figures, &alarms, now).as_bytes())?;
        }
        if args.once {
            return report(&alarms, &figures, &round.unseen, &mirror, ctx);
        }
        changes.iter().for_each(|change| tell(change, ctx));
        let next = now.posix() + args.every;
        loop {
            deliver(&mut alarms, webhook.as_ref(), false, ctx).map_err(kept)?;
            let left = next.saturating_sub(clock::now().posix());
            if left == 0 {
                break;
            }
            let due = alarms.next_due().filter(|_| webhook.is_some());
            let wait = due.map_or(left, |due| due.saturating_sub(clock::now().posix()).clamp(1, left));
            std::thread::sleep(Duration::from_secs(wait));
        }
    }
}

/// Sends what waits. `once`: a message that is not taken is tried twice more, and then waits for the next run.
fn deliver(alarms: &mut Alarms, webhook: Option<&Webhook>, once: bool, ctx: &Context) -> std::io::Result<()> {
    let Some(webhook) = webhook else { return Ok(()) };
    let mut tries = 0;
    loop {
        let now = clock::now().posix();
        let Some(change) = alarms.due(now) else { return Ok(()) };
        match webhook.send(change) {
            Ok(()) => {
                alarms.taken()?;
                tries = 0;
            }
            Err(_) if once && tries < 2 => {
                tries += 1;
                std::thread::sleep(Duration::from_secs(tries));
            }
            Err(error) => {
                let text = format!("{error}; {} messages wait, and are sent again later", alarms.waiting());
                if !ctx.out.json {
                    ctx.out.line(ctx.out.dim(&format!("{}  {text}", display::time(clock::now()))));
                }
                return alarms.failed(now);
            }
        }
    }
}

fn tell(change: &Change, ctx: &Context) {
    if ctx.out.json {
        return ctx.out.value_line(change);
    }
    let time = display::time(change.time);
    ctx.out.line(match change.event.as_str() {
        "raised" => format!("{time}  {}  {}", ctx.out.bad("ALARM"), change.alarm.text),
        _ => format!("{time}  {}  since {}: {}", ctx.out.good("over"), display::time(change.since), change.alarm.text),
    });
}

fn report(
    alarms: &Alarms,
    figures: &[Figures],
    unseen: &[String],
    mirror: &Mirror,
    ctx: &Context,
) -> Result<(), Failure> {
    let active: Vec<_> = alarms.active().collect();
    if ctx.out.json {
        ctx.out.value(&serde_json::json!({
            "alarms": active, "logs": figures, "unseen": unseen, "folder": mirror.ledger().folder(),
            "webhook_waiting": alarms.waiting(),
        }));
    } else {
        for log in figures {
            let shown = match log.last {
                Some(_) => format!("{} records, {} of them final", log.records, log.final_records),
                None => "no place has shown anything of this log".to_owned(),
            };
            ctx.out.line(format!("  {}: {shown}", log.party));
        }
        for active in &active {
            let since = display::time(active.since);
            ctx.out.line(format!("{}  {}  (since {since})", ctx.out.bad("ALARM"), active.alarm.text));
        }
    }
    match active.len() {
        0 => {
            if !ctx.out.json {
                ctx.out.line(ctx.out.good("No alarm."));
            }
            Ok(())
        }
        1 => Err(Failure::new(Code::NotVerified, "an alarm is on")),
        count => Err(Failure::new(Code::NotVerified, format!("{count} alarms are on"))),
    }
}

/// Prometheus's text format.
fn metrics(figures: &[Figures], alarms: &Alarms, now: Timestamp) -> String {
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, values: Vec<(String, u64)>| {
        let _ = writeln!(out, "# HELP verbale_monitor_{name} {help}\n# TYPE verbale_monitor_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(out, "verbale_monitor_{name}{labels} {value}");
        }
    };
    let of = |value: &dyn Fn(&Figures) -> u64| {
        figures.iter().map(|log| (format!("{{party=\"{}\"}}", log.party), value(log))).collect::<Vec<_>>()
    };
    gauge("records", "Verified records of a party's log.", of(&|log| log.records));
    gauge("final_records", "Records that a quorum of the parties has receipted.", of(&|log| log.final_records));
    gauge("forked", "Whether the log has forked.", of(&|log| log.forked.into()));
    gauge("last_seconds", "When the log last showed something new.", of(&|log| log.last.map_or(0, Timestamp::posix)));
    let mut kinds = std::collections::BTreeMap::new();
    alarms.active().for_each(|active| *kinds.entry(active.alarm.kind.as_str()).or_insert(0u64) += 1);
    let all = ["deadline", "fork", "no-quorum", "no-receipt", "nothing", "refused", "rollback", "stale", "unreachable"];
    let counts = all.map(|kind| (format!("{{kind=\"{kind}\"}}"), kinds.get(kind).copied().unwrap_or(0)));
    gauge("alarms", "Alarms that are on.", counts.into());
    gauge("looked_seconds", "When the logs were last looked at.", vec![(String::new(), now.posix())]);
    out
}
