//! How people name a record: `US/12`, number 12 of the log of the United States; `US~1/12`, number 12 on the branch that
//! the first restart certificate of that log left.

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
            // `US~1`: the branch that the log's first restart certificate left.
            let (code, branch) = party.split_once('~').map_or((party.as_str(), None), |(code, n)| (code, Some(n)));
            let fits = is_party_code(code) && branch.is_none_or(|n| n.parse::<u8>().is_ok_and(|n| n > 0));
            Some(Self { index: index.parse().ok()?, party: fits.then(|| party.clone())? })
        });
        read.ok_or_else(|| "a record is named by party and number, as US/12".to_owned())
    }
}

impl Number {
    /// The number of the branch that the log left; `None` for the log itself.
    pub fn branch(&self) -> Option<usize> {
        self.party.split_once('~').and_then(|(_, number)| number.parse().ok())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.party, self.index)
    }
}
