//! When a note takes effect, and what a party is over time.

use super::act::fits;
use super::aside::on_branch;
use super::docket::{Docket, Fact, Place};
use super::due::is_depositary_start;
use super::moment::{Stop, beyond, counted, event_of};
use super::roles::is_depositary;
use super::view::{Change, EffectView, Force, Other, PartyStanding, Step};
use crate::ledger::calendar::{Event, Manner, RANGE, end, zone};
use crate::ledger::profile::{Effect, Ends, Point, Reading, Standing, Start, Unit};
use crate::ledger::{Role, Timestamp};

/// When the treaty bound which party: by its place what it was over time, if that is known to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound(Vec<Vec<Change>>);

/// As of when something is asked, and whom the treaty bound when by what was known then.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub time: Timestamp,
    pub bound: &'a Bound,
}

/// An effect of a note, and whose standing it is about.
struct Known<'a> {
    place: Place,
    of: Vec<usize>,
    effect: &'a Effect,
    view: EffectView,
}

impl Bound {
    /// Whether it bound a party at a time. What has no standing that could change, as a depositary that is no state party,
    /// is taken for bound.
    pub fn at(&self, party: usize, time: Timestamp) -> bool {
        let changes = self.0.get(party).map(Vec::as_slice).unwrap_or_default();
        let last = changes.iter().rev().find(|change| change.from.is_none_or(|from| from <= time));
        changes.is_empty()
            || last.is_some_and(|last| matches!(last.standing, Standing::StateParty | Standing::NoticeGiven))
    }
}

impl Docket {
    /// All effects as of a time, in the order of the notes and of the profile's rules; of one note only, if it is named.
    pub fn effects(&self, as_of: Timestamp, of: Option<Place>) -> Vec<EffectView> {
        let known = match of.and_then(|place| Some((place, self.notes.get(&place)?))) {
            None if of.is_some() => Vec::new(),
            Some((place, fact)) if !self.waits_for_each(&fact.kind) => {
                self.effects_of(place, fact, At { time: as_of, bound: &Bound::default() })
            }
            _ => self.known(as_of).0,
        };
        let mut known: Vec<_> = known.into_iter().filter(|known| of.is_none_or(|of| known.place == of)).collect();
        known.sort_by_key(|known| known.place);
        known.into_iter().map(|known| known.view).collect()
    }

    /// All effects, and whom the treaty bound when by them. Whose receipt counts for a note depends on who was bound when
    /// it was sent, and so on the notes before it.
    fn known(&self, as_of: Timestamp) -> (Vec<Known<'_>>, Bound) {
        let has_effect = |kind: &str| self.profile.kind.get(kind).is_some_and(|kind| !kind.effect.is_empty());
        let mut notes = self.of_kinds(has_effect);
        notes.sort_by_key(|(place, fact)| (fact.sent, *place));
        let (mut known, mut bound, mut counted) = (Vec::new(), self.bound_by(&[], as_of), 0);
        for (place, fact) in notes {
            if counted < known.len() && self.waits_for_each(&fact.kind) {
                bound = self.bound_by(&known, as_of);
                counted = known.len();
            }
            known.extend(self.effects_of(place, fact, At { time: as_of, bound: &bound }));
        }
        if counted < known.len() {
            bound = self.bound_by(&known, as_of);
        }
        (known, bound)
    }

    /// Whether an effect of a kind is counted from what each addressee has received.
    fn waits_for_each(&self, kind: &str) -> bool {
        let each =
            |point: &Point| matches!(point, Point::Received | Point::ReceivedByEach | Point::InformedByDepositary);
        let waits = |start: &Start| match start {
            Start::At(point) | Start::Before { at: point, .. } => each(point),
            Start::Nth(nth) => each(&nth.at) || each(&nth.from),
        };
        let effects = self.profile.kind.get(kind).map(|kind| kind.effect.as_slice()).unwrap_or_default();
        let starts = |effect: &Effect| {
            waits(&effect.start) || effect.disputed.iter().flat_map(|reading| &reading.start).any(waits)
        };
        effects.iter().any(starts)
    }

    fn effects_of(&self, place: Place, fact: &Fact, at: At) -> Vec<Known<'_>> {
        let Some(kind) = self.profile.kind.get(&*fact.kind).filter(|_| fact.sent <= at.time) else { return Vec::new() };
        let effects = kind.effect.iter().filter(|effect| fits(&fact.body, &effect.when));
        let known = effects.map(|effect| {
            let of = match &effect.of {
                None => vec![place.0],
                Some(address) => address.parties(self.said(place, fact), &self.profile, &self.then(fact.sent, place.0)),
            };
            let view = self.effect(place, fact, effect, &of, at);
            Known { place, of, effect, view }
        });
        known.collect()
    }

    fn effect(&self, place: Place, fact: &Fact, effect: &Effect, parties: &[usize], at: At) -> EffectView {
        let as_of = at.time;
        let days = effect.zone.as_deref().or(self.profile.zone.as_deref());
        let zone = zone(days);
        let (mut steps, mut computed, mut no_time) = (Vec::new(), None, None);
        match self.start(place, &effect.start, &[], days, at) {
            Err(Stop::Waits(why)) => steps.push(why),
            Err(Stop::Never(why)) => {
                steps.push(why.clone());
                no_time = Some(why);
            }
            Ok((event, why)) => {
                steps.push(why.clone());
                match self.takes_effect(event, effect, None) {
                    Ok((time, why)) => {
                        computed = Some(time);
                        steps.extend(why);
                    }
                    Err(why) => {
                        steps.push(why.clone());
                        no_time = Some(why);
                    }
                }
            }
        }
        let said = effect.claimed.as_ref().and_then(|field| event_of(fact.body.get(field)?));
        let claimed = said.and_then(|event| event.moment(&zone));
        if let (Some(Event::Day(day)), None) = (said, claimed) {
            let text = format!("The note names {day}, outside of the years in which times are computed: {RANGE}.");
            let why = Step { text, records: vec![self.number(place)] };
            steps.push(why.clone());
            // A later date counts, and this one is later than any.
            if day.year() > 1970 {
                no_time = Some(why);
            }
        }
        let effective = computed
            .filter(|_| no_time.is_none())
            .map(|computed| claimed.map_or(computed, |claimed| claimed.max(computed)));
        if let (Some(computed), Some(claimed)) = (computed, claimed) {
            let text = match claimed.cmp(&computed) {
                std::cmp::Ordering::Less => {
                    let early = crate::ledger::calendar::length(computed.posix() - claimed.posix());
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
            (None, None) if no_time.is_some() => Force::NoTime,
            (None, None) => Force::Waiting,
            (None, Some(effective)) if effective <= as_of => Force::InEffect,
            _ => Force::Pending,
        };
        if let Some((by, at)) = revoked {
            let when = if in_time.is_some() { "before it took effect" } else { "after it had taken effect" };
            let text = format!("{} took it back at {}, {when}.", self.number(by), at.display());
            steps.push(Step { text, records: vec![self.number(by)] });
        }
        let when = effective.map_or(String::new(), Timestamp::display);
        let why = no_time.map_or(String::new(), |why| why.text);
        let text = match force {
            Force::NoTime => format!("No time can be computed: {why}"),
            Force::Waiting => "Its time has not begun: what starts it has not happened.".to_owned(),
            Force::Pending => format!("To take effect at {when}, as computed."),
            Force::InEffect => format!("In effect since {when}, as computed."),
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
            readings: self.readings_of(place, fact, effect, claimed, at),
            unconfirmed: effect.unconfirmed.clone(),
        }
    }

    fn takes_effect(
        &self,
        start: Event,
        effect: &Effect,
        reading: Option<&Reading>,
    ) -> Result<(Timestamp, Option<Step>), Step> {
        let named = reading.and_then(|r| r.zone.as_deref()).or(effect.zone.as_deref());
        let manner = Manner {
            counting: reading.and_then(|r| r.counting).unwrap_or(effect.counting),
            ends: reading.and_then(|r| r.ends).or(effect.ends).unwrap_or(Ends::StartOfDay),
            zone: zone(named.or(self.profile.zone.as_deref())),
            back: false,
        };
        let Some(count) = effect.after.map(|after| reading.and_then(|r| r.length).unwrap_or(after)) else {
            return start.moment(&manner.zone).map(|time| (time, None)).ok_or_else(|| beyond("that time"));
        };
        let text = format!("{count} after");
        match end(start, count, &manner) {
            None => Err(beyond(&text)),
            Some(found) => Ok((found.at, Some(counted(text, &manner, &found, count.unit == Unit::Hour)))),
        }
    }

    /// Every other date that somebody holds or that the records give.
    fn readings_of(
        &self,
        place: Place,
        fact: &Fact,
        effect: &Effect,
        claimed: Option<Timestamp>,
        at: At,
    ) -> Vec<Other> {
        let (mut readings, as_of) = (Vec::new(), at.time);
        let number = self.number(place);
        if let Some(claimed) = claimed {
            let title = format!("{}, in the note itself", self.name(place.0));
            readings.push(Other { title, from: None, until: Some(claimed), records: vec![number], state: None });
        }
        if is_depositary_start(&effect.start) {
            let then = self.at(fact.sent);
            for party in self.addressees(place, fact).into_iter().filter(|party| is_depositary(&then, *party)) {
                let Some(seen) = self.received(place, party, as_of) else { continue };
                let until = self.takes_effect(Event::Moment(seen.time), effect, None).ok().map(|(time, _)| time);
                let title = format!("counted from the receipt of {}", self.name(party));
                let records = vec![format!("{}/{}", self.code(party), seen.index)];
                readings.push(Other { title, from: None, until, records, state: None });
            }
        }
        for (circular, said) in self.answers(place, as_of) {
            if self.revocation(circular, said, as_of).is_some() {
                continue;
            }
            for stated in effect.stated.iter().filter(|stated| *stated.kind == *said.kind) {
                let event = |field: &Option<String>| field.as_ref().and_then(|field| event_of(said.body.get(field)?));
                let (name, records) = (self.name(circular.0), vec![self.number(circular)]);
                if let Some(received) = event(&stated.received) {
                    let until = self.takes_effect(received, effect, None).ok().map(|(time, _)| time);
                    let title = format!("counted from the receipt that {name} states");
                    readings.push(Other { title, from: None, until, records: records.clone(), state: None });
                }
                if let Some(effective) = event(&stated.effective) {
                    let zone = zone(effect.zone.as_deref().or(self.profile.zone.as_deref()));
                    let title = format!("the date that {name} states");
                    readings.push(Other { title, from: None, until: effective.moment(&zone), records, state: None });
                }
            }
        }
        for reading in &effect.disputed {
            let start = reading.start.as_ref().unwrap_or(&effect.start);
            let days = reading.zone.as_deref().or(effect.zone.as_deref()).or(self.profile.zone.as_deref());
            let event = self.start(place, start, &[], days, at).ok();
            let until = event.and_then(|(event, _)| self.takes_effect(event, effect, Some(reading)).ok());
            let until = until.map(|(time, _)| time);
            readings.push(Other { title: reading.title.clone(), from: None, until, records: Vec::new(), state: None });
        }
        readings
    }

    /// What each party is over time, in the order of the treaty file. Observers are left out.
    pub fn standings(&self, as_of: Timestamp) -> Vec<PartyStanding> {
        let mut standings = Vec::new();
        for (party, changes) in self.treaty.parties().iter().zip(self.bound(as_of).0) {
            if changes.is_empty() {
                continue;
            }
            let now = changes.iter().rev().find(|change| change.from.is_none_or(|from| from <= as_of));
            let now = now.map_or(Standing::Acceding, |change| change.standing);
            let next = changes.iter().find(|change| change.from.is_some_and(|from| from > as_of));
            let mut text = format!("{}: {}", party.name, now.words());
            if let Some((from, next)) = next.and_then(|next| Some((next.from?, next.standing))) {
                text += &format!("; from {}: {}", from.display(), next.words());
            }
            standings.push(PartyStanding { party: party.code.clone(), now, text, changes });
        }
        standings
    }

    /// When the treaty bound which party, as of a time.
    pub fn bound(&self, as_of: Timestamp) -> Bound {
        self.known(as_of).1
    }

    fn bound_by(&self, known: &[Known], as_of: Timestamp) -> Bound {
        let mut of: Vec<Vec<&Known>> = vec![Vec::new(); self.treaty.parties().len()];
        for known in known {
            for party in &known.of {
                of[*party].push(known);
            }
        }
        Bound(of.iter().enumerate().map(|(party, known)| self.changes(party, known, as_of)).collect())
    }

    /// What a party is over time, by the effects of notes that are about it and by the treaty file's amendments.
    fn changes(&self, party: usize, known: &[&Known], as_of: Timestamp) -> Vec<Change> {
        let is_state = self.treaty.party(party).roles.contains(&Role::StateParty);
        let mut changes = Vec::new();
        let mut add = |from: Timestamp, standing: Option<Standing>, number: Option<String>| {
            changes.extend(standing.map(|standing| Change { from: Some(from), standing, number, amendment: None }));
        };
        for Known { place, effect, view, .. } in known {
            let number = Some(view.number.clone());
            add(view.sent, effect.meanwhile, number.clone());
            match (view.force, view.effective) {
                (Force::Revoked, _) => {
                    let revoked = self.notes.get(place).and_then(|fact| self.revocation(*place, fact, as_of));
                    // Another notice that stands is not taken back with this one; and who is out stays out.
                    let stands = |other: &&Known| {
                        let is_notice = other.effect.standing == Some(Standing::FormerParty);
                        is_notice && other.place != *place && other.view.force != Force::Revoked
                    };
                    let is_notice = effect.standing == Some(Standing::FormerParty);
                    if let Some((by, when)) = revoked
                        && is_state
                        && is_notice
                        && !known.iter().any(stands)
                    {
                        add(when, Some(Standing::StateParty), Some(self.number(by)));
                    }
                }
                (_, Some(effective)) => add(effective, effect.standing, number),
                _ => {}
            }
        }
        let accedes =
            |known: &&Known| known.effect.standing == Some(Standing::StateParty) && known.view.force != Force::Revoked;
        let change = |from, standing, amendment| Change { from, standing, number: None, amendment };
        match self.acceded(party).filter(|_| is_state) {
            None if is_state => changes.push(change(None, Standing::StateParty, None)),
            None => {}
            Some((number, issued)) => {
                changes.push(change(None, Standing::Acceding, None));
                // Where the profile says when an accession takes effect, that is when.
                if !known.iter().any(accedes) {
                    changes.push(change(Some(issued), Standing::StateParty, Some(number)));
                }
            }
        }
        for status in self.treaty.statuses().iter().filter(|status| status.party == party) {
            let standing = match status.roles.contains(&Role::StateParty) {
                true => Standing::StateParty,
                false if is_state => Standing::FormerParty,
                false => continue,
            };
            changes.push(change(Some(status.from), standing, Some(status.number)));
        }
        changes.sort_by(|a, b| (a.from, a.amendment, &a.number).cmp(&(b.from, b.amendment, &b.number)));
        // Once out, a second notice of the same changes nothing.
        let mut kept: Vec<Change> = Vec::new();
        for change in changes {
            let last = kept.last().map(|last| last.standing);
            let is_out = last == Some(Standing::FormerParty) && change.standing == Standing::NoticeGiven;
            if last != Some(change.standing) && !is_out {
                kept.push(change);
            }
        }
        kept
    }

    /// By which amendment a party acceded, and when that was written.
    fn acceded(&self, party: usize) -> Option<(usize, Timestamp)> {
        let number = (1..=self.treaty.number()).find(|number| self.treaty.parties_at(*number) > party)?;
        if self.treaty.parties_at(0) > party {
            return None;
        }
        self.treaty.amendments().nth(number - 1).map(|(_, amendment)| (number, amendment.issued))
    }

    /// If its sender was a former party when it sent a note, by these standings: what made it one, and since when.
    pub fn sent_by_former_party<'a>(&self, note: Place, standings: &'a [PartyStanding]) -> Option<&'a Change> {
        let sent = self.notes.get(&note)?.sent;
        let code = self.code(note.0);
        let standing = standings.iter().find(|standing| standing.party == code)?;
        let then = standing.changes.iter().rev().find(|change| change.from.is_none_or(|from| from <= sent))?;
        (then.standing == Standing::FormerParty).then_some(then)
    }

    /// A note's place by its number, as `US/15` or `US~1/15`.
    pub fn place(&self, number: &str) -> Option<Place> {
        let (log, index) = number.split_once('/')?;
        let (code, branch) =
            log.split_once('~').map_or(Some((log, 0)), |(code, n)| Some((code, n.parse::<u8>().ok()?)))?;
        Some(on_branch((self.treaty.find(code)?, index.parse().ok()?), u64::from(branch)))
    }
}
