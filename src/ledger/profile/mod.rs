//! The profile: a treaty's law as data. The engine knows no treaty.
//!
//! # Layout
//!
//! - `kind`: one kind of notification
//! - `field`: what its fields hold
//! - `address`: who sends, who is addressed, who owes
//! - `clock`, `start`: what is due and what takes effect, from when it is counted, and how
//! - `ender`: what ends it, from whom
//! - `quota`: groups of parties, and what is counted by year
//! - `order`: what a note's addressees, sender, signatures and references have to be
//! - `limits`: what a profile has to keep to so that it can be read at all
//! - `check`, `check_rules`, `check_quota`: a profile that contradicts itself, as its author is told
//! - `window`: whether there is time between two bounds, from whatever day they are counted
//! - `number`: how messages are numbered
//! - `explain`: a kind in plain sentences
//! - `locate`: the line of a fault
//! - `schema`: what of JSON Schema a kind's own may use

mod address;
mod check;
mod check_quota;
mod check_rules;
mod clock;
mod ender;
mod explain;
mod field;
mod kind;
mod limits;
mod locate;
mod number;
mod order;
mod quota;
mod schema;
mod start;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use address::{Address, Said, Who};
pub use clock::{
    Count, Counting, Deemed, Due, Effect, Ends, Periodic, Point, Reading, Standing, Statement, Unit, YearDay,
};
pub use ender::Ender;
pub use explain::Explained;
pub(crate) use field::is_zoned;
pub use field::{Field, FieldType};
pub use kind::{Kind, OneOf};
pub use locate::Fault;
pub use number::{Numbered, Pattern};
pub use quota::{Allocation, Group, Message, Quota, Transfer, Use};
pub use start::{Nth, Start};

use super::amendment::AmendmentRule;
use super::treaty::Treaty;

/// Longest profile, in bytes.
pub const MAX_PROFILE_BYTES: usize = 1 << 20;
/// Most kinds, groups, and rules of a kind.
pub const MAX_PROFILE_ITEMS: usize = 1024;

/// Why a profile was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Over 1 MiB.
    #[error("a profile is at most {MAX_PROFILE_BYTES} bytes long")]
    TooLong,
    /// Not TOML, or with unknown or missing fields; the message has line and column.
    #[error("{0}")]
    Toml(String),
    /// It is over a limit, or (for its author) contradicts itself: every fault, with its line.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

/// A profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Format version: 1.
    pub version: u32,
    /// The treaty's title.
    pub title: String,
    /// The kind by which receipt of any note is acknowledged.
    pub acknowledgement: String,
    /// IANA time zone in which days are counted unless a rule says otherwise; UTC, if none is named.
    #[serde(default)]
    pub zone: Option<String>,
    /// The treaty's own message format.
    #[serde(default)]
    pub message: Option<Message>,
    /// Groups of parties that act as one, by name.
    #[serde(default)]
    pub group: BTreeMap<String, Group>,
    /// What is counted by year.
    #[serde(default)]
    pub quota: Option<Quota>,
    /// What is due every year.
    #[serde(default)]
    pub periodic: Vec<Periodic>,
    /// Who has to sign an amendment of the treaty file; without it the file cannot be amended.
    #[serde(default)]
    pub amendment: Option<AmendmentRule>,
    /// The kinds by name.
    pub kind: BTreeMap<String, Kind>,
    /// The kinds' schemas, ready for use.
    #[serde(skip)]
    schemas: BTreeMap<String, jsonschema::Validator>,
}

impl Profile {
    /// Reads a profile, as it is read wherever something was signed under it: it is refused only if it cannot be read or
    /// counted with. What contradicts itself in it is for its author: [`Self::check`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        let (text, mut profile) = Self::open(bytes)?;
        let faults = profile.compile();
        if faults.is_empty() { Ok(profile) } else { Err(ProfileError::Faults(locate::locate(text, faults))) }
    }

    /// Reads a profile before parties agree on it: whatever contradicts itself in it is told, at most a hundred faults.
    /// That may become stricter with each version of the program.
    pub fn check(bytes: &[u8]) -> Result<Self, ProfileError> {
        let (text, mut profile) = Self::open(bytes)?;
        let mut faults = check::contradictions(&profile);
        if faults.is_empty() {
            faults = profile.compile();
        }
        if faults.is_empty() { Ok(profile) } else { Err(ProfileError::Faults(locate::locate(text, faults))) }
    }

    /// The text and what it says, within all limits; the schemas are not ready yet.
    fn open(bytes: &[u8]) -> Result<(&str, Self), ProfileError> {
        if bytes.len() > MAX_PROFILE_BYTES {
            return Err(ProfileError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let (good, _) = bytes.split_at(error.valid_up_to());
            let what = "here is a byte that is not UTF-8 text: save the file as UTF-8".to_owned();
            ProfileError::Faults(vec![locate::at(&String::from_utf8_lossy(good), good.len(), what)])
        })?;
        let profile: Self = toml::from_str(text).map_err(|error| ProfileError::Toml(locate::sentence(text, &error)))?;
        let faults = match profile.version {
            1 => limits::exceeded(&profile),
            other => {
                let what = format!("`version` {other} is not known: this program reads version 1");
                vec![(check::way(&["version"]), what)]
            }
        };
        if faults.is_empty() { Ok((text, profile)) } else { Err(ProfileError::Faults(locate::locate(text, faults))) }
    }

    /// Makes the schemas of the kinds ready; says which are none.
    fn compile(&mut self) -> Vec<(locate::Way, String)> {
        let options = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .with_format("utc-time", |text: &str| super::time::Timestamp::parse(text).is_some())
            .with_format("zoned-time", field::is_zoned);
        let mut faults = Vec::new();
        let names: Vec<_> = self.kind.keys().cloned().collect();
        for name in names {
            let own = self.kind.get(&name).and_then(|kind| kind.schema.as_ref());
            if let Some(foreign) = own.and_then(schema::foreign) {
                let what = format!("kind `{name}`: a `schema` here has no {foreign}: not all verifiers know it");
                faults.push((check::way(&["kind", &name, "schema"]), what));
                continue;
            }
            match self.schema(&name).map(|schema| options.build(&schema)) {
                Some(Ok(validator)) => drop(self.schemas.insert(name, validator)),
                Some(Err(error)) => {
                    let what = format!("kind `{name}`: `schema` is not a JSON Schema by itself: {error}");
                    faults.push((check::way(&["kind", &name, "schema"]), what));
                }
                None => {}
            }
        }
        faults
    }

    /// What is wrong with a body of a kind, one sentence a fault; empty if it is in form.
    pub fn faults(&self, kind: &str, body: &Map<String, Value>) -> Vec<String> {
        let Some(known) = self.kind.get(kind) else { return vec![format!("the kind `{kind}` is not in the profile")] };
        let mut faults = Vec::new();
        field::check_fields(&known.fields, body, "", self, &mut faults);
        if let Some(schema) = self.schemas.get(kind).filter(|_| faults.is_empty()) {
            let body = Value::Object(body.clone());
            let errors = schema.iter_errors(&body).map(|error| {
                let place = error.instance_path().to_string();
                if place.is_empty() { error.to_string() } else { format!("the field `{place}`: {error}") }
            });
            // One fault, however many things are said of it: how many differs from one verifier to the next.
            let errors = errors.collect::<Vec<_>>().join("; ");
            if !errors.is_empty() {
                faults.push(format!("the body does not fit the kind's schema: {errors}"));
            }
        }
        faults
    }

    /// A kind's JSON Schema (2020-12): what its fields say, and its own schema, if it has one. The formats `utc-time` and
    /// `zoned-time` are ours: [`FieldType::Time`], [`FieldType::ZonedTime`].
    pub fn schema(&self, kind: &str) -> Option<Value> {
        let known = self.kind.get(kind)?;
        let mut schema = field::object_schema(&known.fields, &self.group.keys().collect::<Vec<_>>());
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        schema["title"] = known.title.clone().into();
        if let Some(own) = &known.schema {
            schema["allOf"] = json!([own]);
        }
        Some(schema)
    }

    /// The parties that a name means, by place: the party with that code, or the members of that group.
    pub fn members(&self, name: &str, treaty: &Treaty) -> Vec<usize> {
        match self.group.get(name) {
            Some(group) => {
                let mut members: Vec<_> = group.members.iter().filter_map(|code| treaty.find(code)).collect();
                members.sort_unstable();
                members
            }
            None => treaty.find(name).into_iter().collect(),
        }
    }

    /// To whom a note of a kind goes unless its sender names others: codes and `*`, each once.
    pub fn addressees(&self, kind: &str, from: &str, body: &Map<String, Value>, treaty: &Treaty) -> Vec<String> {
        let (Some(kind), Some(from)) = (self.kind.get(kind), treaty.find(from)) else { return Vec::new() };
        let mut codes: Vec<String> = Vec::new();
        for address in &kind.to {
            let named = match address.who {
                Who::All => vec!["*".to_owned()],
                _ => {
                    let parties = address.parties(Said { from, to: &[], body }, self, treaty);
                    parties.into_iter().filter(|party| *party != from).map(|p| treaty.party(p).code.clone()).collect()
                }
            };
            for code in named {
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
        }
        codes
    }

    /// A kind's title, or its name if the profile does not know it.
    pub fn title_of<'a>(&'a self, kind: &'a str) -> &'a str {
        self.kind.get(kind).map_or(kind, |known| known.title.as_str())
    }

    /// Codes that the profile names and the treaty file does not have, each with where it stands; for `treaty check`.
    pub fn strangers(&self, treaty: &Treaty) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut look = |code: &str, place: String| {
            if treaty.find(code).is_none() {
                found.entry(code.to_owned()).or_default().insert(place);
            }
        };
        for (name, group) in &self.group {
            group.members.iter().for_each(|code| look(code, format!("group `{name}`")));
        }
        for holder in self.quota.iter().flat_map(|quota| quota.passive.keys().chain(quota.active.keys())) {
            if !self.group.contains_key(holder) {
                look(holder, "quota".into());
            }
        }
        for (name, kind) in &self.kind {
            let due = kind.due.iter().flat_map(|due| due.by.iter().chain(&due.to));
            let addresses = kind.from.iter().chain(&kind.to).chain(&kind.must_reach).chain(due);
            addresses.filter_map(Address::code).for_each(|code| look(code, format!("kind `{name}`")));
        }
        for rule in &self.periodic {
            let codes = rule.by.iter().chain(&rule.to).filter_map(Address::code);
            codes.for_each(|code| look(code, format!("periodic rule `{}`", rule.id)));
        }
        found
    }
}
