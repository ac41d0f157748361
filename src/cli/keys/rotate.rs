//! `verbale keys rotate`: the root puts a new log, witness or transport key in the place of the old one.

use std::path::PathBuf;

use serde_json::json;

use super::super::{Context, Failure, clock, files};
use super::{PassphraseArgs, ProtectArgs};
use crate::keys::{self, Public, PublicKey, TransportKey};
use crate::ledger::{Credential, Job, NewKey, Rotation};
use crate::note::{KeyType, SigningKey};

/// Make a new key for a job of the party's node, and sign with the root key that it takes the old one's place.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which key: log, witness or transport.
    #[arg(value_parser = |word: &str| Job::parse(word).ok_or("log, witness or transport"))]
    job: Job,
    /// The old key is lost, or somebody else may have it: it has no part in the change.
    #[arg(long)]
    lost: bool,
    /// Why, for people.
    #[arg(long)]
    reason: Option<String>,
    /// Where to write the credential; by default beside the home folder's other files.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take the root key's passphrase from this file's first line.
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    protect: ProtectArgs,
}

/// A new key, which is not on disk yet.
enum Made {
    Signing(Box<SigningKey>),
    Transport(TransportKey),
}

/// Runs the command. The secret key is on disk before anything names its public half.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (treaty, party, origin) = super::at_home(context)?;
    args.output.as_ref().map_or(Ok(()), |output| files::absent(output))?;
    let root_passphrase = PassphraseArgs { passphrase_file: args.root_passphrase_file.clone() };
    let root = keys::load_as(&context.key_path("root"), &party.root, &root_passphrase.passphrase())?;
    let protect = args.protect.choose()?;
    let job = args.job.as_str();
    let (made, key, title) = match args.job {
        Job::Log => {
            let made = keys::generate(&origin, KeyType::Ed25519)?;
            let key = NewKey::Log(made.public().clone());
            (Made::Signing(Box::new(made)), key, "Log: signs checkpoints, by a rotation")
        }
        Job::Witness => {
            let made = keys::generate(&format!("{origin}/witness"), KeyType::Cosignature)?;
            let key = NewKey::Witness(made.public().clone());
            (Made::Signing(Box::new(made)), key, "Witness: signs receipts, by a rotation")
        }
        Job::Transport => {
            let made = keys::generate_transport(&format!("{origin}/transport"))?;
            let key = NewKey::Transport(made.peer_id());
            (Made::Transport(made), key, "Transport: the node's peer id, by a rotation")
        }
    };
    let rotation = Rotation {
        issued: clock::now(),
        key,
        ledger: treaty.hash(),
        lost: args.lost,
        party: party.code.clone(),
        reason: args.reason.clone(),
    };
    let bytes = super::signed(&Credential::Rotate(rotation.clone()), &root, &party, &origin, &treaty)?;

    let stem = format!("{job}-{}", short(&rotation.key));
    let path = context.key_path(&stem);
    let output = args.output.clone().unwrap_or_else(|| context.home.join(format!("{stem}.credential")));
    files::absent(&output)?;
    let public = match &made {
        Made::Signing(key) => {
            keys::create(&path, key, protect.as_ref())?;
            PublicKey::Verifier(key.public().clone())
        }
        Made::Transport(key) => {
            keys::create_transport(&path, key, protect.as_ref())?;
            PublicKey::Peer(key.peer_id())
        }
    };
    keys::create_public(&keys::public_path(&path), &Public { title: Some(title.to_owned()), key: public })?;
    files::create(&output, &bytes)?;
    let out = &context.out;
    if out.json {
        out.value(&json!({ "job": job, "key": rotation.key.to_string(), "secret": path, "file": output }));
        return Ok(());
    }
    out.line(format!("Made a new {job} key: {}", path.display()));
    let submit = format!("verbale submit {}", output.display());
    if args.job == Job::Transport {
        out.line("Bring it into the node's keys folder. It takes the old one's place when the node has logged it:");
        out.line(format!("{submit}; then start the node again."));
    } else {
        out.line("Bring it into the node's keys folder, and start the node again so that it has it.");
        out.line(format!("It takes the old one's place when the node has logged it: {submit}"));
    }
    Ok(())
}

/// What tells a key from others of its job, in a file's name.
fn short(key: &NewKey) -> String {
    match key {
        NewKey::Log(key) | NewKey::Witness(key) => key.id().iter().map(|byte| format!("{byte:02x}")).collect(),
        NewKey::Transport(peer) => peer.chars().skip(peer.chars().count().saturating_sub(8)).collect(),
    }
}
