//! Amendments in the node: found in any log, they change the treaty at once, without a restart; and each becomes a
//! record of this party's own log, so that it holds there too.

use std::sync::Arc;

use super::engine::{Engine, Event};
use super::own::{Accepted, Refusal};
use super::prove::Gather;
use super::replica::Replica;
use super::storage::{LogId, Read, ReadError};
use crate::ledger::{
    Adoption, Amendment, AmendmentError, AmendmentPart, Evidence, Record, RecordType, Timestamp, Treaty,
};
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, leaf_hash};

/// How far the date of an amendment that is handed in may be ahead of the clock, in seconds.
const MAX_AHEAD_S: u64 = 86_400;
/// Records read at a time in search of a date.
const PAGE_RECORDS: u64 = 256;
const PAGE_BYTES: usize = 1 << 20;

/// What stored logs say of amendments: the treaty grows by those that are found, and each log has its places.
pub fn load(treaty: &mut Arc<Treaty>, read: &dyn Read) -> Result<Vec<Adoption>, ReadError> {
    let mut adoptions = Vec::new();
    // Newcomers' logs are numbered after those that made them parties.
    while adoptions.len() < treaty.parties().len() {
        adoptions.push(adoption(adoptions.len(), treaty, read)?);
    }
    Ok(adoptions)
}

/// Which amendments hold in a stored log, by place.
pub fn adoption(log: LogId, treaty: &mut Arc<Treaty>, read: &dyn Read) -> Result<Adoption, ReadError> {
    let (mut adoption, mut from, size) = (Adoption::default(), 0, read.size(log)?);
    for index in read.amendments(log)? {
        pass(&mut adoption, (log, from, index), treaty, read)?;
        from = index + 1;
        if let Some(bytes) = read.record(log, index)?
            && let Ok(record) = Record::parse(&bytes)
        {
            adoption.take(index, record.time, record.payload, treaty);
        }
    }
    pass(&mut adoption, (log, from, size), treaty, read)?;
    Ok(adoption)
}

/// Looks for dates that have come, among the records from one up to another. Only where a date is waited for is anything
/// read.
fn pass(
    adoption: &mut Adoption,
    (log, mut from, to): (LogId, u64, u64),
    treaty: &Treaty,
    read: &dyn Read,
) -> Result<(), ReadError> {
    while from < to && adoption.waits(treaty) {
        let page = read.records(log, from, PAGE_RECORDS.min(to - from), PAGE_BYTES)?;
        if page.is_empty() {
            return Err(ReadError(format!("record {from} of the log {} is missing", treaty.origin(log))));
        }
        for bytes in page {
            if let Ok(record) = Record::parse(&bytes) {
                adoption.pass(from, record.time, treaty);
            }
            from += 1;
        }
    }
    Ok(())
}

impl Gather<'_> {
    /// The amendments that a file of evidence needs: those that the log had taken up until its checkpoint, what shows
    /// which dates had come, and further ones by which somebody in the file is a party or the sender no longer is.
    pub(super) fn amendments(&self, evidence: &Evidence, size: u64) -> Result<AmendmentPart, ReadError> {
        let mut part = AmendmentPart::default();
        if self.treaty.number() == 0 {
            return Ok(part);
        }
        let (mut follows, mut treaty) = (Adoption::default(), Arc::new(self.treaty.with_first(0)));
        let note = self.read.record(self.log, self.index)?;
        let time = note.and_then(|bytes| Record::parse(&bytes).ok().map(|record| record.time)).unwrap_or_default();
        let mut passed = false;
        for at in self.read.amendments(self.log)?.into_iter().filter(|at| *at < size) {
            let Some(bytes) = self.read.record(self.log, at)? else { continue };
            let Ok(record) = Record::parse(&bytes) else { continue };
            if at > self.index && !std::mem::replace(&mut passed, true) {
                follows.pass(self.index, time, &treaty);
            }
            if follows.take(at, record.time, record.payload, &mut treaty) {
                part.logged.push(self.included(self.log, at, size)?);
            }
        }
        if !passed {
            follows.pass(self.index, time, &treaty);
        }
        // Dates that had come with a record that is not in the file by itself.
        if let Some(at) = self.adoption.last_change(size)
            && follows.last() != self.adoption.of_size(size)
            && follows.last_change(size) != Some(at)
        {
            part.clock = Some(self.included(self.log, at, size)?);
        }
        let mut needed = treaty.number();
        for status in self.treaty.statuses().iter().filter(|status| status.party == self.log) {
            needed = needed.max(status.number);
        }
        let (all, parties) = (self.treaty.number(), self.treaty.parties().len());
        for number in needed + 1..=all {
            let acceded = self.treaty.parties_at(number - 1)..self.treaty.parties_at(number).min(parties);
            if acceded.into_iter().any(|party| evidence_names(evidence, self.treaty, party)) {
                needed = number;
            }
        }
        let later = self.treaty.amendments().take(needed).skip(treaty.number());
        part.known = later.map(|(note, _)| String::from_utf8_lossy(note).into_owned()).collect();
        Ok(part)
    }
}

/// Whether a party has a part in a file: it gave a receipt, or records of its log are there.
fn evidence_names(evidence: &Evidence, treaty: &Treaty, party: LogId) -> bool {
    let signed =
        |note: &SignedNote| note.signatures().iter().any(|line| line.name == treaty.party(party).witness.name());
    let of_its_log = |record: &str| Record::parse(record.as_bytes()).is_ok_and(|r| r.log == treaty.origin(party));
    let silence = evidence.silence.as_ref();
    signed(&evidence.checkpoint)
        || evidence.heads.iter().any(|head| signed(&head.checkpoint))
        || evidence.anchors.iter().any(|anchor| of_its_log(&anchor.record.record))
        || silence.is_some_and(|part| part.party == treaty.party(party).code || signed(&part.head))
        || of_its_log(&evidence.record.record)
}

impl Engine {
    /// The treaty with all amendments that are known.
    pub fn treaty(&self) -> &Arc<Treaty> {
        &self.config.treaty
    }

    /// Whether a party is a former one, by this node's clock and all amendments that are known.
    pub fn is_former(&self, party: LogId) -> bool {
        let treaty = &self.config.treaty;
        treaty.former(treaty.number(), party, self.now()).is_some()
    }

    /// Which amendments hold in a log, by place.
    pub fn adoption(&self, log: LogId) -> &Adoption {
        &self.logs[log].adoption
    }

    /// Dates in amendments come for a log as its records do.
    pub(super) fn pass_times(&mut self, log: LogId, from: u64, times: &[Timestamp]) {
        let adoption = &mut self.logs[log].adoption;
        if adoption.waits(&self.config.treaty) {
            (from..).zip(times).for_each(|(index, time)| adoption.pass(index, *time, &self.config.treaty));
        }
    }

    /// Takes in an amendment record of a log. What is none, or not the next one, stays there and counts for nothing.
    pub(super) fn take_amendment(&mut self, log: LogId, record: &Record<'_>, read: &dyn Read) -> Result<(), ReadError> {
        let before = self.config.treaty.clone();
        self.logs[log].adoption.take(record.index, record.time, record.payload, &mut self.config.treaty);
        self.amended(&before, read)
    }

    /// The treaty may have grown: its new parties have logs.
    fn amended(&mut self, before: &Treaty, read: &dyn Read) -> Result<(), ReadError> {
        let treaty = self.config.treaty.clone();
        self.keys.amend(&treaty);
        for log in self.logs.len()..treaty.parties().len() {
            self.logs.push(Replica::load(log, &treaty, &self.keys, read)?);
        }
        for replica in &mut self.logs {
            replica.receipted.resize(treaty.parties().len(), 0);
            replica.stated.resize(treaty.parties().len(), 0);
        }
        if treaty.number() > before.number() {
            self.event(Event::Amended(treaty.number()));
            // Whoever is connected may hold the newcomers' logs.
            self.connected.values_mut().for_each(|peer| peer.ask_heads = true);
        }
        if let Some((number, _)) = treaty.contested()
            && before.contested().is_none()
        {
            self.event(Event::Contested(number));
        }
        Ok(())
    }

    /// Whether a head is of a log in this ledger whose party this node does not know yet: it will, when it has caught up
    /// with the amendment by which that party acceded.
    pub(super) fn is_of_a_newcomer(&self, bytes: &[u8]) -> bool {
        let treaty = &self.config.treaty;
        let stated = SignedNote::parse(bytes).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        stated.is_some_and(|stated| {
            let code = stated.origin.strip_prefix(treaty.file().name.as_str()).and_then(|rest| rest.strip_prefix('/'));
            treaty.amendment_rule().is_some()
                && treaty.log_of_origin(&stated.origin).is_none()
                && code.is_some_and(crate::ledger::is_party_code)
        })
    }

    /// Makes the amendments that are known records of this party's own log.
    pub(super) fn log_amendments(&mut self) {
        let me = self.config.me;
        if self.logs[me].adoption.contested().is_some() {
            return;
        }
        loop {
            let next = self.logs[me].adoption.last().number;
            let Some(note) = self.config.treaty.amendments().nth(next).map(|(note, _)| note.to_vec()) else { break };
            if !self.log_amendment(&note) {
                break;
            }
        }
        if let Some((_, note)) = self.config.treaty.clone().contested() {
            self.log_amendment(note);
        }
    }

    fn log_amendment(&mut self, note: &[u8]) -> bool {
        let me = self.config.me;
        let Ok(accepted) = self.append_own(RecordType::Amendment, note) else { return false };
        let time = self.now();
        self.logs[me].adoption.take(accepted.index, time, note, &mut self.config.treaty)
    }

    /// An amendment that was handed in: it is logged if it is the treaty's next one.
    pub(super) fn take_in_amendment(
        &mut self,
        note: &[u8],
        read: &dyn Read,
    ) -> Result<Result<Accepted, Refusal>, ReadError> {
        let text = match Amendment::of_note(note) {
            // Who may sign it follows from its date.
            Ok((_, ahead)) if ahead.issued.posix() > self.now().posix().saturating_add(MAX_AHEAD_S) => {
                return Ok(Err(Refusal::Amendment(AmendmentError::Ahead(ahead.issued))));
            }
            Ok((signed, _)) => signed.text().to_owned(),
            Err(error) => return Ok(Err(Refusal::Amendment(error))),
        };
        let before = self.config.treaty.clone();
        let starts = |known: &[u8]| SignedNote::parse(known).is_ok_and(|known| known.text() == text);
        let known = before.amendments().position(|(known, _)| starts(known)).map(|at| at + 1);
        if known.is_none() {
            match before.amended(note) {
                Ok(amended) => self.config.treaty = Arc::new(amended),
                Err(error) => return Ok(Err(Refusal::Amendment(error))),
            }
            self.amended(&before, read)?;
        }
        let number = known.unwrap_or(self.config.treaty.number());
        let me = self.config.me;
        let logged_before = self.logs[me].adoption.place_of(number);
        self.log_amendments();
        let missing = || ReadError(format!("amendment {number} should be a record of this log, and is not"));
        let Some(index) = self.logs[me].adoption.place_of(number) else { return Ok(Err(Refusal::TooLong)) };
        let leaf = Some(leaf_hash(&self.record(me, index, read)?.ok_or_else(missing)?));
        Ok(Ok(Accepted { index, leaf, already: logged_before.is_some() }))
    }
}
