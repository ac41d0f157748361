//! Addressees as a person or a profile names them: codes, names, roles, all.

use super::super::{Code, Failure};
use crate::ledger::{Role, Treaty};

/// Party codes and `*`, each once, without the sender.
pub fn resolve(words: &[String], from: &str, treaty: &Treaty) -> Result<Vec<String>, Failure> {
    let mut to: Vec<String> = Vec::new();
    for word in words {
        for code in expand(word.trim(), treaty)? {
            if code != from && !to.contains(&code) {
                to.push(code);
            }
        }
    }
    if to.is_empty() {
        let text = "the note has no addressee but its sender";
        return Err(Failure::new(Code::Refused, text).hint("name some with --to, as --to CA,HU or --to '*'"));
    }
    Ok(to)
}

fn expand(word: &str, treaty: &Treaty) -> Result<Vec<String>, Failure> {
    let with = |role: Role| {
        let parties = treaty.parties().iter().filter(|party| party.roles.contains(&role));
        Ok(parties.map(|party| party.code.clone()).collect())
    };
    match word {
        "*" | "all" => return Ok(vec!["*".into()]),
        "depositary" | "depositaries" => return with(Role::Depositary),
        "state-party" | "state-parties" => return with(Role::StateParty),
        "observer" | "observers" => return with(Role::Observer),
        _ => {}
    }
    let lower = word.to_lowercase();
    let found = treaty.parties().iter().find(|p| p.code.to_lowercase() == lower || p.name.to_lowercase() == lower);
    match found {
        Some(party) => Ok(vec![party.code.clone()]),
        None => Err(Failure::new(Code::Refused, format!("the addressee {word:?} is not a party to the treaty"))
            .hint("`verbale treaty show` lists the parties")),
    }
}
