//! `verbale export --tables`: the ledger or a part of it as tables for analysts.

use std::path::{Path, PathBuf};

use super::data::Data;
use crate::audit::{Reading, ReadingError, Selection, verify_export};
use crate::cli::progress::{Progress, Unit};
use crate::cli::{Code, Context, Failure, files};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Timestamp};
use crate::tables::sink::Format;
use crate::tables::{Stage, TablesError, Written, write_tables};

/// What tables are written, and from what.
#[derive(Debug, clap::Args)]
pub struct Tables {
    /// Write tables for analysts (notifications, receipts, deadlines, events) into a folder: jsonl, csv, parquet, or several
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', value_parser = format, help_heading = "Tables",
        conflicts_with_all = ["html", "resume"])]
    tables: Vec<Format>,
    /// Make them from this export (a folder or .tar.zst), which is verified first; needs no node and no data folder
    #[arg(long, value_name = "EXPORT", help_heading = "Tables", requires = "tables",
        conflicts_with_all = ["data", "party", "kind", "since", "until", "thread", "range", "redact"])]
    from: Option<PathBuf>,
    /// The treaty file that you trust; without it, the one in the export
    #[arg(long, value_name = "FILE", help_heading = "Tables", requires = "from")]
    treaty: Option<PathBuf>,
    /// Compute deadlines as of this time, as 2021-06-18T09:00:00Z; without it, as of the latest
    /// time in the ledger that more than half of the parties' clocks had reached
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Tables", requires = "tables")]
    as_of: Option<Timestamp>,
}

fn format(word: &str) -> Result<Format, String> {
    Format::parse(word).ok_or_else(|| "tables are written as jsonl, csv or parquet".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a time in UTC is written as 2021-06-18T09:00:00Z".to_owned())
}

impl Tables {
    /// Whether tables are asked for.
    pub fn is_wanted(&self) -> bool {
        !self.tables.is_empty()
    }
}

/// Writes the tables.
pub fn run(
    args: &Tables,
    target: &Path,
    selection: Selection,
    data: Option<&Path>,
    ctx: &Context,
) -> Result<(), Failure> {
    files::absent(target)?;
    let mut shown = Progress::new(ctx.out.json);
    let written = match &args.from {
        Some(path) => of_export(path, args, target, &mut shown),
        None => of_data(args, target, selection, data, &mut shown, ctx),
    };
    shown.finish();
    report(written?, target, ctx);
    Ok(())
}

fn of_data(
    args: &Tables,
    target: &Path,
    selection: Selection,
    data: Option<&Path>,
    shown: &mut Progress,
    ctx: &Context,
) -> Result<Written, Failure> {
    let data = Data::open(data, &ctx.treaty()?, ctx)?;
    let treaty = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    let reading = Reading::stored(&data.store, &treaty, &profile, selection, &mut |_, done, total| {
        shown.show("Choosing", Unit::Records, done, total);
    });
    write(&reading.map_err(unreadable)?, args, target, shown)
}

fn of_export(path: &Path, args: &Tables, target: &Path, shown: &mut Progress) -> Result<Written, Failure> {
    let trusted = args.treaty.as_ref().map(|path| files::read(path, MAX_TREATY_BYTES)).transpose()?;
    let verified = verify_export(path, trusted.as_deref(), &mut |done, total| {
        shown.show("Verifying", Unit::Bytes, done, total);
    });
    let verified = verified.map_err(|error| unreadable(error.into()))?;
    // A log that forked does so by proof: what is here is what it signed.
    if !verified.faults.is_empty() || !verified.missing.is_empty() {
        let text = format!("no tables were written: {} does not verify", path.display());
        return Err(
            Failure::new(Code::NotVerified, text).hint("`verbale verify` names what is wrong, and what it means")
        );
    }
    let reading = Reading::export(path, &verified).map_err(unreadable)?;
    write(&reading, args, target, shown)
}

fn write(reading: &Reading<'_>, args: &Tables, target: &Path, shown: &mut Progress) -> Result<Written, Failure> {
    let written = write_tables(reading, &args.tables, args.as_of, target, &mut |stage, done, total| {
        let what = match stage {
            Stage::Gathering => "Gathering",
            Stage::Writing => "Writing",
        };
        shown.show(what, Unit::Records, done, total);
    });
    written.map_err(|error| match error {
        TablesError::Reading(error) => unreadable(error),
        TablesError::Io { .. } => Failure::new(Code::Disk, format!("no tables were written: {error}"))
            .hint("make room and give the same command again: it begins anew, and clears what is left of this attempt"),
        TablesError::InTheWay(_) => Failure::new(Code::Input, format!("no tables were written: {error}"))
            .hint("move it away, or give the tables another name"),
        _ => Failure::new(Code::Input, format!("no tables were written: {error}")),
    })
}

fn unreadable(error: ReadingError) -> Failure {
    use crate::audit::ExportError;
    let code = match &error {
        ReadingError::Stored(ExportError::Selection(_)) => Code::Refused,
        ReadingError::Stored(ExportError::Read(_)) => Code::Damaged,
        _ => Code::Input,
    };
    Failure::new(code, format!("no tables were written: {error}"))
}

fn report(written: Written, target: &Path, ctx: &Context) {
    let Written { notifications, receipts, deadlines, events, as_of } = written;
    if ctx.out.json {
        return ctx.out.value(&serde_json::json!({ "target": target, "rows": written, "as_of": as_of }));
    }
    ctx.out.line(format!(
        "{notifications} notifications, {receipts} receipts, {deadlines} deadlines and {events} events are in {}.",
        target.display()
    ));
    ctx.out.line(format!("Deadlines are as of {}. columns.json says what stands in each column.", as_of.display()));
    ctx.out.line("Tables prove nothing: keep the export with them, which does.");
}
