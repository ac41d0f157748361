//! `verbale keys`: a party's keys and its officials'.

mod grant;
mod history;
mod new;
mod official;
mod outside;
mod revoke;
mod rotate;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
pub use official::is_official;

use super::{Code, Context, Failure, entry, files};
use crate::keys::Passphrase;
use crate::ledger::{Credential, Party, Timestamp, Treaty};
use crate::note::{SigningKey, VerifierKey};

/// Make keys, grant them, list them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Args),
    Official(official::Args),
    Grant(grant::Args),
    Revoke(revoke::Args),
    Rotate(rotate::Args),
    Outside(outside::Args),
    Show(show::Args),
    History(history::Args),
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    match &args.command {
        Command::New(args) => new::run(args, context),
        Command::Official(args) => official::run(args, context),
        Command::Grant(args) => grant::run(args, context),
        Command::Revoke(args) => revoke::run(args, context),
        Command::Rotate(args) => rotate::run(args, context),
        Command::Outside(args) => outside::run(args, context),
        Command::Show(args) => show::run(args, context),
        Command::History(args) => history::run(args, context),
    }
}

/// The treaty, the party whose home this is, and the name of its log.
pub(super) fn at_home(context: &Context) -> Result<(Treaty, Party, String), Failure> {
    let treaty = context.treaty()?;
    let identity = context.identity(None, None)?;
    let party = entry(&treaty, &identity.party)?.clone();
    Ok((treaty, party, identity.origin()))
}

/// Where a credential about an official's key goes: as named, or beside the home folder's other files. Nothing may
/// stand there; that is found out before the root key is asked for.
fn output(named: Option<&PathBuf>, key: &VerifierKey, ending: &str, context: &Context) -> Result<PathBuf, Failure> {
    let short = key.name().rsplit('/').next().unwrap_or("official");
    let path = named.cloned().unwrap_or_else(|| context.home.join(format!("{short}.{ending}")));
    files::absent(&path)?;
    Ok(path)
}

/// A credential signed by the root, read back as every other party will read it before it leaves the root's hands.
fn signed(
    credential: &Credential,
    root: &SigningKey,
    party: &Party,
    origin: &str,
    treaty: &Treaty,
) -> Result<Vec<u8>, Failure> {
    let refused =
        |e: &dyn std::fmt::Display| Failure::new(Code::Refused, format!("the credential is not in form: {e}"));
    let bytes = credential.sign(root).map_err(|e| refused(&e))?.to_bytes();
    Credential::verify(&bytes, party, origin, &treaty.hash()).map_err(|e| refused(&e))?;
    Ok(bytes)
}

/// A moment: a time in UTC, or a day, which begins at midnight UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    let whole = || Timestamp::parse(&format!("{text}T00:00:00Z"));
    Timestamp::parse(text).or_else(whole).ok_or_else(|| "a time as 2021-06-18T09:00:00Z, or a day".to_owned())
}

/// A moment; a day counts to its end.
fn end_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(&format!("{text}T23:59:59Z")).map_or_else(|| time(text), Ok)
}

/// Where the passphrase of a key file comes from.
#[derive(Debug, clap::Args)]
pub struct PassphraseArgs {
    /// Take the passphrase from this file's first line, not from VERBALE_PASSPHRASE or the terminal.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The passphrase, fetched when first needed.
    pub fn passphrase(&self) -> Passphrase {
        Passphrase::new(self.passphrase_file.clone())
    }
}

/// How new key files are kept.
#[derive(Debug, clap::Args)]
pub struct ProtectArgs {
    /// Write the secret keys unencrypted, readable by this user only.
    #[arg(long, conflicts_with = "passphrase_file")]
    plain: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl ProtectArgs {
    /// The new files' passphrase, asked for before anything is written; none for plain files.
    pub fn choose(&self) -> Result<Option<Passphrase>, Failure> {
        if self.plain {
            return Ok(None);
        }
        let passphrase = self.passphrase.passphrase();
        passphrase.choose()?;
        Ok(Some(passphrase))
    }
}
