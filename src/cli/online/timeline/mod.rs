//! `verbale timeline`: one thread of notes in the order of time, with what follows from it.

mod draw;

use super::due;
use super::law::{self, moment};
use super::number::Number;
use crate::api::law_view::{ItemView, ThreadNote, TimelineView};
use crate::cli::display::{self, time};
use crate::cli::{Context, Failure, Output};
use crate::ledger::Timestamp;
use draw::{Lane, Shape, draw};

/// Show a thread of notes in the order of time: who sent and received what, which clocks ran, and what took effect
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Any note of the thread, as US/12
    number: Number,
    /// As of this day (its first moment) or time, in UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<Timestamp>,
    /// How each time was computed, step by step, with the records that it rests on
    #[arg(long)]
    explain: bool,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    show(&args.number, args.as_of, args.explain, ctx)
}

/// Shows the thread of a note.
pub fn show(number: &Number, as_of: Option<Timestamp>, explain: bool, ctx: &Context) -> Result<(), Failure> {
    let view = law::timeline(number, as_of, ctx)?;
    let out = &ctx.out;
    if out.json {
        out.value(&view);
        return Ok(());
    }
    out.line(format!("{}  the thread of {}  as of {}", out.bold(&view.treaty), view.number, time(view.as_of)));
    if out.terminal {
        out.line("");
        let width = comfy_table::Table::new().width().map_or(100, usize::from).max(60);
        draw(&lanes(&view), Some(view.as_of), width).iter().for_each(|line| out.line(line));
    }
    out.line("");
    view.notes.iter().for_each(|note| print_note(note, out));
    if view.is_cut {
        out.line(format!("Only the notes nearest to {} are shown; more hang together with it.", view.number));
    }
    out.line("");
    for item in &view.items {
        if explain {
            due::explain(item, out);
        } else {
            out.line(format!("{}{}", out.bold(&item.title), due::marks(item)));
            out.line(format!("    {}, {}: {}", due::names(item), due::when(item), item.text));
            for reading in item.readings.iter().filter(|reading| reading.differs) {
                out.line(format!("    {} {}", out.dim("another reading:"), due::reading(reading)));
            }
        }
    }
    if !view.standing.is_empty() {
        out.line("");
        for standing in &view.standing {
            let since =
                standing.since.map_or("from the beginning".to_owned(), |since| format!("since {}", time(since)));
            let until = standing.until.map_or(String::new(), |until| format!(" until {}", time(until)));
            let now = if standing.now { out.bold("  ← as of then") } else { String::new() };
            let party = format!("{} ({})", standing.party.name, standing.party.code);
            out.line(format!("{party}: {}, {since}{until}{now}", standing.words));
        }
    }
    Ok(())
}

fn print_note(note: &ThreadNote, out: &Output) {
    let to = note.to.join(", ").replace('*', "all");
    let number = out.bold(&format!("{:<7}", note.number));
    out.line(format!("{}  {number} {} → {to}: {}", time(note.logged), note.from.code, note.title));
    let indent = " ".repeat(32);
    if !note.notice {
        out.line(format!("{indent}{}", out.dim("not a notice: starts no clock")));
    }
    for (title, value) in &note.says {
        out.line(format!("{indent}{} {value}", out.dim(&format!("{title}:"))));
    }
    for depositary in &note.depositaries {
        let name = &depositary.party.name;
        match (depositary.received, &depositary.number) {
            (Some(received), Some(number)) => {
                out.line(format!("{indent}received by {name}, depositary, {} ({number})", time(received)))
            }
            _ => out.line(format!("{indent}not received yet by {name}, depositary")),
        }
    }
    note.remarks.iter().for_each(|remark| out.line(format!("{indent}{remark}")));
}

/// Notes are points, what is due or pending are bars from the note to the time that was computed.
fn lanes(view: &TimelineView) -> Vec<Lane> {
    let point = |note: &ThreadNote| {
        let sign = if note.notice { '●' } else { '○' };
        Lane {
            words: format!("{:<7} {}", note.number, note.title),
            shape: Shape::Point(note.logged, sign),
            after: day(note.logged),
        }
    };
    let mut lanes: Vec<_> = view.notes.iter().map(point).collect();
    lanes.extend(view.items.iter().filter_map(|item| bar(item, view)));
    lanes
}

fn bar(item: &ItemView, view: &TimelineView) -> Option<Lane> {
    let note = view.notes.iter().find(|note| note.number == item.note)?;
    let until = item.until?;
    let from = item.from.unwrap_or(note.logged.min(until));
    let marks = item.answered.map(|at| (at, '◆')).into_iter().collect();
    let after = match item.from {
        Some(from) => format!("{} – {}", day(from), day(until)),
        None => day(until),
    };
    let words = format!("  {}: {}{}", due::names(item), item.title, due::marks(item));
    Some(Lane { words, shape: Shape::Bar { from, until, marks }, after })
}

/// `22 Nov 2020`; its zone stands in the first line and beside the notes.
fn day(time: Timestamp) -> String {
    let text = display::time(time);
    match text[..10].parse::<jiff::civil::Date>() {
        Ok(day) => day.strftime("%-d %b %Y").to_string(),
        Err(_) => text,
    }
}
