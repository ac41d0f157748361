//! `verbale sign`: officials sign a note, each on any machine, offline.

mod copies;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use copies::{Copy, Known, known_signers, merge};
use serde_json::json;

use super::keys::{PassphraseArgs, is_official};
use super::{Code, Context, Failure, display, draft, files, prompt};
use crate::keys;
use crate::ledger::{Notification, Profile, Treaty};
use crate::note::{KeyType, SignedNote, SigningKey};

/// Sign a draft, add a signature to a signed note, or bring together what several officials signed. Works offline.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The draft or the signed note.
    #[arg(required_unless_present = "merge")]
    file: Option<PathBuf>,
    /// Copies of the same note that others signed elsewhere: their signatures are brought together on one.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    merge: Vec<PathBuf>,
    /// The official's short name in the home folder, or a key file. Without it, --merge adds no new signature.
    #[arg(long, value_name = "NAME", required_unless_present = "merge")]
    key: Option<String>,
    /// Where to write the signed note; by default beside the draft, with the ending .note. A note that is signed
    /// already stays in its file; copies are brought together in the first one.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    let profile = context.profile(&treaty)?;
    let copies = args.file.iter().chain(&args.merge).map(|path| Copy::read(path)).collect::<Result<Vec<_>, _>>()?;
    let [first, others @ ..] = copies.as_slice() else {
        return Err(Failure::new(Code::Usage, "there is no file to sign"));
    };
    if args.key.is_none() && others.is_empty() {
        let text = format!("{} is one copy: there is nothing to bring together", first.path.display());
        return Err(Failure::new(Code::Usage, text).hint("name the other copies as well, or an official with --key"));
    }
    let faults = draft::faults(&first.notification, &treaty, &profile);
    if !faults.is_empty() {
        return Err(draft::refuse(&first.path.display().to_string(), &faults).hint("it was not signed"));
    }
    let mut signed = merge(first, others, &profile)?;
    let known = known_signers(&signed, &first.path, context)?;
    let output = output(args, first)?;
    if let Some(name) = &args.key {
        present(first, &known, &treaty, &profile, context);
        confirm(args, context.out.json, &first.notification, &treaty)?;
        let key = official(name, &args.passphrase, &first.notification, &treaty, context)?;
        if signed.signatures().iter().any(|signature| signature.is_by(key.public())) {
            let (file, key) = (first.path.display(), key.public().name());
            let text = format!("{file} is signed by {key} already; nothing was written");
            return Err(Failure::new(Code::Refused, text));
        }
        signed.sign(&key);
    }
    let bytes = signed.to_bytes();
    // Read back as every other party will read it: too many signatures or too long a note show here.
    SignedNote::parse(&bytes)
        .map_err(|e| Failure::new(Code::Refused, format!("{}: {e}; nothing was written", first.path.display())))?;
    if output == first.path {
        files::replace(&output, &bytes)?
    } else {
        files::create(&output, &bytes)?
    }
    report(&signed, first, &output, &profile, context);
    Ok(())
}

/// What the note says, before it is signed.
fn present(first: &Copy, known: &[Known], treaty: &Treaty, profile: &Profile, context: &Context) {
    let out = &context.out;
    if out.json {
        return;
    }
    draft::present(&first.notification, treaty, profile, context);
    if !known.is_empty() {
        let word = |known: &Known| match known.verified {
            true => format!("{} (verified)", known.name),
            false => format!("{} (its public key is not here: not verified)", known.name),
        };
        out.line(format!("Signed so far by: {}", known.iter().map(word).collect::<Vec<_>>().join(", ")));
    }
    out.line("");
}

/// Who has signed, and how many more the profile demands.
fn report(signed: &SignedNote, first: &Copy, output: &Path, profile: &Profile, context: &Context) {
    let out = &context.out;
    let names: Vec<_> = signed.signatures().iter().map(|signature| signature.name.clone()).collect();
    // Two keys of one name are one official's.
    let officials = names.iter().collect::<BTreeSet<_>>().len();
    let kind = profile.kind.get(&first.notification.kind);
    let demanded = kind.map_or(1, |kind| kind.signatures as usize);
    let missing = demanded.saturating_sub(officials);
    if out.json {
        return out.value(&json!({
            "file": output, "id": first.notification.id.to_string(), "signatures": names, "demanded": demanded,
            "missing": missing,
        }));
    }
    out.line(format!("Signed by {}: {}", display::join(&names, "and"), output.display()));
    if missing > 0 {
        let article = kind.map(|kind| kind.article.as_str()).filter(|article| !article.is_empty());
        let article = article.map_or(String::new(), |article| format!(" ({article})"));
        let more = display::count(missing, "more official has", "more officials have");
        out.line(format!("The profile{article} demands {demanded} officials: {more} to sign it."));
        out.line(format!("On their machine: verbale sign {} --key NAME", output.display()));
    } else {
        out.line(format!("It counts once the party's node has logged it: verbale submit {}", output.display()));
    }
}

/// The secret key of the official who is to sign a note: by short name in the home folder, or from a key file.
pub fn official(
    name: &str,
    passphrase: &PassphraseArgs,
    notification: &Notification,
    treaty: &Treaty,
    context: &Context,
) -> Result<SigningKey, Failure> {
    let path = if is_official(name) { context.official_path(name) } else { Path::new(name).to_owned() };
    let key = keys::load(&path, &passphrase.passphrase())?;
    check_key(&key, &path, notification, treaty)?;
    Ok(key)
}

/// Where the signed note goes; found out before anybody is asked anything.
fn output(args: &Args, first: &Copy) -> Result<PathBuf, Failure> {
    let is_signed = !first.note.signatures().is_empty();
    let output = match &args.output {
        Some(output) => output.clone(),
        None if is_signed => first.path.clone(),
        None => first.path.with_extension("note"),
    };
    if output != first.path || !is_signed {
        files::absent(&output)?;
    }
    Ok(output)
}

fn confirm(args: &Args, json: bool, notification: &Notification, treaty: &Treaty) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    // With --json or in a pipe the note was not shown to the person: nobody can say yes to what they have not seen.
    if json || !prompt::is_interactive() || !std::io::stdout().is_terminal() {
        let text = "the signature has to be confirmed on a terminal; nothing was signed";
        return Err(Failure::new(Code::Usage, text).hint("give --yes to sign without being asked"));
    }
    let question = format!("Sign this for {}?", display::party(treaty, &notification.from));
    if prompt::confirm(&question)? {
        return Ok(());
    }
    Err(Failure::new(Code::Refused, "not confirmed; nothing was signed"))
}

/// Only an official's key of the sending party signs: never its root, log or witness key, nor another party's.
fn check_key(key: &SigningKey, path: &Path, notification: &Notification, treaty: &Treaty) -> Result<(), Failure> {
    let name = key.public().name();
    let origin = format!("{}/{}/", treaty.file().name, notification.from);
    let official = name.strip_prefix(&origin).is_some_and(is_official) && key.public().kind() == KeyType::Ed25519;
    let listed = treaty
        .parties()
        .iter()
        .any(|p| [&p.root, &p.log, &p.witness].iter().any(|k| k.public() == key.public().public()));
    if official && !listed {
        return Ok(());
    }
    let text = format!(
        "{} holds the key {name}, which is not an official's key of {}; nothing was signed",
        path.display(),
        display::party(treaty, &notification.from)
    );
    Err(Failure::new(Code::Refused, text)
        .hint(format!("a note from {} is signed by a key {origin}NAME", notification.from)))
}
