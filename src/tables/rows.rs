//! The second reading: each record into the rows that it stands for, and what follows from it into others.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::gather::{BETWEEN_REPORTS, Gathered, Given};
use super::schema::Table;
use super::sink::Cell;
use super::{Files, TablesError};
use crate::audit::{Item, Reading, Scope};
use crate::law::{Bound, EffectView, Force, Query, State};
use crate::ledger::{
    Adoption, Amendment, Credential, ForkProof, KeyHistory, Keyring, NoteId, Notification, Record, RecordType, Restart,
    Timestamp, check_notification,
};
use crate::node::LogId;
use crate::tlog::{Checkpoint, Hash, leaf_hash};

/// Writes the rows.
pub(super) struct Rows<'a> {
    reading: &'a Reading<'a>,
    gathered: &'a Gathered,
    as_of: Timestamp,
    whole: bool,
    bound: Bound,
    /// Of the log that is being read: its keys, its amendments and the ids of its notes so far, and how many of its receipts
    /// were written.
    log: LogId,
    /// The branch that is being read, by its place in [`Reading::branches`]; none for the log itself.
    branch: Option<usize>,
    keys: KeyHistory,
    ids: HashMap<NoteId, u64>,
    adoption: Adoption,
    given: usize,
}

impl<'a> Rows<'a> {
    pub fn new(reading: &'a Reading<'a>, gathered: &'a Gathered, as_of: Timestamp) -> Self {
        let keys = Keyring::new(&reading.treaty).party(0).clone();
        let whole = reading.is_whole(Scope::All);
        let bound = gathered.docket.bound(as_of);
        let (ids, adoption) = (HashMap::new(), Adoption::default());
        Self { reading, gathered, as_of, whole, bound, log: 0, branch: None, keys, ids, adoption, given: 0 }
    }

    /// Everything: log by log, and then what belongs to no record.
    pub fn write(&mut self, out: &mut Files, progress: &mut dyn FnMut(u64, u64)) -> Result<(), TablesError> {
        let reading = self.reading;
        let total: u64 = reading.sizes.iter().sum();
        let mut done = 0;
        reading.each(Scope::Chosen, &mut |log, index, item| {
            done += 1;
            if done % BETWEEN_REPORTS == 0 {
                progress(done, total);
            }
            if log != self.log {
                self.begin(log);
            }
            match item {
                Item::Withheld(leaf) => self.withheld(index, &leaf, out),
                Item::Record(bytes) => match Record::parse(&bytes) {
                    Ok(record) => self.record(&record, &bytes, out),
                    Err(_) => Ok(()),
                },
            }
        })?;
        for at in 0..reading.branches.len() {
            self.other_branch(at, out)?;
        }
        // These are about all notes: of those that were asked for only, they would say too little.
        if reading.selection.is_everything() {
            for item in self.gathered.docket.yearly(self.as_of) {
                self.deadline(item, out)?;
            }
            self.standings(out)?;
        }
        Ok(())
    }

    fn begin(&mut self, log: LogId) {
        (self.log, self.given, self.adoption) = (log, 0, Adoption::default());
        self.keys = Keyring::new(&self.reading.treaty).party(log).clone();
        self.ids.clear();
    }

    /// What a log said on a branch that it left. Which keys and amendments held there follows from the records that both
    /// have, which are read once more for it, and from its own.
    fn other_branch(&mut self, at: usize, out: &mut Files) -> Result<(), TablesError> {
        let reading = self.reading;
        let branch = &reading.branches[at];
        self.begin(branch.log);
        reading.each(Scope::All, &mut |log, index, item| {
            if let Item::Record(bytes) = item
                && (log, index < branch.restart.common) == (branch.log, true)
                && let Ok(record) = Record::parse(&bytes)
            {
                self.pass(&record);
            }
            Ok::<_, TablesError>(())
        })?;
        self.branch = Some(at);
        let done = reading.each_on(branch, &mut |_, bytes| match Record::parse(&bytes) {
            Ok(record) if branch.is_held() => self.record(&record, &bytes, out),
            _ => Ok(()),
        });
        self.branch = None;
        done
    }

    /// Takes in what a record changes, without a row.
    fn pass(&mut self, record: &Record<'_>) {
        let treaty = &self.reading.treaty;
        match record.kind {
            RecordType::Credential => self.keys.apply(record, treaty),
            RecordType::Amendment => {
                let mut known = treaty.clone();
                let _ = self.adoption.take(record.index, record.time, record.payload, &mut known);
                return;
            }
            RecordType::Notification => {
                if let Ok((_, note)) = Notification::of_note(record.payload) {
                    self.ids.entry(note.id).or_insert(record.index);
                }
            }
            _ => {}
        }
        self.adoption.pass(record.index, record.time, treaty);
    }

    /// The number of the certificate by which the log left the branch that is being read.
    fn branch_number(&self) -> Cell {
        self.branch.map(|at| self.reading.branches[at].number as u64).into()
    }

    fn code(&self, party: LogId) -> &str {
        &self.reading.treaty.party(party).code
    }

    fn number(&self, index: u64) -> String {
        let code = self.code(self.log);
        match self.branch {
            None => format!("{code}/{index}"),
            Some(at) => format!("{code}~{}/{index}", self.reading.branches[at].number),
        }
    }

    fn withheld(&self, index: u64, leaf: &Hash, out: &mut Files) -> Result<(), TablesError> {
        let mut row = vec![
            self.number(index).into(),
            self.code(self.log).into(),
            index.into(),
            leaf.to_hex().into(),
            Cell::Boolean(true),
        ];
        row.resize(Table::Notifications.columns().len(), Cell::None);
        out.row(Table::Notifications, &row)
    }

    fn record(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Files) -> Result<(), TablesError> {
        self.adoption.pass(record.index, record.time, &self.reading.treaty);
        self.keys.pass(record.index, record.time);
        match record.kind {
            RecordType::Notification => {
                self.notification(record, bytes, out)?;
                let Some(place) = self.gathered.docket.place(&self.number(record.index)) else { return Ok(()) };
                let query = Query { note: Some(place), ..Query::default() };
                let items = self.gathered.docket.items_among(self.as_of, &query, &self.bound);
                items.into_iter().try_for_each(|item| self.deadline(item, out))?;
                let effects = self.gathered.docket.effects(self.as_of, Some(place));
                effects.into_iter().try_for_each(|effect| self.effect(effect, out))
            }
            RecordType::Receipt => self.receipt(record, out),
            _ => self.event(record, out),
        }
    }

    fn notification(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Files) -> Result<(), TablesError> {
        let (treaty, profile, at) = (&*self.reading.treaty, &self.reading.profile, self.adoption.last());
        let first = |id: &NoteId| Some(*self.ids.entry(*id).or_insert(record.index)).filter(|at| *at < record.index);
        let mut validity =
            check_notification(record, self.log, at, treaty, Some(profile), self.keys.officials(), first);
        let astray = self.gathered.astray.get(&(self.log, record.index)).filter(|_| self.branch.is_none());
        if let Some((_, marks)) = astray {
            validity.marks.extend(marks.iter().cloned());
        }
        let received = match self.branch {
            None => self.gathered.received(self.log, record.index),
            Some(branch) => self.gathered.received_apart(branch, record.index),
        };
        let mut have = Vec::new();
        let quorum = received.iter().find(|(_, by)| {
            have.push(*by);
            treaty.is_quorum(at, &|party| have.contains(&party))
        });
        let note = Notification::of_note(record.payload).ok().map(|(_, note)| note);
        let of = |cell: &dyn Fn(&Notification) -> Cell| note.as_ref().map_or(Cell::None, cell);
        let mut signers: Vec<&str> = validity.signers.iter().map(|signer| signer.title.as_str()).collect();
        signers.dedup();
        let marks: Vec<&str> = validity.marks.iter().map(|mark| mark.code.as_str()).collect();
        let row = [
            self.number(record.index).into(),
            self.code(self.log).into(),
            record.index.into(),
            leaf_hash(bytes).to_hex().into(),
            Cell::Boolean(false),
            of(&|note| note.id.to_string().into()),
            of(&|note| note.kind.as_str().into()),
            of(&|note| profile.title_of(&note.kind).into()),
            of(&|note| note.issued.into()),
            record.time.into(),
            of(&|note| Cell::Json(json!(note.to))),
            of(&|note| {
                Cell::Json(note.re.iter().map(|re| json!(format!("{}/{}", re.log, re.index))).collect::<Value>())
            }),
            Cell::Json(json!(signers)),
            Cell::Json(json!(marks)),
            of(&|note| (note.attachments.len() as u64).into()),
            of(&|note| Cell::Json(Value::Object(note.body.clone()))),
            (bytes.len() as u64).into(),
            (received.len() as u64).into(),
            quorum.map(|(time, _)| *time).into(),
            self.branch_number(),
        ];
        out.row(Table::Notifications, &row)
    }

    fn receipt(&mut self, record: &Record<'_>, out: &mut Files) -> Result<(), TablesError> {
        let head = crate::note::SignedNote::parse(record.payload).ok();
        let head = head.and_then(|note| Checkpoint::parse(note.text()).ok());
        let Some((given, head)) = self.given(record).zip(head) else {
            let text = "It is said to be a receipt, and is none that counts.";
            return self.happened(record, "void", self.log, text.to_owned(), out);
        };
        let of_branch = given.branch.and_then(|at| self.reading.branches.get(at as usize));
        let row = [
            self.number(record.index).into(),
            self.code(self.log).into(),
            record.index.into(),
            self.code(given.log as LogId).into(),
            given.size.into(),
            head.root.to_hex().into(),
            given.time.into(),
            record.time.into(),
            self.branch_number(),
            of_branch.map(|branch| branch.number as u64).into(),
        ];
        out.row(Table::Receipts, &row)
    }

    /// The receipt that a record holds, if it counts.
    fn given(&mut self, record: &Record<'_>) -> Option<Given> {
        if self.branch.is_some() {
            return Gathered::receipt(self.reading, self.log, record);
        }
        let given = &self.gathered.receipts[self.log];
        while given.get(self.given).is_some_and(|given| given.index < record.index) {
            self.given += 1;
        }
        given.get(self.given).filter(|given| given.index == record.index).copied()
    }

    fn event(&mut self, record: &Record<'_>, out: &mut Files) -> Result<(), TablesError> {
        let (treaty, log) = (&self.reading.treaty, self.log);
        let party = treaty.party(log);
        let (event, of, text) = match record.kind {
            RecordType::Credential => {
                let read = Credential::verify(record.payload, party, record.log, &treaty.hash());
                self.keys.apply(record, treaty);
                let (event, text) = match Restart::of_record(record, log, treaty) {
                    Some(restart) => ("restart", restarted(&restart)),
                    None => credential(read.ok()),
                };
                (event, log, text)
            }
            RecordType::Amendment => {
                let mut known = treaty.clone();
                let held = self.adoption.take(record.index, record.time, record.payload, &mut known);
                match Amendment::of_note(record.payload).ok().filter(|_| held) {
                    Some((_, amendment)) => {
                        let text = format!("From here on amendment {} holds in this log.", amendment.number);
                        ("amendment", log, text)
                    }
                    None => ("void", log, "It is said to be an amendment, and none holds from here on.".to_owned()),
                }
            }
            RecordType::Evidence => match ForkProof::parse(record.payload, treaty) {
                Ok(proof) => {
                    let (smaller, larger) = proof.sizes();
                    let text = format!("Its log has signed contradictory heads of {smaller} and of {larger} records.");
                    ("fork", proof.log(), text)
                }
                Err(_) => ("void", log, "It is said to prove a fork, and does not.".to_owned()),
            },
            other => (other.as_str(), log, format!("A record of the type `{}`.", other.as_str())),
        };
        self.happened(record, event, of, text, out)
    }

    fn happened(
        &self,
        record: &Record<'_>,
        event: &str,
        party: LogId,
        text: String,
        out: &mut Files,
    ) -> Result<(), TablesError> {
        let number = self.number(record.index);
        let row = [
            record.time.into(),
            event.into(),
            self.code(party).into(),
            number.into(),
            Cell::None,
            Cell::None,
            Cell::None,
            text.into(),
            self.branch_number(),
        ];
        out.row(Table::Events, &row)
    }

    fn effect(&self, effect: EffectView, out: &mut Files) -> Result<(), TablesError> {
        let state = match effect.force {
            Force::Waiting => "waiting",
            Force::NoTime => "no-time",
            Force::Pending => "pending",
            Force::InEffect => "in-effect",
            Force::Revoked => "revoked",
        };
        for party in &effect.party {
            let row = [
                effect.effective.or(effect.computed).into(),
                "effect".into(),
                party.as_str().into(),
                effect.number.as_str().into(),
                state.into(),
                effect.rule.as_str().into(),
                effect.article.as_str().into(),
                format!("{}: {}", effect.title, effect.text).into(),
                Cell::None,
            ];
            out.row(Table::Events, &row)?;
        }
        Ok(())
    }

    fn standings(&self, out: &mut Files) -> Result<(), TablesError> {
        for of in self.gathered.docket.standings(self.as_of) {
            // What a party was from the beginning did not happen here.
            for change in of.changes.iter().filter(|change| change.from.is_some()) {
                let words = change.standing.words();
                let row = [
                    change.from.into(),
                    "standing".into(),
                    of.party.as_str().into(),
                    change.number.as_deref().into(),
                    words.into(),
                    Cell::None,
                    Cell::None,
                    format!("From here on it is: {words}.").into(),
                    Cell::None,
                ];
                out.row(Table::Events, &row)?;
            }
        }
        Ok(())
    }

    fn deadline(&self, item: crate::law::Item, out: &mut Files) -> Result<(), TablesError> {
        let by = match item.state {
            State::Early { by_s } | State::Late { by_s } | State::Missed { by_s } => Some(by_s),
            _ => None,
        };
        let state = item.state.name();
        let full = |text: String| (!text.is_empty()).then_some(text);
        let steps: Vec<_> = item.steps.into_iter().map(|step| step.text).collect();
        let (answer, answered) = item.act.map(|act| (act.number, act.time)).unzip();
        let row = [
            full(item.number).into(),
            full(item.kind).into(),
            item.about.into(),
            full(item.sender).into(),
            item.sent.into(),
            item.rule.into(),
            item.title.into(),
            item.article.into(),
            Cell::Json(json!(item.owed_by)),
            Cell::Json(json!(item.owed_to)),
            state.into(),
            by.into(),
            item.from.into(),
            item.until.into(),
            answer.into(),
            answered.into(),
            item.text.into(),
            Cell::Json(json!(steps)),
            Cell::Json(json!(item.readings)),
            item.unconfirmed.into(),
            Cell::Boolean(self.whole),
            self.as_of.into(),
        ];
        out.row(Table::Deadlines, &row)
    }
}

fn credential(read: Option<Credential>) -> (&'static str, String) {
    match read {
        Some(Credential::Grant(grant)) => (
            "grant",
            format!("The root granted {} ({}) a key for: {}.", grant.title, grant.key.name(), grant.kinds.join(", ")),
        ),
        Some(Credential::Revoke(revocation)) => {
            ("revocation", format!("The root revoked the key {}.{}", revocation.key.name(), why(revocation.reason)))
        }
        Some(Credential::Rotate(rotation)) => {
            let lost = if rotation.lost { " The old key is lost, or somebody else may have it." } else { "" };
            let job = rotation.key.job().as_str();
            ("rotation", format!("The root put another {job} key in force.{lost}{}", why(rotation.reason)))
        }
        None => ("void", "It is said to be about a key, and is nothing that this version knows as such.".to_owned()),
    }
}

fn restarted(restart: &Restart) -> String {
    let (kept, other) = (restart.kept_head().size, restart.other_head().size);
    format!(
        "The root accepted both branches of its log: it goes on from the head of {kept} records, and what stands below the \
         other head of {other} records is its own as well."
    )
}

fn why(reason: Option<String>) -> String {
    reason.map(|reason| format!(" {reason}")).unwrap_or_default()
}
