//! Export, verification and tables of a large ledger, by the program itself: rate, peak memory, size of a record, as a folder and as
//! one archive; beside what this machine takes to copy and to hash the same bytes.
//!
//! `make bench`. `VERBALE_BENCH_AUDIT` (50,000) is the number of notes; everything is measured at a tenth of it as well, so that it
//! shows what grows. `VERBALE_BENCH_DIR` (here) is the folder whose disk is used.

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
use verbale::store::Store;
use verbale::tlog::Hash;

use trial::Trial;

/// Notes that are logged at once, and receipted by one receipt.
const AT_ONCE: u64 = 64;

fn main() {
    let notes = std::env::var("VERBALE_BENCH_AUDIT").map_or(50_000, |text| text.parse().unwrap());
    let dir = std::env::var("VERBALE_BENCH_DIR").map_or_else(|_| PathBuf::from("."), PathBuf::from);
    let dir = tempfile::tempdir_in(dir).unwrap();
    println!("| notes | what | records/s | beside | peak memory | size |");
    println!("|---|---|---|---|---|---|");
    let small = measure(&dir.path().join("small"), notes / 10);
    let large = measure(&dir.path().join("large"), notes);
    println!("\nTen times as many notes take, of the memory:");
    for (before, after) in small.iter().zip(&large) {
        println!("  {}: {:.2} times", after.what, after.peak as f64 / before.peak as f64);
    }
}

struct Measured {
    what: &'static str,
    peak: u64,
}

fn measure(dir: &Path, notes: u64) -> Vec<Measured> {
    let trial = Trial::new(dir, 2, true);
    let records = fill(&trial, notes);
    let home = trial.home(0);
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (folder, archive, tables) = (path("whole"), path("whole.tar.zst"), path("tables"));
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
    let (copy, hash) = (|| copied(Path::new(&folder), dir), || hashed(Path::new(&folder)));
    row("export, folder", &["export", &folder], Some(&folder), &copy, "copying it");
    row("verify, folder", &["verify", &folder, "--treaty", &treaty], None, &hash, "hashing it");
    row("export, .tar.zst", &["export", &archive], Some(&archive), &copy, "copying the folder");
    row("verify, .tar.zst", &["verify", &archive, "--treaty", &treaty], None, &hash, "hashing the folder");
    row("tables, Parquet", &["export", &tables, "--tables", "parquet"], Some(&tables), &copy, "copying the folder");
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

fn hashed(folder: &Path) -> Duration {
    let start = Instant::now();
    for file in bytes(folder) {
        std::hint::black_box(Hash::digest(&fs::read(file).unwrap()));
    }
    start.elapsed()
}

/// Two parties: the first one's log grows to so many notes, and the other receipts them as they come. Returns how many records
/// the first one's store has.
fn fill(trial: &Trial, notes: u64) -> u64 {
    let profile = Arc::new(Profile::parse(&fs::read(trial.home(0).join("profile.toml")).unwrap()).unwrap());
    let mut now = 1_600_000_000_000;
    let (mut engines, stores): (Vec<Engine>, Vec<Store>) = (0..2)
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
    queue.extend([(0, Input::Connected(1)), (1, Input::Connected(0)), (0, Input::Tick), (1, Input::Tick)]);
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
                    Effect::Gossip(message) => queue.push_back((1 - to, Input::Gossip { from: to, message })),
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
        let end = notes.min(submitted + AT_ONCE);
        for number in submitted..end {
            let note = if number == 0 { trial.grant(0) } else { trial.note(0, number) };
            queue.push_back((0, Input::Submit { ticket: number, note }));
        }
        queue.extend([(0, Input::Tick), (1, Input::Tick)]);
        submitted = end;
    }
    let store = &stores[0];
    let (own, other) = (store.size(0).unwrap(), store.size(1).unwrap());
    assert!(own >= notes && other >= notes / AT_ONCE, "{own} and {other} records");
    own + other
}
