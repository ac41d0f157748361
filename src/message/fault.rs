//! What a reader has to say about a message: each with its line, so that a person finds the place.

use serde::Serialize;

/// Most faults that are told of one message.
pub const MAX_FAULTS: usize = 200;

/// How much a fault matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something has to be added before the draft is in form.
    Missing,
    /// Something could not be taken as it stands.
    Wrong,
    /// Taken, though it is not written as the format has it.
    Noted,
}

/// One thing that is missing, wrong or unusual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The line, from 1. Of what is missing, the line before which it should stand.
    pub line: usize,
    /// How much it matters.
    pub weight: Weight,
    /// The field of the note's kind that it is about, if it is about one; of the header `FROM`, `TO` or `SUBJECT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One sentence, without the line.
    pub what: String,
}

impl Fault {
    /// The sentence with its place: `line 14: …`.
    pub fn sentence(&self) -> String {
        format!("line {}: {}", self.line, self.what)
    }
}

/// The faults so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, weight: Weight, line: usize, what: impl Into<String>) {
        self.add_for(weight, line, None, what);
    }

    pub fn missing(&mut self, line: usize, what: impl Into<String>) {
        self.add(Weight::Missing, line, what);
    }

    pub fn wrong(&mut self, line: usize, what: impl Into<String>) {
        self.add(Weight::Wrong, line, what);
    }

    pub fn noted(&mut self, line: usize, what: impl Into<String>) {
        self.add(Weight::Noted, line, what);
    }

    /// Notes something that may be on every line once, where it is first seen.
    pub fn noted_once(&mut self, line: usize, what: &str) {
        if self.0.iter().all(|fault| fault.what != what) {
            self.noted(line, what);
        }
    }

    pub fn add_for(&mut self, weight: Weight, line: usize, field: Option<&str>, what: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault { line: line.max(1), weight, field: field.map(str::to_owned), what: what.into() });
        }
    }

    /// Whether something was said about a field already.
    pub fn is_about(&self, field: &str) -> bool {
        self.0.iter().any(|fault| fault.field.as_deref() == Some(field))
    }

    /// By line; what is missing first.
    pub fn finish(mut self) -> Vec<Fault> {
        self.0.sort_by_key(|fault| (fault.line, fault.weight));
        self.0
    }
}
