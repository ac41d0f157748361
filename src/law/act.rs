//! What did something that was due, or ended it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::docket::{Docket, Fact, Place};
use super::effect::At;
use super::moment::Stop;
use super::view::{Act, Step};
use crate::ledger::Timestamp;
use crate::ledger::calendar::{Event, RANGE, zone};
use crate::ledger::profile::{Due, Point};

/// A rule, as it applies to a note.
#[derive(Clone, Copy)]
pub(super) struct Owed<'a> {
    pub place: Place,
    pub fact: &'a Fact,
    pub due: &'a Due,
    /// Who owes it; one of them is enough.
    pub by: &'a [usize],
    /// IANA time zone of its days.
    pub zone: Option<&'a str>,
}

/// What was found of what did it.
#[derive(Default)]
pub(super) struct Acts {
    /// What did it: the first that was in time, else the first.
    pub done: Option<(Act, Step)>,
    /// What is said to do it later.
    pub announced: Option<(Act, Step)>,
    /// The note itself, of which it cannot be said when it did it.
    pub undated: Option<(Act, Step)>,
    /// What does not count, and why.
    pub steps: Vec<Step>,
    /// Notes farther away were not looked at.
    pub is_cut: bool,
}

impl Docket {
    /// What did it, by that moment of it. `from` is the first time at which it could be done.
    pub(super) fn acts(&self, owed: Owed, point: &Point, from: Option<Timestamp>, at: At) -> Acts {
        let (mut out, due) = (Acts::default(), owed.due);
        let mut acts: Vec<(bool, Timestamp, Place, Act, Step)> = Vec::new();
        let mut take = |out: &mut Acts, place: Place, fact: &Fact, found: Result<(Event, Step), Stop>| {
            let title = self.profile.title_of(&fact.kind).to_owned();
            let act = |time| Act { number: self.number(place), title, time };
            let dated = match found {
                Ok((event, why)) => match event.moment(&zone(owed.zone)) {
                    Some(time) => Ok((time, why)),
                    None => Err(Step { text: format!("{} Times are computed from {RANGE}.", why.text), ..why }),
                },
                Err(Stop::Waits(_)) => return,
                Err(Stop::Never(why)) => Err(why),
            };
            match dated {
                Ok((time, why)) => acts.push((from.is_some_and(|from| time < from), time, place, act(time), why)),
                Err(why) if due.itself => out.undated = Some((act(fact.sent), why)),
                Err(why) => out.steps.push(Step { text: format!("{} It does not count.", why.text), ..why }),
            }
        };
        if due.itself {
            // Received by those to whom it is due; where the rule names nobody, by each addressee.
            let to = if due.to.is_empty() { Vec::new() } else { self.creditors(owed) };
            let by = if *point == Point::Received { to.as_slice() } else { &[] };
            take(&mut out, owed.place, owed.fact, self.point(owed.place, point, by, at));
        } else {
            let to = self.creditors(owed);
            for (answer, fact) in self.standing_answers(owed, point, &mut out, at) {
                let by = if *point == Point::Received { to.as_slice() } else { &[] };
                take(&mut out, answer, fact, self.point(answer, point, by, at));
            }
        }
        acts.sort_by_key(|(early, time, place, ..)| (*early, *time, *place));
        let (done, to_come): (Vec<_>, Vec<_>) = acts.into_iter().partition(|(_, time, ..)| *time <= at.time);
        out.done = done.into_iter().next().map(|(.., act, why)| (act, why));
        out.announced = to_come.into_iter().next().map(|(.., act, why)| (act, why));
        out
    }

    /// The answers of those who owe it, without what was taken back and what another answer of the same party replaced.
    fn standing_answers(&self, owed: Owed, point: &Point, out: &mut Acts, at: At) -> Vec<(Place, &Fact)> {
        let mut by_log: BTreeMap<usize, Vec<(Place, &Fact)>> = BTreeMap::new();
        for (answer, fact) in self.answers_of(owed, out, at) {
            match self.revocation(answer, fact, at.time) {
                Some((by, when)) if fits(&fact.body, &owed.due.answer_when) => {
                    let (number, by) = (self.number(answer), self.number(by));
                    let text = format!("{number} does not count: {by} took it back at {}.", when.display());
                    out.steps.push(Step { text, records: vec![number, by] });
                }
                Some(_) => {}
                None => by_log.entry(answer.0).or_default().push((answer, fact)),
            }
        }
        let mut standing = Vec::new();
        for mut answers in by_log.into_values() {
            answers.sort_by_key(|(place, fact)| (fact.sent, *place));
            // Where an answer can say something else than one before, a party's last word counts.
            let other = answers.iter().rposition(|(_, fact)| !fits(&fact.body, &owed.due.answer_when));
            let mut kept = answers.split_off(other.map_or(0, |other| other + 1));
            if let (Some((other, fact)), true) = (answers.last(), kept.is_empty()) {
                let asked: Vec<_> =
                    owed.due.answer_when.iter().map(|(name, value)| format!("`{name}` {value}")).collect();
                let (number, asked) = (self.number(*other), asked.join(" and "));
                let text = format!("{number} answered at {}, and not with {asked}.", fact.sent.display());
                out.steps.push(Step { text, records: vec![number] });
            }
            let mut replaced = answers.iter().rev().find(|(_, fact)| fits(&fact.body, &owed.due.answer_when)).copied();
            let mut by = answers.last().copied();
            if let Point::Field(field) = point
                && let Some(last) = kept.iter().rposition(|(_, fact)| fact.body.contains_key(field))
            {
                by = kept.get(last).copied();
                replaced = last.checked_sub(1).map(|before| kept[before]).or(replaced);
                kept = by.into_iter().collect();
            }
            if let (Some((replaced, _)), Some((by, _))) = (replaced, by) {
                let (number, by) = (self.number(replaced), self.number(by));
                let text = format!("{by} came in the place of {number}.");
                out.steps.push(Step { text, records: vec![number, by] });
            }
            standing.extend(kept);
        }
        standing
    }

    /// All notes of the kinds that answer it, by those who owe it or for them.
    fn answers_of(&self, owed: Owed, out: &mut Acts, at: At) -> Vec<(Place, &Fact)> {
        let Owed { place, due, by, .. } = owed;
        let mut logs: Vec<usize> = by.to_vec();
        for group in self.profile.group.keys() {
            let members = self.profile.members(group, &self.treaty);
            if members.iter().any(|member| by.contains(member)) {
                logs.extend(members);
            }
        }
        logs.sort_unstable();
        logs.dedup();
        let mut answers: Vec<(Place, &Fact)> = match due.thread {
            true => {
                let behind = self.behind(place, at.time);
                out.is_cut = behind.is_cut;
                behind.notes.into_iter().filter(|(answer, _)| logs.contains(&answer.0)).collect()
            }
            false => logs.into_iter().flat_map(|log| self.answers_by(place, log, at.time)).collect(),
        };
        answers.retain(|(answer, fact)| {
            due.answer.iter().any(|kind| **kind == *fact.kind)
                && self.may_send(*answer, fact)
                && self.acting(*answer, fact).iter().any(|party| by.contains(party))
        });
        answers
    }

    /// For whom a note speaks: the group that it names, if its sender is one of it; else its sender.
    pub(super) fn acting(&self, place: Place, fact: &Fact) -> Vec<usize> {
        let field = self.profile.kind.get(&*fact.kind).and_then(|kind| kind.behalf.as_ref());
        let group = field.and_then(|field| fact.body.get(field)?.as_str());
        let members = group.map(|group| self.profile.members(group, &self.treaty)).unwrap_or_default();
        if members.contains(&place.0) { members } else { vec![place.0] }
    }

    /// To whom it is owed.
    fn creditors(&self, owed: Owed) -> Vec<usize> {
        if owed.due.to.is_empty() {
            return vec![owed.place.0];
        }
        let (said, then) = (self.said(owed.place, owed.fact), self.at(owed.fact.sent));
        owed.due.to.iter().flat_map(|to| to.parties(said, &self.profile, &then)).collect()
    }

    /// What ended it without an answer: a note that belongs to it and ends it, or that the sender took it back.
    pub(super) fn stopped(&self, owed: Owed, acts: &mut Acts, at: At) -> Option<Step> {
        let Owed { place, fact, due, .. } = owed;
        if !due.ended_by.is_empty() {
            let behind = self.behind(place, at.time);
            acts.is_cut |= behind.is_cut;
            let ends = |other: &(Place, &Fact)| self.ends(&due.ended_by, (place, fact), *other, at.time);
            let ended = behind.notes.into_iter().filter(ends).min_by_key(|(place, fact)| (fact.sent, *place));
            if let Some((other, by)) = ended {
                let (number, title) = (self.number(other), self.profile.title_of(&by.kind));
                let text = format!("{number}, “{title}”, ended it at {}.", by.sent.display());
                return Some(Step { text, records: vec![number] });
            }
        }
        let (by, when) = self.revocation(place, fact, at.time)?;
        let text = format!("{} took {} back at {}.", self.number(by), self.number(place), when.display());
        Some(Step { text, records: vec![self.number(by)] })
    }

    /// Whether notes of a kind take back those of another.
    fn takes_back(&self, kind: &str, other: &str) -> bool {
        let kind = self.profile.kind.get(kind);
        kind.is_some_and(|kind| kind.revokes.iter().any(|name| name == "*" || name == other))
    }

    /// The first note by which the sender took a note back. That cannot be taken back in turn: it has its effect at once.
    pub(super) fn revocation(&self, place: Place, fact: &Fact, as_of: Timestamp) -> Option<(Place, Timestamp)> {
        let own = self.answers_by(place, place.0, as_of).filter(|(_, by)| self.takes_back(&by.kind, &fact.kind));
        own.map(|(other, by)| (other, by.sent)).min_by_key(|(other, sent)| (*sent, *other))
    }
}

pub(super) fn fits(body: &Map<String, Value>, when: &BTreeMap<String, Value>) -> bool {
    when.iter().all(|(name, value)| body.get(name) == Some(value))
}
