//! One kind of notification: what it says, who sends it to whom, and what follows.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::address::Address;
use super::clock::{Count, Due, Effect};
use super::field::Field;
use crate::ledger::notification::is_kind_name;

/// Kinds of which one is meant: `mission-plan`, or `mission-plan or mission-plan-change`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOf(pub Vec<String>);

/// One kind of notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name, for people.
    pub title: String,
    /// Where the treaty speaks of it.
    #[serde(default)]
    pub article: String,
    /// Who may send it; any state party or depositary, if nobody is named.
    #[serde(default)]
    pub from: Vec<Address>,
    /// Addressees unless the sender names others.
    #[serde(default)]
    pub to: Vec<Address>,
    /// Who has to be among the addressees: each of them; with `any` one of them is enough. `*` reaches everybody.
    #[serde(default)]
    pub must_reach: Vec<Address>,
    /// How many officials have to sign it.
    #[serde(default = "one")]
    pub signatures: u32,
    /// Earlier notes that it has to refer to: one for each entry.
    #[serde(default)]
    pub after: Vec<OneOf>,
    /// The kind that usually answers it. Starts no clock: that is what `due` is for.
    #[serde(default)]
    pub reply: Option<String>,
    /// `false`: it says something and starts no clock, as an announcement that is not a notice.
    #[serde(default = "yes")]
    pub notice: bool,
    /// Kinds of earlier notes of the same sender which it takes back where it refers to them; `*` for any.
    #[serde(default)]
    pub revokes: Vec<String>,
    /// A depositary informs the parties by it of the note that it refers to.
    #[serde(default)]
    pub informs: bool,
    /// The field that names the group (or party) for which the sender acts.
    #[serde(default)]
    pub behalf: Option<String>,
    /// Deemed received by an addressee that has not received it so long after it was sent.
    #[serde(default)]
    pub deemed_received: Option<Count>,
    /// Its fields.
    #[serde(default, rename = "field")]
    pub fields: Vec<Field>,
    /// A JSON Schema (2020-12) that a body has to fit beside what the fields say. It refers to nothing outside itself.
    #[serde(default)]
    pub schema: Option<Value>,
    /// What is due when such a note is sent.
    #[serde(default)]
    pub due: Vec<Due>,
    /// When it takes effect.
    #[serde(default)]
    pub effect: Vec<Effect>,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl Kind {
    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl OneOf {
    /// Reads `a` or `a or b`.
    pub fn parse(text: &str) -> Option<Self> {
        let kinds: Vec<_> = text.split(" or ").map(str::to_owned).collect();
        kinds.iter().all(|kind| is_kind_name(kind)).then_some(Self(kinds))
    }
}

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

impl Serialize for OneOf {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OneOf {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a kind, nor `A or B`")))
    }
}
