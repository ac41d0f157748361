//! `verbale fsck`: everything that is stored, verified again from its bytes.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::data::{Data, failure};
use crate::cli::{Code, Context, Failure, NodeConfig, progress};
use crate::store::Store;
use crate::store::fsck::{Report, fsck};

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
    if !args.repair_indexes {
        let data = Data::open(args.data.as_deref(), &treaty, context)?;
        let report = check(&data.store, context)?;
        print(&report, context, &data.path);
        return verdict(&report);
    }
    let data = match &args.data {
        Some(data) => data.clone(),
        None => NodeConfig::load(&context.home)?.data,
    };
    if !data.exists() {
        return Err(Failure::new(Code::Input, format!("there is no data folder {}", data.display())));
    }
    let store = Store::open(&data, &treaty).map_err(failure)?;
    let mut report = check(&store, context)?;
    // Indexes made from damaged records or trees would only hide the damage.
    if !report.is_sound() && only_indexes(&report) {
        let bar = progress::bar("Making the indexes anew", context.out.json);
        store.rebuild_indexes(&mut |done, total| show(&bar, done, total)).map_err(failure)?;
        bar.finish_and_clear();
        report = check(&store, context)?;
    }
    print(&report, context, &data);
    verdict(&report)
}

fn check(store: &Store, context: &Context) -> Result<Report, Failure> {
    let bar = progress::bar("Verifying", context.out.json);
    let report = fsck(store, &mut |done, total| show(&bar, done, total)).map_err(failure);
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
    for (code, count) in &report.open {
        out.line(format!(
            "The log of {code} goes on with another branch: {count} receipts are for the other one, or for records that are \
             still to come; they stand in the logs of those who gave them."
        ));
    }
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

fn show(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}
