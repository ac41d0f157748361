//! A witness of other logs ([C2SP tlog-witness](https://c2sp.org/tlog-witness), revision of 2026-07-22).
//!
//! A log outside the ledger is cosigned with a key for that alone. What is cosigned is stored and synced before the
//! cosignature leaves, in a file a log: the checkpoint with both signatures, which is also what is served. For a log of
//! the ledger the engine decides: it cosigns what it holds, and here its word is handed out.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::mirror::write_synced;
use crate::daemon::{Handle, now_ms};
use crate::node::{LogId, Read, ReadError, load_keyring};
use crate::note::{SignedNote, SigningKey, VerifierKey};
use crate::tlog::{AddCheckpoint, Checkpoint, Cosignature, Hash, NotWitnessed, parse_extended};

/// The witness of logs outside the ledger.
pub struct Witness {
    folder: PathBuf,
    key: SigningKey,
    /// Origins with their keys.
    logs: Vec<(String, VerifierKey)>,
    /// Held from looking at what was cosigned last until the next is on disk.
    one: Mutex<()>,
}

/// Why a request gets no cosignature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// 404.
    #[error("this witness does not know the log {0}")]
    UnknownLog(String),
    /// By the standard's rules.
    #[error(transparent)]
    Refused(#[from] NotWitnessed),
    /// 503: a log of the ledger of which another head was cosigned last, or the node does not sign.
    #[error("this node has not receipted just this head yet, or does not sign now; try again")]
    NotHeld,
    /// 500: nothing was cosigned.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// 500.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Witness {
    /// Opens the witness's folder, or makes it.
    pub fn open(folder: &Path, key: SigningKey, logs: Vec<(String, VerifierKey)>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), key, logs, one: Mutex::default() })
    }

    /// Cosigns a checkpoint, if it extends the last one that was: the signature lines. `time` is in POSIX seconds.
    pub fn add(&self, request: &AddCheckpoint, time: u64) -> Result<Vec<u8>, WitnessError> {
        let known = self.logs.iter().find(|(origin, _)| origin == request.origin());
        let (origin, log) = known.ok_or_else(|| WitnessError::UnknownLog(request.origin().to_owned()))?;
        let path = self.path(origin);
        // What a panicking thread left behind is on disk, or is not.
        let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let fail = |error| WitnessError::Disk { path: path.clone(), error };
        let last = match fs::read(&path) {
            Ok(bytes) => Some(self.stored(&bytes).ok_or_else(|| {
                fail(io::Error::other("it is not what this witness has written; it cosigns nothing more for this log"))
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fail(error)),
        };
        request.check(origin, log, last)?;
        let mut note = request.checkpoint.clone();
        note.retain(|line| line.is_by(log));
        Cosignature::sign(&mut note, &self.key, time);
        // The commit point: on disk before the cosignature leaves.
        replace_synced(&path, &note.to_bytes()).map_err(fail)?;
        Ok(lines(&note, self.key.public()))
    }

    /// The checkpoint that was cosigned last for the log whose origin has this SHA-256.
    pub fn last(&self, origin: &Hash) -> io::Result<Option<Vec<u8>>> {
        match self.logs.iter().find(|(known, _)| Hash::digest(known.as_bytes()) == *origin) {
            Some((origin, _)) => match fs::read(self.path(origin)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                read => read.map(Some),
            },
            None => Ok(None),
        }
    }

    fn path(&self, origin: &str) -> PathBuf {
        self.folder.join(Hash::digest(origin.as_bytes()).to_hex())
    }

    /// A stored head: one that this witness has cosigned.
    fn stored(&self, bytes: &[u8]) -> Option<(u64, Hash)> {
        let note = SignedNote::parse(bytes).ok()?;
        Cosignature::verify(&note, self.key.public()).ok()?;
        parse_extended(note.text()).ok().map(|head| (head.size, head.root))
    }
}

/// Answers `add-checkpoint`, with the standard's status codes.
pub(super) async fn add_checkpoint(body: &[u8], witness: Option<&Witness>, handle: &Handle) -> Response {
    let Some(request) = AddCheckpoint::parse(body) else {
        return refusal(&NotWitnessed::Malformed.into());
    };
    let cosigned = match handle.treaty.log_of_origin(request.origin()) {
        Some(log) if log != handle.me => of_treaty(&request, log, handle).await,
        _ => match witness {
            Some(witness) => witness.add(&request, now_ms() / 1000),
            None => Err(WitnessError::UnknownLog(request.origin().to_owned())),
        },
    };
    match cosigned {
        Ok(lines) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lines).into_response(),
        Err(error) => {
            if matches!(error, WitnessError::Refused(NotWitnessed::Inconsistent)) {
                // It may be a log's own signature on a second history: whoever runs this node should see it.
                let checkpoint = String::from_utf8_lossy(&request.checkpoint.to_bytes()).into_owned();
                tracing::warn!(
                    log = request.origin(),
                    checkpoint,
                    "a signed checkpoint was not shown to extend the last"
                );
            }
            refusal(&error)
        }
    }
}

/// A log of the ledger: the engine's cosignature, if it has cosigned just this head before, and holds nothing beyond it.
/// Whoever asks from outside makes no log grow, and no promise new.
async fn of_treaty(request: &AddCheckpoint, log: LogId, handle: &Handle) -> Result<Vec<u8>, WitnessError> {
    let keys = load_keyring(&handle.treaty, &*handle.store)?;
    let last = handle.store.cosigned(log)?.map(|cosigned| (cosigned.size, cosigned.root));
    let head = request.check(handle.treaty.origin(log), keys.party(log).log_key(u64::MAX), last)?;
    let attested = handle.attest(log, false).await.and_then(|note| SignedNote::parse(&note).ok());
    let note = attested.ok_or(WitnessError::NotHeld)?;
    match Checkpoint::parse(note.text()) {
        Ok(held) if held == head => Ok(lines(&note, keys.party(handle.me).witness_key(u64::MAX))),
        _ => Err(WitnessError::NotHeld),
    }
}

/// `<hash of the origin>/checkpoint`: the head that was cosigned last, with the log's signature and the witness's.
pub(super) fn last_of(
    origin: &Hash,
    witness: Option<&Witness>,
    handle: &Handle,
) -> Result<Option<Vec<u8>>, WitnessError> {
    let logs = 0..handle.treaty.parties().len();
    let log = logs.into_iter().find(|log| Hash::digest(handle.treaty.origin(*log).as_bytes()) == *origin);
    if let Some(log) = log.filter(|log| *log != handle.me) {
        let Some(cosigned) = handle.store.cosigned(log)? else { return Ok(None) };
        // What was cosigned beyond it, on demand, stands in no record.
        let Some(entry) = handle.store.receipt_up_to(log, handle.me, cosigned.size)? else { return Ok(None) };
        let Some(record) = handle.store.record(handle.me, entry.index)? else { return Ok(None) };
        return Ok(crate::ledger::Record::parse(&record).ok().map(|record| record.payload.to_vec()));
    }
    let Some(witness) = witness else { return Ok(None) };
    witness.last(origin).map_err(|error| WitnessError::Disk { path: witness.folder.clone(), error })
}

fn refusal(error: &WitnessError) -> Response {
    let status = match error {
        WitnessError::UnknownLog(_) => StatusCode::NOT_FOUND,
        WitnessError::Refused(NotWitnessed::Conflict(size)) => {
            let body = format!("{size}\n");
            return (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], body).into_response();
        }
        WitnessError::Refused(NotWitnessed::NotSigned) => StatusCode::FORBIDDEN,
        WitnessError::Refused(NotWitnessed::Inconsistent) => StatusCode::UNPROCESSABLE_ENTITY,
        WitnessError::Refused(_) => StatusCode::BAD_REQUEST,
        WitnessError::NotHeld => StatusCode::SERVICE_UNAVAILABLE,
        WitnessError::Disk { .. } | WitnessError::Read(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = match error {
        WitnessError::Disk { .. } | WitnessError::Read(_) => {
            tracing::error!(%error, "a checkpoint was not cosigned");
            "stored data could not be read or written; nothing was cosigned".to_owned()
        }
        other => other.to_string(),
    };
    let mut response = (status, format!("{text}\n")).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// The signature lines by a key, as text.
fn lines(note: &SignedNote, key: &VerifierKey) -> Vec<u8> {
    let mut note = note.clone();
    note.retain(|line| line.is_by(key));
    note.to_bytes()[note.text().len() + 1..].to_vec()
}

/// Puts a file in place of another: whole, and on disk when this returns.
pub(super) fn replace_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    write_synced(&partial, bytes)?;
    fs::rename(&partial, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::KeyType;
    use crate::tlog::Appender;

    fn key(kind: KeyType, seed: u8) -> SigningKey {
        SigningKey::from_seed("example.com/a", kind, &[seed; 32]).unwrap()
    }

    fn leaf(n: u64) -> Hash {
        Hash::digest(&n.to_be_bytes())
    }

    fn request(old: u64, size: u64, proof: Vec<Hash>) -> AddCheckpoint {
        let mut edge = Appender::default();
        (0..size).for_each(|n| edge.push(leaf(n), &mut Vec::new()));
        let head = Checkpoint { origin: "example.com/a".into(), size, root: edge.root() };
        AddCheckpoint { old, proof, checkpoint: head.sign(&key(KeyType::Ed25519, 1)).unwrap() }
    }

    fn open(folder: &Path) -> Witness {
        let logs = vec![("example.com/a".to_owned(), key(KeyType::Ed25519, 1).public().clone())];
        Witness::open(folder, key(KeyType::Cosignature, 2), logs).unwrap()
    }

    #[test]
    fn what_was_cosigned_binds_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let origin = Hash::digest(b"example.com/a");
        assert_eq!(open(dir.path()).last(&origin).unwrap(), None);
        let lines = open(dir.path()).add(&request(0, 2, vec![]), 7).unwrap();
        let stored = open(dir.path()).last(&origin).unwrap().unwrap();
        assert!(stored.ends_with(&lines));
        let cosigned = Cosignature::verify(&SignedNote::parse(&stored).unwrap(), key(KeyType::Cosignature, 2).public());
        assert_eq!(cosigned, Ok(Cosignature { time: 7 }));
        let again = open(dir.path()).add(&request(0, 3, vec![]), 8);
        assert!(matches!(again, Err(WitnessError::Refused(NotWitnessed::Conflict(2)))));
        open(dir.path()).add(&request(2, 3, vec![leaf(2)]), 9).unwrap();
        let back = open(dir.path()).add(&request(2, 2, vec![]), 10);
        assert!(matches!(back, Err(WitnessError::Refused(NotWitnessed::Conflict(3)))));
    }

    #[test]
    fn a_damaged_memory_cosigns_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let witness = open(dir.path());
        witness.add(&request(0, 2, vec![]), 7).unwrap();
        let path = witness.path("example.com/a");
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() - 9;
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(witness.add(&request(0, 2, vec![]), 8), Err(WitnessError::Disk { .. })));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(witness.add(&request(0, 2, vec![]), 8), Err(WitnessError::Disk { .. })));
    }

    #[test]
    fn of_two_requests_at_once_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let witness = open(dir.path());
        let sizes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..9)
                .map(|size| {
                    scope.spawn({
                        let witness = &witness;
                        move || witness.add(&request(0, size, vec![]), 1).map(|_| size)
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
        });
        assert_eq!(sizes.len(), 1, "each would contradict the memory of the others");
    }
}
