//! A party's stored data, to be read while a node may be running on it.

use std::path::{Path, PathBuf};

use super::client::Client;
use crate::api::view::SnapshotView;
use crate::cli::{Code, Context, Failure, NodeConfig};
use crate::ledger::Treaty;
use crate::node::ReadError;
use crate::store::{Store, StoreError};

/// Stored data that nobody writes to while it is read.
pub struct Data {
    /// To read from.
    pub store: Store,
    /// Where it lies.
    pub path: PathBuf,
    // Dropped after the store: the fields of a value are dropped in their order.
    _snapshot: Option<Snapshot>,
}

/// A copy of a running node's database, removed when it is no longer needed.
struct Snapshot(PathBuf);

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Data {
    /// Opens a named folder, or that of `verbale.toml`. Where a node runs on it, the node is asked for a copy, which
    /// costs it next to nothing: the files of the database are linked.
    pub fn open(named: Option<&Path>, treaty: &Treaty, ctx: &Context) -> Result<Self, Failure> {
        if let Some(path) = named {
            let store = Store::open_read_only(path, treaty).map_err(unreadable)?;
            return Ok(Self { store, path: path.to_owned(), _snapshot: None });
        }
        let config = NodeConfig::load(&ctx.home)?;
        match Store::open_read_only(&config.data, treaty) {
            Ok(store) => Ok(Self { store, path: config.data, _snapshot: None }),
            Err(locked @ StoreError::Locked(_)) => {
                let snapshot: SnapshotView = match Client::new(&config.socket)?.post("/v1/snapshot", Vec::new()) {
                    Err(none) if none.code == Code::NoNode => return Err(failure(locked)),
                    other => other?,
                };
                let snapshot = Snapshot(snapshot.path);
                let store = Store::open_read_only(&snapshot.0, treaty).map_err(unreadable)?;
                Ok(Self { store, path: config.data, _snapshot: Some(snapshot) })
            }
            Err(error) => Err(unreadable(error)),
        }
    }
}

/// A folder that cannot be read is most often the wrong one.
fn unreadable(error: StoreError) -> Failure {
    match error {
        StoreError::Io(text) => Failure::new(Code::Input, text),
        other => failure(other),
    }
}

/// Stored records that cannot be read, and what to do next.
pub fn damaged(error: ReadError) -> Failure {
    Failure::new(Code::Damaged, error.to_string()).hint("`verbale fsck` names what is damaged")
}

/// A failure of the database, with its exit code and what to do next.
pub fn failure(error: StoreError) -> Failure {
    let text = error.to_string();
    match error {
        StoreError::Locked(_) => Failure::new(Code::Locked, text)
            .hint("stop the node that runs on it first, or name a snapshot of it with --data"),
        StoreError::OtherTreaty(_) => Failure::new(Code::Input, text)
            .hint("name the home folder of the party whose data it is with --home, or the folder with --data"),
        StoreError::NewerFormat(_) => {
            Failure::new(Code::Input, text).hint("use the version of the program that wrote it")
        }
        StoreError::DiskFull(_) => Failure::new(Code::Disk, text)
            .hint("what was acknowledged is on disk; make room and start again: nothing needs to be repaired"),
        StoreError::Damaged { .. } => Failure::new(Code::Damaged, text).hint(
            "keep a copy of the data folder; then move it away and start the node while other parties' nodes can be \
             reached: it takes all records back from them",
        ),
        StoreError::Io(_) => Failure::new(Code::Disk, text),
        _ => Failure::new(Code::Damaged, text),
    }
}
