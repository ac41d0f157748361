//! A party that writes so much into its log that no file of evidence holds the stretch without an answer: a whole export shows its
//! silence all the same.
#![cfg(feature = "cli")]

mod common;

use std::path::Path;
use std::process::Command;

use common::files::{exported, write_folder};
use common::{CA, HU, Ledger, RU, US, append, key};
use serde_json::Value;
use verbale::audit::{Selection, SilenceError, exported_silence, verify_export};
use verbale::ledger::{RecordType, Reference, Timestamp};
use verbale::node::{ProveError, Read, SilenceQuery, prove_silence, seen_head};
use verbale::note::SignedNote;
use verbale::tlog::leaf_hash;

/// The United States ask, and Canada logs more than 16 MiB and no answer; two days later the others say what they hold.
fn flooded() -> (Ledger, u64, SilenceQuery) {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let index = ledger.remark(US, 2);
    let mut disk = ledger.nodes[CA].disk.clone();
    let (time, payload) = (Timestamp::from_posix(ledger.now / 1000), "x".repeat(65_000) + "\n");
    for _ in 0..270 {
        let what = (time, RecordType::Notification, payload.as_bytes());
        append(&mut disk, CA, ledger.treaty.hash(), &key(CA, "log"), what);
    }
    ledger.put_back(CA, disk);
    ledger.settle();
    ledger.now += 2 * 86_400_000;
    ledger.settle();
    let after = Timestamp::from_posix(ledger.now / 1000 - 3600);
    let attested = ledger.attest(&[HU, RU, US], CA);
    assert_eq!(attested.len(), 3);
    (ledger, index, SilenceQuery { party: CA, due: None, after, attested })
}

fn put(ledger: &Ledger, folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    write_folder(folder, &exported(ledger, US, Selection::default()));
}

#[test]
fn a_flood_hides_no_silence_from_who_has_a_whole_export() {
    let (mut ledger, index, query) = flooded();
    let disk = &ledger.nodes[US].disk;
    let refused = prove_silence(disk, &ledger.treaty, US, index, &query).unwrap().unwrap_err();
    assert!(matches!(refused, ProveError::Flooded(records) if records >= 270), "{refused}");
    assert!(refused.to_string().contains("a whole export of the ledger shows"), "{refused}");

    let head = seen_head(disk, &ledger.treaty, US, &query).unwrap().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("ledger");
    put(&ledger, &folder);
    let report = verify_export(&folder, Some(common::treaty_text().as_bytes()), &mut |_, _| {}).unwrap();
    let ask = |seen: Option<&[u8]>| exported_silence(&folder, &report, ("US", index), "CA", seen);
    let shown = ask(Some(&head)).unwrap();
    assert_eq!((shown.against(), shown.answers.len()), (None, 0), "{shown:?}");
    assert!(shown.as_of.unwrap() > query.after, "as of two days later: {shown:?}");
    assert!(shown.received.unwrap() < query.after, "received at once");
    assert!(shown.sentences().iter().any(|text| text.contains("CA had not answered")));
    // Also where no time is named: of the heads that a quorum saw, the latest is given.
    let any = SilenceQuery { after: Timestamp::from_posix(0), ..query.clone() };
    let latest = seen_head(disk, &ledger.treaty, US, &any).unwrap().unwrap();
    assert_eq!(ask(Some(&latest)).unwrap().as_of, shown.as_of);
    // Without that head, as of when others last receipted it.
    assert!(ask(None).unwrap().as_of.unwrap() < query.after);
    // The sender vouches for nothing, and one other is no quorum of this treaty.
    let own = SilenceQuery { attested: query.attested[2..].to_vec(), ..query.clone() };
    let alone = seen_head(&ledger.nodes[US].disk, &ledger.treaty, US, &own).unwrap().unwrap();
    assert!(ask(Some(&alone)).unwrap().as_of.is_none_or(|time| time < query.after));
    // A cosignature that is altered counts for nobody; a head of another log, or of records that are not here, is refused.
    let mut bent = String::from_utf8(head.clone()).unwrap();
    let line = bent.find("trial/RU/witness ").unwrap();
    let at = line + 60;
    bent.replace_range(at..=at, if &bent[at..=at] == "A" { "B" } else { "A" });
    let bent = ask(Some(bent.as_bytes()));
    assert!(bent.is_err() || bent.is_ok_and(|shown| shown.as_of < ask(Some(&head)).unwrap().as_of));
    let other = ledger.attest(&[HU], RU).remove(0);
    assert!(matches!(ask(Some(&other)), Err(SilenceError::Head(_))));
    let forged = SignedNote::parse(&head).unwrap().text().replace("trial/CA\n", "trial/CA\n1");
    let mut forged = SignedNote::new(forged).unwrap();
    forged.sign(&key(CA, "log"));
    assert!(matches!(ask(Some(&forged.to_bytes())), Err(SilenceError::Head(_))));
    assert!(matches!(exported_silence(&folder, &report, ("US", index), "US", None), Err(SilenceError::NoSuchParty(_))));

    // The program says it in words, and in its exit code.
    let seen = dir.path().join("CA.head");
    std::fs::write(&seen, &head).unwrap();
    let treaty = dir.path().join("treaty.toml");
    std::fs::write(&treaty, common::treaty_text()).unwrap();
    let verify = |json: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
        command.arg("verify").arg(&folder).arg("--treaty").arg(&treaty).env_remove("VERBALE_HOME");
        command.args(["--silence", &format!("US/{index}"), "--by", "CA", "--seen"]).arg(&seen);
        let output = command.args(json).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = verify(&[]);
    assert!(code == 0 && said.contains("CA had not answered"), "{code} {said}");
    let value: Value = serde_json::from_str(&verify(&["--json"]).1).unwrap();
    assert_eq!(value["silence"]["answers"], serde_json::json!([]));

    // An answer is found, wherever it stands.
    let record = ledger.nodes[US].disk.record(US, index).unwrap().unwrap();
    let re = vec![Reference { log: "US".into(), index, leaf: leaf_hash(&record) }];
    let reply = ledger.reply(CA, 9, "minister", re);
    let answer = ledger.submit(CA, reply).unwrap().index;
    ledger.settle();
    put(&ledger, &folder);
    let report = verify_export(&folder, Some(common::treaty_text().as_bytes()), &mut |_, _| {}).unwrap();
    let shown = exported_silence(&folder, &report, ("US", index), "CA", Some(&head)).unwrap();
    assert_eq!((shown.against(), shown.answers[0].index), (Some("there is an answer"), answer), "{shown:?}");
    let (code, said) = verify(&[]);
    assert!(code == 1 && said.contains(&format!("CA/{answer}")), "{code} {said}");
}
