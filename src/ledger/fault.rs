//! What does not verify: where it stands, what should stand there, what does, and what that means for the claim.

use std::fmt;

/// Where in a file something stands. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FaultPlace {
    /// Part of an evidence file, as `heads[1]`; items count from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The byte at which the item begins, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// The record, by its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// The signature, by the name of the key that is said to have made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Something that does not verify.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The file; in an export, from its folder on.
    pub file: String,
    /// Where in it.
    pub place: FaultPlace,
    /// What should stand there.
    pub expected: String,
    /// What does.
    pub found: String,
    /// What it means for the claim, in sentences.
    pub means: String,
}

impl FaultPlace {
    /// A line and the byte at which it begins.
    pub fn line(line: u64, byte: u64) -> Self {
        Self { line: Some(line), byte: Some(byte), ..Self::default() }
    }

    /// A part of an evidence file.
    pub fn part(name: impl Into<String>) -> Self {
        Self { part: Some(name.into()), ..Self::default() }
    }

    /// The same place, at a record.
    #[must_use]
    pub fn record(mut self, index: u64) -> Self {
        self.record = Some(index);
        self
    }

    /// The same place, at a signature.
    #[must_use]
    pub fn signature(mut self, name: impl Into<String>) -> Self {
        self.signature = Some(name.into());
        self
    }
}

impl fmt::Display for FaultPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.part.clone());
        parts.extend(self.record.map(|record| format!("record {record}")));
        parts.extend(self.line.map(|line| format!("line {line}")));
        parts.extend(self.byte.map(|byte| format!("byte {byte}")));
        parts.extend(self.signature.as_ref().map(|name| format!("the signature by {name}")));
        f.write_str(&parts.join(", "))
    }
}

impl Fault {
    /// In plain sentences.
    pub fn sentences(&self) -> String {
        let place = self.place.to_string();
        let at = if place.is_empty() { String::new() } else { format!(", {place}") };
        format!("{}{at}: expected {}; found {}. {}", self.file, self.expected, self.found, self.means)
    }
}
