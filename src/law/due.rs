//! What is due: each rule of each note's kind, applied as of a time.

use std::collections::BTreeSet;

use super::act::{Acts, Owed};
use super::docket::{Docket, Fact, MAX_DEPTH, Place};
use super::effect::{At, Bound};
use super::moment::{Stop, beyond, counted};
use super::roles::is_observer;
use super::view::{Item, Other, State, Step};
use crate::ledger::calendar::{Event, Manner, end, length, zone};
use crate::ledger::profile::{Address, Count, Counting, Due, Ends, Point, Reading, Start, Unit, Who};
use crate::ledger::{Role, Timestamp};

/// Which items are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only those that this party owes or is owed.
    pub party: Option<usize>,
    /// Only those about which something can still be done: waiting, open, announced, missed, or without a time.
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
    /// A bound lies outside of the years that are computed.
    beyond: Option<Step>,
}

/// The parts of a rule that another reading may replace.
struct Rule<'a> {
    due: &'a Due,
    counting: Counting,
    ends: Ends,
    zone: Option<&'a str>,
    length: Option<Count>,
}

/// Who owes something: one party, or several of whom one is enough.
struct Debtor {
    parties: Vec<usize>,
    /// They act as one: the group's title.
    group: Option<String>,
}

/// How far a rule's clock is.
enum Clock {
    /// It has started, and its bounds are known.
    Runs,
    /// What starts it has not happened.
    Waits(Step),
    /// No time can be computed, for this reason.
    None(Step),
}

impl Docket {
    /// What is due, was done, was missed, as of a time: in the order of the notes (log, index) and of the profile's rules, and
    /// then what is due every year. Records with a later time than that count for nothing.
    pub fn items(&self, as_of: Timestamp, query: &Query) -> Vec<Item> {
        self.items_among(as_of, query, &self.bound(as_of))
    }

    /// The same for who asks about many notes as of one time: who was bound when is computed once.
    pub fn items_among(&self, as_of: Timestamp, query: &Query, bound: &Bound) -> Vec<Item> {
        let (mut items, at) = (Vec::new(), At { time: as_of, bound });
        let only_live = query.outstanding && query.note.is_none();
        let places: Vec<Place> = match query.note {
            Some(place) => vec![place],
            None if only_live => self.live().at(as_of, bound, self.owing()),
            None => self.notes.keys().copied().collect(),
        };
        for place in places {
            let Some(fact) = self.notes.get(&place).filter(|fact| fact.sent <= as_of) else { continue };
            let Some(kind) = self.profile.kind.get(&*fact.kind) else { continue };
            let before = items.len();
            for due in &kind.due {
                self.rule(place, fact, due, at, &mut items);
            }
            let is_done = |item: &Item| !item.state.is_outstanding() && !matches!(item.state, State::Deemed { .. });
            if only_live && items[before..].iter().all(is_done) && !self.has_later(place, as_of) {
                self.live().settle(place, as_of);
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

    fn rule(&self, place: Place, fact: &Fact, due: &Due, at: At, items: &mut Vec<Item>) {
        if due.itself {
            let sender = Debtor { parties: vec![place.0], group: None };
            return items.push(self.item(place, fact, due, &sender, at));
        }
        let mut told = BTreeSet::new();
        for address in &due.by {
            for debtor in self.debtors(place, fact, address, at.bound) {
                if told.insert(debtor.parties.clone()) {
                    items.push(self.item(place, fact, due, &debtor, at));
                }
            }
        }
    }

    /// Whom an address means as those who owe: not observers, nor whom the treaty did not bind when the note was sent, and
    /// the sender only where it is named. A group owes as one.
    fn debtors(&self, place: Place, fact: &Fact, address: &Address, bound: &Bound) -> Vec<Debtor> {
        let (said, profile, then) = (self.said(place, fact), &self.profile, self.at(fact.sent));
        let treaty = &*then;
        let group = |name: &str| Debtor {
            parties: profile.members(name, treaty),
            group: profile.group.get(name).map(|group| group.title.clone()),
        };
        let mut debtors: Vec<Debtor> = match &address.who {
            Who::Group(name) => vec![group(name)],
            Who::Field(field) => match fact.body.get(field) {
                Some(serde_json::Value::String(name)) => vec![group(name)],
                Some(serde_json::Value::Array(names)) => {
                    names.iter().filter_map(|name| name.as_str()).map(group).collect()
                }
                _ => Vec::new(),
            },
            Who::Sender => {
                let field = profile.kind.get(&*fact.kind).and_then(|kind| kind.behalf.as_ref());
                let named = field.and_then(|field| fact.body.get(field)?.as_str()).map(group);
                let sender = Debtor { parties: vec![place.0], group: None };
                vec![named.filter(|named| named.parties.contains(&place.0)).unwrap_or(sender)]
            }
            _ => {
                let parties = address.parties(said, profile, treaty);
                parties.into_iter().map(|party| Debtor { parties: vec![party], group: None }).collect()
            }
        };
        let depositary = address.who == Who::Role(Role::Depositary);
        let several = debtors.len() > 1;
        for debtor in &mut debtors {
            // Who is depositary is so for the treaty, and not as one of those whom it binds.
            debtor.parties.retain(|party| !is_observer(treaty, *party) && (depositary || bound.at(*party, fact.sent)));
            if matches!(address.who, Who::Role(_) | Who::Addressee) && several {
                // A depositary that gives a notice itself still informs the others; a state party owes itself nothing.
                debtor.parties.retain(|party| depositary || *party != place.0);
            }
            debtor.group = debtor.group.take().filter(|_| debtor.parties.len() > 1);
        }
        debtors.retain(|debtor| !debtor.parties.is_empty());
        if address.any && debtors.len() > 1 {
            let mut parties: Vec<usize> = debtors.into_iter().flat_map(|debtor| debtor.parties).collect();
            parties.sort_unstable();
            parties.dedup();
            return vec![Debtor { parties, group: None }];
        }
        debtors
    }

    fn item(&self, place: Place, fact: &Fact, due: &Due, debtor: &Debtor, at: At) -> Item {
        let by = debtor.parties.as_slice();
        let mut item = self.blank(place, fact, due, by, at.bound);
        let fails = due.when.iter().find(|(name, value)| fact.body.get(*name) != Some(value));
        if let Some((name, value)) = fails {
            item.state = State::NotApplicable;
            item.text = format!("Not due: it applies where `{name}` is {value}.");
            return item;
        }
        let then = self.then(fact.sent, place.0);
        if !due.itself && !is_observer(&then, place.0) && !at.bound.at(place.0, fact.sent) {
            let text = format!("{} was no state party when it sent {}.", self.name(place.0), item.number);
            item.steps.push(Step { text, records: vec![item.number.clone()] });
        }
        if let Some(title) = &debtor.group {
            item.steps.push(Step { text: format!("{title} act as one: one of them is enough."), records: Vec::new() });
        }
        let rule = Rule::of(due, None, self.profile.zone.as_deref());
        let owed = Owed { place, fact, due, by, zone: rule.zone };
        let receivers = if due.itself { &[][..] } else { by };
        let start = self.start(place, &due.start, receivers, rule.zone, at);
        let event = start.as_ref().ok().map(|(event, _)| *event);
        let clock = match start {
            Ok((event, why)) => {
                item.steps.push(why);
                let bounds = bounds(event, &rule);
                item.steps.extend(bounds.steps);
                (item.from, item.until) = (bounds.from, bounds.until);
                bounds.beyond.map_or(Clock::Runs, Clock::None)
            }
            Err(Stop::Waits(why)) => Clock::Waits(why),
            Err(Stop::Never(why)) => Clock::None(why),
        };
        if let Clock::Waits(why) | Clock::None(why) = &clock {
            item.steps.push(why.clone());
        }
        item.readings =
            due.disputed.iter().map(|reading| self.reading(place, due, reading, event, receivers, at)).collect();
        let point = due.act.as_ref().unwrap_or(&Point::Sent);
        let mut acts = self.acts(owed, point, item.from, at);
        let stopped = self.stopped(owed, &mut acts, at);
        for (other, reading) in item.readings.iter_mut().zip(&due.disputed) {
            let is_timed = (other.from, other.until) != (None, None);
            let Some(point) = reading.act.as_ref().filter(|_| is_timed) else { continue };
            // The same clock, and another moment of what does it.
            let bounds = Item { from: other.from, until: other.until, ..self.blank(place, fact, due, by, at.bound) };
            let mut acts = self.acts(owed, point, other.from, at);
            let is_stopped = self.stopped(owed, &mut acts, at).is_some();
            other.state = Some(judge(&bounds, due, &acts, &clock, is_stopped, at.time).0);
            other.records = acts.done.into_iter().flat_map(|(_, why)| why.records).collect();
        }
        let (state, reason) = judge(&item, due, &acts, &clock, stopped.is_some(), at.time);
        item.state = state;
        item.steps.append(&mut acts.steps);
        if let (State::NotApplicable, Some(why)) = (item.state, stopped) {
            item.steps.push(why);
        }
        let announced = acts.announced.as_ref().filter(|_| acts.done.is_none()).map(|(act, _)| act.clone());
        if let Some((act, why)) = acts.done.or(acts.announced).or(acts.undated) {
            item.steps.push(why);
            item.act = Some(act);
        }
        if acts.is_cut && item.state.is_outstanding() {
            let text = format!("Notes more than {MAX_DEPTH} references away from {} were not looked at.", item.number);
            item.steps.push(Step { text, records: Vec::new() });
        }
        item.text = sentence(&item);
        match (item.state, announced, reason) {
            (State::NoTime { .. }, _, Some(reason)) => item.text = format!("No time can be computed: {}", reason.text),
            (State::Missed { .. } | State::Deemed { .. }, Some(act), _) => {
                item.text += &format!(" {} names {} for it.", act.number, act.time.display());
            }
            _ => {}
        }
        item
    }

    fn blank(&self, place: Place, fact: &Fact, due: &Due, by: &[usize], bound: &Bound) -> Item {
        let (said, then) = (self.said(place, fact), self.at(fact.sent));
        let mut to: Vec<usize> = due.to.iter().flat_map(|to| to.parties(said, &self.profile, &then)).collect();
        if due.to.is_empty() {
            to = if due.itself { self.addressees(place, fact) } else { vec![place.0] };
        }
        to.sort_unstable();
        to.dedup();
        // A former party is owed nothing that goes to all; who sent the note is.
        to.retain(|party| {
            by != [*party] && (*party == place.0 || is_observer(&then, *party) || bound.at(*party, fact.sent))
        });
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
            promptly: due.promptly,
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

    fn reading(&self, place: Place, due: &Due, reading: &Reading, start: Option<Event>, by: &[usize], at: At) -> Other {
        let rule = Rule::of(due, Some(reading), self.profile.zone.as_deref());
        let start = match &reading.start {
            Some(other) => self.start(place, other, by, rule.zone, at).ok().map(|(event, _)| event),
            None => start,
        };
        let bounds = start.map(|event| bounds(event, &rule)).unwrap_or_default();
        Other { title: reading.title.clone(), from: bounds.from, until: bounds.until, ..Other::default() }
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
    // The day itself, from its first moment to its last.
    let day = due.simultaneous.then_some(Count { n: 0, unit: Unit::Day });
    let first = due.window.map(|window| window[0]).or(due.not_before).or(day);
    let last = due.window.map(|window| window[1]).or(due.within).map(|last| rule.length.unwrap_or(last)).or(day);
    if let Some(count) = first {
        let ends = if rule.ends == Ends::Moment && day.is_none() { Ends::Moment } else { Ends::StartOfDay };
        let (manner, text) = (manner(ends, false), format!("not before {count} after"));
        match end(start, count, &manner) {
            Some(found) => {
                out.from = Some(found.at);
                if day.is_none() {
                    out.steps.push(counted(text, &manner, &found, count.unit == Unit::Hour));
                }
            }
            None => out.beyond = Some(beyond(&text)),
        }
    }
    let (limit, back) = match due.before {
        Some(count) => (Some(rule.length.unwrap_or(count)), true),
        None => (last, false),
    };
    if let Some(count) = limit {
        let ends = if day.is_some() { Ends::EndOfDay } else { rule.ends };
        let manner = manner(ends, back);
        let text = match (due.simultaneous, back) {
            (true, _) => "on the same day".to_owned(),
            (_, true) => format!("not later than {count} before"),
            _ => format!("not later than {count} after"),
        };
        match end(start, count, &manner) {
            Some(found) => {
                // The last second of the day is in time.
                let inside = ends == Ends::EndOfDay && count.unit != Unit::Hour;
                out.until = Some(Timestamp::from_posix(found.at.posix().saturating_sub(u64::from(inside))));
                out.steps.push(counted(text, &manner, &found, count.unit == Unit::Hour));
            }
            None => out.beyond = Some(beyond(&text)),
        }
    }
    out
}

/// How it stands; and, where no time can be computed, why.
fn judge(
    item: &Item,
    due: &Due,
    acts: &Acts,
    clock: &Clock,
    is_stopped: bool,
    as_of: Timestamp,
) -> (State, Option<Step>) {
    let done = acts.done.as_ref().map(|(act, _)| act.time);
    // What is done before its clock begins is in time, if there is only a last time for it.
    let only_limit = due.within.is_some() && due.not_before.is_none();
    let state = match (done, clock) {
        (Some(time), Clock::Runs) => match (item.from, item.until) {
            (Some(from), _) if time < from => State::Early { by_s: from.posix() - time.posix() },
            (_, Some(until)) if until < time => State::Late { by_s: time.posix() - until.posix() },
            _ => State::Met,
        },
        (Some(_), _) if due.promptly => State::Met,
        (Some(_), Clock::Waits(_)) if only_limit => State::Met,
        (Some(_), Clock::Waits(why) | Clock::None(why)) => return (State::NoTime { done: true }, Some(why.clone())),
        (None, _) if is_stopped => State::NotApplicable,
        (None, _) if acts.undated.is_some() && acts.announced.is_none() => {
            return (State::NoTime { done: true }, acts.undated.as_ref().map(|(_, why)| why.clone()));
        }
        (None, Clock::None(why)) if !due.promptly => return (State::NoTime { done: false }, Some(why.clone())),
        (None, Clock::Waits(_)) if acts.announced.is_none() => State::Waiting,
        (None, _) => match item.until {
            Some(until) if until < as_of => match due.deemed {
                Some(deemed) => State::Deemed { deemed },
                None => State::Missed { by_s: as_of.posix() - until.posix() },
            },
            _ if acts.announced.is_some() => State::Announced,
            _ => State::Open,
        },
    };
    (state, None)
}

pub(super) fn sentence(item: &Item) -> String {
    let time = |time: Option<Timestamp>| time.map_or("no time".to_owned(), Timestamp::display);
    let by = item.owed_by.join(" or ");
    let act = |word: &str| {
        item.act.as_ref().map(|act| format!("{}{word}{}", act.number, act.time.display())).unwrap_or_default()
    };
    let did = act(" at ");
    let bounds = match (item.from, item.until) {
        (Some(from), Some(until)) => format!(": from {} until {}", from.display(), until.display()),
        (None, Some(until)) => format!(" until {}", until.display()),
        (Some(from), None) => format!(", not before {}", from.display()),
        (None, None) => "; no time is set".to_owned(),
    };
    match item.state {
        State::Waiting => "The time has not begun: what starts it has not happened.".into(),
        State::Open => format!("Open for {by}{bounds}."),
        State::Announced => format!("Announced: {}; open for {by}{bounds}.", act(" names ")),
        State::Met => format!("Met by {did}."),
        State::Early { by_s } => format!("Early by {}: {did}, not before {}.", length(by_s), time(item.from)),
        State::Late { by_s } => format!("Late by {}: {did}, as computed until {}.", length(by_s), time(item.until)),
        State::Missed { by_s } => {
            format!("No such note from {by}; the time ran until {}, {} ago.", time(item.until), length(by_s))
        }
        State::Deemed { deemed } => format!("No answer until {}: deemed {}.", time(item.until), deemed.as_str()),
        State::NoTime { .. } => "No time can be computed.".into(),
        State::NotApplicable => "No longer due.".into(),
    }
}

/// A start that no note's own words can move.
pub(super) fn is_depositary_start(start: &Start) -> bool {
    matches!(start, Start::At(Point::ReceivedByDepositary | Point::ReceivedByEachDepositary))
}
