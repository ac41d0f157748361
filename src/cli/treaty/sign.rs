//! `verbale treaty sign`: a party's root key signs an amendment, offline.

use std::io::IsTerminal;
use std::path::PathBuf;

use serde_json::json;

use super::super::keys::PassphraseArgs;
use super::super::{Code, Context, Failure, display, files, prompt};
use super::amend::amendable;
use super::changes::in_words;
use crate::keys;
use crate::ledger::{Amendment, AmendmentError};
use crate::note::{MAX_NOTE_BYTES, SignedNote};

/// Sign an amendment with this party's root key; say whose signatures are still missing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The amendment, as `verbale treaty amend` wrote it, signed by others or not.
    file: PathBuf,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    amendable(&treaty)?;
    let code = context.identity(None, None)?.party;
    let fail = |what: &dyn std::fmt::Display| {
        Failure::new(Code::Input, format!("{} is not the treaty's next amendment: {what}", args.file.display()))
            .hint("compose it with `verbale treaty amend`; one that was edited by hand is no longer one")
    };
    let text = files::read_text(&args.file, MAX_NOTE_BYTES)?;
    let note = if text.contains("\n\n") { SignedNote::parse(text.as_bytes()) } else { SignedNote::new(text) };
    let mut note = note.map_err(|e| fail(&e))?;
    let amendment = Amendment::parse(note.text()).map_err(|e| fail(&e))?;
    let amended = treaty.draft(&amendment).map_err(|e| fail(&e))?;
    let entry = amended.find(&code).map(|at| amended.party(at).clone()).ok_or_else(|| {
        Failure::new(Code::Refused, format!("{code} is neither a party to the treaty nor does it accede by this"))
    })?;
    if note.signatures().iter().any(|line| line.is_by(&entry.root)) {
        let text = format!("{} is signed by {code} already; nothing was written", args.file.display());
        return Err(Failure::new(Code::Refused, text));
    }
    if !context.out.json {
        context.out.line(format!("Amendment {} of the treaty file:", amendment.number));
        in_words(&amended, &amendment).iter().for_each(|line| context.out.line(format!("  {line}")));
    }
    confirm(args, context, &entry.name)?;
    let root = keys::load_as(&context.key_path("root"), &entry.root, &args.passphrase.passphrase())?;
    note.sign(&root);
    let bytes = note.to_bytes();
    // Read back as every other party will read it.
    let signatures = SignedNote::parse(&bytes)
        .map_err(AmendmentError::from)
        .and_then(|note| treaty.amendment_signatures(&note, &amendment))
        .map_err(|e| Failure::new(Code::Refused, format!("{}: {e}; nothing was written", args.file.display())))?;
    files::replace(&args.file, &bytes)?;

    let out = &context.out;
    if out.json {
        out.value(&json!({
            "file": args.file, "number": amendment.number, "signed": signatures.signed, "needed": signatures.needed,
        }));
        return Ok(());
    }
    out.line(format!("Signed so far: {}.", display::join(&signatures.signed, "and")));
    if signatures.needed.is_empty() {
        out.line(format!("It is complete. Any party's node logs it: verbale submit {}", args.file.display()));
    } else {
        out.line(format!("Still missing: {}.", display::join(&signatures.needed, "and")));
        out.line(format!("May sign: {}.", display::join(&signatures.missing, "and")));
    }
    Ok(())
}

fn confirm(args: &Args, context: &Context, name: &str) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if context.out.json || !prompt::is_interactive() || !std::io::stdout().is_terminal() {
        let text = "the signature has to be confirmed on a terminal; nothing was signed";
        return Err(Failure::new(Code::Usage, text).hint("give --yes to sign without being asked"));
    }
    if prompt::confirm(&format!("Sign this for {name}, with its root key?"))? {
        return Ok(());
    }
    Err(Failure::new(Code::Refused, "not confirmed; nothing was signed"))
}
