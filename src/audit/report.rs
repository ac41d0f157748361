//! What an audit found.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Fault, FaultPlace, KeyLife, Lies, Mark, Restart, Timestamp, Treaty, lies};
use crate::tlog::{Checkpoint, Hash};

use super::Selection;

/// Most faults, marked notes, stretches and redacted notes that a report lists one by one; it counts the others.
pub const MAX_LISTED: usize = 1000;
/// Most contradictory heads that are compared with restart certificates; any more show a fork.
const MAX_SUSPICIONS: usize = 4096;

/// One party's log, as far as it verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LogReport {
    /// The party's code.
    pub party: String,
    /// Whether it was read to its end; otherwise the numbers below are those up to where that was not possible.
    pub complete: bool,
    /// Number of records that are accounted for: there, redacted, or left out.
    pub records: u64,
    /// So many of them, from the first on, stand under a head that the party signed. Those that a fault names do not.
    pub proven: u64,
    /// Notifications among those that are there.
    pub notifications: u64,
    /// Receipts for other logs among them.
    pub receipts: u64,
    /// Credentials among them.
    pub credentials: u64,
    /// Fork proofs among them.
    pub evidence: u64,
    /// Amendments of the treaty file that hold from there on.
    pub amendments: u64,
    /// Records that are not what their type says: they stand in the log and count for nothing.
    pub void: u64,
    /// Signed heads.
    pub checkpoints: u64,
    /// Records that a quorum of parties has receipted.
    pub final_size: u64,
    /// The party's name.
    #[serde(skip)]
    pub name: String,
    /// The party's keys, as far as the records that are there speak of them.
    #[serde(skip)]
    pub keys: Vec<KeyLife>,
    /// When the last record that is there was logged, by the party's own clock.
    pub last: Option<Timestamp>,
    /// In a part: the stretches of records that are there without a gap, each by its first and its last index; at most
    /// [`MAX_LISTED`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stretches: Vec<(u64, u64)>,
    /// Number of records that were not asked for.
    pub omitted: u64,
    /// Number of notes that are withheld.
    pub redacted: u64,
    /// Indexes of these, at most [`MAX_LISTED`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redacted_at: Vec<u64>,
    /// Where its own times go back; `null` if they do not.
    pub set_back: Option<SetBacks>,
}

/// Where the times of a log go back, by the log alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SetBacks {
    /// In so many places.
    pub count: u64,
    /// That by which they go back most.
    pub worst: SetBack,
}

/// A record that is dated before the one before it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SetBack {
    /// Its index.
    pub record: u64,
    /// When the one before it was logged, by the party's own clock; in a part, the last one before it that is here.
    pub before: Timestamp,
    /// When it was itself, by the same clock.
    pub after: Timestamp,
}

impl SetBack {
    /// By so many seconds.
    pub(super) fn seconds(&self) -> u64 {
        self.before.posix().saturating_sub(self.after.posix())
    }
}

/// A notification that is not in order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MarkedNote {
    /// Code of the party whose log it is in.
    pub party: String,
    /// Its place there.
    pub index: u64,
    /// What is not in order.
    pub marks: Vec<Mark>,
}

/// A log of which others have receipted more than is here.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Code of the party whose log it is.
    pub party: String,
    /// Records in the export.
    pub have: u64,
    /// Size of the largest head that the party signed and somebody receipted.
    pub signed: u64,
}

/// A log that forked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ForkedLog {
    /// Code of the party whose log it is.
    pub party: String,
    /// What shows it.
    pub why: String,
}

/// A log that forked, and whose party's root accepted both branches.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RestartedLog {
    /// Code of the party whose log it is.
    pub party: String,
    /// Index of the certificate's record: so many records has the branch that goes on before it.
    pub index: u64,
    /// So many records are the same on both branches.
    pub common: u64,
    /// Number of records of the other branch.
    pub other: u64,
    /// When the root says that it accepted both.
    pub issued: Timestamp,
    /// What the other branch holds, if it is here and leads to its head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchReport>,
    #[serde(skip)]
    certificate: Option<Box<Restart>>,
}

/// A branch that does not go on: what was said on it stays said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BranchReport {
    /// Its records after the common ones.
    pub records: u64,
    /// Notifications among them.
    pub notifications: u64,
}

/// What seems to show that a log forked, until it is known which certificates it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    fork: ForkedLog,
    /// The heads; of one that contradicts the log itself, that one.
    heads: Vec<Checkpoint>,
}

/// What an audit of an export found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The treaty's title.
    pub title: String,
    /// SHA-256 of the treaty file.
    pub treaty: Option<Hash>,
    /// Whether the treaty file was given from outside. Otherwise its hash is to be compared with a trusted one.
    pub treaty_given: bool,
    /// What was asked for, if the export is a part of the ledger.
    pub part: Option<Selection>,
    /// The logs, in the treaty's order.
    pub logs: Vec<LogReport>,
    /// Notifications that are not in order, at most [`MAX_LISTED`].
    pub marked: Vec<MarkedNote>,
    /// Number of notifications that are not in order.
    pub marked_count: u64,
    /// Logs that forked.
    pub forks: Vec<ForkedLog>,
    /// What seems to show a fork, and may lie on a branch that the log's root has accepted: its records are not here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<ForkedLog>,
    /// Forks that the log's party has accepted by a restart certificate.
    pub restarts: Vec<RestartedLog>,
    #[serde(skip)]
    pub(super) suspicions: Vec<Suspicion>,
    #[serde(skip)]
    pub(super) beyond: Vec<(String, u64, Checkpoint)>,
    /// Logs that are longer than what is here.
    pub missing: Vec<Missing>,
    /// What does not verify, at most [`MAX_LISTED`].
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether everything verifies, nothing is known to be missing or could not be told, and no log has forked.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.missing.is_empty() && self.forks.is_empty() && self.unchecked.is_empty()
    }

    /// What the part leaves out and what follows from that, in plain sentences; none for a whole ledger.
    pub fn part_sentences(&self) -> Vec<String> {
        let Some(part) = &self.part else { return Vec::new() };
        let mut out = vec!["This is a part of the ledger, by whoever made it.".to_owned()];
        out.extend(part.sentences());
        for log in &self.logs {
            out.extend(log.part_sentences());
        }
        let omitted: u64 = self.logs.iter().map(|log| log.omitted).sum();
        if omitted > 0 {
            out.push(
                "Nothing follows about the records that were left out: whether they are of the kind that was asked for, \
                 answer a note that is here, or withdraw a key, only they would show."
                    .into(),
            );
        }
        if self.logs.iter().any(|log| log.redacted > 0) {
            out.push(
                "Nothing follows about the content of a withheld note: its hash fixes it and tells nothing of it. Whoever \
                 holds the note can show that it is the one."
                    .into(),
            );
        }
        out
    }

    /// What an export does not show, however sound it is, in plain sentences.
    pub fn not_proven(&self) -> Vec<String> {
        let last = |log: &LogReport| {
            let time = log.last.map_or_else(|| "without any".to_owned(), |time| format!("to {}", time.display()));
            format!("{} {time}", log.party)
        };
        let last: Vec<_> = self.logs.iter().map(last).collect();
        vec![
            format!(
                "That nothing came after: it is the ledger as far as it goes, by each log's own clock ({}). Whoever holds a \
                 later receipt or head of one of these logs can show that it was longer.",
                last.join(", ")
            ),
            "That any person read a note: a receipt says that a party's node has stored it.".to_owned(),
            "That any clock was right: each time is what the named party's clock said.".to_owned(),
            "That what the notes say is true.".to_owned(),
        ]
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MAX_LISTED {
            self.faults.push(fault);
        }
    }

    /// A fault of a whole file.
    pub(super) fn file_fault(
        &mut self,
        file: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
        means: impl Into<String>,
    ) {
        let (expected, found, means) = (expected.into(), found.into(), means.into());
        self.fault(Fault { file: file.to_owned(), place: FaultPlace::default(), expected, found, means });
    }

    /// Something shows that a log forked, by these heads.
    pub(super) fn forked(&mut self, party: &str, why: impl Into<String>, heads: Vec<Checkpoint>) {
        let known = self.suspicions.iter().any(|other| other.fork.party == party && other.heads == heads);
        if known {
            return;
        }
        // What is one too many is compared with nothing.
        let heads = if self.suspicions.len() < MAX_SUSPICIONS { heads } else { Vec::new() };
        if self.suspicions.len() <= MAX_SUSPICIONS {
            let fork = ForkedLog { party: party.to_owned(), why: why.into() };
            self.suspicions.push(Suspicion { fork, heads });
        }
    }

    /// Marks the notes that refer to other records than stand where they say: in the order of the logs, as all others.
    pub(super) fn astray(&mut self, notes: BTreeMap<(usize, u64), (bool, Vec<Mark>)>, treaty: &Treaty) {
        for ((log, index), (marked, marks)) in notes {
            let party = &treaty.party(log).code;
            if let Some(note) = self.marked.iter_mut().find(|note| note.party == *party && note.index == index) {
                note.marks.extend(marks);
            } else if !marked {
                self.marked_count += 1;
                self.marked.push(MarkedNote { party: party.clone(), index, marks });
            }
        }
        self.marked.sort_by_key(|note| (treaty.find(&note.party), note.index));
        self.marked.truncate(MAX_LISTED);
    }

    /// A log holds a restart certificate in its place.
    pub(super) fn restarted(&mut self, party: &str, restart: Restart) {
        if self.restarts.len() < MAX_LISTED {
            self.restarts.push(RestartedLog {
                party: party.to_owned(),
                index: restart.kept_head().size,
                common: restart.common,
                other: restart.other_head().size,
                issued: restart.issued,
                branch: None,
                certificate: Some(Box::new(restart)),
            });
        }
    }

    /// The restart certificates of a log, each with its place in the report.
    pub(super) fn certificates(&self, code: &str) -> impl Iterator<Item = (usize, &Restart)> {
        let of_log = self.restarts.iter().enumerate().filter(move |(_, restarted)| restarted.party == code);
        of_log.filter_map(|(at, restarted)| Some((at, restarted.certificate.as_deref()?)))
    }

    /// By restarted log: the sizes of the heads that seem to contradict it.
    pub(super) fn sizes_in_question(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut wanted: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let restarted = |code: &str| self.certificates(code).next().is_some();
        for Suspicion { fork, heads } in self.suspicions.iter().filter(|s| restarted(&s.fork.party)) {
            wanted.entry(fork.party.clone()).or_default().extend(heads.iter().map(|head| head.size));
        }
        wanted
    }

    /// By restarted log: the indexes of the records at which its branches part, by its certificates.
    pub(super) fn partings(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut out: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for restarted in &self.restarts {
            out.entry(restarted.party.clone()).or_default().insert(restarted.common);
        }
        out
    }

    /// The same, by the party's place in the treaty's order.
    pub(super) fn partings_by_place(&self, treaty: &Treaty) -> Vec<(usize, u64)> {
        let of = |restarted: &RestartedLog| Some((treaty.find(&restarted.party)?, restarted.common));
        self.restarts.iter().filter_map(of).collect()
    }

    /// Takes out those certificates of a log that name another record where the branches part than stands there: they
    /// change nothing. A record that a part leaves out speaks against none.
    pub(super) fn void_certificates(&mut self, code: &str, leaves: &BTreeMap<u64, Hash>) {
        let fits = |one: &RestartedLog| {
            let named = one.certificate.as_ref().map(|restart| restart.kept_leaf);
            one.party != code || leaves.get(&one.common).is_none_or(|leaf| named == Some(*leaf))
        };
        let before = self.restarts.len();
        self.restarts.retain(fits);
        let void = (before - self.restarts.len()) as u64;
        self.logs.iter_mut().filter(|log| log.party == code).for_each(|log| log.void += void);
    }

    /// A receipt is for more records of a restarted log than are here.
    pub(super) fn beyond(&mut self, party: &str, have: u64, head: Checkpoint) {
        let known = self.beyond.iter().any(|(of, _, other)| of == party && *other == head);
        if !known && self.beyond.len() < MAX_SUSPICIONS {
            self.beyond.push((party.to_owned(), have, head));
        }
    }

    /// All logs were read: what is on no branch that a certificate names is a fork. `own` gives the root of a log at a
    /// size, `branch` that of the branch which its certificate with this number, from 0, left, where records tell.
    pub(super) fn settle_forks(
        &mut self,
        own: &mut dyn FnMut(&str, u64) -> Option<Hash>,
        branch: &mut dyn FnMut(&str, usize, u64) -> Option<Hash>,
    ) {
        for Suspicion { fork, heads } in std::mem::take(&mut self.suspicions) {
            let code = fork.party.clone();
            let certificates: Vec<_> = self.certificates(&code).map(|(_, restart)| restart.clone()).collect();
            let mut place = |at: usize| {
                let (head, against) = (&heads[at], heads.iter().enumerate().find(|(other, _)| *other != at));
                let roots = certificates
                    .iter()
                    .enumerate()
                    .map(|(number, restart)| (restart, branch(&code, number, head.size)));
                lies(head, own(&code, head.size), against.map(|(_, head)| head), roots.collect::<Vec<_>>())
            };
            let found = match heads.len() {
                _ if certificates.is_empty() => Lies::Elsewhere,
                1 => place(0),
                2 => Lies::of_fork([place(0), place(1)]),
                // It was one too many.
                _ => Lies::Elsewhere,
            };
            let list = match found {
                Lies::Accepted => continue,
                Lies::Elsewhere => &mut self.forks,
                Lies::Unknown => &mut self.unchecked,
            };
            if list.len() < MAX_LISTED && list.iter().all(|other| other.party != code) {
                list.push(fork);
            }
        }
        for (party, have, head) in std::mem::take(&mut self.beyond) {
            let certificates: Vec<_> = self.certificates(&party).map(|(_, restart)| restart.clone()).collect();
            let at = |(number, restart)| (restart, branch(&party, number, head.size));
            let roots: Vec<_> = certificates.iter().enumerate().map(at).collect();
            if lies(&head, None, None, roots) == Lies::Accepted {
                continue;
            }
            match self.missing.iter_mut().find(|missing| missing.party == party) {
                Some(missing) => missing.signed = missing.signed.max(head.size),
                None => self.missing.push(Missing { party, have, signed: head.size }),
            }
        }
    }
}

impl LogReport {
    /// That its times go back, in a sentence.
    pub fn set_back_sentence(&self) -> Option<String> {
        let SetBacks { count, worst: SetBack { record, before, after } } = self.set_back.as_ref()?;
        let (before, after) = (before.display(), after.display());
        let most = match count {
            1 => "once".to_owned(),
            _ => format!("{count} times, by most"),
        };
        Some(format!(
            "The clock of {} goes back in its own log, {most} at record {record}: it says {after}, after {before}.",
            self.party
        ))
    }

    fn part_sentences(&self) -> Vec<String> {
        let mut out = Vec::new();
        let there = self.records - self.omitted - self.redacted;
        let stretch = |(first, last): &(u64, u64)| match last - first {
            0 => first.to_string(),
            _ => format!("{first} to {last}"),
        };
        let gapless: Vec<_> = self.stretches.iter().filter(|(first, last)| first < last).map(stretch).collect();
        if self.omitted > 0 {
            out.push(format!(
                "{}: {there} of {} records are here, {} were left out.",
                self.party, self.records, self.omitted
            ));
            if !gapless.is_empty() && gapless.len() <= 20 {
                out.push(format!("{}: without a gap are the records {}.", self.party, gapless.join(", ")));
            }
        }
        if self.redacted > 0 {
            let listed: Vec<_> = self.redacted_at.iter().take(100).map(u64::to_string).collect();
            let more = self.redacted - listed.len() as u64;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            out.push(format!("{}: withheld, with their places kept: records {}{more}.", self.party, listed.join(", ")));
        }
        out
    }
}

/// A record that is there goes on the last stretch, or begins one.
pub(super) fn stretch(out: &mut LogReport, index: u64) {
    let full = out.stretches.len() >= MAX_LISTED;
    match out.stretches.last_mut() {
        Some((_, last)) if *last + 1 == index => *last = index,
        _ if !full => out.stretches.push((index, index)),
        _ => {}
    }
}
