//! The deadline rule behind a proof of silence: which one applies, what it gives, and whether its time had run when the
//! party's log was last seen. Computed from what the evidence holds, and from nothing else.

use std::sync::Arc;

use super::calendar::length;
use super::docket::{Docket, Seen};
use super::due::Query;
use super::registrar::Filing;
use super::view::{Item, State};
use crate::ledger::profile::{Due, Profile};
use crate::ledger::{Evidence, Record, Silence, Timestamp, Treaty, Verdict};

/// What the profile says of an answer that a proof of silence is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SilenceRules {
    /// The time as of which the file shows the party's log: as a quorum saw it.
    pub as_of: Option<Timestamp>,
    /// The rules by which the party owed an answer, as they stand as of then: the one that the file names, or all.
    pub items: Vec<Item>,
    /// The same in plain sentences.
    pub sentences: Vec<String>,
    /// What does not follow, in sentences.
    pub not_proven: Vec<String>,
}

/// Applies the profile to verified evidence; `verdict` is that on these `bytes`. `None` if it is no proof of silence.
pub fn silence_rules(bytes: &[u8], verdict: &Verdict, treaty: &Treaty, profile: &Profile) -> Option<SilenceRules> {
    let silence = verdict.silence.as_ref()?;
    let evidence = Evidence::parse(bytes, &treaty.hash()).ok()?;
    let treaty = evidence.treaty(treaty, Some(profile)).ok()?;
    let (log, party) = (treaty.find(&verdict.party)?, treaty.find(&silence.party)?);
    let mut docket = Docket::new(treaty.clone(), Arc::new(profile.clone()));
    take(&mut docket, log, &evidence.record.record);
    for text in evidence.silence.iter().flat_map(|part| &part.records) {
        take(&mut docket, party, text);
    }
    let covers = verdict.index + 1;
    docket.known_to(log, covers);
    // The party's own receipt may stand among its records as well as on a head: the earlier one counts.
    let others = verdict.receipts.iter().filter(|receipt| receipt.party != silence.party);
    let receipts: Vec<_> = others
        .filter_map(|receipt| Some((treaty.find(&receipt.party)?, receipt.time)))
        .chain(silence.received.map(|time| (party, time)))
        .collect();
    for (by, time) in &receipts {
        docket.apply_receipt(log, *by, Seen { size: covers, index: u64::MAX, time: *time });
    }
    let as_of = silence.as_of;
    // What the file holds is known, also where a clock was ahead of those of the others.
    let known = receipts.iter().map(|(_, time)| *time).chain(as_of).chain(docket.last_sent()).max();
    let query = Query { note: Some((log, verdict.index)), ..Query::default() };
    let mut items = docket.items(known.unwrap_or(verdict.logged), &query);
    items.retain(|item| {
        item.owed_by.contains(&silence.party) && silence.due.as_ref().is_none_or(|due| *due == item.rule)
    });
    for step in items.iter_mut().flat_map(|item| &mut item.steps) {
        // In which record a receipt stands is not known here.
        step.records.retain(|record| docket.place(record).is_some_and(|(_, index)| index != u64::MAX));
    }
    let mut rules = SilenceRules { as_of, items, ..SilenceRules::default() };
    rules.tell(silence, &docket);
    Some(rules)
}

fn take(docket: &mut Docket, log: usize, text: &str) {
    if let Ok(record) = Record::parse(text.as_bytes()) {
        docket.enter(Filing::vouched(log, record.index, text.as_bytes()));
    }
}

impl SilenceRules {
    fn tell(&mut self, silence: &Silence, docket: &Docket) {
        let name = |code: &str| docket.treaty().find(code).map_or(code, |at| docket.name(at)).to_owned();
        let party = name(&silence.party);
        if self.items.is_empty() {
            self.sentences.push(match &silence.due {
                Some(due) => format!("The profile has no rule `{due}` by which {party} owed an answer to this note."),
                None => format!("The profile has no rule by which {party} owed an answer to this note."),
            });
            return;
        }
        for item in &self.items {
            let kind = docket.profile().kind.get(&item.kind);
            let due = kind.and_then(|kind| kind.due.iter().find(|due| due.id == item.rule));
            let by_receipt = due.and_then(|due| due.act.as_ref()).is_some_and(|act| !act.is_its_own());
            let limited = due.is_some_and(Due::has_limit);
            told(item, &party, self.as_of, (silence.is_silent(), by_receipt, limited), &name, &mut self.sentences);
        }
        self.not_proven = vec![
            "That nothing in other logs, or later, moved the deadline or ended what was due: it is counted from what this \
             file holds."
                .to_owned(),
        ];
    }
}

fn told(
    item: &Item,
    party: &str,
    as_of: Option<Timestamp>,
    (silent, by_receipt, limited): (bool, bool, bool),
    name: &dyn Fn(&str) -> String,
    out: &mut Vec<String>,
) {
    let article = if item.article.is_empty() { String::new() } else { format!(", {}", item.article) };
    if item.state == State::NotApplicable && item.steps.is_empty() {
        out.push(format!(
            "The rule `{}`{article} (“{}”) asks nothing of {party} here. {}",
            item.rule, item.title, item.text
        ));
        return;
    }
    out.push(format!("By the treaty's profile {party} owed: {} (rule `{}`{article}).", item.title, item.rule));
    if item.owed_by.len() > 1 {
        let all: Vec<_> = item.owed_by.iter().map(|code| name(code)).collect();
        let all = all.join(" or ");
        out.push(format!("It was enough if one of these did it: {all}. This file shows the log of {party} alone."));
    }
    out.extend(item.steps.iter().map(|step| step.text.clone()));
    if let Some(from) = item.from {
        out.push(format!("Not before {}, as computed.", from.display()));
    }
    match (item.until, as_of) {
        (None, _) if item.state == State::Waiting => {
            out.push("By what this file holds, its time had not begun: what starts it is not here.".into());
        }
        (None, _) if matches!(item.state, State::NoTime { .. }) => out.push(item.text.clone()),
        (None, _) if limited => out.push("No deadline follows from what this file holds.".into()),
        (None, _) => out.push("The rule sets no last time.".into()),
        (Some(until), None) => {
            out.push(format!("Deadline: {}, as computed. No quorum says when the log was seen.", until.display()));
        }
        (Some(until), Some(as_of)) if as_of <= until => {
            let left = length(until.posix() - as_of.posix());
            out.push(format!(
                "Deadline: {}, as computed. This file shows the log as of {}, {left} before it: the time had not run.",
                until.display(),
                as_of.display()
            ));
        }
        (Some(until), Some(as_of)) => {
            let after = length(as_of.posix() - until.posix());
            let (until, as_of) = (until.display(), as_of.display());
            let still = if silent { ": no answer was in it" } else { "" };
            out.push(format!(
                "Deadline: {until}, as computed. This file shows the log as of {as_of}, {after} after it{still}."
            ));
        }
    }
    let has_run = item.until.zip(as_of).is_some_and(|(until, as_of)| until < as_of);
    match (item.state, &item.act) {
        // Said above.
        (State::NoTime { .. }, _) if item.until.is_none() => {}
        (_, Some(_)) | (State::NotApplicable, _) => out.push(item.text.clone()),
        (State::Deemed { deemed }, _) if silent && has_run => {
            out.push(format!("By the profile, silence until then is deemed {}.", deemed.as_str()));
        }
        _ if !silent && by_receipt => out.push(
            "Whether an answer was in time depends on when it was received, which this file does not show.".into(),
        ),
        _ if !silent => out.push("No answer in this file is one that this rule asks for.".into()),
        _ => {}
    }
    if silent && has_run && item.state != State::NotApplicable && !item.then.is_empty() {
        out.push(format!("When the time has run, by the profile: {}", item.then));
    }
    for other in &item.readings {
        if let Some(until) = other.until.filter(|until| Some(*until) != item.until) {
            out.push(format!("Another reading, {}: {}.", other.title, until.display()));
        }
    }
    if let Some(what) = &item.unconfirmed {
        out.push(format!("Not checked against the treaty's text: {what}"));
    }
}
