//! `verbale verify`: checks an evidence file or an export folder, offline, with the treaty file alone.

use std::io::IsTerminal;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::source::{PageFacts, Source};
use super::{Code, Context, Failure, display, files};
use crate::audit::{AuditError, Report, verify_folder};
use crate::ledger::{MAX_TREATY_BYTES, Profile, Treaty, Verdict, outside_sentences, verify_evidence};
use crate::note::VerifierKey;

/// Check an evidence file, a page that carries one, or the folder of an export: offline, with the treaty file alone
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An evidence file (.tlog-proof), an evidence page (.html), or the folder of an export
    #[arg(value_name = "FILE|FOLDER")]
    pub path: PathBuf,
    /// The treaty file that you trust; without it the home folder's, and for a folder the one inside it
    #[arg(long, value_name = "FILE")]
    pub treaty: Option<PathBuf>,
    /// The treaty's profile, for titles and the form of notes; without it `profile.toml` beside the treaty file
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// The key of a witness outside the ledger that you trust (name+hash+base64): its cosignature has to be in the file
    #[arg(long = "witness", value_name = "VKEY", value_parser = VerifierKey::parse)]
    pub witnesses: Vec<VerifierKey>,
}

/// Runs the command. Succeeds only if everything verifies and there is nothing to be said against it.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    if args.path.is_dir() { folder(args, context) } else { evidence(args, context) }
}

fn folder(args: &Args, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    let trusted = args.treaty.as_ref().map(|path| files::read(path, MAX_TREATY_BYTES)).transpose()?;
    let bar = progress_bar(out.json);
    let report = verify_folder(&args.path, trusted.as_deref(), &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| {
        let code = if matches!(error, AuditError::OtherTreaty { .. }) { Code::NotVerified } else { Code::Input };
        Failure::new(code, format!("{} was not audited: {error}.", args.path.display()))
    })?;
    if out.json {
        out.value(&serde_json::json!({"sound": report.is_sound(), "report": report}));
    } else {
        print_report(&report, context);
    }
    let against = match (report.faults.len(), report.forks.len(), report.missing.len()) {
        (0, 0, 0) => return Ok(()),
        (0, 0, _) => "What is there verifies, but some logs are longer than what is in the folder.",
        (0, ..) => "What is there verifies, but a log has forked.",
        _ => "The folder does not verify: the faults are listed above.",
    };
    Err(Failure::new(Code::NotVerified, against).hint("Ask another party for its export, and compare."))
}

fn progress_bar(json: bool) -> ProgressBar {
    // Drawn on standard error, and there on a terminal only.
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("Checking {wide_bar} {bytes} of {total_bytes} ({eta})");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn print_report(report: &Report, context: &Context) {
    let out = context.out;
    let head = if report.is_sound() { out.good("VERIFIED") } else { out.bad("NOT VERIFIED") };
    out.line(format!("{head}  {}", out.bold(&report.title)));
    for log in &report.logs {
        if !log.complete {
            out.line(format!("  {}: not checked to its end; see the fault below.", log.party));
            continue;
        }
        let last = log.last.map_or(String::new(), |time| format!(", the last one logged at {}", display::time(time)));
        out.line(format!(
            "  {}: {}{last}; {}, {}, {}; the first {} are final.",
            log.party,
            counted(log.records, "record"),
            counted(log.notifications, "notification"),
            counted(log.credentials, "credential"),
            counted(log.receipts, "receipt"),
            log.final_size
        ));
        if log.void > 0 {
            let void = counted(log.void, "record");
            out.line(format!("    Not what their type says, and without effect: {void}."));
        }
    }
    for note in &report.marked {
        for mark in &note.marks {
            out.line(format!("  Record {} of {} is not in order: {}", note.index, note.party, shown(&mark.text)));
        }
    }
    let unlisted = report.marked_count - report.marked.len() as u64;
    if unlisted > 0 {
        out.line(format!("  {unlisted} more notifications are not in order."));
    }
    for log in &report.missing {
        let (have, signed) = (log.have, log.signed);
        let text = format!("the log of {} has {signed} records, as others' receipts show; here are {have}.", log.party);
        out.line(format!("  {} {text}", out.bad("Missing:")));
    }
    for fork in &report.forks {
        out.line(format!("  {} the log of {}: {}.", out.bad("Forked:"), fork.party, fork.why));
    }
    for fault in &report.faults {
        let line = if fault.line > 0 { format!(", line {}", fault.line) } else { String::new() };
        out.line(format!("  {} {}{line}: {}.", out.bad("Fault:"), fault.file, shown(&fault.what)));
    }
    if let Some(treaty) = report.treaty.filter(|_| !report.treaty_given) {
        out.line("  The treaty file inside the folder was used. Compare its SHA-256 with that of one that you trust:");
        out.line(format!("  {}", treaty.to_hex()));
    }
}

fn evidence(args: &Args, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    let Source { evidence, treaty, profile, page } =
        Source::open(&args.path, args.treaty.as_ref(), args.profile.as_ref(), context)?;
    let verdict = verify_evidence(&evidence, &treaty, profile.as_ref()).map_err(|error| {
        Failure::new(Code::NotVerified, format!("{} does not verify: {error}.", args.path.display())).hint(
            "Nothing in this file may be relied on. Ask for it again, and check that the treaty file is the right one.",
        )
    })?;
    if out.json {
        let mut value = serde_json::json!({"sound": verdict.is_sound(), "verdict": verdict});
        if let Some(page) = page {
            value["page"] = serde_json::json!(page);
        }
        out.value(&value);
    } else {
        print(&verdict, &treaty, profile.as_ref(), &args.witnesses, context);
        page.inspect(|page| of_page(*page, context));
    }
    let unseen = args.witnesses.iter().find(|key| verdict.outside.iter().all(|witness| witness.key != **key));
    let against = match (&verdict.fork, verdict.is_final, verdict.marks.is_empty()) {
        (Some(_), ..) => "the log has forked",
        (None, false, _) => "its receipts do not make the treaty's quorum",
        (None, true, false) => "the note is not in order",
        (None, true, true) if unseen.is_some() => "an outside witness that you named has not cosigned it",
        (None, true, true) => return Ok(()),
    };
    Err(Failure::new(Code::NotVerified, format!("Every byte of {} verifies, but {against}.", args.path.display()))
        .hint("The sentences above say what is proven all the same."))
}

fn print(verdict: &Verdict, treaty: &Treaty, profile: Option<&Profile>, witnesses: &[VerifierKey], context: &Context) {
    let out = context.out;
    let sound = verdict.is_sound();
    let head = if sound { out.good("VERIFIED") } else { out.bad("VERIFIED, WITH RESERVATIONS") };
    out.line(format!("{head}  {}", out.bold(&treaty.file().title)));
    for sentence in verdict.sentences(treaty, profile) {
        out.line(format!("  {}", shown(&sentence)));
    }
    for sentence in outside_sentences(&verdict.outside, witnesses) {
        out.line(format!("  {}", shown(&sentence)));
    }
    out.line(out.bold("Not proven:"));
    for sentence in &verdict.not_proven {
        out.line(format!("  {}", shown(sentence)));
    }
    out.line(out.dim(&format!("Leaf hash {}; treaty file SHA-256 {}.", verdict.leaf.to_hex(), treaty.hash().to_hex())));
}

/// What there is to say of the page that carried the evidence.
fn of_page(page: PageFacts, context: &Context) {
    let out = context.out;
    if page.own_treaty {
        out.line(
            "The treaty file inside the page was used. Compare its SHA-256, above, with that of one that you trust.",
        );
    }
    if !page.as_written {
        out.line(
            "The page is not, byte for byte, what this version of verbale writes for its evidence: rely on what stands \
             here, not on what the page shows.",
        );
    }
}

fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// What others wrote is shown as it is, but for what would steer a terminal.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
