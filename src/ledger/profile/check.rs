//! What contradicts itself in a profile: its author is told all of it at once. It may become stricter from one version of
//! the program to the next, and so nobody is refused by it who reads what was signed under a profile.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Profile;
use super::address::{Address, Who};
use super::clock::{Point, Reading};
use super::field::{Field, FieldType};
use super::kind::Kind;
use super::locate::Way;
use super::number::Pattern;
use super::start::Start;
use super::window::{Bounds, Shut};
use crate::ledger::notification::is_kind_name;
use crate::ledger::treaty::is_party_code;

/// Most faults that are told at once.
const MAX_FAULTS: usize = 100;
/// Most signatures that a kind may demand: a signed note carries at most 64.
const MAX_SIGNATURES: u32 = 64;

/// Faults, each with the way to what is wrong.
pub(super) struct Check<'a> {
    pub profile: &'a Profile,
    pub faults: Vec<(Way, String)>,
    /// Fields that a note may leave out and on which the rule that is looked at rests.
    pub rests_on: BTreeSet<String>,
    /// Windows that were tried already.
    pub windows: BTreeMap<Bounds, Option<Shut>>,
    /// The kinds that come after each kind.
    pub after: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

pub(super) fn way(steps: &[&str]) -> Way {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

pub(super) fn contradictions(profile: &Profile) -> Vec<(Way, String)> {
    let mut after: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, kind) in &profile.kind {
        for earlier in kind.after.iter().flat_map(|one| &one.0) {
            after.entry(earlier).or_default().insert(name);
        }
    }
    let (rests_on, windows) = (BTreeSet::new(), BTreeMap::new());
    let mut check = Check { profile, faults: Vec::new(), rests_on, windows, after };
    check.head();
    for (name, kind) in &profile.kind {
        check.kind(name, kind);
        check.rules(name, kind);
    }
    check.cycles();
    check.periodic();
    check.quota();
    check.faults.truncate(MAX_FAULTS);
    check.faults
}

impl Check<'_> {
    pub fn fault(&mut self, way: Way, what: impl Into<String>) {
        self.faults.push((way, what.into()));
    }

    fn head(&mut self) {
        let profile = self.profile;
        if !profile.kind.contains_key(&profile.acknowledgement) {
            let what =
                format!("`acknowledgement` is `{}`, which is not a kind of this profile", profile.acknowledgement);
            self.fault(way(&["acknowledgement"]), what);
        }
        self.words(&profile.title, way(&["title"]), "the profile's `title`");
        for (name, group) in &profile.group {
            let here = || way(&["group", name, "members"]);
            if !is_kind_name(name) {
                self.fault(way(&["group", name]), format!("group `{name}`: its name is lower-case words with hyphens"));
            }
            self.words(&group.title, way(&["group", name, "title"]), &format!("group `{name}`: its `title`"));
            if group.members.is_empty() {
                self.fault(here(), format!("group `{name}` has no members"));
            }
            for (at, code) in group.members.iter().enumerate() {
                if !is_party_code(code) {
                    self.fault(here(), format!("group `{name}`: `{code}` is not a party's code"));
                }
                if group.members[..at].contains(code) {
                    self.fault(here(), format!("group `{name}`: {code} stands there twice"));
                }
            }
        }
        if let Some(message) = &profile.message {
            let mut titles = BTreeMap::new();
            for (name, kind) in &profile.kind {
                if let Some(other) = titles.insert(kind.title.to_lowercase(), name) {
                    let what =
                        format!("kinds `{other}` and `{name}` have one `title`: a message's SUBJECT would mean both");
                    self.fault(way(&["kind", name, "title"]), what);
                }
            }
            self.words(
                &message.prefix,
                way(&["message", "prefix"]),
                "`prefix`, which stands for the treaty in a message,",
            );
        }
        if let Some(Err(what)) = profile.message.as_ref().map(|message| Pattern::parse(&message.number)) {
            self.fault(way(&["message", "number"]), format!("the pattern of a message's `number` {what}"));
        }
    }

    fn kind(&mut self, name: &str, kind: &Kind) {
        let here = |key: &str| way(&["kind", name, key]);
        if !is_kind_name(name) {
            let what = format!("kind `{name}`: a kind's name is lower-case words with hyphens, at most 64 characters");
            self.fault(way(&["kind", name]), what);
        }
        self.words(&kind.title, here("title"), &format!("kind `{name}`: its `title`"));
        if let Some(reply) = kind.reply.as_ref().filter(|reply| !self.profile.kind.contains_key(*reply)) {
            self.fault(
                here("reply"),
                format!("kind `{name}`: its `reply` is `{reply}`, which is not a kind of this profile"),
            );
        }
        for (at, one) in kind.after.iter().enumerate() {
            for other in one.0.iter().filter(|other| !self.profile.kind.contains_key(*other)) {
                let what = format!("kind `{name}`: it comes `after` `{other}`, which is not a kind of this profile");
                self.fault(way(&["kind", name, "after", &at.to_string()]), what);
            }
        }
        for other in kind.revokes.iter().filter(|other| *other != "*" && !self.profile.kind.contains_key(*other)) {
            let what = format!("kind `{name}`: it `revokes` `{other}`, which is not a kind of this profile");
            self.fault(here("revokes"), what);
        }
        if !(1..=MAX_SIGNATURES).contains(&kind.signatures) {
            self.fault(here("signatures"), format!("kind `{name}`: `signatures` is from 1 to {MAX_SIGNATURES}"));
        }
        if let Some(field) = &kind.behalf {
            self.party_field(kind, field, here("behalf"), &format!("kind `{name}`: `behalf`"));
        }
        self.fields(&format!("kind `{name}`"), &kind.fields, &way(&["kind", name, "field"]));
        for (key, addresses) in [("from", &kind.from), ("to", &kind.to), ("must_reach", &kind.must_reach)] {
            for (at, address) in addresses.iter().enumerate() {
                let here = way(&["kind", name, key, &at.to_string()]);
                let what = format!("kind `{name}`: `{key}`");
                self.address(kind, address, here.clone(), &what);
                if matches!(address.who, Who::Sender | Who::Addressee) {
                    self.fault(here.clone(), format!("{what}: `{address}` has no meaning here"));
                }
                if address.any && key != "must_reach" {
                    self.fault(here, format!("{what}: `any` has no meaning here"));
                }
            }
        }
        if !kind.notice && (!kind.due.is_empty() || !kind.effect.is_empty()) {
            let what =
                format!("kind `{name}`: it is no notice and starts no clock, and yet it has rules of what is due");
            self.fault(here("notice"), what);
        }
    }

    fn fields(&mut self, owner: &str, fields: &[Field], here: &[String]) {
        for (at, field) in fields.iter().enumerate() {
            let place = [here, &way(&[&at.to_string()])].concat();
            let name = &field.name;
            let mut fault = |what: &str| self.fault(place.clone(), format!("{owner}: the field `{name}` {what}"));
            if name.is_empty() || name.len() > 64 || name.contains(['.', '[', '/', ':']) {
                fault("has a name that is empty, longer than 64 bytes, or with one of . [ / :");
            }
            if field.title.trim().is_empty() || field.title.contains(char::is_control) {
                fault("has a `title` that is empty, or not one line of words");
            }
            if field.choices.iter().any(|choice| choice.trim().is_empty() || choice.contains(char::is_control)) {
                fault("has a choice that is empty, or not one line of words");
            }
            if (1..field.choices.len()).any(|at| field.choices[..at].contains(&field.choices[at])) {
                fault("has the same choice twice");
            }
            if fields[..at].iter().any(|other| other.name == field.name) {
                fault("stands there twice");
            }
            if (field.kind == FieldType::Choice) == field.choices.is_empty() {
                fault("has `choices` if and only if it is a choice");
            }
            if (field.kind == FieldType::Group) == field.fields.is_empty() {
                fault("has fields of its own if and only if it is a group");
            }
            let ranged = field.min.is_some() || field.max.is_some() || field.unit.is_some();
            if ranged && field.kind != FieldType::Integer {
                fault("has `min`, `max` or `unit`, which go with integers only");
            }
            if field.min.zip(field.max).is_some_and(|(min, max)| min > max) {
                fault("has a `min` above its `max`");
            }
            if field.at_most.is_some() && !field.repeatable && field.kind != FieldType::List {
                fault("has `at_most`, and is neither repeatable nor a list");
            }
            self.fields(owner, &field.fields, &[&place[..], &way(&["field"])].concat());
        }
    }

    /// That a title is one line of words.
    pub fn words(&mut self, text: &str, here: Way, what: &str) {
        if text.trim().is_empty() {
            self.fault(here, format!("{what} is empty"));
        } else if text.contains(char::is_control) {
            self.fault(here, format!("{what} is not one line: it has a line break, or another control character"));
        }
    }

    /// That whoever an address names exists: its group, and its field in the kind.
    pub fn address(&mut self, kind: &Kind, address: &Address, here: Way, what: &str) {
        match &address.who {
            Who::Group(group) if !self.profile.group.contains_key(group) => {
                self.fault(here, format!("{what}: there is no group `{group}`"));
            }
            Who::Field(field) => self.party_field(kind, field, here, what),
            _ => {}
        }
    }

    fn party_field(&mut self, kind: &Kind, field: &str, here: Way, what: &str) {
        match kind.field(field) {
            None => self.fault(here, format!("{what}: the kind has no field `{field}`")),
            // A text or a list may hold codes: what is none of a party means nobody.
            Some(field) if !matches!(field.kind, FieldType::Party | FieldType::Text | FieldType::List) => {
                self.fault(here, format!("{what}: the field `{}` does not name a party", field.name));
            }
            Some(_) => {}
        }
    }

    /// That a field of a kind holds a date or a time, once.
    pub fn event_field(&mut self, kind: &Kind, field: &str, here: Way, what: &str) {
        let is_event = |field: &Field| {
            matches!(field.kind, FieldType::Date | FieldType::Time | FieldType::ZonedTime) && !field.repeatable
        };
        match kind.field(field) {
            None => self.fault(here, format!("{what}: `{}` has no field `{field}`", kind.title)),
            Some(found) if !is_event(found) => {
                self.fault(here, format!("{what}: the field `{field}` of `{}` is not one date or time", kind.title));
            }
            Some(_) => {}
        }
    }

    /// That conditions name fields of the kind, with values that these can have.
    pub fn conditions(&mut self, kind: &Kind, when: &BTreeMap<String, Value>, here: Way, what: &str) {
        for (name, value) in when {
            let here = [&here[..], &way(&[name])].concat();
            match kind.field(name) {
                None => self.fault(here, format!("{what}: `{}` has no field `{name}`", kind.title)),
                Some(field) if field.repeatable || field.kind == FieldType::Group => {
                    self.fault(
                        here,
                        format!("{what}: the field `{name}` does not hold one value that could be {value}"),
                    );
                }
                Some(field) if field.kind == FieldType::Choice => {
                    if !field.choices.iter().any(|choice| value == choice) {
                        self.fault(here, format!("{what}: {value} is not a choice of the field `{name}`"));
                    }
                }
                Some(field) if !field.kind.fits(value) => {
                    let expected = field.kind.expected();
                    self.fault(here, format!("{what}: {value} is not what the field `{name}` holds, {expected}"));
                }
                Some(_) => {}
            }
        }
    }

    pub fn start(&mut self, kind: &Kind, start: &Start, optional: &[String], here: Way, what: &str) {
        let profile = self.profile;
        let unknown = |of: &str| format!("{what}: it is counted from `{of}`, which is not a kind of this profile");
        match start {
            Start::At(at) => self.starts_at(kind, at, optional, here, what),
            Start::Before { of: None, at } => match kind.after.first() {
                None => {
                    self.fault(here, format!("{what}: it is counted from a predecessor, and the kind has no `after`"))
                }
                Some(first) => {
                    for other in first.0.iter().filter_map(|name| profile.kind.get(name)) {
                        self.starts_at(other, at, optional, here.clone(), what);
                    }
                }
            },
            Start::Before { of: Some(of), at } => match profile.kind.get(of) {
                None => self.fault(here, unknown(of)),
                Some(other) => self.starts_at(other, at, optional, here, what),
            },
            Start::Nth(nth) => match profile.kind.get(&nth.of) {
                None => self.fault(here, unknown(&nth.of)),
                Some(other) => {
                    self.starts_at(other, &nth.at, optional, here.clone(), what);
                    self.starts_at(kind, &nth.from, optional, here.clone(), what);
                    self.conditions(other, &nth.when, here, what);
                }
            },
        }
    }

    fn starts_at(&mut self, kind: &Kind, point: &Point, optional: &[String], here: Way, what: &str) {
        if *point == Point::InformedByDepositary && !self.profile.kind.values().any(|kind| kind.informs) {
            let text =
                "it is counted from when a depositary informed of it, and no kind of note does: write `informs = true`";
            self.fault(here.clone(), format!("{what}: {text} in that of the depositary's circular"));
        }
        if let Point::Field(field) = point {
            self.event_field(kind, field, here.clone(), what);
            self.rests_on(kind, field, optional, here, &format!("{what}: it is counted from"));
        }
    }

    /// That a note cannot leave out what a rule rests on, unless the rule says that it may.
    pub fn rests_on(&mut self, kind: &Kind, field: &str, optional: &[String], here: Way, what: &str) {
        let Some(found) = kind.field(field).filter(|found| !found.required) else { return };
        self.rests_on.insert(field.to_owned());
        if !optional.contains(&found.name) {
            let text = format!(
                "{what} the field `{field}`, which a note may leave out (“{}”): make the field `required`, or write \
                 `optional = [\"{field}\"]` if without it nothing is to be computed",
                kind.title
            );
            self.fault(here, text);
        }
    }

    /// That a rule names as optional only what it rests on and a note may leave out.
    pub fn optional(&mut self, optional: &[String], here: Way, what: &str) {
        let rests_on = std::mem::take(&mut self.rests_on);
        for field in optional.iter().filter(|field| !rests_on.contains(*field)) {
            let text = "which is no field that a note may leave out and from which this is counted";
            self.fault(here.clone(), format!("{what}: `optional` names `{field}`, {text}"));
        }
    }

    pub fn readings(
        &mut self,
        kind: &Kind,
        readings: &[Reading],
        optional: &[String],
        has_length: bool,
        here: &[String],
        what: &str,
    ) {
        for (at, reading) in readings.iter().enumerate() {
            let here = [here, &way(&[&at.to_string()])].concat();
            let what = format!("{what}, the reading “{}”", reading.title);
            self.words(&reading.title, here.clone(), &format!("{what}: its `title`"));
            if let Some(start) = &reading.start {
                self.start(kind, start, optional, here.clone(), &what);
            }
            if reading.length.is_some() && !has_length {
                self.fault(here.clone(), format!("{what}: there is no length that it could replace"));
            }
            let says = reading.start.is_some() || reading.counting.is_some() || reading.ends.is_some();
            if !says && reading.length.is_none() && reading.zone.is_none() {
                self.fault(here, format!("{what}: it does not say what it counts in another way"));
            }
        }
    }

    /// Kinds that can never be sent: each waits for another one of them.
    fn cycles(&mut self) {
        let profile = self.profile;
        let mut possible = BTreeSet::new();
        loop {
            let before = possible.len();
            for (name, kind) in &profile.kind {
                // What is not a kind was told already.
                let met = |one: &super::OneOf| {
                    one.0.iter().any(|other| possible.contains(other.as_str()) || !profile.kind.contains_key(other))
                };
                if kind.after.iter().all(met) {
                    possible.insert(name.as_str());
                }
            }
            if possible.len() == before {
                break;
            }
        }
        for name in profile.kind.keys().filter(|name| !possible.contains(name.as_str())) {
            let after: Vec<_> = profile.kind[name].after.iter().map(ToString::to_string).collect();
            let what = format!(
                "kind `{name}`: it can never be sent: it comes `after` {}, which in turn waits for it (a cycle)",
                after.join(" and ")
            );
            self.fault(way(&["kind", name, "after"]), what);
        }
    }
}
