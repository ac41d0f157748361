//! `verbale keys new`: the four keys of a party, and the party file to send to whoever composes the treaty file.

use std::path::PathBuf;

use serde_json::json;

use super::super::role::RoleArg;
use super::super::{Code, Context, Failure, NodeConfig, check_address, files};
use super::ProtectArgs;
use crate::keys::{self, KeyFileError, Passphrase, Public, PublicKey, TransportKey};
use crate::ledger::{Party, Role, canon};
use crate::note::{KeyType, SigningKey};

/// Make a party's keys: root, log, witness and transport; write its party file.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ledger's name, as open-skies.
    #[arg(long)]
    ledger: String,
    /// The party's code (ISO 3166), as CA.
    #[arg(long, value_name = "CODE")]
    party: String,
    /// The party's full name, as "Canada".
    #[arg(long)]
    name: String,
    /// What the party is in the treaty; may be given several times.
    #[arg(long = "role", value_name = "ROLE", default_value = "state-party")]
    roles: Vec<RoleArg>,
    /// A libp2p address at which other parties reach the node; may be given several times.
    #[arg(long = "address", value_name = "MULTIADDR")]
    addresses: Vec<String>,
    #[command(flatten)]
    protect: ProtectArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let identity = context.identity(Some(&args.ledger), Some(&args.party))?;
    check(args)?;
    let party_file = context.home.join(format!("{}.party.toml", identity.party));
    let jobs = ["root", "log", "witness", "transport"];
    let key_files = jobs.map(|job| context.key_path(job));
    for path in key_files.iter().flat_map(|path| [path.clone(), keys::public_path(path)]) {
        if path.exists() {
            return Err(KeyFileError::Exists(path).into());
        }
    }
    files::absent(&party_file)?;

    let origin = identity.origin();
    let root = keys::generate(&format!("{origin}/root"), KeyType::Ed25519)?;
    let log = keys::generate(&origin, KeyType::Ed25519)?;
    let witness = keys::generate(&format!("{origin}/witness"), KeyType::Cosignature)?;
    let transport = keys::generate_transport(&format!("{origin}/transport"))?;
    let party = Party {
        code: identity.party.clone(),
        name: args.name.clone(),
        roles: roles(&args.roles),
        root: root.public().clone(),
        log: log.public().clone(),
        witness: witness.public().clone(),
        peer: transport.peer_id(),
        addresses: args.addresses.clone(),
    };
    let text = party_text(&party)?;

    let passphrase = args.protect.choose()?;
    let signing =
        [(&root, "Root: signs credentials"), (&log, "Log: signs checkpoints"), (&witness, "Witness: signs receipts")];
    write(&signing, &transport, &key_files, passphrase.as_ref()).map_err(|failure| {
        let keys = context.home.join("keys");
        failure.hint(format!("these keys are not complete: remove what was written to {}, start again", keys.display()))
    })?;
    files::create(&party_file, text.as_bytes())?;
    let configured = NodeConfig::create(&context.home, &identity.party)?;

    if context.out.json {
        context.out.value(&json!({ "party": party, "party_file": party_file, "keys": key_files }));
        return Ok(());
    }
    let out = &context.out;
    out.line(format!(
        "Made the keys of {} ({}) in {}.",
        args.name,
        identity.party,
        context.home.join("keys").display()
    ));
    if configured {
        out.line(format!("Wrote {}: how the node runs.", context.home.join("verbale.toml").display()));
    }
    out.line(format!("Wrote {}: public, to be sent to whoever composes the treaty file.", party_file.display()));
    out.line("");
    out.line(format!("{} is needed only to grant keys to officials. Copy it to two", key_files[0].display()));
    out.line("media that are kept offline and delete it here: whoever has it can name officials for this party.");
    if passphrase.is_none() {
        out.line("The keys are not encrypted. Whoever can read these files can sign for this party.");
    }
    Ok(())
}

/// Each secret key, and its public half beside it.
fn write(
    signing: &[(&SigningKey, &str); 3],
    transport: &TransportKey,
    files: &[PathBuf; 4],
    passphrase: Option<&Passphrase>,
) -> Result<(), Failure> {
    let [signing_files @ .., transport_file] = files;
    for ((key, title), path) in signing.iter().zip(signing_files) {
        keys::create(path, key, passphrase)?;
        let public = Public { title: Some((*title).to_owned()), key: PublicKey::Verifier(key.public().clone()) };
        keys::create_public(&keys::public_path(path), &public)?;
    }
    keys::create_transport(transport_file, transport, passphrase)?;
    let title = Some("Transport: the node's peer id".to_owned());
    keys::create_public(
        &keys::public_path(transport_file),
        &Public { title, key: PublicKey::Peer(transport.peer_id()) },
    )?;
    Ok(())
}

fn check(args: &Args) -> Result<(), Failure> {
    if args.name.is_empty() || args.name.len() > 200 || canon::check_plain(&args.name).is_err() {
        let text = "the party's name is empty, longer than 200 bytes, or has invisible characters";
        return Err(Failure::new(Code::Input, text));
    }
    if args.addresses.len() > 16 {
        return Err(Failure::new(Code::Input, "a party has at most 16 addresses"));
    }
    args.addresses.iter().try_for_each(|address| check_address(address)).map_err(|e| Failure::new(Code::Input, e))
}

fn roles(args: &[RoleArg]) -> Vec<Role> {
    let mut roles = Vec::new();
    for arg in args {
        let role = Role::from(*arg);
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    roles
}

fn party_text(party: &Party) -> Result<String, Failure> {
    let fields = toml::to_string(party).map_err(|e| Failure::new(Code::Other, e.to_string()))?;
    Ok(format!(
        "# {} in the ledger {}: public keys and addresses, one [[party]] of the treaty file.\n{fields}",
        party.name,
        party.log.name().split('/').next().unwrap_or_default()
    ))
}
