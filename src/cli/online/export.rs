//! `verbale export`: the ledger or a part of it, as a folder of text files, or as one archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::audit::{
    ExportError, Exported, Form, Job, Place, Range, Redaction, Selection, SelectionError, Stage, partial,
};
use crate::cli::progress::{Progress, Unit};
use crate::cli::{Code, Context, Failure, files};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Profile, Timestamp, is_kind_name, is_party_code};
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

/// Other archives are not written; a folder of such a name would be taken for one.
const OTHER_ARCHIVES: [&str; 8] = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip", ".zst", ".7z"];

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let name = args.target.to_string_lossy().to_lowercase();
    let other = OTHER_ARCHIVES.iter().find(|end| name.ends_with(*end) && !name.ends_with(".tar.zst"));
    if let Some(end) = other {
        let text = format!("nothing was exported: an archive is written as .tar.zst, not as {end}");
        return Err(Failure::new(Code::Input, text).hint("name it so; a name without such an ending makes a folder"));
    }
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
    let exported = exported.map_err(|error| failure(&error, args, &profile_bytes))?;
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

fn failure(error: &ExportError, args: &Args, profile: &[u8]) -> Failure {
    let code = match error {
        ExportError::Io { .. } => Code::Disk,
        ExportError::Read(_) => Code::Damaged,
        ExportError::Selection(_) => Code::Refused,
        _ => Code::Input,
    };
    let failure = Failure::new(code, format!("nothing was exported: {error}"));
    let there = partial(&args.target);
    match error {
        ExportError::Selection(SelectionError::Field(name)) => failure.hint(field_hint(name, profile)),
        ExportError::Interrupted(_) | ExportError::Io { .. } | ExportError::Read(_) if there.is_dir() => {
            failure.hint(format!("go on with --resume, or remove {} and begin anew", there.display()))
        }
        _ => failure,
    }
}

/// Which field may have been meant.
fn field_hint(name: &str, profile: &[u8]) -> String {
    let known = Profile::parse(profile).map_or_else(
        |_| BTreeSet::new(),
        |profile| profile.kind.values().flat_map(|kind| &kind.fields).map(|field| field.name.clone()).collect(),
    );
    let alike = |known: &String| strsim::jaro_winkler(&name.to_lowercase(), known);
    match known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|near| alike(near) >= 0.8) {
        Some(near) => format!("did you mean {near}?"),
        None => "`verbale treaty explain` lists the fields of a kind".to_owned(),
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
    match exported.redacted {
        0 if args.what.redact.is_empty() => {}
        0 => ctx.out.line("No note is withheld: none of those that were chosen is what --redact names."),
        1 => ctx.out.line("1 note is withheld; its hash stands in its place."),
        more => ctx.out.line(format!("{more} notes are withheld; their hashes stand in their places.")),
    }
    if exported.omitted > 0 {
        ctx.out.line(format!("{} records were left out; hashes stand for them.", exported.omitted));
    }
    ctx.out.line(format!("Anyone can check it: verbale verify {} --treaty treaty.toml", target.display()));
}
