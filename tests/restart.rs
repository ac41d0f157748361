//! A log that forked by accident goes on by a certificate of its party's root; one that hides a branch is refused.

mod common;

use std::path::Path;

use common::{CA, HU, Ledger, PARTIES, RU, US, key};
use verbale::ledger::{
    Branch, ForkProof, Keyring, NoteId, RecordType, Restart, RestartError, Timestamp, verify_evidence,
};
use verbale::node::{BranchRead, LogTiles, Memory, Read, Refusal, RestartRefusal, prove};
use verbale::note::SignedNote;
use verbale::tlog::{Checkpoint, Tiles, consistency_proof, root_at};

/// Where a disk's copy of a log ends: its newest head.
fn head(disk: &Memory, log: usize) -> (SignedNote, Checkpoint) {
    head_up_to(disk, log, u64::MAX)
}

fn head_up_to(disk: &Memory, log: usize, size: u64) -> (SignedNote, Checkpoint) {
    let note = SignedNote::parse(&disk.head(log, size).unwrap().unwrap()).unwrap();
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    (note, checkpoint)
}

/// The certificate that names the ends of a log on two disks; the larger one goes on.
fn certificate(ledger: &Ledger, log: usize, kept: &Memory, other: &Memory) -> Restart {
    certificate_up_to(ledger, log, (kept, u64::MAX), (other, u64::MAX))
}

/// The same, with no larger heads than these.
fn certificate_up_to(
    ledger: &Ledger,
    log: usize,
    (kept, kept_size): (&Memory, u64),
    (other, other_size): (&Memory, u64),
) -> Restart {
    let ((larger, a), (smaller, b)) = (head_up_to(kept, log, kept_size), head_up_to(other, log, other_size));
    let tiles = LogTiles { read: kept, log };
    let root = root_at(&tiles, b.size).unwrap().unwrap();
    let proof = consistency_proof(&tiles, b.size, a.size).unwrap().unwrap();
    let fork = ForkProof::new(&Keyring::new(&ledger.treaty), &smaller, &larger, root, proof).unwrap();
    let common = (0..).find(|at| kept.record(log, *at).unwrap() != other.record(log, *at).unwrap()).unwrap();
    let leaf = |disk: &Memory| LogTiles { read: disk, log }.subtree(0, common).unwrap().unwrap();
    Restart {
        common,
        fork,
        issued: Timestamp::from_posix(ledger.now / 1000),
        kept_leaf: leaf(kept),
        ledger: ledger.treaty.hash(),
        other_leaf: leaf(other),
        party: PARTIES[log].0.into(),
        reason: Some("the disk was put back from an old copy".into()),
    }
}

fn signed(ledger: &Ledger, log: usize, kept: &Memory, other: &Memory) -> Vec<u8> {
    certificate(ledger, log, kept, other).sign(&key(log, "root")).unwrap().to_bytes()
}

/// Russia's log has two branches: one that Canada and Hungary hold, and one, shorter, that the United States hold. All are
/// connected again and know of it. Also says the notes' places, and the disk of the node that wrote the second branch.
fn forked() -> (Ledger, u64, u64, Memory) {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    ledger.settle();
    let old = ledger.nodes[RU].disk.clone();
    ledger.only_online(&[CA, HU, RU]);
    let kept = ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    ledger.settle();
    ledger.only_online(&[]);
    // Another node of the same party, on a stale copy, with the United States as its only peer.
    let note = ledger.note(RU, 4, "minister");
    let twin = ledger.fork_with(RU, old.clone(), &[note, ledger.note(RU, 5, "minister")], US);
    ledger.kept_copy = Some(old);
    let other = twin.note(RU, &NoteId(ledger.id(RU, 4))).unwrap().unwrap();
    ledger.only_online(&[CA, HU, RU, US]);
    ledger.settle();
    (ledger, kept, other, twin)
}

fn frozen(ledger: &Ledger) -> Vec<usize> {
    (0..PARTIES.len()).filter(|party| ledger.nodes[*party].engine.fork(RU).is_some()).collect()
}

#[test]
fn without_a_certificate_a_forked_log_stays_frozen() {
    let (mut ledger, ..) = forked();
    assert_eq!(frozen(&ledger), [CA, HU, RU, US]);
    let note = ledger.note(RU, 9, "minister");
    assert!(matches!(ledger.submit(RU, note), Err(Refusal::NotSigning(_))));
    ledger.restart();
    assert_eq!(frozen(&ledger), [CA, HU, RU, US]);
}

#[test]
fn with_a_certificate_it_goes_on_and_both_branches_are_proved() {
    let (mut ledger, kept, other, twin) = forked();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    let at = head(&ledger.nodes[CA].disk, RU).1.size;
    let accepted = ledger.submit(RU, note.clone()).unwrap();
    assert_eq!(accepted.index, at, "its first record after the head that goes on");
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    let after = ledger.remark(RU, 9);
    ledger.settle();
    for again in [false, true] {
        if again {
            ledger.restart();
        }
        for party in [CA, HU, RU, US] {
            let disk = &ledger.nodes[party].disk;
            let first = disk.note(RU, &NoteId(ledger.id(RU, 1))).unwrap().unwrap();
            assert!(disk.size(RU).unwrap() > after, "all mirror the branch that goes on");
            assert_eq!(disk.restarts(RU).unwrap(), std::slice::from_ref(&note));
            assert_eq!(disk.fork(RU).unwrap(), None);
            for (index, branch) in [(kept, Branch::Kept), (after, Branch::Kept), (first, Branch::Common)] {
                let bytes = prove(disk, &ledger.treaty, RU, index).unwrap().unwrap();
                let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
                assert_eq!(verdict.restarts[0].branch, branch);
                assert!(verdict.is_sound(), "{verdict:?}");
            }
            // The other branch has addresses of its own, and receipts of its own.
            let branch = BranchRead::open(disk, &ledger.treaty, RU, 1).unwrap().expect("every node has mirrored it");
            let bytes = prove(&branch, &ledger.treaty, RU, other).unwrap().unwrap();
            let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
            assert_eq!((verdict.restarts[0].branch, verdict.body["text"].as_str()), (Branch::Other, Some("remark 4")));
            assert_eq!(verdict.receipts.iter().map(|r| r.party.as_str()).collect::<Vec<_>>(), ["US"]);
            let said = verdict.sentences(&ledger.treaty, None).join(" ");
            assert!(said.contains("The root of Russia accepted both as its own"), "{said}");
            assert!(!said.contains("has forked"), "{said}");
        }
    }
    // Every party receipts again, the one that had receipted the other branch as well.
    assert!((0..PARTIES.len()).filter(|by| *by != RU).all(|by| ledger.nodes[CA].engine.receipted(RU)[by] > at));
    assert!(ledger.nodes[CA].engine.final_size(RU) > after);
}

#[test]
fn the_node_that_wrote_the_other_branch_takes_its_own_log_back() {
    let (mut ledger, kept, other, twin) = forked();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    // Russia's node goes on with the disk that was put back: what it wrote last is not what goes on.
    ledger.put_back(RU, twin);
    ledger.settle();
    let at = head(&ledger.nodes[CA].disk, RU).1.size;
    let accepted = ledger.submit(RU, note).unwrap();
    assert_eq!(accepted.index, at);
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    let after = ledger.remark(RU, 9);
    ledger.settle();
    let disk = &ledger.nodes[RU].disk;
    assert!(after > at);
    assert_eq!(disk.credentials(RU).unwrap().last(), Some(&at), "the certificate is the first record after it");
    assert!(prove(disk, &ledger.treaty, RU, kept).unwrap().is_ok());
    let branch = BranchRead::open(disk, &ledger.treaty, RU, 1).unwrap().unwrap();
    assert!(prove(&branch, &ledger.treaty, RU, other).unwrap().is_ok());
}

#[test]
fn a_certificate_that_hides_a_branch_is_refused_and_the_log_stays_frozen() {
    let (mut ledger, _, _, twin) = forked();
    let canada = ledger.nodes[CA].disk.clone();
    let good = certificate(&ledger, RU, &canada, &twin);
    let root = key(RU, "root");
    let refused = |ledger: &mut Ledger, note: Vec<u8>| {
        let refusal = ledger.submit(RU, note.clone()).expect_err("it is refused");
        ledger.offer_restart(US, &note, RU);
        assert_eq!(frozen(ledger).len(), 4);
        refusal
    };
    // Signed by the log key, for another party, for another ledger.
    for note in [
        good.sign(&key(RU, "log")).unwrap(),
        good.sign(&key(CA, "root")).unwrap(),
        Restart { party: "CA".into(), ..good.clone() }.sign(&root).unwrap(),
        Restart { ledger: verbale::tlog::Hash([1; 32]), ..good.clone() }.sign(&root).unwrap(),
        Restart { common: good.fork.sizes().0, ..good.clone() }.sign(&root).unwrap(),
        Restart { other_leaf: good.kept_leaf, ..good.clone() }.sign(&root).unwrap(),
    ] {
        assert!(matches!(refused(&mut ledger, note.to_bytes()), Refusal::Restart(RestartRefusal::Invalid(_))));
    }
    // It names one head only: such a text cannot be a certificate.
    let one = good.to_text().replace("\"fork\":", "\"head\":");
    let mut note = SignedNote::new(one).unwrap();
    note.sign(&root);
    let error = Restart::verify(&note.to_bytes(), RU, &ledger.treaty).unwrap_err();
    assert!(matches!(error, RestartError::Field(_)));
    // It says that the branches part elsewhere.
    let note = Restart { other_leaf: verbale::tlog::Hash([7; 32]), kept_leaf: good.other_leaf, ..good.clone() };
    refused(&mut ledger, note.sign(&root).unwrap().to_bytes());
    // It names a smaller head of the other branch than the one that the United States have receipted, or of the kept one.
    let (short, all) = (good.common + 1, u64::MAX);
    assert!(head(&twin, RU).1.size > short);
    let hides = certificate_up_to(&ledger, RU, (&canada, all), (&twin, short)).sign(&root).unwrap().to_bytes();
    ledger.offer_restart(US, &hides, RU);
    assert!(ledger.nodes[US].engine.fork(RU).is_some(), "who holds what it hides refuses it");
    assert!(ledger.nodes[US].disk.restarts(RU).unwrap().is_empty());
    let less = head(&canada, RU).1.size - 1;
    let hides = certificate_up_to(&ledger, RU, (&canada, less), (&twin, short)).sign(&root).unwrap().to_bytes();
    assert!(matches!(refused(&mut ledger, hides), Refusal::Restart(RestartRefusal::NotFirst)));
    // The good one still helps.
    ledger.submit(RU, good.sign(&root).unwrap().to_bytes()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
}

#[test]
fn a_third_branch_freezes_the_log_again() {
    let (mut ledger, _, _, twin) = forked();
    let old = ledger.kept_copy.take().unwrap();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, note.clone()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    // A head of the accepted branch that is told again changes nothing.
    ledger.tell(HU, RU, &twin);
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    let third = ledger.note(RU, 77, "minister");
    ledger.equivocate(RU, old, third, HU);
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [CA, HU, RU, US], "a branch that no certificate names");
    // The same certificate a second time explains nothing.
    assert!(ledger.submit(RU, note.clone()).is_err() || frozen(&ledger).len() == 4);
    assert_eq!(frozen(&ledger).len(), 4);
}

/// The bytes stay what they are.
#[test]
fn a_certificate_that_was_handed_out_long_ago_verifies() {
    let (mut ledger, kept, other, twin) = forked();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, note.clone()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    let after = ledger.remark(RU, 9);
    ledger.settle();
    let disk = &ledger.nodes[US].disk;
    let branch = BranchRead::open(disk, &ledger.treaty, RU, 1).unwrap().unwrap();
    let files = [
        ("restart.note", note),
        ("restart-kept.tlog-proof", prove(disk, &ledger.treaty, RU, kept).unwrap().unwrap()),
        ("restart-after.tlog-proof", prove(disk, &ledger.treaty, RU, after).unwrap().unwrap()),
        ("restart-other.tlog-proof", prove(&branch, &ledger.treaty, RU, other).unwrap().unwrap()),
        ("restart-treaty.toml", common::treaty_text().into_bytes()),
    ];
    for (name, bytes) in files {
        if std::env::var_os("VERBALE_WRITE_GOLDEN").is_some() {
            std::fs::write(folder.join(name), &bytes).unwrap();
        }
        assert!(std::fs::read(folder.join(name)).unwrap() == bytes, "{name} is written otherwise than before");
    }
}

#[test]
fn no_record_counts_as_a_certificate_elsewhere_in_the_log() {
    let (mut ledger, _, _, twin) = forked();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, note.clone()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    ledger.remark(RU, 9);
    let again = ledger.log_anyway(RU, RecordType::Credential, &note);
    ledger.settle();
    let bytes = ledger.nodes[CA].disk.record(RU, again).unwrap().unwrap();
    let record = verbale::ledger::Record::parse(&bytes).unwrap();
    assert_eq!(Restart::of_record(&record, RU, &ledger.treaty), None);
    assert_eq!(ledger.nodes[CA].disk.restarts(RU).unwrap().len(), 1);
}
