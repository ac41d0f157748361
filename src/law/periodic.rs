//! What is due every year, without a note that asks for it.

use std::collections::BTreeSet;

use serde_json::Map;

use super::calendar::{Event, start_of_day, zone};
use super::docket::Docket;
use super::due::sentence;
use super::effect::Bound;
use super::roles::is_observer;
use super::view::{Act, Item, State, Step};
use crate::ledger::profile::{Address, Periodic, Said, Who};
use crate::ledger::{Timestamp, Treaty};

/// Most years for which it is told what was due in each.
const MAX_YEARS: i16 = 200;

/// A day of a year by whose end something is due.
struct Term {
    /// The end of the day before it: since then a note without a year is about this one.
    opens: Timestamp,
    /// The first moment after the day.
    ends: Timestamp,
    date: jiff::civil::Date,
    year: i16,
}

impl Docket {
    /// What is due every year, from the first year that is known to that of `as_of`.
    pub(super) fn periodic(&self, as_of: Timestamp, bound: &Bound, items: &mut Vec<Item>) {
        for rule in &self.profile.periodic {
            let answers = self.of_kinds(|kind| rule.answer.iter().any(|answer| answer == kind));
            let mut sent = Vec::new();
            for (place, fact) in answers.into_iter().filter(|(_, fact)| fact.sent <= as_of) {
                if self.stands(place, fact, as_of) {
                    let year = rule.year.as_ref().and_then(|field| fact.body.get(field)?.as_i64());
                    sent.push((fact.sent, place, year, self.acting(place, fact)));
                }
            }
            sent.sort_unstable();
            let terms = self.terms(rule, as_of);
            for (term, is_last) in terms.iter().enumerate().map(|(at, term)| (term, at + 1 == terms.len())) {
                let about = i64::from(term.year) + i64::from(rule.ahead);
                let until = Timestamp::from_posix(term.ends.posix().saturating_sub(1));
                let then = self.at(until);
                let (by, to) = (self.owing_yearly(&rule.by, &then), self.all_of(&rule.to, &then));
                let holders = if rule.holders { self.holders(about, until.min(as_of)) } else { None };
                let owes = |party: &usize| {
                    bound.at(*party, until) && holders.as_ref().is_none_or(|holders| holders.contains(party))
                };
                let debtors = by.iter().map(|debtor| debtor.iter().copied().filter(owes).collect::<Vec<_>>());
                for debtor in debtors.filter(|debtor| !debtor.is_empty()) {
                    let act = sent.iter().find(|(time, _, named, acting)| {
                        acting.iter().any(|party| debtor.contains(party))
                            && match (&rule.year, named) {
                                (Some(_), named) => *named == Some(about),
                                (None, _) => *time > term.opens && *time < term.ends || *time >= term.ends && is_last,
                            }
                    });
                    let state = match act {
                        Some((time, ..)) if *time <= until => State::Met,
                        Some((time, ..)) => State::Late { by_s: time.posix() - until.posix() },
                        None if until < as_of => State::Missed { by_s: as_of.posix() - until.posix() },
                        None => State::Open,
                    };
                    let act = act.and_then(|(time, place, ..)| {
                        let title = self.profile.title_of(&self.notes.get(place)?.kind).to_owned();
                        Some(Act { number: self.number(*place), title, time: *time })
                    });
                    let text = format!("Due every year by the end of {}; this is that of {about}.", term.date);
                    let mut item = Item {
                        number: String::new(),
                        kind: String::new(),
                        about: about.to_string(),
                        sender: String::new(),
                        sent: None,
                        rule: rule.id.clone(),
                        title: rule.title.clone(),
                        article: rule.article.clone(),
                        owed_by: debtor.iter().map(|party| self.code(*party)).collect(),
                        owed_to: to
                            .iter()
                            .filter(|party| debtor != [**party] && bound.at(**party, until))
                            .map(|party| self.code(*party))
                            .collect(),
                        answers: rule.answer.iter().map(|kind| self.profile.title_of(kind).to_owned()).collect(),
                        state,
                        promptly: false,
                        from: None,
                        until: Some(until),
                        steps: vec![Step { text, records: act.iter().map(|act| act.number.clone()).collect() }],
                        act,
                        text: String::new(),
                        then: rule.then.clone(),
                        readings: Vec::new(),
                        unconfirmed: rule.unconfirmed.clone(),
                    };
                    item.text = sentence(&item);
                    items.push(item);
                }
            }
        }
    }

    /// Who owes, whoever sends what: each by itself; a group, or any of several, as one.
    fn owing_yearly(&self, addresses: &[Address], then: &Treaty) -> Vec<Vec<usize>> {
        let mut owing: Vec<Vec<usize>> = Vec::new();
        for address in addresses {
            let parties = self.all_of(std::slice::from_ref(address), then);
            let debtors = match address.any || matches!(address.who, Who::Group(_)) {
                true => vec![parties],
                false => parties.into_iter().map(|party| vec![party]).collect(),
            };
            owing.extend(debtors);
        }
        owing.sort_unstable();
        owing.dedup();
        owing
    }

    /// Parties that are meant whoever sends what. Observers owe nothing.
    fn all_of(&self, addresses: &[Address], then: &Treaty) -> Vec<usize> {
        let nobody = Map::new();
        let said = Said { from: usize::MAX, to: &[], body: &nobody };
        let all = addresses.iter().flat_map(|address| address.parties(said, &self.profile, then));
        let owing = all.filter(|party| !is_observer(then, *party));
        owing.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The days of the years from the first one of the rule to that of `as_of`, in order.
    fn terms(&self, rule: &Periodic, as_of: Timestamp) -> Vec<Term> {
        let zone = zone(rule.zone.as_deref().or(self.profile.zone.as_deref()));
        let year_of = |time| Event::Moment(time).day(&zone).map(|day| day.year());
        let first_note = self.notes.values().map(|fact| fact.sent).min();
        let first = rule.since.or_else(|| first_note.and_then(year_of).map(|year| year + 1));
        let (Some(now), Some(first)) = (year_of(as_of), first) else { return Vec::new() };
        // Of the years before the last two hundred nobody asks.
        let first = first.max(now.saturating_sub(MAX_YEARS));
        let mut days: Vec<_> = (first.saturating_sub(1)..=now)
            .flat_map(|year| rule.days.iter().map(move |day| (year, *day)))
            .filter_map(|(year, day)| {
                let date = jiff::civil::Date::new(year, day.month, day.day).ok()?;
                Some((year, date, start_of_day(date.tomorrow().ok()?, &zone)?))
            })
            .collect();
        days.sort_by_key(|(_, date, _)| *date);
        let pairs = days.windows(2).filter_map(|pair| match pair {
            // Of what was due before the ledger began it knows nothing.
            [(_, _, opens), (year, date, ends)] if *year >= first && first_note.is_none_or(|first| *ends > first) => {
                Some(Term { opens: *opens, ends: *ends, date: *date, year: *year })
            }
            _ => None,
        });
        pairs.collect()
    }
}
