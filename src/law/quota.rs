//! Quotas counted: what was used of them in a year, by whom and of whom, what was handed over, what was not charged.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calendar::{Event, zone};
use super::docket::{Docket, Fact, Place};
use super::moment::event_of;
use super::view::QuotaView;
use crate::ledger::Timestamp;
use crate::ledger::profile::{Address, Quota, Who};

impl Docket {
    /// Each holder's quota in a calendar year as of a time, by holder's name. Empty if the profile counts none.
    pub fn quotas(&self, year: i16, as_of: Timestamp) -> Vec<QuotaView> {
        let Some(quota) = &self.profile.quota else { return Vec::new() };
        let mut views: BTreeMap<String, QuotaView> = BTreeMap::new();
        for (holder, count) in &quota.passive {
            self.view(&mut views, holder).passive = Some(*count);
        }
        for (holder, count) in &quota.active {
            self.view(&mut views, holder).active = Some(*count);
        }
        self.allocate(quota, year, as_of, &mut views);
        for (place, fact) in self.notes.iter().filter(|(_, fact)| fact.sent <= as_of) {
            self.transfer(quota, year, fact, &mut views);
            self.charge(quota, year, *place, fact, as_of, &mut views);
        }
        views.into_values().collect()
    }

    fn view<'a>(&self, views: &'a mut BTreeMap<String, QuotaView>, holder: &str) -> &'a mut QuotaView {
        views.entry(holder.to_owned()).or_insert_with(|| {
            let group = self.profile.group.get(holder).map(|group| group.title.clone());
            let party = self.treaty.find(holder).map(|party| self.name(party).to_owned());
            let title = group.or(party).unwrap_or_else(|| holder.to_owned());
            QuotaView { holder: holder.to_owned(), title, ..QuotaView::default() }
        })
    }

    /// The holder for which a party counts: a group that is a holder itself, or the party.
    fn holder(&self, quota: &Quota, name: &str) -> String {
        let is_holder = |name: &str| quota.passive.contains_key(name) || quota.active.contains_key(name);
        if is_holder(name) {
            return name.to_owned();
        }
        let group =
            self.profile.group.iter().find(|(group, of)| is_holder(group) && of.members.iter().any(|m| m == name));
        group.map_or(name.to_owned(), |(group, _)| group.clone())
    }

    fn who(&self, quota: &Quota, address: &Address, place: Place, fact: &Fact) -> Option<String> {
        let name = match &address.who {
            Who::Sender => {
                let kind = self.profile.kind.get(&*fact.kind);
                let behalf = kind.and_then(|kind| fact.body.get(kind.behalf.as_ref()?)?.as_str());
                behalf.map_or_else(|| self.code(place.0), str::to_owned)
            }
            Who::Field(field) => fact.body.get(field)?.as_str()?.to_owned(),
            _ => return None,
        };
        Some(self.holder(quota, &name))
    }

    fn charge(
        &self,
        quota: &Quota,
        year: i16,
        place: Place,
        fact: &Fact,
        as_of: Timestamp,
        views: &mut BTreeMap<String, QuotaView>,
    ) {
        for of in quota.uses.iter().filter(|of| *of.kind == *fact.kind) {
            let event = match &of.year {
                Some(field) => fact.body.get(field).and_then(event_of),
                None => Some(Event::Moment(fact.sent)),
            };
            let day = event.and_then(|event| event.day(&zone(self.profile.zone.as_deref())));
            if day.is_none_or(|day| day.year() != year) {
                continue;
            }
            let (active, passive) =
                (self.who(quota, &of.active, place, fact), self.who(quota, &of.passive, place, fact));
            let number = self.number(place);
            let uncharges = |kind: &str| quota.uncharged_by.iter().any(|other| other == kind);
            let uncharged = self.behind(place, as_of).iter().any(|(_, fact)| uncharges(&fact.kind))
                || self.revocation(place, fact, as_of).is_some();
            if let Some(active) = active {
                let view = self.view(views, &active);
                match uncharged {
                    true => view.not_charged += 1,
                    false => {
                        view.active_used += 1;
                        view.charged.push(number.clone());
                    }
                }
            }
            if let Some(passive) = passive.filter(|_| !uncharged) {
                let view = self.view(views, &passive);
                view.passive_used += 1;
                view.charged.push(number);
            }
        }
    }

    fn transfer(&self, quota: &Quota, year: i16, fact: &Fact, views: &mut BTreeMap<String, QuotaView>) {
        let Some(transfer) = quota.transfer.as_ref().filter(|transfer| *transfer.kind == *fact.kind) else { return };
        let text = |field: &str| fact.body.get(field).and_then(Value::as_str);
        let number = |field: &str| fact.body.get(field).and_then(Value::as_u64);
        let (Some(from), Some(to)) = (text(&transfer.from), text(&transfer.to)) else { return };
        let count = number(&transfer.count).and_then(|count| u32::try_from(count).ok());
        let (Some(count), Some(of)) = (count, number(&transfer.year)) else { return };
        if u64::try_from(year).ok() == Some(of) {
            let (from, to) = (self.holder(quota, from), self.holder(quota, to));
            let view = self.view(views, &from);
            view.handed_over = view.handed_over.saturating_add(count);
            let view = self.view(views, &to);
            view.received = view.received.saturating_add(count);
        }
    }

    /// The last note that allocates active quota for the year counts.
    fn allocate(&self, quota: &Quota, year: i16, as_of: Timestamp, views: &mut BTreeMap<String, QuotaView>) {
        let Some(allocation) = &quota.allocation else { return };
        let is_for = |fact: &Fact| {
            *fact.kind == *allocation.kind
                && fact.sent <= as_of
                && fact.body.get(&allocation.year).and_then(Value::as_i64) == Some(i64::from(year))
        };
        let last = self.notes.iter().filter(|(_, fact)| is_for(fact)).max_by_key(|(place, fact)| (fact.sent, **place));
        let rows = last.and_then(|(_, fact)| fact.body.get(&allocation.rows)?.as_array());
        for row in rows.into_iter().flatten() {
            let holder = row.get(&allocation.holder).and_then(Value::as_str);
            let count = row.get(&allocation.count).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
            if let (Some(holder), Some(count)) = (holder, count) {
                let view = self.view(views, &self.holder(quota, holder));
                view.active = Some(view.active.unwrap_or(0).saturating_add(count));
            }
        }
    }
}
