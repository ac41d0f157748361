//! Gathering evidence for one notification from stored data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::amend::adoption;
use super::rekey::load_keyring;
use super::silence::SilenceQuery;
use super::storage::{LogId, LogTiles, Read, ReadError, ReceiptEntry};
use crate::ledger::{
    Adoption, AmendmentPart, Anchor, Evidence, ForkProof, HeadPart, Included, Keyring, MAX_ANCHORS, MAX_CREDENTIALS,
    MAX_RESTARTS, Notification, Receipt, Record, RecordType, Restart, RestartPart, Treaty, carried_keys,
    verify_evidence,
};
use crate::note::{MAX_SIGNATURES, Signature, SignedNote};
use crate::tlog::{Checkpoint, Hash, MAX_EXTRA_BYTES, inclusion_proof, root_at};

/// Heads that are looked at in search of one that a whole quorum has receipted.
const MAX_HEADS_TRIED: usize = 256;

/// Why there is no evidence for a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// No such party.
    #[error("the treaty file has no party with this number")]
    NoSuchLog,
    /// The record is not held.
    #[error("the log {log} has {size} records here; number {index} is not one of them")]
    NoSuchRecord {
        /// The log's origin.
        log: String,
        /// The record asked for.
        index: u64,
        /// Number of records held.
        size: u64,
    },
    /// The record is of another type.
    #[error("record {index} is not a notification but of the type `{kind}`")]
    NotANotification {
        /// The record.
        index: u64,
        /// Its type.
        kind: &'static str,
    },
    /// No signed head that covers the record is held.
    #[error("record {0} is not covered by a signed head yet; try again when the log's next head has come")]
    NoHead(u64),
    /// Nobody has confirmed, after the moment that was named, how far the party's log goes.
    #[error(
        "no party has confirmed after that time what it holds of that log: the proof needs others' cosignatures; try \
         again when they are connected"
    )]
    NotSeen,
    /// The sender itself, or nobody.
    #[error("whose silence? That of a party other than the note's sender can be shown")]
    NoSuchParty,
    /// The party has logged more since than one file of evidence holds; a whole export shows the silence then.
    #[error(
        "since then that party has logged more than one file of evidence holds ({0} records): a whole export of the ledger \
         shows what it did not answer"
    )]
    Flooded(u64),
    /// Its parts are too many for one file.
    #[error("the evidence is larger than a file of evidence may be")]
    TooLarge,
}

/// Makes the evidence file for the notification at `index` in a log, and verifies it before handing it out.
///
/// The file's checkpoint is the smallest head that a quorum has receipted, or that with the most receipts. Parties
/// that have receipted other heads only come with those, and so do earlier receipts than the checkpoint's.
pub fn prove(
    read: &dyn Read,
    treaty: &Treaty,
    log: LogId,
    index: u64,
) -> Result<Result<Vec<u8>, ProveError>, ReadError> {
    gather(read, treaty, log, index, None)
}

/// The same, with the proof of what a party's log held instead of an answer.
pub fn prove_silence(
    read: &dyn Read,
    treaty: &Treaty,
    log: LogId,
    index: u64,
    query: &SilenceQuery,
) -> Result<Result<Vec<u8>, ProveError>, ReadError> {
    if query.party == log || query.party >= treaty.parties().len() {
        return Ok(Err(ProveError::NoSuchParty));
    }
    gather(read, treaty, log, index, Some(query))
}

/// The head of a party's log that a quorum, or most, had last seen late enough, with their cosignatures: what a whole export
/// needs beside it to show a silence that is too large for one file of evidence.
pub fn seen_head(
    read: &dyn Read,
    treaty: &Treaty,
    log: LogId,
    query: &SilenceQuery,
) -> Result<Result<Vec<u8>, ProveError>, ReadError> {
    let mut treaty = Arc::new(treaty.clone());
    if query.party == log || query.party >= treaty.parties().len() {
        return Ok(Err(ProveError::NoSuchParty));
    }
    let adoption = adoption(log, &mut treaty, read)?;
    let (keys, held) = (load_keyring(&treaty, read)?, read.size(log)?);
    let gather = Gather { read, treaty: &treaty, adoption: &adoption, keys: &keys, log, index: 0, held };
    Ok(gather.seen_head(query, (0, held), true)?.map(|(_, head)| head.to_bytes()).ok_or(ProveError::NotSeen))
}

fn gather(
    read: &dyn Read,
    treaty: &Treaty,
    log: LogId,
    index: u64,
    query: Option<&SilenceQuery>,
) -> Result<Result<Vec<u8>, ProveError>, ReadError> {
    let treaty = &mut Arc::new(treaty.clone());
    let adoption = if log < treaty.parties().len() { adoption(log, treaty, read)? } else { Adoption::default() };
    let treaty: &Treaty = treaty;
    if log >= treaty.parties().len() {
        return Ok(Err(ProveError::NoSuchLog));
    }
    let held = read.size(log)?;
    let record = match read.record(log, index)? {
        Some(record) if index < held => record,
        _ => return Ok(Err(ProveError::NoSuchRecord { log: treaty.origin(log).to_owned(), index, size: held })),
    };
    let keys = load_keyring(treaty, read)?;
    let gather = Gather { read, treaty, adoption: &adoption, keys: &keys, log, index, held };
    let parsed = Record::parse(&record).map_err(|e| gather.damaged(&e.to_string()))?;
    if parsed.kind != RecordType::Notification {
        return Ok(Err(ProveError::NotANotification { index, kind: parsed.kind.as_str() }));
    }
    let Some(heads) = gather.heads()? else { return Ok(Err(ProveError::NoHead(index))) };
    let size = heads.own.size;
    let silence = match query.map(|query| gather.silence(query, size)).transpose()? {
        Some(Err(error)) => return Ok(Err(error)),
        Some(Ok(part)) => Some(part),
        None => None,
    };
    let mut evidence = Evidence {
        index,
        record: gather.included(log, index, size)?,
        checkpoint: heads.note,
        credentials: gather.credentials(&parsed, size)?,
        heads: heads.others,
        anchors: gather.anchors(size)?,
        fork: match read.fork(log)? {
            None => None,
            Some(text) => {
                let proof = ForkProof::parse(&text, treaty).map_err(|e| gather.damaged(&e.to_string()))?;
                Some(proof.to_text())
            }
        },
        restarts: gather.restarts()?,
        silence,
        outside: Vec::new(),
        amendments: AmendmentPart::default(),
        keys: Vec::new(),
    };
    evidence.keys = carried_keys(&evidence, &keys);
    evidence.amendments = gather.amendments(&evidence, size)?;
    let bytes = evidence.to_bytes(&treaty.hash());
    if bytes.len() > MAX_EXTRA_BYTES {
        let records = evidence.silence.map(|part| part.records.len() as u64);
        return Ok(Err(records.map_or(ProveError::TooLarge, ProveError::Flooded)));
    }
    // What was stored had been verified: a failure here means that the disk has altered it since.
    verify_evidence(&bytes, treaty, None).map_err(|e| gather.damaged(&e.to_string()))?;
    Ok(Ok(bytes))
}

/// The heads of an evidence file.
struct Heads {
    own: Checkpoint,
    note: SignedNote,
    others: Vec<HeadPart>,
}

/// A head with the receipts on it.
struct Receipted {
    checkpoint: Checkpoint,
    text: String,
    log_signature: Signature,
    by: Vec<(LogId, Signature)>,
}

pub(super) struct Gather<'a> {
    pub read: &'a dyn Read,
    pub treaty: &'a Treaty,
    /// Of the note's log.
    pub adoption: &'a Adoption,
    pub keys: &'a Keyring,
    pub log: LogId,
    pub index: u64,
    pub held: u64,
}

impl Gather<'_> {
    pub(super) fn damaged(&self, what: &str) -> ReadError {
        ReadError(format!("the log {} is damaged around record {}: {what}", self.treaty.origin(self.log), self.index))
    }

    fn path(&self, log: LogId, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let path = inclusion_proof(&LogTiles { read: self.read, log }, index, size)?;
        path.ok_or_else(|| self.damaged("tiles are missing"))
    }

    pub(super) fn included(&self, log: LogId, index: u64, size: u64) -> Result<Included, ReadError> {
        let bytes = self.read.record(log, index)?;
        let record = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| self.damaged("a gap"))?;
        Ok(Included { record, path: self.path(log, index, size)? })
    }

    /// The file's own checkpoint, and further heads with the receipts that came earlier or are on no other head;
    /// `None` if no signed head covers the record.
    fn heads(&self) -> Result<Option<Heads>, ReadError> {
        let mut heads = self.receipted_heads()?;
        heads.sort_by_key(|head| head.checkpoint.size);
        let most = heads.iter().map(|head| head.by.len()).max();
        let main = heads.iter().position(|head| self.has_quorum(head));
        let Some(main) = main.or_else(|| heads.iter().position(|head| Some(head.by.len()) == most)) else {
            return self.bare_head();
        };
        let (own, note) = (heads[main].checkpoint.clone(), heads[main].note()?);
        let mut seen = BTreeSet::new();
        let mut others = Vec::new();
        for (at, mut head) in heads.into_iter().enumerate() {
            head.by.retain(|(by, _)| seen.insert(*by));
            if at != main && !head.by.is_empty() {
                let path = self.path(self.log, self.index, head.checkpoint.size)?;
                others.push(HeadPart { checkpoint: head.note()?, path });
            }
        }
        Ok(Some(Heads { own, note, others }))
    }

    /// Heads that cover the record, with the receipts on them: until each party's earliest receipt is found, and, as
    /// far as it takes, one head that a quorum has receipted.
    fn receipted_heads(&self) -> Result<Vec<Receipted>, ReadError> {
        let mut heads: Vec<Receipted> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut at_least = self.index + 1;
        for _ in 0..MAX_HEADS_TRIED {
            let entries = self.next_receipts(at_least)?;
            let Some(size) = entries.iter().map(|entry| entry.size).min() else { return Ok(heads) };
            let all_seen = entries.iter().all(|entry| seen.contains(&entry.by));
            if all_seen && heads.iter().any(|head| self.has_quorum(head)) {
                return Ok(heads);
            }
            let here: Vec<_> = entries.into_iter().filter(|entry| entry.size == size).collect();
            if let Some(head) = self.receipted(size, &here)? {
                seen.extend(head.by.iter().map(|(by, _)| *by));
                heads.push(head);
            }
            at_least = size + 1;
        }
        // Parties whose first receipt comes only after very many heads.
        let mut late: BTreeMap<u64, Vec<ReceiptEntry>> = BTreeMap::new();
        for entry in self.next_receipts(at_least)?.into_iter().filter(|entry| !seen.contains(&entry.by)) {
            late.entry(entry.size).or_default().push(entry);
        }
        for (size, entries) in late {
            heads.extend(self.receipted(size, &entries)?);
        }
        Ok(heads)
    }

    /// By other party: its first receipt on a head of at least this size, as far as the records held go.
    pub(super) fn next_receipts(&self, at_least: u64) -> Result<Vec<ReceiptEntry>, ReadError> {
        let mut entries = Vec::new();
        for by in (0..self.treaty.parties().len()).filter(|by| *by != self.log) {
            entries.extend(self.read.receipt_from(self.log, by, at_least)?.filter(|entry| entry.size <= self.held));
        }
        Ok(entries)
    }

    /// A head without receipts: the smallest that covers the record.
    fn bare_head(&self) -> Result<Option<Heads>, ReadError> {
        let Some(bytes) = self.read.head_from(self.log, self.index + 1)? else { return Ok(None) };
        let note = SignedNote::parse(&bytes).map_err(|e| self.damaged(&e.to_string()))?;
        let own = Checkpoint::parse(note.text()).map_err(|e| self.damaged(&e.to_string()))?;
        // At a changeover the old key has signed as well; one line is enough.
        let line = self.keys.party(self.log).log_line(&note, own.size).cloned();
        let mut note = SignedNote::new(note.text().to_owned()).map_err(|e| self.damaged(&e.to_string()))?;
        note.add(line.ok_or_else(|| self.damaged("a head is not signed"))?);
        Ok((own.size <= self.held).then_some(Heads { own, note, others: Vec::new() }))
    }

    fn has_quorum(&self, head: &Receipted) -> bool {
        let has = |party| head.by.iter().any(|(by, _)| *by == party);
        self.treaty.is_quorum(self.adoption.of_size(head.checkpoint.size), &has)
    }

    /// The receipts on one head; `None` if what was receipted is not the tree held here.
    fn receipted(&self, size: u64, entries: &[ReceiptEntry]) -> Result<Option<Receipted>, ReadError> {
        let root = root_at(&LogTiles { read: self.read, log: self.log }, size)?;
        let mut head: Option<Receipted> = None;
        for entry in entries {
            // A receipt may have come before the records that it is about, and turn out to be about others.
            let Some(bytes) = self.read.record(entry.by, entry.index)? else { continue };
            let Ok(record) = Record::parse(&bytes) else { continue };
            let Ok(receipt) = Receipt::verify(record.payload, entry.by, entry.index, self.keys) else { continue };
            let agrees = receipt.log == self.log && receipt.checkpoint.size == size;
            let Ok(note) = SignedNote::parse(record.payload) else { continue };
            let log_line = self.keys.party(self.log).log_line(&note, size).cloned();
            let witness_line = self.keys.party(entry.by).witness_line(&note, entry.index).cloned();
            let (Some(log_signature), Some(cosignature)) = (log_line, witness_line) else { continue };
            if !agrees || Some(receipt.checkpoint.root) != root {
                continue;
            }
            let head = head.get_or_insert_with(|| Receipted {
                checkpoint: receipt.checkpoint,
                text: note.text().to_owned(),
                log_signature,
                by: Vec::new(),
            });
            // A note has room for so many lines; with more parties than that, the others' later receipts are taken.
            if head.by.len() + 1 < MAX_SIGNATURES {
                head.by.push((entry.by, cosignature));
            }
        }
        Ok(head)
    }

    /// The records before the note that decide how its signature lines stand, and restart certificates, the latest.
    ///
    /// No others: a party that logs very many credentials must not make its own notes too large to be proved.
    fn credentials(&self, of: &Record<'_>, size: u64) -> Result<Vec<Included>, ReadError> {
        let Ok((note, _)) = Notification::of_note(of.payload) else { return Ok(Vec::new()) };
        let officials = self.keys.party(self.log).officials();
        let deciding = note.signatures().iter().flat_map(|line| officials.deciding(line, of.index, of.time));
        let mut places: BTreeSet<u64> = deciding.collect();
        let mut restarts = 0;
        for at in self.read.credentials(self.log)?.into_iter().rev().filter(|at| *at < self.index) {
            if restarts == MAX_RESTARTS {
                break;
            }
            let record = self.read.record(self.log, at)?.ok_or_else(|| self.damaged("a credential is missing"))?;
            if Record::parse(&record).is_ok_and(|record| Restart::is_named(record.payload)) {
                places.insert(at);
                restarts += 1;
            }
        }
        places.into_iter().map(|at| self.included(self.log, at, size)).collect()
    }

    /// Restart certificates that do not come before the note, each with a path to that of its heads which covers it.
    fn restarts(&self) -> Result<Vec<RestartPart>, ReadError> {
        let mut found = Vec::new();
        let tiles = LogTiles { read: self.read, log: self.log };
        for note in self.read.restarts(self.log)?.into_iter().take(MAX_RESTARTS) {
            let Ok(restart) = Restart::verify(&note, self.log, self.treaty) else { continue };
            for head in [restart.kept_head(), restart.other_head()] {
                let covers = self.index < head.size && head.size <= self.held;
                if covers && root_at(&tiles, head.size)? == Some(head.root) {
                    let path = self.path(self.log, self.index, head.size)?;
                    found.push(RestartPart { certificate: String::from_utf8_lossy(&note).into_owned(), path });
                    break;
                }
            }
        }
        Ok(found)
    }

    /// By other party: the youngest of its records that is provably older than the note.
    fn anchors(&self, size: u64) -> Result<Vec<Anchor>, ReadError> {
        let mut found = Vec::new();
        for other in (0..self.treaty.parties().len()).filter(|other| *other != self.log) {
            let Some(entry) = self.last_receipt_before(other)? else { continue };
            let Some(bytes) = self.read.record(self.log, entry.index)? else { continue };
            let Ok(record) = Record::parse(&bytes) else { continue };
            let Ok(receipt) = Receipt::verify(record.payload, self.log, entry.index, self.keys) else { continue };
            let last = receipt.checkpoint.size.wrapping_sub(1);
            // The other log may not be held as far, or be forked: then it shows nothing here.
            if receipt.log != other
                || receipt.checkpoint.size == 0
                || receipt.checkpoint.size > self.read.size(other)?
            {
                continue;
            }
            if root_at(&LogTiles { read: self.read, log: other }, receipt.checkpoint.size)?
                != Some(receipt.checkpoint.root)
            {
                continue;
            }
            let record = self.included(other, last, receipt.checkpoint.size)?;
            let Ok(older) = Record::parse(record.record.as_bytes()) else { continue };
            let time = older.time;
            found.push((time, other, Anchor { receipt: self.included(self.log, entry.index, size)?, record }));
        }
        // The latest times say the most; several of them, so that no single clock decides.
        found.sort_by_key(|(time, ..)| std::cmp::Reverse(*time));
        found.truncate(ANCHORS);
        found.sort_by_key(|(_, other, _)| *other);
        Ok(found.into_iter().map(|(.., anchor)| anchor).collect())
    }

    /// The last receipt for another log in this one, before the note. Larger heads are receipted later.
    pub(super) fn last_receipt_before(&self, other: LogId) -> Result<Option<ReceiptEntry>, ReadError> {
        let before = |entry: &ReceiptEntry| entry.index < self.index;
        let last = self.read.last_receipt(other, self.log)?;
        if last.as_ref().is_none_or(before) {
            return Ok(last);
        }
        let (mut low, mut high) = (0, last.map_or(0, |entry| entry.size));
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.read.receipt_from(other, self.log, middle)?.filter(before) {
                Some(entry) => {
                    low = entry.size + 1;
                    found = Some(entry);
                }
                None => high = middle,
            }
        }
        Ok(found)
    }
}

/// Anchors that are gathered; a file may have more.
const ANCHORS: usize = 3;
const _: () = assert!(ANCHORS <= MAX_ANCHORS);
const _: () = assert!(2 * MAX_SIGNATURES + MAX_RESTARTS <= MAX_CREDENTIALS);

impl Receipted {
    /// The log's signature, then the receipts in the treaty's order of parties.
    fn note(&self) -> Result<SignedNote, ReadError> {
        let mut note = SignedNote::new(self.text.clone()).map_err(|e| ReadError(e.to_string()))?;
        note.add(self.log_signature.clone());
        let mut by: Vec<_> = self.by.iter().collect();
        by.sort_by_key(|(by, _)| *by);
        by.into_iter().for_each(|(_, line)| note.add(line.clone()));
        Ok(note)
    }
}
