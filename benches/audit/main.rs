//! Export, verification and tables of a large ledger, by the program itself: rate, peak memory, size of a record, as a folder and as
//! one archive; beside what this machine takes to copy the same bytes, and to verify as many signatures on one core.
//!
//! `make bench`. `VERBALE_BENCH_AUDIT` (50,000) is the number of notes; everything is measured at a tenth of it as well, so that it
//! shows what grows. `VERBALE_BENCH_PARTIES` (2) is the number of parties, each of which receipts `VERBALE_BENCH_AT_ONCE` (64) notes
//! with one receipt. `VERBALE_BENCH_DIR` (here) is the folder whose disk is used; with `VERBALE_BENCH_KEEP`, what was made stays there.

#[path = "../ledger/trial.rs"]
#[allow(dead_code, reason = "shared with the bench of whole nodes")]
mod trial;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use verbale::ledger::Profile;
use verbale::node::{Budget, Config, Effect, Engine, Input, Read, serve};
use verbale::note::SignedNote;
use verbale::store::Store;

use trial::Trial;

fn main() {
    let number = |name: &str, or: u64| std::env::var(name).map_or(or, |text| text.parse().unwrap());
    let notes = number("VERBALE_BENCH_AUDIT", 50_000);
    let shape =
        Shape { parties: number("VERBALE_BENCH_PARTIES", 2) as usize, at_once: number("VERBALE_BENCH_AT_ONCE", 64) };
    let dir = std::env::var("VERBALE_BENCH_DIR").map_or_else(|_| PathBuf::from("."), PathBuf::from);
    let mut dir = tempfile::tempdir_in(dir).unwrap();
    dir.disable_cleanup(std::env::var_os("VERBALE_BENCH_KEEP").is_some());
    println!("This machine verifies {:.0} signatures a second on one core.", 1.0 / signature().as_secs_f64());
    println!("| notes | what | records/s | beside | peak memory | size |");
    println!("|---|---|---|---|---|---|");
    let small = measure(&dir.path().join("small"), notes / 10, shape);
    let large = measure(&dir.path().join("large"), notes, shape);
    println!("\nTen times as many notes take, of the memory:");
    for (before, after) in small.iter().zip(&large) {
        println!("  {}: {:.2} times", after.what, after.peak as f64 / before.peak as f64);
    }
}

#[derive(Clone, Copy)]
struct Shape {
    parties: usize,
    /// Notes that are logged at once, and receipted by one receipt of each other party.
    at_once: u64,
}

struct Measured {
    what: &'static str,
    peak: u64,
}

fn measure(dir: &Path, notes: u64, shape: Shape) -> Vec<Measured> {
    let trial = Trial::new(dir, shape.parties, true);
    let records = fill(&trial, notes, shape);
    let home = trial.home(0);
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (folder, archive, tables, again) = (path("whole"), path("whole.tar.zst"), path("tables"), path("again"));
    let treaty = home.join("treaty.toml").to_str().unwrap().to_owned();
    let mut out = Vec::new();
    let mut row = |what: &'static str, args: &[&str], made: Option<&str>, beside: &dyn Fn() -> Duration, unit: &str| {
        let (took, peak) = run(&home, args);
        let size = made.map_or(String::new(), |made| {
            let bytes = bytes(Path::new(made)).iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
            format!("{:.0} bytes a record", bytes as f64 / records as f64)
        });
        println!(
            "| {notes} | {what} | {:.0} | {:.1} times {unit} | {} MiB | {size} |",
            records as f64 / took.as_secs_f64(),
            took.as_secs_f64() / beside().as_secs_f64(),
            peak / 1024
        );
        out.push(Measured { what, peak });
    };
    // Each note has one signature, each receipt two, and each receipted head one.
    let receipts = records - notes;
    let signatures = || signature() * (notes + 2 * receipts + receipts / (shape.parties as u64 - 1)) as u32;
    let (copy, sign) = (|| copied(Path::new(&folder), dir), signatures);
    row("export, folder", &["export", &folder], Some(&folder), &copy, "copying it");
    row("export, .tar.zst", &["export", &archive], Some(&archive), &copy, "copying the folder");
    let unit = "its signatures on one core";
    row("verify, folder", &["verify", &folder, "--treaty", &treaty], None, &sign, unit);
    row("the same, one thread", &["verify", &folder, "--treaty", &treaty, "--threads", "1"], None, &sign, unit);
    row("verify, .tar.zst", &["verify", &archive, "--treaty", &treaty], None, &sign, unit);
    row("tables, Parquet", &["export", &tables, "--tables", "parquet"], Some(&tables), &copy, "copying the folder");
    let from = ["export", &again, "--tables", "parquet", "--from", &archive, "--treaty", &treaty];
    row("verify .tar.zst, then tables", &from, Some(&again), &sign, unit);
    out
}

/// Runs the program; how long it took, and the most memory that it had, in KiB.
fn run(home: &Path, args: &[&str]) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_verbale"))
        .args(["--json", "--home", home.to_str().unwrap()])
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // The high-water mark only rises: the last one that is seen is near to the truth.
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|kib| kib.trim().trim_end_matches(" kB"));
        peak = line.and_then(|kib| kib.trim().parse().ok()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{args:?}");
    (start.elapsed(), peak)
}

/// The files of a folder, or the one file.
fn bytes(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| bytes(&entry.unwrap().path())).collect()
}

fn copied(folder: &Path, dir: &Path) -> Duration {
    let start = Instant::now();
    let copy = dir.join("copy");
    for file in bytes(folder) {
        fs::copy(file, &copy).unwrap();
        fs::File::open(&copy).unwrap().sync_all().unwrap();
    }
    start.elapsed()
}

/// How long it takes to verify one signature over a note, as it is done everywhere: strictly, one by one.
fn signature() -> Duration {
    const TIMES: u32 = 2000;
    let key = trial::key(0, "minister");
    let mut note = SignedNote::new("x".repeat(300) + "\n").unwrap();
    note.sign(&key);
    let start = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(&note).verify(key.public()).unwrap();
    }
    start.elapsed() / TIMES
}

/// The first party's log grows to so many notes, and the others receipt them as they come. Returns how many records the first
/// one's store has.
fn fill(trial: &Trial, notes: u64, shape: Shape) -> u64 {
    let profile = Arc::new(Profile::parse(&fs::read(trial.home(0).join("profile.toml")).unwrap()).unwrap());
    let mut now = 1_600_000_000_000;
    let parties = 0..shape.parties;
    let (mut engines, stores): (Vec<Engine>, Vec<Store>) = parties
        .clone()
        .map(|me| {
            let settings = trial.settings(me);
            let store = Store::open(&settings.data, trial.treaty()).unwrap();
            let config = Config {
                treaty: settings.treaty.clone(),
                profile: profile.clone(),
                me,
                log_keys: settings.log_keys.clone(),
                witness_keys: settings.witness_keys.clone(),
                high_water: None,
                head_interval_ms: 60_000,
                settle_ms: 0,
                request_timeout_ms: 10_000,
                sign_without_peers: true,
                budget: Budget::default(),
            };
            (Engine::load(config, &store).unwrap(), store)
        })
        .unzip();
    let mut queue: VecDeque<(usize, Input)> = VecDeque::new();
    for party in parties.clone() {
        queue.extend(parties.clone().filter(|other| *other != party).map(|other| (party, Input::Connected(other))));
    }
    queue.extend(parties.clone().map(|party| (party, Input::Tick)));
    let mut submitted = 0;
    loop {
        while let Some((to, input)) = queue.pop_front() {
            engines[to].handle(input, now, &stores[to]).unwrap();
            // What waits for the same node goes into one step, and one sync.
            if queue.front().is_some_and(|(next, _)| *next == to) {
                continue;
            }
            let step = engines[to].step(&stores[to]).unwrap();
            stores[to].commit(&step.batch, now).unwrap();
            for effect in step.effects {
                match effect {
                    Effect::Gossip(message) => queue.extend(
                        parties
                            .clone()
                            .filter(|other| *other != to)
                            .map(|other| (other, Input::Gossip { from: to, message: message.clone() })),
                    ),
                    Effect::Request { peer, id, request } => {
                        let response = serve(&request, trial.treaty(), &stores[peer], now).unwrap();
                        queue.push_back((to, Input::Response { id, response: Some(response) }));
                    }
                    Effect::Answer { outcome, .. } => assert!(outcome.is_ok(), "{outcome:?}"),
                    _ => {}
                }
            }
        }
        if submitted == notes {
            break;
        }
        now += 1000;
        let end = notes.min(submitted + shape.at_once);
        for number in submitted..end {
            let note = if number == 0 { trial.grant(0) } else { trial.note(0, number) };
            queue.push_back((0, Input::Submit { ticket: number, note }));
        }
        queue.extend(parties.clone().map(|party| (party, Input::Tick)));
        submitted = end;
    }
    let store = &stores[0];
    let sizes: Vec<_> = parties.map(|log| store.size(log).unwrap()).collect();
    assert!(sizes[0] >= notes && sizes[1..].iter().all(|size| *size >= notes / shape.at_once), "{sizes:?}");
    sizes.iter().sum()
}
