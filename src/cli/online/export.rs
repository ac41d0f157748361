//! `verbale export`: the whole ledger as a folder of text files.

use std::path::{Path, PathBuf};

use crate::audit::{ExportError, export};
use crate::cli::{Code, Context, Failure, files, progress};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES};

use super::data::Data;

/// Write the whole ledger as a folder of text files that anyone can read and verify
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write; must not exist yet
    folder: PathBuf,
    /// Read this data folder or snapshot instead of asking the running node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let treaty = ctx.treaty()?;
    // Before anything else: an export of a large ledger takes its time.
    files::absent(&args.folder)?;
    let data = Data::open(args.data.as_deref(), &treaty, ctx)?;
    let treaty_bytes = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile_bytes = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    let bar = progress::bar("Exporting", ctx.out.json);
    let records = export(&data.store, &treaty_bytes, &profile_bytes, &args.folder, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let records = records.map_err(|error| failure(&error))?;
    report(records, &args.folder, ctx);
    Ok(())
}

fn failure(error: &ExportError) -> Failure {
    let code = match error {
        ExportError::Io { .. } => Code::Disk,
        ExportError::Read(_) => Code::Damaged,
        _ => Code::Input,
    };
    Failure::new(code, format!("nothing was exported: {error}"))
}

fn report(records: u64, folder: &Path, ctx: &Context) {
    if ctx.out.json {
        return ctx.out.value(&serde_json::json!({ "folder": folder, "records": records }));
    }
    ctx.out.line(format!("{records} records were exported to {}.", folder.display()));
    ctx.out.line(format!("Anyone can check them: verbale verify {} --treaty treaty.toml", folder.display()));
}
