//! `verbale treaty new`: a treaty file without parties yet.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{Code, Context, Failure, check_profile, files};
use super::quorum;
use crate::ledger::{MAX_PROFILE_BYTES, canon, is_ledger_name};

/// Longest quorum text, in bytes.
const MAX_QUORUM_BYTES: usize = 65_536;

/// Start a treaty file in the home folder, to which parties are then added.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ledger's name, as open-skies: the first part of every key's name.
    #[arg(long)]
    name: String,
    /// The treaty's title, as "Treaty on Open Skies".
    #[arg(long)]
    title: String,
    /// The treaty's profile; it is copied to profile.toml in the home folder.
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// The quorum of receipts as C2SP tlog-policy lines (`group`, `quorum`), or a file with them; by default a
    /// majority of the parties, and one depositary if there are several.
    #[arg(long, value_name = "TEXT|FILE")]
    quorum: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let fail = |text: &str| Failure::new(Code::Input, text);
    if !is_ledger_name(&args.name) {
        return Err(fail("a ledger's name is lower-case words with hyphens, as open-skies"));
    }
    if !(1..=200).contains(&args.title.len()) || canon::check_plain(&args.title).is_err() {
        return Err(fail("the treaty's title is empty, longer than 200 bytes, or has invisible characters"));
    }
    let (_, hash) = check_profile(&args.profile)?;
    let quorum = match &args.quorum {
        None => quorum::default(&[]),
        Some(text) if Path::new(text).is_file() => files::read_text(Path::new(text), MAX_QUORUM_BYTES)?,
        Some(text) if text.contains("quorum ") => format!("{}\n", text.trim_end()),
        Some(text) => {
            let text = format!("{text:?} is neither a file nor a quorum: it has no line `quorum NAME`");
            return Err(Failure::new(Code::Input, text));
        }
    };
    if quorum.contains("'''") || quorum.contains('\r') {
        return Err(fail("a quorum has no ''' and no carriage returns in it"));
    }
    let treaty_path = context.treaty_path();
    files::absent(&treaty_path)?;
    fs::create_dir_all(&context.home)
        .map_err(|e| Failure::new(Code::Input, format!("{} cannot be made: {e}", context.home.display())))?;
    copy_profile(&args.profile, &context.profile_path())?;
    let text = format!(
        "# The treaty file: the root of trust. Every party holds the same bytes; their SHA-256 is the ledger's identity.\n\
         version = 1\nname = \"{}\"\ntitle = {}\nprofile_sha256 = \"{}\"\n\n# Whose receipts make a note final: lines of a \
         C2SP tlog-policy, in which witnesses are parties by code.\nquorum = '''\n{quorum}'''\n",
        args.name,
        toml::Value::from(args.title.as_str()),
        hash.to_hex(),
    );
    files::create(&treaty_path, text.as_bytes())?;

    let out = &context.out;
    if out.json {
        out.value(&json!({ "file": treaty_path, "name": args.name, "profile_sha256": hash }));
        return Ok(());
    }
    out.line(format!("Wrote {}, without parties yet.", treaty_path.display()));
    out.line(
        "Add each of them with the file that its `verbale keys new` wrote: verbale treaty add-party CODE.party.toml",
    );
    Ok(())
}

/// Puts the profile beside the treaty file, unless the same one lies there.
fn copy_profile(from: &Path, to: &Path) -> Result<(), Failure> {
    let bytes = files::read(from, MAX_PROFILE_BYTES)?;
    if !to.exists() {
        return files::create(to, &bytes);
    }
    if files::read(to, MAX_PROFILE_BYTES)? != bytes {
        let text = format!("{} exists already and is another profile than {}", to.display(), from.display());
        return Err(Failure::new(Code::Input, text).hint("move it away, or name it with --profile"));
    }
    Ok(())
}
