//! Whatever byte is altered behind the store's back, fsck names the very thing that it belongs to.

use std::path::Path;

use rocksdb::{DB, Options};
use verbale::ledger::{Record, RecordType, Timestamp};
use verbale::node::{Batch, Cosigned, Engine, NewRecord, Read};
use verbale::store::fsck::{Report, fsck};
use verbale::store::{Store, StoreError};
use verbale::tlog::{Appender, Checkpoint, Hash, leaf_hash};

use crate::fixture::{Fixture, code, key, origin};
use crate::ledger::{Ledger, config};

/// Those in which every ledger has something.
const FAMILIES: [&str; 11] = [
    "records",
    "tiles",
    "heads",
    "state",
    "forks",
    "ids",
    "receipts",
    "credentials",
    "amendments",
    "replies",
    "arrivals",
];

/// The database without the store around it.
pub fn raw(path: &Path) -> DB {
    let all = FAMILIES.iter().copied().chain(["branches", "default"]);
    DB::open_cf(&Options::default(), path, all).unwrap()
}

pub fn entries(db: &DB, family: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let cf = db.cf_handle(family).unwrap();
    let mut iterator = db.raw_iterator_cf(cf);
    iterator.seek_to_first();
    let mut entries = Vec::new();
    while let Some((key, value)) = iterator.item() {
        entries.push((key.to_vec(), value.to_vec()));
        iterator.next();
    }
    iterator.status().unwrap();
    entries
}

pub fn set(path: &Path, family: &str, key: &[u8], value: Option<&[u8]>) {
    let db = raw(path);
    let cf = db.cf_handle(family).unwrap();
    match value {
        Some(value) => db.put_cf(cf, key, value).unwrap(),
        None => db.delete_cf(cf, key).unwrap(),
    }
}

fn check(path: &Path, fixture: &Fixture) -> Result<Report, StoreError> {
    fsck(&Store::open_read_only(path, &fixture.treaty)?, &mut |_, _| ())
}

fn places(report: &Report) -> Vec<String> {
    let mut places: Vec<_> = report.faults.iter().map(|fault| fault.place.clone()).collect();
    places.dedup();
    places
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn party(bytes: &[u8]) -> String {
    code(usize::from(u16::from_be_bytes(bytes.try_into().unwrap())))
}

/// What fsck should name for an entry.
fn place(family: &str, key: &[u8]) -> String {
    match family {
        "records" => format!("record {}/{}", party(&key[..2]), number(&key[2..])),
        "tiles" => format!("tile {}/{}/{}", party(&key[..2]), key[2], number(&key[3..])),
        "heads" => format!("head {}/{}", party(&key[..2]), number(&key[2..])),
        "state" => format!("cosigned {}", party(&key[8..])),
        "forks" => format!("fork proof {}", party(key)),
        "ids" => format!("record {}/{}", party(&key[..2]), number(&key[18..])),
        "receipts" => format!("record {}/{}", party(&key[2..4]), number(&key[12..])),
        "credentials" | "amendments" => format!("record {}/{}", party(&key[..2]), number(&key[2..])),
        "replies" => format!("record {}/{}", party(&key[10..12]), number(&key[12..])),
        _ => "arrival".into(),
    }
}

/// A played ledger in a folder.
pub fn played(path: &Path, fixture: &Fixture) {
    let store = Store::open(path, &fixture.treaty).unwrap();
    let mut ledger = Ledger::new(fixture, &store);
    ledger.play();
    assert!(store.fork(3).unwrap().is_some() && store.record(1, 300).unwrap().is_some());
    for log in 0..4 {
        assert_eq!(store.head(log, u64::MAX).unwrap(), ledger.disks[0].head(log, u64::MAX).unwrap());
        assert_eq!(store.size(log).unwrap(), ledger.disks[0].size(log).unwrap());
    }
}

/// Some of the entries, the first and the last among them.
fn sample<T>(items: Vec<T>, count: usize) -> Vec<T> {
    let (last, step) = (items.len().saturating_sub(1), items.len().div_ceil(count).max(1));
    items.into_iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last).map(|(_, item)| item).collect()
}

#[test]
fn an_untouched_ledger_is_sound_and_an_engine_starts_from_it() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let store = Store::open(dir.path(), &fixture.treaty).unwrap();
    let engine = Engine::load(config(&fixture, 0), &store).unwrap();
    assert!((0..4).all(|log| engine.size(log) == store.size(log).unwrap()));
    assert!(engine.fork(3).is_some() && engine.final_size(1) > 300);
    drop(store);
    let report = check(dir.path(), &fixture).unwrap();
    assert_eq!(report.faults, []);
    assert!(report.records > 320 && report.tiles > 4 && report.heads > 8 && report.receipts > 10 && report.forks == 1);
}

#[test]
fn each_altered_or_missing_value_is_named() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let mut tried = 0;
    for (turn, family) in FAMILIES.into_iter().enumerate() {
        let found = entries(&raw(dir.path()), family);
        assert!(!found.is_empty(), "{family} is empty: nothing is tried");
        for (at, (key, value)) in sample(found, 12).into_iter().enumerate() {
            if family == "state" && !key.starts_with(b"cosigned") {
                continue;
            }
            let expected = place(family, &key);
            let verify = |how: &str| {
                let places = places(&check(dir.path(), &fixture).unwrap());
                assert!(!places.is_empty(), "{family}: {expected} {how}: not noticed");
                // A missing key of the sequence shifts what is said about arrivals; everything else is named exactly.
                let named = |place: &String| match family {
                    "arrivals" => place.starts_with("arrival"),
                    _ => place.trim_end_matches(" to 0") == expected,
                };
                assert!(places.iter().all(named), "{family}: {expected} {how}: {places:?}");
            };
            if !value.is_empty() {
                let mut bent = value.clone();
                let byte = (at * 7919 + turn * 104_729 + value.len() / 2) % value.len();
                bent[byte] ^= 1 << (at % 8);
                set(dir.path(), family, &key, Some(&bent));
                verify(&format!("with byte {byte} altered"));
                tried += 1;
            }
            // What is not there cannot be told from what never was, for these: a head that others cover, a fork whose
            // proof nobody else logged.
            if !matches!(family, "heads" | "forks") {
                let last = family == "records" && is_last(dir.path(), &key);
                set(dir.path(), family, &key, None);
                if !last {
                    verify("taken away");
                }
                tried += 1;
            }
            set(dir.path(), family, &key, Some(&value));
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(check(dir.path(), &fixture).unwrap().faults, [], "all was put back");
}

/// Without its last record a log is shorter, and its tiles and heads tell.
fn is_last(path: &Path, key: &[u8]) -> bool {
    let keys: Vec<_> = entries(&raw(path), "records").into_iter().map(|(key, _)| key).collect();
    let at = keys.iter().position(|other| other == key).unwrap();
    keys.get(at + 1).is_none_or(|next| next[..2] != key[..2])
}

#[test]
fn a_log_cut_short_is_noticed() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let last = entries(&raw(dir.path()), "records").into_iter().rev().find(|(key, _)| key[..2] == [0, 1]).unwrap();
    set(dir.path(), "records", &last.0, None);
    let report = check(dir.path(), &fixture).unwrap();
    assert!(places(&report).iter().any(|place| place.starts_with("tile P1/0/")), "{:?}", places(&report));
}

#[test]
fn entries_that_no_record_justifies_are_named() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    for family in ["ids", "receipts", "credentials", "amendments", "replies"] {
        let (mut key, value) = entries(&raw(dir.path()), family).into_iter().next().unwrap();
        *key.last_mut().unwrap() ^= 2;
        set(dir.path(), family, &key, Some(&value));
        let report = check(dir.path(), &fixture).unwrap();
        assert_eq!(places(&report), [place(family, &key)], "{family}");
        assert!(report.faults.iter().all(|fault| fault.repairable));
        set(dir.path(), family, &key, None);
    }
    for family in ["records", "tiles", "heads"] {
        let (mut key, value) = entries(&raw(dir.path()), family).into_iter().next().unwrap();
        key[0] = 9;
        set(dir.path(), family, &key, Some(&value));
        assert_eq!(places(&check(dir.path(), &fixture).unwrap()), [format!("column family {family}")]);
        set(dir.path(), family, &key, None);
    }
}

#[test]
fn a_record_rewritten_with_its_tree_is_betrayed_by_the_signed_heads() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    // The last record of the second party's log, its leaf in the tile rewritten to fit.
    let found = entries(&raw(dir.path()), "records");
    let (key, mut value) = found.into_iter().rev().find(|(key, _)| key[..2] == [0, 1]).unwrap();
    let text = value.len() - 40;
    value[text] ^= 1;
    let leaf = verbale::tlog::leaf_hash(&value);
    let tile_key = [&key[..2], &[0], &(number(&key[2..]) / 256).to_be_bytes()].concat();
    let mut tile = entries(&raw(dir.path()), "tiles").into_iter().find(|(key, _)| *key == tile_key).unwrap().1;
    let at = 32 * (number(&key[2..]) % 256) as usize;
    tile[at..at + 32].copy_from_slice(&leaf.0);
    set(dir.path(), "records", &key, Some(&value));
    set(dir.path(), "tiles", &tile_key, Some(&tile));
    let report = check(dir.path(), &fixture).unwrap();
    let head = format!("head P1/{}", number(&key[2..]) + 1);
    assert!(places(&report).contains(&head), "{:?}", places(&report));
}

#[test]
fn indexes_made_anew_are_those_that_were_there() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let indexes = ["ids", "receipts", "credentials", "amendments", "replies", "arrivals", "forks", "state"];
    let all = || indexes.map(|family| entries(&raw(dir.path()), family));
    let before = all();
    for (at, family) in indexes[..5].iter().enumerate() {
        let db = raw(dir.path());
        let cf = db.cf_handle(family).unwrap();
        for (key, _) in before[at].iter().step_by(2) {
            db.delete_cf(cf, key).unwrap();
        }
        db.put_cf(cf, [9; 20], b"nonsense").unwrap();
    }
    assert!(!check(dir.path(), &fixture).unwrap().is_sound());
    Store::open(dir.path(), &fixture.treaty).unwrap().rebuild_indexes(&mut |_, _| ()).unwrap();
    assert_eq!(all(), before);
    // A rebuild that was interrupted is begun anew at the next start.
    set(dir.path(), "state", b"rebuilding", Some(b""));
    before[0].iter().for_each(|(key, _)| set(dir.path(), "ids", key, None));
    drop(Store::open(dir.path(), &fixture.treaty).unwrap());
    assert_eq!(all(), before);
}

#[test]
fn lost_arrivals_and_forks_come_back_from_the_records() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let count = Store::open_read_only(dir.path(), &fixture.treaty).unwrap().arrivals_end();
    let fork = entries(&raw(dir.path()), "forks");
    {
        let db = raw(dir.path());
        for (key, _) in entries(&db, "arrivals").into_iter().skip(3) {
            db.delete_cf(db.cf_handle("arrivals").unwrap(), key).unwrap();
        }
        db.delete_cf(db.cf_handle("forks").unwrap(), &fork[0].0).unwrap();
    }
    let store = Store::open(dir.path(), &fixture.treaty).unwrap();
    store.rebuild_indexes(&mut |_, _| ()).unwrap();
    assert_eq!(store.arrivals_end(), count);
    let arrivals = store.arrivals(0, usize::MAX).unwrap();
    assert_eq!(arrivals.len() as u64, count);
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.time_ms));
    drop(store);
    assert_eq!(entries(&raw(dir.path()), "forks"), fork);
    assert_eq!(check(dir.path(), &fixture).unwrap().faults, []);
}

#[test]
fn a_damaged_file_is_a_fault_and_no_reason_to_stop() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let copy = dir.path().join("copy");
    // A snapshot writes everything out of the write-ahead log into sorted files.
    Store::open(dir.path(), &fixture.treaty).unwrap().snapshot(&copy).unwrap();
    assert!(check(&copy, &fixture).unwrap().is_sound());
    let files = std::fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().path());
    let tables: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "sst")).collect();
    assert!(tables.len() >= FAMILIES.len(), "{tables:?}");
    for table in tables {
        let sound = std::fs::read(&table).unwrap();
        for at in [10, sound.len() / 2, sound.len() - 20] {
            let mut bent = sound.clone();
            bent[at] ^= 4;
            std::fs::remove_file(&table).unwrap();
            std::fs::write(&table, &bent).unwrap();
            match check(&copy, &fixture) {
                Err(StoreError::Damaged { .. }) => {}
                // Statistics in the middle of a file concern nothing that is stored.
                Ok(report) => assert!(!report.is_sound() || at == sound.len() / 2, "byte {at} of {table:?}"),
                Err(error) => panic!("byte {at} of {table:?}: {error}"),
            }
        }
        std::fs::write(&table, &sound).unwrap();
    }
}

#[test]
fn a_cosigned_head_put_back_to_an_earlier_one_is_named() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    played(dir.path(), &fixture);
    let store = Store::open(dir.path(), &fixture.treaty).unwrap();
    let earlier = store.receipt_from(1, 0, 1).unwrap().unwrap();
    let Cosigned { size, root } = store.cosigned(1).unwrap().unwrap();
    assert!(earlier.size < size);
    drop(store);
    let key = [&b"cosigned"[..], &[0, 1]].concat();
    set(dir.path(), "state", &key, Some(&[&earlier.size.to_be_bytes()[..], &root.0].concat()));
    assert_eq!(places(&check(dir.path(), &fixture).unwrap()), ["cosigned P1"]);
}

/// Records that their party signed as they are, however wrong they are: each changed before it is hashed.
fn signed(store: &Store, change: impl Fn(&mut Record<'_>)) {
    let (mut edge, mut prev, mut batch, mut tiles) =
        (Appender::default(), store.treaty().hash(), Batch::default(), Vec::new());
    for index in 0..5 {
        let (time, payload) = (Timestamp::from_posix(1_600_000_000), &b"nothing\n"[..]);
        let log = origin(1);
        let mut record = Record { index, log: &log, prev, time, kind: RecordType::Receipt, payload };
        change(&mut record);
        let bytes = record.to_bytes().unwrap();
        prev = leaf_hash(&bytes);
        edge.push(prev, &mut tiles);
        batch.records.push(NewRecord { log: 1, index, kind: record.kind, bytes });
    }
    batch.tiles = edge.partial_tiles().map(|tile| (1, tile)).collect();
    let head = Checkpoint { origin: origin(1), size: 5, root: edge.root() };
    batch.heads.push((1, 5, head.sign(&key(1, "log")).unwrap().to_bytes()));
    store.commit(&batch, 1).unwrap();
}

#[test]
fn a_signed_log_that_does_not_hold_together_is_named_at_its_record() {
    let fixture = Fixture::new(2);
    type Change = fn(&mut Record<'_>);
    let cases: [(&str, Change); 4] = [
        ("", |_| ()),
        ("chain", |record| {
            if record.index == 3 {
                record.prev = Hash([8; 32]);
            }
        }),
        ("says that it is number 9", |record| {
            if record.index == 3 {
                record.index = 9;
            }
        }),
        ("belongs to the log trial/P0", |record| {
            if record.index == 3 {
                record.log = "trial/P0";
            }
        }),
    ];
    for (what, change) in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &fixture.treaty).unwrap();
        signed(&store, change);
        let report = fsck(&store, &mut |_, _| ()).unwrap();
        match (what, report.faults.as_slice()) {
            ("", []) => {}
            (_, [fault]) => assert!(fault.place == "record P1/3" && fault.what.contains(what), "{what}: {fault:?}"),
            (_, faults) => panic!("{what}: {faults:?}"),
        }
    }
}
