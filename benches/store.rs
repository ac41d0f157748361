//! What the store does in a second on this machine, beside what the disk does.
//!
//! `cargo bench --bench store`. `VERBALE_BENCH_RECORDS` (a million) is the size of the large log,
//! `VERBALE_BENCH_COMMITS` (200) the commits per row, `VERBALE_BENCH_DIR` the folder whose disk is measured.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use verbale::ledger::{NoteId, Notification, Record, RecordType, Timestamp, Treaty};
use verbale::node::{Batch, LogTiles, NewRecord, Read};
use verbale::note::{KeyType, SigningKey};
use verbale::store::{Store, fsck::fsck};
use verbale::tlog::{Appender, Hash, inclusion_proof, leaf_hash, verify_inclusion};

const ORIGIN: &str = "trial/P0";
const PAGE: u64 = 4096;
/// Set for the process that only opens the large log.
const OPEN: &str = "VERBALE_BENCH_OPEN";

fn main() {
    let treaty = treaty();
    if let Some(path) = std::env::var_os(OPEN) {
        return open(Path::new(&path), &treaty);
    }
    let number = |name: &str, otherwise: u64| -> u64 {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (records, commits) = (number("VERBALE_BENCH_RECORDS", 1_000_000), number("VERBALE_BENCH_COMMITS", 200));
    let parent = std::env::var("VERBALE_BENCH_DIR").unwrap_or_else(|_| ".".into());
    let dir = tempfile::tempdir_in(parent).unwrap();
    row("the disk alone: write and fdatasync 512 bytes", commits, plain_syncs(dir.path(), commits), "syncs");
    small_commits(&dir.path().join("small"), &treaty, commits);
    let large = dir.path().join("large");
    catch_up(&large, &treaty, records);
    // In a process of its own, so that its memory is that of the store.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    assert!(child.env(OPEN, &large).status().unwrap().success());
}

fn small_commits(path: &Path, treaty: &Treaty, commits: u64) {
    let store = Store::open(path, treaty).unwrap();
    let mut author = Author::new(treaty);
    for size in [1, 16, 64] {
        let batches: Vec<_> = (0..commits).map(|_| author.batch(size)).collect();
        let time = timed(|| batches.iter().for_each(|batch| store.commit(batch, 0).unwrap()));
        row(&format!("commit and sync, {size} records each"), commits, time, "commits");
    }
}

/// Another node's log, taken in page by page: verified as the engine does, then stored.
fn catch_up(path: &Path, treaty: &Treaty, records: u64) {
    let store = Store::open(path, treaty).unwrap();
    let (mut author, mut reader) = (Author::new(treaty), Author::new(treaty));
    let (mut verifying, mut storing, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    for start in (0..records).step_by(PAGE as usize) {
        let page = author.batch(PAGE.min(records - start));
        bytes += page.records.iter().map(|record| record.bytes.len() as u64).sum::<u64>();
        verifying += timed(|| reader.verify(&page));
        storing += timed(|| store.commit(&page, 0).unwrap());
        let done = start + page.records.len() as u64;
        if done == records || (start < 100_000 && done >= 100_000) {
            println!("{done} records of {} bytes, in pages of {PAGE}", bytes / done);
            row("  verified: chain and tree", done, verifying, "records");
            row("  stored: indexed and synced", done, storing, "records");
            row("  verified and stored", done, verifying + storing, "records");
        }
    }
}

/// Opens the large log, reads it as a node does, and says how long it took and how much memory it holds.
fn open(path: &Path, treaty: &Treaty) {
    let start = Instant::now();
    let store = Store::open(path, treaty).unwrap();
    let records = store.size(0).unwrap();
    println!("{:<46} {:>11.1} ms", format!("open with {records} records"), start.elapsed().as_secs_f64() * 1e3);
    println!("{:<46} {:>11.1} MiB", "  memory of the process, idle", resident());
    let tiles = LogTiles { read: &store, log: 0 };
    let root = verbale::tlog::root_at(&tiles, records).unwrap().unwrap();
    let proofs = 1000;
    let time = timed(|| {
        for at in 0..proofs {
            let index = at * 2_654_435_761 % records;
            let path = inclusion_proof(&tiles, index, records).unwrap().unwrap();
            let leaf = leaf_hash(&store.record(0, index).unwrap().unwrap());
            verify_inclusion(&leaf, index, records, &path, &root).unwrap();
        }
    });
    row("  proof of inclusion, made and verified", proofs, time, "proofs");
    let time = timed(|| {
        let mut from = 0;
        while from < records {
            from += store.records(0, from, PAGE, 8 << 20).unwrap().len() as u64;
        }
    });
    row("  read in pages", records, time, "records");
    // The log has no signed heads, which is what fsck finds.
    let time = timed(|| assert_eq!(fsck(&store, &mut |_, _| ()).unwrap().faults.len(), 1));
    row("  fsck", records, time, "records");
    println!("{:<46} {:>11.1} MiB", "  memory after that", resident());
}

/// Resident memory in MiB, where the system tells.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
}

fn timed(what: impl FnOnce()) -> Duration {
    let start = Instant::now();
    what();
    start.elapsed()
}

fn row(what: &str, count: u64, time: Duration, unit: &str) {
    let each = time.as_secs_f64() * 1e3 / count as f64;
    println!("{what:<46} {:>11.0} {unit}/s {each:>10.4} ms each", count as f64 / time.as_secs_f64());
}

fn plain_syncs(dir: &Path, count: u64) -> Duration {
    let mut file = File::create(dir.join("plain")).unwrap();
    timed(|| {
        for _ in 0..count {
            file.write_all(&[7; 512]).unwrap();
            file.sync_data().unwrap();
        }
    })
}

/// One log's writer, or its reader.
struct Author {
    edge: Appender,
    prev: Hash,
    /// A notification's text with signature, before and after its id.
    note: (String, String),
}

impl Author {
    fn new(treaty: &Treaty) -> Self {
        let notification = Notification {
            attachments: Vec::new(),
            body: json!({"text": "We notify."}).as_object().unwrap().clone(),
            from: "P0".into(),
            id: NoteId([0xff; 16]),
            issued: Timestamp::from_posix(1_600_000_000),
            kind: "remark".into(),
            ledger: treaty.hash(),
            re: Vec::new(),
            to: vec!["*".into()],
        };
        // The store verifies no signatures of notes: validity is worked out by whoever reads them.
        let note = format!("{}\n— {ORIGIN}/minister {}=\n", notification.to_text(), "A".repeat(91));
        let (before, after) = note.split_once(&"f".repeat(32)).unwrap();
        Self { edge: Appender::default(), prev: treaty.hash(), note: (before.to_owned(), after.to_owned()) }
    }

    fn batch(&mut self, count: u64) -> Batch {
        let (mut records, mut tiles) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let index = self.edge.size();
            let id = Hash::digest(&index.to_be_bytes()).to_hex();
            let payload = [&self.note.0, &id[..32], &self.note.1].concat();
            let time = Timestamp::from_posix(1_600_000_000 + index);
            let (kind, payload) = (RecordType::Notification, payload.as_bytes());
            let bytes = Record { index, log: ORIGIN, prev: self.prev, time, kind, payload }.to_bytes().unwrap();
            self.prev = leaf_hash(&bytes);
            self.edge.push(self.prev, &mut tiles);
            records.push(NewRecord { log: 0, index, kind, bytes });
        }
        tiles.extend(self.edge.partial_tiles());
        Batch { records, tiles: tiles.into_iter().map(|tile| (0, tile)).collect(), ..Batch::default() }
    }

    fn verify(&mut self, page: &Batch) {
        for record in &page.records {
            Record::parse_at(&record.bytes, ORIGIN, self.edge.size(), &self.prev).unwrap();
            self.prev = leaf_hash(&record.bytes);
            self.edge.push(self.prev, &mut Vec::new());
        }
        std::hint::black_box(self.edge.root());
    }
}

fn treaty() -> Treaty {
    let key = |job: &str, kind| {
        let name = if job.is_empty() { ORIGIN.to_owned() } else { format!("{ORIGIN}/{job}") };
        SigningKey::from_seed(&name, kind, &Hash::digest(job.as_bytes()).0).unwrap().public().to_string()
    };
    let text = format!(
        "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"quorum none\"\n\
         [[party]]\ncode = \"P0\"\nname = \"P0\"\nroles = [\"state-party\"]\nroot = \"{}\"\nlog = \"{}\"\n\
         witness = \"{}\"\npeer = \"{}\"\naddresses = []\n",
        Hash::digest(b"").to_hex(),
        key("root", KeyType::Ed25519),
        key("", KeyType::Ed25519),
        key("witness", KeyType::Cosignature),
        "1".repeat(52)
    );
    Treaty::parse(text.as_bytes()).unwrap()
}
