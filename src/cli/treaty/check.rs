//! `verbale treaty check`: everything that is wrong with a treaty file and its profile, each fault with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{Code, Context, Failure, check_profile, display, files};
use super::add_party::check_party;
use crate::ledger::{MAX_TREATY_BYTES, Party, Treaty, TreatyError, TreatyFile};
use crate::tlog::PolicyError;

/// Check a treaty file and the profile that it names, or a profile by itself; list every fault.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The treaty file; by default that of the home folder.
    file: Option<PathBuf>,
    /// The profile; by default profile.toml beside the treaty file. Where there is no treaty file yet, it is checked alone.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let path = args.file.clone().unwrap_or_else(|| context.treaty_path());
    let profile = args.profile.clone().unwrap_or_else(|| path.with_file_name("profile.toml"));
    if args.file.is_none() && args.profile.is_some() && !path.exists() {
        return alone(&profile, context);
    }
    let text = files::read_text(&path, MAX_TREATY_BYTES)?;
    let mut faults: Vec<String> =
        file_faults(&text).into_iter().map(|fault| format!("{}, {fault}", path.display())).collect();
    let treaty = Treaty::parse(text.as_bytes()).ok();
    let mut strangers = BTreeMap::new();
    match check_profile(&profile) {
        Err(failure) => faults.push(by_line(&profile, &failure.message)),
        Ok((read, hash)) => {
            strangers = treaty.as_ref().map_or(BTreeMap::new(), |treaty| read.strangers(treaty));
            let expected = treaty.as_ref().map_or(hash, |treaty| treaty.file().profile_sha256);
            if expected != hash {
                faults.push(format!(
                    "{}, field `profile_sha256`: it is {}, and the SHA-256 of {} is {}",
                    path.display(),
                    expected.to_hex(),
                    profile.display(),
                    hash.to_hex()
                ));
            }
        }
    }
    let Some(treaty) = treaty.filter(|_| faults.is_empty()) else {
        return Err(Failure::new(Code::Input, faults.join("\n")));
    };
    report(&path, &treaty, &strangers, context);
    Ok(())
}

/// A profile by itself, as somebody writes it.
fn alone(path: &Path, context: &Context) -> Result<(), Failure> {
    let (profile, hash) = check_profile(path).map_err(|failure| {
        let message = by_line(path, &failure.message);
        Failure { message, ..failure }
    })?;
    let unconfirmed: Vec<_> = profile.kind.keys().filter_map(|name| profile.explain(name)).collect();
    let open: usize = unconfirmed.iter().map(|kind| kind.unconfirmed.len()).sum();
    let out = &context.out;
    if out.json {
        out.value(&json!({ "file": path, "sha256": hash, "kinds": profile.kind.len(), "unconfirmed": open }));
        return Ok(());
    }
    let kinds = display::count(profile.kind.len(), "kind of note", "kinds of notes");
    out.line(format!("{}: in order, with {kinds}.", path.display()));
    if open > 0 {
        let points = display::count(open, "point is", "points are");
        out.line(format!(
            "{points} unconfirmed: `verbale treaty explain KIND --profile {}` shows them.",
            path.display()
        ));
    }
    out.line(format!("SHA-256: {}", hash.to_hex()));
    Ok(())
}

/// Each of a profile's faults with the file's name.
fn by_line(path: &Path, message: &str) -> String {
    let name = path.display().to_string();
    let message = message.replacen(&format!("{name}: "), "", 1);
    let named = |line: &str| match line.starts_with("line ") {
        true => format!("{name}, {line}"),
        false => line.to_owned(),
    };
    let lines: Vec<_> = message.lines().map(named).collect();
    match lines.first() {
        Some(first) if !first.starts_with(&name) => format!("{name}: {}", lines.join("\n")),
        _ => lines.join("\n"),
    }
}

/// A profile may name parties that are not in this treaty file yet, or no more: that is told, and is no fault.
fn report(path: &Path, treaty: &Treaty, strangers: &BTreeMap<String, BTreeSet<String>>, context: &Context) {
    let out = &context.out;
    if out.json {
        out.value(&json!({ "file": path, "sha256": treaty.hash(), "strangers": strangers }));
        return;
    }
    let parties = display::count(treaty.parties().len(), "party", "parties");
    out.line(format!("{}: in order, with {parties}.", path.display()));
    out.line(format!("SHA-256: {}", treaty.hash().to_hex()));
    if !strangers.is_empty() {
        let codes: Vec<_> = strangers.keys().cloned().collect();
        let places: BTreeSet<_> = strangers.values().flatten().cloned().collect();
        let places: Vec<_> = places.into_iter().collect();
        out.line(format!(
            "The profile also speaks of {}, of whom this treaty file knows nothing ({}).",
            display::join(&codes, "and"),
            places.join(", ")
        ));
    }
    out.line("Compare this number with every other party's, over another channel, before the ledger starts.");
}

/// What is wrong with a treaty file: each party by itself, and if all are in order, the whole.
fn file_faults(text: &str) -> Vec<String> {
    let file: TreatyFile = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => return vec![error.to_string()],
    };
    let at_party = |at: usize, what: String| match party_line(text, at) {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    };
    let alone = |(at, party): (usize, &Party)| {
        let faults = check_alone(&file, party).err().into_iter().chain(check_party(party).err());
        faults.map(|what| at_party(at, what)).collect::<Vec<_>>()
    };
    let faults: Vec<String> = file.parties.iter().enumerate().flat_map(alone).collect();
    if !faults.is_empty() {
        return faults;
    }
    match Treaty::parse(text.as_bytes()) {
        Ok(_) => vec![],
        Err(error) => vec![match &error {
            // Of two entries that contradict each other, the later one is named.
            TreatyError::Party { code, .. } => match file.parties.iter().rposition(|party| party.code == *code) {
                Some(at) => at_party(at, error.to_string()),
                None => error.to_string(),
            },
            TreatyError::Quorum(PolicyError::Line { line, what }) => {
                // The policy's first lines are made from the parties, two for each.
                format!("field `quorum`, its line {}: {what}", line.saturating_sub(2 * file.parties.len()))
            }
            TreatyError::Quorum(what) => format!("field `quorum`: {what}"),
            _ => error.to_string(),
        }],
    }
}

/// Checks a party as the only one of the treaty.
fn check_alone(file: &TreatyFile, party: &Party) -> Result<(), String> {
    let alone = TreatyFile { parties: vec![party.clone()], quorum: "quorum none".into(), ..file.clone() };
    let text = toml::to_string(&alone).map_err(|e| e.to_string())?;
    Treaty::parse(text.as_bytes()).map(|_| ()).map_err(|e| e.to_string())
}

/// The line on which a party's entry starts, from 1.
fn party_line(text: &str, at: usize) -> Option<usize> {
    text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("[[party]]")).nth(at).map(|(n, _)| n + 1)
}
