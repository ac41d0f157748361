//! An export folder that grows: how a mirror keeps the logs that it follows, so that the same audit checks them.
//!
//! Records are appended as they come and count once a signed head is written after them; both are synced then, in this
//! order. What was appended since is looked at anew when the folder is opened again. `receipts.txt` follows from the
//! records: while it does not yet, a mark stands outside the folder, and the lists are made anew from all records.

mod follow;
mod lists;
mod load;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lists::line_of;

use super::frame::{Reader, write_frame};
use super::layout::{CHECKPOINTS, FORKS, LOGS, PROFILE, RECORDS, ReceiptLine, TREATY};
use crate::ledger::{Adoption, ForkProof, Keyring, Record, RecordError, Treaty, TreatyError};
use crate::note::SignedNote;
use crate::tlog::{Appender, Checkpoint, Hash, TileWrite, Tiles, leaf_hash};

/// Most lines for `receipts.txt` that are kept in memory before they are written.
const MAX_PENDING: usize = 100_000;

/// Why a folder cannot grow. What it had before is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrowError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The treaty file.
    #[error("the treaty file: {0}")]
    Treaty(#[from] TreatyError),
    /// The profile is not the treaty file's.
    #[error("the profile's SHA-256 is not the one in the treaty file")]
    Profile,
    /// The folder holds another ledger, or something else.
    #[error("{} is not what this treaty file asks for: the folder is of another ledger, or of something else", .0.display())]
    Other(PathBuf),
    /// What was written is no longer what it was.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A record does not belong there.
    #[error("record {0}: {1}")]
    Record(u64, RecordError),
}

/// The folder.
pub struct Growing {
    folder: PathBuf,
    unsettled: PathBuf,
    /// With the amendments that the records have.
    treaty: Arc<Treaty>,
    /// The parties' keys: by all records, and by what roots are known to have signed.
    keys: Keyring,
    /// By the records that a head covers, and nothing else: the audit knows no more.
    sealed_keys: Keyring,
    /// How often these have changed.
    rekeyed: u64,
    /// The lists of receipts are to be made anew: a receipt in one log is signed with the keys of another.
    relist: bool,
    /// By log: where the amendments hold in it.
    adoptions: Vec<Adoption>,
    logs: Vec<Log>,
    /// By receipted log: lines that its list lacks.
    pending: Vec<Vec<ReceiptLine>>,
}

/// A place in a log's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Index of the next record.
    pub index: u64,
    bytes: u64,
}

struct Log {
    records: File,
    checkpoints: File,
    /// All records, those that no head covers yet included.
    end: End,
    /// Up to the last head.
    sealed: End,
    head: Option<SignedNote>,
    /// The roots of the heads that were written, by size.
    roots: BTreeMap<u64, Hash>,
    /// The records that changed one of its keys, each with its index.
    key_records: Vec<(u64, Vec<u8>)>,
    /// How many of them the list on disk has, once it was written.
    listed_keys: Option<usize>,
    /// What [`Growing::rekeyed`] was when the lines below were worked out.
    lines_of: u64,
    /// Lines that follow from records which no head covers yet.
    unsealed: Vec<(usize, ReceiptLine)>,
}

#[derive(Clone)]
struct End {
    edge: Appender,
    last_leaf: Hash,
    bytes: u64,
}

impl Growing {
    /// Opens a folder, or makes it. `unsettled` is the mark's path, outside the folder.
    pub fn open(folder: &Path, unsettled: &Path, treaty: &[u8], profile: &[u8]) -> Result<Self, GrowError> {
        let parsed = Treaty::parse(treaty)?;
        if Hash::digest(profile) != parsed.file().profile_sha256 {
            return Err(GrowError::Profile);
        }
        for (name, bytes) in [(TREATY, treaty), (PROFILE, profile)] {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(found) if found == bytes => {}
                Ok(_) => return Err(GrowError::Other(path)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(folder).map_err(|source| GrowError::Io { path: folder.to_owned(), source })?;
                    put(&path, bytes)?;
                }
                Err(source) => return Err(GrowError::Io { path, source }),
            }
        }
        let treaty = follow::amended(folder, parsed, profile)?;
        let mut growing = Self {
            folder: folder.to_owned(),
            unsettled: unsettled.to_owned(),
            keys: Keyring::new(&treaty),
            sealed_keys: Keyring::new(&treaty).settled(),
            rekeyed: 0,
            relist: false,
            adoptions: vec![Adoption::default(); treaty.parties().len()],
            pending: vec![Vec::new(); treaty.parties().len()],
            treaty: Arc::new(treaty),
            logs: Vec::new(),
        };
        growing.follows_from_treaty()?;
        let again = unsettled.exists();
        growing.load_new()?;
        growing.relist = again;
        if again {
            growing.settle()?;
        }
        Ok(growing)
    }

    /// Reads the logs of parties that are not loaded yet.
    fn load_new(&mut self) -> Result<(), GrowError> {
        while self.logs.len() < self.treaty.parties().len() {
            let loaded = self.load(self.logs.len())?;
            self.logs.push(loaded);
            self.seal_keys(self.logs.len() - 1)?;
        }
        Ok(())
    }

    /// The treaty.
    pub fn treaty(&self) -> &Treaty {
        &self.treaty
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Records of a log that a head covers.
    pub fn size(&self, log: usize) -> u64 {
        self.logs[log].sealed.edge.size()
    }

    /// All records of a log, and their root: also those that no head covers yet.
    pub fn end(&self, log: usize) -> (u64, Hash) {
        let edge = &self.logs[log].end.edge;
        (edge.size(), edge.root())
    }

    /// The newest head of a log, bare.
    pub fn head(&self, log: usize) -> Option<&SignedNote> {
        self.logs[log].head.as_ref()
    }

    /// The root over a log's first records; `None` if it has fewer that a head covers.
    pub fn root_at(&self, log: usize, size: u64) -> Result<Option<Hash>, GrowError> {
        if size > self.size(log) {
            return Ok(None);
        }
        match self.logs[log].roots.get(&size) {
            Some(root) => Ok(Some(*root)),
            None => Ok(Some(self.tree(log, size)?.edge.root())),
        }
    }

    /// The tree over a log's first records, in memory: 32 bytes a record.
    pub fn tree(&self, log: usize, size: u64) -> Result<Tree, GrowError> {
        let mut tree = Tree::default();
        let path = self.file(log, RECORDS);
        let mut full = Vec::new();
        self.each(&path, size, |bytes| {
            tree.edge.push(leaf_hash(bytes), &mut full);
            Ok(())
        })?;
        let edge: Vec<_> = tree.edge.partial_tiles().collect();
        tree.tiles = full.into_iter().chain(edge).map(|tile: TileWrite| ((tile.level, tile.n), tile.hashes)).collect();
        Ok(tree)
    }

    /// Hands out the records of a log that a head covers and that come after a position, which moves behind them.
    pub fn since(
        &self,
        log: usize,
        position: &mut Position,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<(), GrowError> {
        let path = self.file(log, RECORDS);
        let damaged = |what: &str| GrowError::Damaged { path: path.clone(), what: what.to_owned() };
        let mut file = open(&path)?;
        file.seek(SeekFrom::Start(position.bytes)).map_err(|source| GrowError::Io { path: path.clone(), source })?;
        let mut reader = Reader::new(BufReader::new(file));
        let start = position.bytes;
        while position.index < self.size(log) {
            let frame = reader.next_frame("record").map_err(|broken| damaged(&broken.what()))?;
            let (index, bytes) = frame.ok_or_else(|| damaged("it ends early"))?;
            each(index, &bytes);
            *position = Position { index: index + 1, bytes: start + reader.bytes };
        }
        Ok(())
    }

    fn each(
        &self,
        path: &Path,
        count: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), GrowError>,
    ) -> Result<(), GrowError> {
        let damaged = |what: &str| GrowError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let mut reader = Reader::new(BufReader::new(open(path)?));
        for _ in 0..count {
            let frame = reader.next_frame("record").map_err(|broken| damaged(&broken.what()))?;
            each(&frame.ok_or_else(|| damaged("it ends early"))?.1)?;
        }
        Ok(())
    }

    /// Appends a record. It counts when a head covers it.
    pub fn append(&mut self, log: usize, bytes: &[u8]) -> Result<(), GrowError> {
        let path = self.file(log, RECORDS);
        let origin = self.treaty.origin(log).to_owned();
        let of = &mut self.logs[log];
        let index = of.end.edge.size();
        let record = Record::parse_at(bytes, &origin, index, &of.end.last_leaf)
            .map_err(|error| GrowError::Record(index, error))?;
        let mut frame = Vec::with_capacity(bytes.len() + 40);
        let written = write_frame(&mut frame, "record", index, bytes).and_then(|()| of.records.write_all(&frame));
        written.map_err(|source| GrowError::Io { path, source })?;
        if of.end.bytes == of.sealed.bytes {
            of.lines_of = self.rekeyed;
        }
        of.unsealed.extend(line_of(&record, log, &self.sealed_keys));
        of.end.last_leaf = leaf_hash(bytes);
        of.end.edge.push(of.end.last_leaf, &mut Vec::new());
        of.end.bytes += frame.len() as u64;
        if self.absorb(log, &record)? {
            self.logs[log].key_records.push((index, bytes.to_vec()));
        }
        self.load_new()
    }

    /// Writes a head that covers all records, whose root is the head's: the caller has checked that the log signed it.
    pub fn seal(&mut self, log: usize, head: &Checkpoint, note: &SignedNote) -> Result<(), GrowError> {
        if !self.unsettled.exists() {
            put(&self.unsettled, b"")?;
        }
        let (records, checkpoints) = (self.file(log, RECORDS), self.file(log, CHECKPOINTS));
        let of = &mut self.logs[log];
        of.records.sync_data().map_err(|source| GrowError::Io { path: records, source })?;
        let mut frame = Vec::new();
        let written = write_frame(&mut frame, "checkpoint", head.size, &note.to_bytes())
            .and_then(|()| of.checkpoints.write_all(&frame))
            .and_then(|()| of.checkpoints.sync_data());
        written.map_err(|source| GrowError::Io { path: checkpoints, source })?;
        of.sealed = of.end.clone();
        of.head = Some(note.clone());
        of.roots.insert(head.size, head.root);
        // A key changed since they were worked out: they are all worked out anew.
        self.relist |= of.lines_of != self.rekeyed;
        for (receipted, line) in of.unsealed.drain(..) {
            self.pending[receipted].push(line);
        }
        self.seal_keys(log)?;
        if self.pending.iter().map(Vec::len).sum::<usize>() > MAX_PENDING { self.settle() } else { Ok(()) }
    }

    /// Forgets the records that no head covers.
    pub fn roll_back(&mut self, log: usize) -> Result<(), GrowError> {
        let path = self.file(log, RECORDS);
        let of = &mut self.logs[log];
        of.unsealed.clear();
        of.end = of.sealed.clone();
        let size = of.end.edge.size();
        of.key_records.retain(|(index, _)| *index < size);
        self.keys.party_mut(log).forget_from(size);
        self.adoptions[log].forget_from(size);
        of.records.set_len(of.end.bytes).map_err(|source| GrowError::Io { path, source })
    }

    /// Keeps the proof that a log forked; says whether it was not kept before.
    pub fn fork(&mut self, proof: &ForkProof) -> Result<bool, GrowError> {
        let folder = self.folder.join(FORKS);
        let path = folder.join(format!("{}.txt", self.treaty.party(proof.log()).code));
        if path.exists() {
            return Ok(false);
        }
        fs::create_dir_all(&folder).map_err(|source| GrowError::Io { path: folder, source })?;
        put(&path, proof.to_text().as_bytes()).map(|()| true)
    }

    /// Whether the proof that a log forked is kept.
    pub fn is_forked(&self, log: usize) -> bool {
        self.folder.join(FORKS).join(format!("{}.txt", self.treaty.party(log).code)).exists()
    }

    fn file(&self, log: usize, name: &str) -> PathBuf {
        self.folder.join(LOGS).join(&self.treaty.party(log).code).join(name)
    }
}

/// The tree over a log's first records.
#[derive(Default)]
pub struct Tree {
    edge: Appender,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

impl Tiles for Tree {
    type Error = Infallible;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Infallible> {
        Ok(self.tiles.get(&(level, n)).cloned().unwrap_or_default())
    }
}

fn open(path: &Path) -> Result<File, GrowError> {
    File::open(path).map_err(|source| GrowError::Io { path: path.to_owned(), source })
}

/// Writes a small file whole, synced.
fn put(path: &Path, bytes: &[u8]) -> Result<(), GrowError> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| GrowError::Io { path: path.to_owned(), source })
}
