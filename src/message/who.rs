//! Parties in words: `Canada (CA)`, written and read.

use std::collections::BTreeSet;

use super::read::strip_words;
use crate::ledger::{Profile, Role, Treaty, is_party_code};

/// Every party but the sender.
pub(super) const ALL: &str = "ALL STATES PARTIES";
/// The words of which others make the same: `ALL OTHER PARTIES`, `ALL PARTICIPATING STATES`.
const ALL_WORDS: &[&str] = &[
    "ALL",
    "AND",
    "OTHER",
    "PARTICIPATING",
    "PARTIES",
    "PARTY",
    "SIGNATORY",
    "SP",
    "SPS",
    "STATE",
    "STATES",
    "SUBSCRIBING",
    "THE",
    "TO",
];

/// The names that a treaty and its profile give to parties and groups.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub treaty: &'a Treaty,
    pub profile: &'a Profile,
}

/// Addressees as they were read.
#[derive(Default)]
pub(super) struct Addressees {
    /// Codes and `*`, each once, in their order.
    pub codes: Vec<String>,
    /// Words that name nobody.
    pub unknown: Vec<String>,
}

impl Names<'_> {
    /// A party or a group with its code or name in brackets; what is neither stands alone.
    pub fn write(&self, code: &str) -> String {
        let party = self.treaty.find(code).map(|at| &self.treaty.party(at).name);
        let name = party.or_else(|| self.profile.group.get(code).map(|group| &group.title));
        match name {
            // A semicolon would divide the name from its code.
            Some(name) if !name.contains(';') => format!("{name} ({code})"),
            _ => code.to_owned(),
        }
    }

    /// Several, separated by semicolons.
    pub fn write_all(&self, codes: &[&str]) -> String {
        codes.iter().map(|code| if *code == "*" { ALL.into() } else { self.write(code) }).collect::<Vec<_>>().join("; ")
    }

    /// A party's code or a group's name, from one of them, from its title, or from both.
    pub fn read(&self, text: &str) -> Option<String> {
        let text = text.trim().trim_end_matches('.').trim_end();
        let known = |word: &str| {
            let is = |code: &str| code.eq_ignore_ascii_case(word);
            let party = self.treaty.parties().iter().map(|party| &party.code).find(|code| is(code));
            party.or_else(|| self.profile.group.keys().find(|name| is(name))).cloned()
        };
        let bracketed = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
        if let Some(found) = bracketed.and_then(|(_, code)| known(code.trim())).or_else(|| known(text)) {
            return Some(found);
        }
        let is = |name: &str| strip_words(text, name).is_some_and(str::is_empty);
        let party = self.treaty.parties().iter().find(|party| is(&party.name)).map(|party| &party.code);
        let group = || self.profile.group.iter().find(|(_, group)| is(&group.title)).map(|(name, _)| name);
        party.or_else(group).cloned().or_else(|| is_party_code(text).then(|| text.to_owned()))
    }

    /// Addressees, separated by semicolons; by commas, where what stands between two semicolons is no name.
    pub fn read_all(&self, text: &str) -> Addressees {
        let mut out = Addressees::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match self.codes(part) {
                Some(codes) => out.codes.extend(codes),
                None => {
                    for part in part.split([',', '/']).map(str::trim).filter(|part| !part.is_empty()) {
                        match self.codes(part) {
                            Some(codes) => out.codes.extend(codes),
                            None => out.unknown.push(part.to_owned()),
                        }
                    }
                }
            }
        }
        let mut seen = BTreeSet::new();
        out.codes.retain(|code| seen.insert(code.clone()));
        out
    }

    /// Whom one word means.
    fn codes(&self, part: &str) -> Option<Vec<String>> {
        let upper = part.to_uppercase();
        let words: Vec<_> = upper.split_whitespace().collect();
        if part == "*" || (words.contains(&"ALL") && words.iter().all(|word| ALL_WORDS.contains(word))) {
            return Some(vec!["*".into()]);
        }
        if words.last().is_some_and(|word| ["DEPOSITARY", "DEPOSITARIES"].contains(word)) && words.len() <= 2 {
            let with = self.treaty.parties().iter().filter(|party| party.roles.contains(&Role::Depositary));
            return Some(with.map(|party| party.code.clone()).collect());
        }
        let name = self.read(part)?;
        let members = self.profile.members(&name, self.treaty);
        let codes: Vec<_> = members.into_iter().map(|at| self.treaty.party(at).code.clone()).collect();
        (!codes.is_empty()).then_some(codes)
    }
}
