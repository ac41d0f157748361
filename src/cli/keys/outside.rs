//! `verbale keys outside`: the key with which this party's node cosigns logs that are not of its ledger.

use serde_json::json;

use super::super::{Context, Failure};
use super::ProtectArgs;
use crate::keys::{self, KeyFileError, Public, PublicKey};
use crate::note::{KeyType, check_key_name};

/// Make the key with which the node witnesses logs outside its ledger. One key, one job: it is not the party's witness key.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The witness's name, best an address without its scheme, as witness.example.org/ca [default: LEDGER/CODE/outside]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    protect: ProtectArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => format!("{}/outside", context.identity(None, None)?.origin()),
    };
    check_key_name(&name).map_err(|error| Failure::new(super::super::Code::Input, error.to_string()))?;
    let path = context.key_path("outside");
    for path in [path.clone(), keys::public_path(&path)] {
        if path.exists() {
            return Err(KeyFileError::Exists(path).into());
        }
    }
    let key = keys::generate(&name, KeyType::Cosignature)?;
    let passphrase = args.protect.choose()?;
    keys::create(&path, &key, passphrase.as_ref())?;
    let public = Public { title: None, key: PublicKey::Verifier(key.public().clone()) };
    keys::create_public(&keys::public_path(&path), &public)?;
    let out = &context.out;
    if out.json {
        out.value(&json!({ "key": key.public(), "file": path }));
        return Ok(());
    }
    out.line(format!("Made the key of the witness {name}: {}", path.display()));
    out.line(format!("Public key: {}", key.public()));
    out.line("In verbale.toml: [public], witness_key = \"keys/outside.key\", and a [[public.log]] for each log.");
    Ok(())
}
