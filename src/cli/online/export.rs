//! `verbale export`: the ledger or a part of it, as a folder of text files, or as one archive.

use std::path::{Path, PathBuf};

use crate::audit::{ExportError, Exported, Form, Job, Place, Range, Redaction, Selection, Stage, partial};
use crate::cli::progress::{Progress, Unit};
use crate::cli::{Code, Context, Failure, files};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Timestamp, is_kind_name, is_party_code};
use crate::page::{Carried, ledger_page};

use super::data::Data;
use super::tables;

/// Write the whole ledger or a part of it, as text files that anyone can read and verify, or as tables for analysts
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to write: a folder, or one file if its name ends in .tar.zst; must not exist yet
    target: PathBuf,
    /// Write one page that opens in any browser, without a network, and verifies itself there
    #[arg(long, conflicts_with = "resume")]
    html: bool,
    /// Tables for analysts instead of evidence
    #[command(flatten)]
    tables: tables::Tables,
    /// What is exported
    #[command(flatten)]
    what: What,
    /// Go on with an export to the same place that was interrupted
    #[arg(long)]
    resume: bool,
    /// Read this data folder or snapshot instead of asking the running node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What is asked for; without any of it, everything.
#[derive(Debug, clap::Args)]
pub struct What {
    /// Only notes that this party sent (US); may be given again for more
    #[arg(long, value_name = "PARTY", value_parser = code, help_heading = "Part of the ledger")]
    party: Vec<String>,
    /// Only notes of this kind (withdrawal); may be given again
    #[arg(long, value_name = "KIND", value_parser = kind, help_heading = "Part of the ledger")]
    kind: Vec<String>,
    /// Only notes that their senders logged at this time or later, as 2021-06-18T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Part of the ledger")]
    since: Option<Timestamp>,
    /// Only notes that their senders logged before this time
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Part of the ledger")]
    until: Option<Timestamp>,
    /// Only this note (US/12) and all that refers to it, directly or not; may be given again
    #[arg(long, value_name = "NOTE", help_heading = "Part of the ledger")]
    thread: Vec<Place>,
    /// All records of a log from one to another (US/10..40), both included; may be given again
    #[arg(long, value_name = "RECORDS", help_heading = "Part of the ledger")]
    range: Vec<Range>,
    /// Withhold notes and keep their hashes: `confidential`, kind:KIND, field:FIELD, or US/12; may be given again
    #[arg(long, value_name = "WHAT", help_heading = "Part of the ledger")]
    redact: Vec<Redaction>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a time in UTC is written as 2021-06-18T09:00:00Z".to_owned())
}

fn code(text: &str) -> Result<String, String> {
    is_party_code(text).then(|| text.to_owned()).ok_or_else(|| "a party is named by its code, as RU".to_owned())
}

fn kind(text: &str) -> Result<String, String> {
    is_kind_name(text).then(|| text.to_owned()).ok_or_else(|| "a kind is named as in the profile".to_owned())
}

impl What {
    /// The selection.
    pub fn selection(&self) -> Selection {
        Selection {
            kinds: self.kind.clone(),
            parties: self.party.clone(),
            ranges: self.range.clone(),
            redact: self.redact.clone(),
            since: self.since,
            threads: self.thread.clone(),
            until: self.until,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    if args.tables.is_wanted() {
        return tables::run(&args.tables, &args.target, args.what.selection(), args.data.as_deref(), ctx);
    }
    let treaty = ctx.treaty()?;
    // Before anything else: an export of a large ledger takes its time.
    files::absent(&args.target)?;
    let selection = args.what.selection();
    let data = Data::open(args.data.as_deref(), &treaty, ctx)?;
    let treaty_bytes = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile_bytes = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    let made = if args.html { beside(&args.target) } else { args.target.clone() };
    let archive = !args.html && args.target.to_string_lossy().ends_with(".tar.zst");
    let job = Job {
        read: &data.store,
        treaty: &treaty_bytes,
        profile: &profile_bytes,
        selection,
        form: if archive { Form::Archive } else { Form::Folder },
        target: &made,
        resume: args.resume,
    };
    let mut shown = Progress::new(ctx.out.json);
    let exported = job.run(&mut |stage, done, total| {
        let (what, unit) = match stage {
            Stage::Choosing => ("Choosing", Unit::Records),
            Stage::Receipts => ("Reading receipts", Unit::Records),
            Stage::Writing => ("Writing", Unit::Records),
            Stage::Packing => ("Packing", Unit::Bytes),
        };
        shown.show(what, unit, done, total);
    });
    shown.finish();
    let exported = exported.map_err(|error| failure(&error, args))?;
    if args.html {
        page(&made, &args.target)?;
    }
    report(exported, args, ctx);
    Ok(())
}

/// The folder from which a page is made.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".folder-{}", std::process::id()));
    file.with_file_name(name)
}

/// Makes one page of a folder, which is removed.
fn page(folder: &Path, file: &Path) -> Result<(), Failure> {
    let carried = Carried::of_folder(folder);
    let removed = std::fs::remove_dir_all(folder);
    let carried = carried.map_err(|error| {
        let hint = "write a folder instead, without --html";
        Failure::new(Code::Input, format!("no page was written: {error}")).hint(hint)
    })?;
    removed.map_err(|error| Failure::new(Code::Disk, format!("{} was not removed: {error}", folder.display())))?;
    files::create(file, ledger_page(&carried).as_bytes())
}

fn failure(error: &ExportError, args: &Args) -> Failure {
    let code = match error {
        ExportError::Io { .. } => Code::Disk,
        ExportError::Read(_) => Code::Damaged,
        ExportError::Selection(_) => Code::Refused,
        _ => Code::Input,
    };
    let failure = Failure::new(code, format!("nothing was exported: {error}"));
    let there = partial(&args.target);
    match error {
        ExportError::Interrupted(_) | ExportError::Io { .. } | ExportError::Read(_) if there.is_dir() => {
            failure.hint(format!("go on with --resume, or remove {} and begin anew", there.display()))
        }
        _ => failure,
    }
}

fn report(exported: Exported, args: &Args, ctx: &Context) {
    let target = &args.target;
    if ctx.out.json {
        return ctx.out.value(&serde_json::json!({
            "target": target, "folder": target, "records": exported.records, "redacted": exported.redacted,
            "omitted": exported.omitted,
        }));
    }
    ctx.out.line(format!("{} records were exported to {}.", exported.records, target.display()));
    if exported.redacted > 0 {
        ctx.out.line(format!("{} notes are withheld; their hashes stand in their places.", exported.redacted));
    }
    if exported.omitted > 0 {
        ctx.out.line(format!("{} records were left out; hashes stand for them.", exported.omitted));
    }
    ctx.out.line(format!("Anyone can check it: verbale verify {} --treaty treaty.toml", target.display()));
}
