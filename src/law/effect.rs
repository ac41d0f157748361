//! When a note takes effect, and what a party is over time.

use super::calendar::{Event, Manner, end, zone};
use super::docket::{Docket, Fact, Place};
use super::due::is_depositary_start;
use super::moment::{counted, event_of, is_depositary};
use super::view::{Change, EffectView, Force, Other, PartyStanding, Step};
use crate::ledger::profile::{Effect, Ends, Reading, Standing, Unit};
use crate::ledger::{Role, Timestamp};

impl Docket {
    /// All effects as of a time, in the order of the notes and of the profile's rules; of one note only, if it is named.
    pub fn effects(&self, as_of: Timestamp, of: Option<Place>) -> Vec<EffectView> {
        self.effects_of(as_of, of).into_iter().map(|(_, _, view)| view).collect()
    }

    fn effects_of(&self, as_of: Timestamp, of: Option<Place>) -> Vec<(Vec<usize>, &Effect, EffectView)> {
        let mut views = Vec::new();
        let has_effect = |kind: &str| self.profile.kind.get(kind).is_some_and(|kind| !kind.effect.is_empty());
        let notes = match of {
            Some(place) => self.notes.get(&place).map(|fact| (place, fact)).into_iter().collect(),
            None => self.of_kinds(has_effect),
        };
        for (place, fact) in notes {
            let Some(kind) = self.profile.kind.get(&*fact.kind).filter(|_| fact.sent <= as_of) else { continue };
            for effect in &kind.effect {
                if effect.when.iter().all(|(name, value)| fact.body.get(name) == Some(value)) {
                    let parties = match &effect.of {
                        None => vec![place.0],
                        Some(address) => address.parties(self.said(place, fact), &self.profile, &self.treaty),
                    };
                    let view = self.effect(place, fact, effect, &parties, as_of);
                    views.push((parties, effect, view));
                }
            }
        }
        views
    }

    fn effect(&self, place: Place, fact: &Fact, effect: &Effect, parties: &[usize], as_of: Timestamp) -> EffectView {
        let zone = zone(effect.zone.as_deref().or(self.profile.zone.as_deref()));
        let (mut steps, mut computed) = (Vec::new(), None);
        match self.start(place, &effect.start, &[], as_of) {
            Err(why) => steps.push(why),
            Ok((event, why)) => {
                steps.push(why);
                let (at, why) = self.takes_effect(event, effect, None);
                computed = at;
                steps.extend(why);
            }
        }
        let claimed = effect.claimed.as_ref().and_then(|field| event_of(fact.body.get(field)?));
        let claimed = claimed.and_then(|event| event.moment(&zone));
        let effective = computed.map(|computed| claimed.map_or(computed, |claimed| claimed.max(computed)));
        if let (Some(computed), Some(claimed)) = (computed, claimed) {
            let text = match claimed.cmp(&computed) {
                std::cmp::Ordering::Less => {
                    let early = super::calendar::length(computed.posix() - claimed.posix());
                    format!(
                        "The note names {}, {early} before the time so computed; both are shown.",
                        claimed.display()
                    )
                }
                std::cmp::Ordering::Equal => format!("The note names the same time, {}.", claimed.display()),
                std::cmp::Ordering::Greater => {
                    format!("The note names a later time, {}, which counts.", claimed.display())
                }
            };
            steps.push(Step { text, records: vec![self.number(place)] });
        }
        let revoked = self.revocation(place, fact, as_of);
        let in_time = revoked.filter(|(_, at)| effective.is_none_or(|effective| *at < effective));
        let force = match (in_time, effective) {
            (Some(_), _) => Force::Revoked,
            (None, None) => Force::Waiting,
            (None, Some(effective)) if effective <= as_of => Force::InEffect,
            _ => Force::Pending,
        };
        if let Some((by, at)) = revoked {
            let when = if in_time.is_some() { "before it took effect" } else { "after it had taken effect" };
            let text = format!("{} took it back at {}, {when}.", self.number(by), at.display());
            steps.push(Step { text, records: vec![self.number(by)] });
        }
        let at = effective.map_or(String::new(), Timestamp::display);
        let text = match force {
            Force::Waiting => "Its time has not begun: what starts it has not happened.".to_owned(),
            Force::Pending => format!("To take effect at {at}, as computed."),
            Force::InEffect => format!("In effect since {at}, as computed."),
            Force::Revoked => "Revoked before it took effect.".to_owned(),
        };
        EffectView {
            number: self.number(place),
            kind: fact.kind.to_string(),
            party: parties.iter().map(|party| self.code(*party)).collect(),
            sent: fact.sent,
            rule: effect.id.clone(),
            title: effect.title.clone(),
            article: effect.article.clone(),
            force,
            computed,
            claimed,
            effective,
            revoked_by: revoked.map(|(by, _)| self.number(by)),
            text,
            steps,
            readings: self.readings_of(place, fact, effect, claimed, as_of),
            unconfirmed: effect.unconfirmed.clone(),
        }
    }

    fn takes_effect(
        &self,
        start: Event,
        effect: &Effect,
        reading: Option<&Reading>,
    ) -> (Option<Timestamp>, Option<Step>) {
        let named = reading.and_then(|r| r.zone.as_deref()).or(effect.zone.as_deref());
        let manner = Manner {
            counting: reading.and_then(|r| r.counting).unwrap_or(effect.counting),
            ends: reading.and_then(|r| r.ends).or(effect.ends).unwrap_or(Ends::StartOfDay),
            zone: zone(named.or(self.profile.zone.as_deref())),
            back: false,
        };
        let Some(count) = effect.after.map(|after| reading.and_then(|r| r.length).unwrap_or(after)) else {
            return (start.moment(&manner.zone), None);
        };
        match end(start, count, &manner) {
            None => (None, None),
            Some(found) => {
                let why = counted(format!("{count} after"), &manner, &found, count.unit == Unit::Hour);
                (Some(found.at), Some(why))
            }
        }
    }

    /// Every other date that somebody holds or that the records give.
    fn readings_of(
        &self,
        place: Place,
        fact: &Fact,
        effect: &Effect,
        claimed: Option<Timestamp>,
        as_of: Timestamp,
    ) -> Vec<Other> {
        let mut readings = Vec::new();
        let number = self.number(place);
        if let Some(claimed) = claimed {
            let title = format!("{}, in the note itself", self.name(place.0));
            readings.push(Other { title, from: None, until: Some(claimed), records: vec![number] });
        }
        if is_depositary_start(&effect.start) {
            for party in self.addressees(place, fact).into_iter().filter(|party| is_depositary(&self.treaty, *party)) {
                let Some(seen) = self.received(place, party, as_of) else { continue };
                let (at, _) = self.takes_effect(Event::Moment(seen.time), effect, None);
                let title = format!("counted from the receipt of {}", self.name(party));
                let records = vec![format!("{}/{}", self.code(party), seen.index)];
                readings.push(Other { title, from: None, until: at, records });
            }
        }
        for (circular, said) in self.answers(place, as_of) {
            for stated in effect.stated.iter().filter(|stated| *stated.kind == *said.kind) {
                let event = |field: &Option<String>| field.as_ref().and_then(|field| event_of(said.body.get(field)?));
                let (name, records) = (self.name(circular.0), vec![self.number(circular)]);
                if let Some(received) = event(&stated.received) {
                    let (until, _) = self.takes_effect(received, effect, None);
                    let title = format!("counted from the receipt that {name} states");
                    readings.push(Other { title, from: None, until, records: records.clone() });
                }
                if let Some(effective) = event(&stated.effective) {
                    let zone = zone(effect.zone.as_deref().or(self.profile.zone.as_deref()));
                    let title = format!("the date that {name} states");
                    readings.push(Other { title, from: None, until: effective.moment(&zone), records });
                }
            }
        }
        for reading in &effect.disputed {
            let start = reading.start.as_ref().unwrap_or(&effect.start);
            let event = self.start(place, start, &[], as_of).ok();
            let until = event.and_then(|(event, _)| self.takes_effect(event, effect, Some(reading)).0);
            readings.push(Other { title: reading.title.clone(), from: None, until, records: Vec::new() });
        }
        readings
    }

    /// What each party is over time, in the order of the treaty file. Observers are left out.
    pub fn standings(&self, as_of: Timestamp) -> Vec<PartyStanding> {
        let effects = self.effects_of(as_of, None);
        let mut standings = Vec::new();
        for (at, party) in self.treaty.parties().iter().enumerate() {
            let bound = party.roles.contains(&Role::StateParty);
            let mut changes: Vec<Change> = Vec::new();
            for (parties, effect, view) in &effects {
                if !parties.contains(&at) {
                    continue;
                }
                let number = Some(view.number.clone());
                let mut add = |from, standing: Option<Standing>, number: &Option<String>| {
                    if let Some(standing) = standing {
                        changes.push(Change { from: Some(from), standing, number: number.clone() });
                    }
                };
                add(view.sent, effect.meanwhile, &number);
                match (view.force, view.effective) {
                    (Force::Revoked, _) => {
                        let place = self.place(&view.number);
                        let revoked = place.and_then(|p| self.revocation(p, self.notes.get(&p)?, as_of));
                        // Another notice that stands is not taken back with this one; and who is out stays out.
                        let stands = |(of, other, known): &(Vec<usize>, &Effect, EffectView)| {
                            let is_notice = other.standing == Some(Standing::FormerParty) && of.contains(&at);
                            is_notice && known.number != view.number && known.force != Force::Revoked
                        };
                        if let Some((by, when)) = revoked
                            && bound
                            && !effects.iter().any(stands)
                        {
                            add(when, Some(Standing::StateParty), &Some(self.number(by)));
                        }
                    }
                    (_, Some(effective)) => add(effective, effect.standing, &number),
                    _ => {}
                }
            }
            if !bound && changes.is_empty() {
                continue;
            }
            changes.sort_by(|a, b| (a.from, &a.number).cmp(&(b.from, &b.number)));
            // Once out, a second notice of the same changes nothing.
            let mut kept: Vec<Change> = Vec::new();
            if bound {
                kept.push(Change { from: None, standing: Standing::StateParty, number: None });
            }
            for change in changes {
                let last = kept.last().map(|last| last.standing);
                let is_out = last == Some(Standing::FormerParty) && change.standing == Standing::NoticeGiven;
                if last != Some(change.standing) && !is_out {
                    kept.push(change);
                }
            }
            let now = kept.iter().rev().find(|change| change.from.is_none_or(|from| from <= as_of));
            let now = now.map_or(Standing::Acceding, |change| change.standing);
            let next = kept.iter().find(|change| change.from.is_some_and(|from| from > as_of));
            let mut text = format!("{}: {}", party.name, now.words());
            if let Some((from, next)) = next.and_then(|next| Some((next.from?, next.standing))) {
                text += &format!("; from {}: {}", from.display(), next.words());
            }
            standings.push(PartyStanding { party: party.code.clone(), now, text, changes: kept });
        }
        standings
    }

    /// If its sender was a former party when it sent a note, by these standings: what made it one, and since when.
    pub fn sent_by_former_party<'a>(&self, note: Place, standings: &'a [PartyStanding]) -> Option<&'a Change> {
        let sent = self.notes.get(&note)?.sent;
        let code = self.code(note.0);
        let standing = standings.iter().find(|standing| standing.party == code)?;
        let then = standing.changes.iter().rev().find(|change| change.from.is_none_or(|from| from <= sent))?;
        (then.standing == Standing::FormerParty).then_some(then)
    }

    /// When the treaty bound which party, as of a time.
    pub fn bound(&self, as_of: Timestamp) -> Bound {
        let mut bound = Bound(vec![None; self.treaty.parties().len()]);
        for standing in self.standings(as_of) {
            if let Some(of) = self.treaty.find(&standing.party).and_then(|party| bound.0.get_mut(party)) {
                *of = Some(standing.changes);
            }
        }
        bound
    }

    /// A note's place by its number, as `US/15`.
    pub fn place(&self, number: &str) -> Option<Place> {
        let (code, index) = number.split_once('/')?;
        Some((self.treaty.find(code)?, index.parse().ok()?))
    }
}

/// When the treaty bound which party.
pub struct Bound(Vec<Option<Vec<Change>>>);

impl Bound {
    /// Whether it bound a party at a time. What has no standing that could change, as a depositary that is no state party,
    /// is taken for bound.
    pub fn at(&self, party: usize, time: Timestamp) -> bool {
        let Some(Some(changes)) = self.0.get(party) else { return true };
        let last = changes.iter().rev().find(|change| change.from.is_none_or(|from| from <= time));
        last.is_some_and(|last| matches!(last.standing, Standing::StateParty | Standing::NoticeGiven))
    }
}
