//! References to earlier notes as a person types them: `US/12@LEAFHASH`, or `US/12` where the log can be asked.

use super::super::{Code, Failure};
use crate::ledger::{Reference, Treaty};
use crate::tlog::Hash;

/// A place in a log, with its leaf hash if it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    log: String,
    index: u64,
    leaf: Option<Hash>,
}

/// Reads `LOG/NUMBER` or `LOG/NUMBER@LEAFHASH`; the log is a party's code.
pub fn parse(text: &str, treaty: &Treaty) -> Result<Place, Failure> {
    let fail = |what: &str| {
        Failure::new(Code::Input, format!("the reference {text:?} {what}"))
            .hint("a reference reads US/12@LEAFHASH: party, number in its log, 64 hex digits of its leaf hash")
    };
    let (place, leaf) = match text.split_once('@') {
        Some((place, leaf)) => {
            (place, Some(Hash::from_hex(leaf).ok_or_else(|| fail("has no leaf hash of 64 lowercase hex digits"))?))
        }
        None => (text, None),
    };
    let (log, index) = place.split_once('/').ok_or_else(|| fail("does not read LOG/NUMBER"))?;
    let plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    let index = index.parse().ok().filter(|index| plain && *index < 1 << 53).ok_or_else(|| fail("has no number"))?;
    if treaty.find(log).is_none() {
        return Err(fail(&format!("names {log:?}, which is not a party to the treaty")));
    }
    Ok(Place { log: log.to_owned(), index, leaf })
}

impl Place {
    /// The reference; `lookup` is asked for the leaf hash that was not typed.
    pub fn complete(self, lookup: impl FnOnce(&str, u64) -> Result<Hash, Failure>) -> Result<Reference, Failure> {
        let leaf = match self.leaf {
            Some(leaf) => leaf,
            None => lookup(&self.log, self.index)?,
        };
        Ok(Reference { index: self.index, leaf, log: self.log })
    }
}

/// Where there is no log to look in, the person has to give the leaf hash.
pub fn ask_for_leaf(log: &str, index: u64) -> Result<Hash, Failure> {
    Err(Failure::new(Code::Input, format!("the leaf hash of {log}/{index} is not known here"))
        .hint(format!("give it with the reference: --re {log}/{index}@LEAFHASH (`verbale show` prints it)")))
}
