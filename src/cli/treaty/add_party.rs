//! `verbale treaty add-party`: a party's entry, from the party file that its `keys new` wrote.

use std::path::PathBuf;

use serde_json::json;
use toml_edit::DocumentMut;

use super::super::{Code, Context, Failure, check_address, display, files};
use super::quorum;
use crate::keys::peer_key;
use crate::ledger::{MAX_TREATY_BYTES, Party, Treaty, TreatyError, TreatyFile};

/// Longest party file, in bytes.
const MAX_PARTY_BYTES: usize = 65_536;

/// Add parties to the home folder's treaty file. It changes the ledger's identity: do it before the ledger starts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Party files, as `verbale keys new` wrote them.
    #[arg(required = true, value_name = "CODE.party.toml")]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let path = context.treaty_path();
    let mut text =
        files::read_text(&path, MAX_TREATY_BYTES).map_err(|f| f.hint("start one with `verbale treaty new`"))?;
    let mut added = Vec::new();
    for file in &args.files {
        let fail = |what: String| Failure::new(Code::Input, format!("{}: {what}", file.display()));
        let entry = files::read_text(file, MAX_PARTY_BYTES)?;
        let party = Party::from_toml(&entry).map_err(|e| fail(e.to_string()))?;
        check_party(&party).map_err(fail)?;
        text = add(&text, &party).map_err(|what| fail(format!("{what}; nothing was added")))?;
        added.push(party);
    }
    files::replace(&path, text.as_bytes())?;

    let out = &context.out;
    if out.json {
        out.value(&json!({ "file": path, "added": added }));
        return Ok(());
    }
    for party in &added {
        out.line(format!("Added {} ({}), {}.", party.name, party.code, display::roles(&party.roles)));
    }
    match Treaty::parse(text.as_bytes()) {
        Ok(treaty) => {
            out.line(format!(
                "{} now has {}.",
                path.display(),
                display::count(treaty.parties().len(), "party", "parties")
            ));
            out.line(quorum::in_words(&treaty.file().quorum));
        }
        Err(error) => out.line(format!("Still to be done: {error}.")),
    }
    Ok(())
}

/// What the treaty file's reader leaves to libp2p.
pub(super) fn check_party(party: &Party) -> Result<(), String> {
    if peer_key(&party.peer).is_none() {
        return Err(format!("party {}: `peer` is not the libp2p peer id of an Ed25519 key (12D3KooW…)", party.code));
    }
    party.addresses.iter().try_for_each(|a| check_address(a)).map_err(|what| format!("party {}: {what}", party.code))
}

/// The treaty file's text with one party more; comments stay. The default quorum follows the parties.
fn add(text: &str, party: &Party) -> Result<String, String> {
    let fields = toml::to_string(party).map_err(|e| e.to_string())?;
    let mut text = format!("{}\n\n[[party]]\n{fields}", text.trim_end());
    let file: TreatyFile = toml::from_str(&text).map_err(|e| e.to_string())?;
    if quorum::is_default(&file.quorum) {
        let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.to_string())?;
        if let Some(item) = document.get_mut("quorum") {
            *item = quorum_item(&quorum::default(&file.parties))?;
        }
        text = document.to_string();
    }
    match Treaty::parse(text.as_bytes()) {
        Ok(_) => Ok(text),
        // A quorum that was set by hand names parties that are still to be added.
        Err(TreatyError::Quorum(_)) if !quorum::is_default(&file.quorum) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

/// The quorum as a multi-line literal, as `treaty new` writes it.
fn quorum_item(quorum: &str) -> Result<toml_edit::Item, String> {
    let value: toml_edit::Value =
        format!("'''\n{quorum}'''").parse().map_err(|e: toml_edit::TomlError| e.to_string())?;
    let mut item = toml_edit::Item::Value(value);
    if let Some(value) = item.as_value_mut() {
        *value.decor_mut() = toml_edit::Decor::new(" ", "");
    }
    Ok(item)
}
