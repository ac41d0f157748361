//! The logs over HTTP from running nodes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use verbale::tlog::{TilePath, read_bundle};

use crate::ledger::Ledger;
use crate::servers::{Answer, get, send, statuses};

/// Appends to a party's `verbale.toml`.
pub fn configure(ledger: &Ledger, party: usize, text: &str) {
    let path = ledger.trial.home(party).join("verbale.toml");
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Where a node says that it is read: the address before the ledger's name.
pub fn address(ledger: &Ledger, party: usize) -> String {
    let mut found = None;
    ledger.until("the node listens for everybody", || {
        let log = ledger.log(party);
        found = log.rsplit("url=\"").next().filter(|rest| rest.starts_with("http://")).map(str::to_owned);
        found.is_some()
    });
    let url = found.unwrap();
    url.split("/bench/").next().unwrap().to_owned()
}

/// The independent reader's answer; none where Python or its library is missing.
pub fn read_by_python(prefix: &str, vkey: &str, head: &str) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiles.py");
    let ready = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: the independent reader needs Python and its package cryptography");
        return None;
    }
    let output = Command::new("python3").arg(script).args([prefix, vkey, head]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_stranger_reads_a_running_nodes_logs_with_a_reader_of_its_own() {
    let mut ledger = Ledger::new(3);
    configure(&ledger, 0, "[public]\nlisten = \"127.0.0.1:0\"\nprefix = \"/public\"\n");
    (0..3).for_each(|party| ledger.start(party, &[]));
    ledger.until_signing();
    ledger.submit(0, ledger.trial.grant(0)).unwrap();
    for number in 0..300 {
        ledger.submit(0, ledger.trial.note(0, number)).unwrap();
    }
    ledger.until_settled();
    let base = address(&ledger, 0);
    assert!(base.ends_with("/public"), "{base}");
    for party in 0..3 {
        let key = ledger.trial.treaty().party(party).log.to_string();
        let prefix = format!("{base}/bench/P{party}");
        for head in ["checkpoint", "latest"] {
            if party > 0 && head == "checkpoint" {
                // Receipts ask for none: of a log with nothing else, no head is final.
                assert_eq!(get(&format!("{prefix}/{head}")).status, 404);
                continue;
            }
            let Some(read) = read_by_python(&prefix, &key, head) else { return };
            assert_eq!(read["origin"], format!("bench/P{party}"));
            if party == 0 {
                assert!(read["size"].as_u64().unwrap() > 300, "{read}");
            }
            if head == "checkpoint" {
                assert!(!read["cosigners"].as_array().unwrap().is_empty(), "a final head has receipts on it: {read}");
            }
        }
    }
    answers(&base);
    ledger.all_sound();
}

/// Status codes and headers.
fn answers(base: &str) {
    let url = |path: &str| format!("{base}/bench/{path}");
    let bundle = get(&url("P0/tile/entries/000"));
    assert_eq!(bundle.status, 200);
    assert_eq!(read_bundle(&bundle.body).unwrap().len(), 256);
    assert!(bundle.header("cache-control").contains("immutable"));
    assert_eq!(bundle.header("content-type"), "application/octet-stream");
    let tile = get(&url("P0/tile/0/000"));
    assert_eq!((tile.status, tile.body.len()), (200, 8192));
    let top = get(&url("P0/tile/1/000.p/1"));
    assert_eq!((top.status, top.body.len()), (200, 32));
    let checkpoint = get(&url("P0/checkpoint"));
    assert_eq!(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(checkpoint.header("cache-control"), "public, max-age=5");
    // Known already; and a HEAD has no body.
    let known = send("GET", &url("P0/tile/0/000"), &[("if-none-match", &tile.header("etag"))], b"");
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, tile.header("etag")));
    let other = send("GET", &url("P0/tile/0/000"), &[("if-none-match", "W/\"1\", \"2\"")], b"");
    assert_eq!(other.status, 200);
    let head = send("HEAD", &url("P0/tile/0/000"), &[], b"");
    assert_eq!((head.status, head.body.len(), head.header("content-length").as_str()), (200, 0, "8192"));
    // Text and entries are compressed for whoever likes it; hashes are not.
    let squeezed = |path: &str| send("GET", &url(path), &[("accept-encoding", "gzip")], b"").header("content-encoding");
    assert_eq!((squeezed("P0/tile/entries/000").as_str(), squeezed("P0/tile/0/000").as_str()), ("gzip", ""));
    for path in [
        "P0/tile/0/001",
        "P0/tile/entries/001",
        "P0/tile/0/999.p/1",
        "P0/tile/2/000.p/1",
        "P0/tile/8/000",
        "P0/tile/0/x000/000",
        "P0/tile/0/0",
        "P0/fork.txt",
        "P0/",
        "P9/checkpoint",
        "../data/CURRENT",
        "%2e%2e/data/CURRENT",
        "nothing",
    ] {
        let answer = get(&url(path));
        assert_eq!((answer.status, answer.header("cache-control").as_str()), (404, "no-store"), "{path}");
    }
    assert_eq!(send("PUT", &url("P0/checkpoint"), &[], b"x").status, 405);
    assert_eq!(get(&format!("{base}/another/P0/checkpoint")).status, 404);
    let elsewhere = get(base);
    assert_eq!((elsewhere.status, elsewhere.header("location").as_str()), (302, "/public/bench/"));
    let index: Value = serde_json::from_slice(&get(&url("logs.json")).body).unwrap();
    assert_eq!(index["logs"].as_array().unwrap().len(), 3);
    assert_eq!(index["logs"][0]["path"], "P0/");
    let page = String::from_utf8(get(&url("")).body).unwrap();
    assert!(page.contains("A treaty to be measured") && page.contains("P0/checkpoint"));
    assert!(get(&url("treaty.toml")).body.starts_with(b"version = 1"));
    // As many widths as the newest head has entries in its last bundle, and not one more.
    let widths: Vec<Answer> = (1..256).map(|width| get(&url(&format!("P0/tile/entries/001.p/{width}")))).collect();
    let most = widths.iter().take_while(|answer| answer.status == 200).count();
    assert!(most > 40 && widths[most..].iter().all(|answer| answer.status == 404));
    assert!(TilePath::parse(&format!("tile/entries/001.p/{most}")).is_some());
}

#[test]
fn whoever_asks_too_much_is_told_to_wait_and_others_are_served() {
    let mut ledger = Ledger::new(1);
    configure(&ledger, 0, "[public]\nlisten = \"127.0.0.1:0\"\nrequests_per_second = 1\nmax_connections = 4\n");
    ledger.start(0, &["--sign-without-peers"]);
    let base = address(&ledger, 0);
    // A hundred in a row, of which ten and one more a second are answered.
    let url = format!("{base}/bench/logs.json");
    let statuses = statuses(&url, 100);
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    // Sockets on which nothing is asked hold their places, and no more than these.
    let address = base.trim_start_matches("http://").to_owned();
    let silent: Vec<_> = (0..4).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    drop(silent);
    assert!([200, 429].contains(&get(&url).status));
    ledger.all_sound();
}

#[test]
fn whoever_is_slow_to_send_keeps_nobody_from_being_answered() {
    let mut ledger = Ledger::new(1);
    let proxy = "[public]\nlisten = \"127.0.0.1:0\"\ntrusted_proxy = \"127.0.0.1\"\n";
    configure(&ledger, 0, proxy);
    ledger.start(0, &["--sign-without-peers"]);
    let base = address(&ledger, 0);
    let address = base.trim_start_matches("http://").to_owned();
    let url = format!("{base}/bench/logs.json");
    let from = |reader: &str| send("GET", &url, &[("x-forwarded-for", reader)], b"").status;
    // A hundred readers, some with several connections, begin to send something and do not go on.
    let slow: Vec<_> = (0..200)
        .map(|n| {
            let mut socket = std::net::TcpStream::connect(&address).unwrap();
            let reader = format!("192.0.2.{}", n / 2);
            let head = format!(
                "POST /add-checkpoint HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {reader}\r\ncontent-length: 1000\r\n\r\nold"
            );
            socket.write_all(head.as_bytes()).unwrap();
            socket
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(from("198.51.100.7"), 200);
    }
    drop(slow);
    // Of one reader only so many at once, whatever it says before the proxy's own word.
    let begin = |n: usize| {
        let mut socket = std::net::TcpStream::connect(&address).unwrap();
        let head = format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.{n}, 203.0.113.9\r\n\
             content-length: 1000\r\n\r\nold"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket
    };
    ledger.until("the last of them is refused", || {
        let many: Vec<_> = (0..20).map(begin).collect();
        let (refused, other) = (from("10.9.9.9, 203.0.113.9"), from("203.0.113.10"));
        assert!([200, 429].contains(&refused) && other == 200);
        drop(many);
        refused == 429
    });
    // Without the proxy's word nobody knows who asks.
    assert_eq!(get(&url).status, 500);
    ledger.all_sound();
}
