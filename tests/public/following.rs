//! Who reads, mirrors and witnesses from outside goes on when keys change and a state accedes, with real nodes.

use std::fs;

use serde_json::Value;
use verbale::note::{SignedNote, VerifierKey};
use verbale::tlog::{AddCheckpoint, Checkpoint, Cosignature};

use crate::http::{address, configure};
use crate::ledger::Ledger;
use crate::servers::{Answer, get, send};

fn rotate(ledger: &mut Ledger, party: usize, job: &str) {
    let made = ledger.json(party, &["keys", "rotate", job, "--plain"]);
    assert_eq!(ledger.stop(party), 0, "{}", ledger.log(party));
    ledger.start(party, &[]);
    ledger.until_signing();
    ledger.json(party, &["submit", made["file"].as_str().unwrap(), "--wait", "all"]);
}

/// The last key of a party for a job.
fn last_key(history: &Value, party: &str, job: &str) -> VerifierKey {
    let mut keys = history["keys"].as_array().unwrap().iter();
    let key = keys.rfind(|life| life["party"] == party && life["use"] == job).unwrap();
    VerifierKey::parse(key["key"].as_str().unwrap()).unwrap()
}

#[test]
fn readers_and_witnesses_go_on_when_keys_change_and_a_state_accedes() {
    let mut ledger = Ledger::with_roots(3);
    configure(&ledger, 1, "[public]\nlisten = \"127.0.0.1:0\"\n");
    ledger.run_all();
    let treaty = ledger.trial.home(2).join("treaty.toml").to_str().unwrap().to_owned();
    let (copy, kept) = (ledger.path("copy"), ledger.path("copy/ledger"));
    let mirrored = |ledger: &Ledger, base: &str| {
        ledger.until_settled();
        let round = ledger.json(2, &["mirror", base, "--dir", &copy, "--treaty", &treaty]);
        assert_eq!(ledger.json(2, &["verify", &kept, "--treaty", &treaty])["sound"], true);
        round
    };
    ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    mirrored(&ledger, &address(&ledger, 1));

    // The key of the log that is read, and the key of the one who shows it and cosigns.
    rotate(&mut ledger, 0, "log");
    rotate(&mut ledger, 1, "witness");
    ledger.until("it is read again", || ledger.log(1).matches("the logs are public").count() == 2);
    let base = address(&ledger, 1);
    ledger.submit(0, ledger.trial.note(0, 2)).unwrap();
    mirrored(&ledger, &base);
    let history = ledger.json(2, &["keys", "history", "--file", &kept]);
    assert_eq!(history, ledger.json(1, &["keys", "history"]), "the copy tells what the nodes tell");
    let (log_key, witness_key) = (last_key(&history, "P0", "log"), last_key(&history, "P1", "witness"));
    assert_ne!(log_key, ledger.trial.treaty().party(0).log);
    assert_ne!(witness_key, ledger.trial.treaty().party(1).witness);

    // The list for readers of other kinds names the key that signs now.
    let list: Value = serde_json::from_slice(&get(&format!("{base}/bench/logs.json")).body).unwrap();
    assert_eq!(list["logs"][0]["vkey"], log_key.to_string());
    assert_eq!(list["logs"][0]["other_vkeys"][0], ledger.trial.treaty().party(0).log.to_string());
    let head = get(&format!("{base}/bench/P0/latest")).body;
    let checkpoint = SignedNote::parse(&head).unwrap();
    Checkpoint::verify(&checkpoint, &log_key).unwrap();
    let ask = |old: u64| -> Answer {
        let request = AddCheckpoint { old, proof: vec![], checkpoint: checkpoint.clone() };
        send("POST", &format!("{base}/add-checkpoint"), &[], &request.to_bytes())
    };
    // It was receipted already, or is now: the size of the last receipt tells.
    let answered = match ask(0) {
        answered if answered.status == 409 => ask(String::from_utf8(answered.body).unwrap().trim().parse().unwrap()),
        answered => answered,
    };
    assert_eq!(answered.status, 200, "{}", String::from_utf8_lossy(&answered.body));
    let mut bare = checkpoint.clone();
    bare.retain(|line| line.is_by(&log_key));
    let cosigned = SignedNote::parse(&[bare.to_bytes(), answered.body].concat()).unwrap();
    Cosignature::verify(&cosigned, &witness_key).unwrap();

    // A state accedes: its log is shown without a restart, and followed.
    let new = ledger.one_more();
    let home = ledger.trial.home(new);
    fs::create_dir_all(&home).unwrap();
    ledger.json(new, &["keys", "new", "--ledger", "bench", "--party", "P3", "--name", "Party 3", "--plain"]);
    for file in ["treaty.toml", "profile.toml"] {
        fs::copy(ledger.trial.home(0).join(file), home.join(file)).unwrap();
    }
    let (file, entry) = (ledger.path("a.note"), home.join("P3.party.toml"));
    ledger.json(0, &["treaty", "amend", "--accede", entry.to_str().unwrap(), "-o", &file]);
    for party in [0, 1, new] {
        ledger.json(party, &["treaty", "sign", &file, "--yes"]);
    }
    assert!(!String::from_utf8(get(&format!("{base}/bench/logs.json")).body).unwrap().contains("\"P3\""));
    ledger.json(2, &["submit", &file, "--wait", "none"]);
    ledger.until("all have logged it", || {
        (0..3).all(|party| ledger.status(party).is_some_and(|s| s.logs.iter().take(3).all(|log| log.amendments == 1)))
    });
    ledger.until("its log is shown", || {
        String::from_utf8(get(&format!("{base}/bench/logs.json")).body).unwrap().contains("\"P3\"")
    });
    mirrored(&ledger, &base);
    assert_eq!(fs::read(ledger.path("copy/ledger/amendments/001.note")).unwrap(), fs::read(&file).unwrap());
    // And whoever comes only now finds all of it in order.
    let watch = ledger.path("watch");
    let seen = ledger.run(2, &["monitor", &base, "--dir", &watch, "--treaty", &treaty, "--once"]);
    assert!(
        seen.status.success(),
        "{}{}",
        String::from_utf8_lossy(&seen.stdout),
        String::from_utf8_lossy(&seen.stderr)
    );
    ledger.nobody_forked();
    for party in 0..3 {
        assert_eq!(ledger.stop(party), 0, "{}", ledger.log(party));
    }
}
