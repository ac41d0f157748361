//! `verbale show`: one note in full, with who has received it and what answers it.

use super::client::Client;
use super::number::Number;
use super::{due, law};
use crate::api::view::{NoteDetail, RecordView};
use crate::cli::display::time;
use crate::cli::{Code, Failure};
use crate::cli::{Context, NodeConfig};
use crate::ledger::Notification;
use crate::message::{self, Logged};

/// Show a note in full: what it says, who signed it, who has received it, what answers it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The note, as US/12
    number: Number,
    /// The signed note itself, byte for byte
    #[arg(long)]
    raw: bool,
    /// The note in the message format of the treaty's practice, to print
    #[arg(long, conflicts_with = "raw")]
    message: bool,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let client = Client::new(&NodeConfig::load(&ctx.home)?.socket)?;
    let detail: NoteDetail = match client.get(&format!("/v1/notes/{}", args.number)) {
        Ok(detail) => detail,
        // A record that is no notification is shown as the text that it is.
        Err(failure) if failure.code == Code::Refused => {
            let record: RecordView = client.get(&format!("/v1/records/{}", args.number))?;
            if ctx.out.json {
                ctx.out.value(&record);
            } else {
                ctx.out.line(record.text.trim_end());
            }
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if args.message {
        let text = message(&detail, ctx)?;
        if ctx.out.json {
            ctx.out.value(&serde_json::json!({ "number": detail.note.number, "message": text }));
        } else {
            ctx.out.line(text.trim_end());
        }
    } else if ctx.out.json {
        ctx.out.value(&detail);
    } else if args.raw {
        ctx.out.line(detail.signed.trim_end_matches('\n'));
    } else {
        print(&detail, ctx);
        print_what_follows(&args.number, ctx)?;
    }
    Ok(())
}

/// What is due after the note, and when it takes effect, as of now.
fn print_what_follows(number: &Number, ctx: &Context) -> Result<(), Failure> {
    let out = &ctx.out;
    let thread = law::timeline(number, None, ctx)?;
    let name = number.to_string();
    if let Some(note) = thread.notes.iter().find(|note| note.number == name) {
        for depositary in note.depositaries.iter().filter(|depositary| depositary.received.is_none()) {
            out.line(format!("Not received yet by {}, depositary.", depositary.party.name));
        }
        note.remarks.iter().for_each(|remark| out.line(remark));
    }
    let items: Vec<_> = thread.items.iter().filter(|item| item.note == name).collect();
    if items.is_empty() {
        return Ok(());
    }
    out.line("What follows from it:");
    for item in items {
        out.line(format!("  {} {}{}: {}", due::names(item), item.title, due::marks(item), due::when(item)));
        out.line(format!("    {}", item.text));
        for reading in item.readings.iter().filter(|reading| reading.differs) {
            out.line(format!("    {} {}", out.dim("another reading:"), due::reading(reading)));
        }
    }
    out.line(out.dim(&format!("How it was computed: verbale timeline {number} --explain")));
    Ok(())
}

/// The signed note, as a message.
fn message(detail: &NoteDetail, ctx: &Context) -> Result<String, Failure> {
    let treaty = ctx.treaty()?;
    let profile = ctx.profile(&treaty)?;
    let (_, note) = Notification::of_note(detail.signed.as_bytes())
        .map_err(|e| Failure::new(Code::Refused, format!("{} is no note: {e}", detail.note.number)))?;
    let logged = Logged { index: detail.note.index, time: detail.note.logged };
    Ok(message::write(&note, Some(logged), &profile, &treaty))
}

fn print(detail: &NoteDetail, ctx: &Context) {
    let (out, note) = (&ctx.out, &detail.note);
    out.line(out.bold(&format!("{}  {}", note.number, note.title)));
    let row = |name: &str, value: &str| out.line(format!("  {name:<14}{value}"));
    row("from", &note.from);
    row("to", &note.to.join(", ").replace('*', "all parties"));
    row("issued", &time(note.issued));
    row("logged", &format!("{} (by the sender's clock)", time(note.logged)));
    if let Some(arrived) = note.arrived {
        row("arrived here", &time(arrived));
    }
    if !note.re.is_empty() {
        row("refers to", &note.re.join(", "));
    }
    for signer in &detail.signers {
        let later = signer.revoked_at.map_or(String::new(), |at| {
            format!(" (the key was revoked later, in {}/{at}: what was logged before stays signed)", note.party)
        });
        row("signed by", &format!("{}{later}", signer.title));
    }
    for file in &detail.attachments {
        row("attachment", &format!("{} ({}, {} bytes)", file.name, file.media, file.size));
    }
    out.line("");
    for (name, title) in &detail.fields {
        if let Some(value) = detail.body.get(name) {
            row_wide(ctx, title, value);
        }
    }
    for (name, value) in detail.body.iter().filter(|(name, _)| detail.fields.iter().all(|(known, _)| known != *name)) {
        row_wide(ctx, name, value);
    }
    out.line("");
    for mark in &note.marks {
        out.line(format!("{} {}", out.bad("marked:"), mark.text));
    }
    let state = if note.is_final { out.good("final: the quorum has receipted it") } else { "not final yet".to_owned() };
    out.line(format!("Received by {} of {} other parties; {state}.", note.receipts, note.others));
    for receipt in &detail.receipts_by {
        let who = format!("{} ({})", receipt.party.name, receipt.party.code);
        out.line(format!("  {} {who:<34} {}  {}", out.good("✓"), time(receipt.time), out.dim(&receipt.number)));
    }
    if !detail.missing.is_empty() {
        out.line(format!("  no receipt yet from {}", detail.missing.join(", ")));
    }
    if !detail.replies.is_empty() {
        out.line("Referred to by:");
        for reply in &detail.replies {
            out.line(format!("  {}  {}", out.bold(&reply.number), reply.title));
        }
    }
}

fn row_wide(ctx: &Context, title: &str, value: &serde_json::Value) {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        other => other.to_string(),
    };
    ctx.out.line(format!("  {}: {text}", ctx.out.dim(title)));
}
