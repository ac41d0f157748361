//! Gathering the proof that a party has not answered a note.

use std::collections::BTreeMap;

use super::prove::{Gather, ProveError};
use super::storage::{LogId, LogTiles, ReadError};
use crate::ledger::{Included, MAX_SILENCE_RECORDS, Receipt, Record, SilencePart, Timestamp};
use crate::note::{MAX_SIGNATURES, Signature, SignedNote};
use crate::tlog::{CompactRange, root_at};

/// Heads of the party's log that are looked at in search of one that a quorum has seen late enough.
const MAX_HEADS_TRIED: usize = 4096;
/// Records read at a time.
const PAGE_RECORDS: u64 = 256;
const PAGE_BYTES: usize = 1 << 20;

/// Whose silence is to be shown, and until when.
#[derive(Clone, Debug)]
pub struct SilenceQuery {
    /// The party.
    pub party: LogId,
    /// The profile's rule by which it should have answered.
    pub due: Option<String>,
    /// Only what others saw of its log after this moment counts.
    pub after: Timestamp,
    /// Heads of its log that others have cosigned on demand; what does not verify is passed over.
    pub attested: Vec<Vec<u8>>,
}

/// A head of the party's log, and who saw it late enough.
struct Seen {
    text: String,
    log_signature: Signature,
    by: BTreeMap<LogId, (Signature, u64)>,
}

impl Gather<'_> {
    /// The part about the party; `size` is that of the file's own checkpoint.
    pub(super) fn silence(
        &self,
        query: &SilenceQuery,
        size: u64,
    ) -> Result<Result<SilencePart, ProveError>, ReadError> {
        let party = query.party;
        let (since, from) = self.since(party, size)?;
        let (until, head) = match self.seen_head(query, (from, size), false)? {
            Some(found) => found,
            None => return Ok(Err(ProveError::NotSeen)),
        };
        if until - from > MAX_SILENCE_RECORDS as u64 {
            return Ok(Err(ProveError::Flooded(until - from)));
        }
        let range = CompactRange::load(&LogTiles { read: self.read, log: party }, from)?;
        let range = range.ok_or_else(|| self.damaged("tiles are missing"))?;
        let mut records = Vec::new();
        while (records.len() as u64) < until - from {
            let at = from + records.len() as u64;
            let page = self.read.records(party, at, PAGE_RECORDS.min(until - at), PAGE_BYTES)?;
            if page.is_empty() {
                return Err(self.damaged("records of another log are missing"));
            }
            for bytes in page {
                records.push(String::from_utf8(bytes).map_err(|_| self.damaged("a record is not text"))?);
            }
        }
        Ok(Ok(SilencePart {
            party: self.treaty.party(party).code.clone(),
            due: query.due.clone(),
            since,
            roots: range.roots().to_vec(),
            records,
            head,
        }))
    }

    /// The last receipt for the party's log that the sender had logged before the note, and the size that it covers.
    fn since(&self, party: LogId, size: u64) -> Result<(Option<Included>, u64), ReadError> {
        let Some(entry) = self.last_receipt_before(party)? else { return Ok((None, 0)) };
        let item = self.included(self.log, entry.index, size)?;
        let receipt = Record::parse(item.record.as_bytes())
            .ok()
            .and_then(|record| Receipt::verify(record.payload, self.log, entry.index, self.keys).ok());
        let Some(receipt) = receipt else { return Ok((None, 0)) };
        let tiles = LogTiles { read: self.read, log: party };
        // The party may have forked since, so that what is held is not what was receipted then.
        let covered = receipt.checkpoint.size;
        let held = covered <= self.read.size(party)? && root_at(&tiles, covered)? == Some(receipt.checkpoint.root);
        Ok(if held { (Some(item), covered) } else { (None, 0) })
    }

    /// The smallest head of the party's log from a size on that a quorum saw late enough, or the largest one, if the `latest`
    /// is wanted; or else that which most have seen so. `size` is that of the note's log.
    ///
    /// The quorum is that at the end of the note's log in this file, as a verifier will count it: later amendments than
    /// the note's place hold for what was seen later.
    pub(super) fn seen_head(
        &self,
        query: &SilenceQuery,
        (from, size): (u64, u64),
        latest: bool,
    ) -> Result<Option<(u64, SignedNote)>, ReadError> {
        let is_quorum =
            |head: &Seen| self.treaty.is_quorum(self.adoption.of_size(size), &|by| head.by.contains_key(&by));
        let mut heads: BTreeMap<u64, Seen> = BTreeMap::new();
        for bytes in &query.attested {
            let Ok(note) = SignedNote::parse(bytes) else { continue };
            for by in 0..self.treaty.parties().len() {
                // As of now: with the key that is in force at the end of what is known.
                self.see(&note, (by, self.keys.party(by).size()), query, &mut heads)?;
            }
        }
        let other = Gather { log: query.party, held: self.read.size(query.party)?, ..*self };
        let mut at_least = from.max(1);
        for _ in 0..MAX_HEADS_TRIED {
            let entries = other.next_receipts(at_least)?;
            let Some(size) = entries.iter().map(|entry| entry.size).min() else { break };
            for entry in entries.iter().filter(|entry| entry.size == size && entry.time > query.after) {
                let Some(bytes) = self.read.record(entry.by, entry.index)? else { continue };
                let Ok(record) = Record::parse(&bytes) else { continue };
                let Ok(note) = SignedNote::parse(record.payload) else { continue };
                self.see(&note, (entry.by, entry.index), query, &mut heads)?;
            }
            if heads.get(&size).is_some_and(is_quorum) {
                break;
            }
            at_least = size + 1;
        }
        let most = heads.values().map(|head| head.by.len()).max();
        let with_quorum = |(_, head): &(&u64, &Seen)| is_quorum(head);
        let found = if latest { heads.iter().rev().find(with_quorum) } else { heads.iter().find(with_quorum) };
        let found = found.or_else(|| heads.iter().find(|(_, head)| Some(head.by.len()) == most));
        found.map(|(size, head)| Ok((*size, head.note()?))).transpose()
    }

    /// Takes in one party's cosignature on a head, if it holds, is late enough, and is about the tree held here.
    fn see(
        &self,
        note: &SignedNote,
        (by, index): (LogId, u64),
        query: &SilenceQuery,
        heads: &mut BTreeMap<u64, Seen>,
    ) -> Result<(), ReadError> {
        let (party, witness) = (self.keys.party(query.party), self.keys.party(by));
        let (Ok(checkpoint), Ok(cosignature)) = (party.verify_head(note), witness.verify_cosignature(note, index))
        else {
            return Ok(());
        };
        let lines = (party.log_line(note, checkpoint.size), witness.witness_line(note, index));
        let (Some(log_signature), Some(signature)) = (lines.0.cloned(), lines.1.cloned()) else { return Ok(()) };
        let tiles = LogTiles { read: self.read, log: query.party };
        let known = checkpoint.size <= self.read.size(query.party)?
            && root_at(&tiles, checkpoint.size)? == Some(checkpoint.root);
        if by == query.party || !known || Timestamp::from_posix(cosignature.time) <= query.after {
            return Ok(());
        }
        let seen = Seen { text: note.text().to_owned(), log_signature, by: BTreeMap::new() };
        let head = heads.entry(checkpoint.size).or_insert(seen);
        let latest = head.by.get(&by).is_none_or(|(_, time)| *time < cosignature.time);
        if latest && head.text == note.text() && head.by.len() + 1 < MAX_SIGNATURES {
            head.by.insert(by, (signature, cosignature.time));
        }
        Ok(())
    }
}

impl Seen {
    /// The log's signature, then the cosignatures in the treaty's order of parties.
    fn note(&self) -> Result<SignedNote, ReadError> {
        let mut note = SignedNote::new(self.text.clone()).map_err(|e| ReadError(e.to_string()))?;
        note.add(self.log_signature.clone());
        self.by.values().for_each(|(line, _)| note.add(line.clone()));
        Ok(note)
    }
}
