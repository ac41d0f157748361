//! Evidence files and export folders before a verifier that shares no line of code with this program.
#![cfg(feature = "cli")]

#[path = "second_verifier/archives.rs"]
mod archives;
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::bend::silent_canada;
use common::files::{exported, write_folder};
use common::{CA, HU, Ledger, RU, US, key};
use serde_json::{Value, json};
use tempfile::TempDir;
use verbale::audit::{Selection, verify_export};
use verbale::ledger::{
    Change, Credential, Evidence, Grant, Record, RecordType, Reference, Role, Timestamp, Verdict, verify_evidence,
};
use verbale::node::{Read, Refusal, prove, prove_silence};
use verbale::note::{KeyType, SigningKey};
use verbale::tlog::{Hash, TlogProof, leaf_hash};

/// A place for files, with the treaty file and the profile in it.
struct Desk {
    dir: TempDir,
}

impl Desk {
    /// `None`, with a word about it, where Python or its library is missing.
    fn new() -> Option<Self> {
        let ready = Command::new("python3").args(["-c", "import cryptography, tomllib"]).output();
        if !ready.is_ok_and(|output| output.status.success()) {
            println!(
                "SKIPPED: the second verifier needs Python 3.11 and its package cryptography (`make setup` installs it)"
            );
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("treaty.toml"), common::treaty_text()).unwrap();
        fs::write(dir.path().join("profile.toml"), common::PROFILE).unwrap();
        Some(Self { dir })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn export(&self, ledger: &Ledger, by: usize, name: &str) -> PathBuf {
        self.part(ledger, by, Selection::default(), name)
    }

    fn part(&self, ledger: &Ledger, by: usize, selection: Selection, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        write_folder(&path, &exported(ledger, by, selection));
        path
    }

    /// What the second verifier says about each path.
    fn ask(&self, paths: &[PathBuf]) -> Vec<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(self.dir.path().join("treaty.toml")).arg(self.dir.path().join("profile.toml"));
        let output = command.args(paths).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), paths.len(), "{}", String::from_utf8_lossy(&output.stderr));
        let all = answers.iter().all(|answer| answer["verified"] == true);
        assert_eq!(output.status.code(), Some(if all { 0 } else { 1 }));
        answers
    }
}

/// A verdict in the second verifier's words.
fn in_its_words(verdict: &Verdict) -> Value {
    json!({
        "verified": true, "party": verdict.party, "index": verdict.index, "leaf": verdict.leaf, "logged": verdict.logged,
        "kind": verdict.kind, "signers": verdict.signers.iter().map(|s| s.title.as_str()).collect::<Value>(),
        "marks": verdict.marks.iter().map(|m| m.code.as_str()).collect::<Value>(),
        "fork": verdict.fork.map(|fork| [fork.smaller, fork.larger]),
        "receipts": verdict.receipts.iter().map(|r| json!([r.party, r.time, r.size])).collect::<Value>(),
        "not_before": verdict.not_before.iter().map(|b| json!([b.time, b.by])).collect::<Value>(),
        "not_after": verdict.not_after.as_ref().map(|b| b.time), "final": verdict.is_final,
        "silence": verdict.silence.as_ref().map(|s| json!({
            "party": s.party, "due": s.due, "from": s.from, "to": s.to, "as_of": s.as_of, "received": s.received,
            "answers": s.answers.iter().map(|a| json!([a.index, a.kind, a.logged])).collect::<Value>(),
            "seen_by": s.seen_by.iter().map(|r| json!([r.party, r.time, r.size])).collect::<Value>(),
        })),
    })
}

/// A proof of silence about each note, by another party each.
fn silent() -> (Ledger, Vec<Vec<u8>>) {
    let (ledger, places, query) = silent_canada();
    let proof = |(index, by): (u64, usize)| prove_silence(&ledger.nodes[by].disk, &ledger.treaty, RU, index, &query);
    let files = places.into_iter().zip([HU, RU, US]).map(|of| proof(of).unwrap().unwrap()).collect();
    (ledger, files)
}

#[test]
fn both_verifiers_say_the_same_of_silence_and_take_nothing_bent() {
    let Some(desk) = Desk::new() else { return };
    let (ledger, files) = silent();
    let (mut paths, mut expected) = (Vec::new(), Vec::new());
    for bytes in &files {
        let verdict = verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
        paths.push(desk.put(&format!("silence-{}.tlog-proof", paths.len()), bytes));
        expected.push(in_its_words(&verdict));
    }
    assert_eq!(expected[0]["silence"]["answers"].as_array().map(Vec::len), Some(1));
    assert!(expected[1]["silence"]["received"].is_string() && expected[2]["silence"]["received"].is_null());
    let proof = TlogProof::parse(&files[1]).unwrap();
    for bit in (0..proof.extra.len() * 8).step_by(131) {
        let mut bent = proof.clone();
        bent.extra[bit / 8] ^= 1 << (bit % 8);
        let bytes = bent.to_text().into_bytes();
        assert!(verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).is_err());
        paths.push(desk.put(&format!("bent-{bit}.tlog-proof"), &bytes));
        expected.push(json!(false));
    }
    for (path, (mut theirs, ours)) in paths.iter().zip(desk.ask(&paths).into_iter().zip(expected)) {
        // What the profile makes of it is compared word for word on the golden files.
        theirs.as_object_mut().unwrap().remove("rules");
        if ours == false {
            assert_eq!(theirs["verified"], false, "{}", path.display());
        } else {
            assert_eq!(theirs, ours, "{}", path.display());
        }
    }
}

/// Russia withdraws, with effect a day later, and becomes an observer; Canada's word on it changes the quorum as well.
fn amended() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    let from = Timestamp::from_posix(ledger.now / 1000 + 86_400);
    let roles = vec![Role::Observer];
    let first = vec![Change::Status { party: "RU".into(), roles, from }];
    ledger.submit(CA, ledger.amendment(first, &[CA, HU, US])).unwrap();
    ledger.remark(RU, 2);
    ledger.remark(US, 3);
    ledger.now += 2 * 86_400_000;
    ledger.remark(US, 4);
    let late = ledger.note(RU, 5, "minister");
    ledger.log_anyway(RU, RecordType::Notification, &late);
    // Its clock goes back, but its log has been past the date.
    ledger.now -= 2 * 86_400_000;
    let late = ledger.note(RU, 6, "minister");
    ledger.log_anyway(RU, RecordType::Notification, &late);
    ledger.now += 3 * 86_400_000;
    let second = vec![Change::Quorum(vec!["group most 3 CA HU US RU".into(), "quorum most".into()])];
    ledger.submit(US, ledger.amendment(second, &[US, CA])).unwrap();
    ledger.remark(HU, 7);
    let few = ledger.amendment(vec![Change::Quorum(vec!["quorum none".into()])], &[HU]);
    ledger.log_anyway(HU, RecordType::Amendment, &few);
    ledger.remark(US, 8);
    ledger
}

#[test]
fn both_verifiers_follow_amendments() {
    let Some(desk) = Desk::new() else { return };
    let ledger = amended();
    let (mut paths, mut expected) = (Vec::new(), Vec::new());
    let mut first = None;
    for log in [CA, HU, RU, US] {
        let node = &ledger.nodes[HU];
        for index in 0..node.disk.size(log).unwrap() {
            let Ok(bytes) = prove(&node.disk, node.engine.treaty(), log, index).unwrap() else { continue };
            let verdict = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
            paths.push(desk.put(&format!("{log}-{index}.tlog-proof"), &bytes));
            expected.push(in_its_words(&verdict));
            if !Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap().amendments.is_empty() {
                first.get_or_insert(bytes);
            }
        }
    }
    let marked = expected.iter().filter(|verdict| verdict["marks"] == json!(["former-party"])).count();
    assert_eq!(marked, 2, "the note after the date, and the one dated back");
    let finals = expected.iter().filter(|verdict| verdict["final"] == true).count();
    assert!(finals >= 5, "{finals} of {}", expected.len());
    let proof = TlogProof::parse(&first.unwrap()).unwrap();
    for bit in (0..proof.extra.len() * 8).step_by(97) {
        let mut bent = proof.clone();
        bent.extra[bit / 8] ^= 1 << (bit % 8);
        let bytes = bent.to_text().into_bytes();
        assert!(verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).is_err());
        paths.push(desk.put(&format!("bent-{bit}.tlog-proof"), &bytes));
        expected.push(json!(false));
    }
    let folder = desk.export(&ledger, HU, "amended");
    let report = verify_export(&folder, Some(common::treaty_text().as_bytes()), &mut |_, _| ()).unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!(report.logs.iter().map(|log| log.amendments).collect::<Vec<_>>(), [2, 2, 2, 2]);
    paths.push(folder.clone());
    for (path, theirs) in paths.iter().zip(desk.ask(&paths)) {
        match expected.get(paths.iter().position(|other| other == path).unwrap()) {
            Some(Value::Bool(false)) => assert_eq!(theirs["verified"], false, "{}", path.display()),
            Some(ours) => assert_eq!(theirs, *ours, "{}", path.display()),
            None => {
                assert_eq!(theirs["verified"], true, "{theirs}");
                for (theirs, ours) in theirs["logs"].as_array().unwrap().iter().zip(&report.logs) {
                    assert_eq!((&theirs["party"], &theirs["final"]), (&json!(ours.party), &json!(ours.final_size)));
                }
            }
        }
    }
    // An amendment taken away, or altered, is missed: the logs have it.
    fs::remove_file(folder.join("amendments/002.note")).unwrap();
    let report = verify_export(&folder, None, &mut |_, _| ()).unwrap();
    assert!(!report.is_sound());
    assert_eq!(desk.ask(std::slice::from_ref(&folder))[0]["verified"], false);
}

/// A remark goes to each depositary, and a state party sends it.
const REACHING: &str = "version = 1\ntitle = \"Trial\"\nacknowledgement = \"seen\"\n[kind.seen]\ntitle = \"Seen\"\n[amendment]\nshare = \"2/3\"\n\
    [kind.remark]\ntitle = \"Remark\"\nfrom = [\"state-party\"]\nmust_reach = [\"depositary\"]\n\
    [[kind.remark.field]]\nname = \"text\"\ntitle = \"Text\"\ntype = \"text\"\n";

#[test]
fn both_verifiers_go_by_the_roles_that_the_parties_have_at_the_time() {
    let Some(desk) = Desk::new() else { return };
    let roles = |party| match party {
        CA | HU => "\"state-party\", \"depositary\"",
        US => "\"observer\"",
        _ => "\"state-party\"",
    };
    let mut ledger = Ledger::under(common::treaty_text_with(REACHING, roles), REACHING);
    for party in [CA, HU, RU, US] {
        ledger.submit(party, ledger.grant(party, "minister", "Minister", "*")).unwrap();
    }
    let note = |ledger: &Ledger, from, number, to: &[&str]| {
        let body = json!({"text": "a remark"});
        ledger.note_of(from, number, ("remark", body), to, Vec::new(), &[key(from, "minister")])
    };
    let refused = |ledger: &mut Ledger, from: usize, note: Vec<u8>| match ledger.submit(from, note) {
        Err(Refusal::Marks(marks)) => marks.into_iter().map(|mark| mark.code).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let mine = note(&ledger, US, 1, &["CA", "HU"]);
    assert_eq!(refused(&mut ledger, US, mine.clone()), ["observer", "wrong-sender"]);
    let one = note(&ledger, RU, 1, &["CA"]);
    assert_eq!(refused(&mut ledger, RU, one.clone()), ["not-reached"]);
    ledger.log_anyway(US, RecordType::Notification, &mine);
    ledger.log_anyway(RU, RecordType::Notification, &one);
    // Hungary is depositary no more, and the United States become a party, a day later.
    let from = Timestamp::from_posix(ledger.now / 1000 + 86_400);
    let state = |party: &str| Change::Status { party: party.into(), roles: vec![Role::StateParty], from };
    let amendment = ledger.amendment(vec![state("HU"), state("US")], &[CA, HU, RU]);
    ledger.submit(CA, amendment).unwrap();
    ledger.settle();
    let early = note(&ledger, US, 2, &["CA", "HU"]);
    assert_eq!(refused(&mut ledger, US, early), ["observer", "wrong-sender"]);
    ledger.now += 2 * 86_400_000;
    ledger.submit(US, note(&ledger, US, 3, &["CA"])).unwrap();
    ledger.submit(RU, note(&ledger, RU, 3, &["CA"])).unwrap();
    fs::write(desk.dir.path().join("treaty.toml"), &ledger.treaty_text).unwrap();
    fs::write(desk.dir.path().join("profile.toml"), ledger.profile_text).unwrap();
    let folder = desk.export(&ledger, CA, "roles");
    let report = verbale::audit::verify_export(&folder, None, &mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:#?}");
    let marked: Vec<_> = report.marked.iter().map(|note| (note.party.as_str(), note.marks[0].code.as_str())).collect();
    assert_eq!(marked, [("RU", "not-reached"), ("US", "observer")]);
    let answer = &desk.ask(std::slice::from_ref(&folder))[0];
    assert_eq!(answer["verified"], true, "{answer}");
    let theirs: Vec<_> = answer["logs"].as_array().unwrap().iter().map(|log| log["marked"].clone()).collect();
    assert_eq!(theirs, [0, 0, 1, 1]);
}

/// A ledger with all that there can be: late receipts, notes out of order, and a forked log.
fn eventful() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.online(&[CA, RU, US]);
    ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    ledger.online(&[CA, HU, RU, US]);
    for (number, official) in [(4, "stranger"), (5, "clerk")] {
        let note = ledger.note(US, number, official);
        ledger.log_anyway(US, RecordType::Notification, &note);
    }
    ledger.log_anyway(US, RecordType::Notification, b"no note at all\n");
    ledger.log_anyway(US, RecordType::Credential, b"no credential\n");
    let before = ledger.nodes[HU].disk.clone();
    ledger.remark(HU, 6);
    let note = ledger.note(HU, 7, "minister");
    ledger.equivocate(HU, before, note, CA);
    ledger.online(&[RU]);
    ledger.remark(RU, 8);
    ledger
}

#[test]
fn both_verifiers_say_the_same_of_every_note() {
    let Some(desk) = Desk::new() else { return };
    let ledger = eventful();
    let (mut paths, mut expected) = (Vec::new(), Vec::new());
    for log in [CA, HU, RU, US] {
        for index in 0..ledger.nodes[RU].engine.size(log) {
            let Ok(bytes) = prove(&ledger.nodes[RU].disk, &ledger.treaty, log, index).unwrap() else { continue };
            let verdict = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
            paths.push(desk.put(&format!("{log}-{index}.tlog-proof"), &bytes));
            expected.push(in_its_words(&verdict));
        }
    }
    assert!(expected.len() >= 8 && expected.iter().any(|verdict| !verdict["fork"].is_null()));
    assert!(expected.iter().any(|verdict| verdict["final"] == false));
    for (path, (theirs, ours)) in paths.iter().zip(desk.ask(&paths).into_iter().zip(expected)) {
        assert_eq!(theirs, ours, "{}", path.display());
    }
}

#[test]
fn neither_verifier_takes_a_file_with_a_flipped_bit() {
    let Some(desk) = Desk::new() else { return };
    let ledger = eventful();
    let index = (0..).find(|at| matches!(prove(&ledger.nodes[CA].disk, &ledger.treaty, HU, *at), Ok(Ok(_)))).unwrap();
    let bytes = prove(&ledger.nodes[CA].disk, &ledger.treaty, HU, index).unwrap().unwrap();
    let mut paths = Vec::new();
    let mut add = |bytes: &[u8]| {
        assert!(verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).is_err());
        paths.push(desk.put(&format!("{}.tlog-proof", paths.len()), bytes));
    };
    for bit in (0..bytes.len() * 8).step_by(271) {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        add(&bent);
    }
    let proof = TlogProof::parse(&bytes).unwrap();
    for bit in (0..proof.extra.len() * 8).step_by(127) {
        let mut bent = proof.clone();
        bent.extra[bit / 8] ^= 1 << (bit % 8);
        add(bent.to_text().as_bytes());
    }
    let mut again = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap();
    again.credentials.extend(again.credentials.clone());
    add(&again.to_bytes(&ledger.treaty.hash()));
    println!("{} files", paths.len());
    for (path, answer) in paths.iter().zip(desk.ask(&paths)) {
        assert_eq!(answer["verified"], false, "{}", path.display());
    }
}

#[test]
fn both_verifiers_say_the_same_of_a_folder() {
    let Some(desk) = Desk::new() else { return };
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let note = ledger.note(US, 4, "stranger");
    ledger.log_anyway(US, RecordType::Notification, &note);
    // What the log key alone can do: an old note once more, and the old grant of a key that was revoked.
    let remark = ledger.remark(US, 5);
    let old = |index| ledger.nodes[US].disk.record(US, index).unwrap().unwrap();
    let payloads = [0, remark].map(|index| Record::parse(&old(index)).unwrap().payload.to_vec());
    ledger.log_anyway(US, RecordType::Notification, &payloads[1]);
    ledger.submit(US, ledger.revocation(US, "minister")).unwrap();
    ledger.log_anyway(US, RecordType::Credential, &payloads[0]);
    let note = ledger.note(US, 6, "minister");
    ledger.log_anyway(US, RecordType::Notification, &note);
    // One secret key for two officials, and a node's own key as an official's.
    ledger.submit(US, ledger.grant(US, "envoy", "Envoy", "*")).unwrap();
    let alias = |of: &str, name: &str| SigningKey::from_seed(name, KeyType::Ed25519, &key(US, of).seed()).unwrap();
    for (number, of, name) in [(7, "envoy", "trial/US/deputy"), (8, "log", "trial/US/engine")] {
        let alias = alias(of, name);
        let grant = Grant {
            from: None,
            issued: Timestamp::from_posix(common::START),
            key: alias.public().clone(),
            kinds: vec!["*".into()],
            ledger: ledger.treaty.hash(),
            party: "US".into(),
            title: "Deputy".into(),
            until: None,
        };
        let grant = ledger.credential(US, &Credential::Grant(grant));
        assert_eq!(ledger.submit(US, grant.clone()).unwrap_err(), Refusal::KeyUsed);
        ledger.log_anyway(US, RecordType::Credential, &grant);
        let body = json!({"text": "signed with one key under two names"});
        let note = ledger.note_of(US, number, ("remark", body), &["*"], Vec::new(), &[key(US, "envoy"), alias]);
        ledger.log_anyway(US, RecordType::Notification, &note);
    }
    // A right reference, and wrong ones to a log that comes earlier and to one that comes later in the folder.
    let leaf = |log: usize| leaf_hash(&ledger.nodes[log].disk.record(log, 1).unwrap().unwrap());
    let to = |log: usize, leaf| vec![Reference { index: 1, leaf, log: common::PARTIES[log].0.into() }];
    let (right, wrong) = (leaf(CA), Hash([0; 32]));
    for (from, number, re) in [(US, 9, to(CA, right)), (US, 10, to(CA, wrong)), (CA, 11, to(US, wrong))] {
        let official = if from == US { "envoy" } else { "minister" };
        let note = ledger.reply(from, number, official, re);
        ledger.log_anyway(from, RecordType::Notification, &note);
    }
    let good = desk.export(&ledger, HU, "good");
    let forked = desk.export(&eventful(), RU, "forked");
    let mut paths = vec![good.clone(), forked];
    for (at, (file, cut)) in [
        ("logs/CA/records.txt", 0.3),
        ("logs/RU/checkpoints.txt", 0.7),
        ("logs/US/receipts.txt", 0.5),
        ("policy.txt", 0.1),
    ]
    .into_iter()
    .enumerate()
    {
        let bent = desk.export(&ledger, HU, &format!("bent-{at}"));
        let mut bytes = fs::read(bent.join(file)).unwrap();
        let place = (bytes.len() as f64 * cut) as usize;
        bytes[place] ^= 1;
        fs::write(bent.join(file), bytes).unwrap();
        paths.push(bent);
    }
    let answers = desk.ask(&paths);
    for (path, answer) in paths.iter().zip(&answers) {
        let report = verbale::audit::verify_export(path, None, &mut |_, _| {}).unwrap();
        assert_eq!(answer["verified"], report.is_sound(), "{}: {answer} {report:#?}", path.display());
    }
    let report = verbale::audit::verify_export(&good, None, &mut |_, _| {}).unwrap();
    for (theirs, ours) in answers[0]["logs"].as_array().unwrap().iter().zip(&report.logs) {
        let marked = report.marked.iter().filter(|note| note.party == ours.party).count();
        let ours = json!({"party": ours.party, "records": ours.records, "marked": marked, "final": ours.final_size});
        assert_eq!(*theirs, ours);
    }
    let codes: Vec<_> = report.marked.iter().map(|note| note.marks[0].code.as_str()).collect();
    let unauthorised = ["unauthorised"; 3];
    assert_eq!(codes[..3], ["reference", "unauthorised", "repeated"]);
    assert_eq!((&codes[3..6], &codes[6..]), (&unauthorised[..], &["reference"][..]));
    assert_eq!(answers[1]["forks"], json!(["HU"]));
}

/// Keys of every kind change: a log's key retired and lost, a witness's, an official's withdrawn and granted for a time.
fn rekeyed() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.remark(RU, 2);
    ledger.submit(RU, ledger.rotation(RU, "log", false)).unwrap();
    ledger.submit(CA, ledger.rotation(CA, "witness", false)).unwrap();
    ledger.submit(HU, ledger.rotation(HU, "log", true)).unwrap();
    let hour = |hours: u64| Some(Timestamp::from_posix(common::START + 3600 * hours));
    ledger.submit(US, ledger.grant_within(US, "envoy", ("Envoy", "*"), [hour(1), hour(2)])).unwrap();
    ledger.remark(RU, 3);
    ledger.remark(HU, 4);
    ledger.submit(RU, ledger.revocation(RU, "minister")).unwrap();
    for (number, party, official) in [(5, RU, "minister"), (6, US, "envoy")] {
        let note = ledger.note(party, number, official);
        ledger.log_anyway_at(
            party,
            Timestamp::from_posix(ledger.now / 1000),
            signer(party),
            RecordType::Notification,
            &note,
        );
    }
    ledger.remark(CA, 7);
    ledger
}

/// The key with which a party's log signs in the end.
fn signer(party: usize) -> verbale::note::SigningKey {
    if party == RU { common::later_key(RU, "log") } else { key(party, "log") }
}

#[test]
fn both_verifiers_follow_keys_that_change_and_take_nothing_bent() {
    let Some(desk) = Desk::new() else { return };
    let ledger = rekeyed();
    let (mut paths, mut expected) = (Vec::new(), Vec::new());
    let mut carrying = None;
    for log in [CA, HU, RU, US] {
        for index in 0..ledger.nodes[US].engine.size(log) {
            let Ok(bytes) = prove(&ledger.nodes[US].disk, &ledger.treaty, log, index).unwrap() else { continue };
            let verdict = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
            paths.push(desk.put(&format!("{log}-{index}.tlog-proof"), &bytes));
            expected.push(in_its_words(&verdict));
            if Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap().keys.len() > 1 {
                carrying.get_or_insert(bytes);
            }
        }
    }
    let marked = expected.iter().filter(|verdict| verdict["marks"] == json!(["unauthorised"])).count();
    assert_eq!(marked, 2, "after the revocation, and before its time: {expected:#?}");
    let proof = TlogProof::parse(&carrying.unwrap()).unwrap();
    for bit in (0..proof.extra.len() * 8).step_by(149) {
        let mut bent = proof.clone();
        bent.extra[bit / 8] ^= 1 << (bit % 8);
        let bytes = bent.to_text().into_bytes();
        assert!(verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).is_err());
        paths.push(desk.put(&format!("bent-{bit}.tlog-proof"), &bytes));
        expected.push(json!(false));
    }
    for (path, (theirs, ours)) in paths.iter().zip(desk.ask(&paths).into_iter().zip(expected)) {
        if ours == false {
            assert_eq!(theirs["verified"], false, "{}", path.display());
        } else {
            assert_eq!(theirs, ours, "{}", path.display());
        }
    }
}

#[test]
fn both_verifiers_say_the_same_of_parts_and_of_whole_ledgers_whose_keys_changed() {
    let Some(desk) = Desk::new() else { return };
    let ledger = rekeyed();
    let asked = [
        Selection::default(),
        Selection { parties: vec!["RU".into()], ..Selection::default() },
        Selection { redact: vec!["kind:remark".parse().unwrap()], ..Selection::default() },
        Selection {
            kinds: vec!["acknowledgement".into()],
            ranges: vec!["HU/2..5".parse().unwrap()],
            ..Selection::default()
        },
    ];
    let mut paths = Vec::new();
    for (at, selection) in asked.into_iter().enumerate() {
        let good = exported(&ledger, CA, selection);
        for (file, bytes) in good.iter().filter(|(name, _)| name.starts_with("logs/") || *name == "part.json") {
            // A bit here and there of every file, and none.
            for place in (0..bytes.len()).step_by(bytes.len() / 3 + 1) {
                let mut bent = good.clone();
                bent.get_mut(file).unwrap()[place] ^= 1;
                let folder = desk.dir.path().join(format!("{at}-{}-{place}", file.replace('/', "-")));
                write_folder(&folder, &bent);
                paths.push(folder);
            }
        }
        let folder = desk.dir.path().join(format!("{at}"));
        write_folder(&folder, &good);
        paths.push(folder);
    }
    let answers = desk.ask(&paths);
    let mut sound = 0;
    for (path, theirs) in paths.iter().zip(&answers) {
        let report = verify_export(path, Some(common::treaty_text().as_bytes()), &mut |_, _| ());
        let ours = report.as_ref().is_ok_and(verbale::audit::Report::is_sound);
        assert_eq!(theirs["verified"], ours, "{}: {theirs} {report:#?}", path.display());
        sound += usize::from(ours);
        if let (true, Ok(report)) = (ours, &report) {
            for (theirs, ours) in theirs["logs"].as_array().unwrap().iter().zip(&report.logs) {
                let marked = report.marked.iter().filter(|note| note.party == ours.party).count();
                let ours =
                    json!({"party": ours.party, "records": ours.records, "marked": marked, "final": ours.final_size});
                assert_eq!(*theirs, ours);
            }
        }
    }
    assert_eq!(sound, 4, "the four that nobody bent");
    println!("{} folders", paths.len());
}
