//! Auditing one log: its records, heads and receipts, side by side. What is altered is named, and the rest still stands.

use super::branches::Doubt;
use super::checks::{Checked, Task};
use super::frame::{Broken, Frame};
use super::layout::{CHECKPOINTS, RECEIPTS, RECORDS, ReceiptLine};
use super::report::{MAX_LISTED, MarkedNote};
use super::verify::Audit;
use super::walk::{Pending, Walk};
use crate::ledger::{Credential, Fault, ForkProof, Record, RecordError, RecordType, Restart};
use crate::tlog::{Checkpoint, Hash, leaf_hash, subtrees};

impl Audit<'_> {
    /// Reads the three files of a log side by side: heads and receipts are checked when the tree has their size. `false`
    /// if the records could not be read to their end.
    pub(super) fn walk(&mut self, walk: &mut Walk) -> bool {
        walk.next_head(self.treaty, &self.crew, &mut self.report);
        walk.next_receipt(self.treaty, &mut self.report);
        self.at_size(walk);
        let mut read = 0u64;
        let complete = loop {
            let (line, byte) = (walk.records.line, walk.records.bytes);
            let frame = match walk.records.next_record(self.part.is_some()) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    self.settle(walk, None);
                    break true;
                }
                Err(broken) => {
                    self.settle(walk, None);
                    let party = &self.treaty.party(walk.log).name;
                    let means = format!(
                        "The log of {party} was not read on from here: nothing is shown about record {} and those after it.",
                        walk.read()
                    );
                    let mut fault = walk.fault(RECORDS, broken, means);
                    fault.place = fault.place.record(walk.read());
                    self.report.fault(fault);
                    break false;
                }
            };
            if !self.frame(walk, frame, line, byte) {
                break false;
            }
            read += 1;
            if read.is_multiple_of(1024) {
                (self.progress)((self.done + walk.bytes()).min(self.total), self.total);
            }
        };
        self.checked(walk, true);
        self.end(walk, complete);
        complete
    }

    /// Takes in one item of `records.txt`. `false` if what comes after it cannot be placed.
    fn frame(&mut self, walk: &mut Walk, frame: Frame, line: u64, byte: u64) -> bool {
        let expected = walk.read();
        let number = match &frame {
            Frame::Record(number, _) | Frame::Redacted(number, _) | Frame::Omitted(number, ..) => *number,
        };
        if number != expected && !self.displaced(walk, &frame, number, expected, (line, byte)) {
            return number < expected;
        }
        match frame {
            Frame::Record(index, bytes) => {
                let parsed = Record::parse(&bytes);
                let claimed = parsed.as_ref().ok().filter(|record| record.index == index).map(|record| record.prev);
                self.settle(walk, claimed);
                let leaf = leaf_hash(&bytes);
                walk.pending = Some(Pending { index, leaf, line, byte });
                walk.last_leaf = Some(leaf);
                super::report::stretch(&mut walk.out, index);
                match parsed.and_then(|record| at_place(record, index, self.treaty.origin(walk.log))) {
                    Ok(record) => {
                        if self.record(walk, &record) {
                            let at = walk.adoption.last();
                            walk.checks.push(Task { bytes, at }, &self.crew);
                            self.checked(walk, false);
                        }
                    }
                    Err(error) => {
                        let origin = self.treaty.origin(walk.log);
                        let broken = Broken {
                            line,
                            byte,
                            expected: format!("record {index} of {origin}"),
                            found: error.to_string(),
                        };
                        let means = "What stands here is not what was logged at this place, and shows nothing.";
                        let mut fault = walk.fault(RECORDS, broken, means);
                        fault.place = fault.place.record(index);
                        self.report.fault(fault);
                    }
                }
            }
            Frame::Redacted(index, leaf) => {
                self.settle(walk, None);
                walk.pending = Some(Pending { index, leaf, line, byte });
                walk.last_leaf = Some(leaf);
                walk.out.redacted += 1;
                if walk.out.redacted_at.len() < MAX_LISTED {
                    walk.out.redacted_at.push(index);
                }
                if self.part.as_ref().is_none_or(|part| part.redact.is_empty()) {
                    let found = format!("record {index} withheld");
                    let broken = Broken { line, byte, expected: "no note withheld, by part.json".into(), found };
                    let fault = walk.fault(RECORDS, broken, "The export does not say why this note is withheld.");
                    self.report.fault(fault);
                }
            }
            Frame::Omitted(from, count, roots) => {
                self.settle(walk, None);
                walk.last_leaf = None;
                walk.out.omitted += count;
                for ((height, _), root) in subtrees(from, from + count).zip(roots) {
                    if !walk.tree.push_subtree(height, root) {
                        return false;
                    }
                    self.at_size(walk);
                }
            }
        }
        true
    }

    /// A record where another one should be. `true` if it can be taken all the same: exactly one is missing, and this one
    /// names its hash.
    fn displaced(&mut self, walk: &mut Walk, frame: &Frame, number: u64, expected: u64, at: (u64, u64)) -> bool {
        let party = &self.treaty.party(walk.log).name;
        let broken = Broken {
            line: at.0,
            byte: at.1,
            expected: format!("record {expected}"),
            found: format!("record {number}"),
        };
        let prev = match frame {
            Frame::Record(_, bytes) => Record::parse(bytes).ok().filter(|r| r.index == number).map(|r| r.prev),
            _ => None,
        };
        let one = number == expected + 1;
        let means = match number {
            _ if number < expected => {
                format!(
                    "It stands here a second time, or in the wrong place; it was passed over here. The log of {party} was read on."
                )
            }
            _ if one && prev.is_some() => format!(
                "Record {expected} of {party} is missing here, and nothing is shown of what it said. Record {number} names its \
                 hash, with which the rest was checked."
            ),
            _ => format!(
                "The records {expected} to {} of {party} are missing here: nothing is shown about them, nor about those after \
                 them.",
                number - 1
            ),
        };
        let mut fault = walk.fault(RECORDS, broken, means);
        fault.place = fault.place.record(expected.min(number));
        self.report.fault(fault);
        let Some(prev) = prev.filter(|_| one) else {
            return false;
        };
        self.settle(walk, None);
        walk.pending = Some(Pending { index: expected, leaf: prev, line: at.0, byte: at.1 });
        true
    }

    /// The record that was read last goes into the tree: `claimed` is what the next one says of it.
    fn settle(&mut self, walk: &mut Walk, claimed: Option<Hash>) {
        let Some(Pending { index, leaf, line, byte }) = walk.pending.take() else {
            // The first record names the ledger.
            if let Some((expected, found)) =
                walk.last_leaf.zip(claimed).filter(|(a, b)| walk.tree.size() == 0 && a != b)
            {
                let broken = Broken {
                    line: 1,
                    byte: 0,
                    expected: format!("a first record of the ledger {}", expected.to_hex()),
                    found: format!("one of the ledger {}", found.to_hex()),
                };
                let fault = walk.fault(RECORDS, broken, "This log does not begin in the ledger of this treaty file.");
                self.report.fault(Fault { place: fault.place.clone().record(0), ..fault });
            }
            return;
        };
        match claimed.filter(|claimed| *claimed != leaf) {
            None => {
                // Of a record that may have been altered it is not known which one it is.
                self.references.record(walk.log, index, &leaf);
                walk.tree.push(leaf);
            }
            Some(claimed) => walk.tree.doubt(Doubt { index, line, byte, found: leaf, claimed }),
        }
        self.at_size(walk);
    }

    /// Takes in what a record says. `true` if that is checked later, beside the reading: see [`Audit::checked`].
    fn record(&mut self, walk: &mut Walk, record: &Record<'_>) -> bool {
        let (log, index) = (walk.log, record.index);
        walk.pass(record);
        let party = self.treaty.party(log);
        walk.adoption.pass(index, record.time, self.treaty);
        match record.kind {
            RecordType::Amendment => {
                let mut treaty = self.shared.clone();
                let held = walk.adoption.take(index, record.time, record.payload, &mut treaty);
                walk.out.amendments += u64::from(held);
                walk.out.void += u64::from(!held);
                if treaty.number() > self.treaty.number() {
                    let means = "What this amendment changes was not taken into account.";
                    let file = format!("{}/{RECORDS}", walk.folder);
                    let found = format!("record {index}, which is not one of them");
                    self.report.file_fault(&file, "amendments that stand in the folder `amendments`", found, means);
                }
            }
            RecordType::Notification => {
                walk.out.notifications += 1;
                return true;
            }
            RecordType::Credential => {
                walk.out.credentials += 1;
                let restart = Restart::of_record(record, log, self.treaty)
                    .filter(|restart| walk.tree.size() != index || walk.tree.root() == restart.kept_head().root);
                let valid = restart.is_some()
                    || Credential::verify(record.payload, party, record.log, &self.treaty.hash()).is_ok();
                if let Some(restart) = restart {
                    self.report.restarted(&party.code, restart);
                }
                walk.out.void += u64::from(!valid);
                let before = walk.keys().changes().len();
                walk.keys_mut().apply(record, self.treaty);
                let next_end = walk.keys().officials().waits_for();
                walk.next_end = next_end;
                let changed = walk.keys().changes().len() > before;
                walk.key_leaves.extend(walk.last_leaf.filter(|_| changed));
            }
            RecordType::Receipt => {
                walk.out.receipts += 1;
                return true;
            }
            RecordType::Evidence => {
                walk.out.evidence += 1;
                // Whether it counts depends on the receipts before it.
                self.checked(walk, true);
                match ForkProof::parse(record.payload, self.treaty) {
                    Ok(proof) if self.is_late(&proof, Some(walk.given[proof.log()])) => {}
                    Ok(proof) => {
                        let why = format!("the proof is record {index} of the log of {}", party.name);
                        self.report.forked(&self.treaty.party(proof.log()).code, why, heads_of(&proof));
                    }
                    Err(_) => walk.out.void += 1,
                }
            }
        }
        false
    }

    /// Takes in what was found in the notes and receipts that were given out; of `all` of them at the end of the log.
    fn checked(&mut self, walk: &mut Walk, all: bool) {
        while let Some(Checked { marked, references, receipts, void }) = walk.checks.take(all, &self.crew) {
            walk.out.void += void;
            for (index, re, marked) in references {
                self.references.note((walk.log, index), &re, marked, self.treaty);
            }
            for (log, line) in receipts {
                walk.given[log] = walk.given[log].max(line.size);
                self.receipts[log].in_records(line, self.treaty);
            }
            self.report.marked_count += marked.len() as u64;
            let room = MAX_LISTED.saturating_sub(self.report.marked.len());
            for (index, marks) in marked.into_iter().take(room) {
                self.report.marked.push(MarkedNote { party: walk.out.party.clone(), index, marks });
            }
        }
    }

    /// Checks the heads and receipts of the size that the tree has now.
    fn at_size(&mut self, walk: &mut Walk) {
        let size = walk.tree.size();
        while let Some(head) = walk.head.take_if(|head| head.checkpoint.size <= size) {
            walk.next_head(self.treaty, &self.crew, &mut self.report);
            let (found, root) = (head.checkpoint.size, head.checkpoint.root);
            let broken = |expected: String, found: String| Broken { line: head.line, byte: head.byte, expected, found };
            if found < size || walk.head.as_ref().is_some_and(|next| next.checkpoint.size == found) {
                let expected = "heads by size, each once, none within what was left out".to_owned();
                let means = format!("This head of {found} records could not be checked against the records.");
                let fault = walk.fault(CHECKPOINTS, broken(expected, format!("a head of {found} records")), means);
                self.report.fault(fault);
                continue;
            }
            match walk.tree.confirm(&root) {
                Some(altered) => {
                    altered.into_iter().for_each(|doubt| self.altered(walk, &doubt, size));
                    walk.out.checkpoints += 1;
                    (walk.out.proven, walk.astray) = (size, false);
                }
                None if walk.astray => {}
                None => {
                    walk.astray = true;
                    let party = &self.treaty.party(walk.log).name;
                    let last = size.saturating_sub(1);
                    let which = match walk.out.proven {
                        from if from >= last => format!("record {last} is not the one"),
                        from => format!("one of the records {from} to {last} is not the one"),
                    };
                    let expected =
                        format!("records with the root {}, over which {party} signed this head", root.to_base64());
                    let found = format!(
                        "records with the root {}: {which} that this head was signed over",
                        walk.tree.root().to_base64()
                    );
                    let means = format!(
                        "The first {} records stand as {party} signed them. Nothing is shown about record {} and those after it, \
                         unless a later head agrees with them.",
                        walk.out.proven, walk.out.proven
                    );
                    let mut fault = walk.fault(CHECKPOINTS, broken(expected, found), means);
                    fault.place = fault.place.record(walk.out.proven);
                    self.report.fault(fault);
                }
            }
        }
        if walk.receipt.is_none_or(|receipt| receipt.size > size) {
            return;
        }
        let root = walk.tree.root();
        while let Some(line) = walk.receipt.filter(|receipt| receipt.size <= size) {
            let by = &self.treaty.party(line.by).name;
            if line.size < size {
                let broken = walk.receipts.broken(
                    "receipts by size, none within what was left out",
                    format!("the receipt by {by} for {} records", line.size),
                );
                let means = format!("Whether {by} received these records could not be checked here.");
                let fault = walk.fault(RECEIPTS, broken, means);
                self.report.fault(fault);
            } else if line.root == root {
                let last = &mut walk.receipted[line.by];
                *last = (*last).max(size);
            } else if !walk.astray && walk.tree.unsettled().is_empty() {
                let why = format!("{by} holds another head of {size} records, in record {} of its log", line.index);
                let head = Checkpoint { origin: self.treaty.origin(walk.log).to_owned(), size, root: line.root };
                if walk.contradicted.len() < MAX_LISTED {
                    walk.contradicted.push((why, head, line.by, line.index));
                }
            }
            self.take_line(walk, line);
        }
    }

    /// Whether a fork's proof says nothing, as one of its heads is by a key that was replaced since: see
    /// [`crate::ledger::KeyHistory::is_late`]. `given` is the largest head of the log that the party in whose log the
    /// proof stands had receipted before.
    pub(super) fn is_late(&self, proof: &ForkProof, given: Option<u64>) -> bool {
        let mut receipted = given.map(|given| move |size| Ok::<_, std::convert::Infallible>(given >= size));
        let history = self.keys.party(proof.log());
        let Ok(late) = proof.is_late(history, receipted.as_mut().map(|receipted| receipted as _));
        late
    }

    /// Receipts that contradict the log show that it forked, but for those on heads by a key that was replaced since, by
    /// who had receipted the change before.
    fn contradictions(&mut self, walk: &mut Walk) {
        let history = self.keys.party(walk.log);
        for (why, head, by, index) in std::mem::take(&mut walk.contradicted) {
            let mut receipted = |size: u64| {
                let first = walk.first_after.get(&(by, size - 1));
                Ok::<_, std::convert::Infallible>(first.is_some_and(|first| *first <= index))
            };
            let Ok(late) = history.is_late([history.log_key(head.size)], Some(&mut receipted));
            if !late {
                self.report.forked(&self.treaty.party(walk.log).code, why, vec![head]);
            }
        }
    }

    fn take_line(&mut self, walk: &mut Walk, line: ReceiptLine) {
        for change in self.keys.party(walk.log).changes().iter().filter(|change| change.index < line.size) {
            let first = walk.first_after.entry((line.by, change.index)).or_insert(line.index);
            *first = line.index.min(*first);
        }
        self.receipts[walk.log].listed(line, self.treaty);
        walk.next_receipt(self.treaty, &mut self.report);
    }

    /// A signed head shows that this record is not what was logged.
    fn altered(&mut self, walk: &mut Walk, doubt: &Doubt, size: u64) {
        let party = &self.treaty.party(walk.log).name;
        let broken = Broken {
            line: doubt.line,
            byte: doubt.byte,
            expected: format!(
                "the record with the leaf hash {}, which record {} names and the head of {size} records covers",
                doubt.claimed.to_hex(),
                doubt.index + 1
            ),
            found: format!("one with the leaf hash {}", doubt.found.to_hex()),
        };
        let means = format!(
            "Record {} was altered after {party} signed for it, and shows nothing. The records before it and after it stand \
             as {party} signed them.",
            doubt.index
        );
        let mut fault = walk.fault(RECORDS, broken, means);
        fault.place = fault.place.record(doubt.index);
        self.report.fault(fault);
    }

    /// The end of a log's records: what is left of heads and receipts, and doubts that no head has settled.
    fn end(&mut self, walk: &mut Walk, complete: bool) {
        let (have, party) = (walk.tree.size(), &self.treaty.party(walk.log).name);
        let unsettled: Vec<_> = walk.tree.unsettled().to_vec();
        for doubt in unsettled {
            let broken = Broken {
                line: doubt.line,
                byte: doubt.byte,
                expected: format!(
                    "the record with the leaf hash {}, which record {} names",
                    doubt.claimed.to_hex(),
                    doubt.index + 1
                ),
                found: format!("one with the leaf hash {}", doubt.found.to_hex()),
            };
            let means = format!("One of the two was altered, or {party} did not log them so; no head tells which.");
            let mut fault = walk.fault(RECORDS, broken, means);
            fault.place = fault.place.record(doubt.index);
            self.report.fault(fault);
        }
        while let Some(head) = walk.head.take().filter(|_| complete) {
            walk.next_head(self.treaty, &self.crew, &mut self.report);
            let size = head.checkpoint.size;
            let broken = Broken {
                line: head.line,
                byte: head.byte,
                expected: format!("a head of at most {have} records, which is what the export has"),
                found: format!("a head of {size} records, signed by {party}"),
            };
            let means = format!("{party} has logged {size} records, and {} of them are missing here.", size - have);
            let fault = walk.fault(CHECKPOINTS, broken, means);
            self.report.fault(fault);
        }
        if complete && walk.out.proven < have && !walk.astray {
            let broken = walk.records.broken(
                format!("a head that {party} signed over all {have} records"),
                format!("none beyond the first {}", walk.out.proven),
            );
            let means = format!("Nothing shows that {party} logged the records from {} on.", walk.out.proven);
            let mut fault = walk.fault(RECORDS, broken, means);
            fault.place = fault.place.record(walk.out.proven);
            self.report.fault(fault);
        }
        // Receipts for what is not here: the export is not all there is.
        let code = &self.treaty.party(walk.log).code;
        while let Some(line) = walk.receipt {
            if self.report.certificates(code).next().is_some() {
                // It may be of a branch that does not go on.
                let origin = self.treaty.origin(walk.log).to_owned();
                self.report.beyond(code, have, Checkpoint { origin, size: line.size, root: line.root });
            } else {
                walk.signed = walk.signed.max(line.size);
            }
            self.take_line(walk, line);
        }
        self.contradictions(walk);
    }
}

/// The record stands at its place by what it says itself; whether it follows the one before is the next question.
fn at_place<'a>(record: Record<'a>, index: u64, origin: &str) -> Result<Record<'a>, RecordError> {
    if record.log != origin {
        return Err(RecordError::Log(record.log.to_owned()));
    }
    if record.index != index {
        return Err(RecordError::Index { expected: index, found: record.index });
    }
    Ok(record)
}

/// A proof's two heads.
pub(super) fn heads_of(proof: &ForkProof) -> Vec<Checkpoint> {
    proof.checkpoints().map(Checkpoint::clone).to_vec()
}
