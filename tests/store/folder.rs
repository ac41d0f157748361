//! The data folder: whose it is, who may open it, what happens when the disk is full.

use std::path::Path;
use std::process::Command;

use verbale::ledger::RecordType;
use verbale::node::{Batch, NewRecord, Read};
use verbale::store::fsck::fsck;
use verbale::store::{Store, StoreError};

use crate::fixture::Fixture;
use crate::tamper::{played, raw};

fn batch(index: u64, bytes: usize) -> Batch {
    // Not to be compressed.
    let mut bytes: Vec<_> = (0..bytes as u64).map(|at| (at.wrapping_mul(index + 77) >> 3) as u8).collect();
    bytes.extend_from_slice(&index.to_be_bytes());
    let record = NewRecord { log: 0, index, kind: RecordType::Receipt, bytes };
    Batch { records: vec![record], ..Batch::default() }
}

#[test]
fn one_process_writes_and_nobody_reads_beside_it() {
    let (fixture, dir) = (Fixture::new(2), tempfile::tempdir().unwrap());
    let path = dir.path().join("data");
    let missing = Store::open_read_only(&path, &fixture.treaty).err();
    assert!(matches!(missing, Some(StoreError::Io(_))), "{missing:?}");
    let store = Store::open(&path, &fixture.treaty).unwrap();
    let locked = Some(StoreError::Locked(path.clone()));
    assert_eq!(Store::open(&path, &fixture.treaty).err(), locked);
    assert_eq!(Store::open_read_only(&path, &fixture.treaty).err(), locked);
    drop(store);
    let reader = Store::open_read_only(&path, &fixture.treaty).unwrap();
    assert_eq!(Store::open(&path, &fixture.treaty).err(), locked);
    drop(reader);
    Store::open(&path, &fixture.treaty).unwrap();
}

#[test]
fn a_folder_of_another_treaty_or_a_newer_format_is_refused() {
    let (fixture, dir) = (Fixture::new(2), tempfile::tempdir().unwrap());
    Store::open(dir.path(), &fixture.treaty).unwrap().commit(&batch(0, 9), 1).unwrap();
    let other = Fixture::named(2, "Another trial");
    let refused = Some(StoreError::OtherTreaty(dir.path().to_owned()));
    assert_eq!(Store::open(dir.path(), &other.treaty).err(), refused);
    assert_eq!(Store::open_read_only(dir.path(), &other.treaty).err(), refused);
    let set = |key: &[u8], value: &[u8]| {
        let db = raw(dir.path());
        db.put_cf(db.cf_handle("state").unwrap(), key, value).unwrap();
    };
    for (value, newer) in [(&2u32.to_be_bytes()[..], true), (&0u32.to_be_bytes(), false), (b"x", false)] {
        set(b"format", value);
        match Store::open(dir.path(), &fixture.treaty).err() {
            Some(StoreError::NewerFormat(_)) => assert!(newer),
            Some(StoreError::Damaged { .. }) => assert!(!newer),
            other => panic!("{other:?}"),
        }
    }
    set(b"format", &1u32.to_be_bytes());
    assert_eq!(Store::open(dir.path(), &fixture.treaty).unwrap().size(0).unwrap(), 1);
    raw(dir.path()).create_cf("embassies", &rocksdb::Options::default()).unwrap();
    let newer = Store::open(dir.path(), &fixture.treaty).err();
    assert!(matches!(newer, Some(StoreError::NewerFormat(_))), "{newer:?}");
}

#[test]
fn a_folder_that_lost_its_table_of_contents_is_not_taken_for_a_new_one() {
    let (fixture, dir) = (Fixture::new(2), tempfile::tempdir().unwrap());
    Store::open(dir.path(), &fixture.treaty).unwrap().commit(&batch(0, 9), 1).unwrap();
    std::fs::remove_file(dir.path().join("CURRENT")).unwrap();
    for result in [Store::open(dir.path(), &fixture.treaty), Store::open_read_only(dir.path(), &fixture.treaty)] {
        assert!(matches!(result.err(), Some(StoreError::Damaged { .. })));
    }
}

#[test]
fn a_batch_that_does_not_continue_its_logs_is_refused_whole() {
    let (fixture, dir) = (Fixture::new(2), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path(), &fixture.treaty).unwrap();
    store.commit(&batch(0, 9), 1).unwrap();
    let mut gap = batch(1, 9);
    gap.records.push(batch(3, 9).records.remove(0));
    let refused = Err(StoreError::Order { log: 0, index: 3, expected: 2 });
    assert_eq!(store.commit(&gap, 2), refused);
    // The engine that sent it is not to go on.
    assert_eq!(store.commit(&batch(1, 9), 3), refused);
    assert_eq!((store.size(0).unwrap(), store.record(0, 1).unwrap()), (1, None));
    drop(store);
    let store = Store::open(dir.path(), &fixture.treaty).unwrap();
    let mut stranger = batch(1, 9);
    stranger.records[0].log = 2;
    assert!(matches!(store.commit(&stranger, 4), Err(StoreError::Order { log: 2, .. })));
}

#[test]
fn a_snapshot_of_a_running_node_is_whole_and_stays_as_it_was() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    played(&data, &fixture);
    let store = Store::open(&data, &fixture.treaty).unwrap();
    store.snapshot(&copy).unwrap();
    assert!(store.snapshot(&copy).is_err(), "nothing is written over");
    let size = store.size(0).unwrap();
    store.commit(&batch(size, 9), 5).unwrap();
    let snapshot = Store::open_read_only(&copy, &fixture.treaty).unwrap();
    assert_eq!(snapshot.size(0).unwrap(), size);
    assert_eq!(fsck(&snapshot, &mut |_, _| ()).unwrap().faults, []);
    assert!(snapshot.commit(&batch(size, 9), 5).is_err());
    let files =
        |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let before = files(&copy);
    drop(snapshot);
    drop(Store::open_read_only(&copy, &fixture.treaty).unwrap());
    assert_eq!(files(&copy), before, "reading changes nothing");
}

/// A small file system of its own, taken away at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_stops_the_writer_and_loses_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount(64) else {
        eprintln!("skipped: no small file system can be mounted here (it takes root)");
        return;
    };
    let (fixture, path) = (Fixture::new(2), disk.0.path().join("data"));
    let store = Store::open(&path, &fixture.treaty).unwrap();
    let mut written = 0;
    let error = loop {
        match store.commit(&batch(written, 60_000), written) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 4_000, "64 MiB never fill up");
    };
    assert!(matches!(error, StoreError::DiskFull(_)), "{error}");
    assert!(written > 100, "{written}");
    assert_eq!(store.commit(&batch(written, 1), 0), Err(error), "the error stays");
    assert_eq!(store.size(0).unwrap(), written);
    let same =
        |store: &Store, index| store.record(0, index).unwrap() == Some(batch(index, 60_000).records[0].bytes.clone());
    assert!((0..written).all(|index| same(&store, index)), "what is there can still be read");
    drop(store);
    let larger = Command::new("mount").args(["-o", "remount,size=512m"]).arg(disk.0.path()).output().unwrap();
    assert!(larger.status.success());
    let store = Store::open(&path, &fixture.treaty).unwrap();
    let held = store.size(0).unwrap();
    assert!(held == written || held == written + 1, "{held} of {written}");
    assert!((0..held).all(|index| same(&store, index)));
    store.commit(&batch(held, 60_000), 0).unwrap();
}

#[test]
fn who_reads_while_another_writes_sees_whole_batches() {
    let (fixture, dir) = (Fixture::new(2), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path(), &fixture.treaty).unwrap();
    let last = 60;
    std::thread::scope(|scope| {
        scope.spawn(|| (0..last).for_each(|index| store.commit(&batch(index, 100), index).unwrap()));
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < last {
                    let size = store.size(0).unwrap();
                    assert!(size >= seen, "a log does not shrink");
                    seen = size;
                    if let Some(index) = size.checked_sub(1) {
                        assert_eq!(store.record(0, index).unwrap(), Some(batch(index, 100).records[0].bytes.clone()));
                        assert_eq!(store.arrival(0, index).unwrap().unwrap().sequence, index);
                        assert!(store.records(0, 0, u64::MAX, usize::MAX).unwrap().len() as u64 >= size);
                    }
                }
            });
        }
    });
}
