//! Rules that contradict themselves or name what is not there.

use std::collections::BTreeSet;

use super::Address;
use super::address::Who;
use super::check::{Check, way};
use super::clock::{Due, Effect, Ends, Point, Reading};
use super::ender::Ender;
use super::kind::Kind;
use super::locate::Way;
use super::start::Start;
use super::window::Bounds;
use crate::ledger::notification::is_kind_name;
use crate::ledger::treaty::Role;

/// Most windows that have to be tried from every day of four years.
const MAX_WINDOWS: usize = 32;

impl Check<'_> {
    pub(super) fn rules(&mut self, name: &str, kind: &Kind) {
        let mut ids = BTreeSet::new();
        let due = kind.due.iter().enumerate().map(|(at, due)| ("due", at, &due.id));
        let effect = kind.effect.iter().enumerate().map(|(at, effect)| ("effect", at, &effect.id));
        for (table, at, id) in due.chain(effect) {
            let here = way(&["kind", name, table, &at.to_string(), "id"]);
            if !is_kind_name(id) {
                self.fault(here, format!("kind `{name}`: the rule's id `{id}` is not lower-case words with hyphens"));
            } else if !ids.insert(id) {
                self.fault(here, format!("kind `{name}`: two rules have the id `{id}`"));
            }
        }
        for (at, due) in kind.due.iter().enumerate() {
            let what = format!("kind `{name}`, rule `{}`", due.id);
            self.due((name, kind), due, &way(&["kind", name, "due", &at.to_string()]), &what);
        }
        for (at, effect) in kind.effect.iter().enumerate() {
            let what = format!("kind `{name}`, rule `{}`", effect.id);
            self.effect(kind, effect, &way(&["kind", name, "effect", &at.to_string()]), &what);
        }
    }

    fn due(&mut self, (name, kind): (&str, &Kind), due: &Due, here: &[String], what: &str) {
        let at = |key: &str| -> Way { [here, &way(&[key])].concat() };
        self.words(&due.title, at("title"), &format!("{what}: its `title`"));
        if due.itself != due.answer.is_empty() {
            self.fault(
                at("answer"),
                format!("{what}: it has kinds that `answer` it, or `itself = true`: one of the two"),
            );
        }
        if due.itself != due.by.is_empty() {
            let text = "it says who owes it in `by`, unless `itself = true`: then the sender does";
            self.fault(at("by"), format!("{what}: {text}"));
        }
        for (key, addresses) in [("by", &due.by), ("to", &due.to)] {
            for address in addresses {
                self.address(kind, address, at(key), what);
            }
        }
        for address in &due.by {
            self.owes(address, at("by"), what);
            if let Who::Field(field) = &address.who {
                self.rests_on(kind, field, &due.optional, at("by"), &format!("{what}: who owes it stands in"));
            }
        }
        self.limits(due, &at, what);
        self.start(kind, &due.start, &due.optional, at("start"), what);
        self.conditions(kind, &due.when, at("when"), what);
        self.readings(kind, &due.disputed, &due.optional, due.has_length(), &at("disputed"), what);
        self.answers(&due.answer, at("answer"), what);
        self.answerable((name, kind), due, &at, what);
        self.enders(&due.ended_by, &[(name, kind)], at("ended_by"), what);
        for answer in due.answer.iter().filter_map(|name| self.profile.kind.get(name)) {
            self.conditions(answer, &due.answer_when, at("answer_when"), what);
            if let Some(Point::Field(field)) = &due.act {
                self.event_field(answer, field, at("act"), what);
                self.rests_on(answer, field, &due.optional, at("act"), &format!("{what}: what has to be in time is"));
            }
        }
        if let Some(Point::Field(field)) = due.act.as_ref().filter(|_| due.itself) {
            self.rests_on(kind, field, &due.optional, at("act"), &format!("{what}: what has to be in time is"));
        }
        self.optional(&due.optional, at("optional"), what);
        match &due.act {
            None | Some(Point::Sent | Point::Received) => {}
            Some(Point::Field(field)) if due.itself => self.event_field(kind, field, at("act"), what),
            Some(Point::Field(_)) => {}
            Some(_) => self.fault(at("act"), format!("{what}: `act` is `sent`, `received` or `field:NAME`")),
        }
    }

    /// Exactly one way to say by when, and one that leaves time for it.
    fn limits(&mut self, due: &Due, at: &dyn Fn(&str) -> Way, what: &str) {
        let forms = [
            ("window", due.window.is_some()),
            ("within", due.within.is_some()),
            ("before", due.before.is_some()),
            ("promptly", due.promptly),
            ("simultaneous", due.simultaneous),
        ];
        let given: Vec<_> = forms.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if given.len() > 1 {
            self.fault(at(given[1]), format!("{what}: it says by when in two ways, `{}` and `{}`", given[0], given[1]));
        }
        if given.is_empty() && due.not_before.is_none() {
            let text =
                "it does not say by when: `within`, `before`, `window`, `promptly`, `simultaneous` or `not_before`";
            self.fault(here_of(at), format!("{what}: {text}"));
        }
        let bounded = if due.window.is_some() { "window" } else { "not_before" };
        self.window(due, None, at(bounded), what);
        for reading in &due.disputed {
            self.window(due, Some(reading), at("disputed"), &format!("{what}, the reading “{}”", reading.title));
        }
        if due.not_before.is_some() && given.iter().any(|given| *given != "within") {
            self.fault(at("not_before"), format!("{what}: `not_before` goes with `within` only, or stands alone"));
        }
        let event = matches!(&due.start, Start::At(Point::Field(_)) | Start::Before { at: Point::Field(_), .. });
        if due.before.is_some() && !event {
            let text = "`before` is counted back from an event: `start` has to be a field with a date or time";
            self.fault(at("before"), format!("{what}: {text}"));
        }
        if due.deemed.is_some() && due.within.is_none() && due.window.is_none() {
            self.fault(at("deemed"), format!("{what}: `deemed` needs a time that runs out: `within` or `window`"));
        }
    }

    /// That a window is open for a time, from whatever day it is counted.
    fn window(&mut self, due: &Due, reading: Option<&Reading>, here: Way, what: &str) {
        let both = due.window.map(|[first, last]| (first, last)).or(due.not_before.zip(due.within));
        let Some((first, last)) = both else { return };
        let last = reading.and_then(|reading| reading.length).unwrap_or(last);
        let counting = reading.and_then(|reading| reading.counting).unwrap_or(due.counting);
        let ends = reading.and_then(|reading| reading.ends).or(due.ends).unwrap_or(Ends::EndOfDay);
        let zone = reading.and_then(|reading| reading.zone.as_ref()).or(due.zone.as_ref());
        let zone = zone.or(self.profile.zone.as_ref()).map(String::as_str);
        let bounds = Bounds::new(first, last, counting, ends, zone);
        if bounds.are_ordered() {
            return;
        }
        if !self.windows.contains_key(&bounds) && self.windows.len() == MAX_WINDOWS {
            let text = "different windows in this profile begin and end in different units, and nearly together";
            return self.fault(here, format!("{what}: over {MAX_WINDOWS} {text}"));
        }
        let shut = *self.windows.entry(bounds).or_insert_with_key(Bounds::shut);
        if let Some((day, from, until)) = shut {
            let text = format!(
                "{what}: an impossible window: not before {first}, and not later than {last}: counted from {day} it opens \
                 at {} and has closed at {}",
                from.display(),
                until.display()
            );
            self.fault(here, text);
        }
    }

    /// That who owes is somebody who can owe.
    pub(super) fn owes(&mut self, address: &Address, here: Way, what: &str) {
        if address.who == Who::Role(Role::Observer) {
            self.fault(here, format!("{what}: observers read along and owe nothing, so that nobody owes this"));
        }
    }

    /// That who owes may send what answers, and that what answers may refer to the note.
    fn answerable(&mut self, (name, kind): (&str, &Kind), due: &Due, at: &dyn Fn(&str) -> Way, what: &str) {
        let profile = self.profile;
        let known = |name: &String| profile.kind.get(name);
        let may = |by: &Address, answer: &Kind| {
            answer.from.is_empty() || answer.from.iter().any(|from| self.lets(from, by, kind))
        };
        let mut faults = Vec::new();
        for answer in &due.answer {
            let Some(known) = known(answer).filter(|known| due.by.iter().all(|by| !may(by, known))) else { continue };
            if !due.by.is_empty() {
                let from: Vec<_> = known.from.iter().map(ToString::to_string).collect();
                let text = "which whoever owes it (`by`) may not send: that kind is sent by";
                faults.push(format!("{what}: it is answered by `{answer}`, {text} {}", from.join(", ")));
            }
        }
        let answers: Vec<_> = due.answer.iter().filter_map(known).collect();
        for by in due.by.iter().filter(|by| !answers.is_empty() && answers.iter().all(|answer| !may(by, answer))) {
            if faults.is_empty() {
                faults.push(format!("{what}: `{by}` owes it, and may send none of the kinds that answer it"));
            }
        }
        let behind = if due.thread { self.behind(name) } else { BTreeSet::from([name]) };
        for answer in &due.answer {
            let Some(known) = known(answer).filter(|known| !known.after.is_empty()) else { continue };
            if !known.after.iter().any(|one| one.0.iter().any(|of| behind.contains(of.as_str()))) {
                let after: Vec<_> = known.after.iter().map(ToString::to_string).collect();
                let text = format!(
                    "{what}: it is answered by `{answer}`, which does not refer to a `{name}`: it comes `after` {}",
                    after.join(" and ")
                );
                faults.push(text);
            }
        }
        faults.into_iter().for_each(|text| self.fault(at("answer"), text));
    }

    /// Kinds whose notes may stand behind one of a kind in a thread, itself included.
    fn behind(&self, name: &str) -> BTreeSet<&str> {
        let profile = self.profile;
        // A kind that comes after none may follow any.
        let free = profile.kind.iter().filter(|(other, kind)| kind.after.is_empty() || *other == name);
        let mut next: Vec<&str> = free.map(|(other, _)| other.as_str()).collect();
        let mut behind: BTreeSet<&str> = next.iter().copied().collect();
        while let Some(kind) = next.pop() {
            for later in self.after.get(kind).into_iter().flatten() {
                if behind.insert(later) {
                    next.push(later);
                }
            }
        }
        behind
    }

    /// Whether those from whom a kind comes may be those who owe it, by what the profile knows. Who has which role, and
    /// whom a note names, is for the treaty file and the note to say.
    fn lets(&self, from: &Address, by: &Address, asking: &Kind) -> bool {
        let members =
            |name: &str| self.profile.group.get(name).map(|group| group.members.as_slice()).unwrap_or_default();
        let everybody = matches!(by.who, Who::All | Who::Role(Role::StateParty));
        match (&from.who, &by.who) {
            (Who::All | Who::Field(_) | Who::Sender | Who::Addressee, _) | (_, Who::Field(_) | Who::Addressee) => true,
            (from, by) if from == by => true,
            _ if by.any => true,
            (Who::Role(Role::Observer), _) => false,
            (Who::Role(Role::StateParty), _) => true,
            (_, Who::Sender) if asking.from.is_empty() => false,
            (_, Who::Sender) => {
                asking.from.iter().any(|sender| sender.who != Who::Sender && self.lets(from, sender, asking))
            }
            (Who::Group(group), Who::Party(code)) => members(group).contains(code),
            (Who::Group(group), Who::Group(part)) => members(part).iter().all(|code| members(group).contains(code)),
            (Who::Party(code), Who::Group(group)) => members(group).iter().all(|member| member == code),
            (Who::Party(one), Who::Party(other)) => one == other,
            _ => !everybody,
        }
    }

    /// That what ends something is a kind that others send, and that there is whom it names.
    pub(super) fn enders(&mut self, enders: &[Ender], of: &[(&str, &Kind)], here: Way, what: &str) {
        for ender in enders {
            let Some(known) = self.profile.kind.get(&ender.kind) else {
                let text = format!("{what}: it ends with `{}`, which is not a kind of this profile", ender.kind);
                self.fault(here.clone(), text);
                continue;
            };
            if let Some((name, _)) = of.iter().find(|(name, _)| known.revokes.iter().any(|r| r == "*" || r == name)) {
                let text = format!(
                    "{what}: `{}` takes a `{name}` back, and so ends this anyway when it is its sender's: by another it ends \
                     nothing. Leave it out here",
                    ender.kind
                );
                self.fault(here.clone(), text);
            }
            for (_, kind) in of {
                for address in &ender.from {
                    self.address(kind, address, here.clone(), what);
                }
            }
            for address in ender.from.iter().filter(|address| address.any) {
                let text = format!("{what}: `from = [\"{address}\"]`: one of them is enough anyway, leave `any` out");
                self.fault(here.clone(), text);
            }
        }
    }

    pub(super) fn answers(&mut self, answers: &[String], here: Way, what: &str) {
        for name in answers.iter().filter(|name| !self.profile.kind.contains_key(*name)) {
            self.fault(
                here.clone(),
                format!("{what}: it is answered by `{name}`, which is not a kind of this profile"),
            );
        }
    }

    fn effect(&mut self, kind: &Kind, effect: &Effect, here: &[String], what: &str) {
        let at = |key: &str| -> Way { [here, &way(&[key])].concat() };
        self.words(&effect.title, at("title"), &format!("{what}: its `title`"));
        self.start(kind, &effect.start, &effect.optional, at("start"), what);
        self.conditions(kind, &effect.when, at("when"), what);
        self.readings(kind, &effect.disputed, &effect.optional, effect.after.is_some(), &at("disputed"), what);
        if let Some(field) = &effect.claimed {
            self.event_field(kind, field, at("claimed"), what);
        }
        if let Some(address) = &effect.of {
            self.address(kind, address, at("of"), what);
        }
        for stated in &effect.stated {
            let Some(other) = self.profile.kind.get(&stated.kind) else {
                let text = format!("{what}: it is stated by `{}`, which is not a kind of this profile", stated.kind);
                self.fault(at("stated"), text);
                continue;
            };
            for field in stated.received.iter().chain(&stated.effective) {
                self.event_field(other, field, at("stated"), what);
            }
        }
        self.optional(&effect.optional, at("optional"), what);
    }
}

fn here_of(at: &dyn Fn(&str) -> Way) -> Way {
    let mut here = at("id");
    here.pop();
    here
}

impl Due {
    /// Whether there is a length of time that another reading could replace.
    fn has_length(&self) -> bool {
        self.within.is_some() || self.before.is_some() || self.window.is_some()
    }
}

impl Address {
    /// Whom the profile names by code here.
    pub(super) fn code(&self) -> Option<&str> {
        match &self.who {
            Who::Party(code) => Some(code),
            _ => None,
        }
    }
}
