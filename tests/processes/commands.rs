//! The commands, against a running ledger.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use verbale::cli::Code;

use crate::ledger::{Ledger, said};

#[test]
fn every_command_speaks_json_and_evidence_goes_from_prove_to_verify() {
    let mut ledger = Ledger::running(3);
    let path = |name: &str| ledger.dir.path().join(name).to_str().unwrap().to_owned();
    let json = |party: usize, args: &[&str]| -> Value {
        let mut all = vec!["--json"];
        all.extend(args);
        let output = ledger.run(party, &all);
        assert!(output.status.success(), "{args:?}: {}", said(&output).1);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    };
    std::fs::write(path("note"), ledger.trial.note(0, 1)).unwrap();
    let sent = json(0, &["submit", &path("note"), "--wait", "all"]);
    assert_eq!(sent[0]["final"], true);
    assert_eq!(sent[0]["missing"], serde_json::json!([]));
    let number = sent[0]["number"].as_str().unwrap().to_owned();
    let (code, text) = said(&ledger.run(0, &["submit", &path("note")]));
    assert_eq!(code, Code::Already as i32, "{text}");
    assert!(text.contains(&format!("logged before, as {number}")), "{text}");
    ledger.until_settled();

    assert_eq!(json(1, &["status"])["signs"], true);
    assert_eq!(json(1, &["inbox"])[0]["number"], number);
    assert_eq!(json(0, &["sent"])[0]["number"], number);
    let shown = json(1, &["show", &number]);
    assert_eq!(shown["receipts_by"].as_array().unwrap().len(), 2);
    assert_eq!(shown["signers"][0]["title"], "Minister");
    assert_eq!(json(1, &["show", "P0/0"])["type"], "credential");
    assert_eq!(json(2, &["treaty", "show"])["parties"].as_array().map(Vec::len), Some(3));
    assert_eq!(json(2, &["fsck"])["faults"], serde_json::json!([]));

    let proof = path("proof");
    json(2, &["prove", &number, "-o", &proof]);
    let verdict = json(2, &["verify", &proof]);
    assert_eq!((verdict["sound"].as_bool(), verdict["verdict"]["party"].as_str()), (Some(true), Some("P0")));
    // Party 1 has received the note, and answered it with nothing.
    let silence = path("silence");
    // What counts are cosignatures that are younger than the note: a second later at the earliest, by others' clocks.
    ledger.until("the two others have confirmed what they hold of the log of party 1", || {
        ledger.run(2, &["prove", &number, "--silence", "P1", "-o", &silence]).status.success()
            && json(0, &["verify", &silence])["verdict"]["silence"]["seen_by"].as_array().map(Vec::len) == Some(2)
    });
    let verdict = json(0, &["verify", &silence]);
    assert_eq!(verdict["verdict"]["silence"]["answers"], serde_json::json!([]), "{verdict}");
    assert_eq!(verdict["verdict"]["silence"]["seen_by"].as_array().map(Vec::len), Some(2), "{verdict}");
    assert!(
        verdict["verdict"]["silence"]["as_of"].is_string() && verdict["verdict"]["silence"]["received"].is_string()
    );
    assert_eq!(said(&ledger.run(2, &["prove", &number, "--silence", "P0", "-o", &silence])).0, Code::Refused as i32);
    let export = path("export");
    json(2, &["export", &export]);
    let treaty = ledger.trial.home(0).join("treaty.toml");
    assert_eq!(json(2, &["verify", &export, "--treaty", treaty.to_str().unwrap()])["sound"], true);
    let (code, text) = said(&ledger.run(2, &["export", &export]));
    assert_eq!(code, Code::Input as i32, "{text}");
    // A part of the export is changed: it no longer verifies.
    let records = ledger.dir.path().join("export/logs/P0/records.txt");
    let changed = std::fs::read_to_string(&records).unwrap().replacen("\"kind\":\"remark\"", "\"kind\":\"remarc\"", 1);
    std::fs::write(&records, changed).unwrap();
    assert_eq!(said(&ledger.run(2, &["verify", &export])).0, Code::NotVerified as i32);

    let missing = |args: &[&str], code: Code| assert_eq!(said(&ledger.run(1, args)).0, code as i32, "{args:?}");
    missing(&["show", "P0/999"], Code::Input);
    missing(&["show", "XX/1"], Code::Input);
    missing(&["show", "P0"], Code::Usage);
    missing(&["submit", "/nonexistent"], Code::Input);
    missing(&["ack", &number, "--key", "nobody", "--yes", "--set", "text=seen"], Code::Key);
    ledger.all_sound();
    let (code, text) = said(&ledger.run(0, &["status"]));
    assert_eq!(code, Code::NoNode as i32);
    assert!(text.contains("no node answers") && text.contains("verbale node"), "{text}");
}

#[test]
fn a_stop_is_clean_also_while_somebody_watches_and_waits() {
    let mut ledger = Ledger::running(2);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_verbale"))
        .arg("--home")
        .arg(ledger.trial.home(0))
        .args(["--json", "watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    // Notes until the watcher, which takes its time to connect, tells of one.
    let (found, seen) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut kinds = std::collections::BTreeSet::new();
        while let Some(Ok(line)) = lines.next() {
            let event: Value = serde_json::from_str(&line).unwrap();
            kinds.insert(event["event"].as_str().unwrap().to_owned());
            if kinds.contains("note") && kinds.contains("receipt") {
                let _ = found.send(());
            }
        }
    });
    let mut number = 0;
    ledger.until("the watcher has seen a note and a receipt", || {
        number += 1;
        ledger.submit(0, ledger.trial.note(0, number)).unwrap();
        seen.try_recv().is_ok()
    });
    // The other node is gone, so that somebody waits for its receipt.
    ledger.kill(1);
    std::fs::write(ledger.dir.path().join("note"), ledger.trial.note(0, 9_999)).unwrap();
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_verbale"))
        .arg("--home")
        .arg(ledger.trial.home(0))
        .args(["submit", ledger.dir.path().join("note").to_str().unwrap(), "--wait", "all"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(waiting.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("is logged as"), "{first}");
    assert_eq!(ledger.stop(0), 0, "{}", ledger.log(0));
    assert_eq!(waiting.wait().unwrap().code(), Some(Code::NoNode as i32));
    assert_eq!(watch.wait().unwrap().code(), Some(Code::NoNode as i32));
    reader.join().unwrap();
    assert!(!ledger.trial.home(0).join("node.sock").exists());
    assert!(ledger.log(0).contains("the node stops"));
    assert!(!ledger.log(0).contains('\u{1b}'), "colours in a file");
}
