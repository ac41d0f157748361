//! Keys that change while the ledger runs, by the commands of the people who change them.

use std::fs;

use serde_json::{Value, json};
use verbale::cli::Code;

use crate::ledger::Ledger;

/// A note, logged and received by all; how people call it.
#[track_caller]
fn said(ledger: &Ledger, number: u64) -> String {
    let path = ledger.path(&format!("note-{number}"));
    fs::write(&path, ledger.trial.note(0, number)).unwrap();
    let sent = ledger.json(0, &["submit", &path, "--wait", "all"]);
    assert_eq!(sent[0]["final"], true, "{sent}");
    sent[0]["number"].as_str().unwrap().to_owned()
}

/// Makes a new key for a job; the credential's file.
#[track_caller]
fn rotated(ledger: &Ledger, party: usize, args: &[&str]) -> String {
    let made = ledger.json(party, &[&["keys", "rotate", "--plain"], args].concat());
    assert!(fs::metadata(made["secret"].as_str().unwrap()).is_ok(), "{made}");
    made["file"].as_str().unwrap().to_owned()
}

fn restart(ledger: &mut Ledger, party: usize) {
    assert_eq!(ledger.stop(party), 0, "{}", ledger.log(party));
    ledger.start(party, &[]);
    ledger.until_signing();
}

#[test]
fn each_key_of_a_running_ledger_is_replaced_and_notes_go_on_and_old_evidence_stays() {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    let mut notes = vec![said(&ledger, 1)];
    let early = ledger.verified(1, &notes[0]);

    // The log key. Its secret half has to be in the node before anything is logged.
    let credential = rotated(&ledger, 0, &["log", "--reason", "New machine"]);
    ledger.fails(0, &["submit", &credential], Code::Refused, &["secret half of that key", "start again"]);
    restart(&mut ledger, 0);
    ledger.fails(1, &["submit", &credential], Code::Refused, &["not a credential of this party"]);
    let sent = ledger.json(0, &["submit", &credential, "--wait", "all"]);
    ledger.fails(0, &["submit", &credential], Code::Already, &["logged before"]);
    let changeover = sent[0]["index"].as_u64().unwrap();
    notes.push(said(&ledger, 2));
    // A witness key: of a party whose receipts are wanted.
    let credential = rotated(&ledger, 1, &["witness"]);
    restart(&mut ledger, 1);
    ledger.json(1, &["submit", &credential, "--wait", "all"]);
    notes.push(said(&ledger, 3));
    // A transport key is taken up at the next start; the others know both, and find the node again.
    let credential = rotated(&ledger, 2, &["transport"]);
    ledger.json(2, &["submit", &credential, "--wait", "all"]);
    notes.push(said(&ledger, 4));
    restart(&mut ledger, 2);
    notes.push(said(&ledger, 5));
    // The key before is no longer wanted at all.
    assert_eq!(ledger.stop(0), 0);
    fs::remove_file(ledger.trial.home(0).join("keys/log.key")).unwrap();
    ledger.start(0, &[]);
    ledger.until_signing();
    notes.push(said(&ledger, 6));
    ledger.until_settled();
    ledger.nobody_forked();
    for note in &notes {
        let by_all = [1, 2].map(|party| ledger.verified(party, note)["receipts"].as_array().unwrap().len());
        assert_eq!(by_all, [2, 2], "{note}");
    }
    // What was handed out before says the same as ever.
    assert_eq!(ledger.verified(1, &notes[0])["leaf"], early["leaf"]);

    // Everybody can tell the history, from what a node stored, from an export and, as far as it goes, from evidence.
    let by_node = ledger.json(2, &["keys", "history"]);
    let of = |found: &Value, party: &str, job: &str| -> Vec<Value> {
        let keys = found["keys"].as_array().unwrap().iter();
        keys.filter(|life| life["party"] == party && life["use"] == job).cloned().collect()
    };
    let log = of(&by_node, "P0", "log");
    assert_eq!((log.len(), &log[0]["end"], &log[1]["end"]), (2, &json!("retired"), &Value::Null), "{log:?}");
    assert_eq!((&log[0]["ended"]["record"], &log[1]["began"]["record"]), (&json!(changeover), &json!(changeover)));
    assert_eq!(log[0]["ended"]["reason"], "New machine");
    assert_eq!([of(&by_node, "P1", "witness").len(), of(&by_node, "P2", "transport").len()], [2, 2]);
    assert_eq!(of(&by_node, "P0", "official")[0]["title"], "Minister");
    let export = ledger.path("export");
    ledger.json(1, &["export", &export]);
    assert_eq!(ledger.json(0, &["keys", "history", "--file", &export]), by_node);
    let evidence = ledger.path(&format!("{}-by-1.tlog-proof", notes[5].replace('/', "-")));
    let by_evidence = ledger.json(0, &["keys", "history", "P0", "--file", &evidence]);
    let log = of(&by_evidence, "P0", "log");
    assert_eq!(
        (by_evidence["from"].as_str(), log.len(), &log[1]["key"]),
        (Some("evidence"), 2, &of(&by_node, "P0", "log")[1]["key"])
    );
    assert_eq!(log[1]["began"]["record"], Value::Null, "the file does not show where");
    let plain = String::from_utf8(ledger.run(2, &["keys", "history", "P0"]).stdout).unwrap();
    assert!(plain.lines().all(|line| line.split('\t').count() == 13), "{plain}");
    assert!(plain.contains("\treplaced\tNew machine\tbench/P0+"), "{plain}");
    ledger.fails(2, &["keys", "history", "XX"], Code::Input, &["XX is not a party", "P0, P1 and P2"]);
    ledger.fails(2, &["keys", "history", "--file", &ledger.path("none")], Code::Input, &["none"]);
    ledger.fails(2, &["keys", "rotate", "root", "--plain"], Code::Usage, &["log, witness or transport"]);
    // What fails leaves no secret key behind.
    let keys = || fs::read_dir(ledger.trial.home(2).join("keys")).unwrap().count();
    let (before, long) = (keys(), "long ".repeat(300));
    ledger.fails(2, &["keys", "rotate", "log", "--plain", "--reason", &long], Code::Refused, &["`reason`", "1,000"]);
    ledger.fails(2, &["keys", "rotate", "log", "--plain", "-o", &export], Code::Input, &["exists already"]);
    assert_eq!(keys(), before);
    let shown = String::from_utf8(ledger.run(0, &["keys", "show"]).stdout).unwrap();
    assert!(shown.contains("Log: signs checkpoints, by a rotation\tplain\tbench/P0+"), "{shown}");
    // With one byte altered it is told as far as it can be read, and not relied on.
    let records = ledger.dir.path().join("export/logs/P0/records.txt");
    let altered = fs::read_to_string(&records).unwrap().replacen("New machine", "Old machine", 1);
    fs::write(&records, altered).unwrap();
    ledger.fails(0, &["keys", "history", "--file", &export], Code::NotVerified, &["does not verify whole"]);
    ledger.all_sound();
    assert_eq!(ledger.json(2, &["keys", "history"]), by_node, "also while no node runs");
}

#[test]
fn a_lost_log_key_is_recovered_by_the_root_and_the_log_goes_on() {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    let before = said(&ledger, 1);
    ledger.until_settled();
    assert_eq!(ledger.stop(0), 0);
    fs::remove_file(ledger.trial.home(0).join("keys/log.key")).unwrap();
    let (code, text) = crate::ledger::said(&ledger.run(0, &["node"]));
    assert_eq!(code, Code::Key as i32, "{text}");
    let credential = rotated(&ledger, 0, &["log", "--lost", "--reason", "The disk burnt"]);
    ledger.start(0, &[]);
    ledger.until("it runs without its key", || ledger.status(0).is_some_and(|status| status.mode == "without-key"));
    let note = ledger.path("note-2");
    fs::write(&note, ledger.trial.note(0, 2)).unwrap();
    ledger.fails(0, &["submit", &note], Code::NotSigning, &["root key puts another one in its place"]);
    ledger.json(0, &["submit", &credential, "--wait", "all"]);
    let after = said(&ledger, 2);
    ledger.until_settled();
    ledger.nobody_forked();
    for note in [&before, &after] {
        assert_eq!(ledger.verified(1, note)["receipts"].as_array().map(Vec::len), Some(2));
    }
    let history = ledger.json(1, &["keys", "history", "P0"]);
    let lost = history["keys"].as_array().unwrap().iter().find(|life| life["use"] == "log").unwrap();
    assert_eq!((&lost["end"], &lost["ended"]["reason"]), (&json!("lost"), &json!("The disk burnt")));
    ledger.all_sound();
}

#[test]
fn officials_keys_are_granted_for_a_time_and_revoked_and_what_was_said_before_stays_said() {
    let mut ledger = Ledger::with_roots(2);
    ledger.run_all();
    let draft = |name: &str| {
        let path = ledger.path(name);
        ledger.json(0, &["new", "remark", "--set", "text=good", "--to", "*", "-o", &path]);
        ledger.json(0, &["sign", &path, "--key", "envoy", "--yes"]);
        format!("{path}.note")
    };
    ledger.json(0, &["keys", "official", "envoy", "--title", "Envoy", "--plain"]);
    let grant = |times: &[&str], file: &str| {
        let args = ["keys", "grant", "envoy", "--kinds", "remark", "-o", file];
        ledger.json(0, &[&args, times].concat());
        ledger.json(0, &["submit", file]);
    };
    ledger.fails(
        0,
        &["keys", "grant", "envoy", "--kinds", "remark", "--from", "2030-01-01", "--until", "2020-01-01"],
        Code::Refused,
        &["`until`", "not before `from`"],
    );
    ledger.fails(0, &["keys", "grant", "envoy", "--kinds", "*", "--until", "soon"], Code::Usage, &["2021-06-18"]);
    let first = draft("first");
    ledger.fails(0, &["submit", &first], Code::Refused, &["had not granted"]);
    grant(&["--until", "2020-01-01"], &ledger.path("past.credential"));
    ledger.fails(
        0,
        &["submit", &first],
        Code::Refused,
        &["Envoy", "until 2020-01-01 23:59:59 UTC", "it was logged at"],
    );
    grant(&["--from", "2999-01-01"], &ledger.path("future.credential"));
    ledger.fails(0, &["submit", &first], Code::Refused, &["is valid from"]);
    grant(&["--from", "2020-01-01", "--until", "2998-01-01"], &ledger.path("now.credential"));
    let sent = ledger.json(0, &["submit", &first, "--wait", "all"]);
    let number = sent[0]["number"].as_str().unwrap();
    assert_eq!(ledger.verified(1, number)["signers"][0]["title"], "Envoy");

    let revocation = ledger.path("envoy.revocation");
    ledger.fails(0, &["keys", "revoke", "nobody"], Code::Key, &["nobody.pub"]);
    ledger.json(0, &["keys", "revoke", "envoy", "--reason", "Recalled", "-o", &revocation]);
    ledger.fails(1, &["submit", &revocation], Code::Refused, &["not a credential of this party"]);
    let sent = ledger.json(0, &["submit", &revocation, "--wait", "all"]);
    let place = sent[0]["index"].as_u64().unwrap();
    let late = draft("late");
    ledger.fails(0, &["submit", &late], Code::Refused, &["Envoy had been revoked", &format!("record {place}")]);
    let again = ledger.path("again.revocation");
    ledger.json(0, &["keys", "revoke", "envoy", "-o", &again]);
    ledger.fails(0, &["submit", &again], Code::Refused, &["no grant is in force"]);
    // The note from before: in order, and everybody is told what happened to the key since.
    let verdict = ledger.verified(1, number);
    assert_eq!(verdict["marks"], json!([]));
    let shown = ledger.json(1, &["show", number]);
    assert_eq!((&shown["signers"][0]["revoked_at"], &shown["marks"]), (&json!(place), &json!([])));
    let shown = String::from_utf8(ledger.run(1, &["show", number]).stdout).unwrap();
    assert!(shown.contains("revoked later, in P0/") && shown.contains("stays signed"), "{shown}");
    let history = ledger.json(1, &["keys", "history", "P0"]);
    let envoy: Vec<_> = history["keys"].as_array().unwrap().iter().filter(|life| life["title"] == "Envoy").collect();
    assert_eq!(envoy.len(), 3);
    assert!(envoy.iter().all(|life| life["end"] == "revoked" && life["ended"]["reason"] == "Recalled"), "{envoy:?}");
    assert_eq!((&envoy[0]["kinds"], &envoy[0]["valid_until"]), (&json!(["remark"]), &json!("2020-01-01T23:59:59Z")));
    ledger.all_sound();
}

#[test]
fn a_note_that_needs_two_officials_names_who_is_missing_and_goes_when_their_copies_are_brought_together() {
    let mut ledger = Ledger::with_roots(2);
    ledger.run_all();
    for (name, title, kinds) in
        [("premier", "Prime Minister", "*"), ("president", "President", "withdrawal"), ("clerk", "Clerk", "remark")]
    {
        ledger.json(0, &["keys", "official", name, "--title", title, "--plain"]);
        let file = ledger.path(&format!("{name}.credential"));
        ledger.json(0, &["keys", "grant", name, "--kinds", kinds, "-o", &file]);
        ledger.json(0, &["submit", &file]);
    }
    let draft = ledger.path("w.draft");
    ledger.json(0, &["new", "withdrawal", "--set", "text=good-bye", "--to", "*", "-o", &draft]);
    let copies = ["premier", "president", "clerk"].map(|name| {
        let copy = ledger.path(&format!("{name}.note"));
        let signed = ledger.json(0, &["sign", &draft, "--key", name, "--yes", "-o", &copy]);
        assert_eq!((&signed["demanded"], &signed["missing"]), (&json!(2), &json!(1)));
        copy
    });
    let parts = [
        "Article 9 demands the signatures of 2 officials; 1 of this note's count.",
        "Signed so far: Prime Minister",
        "Still missing: a signature by Minister (bench/P0/minister) or President (bench/P0/president)",
    ];
    ledger.fails(0, &["submit", &copies[0]], Code::Refused, &parts);
    let (_, text) = crate::ledger::said(&ledger.run(0, &["submit", &copies[0]]));
    assert!(!text.contains("Clerk"), "{text}");
    // A signature that does not count for this kind does not make two.
    let wrong = ledger.path("wrong.note");
    ledger.json(0, &["sign", "--merge", &copies[0], &copies[2], "-o", &wrong]);
    ledger.fails(0, &["submit", &wrong], Code::Refused, &["Clerk may not sign", "Still missing"]);
    let whole = ledger.path("whole.note");
    let merged = ledger.json(0, &["sign", "--merge", &copies[0], &copies[1], "-o", &whole]);
    assert_eq!((&merged["missing"], merged["signatures"].as_array().map(Vec::len)), (&json!(0), Some(2)));
    let sent = ledger.json(0, &["submit", &whole, "--wait", "all"]);
    let verdict = ledger.verified(1, sent[0]["number"].as_str().unwrap());
    assert_eq!(verdict["demanded"], json!({ "officials": 2, "article": "Article 9", "given": 2 }));
    assert_eq!([&verdict["signers"][0]["title"], &verdict["signers"][1]["title"]], ["Prime Minister", "President"]);
    let file = ledger.path(&format!("P0-{}-by-1.tlog-proof", sent[0]["index"]));
    let said = String::from_utf8(ledger.run(0, &["verify", &file]).stdout).unwrap();
    assert!(said.contains("profile (Article 9) demands that 2 officials sign such a note; 2 have."), "{said}");
    ledger.all_sound();
}
