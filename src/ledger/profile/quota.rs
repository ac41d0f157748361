//! Quotas: how many times a year a party or a group may do something to another, and has it done to itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::ender::Ender;

/// A group of parties that acts as one: `[group.benelux]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, for people.
    pub title: String,
    /// Where the treaty speaks of it.
    #[serde(default)]
    pub article: String,
    /// Codes of its members.
    pub members: Vec<String>,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

/// `[quota]`: what is counted, by calendar year in the profile's zone.
///
/// Holders are parties' codes or names of groups; a group's members count as one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// What is counted, for people: `Observation flights`.
    pub title: String,
    /// Where the treaty speaks of it.
    #[serde(default)]
    pub article: String,
    /// How many each holder has to bear a year.
    #[serde(default)]
    pub passive: BTreeMap<String, u32>,
    /// How many each holder may carry out a year, where the profile says so.
    #[serde(default)]
    pub active: BTreeMap<String, u32>,
    /// Notes that use one.
    #[serde(rename = "use")]
    pub uses: Vec<Use>,
    /// Kinds of notes which, anywhere behind such a note, say that it was not used after all: a prohibition. From whom, is
    /// read of the note that used it. That its sender takes that note back says so too, and is not named here.
    #[serde(default)]
    pub uncharged_by: Vec<Ender>,
    /// Notes that hand active quota over.
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// Notes that say who may observe whom how often.
    #[serde(default)]
    pub allocation: Option<Allocation>,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

/// A kind of note that uses one of the quota.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// The kind.
    pub kind: String,
    /// Whose active quota: `sender` or a field.
    pub active: Address,
    /// Whose passive quota: a field.
    pub passive: Address,
    /// The date or time field whose year counts; the year in which it was sent, if none is named.
    #[serde(default)]
    pub year: Option<String>,
}

/// A kind of note by which active quota passes from one holder to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The kind.
    pub kind: String,
    /// Field with who gives it up.
    pub from: String,
    /// Field with who receives it.
    pub to: String,
    /// Integer field: how many.
    pub count: String,
    /// Integer field: of which year.
    pub year: String,
    /// Field with who is observed.
    #[serde(default)]
    pub observed: Option<String>,
}

/// A kind of note with a repeatable group of fields, each row of which gives a holder active quota.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// The kind.
    pub kind: String,
    /// Integer field of the note: for which year. The last note for a year counts.
    pub year: String,
    /// The repeatable group.
    pub rows: String,
    /// Its field with who may observe.
    pub holder: String,
    /// Its field with who is observed.
    pub observed: String,
    /// Its integer field: how often.
    pub count: String,
    /// A distribution stands in the years after it until there is another.
    #[serde(default)]
    pub stands: bool,
}

/// `[message]`: how notes are written in the treaty's own message format.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// What stands for the treaty in a message: `OS`.
    pub prefix: String,
    /// Pattern of a message's number, with `{party}`, `{year}`, `{index}` and `{kind}`.
    pub number: String,
    /// What stands under PRECEDENCE where the sender names nothing else.
    #[serde(default)]
    pub precedence: String,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}
