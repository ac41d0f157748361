//! A monitor: it watches published logs and says when something is not as it should be. It holds nobody's key.
//!
//! What it looks at is a mirror's verified copy, so that nobody's word is taken for it: only a log's own signature can
//! raise `fork`, and only verified receipts keep `no-quorum` away.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alarm::Alarm;
use super::mirror::{Finding, Mirror, Round};
use crate::audit::{GrowError, Position};
use crate::law::{Docket, Query, Registrar, State};
use crate::ledger::{Profile, Receipt, Record, Timestamp, Treaty};
use crate::node::final_size;

/// Most records of a log that are remembered as waiting for receipts. Past it every second is forgotten, and the alarm
/// for it comes with the next one.
const MAX_WAITING: usize = 100_000;
/// By so many seconds a party's clock may be ahead of the monitor's. What is dated later says nothing about when it was.
const MAX_AHEAD: u64 = 3600;

/// What a monitor is to look for. Times are in seconds.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Alarm if a log has shown nothing new for so long.
    pub stale_after: Option<u64>,
    /// Alarm if a record that wants receipts has waited so long for a quorum of them.
    pub quorum_after: Option<u64>,
    /// Parties whose receipts are asked for one by one, after the same time.
    pub receipts_from: Vec<usize>,
    /// Alarm if something that the treaty's profile asks for was not done in time.
    pub deadlines: bool,
    /// Rounds for which a place may be unreachable before it is an alarm.
    pub unreachable_rounds: u32,
}

/// The monitor's view of all logs.
pub struct Monitor {
    rules: Rules,
    /// What the treaty asks of whom by when.
    docket: Docket,
    registrar: Registrar,
    logs: Vec<Watched>,
    /// By place: in how many rounds running it could not be read, and why.
    unreachable: BTreeMap<String, (u32, String)>,
}

#[derive(Clone)]
struct Watched {
    position: Position,
    /// By party: size of the largest head that it has receipted.
    receipted: Vec<u64>,
    /// Records that want receipts and are not final: when they were logged, by the log's own clock.
    waiting: BTreeMap<u64, Timestamp>,
    /// The last sign of life: a record of the log, or a receipt for it.
    last: Option<Timestamp>,
    /// The latest time in its records.
    dated: Option<Timestamp>,
    /// When a place last showed a head of it, by the monitor's clock.
    shown: Option<Timestamp>,
}

/// A time that somebody states, as far as it can be: one that is to come is no sign of life.
fn believed(stated: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (stated.posix() <= now.posix().saturating_add(MAX_AHEAD)).then(|| stated.min(now))
}

impl Watched {
    fn new(parties: usize) -> Self {
        Self {
            position: Position::default(),
            receipted: vec![0; parties],
            waiting: BTreeMap::new(),
            last: None,
            dated: None,
            shown: None,
        }
    }

    /// A record that wants receipts waits for them.
    fn wait(&mut self, index: u64, logged: Timestamp) {
        if self.waiting.len() >= MAX_WAITING {
            let mut odd = false;
            self.waiting.retain(|_, _| {
                odd = !odd;
                odd
            });
        }
        self.waiting.insert(index, logged);
    }
}

/// A log, for figures.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Figures {
    /// Code of the party.
    pub party: String,
    /// Verified records.
    pub records: u64,
    /// Records that a quorum has receipted.
    pub final_records: u64,
    /// When the log last showed something new.
    pub last: Option<Timestamp>,
    /// Whether it forked.
    pub forked: bool,
}

impl Monitor {
    /// Begins with everything that the mirror has. The profile is that of the treaty file.
    pub fn new(rules: Rules, treaty: &Treaty, profile: Profile) -> Self {
        let parties = treaty.parties().len();
        let watched = Watched::new(parties);
        let (treaty, profile) = (Arc::new(treaty.clone()), Arc::new(profile));
        let docket = Docket::new(treaty.clone(), profile.clone());
        let registrar = Registrar::new(treaty, profile);
        Self { rules, docket, registrar, logs: vec![watched; parties], unreachable: BTreeMap::new() }
    }

    /// Takes in what a round has brought, and says what is not as it should be at the time `now`.
    pub fn look(&mut self, mirror: &Mirror, round: &Round, now: Timestamp) -> Result<Vec<Alarm>, GrowError> {
        let ledger = mirror.ledger();
        let treaty = ledger.treaty();
        self.amend(treaty);
        let keys = ledger.keys().clone();
        for log in 0..self.logs.len() {
            let mut new = Vec::new();
            let mut position = self.logs[log].position;
            let (docket, registrar) = (&mut self.docket, &mut self.registrar);
            ledger.since(log, &mut position, |index, bytes| {
                registrar.apply(docket, log, index, bytes);
                if let Ok(record) = Record::parse(bytes) {
                    let receipt = Receipt::verify_or_open(record.payload, log, index, &keys).ok();
                    new.push((index, record.time, record.kind.wants_receipt(), receipt));
                }
            })?;
            self.logs[log].position = position;
            for (index, time, wants, receipt) in new {
                let of = &mut self.logs[log];
                let told = believed(time, now);
                if wants {
                    // Dated to come, it waits at least since what was logged before it.
                    of.wait(index, told.or(of.last).unwrap_or(now));
                }
                (of.last, of.dated) = (of.last.max(told), of.dated.max(told));
                if let Some(receipt) = receipt {
                    let size = receipt.checkpoint.size;
                    // A receipt for another branch is no receipt for this one.
                    if size > ledger.size(receipt.log)
                        || ledger.root_at(receipt.log, size)? == Some(receipt.checkpoint.root)
                    {
                        self.receipt(receipt.log, log, size, believed(receipt.time, now));
                    }
                }
            }
        }
        for seen in &round.seen {
            let Some(log) = treaty.find(&seen.party) else { continue };
            self.logs[log].shown = Some(now);
            for receipt in &seen.receipts {
                if let Some(by) = treaty.find(&receipt.by) {
                    self.receipt(log, by, receipt.size, believed(receipt.time, now));
                }
            }
        }
        let mut alarms = self.of_places(round);
        for log in 0..self.logs.len() {
            self.of_log(log, mirror, now, &mut alarms);
        }
        if self.rules.deadlines {
            self.deadlines(now, &mut alarms);
        }
        Ok(alarms)
    }

    /// The treaty may have been amended: there may be further parties.
    fn amend(&mut self, treaty: &Treaty) {
        if self.docket.treaty().number() == treaty.number() {
            return;
        }
        let amended = Arc::new(treaty.clone());
        self.registrar.amend(amended.clone());
        self.docket.amend(amended);
        let parties = treaty.parties().len();
        self.logs.iter_mut().for_each(|log| log.receipted.resize(parties, 0));
        self.logs.resize(parties, Watched::new(parties));
    }

    /// What was due and is not in the logs, as far as they are published.
    fn deadlines(&self, now: Timestamp, alarms: &mut Vec<Alarm>) {
        let query = Query { outstanding: true, ..Query::default() };
        for item in self.docket.items(now, &query) {
            // What has not been read cannot be said to be missing.
            if !matches!(item.state, State::Missed { .. }) || !self.known(&item.owed_by, item.until.unwrap_or(now)) {
                continue;
            }
            let owed_by = item.owed_by.join(" or ");
            let about = if item.number.is_empty() { item.about.clone() } else { item.number.clone() };
            let until = item.until.map_or(String::new(), |until| format!(", due by {}", until.display()));
            alarms.push(Alarm {
                kind: "deadline".into(),
                party: (item.owed_by.len() == 1).then(|| owed_by.clone()),
                key: format!("deadline {about} {} {owed_by}", item.rule),
                text: format!(
                    "{} from {owed_by} ({about}){until}: as far as the published logs show, {}.",
                    item.title,
                    item.state.words()
                ),
            });
        }
    }

    fn receipt(&mut self, log: usize, by: usize, size: u64, told: Option<Timestamp>) {
        let of = &mut self.logs[log];
        of.receipted[by] = of.receipted[by].max(size);
        of.last = of.last.max(told);
    }

    /// Whether the log of each of these parties was seen late enough to say what is not in it.
    fn known(&self, codes: &[String], until: Timestamp) -> bool {
        let is_known = |code: &String| {
            let of = self.docket.treaty().find(code).and_then(|log| self.logs.get(log));
            of.is_some_and(|of| of.shown.max(of.dated) >= Some(until))
        };
        codes.iter().all(is_known)
    }

    /// What the places showed in this round.
    fn of_places(&mut self, round: &Round) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let mut away = BTreeMap::new();
        for finding in &round.findings {
            match finding {
                Finding::Unreachable { place, why } => {
                    let rounds = self.unreachable.get(place).map_or(0, |(rounds, _)| *rounds) + 1;
                    away.insert(place.clone(), (rounds, why.clone()));
                }
                Finding::Rollback { party, place, file, before, now } => alarms.push(Alarm {
                    kind: "rollback".into(),
                    party: Some(party.clone()),
                    key: format!("rollback {place} {party} {file}"),
                    text: match now {
                        Some(now) => {
                            format!(
                                "{place} shows an older {file} of {party} than before: {now} records, after {before}."
                            )
                        }
                        None => format!("{place} shows no {file} of {party} any more: it had shown {before} records."),
                    },
                }),
                Finding::Nothing { place } => alarms.push(Alarm {
                    kind: "nothing".into(),
                    party: None,
                    key: format!("nothing {place}"),
                    text: format!("{place} shows nothing of this ledger. Is the address right?"),
                }),
                Finding::Refused { party, place, why } => alarms.push(Alarm {
                    kind: "refused".into(),
                    party: Some(party.clone()),
                    key: format!("refused {place} {party}"),
                    text: format!("What {place} shows of {party} does not hold: {why}."),
                }),
                // Told from what is kept, so that it is told for ever.
                Finding::Fork { .. } => {}
            }
        }
        self.unreachable = away;
        for (place, (rounds, why)) in &self.unreachable {
            if *rounds >= self.rules.unreachable_rounds {
                alarms.push(Alarm {
                    kind: "unreachable".into(),
                    party: None,
                    key: format!("unreachable {place}"),
                    text: format!("{place} cannot be read: {why}."),
                });
            }
        }
        alarms
    }

    fn of_log(&mut self, log: usize, mirror: &Mirror, now: Timestamp, alarms: &mut Vec<Alarm>) {
        let (ledger, treaty) = (mirror.ledger(), mirror.ledger().treaty());
        let (code, name) = (&treaty.party(log).code, &treaty.party(log).name);
        let mut raise = |kind: &str, more: &str, text: String| {
            let key = format!("{kind} {code}{more}");
            alarms.push(Alarm { kind: kind.into(), party: Some(code.clone()), key, text });
        };
        if ledger.is_forked(log) {
            raise("fork", "", format!("The log of {name} has forked: it signed two heads that contradict each other."));
        }
        let age = |time: Timestamp| now.posix().saturating_sub(time.posix());
        let of = &mut self.logs[log];
        let never_read = of.shown.is_none() && ledger.size(log) == 0;
        match (self.rules.stale_after, of.last) {
            (Some(limit), Some(last)) if age(last) >= limit => {
                let text = format!("The log of {name} has shown nothing new since {}.", last.display());
                raise("stale", "", text);
            }
            (Some(_), _) if never_read => {
                raise("stale", "", format!("No place has shown anything of the log of {name}."));
            }
            _ => {}
        }
        let last = final_size(treaty, ledger.adoption(log), &of.receipted);
        // What every party that is asked for has receipted is no longer waited for.
        let done =
            self.rules.receipts_from.iter().filter(|by| **by != log).map(|by| of.receipted[*by]).fold(last, u64::min);
        of.waiting = of.waiting.split_off(&done);
        let Some(limit) = self.rules.quorum_after else { return };
        let mut overdue = |from: u64, kind: &str, more: &str, whose: &str| {
            let waits = of.waiting.range(from..).find(|(_, logged)| age(**logged) >= limit);
            if let Some((index, logged)) = waits {
                let text = format!(
                    "Record {index} of the log of {name}, logged at {}, has no receipt {whose}.",
                    logged.display()
                );
                raise(kind, more, text);
            }
        };
        overdue(last, "no-quorum", "", "by a quorum of the parties");
        for by in self.rules.receipts_from.iter().filter(|by| **by != log) {
            let party = treaty.party(*by);
            overdue(of.receipted[*by], "no-receipt", &format!(" {}", party.code), &format!("by {}", party.name));
        }
    }

    /// The logs in figures.
    pub fn figures(&self, mirror: &Mirror) -> Vec<Figures> {
        let (ledger, treaty) = (mirror.ledger(), mirror.ledger().treaty());
        let of = |(log, watched): (usize, &Watched)| Figures {
            party: treaty.party(log).code.clone(),
            records: ledger.size(log),
            final_records: final_size(treaty, ledger.adoption(log), &watched.receipted).min(ledger.size(log)),
            last: watched.last,
            forked: ledger.is_forked(log),
        };
        self.logs.iter().enumerate().map(of).collect()
    }
}
