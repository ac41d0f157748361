//! Reading the fields of a canonical JSON object, each with its type and limits.

use serde_json::{Map, Value};

use super::canon::{CanonError, Text, parse};
use super::time::Timestamp;
use crate::tlog::Hash;

/// Why an object's fields were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Not canonical JSON on one line with its newline.
    #[error("the text is not canonical JSON: {0}")]
    Canon(#[from] CanonError),
    /// Not one line that ends in a newline.
    #[error("the text is not one line that ends in a newline")]
    OneLine,
    /// The text is not an object.
    #[error("the text is not a JSON object")]
    NotAnObject,
    /// A field that should be there is not.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field that the format does not know.
    #[error("the field `{0}` is not known here")]
    Unknown(String),
    /// A field of another type, length or form.
    #[error("the field `{field}` should be {expected}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// The fields of one object that have not been read yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a note's text: one line of canonical JSON and a newline.
    pub fn of_text(text: &str, max_bytes: usize, rule: Text) -> Result<Self, FieldError> {
        let line = text.strip_suffix('\n').ok_or(FieldError::OneLine)?;
        match parse(line.as_bytes(), max_bytes, rule)? {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(FieldError::NotAnObject),
        }
    }

    pub fn of_value(value: Value, field: &'static str) -> Result<Self, FieldError> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(FieldError::Wrong { field, expected: "an object" }),
        }
    }

    pub fn optional(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field)
    }

    pub fn value(&mut self, field: &'static str) -> Result<Value, FieldError> {
        self.optional(field).ok_or(FieldError::Missing(field))
    }

    /// A string that `read` accepts.
    pub fn text<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FieldError> {
        let value = self.value(field)?;
        value.as_str().and_then(read).ok_or(FieldError::Wrong { field, expected })
    }

    pub fn time(&mut self, field: &'static str) -> Result<Timestamp, FieldError> {
        self.text(field, "a time as 2021-06-18T09:00:00Z", Timestamp::parse)
    }

    pub fn hash(&mut self, field: &'static str) -> Result<Hash, FieldError> {
        self.text(field, "a SHA-256 as 64 lowercase hex digits", Hash::from_hex)
    }

    pub fn integer(&mut self, field: &'static str) -> Result<u64, FieldError> {
        self.value(field)?.as_u64().ok_or(FieldError::Wrong { field, expected: "an integer from 0 to 2^53" })
    }

    pub fn version(&mut self, version: u64) -> Result<(), FieldError> {
        match self.integer("v")? {
            v if v == version => Ok(()),
            _ => Err(FieldError::Wrong { field: "v", expected: "a version that this program knows" }),
        }
    }

    /// An array of at most `max` items, each of which `read` accepts.
    pub fn array<T>(
        &mut self,
        field: &'static str,
        max: usize,
        expected: &'static str,
        mut read: impl FnMut(Value) -> Result<T, FieldError>,
    ) -> Result<Vec<T>, FieldError> {
        match self.value(field)? {
            Value::Array(items) if items.len() <= max => items.into_iter().map(&mut read).collect(),
            _ => Err(FieldError::Wrong { field, expected }),
        }
    }

    /// Refuses whatever was not read.
    pub fn finish(self) -> Result<(), FieldError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(FieldError::Unknown(key)),
        }
    }
}
