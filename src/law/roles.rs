//! Which roles the parties had when a note was sent. Amendments change roles, and a rule goes by those of the note's time.

use std::borrow::Cow;

use super::docket::Docket;
use crate::ledger::{Role, Timestamp, Treaty};

/// The treaty as its parties' roles were from a time on, in the order of these times.
#[derive(Default)]
pub(super) struct Roles(Vec<(Timestamp, Treaty)>);

/// Who sends nothing: at no party's place.
const NOBODY: usize = usize::MAX;

impl Roles {
    /// As often as the treaty's amendments have changed them.
    pub fn of(treaty: &Treaty) -> Self {
        let mut times: Vec<_> = treaty.statuses().iter().map(|change| change.from).collect();
        times.sort_unstable();
        times.dedup();
        Self(times.into_iter().map(|time| (time, treaty.at_time(time, NOBODY).into_owned())).collect())
    }
}

impl Docket {
    /// The treaty with the roles that each party had at a time. A sender that had left by then has those it had last.
    pub(super) fn then(&self, time: Timestamp, sender: usize) -> Cow<'_, Treaty> {
        let eras = &self.roles.0;
        let Some(era) = eras.partition_point(|(from, _)| *from <= time).checked_sub(1) else {
            return Cow::Borrowed(&self.treaty);
        };
        match sender != NOBODY && self.treaty.former(self.treaty.number(), sender, time).is_some() {
            true => self.treaty.at_time(time, sender),
            false => Cow::Borrowed(&eras[era].1),
        }
    }

    /// The same, whoever sends.
    pub(super) fn at(&self, time: Timestamp) -> Cow<'_, Treaty> {
        self.then(time, NOBODY)
    }
}

pub(super) fn is_depositary(treaty: &Treaty, party: usize) -> bool {
    treaty.party(party).roles.contains(&Role::Depositary)
}

/// Whether a party only looks on.
pub(super) fn is_observer(treaty: &Treaty, party: usize) -> bool {
    treaty.party(party).roles == [Role::Observer]
}
