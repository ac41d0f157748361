//! Outside witnesses of this party's log: its new heads are submitted to them
//! ([C2SP tlog-witness](https://c2sp.org/tlog-witness)), and their cosignatures are kept.
//!
//! They count for nothing in the treaty's quorum. They stand on the published heads and in evidence, for whoever knows
//! the witness.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use tokio::task::JoinHandle;

use super::place::{FetchError, chain, client};
use super::witness::replace_synced;
use crate::daemon::Handle;
use crate::ledger::{Evidence, MAX_OUTSIDE, OutsidePart, Treaty, verify_evidence};
use crate::node::{LogId, LogTiles, PublicHead, Read, ReadError, final_head, newest_head};
use crate::note::{MAX_NOTE_BYTES, SignedNote, VerifierKey};
use crate::tlog::{
    AddCheckpoint, Checkpoint, Cosignature, CosignatureError, consistency_proof, inclusion_proof, root_at,
};

/// Shortest time between two heads that are submitted to a witness.
const SHORTEST: Duration = Duration::from_secs(2);
/// Longest time after a failure.
const LONGEST: Duration = Duration::from_secs(600);
/// How long a quorum of the parties is waited for, after the last head, before a head without one is submitted.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether there is a new head.
const LOOK: Duration = Duration::from_millis(500);
/// Heads that are looked at in search of each witness's first cosignature after a record.
const MAX_HEADS: usize = 256;
const KEYS: &str = "keys.txt";

/// A witness outside the ledger.
#[derive(Clone, Debug)]
pub struct OutsideWitness {
    /// What stands before `/add-checkpoint`.
    pub url: String,
    /// Its key.
    pub key: VerifierKey,
}

/// Heads of this party's log with the cosignatures of outside witnesses, a file each.
pub struct Outside {
    folder: PathBuf,
    log: LogId,
    sizes: Mutex<BTreeSet<u64>>,
    /// All keys by which something was ever kept.
    keys: Mutex<Vec<VerifierKey>>,
}

/// Why a head was not cosigned.
#[derive(Debug, thiserror::Error)]
enum SubmitError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("it answered with the status {0}: {1}")]
    Status(StatusCode, String),
    #[error("its answer: {0}")]
    Cosignature(#[from] CosignatureError),
    #[error("its answer cannot be read")]
    Answer,
    #[error(
        "it has cosigned a head of {0} records, and this node holds {1}: either this node is being restored, or another \
         copy of it has signed the same log"
    )]
    Ahead(u64, u64),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("its cosignature could not be kept: {0}")]
    Disk(#[from] io::Error),
}

impl Outside {
    /// Opens the folder of a party's log, or makes it.
    pub fn open(folder: &Path, log: LogId) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut sizes = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let size: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".checkpoint")?.parse().ok());
            sizes.extend(size);
        }
        let keys = match fs::read_to_string(folder.join(KEYS)) {
            Ok(text) => text.lines().filter_map(|line| VerifierKey::parse(line).ok()).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { folder: folder.to_owned(), log, sizes: Mutex::new(sizes), keys: Mutex::new(keys) })
    }

    /// Whose log it is.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// The head of just this size with the cosignatures on it.
    pub fn at(&self, size: u64) -> Option<SignedNote> {
        SignedNote::parse(&fs::read(self.path(size)).ok()?).ok()
    }

    /// Keeps a cosignature, on disk when this returns. `head` is the bare head.
    fn keep(&self, head: &SignedNote, size: u64, cosigned: &SignedNote, key: &VerifierKey) -> io::Result<()> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains(key) {
            let text: String = keys.iter().chain([key]).map(|key| format!("{key}\n")).collect();
            replace_synced(&self.folder.join(KEYS), text.as_bytes())?;
            keys.push(key.clone());
        }
        // Under the same lock: two witnesses may cosign one head at once.
        let kept = self.at(size).filter(|kept| kept.text() == head.text());
        let mut note = kept.unwrap_or_else(|| head.clone());
        cosigned.signatures().iter().filter(|line| line.is_by(key)).for_each(|line| note.add(line.clone()));
        replace_synced(&self.path(size), &note.to_bytes())?;
        self.sizes().insert(size);
        Ok(())
    }

    /// Size of the largest head that a witness has cosigned, of the newest that are kept.
    fn last_by(&self, key: &VerifierKey) -> u64 {
        let sizes: Vec<_> = self.sizes().iter().rev().take(MAX_HEADS).copied().collect();
        let by = |size: &u64| self.at(*size).is_some_and(|note| Cosignature::verify(&note, key).is_ok());
        sizes.into_iter().find(by).unwrap_or(0)
    }

    /// For an evidence file: each witness's first cosignature on a head that covers a record.
    pub fn evidence(&self, read: &dyn Read, index: u64) -> Result<Vec<OutsidePart>, ReadError> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sizes: Vec<_> = self.sizes().range(index + 1..).take(MAX_HEADS).copied().collect();
        let tiles = LogTiles { read, log: self.log };
        let (mut seen, mut parts) = (Vec::new(), Vec::new());
        for size in sizes {
            if size > read.size(self.log)? || parts.len() == MAX_OUTSIDE {
                break;
            }
            let Some(mut note) = self.at(size) else { continue };
            let root = Checkpoint::parse(note.text()).ok().map(|head| head.root);
            if root != root_at(&tiles, size)? {
                continue;
            }
            let by: Vec<_> = keys
                .iter()
                .filter(|key| !seen.contains(*key) && Cosignature::verify(&note, key).is_ok())
                .cloned()
                .collect();
            let Some(path) = inclusion_proof(&tiles, index, size)?.filter(|_| !by.is_empty()) else { continue };
            let lines = note.signatures().to_vec();
            note.retain(|line| lines.first() == Some(line));
            for key in &by {
                lines.iter().filter(|line| line.is_by(key)).for_each(|line| note.add(line.clone()));
            }
            seen.extend(by.iter().cloned());
            parts.push(OutsidePart { checkpoint: note, keys: by, path });
        }
        Ok(parts)
    }

    fn sizes(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, size: u64) -> PathBuf {
        self.folder.join(format!("{size:020}.checkpoint"))
    }
}

/// Submits the log's new heads to a witness, until the task is aborted. A head that was not cosigned is not lost: the
/// newest one is submitted until it is.
pub fn submit(outside: Arc<Outside>, witness: OutsideWitness, handle: Handle) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut old = outside.last_by(&witness.key);
        let mut done = old;
        let (mut pause, mut since) = (SHORTEST, Instant::now());
        let client = match client(&witness.url) {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "heads cannot be submitted to an outside witness"),
        };
        loop {
            let any = since.elapsed() >= PATIENCE;
            match one(&outside, &witness, &handle, &client, &mut old, done, any).await {
                Ok(None) => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Ok(Some(size)) => {
                    tracing::debug!(witness = witness.key.name(), records = size, "an outside witness has cosigned");
                    (done, pause, since) = (size, SHORTEST, Instant::now());
                }
                Err(error) => {
                    let again = format!("{} s", pause.as_secs());
                    tracing::warn!(witness = witness.key.name(), %error, again, "an outside witness has not cosigned");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                    continue;
                }
            }
            tokio::time::sleep(SHORTEST).await;
        }
    })
}

/// Submits the newest head that a quorum has receipted, or `any` head, if it is newer than `done`; its size once it is
/// cosigned and kept.
async fn one(
    outside: &Outside,
    witness: &OutsideWitness,
    handle: &Handle,
    client: &Client,
    old: &mut u64,
    done: u64,
    any: bool,
) -> Result<Option<u64>, SubmitError> {
    let log = outside.log;
    let read = &*handle.store;
    let last = final_head(read, &handle.treaty, log, done + 1)?;
    let newest = if any && last.is_none() { newest_head(read, &handle.treaty, log)? } else { None };
    let Some(PublicHead { checkpoint, note: mut head, .. }) = last.or(newest) else { return Ok(None) };
    let size = checkpoint.size;
    if size <= done {
        return Ok(None);
    }
    let own = head.signatures().first().cloned();
    head.retain(|line| Some(line) == own.as_ref());
    let damaged = |what: &str| ReadError(format!("this party's log: {what}"));
    // The second time with the size that the witness says it has.
    for _ in 0..2 {
        if *old > size {
            // The witness is asked again later: what it says now may be a mistake.
            let said = std::mem::replace(old, done);
            return Err(SubmitError::Ahead(said, size));
        }
        let proof = consistency_proof(&LogTiles { read, log }, *old, size)?;
        let proof = proof.ok_or_else(|| damaged("tiles are missing"))?;
        let body = AddCheckpoint { old: *old, proof, checkpoint: head.clone() }.to_bytes();
        let (status, answer) = post(client, &witness.url, body).await?;
        match status {
            StatusCode::OK => {
                let note = SignedNote::parse(&[head.to_bytes(), answer].concat()).map_err(|_| SubmitError::Answer)?;
                Cosignature::verify(&note, &witness.key)?;
                outside.keep(&head, size, &note, &witness.key)?;
                *old = size;
                return Ok(Some(size));
            }
            StatusCode::CONFLICT => {
                let text = String::from_utf8_lossy(&answer).into_owned();
                *old = text.strip_suffix('\n').and_then(|n| n.parse().ok()).ok_or(SubmitError::Answer)?;
            }
            status => {
                let said = String::from_utf8_lossy(&answer).chars().filter(|c| !c.is_control()).take(200).collect();
                return Err(SubmitError::Status(status, said));
            }
        }
    }
    Err(SubmitError::Status(StatusCode::CONFLICT, "again, for the size that it has named".into()))
}

async fn post(client: &Client, url: &str, body: Vec<u8>) -> Result<(StatusCode, Vec<u8>), FetchError> {
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let fail = |error: reqwest::Error| FetchError::Unreachable { url: url.clone(), why: chain(&error) };
    let mut response = client.post(&url).body(body).send().await.map_err(fail)?;
    let status = response.status();
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fail)? {
        if answer.len() + chunk.len() > MAX_NOTE_BYTES {
            return Err(FetchError::TooLong { url, max: MAX_NOTE_BYTES });
        }
        answer.extend_from_slice(&chunk);
    }
    Ok((status, answer))
}

/// An evidence file with the outside cosignatures that cover its note, if it is about this log and there are any.
pub fn attach(
    outside: &Outside,
    proof: Vec<u8>,
    read: &dyn Read,
    treaty: &Treaty,
    log: LogId,
    index: u64,
) -> Result<Vec<u8>, ReadError> {
    if log != outside.log {
        return Ok(proof);
    }
    let parts = outside.evidence(read, index)?;
    let Ok(mut evidence) = Evidence::parse(&proof, &treaty.hash()) else { return Ok(proof) };
    evidence.outside = parts;
    let with = evidence.to_bytes(&treaty.hash());
    // What was kept had been verified: if it no longer does, the proof is as good without it.
    match verify_evidence(&with, treaty, None) {
        Ok(_) => Ok(with),
        Err(error) => {
            tracing::error!(%error, "kept cosignatures of outside witnesses do not verify; the evidence goes without");
            Ok(proof)
        }
    }
}
