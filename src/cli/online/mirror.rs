//! `verbale mirror`: follow logs that others publish, check them, keep them.

use std::path::PathBuf;
use std::time::Duration;

use crate::audit::GrowError;
use crate::cli::{Code, Context, Failure, files, progress};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES};
use crate::public::mirror::{Finding, Mirror, MirrorError, Round};
use crate::public::place::Place;

/// Follow published logs, check every record, signature and receipt, and keep a copy; needs no key and no node
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub source: Source,
    /// Go on following, until interrupted
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks, with --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
}

/// What is followed, and where it is kept.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// Where the ledger is published: the address or folder below which <ledger>/<party>/checkpoint stands
    #[arg(required = true, value_name = "URL|FOLDER")]
    places: Vec<String>,
    /// The folder to keep it in; `verbale verify DIR/ledger` checks it again
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The treaty file that you trust; without it the home folder's
    #[arg(long, value_name = "FILE")]
    treaty: Option<PathBuf>,
    /// The treaty's profile; without it the one beside the treaty file, or the places', by its hash
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

impl Source {
    /// Opens the mirror.
    pub fn open(&self, ctx: &Context) -> Result<Mirror, Failure> {
        let wrong = |error| Failure::new(Code::Input, format!("{error}"));
        let places = self.places.iter().map(|text| Place::open(text).map_err(wrong)).collect::<Result<Vec<_>, _>>()?;
        let treaty_path = self.treaty.clone().unwrap_or_else(|| ctx.treaty_path());
        let treaty = files::read(&treaty_path, MAX_TREATY_BYTES)?;
        let beside = treaty_path.with_file_name("profile.toml");
        let profile = self.profile.clone().or_else(|| beside.exists().then_some(beside));
        let profile = profile.map(|path| files::read(&path, MAX_PROFILE_BYTES)).transpose()?;
        Mirror::open(&self.dir, places, &treaty, profile).map_err(failure)
    }
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let mut mirror = args.source.open(ctx)?;
    loop {
        let round = look(&mut mirror, ctx)?;
        report(&round, &mirror, args, ctx);
        if !args.watch {
            return verdict(&round);
        }
        std::thread::sleep(Duration::from_secs(args.every));
    }
}

/// One look at all places, with its progress.
pub fn look(mirror: &mut Mirror, ctx: &Context) -> Result<Round, Failure> {
    let bar = progress::bar("Mirroring", ctx.out.json);
    let round = mirror.round(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    round.map_err(failure)
}

fn report(round: &Round, mirror: &Mirror, args: &Args, ctx: &Context) {
    let ledger = mirror.ledger();
    let sizes = || (0..ledger.treaty().parties().len()).map(|log| (&ledger.treaty().party(log).code, ledger.size(log)));
    if ctx.out.json {
        let logs: serde_json::Map<_, _> = sizes().map(|(code, size)| (code.clone(), size.into())).collect();
        let value = serde_json::json!({
            "folder": ledger.folder(), "new": round.new, "records": logs, "findings": round.findings, "seen": round.seen,
            "unseen": round.unseen,
        });
        return if args.watch { ctx.out.value_line(&value) } else { ctx.out.value(&value) };
    }
    for finding in &round.findings {
        ctx.out.line(ctx.out.bad(&sentence(finding)));
    }
    if args.watch && round.new == 0 {
        return;
    }
    if !args.watch {
        for (code, size) in sizes() {
            let what =
                if round.unseen.contains(code) { "no place shows its log".into() } else { format!("{size} records") };
            ctx.out.line(format!("  {code}: {what}"));
        }
    }
    ctx.out.line(format!("{} new records are in {}.", round.new, ledger.folder().display()));
    if !args.watch {
        ctx.out.line(format!("Check them again: verbale verify {} --treaty treaty.toml", ledger.folder().display()));
    }
}

/// What was found, for people.
pub fn sentence(finding: &Finding) -> String {
    match finding {
        Finding::Fork { party, place, smaller, larger } => format!(
            "The log of {party} has forked: {place} shows a head that its key signed and that contradicts another one \
             ({smaller} and {larger} records). Both are kept as evidence."
        ),
        Finding::Rollback { party, place, file, before, now } => format!(
            "{place} shows {} of {party}: before it showed {before} records. What it showed is kept as evidence.",
            match now {
                Some(now) => format!("an older {file}, of {now} records,"),
                None => format!("no {file} any more"),
            }
        ),
        Finding::Nothing { place } => format!("{place} shows nothing of this ledger. Is the address right?"),
        Finding::Refused { party, place, why } => {
            format!("What {place} shows of {party} does not hold, and nothing of it was kept: {why}.")
        }
        Finding::Unreachable { place, why } => format!("{place} cannot be read: {why}."),
    }
}

fn verdict(round: &Round) -> Result<(), Failure> {
    let unreachable = |finding: &Finding| matches!(finding, Finding::Unreachable { .. });
    if round.findings.iter().any(|finding| !unreachable(finding)) {
        let text = "not everything that was shown holds; it is listed above";
        return Err(Failure::new(Code::NotVerified, text).hint("what was kept before is still there, and verifies"));
    }
    if round.findings.iter().any(unreachable) {
        return Err(
            Failure::new(Code::NoNode, "not all places could be read").hint("run it again: it goes on where it was")
        );
    }
    Ok(())
}

/// A failure of the mirror itself.
pub fn failure(error: MirrorError) -> Failure {
    let text = error.to_string();
    match error {
        MirrorError::Busy(_) => Failure::new(Code::Locked, text),
        MirrorError::Grow(GrowError::Damaged { .. }) => {
            Failure::new(Code::Damaged, text).hint("keep a copy of the folder; mirror into a new one")
        }
        MirrorError::Grow(GrowError::Io { .. }) | MirrorError::File { .. } => Failure::new(Code::Disk, text),
        MirrorError::Grow(_) | MirrorError::Treaty(_) | MirrorError::NoProfile => Failure::new(Code::Input, text),
        _ => Failure::new(Code::Other, text),
    }
}
