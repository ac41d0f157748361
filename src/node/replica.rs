//! One log as this node holds it: its tree's edge, its signed heads, who has receipted it, and whether it forked.
//!
//! Records are checked as a whole page (chain, tree, signed root) before any of them is taken in.

use std::collections::VecDeque;

use super::rekey::Place;
use super::storage::{Batch, Cosigned, LogId, LogTiles, NewRecord, Read, ReadError};
use crate::ledger::{
    Adoption, ForkProof, KeyHistory, Keyring, Record, RecordError, RecordType, Restart, Timestamp, Treaty,
};
use crate::note::SignedNote;
use crate::tlog::{
    Appender, Checkpoint, CheckpointError, Hash, TileWrite, Tiles, leaf_hash, root_at, verify_consistency,
};

/// Roots remembered per log, so that heads and receipts seen again cost no hashing.
const RECENT_ROOTS: usize = 64;
/// Contradicting heads remembered per log while a proof is being asked for.
const MAX_SUSPECTS: usize = 4;
/// Heads that are remembered per log until records tell where they lie. Those in others' logs are found again there.
const MAX_DOUBTS: usize = 8;

/// A head that the log signed.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub checkpoint: Checkpoint,
    pub note: SignedNote,
}

impl Head {
    /// Reads a head and verifies that its log signed it, with a key in force; says which log it is of. Only the log's
    /// own signatures are kept.
    pub fn verify(note: &SignedNote, keys: &Keyring) -> Result<(LogId, Self), CheckpointError> {
        let (log, checkpoint) = keys.verify_head(note)?;
        let note = keys.party(log).bare(note, checkpoint.size, keys.party(log).size())?;
        Ok((log, Self { checkpoint, note }))
    }

    /// A stored head, which was verified when it was written.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let note = SignedNote::parse(bytes).ok()?;
        Some(Self { checkpoint: Checkpoint::parse(note.text()).ok()?, note })
    }

    /// The same, for a head of the log with this history, which is known up to a size.
    pub fn verify_by(note: &SignedNote, history: &KeyHistory, known: u64) -> Result<Self, CheckpointError> {
        let checkpoint = history.verify_head_at(note, known)?;
        let note = history.bare(note, checkpoint.size, known)?;
        Ok(Self { checkpoint, note })
    }
}

/// Why a page of records was not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// Bytes that are not a record, or a chain that does not hold at this index.
    #[error("record {0}: {1}")]
    Record(u64, RecordError),
    /// The records do not lead to the signed head.
    #[error("they do not lead to the signed head")]
    Root,
}

/// Where a log ends.
#[derive(Clone)]
pub(super) struct End {
    edge: Appender,
    last_leaf: Hash,
    wants_until: u64,
}

/// A page that was checked, ready to be taken in.
pub(super) struct Page {
    pub edge: Appender,
    last_leaf: Hash,
    full: Vec<TileWrite>,
    kinds: Vec<RecordType>,
    /// When each record was logged, by the log's own word.
    pub times: Vec<Timestamp>,
}

pub(super) struct Replica {
    pub log: LogId,
    /// Which amendments hold in this log, by place.
    pub adoption: Adoption,
    edge: Appender,
    last_leaf: Hash,
    /// The largest signed head that the records held cover.
    pub head: Option<Head>,
    /// A larger signed head, whose records are still to come.
    pub target: Option<Head>,
    /// The head whose tree the last page was checked to be part of, while the records held do not reach it.
    covering: Option<Head>,
    /// Signed heads that do not fit the records held, until the fork is proved.
    suspects: Vec<Head>,
    /// The last head that this party cosigned.
    pub cosigned: Option<Cosigned>,
    /// Size after the last record for which a receipt is owed.
    pub wants_until: u64,
    /// By party: the largest head that it has receipted, of those that the records held were seen to agree with.
    pub receipted: Vec<u64>,
    /// By party: the largest head that it has receipted at all. It counts when the records are held, if it fits them.
    pub stated: Vec<u64>,
    pub fork: Option<ForkProof>,
    /// Restart certificates that were accepted, with the notes they came as, by the size of the kept head.
    pub restarts: Vec<(Restart, Vec<u8>)>,
    /// Signed heads of a log that was restarted, which are still to be compared with the records to come; and the place
    /// where each stands, if it stands in a log.
    doubts: Vec<(Head, Option<Place>)>,
    /// In this step the end of the log was set aside: nothing is taken in before that is stored.
    pub turned: bool,
    recent: VecDeque<(u64, Hash)>,
    changed: bool,
}

impl Replica {
    /// Loads a log's state from stored data and verifies its edge: the chain's tail, and the root against the head.
    pub fn load(log: LogId, treaty: &Treaty, keys: &Keyring, read: &dyn Read) -> Result<Self, ReadError> {
        let damaged = |what: &str| ReadError(format!("the log {} is damaged: {what}; run fsck", treaty.origin(log)));
        let size = read.size(log)?;
        let tiles = LogTiles { read, log };
        let edge = Appender::load(&tiles, size)?.ok_or_else(|| damaged("tiles are missing"))?;
        let mut last_leaf = treaty.hash();
        if size > 0 {
            let bytes = read.record(log, size - 1)?.ok_or_else(|| damaged("its last record is missing"))?;
            last_leaf = leaf_hash(&bytes);
            let stored = tiles.subtree(0, size - 1)?;
            if stored != Some(last_leaf) {
                return Err(damaged("its last record does not hash to its leaf"));
            }
        }
        let load_head = |note: Option<Vec<u8>>| -> Result<Option<Head>, ReadError> {
            let Some(bytes) = note else { return Ok(None) };
            let note = SignedNote::parse(&bytes).map_err(|e| damaged(&e.to_string()))?;
            match Head::verify_by(&note, keys.party(log), size) {
                Ok(head) => Ok(Some(head)),
                // A larger head, by a key whose credential has not come yet: it is learnt of anew.
                Err(CheckpointError::UnknownKey(_) | CheckpointError::NotInForce { .. })
                    if Checkpoint::parse(note.text()).is_ok_and(|stated| stated.size > size) =>
                {
                    Ok(None)
                }
                Err(error) => Err(damaged(&error.to_string())),
            }
        };
        let head = load_head(read.head(log, size)?)?;
        let target = load_head(read.head_from(log, size + 1)?)?;
        if let Some(head) = &head
            && root_at(&tiles, head.checkpoint.size)? != Some(head.checkpoint.root)
        {
            return Err(damaged("its records do not lead to its signed head"));
        }
        let fork = match read.fork(log)? {
            Some(text) => Some(ForkProof::parse(&text, treaty).map_err(|e| damaged(&e.to_string()))?),
            None => None,
        };
        let mut restarts = Vec::new();
        for note in read.restarts(log)? {
            restarts.push((Restart::verify(&note, log, treaty).map_err(|e| damaged(&e.to_string()))?, note));
        }
        let (mut receipted, mut stated) = (Vec::new(), Vec::new());
        for by in 0..treaty.parties().len() {
            stated.push(read.last_receipt(log, by)?.map_or(0, |entry| entry.size));
            receipted.push(last_receipt_within(read, log, by, size)?);
        }
        let cosigned = read.cosigned(log)?;
        let mut wants_until = 0;
        // From the end: a long log that was never receipted mostly ends in a record that wants a receipt.
        for index in (cosigned.map_or(0, |c| c.size)..size).rev() {
            let bytes = read.record(log, index)?.ok_or_else(|| damaged("a record is missing"))?;
            let record = Record::parse(&bytes).map_err(|e| damaged(&e.to_string()))?;
            if record.kind.wants_receipt() {
                wants_until = index + 1;
                break;
            }
        }
        let recent = VecDeque::new();
        let covering = target.clone();
        let (suspects, changed) = (Vec::new(), false);
        Ok(Self {
            log,
            adoption: Adoption::default(),
            edge,
            last_leaf,
            head,
            target,
            covering,
            suspects,
            cosigned,
            wants_until,
            receipted,
            stated,
            fork,
            restarts,
            doubts: Vec::new(),
            turned: false,
            recent,
            changed,
        })
    }

    /// Records held.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Leaf hash of the last record, to which the next one chains.
    pub fn last_leaf(&self) -> Hash {
        self.last_leaf
    }

    /// Where the log ends now.
    pub fn end(&self) -> End {
        End { edge: self.edge.clone(), last_leaf: self.last_leaf, wants_until: self.wants_until }
    }

    /// Forgets the records after an earlier end, which were not written yet.
    pub fn return_to(&mut self, end: End) {
        (self.edge, self.last_leaf, self.wants_until) = (end.edge, end.last_leaf, end.wants_until);
        let size = self.edge.size();
        self.adoption.forget_from(size);
        self.recent.retain(|(of, _)| *of <= size);
    }

    /// Root over all records held.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Size of the largest signed head held.
    pub fn head_size(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.checkpoint.size)
    }

    /// Size of the largest signed head known, held or not.
    pub fn known_size(&self) -> u64 {
        self.target.as_ref().map_or(self.head_size(), |target| target.checkpoint.size.max(self.head_size()))
    }

    /// The root that the records held have at a size, which must not exceed them.
    pub fn root_at(&mut self, size: u64, batch: &Batch, read: &dyn Read) -> Result<Option<Hash>, ReadError> {
        if let Some((_, root)) = self.recent.iter().find(|(s, _)| *s == size) {
            return Ok(Some(*root));
        }
        let root = root_at(&self.tiles(batch, read), size)?;
        if let Some(root) = root {
            self.remember(size, root);
        }
        Ok(root)
    }

    /// The log's tiles, those not yet written included.
    pub fn tiles<'a>(&'a self, batch: &'a Batch, read: &'a dyn Read) -> PendingTiles<'a> {
        PendingTiles { replica: self, batch, read }
    }

    /// Remembers the root at a size.
    pub fn remember(&mut self, size: u64, root: Hash) {
        if self.recent.len() == RECENT_ROOTS {
            self.recent.pop_front();
        }
        self.recent.push_back((size, root));
    }

    /// Checks that records continue this log; changes nothing.
    pub fn check(&self, origin: &str, records: &[Vec<u8>]) -> Result<Page, PageError> {
        let (mut edge, mut last_leaf) = (self.edge.clone(), self.last_leaf);
        let (mut full, mut times) = (Vec::new(), Vec::with_capacity(records.len()));
        let mut kinds = Vec::with_capacity(records.len());
        for bytes in records {
            let index = edge.size();
            let record = Record::parse_at(bytes, origin, index, &last_leaf).map_err(|e| PageError::Record(index, e))?;
            kinds.push(record.kind);
            times.push(record.time);
            last_leaf = leaf_hash(bytes);
            edge.push(last_leaf, &mut full);
        }
        Ok(Page { edge, last_leaf, full, kinds, times })
    }

    /// Takes in a page that was checked against this very state.
    pub fn adopt(&mut self, page: Page, records: Vec<Vec<u8>>, batch: &mut Batch) {
        let from = self.edge.size();
        for ((index, bytes), kind) in (from..).zip(records).zip(page.kinds) {
            if kind.wants_receipt() {
                self.wants_until = index + 1;
            }
            batch.records.push(NewRecord { log: self.log, index, kind, bytes });
        }
        batch.tiles.extend(page.full.into_iter().map(|tile| (self.log, tile)));
        self.edge = page.edge;
        self.last_leaf = page.last_leaf;
        self.changed = true;
    }

    /// Makes a head, which the records held cover exactly, the log's head.
    pub fn set_head(&mut self, head: Head, batch: &mut Batch) {
        let size = head.checkpoint.size;
        self.remember(size, head.checkpoint.root);
        batch.heads.push((self.log, size, head.note.to_bytes()));
        if self.target.as_ref().is_some_and(|target| target.checkpoint.size <= size) {
            self.target = None;
        }
        self.head = Some(head);
    }

    /// A head that was to be caught up with is not of this log.
    pub fn give_up(&mut self, head: &Checkpoint) {
        self.target = self.target.take().filter(|target| target.checkpoint != *head);
    }

    /// After a page was taken in: keeps the head that covers it, which becomes the log's head where they end together.
    pub fn cover(&mut self, head: Head, batch: &mut Batch) {
        if head.checkpoint.size == self.size() {
            self.covering = None;
            self.set_head(head, batch);
            return;
        }
        let size = head.checkpoint.size;
        if self.covering.as_ref().is_none_or(|before| before.checkpoint.size != size) {
            // Kept with the records: it is what they were checked against, should the node stop before the rest comes.
            batch.heads.push((self.log, size, head.note.to_bytes()));
        }
        if self.known_size() < size {
            self.target = Some(head.clone());
        }
        self.covering = Some(head);
    }

    /// The signed head whose tree holds all records held.
    pub fn anchor(&self) -> Option<&Head> {
        self.covering.as_ref().or(self.head.as_ref())
    }

    /// Remembers a signed head that does not fit.
    pub fn suspect(&mut self, head: Head) {
        if self.suspects.iter().any(|other| other.checkpoint == head.checkpoint) {
            return;
        }
        if self.suspects.len() == MAX_SUSPECTS {
            self.suspects.remove(0);
        }
        self.suspects.push(head);
    }

    /// Signed heads that do not fit.
    pub fn suspects(&self) -> impl Iterator<Item = &Head> {
        self.suspects.iter()
    }

    /// Forgets them: a certificate says what they are.
    pub fn forget_suspects(&mut self) {
        self.suspects.clear();
    }

    /// Remembers a head of which missing records will tell whether it is of this log, or of a branch that was accepted.
    pub fn doubt(&mut self, head: Head, seen: Option<Place>) {
        let known = self.doubts.iter().any(|(other, _)| other.checkpoint == head.checkpoint);
        if !known && self.doubts.len() < MAX_DOUBTS {
            self.doubts.push((head, seen));
        }
    }

    /// The heads in doubt.
    pub fn doubts(&self) -> impl Iterator<Item = &Head> {
        self.doubts.iter().map(|(head, _)| head)
    }

    /// The same, to be looked at again.
    pub fn take_doubts(&mut self) -> Vec<(Head, Option<Place>)> {
        std::mem::take(&mut self.doubts)
    }

    /// The log ends here from now on: what came after is set aside.
    pub fn cut(&mut self, edge: Appender, last_leaf: Hash, head: Option<Head>, receipted: Vec<u64>) {
        (self.edge, self.last_leaf, self.head) = (edge, last_leaf, head);
        let size = self.edge.size();
        self.wants_until = self.wants_until.min(size);
        self.adoption.forget_from(size);
        (self.target, self.covering, self.changed, self.turned) = (None, None, false, true);
        self.recent.clear();
        self.stated.clone_from(&receipted);
        self.receipted = receipted;
    }

    fn signed(&self) -> impl Iterator<Item = &Head> {
        [&self.head, &self.covering, &self.target].into_iter().flatten().chain(&self.suspects)
    }

    /// Verified heads of a size that are at hand.
    pub fn signed_at(&self, size: u64) -> impl Iterator<Item = &Head> {
        self.signed().filter(move |head| head.checkpoint.size == size)
    }

    /// A verified head at hand with just these bytes.
    pub fn known_head(&self, bytes: &[u8]) -> Option<Head> {
        self.signed().find(|head| head.note.to_bytes() == bytes).cloned()
    }

    /// The log's keys have changed: what is still to come is kept only if a key signed it that is in force for it.
    pub fn review_heads(&mut self, history: &KeyHistory) {
        let holds = |head: &Head| history.verify_head(&head.note).is_ok();
        self.target = self.target.take().filter(holds);
        self.covering = self.covering.take().filter(holds);
        self.suspects.retain(holds);
    }

    /// Whether a stated head says nothing new.
    pub fn knows(&self, stated: &Checkpoint) -> bool {
        let recent = self.recent.iter().any(|(size, root)| *size == stated.size && *root == stated.root);
        let head = |head: &Option<Head>| head.as_ref().is_some_and(|head| head.checkpoint == *stated);
        recent || head(&self.head) || head(&self.target)
    }

    /// Adds the partial tiles to the batch, once a step, if records came in.
    pub fn finish(&mut self, batch: &mut Batch) {
        self.turned = false;
        if std::mem::take(&mut self.changed) {
            batch.tiles.extend(self.edge.partial_tiles().map(|tile| (self.log, tile)));
        }
    }
}

/// Size of the largest head of at most `size` that a party has receipted, or 0.
pub(super) fn last_receipt_within(read: &dyn Read, log: LogId, by: LogId, size: u64) -> Result<u64, ReadError> {
    let (mut found, mut end) = (0, size + 1);
    while found + 1 < end {
        let middle = found + 1 + (end - found - 1) / 2;
        match read.receipt_from(log, by, middle)?.filter(|entry| entry.size < end) {
            Some(entry) => found = entry.size,
            None => end = middle,
        }
    }
    Ok(found)
}

impl Page {
    /// What each record is.
    pub fn kinds(&self) -> &[RecordType] {
        &self.kinds
    }

    /// Checks the page's end against a signed head: the same root, or a proof that the head extends it.
    pub fn covered_by(&self, head: &Checkpoint, proof: &[Hash]) -> Result<(), PageError> {
        let (size, root) = (self.edge.size(), self.edge.root());
        verify_consistency(size, &root, head.size, &head.root, proof).map_err(|_| PageError::Root)
    }
}

/// Tiles of a log including what the current step has not written yet.
pub(super) struct PendingTiles<'a> {
    replica: &'a Replica,
    batch: &'a Batch,
    read: &'a dyn Read,
}

impl Tiles for PendingTiles<'_> {
    type Error = ReadError;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        if let Some(partial) = self.replica.edge.partial(level, n) {
            return Ok(partial.to_vec());
        }
        let pending =
            |(log, tile): &&(LogId, TileWrite)| *log == self.replica.log && tile.level == level && tile.n == n;
        match self.batch.tiles.iter().rev().find(pending) {
            Some((_, tile)) => Ok(tile.hashes.clone()),
            None => self.read.tile(self.replica.log, level, n),
        }
    }
}
