//! When something happened: from a point of a note's life to a time, with the sentence and the records for it.

use jiff::civil::Date;
use serde_json::Value;

use super::calendar::{End, Event, Manner, end, zone};
use super::docket::{Docket, Fact, Place};
use super::view::Step;
use crate::ledger::Timestamp;
use crate::ledger::profile::{Counting, Ends, Nth, Point, Said, Start, is_date, is_zoned};
use crate::ledger::{Role, Treaty};

/// A start that has happened, and why; or what it waits for.
pub(super) type Found = Result<(Event, Step), Step>;

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
    text.parse::<Date>().ok().filter(|_| is_date(text)).map(Event::Day)
}

pub(super) fn is_depositary(treaty: &Treaty, party: usize) -> bool {
    treaty.party(party).roles.contains(&Role::Depositary)
}

fn step(text: String, records: Vec<String>) -> Step {
    Step { text, records }
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

    /// Where a rule starts to count for whoever owes (nobody: for its addressees).
    pub(super) fn start(&self, place: Place, start: &Start, by: &[usize], as_of: Timestamp) -> Found {
        match start {
            Start::At(point) => self.point(place, point, by, as_of),
            Start::Before { of, at } => match self.before(place, of.as_deref(), as_of) {
                Some((before, _)) => self.point(before, at, by, as_of),
                None => {
                    let what = of.as_ref().map_or("an earlier note".to_owned(), |kind| {
                        format!("a note of the kind “{}”", self.profile.title_of(kind))
                    });
                    let text = format!("{} does not refer to {what} that is held.", self.number(place));
                    Err(step(text, vec![self.number(place)]))
                }
            },
            Start::Nth(nth) => self.nth(place, nth, as_of),
        }
    }

    fn nth(&self, place: Place, nth: &Nth, as_of: Timestamp) -> Found {
        let title = self.profile.title_of(&nth.of);
        let limit = match nth.within {
            None => None,
            Some(count) => {
                let (from, _) = self.point(place, &nth.from, &[], as_of)?;
                let zone = zone(self.profile.zone.as_deref());
                let manner = Manner { counting: Counting::Exclusive, ends: Ends::EndOfDay, zone, back: false };
                end(from, count, &manner).map(|end| end.at)
            }
        };
        let mut found: Vec<(Timestamp, Place)> = Vec::new();
        for (answer, fact) in self.answers(place, as_of) {
            let fits = *fact.kind == *nth.of && nth.when.iter().all(|(name, value)| fact.body.get(name) == Some(value));
            let in_time = limit.is_none_or(|limit| fact.sent < limit);
            if fits && in_time && found.iter().all(|(_, (log, _))| *log != answer.0) {
                found.push((fact.sent, answer));
            }
        }
        found.sort_unstable();
        match found.get(nth.nth as usize - 1) {
            Some((_, answer)) => {
                let (event, mut why) = self.point(*answer, &nth.at, &[], as_of)?;
                why.text = format!("“{title}” for the {} time, each by another party: {}", ordinal(nth.nth), why.text);
                Ok((event, why))
            }
            None => {
                let text = format!("“{title}” has come from {} parties; {} are needed.", found.len(), nth.nth);
                Err(step(text, found.iter().map(|(_, place)| self.number(*place)).collect()))
            }
        }
    }

    /// A point of a note's life. `by` are those whose receipt counts; if there are none, its addressees, each.
    pub(super) fn point(&self, place: Place, point: &Point, by: &[usize], as_of: Timestamp) -> Found {
        let number = self.number(place);
        let Some(fact) = self.notes.get(&place) else {
            return Err(step(format!("{number} is not held."), vec![number]));
        };
        let addressees = || self.addressees(place, fact);
        match point {
            Point::Sent => {
                let text = format!("{} sent {number} at {}.", self.name(place.0), fact.sent.display());
                Ok((Event::Moment(fact.sent), step(text, vec![number])))
            }
            Point::Received if !by.is_empty() => self.receipt(place, fact, by, false, as_of),
            Point::Received | Point::ReceivedByEach => self.receipt(place, fact, &addressees(), true, as_of),
            Point::ReceivedByDepositary | Point::ReceivedByEachDepositary => {
                let mut depositaries = addressees();
                depositaries.retain(|party| is_depositary(&self.treaty, *party));
                if is_depositary(&self.treaty, place.0) {
                    // A depositary needs no post to itself.
                    depositaries.push(place.0);
                }
                if depositaries.is_empty() {
                    let text = format!("{number} is addressed to no depositary.");
                    return Err(step(text, vec![number]));
                }
                self.receipt(place, fact, &depositaries, *point == Point::ReceivedByEachDepositary, as_of)
            }
            Point::InformedByDepositary => {
                let informed = |party: usize| self.informed(place, party, as_of);
                let (parties, each) = if by.is_empty() { (addressees(), true) } else { (by.to_vec(), false) };
                self.of_several(&parties, each, &informed)
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
                    Err(step(text, vec![number]))
                }
            },
        }
    }

    fn receipt(&self, place: Place, fact: &Fact, by: &[usize], each: bool, as_of: Timestamp) -> Found {
        self.of_several(by, each, &|party| self.receipt_by(place, fact, party, as_of))
    }

    /// The first of several events, or the last once all are there.
    fn of_several(&self, parties: &[usize], each: bool, event: &dyn Fn(usize) -> Found) -> Found {
        let mut best: Option<(Event, Step)> = None;
        let mut missing = None;
        for party in parties {
            match event(*party) {
                Ok(found) => {
                    let replaces = |(before, _): &(Event, Step)| {
                        let (new, old) =
                            (found.0.moment(&jiff::tz::TimeZone::UTC), before.moment(&jiff::tz::TimeZone::UTC));
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
            (None, None) => Err(step("It has no addressee.".into(), Vec::new())),
        }
    }

    fn receipt_by(&self, place: Place, fact: &Fact, by: usize, as_of: Timestamp) -> Found {
        let number = self.number(place);
        if by == place.0 {
            let text =
                format!("{number} is {}'s own; it counts from its sending at {}.", self.name(by), fact.sent.display());
            return Ok((Event::Moment(fact.sent), step(text, vec![number])));
        }
        let deemed = self.profile.kind.get(&*fact.kind).and_then(|kind| kind.deemed_received).and_then(|count| {
            let zone = zone(self.profile.zone.as_deref());
            let manner = Manner { counting: Counting::Exclusive, ends: Ends::Moment, zone, back: false };
            Some((count, end(Event::Moment(fact.sent), count, &manner)?.at)).filter(|(_, at)| *at <= as_of)
        });
        match (self.received(place, by, as_of), deemed) {
            (Some(seen), deemed) if deemed.is_none_or(|(_, at)| seen.time <= at) => {
                let text = format!("{} received {number} at {}.", self.name(by), seen.time.display());
                Ok((Event::Moment(seen.time), step(text, vec![number, format!("{}/{}", self.code(by), seen.index)])))
            }
            (_, Some((count, at))) => {
                let (name, at_text) = (self.name(by), at.display());
                let text = format!("{number} is deemed received by {name} {count} after its sending, at {at_text}.");
                Ok((Event::Moment(at), step(text, vec![number])))
            }
            _ => Err(step(format!("{} has not receipted {number}.", self.name(by)), vec![number])),
        }
    }

    /// When a party was informed of a note by a depositary.
    fn informed(&self, place: Place, party: usize, as_of: Timestamp) -> Found {
        let informs = |kind: &str| self.profile.kind.get(kind).is_some_and(|kind| kind.informs);
        let mut first: Option<(Event, Step)> = None;
        for (circular, fact) in self.answers(place, as_of) {
            if !informs(&fact.kind) || !is_depositary(&self.treaty, circular.0) {
                continue;
            }
            if circular.0 != party && !self.addressees(circular, fact).contains(&party) {
                continue;
            }
            if let Ok(found) = self.receipt_by(circular, fact, party, as_of)
                && first.as_ref().is_none_or(|before| {
                    found.0.moment(&jiff::tz::TimeZone::UTC) < before.0.moment(&jiff::tz::TimeZone::UTC)
                })
            {
                first = Some(found);
            }
        }
        first.ok_or_else(|| {
            let number = self.number(place);
            let text = format!("No depositary's note about {number} has reached {}.", self.name(party));
            step(text, vec![number])
        })
    }
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
