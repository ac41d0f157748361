//! What follows from the notes, as a function of stored data, the treaty, its profile and a time.

use super::law_view::{DueList, ItemView, PartiesView, StandingView, TimelineView};
use super::thread::{Place, Threads};
use super::view::PartyView;
use crate::ledger::{Profile, Timestamp, Treaty};
use crate::node::{LogId, Read, ReadError};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LawError {
    /// No such note, or party.
    #[error("{0}")]
    Unknown(String),
    /// Stored data could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A ledger with its law, to be asked.
pub struct Law<'a> {
    /// Stored data.
    pub read: &'a dyn Read,
    /// The treaty.
    pub treaty: &'a Treaty,
    /// Its profile.
    pub profile: &'a Profile,
}

impl Law<'_> {
    /// What is due and what takes effect, of anybody or of one party.
    pub fn due(&self, as_of: Timestamp, party: Option<&str>) -> Result<DueList, LawError> {
        let of = party.map(|code| self.party(code)).transpose()?;
        let mut items = self.items(as_of)?;
        if let Some(of) = of {
            let code = &self.treaty.party(of).code;
            items.retain(|item| item.by.iter().any(|party| party.code == *code));
        }
        items.sort_by(|a, b| (a.until, a.from, &a.note, &a.rule).cmp(&(b.until, b.from, &b.note, &b.rule)));
        let file = self.treaty.file();
        Ok(DueList { as_of, treaty: file.title.clone(), ledger: file.name.clone(), items })
    }

    /// The thread of a note, with what follows from its notes.
    pub fn timeline(&self, party: &str, index: u64, as_of: Timestamp) -> Result<TimelineView, LawError> {
        let place: Place = (self.party(party)?, index);
        let threads = Threads::load(self.read, self.treaty, self.profile, as_of)?;
        if threads.get(place).is_none() {
            let text = format!("{party}/{index} is no notification that was logged by {}", as_of.display());
            return Err(LawError::Unknown(text));
        }
        let mut notes = Vec::new();
        for place in threads.thread(place) {
            notes.extend(threads.view(place, self.read, as_of)?);
        }
        notes.sort_by(|a, b| (a.logged, &a.number).cmp(&(b.logged, &b.number)));
        let among = |number: &String| notes.iter().any(|note| note.number == *number);
        let items = self.due(as_of, None)?.items.into_iter().filter(|item| among(&item.note)).collect();
        let standing = self.standing(as_of)?.into_iter().filter(|standing| standing.note.as_ref().is_some_and(among));
        Ok(TimelineView {
            as_of,
            treaty: self.treaty.file().title.clone(),
            number: format!("{party}/{index}"),
            standing: standing.collect(),
            notes,
            items,
        })
    }

    /// What every party is, and what it has used of its quota in a year.
    pub fn parties(&self, as_of: Timestamp, _year: Option<i16>) -> Result<PartiesView, LawError> {
        let treaty = self.treaty.file().title.clone();
        Ok(PartiesView { as_of, treaty, standing: self.standing(as_of)?, quota: None })
    }

    fn party(&self, code: &str) -> Result<LogId, LawError> {
        self.treaty.find(code).ok_or_else(|| LawError::Unknown(format!("no party has the code {code}")))
    }

    fn items(&self, _as_of: Timestamp) -> Result<Vec<ItemView>, LawError> {
        Ok(Vec::new())
    }

    fn standing(&self, _as_of: Timestamp) -> Result<Vec<StandingView>, LawError> {
        let view = |log: LogId| {
            let party = self.treaty.party(log);
            StandingView {
                party: PartyView { code: party.code.clone(), name: party.name.clone() },
                standing: "state-party".into(),
                words: "state party".into(),
                since: None,
                until: None,
                note: None,
                now: true,
            }
        };
        Ok((0..self.treaty.parties().len()).map(view).collect())
    }
}
