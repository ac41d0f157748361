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
    let fault =
        |(way, what): (Way, String)| at(text, document.as_ref().map_or(0, |document| offset(document, &way)), what);
    let mut faults: Vec<_> = faults.into_iter().map(fault).collect();
    faults.sort();
    faults
}

/// A fault at a byte of the text.
pub(super) fn at(text: &str, offset: usize, what: String) -> Fault {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Fault { line, column, what }
}

/// Longest line that is shown with what is wrong in it.
const MAX_SHOWN: usize = 400;

/// What the reader of TOML says, always with a line. It shows the line, unless that is very long; of names that are nested
/// too deep it does not say where they stand: that is the line with the most dots.
pub(super) fn sentence(text: &str, error: &toml::de::Error) -> String {
    let mut start = 0;
    let starts = text.split_inclusive('\n').map(|line| {
        start += line.len();
        (line.matches('.').count(), start - line.len())
    });
    let deepest = starts.max().map_or(0, |(_, start)| start);
    let deep = || format!("{}: names are nested too deep here", error.message());
    let what = if error.span().is_some() { error.message().to_owned() } else { deep() };
    let fault = at(text, error.span().map_or(deepest, |span| span.start), what);
    let line = text.lines().nth(fault.line - 1).unwrap_or_default();
    match error.span().is_some() && line.len() <= MAX_SHOWN {
        true => error.to_string(),
        false => format!("line {}, column {}: {}", fault.line, fault.column, fault.what),
    }
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
