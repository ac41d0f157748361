//! From where a time is counted.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::clock::{Count, Point};

/// From where a time is counted. In the file a word, as `received`, `predecessor-received`, or a table:
/// `{ of = "flight-intent", at = "field:arrival" }`,
/// `{ nth = 3, of = "amendment-response", when = { response = "conference" }, within = "90 days" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A moment of the note itself.
    At(Point),
    /// A moment of the note that this one follows: the nearest one of kind `of` along its references; of the first
    /// that it refers to, if none is named.
    Before {
        /// The earlier note's kind.
        of: Option<String>,
        /// Which moment of it.
        at: Point,
    },
    /// The receipt of the n-th note of a kind that refers to this one, each by another party: the third request.
    Nth(Nth),
}

/// The n-th note of a kind that refers to this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nth {
    /// Which; from 1.
    pub nth: u32,
    /// Of which kind.
    pub of: String,
    /// Its moment that starts the clock.
    pub at: Point,
    /// Only those whose fields are so.
    pub when: BTreeMap<String, Value>,
    /// Only those whose moment `at` lies within this time …
    pub within: Option<Count>,
    /// … from this moment of the note that they refer to.
    pub from: Point,
}

/// The table form of a [`Start`].
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Point>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    when: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Point>,
}

impl Serialize for Start {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.clone() {
            Self::At(point) => s.collect_str(&point),
            Self::Before { of, at } => StartTable { of, at: Some(at), ..StartTable::default() }.serialize(s),
            Self::Nth(Nth { nth, of, at, when, within, from }) => {
                let (nth, of, at, from) = (Some(nth), Some(of), Some(at), Some(from));
                StartTable { nth, of, at, when, within, from }.serialize(s)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(StartVisitor)
    }
}

struct StartVisitor;

impl<'de> Visitor<'de> for StartVisitor {
    type Value = Start;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment as `received` or `predecessor-received`, or a table with `of` and `at`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Start, E> {
        let (word, before) = match text.strip_prefix("predecessor-") {
            Some(word) => (word, true),
            None => (text, false),
        };
        match Point::parse(word) {
            Some(at) if before => Ok(Start::Before { of: None, at }),
            Some(at) => Ok(Start::At(at)),
            None => Err(E::custom(format!(
                "`{text}` is not a moment: expected `sent`, `received`, `received-by-each`, `received-by-depositary`, \
                 `received-by-each-depositary`, `informed-by-depositary`, `field:NAME`, one of these after \
                 `predecessor-`, or a table"
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Start, A::Error> {
        let StartTable { nth, of, at, when, within, from } = StartTable::deserialize(MapAccessDeserializer::new(map))?;
        let Some(nth) = nth else {
            if !when.is_empty() || within.is_some() || from.is_some() {
                return Err(A::Error::custom("`when`, `within` and `from` go with `nth` only"));
            }
            let at = at.ok_or_else(|| A::Error::custom("`at` is missing"))?;
            return Ok(Start::Before { of, at });
        };
        let of = of.ok_or_else(|| A::Error::custom("`of`, the kind of which it is the n-th, is missing"))?;
        if nth == 0 {
            return Err(A::Error::custom("`nth` counts from 1"));
        }
        let at = at.unwrap_or(Point::ReceivedByDepositary);
        Ok(Start::Nth(Nth { nth, of, at, when, within, from: from.unwrap_or(Point::Sent) }))
    }
}
