//! `verbale keys rotate`: the root puts a new log, witness or transport key in the place of the old one.

use std::path::PathBuf;

use serde_json::json;

use super::super::{Context, Failure, clock, files};
use super::{PassphraseArgs, ProtectArgs};
use crate::keys;
use crate::ledger::{Credential, Job, NewKey, Rotation};
use crate::note::KeyType;

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

/// Runs the command. The secret key is on disk before anything names its public half.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (treaty, party, origin) = super::at_home(context)?;
    let root_passphrase = PassphraseArgs { passphrase_file: args.root_passphrase_file.clone() };
    let root = keys::load_as(&context.key_path("root"), &party.root, &root_passphrase.passphrase())?;
    let protect = args.protect.choose()?;
    let job = args.job.as_str();
    let hex = |id: [u8; 4]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (path, key) = match args.job {
        Job::Log | Job::Witness => {
            let (name, kind) = match args.job {
                Job::Log => (origin.clone(), KeyType::Ed25519),
                _ => (format!("{origin}/witness"), KeyType::Cosignature),
            };
            let secret = keys::generate(&name, kind)?;
            let path = context.key_path(&format!("{job}-{}", hex(secret.public().id())));
            keys::create(&path, &secret, protect.as_ref())?;
            let public = secret.public().clone();
            (path, if args.job == Job::Log { NewKey::Log(public) } else { NewKey::Witness(public) })
        }
        Job::Transport => {
            let secret = keys::generate_transport(&format!("{origin}/transport"))?;
            let peer = secret.peer_id();
            let path = context.key_path(&format!("{job}-{}", &peer[peer.len().saturating_sub(8)..]));
            keys::create_transport(&path, &secret, protect.as_ref())?;
            (path, NewKey::Transport(peer))
        }
    };
    let stem = path.file_stem().map_or_else(|| job.to_owned(), |stem| stem.to_string_lossy().into_owned());
    let output = args.output.clone().unwrap_or_else(|| context.home.join(format!("{stem}.credential")));
    let rotation = Rotation {
        issued: clock::now(),
        key,
        ledger: treaty.hash(),
        lost: args.lost,
        party: party.code.clone(),
        reason: args.reason.clone(),
    };
    let bytes = super::signed(&Credential::Rotate(rotation.clone()), &root, &party, &origin, &treaty)?;
    files::absent(&output)?;
    files::create(&output, &bytes)?;
    let out = &context.out;
    if out.json {
        out.value(&json!({ "job": job, "key": rotation.key.to_string(), "secret": path, "file": output }));
        return Ok(());
    }
    out.line(format!("Made a new {job} key: {}", path.display()));
    out.line("Bring it into the node's keys folder, and start the node again so that it has it.");
    out.line(format!("It takes the old one's place when the node has logged it: verbale submit {}", output.display()));
    Ok(())
}
