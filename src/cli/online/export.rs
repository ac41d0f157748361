//! `verbale export`: the whole ledger as a folder of text files.

use std::path::{Path, PathBuf};

use crate::audit::{ExportError, export};
use crate::cli::{Code, Context, Failure, NodeConfig, files, progress};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES};
use crate::store::{Store, StoreError};

use super::client::Client;
use super::node::store_failure;
use crate::api::view::SnapshotView;

/// Write the whole ledger as a folder of text files that anyone can read and verify
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write; must not exist yet
    folder: PathBuf,
    /// Read this data folder or snapshot instead of asking the running node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// A copy of a running node's database, removed when it is no longer needed.
struct Snapshot(PathBuf);

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let treaty = ctx.treaty()?;
    // Before anything else: an export of a large ledger takes its time.
    files::absent(&args.folder)?;
    let config = NodeConfig::load(&ctx.home);
    let (store, _snapshot) = match (&args.data, config) {
        (Some(data), _) => (Store::open_read_only(data, &treaty).map_err(store_failure)?, None),
        (None, config) => {
            let config = config?;
            match Store::open_read_only(&config.data, &treaty) {
                Ok(store) => (store, None),
                // A node runs on it: it is asked for a copy, which costs it next to nothing.
                Err(StoreError::Locked(_)) => {
                    let snapshot: SnapshotView = Client::new(&config.socket)?.post("/v1/snapshot", Vec::new())?;
                    let snapshot = Snapshot(snapshot.path);
                    (Store::open_read_only(&snapshot.0, &treaty).map_err(store_failure)?, Some(snapshot))
                }
                Err(error) => return Err(store_failure(error)),
            }
        }
    };
    let treaty_bytes = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile_bytes = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    let bar = progress::bar("Exporting", ctx.out.json);
    let records = export(&store, &treaty_bytes, &profile_bytes, &args.folder, &mut |done, total| {
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
