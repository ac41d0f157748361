//! Which fields of each kind the profile's rules look at: only these are kept of a note.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::profile::{Address, Point, Profile, Start, Who};

#[derive(Default)]
struct Used(BTreeMap<String, BTreeSet<String>>);

impl Used {
    fn add(&mut self, kind: &str, field: &str) {
        self.0.entry(kind.to_owned()).or_default().insert(field.to_owned());
    }

    fn address(&mut self, kind: &str, address: &Address) {
        if let Who::Field(field) = &address.who {
            self.add(kind, field);
        }
    }

    fn point(&mut self, kind: &str, point: &Point) {
        if let Point::Field(field) = point {
            self.add(kind, field);
        }
    }

    fn start(&mut self, kind: &str, start: &Start, profile: &Profile) {
        match start {
            Start::At(point) => self.point(kind, point),
            // Whichever it turns out to follow.
            Start::Before { of, at } => {
                for name in profile.kind.keys().filter(|name| of.as_ref().is_none_or(|of| of == *name)) {
                    self.point(name, at);
                }
            }
            Start::Nth(nth) => {
                self.point(&nth.of, &nth.at);
                self.point(kind, &nth.from);
                nth.when.keys().for_each(|field| self.add(&nth.of, field));
            }
        }
    }
}

pub(super) fn used_fields(profile: &Profile) -> BTreeMap<String, BTreeSet<String>> {
    let mut used = Used::default();
    for (name, kind) in &profile.kind {
        kind.behalf.iter().for_each(|field| used.add(name, field));
        // Who may send a kind that answers or ends something.
        kind.from.iter().for_each(|address| used.address(name, address));
        for due in &kind.due {
            let enders = due.ended_by.iter().flat_map(|ender| &ender.from);
            due.by.iter().chain(&due.to).chain(enders).for_each(|address| used.address(name, address));
            due.when.keys().for_each(|field| used.add(name, field));
            used.start(name, &due.start, profile);
            due.disputed.iter().flat_map(|r| &r.start).for_each(|start| used.start(name, start, profile));
            let acts = || due.act.iter().chain(due.disputed.iter().flat_map(|reading| &reading.act));
            let answers = due.answer.iter().chain(due.itself.then_some(name));
            for answer in answers {
                acts().for_each(|act| used.point(answer, act));
                due.answer_when.keys().for_each(|field| used.add(answer, field));
            }
        }
        for effect in &kind.effect {
            used.start(name, &effect.start, profile);
            effect.disputed.iter().flat_map(|r| &r.start).for_each(|start| used.start(name, start, profile));
            effect.when.keys().chain(&effect.claimed).for_each(|field| used.add(name, field));
            effect.of.iter().for_each(|address| used.address(name, address));
            for stated in &effect.stated {
                stated.received.iter().chain(&stated.effective).for_each(|field| used.add(&stated.kind, field));
            }
        }
    }
    for rule in &profile.periodic {
        for answer in &rule.answer {
            rule.year.iter().for_each(|field| used.add(answer, field));
        }
    }
    if let Some(quota) = &profile.quota {
        for of in &quota.uses {
            used.address(&of.kind, &of.active);
            used.address(&of.kind, &of.passive);
            let enders = quota.uncharged_by.iter().flat_map(|ender| &ender.from);
            enders.for_each(|address| used.address(&of.kind, address));
            of.year.iter().for_each(|field| used.add(&of.kind, field));
        }
        if let Some(t) = &quota.transfer {
            [&t.from, &t.to, &t.count, &t.year].into_iter().chain(&t.observed).for_each(|f| used.add(&t.kind, f));
        }
        if let Some(a) = &quota.allocation {
            [&a.year, &a.rows].into_iter().for_each(|field| used.add(&a.kind, field));
        }
    }
    used.0
}
