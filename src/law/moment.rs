//! When something happened: from a point of a note's life to a time, with the sentence and the records for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::act::fits;
use super::docket::{Docket, Earlier, Fact, Place};
use super::effect::At;
use super::roles::{is_depositary, is_observer};
use super::view::Step;
use crate::ledger::Timestamp;
use crate::ledger::calendar::{End, Event, Manner, RANGE, end, zone};
use crate::ledger::profile::{Counting, Ends, Nth, Point, Said, Start, is_zoned};

/// Something that has happened, and why; or why there is no time.
pub(super) type Found = Result<(Event, Step), Stop>;

/// Why there is no time.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// It has not happened; it may.
    Waits(Step),
    /// No time can be computed from what the note says.
    Never(Step),
}

/// The time or day that a body's field holds, in one of the three forms that a profile's fields of time have.
pub(super) fn event_of(value: &Value) -> Option<Event> {
    let text = value.as_str()?;
    if let Some(time) = Timestamp::parse(text) {
        return Some(Event::Moment(time));
    }
    if is_zoned(text) {
        let zoned = text.parse::<jiff::ZonedDateTime>().ok()?;
        return Some(Event::Moment(Timestamp::from_posix(u64::try_from(zoned.timestamp().as_second()).ok()?)));
    }
    // Also a day beyond the years that are computed: why there is no time is said where it is counted.
    text.parse::<Date>().ok().filter(|date| date.to_string() == text).map(Event::Day)
}

fn step(text: String, records: Vec<String>) -> Step {
    Step { text, records }
}

fn waits(text: String, records: Vec<String>) -> Stop {
    Stop::Waits(Step { text, records })
}

impl Docket {
    pub(super) fn said<'a>(&self, place: Place, fact: &'a Fact) -> Said<'a> {
        Said { from: place.0, to: &fact.to, body: &fact.body }
    }

    /// Addressees, by place in the treaty file.
    pub(super) fn addressees(&self, place: Place, fact: &Fact) -> Vec<usize> {
        let all = fact.to.iter().any(|to| to == "*");
        let parties = self.treaty.parties().iter().enumerate();
        parties.filter(|(at, p)| *at != place.0 && (all || fact.to.contains(&p.code))).map(|(at, _)| at).collect()
    }

    /// Where a rule starts to count for whoever owes (nobody: for its addressees); `days` is the rule's own zone.
    pub(super) fn start(&self, place: Place, start: &Start, by: &[usize], days: Option<&str>, at: At) -> Found {
        let (of, point) = match start {
            Start::At(point) => return self.point(place, point, by, at),
            Start::Nth(nth) => return self.nth(place, nth, days, at),
            Start::Before { of, at } => (of, at),
        };
        let found = self.before(place, of.as_deref(), at.time);
        if let Earlier::Found(before) = found {
            return self.point(before, point, by, at);
        }
        let what = of.as_ref().map_or("an earlier note".to_owned(), |kind| {
            format!("a note of the kind “{}”", self.profile.title_of(kind))
        });
        let number = self.number(place);
        Err(match found {
            Earlier::None => Stop::Never(step(format!("{number} does not refer to {what}."), vec![number])),
            _ => waits(format!("{number} does not refer to {what} that is held."), vec![number]),
        })
    }

    /// The n-th note of a kind that reached whom it is for, each by another party; of those that stood at that time.
    fn nth(&self, place: Place, nth: &Nth, days: Option<&str>, at: At) -> Found {
        let title = self.profile.title_of(&nth.of);
        let days = zone(days);
        let limit = match nth.within {
            None => None,
            Some(count) => {
                let (from, _) = self.point(place, &nth.from, &[], at)?;
                let manner =
                    Manner { counting: Counting::Exclusive, ends: Ends::EndOfDay, zone: days.clone(), back: false };
                end(from, count, &manner).map(|end| end.at)
            }
        };
        // In the order of time, and at one time what comes before what goes: from when to when each of them stood.
        let mut turns: Vec<(Timestamp, bool, Place)> = Vec::new();
        for (answer, fact) in self.answers(place, at.time) {
            let is_observer = is_observer(&self.then(fact.sent, answer.0), answer.0);
            let counts = !is_observer && at.bound.at(answer.0, fact.sent) && self.may_send(answer, fact);
            if *fact.kind != *nth.of || !fits(&fact.body, &nth.when) || !counts {
                continue;
            }
            let event = self.point(answer, &nth.at, &[], at).ok().and_then(|(event, _)| event.moment(&days));
            // In time is what came in time, by the same moment as starts the clock.
            let came = event.filter(|came| *came <= at.time && limit.is_none_or(|limit| *came < limit));
            let Some(came) = came else { continue };
            let went = self.revocation(answer, fact, at.time).map(|(_, went)| went);
            if went.is_none_or(|went| went >= came) {
                turns.push((came, false, answer));
                turns.extend(went.map(|went| (went, true, answer)));
            }
        }
        turns.sort_unstable();
        let mut standing: BTreeMap<usize, BTreeSet<Place>> = BTreeMap::new();
        for (_, goes, answer) in turns {
            let of = standing.entry(answer.0).or_default();
            if goes {
                of.remove(&answer);
                continue;
            }
            of.insert(answer);
            if standing.values().filter(|of| !of.is_empty()).count() >= nth.nth as usize {
                let (event, mut why) = self.point(answer, &nth.at, &[], at)?;
                why.text = format!("“{title}” for the {} time, each by another party: {}", ordinal(nth.nth), why.text);
                return Ok((event, why));
            }
        }
        let stand: Vec<_> = standing.values().filter_map(|of| of.first()).map(|place| self.number(*place)).collect();
        let text = format!("“{title}” has come from {} parties; {} are needed.", stand.len(), nth.nth);
        Err(waits(text, stand))
    }

    /// A point of a note's life. `by` are those whose receipt counts, of whom one is enough; if there are none, each of
    /// its addressees.
    pub(super) fn point(&self, place: Place, point: &Point, by: &[usize], at: At) -> Found {
        let number = self.number(place);
        let Some(fact) = self.notes.get(&place) else {
            return Err(waits(format!("{number} is not held."), vec![number]));
        };
        match point {
            Point::Sent => {
                let text = format!("{} sent {number} at {}.", self.name(place.0), fact.sent.display());
                Ok((Event::Moment(fact.sent), step(text, vec![number])))
            }
            Point::Received if !by.is_empty() => self.receipt(place, fact, by, false, at),
            Point::Received | Point::ReceivedByEach => {
                self.receipt(place, fact, &self.reached(place, fact, at), true, at)
            }
            Point::ReceivedByDepositary | Point::ReceivedByEachDepositary => {
                let (mut depositaries, then) = (self.addressees(place, fact), self.then(fact.sent, place.0));
                depositaries.retain(|party| is_depositary(&then, *party));
                if is_depositary(&then, place.0) {
                    // A depositary needs no post to itself.
                    depositaries.push(place.0);
                }
                if depositaries.is_empty() {
                    let text = format!("{number} is addressed to no depositary.");
                    return Err(Stop::Never(step(text, vec![number])));
                }
                self.receipt(place, fact, &depositaries, *point == Point::ReceivedByEachDepositary, at)
            }
            Point::InformedByDepositary => {
                let informed = |party: usize| self.informed(place, party, at);
                match by.is_empty() {
                    true => self.of_several(place, &self.reached(place, fact, at), true, &informed),
                    false => self.of_several(place, by, false, &informed),
                }
            }
            Point::Field(name) => match fact.body.get(name).and_then(event_of) {
                Some(event) => {
                    let said = fact.body.get(name).and_then(Value::as_str).unwrap_or_default();
                    let title = self.profile.kind.get(&*fact.kind).and_then(|kind| kind.field(name));
                    let title = title.map_or(name.as_str(), |field| field.title.as_str());
                    Ok((event, step(format!("{number} says: {title}: {said}."), vec![number])))
                }
                None => {
                    let text = format!("{number} names no date or time in its field `{name}`.");
                    Err(Stop::Never(step(text, vec![number])))
                }
            },
        }
    }

    /// Whom a note has to reach where each of its addressees counts: of all, those whom the treaty bound when it was sent;
    /// an observer only if the note names it.
    fn reached(&self, place: Place, fact: &Fact, at: At) -> Vec<usize> {
        let (mut parties, then) = (self.addressees(place, fact), self.at(fact.sent));
        parties.retain(|party| match is_observer(&then, *party) {
            true => fact.to.contains(&self.treaty.party(*party).code),
            false => at.bound.at(*party, fact.sent),
        });
        parties
    }

    fn receipt(&self, place: Place, fact: &Fact, by: &[usize], each: bool, at: At) -> Found {
        self.of_several(place, by, each, &|party| self.receipt_by(place, fact, party, at))
    }

    /// The first of several events, or the last once all are there.
    fn of_several(&self, place: Place, parties: &[usize], each: bool, event: &dyn Fn(usize) -> Found) -> Found {
        let mut best: Option<(Event, Step)> = None;
        let mut missing = None;
        for party in parties {
            match event(*party) {
                Ok(found) => {
                    let new = moment(found.0);
                    let replaces = |(before, _): &(Event, Step)| {
                        let old = moment(*before);
                        if each { new > old } else { new < old }
                    };
                    if best.as_ref().is_none_or(replaces) {
                        best = Some(found);
                    }
                }
                Err(why) => drop(missing.get_or_insert(why)),
            }
        }
        match (best, missing) {
            (_, Some(why)) if each => Err(why),
            (Some(found), _) => Ok(found),
            (None, Some(why)) => Err(why),
            (None, None) => {
                let number = self.number(place);
                let text = format!("{number} is addressed to nobody whom the treaty bound then.");
                Err(Stop::Never(step(text, vec![number])))
            }
        }
    }

    fn receipt_by(&self, place: Place, fact: &Fact, by: usize, at: At) -> Found {
        let number = self.number(place);
        if by == place.0 {
            let text =
                format!("{number} is {}'s own; it counts from its sending at {}.", self.name(by), fact.sent.display());
            return Ok((Event::Moment(fact.sent), step(text, vec![number])));
        }
        let deemed = self.profile.kind.get(&*fact.kind).and_then(|kind| kind.deemed_received).and_then(|count| {
            let zone = zone(self.profile.zone.as_deref());
            let manner = Manner { counting: Counting::Exclusive, ends: Ends::Moment, zone, back: false };
            Some((count, end(Event::Moment(fact.sent), count, &manner)?.at)).filter(|(_, when)| *when <= at.time)
        });
        match (self.received(place, by, at.time), deemed) {
            (Some(seen), deemed) if deemed.is_none_or(|(_, when)| seen.time <= when) => {
                let text = format!("{} received {number} at {}.", self.name(by), seen.time.display());
                Ok((Event::Moment(seen.time), step(text, vec![number, format!("{}/{}", self.code(by), seen.index)])))
            }
            (_, Some((count, when))) => {
                let (name, when_text) = (self.name(by), when.display());
                let text = format!("{number} is deemed received by {name} {count} after its sending, at {when_text}.");
                Ok((Event::Moment(when), step(text, vec![number])))
            }
            _ => Err(waits(format!("{} has not receipted {number}.", self.name(by)), vec![number])),
        }
    }

    /// When a party was informed of a note by a depositary.
    fn informed(&self, place: Place, party: usize, at: At) -> Found {
        let informs = |kind: &str| self.profile.kind.get(kind).is_some_and(|kind| kind.informs);
        let mut first: Option<(Event, Step)> = None;
        for (circular, fact) in self.answers(place, at.time) {
            if !informs(&fact.kind) || !is_depositary(&self.then(fact.sent, circular.0), circular.0) {
                continue;
            }
            if circular.0 != party && !self.addressees(circular, fact).contains(&party) {
                continue;
            }
            if self.revocation(circular, fact, at.time).is_some() {
                continue;
            }
            if let Ok(found) = self.receipt_by(circular, fact, party, at)
                && first.as_ref().is_none_or(|before| moment(found.0) < moment(before.0))
            {
                first = Some(found);
            }
        }
        first.ok_or_else(|| {
            let number = self.number(place);
            let text = format!("No depositary's note about {number} has reached {}.", self.name(party));
            waits(text, vec![number])
        })
    }
}

/// Of a receipt, which is never a mere day.
fn moment(event: Event) -> Option<Timestamp> {
    event.moment(&zone(None))
}

fn ordinal(n: u32) -> String {
    match n {
        1 => "first".into(),
        2 => "second".into(),
        3 => "third".into(),
        n => format!("{n}th"),
    }
}

/// The sentence for a length of time that was counted.
pub(super) fn counted(text: String, manner: &Manner, end: &End, is_hours: bool) -> Step {
    let zone = manner.zone.iana_name().unwrap_or("UTC");
    let mut sentence = format!("Counted: {text}");
    if !is_hours {
        let counts = if manner.counting == Counting::Inclusive { "counts" } else { "does not count" };
        sentence += &format!(", by the calendar in {zone}; the day of the start {counts}; the last day is {}", end.day);
        if end.clamped {
            sentence += ", as the month has no such day as that of the start";
        }
    }
    step(sentence + ".", Vec::new())
}

/// Why a length of time has no end.
pub(super) fn beyond(text: &str) -> Step {
    let text = format!("Counted: {text}: it lies outside of the years in which times are computed: {RANGE}.");
    Step { text, records: Vec::new() }
}
