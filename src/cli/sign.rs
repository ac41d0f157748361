//! `verbale sign`: an official signs a draft, on any machine, offline.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::keys::{PassphraseArgs, is_official};
use super::{Code, Context, Failure, display, draft, files, prompt};
use crate::keys;
use crate::ledger::{Notification, Treaty};
use crate::note::{KeyType, MAX_NOTE_BYTES, SignedNote, SigningKey};

/// Sign a draft, or add a signature to a signed note. Works offline.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The draft or the signed note.
    file: PathBuf,
    /// The official's short name in the home folder, or a key file.
    #[arg(long, value_name = "NAME")]
    key: String,
    /// Where to write the signed note; by default beside the draft, with the ending .note. A note that is signed
    /// already stays in its file.
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
    let (mut signed, notification) = read(&args.file)?;
    let faults = draft::faults(&notification, &treaty, &profile);
    if !faults.is_empty() {
        return Err(draft::refuse(&args.file.display().to_string(), &faults).hint("it was not signed"));
    }
    let output = output(args, &signed)?;
    if !context.out.json {
        draft::present(&notification, &treaty, &profile, context);
        let names: Vec<_> = signed.signatures().iter().map(|signature| signature.name.clone()).collect();
        if !names.is_empty() {
            context.out.line(format!("Signature lines so far, not verified here: {}", names.join(", ")));
        }
        context.out.line("");
    }
    confirm(args, context.out.json, &notification, &treaty)?;

    let key = official(&args.key, &args.passphrase, &notification, &treaty, context)?;
    if signed.signatures().iter().any(|signature| signature.is_by(key.public())) {
        let text = format!("{} is signed by {} already; nothing was written", args.file.display(), key.public().name());
        return Err(Failure::new(Code::Refused, text));
    }
    signed.sign(&key);
    let bytes = signed.to_bytes();
    // Read back as every other party will read it: too many signatures or too long a note show here.
    SignedNote::parse(&bytes)
        .and_then(|note| note.verify(key.public()))
        .map_err(|e| Failure::new(Code::Refused, format!("{}: {e}; nothing was written", args.file.display())))?;
    if output == args.file {
        files::replace(&output, &bytes)?
    } else {
        files::create(&output, &bytes)?
    }

    let out = &context.out;
    let names: Vec<_> = signed.signatures().iter().map(|signature| &signature.name).collect();
    if out.json {
        out.value(&json!({ "file": output, "id": notification.id.to_string(), "signatures": names }));
        return Ok(());
    }
    out.line(format!("Signed as {}: {}", key.public().name(), output.display()));
    out.line(format!("It counts once the party's node has logged it: verbale submit {}", output.display()));
    Ok(())
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

/// Reads a draft (one line of canonical JSON) or a signed note.
fn read(path: &Path) -> Result<(SignedNote, Notification), Failure> {
    let fail = |what: &dyn std::fmt::Display| {
        Failure::new(Code::Input, format!("{} is neither a draft nor a signed note: {what}", path.display()))
            .hint("make a draft with `verbale new`; a draft that was edited by hand is no longer one")
    };
    let text = files::read_text(path, MAX_NOTE_BYTES)?;
    let note = match text.contains("\n\n") {
        true => SignedNote::parse(text.as_bytes()),
        false => SignedNote::new(text),
    };
    let note = note.map_err(|e| fail(&e))?;
    let notification = Notification::parse(note.text()).map_err(|e| fail(&e))?;
    Ok((note, notification))
}

/// Where the signed note goes; found out before anybody is asked anything.
fn output(args: &Args, signed: &SignedNote) -> Result<PathBuf, Failure> {
    let output = match &args.output {
        Some(output) => output.clone(),
        None if !signed.signatures().is_empty() => args.file.clone(),
        None => args.file.with_extension("note"),
    };
    if output != args.file || signed.signatures().is_empty() {
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
