//! A log that forked by accident goes on by a certificate of its party's root; one that hides a branch is refused.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::restarted::{certificate, certificate_up_to, forked, head, head_up_to, keeping_the_smaller, signed};
use common::{CA, HU, Ledger, PARTIES, PROFILE, RU, US, key};
use verbale::law::{Docket, Query};
use verbale::ledger::{
    Branch, ForkProof, Keyring, NoteId, Profile, RecordType, Reference, Restart, RestartError, Timestamp,
    verify_evidence,
};
use verbale::node::{BranchRead, Memory, Read, Refusal, RestartRefusal, docket, prove};
use verbale::note::SignedNote;
use verbale::tlog::{Checkpoint, leaf_hash};

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
    let accepted = ledger.submit(RU, note.clone()).unwrap();
    assert_eq!((accepted.index, accepted.leaf), (at, None), "it waits for the records before it, and has no leaf yet");
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    let again = ledger.submit(RU, note).unwrap();
    let logged = ledger.nodes[RU].disk.record(RU, at).unwrap().unwrap();
    assert_eq!((again.index, again.leaf, again.already), (at, Some(verbale::tlog::leaf_hash(&logged)), true));
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
        Restart { other_leaf: Some(good.kept_leaf), ..good.clone() }.sign(&root).unwrap(),
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
    let (kept_leaf, other_leaf) = (good.other_leaf.unwrap(), Some(verbale::tlog::Hash([7; 32])));
    let note = Restart { other_leaf, kept_leaf, ..good.clone() };
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

/// What was handed out once verifies for ever, and is written as it was. Only which receipts came in which order behind the
/// certificate, and so the bytes of evidence from there on, is for the engine to say.
#[test]
fn a_certificate_that_was_handed_out_long_ago_verifies() {
    let (mut ledger, kept, other, twin) = forked();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    assert!(read("restart.note") == note, "the certificate is written otherwise than before");
    assert!(read("restart-treaty.toml") == common::treaty_text().into_bytes());
    ledger.submit(RU, note).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    let after = ledger.remark(RU, 9);
    ledger.settle();
    let disk = &ledger.nodes[US].disk;
    let other_branch = BranchRead::open(disk, &ledger.treaty, RU, 1).unwrap().unwrap();
    for (name, written) in [
        ("restart-kept.tlog-proof", prove(disk, &ledger.treaty, RU, kept).unwrap().unwrap()),
        ("restart-other.tlog-proof", prove(&other_branch, &ledger.treaty, RU, other).unwrap().unwrap()),
    ] {
        assert!(read(name) == written, "{name} is written otherwise than before");
    }
    for (name, index, branch) in [
        ("restart-kept.tlog-proof", kept, Branch::Kept),
        ("restart-after.tlog-proof", after, Branch::Kept),
        ("restart-other.tlog-proof", other, Branch::Other),
    ] {
        let verdict = verify_evidence(&read(name), &ledger.treaty, None).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!((verdict.index, verdict.restarts.len(), verdict.marks.len()), (index, 1, 0), "{name}");
        assert_eq!(verdict.restarts[0].branch, branch, "{name}");
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

#[test]
fn the_smaller_branch_can_be_the_one_that_goes_on() {
    let (mut ledger, twin, note) = keeping_the_smaller();
    let (at, other) = (head(&twin, RU).1.size, head(&ledger.nodes[CA].disk, RU).1.size);
    ledger.put_back(RU, twin);
    ledger.settle();
    let accepted = ledger.submit(RU, note.clone()).unwrap();
    assert_eq!(accepted.index, at);
    for _ in 0..6 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    // Handed in again, it says where it stands.
    let again = ledger.submit(RU, note.clone()).unwrap();
    let logged = ledger.nodes[RU].disk.record(RU, at).unwrap().unwrap();
    assert_eq!((again.index, again.leaf, again.already), (at, Some(verbale::tlog::leaf_hash(&logged)), true));
    // The log grows past the size that the other branch has.
    for number in 10..14 {
        ledger.remark(RU, number);
        ledger.settle();
    }
    ledger.settle();
    for again in [false, true] {
        if again {
            ledger.restart();
        }
        for party in [CA, HU, RU, US] {
            let node = &ledger.nodes[party];
            assert!(node.disk.size(RU).unwrap() > other, "node {party}");
            assert!(node.engine.final_size(RU) > other, "node {party}");
            assert_eq!(node.engine.doubts(RU), [] as [u64; 0], "node {party}");
            let branch = BranchRead::open(&node.disk, &ledger.treaty, RU, 1).unwrap().expect("it is mirrored");
            for (read, number) in [(&branch as &dyn Read, 2), (&branch, 3), (&node.disk, 4), (&node.disk, 12)] {
                let index = read.note(RU, &NoteId(ledger.id(RU, number))).unwrap().unwrap();
                let bytes = prove(read, &ledger.treaty, RU, index).unwrap().unwrap();
                let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
                let expected = if number < 4 { Branch::Other } else { Branch::Kept };
                assert_eq!(verdict.restarts[0].branch, expected, "remark {number}");
                assert_eq!((verdict.restarts[0].kept, verdict.restarts[0].other), (at, other));
            }
        }
    }
}

#[test]
fn of_two_heads_of_one_size_none_is_the_smaller_one() {
    let (ledger, twin, note) = keeping_the_smaller();
    let restart = Restart::verify(&note, RU, &ledger.treaty).unwrap();
    assert_eq!(restart.kept_head(), &head(&twin, RU).1);
    let size = head(&twin, RU).1.size;
    let (larger, smaller) = (head_up_to(&ledger.nodes[CA].disk, RU, size), head(&twin, RU));
    assert_eq!(larger.1.size, smaller.1.size);
    let fork = ForkProof::new(&Keyring::new(&ledger.treaty), &smaller.0, &larger.0, larger.1.root, vec![]).unwrap();
    let bent = Restart { fork, ..restart };
    let note = bent.sign(&key(RU, "root")).unwrap().to_bytes();
    assert_eq!(Restart::verify(&note, RU, &ledger.treaty), Err(RestartError::Keep));
}

/// Somebody signed a head with Russia's log key, larger than any, and nobody has records for it.
#[test]
fn a_head_without_records_does_not_stop_a_log_for_ever() {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    ledger.settle();
    let (own, kept) = head(&ledger.nodes[RU].disk, RU);
    let origin = ledger.treaty.origin(RU).to_owned();
    let signed = |size: u64, root: u8| {
        let made_up = Checkpoint { origin: origin.clone(), size, root: verbale::tlog::Hash([root; 32]) };
        made_up.sign(&key(RU, "log")).unwrap()
    };
    // It shows by itself that it contradicts the log: the same size, another root.
    let foreign = signed(kept.size, 7);
    let fork = ForkProof::new(&Keyring::new(&ledger.treaty), &foreign, &own, kept.root, vec![]).unwrap();
    ledger.log_anyway(US, RecordType::Evidence, fork.to_text().as_bytes());
    ledger.settle();
    assert_eq!(frozen(&ledger), [CA, HU, RU, US]);
    let leaf = |at: u64| verbale::tlog::leaf_hash(&ledger.nodes[RU].disk.record(RU, at).unwrap().unwrap());
    let restart = Restart {
        common: kept.size - 1,
        fork,
        issued: Timestamp::from_posix(ledger.now / 1000),
        keeps_smaller: false,
        kept_leaf: leaf(kept.size - 1),
        ledger: ledger.treaty.hash(),
        other_leaf: None,
        party: PARTIES[RU].0.into(),
        reason: Some("the log's key was stolen".into()),
    };
    ledger.submit(RU, restart.sign(&key(RU, "root")).unwrap().to_bytes()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    ledger.remark(RU, 2);
    ledger.settle();
    assert!(ledger.nodes[CA].engine.final_size(RU) > kept.size + 1, "it gets receipts again");
    // Just that head is explained. Another one of them is not.
    let second = signed(kept.size, 8);
    let fork = ForkProof::new(&Keyring::new(&ledger.treaty), &second, &own, kept.root, vec![]).unwrap();
    ledger.log_anyway(US, RecordType::Evidence, fork.to_text().as_bytes());
    ledger.settle();
    assert_eq!(frozen(&ledger), [CA, HU, RU, US]);
}

/// A third branch, no longer than the one that the certificate names, where the records of that one are not held yet.
#[test]
fn a_third_branch_within_the_size_of_the_other_one_is_in_doubt_until_the_records_come_and_then_freezes_the_log() {
    let (mut ledger, _, _, twin) = forked();
    let old = ledger.kept_copy.take().unwrap();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    // The United States alone hold the other branch, and are away.
    ledger.only_online(&[CA, HU, RU]);
    ledger.submit(RU, note).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    let third = ledger.note(RU, 77, "minister");
    let size = old.size(RU).unwrap() + 1;
    ledger.equivocate(RU, old, third, HU);
    ledger.settle();
    // By its size it might be of the other branch. It is not said to be, and the log gets no receipt for what comes next.
    assert_eq!(frozen(&ledger), [US]);
    assert!(ledger.nodes[HU].engine.doubts(RU).contains(&size), "{:?}", ledger.nodes[HU].engine.doubts(RU));
    let next = ledger.remark(RU, 9);
    ledger.settle();
    assert!(ledger.nodes[CA].engine.receipted(RU)[HU] <= next, "{:?}", ledger.nodes[CA].engine.receipted(RU));
    // With the United States come the records.
    ledger.online(&[CA, HU, RU, US]);
    for _ in 0..6 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [CA, HU, RU, US]);
}

#[test]
fn a_root_that_signs_two_certificates_has_one_of_them_refused() {
    let (mut ledger, twin, smaller) = keeping_the_smaller();
    let larger = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, larger.clone()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    assert_eq!(frozen(&ledger), [] as [usize; 0]);
    let refused = ledger.submit(RU, smaller.clone());
    assert!(matches!(refused, Err(Refusal::Restart(_))), "{refused:?}");
    ledger.offer_restart(US, &smaller, RU);
    for party in [CA, HU, RU, US] {
        assert_eq!(ledger.nodes[party].disk.restarts(RU).unwrap(), std::slice::from_ref(&larger), "node {party}");
    }
}

/// A root makes up a longer other branch, of which nobody has records, so that whatever is shorter may be of it.
#[test]
fn a_certificate_that_names_a_head_nobody_saw_makes_nothing_final() {
    let (mut ledger, _, _, twin) = forked();
    let good = certificate(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    let (kept, kept_head) = head(&ledger.nodes[CA].disk, RU);
    let origin = ledger.treaty.origin(RU).to_owned();
    let made_up = Checkpoint { origin, size: kept_head.size, root: verbale::tlog::Hash([9; 32]) };
    let made_up = made_up.sign(&key(RU, "log")).unwrap();
    let fork = ForkProof::new(&Keyring::new(&ledger.treaty), &made_up, &kept, kept_head.root, vec![]).unwrap();
    let note = Restart { fork, ..good }.sign(&key(RU, "root")).unwrap().to_bytes();
    let before = ledger.nodes[CA].engine.final_size(RU);
    if ledger.submit(RU, note).is_ok() {
        for _ in 0..6 {
            ledger.settle();
        }
        let _ = ledger.submit(RU, ledger.note(RU, 9, "minister"));
        for _ in 0..4 {
            ledger.settle();
        }
    }
    for party in [CA, HU, US] {
        let engine = &ledger.nodes[party].engine;
        assert!(engine.fork(RU).is_some() || !engine.doubts(RU).is_empty(), "node {party} holds nothing against it");
        assert!(engine.final_size(RU) <= before.max(kept_head.size), "node {party}");
    }
}

const LAW: &str = "[[kind.remark.due]]\nid = \"answer\"\ntitle = \"An answer\"\nby = [\"US\"]\nanswer = [\"remark\"]\n\
    start = \"received\"\nwithin = \"24 hours\"\n\
    [[kind.remark.effect]]\nid = \"e\"\ntitle = \"E\"\nstart = \"sent\"\nafter = \"1 day\"\n";

fn docket_of(ledger: &Ledger, disk: &Memory) -> Docket {
    let profile = Profile::parse(format!("{PROFILE}{LAW}").as_bytes()).unwrap();
    docket(disk, &ledger.treaty, &Arc::new(profile)).unwrap()
}

fn told(docket: &Docket, as_of: Timestamp) -> String {
    let items = docket.items(as_of, &Query::default());
    serde_json::to_string_pretty(&(items, docket.effects(as_of, None), docket.standings(as_of))).unwrap()
}

#[test]
fn what_was_said_on_the_branch_that_was_left_counts_on_every_node_as_before() {
    let (mut ledger, kept, other, twin) = forked();
    let as_of = |ledger: &Ledger| Timestamp::from_posix(ledger.now / 1000 + 40 * 3600);
    // The United States held that branch, and knew what was due from it.
    let before = docket_of(&ledger, &ledger.nodes[US].disk);
    let of = |docket: &Docket, number: &str| {
        let note = docket.place(number);
        let items = docket.items(as_of(&ledger), &Query { note, ..Query::default() });
        items.into_iter().map(|item| (item.state.name(), item.until)).collect::<Vec<_>>()
    };
    let owed = of(&before, &format!("RU/{other}"));
    assert_eq!(owed[0].0, "missed");
    assert_eq!(of(&before, &format!("RU/{kept}")).len(), 1, "of the one branch it has the other's place");
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, note).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    ledger.remark(RU, 9);
    ledger.settle();
    let left = format!("RU~1/{other}");
    let now = as_of(&ledger);
    let all = told(&docket_of(&ledger, &ledger.nodes[CA].disk), now);
    for again in [false, true] {
        if again {
            ledger.restart();
        }
        for party in [CA, HU, RU, US] {
            let docket = docket_of(&ledger, &ledger.nodes[party].disk);
            let place = docket.place(&left);
            let items = docket.items(now, &Query { note: place, ..Query::default() });
            assert_eq!(
                (items[0].number.as_str(), items[0].state.name(), items[0].until),
                (&*left, "missed", owed[0].1)
            );
            assert_eq!(
                docket.items(now, &Query { note: docket.place(&format!("RU/{kept}")), ..Query::default() }).len(),
                1
            );
            assert_eq!(docket.not_held(), Vec::<String>::new());
            assert_eq!(told(&docket, now), all, "{}", PARTIES[party].0);
        }
    }
    // An answer to it refers to the record of that branch, by its hash; the node that lacks nothing lets it pass.
    let disk = &ledger.nodes[US].disk;
    let branch = BranchRead::open(disk, &ledger.treaty, RU, 1).unwrap().unwrap();
    let leaf = leaf_hash(&branch.record(RU, other).unwrap().unwrap());
    let re = vec![Reference { index: other, leaf, log: "RU".into() }];
    ledger.submit(US, ledger.reply(US, 10, "minister", re)).unwrap();
    ledger.settle();
    let wrong = vec![Reference { index: other, leaf: verbale::tlog::Hash([1; 32]), log: "RU".into() }];
    assert!(matches!(ledger.submit(US, ledger.reply(US, 11, "minister", wrong)), Err(Refusal::Reference(_))));
    let now = as_of(&ledger);
    for party in [CA, US] {
        let docket = docket_of(&ledger, &ledger.nodes[party].disk);
        let state = |number: &str| {
            let items = docket.items(now, &Query { note: docket.place(number), ..Query::default() });
            items[0].state.name()
        };
        assert_eq!((state(&left), state(&format!("RU/{other}"))), ("met", "missed"));
    }
}

#[test]
fn a_branch_that_is_not_held_is_said_to_be_missing_and_in_whatever_order_it_comes_it_counts_the_same() {
    let (mut ledger, _, other, twin) = forked();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, note).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    // The same note once more, on the branch that goes on: it was said before.
    let again = twin.record(RU, other).unwrap().unwrap();
    let payload = verbale::ledger::Record::parse(&again).unwrap().payload.to_vec();
    let again = ledger.log_anyway(RU, RecordType::Notification, &payload);
    ledger.settle();
    let disk = &ledger.nodes[RU].disk;
    let now = Timestamp::from_posix(ledger.now / 1000 + 40 * 3600);
    let whole = docket_of(&ledger, disk);
    let profile = Arc::new(whole.profile().clone());
    let mut registrar = verbale::law::Registrar::new(ledger.treaty.clone(), profile.clone());
    let mut late = Docket::new(ledger.treaty.clone(), profile.clone());
    late.set_aside(RU, 1, false);
    for log in [US, RU, HU, CA] {
        for index in 0..disk.size(log).unwrap() {
            let bytes = disk.record(log, index).unwrap().unwrap();
            registrar.learn(log, &verbale::ledger::Record::parse(&bytes).unwrap());
            late.enter(registrar.file(log, index, &bytes));
            if let Some(entry) = verbale::node::counted(disk, &ledger.treaty, log, index, &bytes).unwrap() {
                late.apply_receipt(entry.log, entry.by, verbale::node::seen(&entry));
            }
        }
    }
    assert_eq!(late.not_held(), ["RU~1"]);
    assert!(!told(&late, now).contains("RU~1/") && told(&whole, now).contains("RU~1/"));
    assert_eq!(late.why_disregarded((RU, again)), None);
    assert!(verbale::node::set_aside(&mut late, disk, &ledger.treaty, &profile).unwrap());
    assert_eq!(late.not_held(), Vec::<String>::new());
    assert_eq!(told(&late, now), told(&whole, now));
    let why = whole.why_disregarded((RU, again)).unwrap();
    assert!(why.contains(&format!("as RU~1/{other}")), "{why}");
    assert_eq!(late.why_disregarded((RU, again)), Some(why));
}
