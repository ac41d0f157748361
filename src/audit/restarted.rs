//! Logs that were restarted: the branches that do not go on, each in a file of its own, and which of the heads that
//! contradict a log lie on them.
//!
//! A branch's file begins with what stands for the records that both branches have, so that it leads to its signed head by
//! itself. Nothing is explained by a size: a head that may be of a branch whose records are not here is listed as such.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::export::ExportError;
use super::frame::{Frame, Reader, write_frame, write_omitted};
use super::layout::{LOGS, RECORDS, branch_file};
use super::report::{BranchReport, Report};
use super::source::{Input, Source};
use super::verify::Audit;
use crate::ledger::{Fault, FaultPlace, MAX_RESTARTS, Record, RecordType, Restart, Treaty};
use crate::node::{LogTiles, Read, ReadError};
use crate::tlog::{CompactRange, Hash, Tiles, leaf_hash, subtrees};

/// Roots of a log or of a branch, by size.
type Roots = BTreeMap<u64, Hash>;

/// What a second reading of a log tells.
#[derive(Default)]
struct Second {
    /// Its roots at the sizes of the heads in question.
    roots: Roots,
    /// By index: the leaf hashes of its records where its branches part.
    leaves: BTreeMap<u64, Hash>,
}

/// Takes a file of the export: its name and a piece of it.
pub(super) type Put<'a> = dyn FnMut(&str, &[u8]) -> Result<(), ExportError> + 'a;

/// Writes the branches of a log that are held, below a folder. How many there are.
pub(super) fn write_branches(
    (read, treaty): (&dyn Read, &Treaty),
    log: usize,
    put: &mut Put<'_>,
) -> Result<(), ExportError> {
    let fail = |source| ExportError::Io { path: Path::new(&treaty.party(log).code).to_owned(), source };
    let certificates = read.restarts(log)?;
    for (at, note) in certificates.iter().enumerate() {
        let Ok(restart) = Restart::verify(note, log, treaty) else { continue };
        let (common, kept, end) = (restart.common, restart.kept_head().size, restart.other_head().size);
        if kept >= read.size(log)? || restart.other_leaf.is_none() {
            continue;
        }
        let mut out = Vec::new();
        if common > 0 {
            let tiles = LogTiles { read, log };
            let root = |(height, index)| {
                tiles.subtree(height, index)?.ok_or_else(|| ReadError("tiles of a log are missing".into()))
            };
            let roots = subtrees(0, common).map(root).collect::<Result<Vec<_>, _>>()?;
            write_omitted(&mut out, 0, common, &roots).map_err(fail)?;
        }
        let mut index = common;
        while index < end {
            let page = read.branch(log, kept, index, 256, 1 << 20)?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                write_frame(&mut out, "record", index, &bytes).map_err(fail)?;
                index += 1;
            }
        }
        // A node has a branch whole, or as far as it once held it: then it proves nothing by itself.
        if index == end {
            put(&branch_file(&treaty.party(log).code, at + 1), &out)?;
        }
    }
    Ok(())
}

impl Audit<'_> {
    /// Reads the branches that do not go on, and settles which forks are explained.
    pub(super) fn restarted(&mut self, path: &Path) {
        let own = match self.second_reading(path) {
            Ok(own) => own,
            Err(error) => {
                let means = "Which forks are explained by restart certificates could not be told.";
                self.report.file_fault(LOGS, "logs that can be read a second time", error.to_string(), means);
                BTreeMap::new()
            }
        };
        for (code, Second { leaves, .. }) in &own {
            self.report.void_certificates(code, leaves);
        }
        let mut roots: BTreeMap<(String, usize), Roots> = BTreeMap::new();
        for log in 0..self.treaty.parties().len() {
            let code = self.treaty.party(log).code.clone();
            let certificates: Vec<_> =
                self.report.certificates(&code).map(|(at, restart)| (at, restart.clone())).collect();
            for number in 1..=MAX_RESTARTS {
                let name = branch_file(&code, number);
                let file = match self.source.file(&name) {
                    Ok(None) => continue,
                    Ok(Some(file)) => file,
                    Err(error) => {
                        self.report.file_fault(&name, "what can be read", error.to_string(), NOT_LOOKED_AT);
                        continue;
                    }
                };
                let mut reader = Reader::new(file);
                match certificates.get(number - 1) {
                    None => {
                        let found = "a branch that no certificate in the log names";
                        self.report.file_fault(&name, "only what belongs to an export", found, NOT_LOOKED_AT);
                    }
                    Some((at, restart)) => match read_branch(&mut reader, log, restart, self.treaty) {
                        Ok((branch, found)) => {
                            self.report.restarts[*at].branch = Some(branch);
                            roots.insert((code.clone(), number - 1), found);
                        }
                        Err((expected, found)) => {
                            let place = FaultPlace::line(reader.line, reader.bytes);
                            let means = format!(
                                "Nothing is shown about what {} said on this branch.",
                                self.treaty.party(log).name
                            );
                            self.report.fault(Fault { file: name.clone(), place, expected, found, means });
                        }
                    },
                }
                if let Err(error) = self.source.give_back(2, reader.into_inner()) {
                    self.report.file_fault(
                        &name,
                        "its end",
                        error.to_string(),
                        "The archive was not read on behind it.",
                    );
                    return self.report.settle_forks(&mut |_, _| None, &mut |_, _, _| None);
                }
            }
        }
        self.report
            .settle_forks(&mut |code, size| own.get(code)?.roots.get(&size).copied(), &mut |code, number, size| {
                roots.get(&(code.to_owned(), number))?.get(&size).copied()
            });
    }

    /// What certificates have to be compared with, of each log that holds one: its records are read a second time.
    fn second_reading(&self, path: &Path) -> io::Result<BTreeMap<String, Second>> {
        let mut found = BTreeMap::new();
        let (wanted, parting) = (self.report.sizes_in_question(), self.report.partings());
        if parting.is_empty() {
            return Ok(found);
        }
        let mut source = Source::open(path)?;
        source.know(self.treaty, &mut Report::default());
        for (log, party) in self.treaty.parties().iter().enumerate() {
            let Some(parting) = parting.get(&party.code) else { continue };
            let sizes = wanted.get(&party.code);
            let mut reader = Reader::new(source.records(&party.code)?);
            let changed = || io::Error::other(format!("{LOGS}/{}/{RECORDS} is not what it was", party.code));
            let (mut range, mut second) = (CompactRange::default(), Second::default());
            let Second { roots, leaves } = &mut second;
            let mut at_size = |range: &CompactRange| {
                if sizes.is_some_and(|sizes| sizes.contains(&range.size())) {
                    roots.insert(range.size(), range.root());
                }
            };
            let mut push = |range: &mut CompactRange, leaf: Hash| {
                if parting.contains(&range.size()) {
                    leaves.insert(range.size(), leaf);
                }
                range.push(leaf);
            };
            while let Ok(Some(frame)) = reader.next_record(self.part.is_some()) {
                match frame {
                    Frame::Record(_, bytes) => push(&mut range, leaf_hash(&bytes)),
                    Frame::Redacted(_, leaf) => push(&mut range, leaf),
                    Frame::Omitted(from, count, hashes) => {
                        for ((height, _), root) in subtrees(from, from.saturating_add(count)).zip(hashes) {
                            if !range.push_subtree(height, root) {
                                return Err(changed());
                            }
                            at_size(&range);
                        }
                    }
                }
                at_size(&range);
            }
            // Of a log that does not hold together nothing is told by its roots.
            match self.ends[log] {
                Some((size, root)) if range.size() == size && range.root() == root => {
                    found.insert(party.code.clone(), second);
                }
                Some(_) => return Err(changed()),
                None => {}
            }
            source.give_back(2, reader.into_inner())?;
        }
        Ok(found)
    }
}

const NOT_LOOKED_AT: &str = "Nothing of what it says was looked at.";

/// Reads a branch and checks that it leads to its head. What was found instead, where it does not.
fn read_branch(
    reader: &mut Reader<Input>,
    log: usize,
    restart: &Restart,
    treaty: &Treaty,
) -> Result<(BranchReport, Roots), (String, String)> {
    let (mut range, mut roots) = (CompactRange::default(), Roots::new());
    let (mut report, mut last) = (BranchReport::default(), (restart.common == 0).then(|| treaty.hash()));
    let (other, origin) = (restart.other_head(), treaty.origin(log));
    loop {
        let index = range.size();
        let expected = || format!("record {index} of the branch of {origin} that ends at {} records", other.size);
        let frame = reader.next_record(true).map_err(|broken| (broken.expected, broken.found))?;
        let bytes = match frame {
            None => break,
            Some(Frame::Omitted(0, count, hashes)) if index == 0 && count == restart.common => {
                let fits = subtrees(0, count).zip(hashes).all(|((height, _), root)| range.push_subtree(height, root));
                if !fits {
                    return Err((expected(), "hashes that do not make up a tree".into()));
                }
                continue;
            }
            Some(Frame::Record(number, bytes)) if number == index && index >= restart.common && index < other.size => {
                bytes
            }
            Some(_) => return Err((expected(), "something else".into())),
        };
        let record = Record::parse(&bytes).map_err(|error| (expected(), error.to_string()))?;
        let leaf = leaf_hash(&bytes);
        let follows = last.is_none_or(|last| last == record.prev);
        let parts = index > restart.common || restart.other_leaf == Some(leaf);
        if record.index != index || record.log != origin || !follows || !parts {
            return Err((expected(), "another record".into()));
        }
        report.records += 1;
        report.notifications += u64::from(record.kind == RecordType::Notification);
        last = Some(leaf);
        range.push(leaf);
        roots.insert(range.size(), range.root());
    }
    if (range.size(), range.root()) != (other.size, other.root) {
        let expected = format!("records that lead to the head of {} records which the certificate names", other.size);
        return Err((expected, format!("{} records with another root", range.size())));
    }
    Ok((report, roots))
}
