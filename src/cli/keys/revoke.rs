//! `verbale keys revoke`: the root says that an official's key counts no longer.

use std::path::PathBuf;

use serde_json::json;

use super::super::{Context, Failure, clock, files};
use super::{PassphraseArgs, grant};
use crate::keys;
use crate::ledger::{Credential, Revocation};

/// Sign, with the party's root key, that an official's key counts no longer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The official's short name, or a file with the official's public key.
    official: String,
    /// Why, for people.
    #[arg(long)]
    reason: Option<String>,
    /// Where to write the credential; by default NAME.revocation in the home folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (treaty, party, origin) = super::at_home(context)?;
    let (key, _) = grant::official_key(&args.official, context)?;
    let path = super::output(args.output.as_ref(), &key, "revocation", context)?;
    let root = keys::load_as(&context.key_path("root"), &party.root, &args.passphrase.passphrase())?;
    let revocation = Revocation {
        issued: clock::now(),
        key: key.clone(),
        ledger: treaty.hash(),
        party: party.code.clone(),
        reason: args.reason.clone(),
    };
    let bytes = super::signed(&Credential::Revoke(revocation), &root, &party, &origin, &treaty)?;
    files::create(&path, &bytes)?;
    let out = &context.out;
    if out.json {
        out.value(&json!({ "key": key, "file": path }));
        return Ok(());
    }
    out.line(format!(
        "The key {} counts no longer once the node has logged it: verbale submit {}",
        key.name(),
        path.display()
    ));
    out.line("What was logged with it before stays valid.");
    Ok(())
}
