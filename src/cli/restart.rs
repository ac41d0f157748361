//! `verbale restart`: the root accepts both branches of this party's log, after an accident.

use std::path::PathBuf;

use serde_json::json;

use super::keys::{self, PassphraseArgs};
use super::{Code, Context, Failure, clock, files};
use crate::audit::LogCopy;
use crate::keys as secret;
use crate::ledger::{ForkProof, Keyring, Notification, Profile, Record, RecordType, Restart};
use crate::tlog::{consistency_proof, leaf_hash, root_at};

/// Accept both branches of this party's log after an accident, so that it goes on: a restart certificate
///
/// Takes two exports of the ledger, one from a party that holds either branch (`verbale export`). Shows where the branches
/// part and what each said. With --output the certificate is signed with the root key; hand it to the node with
/// `verbale submit`. Needs neither network nor node.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An export in which the log has one branch
    first: PathBuf,
    /// An export in which it has the other
    second: PathBuf,
    /// Why, for people
    #[arg(long)]
    reason: Option<String>,
    /// Sign the certificate and write it to this file; without it, nothing is signed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (treaty, party, origin) = keys::at_home(context)?;
    let input = |what: String| Failure::new(Code::Input, what);
    let log = treaty.find(&party.code).ok_or_else(|| input(format!("no party has the code {}", party.code)))?;
    let read = |folder: &PathBuf| LogCopy::read(folder, &party.code, &origin, treaty.hash()).map_err(input);
    let (a, b) = (read(&args.first)?, read(&args.second)?);
    let (kept, other) = if a.checkpoint.size >= b.checkpoint.size { (a, b) } else { (b, a) };
    let same = kept.records.iter().zip(&other.records).take_while(|(a, b)| a == b).count();
    if same == other.records.len() {
        let what = format!("the two exports hold one log of {}: neither contradicts the other", party.name);
        return Err(
            Failure::new(Code::Refused, what).hint("take the exports from parties that hold different branches")
        );
    }
    let mut keyring = Keyring::new(&treaty);
    for copy in [&other, &kept] {
        for record in copy.records.iter().filter_map(|bytes| Record::parse(bytes).ok()) {
            if record.kind == RecordType::Credential {
                // What is no rotation says nothing about the log's key.
                let _ = keyring.party_mut(log).announce(record.payload, &treaty);
            }
        }
    }
    let refused =
        |e: &dyn std::fmt::Display| Failure::new(Code::Refused, format!("the certificate is not in form: {e}"));
    let Ok(root) = root_at(&kept, other.checkpoint.size);
    let Ok(proof) = consistency_proof(&kept, other.checkpoint.size, kept.checkpoint.size);
    let (Some(root), Some(proof)) = (root, proof) else { return Err(refused(&"the tree cannot be read")) };
    let fork = ForkProof::new(&keyring, &other.head, &kept.head, root, proof).map_err(|e| refused(&e))?;
    let leaf = |copy: &LogCopy| leaf_hash(&copy.records[same]);
    let restart = Restart {
        common: same as u64,
        fork,
        issued: clock::now(),
        kept_leaf: leaf(&kept),
        ledger: treaty.hash(),
        other_leaf: leaf(&other),
        party: party.code.clone(),
        reason: args.reason.clone(),
    };
    if let Some(path) = &args.output {
        files::absent(path)?;
        let root = secret::load_as(&context.key_path("root"), &party.root, &args.passphrase.passphrase())?;
        let bytes = restart.sign(&root).map_err(|e| refused(&e))?.to_bytes();
        Restart::verify(&bytes, log, &treaty).map_err(|e| refused(&e))?;
        files::create(path, &bytes)?;
    }
    let profile = context.profile(&treaty).ok();
    let (goes_on, left) = (said(&kept, same, profile.as_ref()), said(&other, same, profile.as_ref()));
    let out = &context.out;
    if out.json {
        let branch = |copy: &LogCopy, said: &[String]| json!({ "records": copy.checkpoint.size, "notes": said });
        out.value(&json!({
            "party": party.code, "common": same, "kept": branch(&kept, &goes_on), "other": branch(&other, &left),
            "file": args.output,
        }));
        return Ok(());
    }
    out.line(format!("The log of {} has two branches. They have the first {same} records in common.", party.name));
    for (what, copy, said) in [("goes on", &kept, &goes_on), ("does not go on", &other, &left)] {
        out.line(format!("The branch that {what} has {} records; since they parted it said:", copy.checkpoint.size));
        if said.is_empty() {
            out.line("  no note");
        }
        said.iter().for_each(|line| out.line(format!("  {line}")));
    }
    out.line("Everything on both stays said by the party, and can be proved.");
    match &args.output {
        None => out
            .line("Nothing was signed. To accept both branches with the root key, name a file: --output restart.note"),
        Some(path) => {
            out.line(format!("The certificate is signed. Hand it to the node: verbale submit {}", path.display()))
        }
    }
    Ok(())
}

/// The notes of a branch from a record on, for people.
fn said(copy: &LogCopy, from: usize, profile: Option<&Profile>) -> Vec<String> {
    let records = copy.records.iter().skip(from).filter_map(|bytes| Record::parse(bytes).ok());
    let note = |record: Record<'_>| {
        let (_, note) = Notification::of_note(record.payload).ok()?;
        let known = profile.and_then(|profile| profile.kind.get(&note.kind));
        let title = known.map_or(note.kind.as_str(), |kind| kind.title.as_str());
        let to = note.to.join(", ").replace('*', "all");
        Some(format!("record {}, {}: {title} to {to}", record.index, record.time.display()))
    };
    records.filter(|record| record.kind == RecordType::Notification).filter_map(note).collect()
}
