//! What is due: each rule of each note's kind, applied as of a time.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::calendar::{Event, Manner, end, length, zone};
use super::docket::{Docket, Fact, Place};
use super::effect::Bound;
use super::moment::counted;
use super::view::{Act, Item, Other, State, Step};
use crate::ledger::profile::{Address, Count, Counting, Due, Ends, Point, Reading, Start, Unit, Who};
use crate::ledger::{Role, Timestamp};

/// Which items are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only those that this party owes or is owed.
    pub party: Option<usize>,
    /// Only those about which something can still be done: waiting, open, or missed.
    pub outstanding: bool,
    /// Only those of this note.
    pub note: Option<Place>,
}

/// The bounds of a time, with how they were counted.
#[derive(Default)]
struct Bounds {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    steps: Vec<Step>,
}

/// The parts of a rule that another reading may replace.
struct Rule<'a> {
    due: &'a Due,
    counting: Counting,
    ends: Ends,
    zone: Option<&'a str>,
    length: Option<Count>,
}

impl Docket {
    /// What is due, was done, was missed, as of a time: in the order of the notes (log, index) and of the profile's rules, and
    /// then what is due every year. Records with a later time than that count for nothing.
    pub fn items(&self, as_of: Timestamp, query: &Query) -> Vec<Item> {
        self.items_among(as_of, query, &self.bound(as_of))
    }

    /// The same for who asks about many notes as of one time: who was bound when is computed once.
    pub fn items_among(&self, as_of: Timestamp, query: &Query, bound: &Bound) -> Vec<Item> {
        let mut items = Vec::new();
        // A later time than was ever asked about: what was done by then is done.
        let only_live = query.outstanding && query.note.is_none() && self.live().as_of <= as_of;
        let places: Vec<Place> = match query.note {
            Some(place) => vec![place],
            None if only_live => self.live().notes.iter().copied().collect(),
            None => self.notes.keys().copied().collect(),
        };
        for place in places {
            let Some(fact) = self.notes.get(&place).filter(|fact| fact.sent <= as_of) else { continue };
            let Some(kind) = self.profile.kind.get(&*fact.kind) else { continue };
            let before = items.len();
            for due in &kind.due {
                self.rule(place, fact, due, bound, as_of, &mut items);
            }
            let is_done = |item: &Item| !item.state.is_outstanding() && !matches!(item.state, State::Deemed { .. });
            // A note that ended something may be taken back.
            let is_ended = || kind.due.iter().any(|due| self.ender(place, fact, due, as_of).is_some());
            if only_live && items[before..].iter().all(is_done) && !is_ended() {
                let mut live = self.live();
                live.notes.remove(&place);
                live.as_of = live.as_of.max(as_of);
            }
        }
        if query.note.is_none() {
            self.periodic(as_of, bound, &mut items);
        }
        if let Some(party) = query.party {
            let code = self.code(party);
            items.retain(|item| item.owed_by.contains(&code) || item.owed_to.contains(&code));
        }
        if query.outstanding {
            items.retain(|item| item.state.is_outstanding());
        }
        items
    }

    /// Of all that, what is due every year.
    pub fn yearly(&self, as_of: Timestamp) -> Vec<Item> {
        let mut items = Vec::new();
        self.periodic(as_of, &self.bound(as_of), &mut items);
        items
    }

    fn rule(&self, place: Place, fact: &Fact, due: &Due, bound: &Bound, as_of: Timestamp, items: &mut Vec<Item>) {
        if due.itself {
            return items.push(self.item(place, fact, due, &[place.0], as_of));
        }
        let mut told = BTreeSet::new();
        for address in &due.by {
            let debtors = self.debtors(place, fact, address, bound);
            match address.any {
                true if !debtors.is_empty() => items.push(self.item(place, fact, due, &debtors, as_of)),
                true => {}
                false => {
                    for debtor in debtors.into_iter().filter(|debtor| told.insert(*debtor)) {
                        items.push(self.item(place, fact, due, &[debtor], as_of));
                    }
                }
            }
        }
    }

    /// Whom an address means as those who owe: not observers, nor whom the treaty did not bind when the note was sent, and
    /// the sender only where it is named.
    fn debtors(&self, place: Place, fact: &Fact, address: &Address, bound: &Bound) -> Vec<usize> {
        let observer = |party: &usize| self.treaty.party(*party).roles == [Role::Observer];
        let mut parties = address.parties(self.said(place, fact), &self.profile, &self.treaty);
        parties.retain(|party| !observer(party));
        if matches!(address.who, Who::All | Who::Role(Role::StateParty)) {
            parties.retain(|party| bound.at(*party, fact.sent));
        }
        if matches!(address.who, Who::Role(_) | Who::Addressee) && parties.len() > 1 {
            // A depositary that gives a notice itself still informs the others; a state party owes itself nothing.
            let depositary = address.who == Who::Role(Role::Depositary);
            parties.retain(|party| depositary || *party != place.0);
        }
        parties
    }

    fn item(&self, place: Place, fact: &Fact, due: &Due, by: &[usize], as_of: Timestamp) -> Item {
        let mut item = self.blank(place, fact, due, by);
        let fails = due.when.iter().find(|(name, value)| fact.body.get(*name) != Some(value));
        if let Some((name, value)) = fails {
            item.state = State::NotApplicable;
            item.text = format!("Not due: it applies where `{name}` is {value}.");
            return item;
        }
        let receivers = if due.itself { &[][..] } else { by };
        let start = match self.start(place, &due.start, receivers, as_of) {
            Ok((event, why)) => {
                item.steps.push(why);
                Some(event)
            }
            Err(why) => {
                item.steps.push(why);
                None
            }
        };
        let bounds = start.map(|event| bounds(event, &Rule::of(due, None, self.profile.zone.as_deref())));
        if let Some(bounds) = bounds {
            item.steps.extend(bounds.steps);
            (item.from, item.until) = (bounds.from, bounds.until);
        }
        item.readings =
            due.disputed.iter().map(|reading| self.reading(place, due, reading, start, receivers, as_of)).collect();
        let act = self.act(place, fact, due, by, item.from, as_of);
        let stopped = self.stopped(place, fact, due, as_of);
        item.state = match (&act, start) {
            (Some(act), _) => judge(act, item.from, item.until),
            (None, _) if stopped.is_some() => State::NotApplicable,
            (None, None) => State::Waiting,
            (None, Some(_)) => match item.until {
                Some(until) if until < as_of => match due.deemed {
                    Some(deemed) => State::Deemed { deemed },
                    None => State::Missed { by_s: as_of.posix() - until.posix() },
                },
                _ => State::Open,
            },
        };
        if let (State::NotApplicable, Some(why)) = (item.state, stopped) {
            item.steps.push(why);
        }
        if let Some((_, act, why)) = act {
            item.steps.push(why);
            item.act = Some(act);
        }
        item.text = sentence(&item);
        item
    }

    fn blank(&self, place: Place, fact: &Fact, due: &Due, by: &[usize]) -> Item {
        let said = self.said(place, fact);
        let mut to: Vec<usize> = due.to.iter().flat_map(|to| to.parties(said, &self.profile, &self.treaty)).collect();
        if due.to.is_empty() {
            to = if due.itself { self.addressees(place, fact) } else { vec![place.0] };
        }
        to.sort_unstable();
        to.dedup();
        to.retain(|party| by != [*party]);
        Item {
            number: self.number(place),
            kind: fact.kind.to_string(),
            about: self.profile.title_of(&fact.kind).to_owned(),
            sender: self.code(place.0),
            sent: Some(fact.sent),
            rule: due.id.clone(),
            title: due.title.clone(),
            article: due.article.clone(),
            owed_by: by.iter().map(|party| self.code(*party)).collect(),
            owed_to: to.into_iter().map(|party| self.code(party)).collect(),
            answers: due.answer.iter().map(|kind| self.profile.title_of(kind).to_owned()).collect(),
            state: State::Waiting,
            from: None,
            until: None,
            act: None,
            text: String::new(),
            then: due.then.clone(),
            steps: Vec::new(),
            readings: Vec::new(),
            unconfirmed: due.unconfirmed.clone(),
        }
    }

    fn reading(
        &self,
        place: Place,
        due: &Due,
        reading: &Reading,
        start: Option<Event>,
        by: &[usize],
        as_of: Timestamp,
    ) -> Other {
        let start = match &reading.start {
            Some(other) => self.start(place, other, by, as_of).ok().map(|(event, _)| event),
            None => start,
        };
        let bounds = start.map(|event| bounds(event, &Rule::of(due, Some(reading), self.profile.zone.as_deref())));
        let bounds = bounds.unwrap_or_default();
        Other { title: reading.title.clone(), from: bounds.from, until: bounds.until, records: Vec::new() }
    }

    /// What did it: the first that was in time, else the first.
    fn act(
        &self,
        place: Place,
        fact: &Fact,
        due: &Due,
        by: &[usize],
        from: Option<Timestamp>,
        as_of: Timestamp,
    ) -> Option<(Event, Act, Step)> {
        let point = due.act.as_ref().unwrap_or(&Point::Sent);
        if due.itself {
            let (event, why) = self.point(place, point, &[], as_of).ok()?;
            return Some((event, self.done(place, fact, event)?, why));
        }
        let answers = if due.thread { self.behind(place, as_of) } else { self.answers(place, as_of).collect() };
        let mut acts: Vec<_> = answers
            .into_iter()
            .filter(|(answer, fact)| {
                by.contains(&answer.0)
                    && due.answer.iter().any(|kind| **kind == *fact.kind)
                    && fits(&fact.body, &due.answer_when)
            })
            .filter_map(|(answer, fact)| {
                let (event, why) = match point {
                    Point::Received => self.point(answer, point, &self.creditors(place, due), as_of).ok()?,
                    _ => self.point(answer, point, &[], as_of).ok()?,
                };
                let act = self.done(answer, fact, event)?;
                Some((judge_early(event, from), act.time, answer, (event, act, why)))
            })
            .collect();
        acts.sort_by_key(|(early, time, answer, _)| (*early, *time, *answer));
        acts.into_iter().next().map(|(.., act)| act)
    }

    fn creditors(&self, place: Place, due: &Due) -> Vec<usize> {
        let Some(fact) = self.notes.get(&place).filter(|_| !due.to.is_empty()) else { return vec![place.0] };
        let said = self.said(place, fact);
        due.to.iter().flat_map(|to| to.parties(said, &self.profile, &self.treaty)).collect()
    }

    pub(super) fn done(&self, place: Place, fact: &Fact, event: Event) -> Option<Act> {
        let time = event.moment(&zone(self.profile.zone.as_deref()))?;
        Some(Act { number: self.number(place), title: self.profile.title_of(&fact.kind).to_owned(), time })
    }

    /// What ended the obligation without an answer.
    fn stopped(&self, place: Place, fact: &Fact, due: &Due, as_of: Timestamp) -> Option<Step> {
        if let Some((other, ended)) = self.ender(place, fact, due, as_of) {
            let title = self.profile.title_of(&ended.kind);
            let text = format!("{}, “{title}”, ended it at {}.", self.number(other), ended.sent.display());
            return Some(Step { text, records: vec![self.number(other)] });
        }
        let (by, at) = self.revocation(place, fact, as_of)?;
        let text = format!("{} revoked {} at {}.", self.number(by), self.number(place), at.display());
        Some(Step { text, records: vec![self.number(by)] })
    }

    /// The first note by which the sender took a note back.
    pub(super) fn revocation(&self, place: Place, fact: &Fact, as_of: Timestamp) -> Option<(Place, Timestamp)> {
        let revokes = |kind: &str| {
            let kind = self.profile.kind.get(kind);
            kind.is_some_and(|kind| kind.revokes.iter().any(|name| name == "*" || **name == *fact.kind))
        };
        let own = self.answers(place, as_of).filter(|(other, by)| other.0 == place.0 && revokes(&by.kind));
        own.map(|(other, by)| (other, by.sent)).min_by_key(|(other, sent)| (*sent, *other))
    }
}

impl<'a> Rule<'a> {
    fn of(due: &'a Due, reading: Option<&'a Reading>, zone: Option<&'a str>) -> Self {
        Self {
            due,
            counting: reading.and_then(|r| r.counting).unwrap_or(due.counting),
            ends: reading.and_then(|r| r.ends).or(due.ends).unwrap_or(Ends::EndOfDay),
            zone: reading.and_then(|r| r.zone.as_deref()).or(due.zone.as_deref()).or(zone),
            length: reading.and_then(|r| r.length),
        }
    }
}

fn bounds(start: Event, rule: &Rule) -> Bounds {
    let due = rule.due;
    let manner = |ends, back| Manner { counting: rule.counting, ends, zone: zone(rule.zone), back };
    let mut out = Bounds::default();
    let first = due.window.map(|window| window[0]).or(due.not_before);
    let last = due.window.map(|window| window[1]).or(due.within).map(|last| rule.length.unwrap_or(last));
    if let Some(count) = first {
        let manner = manner(if rule.ends == Ends::Moment { Ends::Moment } else { Ends::StartOfDay }, false);
        if let Some(found) = end(start, count, &manner) {
            out.from = Some(found.at);
            out.steps.push(counted(format!("not before {count} after"), &manner, &found, count.unit == Unit::Hour));
        }
    }
    let (limit, back) = match due.before {
        Some(count) => (Some(rule.length.unwrap_or(count)), true),
        None if due.simultaneous => (Some(Count { n: 0, unit: Unit::Day }), false),
        None => (last, false),
    };
    if let Some(count) = limit {
        let manner = manner(rule.ends, back);
        if let Some(found) = end(start, count, &manner) {
            // The last second of the day is in time.
            let inside = rule.ends == Ends::EndOfDay && count.unit != Unit::Hour;
            out.until = Some(Timestamp::from_posix(found.at.posix().saturating_sub(u64::from(inside))));
            let text = match (due.simultaneous, back) {
                (true, _) => "on the same day".to_owned(),
                (_, true) => format!("not later than {count} before"),
                _ => format!("not later than {count} after"),
            };
            out.steps.push(counted(text, &manner, &found, count.unit == Unit::Hour));
        }
    }
    out
}

fn fits(body: &Map<String, Value>, when: &std::collections::BTreeMap<String, Value>) -> bool {
    when.iter().all(|(name, value)| body.get(name) == Some(value))
}

/// Whether an event lies before the first time at which it may.
fn judge_early(event: Event, from: Option<Timestamp>) -> bool {
    let time = event.moment(&jiff::tz::TimeZone::UTC);
    from.zip(time).is_some_and(|(from, time)| time < from)
}

fn judge(act: &(Event, Act, Step), from: Option<Timestamp>, until: Option<Timestamp>) -> State {
    let time = act.1.time;
    match (from, until) {
        (Some(from), _) if time < from => State::Early { by_s: from.posix() - time.posix() },
        (_, Some(until)) if until < time => State::Late { by_s: time.posix() - until.posix() },
        _ => State::Met,
    }
}

pub(super) fn sentence(item: &Item) -> String {
    let time = |time: Option<Timestamp>| time.map_or("no time".to_owned(), Timestamp::display);
    let by = item.owed_by.join(" or ");
    let did = item.act.as_ref().map(|act| format!("{} at {}", act.number, act.time.display())).unwrap_or_default();
    match item.state {
        State::Waiting => "The time has not begun: what starts it has not happened.".into(),
        State::Open => match (item.from, item.until) {
            (Some(from), Some(until)) => format!("Open for {by}: from {} until {}.", from.display(), until.display()),
            (None, Some(until)) => format!("Open for {by} until {}.", until.display()),
            (Some(from), None) => format!("Open for {by}, not before {}.", from.display()),
            (None, None) => format!("Open for {by}; no time is set."),
        },
        State::Met => format!("Met by {did}."),
        State::Early { by_s } => format!("Early by {}: {did}, not before {}.", length(by_s), time(item.from)),
        State::Late { by_s } => format!("Late by {}: {did}, as computed until {}.", length(by_s), time(item.until)),
        State::Missed { by_s } => {
            format!("Nothing from {by}; the time ran until {}, {} ago.", time(item.until), length(by_s))
        }
        State::Deemed { deemed } => format!("No answer until {}: deemed {}.", time(item.until), deemed.as_str()),
        State::NotApplicable => "No longer due.".into(),
    }
}

/// A start that no note's own words can move.
pub(super) fn is_depositary_start(start: &Start) -> bool {
    matches!(start, Start::At(Point::ReceivedByDepositary | Point::ReceivedByEachDepositary))
}
