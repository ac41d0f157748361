//! Who is meant: parties by code, role, group, or as a note names them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Profile;
use crate::ledger::notification::is_kind_name;
use crate::ledger::treaty::{Role, Treaty, is_party_code};

/// Whom a word of the profile means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// `*`: every party but the note's sender. Observers owe nothing, and are told as all others are.
    All,
    /// `CA`: one party.
    Party(String),
    /// `state-party`, `depositary`, `observer`: all who have this role in the treaty file.
    Role(Role),
    /// `group:benelux`: the members of one of the profile's groups.
    Group(String),
    /// `field:observed`: whom the note names in a field.
    Field(String),
    /// `sender`: who sent the note.
    Sender,
    /// `addressee`: everybody to whom the note is addressed, by name or as one of all.
    Addressee,
}

/// A word of the profile that says who: one of [`Who`], with `any ` before it where one of them is enough.
///
/// Without `any`, each of them is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// One of them is enough: `any depositary`.
    pub any: bool,
    /// Who.
    pub who: Who,
}

/// What is known of a note where parties are looked up.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The sender's place in the treaty file.
    pub from: usize,
    /// Addressees: codes or `*`.
    pub to: &'a [String],
    /// The note's fields.
    pub body: &'a Map<String, Value>,
}

impl Address {
    /// Reads a word: `*`, `CA`, `depositary`, `any depositary`, `group:benelux`, `field:observed`, `sender`, `addressee`.
    pub fn parse(text: &str) -> Option<Self> {
        let (any, word) = match text.strip_prefix("any ") {
            Some(word) => (true, word),
            None => (false, text),
        };
        let who = match word {
            "*" => Who::All,
            "state-party" => Who::Role(Role::StateParty),
            "depositary" => Who::Role(Role::Depositary),
            "observer" => Who::Role(Role::Observer),
            "sender" => Who::Sender,
            "addressee" => Who::Addressee,
            _ => match word.split_once(':') {
                Some(("group", name)) if is_kind_name(name) => Who::Group(name.to_owned()),
                Some(("field", name)) if !name.is_empty() => Who::Field(name.to_owned()),
                None if is_party_code(word) => Who::Party(word.to_owned()),
                _ => return None,
            },
        };
        Some(Self { any, who })
    }

    /// The parties that are meant, by place in the treaty file, in its order.
    pub fn parties(&self, said: Said, profile: &Profile, treaty: &Treaty) -> Vec<usize> {
        let all = 0..treaty.parties().len();
        match &self.who {
            Who::All => all.filter(|party| *party != said.from).collect(),
            Who::Party(code) => treaty.find(code).into_iter().collect(),
            Who::Role(role) => all.filter(|party| treaty.party(*party).roles.contains(role)).collect(),
            Who::Group(name) => profile.members(name, treaty),
            Who::Field(field) => match said.body.get(field) {
                Some(Value::String(name)) => profile.members(name, treaty),
                Some(Value::Array(names)) => {
                    let mut found: Vec<_> =
                        names.iter().filter_map(Value::as_str).flat_map(|name| profile.members(name, treaty)).collect();
                    found.sort_unstable();
                    found.dedup();
                    found
                }
                _ => Vec::new(),
            },
            Who::Sender => vec![said.from],
            Who::Addressee => all
                .filter(|party| {
                    let code = &treaty.party(*party).code;
                    *party != said.from && said.to.iter().any(|to| to == "*" || to == code)
                })
                .collect(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = if self.any { "any " } else { "" };
        match &self.who {
            Who::All => write!(f, "{any}*"),
            Who::Party(code) => write!(f, "{any}{code}"),
            Who::Role(Role::StateParty) => write!(f, "{any}state-party"),
            Who::Role(Role::Depositary) => write!(f, "{any}depositary"),
            Who::Role(Role::Observer) => write!(f, "{any}observer"),
            Who::Group(name) => write!(f, "{any}group:{name}"),
            Who::Field(name) => write!(f, "{any}field:{name}"),
            Who::Sender => write!(f, "{any}sender"),
            Who::Addressee => write!(f, "{any}addressee"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` says nobody: expected `*`, a party's code, `state-party`, `depositary`, `observer`, `sender`, \
                 `addressee`, `group:NAME` or `field:NAME`, with `any ` before it where one of them is enough"
            ))
        })
    }
}
