//! Parties that come and go, and move, while the ledger runs. No node's files are edited by hand.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use verbale::cli::Code;
use verbale::cli::online::loopback::free_port;
use verbale::ledger::Timestamp;

use crate::ledger::Ledger;

fn address() -> String {
    format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port().unwrap())
}

/// Composes the next amendment at the first party's; its file.
#[track_caller]
fn composed(ledger: &Ledger, name: &str, args: &[&str]) -> String {
    let file = ledger.path(name);
    ledger.json(0, &[&["treaty", "amend", "-o", &file], args].concat());
    file
}

#[track_caller]
fn signed(ledger: &Ledger, file: &str, by: &[usize]) -> Value {
    let mut state = Value::Null;
    for party in by {
        state = ledger.json(*party, &["treaty", "sign", file, "--yes"]);
    }
    state
}

/// Every running node has so many amendments in every running party's log.
fn until_amended(ledger: &Ledger, parties: usize, number: usize) {
    ledger.until("all have logged the amendment", || {
        (0..parties).all(|party| {
            ledger
                .status(party)
                .is_some_and(|status| status.logs.iter().take(parties).all(|log| log.amendments == number))
        })
    });
}

/// An official's remark from a party, by the commands; how people call it.
#[track_caller]
fn remark(ledger: &Ledger, party: usize, name: &str) -> String {
    let draft = ledger.path(name);
    ledger.json(party, &["new", "remark", "--set", "text=good", "--to", "*", "-o", &draft]);
    ledger.json(party, &["sign", &draft, "--key", "envoy", "--yes"]);
    let sent = ledger.json(party, &["submit", &format!("{draft}.note"), "--wait", "all"]);
    assert_eq!((&sent[0]["final"], &sent[0]["missing"]), (&json!(true), &json!([])));
    sent[0]["number"].as_str().unwrap().to_owned()
}

#[track_caller]
fn envoy(ledger: &Ledger, party: usize) {
    let file = ledger.path(&format!("envoy-{party}.credential"));
    ledger.json(party, &["keys", "official", "envoy", "--title", "Envoy", "--plain"]);
    ledger.json(party, &["keys", "grant", "envoy", "--kinds", "*", "-o", &file]);
    ledger.json(party, &["submit", &file]);
}

#[test]
fn a_state_accedes_while_the_ledger_runs_and_has_and_sends_everything() {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    envoy(&ledger, 0);
    let before = remark(&ledger, 0, "before");

    // The newcomer makes its keys; it is not a party yet.
    let new = ledger.one_more();
    let (home, listen) = (ledger.trial.home(new), address());
    fs::create_dir_all(&home).unwrap();
    let args = ["keys", "new", "--ledger", "bench", "--party", "P3", "--name", "Party 3", "--plain", "--address"];
    ledger.json(new, &[&args[..], &[&listen]].concat());
    for file in ["treaty.toml", "profile.toml"] {
        fs::copy(ledger.trial.home(0).join(file), home.join(file)).unwrap();
    }
    let config = fs::read_to_string(ledger.trial.home(2).join("verbale.toml")).unwrap();
    let config = config.replacen("\"P2\"", "\"P3\"", 1);
    let others = format!("{:?}", ledger.trial.treaty().party(2).addresses);
    fs::write(home.join("verbale.toml"), config.replacen(&others, &format!("[{listen:?}]"), 1)).unwrap();
    ledger.fails(new, &["node"], Code::Input, &["`party` is P3, which is not in the treaty file"]);

    let quorum = ledger.path("quorum.txt");
    fs::write(&quorum, "# Two of four\ngroup some 2 P0 P1 P2 P3\nquorum some\n").unwrap();
    let entry = home.join("P3.party.toml");
    let entry = entry.to_str().unwrap();
    let missing = ledger.path("none.party.toml");
    ledger.fails(0, &["treaty", "amend", "--accede", &missing], Code::Input, &["none.party.toml"]);
    ledger.fails(0, &["treaty", "amend"], Code::Usage, &["an amendment changes something"]);
    let file = composed(&ledger, "amendment-1.note", &["--accede", entry, "--quorum", &quorum]);
    let state = signed(&ledger, &file, &[0, 1]);
    assert_eq!(state["needed"], json!(["P3, which accedes"]));
    ledger.fails(1, &["submit", &file], Code::Refused, &["signatures are missing: P3, which accedes"]);
    ledger.fails(new, &["treaty", "join", &file], Code::Input, &["signatures are missing"]);
    ledger.fails(0, &["treaty", "sign", &file, "--yes"], Code::Refused, &["signed by P0 already"]);
    assert_eq!(signed(&ledger, &file, &[new])["needed"], json!([]));
    ledger.json(1, &["submit", &file, "--wait", "none"]);
    until_amended(&ledger, 3, 1);

    ledger.json(new, &["treaty", "join", &file]);
    ledger.start(new, &[]);
    ledger.until_signing();
    envoy(&ledger, new);
    let own = remark(&ledger, new, "own");
    let after = remark(&ledger, 0, "after");
    ledger.until_settled();
    // Whoever has only the treaty file as it was at first follows the amendment in the evidence.
    for (note, receipts) in [(&before, 3), (&own, 3), (&after, 3)] {
        for at in [1, new] {
            assert_eq!(ledger.verified(at, note)["receipts"].as_array().map(Vec::len), Some(receipts), "{note}");
        }
    }
    // What follows from the notes is worked out for the newcomer's as well.
    for party in 0..4 {
        ledger.json(party, &["due", "--all"]);
        assert_eq!(ledger.json(party, &["timeline", &own])["notes"][0]["number"], own);
    }
    let export = ledger.path("export");
    ledger.json(new, &["export", &export]);
    let treaty = ledger.trial.home(0).join("treaty.toml");
    assert_eq!(ledger.json(0, &["verify", &export, "--treaty", treaty.to_str().unwrap()])["sound"], true);
    let history = ledger.json(2, &["keys", "history", "P3"]);
    assert!(history["keys"].as_array().unwrap().iter().any(|life| life["title"] == "Envoy"), "{history}");
    assert_eq!(ledger.json(2, &["treaty", "show"])["parties"].as_array().map(Vec::len), Some(4));
    ledger.nobody_forked();
    // All of it again from the disks, the newcomer's too.
    for party in 0..4 {
        assert_eq!(ledger.stop(party), 0, "{}", ledger.log(party));
    }
    for party in 0..4 {
        ledger.start(party, &[]);
    }
    ledger.until_signing();
    remark(&ledger, new, "again");
    ledger.all_sound();
}

#[test]
fn a_withdrawal_takes_effect_and_the_former_party_stays_provable_and_keeps_receiving() {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    envoy(&ledger, 0);
    envoy(&ledger, 2);
    let past = remark(&ledger, 2, "past");
    ledger.fails(0, &["treaty", "amend", "--withdrawn", "P2"], Code::Usage, &["--from"]);
    let wrong = ["treaty", "amend", "--withdrawn", "XX", "--from", "2999-01-01"];
    ledger.fails(0, &wrong, Code::Refused, &["XX is not a party", "nothing was written"]);
    let wrong = ["treaty", "amend", "--withdrawn", "P2", "--from", "2001-01-01"];
    ledger.fails(0, &wrong, Code::Refused, &["before the amendment was written"]);
    let wrong = ["treaty", "amend", "--withdrawn", "P2", "--from", "tomorrow"];
    ledger.fails(0, &wrong, Code::Usage, &["2021-12-18"]);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let from = Timestamp::from_posix(now + 4).to_string();
    let file = composed(&ledger, "a.note", &["--withdrawn", "P2", "--from", &from]);
    signed(&ledger, &file, &[0, 1]);
    ledger.json(0, &["submit", &file, "--wait", "none"]);
    until_amended(&ledger, 3, 1);
    // A date has come for a log with its first record from then on.
    let mut number = 0;
    ledger.until("the date has come", || {
        number += 1;
        ledger.submit(0, ledger.trial.note(0, number)).unwrap();
        [0, 1].iter().all(|at| ledger.status(*at).is_some_and(|status| status.logs[2].former))
    });
    let draft = ledger.path("late");
    ledger.json(2, &["new", "remark", "--set", "text=good", "--to", "*", "-o", &draft]);
    ledger.json(2, &["sign", &draft, "--key", "envoy", "--yes"]);
    ledger.fails(2, &["submit", &format!("{draft}.note")], Code::Refused, &["P2 is no longer a party"]);
    // It is an observer: what is said goes on to reach it.
    let after = remark(&ledger, 0, "after");
    ledger.until_settled();
    assert_eq!(ledger.json(2, &["show", &after])["number"], after);
    // The quorum, one receipt of anybody's, is counted without it: its receipt alone makes nothing final.
    let draft = ledger.path("alone");
    ledger.json(0, &["new", "remark", "--set", "text=good", "--to", "*", "-o", &draft]);
    ledger.json(0, &["sign", &draft, "--key", "envoy", "--yes"]);
    assert_eq!(ledger.stop(1), 0);
    let sent = ledger.json(0, &["submit", &format!("{draft}.note"), "--wait", "none"]);
    let index = sent[0]["index"].as_u64().unwrap();
    let own = |ledger: &Ledger| ledger.status(0).unwrap().logs[0].clone();
    ledger.until("the former party has received it", || {
        own(&ledger).receipts.iter().any(|receipt| receipt.party == "P2" && receipt.records > index)
    });
    assert!(own(&ledger).final_records <= index, "{:?}", own(&ledger));
    assert_eq!(ledger.stop(2), 0);
    ledger.start(1, &[]);
    ledger.until("it is final without the former party", || own(&ledger).final_records > index);
    let verdict = ledger.verified(1, sent[0]["number"].as_str().unwrap());
    assert_eq!(verdict["amended"], json!({ "held": 1, "known": 1 }));
    let verdict = ledger.verified(1, &past);
    assert_eq!((verdict["party"].as_str(), &verdict["marks"]), (Some("P2"), &json!([])));
    ledger.start(2, &[]);
    ledger.until_signing();
    ledger.until_settled();
    ledger.nobody_forked();
    ledger.all_sound();
}

#[test]
fn a_quorum_that_is_amended_counts_for_what_is_said_after_it() {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    envoy(&ledger, 0);
    let before = remark(&ledger, 0, "before");
    let quorum = ledger.path("quorum.txt");
    fs::write(&quorum, "group others\nquorum others\n").unwrap();
    ledger.fails(0, &["treaty", "amend", "--quorum", &quorum], Code::Refused, &["quorum", "nothing was written"]);
    fs::write(&quorum, "group others all P1 P2\nquorum others\n").unwrap();
    let file = composed(&ledger, "a.note", &["--quorum", &quorum]);
    assert_ne!(signed(&ledger, &file, &[0])["needed"], json!([]));
    ledger.fails(0, &["submit", &file], Code::Refused, &["signatures are missing"]);
    signed(&ledger, &file, &[1]);
    ledger.json(0, &["submit", &file, "--wait", "none"]);
    until_amended(&ledger, 3, 1);

    // One receipt was enough before, and is not now.
    assert_eq!(ledger.stop(2), 0);
    let draft = ledger.path("after");
    ledger.json(0, &["new", "remark", "--set", "text=good", "--to", "*", "-o", &draft]);
    ledger.json(0, &["sign", &draft, "--key", "envoy", "--yes"]);
    let sent = ledger.json(0, &["submit", &format!("{draft}.note"), "--wait", "none"]);
    let (index, number) = (sent[0]["index"].as_u64().unwrap(), sent[0]["number"].as_str().unwrap());
    let own = |ledger: &Ledger| ledger.status(0).unwrap().logs[0].clone();
    ledger.until("P1 has received it", || {
        own(&ledger).receipts.iter().any(|receipt| receipt.party == "P1" && receipt.records > index)
    });
    assert!(own(&ledger).final_records <= index, "{:?}", own(&ledger));
    ledger.start(2, &[]);
    ledger.until("P2 has received it too, and it is final", || own(&ledger).final_records > index);
    ledger.until_settled();

    // Whoever has only the treaty file as it was at first counts each note by the quorum of its place.
    let verdict = ledger.verified(1, number);
    assert_eq!(verdict["amended"], json!({ "held": 1, "known": 1 }));
    assert_eq!(verdict["final"], true);
    assert_eq!(ledger.verified(1, &before)["final"], true);
    ledger.nobody_forked();
    ledger.all_sound();
}

#[test]
fn nodes_find_one_that_moved_by_an_amendment_alone() {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    let moved = address();
    let wrong = ["treaty", "amend", "--addresses", "P1=nowhere"];
    ledger.fails(0, &wrong, Code::Input, &["nowhere"]);
    ledger.fails(0, &["treaty", "amend", "--addresses", "P1"], Code::Usage, &["CODE=ADDRESS"]);
    // The others' own addresses go: the one that moved cannot find them, they have to find it.
    let place = format!("P1={moved}");
    let changes = ["--addresses", &place, "--addresses", "P0=", "--addresses", "P2="];
    let file = composed(&ledger, "a.note", &changes);
    signed(&ledger, &file, &[2, 1]);
    ledger.json(2, &["submit", &file, "--wait", "none"]);
    until_amended(&ledger, 3, 1);
    assert_eq!(ledger.stop(1), 0);
    let home = ledger.trial.home(1).join("verbale.toml");
    let config = fs::read_to_string(&home).unwrap();
    let before = format!("{:?}", ledger.trial.treaty().party(1).addresses);
    // Where it listens is its own operator's to say.
    fs::write(&home, config.replacen(&before, &format!("[{moved:?}]"), 1)).unwrap();
    ledger.start(1, &[]);
    ledger.until("both have found it", || ledger.status(1).is_some_and(|status| status.connected == 2));
    envoy(&ledger, 0);
    let note = remark(&ledger, 0, "note");
    assert_eq!(ledger.verified(1, &note)["receipts"].as_array().map(Vec::len), Some(2));
    ledger.all_sound();
}
