//! `verbale fsck`: everything that is stored, verified again from its bytes.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use crate::cli::progress::bar;
use crate::cli::{Code, Context, Failure, NodeConfig};
use crate::store::fsck::{Report, fsck};
use crate::store::{Store, StoreError};

/// Verify everything that is stored: records, trees, signed heads, receipts, indexes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data folder, or a snapshot of one [default: the one that verbale.toml names]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Make the indexes anew from the records, if these are sound; signed data is never touched
    #[arg(long)]
    repair_indexes: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    let data = match &args.data {
        Some(data) => data.clone(),
        None => NodeConfig::load(&context.home)?.data,
    };
    if !args.repair_indexes {
        let store = Store::open_read_only(&data, &treaty).map_err(opening)?;
        let report = check(&store)?;
        print(&report, context, &data);
        return verdict(&report);
    }
    if !data.exists() {
        return Err(Failure::new(Code::Input, format!("there is no data folder {}", data.display())));
    }
    let store = Store::open(&data, &treaty).map_err(opening)?;
    let mut report = check(&store)?;
    // Indexes made from damaged records or trees would only hide the damage.
    if !report.is_sound() && only_indexes(&report) {
        let bar = bar("Making the indexes anew", false);
        store.rebuild_indexes(&mut |done, total| show(&bar, done, total)).map_err(opening)?;
        bar.finish_and_clear();
        report = check(&store)?;
    }
    print(&report, context, &data);
    verdict(&report)
}

fn check(store: &Store) -> Result<Report, Failure> {
    let bar = bar("Verifying", false);
    let report = fsck(store, &mut |done, total| show(&bar, done, total)).map_err(opening);
    bar.finish_and_clear();
    report
}

fn only_indexes(report: &Report) -> bool {
    report.unlisted == 0 && report.faults.iter().all(|fault| fault.repairable)
}

fn print(report: &Report, context: &Context, data: &Path) {
    let out = &context.out;
    if out.json {
        return out.value(report);
    }
    out.line(format!(
        "{}: {} records, {} tiles, {} signed heads, {} receipts and {} fork proofs verified.",
        data.display(),
        report.records,
        report.tiles,
        report.heads,
        report.receipts,
        report.forks
    ));
    for fault in &report.faults {
        let repair = if fault.repairable { " (--repair-indexes puts it right)" } else { "" };
        out.line(format!("{}: {}{repair}", out.bad(&fault.place), fault.what));
    }
    if report.unlisted > 0 {
        out.line(format!("and {} more", report.unlisted));
    }
    if report.is_sound() {
        out.line(out.good("Everything is as it was signed."));
    }
}

fn verdict(report: &Report) -> Result<(), Failure> {
    if report.is_sound() {
        return Ok(());
    }
    let count = report.faults.len() as u64 + report.unlisted;
    let faults = if count == 1 { "fault was" } else { "faults were" };
    let failure = Failure::new(Code::Damaged, format!("{count} {faults} found; no signed data was changed"));
    Err(if only_indexes(report) {
        failure.hint("only indexes are concerned: stop the node and run `verbale fsck --repair-indexes`")
    } else {
        failure.hint(
            "keep a copy of the data folder; then move it away and start the node while other parties' nodes can be \
             reached: it takes all records back from them, its own included, before it signs anything",
        )
    })
}

fn opening(error: StoreError) -> Failure {
    let text = error.to_string();
    match error {
        StoreError::Locked(_) => Failure::new(Code::Locked, text)
            .hint("stop the node first, or let the running node write a snapshot and name that folder with --data"),
        StoreError::OtherTreaty(_) => Failure::new(Code::Input, text)
            .hint("name the home folder of the party whose data it is with --home, or the folder with --data"),
        StoreError::NewerFormat(_) => {
            Failure::new(Code::Input, text).hint("use the version of the program that wrote it")
        }
        StoreError::DiskFull(_) => Failure::new(Code::Disk, text).hint("make room and run the command again"),
        StoreError::Damaged { .. } => Failure::new(Code::Damaged, text).hint(
            "keep a copy of the data folder; then move it away and start the node while other parties' nodes can be \
             reached: it takes all records back from them",
        ),
        _ => Failure::new(Code::Input, text),
    }
}

fn show(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}
