//! `verbale verify`: checks an evidence file or an export folder, offline, with the treaty file alone.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Code, Context, Failure};
use crate::ledger::{
    MAX_EVIDENCE_BYTES, MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Profile, Treaty, Verdict, verify_evidence,
};
use crate::tlog::Hash;

/// Arguments of `verbale verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An evidence file (.tlog-proof), or the folder of an export
    #[arg(value_name = "FILE|FOLDER")]
    pub path: PathBuf,
    /// The treaty file that you trust; without it the home folder's, and for a folder the one inside it
    #[arg(long, value_name = "FILE")]
    pub treaty: Option<PathBuf>,
    /// The treaty's profile, for titles and the form of notes; without it `profile.toml` beside the treaty file
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
}

/// Runs the command. Succeeds only if everything verifies and there is nothing to be said against it.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    evidence(&args, context)
}

fn evidence(args: &Args, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    let home = context.home.join("treaty.toml");
    let treaty_path = args.treaty.clone().unwrap_or(home);
    let treaty = treaty(&treaty_path)?;
    let profile = profile(args, &treaty_path, &treaty)?;
    let bytes = read(&args.path, MAX_EVIDENCE_BYTES)?;
    let verdict = verify_evidence(&bytes, &treaty, profile.as_ref()).map_err(|error| {
        Failure::new(Code::NotVerified, format!("{} does not verify: {error}.", args.path.display())).hint(
            "Nothing in this file may be relied on. Ask for it again, and check that the treaty file is the right one.",
        )
    })?;
    if out.json {
        out.value(&serde_json::json!({"sound": verdict.is_sound(), "verdict": verdict}));
    } else {
        print(&verdict, &treaty, profile.as_ref(), context);
    }
    let against = match (&verdict.fork, verdict.is_final, verdict.marks.is_empty()) {
        (Some(_), ..) => "the log has forked",
        (None, false, _) => "its receipts do not make the treaty's quorum",
        (None, true, false) => "the note is not in order",
        (None, true, true) => return Ok(()),
    };
    Err(Failure::new(Code::NotVerified, format!("Every byte of {} verifies, but {against}.", args.path.display()))
        .hint("The sentences above say what is proven all the same."))
}

fn print(verdict: &Verdict, treaty: &Treaty, profile: Option<&Profile>, context: &Context) {
    let out = context.out;
    let sound = verdict.is_sound();
    let head = if sound { out.good("VERIFIED") } else { out.bad("VERIFIED, WITH RESERVATIONS") };
    out.line(format!("{head}  {}", out.bold(&treaty.file().title)));
    for sentence in verdict.sentences(treaty, profile) {
        out.line(format!("  {sentence}"));
    }
    out.line(out.bold("Not proven:"));
    for sentence in &verdict.not_proven {
        out.line(format!("  {sentence}"));
    }
    out.line(out.dim(&format!("Leaf hash {}; treaty file SHA-256 {}.", verdict.leaf.to_hex(), treaty.hash().to_hex())));
}

/// Reads and checks a treaty file.
fn treaty(path: &Path) -> Result<Treaty, Failure> {
    let bytes = read(path, MAX_TREATY_BYTES)?;
    Treaty::parse(&bytes).map_err(|error| {
        Failure::new(Code::Input, format!("{} is not a valid treaty file: {error}", path.display()))
            .hint("The treaty file is the same bytes at every party: ask another party for it.")
    })
}

/// The profile that was named; otherwise the one beside the treaty file, if there is one.
fn profile(args: &Args, treaty_path: &Path, treaty: &Treaty) -> Result<Option<Profile>, Failure> {
    let beside = treaty_path.with_file_name("profile.toml");
    let path = match &args.profile {
        Some(path) => path.clone(),
        None if beside.exists() => beside,
        None => return Ok(None),
    };
    let bytes = read(&path, MAX_PROFILE_BYTES)?;
    if Hash::digest(&bytes) != treaty.file().profile_sha256 {
        let message =
            format!("{} is not the profile that the treaty file names: its SHA-256 is another.", path.display());
        return Err(Failure::new(Code::Input, message).hint("Name the right one with --profile."));
    }
    let profile = Profile::parse(&bytes);
    profile.map(Some).map_err(|error| Failure::new(Code::Input, format!("{}: {error}", path.display())))
}

/// Reads a file of at most so many bytes.
fn read(path: &Path, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let fail =
        |error: std::io::Error| Failure::new(Code::Input, format!("{} cannot be read: {error}.", path.display()));
    let length = fs::metadata(path).map_err(fail)?.len();
    if length > max_bytes as u64 {
        let message = format!("{} has {length} bytes; such a file has at most {max_bytes}.", path.display());
        return Err(Failure::new(Code::Input, message));
    }
    fs::read(path).map_err(fail)
}
