//! Where in the file something stands: from the way to it, as `kind`, `withdrawal`, `due`, `0`, `within`, to its line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something that is wrong with a profile, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence that names the kind and the rule.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The steps to something: names of tables and places in arrays.
pub(super) type Way = Vec<String>;

/// Finds the lines of faults, each known by the way to it; in the order of the file.
pub(super) fn locate(text: &str, faults: Vec<(Way, String)>) -> Vec<Fault> {
    let document = DeTable::parse(text).ok();
    let fault = |(way, what): (Way, String)| {
        let offset = document.as_ref().map_or(0, |document| offset(document, &way));
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Fault { line, column, what }
    };
    let mut faults: Vec<_> = faults.into_iter().map(fault).collect();
    faults.sort();
    faults
}

/// Where the last step of a way stands that is there.
fn offset(document: &Spanned<DeTable>, way: &[String]) -> usize {
    let Some((first, rest)) = way.split_first() else { return 0 };
    let Some((key, mut value)) = document.get_ref().iter().find(|(key, _)| key.get_ref() == first) else { return 0 };
    let mut offset = key.span().start;
    for step in rest {
        let next = match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().find(|(key, _)| key.get_ref() == step).map(|(key, value)| (key.span().start, value))
            }
            DeValue::Array(items) => {
                step.parse::<usize>().ok().and_then(|n| items.get(n)).map(|item| (item.span().start, item))
            }
            _ => None,
        };
        match next {
            Some((start, inner)) => (offset, value) = (start, inner),
            None => break,
        }
    }
    offset
}
