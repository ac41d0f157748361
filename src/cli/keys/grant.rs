//! `verbale keys grant`: the root says, in a credential for the log, which kinds an official's key may sign.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{Code, Context, Failure, clock, display, files};
use super::{PassphraseArgs, official};
use crate::keys::{self, Public, PublicKey};
use crate::ledger::{Credential, Grant, Party, Timestamp, Treaty};
use crate::note::{KeyType, VerifierKey};

/// Sign, with the party's root key, that an official may sign notifications of some kinds.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The official's short name, or a file with the official's public key.
    official: String,
    /// The kinds that the official may sign, separated by commas; * for all.
    #[arg(long, value_delimiter = ',', required = true, value_name = "KINDS")]
    kinds: Vec<String>,
    /// The official's title; by default as in the public key's file.
    #[arg(long)]
    title: Option<String>,
    /// The first moment at which a note may be logged with the key, as 2021-06-18T09:00:00Z or 2021-06-18.
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    from: Option<Timestamp>,
    /// The last moment, likewise; a day counts to its end.
    #[arg(long, value_name = "TIME", value_parser = super::end_time)]
    until: Option<Timestamp>,
    /// Where to write the credential; by default NAME.credential in the home folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (treaty, party, origin) = super::at_home(context)?;
    let (key, title) = official_key(&args.official, context)?;
    check_key(&key, &treaty, &party, &origin)?;
    let title = args.title.clone().or(title).ok_or_else(|| {
        Failure::new(Code::Input, "the official's title is not known").hint("give it with --title \"…\"")
    })?;
    official::check_title(&title)?;
    check_kinds(&args.kinds, context, &treaty)?;

    let path = super::output(args.output.as_ref(), &key, "credential", context)?;
    let root = keys::load_as(&context.key_path("root"), &party.root, &args.passphrase.passphrase())?;
    let grant = Grant {
        from: args.from,
        issued: clock::now(),
        key,
        kinds: args.kinds.clone(),
        ledger: treaty.hash(),
        party: party.code.clone(),
        title,
        until: args.until,
    };
    let bytes = super::signed(&Credential::Grant(grant.clone()), &root, &party, &origin, &treaty)?;
    files::create(&path, &bytes)?;

    let out = &context.out;
    if out.json {
        out.value(&json!({ "key": grant.key, "title": grant.title, "kinds": grant.kinds, "file": path }));
        return Ok(());
    }
    let kinds =
        if args.kinds.iter().any(|k| k == "*") { "all kinds".into() } else { display::join(&args.kinds, "and") };
    out.line(format!("{} of {} may sign notes of: {kinds}.", grant.title, display::party(&treaty, &party.code)));
    for (word, time) in [("From", grant.from), ("Until", grant.until)] {
        if let Some(time) = time {
            out.line(format!("{word} {}, by the time at which a note is logged.", time.display()));
        }
    }
    out.line(format!("It takes effect when the party's node has logged it: verbale submit {}", path.display()));
    Ok(())
}

/// A short name is looked up in the home folder; anything else is a file.
pub(super) fn official_key(official: &str, context: &Context) -> Result<(VerifierKey, Option<String>), Failure> {
    let path = if super::is_official(official) {
        keys::public_path(&context.official_path(official))
    } else {
        Path::new(official).to_owned()
    };
    let Public { title, key } = keys::load_public(&path).map_err(|e| Failure {
        hint: Some("give the official's short name, or the .pub file that `verbale keys official` wrote".into()),
        ..Failure::from(e)
    })?;
    match key {
        PublicKey::Verifier(key) => Ok((key, title)),
        PublicKey::Peer(_) => {
            let text = format!("{} is a transport key; it signs no notifications", path.display());
            Err(Failure::new(Code::Key, text))
        }
    }
}

/// One key, one job: an official's key has the party's name before its own, and is no other key of the treaty.
fn check_key(key: &VerifierKey, treaty: &Treaty, party: &Party, origin: &str) -> Result<(), Failure> {
    let refuse = |text: String| Err(Failure::new(Code::Refused, text));
    if key.kind() != KeyType::Ed25519 {
        return refuse(format!("{} is a key for receipts; it signs no notifications", key.name()));
    }
    let short = key.name().strip_prefix(origin).and_then(|rest| rest.strip_prefix('/'));
    if !short.is_some_and(official::is_official) {
        return refuse(format!("{} is not named as an official's key of {}: {origin}/NAME", key.name(), party.code));
    }
    for other in treaty.parties() {
        if [&other.root, &other.log, &other.witness].iter().any(|k| k.public() == key.public()) {
            return refuse(format!("{} is also a key of {} in the treaty file", key.name(), other.code));
        }
    }
    Ok(())
}

fn check_kinds(kinds: &[String], context: &Context, treaty: &Treaty) -> Result<(), Failure> {
    if kinds.iter().all(|kind| kind == "*") {
        return Ok(());
    }
    let profile = context.profile(treaty)?;
    match kinds.iter().find(|kind| *kind != "*" && !profile.kind.contains_key(*kind)) {
        None => Ok(()),
        Some(kind) => {
            let known: Vec<_> = profile.kind.keys().cloned().collect();
            Err(Failure::new(Code::Refused, format!("the kind {kind:?} is not in the treaty's profile"))
                .hint(format!("the profile's kinds: {}", known.join(", "))))
        }
    }
}
