//! Why evidence does not verify: each class of fault by its place, with what was expected and found and what it means; and what
//! holds all the same is never more than the whole file said.

mod common;

use common::{CA, HU, Ledger, RU, US};
use verbale::ledger::{Evidence, Explanation, Timestamp, explain_evidence, verify_evidence};
use verbale::node::{SilenceQuery, prove, prove_silence};
use verbale::note::{Signature, SignedNote};
use verbale::tlog::Hash;

/// Russia's note, which all have received, and that Canada has not answered.
fn good() -> (Ledger, Vec<u8>) {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.remark(RU, 2);
    let index = ledger.remark(RU, 3);
    ledger.now += 2 * 86_400_000;
    ledger.settle();
    let attested = ledger.attest(&[HU, RU, US], CA);
    let after = Timestamp::from_posix(ledger.now / 1000 - 3600);
    let query = SilenceQuery { party: CA, due: None, after, attested };
    let bytes = prove_silence(&ledger.nodes[RU].disk, &ledger.treaty, RU, index, &query).unwrap().unwrap();
    (ledger, bytes)
}

fn explain(ledger: &Ledger, bytes: &[u8]) -> Explanation {
    assert!(verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).is_err(), "it verifies");
    let explained = explain_evidence("note.tlog-proof", bytes, &ledger.treaty, Some(&ledger.profile));
    assert!(!explained.faults.is_empty() && !explained.summary.is_empty());
    for fault in &explained.faults {
        assert_eq!(fault.file, "note.tlog-proof");
        assert!(!fault.expected.is_empty() && !fault.found.is_empty() && !fault.means.is_empty(), "{fault:?}");
    }
    explained
}

/// What a changed file is said to be.
fn altered(change: impl FnOnce(&mut Evidence)) -> (Ledger, Vec<u8>, Explanation) {
    let (ledger, bytes) = good();
    let treaty = ledger.treaty.hash();
    let mut evidence = Evidence::parse(&bytes, &treaty).unwrap();
    change(&mut evidence);
    let bent = evidence.to_bytes(&treaty);
    let explained = explain(&ledger, &bent);
    (ledger, bent, explained)
}

/// A note with another signature by this key.
fn forged(note: &SignedNote, name: &str) -> SignedNote {
    let mut out = SignedNote::new(note.text().to_owned()).unwrap();
    for line in note.signatures() {
        let mut line: Signature = line.clone();
        if line.name == name {
            let last = line.bytes.last_mut().unwrap();
            // The highest bits have to stay 0 for a signature that is one at all.
            *last ^= 1;
        }
        out.add(line);
    }
    out
}

#[test]
fn a_forged_receipt_is_named_by_its_line_and_takes_nothing_else_with_it() {
    let (_, bytes, explained) = altered(|e| e.checkpoint = forged(&e.checkpoint, "trial/CA/witness"));
    let fault = &explained.faults[0];
    assert_eq!(fault.place.signature.as_deref(), Some("trial/CA/witness"));
    let text = String::from_utf8(bytes).unwrap();
    let line = text.lines().nth(fault.place.line.unwrap() as usize - 1).unwrap();
    assert!(line.starts_with("— trial/CA/witness "), "line {:?} is {line}", fault.place.line);
    assert!(fault.expected.contains("the receipt of Canada"), "{}", fault.expected);
    let holds = explained.holds.as_ref().unwrap();
    assert!(
        !holds.signers.is_empty() && holds.receipts.iter().all(|receipt| receipt.party != "CA")
            || fault.means.contains("Other receipts")
    );
    assert!(explained.summary[0].starts_with("The note is authentic"), "{:?}", explained.summary);
    // Where no other receipt of Canada is in the file, that is said by name.
    let (_, _, explained) = altered(|e| {
        e.checkpoint = forged(&e.checkpoint, "trial/CA/witness");
        e.heads.clear();
        e.silence = None;
    });
    assert_eq!(explained.summary[0], "The note is authentic, but nothing proves that Canada received it.");
    assert!(explained.faults[0].means.contains("Nothing in this file proves that Canada received the note."));
}

#[test]
fn without_the_logs_signature_only_the_official_is_left() {
    let (_, bytes, explained) = altered(|e| e.checkpoint = forged(&e.checkpoint, "trial/RU"));
    let fault = &explained.faults[0];
    assert_eq!(fault.place.signature.as_deref(), Some("trial/RU"));
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().nth(fault.place.line.unwrap() as usize - 1).unwrap(), "trial/RU");
    assert!(explained.holds.is_none());
    assert!(fault.means.contains("Nothing ties the note to the sender's log"));
    assert!(explained.summary[0].contains("bears the signature of Minister"), "{:?}", explained.summary);
}

#[test]
fn a_record_that_was_altered_is_named_by_its_number_and_shows_nothing() {
    let (_, _, explained) = altered(|e| e.record.record = e.record.record.replace("remark 3", "remark 4"));
    let fault = &explained.faults[0];
    assert!(fault.place.record.is_some(), "{fault:?}");
    assert!(explained.holds.is_none());
    assert_eq!(explained.summary, ["Nothing is shown: not that the note was sent, nor by whom."]);
}

#[test]
fn each_part_that_fails_is_put_aside_by_its_name() {
    let bend = |path: &mut Vec<Hash>| path[0].0[0] ^= 1;
    type Change = Box<dyn Fn(&mut Evidence)>;
    let cases: [(&str, Change, &str); 3] = [
        ("credentials[0]", Box::new(move |e| bend(&mut e.credentials[0].path)), "granted this key"),
        ("anchors[0]", Box::new(move |e| bend(&mut e.anchors[0].record.path)), "younger than this record"),
        (
            "silence",
            Box::new(|e| {
                e.silence.as_mut().unwrap().records.pop();
            }),
            "nothing about whether the party answered",
        ),
    ];
    for (part, change, means) in cases {
        let (_, _, explained) = altered(|e| change(e));
        let fault = &explained.faults[0];
        assert!(fault.place.part.as_ref().unwrap().starts_with(part), "{fault:?}");
        assert!(fault.means.contains(means), "{fault:?}");
        let holds = explained.holds.expect(part);
        assert_eq!(holds.silence.is_none(), part == "silence");
        assert_eq!(holds.receipts.len(), 3);
    }
}

#[test]
fn several_faults_are_all_named() {
    let (_, _, explained) = altered(|e| {
        e.checkpoint = forged(&forged(&e.checkpoint, "trial/CA/witness"), "trial/US/witness");
        e.anchors[0].record.path[0].0[0] ^= 1;
        e.silence.as_mut().unwrap().roots.clear();
    });
    let places: Vec<String> = explained.faults.iter().map(|fault| fault.place.to_string()).collect();
    assert_eq!(explained.faults.len(), 4, "{places:?}");
    assert!(explained.holds.is_some());
}

#[test]
fn what_cannot_be_read_is_said_by_line_and_another_treaty_by_its_hash() {
    let (ledger, bytes) = good();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let line = text.lines().position(|line| line.starts_with("index ")).unwrap();
    let bent = text.replacen("index ", "index x", 1);
    let explained = explain(&ledger, bent.as_bytes());
    assert_eq!(explained.faults[0].place.line, Some(line as u64 + 1), "{:?}", explained.faults);
    let explained = explain(&ledger, &bytes[..bytes.len() / 2]);
    assert!(explained.holds.is_none());
    let treaty =
        verbale::ledger::Treaty::parse(common::treaty_text().replace("A trial", "Another").as_bytes()).unwrap();
    let explained = explain_evidence("note.tlog-proof", &bytes, &treaty, None);
    assert!(explained.faults[0].expected.contains(&treaty.hash().to_hex()), "{:?}", explained.faults);
    assert!(explained.faults[0].found.contains(&ledger.treaty.hash().to_hex()), "{:?}", explained.faults);
}

/// Whatever is done to a file, what holds of it is no more than what held before.
#[test]
fn what_holds_without_the_parts_that_fail_is_never_more_than_the_whole_said() {
    let (ledger, bytes) = good();
    let whole = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
    let (mut read, mut held) = (0, 0);
    for at in (0..bytes.len()).step_by(61) {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        if verify_evidence(&bent, &ledger.treaty, Some(&ledger.profile)).is_ok() {
            panic!("byte {at} can be changed");
        }
        read += 1;
        let explained = explain(&ledger, &bent);
        let Some(holds) = explained.holds else { continue };
        held += 1;
        assert_eq!(
            (&holds.party, holds.index, holds.leaf, &holds.body),
            (&whole.party, whole.index, whole.leaf, &whole.body)
        );
        assert!(holds.receipts.iter().all(|r| whole.receipts.iter().any(|w| w.party == r.party && w.time <= r.time)));
        assert!(holds.signers.iter().all(|signer| whole.signers.contains(signer)));
        assert!(holds.not_before.iter().all(|bound| whole.not_before.contains(bound)));
    }
    println!("{read} altered files, of {held} something holds");
    assert!(held > 0);
    // The plain evidence of the same note explains nothing: it verifies.
    let plain = prove(&ledger.nodes[RU].disk, &ledger.treaty, RU, whole.index).unwrap().unwrap();
    assert!(explain_evidence("x", &plain, &ledger.treaty, None).faults.is_empty());
}
