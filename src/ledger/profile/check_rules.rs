//! Rules that contradict themselves or name what is not there.

use std::collections::BTreeSet;

use super::address::Who;
use super::check::{Check, ordered, way};
use super::clock::{Due, Effect, Point, Start};
use super::field::FieldType;
use super::kind::Kind;
use super::locate::Way;
use super::quota::Quota;
use super::{Address, MAX_PROFILE_ITEMS};
use crate::ledger::notification::is_kind_name;
use crate::ledger::treaty::is_party_code;

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
        if kind.due.len() + kind.effect.len() > MAX_PROFILE_ITEMS {
            self.fault(way(&["kind", name]), format!("kind `{name}`: it has over {MAX_PROFILE_ITEMS} rules"));
        }
        for (at, due) in kind.due.iter().enumerate() {
            let what = format!("kind `{name}`, rule `{}`", due.id);
            self.due(kind, due, &way(&["kind", name, "due", &at.to_string()]), &what);
        }
        for (at, effect) in kind.effect.iter().enumerate() {
            let what = format!("kind `{name}`, rule `{}`", effect.id);
            self.effect(kind, effect, &way(&["kind", name, "effect", &at.to_string()]), &what);
        }
    }

    fn due(&mut self, kind: &Kind, due: &Due, here: &[String], what: &str) {
        let at = |key: &str| -> Way { [here, &way(&[key])].concat() };
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
        self.limits(due, &at, what);
        self.start(kind, &due.start, at("start"), what);
        self.conditions(kind, &due.when, at("when"), what);
        self.readings(kind, &due.disputed, due.has_length(), &at("disputed"), what);
        self.zone(&due.zone, at("zone"), what);
        self.answers(&due.answer, at("answer"), what);
        self.answers(&due.ended_by, at("ended_by"), what);
        for answer in due.answer.iter().filter_map(|name| self.profile.kind.get(name)) {
            self.conditions(answer, &due.answer_when, at("answer_when"), what);
            if let Some(Point::Field(field)) = &due.act {
                self.event_field(answer, field, at("act"), what);
            }
        }
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
        if let Some([from, to]) = due.window
            && !ordered(from, to)
        {
            self.fault(
                at("window"),
                format!("{what}: an impossible window: not before {from}, and not later than {to}"),
            );
        }
        if let Some((from, to)) = due.not_before.zip(due.within)
            && !ordered(from, to)
        {
            self.fault(at("not_before"), format!("{what}: impossible: not before {from}, and not later than {to}"));
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

    fn answers(&mut self, answers: &[String], here: Way, what: &str) {
        for name in answers.iter().filter(|name| !self.profile.kind.contains_key(*name)) {
            self.fault(
                here.clone(),
                format!("{what}: it is answered by `{name}`, which is not a kind of this profile"),
            );
        }
    }

    fn effect(&mut self, kind: &Kind, effect: &Effect, here: &[String], what: &str) {
        let at = |key: &str| -> Way { [here, &way(&[key])].concat() };
        self.start(kind, &effect.start, at("start"), what);
        self.conditions(kind, &effect.when, at("when"), what);
        self.readings(kind, &effect.disputed, effect.after.is_some(), &at("disputed"), what);
        self.zone(&effect.zone, at("zone"), what);
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
    }

    pub(super) fn periodic(&mut self) {
        let profile = self.profile;
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        for (at, rule) in profile.periodic.iter().enumerate() {
            let here = |key: &str| way(&["periodic", &at.to_string(), key]);
            let what = format!("periodic rule `{}`", rule.id);
            if !is_kind_name(&rule.id) || !ids.insert(&rule.id) {
                self.fault(here("id"), format!("{what}: its id is lower-case words with hyphens, and no other rule's"));
            }
            if rule.days.is_empty() || rule.days.len() > 12 {
                self.fault(here("days"), format!("{what}: it names 1 to 12 days of the year"));
            }
            if rule.since.is_some_and(|year| !(1800..=9998).contains(&year)) {
                self.fault(here("since"), format!("{what}: `since` is a year from 1800 to 9998"));
            }
            if rule.answer.is_empty() {
                self.fault(here("answer"), format!("{what}: it names no kind that answers it"));
            }
            self.answers(&rule.answer, here("answer"), &what);
            self.zone(&rule.zone, here("zone"), &what);
            if rule.holders && profile.quota.as_ref().is_none_or(|quota| quota.allocation.is_none()) {
                let text = format!("{what}: `holders`, but no `quota.allocation` says who holds active quota");
                self.fault(here("holders"), text);
            }
            for (key, address) in rule.by.iter().map(|by| ("by", by)).chain(rule.to.iter().map(|to| ("to", to))) {
                match &address.who {
                    Who::Field(_) | Who::Sender | Who::Addressee => {
                        self.fault(here(key), format!("{what}: no note starts it, so that `{address}` is nobody"));
                    }
                    Who::Group(group) if !profile.group.contains_key(group) => {
                        self.fault(here(key), format!("{what}: there is no group `{group}`"));
                    }
                    _ => {}
                }
            }
            let Some(year) = &rule.year else { continue };
            for name in &rule.answer {
                self.field_of(name, year, FieldType::Integer, here("year"), &what);
            }
        }
    }

    pub(super) fn quota(&mut self) {
        let Some(quota) = &self.profile.quota else { return };
        let here = |key: &str| way(&["quota", key]);
        for (key, holders) in [("passive", &quota.passive), ("active", &quota.active)] {
            for name in holders.keys().filter(|name| !is_party_code(name)) {
                if !self.profile.group.contains_key(name) {
                    let what = format!("quota: `{name}` is neither a party's code nor a group of this profile");
                    self.fault(way(&["quota", key, name]), what);
                }
            }
        }
        self.answers(&quota.uncharged_by, here("uncharged_by"), "quota: `uncharged_by`");
        self.quota_notes(quota);
    }

    fn quota_notes(&mut self, quota: &Quota) {
        let here = |key: &str| way(&["quota", key]);
        for used in &quota.uses {
            let Some(kind) = self.profile.kind.get(&used.kind) else {
                self.fault(here("use"), format!("quota: `{}` is not a kind of this profile", used.kind));
                continue;
            };
            for address in [&used.active, &used.passive] {
                self.address(kind, address, here("use"), "quota: `use`");
                if !matches!(address.who, Who::Sender | Who::Field(_)) {
                    self.fault(here("use"), format!("quota: `use`: `{address}` is not `sender` or a field"));
                }
            }
            if let Some(year) = &used.year {
                self.event_field(kind, year, here("use"), "quota: `use`");
            }
        }
        if let Some(transfer) = &quota.transfer {
            for (field, kind) in [
                (Some(&transfer.from), FieldType::Party),
                (Some(&transfer.to), FieldType::Party),
                (transfer.observed.as_ref(), FieldType::Party),
                (Some(&transfer.count), FieldType::Integer),
                (Some(&transfer.year), FieldType::Integer),
            ] {
                if let Some(field) = field {
                    self.field_of(&transfer.kind, field, kind, here("transfer"), "quota: `transfer`");
                }
            }
        }
        let Some(allocation) = &quota.allocation else { return };
        let what = "quota: `allocation`";
        self.field_of(&allocation.kind, &allocation.year, FieldType::Integer, here("allocation"), what);
        self.field_of(&allocation.kind, &allocation.rows, FieldType::Group, here("allocation"), what);
        let kind = self.profile.kind.get(&allocation.kind);
        let rows = kind.and_then(|kind| kind.field(&allocation.rows));
        for name in [&allocation.holder, &allocation.observed, &allocation.count] {
            if rows.is_some_and(|rows| rows.fields.iter().all(|field| field.name != *name)) {
                self.fault(here("allocation"), format!("{what}: the rows have no field `{name}`"));
            }
        }
    }

    /// That a kind has a field of a type. A text may stand for a party.
    fn field_of(&mut self, kind: &str, field: &str, of: FieldType, here: Way, what: &str) {
        let Some(known) = self.profile.kind.get(kind) else {
            return self.fault(here, format!("{what}: `{kind}` is not a kind of this profile"));
        };
        let fits = |found: FieldType| found == of || (of == FieldType::Party && found == FieldType::Text);
        match known.field(field) {
            None => self.fault(here, format!("{what}: the kind `{kind}` has no field `{field}`")),
            Some(found) if !fits(found.kind) => {
                self.fault(here, format!("{what}: the field `{field}` of `{kind}` is of another type than is needed"));
            }
            Some(_) => {}
        }
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
