//! Keys that change: one unbroken log across a rotation, old notes stay what they were, and a replaced key says nothing.

mod common;

use common::{CA, HU, Ledger, PARTIES, RU, US, key, later_key};
use verbale::ledger::{Credential, Evidence, NewKey, Revocation, Rotation, Timestamp, verify_evidence};
use verbale::node::{Read, Refusal, prove};
use verbale::note::{SignedNote, SigningKey};
use verbale::tlog::Checkpoint;

fn signed(credential: &Credential, root: &SigningKey) -> Vec<u8> {
    credential.sign(root).unwrap().to_bytes()
}

fn rotation(ledger: &Ledger, party: usize, key_of: NewKey, lost: bool) -> Vec<u8> {
    let (issued, party_code) = (Timestamp::from_posix(1_700_000_000), PARTIES[party].0.to_owned());
    let rotation =
        Rotation { issued, key: key_of, ledger: ledger.treaty.hash(), lost, party: party_code, reason: None };
    signed(&Credential::Rotate(rotation), &key(party, "root"))
}

fn new_log_key(party: usize) -> NewKey {
    NewKey::Log(later_key(party, "log").public().clone())
}

fn new_witness_key(party: usize) -> NewKey {
    NewKey::Witness(later_key(party, "witness").public().clone())
}

#[test]
fn a_log_goes_on_under_its_new_key_and_everybody_follows() {
    let mut ledger = Ledger::new();
    let before = ledger.remark(RU, 1);
    let note = rotation(&ledger, RU, new_log_key(RU), false);
    let at = ledger.submit(RU, note).unwrap().index;
    ledger.settle();
    let changeover = ledger.nodes[CA].disk.head(RU, at + 1).unwrap().unwrap();
    let changeover = SignedNote::parse(&changeover).unwrap();
    assert_eq!(
        Checkpoint::parse(changeover.text()).unwrap().size,
        at + 1,
        "the rotation ends the head that changes it"
    );
    for signer in [key(RU, "log"), later_key(RU, "log")] {
        changeover.verify(signer.public()).unwrap();
    }
    let after = ledger.remark(RU, 2);
    ledger.remark(CA, 3);
    ledger.settle();
    for party in [CA, HU, US] {
        assert_eq!(ledger.nodes[party].disk.size(RU).unwrap(), ledger.nodes[RU].disk.size(RU).unwrap());
        assert!(ledger.nodes[party].engine.fork(RU).is_none());
    }
    let head = ledger.nodes[CA].disk.head(RU, u64::MAX).unwrap().unwrap();
    let head = SignedNote::parse(&head).unwrap();
    head.verify(later_key(RU, "log").public()).unwrap();
    assert!(head.verify(key(RU, "log").public()).is_err(), "the old key signs no more");

    for index in [before, after] {
        let bytes = prove(&ledger.nodes[CA].disk, &ledger.treaty, RU, index).unwrap().unwrap();
        let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
        assert!(verdict.is_final && verdict.marks.is_empty(), "{verdict:?}");
    }
    let bytes = prove(&ledger.nodes[CA].disk, &ledger.treaty, RU, after).unwrap().unwrap();
    let mut parts = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap();
    assert_eq!(parts.keys.len(), 1, "the file carries what put the new key in force");
    parts.keys.clear();
    verify_evidence(&parts.to_bytes(&ledger.treaty.hash()), &ledger.treaty, None).unwrap_err();
}

#[test]
fn a_witness_goes_on_under_its_new_key() {
    let mut ledger = Ledger::new();
    let old = ledger.remark(RU, 1);
    let note = rotation(&ledger, CA, new_witness_key(CA), false);
    ledger.submit(CA, note).unwrap();
    ledger.settle();
    let new = ledger.remark(RU, 2);
    ledger.settle();
    for (index, carried) in [(old, 0), (new, 1)] {
        let bytes = prove(&ledger.nodes[HU].disk, &ledger.treaty, RU, index).unwrap().unwrap();
        let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
        assert!(verdict.receipts.iter().any(|receipt| receipt.party == "CA"), "{verdict:?}");
        let keys = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap().keys;
        assert!(keys.len() >= carried, "the note after the rotation needs the new key's note");
    }
}

#[test]
fn a_revocation_does_not_reach_back() {
    let mut ledger = Ledger::new();
    let before = ledger.remark(RU, 1);
    let revocation = Revocation {
        issued: Timestamp::from_posix(0),
        key: key(RU, "minister").public().clone(),
        ledger: ledger.treaty.hash(),
        party: PARTIES[RU].0.into(),
        reason: Some("stolen long ago, it says".into()),
    };
    ledger.submit(RU, signed(&Credential::Revoke(revocation), &key(RU, "root"))).unwrap();
    let late = ledger.note(RU, 2, "minister");
    assert!(matches!(ledger.submit(RU, late.clone()), Err(Refusal::Marks(_))), "its own node takes it no more");
    let after = ledger.log_anyway(RU, verbale::ledger::RecordType::Notification, &late);
    ledger.settle();
    let verdict = |index| {
        let bytes = prove(&ledger.nodes[CA].disk, &ledger.treaty, RU, index).unwrap().unwrap();
        verify_evidence(&bytes, &ledger.treaty, None).unwrap()
    };
    assert!(verdict(before).marks.is_empty(), "what was logged before stays valid");
    assert_eq!(verdict(after).marks[0].code, "unauthorised");
}

#[test]
fn a_rotation_needs_a_new_key_that_the_node_has() {
    let mut ledger = Ledger::new();
    let used = rotation(&ledger, RU, NewKey::Log(key(RU, "log").public().clone()), false);
    assert_eq!(ledger.submit(RU, used), Err(Refusal::KeyUsed));
    let stranger = SigningKey::from_seed(key(RU, "log").public().name(), key(RU, "log").public().kind(), &[9; 32]);
    let stranger = rotation(&ledger, RU, NewKey::Log(stranger.unwrap().public().clone()), false);
    assert_eq!(ledger.submit(RU, stranger), Err(Refusal::KeyNotHere));
}
