//! Which records of each log an export holds: what was asked for, and what the proofs of that need.

use std::collections::{BTreeMap, BTreeSet};

use super::selection::{Place, Selection, SelectionError};
use super::spans::Spans;
use super::{ExportError, Stage};
use crate::ledger::{Notification, Profile, Record, RecordType, Treaty};
use crate::node::{LogId, Read, ReadError};
use crate::tlog::leaf_hash;

/// Records and bytes read at a time.
pub(super) const PAGE_RECORDS: u64 = 1024;
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// The records of an export, by log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Of each log: how many records of it stand under the head that the export ends with.
    pub sizes: Vec<u64>,
    /// Of each log: the records that the export holds in full.
    pub present: Vec<Spans>,
    /// Of each log: the notes of which it holds the leaf hash only.
    pub redacted: Vec<Spans>,
    /// Number of notes that were chosen, the redacted ones included.
    pub notes: u64,
}

/// Size of the largest signed head that the records held cover.
pub(super) fn head_size(read: &dyn Read, log: LogId, treaty: &Treaty) -> Result<u64, ReadError> {
    let damaged = || ReadError(format!("a stored head of the log {} is damaged", treaty.origin(log)));
    let Some(note) = read.head(log, read.size(log)?)? else { return Ok(0) };
    let note = crate::note::SignedNote::parse(&note).map_err(|_| damaged())?;
    Ok(crate::tlog::Checkpoint::parse(note.text()).map_err(|_| damaged())?.size)
}

/// Hands over each record of a log from `from` to, not including, `to`.
pub(super) fn for_each(
    read: &dyn Read,
    log: LogId,
    (from, to): (u64, u64),
    treaty: &Treaty,
    each: &mut dyn FnMut(u64, Vec<u8>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut index = from;
    while index < to {
        let page = read.records(log, index, PAGE_RECORDS.min(to - index), PAGE_BYTES)?;
        if page.is_empty() {
            return Err(ReadError(format!("record {index} of {} is missing", treaty.origin(log))).into());
        }
        for bytes in page {
            each(index, bytes)?;
            index += 1;
        }
    }
    Ok(())
}

/// Follows a selection. `sizes` are those of the heads that the export ends with.
///
/// Memory: 16 bytes for each stretch of records, and as much for each reference between notes if there are threads.
pub fn choose(
    read: &dyn Read,
    treaty: &Treaty,
    profile: &Profile,
    selection: &Selection,
    sizes: Vec<u64>,
    progress: &mut dyn FnMut(Stage, u64, u64),
) -> Result<Chosen, ExportError> {
    selection.check_new(treaty, profile)?;
    let logs = treaty.parties().len();
    let mut chosen =
        Chosen { present: vec![Spans::default(); logs], redacted: vec![Spans::default(); logs], sizes, notes: 0 };
    if selection.is_whole() {
        chosen.present = chosen.sizes.iter().map(|size| Spans::of(0, *size)).collect();
        return Ok(chosen);
    }
    let mut choose =
        Choose { read, treaty, profile, selection, chosen, wanted: vec![Spans::default(); logs], edges: Vec::new() };
    choose.ranges()?;
    let total = choose.chosen.sizes.iter().sum();
    let mut done = 0;
    for log in 0..logs {
        let size = choose.chosen.sizes[log];
        for_each(read, log, (0, size), treaty, &mut |index, bytes| {
            choose.record(log, index, &bytes);
            done += 1;
            if done % PAGE_RECORDS == 0 {
                progress(Stage::Choosing, done, total);
            }
            Ok(())
        })?;
    }
    choose.threads()?;
    choose.notes()?;
    if !selection.is_everything() {
        choose.receipts()?;
    }
    Ok(choose.chosen)
}

struct Choose<'a> {
    read: &'a dyn Read,
    treaty: &'a Treaty,
    profile: &'a Profile,
    selection: &'a Selection,
    chosen: Chosen,
    /// Notes that are asked for.
    wanted: Vec<Spans>,
    /// Which note refers to which: the earlier one first.
    edges: Vec<((LogId, u64), (LogId, u64))>,
}

impl Choose<'_> {
    fn ranges(&mut self) -> Result<(), SelectionError> {
        for range in &self.selection.ranges {
            let log = self.treaty.find(&range.party).ok_or_else(|| SelectionError::Party(range.party.clone()))?;
            let size = self.chosen.sizes[log];
            if range.last >= size {
                return Err(SelectionError::Range { range: range.clone(), size });
            }
            self.chosen.present[log].insert(range.first, range.last + 1);
        }
        Ok(())
    }

    /// Looks at one record: whether it is wanted, withheld, or needed whatever was asked for.
    fn record(&mut self, log: LogId, index: u64, bytes: &[u8]) {
        let party = self.treaty.party(log).code.as_str();
        let Ok(record) = Record::parse(bytes) else {
            // Cannot be: it was checked before it was stored. It is shown rather than left out.
            return self.chosen.present[log].insert(index, index + 1);
        };
        let everything = self.selection.is_everything();
        match record.kind {
            RecordType::Notification => {
                let note = Notification::of_note(record.payload).ok().map(|(_, notification)| notification);
                let filtered = self.selection.has_filters() && self.selection.meets(party, record.time, note.as_ref());
                let ranged = self.chosen.present[log].contains(index);
                if everything || filtered {
                    self.wanted[log].insert(index, index + 1);
                }
                if !self.selection.threads.is_empty() {
                    self.refer((log, index), note.as_ref());
                }
                if (everything || filtered || ranged)
                    && self.selection.redacts((party, index), note.as_ref(), self.profile)
                {
                    self.chosen.redacted[log].insert(index, index + 1);
                }
            }
            RecordType::Receipt if !everything => {}
            _ => self.chosen.present[log].insert(index, index + 1),
        }
    }

    /// Keeps what a note refers to, if that is there as the note says.
    fn refer(&mut self, from: (LogId, u64), note: Option<&Notification>) {
        for reference in note.iter().flat_map(|note| &note.re) {
            let Some(log) = self.treaty.find(&reference.log) else { continue };
            let leaf = self.read.record(log, reference.index).ok().flatten().map(|bytes| leaf_hash(&bytes));
            if leaf == Some(reference.leaf) {
                self.edges.push(((log, reference.index), from));
            }
        }
    }

    /// Of the wanted notes, those of the threads.
    fn threads(&mut self) -> Result<(), SelectionError> {
        if self.selection.threads.is_empty() {
            return Ok(());
        }
        let mut later: BTreeMap<(LogId, u64), Vec<(LogId, u64)>> = BTreeMap::new();
        for (earlier, note) in self.edges.drain(..) {
            later.entry(earlier).or_default().push(note);
        }
        let mut found = BTreeSet::new();
        let mut open = Vec::new();
        for place in &self.selection.threads {
            let log = self.treaty.find(&place.party).ok_or_else(|| SelectionError::Party(place.party.clone()))?;
            self.note(log, place)?;
            open.push((log, place.index));
        }
        while let Some(place) = open.pop() {
            if found.insert(place) {
                open.extend(later.get(&place).into_iter().flatten());
            }
        }
        let mut wanted = vec![Spans::default(); self.wanted.len()];
        for (log, index) in found.into_iter().filter(|(log, index)| self.wanted[*log].contains(*index)) {
            wanted[log].insert(index, index + 1);
        }
        self.wanted = wanted;
        Ok(())
    }

    fn note(&self, log: LogId, place: &Place) -> Result<(), SelectionError> {
        let bytes = self.read.record(log, place.index).ok().flatten().filter(|_| place.index < self.chosen.sizes[log]);
        let is_note =
            |bytes: &Vec<u8>| Record::parse(bytes).is_ok_and(|record| record.kind == RecordType::Notification);
        bytes.filter(is_note).map(|_| ()).ok_or_else(|| SelectionError::Note(place.clone()))
    }

    /// The wanted notes are held in full but for those that are withheld.
    fn notes(&mut self) -> Result<(), SelectionError> {
        for (log, wanted) in self.wanted.iter().enumerate() {
            let present = &mut self.chosen.present[log];
            wanted.iter().for_each(|(from, to)| present.insert(from, to));
            let mut kept = Spans::default();
            for (from, to) in present.iter() {
                let mut at = from;
                while let Some((start, end)) = self.chosen.redacted[log].next(at).filter(|(start, _)| *start < to) {
                    kept.insert(at, start);
                    at = end;
                }
                kept.insert(at, to);
            }
            // What is withheld of notes that are not asked for in the end is left out like all others.
            let mut redacted = Spans::default();
            for (from, to) in self.chosen.redacted[log].iter() {
                (from..to).filter(|at| present.contains(*at)).for_each(|at| redacted.insert(at, at + 1));
            }
            *present = kept;
            self.chosen.redacted[log] = redacted;
            self.chosen.notes += wanted.count();
        }
        for redaction in &self.selection.redact {
            if let super::Redaction::Note(place) = redaction {
                let log = self.treaty.find(&place.party).ok_or_else(|| SelectionError::Party(place.party.clone()))?;
                self.note(log, place)?;
            }
        }
        Ok(())
    }

    /// Each party's first receipt for each chosen record, and its last one for each log: so that the part shows as
    /// much about who has received what as the whole would.
    fn receipts(&mut self) -> Result<(), ReadError> {
        let mut needed: Vec<(LogId, u64)> = Vec::new();
        for log in 0..self.wanted.len() {
            let mut asked = self.wanted[log].clone();
            for range in self.selection.ranges.iter().filter(|range| self.treaty.find(&range.party) == Some(log)) {
                asked.insert(range.first, range.last + 1);
            }
            for by in (0..self.wanted.len()).filter(|by| *by != log) {
                let mut at = 0;
                while let Some((from, _)) = asked.next(at) {
                    let Some(entry) = self.read.receipt_from(log, by, from.max(at) + 1)? else { break };
                    needed.push((entry.by, entry.index));
                    at = entry.size;
                }
                needed.extend(self.read.last_receipt(log, by)?.map(|entry| (entry.by, entry.index)));
            }
        }
        for (log, index) in needed.into_iter().filter(|(log, index)| *index < self.chosen.sizes[*log]) {
            self.chosen.present[log].insert(index, index + 1);
        }
        Ok(())
    }
}
