//! What is due every year, and what is counted in a year: rules that contradict themselves or name what is not there.

use std::collections::{BTreeMap, BTreeSet};

use super::address::Who;
use super::check::{Check, way};
use super::field::{Field, FieldType};
use super::kind::Kind;
use super::locate::Way;
use super::quota::Quota;
use crate::ledger::notification::is_kind_name;
use crate::ledger::treaty::is_party_code;

impl Check<'_> {
    pub(super) fn periodic(&mut self) {
        let profile = self.profile;
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        for (at, rule) in profile.periodic.iter().enumerate() {
            let here = |key: &str| way(&["periodic", &at.to_string(), key]);
            let what = format!("periodic rule `{}`", rule.id);
            if !is_kind_name(&rule.id) || !ids.insert(&rule.id) {
                self.fault(here("id"), format!("{what}: its id is lower-case words with hyphens, and no other rule's"));
            }
            self.words(&rule.title, here("title"), &format!("{what}: its `title`"));
            if rule.by.is_empty() {
                self.fault(here("by"), format!("{what}: it names nobody who owes it"));
            }
            for address in &rule.by {
                self.owes(address, here("by"), &what);
            }
            if let Some(day) = (1..rule.days.len()).find(|at| rule.days[..*at].contains(&rule.days[*at])) {
                self.fault(here("days"), format!("{what}: the day {} stands there twice", rule.days[day]));
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
        self.words(&quota.title, here("title"), "quota: its `title`");
        self.holders(quota);
        let uses: Vec<_> = quota.uses.iter().filter_map(|of| self.profile.kind.get_key_value(&of.kind)).collect();
        let uses: Vec<_> = uses.into_iter().map(|(name, kind)| (name.as_str(), kind)).collect();
        self.enders(&quota.uncharged_by, &uses, here("uncharged_by"), "quota: `uncharged_by`");
        self.quota_notes(quota);
    }

    /// That nobody counts for two holders.
    fn holders(&mut self, quota: &Quota) {
        let profile = self.profile;
        let mut of: BTreeMap<&str, &str> = BTreeMap::new();
        let all = [("passive", &quota.passive), ("active", &quota.active)];
        let named = all.iter().flat_map(|(key, holders)| holders.keys().map(|holder| (*key, holder.as_str())));
        for (key, holder) in named {
            let members = profile.group.get(holder).map(|group| group.members.as_slice()).unwrap_or_default();
            for party in members.iter().map(String::as_str).chain(members.is_empty().then_some(holder)) {
                let before = *of.entry(party).or_insert(holder);
                if before != holder {
                    let what =
                        format!("quota: {party} counts for `{before}` and for `{holder}`: it can count for one only");
                    self.fault(way(&["quota", key, holder]), what);
                }
            }
        }
    }

    /// That it is said who may send what gives or takes quota.
    fn authority(&mut self, kind: &str, key: &str) {
        if self.profile.kind.get(kind).is_some_and(|kind| kind.from.is_empty()) {
            let text = format!(
                "quota: `{key}`: `{kind}` has no `from`, so that anybody could dispose of another's quota by it"
            );
            self.fault(way(&["quota", key, "kind"]), text);
        }
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
                self.needed(kind, year, here("use"), "quota: `use`");
            }
            if let Who::Field(field) = &used.passive.who {
                self.needed(kind, field, here("use"), "quota: `use`");
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
            self.authority(&transfer.kind, "transfer");
        }
        let Some(allocation) = &quota.allocation else { return };
        self.authority(&allocation.kind, "allocation");
        let what = "quota: `allocation`";
        self.field_of(&allocation.kind, &allocation.year, FieldType::Integer, here("allocation"), what);
        self.field_of(&allocation.kind, &allocation.rows, FieldType::Group, here("allocation"), what);
        let kind = self.profile.kind.get(&allocation.kind);
        let rows = kind.and_then(|kind| kind.field(&allocation.rows));
        if rows.is_some_and(|rows| rows.kind == FieldType::Group && !rows.repeatable) {
            self.fault(here("allocation"), format!("{what}: the field `{}` is not `repeatable`", allocation.rows));
        }
        for (name, of) in [
            (&allocation.holder, FieldType::Party),
            (&allocation.observed, FieldType::Party),
            (&allocation.count, FieldType::Integer),
        ] {
            let Some(rows) = rows else { continue };
            match rows.fields.iter().find(|field| field.name == *name) {
                None => self.fault(here("allocation"), format!("{what}: the rows have no field `{name}`")),
                Some(found) if !fits(found, of) => {
                    let text = format!("{what}: the field `{name}` of the rows is of another type than is needed");
                    self.fault(here("allocation"), text);
                }
                Some(found) if !found.required => {
                    let text = "of the rows is not `required`: a row without it would count for nothing";
                    self.fault(here("allocation"), format!("{what}: the field `{name}` {text}"));
                }
                Some(_) => {}
            }
        }
    }

    /// That a kind has a field of a type. A text may stand for a party.
    fn field_of(&mut self, kind: &str, field: &str, of: FieldType, here: Way, what: &str) {
        let Some(known) = self.profile.kind.get(kind) else {
            return self.fault(here, format!("{what}: `{kind}` is not a kind of this profile"));
        };
        match known.field(field) {
            None => self.fault(here, format!("{what}: the kind `{kind}` has no field `{field}`")),
            Some(found) if !fits(found, of) => {
                self.fault(here, format!("{what}: the field `{field}` of `{kind}` is of another type than is needed"));
            }
            Some(_) => self.needed(known, field, here, what),
        }
    }

    /// That a note cannot leave out what is counted.
    fn needed(&mut self, kind: &Kind, field: &str, here: Way, what: &str) {
        if kind.field(field).is_some_and(|found| !found.required && found.kind != FieldType::Group) {
            let text = "without which it would count for nothing: make it `required`";
            self.fault(here, format!("{what}: “{}” may leave out the field `{field}`, {text}", kind.title));
        }
    }
}

/// Whether a field holds one value of a type, or is the group of which there are several. A text may stand for a party.
fn fits(found: &Field, of: FieldType) -> bool {
    let is_of = found.kind == of || of == FieldType::Party && found.kind == FieldType::Text;
    is_of && (!found.repeatable || of == FieldType::Group)
}
