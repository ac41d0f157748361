//! Evidence files: the verdict is right, no bit of a file may be changed, and nothing makes the verifier panic.

mod common;

use std::fs;
use std::path::Path;

use common::bend::{late_hungary, rewritten, with_lines};
use common::{CA, HU, Ledger, RU, US, key};
use proptest::prelude::*;
use serde_json::{Value, json};
use verbale::ledger::{
    Evidence, EvidenceError, FieldError, PartError, Profile, RecordType, Treaty, Verdict, canon, verify_evidence,
};
use verbale::node::{LogId, LogTiles, ProveError, Read, prove};
use verbale::note::SignedNote;
use verbale::tlog::{Checkpoint, Cosignature, TlogProof, inclusion_proof};

fn evidence(ledger: &Ledger, by: usize, log: LogId, index: u64) -> Vec<u8> {
    prove(&ledger.nodes[by].disk, &ledger.treaty, log, index).unwrap().unwrap()
}

fn verdict(ledger: &Ledger, bytes: &[u8]) -> Verdict {
    verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).unwrap()
}

fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.receipts.iter().map(|receipt| receipt.party.as_str()).collect()
}

#[test]
fn the_verdict_says_who_what_when_and_to_whom() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let index = ledger.remark(RU, 2);
    let time = ledger.now / 1000;
    ledger.remark(HU, 3);
    let verdict = verdict(&ledger, &evidence(&ledger, US, RU, index));
    assert_eq!((verdict.party.as_str(), verdict.index, verdict.title.as_str()), ("RU", index, "Remark"));
    assert_eq!(verdict.to, ["CA", "*"]);
    assert_eq!(verdict.body["text"], "remark 2");
    assert_eq!(verdict.signers.len(), 1);
    assert_eq!(verdict.signers[0].title, "Minister");
    assert_eq!(codes(&verdict), ["CA", "HU", "US"]);
    assert!(verdict.is_final && verdict.marks.is_empty() && verdict.fork.is_none() && verdict.is_sound());
    // The youngest thing that Russia had receipted was Canada's remark.
    let (before, after) = (&verdict.not_before[0], verdict.not_after.as_ref().unwrap());
    assert_eq!((before.by.as_str(), after.by.as_str()), ("CA", "CA"));
    assert!(before.time <= verdict.logged && verdict.logged <= after.time && after.time.posix() < time);
    assert!(before.time.posix() > common::START);
    let text = verdict.sentences(&ledger.treaty, Some(&ledger.profile)).join("\n");
    for part in [
        "Russia sent this note: “Remark”",
        "Canada and all parties",
        "Hungary had received it",
        "UTC",
        "Text: remark 2",
    ] {
        assert!(text.contains(part), "{part:?} should be in:\n{text}");
    }
    assert!(!verdict.not_proven.iter().any(|line| line.contains("no receipt")));
}

/// Files that were handed out stay valid: these bytes verify for ever, and are read and written as they are.
#[test]
fn a_file_that_was_handed_out_long_ago_verifies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let kept = |name: &str| fs::read(folder.join(name)).unwrap();
    let treaty = Treaty::parse(&kept("treaty.toml")).unwrap();
    let profile = Profile::parse(&kept("profile.toml")).unwrap();
    let bytes = kept("remark.tlog-proof");
    let verdict = verify_evidence(&bytes, &treaty, Some(&profile)).unwrap();
    assert!(verdict.is_sound());
    assert_eq!((verdict.party.as_str(), verdict.index, codes(&verdict).len()), ("RU", 9, 3));
    assert_eq!(Evidence::parse(&bytes, &treaty.hash()).unwrap().to_bytes(&treaty.hash()), bytes);
}

#[test]
fn every_party_makes_evidence_of_every_note() {
    let (ledger, _) = late_hungary();
    let mut made = 0;
    for by in [CA, HU, RU, US] {
        for (log, index) in
            [(CA, 0), (RU, 0), (RU, 1)].into_iter().chain((0..30).flat_map(|i| [(CA, i), (RU, i), (HU, i)]))
        {
            match prove(&ledger.nodes[by].disk, &ledger.treaty, log, index).unwrap() {
                Ok(bytes) => {
                    assert!(verdict(&ledger, &bytes).is_sound());
                    made += 1;
                }
                Err(ProveError::NotANotification { .. } | ProveError::NoSuchRecord { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    // Three remarks, at each of four parties.
    assert_eq!(made, 12);
}

#[test]
fn receipts_on_other_heads_count_and_say_when() {
    let (ledger, index) = late_hungary();
    let bytes = evidence(&ledger, CA, RU, index);
    let parts = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap();
    assert_eq!(parts.heads.len(), 1, "Hungary's receipt is for a larger head");
    let verdict = verdict(&ledger, &bytes);
    assert_eq!(codes(&verdict), ["CA", "US", "HU"]);
    assert!(verdict.receipts[2].time > verdict.receipts[1].time);
    assert!(verdict.receipts[2].size > verdict.receipts[1].size);
}

#[test]
fn too_few_receipts_are_no_quorum_and_the_missing_are_named() {
    let mut ledger = Ledger::new();
    ledger.online(&[RU, US]);
    let index = ledger.remark(RU, 1);
    let verdict_now = verdict(&ledger, &evidence(&ledger, RU, RU, index));
    // No depositary has it.
    assert_eq!(codes(&verdict_now), ["US"]);
    assert!(!verdict_now.is_final && !verdict_now.is_sound() && verdict_now.final_since.is_none());
    assert!(verdict_now.not_proven.iter().any(|line| line.contains("Canada or Hungary received it")));
    ledger.online(&[RU]);
    let index = ledger.remark(RU, 2);
    let alone = verdict(&ledger, &evidence(&ledger, RU, RU, index));
    assert!(alone.receipts.is_empty() && alone.not_after.is_none() && !alone.is_final);
    ledger.online(&[CA, RU, HU, US]);
    assert!(verdict(&ledger, &evidence(&ledger, RU, RU, index)).is_final);
}

#[test]
fn taking_receipts_or_credentials_away_weakens_the_verdict_and_never_strengthens_it() {
    let (ledger, index) = late_hungary();
    let bytes = evidence(&ledger, CA, RU, index);
    let ungranted = rewritten(&ledger, &bytes, |e| e.credentials.clear());
    let without_grant = verdict(&ledger, &ungranted);
    assert!(without_grant.signers.is_empty() && without_grant.marks[0].code == "unauthorised");
    let lone = rewritten(&ledger, &bytes, |e| {
        e.heads.clear();
        e.checkpoint = with_lines(&e.checkpoint, |at| at == 0);
    });
    assert!(!verdict(&ledger, &lone).is_final);
    // The log's own signature is what all else hangs on.
    let headless = rewritten(&ledger, &bytes, |e| e.checkpoint = with_lines(&e.checkpoint, |at| at > 0));
    assert!(verify_evidence(&headless, &ledger.treaty, None).is_err());
}

#[test]
fn one_party_that_dates_its_receipt_back_is_contradicted_in_the_same_breath() {
    let mut ledger = Ledger::new();
    let index = ledger.remark(RU, 1);
    let bytes = evidence(&ledger, US, RU, index);
    let honest = verdict(&ledger, &bytes).not_after.unwrap();
    let witness = key(CA, "witness");
    let dated = rewritten(&ledger, &bytes, |e| {
        let mut note = SignedNote::new(e.checkpoint.text().to_owned()).unwrap();
        for line in e.checkpoint.signatures().to_vec() {
            match line.is_by(witness.public()) {
                true => Cosignature::sign(&mut note, &witness, 900_000_000),
                false => note.add(line),
            }
        }
        e.checkpoint = note;
    });
    let found = verdict(&ledger, &dated);
    assert_eq!(found.not_after.as_ref().unwrap().by, "CA");
    let text = found.sentences(&ledger.treaty, Some(&ledger.profile)).join("\n");
    assert!(
        text.contains("The clocks of Russia and Canada do not agree: by that of Russia, it was logged later."),
        "{text}"
    );
    let bound =
        format!("Without Canada, it was sent by {} at the latest, by the clock of Hungary.", honest.time.display());
    assert!(text.contains(&bound), "{bound}\n{text}");
}

#[test]
fn parts_in_another_order_twice_or_from_elsewhere_are_refused() {
    let (ledger, index) = late_hungary();
    let bytes = evidence(&ledger, CA, RU, index);
    let other = evidence(&ledger, CA, RU, index + 1);
    let other = Evidence::parse(&other, &ledger.treaty.hash()).unwrap();
    let refused = |what: &str, change: &dyn Fn(&mut Evidence)| {
        let bent = rewritten(&ledger, &bytes, change);
        assert_ne!(bent, bytes, "{what}");
        assert!(verify_evidence(&bent, &ledger.treaty, None).is_err(), "{what}");
    };
    refused("anchors in another order", &|e| e.anchors.reverse());
    refused("an anchor twice", &|e| e.anchors.push(e.anchors.last().unwrap().clone()));
    refused("a credential twice", &|e| e.credentials.push(e.credentials[0].clone()));
    refused("a head twice", &|e| e.heads.push(e.heads[0].clone()));
    refused("a head without receipts", &|e| e.heads[0].checkpoint = with_lines(&e.heads[0].checkpoint, |at| at == 0));
    refused("receipts in another order", &|e| {
        let lines: Vec<_> = e.checkpoint.signatures().to_vec();
        e.checkpoint = with_lines(&e.checkpoint, |at| at == 0);
        lines[1..].iter().rev().for_each(|line| e.checkpoint.add(line.clone()));
    });
    refused("an unknown signature", &|e| {
        let mut line = e.checkpoint.signatures()[1].clone();
        line.name = "somebody".into();
        e.checkpoint.add(line);
    });
    refused("another record", &|e| e.record.record = other.record.record.clone());
    refused("another index", &|e| e.index += 1);
    refused("another path", &|e| e.record.path = other.heads.first().map_or(Vec::new(), |h| h.path.clone()));
    refused("a receipt as the record", &|e| e.record = e.anchors[0].receipt.clone());
    refused("a fork proof that is none", &|e| e.fork = Some("{}\n".into()));
    refused("the note as its own credential", &|e| e.credentials = vec![e.record.clone()]);
}

/// What came after a note neither authorises it nor dates it, although the same head covers both.
#[test]
fn credentials_and_receipts_from_after_the_note_are_refused() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let early = ledger.remark(RU, 2);
    let grant = ledger.grant(RU, "envoy", "Envoy", "*");
    ledger.submit(RU, grant).unwrap();
    ledger.remark(CA, 3);
    let note = ledger.note(RU, 4, "envoy");
    let late = ledger.submit(RU, note).unwrap().index;
    let bytes = evidence(&ledger, CA, RU, late);
    let size = Checkpoint::parse(TlogProof::parse(&bytes).unwrap().checkpoint.text()).unwrap().size;
    let tiles = LogTiles { read: &ledger.nodes[CA].disk, log: RU };
    let moved = |keep: &dyn Fn(&mut Evidence)| {
        let bytes = rewritten(&ledger, &bytes, |e| {
            e.index = early;
            e.record.record = String::from_utf8(ledger.nodes[CA].disk.record(RU, early).unwrap().unwrap()).unwrap();
            e.record.path = inclusion_proof(&tiles, early, size).unwrap().unwrap();
            e.heads.clear();
            keep(e);
        });
        verify_evidence(&bytes, &ledger.treaty, None)
    };
    let misplaced = |result: Result<Verdict, EvidenceError>, name: &str| match result {
        Err(EvidenceError::Part { part, fault: PartError::Misplaced(_) }) => assert!(part.starts_with(name), "{part}"),
        other => panic!("{other:?}"),
    };
    let bare = |e: &mut Evidence| {
        e.credentials.clear();
        e.anchors.clear();
    };
    assert!(moved(&bare).is_ok());
    misplaced(moved(&|e| e.anchors.clear()), "credentials");
    misplaced(moved(&|e| e.credentials.clear()), "anchors");
}

#[test]
fn a_note_by_an_ungranted_or_overstepping_official_is_marked() {
    let mut ledger = Ledger::new();
    for (number, official, code) in [(7, "stranger", "unauthorised"), (8, "clerk", "unauthorised")] {
        let note = ledger.note(RU, number, official);
        assert!(ledger.submit(RU, note.clone()).is_err(), "its own node refuses it");
        let index = ledger.log_anyway(RU, RecordType::Notification, &note);
        let verdict = verdict(&ledger, &evidence(&ledger, US, RU, index));
        assert!(verdict.is_final && !verdict.is_sound() && verdict.signers.is_empty());
        assert_eq!(verdict.marks.len(), 1);
        assert_eq!(verdict.marks[0].code, code);
    }
    // Granted later is not granted before.
    let grant = ledger.grant(RU, "stranger", "Envoy", "*");
    ledger.log_anyway(RU, RecordType::Credential, &grant);
    let index = ledger.nodes[RU].engine.size(RU) - 2;
    let early = (0..=index).rev().find_map(|at| prove(&ledger.nodes[US].disk, &ledger.treaty, RU, at).unwrap().ok());
    assert!(!verdict(&ledger, &early.unwrap()).marks.is_empty());
    let note = ledger.note(RU, 9, "stranger");
    let index = ledger.log_anyway(RU, RecordType::Notification, &note);
    let now = verdict(&ledger, &evidence(&ledger, US, RU, index));
    assert!(now.is_sound() && now.signers[0].title == "Envoy");
    // What cannot be read as a notification is still evidence of what was logged.
    let index = ledger.log_anyway(RU, RecordType::Notification, b"no note at all\n");
    let unread = verdict(&ledger, &evidence(&ledger, CA, RU, index));
    assert_eq!((unread.marks[0].code.as_str(), unread.kind.as_str()), ("malformed", ""));
}

#[test]
fn a_forked_log_is_reported_with_its_proof() {
    let mut ledger = Ledger::new();
    let before = ledger.nodes[RU].disk.clone();
    let index = ledger.remark(RU, 1);
    ledger.remark(RU, 2);
    let other = ledger.note(RU, 3, "minister");
    ledger.equivocate(RU, before, other, CA);
    for by in [CA, HU, US] {
        let bytes = evidence(&ledger, by, RU, index);
        let verdict = verdict(&ledger, &bytes);
        let fork = verdict.fork.expect("the fork is in the evidence");
        assert!(fork.smaller <= fork.larger && !verdict.is_sound());
        assert!(verdict.sentences(&ledger.treaty, None).iter().any(|line| line.contains("forked")));
        // The proof is about this log, and can neither be altered nor moved to another.
        let fork = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap().fork.unwrap();
        for at in (0..fork.len()).step_by(7) {
            let mut bent = fork.clone().into_bytes();
            bent[at] ^= 1;
            if let Ok(bent) = String::from_utf8(bent) {
                let bytes = rewritten(&ledger, &bytes, |e| e.fork = Some(bent));
                assert!(verify_evidence(&bytes, &ledger.treaty, None).is_err(), "byte {at}");
            }
        }
    }
}

#[test]
fn nothing_can_be_added_that_nobody_checks() {
    let (ledger, index) = late_hungary();
    let bytes = evidence(&ledger, CA, RU, index);
    let proof = TlogProof::parse(&bytes).unwrap();
    let places = ["", "/anchors/0", "/anchors/0/receipt", "/anchors/0/record", "/credentials/0", "/heads/0"];
    for place in places {
        let mut bundle: Value = serde_json::from_slice(&proof.extra).unwrap();
        bundle.pointer_mut(place).unwrap()["zeal"] = json!(1);
        let bent = TlogProof { extra: canon::write(&bundle).into_bytes(), ..proof.clone() };
        let error = verify_evidence(bent.to_text().as_bytes(), &ledger.treaty, None).unwrap_err();
        assert_eq!(error, EvidenceError::Bundle(FieldError::Unknown("zeal".into())), "{place}");
    }
    // A fork proof whose head carries somebody's further signature.
    let mut ledger = ledger;
    let before = ledger.nodes[RU].disk.clone();
    let index = ledger.remark(RU, 8);
    let other = ledger.note(RU, 9, "minister");
    ledger.equivocate(RU, before, other, CA);
    let bytes = evidence(&ledger, CA, RU, index);
    let added = rewritten(&ledger, &bytes, |e| {
        let mut fork: Value = serde_json::from_str(e.fork.as_ref().unwrap()).unwrap();
        let mut note = SignedNote::parse(fork["larger"].as_str().unwrap().as_bytes()).unwrap();
        note.sign(&common::key(HU, "minister"));
        fork["larger"] = json!(String::from_utf8(note.to_bytes()).unwrap());
        e.fork = Some(canon::write(&fork) + "\n");
    });
    let error = verify_evidence(&added, &ledger.treaty, None).unwrap_err();
    assert!(matches!(error, EvidenceError::Part { part, fault: PartError::Misplaced(_) } if part == "fork"));
}

#[test]
fn evidence_for_another_treaty_file_is_refused_as_such() {
    let mut ledger = Ledger::new();
    let index = ledger.remark(RU, 1);
    let bytes = evidence(&ledger, RU, RU, index);
    let text = common::treaty_text().replace("A trial", "Another trial");
    let other = verbale::ledger::Treaty::parse(text.as_bytes()).unwrap();
    assert_eq!(verify_evidence(&bytes, &other, None), Err(EvidenceError::OtherTreaty(ledger.treaty.hash())));
}

#[test]
fn no_bit_of_an_evidence_file_can_be_flipped() {
    let mut ledger = Ledger::new();
    ledger.online(&[CA, RU]);
    ledger.remark(CA, 1);
    let index = ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    ledger.online(&[CA, RU, HU]);
    let bytes = evidence(&ledger, RU, RU, index);
    let parts = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap();
    assert!(!parts.heads.is_empty() && !parts.anchors.is_empty() && !parts.credentials.is_empty());
    let verifies = |bytes: &[u8]| verify_evidence(bytes, &ledger.treaty, None).is_ok();
    assert!(verifies(&bytes));
    let mut bent = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(!verifies(&bent), "bit {bit} of the file");
        bent[bit / 8] = bytes[bit / 8];
    }
    // And inside what the base64 of the extra data carries.
    let mut proof = TlogProof::parse(&bytes).unwrap();
    for bit in 0..proof.extra.len() * 8 {
        proof.extra[bit / 8] ^= 1 << (bit % 8);
        assert!(!verifies(proof.to_text().as_bytes()), "bit {bit} of the extra data");
        proof.extra[bit / 8] ^= 1 << (bit % 8);
    }
    println!("{} bits of the file, {} of its extra data", bytes.len() * 8, proof.extra.len() * 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_spliced_or_random_files_prove_nothing_more_and_cause_no_panic(
        cut in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        use std::sync::OnceLock;
        static FILE: OnceLock<(Ledger, Vec<u8>)> = OnceLock::new();
        let (ledger, bytes) = FILE.get_or_init(|| {
            let (ledger, index) = late_hungary();
            let bytes = evidence(&ledger, CA, RU, index);
            (ledger, bytes)
        });
        let (cut, from) = (cut.index(bytes.len()), from.index(bytes.len()));
        let whole = verdict(ledger, bytes);
        let refused = |bytes: &[u8]| verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).is_err();
        // A cut can take away just a receipt's line: what is left then proves less, and the same of the note.
        let less = |bytes: &[u8]| match verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)) {
            Ok(verdict) => verdict.leaf == whole.leaf && verdict.receipts.len() < whole.receipts.len(),
            Err(_) => true,
        };
        prop_assert!(less(&bytes[..cut]));
        prop_assert!(refused(&noise));
        let spliced: Vec<u8> = bytes[..cut].iter().chain(&noise).chain(&bytes[from..]).copied().collect();
        prop_assert!(spliced == *bytes || less(&spliced));
        let mut proof = TlogProof::parse(bytes).unwrap();
        let at = cut % proof.extra.len();
        proof.extra.truncate(at);
        proof.extra.extend_from_slice(&noise);
        prop_assert!(refused(proof.to_text().as_bytes()));
    }
}

#[test]
fn what_is_not_there_cannot_be_proved() {
    let mut ledger = Ledger::new();
    let index = ledger.remark(RU, 1);
    let disk = &ledger.nodes[CA].disk;
    let prove = |log, index| prove(disk, &ledger.treaty, log, index).unwrap().unwrap_err();
    assert_eq!(prove(9, 0), ProveError::NoSuchLog);
    assert!(matches!(prove(RU, 1_000), ProveError::NoSuchRecord { index: 1_000, .. }));
    assert!(matches!(prove(RU, u64::MAX), ProveError::NoSuchRecord { .. }));
    let other = (0..index).find(|at| matches!(prove(RU, *at), ProveError::NotANotification { .. }));
    assert!(other.is_some());
}
