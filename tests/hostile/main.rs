//! What a party that breaks the protocol can do to one honest node: each test is an attack.

#[allow(dead_code, reason = "shared with the simulator")]
#[path = "../simulation/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "each attack uses its own part of it")]
mod rig;

use rig::{Log, Rig, events};
use verbale::ledger::{ForkProof, RecordType};
use verbale::node::Read;
use verbale::note::{Signature, SignedNote};

/// Two logs of one party that agree up to a size.
fn forked(rig: &Rig, party: usize, common: usize) -> (Log, Log) {
    let mut a = Log::new(&rig.fixture, party);
    a.say("common", common);
    let mut b = a.clone();
    a.say("to some", 1);
    b.say("to others", 3);
    (a, b)
}

#[test]
fn a_receipt_on_the_other_branch_never_counts() {
    // Three receipts of five are the quorum. Party 4 shows one branch to 0 and 1, the other to 2 and 3.
    let mut rig = Rig::new(5);
    let (ours, theirs) = forked(&rig, 4, 2);
    rig.tell(&ours);
    let mut witnesses: Vec<_> = (1..4).map(|party| Log::new(&rig.fixture, party)).collect();
    witnesses[0].receipt(&ours);
    witnesses[1].receipt(&theirs);
    witnesses[2].receipt(&theirs);
    for log in &witnesses {
        rig.tell(log);
    }
    assert_eq!(rig.engine.receipted(4)[1], 3);
    assert_eq!(rig.engine.final_size(4), 0, "receipts on a branch that is not held make a note final");
    rig.restart();
    assert_eq!(rig.engine.final_size(4), 0, "after a restart");
}

#[test]
fn a_receipt_that_came_before_the_records_counts_when_they_fit_and_proves_the_fork_when_they_do_not() {
    for honest in [true, false] {
        for restart in [true, false] {
            let mut rig = Rig::new(5);
            let (mut ours, theirs) = forked(&rig, 4, 2);
            let mut witness = Log::new(&rig.fixture, 1);
            ours.say("more", 4);
            // A head so large that nobody has its records keeps the witness's from being remembered.
            rig.tell_head(4, ours.false_head(1 << 40));
            if honest {
                let mut prefix = Log::new(&rig.fixture, 4);
                prefix.say("common", 2).say("to some", 1);
                witness.receipt(&prefix);
            } else {
                witness.receipt(&theirs);
            }
            rig.tell(&witness);
            assert_eq!(rig.engine.receipted(4)[1], 0);
            if restart {
                rig.restart();
            }
            rig.tell(&ours);
            assert_eq!(rig.engine.size(4), 7);
            assert_eq!(rig.engine.receipted(4)[1], if honest { 3 } else { 0 });
            assert_eq!(rig.engine.fork(4).is_some(), !honest);
            let index = rig.disk.last_receipt(4, 1).unwrap();
            assert_eq!(index.is_some(), honest, "the index of receipts is not what fsck makes of the records");
            rig.restart();
            assert_eq!(rig.engine.receipted(4)[1], if honest { 3 } else { 0 });
        }
    }
}

#[test]
fn evidence_with_ballast_is_logged_without_it() {
    let mut rig = Rig::new(5);
    rig.give(verbale::node::Input::Submit { ticket: 1, note: rig.fixture.grant(0) });
    let (a, b) = forked(&rig, 4, 2);
    let (a, b) = (SignedNote::parse(&a.head()).unwrap(), SignedNote::parse(&b.head()).unwrap());
    let (a_log, b_log) = forked(&rig, 4, 2);
    let root = verbale::tlog::root_at(&b_log, 3).unwrap().unwrap();
    let loaded = |mut note: SignedNote| {
        for at in 0..60 {
            note.add(Signature { name: format!("ballast/{at}"), id: [0; 4], bytes: vec![7; 345] });
        }
        note
    };
    let payload = format!(
        "{}\n",
        serde_json::json!({"kind": "fork", "larger": String::from_utf8(loaded(b).to_bytes()).unwrap(),
            "proof": b_log.proof(3), "root": root, "smaller": String::from_utf8(loaded(a).to_bytes()).unwrap(), "v": 1})
    );
    assert_eq!(a_log.records.len(), 3);
    let mut accuser = Log::new(&rig.fixture, 1);
    accuser.add(RecordType::Evidence, payload.as_bytes());
    assert!(accuser.records[0].len() > 55_000, "{}", accuser.records[0].len());
    let effects = rig.tell(&accuser);
    assert!(rig.engine.fork(4).is_some(), "{:?}", events(&effects));
    let logged = ForkProof::parse(&rig.disk.fork(4).unwrap().unwrap(), &rig.fixture.treaty).unwrap();
    assert!(logged.to_text().len() < 4_000, "the ballast goes on: {} bytes", logged.to_text().len());
    rig.now_ms += 2 * rig::INTERVAL_MS;
    for effect in rig.give(verbale::node::Input::Tick) {
        if let verbale::node::Effect::Gossip(gossip) = effect {
            assert!(gossip.to_bytes().len() < 8_000, "gossip of {} bytes", gossip.to_bytes().len());
        }
    }
}
