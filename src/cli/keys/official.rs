//! `verbale keys official`: the key with which an official signs notifications.

use serde_json::json;

use super::super::{Code, Context, Failure};
use super::ProtectArgs;
use crate::keys::{self, KeyFileError, Public, PublicKey};
use crate::ledger::canon;
use crate::note::KeyType;

/// Make an official's key, on whatever machine the official signs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A short name for the key, as foreign-minister: lower-case words with hyphens.
    name: String,
    /// The official's title, as "Minister for Foreign Affairs".
    #[arg(long)]
    title: String,
    /// The ledger's name; by default that of the home folder.
    #[arg(long)]
    ledger: Option<String>,
    /// The party's code; by default that of the home folder.
    #[arg(long, value_name = "CODE")]
    party: Option<String>,
    #[command(flatten)]
    protect: ProtectArgs,
}

/// Longest short name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Whether a text is an official's short name: not one of the party's own keys, and safe as a file name.
pub fn is_official(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !["root", "log", "witness", "transport"].contains(&name)
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    if !is_official(&args.name) {
        let text = format!(
            "{:?} is not an official's short name: lower-case words with hyphens, at most {MAX_NAME_BYTES} bytes, and \
             not root, log, witness or transport",
            args.name
        );
        return Err(Failure::new(Code::Input, text));
    }
    check_title(&args.title)?;
    let identity = context.identity(args.ledger.as_deref(), args.party.as_deref())?;
    let path = context.official_path(&args.name);
    for path in [path.clone(), keys::public_path(&path)] {
        if path.exists() {
            return Err(KeyFileError::Exists(path).into());
        }
    }
    let key = keys::generate(&format!("{}/{}", identity.origin(), args.name), KeyType::Ed25519)?;
    let passphrase = args.protect.choose()?;
    keys::create(&path, &key, passphrase.as_ref())?;
    let public = Public { title: Some(args.title.clone()), key: PublicKey::Verifier(key.public().clone()) };
    keys::create_public(&keys::public_path(&path), &public)?;

    let out = &context.out;
    if out.json {
        out.value(&json!({ "key": key.public(), "title": args.title, "file": path }));
        return Ok(());
    }
    out.line(format!("Made the key of the {} of {}: {}", args.title, identity.party, path.display()));
    out.line(format!("Public key: {}", key.public()));
    out.line(format!(
        "It signs nothing that counts until the party's root grants it: verbale keys grant {}",
        args.name
    ));
    Ok(())
}

/// Titles are shown beside signatures.
pub(super) fn check_title(title: &str) -> Result<(), Failure> {
    if !(1..=200).contains(&title.len()) || canon::check_plain(title).is_err() {
        let text = "the title is empty, longer than 200 bytes, or has invisible characters";
        return Err(Failure::new(Code::Input, text));
    }
    Ok(())
}
