//! What follows from the notes, told from the docket: the same for a running node and for the data of one that is not.

use super::law_view::{DueList, ItemView, PartiesView, QuotasView, ReadingView, StandingView, TimelineView};
use super::thread::Threads;
use super::view::PartyView;
use crate::law::{Docket, EffectView, Force, Item, Other, PartyStanding, Place, Query, State};
use crate::ledger::Timestamp;
use crate::node::{LogId, Read, ReadError};

/// Most notes that count for nothing and are told of in a list.
const MAX_DISREGARDED: usize = 20;

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

/// A ledger's docket, to be asked.
pub struct Law<'a> {
    /// What bears on what is due.
    pub docket: &'a Docket,
    /// Stored data: the words of the notes.
    pub read: &'a dyn Read,
}

impl Law<'_> {
    /// What is due and what takes effect, of anybody or of one party; with what is done, too, if `all` is wanted.
    pub fn due(&self, as_of: Timestamp, party: Option<&str>, all: bool) -> Result<DueList, LawError> {
        let of = party.map(|code| self.party(code)).transpose()?;
        let query = Query { party: of, outstanding: !all, note: None };
        let mut items: Vec<_> = self.docket.items(as_of, &query).into_iter().map(|item| self.item(item)).collect();
        for effect in self.docket.effects(as_of, None) {
            let wanted = all || matches!(effect.force, Force::Waiting | Force::NoTime | Force::Pending);
            if wanted && of.is_none_or(|of| effect.party.contains(&self.docket.treaty().party(of).code)) {
                items.push(self.effect(effect));
            }
        }
        // What has a time comes first.
        items.sort_by(|a, b| {
            let key = |item: &ItemView| (item.until.or(item.from).is_none(), item.until.or(item.from));
            key(a).cmp(&key(b))
        });
        let file = self.docket.treaty().file();
        let disregarded = self.disregarded(as_of, of);
        Ok(DueList {
            as_of,
            treaty: file.title.clone(),
            ledger: file.name.clone(),
            items,
            disregarded,
            not_held: self.not_held(),
        })
    }

    /// Of the notes that count for nothing those that came last, of anybody or of one party.
    fn disregarded(&self, as_of: Timestamp, of: Option<LogId>) -> Vec<String> {
        let mut notes = self.docket.disregarded(as_of);
        notes.retain(|place| of.is_none_or(|of| place.0 == of));
        let last = notes.split_off(notes.len().saturating_sub(MAX_DISREGARDED));
        last.into_iter().filter_map(|place| self.docket.why_disregarded(place)).collect()
    }

    fn not_held(&self) -> Vec<String> {
        let words = |branch: String| {
            format!(
                "The records of the branch {branch}, which its log's restart set aside, are not held here: notes on it are not counted."
            )
        };
        self.docket.not_held().into_iter().map(words).collect()
    }

    /// The thread of a note, with what follows from its notes.
    pub fn timeline(&self, party: &str, index: u64, as_of: Timestamp) -> Result<TimelineView, LawError> {
        let unknown = || LawError::Unknown(format!("no party has the code {party}"));
        let (docket, place) = (self.docket, self.docket.place(&format!("{party}/{index}")).ok_or_else(unknown)?);
        let (mut around, is_cut) = docket.thread(place, as_of);
        // What counts for nothing is shown where it stands.
        let void = docket.disregarded_about(&around, as_of);
        around.extend(&void);
        // Where the profile has no rules, the docket keeps no notes: the one that is asked about is told by itself.
        if !around.contains(&place) {
            around.push(place);
        }
        let counts = |place| docket.why_disregarded(place).is_none();
        let threads = Threads::load(self.read, docket, &around, &counts, as_of)?;
        if threads.get(place).is_none() {
            let text = format!("{party}/{index} is no notification that was logged by {}", as_of.display());
            return Err(LawError::Unknown(text));
        }
        let standings = docket.standings(as_of);
        let (mut notes, mut items) = (Vec::new(), Vec::new());
        let places = threads.thread(place);
        for place in &places {
            let mut note = threads.view(*place, as_of);
            if let Some((note, change)) = note.as_mut().zip(docket.sent_by_former_party(*place, &standings)) {
                let since = change.from.map_or(String::new(), |from| format!(", which it is since {}", from.display()));
                let by = change.number.as_ref().map_or(String::new(), |number| format!(" ({number})"));
                note.remarks.push(format!("sent by a {}{since}{by}", change.standing.words()));
            }
            if let Some((note, why)) = note.as_mut().zip(docket.why_disregarded(*place)) {
                note.remarks.push(why);
            }
            notes.extend(note);
            items.extend(self.follows(*place, as_of));
        }
        notes.sort_by(|a, b| (a.logged, &a.number).cmp(&(b.logged, &b.number)));
        let senders: Vec<_> = places.iter().map(|place| place.0).collect();
        let among = |number: &String| notes.iter().any(|note| note.number == *number);
        let mut standing = self.standings(standings, as_of);
        let changed: Vec<_> =
            standing.iter().filter(|s| s.note.as_ref().is_some_and(among)).map(|s| s.party.code.clone()).collect();
        standing.retain(|of| {
            changed.contains(&of.party.code)
                && senders.iter().any(|at| docket.treaty().party(*at).code == of.party.code)
        });
        let treaty = docket.treaty().file().title.clone();
        Ok(TimelineView { as_of, treaty, number: format!("{party}/{index}"), standing, notes, items, is_cut })
    }

    /// What every party is, and what is used of a year's quotas.
    pub fn parties(&self, as_of: Timestamp, year: Option<i16>) -> Result<PartiesView, LawError> {
        let (treaty, profile) = (self.docket.treaty(), self.docket.profile());
        let year = year.or_else(|| as_of.to_string().get(..4)?.parse().ok()).unwrap_or_default();
        let quota = profile.quota.as_ref().map(|quota| {
            let mut holders = self.docket.quotas(year, as_of);
            // Holders that are not in the treaty file are of no concern here.
            holders.retain(|of| !profile.members(&of.holder, treaty).is_empty() || !of.charged.is_empty());
            let (distribution, distribution_year) = self.docket.allocation(year, as_of).unzip();
            QuotasView {
                title: quota.title.clone(),
                article: quota.article.clone(),
                year,
                distribution,
                distribution_year,
                holders,
                unconfirmed: quota.unconfirmed.clone(),
            }
        });
        Ok(PartiesView {
            as_of,
            treaty: treaty.file().title.clone(),
            standing: self.standings(self.docket.standings(as_of), as_of),
            quota,
        })
    }

    fn party(&self, code: &str) -> Result<LogId, LawError> {
        self.docket.treaty().find(code).ok_or_else(|| LawError::Unknown(format!("no party has the code {code}")))
    }

    fn view(&self, code: &str) -> PartyView {
        let treaty = self.docket.treaty();
        let name = treaty.find(code).map_or_else(|| code.to_owned(), |at| treaty.party(at).name.clone());
        PartyView { code: code.to_owned(), name }
    }

    fn follows(&self, note: Place, as_of: Timestamp) -> Vec<ItemView> {
        let query = Query { note: Some(note), ..Query::default() };
        let items = self.docket.items(as_of, &query).into_iter().map(|item| self.item(item));
        items.chain(self.docket.effects(as_of, Some(note)).into_iter().map(|effect| self.effect(effect))).collect()
    }

    fn item(&self, item: Item) -> ItemView {
        ItemView {
            rule: if item.kind.is_empty() { item.rule } else { format!("{}/{}", item.kind, item.rule) },
            title: item.title,
            article: item.article,
            note: item.number,
            note_title: item.about,
            by: item.owed_by.iter().map(|code| self.view(code)).collect(),
            to: item.owed_to.iter().map(|code| self.view(code)).collect(),
            state: item.state.name().to_owned(),
            state_text: item.state.words(),
            promptly: item.promptly,
            text: item.text,
            then: item.then,
            effect: false,
            from: item.from,
            until: item.until,
            claimed: None,
            answer: item.act.as_ref().map(|act| act.number.clone()),
            answered: item.act.map(|act| act.time),
            readings: readings(item.readings, item.from, item.until, Some(item.state)),
            steps: item.steps,
            unconfirmed: item.unconfirmed,
        }
    }

    fn effect(&self, effect: EffectView) -> ItemView {
        let (state, words) = match effect.force {
            Force::Waiting => ("waiting", "waiting: its time has not begun"),
            Force::NoTime => ("no-time", "no time can be computed"),
            Force::Pending => ("pending", "not yet in effect"),
            Force::InEffect => ("in-effect", "in effect"),
            Force::Revoked => ("revoked", "revoked"),
        };
        let until = effect.effective.or(effect.computed);
        ItemView {
            rule: format!("{}/{}", effect.kind, effect.rule),
            title: effect.title,
            article: effect.article,
            note_title: self.docket.profile().title_of(&effect.kind).to_owned(),
            note: effect.number,
            by: effect.party.iter().map(|code| self.view(code)).collect(),
            to: Vec::new(),
            state: state.to_owned(),
            state_text: words.to_owned(),
            promptly: false,
            text: effect.text,
            then: String::new(),
            effect: true,
            from: None,
            until,
            claimed: effect.claimed,
            answer: effect.revoked_by,
            answered: None,
            readings: readings(effect.readings, None, until, None),
            steps: effect.steps,
            unconfirmed: effect.unconfirmed,
        }
    }

    fn standings(&self, standings: Vec<PartyStanding>, as_of: Timestamp) -> Vec<StandingView> {
        let mut views = Vec::new();
        for of in standings {
            let party = self.view(&of.party);
            for (at, change) in of.changes.iter().enumerate() {
                let until = of.changes.get(at + 1).and_then(|next| next.from);
                let begun = change.from.is_none_or(|from| from <= as_of);
                views.push(StandingView {
                    party: party.clone(),
                    standing: change.standing,
                    words: change.standing.words().to_owned(),
                    since: change.from,
                    until,
                    note: change
                        .number
                        .clone()
                        .or_else(|| change.amendment.map(|number| format!("amendment {number}"))),
                    now: begun && until.is_none_or(|until| until > as_of),
                });
            }
        }
        views
    }
}

fn readings(
    others: Vec<Other>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    state: Option<State>,
) -> Vec<ReadingView> {
    let view = |other: Other| ReadingView {
        differs: (other.from, other.until) != (from, until) || other.state.is_some_and(|other| Some(other) != state),
        state_text: other.state.map(State::words),
        title: other.title,
        from: other.from,
        until: other.until,
        records: other.records,
    };
    others.into_iter().map(view).collect()
}
