//! `verbale restart`: the root accepts both branches of this party's log, after an accident.

use std::path::PathBuf;

use serde_json::json;

use super::keys::{self, PassphraseArgs};
use super::{Code, Context, Failure, clock, files};
use crate::audit::LogCopy;
use crate::keys as secret;
use crate::ledger::{ForkProof, Keyring, MAX_RECORD_BYTES, Notification, Profile, Record, RecordType, Restart, Treaty};
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, consistency_proof, leaf_hash, root_at};

/// Accept both branches of this party's log after an accident, so that it goes on: a restart certificate
///
/// Takes two exports of the ledger, one from a party that holds either branch (`verbale export`). Shows where the branches
/// part and what each said. With --output the certificate is signed with the root key; hand it to the node with
/// `verbale submit`. Needs neither network nor node.
///
/// Where nobody has the records of the other branch, as when somebody else signed a head with the log's key, name the
/// fork's proof instead of the second export (--proof): then nothing but that one head is accepted beside the log.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An export in which the log has one branch; with --proof the one that goes on
    first: PathBuf,
    /// An export in which it has the other
    #[arg(required_unless_present = "proof")]
    second: Option<PathBuf>,
    /// The branch that goes on; without it, the one with more records
    #[arg(long, value_enum, value_name = "WHICH", conflicts_with = "proof")]
    keep: Option<Keep>,
    /// The proof that the log forked, from an export (forks/XX.txt), if nobody has the other branch's records
    #[arg(long, value_name = "FILE", conflicts_with = "second")]
    proof: Option<PathBuf>,
    /// Why, for people
    #[arg(long)]
    reason: Option<String>,
    /// Sign the certificate and write it to this file; without it, nothing is signed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Which of two exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Keep {
    /// The one that is named first.
    First,
    /// The one that is named second.
    Second,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (treaty, party, origin) = keys::at_home(context)?;
    let input = |what: String| Failure::new(Code::Input, what);
    let log = treaty.find(&party.code).ok_or_else(|| input(format!("no party has the code {}", party.code)))?;
    let read = |folder: &PathBuf| LogCopy::read(folder, &party.code, &origin, treaty.hash()).map_err(input);
    let first = read(&args.first)?;
    let (kept, other, restart) = match &args.second {
        Some(second) => {
            let second = read(second)?;
            let keeps_first = match args.keep {
                Some(keep) => keep == Keep::First,
                None => first.checkpoint.size >= second.checkpoint.size,
            };
            let (kept, other) = if keeps_first { (first, second) } else { (second, first) };
            let restart = of_branches(&kept, &other, log, &treaty)?;
            (kept, Some(other), restart)
        }
        None => {
            let path = args.proof.clone().unwrap_or_default();
            let proof = ForkProof::parse(&files::read(&path, MAX_RECORD_BYTES)?, &treaty);
            let proof = proof.map_err(|e| input(format!("{} proves no fork: {e}", path.display())))?;
            let restart = of_a_head(&first, &proof, log, &treaty)?;
            (first, None, restart)
        }
    };
    let restart = Restart { reason: args.reason.clone(), ..restart };
    if let Some(path) = &args.output {
        files::absent(path)?;
        let root = secret::load_as(&context.key_path("root"), &party.root, &args.passphrase.passphrase())?;
        let bytes = restart.sign(&root).map_err(|e| refused(&e))?.to_bytes();
        Restart::verify(&bytes, log, &treaty).map_err(|e| refused(&e))?;
        files::create(path, &bytes)?;
    }
    let common = restart.common as usize;
    let profile = context.profile(&treaty).ok();
    let goes_on = said(&kept, common, profile.as_ref());
    let left = other.as_ref().map(|other| said(other, common, profile.as_ref()));
    let (kept_size, other_size) = (restart.kept_head().size, restart.other_head().size);
    let out = &context.out;
    if out.json {
        out.value(&json!({
            "party": party.code, "common": other.as_ref().map(|_| common),
            "kept": { "records": kept_size, "notes": goes_on },
            "other": { "records": other_size, "notes": left }, "file": args.output,
        }));
        return Ok(());
    }
    let list = |what: &str, size: u64, said: &[String]| {
        out.line(format!("The branch that {what} has {size} records; since they parted it said:"));
        if said.is_empty() {
            out.line("  no note");
        }
        said.iter().for_each(|line| out.line(format!("  {line}")));
    };
    match &left {
        Some(left) => {
            let name = &party.name;
            out.line(format!("The log of {name} has two branches. They have the first {common} records in common."));
            list("goes on", kept_size, &goes_on);
            list("does not go on", other_size, left);
            out.line("Everything on both stays said by the party, and can be proved.");
        }
        None => {
            let name = &party.name;
            out.line(format!("The log of {name} goes on with its {kept_size} records."));
            out.line(format!(
                "Beside them, one head of {other_size} records is accepted as the party's own, and nothing under it: \
                 nobody has its records."
            ));
        }
    }
    match &args.output {
        None => out
            .line("Nothing was signed. To accept both branches with the root key, name a file: --output restart.note"),
        Some(path) => {
            out.line(format!("The certificate is signed. Hand it to the node: verbale submit {}", path.display()))
        }
    }
    Ok(())
}

fn refused(e: &dyn std::fmt::Display) -> Failure {
    Failure::new(Code::Refused, format!("the certificate is not in form: {e}"))
}

/// A certificate that names the ends of two copies of a log.
fn of_branches(kept: &LogCopy, other: &LogCopy, log: usize, treaty: &Treaty) -> Result<Restart, Failure> {
    let same = kept.records.iter().zip(&other.records).take_while(|(a, b)| a == b).count();
    let (Some(kept_leaf), Some(other_leaf)) = (kept.records.get(same), other.records.get(same)) else {
        let name = &treaty.party(log).name;
        let what = format!("the two exports hold one log of {name}: neither contradicts the other");
        let hint = "take the exports from parties that hold different branches";
        return Err(Failure::new(Code::Refused, what).hint(hint));
    };
    let mut keyring = Keyring::new(treaty);
    for copy in [other, kept] {
        for record in copy.records.iter().filter_map(|bytes| Record::parse(bytes).ok()) {
            if record.kind == RecordType::Credential {
                // What is no rotation says nothing about the log's key.
                let _ = keyring.party_mut(log).announce(record.payload, treaty);
            }
        }
    }
    let keeps_smaller = kept.checkpoint.size < other.checkpoint.size;
    let (smaller, larger) = if keeps_smaller { (kept, other) } else { (other, kept) };
    let fork = contradiction(&keyring, larger, &smaller.head, smaller.checkpoint.size)?;
    Ok(Restart {
        common: same as u64,
        fork,
        issued: clock::now(),
        keeps_smaller,
        kept_leaf: leaf_hash(kept_leaf),
        ledger: treaty.hash(),
        other_leaf: Some(leaf_hash(other_leaf)),
        party: treaty.party(log).code.clone(),
        reason: None,
    })
}

/// A certificate that names the end of a log and the one head that contradicts it.
fn of_a_head(kept: &LogCopy, proof: &ForkProof, log: usize, treaty: &Treaty) -> Result<Restart, Failure> {
    let refuse = |what: &str| {
        let hint = "take the proof and the export from one party: forks/XX.txt of the export";
        Failure::new(Code::Refused, format!("the proof does not fit the export: {what}")).hint(hint)
    };
    if proof.log() != log {
        return Err(refuse("it is about another party's log"));
    }
    let is_own = |head: &Checkpoint| {
        let Ok(root) = root_at(kept, head.size);
        head.size <= kept.checkpoint.size && root == Some(head.root)
    };
    let (heads, notes) = (proof.checkpoints(), proof.heads());
    let (own, foreign, note) = match heads.map(is_own) {
        [true, false] => (heads[0], heads[1], notes.1),
        [false, true] => (heads[1], heads[0], notes.0),
        [true, true] => return Err(refuse("both of its heads are of this log")),
        [false, false] => return Err(refuse("neither of its heads is of this log")),
    };
    let (size, other) = (kept.checkpoint.size, foreign.size);
    let fork = if other > size && own.size == size {
        proof.clone()
    } else if other > size {
        let what = format!("the export has {size} records, and the proof names a head of {} of them", own.size);
        return Err(refuse(&what));
    } else {
        let mut keyring = Keyring::new(treaty);
        for record in kept.records.iter().filter_map(|bytes| Record::parse(bytes).ok()) {
            if record.kind == RecordType::Credential {
                let _ = keyring.party_mut(log).announce(record.payload, treaty);
            }
        }
        contradiction(&keyring, kept, note, other)?
    };
    // Where they part nobody can tell: at the last record that both have at the latest.
    let common = size.min(other).saturating_sub(1);
    let Some(kept_leaf) = usize::try_from(common).ok().and_then(|at| kept.records.get(at)) else {
        return Err(refuse("the export has no records of this log"));
    };
    Ok(Restart {
        common,
        fork,
        issued: clock::now(),
        keeps_smaller: other > size,
        kept_leaf: leaf_hash(kept_leaf),
        ledger: treaty.hash(),
        other_leaf: None,
        party: treaty.party(log).code.clone(),
        reason: None,
    })
}

/// The proof that a head is none of a log's, which is no shorter.
fn contradiction(keys: &Keyring, larger: &LogCopy, smaller: &SignedNote, size: u64) -> Result<ForkProof, Failure> {
    let Ok(root) = root_at(larger, size);
    let Ok(proof) = consistency_proof(larger, size, larger.checkpoint.size);
    let (Some(root), Some(proof)) = (root, proof) else { return Err(refused(&"the tree cannot be read")) };
    ForkProof::new(keys, smaller, &larger.head, root, proof).map_err(|e| refused(&e))
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
