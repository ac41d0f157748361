//! Room on the disk: while there is less than the operator's reserve, nothing of other parties is fetched.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::worker::Job;
use crate::node::Input;

/// How often the file system is asked.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tells the engine whether at least `reserve` bytes are free for this process on the file system of `folder`.
pub(super) async fn watch(folder: PathBuf, reserve: u64, jobs: mpsc::Sender<Job>) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut told, mut failed) = (true, false);
    loop {
        tick.tick().await;
        let asked = folder.clone();
        // A file system on a network may keep it waiting.
        let has_room = match tokio::task::spawn_blocking(move || free_bytes(&asked)).await {
            Ok(Ok(free)) => free >= reserve,
            Ok(Err(error)) => {
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!(folder = %folder.display(), %error, "how much room the disk has could not be read");
                }
                continue;
            }
            Err(_) => return,
        };
        if has_room != told {
            told = has_room;
            if jobs.send(Job::Input(Input::Room(has_room))).await.is_err() {
                return;
            }
        }
    }
}

/// Bytes that a process without privileges may still write to the file system on which a folder is.
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_engine_is_told_when_the_reserve_is_reached_and_not_while_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(dir.path()).unwrap() > 0);
        assert!(free_bytes(&dir.path().join("nothing")).is_err());
        for (reserve, expected) in [(u64::MAX, Some(false)), (0, None)] {
            let (jobs, mut inbox) = mpsc::channel(1);
            let task = tokio::spawn(watch(dir.path().to_owned(), reserve, jobs));
            let told = match expected {
                None => {
                    tokio::task::yield_now().await;
                    inbox.try_recv().ok()
                }
                Some(_) => inbox.recv().await,
            };
            let told = told.map(|job| matches!(job, Job::Input(Input::Room(true))));
            assert_eq!(told, expected);
            task.abort();
        }
    }
}
