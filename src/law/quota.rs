//! Quotas counted: what was used of them in a year, by whom and of whom, what was handed over, what was not charged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::calendar::{Event, start_of_day, zone};
use super::docket::{Docket, Fact, Place};
use super::moment::event_of;
use super::view::QuotaView;
use crate::ledger::Timestamp;
use crate::ledger::profile::{Address, Quota, Transfer, Who};

impl Docket {
    /// Each holder's quota in a calendar year as of a time, by holder's name; without those whom the treaty no longer bound
    /// in that year and who used nothing. Empty if the profile counts none.
    pub fn quotas(&self, year: i16, as_of: Timestamp) -> Vec<QuotaView> {
        let Some(quota) = &self.profile.quota else { return Vec::new() };
        let mut views: BTreeMap<String, QuotaView> = BTreeMap::new();
        for (holder, count) in &quota.passive {
            self.view(&mut views, holder).passive = Some(*count);
        }
        for (holder, count) in &quota.active {
            self.view(&mut views, holder).active = Some(*count);
        }
        if let Some((_, _, fact)) = self.allocated(quota, i64::from(year), as_of) {
            self.allocate(quota, fact, &mut views);
        }
        self.transfers(quota, i64::from(year), as_of, &mut views);
        for (place, fact) in self.of_kinds(|kind| quota.uses.iter().any(|of| of.kind == kind)) {
            if fact.sent <= as_of {
                self.charge(quota, year, place, fact, as_of, &mut views);
            }
        }
        let (bound, start) = (self.bound(as_of), first_moment(year));
        views.retain(|holder, view| {
            let members = self.profile.members(holder, &self.treaty);
            let is_bound = |party: &usize| start.is_none_or(|start| bound.at(*party, start) || bound.at(*party, as_of));
            let unused = QuotaView { holder: String::new(), title: String::new(), ..view.clone() };
            let unused = unused == QuotaView { passive: view.passive, active: view.active, ..QuotaView::default() };
            !unused || members.is_empty() || members.iter().any(is_bound)
        });
        views.into_values().collect()
    }

    /// The number of the note whose distribution of active quota counts for a year, and the year that it names.
    pub fn allocation(&self, year: i16, as_of: Timestamp) -> Option<(String, i64)> {
        let quota = self.profile.quota.as_ref()?;
        self.allocated(quota, i64::from(year), as_of).map(|(year, place, _)| (self.number(place), year))
    }

    /// Who holds active quota of a year; nothing if no note says so.
    pub(super) fn holders(&self, year: i64, as_of: Timestamp) -> Option<BTreeSet<usize>> {
        let quota = self.profile.quota.as_ref()?;
        let (_, _, fact) = self.allocated(quota, year, as_of)?;
        let mut views = BTreeMap::new();
        self.allocate(quota, fact, &mut views);
        self.transfers(quota, year, as_of, &mut views);
        let active = views.values().filter(|view| {
            u64::from(view.active.unwrap_or(0)) + u64::from(view.received) > u64::from(view.handed_over)
        });
        Some(active.flat_map(|view| self.profile.members(&view.holder, &self.treaty)).collect())
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
            // Nobody uses another's quota.
            if !self.may_send(place, fact) {
                continue;
            }
            let number = self.number(place);
            let uncharges = |other: &(Place, &Fact)| self.ends(&quota.uncharged_by, (place, fact), *other, as_of);
            let uncharged =
                self.behind(place, as_of).notes.iter().any(uncharges) || self.revocation(place, fact, as_of).is_some();
            if let Some(active) = active {
                let view = self.view(views, &active);
                match uncharged {
                    true => view.not_charged += 1,
                    false => {
                        view.active_used += 1;
                        if let Some(passive) = &passive {
                            view.over.entry(passive.clone()).or_default().used += 1;
                        }
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

    /// What was handed over of a year's quota, by who may, and not taken back.
    fn transfers(&self, quota: &Quota, year: i64, as_of: Timestamp, views: &mut BTreeMap<String, QuotaView>) {
        let Some(transfer) = &quota.transfer else { return };
        for (place, fact) in self.of_kinds(|kind| kind == transfer.kind) {
            // Nobody hands over another's.
            let giver = fact.body.get(&transfer.from).and_then(Value::as_str);
            let is_own = giver.is_some_and(|name| self.profile.members(name, &self.treaty).contains(&place.0));
            if fact.sent <= as_of && is_own && self.stands(place, fact, as_of) {
                self.transfer(quota, transfer, year, fact, views);
            }
        }
    }

    fn transfer(
        &self,
        quota: &Quota,
        transfer: &Transfer,
        year: i64,
        fact: &Fact,
        views: &mut BTreeMap<String, QuotaView>,
    ) {
        let text = |field: &str| fact.body.get(field).and_then(Value::as_str);
        let number = |field: &str| fact.body.get(field).and_then(Value::as_u64);
        let (Some(from), Some(to)) = (text(&transfer.from), text(&transfer.to)) else { return };
        let count = number(&transfer.count).and_then(|count| u32::try_from(count).ok());
        let (Some(count), Some(of)) = (count, number(&transfer.year)) else { return };
        if i64::try_from(of) == Ok(year) {
            let (from, to) = (self.holder(quota, from), self.holder(quota, to));
            let observed = transfer.observed.as_deref().and_then(text).map(|name| self.holder(quota, name));
            let view = self.view(views, &from);
            view.handed_over = view.handed_over.saturating_add(count);
            if let Some(observed) = &observed {
                let over = view.over.entry(observed.clone()).or_default();
                over.handed_over = over.handed_over.saturating_add(count);
            }
            let view = self.view(views, &to);
            view.received = view.received.saturating_add(count);
            if let Some(observed) = observed {
                let over = view.over.entry(observed).or_default();
                over.received = over.received.saturating_add(count);
            }
        }
    }

    /// The last note that distributes active quota for the year; where the profile says that a distribution stands until
    /// there is another, the last one for the last year before it that has one.
    fn allocated(&self, quota: &Quota, year: i64, as_of: Timestamp) -> Option<(i64, Place, &Fact)> {
        let allocation = quota.allocation.as_ref()?;
        let notes = self.of_kinds(|kind| kind == allocation.kind).into_iter();
        let counts = |place: Place, fact: &Fact| self.is_named(place, fact) && self.stands(place, fact, as_of);
        let notes = notes.filter(|(place, fact)| fact.sent <= as_of && counts(*place, fact));
        let named = notes.filter_map(|(place, fact)| Some((fact.body.get(&allocation.year)?.as_i64()?, place, fact)));
        let counts = named.filter(|(of, ..)| *of == year || allocation.stands && *of < year);
        counts.max_by_key(|(of, place, fact)| (*of, fact.sent, *place))
    }

    /// Whether the profile names a note's sender as one of those who send its kind, and not only the note itself does: who
    /// calls itself the Chair is not believed.
    fn is_named(&self, place: Place, fact: &Fact) -> bool {
        let from = self.profile.kind.get(&*fact.kind).map(|kind| kind.from.as_slice()).unwrap_or_default();
        let names = |who: &Who| matches!(who, Who::Party(_) | Who::Role(_) | Who::Group(_));
        let named = from.iter().filter(|address| names(&address.who));
        let said = self.said(place, fact);
        named.flat_map(|address| address.parties(said, &self.profile, &self.treaty)).any(|party| party == place.0)
    }

    fn allocate(&self, quota: &Quota, fact: &Fact, views: &mut BTreeMap<String, QuotaView>) {
        let Some(allocation) = &quota.allocation else { return };
        let rows = fact.body.get(&allocation.rows).and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            let text = |field: &str| row.get(field).and_then(Value::as_str).map(|name| self.holder(quota, name));
            let count = row.get(&allocation.count).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
            let (Some(holder), Some(count)) = (text(&allocation.holder), count) else { continue };
            let view = self.view(views, &holder);
            view.active = Some(view.active.unwrap_or(0).saturating_add(count));
            if let Some(observed) = text(&allocation.observed) {
                let over = view.over.entry(observed).or_default();
                over.active = Some(over.active.unwrap_or(0).saturating_add(count));
            }
        }
    }
}

/// The first moment of a year, UTC.
fn first_moment(year: i16) -> Option<Timestamp> {
    start_of_day(jiff::civil::Date::new(year, 1, 1).ok()?, &zone(None))
}
