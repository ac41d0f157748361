//! How people name a record: `US/12`, number 12 of the log of the United States.

use std::fmt;
use std::str::FromStr;

use crate::ledger::is_party_code;

/// A party's code and a place in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// The party's code.
    pub party: String,
    /// The place.
    pub index: u64,
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('/').and_then(|(party, index)| {
            let party = party.to_ascii_uppercase();
            Some(Self { index: index.parse().ok()?, party: is_party_code(&party).then_some(party)? })
        });
        read.ok_or_else(|| "a record is named by party and number, as US/12".to_owned())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.party, self.index)
    }
}
