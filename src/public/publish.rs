//! The ledger as static files: to a folder, or to a store that speaks the S3 protocol.
//!
//! Nothing that is published is ever replaced by less. Tiles and entry bundles go first, and only when all of them are
//! there the head that needs them: whoever reads meanwhile, or after a crash, finds a whole log, if an older one. A long
//! log is published in steps, each to a head of its own, so that what was interrupted goes on where it was.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error as ObjectError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
};

use super::shown::{Caching, Resource, Shown};
use crate::ledger::MAX_TREATY_BYTES;
use crate::node::{LogId, LogTiles, Read, ReadError, load_keyring};
use crate::note::{MAX_NOTE_BYTES, SignedNote};
use crate::tlog::{Checkpoint, Hash, TILE_WIDTH, TilePath, root_at};

/// Records from one step to the next, at least.
const STEP_RECORDS: u64 = 64 * TILE_WIDTH as u64;
/// Objects that are uploaded at once.
const UPLOADS: usize = 16;

/// Why nothing more was published. What was published stays as it was, whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The address of the target.
    #[error("{0} is not a place to publish to: name a folder, or s3://bucket/prefix ({1})")]
    Target(String, String),
    /// Another process publishes there.
    #[error("another process is publishing to {}", .0.display())]
    Busy(PathBuf),
    /// Reading from or writing to the target.
    #[error("{path}: {error}")]
    Object {
        /// Which object.
        path: String,
        /// Why.
        error: ObjectError,
    },
    /// Reading stored data.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is there belongs to another treaty file.
    #[error("another treaty file is published there already, with the SHA-256 {}", .0.to_hex())]
    OtherTreaty(Hash),
    /// The published head is larger than what is here.
    #[error("{path} has {published} records, and here are {here}: what is published is never replaced by less")]
    Backwards {
        /// Which head.
        path: String,
        /// Its size.
        published: u64,
        /// Size here.
        here: u64,
    },
    /// The published head is of another history.
    #[error("{path} contradicts what is here: the {size} records that it was signed over are others")]
    Contradicts {
        /// Which head.
        path: String,
        /// Its size.
        size: u64,
    },
    /// The published head is not one.
    #[error("{0} is not a head that the log signed; remove it if it does not belong there")]
    NotAHead(String),
    /// Somebody else published meanwhile.
    #[error("{0} was changed by somebody else meanwhile; run it again")]
    Meanwhile(String),
}

/// Where to publish.
pub struct Target {
    store: Arc<dyn ObjectStore>,
    base: Path,
    /// Whether objects carry a media type and caching headers.
    attributes: bool,
    _lock: Option<File>,
}

/// What was published of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PublishedLog {
    /// Code of the party whose log it is.
    pub party: String,
    /// Size of the newest signed head that is there now.
    pub latest: u64,
    /// Size of the newest head with a quorum of receipts that is there now; 0 if there is none.
    pub checkpoint: u64,
    /// Records that were not there before.
    pub new: u64,
}

impl Target {
    /// A folder, or `s3://bucket/prefix` with region, endpoint and credentials from the usual environment variables
    /// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, …).
    pub fn open(text: &str) -> Result<Self, PublishError> {
        let wrong = |why: &dyn std::fmt::Display| PublishError::Target(text.to_owned(), why.to_string());
        if let Some(rest) = text.strip_prefix("s3://") {
            let store = AmazonS3Builder::from_env().with_url(text).build().map_err(|e| wrong(&e))?;
            let base = rest.split_once('/').map_or("", |(_, prefix)| prefix).trim_end_matches('/');
            let base = Path::parse(base).map_err(|e| wrong(&e))?;
            return Ok(Self { store: Arc::new(store), base, attributes: true, _lock: None });
        }
        if text.contains("://") {
            return Err(wrong(&"other stores are not supported"));
        }
        let folder = PathBuf::from(text);
        std::fs::create_dir_all(&folder).map_err(|e| wrong(&e))?;
        let lock = File::options().write(true).create(true).truncate(false).open(folder.join(".verbale-publish.lock"));
        let lock = lock.map_err(|e| wrong(&e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PublishError::Busy(folder)),
            Err(TryLockError::Error(error)) => return Err(wrong(&error)),
        }
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|e| wrong(&e))?.with_fsync(true);
        Ok(Self { store: Arc::new(store), base: Path::default(), attributes: false, _lock: Some(lock) })
    }

    /// A store that was set up by the caller, and a prefix in it.
    pub fn of_store(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self { store, base: Path::from(prefix), attributes: true, _lock: None }
    }

    fn path(&self, name: &str) -> Path {
        self.base.parts().chain(Path::from(name).parts()).collect()
    }

    /// An object of at most so many bytes, and its version.
    async fn get(&self, name: &str, max: usize) -> Result<Option<(Vec<u8>, UpdateVersion)>, PublishError> {
        let fail = |error| PublishError::Object { path: name.to_owned(), error };
        let found = match self.store.get(&self.path(name)).await {
            Ok(found) => found,
            Err(ObjectError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        if found.meta.size > max as u64 {
            return Err(PublishError::NotAHead(name.to_owned()));
        }
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        Ok(Some((found.bytes().await.map_err(fail)?.to_vec(), version)))
    }

    async fn put(&self, name: &str, resource: Resource, mode: PutMode) -> Result<(), PublishError> {
        let mut attributes = Attributes::new();
        if self.attributes {
            let lasting = match resource.caching {
                Caching::Immutable => "public, max-age=31536000, immutable",
                Caching::Short => "public, max-age=5",
            };
            attributes.insert(Attribute::ContentType, resource.media.into());
            attributes.insert(Attribute::CacheControl, lasting.into());
        }
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        match self.store.put_opts(&self.path(name), resource.bytes.into(), options).await {
            Ok(_) => Ok(()),
            Err(ObjectError::Precondition { .. } | ObjectError::AlreadyExists { .. }) => {
                Err(PublishError::Meanwhile(name.to_owned()))
            }
            Err(error) => Err(PublishError::Object { path: name.to_owned(), error }),
        }
    }

    /// Writes an object in place of the version that was read; of none if there was none. Where the store has no
    /// conditions, as a folder has none for replacing, the lock or the publisher's care has to do.
    async fn replace(&self, name: &str, new: Resource, before: Option<UpdateVersion>) -> Result<(), PublishError> {
        let mode = before.filter(|version| version.e_tag.is_some()).map_or(PutMode::Create, PutMode::Update);
        match self.put(name, new.clone(), mode).await {
            Err(PublishError::Object { error: ObjectError::NotImplemented { .. }, .. }) => {
                self.put(name, new, PutMode::Overwrite).await
            }
            other => other,
        }
    }
}

/// Publishes what is held, below `<ledger>/`. `progress` is told how many records are there, and of how many new ones.
pub async fn publish<R: Read + Sync>(
    shown: &Shown,
    read: &R,
    target: &Target,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Vec<PublishedLog>, PublishError> {
    let ledger = &shown.treaty().file().name;
    let treaty = format!("{ledger}/treaty.toml");
    if let Some((bytes, _)) = target.get(&treaty, MAX_TREATY_BYTES).await? {
        let found = Hash::digest(&bytes);
        if found != shown.treaty().hash() {
            return Err(PublishError::OtherTreaty(found));
        }
    }
    let publish = Publish { shown, read, target };
    for name in ["treaty.toml", "profile.toml", "policy.txt"] {
        publish.copy(name, PutMode::Overwrite).await?;
    }
    let mut logs = Vec::new();
    for log in shown.logs() {
        logs.push(publish.published(*log).await?);
    }
    let mut total = 0;
    for log in &logs {
        total += log.until.saturating_sub(log.from);
    }
    let (mut done, mut out) = (0, Vec::new());
    for log in logs {
        out.push(publish.log(&log, &mut |records| progress(done + records, total)).await?);
        done += log.until.saturating_sub(log.from);
    }
    for name in ["logs.json", "index.html"] {
        publish.copy(name, PutMode::Overwrite).await?;
    }
    Ok(out)
}

struct Publish<'a, R> {
    shown: &'a Shown,
    read: &'a R,
    target: &'a Target,
}

/// A log as it is published, and as it is here.
struct State {
    log: LogId,
    /// Size up to which tiles are there.
    from: u64,
    latest: Option<UpdateVersion>,
    checkpoint: Option<(u64, usize, UpdateVersion)>,
    /// Size of the newest head here.
    until: u64,
}

impl<R: Read + Sync> Publish<'_, R> {
    fn code(&self, log: LogId) -> &str {
        &self.shown.treaty().party(log).code
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.shown.treaty().file().name)
    }

    /// Copies what is shown under a name.
    async fn copy(&self, name: &str, mode: PutMode) -> Result<(), PublishError> {
        match self.shown.get(self.read, name)? {
            Some(resource) => self.target.put(&self.name(name), resource, mode).await,
            None => Ok(()),
        }
    }

    /// What is there of a log, which has to be a part of what is here.
    async fn published(&self, log: LogId) -> Result<State, PublishError> {
        let until = self.shown.newest_head(self.read, log)?.map_or(0, |head| head.checkpoint.size);
        let latest = self.head(log, "latest", until).await?;
        let checkpoint = self.head(log, "checkpoint", until).await?;
        let size = |head: &Option<(u64, usize, UpdateVersion)>| head.as_ref().map_or(0, |head| head.0);
        let from = size(&latest).max(size(&checkpoint));
        Ok(State { log, from, latest: latest.map(|(_, _, version)| version), checkpoint, until })
    }

    /// A published head: its size, number of signatures, and version.
    async fn head(
        &self,
        log: LogId,
        file: &str,
        here: u64,
    ) -> Result<Option<(u64, usize, UpdateVersion)>, PublishError> {
        let path = self.name(&format!("{}/{file}", self.code(log)));
        let Some((bytes, version)) = self.target.get(&path, MAX_NOTE_BYTES).await? else { return Ok(None) };
        let note = SignedNote::parse(&bytes).map_err(|_| PublishError::NotAHead(path.clone()))?;
        let keys = load_keyring(self.shown.treaty(), self.read)?;
        let head = keys.party(log).verify_head(&note).map_err(|_| PublishError::NotAHead(path.clone()))?;
        if head.size > here {
            return Err(PublishError::Backwards { path, published: head.size, here });
        }
        if root_at(&LogTiles { read: self.read, log }, head.size)? != Some(head.root) {
            return Err(PublishError::Contradicts { path, size: head.size });
        }
        Ok(Some((head.size, note.signatures().len(), version)))
    }

    async fn log(&self, state: &State, progress: &mut (dyn FnMut(u64) + Send)) -> Result<PublishedLog, PublishError> {
        let code = self.code(state.log).to_owned();
        let (mut at, mut version) = (state.from, state.latest.clone());
        // Before the heads that are signed with them.
        self.copy(&format!("{code}/keys.json"), PutMode::Overwrite).await?;
        while at < state.until {
            let (size, note) = self.next_head(state.log, at)?;
            self.full_tiles(state.log, at, size).await?;
            self.partial_tiles(state.log, size).await?;
            let name = self.name(&format!("{code}/latest"));
            self.target.replace(&name, Resource::text(note), version).await?;
            version = self.target.get(&name, MAX_NOTE_BYTES).await?.map(|(_, version)| version);
            let needed = state.checkpoint.as_ref().map_or(0, |(size, ..)| *size);
            self.remove_partials(state.log, at, size, needed).await?;
            at = size;
            progress(at - state.from);
        }
        let last = self.shown.final_head(self.read, state.log)?;
        let mut checkpoint = state.checkpoint.as_ref().map_or(0, |(size, ..)| *size);
        if let Some(head) = last {
            let there = state.checkpoint.as_ref().map(|(size, lines, _)| (*size, *lines));
            let here = (head.checkpoint.size, head.note.signatures().len());
            if there.is_none_or(|there| there < here) {
                self.partial_tiles(state.log, here.0).await?;
                let name = self.name(&format!("{code}/checkpoint"));
                let version = state.checkpoint.as_ref().map(|(.., version)| version.clone());
                self.target.replace(&name, Resource::text(head.note.to_bytes()), version).await?;
                let before = std::mem::replace(&mut checkpoint, here.0);
                for path in TilePath::partials(before) {
                    if path.full().is_in(at) && !TilePath::partials(checkpoint).contains(&path) {
                        let object = self.target.path(&self.name(&format!("{code}/{path}")));
                        self.remove(&object).await?;
                    }
                }
            }
        }
        self.copy(&format!("{code}/fork.txt"), PutMode::Overwrite).await?;
        Ok(PublishedLog { party: code, latest: at, checkpoint, new: at - state.from })
    }

    /// The head of the next step: the newest one, or one that is a step away.
    fn next_head(&self, log: LogId, at: u64) -> Result<(u64, Vec<u8>), PublishError> {
        let damaged = || ReadError(format!("a stored head of the log {} is damaged", self.shown.treaty().origin(log)));
        let newest = self.shown.newest_head(self.read, log)?.ok_or_else(damaged)?;
        if newest.checkpoint.size <= at + STEP_RECORDS {
            return Ok((newest.checkpoint.size, newest.note.to_bytes()));
        }
        let bytes = self.read.head_from(log, at + STEP_RECORDS)?.ok_or_else(damaged)?;
        let note = SignedNote::parse(&bytes).map_err(|_| damaged())?;
        let head = Checkpoint::parse(note.text()).map_err(|_| damaged())?;
        if head.size <= newest.checkpoint.size { Ok((head.size, bytes)) } else { Err(damaged().into()) }
    }

    /// What became full between two sizes.
    async fn full_tiles(&self, log: LogId, from: u64, to: u64) -> Result<(), PublishError> {
        let level = |level: Option<u8>| {
            let bits = 8 * (u32::from(level.unwrap_or(0)) + 1);
            let at = |size: u64| size.checked_shr(bits).unwrap_or(0);
            (at(from)..at(to)).map(move |n| TilePath { level, n, width: TILE_WIDTH as u16 })
        };
        let paths = level(None).chain((0..8).flat_map(|height| level(Some(height))));
        self.upload(log, paths).await
    }

    async fn partial_tiles(&self, log: LogId, size: u64) -> Result<(), PublishError> {
        self.upload(log, TilePath::partials(size).into_iter()).await
    }

    async fn upload(&self, log: LogId, paths: impl Iterator<Item = TilePath>) -> Result<(), PublishError> {
        let code = self.code(log);
        let uploads = futures::stream::iter(paths.map(|path| async move {
            let name = format!("{code}/{path}");
            let gap = || ReadError(format!("{name} is missing from the stored data"));
            let resource = self.shown.get(self.read, &name)?.ok_or_else(gap)?;
            self.target.put(&self.name(&name), resource, PutMode::Overwrite).await
        }));
        uploads.buffer_unordered(UPLOADS).try_collect::<()>().await
    }

    /// Partial tiles of which the full ones are there now: the standard lets a log remove them. Those of the published
    /// checkpoint, whose size is `needed`, stay for readers that do not know to ask for the full ones.
    async fn remove_partials(&self, log: LogId, from: u64, to: u64, needed: u64) -> Result<(), PublishError> {
        let object = |path: &TilePath| self.target.path(&self.name(&format!("{}/{path}", self.code(log))));
        let needed: Vec<_> = TilePath::partials(needed).iter().map(object).collect();
        for path in TilePath::partials(from).into_iter().filter(|path| path.full().is_in(to)) {
            let folder = self.target.path(&self.name(&format!("{}/{}.p", self.code(log), path.full())));
            let fail = |error| PublishError::Object { path: folder.to_string(), error };
            let found: Vec<_> = self.target.store.list(Some(&folder)).try_collect().await.map_err(fail)?;
            for partial in found.iter().filter(|partial| !needed.contains(&partial.location)) {
                self.remove(&partial.location).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, object: &Path) -> Result<(), PublishError> {
        match self.target.store.delete(object).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(PublishError::Object { path: object.to_string(), error }),
        }
    }
}
