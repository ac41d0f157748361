//! `verbale due`: what is due, from whom, by when, and how that was computed.

mod calendar;

use super::law::{self, moment};
use crate::api::law_view::{DueList, ItemView, ReadingView};
use crate::api::view::PartyView;
use crate::cli::display::{self, time};
use crate::cli::{Context, Failure, Output};
use crate::law::Step;
use crate::ledger::{Timestamp, is_party_code};
use calendar::{Entry, calendar};

/// List what is due, from whom and by when; with --explain how each time was computed
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// As of this day (its first moment) or time, in UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<Timestamp>,
    /// Only what this party owes or is owed, and what takes effect for it
    #[arg(long, value_name = "PARTY", value_parser = code)]
    party: Option<String>,
    /// Also what is done, deemed or no longer applies
    #[arg(long)]
    all: bool,
    /// How each time was computed, step by step, with the records that it rests on
    #[arg(long)]
    explain: bool,
    /// An iCalendar file instead, on standard output
    #[arg(long, conflicts_with = "explain")]
    ics: bool,
}

impl Args {
    /// As of a moment, and nothing else.
    pub fn as_of(moment: Timestamp) -> Self {
        Self { as_of: Some(moment), ..Self::default() }
    }
}

fn code(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    is_party_code(&code).then_some(code).ok_or_else(|| "a party is named by its code, as RU".to_owned())
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let mut list = law::due(args.as_of, args.party.as_deref(), args.all, ctx)?;
    let count = list.items.len();
    if !args.all {
        list.items.retain(|item| is_recent(item, list.as_of));
    }
    let left_out = count - list.items.len();
    if args.ics {
        ctx.out.raw(&ics(&list));
    } else if ctx.out.json {
        ctx.out.value(&list);
    } else {
        print(&list, left_out, args, ctx);
    }
    Ok(())
}

fn print(list: &DueList, left_out: usize, args: &Args, ctx: &Context) {
    let out = &ctx.out;
    out.line(format!("{}  as of {}", out.bold(&list.treaty), time(list.as_of)));
    if list.items.is_empty() {
        out.line(if args.all { "No rule of the treaty applies to any note." } else { "Nothing is due." });
    } else if args.explain {
        for (item, by) in joined(&list.items) {
            let several = Some(by).filter(|by| by.len() > item.by.len());
            explain_for(item, several.as_deref(), out);
        }
    } else {
        print_table(list, ctx);
    }
    if !list.disregarded.is_empty() || !list.not_held.is_empty() {
        out.line("");
        list.not_held.iter().chain(&list.disregarded).for_each(|why| out.line(why));
    }
    if left_out > 0 {
        let items = display::count(left_out, "item", "items");
        out.line(format!("\n{items} whose time had run more than a year before: --all lists them."));
    }
}

/// What is outstanding for more than a year is no longer what somebody looks for in the morning.
pub fn is_recent(item: &ItemView, as_of: Timestamp) -> bool {
    item.until.is_none_or(|until| until.posix() + YEAR >= as_of.posix())
}

/// In seconds.
const YEAR: u64 = 366 * 86_400;

fn print_table(list: &DueList, ctx: &Context) {
    let out = &ctx.out;
    let rows = joined(&list.items);
    let rows: Vec<_> = rows.into_iter().map(|(item, by)| row(item, &by, out)).collect();
    display::table(out, &["when (UTC)", "who", "what", "from", "state"], &rows);
    if list.items.iter().any(|item| item.unconfirmed.is_some()) {
        out.line(format!("{UNCONFIRMED} the rule has a point that was not checked against the treaty's text."));
    }
    if list.items.iter().any(is_disputed) {
        out.line(format!("{DISPUTED} there is another reading or another date."));
    }
    if list.items.iter().any(|item| item.unconfirmed.is_some() || is_disputed(item)) {
        out.line("--explain says what.");
    }
}

/// The same thing, due from several parties at the same time, is one entry, with all of them.
fn joined(items: &[ItemView]) -> Vec<(&ItemView, Vec<PartyView>)> {
    let mut rows: Vec<(&ItemView, Vec<PartyView>)> = Vec::new();
    for item in items {
        match rows.last_mut() {
            Some((first, by)) if is_same(first, item) => by.extend(item.by.iter().cloned()),
            _ => rows.push((item, item.by.clone())),
        }
    }
    rows
}

fn is_same(a: &ItemView, b: &ItemView) -> bool {
    let key = |item: &ItemView| (item.from, item.until, item.answered);
    let words = |item: &ItemView| [&item.rule, &item.note, &item.state_text].map(String::clone);
    let steps = || a.steps.iter().map(|step| &step.text).eq(b.steps.iter().map(|step| &step.text));
    a.by.len() == 1 && b.by.len() == 1 && key(a) == key(b) && words(a) == words(b) && steps()
}

/// Marks an item whose rule is not confirmed.
pub const UNCONFIRMED: &str = "(m)";
/// Marks an item with another reading.
pub const DISPUTED: &str = "(d)";

fn is_disputed(item: &ItemView) -> bool {
    item.readings.iter().any(|reading| reading.differs)
}

/// What stands behind an item's title in a list.
pub fn marks(item: &ItemView) -> String {
    let mut marks = String::new();
    if item.unconfirmed.is_some() {
        marks.push_str(&format!(" {UNCONFIRMED}"));
    }
    if is_disputed(item) {
        marks.push_str(&format!(" {DISPUTED}"));
    }
    marks
}

fn row(item: &ItemView, by: &[PartyView], out: &Output) -> Vec<String> {
    let state = match item.state.as_str() {
        "missed" | "late" | "early" => out.bad(&item.state_text),
        "met" | "in-effect" => out.good(&item.state_text),
        _ => item.state_text.clone(),
    };
    let codes: Vec<_> = by.iter().map(|party| party.code.clone()).collect();
    let who = if by.len() == item.by.len() { names(item) } else { display::join(&codes, "and") };
    vec![when(item), who, format!("{}{}", item.title, marks(item)), item.note.clone(), state]
}

/// When: by a time, from one to another, at one.
pub fn when(item: &ItemView) -> String {
    let short = |time: Timestamp| display::time(time).replace(" UTC", "");
    match (item.from, item.until) {
        (Some(from), Some(until)) => format!("{} – {}", short(from), short(until)),
        (None, Some(until)) if item.effect => format!("on {}", short(until)),
        (None, Some(until)) => format!("by {}", short(until)),
        (Some(from), None) => format!("from {}", short(from)),
        (None, None) if item.promptly => "promptly".to_owned(),
        (None, None) if item.state == "waiting" => "not begun".to_owned(),
        (None, None) => "no time".to_owned(),
    }
}

/// Of several who owe, one is enough.
fn and(item: &ItemView) -> &'static str {
    if item.effect { "and" } else { "or" }
}

/// Who, by code.
pub fn names(item: &ItemView) -> String {
    let codes: Vec<_> = item.by.iter().map(|party| party.code.clone()).collect();
    match codes.len() {
        0..=6 => display::join(&codes, and(item)),
        n if item.effect => format!("{n} parties"),
        n => format!("one of {n} parties"),
    }
}

/// An item in full.
pub fn explain(item: &ItemView, out: &Output) {
    explain_for(item, None, out);
}

/// An item in full, or the same of several, each of whom owes it.
fn explain_for(item: &ItemView, several: Option<&[PartyView]>, out: &Output) {
    let article = if item.article.is_empty() { String::new() } else { format!("  (article {})", item.article) };
    out.line(format!("\n{}{article}", out.bold(&item.title)));
    let row = |name: &str, text: &str| out.line(format!("  {name:<14}{text}"));
    if !item.note.is_empty() {
        row("follows from", &format!("{}  {}", item.note, item.note_title));
    }
    match several {
        None => row("who", &full_names(&item.by, and(item))),
        Some(by) => row("who", &format!("each of {}", full_names(by, "and"))),
    }
    if !item.to.is_empty() {
        row("to", &to(item, several.unwrap_or_default()));
    }
    row("when", &format!("{} (UTC)", when(item)));
    row("state", if several.is_some() { &item.state_text } else { &item.text });
    steps(&item.steps, out);
    if !item.then.is_empty() {
        row("then", &item.then);
    }
    for other in item.readings.iter().filter(|other| other.differs) {
        out.line(format!("  {} {}", out.bold("Another reading:"), reading(other)));
    }
    if let Some(same) = agreeing(item) {
        out.line(format!("  {same}"));
    }
    if let Some(what) = &item.unconfirmed {
        out.line(format!("  {} {what}", out.bold("Not confirmed:")));
    }
}

/// To whom: of several who owe it to each other, that is said.
fn to(item: &ItemView, several: &[PartyView]) -> String {
    let owes = |party: &&PartyView| several.iter().any(|other| other.code == party.code);
    let others: Vec<_> = item.to.iter().filter(|party| !owes(party)).cloned().collect();
    match (item.to.iter().any(|party| owes(&party)), others.is_empty()) {
        (false, _) => full_names(&item.to, "and"),
        (true, true) => "each other".to_owned(),
        (true, false) => format!("each other, and {}", full_names(&others, "and")),
    }
}

/// Another reading, what follows from it, and which records say so.
pub fn reading(reading: &ReadingView) -> String {
    let records = if reading.records.is_empty() { String::new() } else { format!(" [{}]", reading.records.join(", ")) };
    let state = reading.state_text.as_ref().map_or(String::new(), |state| format!(", {state}"));
    format!("{}: {}{state}{records}", reading.title, reading_when(reading))
}

/// Who else comes to the same time.
pub fn agreeing(item: &ItemView) -> Option<String> {
    let same: Vec<_> = item.readings.iter().filter(|other| !other.differs).map(|other| other.title.clone()).collect();
    (!same.is_empty()).then(|| format!("The same time by other readings: {}.", same.join("; ")))
}

fn reading_when(reading: &ReadingView) -> String {
    match (reading.from, reading.until) {
        (Some(from), Some(until)) => format!("{} to {}", time(from), time(until)),
        (Some(only), None) | (None, Some(only)) => time(only),
        (None, None) => "no time follows".to_owned(),
    }
}

fn steps(steps: &[Step], out: &Output) {
    for (at, step) in steps.iter().enumerate() {
        let records = match step.records.len() {
            0 => String::new(),
            1..=6 => out.dim(&format!("  [{}]", step.records.join(", "))),
            n => out.dim(&format!("  [{} and {} more]", step.records[..5].join(", "), n - 5)),
        };
        out.line(format!("    {}. {}{records}", at + 1, step.text));
    }
}

fn full_names(parties: &[PartyView], and: &str) -> String {
    match parties.len() {
        0 => "nobody in particular".to_owned(),
        1..=8 => {
            let names: Vec<_> = parties.iter().map(|party| format!("{} ({})", party.name, party.code)).collect();
            display::join(&names, and)
        }
        n => {
            let codes: Vec<_> = parties.iter().map(|party| party.code.as_str()).collect();
            format!("{n} parties: {}", codes.join(" "))
        }
    }
}

fn ics(list: &DueList) -> String {
    let entry = |item: &ItemView| {
        let mut text = vec![item.text.clone()];
        text.extend(item.steps.iter().enumerate().map(|(at, step)| {
            let records =
                if step.records.is_empty() { String::new() } else { format!(" [{}]", step.records.join(", ")) };
            format!("{}. {}{records}", at + 1, step.text)
        }));
        text.extend(item.readings.iter().map(|other| format!("Another reading: {}", reading(other))));
        text.extend(item.unconfirmed.iter().map(|what| format!("Not confirmed: {what}")));
        let article = if item.article.is_empty() { String::new() } else { format!(" (article {})", item.article) };
        let note = if item.note.is_empty() { String::new() } else { format!(" [{}]", item.note) };
        let codes: Vec<_> = item.by.iter().map(|party| party.code.as_str()).collect();
        // What is due every year follows from no note: its day tells one year's from another's.
        let year = item.until.filter(|_| item.note.is_empty()).map_or(String::new(), |until| until.to_string());
        let no_time = if item.state == "no-time" { " (no time can be computed)" } else { "" };
        Entry {
            identity: format!("{}/{}{year}/{}/{}", list.ledger, item.note, item.rule, codes.join("+")),
            summary: format!("{}: {}{article}{note}{no_time}", full_names(&item.by, and(item)), item.title),
            description: text.join("\n"),
            from: item.from,
            until: item.until,
            done: item.answered.filter(|_| item.state == "met" || item.state == "late" || item.state == "no-time"),
            task: !item.effect,
        }
    };
    // A task may be without a time; an event may not.
    let is_entry =
        |item: &&ItemView| item.from.is_some() || item.until.is_some() || !item.effect && item.state == "no-time";
    let timed = list.items.iter().filter(is_entry);
    calendar(&timed.map(entry).collect::<Vec<_>>(), &format!("{}: due", list.treaty), &list.ledger, list.as_of)
}
