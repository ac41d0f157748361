//! A mirror: it follows the logs that others publish, checks all of it, and keeps it as an export folder.
//!
//! | in the mirror's folder | what |
//! |---|---|
//! | `ledger/` | the export folder (`docs/format.md`, "Export folder"), which the audit checks |
//! | `evidence/` | heads that contradict what was shown before, as they were served |
//! | `places.json` | which heads each place has shown last |
//!
//! No place is trusted: a head counts if its log signed it, a tile if it leads to the head, a record if it stands in its
//! tile and chains. Memory: some bundles, whatever the log's length.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub use super::finding::{Finding, Round, Seen, SeenReceipt};
use super::place::{FetchError, Place};
use super::tree::{SignedTree, TreeError};
use crate::audit::{GrowError, Growing};
use crate::ledger::{CredentialError, ForkProof, Keyring, MAX_PROFILE_BYTES, Timestamp, Treaty, TreatyError};
use crate::note::{MAX_NOTE_BYTES, SignedNote};
use crate::tlog::{
    Checkpoint, CheckpointError, CosignatureError, Hash, MAX_BUNDLE_BYTES, TILE_WIDTH, TilePath, Tiles,
    consistency_proof, leaf_hash, read_bundle, root_at,
};

/// What the root of a log has signed about its keys: a JSON array of signed notes.
const KEYS: &str = "keys.json";
/// Longest list of keys, in bytes.
const MAX_KEYS_BYTES: usize = 1 << 20;
/// How long the heads of one place may take in a round, so that a slow place does not keep others waiting.
const PLACE_TIME: Duration = Duration::from_secs(120);
/// Entry bundles that are fetched at once.
const BUNDLES: u64 = 8;

/// Why a mirror cannot go on. What it has kept is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The folder of the ledger.
    #[error(transparent)]
    Grow(#[from] GrowError),
    /// The treaty file.
    #[error("the treaty file: {0}")]
    Treaty(#[from] TreatyError),
    /// No place has the profile that the treaty file names.
    #[error("no place has the profile that the treaty file names; name it with --profile")]
    NoProfile,
    /// A file of the mirror's own.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        what: String,
    },
    /// Another mirror works on the folder.
    #[error("another mirror works on {}", .0.display())]
    Busy(PathBuf),
    /// The system.
    #[error("no runtime could be started: {0}")]
    Runtime(std::io::Error),
}

/// Why a place's log was not taken in, or not further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum FollowError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error("{0}: {1}")]
    Record(String, crate::ledger::RecordError),
    #[error(transparent)]
    Grow(GrowError),
}

/// Why a published head is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum HeadError {
    #[error("{0}: it is not a head that the log signed: {1}")]
    Checkpoint(String, CheckpointError),
    #[error("{0}: a receipt on it fails: {1}")]
    Receipt(String, CosignatureError),
    #[error("{0}: what should be signed by the log's root is not: {1}")]
    Keys(String, CredentialError),
    #[error("{0}: it contradicts the log, with a key that the log has replaced since, and so proves nothing")]
    Replaced(String),
}

/// The mirror.
pub struct Mirror {
    dir: PathBuf,
    ledger: Growing,
    places: Vec<Place>,
    runtime: Runtime,
    /// By place, then by `<party>/<file>`: the head that was shown last, as it was served.
    shown: BTreeMap<String, BTreeMap<String, String>>,
    _lock: File,
}

impl Mirror {
    /// Opens a mirror's folder, or makes it. Without a profile it is taken from the places, by its hash.
    pub fn open(dir: &Path, places: Vec<Place>, treaty: &[u8], profile: Option<Vec<u8>>) -> Result<Self, MirrorError> {
        let file = |path: &Path, what: &dyn std::fmt::Display| MirrorError::File {
            path: path.to_owned(),
            what: what.to_string(),
        };
        fs::create_dir_all(dir).map_err(|error| file(dir, &error))?;
        let lock = dir.join("lock");
        let locked = File::options().write(true).create(true).truncate(false).open(&lock);
        let locked = locked.map_err(|error| file(&lock, &error))?;
        match locked.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MirrorError::Busy(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(file(&lock, &error)),
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MirrorError::Runtime)?;
        let kept = fs::read(dir.join("ledger/profile.toml")).ok();
        let profile = match profile.or(kept) {
            Some(profile) => profile,
            None => find_profile(&places, &runtime, treaty)?,
        };
        let ledger = Growing::open(&dir.join("ledger"), &dir.join("unsettled"), treaty, &profile)?;
        let path = dir.join("places.json");
        let shown = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| file(&path, &error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(file(&path, &error)),
        };
        Ok(Self { dir: dir.to_owned(), ledger, places, runtime, shown, _lock: locked })
    }

    /// What is kept.
    pub fn ledger(&self) -> &Growing {
        &self.ledger
    }

    /// Looks at all places once, and takes in what is new. `progress` is told how many new records of a log are there,
    /// and of how many.
    pub fn round(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Round, MirrorError> {
        let mut round = Round::default();
        for place in self.places.clone() {
            let (mut log, mut left) = (0, PLACE_TIME);
            // A state may accede by what is read.
            while log < self.ledger.treaty().parties().len()
                && self.look(&place, log, &mut round, &mut left, progress)?
            {
                log += 1;
            }
            let is_of = |finding: &Finding| match finding {
                Finding::Refused { place: of, .. } | Finding::Unreachable { place: of, .. } => *of == place.name,
                _ => false,
            };
            if !round.seen.iter().any(|seen| seen.place == place.name) && !round.findings.iter().any(is_of) {
                round.findings.push(Finding::Nothing { place: place.name.clone() });
            }
        }
        let treaty = self.ledger.treaty();
        let of = |log: &usize| treaty.party(*log).code.clone();
        let unseen = (0..treaty.parties().len()).filter(|log| self.ledger.size(*log) == 0).map(|log| of(&log));
        round.unseen = unseen.filter(|code| !round.seen.iter().any(|seen| seen.party == *code)).collect();
        self.ledger.settle()?;
        self.remember()?;
        Ok(round)
    }

    /// Looks at one log in one place; says whether the place can be read.
    fn look(
        &mut self,
        place: &Place,
        log: usize,
        round: &mut Round,
        left: &mut Duration,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<bool, MirrorError> {
        let code = self.ledger.treaty().party(log).code.clone();
        let prefix = format!("{}/{code}", self.ledger.treaty().file().name);
        let mut seen = Seen {
            place: place.name.clone(),
            party: code.clone(),
            checkpoint: None,
            latest: None,
            receipts: Vec::new(),
        };
        let before = self.ledger.size(log);
        let mut goes_on = true;
        for file in ["checkpoint", "latest"] {
            let began = Instant::now();
            let got = self.runtime.block_on(place.get(&format!("{prefix}/{file}"), MAX_NOTE_BYTES));
            *left = left.saturating_sub(began.elapsed());
            let got = if left.is_zero() { Err(slow(place)) } else { got };
            let followed = match got {
                Ok(None) => {
                    self.vanished(place, &code, file, round);
                    continue;
                }
                Ok(Some(bytes)) => self.head(place, log, &prefix, file, &bytes, (round, &mut seen), progress),
                Err(error) => Err(TreeError::from(error).into()),
            };
            let why = match followed {
                Ok(size) => {
                    *(if file == "latest" { &mut seen.latest } else { &mut seen.checkpoint }) = Some(size);
                    continue;
                }
                Err(FollowError::Tree(TreeError::Fetch(error @ FetchError::Unreachable { .. }))) => {
                    let why = error.to_string();
                    round.findings.push(Finding::Unreachable { place: place.name.clone(), why });
                    goes_on = false;
                    break;
                }
                Err(FollowError::Grow(error)) => return Err(error.into()),
                Err(error) => error.to_string(),
            };
            let refused = Finding::Refused { party: code.clone(), place: place.name.clone(), why };
            if !round.findings.contains(&refused) {
                round.findings.push(refused);
            }
        }
        round.new += self.ledger.size(log) - before;
        if seen.checkpoint.is_some() || seen.latest.is_some() {
            round.seen.push(seen);
        }
        Ok(goes_on)
    }

    /// Takes in a published head with its records; its size.
    #[allow(clippy::too_many_arguments, reason = "the place, the file in it, and where to tell of it")]
    fn head(
        &mut self,
        place: &Place,
        log: usize,
        prefix: &str,
        file: &str,
        bytes: &[u8],
        (round, seen): (&mut Round, &mut Seen),
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<u64, FollowError> {
        let name = format!("{prefix}/{file}");
        let mut verified = verify_head(&name, bytes, log, &self.ledger);
        if matches!(verified, Err(HeadError::Checkpoint(_, CheckpointError::UnknownKey(_))))
            && self.learn_keys(place, log, prefix)?
        {
            verified = verify_head(&name, bytes, log, &self.ledger);
        }
        let (head, note, receipts) = verified?;
        let code = self.ledger.treaty().party(log).code.clone();
        self.rolled_back((place, &code, file), &head, bytes, round);
        if let Some(proof) = self.follow(place, log, &name, &head, &note, progress)? {
            // The one rule for every contradiction: what a replaced key signs, and no party's log shows, may be a thief's.
            let Ok(late) = proof.is_late::<std::convert::Infallible>(self.ledger.keys().party(log), None);
            if late {
                self.keep(&code, &note).map_err(FollowError::Grow)?;
                return Err(HeadError::Replaced(name).into());
            }
            let (smaller, larger) = proof.sizes();
            for note in [proof.heads().0, proof.heads().1] {
                self.keep(&code, note).map_err(FollowError::Grow)?;
            }
            self.ledger.fork(&proof).map_err(FollowError::Grow)?;
            round.findings.push(Finding::Fork { party: code, place: place.name.clone(), smaller, larger });
        } else {
            seen.receipts.extend(receipts);
        }
        Ok(head.size)
    }

    /// Takes in what a place knows of a log's keys, as far as the log's root has signed it; whether that is news.
    fn learn_keys(&mut self, place: &Place, log: usize, prefix: &str) -> Result<bool, FollowError> {
        let name = format!("{prefix}/{KEYS}");
        let Some(bytes) = self.runtime.block_on(place.get(&name, MAX_KEYS_BYTES)).map_err(TreeError::from)? else {
            return Ok(false);
        };
        let notes: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| TreeError::Wrong(name.clone()))?;
        let mut news = false;
        for note in notes {
            let learnt = self.ledger.announce(log, note.as_bytes());
            news |= learnt.map_err(|error| HeadError::Keys(name.clone(), error))?;
        }
        Ok(news)
    }

    /// A place has no such head: it may never have had one.
    fn vanished(&mut self, place: &Place, code: &str, file: &str, round: &mut Round) {
        if let Some((last, before)) = self.showed(place, code, file) {
            self.rollback((place, code, file), &[last], (before.size, None), round);
        }
    }

    /// A place that shows less than it did. What it showed before stays remembered: it is rolled back until it shows that
    /// again.
    fn rolled_back(&mut self, at: (&Place, &str, &str), head: &Checkpoint, bytes: &[u8], round: &mut Round) {
        let (place, code, file) = at;
        match self.showed(place, code, file).filter(|(_, before)| before.size > head.size) {
            Some((last, before)) => {
                let notes: Vec<_> = std::iter::once(last).chain(SignedNote::parse(bytes).ok()).collect();
                self.rollback(at, &notes, (before.size, Some(head.size)), round);
            }
            None => {
                let shown = self.shown.entry(place.name.clone()).or_default();
                shown.insert(format!("{code}/{file}"), String::from_utf8_lossy(bytes).into_owned());
            }
        }
    }

    /// The head that a place showed last.
    fn showed(&self, place: &Place, code: &str, file: &str) -> Option<(SignedNote, Checkpoint)> {
        let text = self.shown.get(&place.name)?.get(&format!("{code}/{file}"))?;
        let note = SignedNote::parse(text.as_bytes()).ok()?;
        let head = Checkpoint::parse(note.text()).ok()?;
        Some((note, head))
    }

    /// Keeps the heads that show that a place takes back what it showed, and says so.
    fn rollback(
        &mut self,
        (place, code, file): (&Place, &str, &str),
        notes: &[SignedNote],
        (before, now): (u64, Option<u64>),
        round: &mut Round,
    ) {
        for note in notes {
            if let Err(error) = self.keep(code, note) {
                tracing::error!(%error, "a head could not be kept as evidence");
            }
        }
        let (party, place, file) = (code.to_owned(), place.name.clone(), file.to_owned());
        round.findings.push(Finding::Rollback { party, place, file, before, now });
    }

    /// Fetches what a head covers, or proves that the log has forked.
    fn follow(
        &mut self,
        place: &Place,
        log: usize,
        name: &str,
        head: &Checkpoint,
        note: &SignedNote,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Option<ForkProof>, FollowError> {
        let prefix = name.rsplit_once('/').map_or(name, |(prefix, _)| prefix);
        let wrong = |error| HeadError::Checkpoint(name.to_owned(), error);
        let have = self.ledger.size(log);
        if head.size <= have {
            if self.ledger.root_at(log, head.size).map_err(FollowError::Grow)? == Some(head.root) {
                return Ok(None);
            }
            return self.smaller_fork(log, head, note);
        }
        let tree = SignedTree::open(place, &self.runtime, prefix, head)?;
        let (end, root) = self.ledger.end(log);
        if end > head.size || root_at(&tree, end)? != Some(root) {
            self.ledger.roll_back(log).map_err(FollowError::Grow)?;
            let (_, ours) = self.ledger.end(log);
            let theirs = root_at(&tree, have)?.filter(|theirs| *theirs != ours);
            if let (Some(theirs), Some(smaller)) = (theirs, self.ledger.head(log).filter(|_| have > 0)) {
                let proof = consistency_proof(&tree, have, head.size)?.unwrap_or_default();
                let note = bare(&self.ledger, log, note, head.size).map_err(wrong)?;
                return Ok(fork(self.ledger.keys(), smaller, &note, theirs, proof, prefix)?);
            }
        }
        let fetched = fetch_records(&mut self.ledger, place, &self.runtime, &tree, log, prefix, head, progress);
        if let Err(error) = fetched {
            // What could not be fetched goes on where it was; what is wrong is not kept.
            if !matches!(error, FollowError::Tree(TreeError::Fetch(_))) {
                self.ledger.roll_back(log).map_err(FollowError::Grow)?;
            }
            return Err(error);
        }
        if self.ledger.end(log) != (head.size, head.root) {
            self.ledger.roll_back(log).map_err(FollowError::Grow)?;
            return Err(TreeError::Wrong(format!("{prefix}: the records")).into());
        }
        // By now the records say which key it should be signed with.
        if let Err(error) = self.ledger.keys().party(log).verify_head(note) {
            self.ledger.roll_back(log).map_err(FollowError::Grow)?;
            return Err(wrong(error).into());
        }
        let note = bare(&self.ledger, log, note, head.size).map_err(wrong)?;
        self.ledger.seal(log, head, &note).map_err(FollowError::Grow)?;
        Ok(None)
    }

    /// The proof that a head which is not larger than what is kept contradicts it.
    fn smaller_fork(&self, log: usize, head: &Checkpoint, note: &SignedNote) -> Result<Option<ForkProof>, FollowError> {
        let Some(larger) = self.ledger.head(log) else { return Ok(None) };
        let size = self.ledger.size(log);
        let tree = self.ledger.tree(log, size).map_err(FollowError::Grow)?;
        let prefix = self.ledger.treaty().origin(log).to_owned();
        let read = |result: Result<_, std::convert::Infallible>| match result {
            Ok(read) => read,
            Err(never) => match never {},
        };
        let root = read(root_at(&tree, head.size)).unwrap_or(Hash([0; 32]));
        let proof = match consistency_proof(&tree, head.size, size) {
            Ok(proof) => proof.unwrap_or_default(),
            Err(never) => match never {},
        };
        let note =
            bare(&self.ledger, log, note, head.size).map_err(|error| HeadError::Checkpoint(prefix.clone(), error))?;
        Ok(fork(self.ledger.keys(), &note, larger, root, proof, &prefix)?)
    }

    /// Keeps a head as it was served, under a name that says what it is.
    fn keep(&self, code: &str, note: &SignedNote) -> Result<(), GrowError> {
        let folder = self.dir.join("evidence");
        let (size, root) = Checkpoint::parse(note.text()).map_or((0, Hash([0; 32])), |head| (head.size, head.root));
        let path = folder.join(format!("{code}-{size}-{}.checkpoint", &root.to_hex()[..16]));
        if path.exists() {
            return Ok(());
        }
        let fail = |source| GrowError::Io { path: path.clone(), source };
        fs::create_dir_all(&folder).map_err(fail)?;
        write_synced(&path, &note.to_bytes()).map_err(fail)
    }

    fn remember(&self) -> Result<(), MirrorError> {
        let path = self.dir.join("places.json");
        let fail = |what: String| MirrorError::File { path: path.clone(), what };
        let bytes = serde_json::to_vec_pretty(&self.shown).map_err(|error| fail(error.to_string()))?;
        let partial = path.with_extension("partial");
        write_synced(&partial, &bytes)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|error| fail(error.to_string()))
    }
}

fn slow(place: &Place) -> FetchError {
    let why = format!("its heads alone take longer than {} s; what is left is not looked at now", PLACE_TIME.as_secs());
    FetchError::Unreachable { url: place.name.clone(), why }
}

pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a published head: the log's own signature, and each receipt that is on it.
fn verify_head(
    name: &str,
    bytes: &[u8],
    log: usize,
    ledger: &Growing,
) -> Result<(Checkpoint, SignedNote, Vec<SeenReceipt>), HeadError> {
    let wrong = |error: CheckpointError| HeadError::Checkpoint(name.to_owned(), error);
    let note = SignedNote::parse(bytes).map_err(|error| wrong(error.into()))?;
    let head = ledger.keys().party(log).verify_head(&note).map_err(wrong)?;
    let mut receipts = Vec::new();
    for (at, party) in ledger.treaty().parties().iter().enumerate().filter(|(at, _)| *at != log) {
        let history = ledger.keys().party(at);
        match history.verify_any_cosignature(&note) {
            // By a key that was replaced, a receipt counts only as a record of its party's log.
            Ok(_) => receipts.extend(history.verify_cosignature(&note, history.size()).ok().map(|cosignature| {
                let (by, time) = (party.code.clone(), Timestamp::from_posix(cosignature.time));
                SeenReceipt { by, size: head.size, time }
            })),
            Err(CosignatureError::Missing(_)) => {}
            Err(error) => return Err(HeadError::Receipt(name.to_owned(), error)),
        }
    }
    Ok((head, note, receipts))
}

/// A verified head with the log's own lines and no other.
fn bare(ledger: &Growing, log: usize, note: &SignedNote, size: u64) -> Result<SignedNote, CheckpointError> {
    let history = ledger.keys().party(log);
    Ok(history.bare(note, size, history.size())?)
}

fn fork(
    keys: &Keyring,
    smaller: &SignedNote,
    larger: &SignedNote,
    root: Hash,
    proof: Vec<Hash>,
    prefix: &str,
) -> Result<Option<ForkProof>, TreeError> {
    ForkProof::new(keys, smaller, larger, root, proof)
        .map(Some)
        .map_err(|error| TreeError::Wrong(format!("{prefix}: a head that contradicts another one ({error})")))
}

/// Fetches the entry bundles up to a head and appends their records, each checked against its leaf in the signed tree.
#[allow(clippy::too_many_arguments, reason = "borrowed apart, so that the ledger can grow meanwhile")]
fn fetch_records(
    ledger: &mut Growing,
    place: &Place,
    runtime: &Runtime,
    tree: &SignedTree,
    log: usize,
    prefix: &str,
    head: &Checkpoint,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), FollowError> {
    let wide = TILE_WIDTH as u64;
    let (start, _) = ledger.end(log);
    let mut n = start / wide;
    while ledger.end(log).0 < head.size {
        let last = (n + BUNDLES).min(head.size.div_ceil(wide));
        let path = |n: u64| TilePath { level: None, n, width: (head.size - n * wide).min(wide) as u16 };
        let ask: Vec<_> = (n..last).map(|n| (format!("{prefix}/{}", path(n)), MAX_BUNDLE_BYTES)).collect();
        for (n, got) in (n..last).zip(place.get_all(runtime, &ask)) {
            let (path, mut got) = (path(n), got.map_err(TreeError::from)?);
            let name = format!("{prefix}/{path}");
            if got.is_none() && path.is_partial() {
                let full = format!("{prefix}/{}", path.full());
                got = runtime.block_on(place.get(&full, MAX_BUNDLE_BYTES)).map_err(TreeError::from)?;
            }
            let bytes = got.ok_or_else(|| TreeError::Missing(name.clone()))?;
            let entries = read_bundle(&bytes).filter(|entries| entries.len() >= usize::from(path.width));
            let entries = entries.ok_or_else(|| TreeError::Wrong(name.clone()))?;
            let leaves = tree.tile(0, n)?;
            for (at, (entry, leaf)) in entries.iter().zip(leaves.iter()).take(usize::from(path.width)).enumerate() {
                if leaf_hash(entry) != *leaf {
                    return Err(TreeError::Wrong(name).into());
                }
                if n * wide + at as u64 == ledger.end(log).0 {
                    ledger.append(log, entry).map_err(|error| match error {
                        GrowError::Record(index, why) => FollowError::Record(format!("{prefix}: record {index}"), why),
                        other => FollowError::Grow(other),
                    })?;
                }
            }
        }
        n = last;
        progress(ledger.end(log).0 - start, head.size - start);
    }
    Ok(())
}

/// The profile that the treaty file names, from the first place that has it.
fn find_profile(places: &[Place], runtime: &Runtime, treaty: &[u8]) -> Result<Vec<u8>, MirrorError> {
    let treaty = Treaty::parse(treaty)?;
    let name = format!("{}/profile.toml", treaty.file().name);
    for place in places {
        if let Ok(Some(bytes)) = runtime.block_on(place.get(&name, MAX_PROFILE_BYTES))
            && Hash::digest(&bytes) == treaty.file().profile_sha256
        {
            return Ok(bytes);
        }
    }
    Err(MirrorError::NoProfile)
}
