//! `verbale parties`: what each party is to the treaty at a time, and what it has used of its quota.

use super::law::{self, moment};
use crate::api::law_view::{PartiesView, QuotasView, StandingView};
use crate::cli::display::{self, time};
use crate::cli::{Context, Failure};
use crate::law::{OverView, QuotaView};
use crate::ledger::Timestamp;

/// Show what each party is to the treaty, since when, and what is used of the year's quotas
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As of this day (its first moment) or time, in UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<Timestamp>,
    /// The quotas of this year [default: the year asked about]
    #[arg(long, value_parser = clap::value_parser!(i16).range(1970..=9998))]
    year: Option<i16>,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let view: PartiesView = law::parties(args.as_of, args.year, ctx)?;
    let out = &ctx.out;
    if out.json {
        out.value(&view);
        return Ok(());
    }
    out.line(format!("{}  as of {}", out.bold(&view.treaty), time(view.as_of)));
    let rows: Vec<_> = view.standing.iter().map(|standing| row(standing, ctx)).collect();
    display::table(out, &["party", "", "is", "since", "until", "by"], &rows);
    if let Some(quota) = &view.quota {
        print_quota(quota, ctx);
    }
    Ok(())
}

fn row(standing: &StandingView, ctx: &Context) -> Vec<String> {
    let words = if standing.now { ctx.out.bold(&standing.words) } else { ctx.out.dim(&standing.words) };
    let time = |at: Option<Timestamp>| at.map_or(String::new(), time);
    vec![
        ctx.out.bold(&standing.party.code),
        standing.party.name.clone(),
        words,
        time(standing.since),
        time(standing.until),
        standing.note.clone().unwrap_or_default(),
    ]
}

fn print_quota(quota: &QuotasView, ctx: &Context) {
    let out = &ctx.out;
    let article = if quota.article.is_empty() { String::new() } else { format!(" (article {})", quota.article) };
    out.line(format!("\n{} in {}{article}", out.bold(&quota.title), quota.year));
    let rows: Vec<_> = quota.holders.iter().map(quota_row).collect();
    display::table(
        out,
        &["holder", "", "passive", "active", "received", "handed over", "not charged", "charged"],
        &rows,
    );
    let over: Vec<_> = quota.holders.iter().flat_map(over_rows).collect();
    if !over.is_empty() {
        out.line(match (&quota.distribution, quota.distribution_year) {
            (Some(note), Some(year)) => format!("\nActive quota as distributed by {note} for {year}:"),
            _ => "\nActive quota by who is observed:".to_owned(),
        });
        display::table(out, &["holder", "over", "used", "received", "handed over"], &over);
    }
    if let Some(what) = &quota.unconfirmed {
        out.line(format!("Not confirmed: {what}"));
    }
}

fn quota_row(holder: &QuotaView) -> Vec<String> {
    vec![
        holder.holder.clone(),
        holder.title.clone(),
        used(holder.passive_used, holder.passive),
        used(holder.active_used, holder.active),
        some(holder.received),
        some(holder.handed_over),
        some(holder.not_charged),
        holder.charged.join(", "),
    ]
}

fn over_rows(holder: &QuotaView) -> Vec<Vec<String>> {
    let row = |(observed, over): (&String, &OverView)| {
        let (received, handed_over) = (some(over.received), some(over.handed_over));
        vec![holder.holder.clone(), observed.clone(), used(over.used, over.active), received, handed_over]
    };
    holder.over.iter().map(row).collect()
}

fn some(count: u32) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

fn used(used: u32, of: Option<u32>) -> String {
    of.map_or_else(|| some(used), |of| format!("{used} of {of}"))
}
