//! Fields of a note's body: what each holds, and what a person is told where one does not.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Profile;
use crate::ledger::time::Timestamp;
use crate::ledger::treaty::is_party_code;

/// Deepest nesting of groups of fields.
pub(super) const MAX_NESTING: usize = 4;

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
    /// A moment with the zone in which it was said: `2021-06-18T11:00:00+02:00[Europe/Berlin]` (RFC 9557).
    ZonedTime,
    /// Several texts.
    List,
    /// One of the field's `choices`.
    Choice,
    /// A party's code, or the name of one of the profile's groups.
    Party,
    /// A table of further fields.
    Group,
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
    /// The heading that it shares with its neighbours in a message, where the treaty's form lists them under one letter.
    #[serde(default)]
    pub under: Option<String>,
    /// Whether a note is incomplete without it.
    #[serde(default)]
    pub required: bool,
    /// An array of such values, each as the type says.
    #[serde(default)]
    pub repeatable: bool,
    /// Unit of an integer, for people: `km`.
    #[serde(default)]
    pub unit: Option<String>,
    /// Least integer.
    #[serde(default)]
    pub min: Option<i64>,
    /// Largest integer.
    #[serde(default)]
    pub max: Option<i64>,
    /// Most values of a repeatable field or a list.
    #[serde(default)]
    pub at_most: Option<usize>,
    /// What a choice may be.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The fields of a group.
    #[serde(default, rename = "field")]
    pub fields: Vec<Field>,
    /// Not to be shown to others than the addressees: belongs into an encrypted attachment, not into an open body.
    #[serde(default)]
    pub confidential: bool,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

impl FieldType {
    /// What a value of this type looks like.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Date => "a date as 2021-12-18",
            Self::Time => "a time in UTC as 2021-06-18T09:00:00Z",
            Self::ZonedTime => "a time with its zone as 2021-06-18T11:00:00+02:00[Europe/Berlin]",
            Self::List => "a list of texts",
            Self::Choice => "one of its choices",
            Self::Party => "a party's code as CA, or a group's name",
            Self::Group => "a table of fields",
        }
    }

    pub(super) fn fits(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Text | Self::Choice => text.is_some_and(|t| !t.is_empty()),
            Self::Integer => value.is_i64(),
            Self::Date => text.is_some_and(is_date),
            Self::Time => text.is_some_and(|t| Timestamp::parse(t).is_some()),
            Self::ZonedTime => text.is_some_and(is_zoned),
            Self::List => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Party => text.is_some_and(is_party_name),
            Self::Group => value.is_object(),
        }
    }

    /// Reads what a person typed for a field of this type; lists are separated by semicolons.
    pub fn read(self, typed: &str) -> Option<Value> {
        let value = match self {
            Self::Text | Self::Date | Self::Time | Self::ZonedTime | Self::Choice | Self::Party => Value::from(typed),
            Self::Integer => Value::from(typed.parse::<i64>().ok()?),
            Self::List => typed.split(';').map(|item| Value::from(item.trim())).collect(),
            Self::Group => serde_json::from_str(typed).ok()?,
        };
        self.fits(&value).then_some(value)
    }
}

/// A day as `2021-12-18`, in the years of [`Timestamp`].
fn is_date(text: &str) -> bool {
    text.len() == 10 && Timestamp::parse(&format!("{text}T00:00:00Z")).is_some()
}

/// Whether a text is a moment with its offset and zone, in exactly the form that RFC 9557 gives it.
pub(crate) fn is_zoned(text: &str) -> bool {
    let Ok(zoned) = text.parse::<jiff::ZonedDateTime>() else { return false };
    let in_range = u64::try_from(zoned.timestamp().as_second()).is_ok_and(|s| Timestamp::from_posix(s).posix() == s);
    in_range && zoned.to_string() == text
}

/// A party's code, or a group's name.
pub(super) fn is_party_name(text: &str) -> bool {
    is_party_code(text) || crate::ledger::notification::is_kind_name(text)
}

impl Field {
    /// What the field holds, for people: `an integer in km`, `one of “accepted”, “declined”`, `several dates …`.
    pub fn expected(&self) -> String {
        let one = match self.kind {
            FieldType::Choice => {
                let choices: Vec<_> = self.choices.iter().map(|choice| format!("“{choice}”")).collect();
                format!("one of {}", choices.join(", "))
            }
            FieldType::Integer => {
                let unit = self.unit.as_ref().map_or(String::new(), |unit| format!(" in {unit}"));
                let range = match (self.min, self.max) {
                    (None, None) => String::new(),
                    (Some(min), None) => format!(" from {min}"),
                    (None, Some(max)) => format!(" up to {max}"),
                    (Some(min), Some(max)) => format!(" from {min} to {max}"),
                };
                format!("an integer{unit}{range}")
            }
            other => other.expected().to_owned(),
        };
        let most = self.at_most.map_or(String::new(), |most| format!(", at most {most}"));
        match self.repeatable {
            true => format!("a list of which each is {one}{most}"),
            false => format!("{one}{most}"),
        }
    }

    /// Reads what a person typed; repeated values are separated by semicolons.
    pub fn read(&self, typed: &str) -> Option<Value> {
        match self.repeatable {
            false => self.kind.read(typed),
            true if self.kind == FieldType::Group => serde_json::from_str(typed).ok(),
            true => typed.split(';').map(|one| self.kind.read(one.trim())).collect(),
        }
    }

    /// Adds what is wrong with a value; `place` is the way to the field, as `people[2].name`.
    fn check(&self, value: &Value, place: &str, profile: &Profile, faults: &mut Vec<String>) {
        let wrong = |place: &str| format!("the field `{place}` ({}) is not {}", self.title, self.expected());
        if !self.repeatable {
            return self.check_one(value, place, profile, faults);
        }
        match value.as_array() {
            Some(items) if self.at_most.is_none_or(|most| items.len() <= most) => {
                for (at, item) in items.iter().enumerate() {
                    self.check_one(item, &format!("{place}[{at}]"), profile, faults);
                }
            }
            _ => faults.push(wrong(place)),
        }
    }

    fn check_one(&self, value: &Value, place: &str, profile: &Profile, faults: &mut Vec<String>) {
        let fits = self.kind.fits(value)
            && match self.kind {
                FieldType::Integer => value
                    .as_i64()
                    .is_some_and(|n| self.min.is_none_or(|min| min <= n) && self.max.is_none_or(|max| n <= max)),
                FieldType::Choice => value.as_str().is_some_and(|text| self.choices.iter().any(|c| c == text)),
                FieldType::List if !self.repeatable => {
                    value.as_array().is_some_and(|items| self.at_most.is_none_or(|most| items.len() <= most))
                }
                FieldType::Party => {
                    value.as_str().is_some_and(|name| is_party_code(name) || profile.group.contains_key(name))
                }
                _ => true,
            };
        if !fits {
            faults.push(format!("the field `{place}` ({}) is not {}", self.title, self.expected()));
        } else if let Some(body) = value.as_object() {
            check_fields(&self.fields, body, &format!("{place}."), profile, faults);
        }
    }

    fn schema(&self, groups: &[&String]) -> Value {
        let mut one = match self.kind {
            FieldType::Text => json!({"type": "string", "minLength": 1}),
            FieldType::Integer => json!({"type": "integer"}),
            FieldType::Date => json!({"type": "string", "format": "date"}),
            FieldType::Time => json!({"type": "string", "format": "utc-time"}),
            FieldType::ZonedTime => json!({"type": "string", "format": "zoned-time"}),
            FieldType::List => json!({"type": "array", "items": {"type": "string"}}),
            FieldType::Choice => json!({"enum": self.choices}),
            FieldType::Party => json!({"anyOf": [
                {"type": "string", "pattern": "^[A-Z][A-Z0-9]{1,7}$"},
                {"enum": groups},
            ]}),
            FieldType::Group => object_schema(&self.fields, groups),
        };
        if let Some(min) = self.min {
            one["minimum"] = min.into();
        }
        if let Some(max) = self.max {
            one["maximum"] = max.into();
        }
        let mut schema = match self.repeatable {
            true => json!({"type": "array", "items": one}),
            false => one,
        };
        if let Some(most) = self.at_most {
            schema["maxItems"] = most.into();
        }
        schema["title"] = match &self.unit {
            Some(unit) => format!("{} ({unit})", self.title).into(),
            None => self.title.clone().into(),
        };
        schema
    }
}

/// Adds what is wrong with the fields of an object.
pub(super) fn check_fields(
    fields: &[Field],
    body: &Map<String, Value>,
    place: &str,
    profile: &Profile,
    faults: &mut Vec<String>,
) {
    for field in fields {
        match body.get(&field.name) {
            None if field.required => {
                faults.push(format!("the field `{place}{}` ({}) is missing", field.name, field.title))
            }
            None => {}
            Some(value) => field.check(value, &format!("{place}{}", field.name), profile, faults),
        }
    }
    for key in body.keys().filter(|key| fields.iter().all(|field| field.name != **key)) {
        faults.push(format!("the field `{place}{key}` is not one of this kind"));
    }
}

/// The JSON Schema of an object with these fields. `utc-time` and `zoned-time` are formats of ours.
pub(super) fn object_schema(fields: &[Field], groups: &[&String]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.clone(), field.schema(groups))).collect();
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| &field.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
