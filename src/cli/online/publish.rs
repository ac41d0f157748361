//! `verbale publish`: the ledger as static files, to a folder or an S3 store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::data::Data;
use super::public_files;
use crate::cli::{Code, Context, Failure, NodeConfig, progress};
use crate::public::outside::Outside;
use crate::public::publish::{PublishError, PublishedLog, Target, publish};

/// Write the logs as static files for everybody (C2SP tlog-tiles), to a folder or to s3://bucket/prefix
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder, or s3://bucket/prefix with credentials from the usual environment variables (AWS_…)
    #[arg(value_name = "FOLDER|s3://BUCKET/PREFIX")]
    target: String,
    /// Only the logs of these parties; otherwise those that `[public]` in verbale.toml names, or all
    #[arg(long = "log", value_name = "CODE")]
    logs: Vec<String>,
    /// Read this data folder or snapshot instead of asking the running node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Go on publishing what is new, until interrupted
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks, with --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let treaty = Arc::new(ctx.treaty()?);
    let config = if NodeConfig::is_in(&ctx.home) { Some(NodeConfig::load(&ctx.home)?) } else { None };
    let public = config.as_ref().and_then(|config| config.public.as_ref());
    let codes = match public {
        Some(public) if args.logs.is_empty() => &public.logs,
        _ => &args.logs,
    };
    let mut shown = public_files::shown(codes, treaty.clone(), ctx)?;
    let outside = public.map(|public| public.state.join("outside")).filter(|folder| folder.exists());
    if let (Some(folder), Some(me)) = (outside, config.as_ref().and_then(|config| treaty.find(&config.party))) {
        let unreadable = |error| Failure::new(Code::Disk, format!("{} cannot be read: {error}", folder.display()));
        shown = shown.with_outside(Arc::new(Outside::open(&folder, me).map_err(unreadable)?));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Other, format!("no runtime could be started: {error}")))?;
    let target = runtime.block_on(async { Target::open(&args.target) }).map_err(failure)?;
    loop {
        let data = Data::open(args.data.as_deref(), &treaty, ctx)?;
        let bar = progress::bar("Publishing", ctx.out.json);
        if data.store.treaty().number() > shown.treaty().number() {
            shown = shown.amended(data.store.treaty());
        }
        let published = runtime.block_on(publish(&shown, &data.store, &target, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        }));
        bar.finish_and_clear();
        drop(data);
        match published {
            Ok(logs) => report(&logs, args, ctx),
            // What can pass is waited for; what contradicts is not.
            Err(error @ (PublishError::Object { .. } | PublishError::Meanwhile(_))) if args.watch => {
                ctx.out.line(format!("Not published now: {error}. It is tried again in {} s.", args.every));
            }
            Err(error) => return Err(failure(error)),
        }
        if !args.watch {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(args.every));
    }
}

fn report(logs: &[PublishedLog], args: &Args, ctx: &Context) {
    let new: u64 = logs.iter().map(|log| log.new).sum();
    if ctx.out.json {
        let value = serde_json::json!({ "target": args.target, "new": new, "logs": logs });
        return if args.watch { ctx.out.value_line(&value) } else { ctx.out.value(&value) };
    }
    if args.watch && new == 0 {
        return;
    }
    for log in logs.iter().filter(|log| !args.watch || log.new > 0) {
        let text = format!("{} records, {} of them final; {} are new", log.latest, log.checkpoint, log.new);
        ctx.out.line(format!("  {}: {text}.", log.party));
    }
    ctx.out.line(format!("{new} new records were published to {}.", args.target));
}

fn failure(error: PublishError) -> Failure {
    let text = format!("not everything was published: {error}");
    match error {
        PublishError::Target(..) => Failure::new(Code::Input, error.to_string()),
        PublishError::Busy(_) => Failure::new(Code::Locked, text),
        PublishError::Read(_) => Failure::new(Code::Damaged, text).hint("run `verbale fsck`"),
        PublishError::Object { .. } => Failure::new(Code::Disk, text)
            .hint("what was there before is still whole; run it again: it goes on where it was"),
        PublishError::Meanwhile(_) => Failure::new(Code::Disk, text),
        PublishError::OtherTreaty(_) | PublishError::NotAHead(_) => Failure::new(Code::Refused, text)
            .hint("nothing there was changed; publish to another place, or find out who writes there"),
        _ => Failure::new(Code::NotVerified, text).hint(
            "nothing there was changed. If this node was restored from an old copy, let it take its records back first; \
             if the same log was signed twice, keep both and tell the other parties",
        ),
    }
}
