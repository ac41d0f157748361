//! Which notes count: those that their sender may send and has not taken back.

use super::docket::{Docket, Fact, Place};
use crate::ledger::Timestamp;
use crate::ledger::profile::Ender;

impl Docket {
    /// Whether a note's kind is for its sender to send, and the note is not taken back.
    pub(super) fn stands(&self, place: Place, fact: &Fact, as_of: Timestamp) -> bool {
        self.may_send(place, fact) && self.revocation(place, fact, as_of).is_none()
    }

    /// Whether a note's kind is for its sender to send.
    pub(super) fn may_send(&self, place: Place, fact: &Fact) -> bool {
        let kind = self.profile.kind.get(&*fact.kind);
        let then = self.then(fact.sent, place.0);
        kind.is_none_or(|kind| self.profile.may_send(kind, self.said(place, fact), &then))
    }

    /// Whether a note is one that ends something about another: by its kind, by who sends it, and by standing.
    pub(super) fn ends(&self, enders: &[Ender], of: (Place, &Fact), by: (Place, &Fact), as_of: Timestamp) -> bool {
        let then = self.then(by.1.sent, by.0.0);
        let named = |ender: &Ender| {
            let said = self.said(of.0, of.1);
            let is_sender = |parties: Vec<usize>| parties.contains(&by.0.0);
            *ender.kind == *by.1.kind
                && (ender.from.is_empty()
                    || ender.from.iter().any(|who| is_sender(who.parties(said, &self.profile, &then))))
        };
        enders.iter().any(named) && self.stands(by.0, by.1, as_of)
    }
}
