//! What of a ledger is exported, and what of that is withheld: as a person asks for it, and as `part.json` states it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::ledger::canon::{self, Text};
use crate::ledger::{Notification, Profile, Timestamp, Treaty, is_kind_name, is_party_code};

/// Longest `part.json`, in bytes.
pub const MAX_PART_BYTES: usize = 65_536;
/// Most parties, kinds, threads, ranges or redactions that one selection names.
const MAX_ITEMS: usize = 1024;
const VERSION: u64 = 1;

/// A record by its party and its number: `US/12`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The party's code.
    pub party: String,
    /// The record's index.
    pub index: u64,
}

/// Records of one log without a gap: `US/10..40` are the records 10 to 40, both included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The party's code.
    pub party: String,
    /// The first index.
    pub first: u64,
    /// The last index.
    pub last: u64,
}

/// Notes of which an export has no more than the leaf hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Redaction {
    /// `confidential`: notes with a field that the profile calls confidential.
    Confidential,
    /// `kind:withdrawal`: notes of a kind.
    Kind(String),
    /// `field:reason`: notes that have such a field.
    Field(String),
    /// `US/12`: one note.
    Note(Place),
}

/// What is asked for. The default is everything, with nothing withheld.
///
/// A note is chosen if it meets all of `parties`, `kinds`, `since`, `until` and `threads` that are given. The records of
/// `ranges` are chosen besides, of whatever type. With a note comes what its proof needs: receipts, and every record
/// that is neither a note nor a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Kinds of notes; empty for all.
    pub kinds: Vec<String>,
    /// Codes of the parties that sent them; empty for all.
    pub parties: Vec<String>,
    /// Records of one log without a gap.
    pub ranges: Vec<Range>,
    /// What is withheld of all that.
    pub redact: Vec<Redaction>,
    /// Logged at this time or later, by the sender's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Notes, each with those that refer to it, those that refer to these, and so on.
    pub threads: Vec<Place>,
    /// Logged before this time, by the sender's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why a selection cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// Not `part.json` in its canonical form.
    #[error("it does not state a selection in its canonical form: {0}")]
    Form(String),
    /// Too many items in one of its lists.
    #[error("a selection names at most {MAX_ITEMS} parties, kinds, threads, ranges or redactions")]
    TooMany,
    /// A party that the treaty does not have.
    #[error("{0} is not a party of the treaty")]
    Party(String),
    /// A kind that the profile does not have.
    #[error("the profile has no kind `{0}`")]
    Kind(String),
    /// A field that no kind of the profile has: nothing would be withheld by it.
    #[error("no kind of the profile has a field `{0}`: nothing would be withheld by it")]
    Field(String),
    /// A record that is not held, or not a note.
    #[error("{0} is not a note that is held here, under a signed head")]
    Note(Place),
    /// The range ends before it begins, or after the log.
    #[error("{range} is not within the log: it has {size} records under a signed head")]
    Range {
        /// The range.
        range: Range,
        /// The log's size.
        size: u64,
    },
}

impl Selection {
    /// Whether this is the whole ledger, with nothing withheld.
    pub fn is_whole(&self) -> bool {
        self.redact.is_empty() && self.is_everything()
    }

    /// Whether everything is chosen, whatever is then withheld.
    pub fn is_everything(&self) -> bool {
        !self.has_filters() && self.ranges.is_empty()
    }

    /// Whether notes are chosen by what they are.
    pub fn has_filters(&self) -> bool {
        let lists = [self.kinds.is_empty(), self.parties.is_empty(), self.threads.is_empty()];
        lists.contains(&false) || self.since.is_some() || self.until.is_some()
    }

    /// Puts lists in order, so that what is asked for in another order is written alike.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        fn in_order<T: Ord>(list: &mut Vec<T>) {
            list.sort();
            list.dedup();
        }
        let Self { kinds, parties, ranges, redact, threads, .. } = &mut self;
        in_order(kinds);
        in_order(parties);
        in_order(ranges);
        in_order(redact);
        in_order(threads);
        self
    }

    /// Whether treaty and profile know what it names.
    pub fn check(&self, treaty: &Treaty, profile: &Profile) -> Result<(), SelectionError> {
        let lengths = [self.kinds.len(), self.parties.len(), self.ranges.len(), self.redact.len(), self.threads.len()];
        if lengths.into_iter().any(|length| length > MAX_ITEMS) {
            return Err(SelectionError::TooMany);
        }
        let notes = self.redact.iter().filter_map(|r| if let Redaction::Note(place) = r { Some(place) } else { None });
        let named = self.parties.iter().chain(self.ranges.iter().map(|range| &range.party));
        let mut named = named.chain(self.threads.iter().chain(notes).map(|place| &place.party));
        if let Some(party) = named.find(|code| treaty.find(code).is_none()) {
            return Err(SelectionError::Party(party.clone()));
        }
        let kinds = self.redact.iter().filter_map(|r| if let Redaction::Kind(kind) = r { Some(kind) } else { None });
        match self.kinds.iter().chain(kinds).find(|kind| !profile.kind.contains_key(*kind)) {
            Some(kind) => Err(SelectionError::Kind(kind.clone())),
            None => Ok(()),
        }
    }

    /// The same before a part is made, where a name that was mistyped would publish what was to be withheld.
    pub(super) fn check_new(&self, treaty: &Treaty, profile: &Profile) -> Result<(), SelectionError> {
        self.check(treaty, profile)?;
        let known = |name: &str| profile.kind.values().flat_map(|kind| &kind.fields).any(|field| field.name == name);
        let unknown = self.redact.iter().find_map(|redaction| match redaction {
            Redaction::Field(name) if !known(name) => Some(name),
            _ => None,
        });
        unknown.map_or(Ok(()), |name| Err(SelectionError::Field(name.clone())))
    }

    /// Whether a note meets what is asked of it, its thread left aside.
    pub(super) fn meets(&self, party: &str, time: Timestamp, note: Option<&Notification>) -> bool {
        (self.parties.is_empty() || self.parties.iter().any(|code| code == party))
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && (self.kinds.is_empty() || note.is_some_and(|note| self.kinds.contains(&note.kind)))
    }

    /// Whether a note is withheld.
    pub(super) fn redacts(&self, place: (&str, u64), note: Option<&Notification>, profile: &Profile) -> bool {
        self.redact.iter().any(|redaction| match (redaction, note) {
            (Redaction::Note(one), _) => (one.party.as_str(), one.index) == place,
            (Redaction::Kind(kind), Some(note)) => note.kind == *kind,
            (Redaction::Field(field), Some(note)) => note.body.contains_key(field),
            (Redaction::Confidential, Some(note)) => is_confidential(&note.kind, &note.body, profile),
            (_, None) => false,
        })
    }

    /// `part.json`: one line of canonical JSON and a newline.
    pub fn to_text(&self) -> String {
        let mut value = serde_json::to_value(self.clone().sorted()).unwrap_or(Value::Null);
        value["v"] = VERSION.into();
        canon::write(&value) + "\n"
    }

    /// Reads `part.json`.
    pub fn parse(text: &[u8]) -> Result<Self, SelectionError> {
        let form = |what: String| SelectionError::Form(what);
        let line = text.strip_suffix(b"\n").ok_or_else(|| form("it is not one line".into()))?;
        let mut value = canon::parse(line, MAX_PART_BYTES, Text::Plain).map_err(|e| form(e.to_string()))?;
        let version = value.as_object_mut().and_then(|fields| fields.remove("v"));
        if version != Some(VERSION.into()) {
            return Err(form(format!("`v` should be {VERSION}")));
        }
        let selection: Self = serde_json::from_value(value).map_err(|e| form(e.to_string()))?;
        if selection.is_whole() || selection.to_text().as_bytes() != text {
            return Err(form("not in order, or not a part".into()));
        }
        Ok(selection)
    }

    /// What was asked for, in plain sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut wanted = Vec::new();
        let list = |items: &[String]| items.join(", ");
        if !self.parties.is_empty() {
            wanted.push(format!("sent by {}", list(&self.parties)));
        }
        if !self.kinds.is_empty() {
            wanted.push(format!("of the kind {}", list(&self.kinds)));
        }
        if let Some(since) = self.since {
            wanted.push(format!("logged at {} or later", since.display()));
        }
        if let Some(until) = self.until {
            wanted.push(format!("logged before {}", until.display()));
        }
        if !self.threads.is_empty() {
            let threads: Vec<_> = self.threads.iter().map(ToString::to_string).collect();
            wanted.push(format!("in the thread of {}", list(&threads)));
        }
        if !wanted.is_empty() {
            out.push(format!("Asked for: notes {}.", wanted.join(", ")));
        }
        if !self.ranges.is_empty() {
            let ranges: Vec<_> = self.ranges.iter().map(ToString::to_string).collect();
            out.push(format!("Asked for: all records {}.", list(&ranges)));
        }
        if self.is_everything() {
            out.push("Asked for: everything.".into());
        }
        if !self.redact.is_empty() {
            let redact: Vec<_> = self.redact.iter().map(ToString::to_string).collect();
            out.push(format!("Withheld: {}.", list(&redact)));
        }
        out
    }
}

/// Whether a note has a field that the profile calls confidential.
fn is_confidential(kind: &str, body: &Map<String, Value>, profile: &Profile) -> bool {
    let fields = profile.kind.get(kind).map(|kind| kind.fields.as_slice()).unwrap_or_default();
    fields.iter().any(|field| field.confidential && body.contains_key(&field.name))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.party, self.index)
    }
}

impl FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('/').and_then(|(party, index)| {
            Some(Self { party: is_party_code(party).then(|| party.to_owned())?, index: decimal(index)? })
        });
        read.ok_or_else(|| "a note is named by party and number, as US/12".to_owned())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}..{}", self.party, self.first, self.last)
    }
}

impl FromStr for Range {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('/').and_then(|(party, range)| {
            let (first, last) = range.split_once("..")?;
            let (first, last) = (decimal(first)?, decimal(last)?);
            (is_party_code(party) && first <= last).then(|| Self { party: party.to_owned(), first, last })
        });
        read.ok_or_else(|| "records are named by party, first and last number, as US/10..40".to_owned())
    }
}

impl fmt::Display for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confidential => f.write_str("confidential"),
            Self::Kind(kind) => write!(f, "kind:{kind}"),
            Self::Field(field) => write!(f, "field:{field}"),
            Self::Note(place) => place.fmt(f),
        }
    }
}

impl FromStr for Redaction {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = match text.split_once(':') {
            None if text == "confidential" => Some(Self::Confidential),
            None => text.parse().ok().map(Self::Note),
            Some(("kind", kind)) => is_kind_name(kind).then(|| Self::Kind(kind.to_owned())),
            Some(("field", field)) => {
                let plain = !field.is_empty() && field.len() <= 200 && canon::check_plain(field).is_ok();
                plain.then(|| Self::Field(field.to_owned()))
            }
            Some(_) => None,
        };
        read.ok_or_else(|| "what to withhold is `confidential`, kind:KIND, field:FIELD or a note as US/12".to_owned())
    }
}

/// A decimal in its shortest form.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n: &u64| n.to_string() == text && *n < 1 << 53)
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Place, Range, Redaction);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Selection {
        Selection {
            kinds: vec!["withdrawal".into()],
            parties: vec!["US".into(), "CA".into()],
            ranges: vec!["US/10..40".parse().unwrap()],
            redact: vec!["field:reason".parse().unwrap(), "confidential".parse().unwrap(), "US/12".parse().unwrap()],
            since: Timestamp::parse("2020-05-22T00:00:00Z"),
            threads: vec!["US/15".parse().unwrap()],
            ..Selection::default()
        }
    }

    #[test]
    fn a_selection_reads_back_in_its_one_form() {
        let text = asked().to_text();
        assert_eq!(Selection::parse(text.as_bytes()).unwrap(), asked().sorted());
        assert_eq!(Selection::parse(text.as_bytes()).unwrap().to_text(), text);
        for bent in [
            text.replace("CA", "US").replace("\"US\",\"US\"", "\"US\",\"CA\""),
            text.replace("\"v\":1", "\"v\":2"),
            text.replace("10..40", "40..10"),
            text.replace("10..40", "010..40"),
            text.replace(",\"v\"", ",\"w\":1,\"v\""),
            text.trim_end().to_owned(),
            Selection::default().to_text(),
        ] {
            assert!(Selection::parse(bent.as_bytes()).is_err(), "{bent}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["US", "us/1..2", "US/1", "US/2..1", "US/1..x", "US/+1..2"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
        for text in ["", "secret", "kind:", "kind:A", "field:", "field:\u{7}", "US/-1"] {
            assert!(text.parse::<Redaction>().is_err(), "{text}");
        }
    }
}
