//! What whole nodes do on this machine: real engine, store and network on loopback, beside the machine's own limits.
//!
//! `make bench`. `VERBALE_BENCH_RECORDS` (a million) is the size of the large log, `VERBALE_BENCH_CATCH_UP` (100,000)
//! that of the log which another node catches up with, `VERBALE_BENCH_DIR` (here) the folder whose disk is used.

#[allow(dead_code, reason = "shared with the tests of processes")]
mod trial;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use verbale::api::Api;
use verbale::daemon::Daemon;
use verbale::node::{Event, Read, prove};
use verbale::note::{KeyType, SigningKey};
use verbale::tlog::Hash;

use trial::Trial;

fn main() {
    let number = |name: &str, otherwise: u64| -> u64 {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let parent = std::env::var("VERBALE_BENCH_DIR").unwrap_or_else(|_| ".".into());
    let dir = tempfile::tempdir_in(parent).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<58} {:>14}  target", "", "measured");
    let syncs = machine(dir.path());
    quorum(&runtime, &dir.path().join("quorum"), syncs);
    submits(&runtime, &dir.path().join("submits"), syncs);
    catch_up(&runtime, &dir.path().join("catch-up"), number("VERBALE_BENCH_CATCH_UP", 100_000));
    large(&dir.path().join("large"), number("VERBALE_BENCH_RECORDS", 1_000_000));
}

fn row(what: &str, measured: String, target: &str) {
    println!("{what:<58} {measured:>14}  {target}");
    // A table that grows while one waits.
    let _ = std::io::stdout().flush();
}

/// The limits that no program on this machine passes; says how many syncs a second there are.
fn machine(dir: &Path) -> f64 {
    let key = SigningKey::from_seed("bench", KeyType::Ed25519, &[7; 32]).unwrap();
    let signature = key.sign(b"text");
    let rate = |work: &mut dyn FnMut()| {
        let (start, mut count) = (Instant::now(), 0u32);
        while start.elapsed() < Duration::from_millis(500) {
            work();
            count += 1;
        }
        f64::from(count) / start.elapsed().as_secs_f64()
    };
    row(
        "machine: Ed25519 signatures verified, one core",
        format!("{:.0}/s", rate(&mut || assert!(key.public().verify(b"text", &signature)))),
        "",
    );
    let block = vec![1; 1 << 20];
    row("machine: SHA-256, one core", format!("{:.0} MB/s", rate(&mut || _ = Hash::digest(&block)) * 1.048_576), "");
    let mut file = File::create(dir.join("sync")).unwrap();
    let syncs = rate(&mut || {
        file.write_all(&[1; 512]).unwrap();
        file.sync_data().unwrap();
    });
    row("machine: write and fdatasync of 512 bytes", format!("{syncs:.0}/s"), "");
    syncs
}

/// How long it takes from handing in a note until the quorum's receipts are here. Six parties; each commit takes two
/// syncs (database, high-water mark), and a note needs its own and then those of the quorum: four in a row.
fn quorum(runtime: &Runtime, dir: &Path, syncs: f64) {
    let trial = Trial::new(dir, 6, true);
    runtime.block_on(async {
        let mut daemons = Vec::new();
        for party in 0..6 {
            daemons.push(Daemon::start(trial.settings(party)).await.unwrap());
        }
        trial.until_signing(&daemons).await;
        let handle = daemons[0].handle.clone();
        handle.submit(trial.grant(0)).await.unwrap().unwrap();
        let mut times = Vec::new();
        for number in 0..200 {
            let mut events = handle.events();
            let start = Instant::now();
            let accepted = handle.submit(trial.note(0, number)).await.unwrap().unwrap();
            loop {
                if handle.status().logs[0].final_size > accepted.index {
                    break;
                }
                while !matches!(events.recv().await.unwrap(), Event::Receipt { log: 0, .. }) {}
            }
            times.push(start.elapsed());
            // From idle each time: nothing is under way any more when the next one is handed in.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        times.sort_unstable();
        let ms = |at: usize| format!("{:.1} ms", times[at].as_secs_f64() * 1000.0);
        row("submit until quorum, six parties: median", ms(100), "< 50 ms");
        row("    99 of 100", ms(198), "");
        row("    four syncs in a row, the disk's own share", format!("{:.1} ms", 4000.0 / syncs), "");
        for daemon in daemons {
            daemon.stop().await.unwrap();
        }
    });
}

/// Notes that are on disk when they are answered, through the local API, from 64 clients.
fn submits(runtime: &Runtime, dir: &Path, syncs: f64) {
    const CLIENTS: u64 = 64;
    const EACH: u64 = 100;
    let trial = Trial::new(dir, 1, true);
    runtime.block_on(async {
        let mut settings = trial.settings(0);
        settings.sign_without_peers = true;
        let daemon = Daemon::start(settings).await.unwrap();
        trial.until_signing(std::slice::from_ref(&daemon)).await;
        let socket = dir.join("node.sock");
        let api = Api::serve(&socket, daemon.handle.clone()).await.unwrap();
        daemon.handle.submit(trial.grant(0)).await.unwrap().unwrap();
        let notes: Vec<_> = (0..CLIENTS * EACH).map(|number| trial.note(0, number)).collect();
        let notes = Arc::new(notes);
        let next = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (notes, next, socket) = (notes.clone(), next.clone(), socket.clone());
                tokio::spawn(async move {
                    let stream = UnixStream::connect(&socket).await.unwrap();
                    let (mut sender, connection) =
                        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
                    tokio::spawn(connection);
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed) as usize;
                        let Some(note) = notes.get(at) else { break };
                        let request = hyper::Request::post("/v1/notes").header("host", "node");
                        let request = request.body(Full::new(Bytes::from(note.clone()))).unwrap();
                        let response = sender.send_request(request).await.unwrap();
                        assert!(response.status().is_success());
                        response.into_body().collect().await.unwrap();
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let rate = (CLIENTS * EACH) as f64 / start.elapsed().as_secs_f64();
        row("durable submits through the local API, 64 clients", format!("{rate:.0}/s"), "1,000/s");
        row("    notes for each sync of the disk alone", format!("{:.1}", rate / syncs), "");
        api.stop();
        daemon.stop().await.unwrap();
    });
}

/// One node holds a log; another one, new, takes it all over the network, verified and synced.
fn catch_up(runtime: &Runtime, dir: &Path, records: u64) {
    let trial = Trial::new(dir, 2, false);
    let bytes = trial.fill(0, records);
    runtime.block_on(async {
        let first = Daemon::start(trial.settings(0)).await.unwrap();
        let start = Instant::now();
        let second = Daemon::start(trial.settings(1)).await.unwrap();
        let mut events = second.handle.events();
        let mut began = None;
        while second.handle.status().logs[0].size < records {
            let event = tokio::time::timeout(Duration::from_secs(60), events.recv()).await.expect("it goes on");
            if matches!(event, Ok(Event::Stored { log: 0, .. })) {
                began.get_or_insert_with(|| start.elapsed());
            }
        }
        let took = start.elapsed();
        row(
            &format!("catch-up of {records} records, {} bytes each", bytes / records),
            format!("{:.0}/s", records as f64 / took.as_secs_f64()),
            "100,000/s",
        );
        row(
            "    of that, until the first page was stored",
            format!("{:.0} ms", began.unwrap_or_default().as_secs_f64() * 1000.0),
            "",
        );
        row("    payload", format!("{:.0} MB/s", bytes as f64 / 1e6 / took.as_secs_f64()), "");
        second.stop().await.unwrap();
        first.stop().await.unwrap();
    });
}

/// A node with a large log: how soon it answers, how much memory it takes, how long evidence takes.
fn large(dir: &Path, records: u64) {
    let trial = Trial::new(dir, 2, true);
    trial.fill(0, records);
    let home = trial.home(0);
    let start = Instant::now();
    let mut node = Command::new(env!("CARGO_BIN_EXE_verbale"))
        .args(["--home", home.to_str().unwrap(), "node", "--sign-without-peers"])
        .stdin(Stdio::null())
        .stderr(File::create(dir.join("node.log")).unwrap())
        .spawn()
        .unwrap();
    let socket = home.join("node.sock");
    let status = || verbale::cli::online::client::Client::new(&socket).unwrap().get::<serde_json::Value>("/v1/status");
    while status().is_err() {
        assert!(node.try_wait().unwrap().is_none(), "{}", std::fs::read_to_string(dir.join("node.log")).unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
    row(
        &format!("start of a node with {records} records"),
        format!("{:.0} ms", start.elapsed().as_secs_f64() * 1000.0),
        "< 2 s",
    );
    // Idle: whatever a start sets going has ended.
    std::thread::sleep(Duration::from_secs(3));
    let memory = std::fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .unwrap();
    row("    memory when idle", format!("{} MiB", kib / 1024), "< 200 MB");
    node.kill().unwrap();
    node.wait().unwrap();
    let store = verbale::store::Store::open(&home.join("data"), trial.treaty()).unwrap();
    let held = store.size(0).unwrap();
    let mut times: Vec<_> = (0..200u64)
        .map(|number| {
            let index = 1 + number.wrapping_mul(2_654_435_761) % (held - 2);
            let start = Instant::now();
            prove(&store, trial.treaty(), 0, index).unwrap().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    row("evidence for one note of them: median", format!("{:.2} ms", times[100].as_secs_f64() * 1000.0), "< 5 ms");
    row("    99 of 100", format!("{:.2} ms", times[198].as_secs_f64() * 1000.0), "");
}
