//! The profile: a treaty's kinds of notification, as data. The engine knows no treaty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::notification::is_kind_name;
use super::time::Timestamp;

/// Longest profile, in bytes.
pub const MAX_PROFILE_BYTES: usize = 1 << 20;

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
    /// A kind contradicts itself or another one.
    #[error("kind `{kind}`: {what}")]
    Kind {
        /// The kind.
        kind: String,
        /// What is wrong.
        what: String,
    },
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Words.
    Text,
    /// An integer.
    Integer,
    /// A day: `2021-12-18`.
    Date,
    /// A moment in UTC: `2021-06-18T09:00:00Z`.
    Time,
    /// Several texts.
    List,
}

/// One field of a kind's body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Key in the body.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether a note is incomplete without it.
    #[serde(default)]
    pub required: bool,
}

/// One kind of notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name, for people.
    pub title: String,
    /// Where the treaty speaks of it.
    #[serde(default)]
    pub article: String,
    /// Addressees unless the sender names others.
    #[serde(default)]
    pub to: Vec<String>,
    /// The kind that answers it.
    #[serde(default)]
    pub reply: Option<String>,
    /// Its fields.
    #[serde(default, rename = "field")]
    pub fields: Vec<Field>,
}

/// A checked profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Format version: 1.
    pub version: u32,
    /// The treaty's title.
    pub title: String,
    /// The kind by which receipt of any note is acknowledged.
    pub acknowledgement: String,
    /// The kinds by name.
    pub kind: BTreeMap<String, Kind>,
}

impl Profile {
    /// Reads and checks a profile.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        if bytes.len() > MAX_PROFILE_BYTES {
            return Err(ProfileError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| ProfileError::Toml(format!("not UTF-8: {e}")))?;
        let profile: Self = toml::from_str(text).map_err(|e| ProfileError::Toml(e.to_string()))?;
        if profile.version != 1 {
            return Err(ProfileError::Toml(format!("`version` {} is not known", profile.version)));
        }
        for (name, kind) in &profile.kind {
            let fail = |what: String| Err(ProfileError::Kind { kind: name.clone(), what });
            if !is_kind_name(name) {
                return fail("a kind's name is lower-case words with hyphens".into());
            }
            if let Some(reply) = kind.reply.as_ref().filter(|reply| !profile.kind.contains_key(*reply)) {
                return fail(format!("its `reply` is `{reply}`, which is not a kind of this profile"));
            }
            for (at, field) in kind.fields.iter().enumerate() {
                if kind.fields[..at].iter().any(|other| other.name == field.name) {
                    return fail(format!("the field `{}` stands there twice", field.name));
                }
            }
        }
        if !profile.kind.contains_key(&profile.acknowledgement) {
            let what = "named by `acknowledgement`, but not a kind of this profile".into();
            return Err(ProfileError::Kind { kind: profile.acknowledgement, what });
        }
        Ok(profile)
    }

    /// What is wrong with a body of a kind, one sentence a fault; empty if it is in form.
    pub fn faults(&self, kind: &str, body: &Map<String, Value>) -> Vec<String> {
        let Some(kind) = self.kind.get(kind) else { return vec![format!("the kind `{kind}` is not in the profile")] };
        let mut faults = Vec::new();
        for field in &kind.fields {
            match body.get(&field.name) {
                None if field.required => {
                    faults.push(format!("the field `{}` ({}) is missing", field.name, field.title))
                }
                Some(value) if !field.kind.fits(value) => {
                    faults.push(format!(
                        "the field `{}` ({}) is not {}",
                        field.name,
                        field.title,
                        field.kind.expected()
                    ));
                }
                _ => {}
            }
        }
        for key in body.keys().filter(|key| kind.fields.iter().all(|field| field.name != **key)) {
            faults.push(format!("the field `{key}` is not one of this kind"));
        }
        faults
    }
}

impl FieldType {
    /// What a value of this type looks like.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Date => "a date as 2021-12-18",
            Self::Time => "a time in UTC as 2021-06-18T09:00:00Z",
            Self::List => "a list of texts",
        }
    }

    fn fits(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Text => text.is_some_and(|t| !t.is_empty()),
            Self::Integer => value.is_i64(),
            Self::Date => text.is_some_and(|t| Timestamp::parse(&format!("{t}T00:00:00Z")).is_some()),
            Self::Time => text.is_some_and(|t| Timestamp::parse(t).is_some()),
            Self::List => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }

    /// Reads what a person typed for a field of this type; lists are separated by semicolons.
    pub fn read(self, typed: &str) -> Option<Value> {
        let value = match self {
            Self::Text | Self::Date | Self::Time => Value::from(typed),
            Self::Integer => Value::from(typed.parse::<i64>().ok()?),
            Self::List => typed.split(';').map(|item| Value::from(item.trim())).collect(),
        };
        self.fits(&value).then_some(value)
    }
}
