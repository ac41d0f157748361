//! What a party that breaks the protocol can do to one honest node: each test is an attack.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with the simulator")]
#[path = "../simulation/fixture.rs"]
mod fixture;
mod keys;
mod limits;
#[allow(dead_code, reason = "each attack uses its own part of it")]
mod rig;

use rig::{INTERVAL_MS, Log, Rig, START_MS, events, requests};
use verbale::ledger::{ForkProof, RecordType};
use verbale::node::message::{Gossip, HeadUpdate, Request, Response};
use verbale::node::{Effect, Input, Mode, Read, Refusal};
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
    rig.give(Input::Submit { ticket: 1, note: rig.fixture.grant(0) });
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
    rig.now_ms += 2 * INTERVAL_MS;
    for effect in rig.give(Input::Tick) {
        if let Effect::Gossip(gossip) = effect {
            assert!(gossip.to_bytes().len() < 8_000, "gossip of {} bytes", gossip.to_bytes().len());
        }
    }
}

#[test]
fn a_clock_that_was_set_wrong_and_right_again_stops_nothing() {
    let mut rig = Rig::new(3);
    // The clock is years ahead while a peer is asked; then it is set right, and the answer never comes.
    rig.now_ms += 400 * 86_400_000;
    let asked = requests(&rig.give(Input::Connected(1)));
    assert_eq!(asked.len(), 1);
    rig.give(Input::Tick);
    rig.now_ms = START_MS;
    let log = Log::new(&rig.fixture, 1).say("note", 1).clone();
    rig.tell(&log);
    let (mut gossiped, mut asked_again) = (false, false);
    for _ in 0..40 {
        rig.now_ms += 250;
        let effects = rig.give(Input::Tick);
        gossiped |= effects.iter().any(|effect| matches!(effect, Effect::Gossip(_)));
        asked_again |= !requests(&effects).is_empty();
    }
    assert!(gossiped, "no heads are told until the clock has caught up");
    assert!(asked_again, "the request never times out");
}

#[test]
fn a_message_is_not_read_on_after_its_first_false_head() {
    let mut rig = Rig::new(3);
    let mut heads = Vec::new();
    for size in 1..=500 {
        let mut head = Log::new(&rig.fixture, 1).false_head(size);
        let end = head.len() - 10;
        head[end] = if head[end] == b'A' { b'B' } else { b'A' };
        heads.push(HeadUpdate { checkpoint: head, from: 0, records: Vec::new() });
    }
    let effects = rig.give(Input::Gossip { from: 1, message: Gossip { heads } });
    assert_eq!(events(&effects).len(), 1, "so many signatures were verified, and so many faults told");
}

#[test]
fn parties_that_keep_silent_do_not_keep_others_from_answering() {
    // Parties 1 to 3 sign heads of records that nobody has, and answer only when asked for heads; 6 to 15 never answer.
    let mut rig = Rig::new(16);
    let honest = Log::new(&rig.fixture, 5).say("note", 3).clone();
    let (mut fetched, mut asked) = (false, 0);
    let mut waiting: Vec<_> =
        (1..16).filter(|party| *party != 5).flat_map(|party| requests(&rig.give(Input::Connected(party)))).collect();
    for tick in 0..400u64 {
        rig.now_ms += 250;
        waiting.extend(requests(&rig.give(Input::Tick)));
        if tick == 100 {
            // Now there is something to be had from party 4.
            waiting.extend(requests(&rig.tell_head(4, honest.head())));
        }
        while let Some((peer, id, request)) = waiting.pop() {
            let response = match (&request, peer) {
                (Request::Heads { .. }, 1..=4) => {
                    let lies = |of| Log::new(&rig.fixture, of).false_head((1 << 50) + tick);
                    let heads = if peer == 4 { Vec::new() } else { (1..4).map(lies).collect() };
                    Response::Heads { time_ms: rig.now_ms, heads }
                }
                (Request::Records { log: 5, .. }, 4) => {
                    fetched |= tick == 100;
                    let (records, checkpoint) = (honest.records.clone(), honest.head());
                    Response::Records { log: 5, from: 0, records, checkpoint, proof: Vec::new() }
                }
                (Request::Records { .. }, _) => {
                    asked += 1;
                    continue;
                }
                _ => continue,
            };
            waiting.extend(requests(&rig.give(Input::Response { id, response: Some(response) })));
        }
    }
    assert!(fetched, "an honest peer is not asked while others keep silent");
    assert_eq!(rig.engine.size(5), 3);
    // 100 seconds: silence and false promises are met with fewer and fewer questions.
    assert!(asked < 120, "{asked} requests for records that nobody has");
}

#[test]
fn a_note_that_was_not_signed_yet_when_its_log_turns_out_to_be_longer_is_refused_and_not_kept() {
    // The node was restored from an old copy, and a peer tells the log's lost part in the very step of a submission.
    let mut rig = Rig::new(3);
    rig.give(Input::Connected(1));
    rig.give(Input::Submit { ticket: 1, note: rig.fixture.grant(0) });
    let mut lost = Log::new(&rig.fixture, 0);
    lost.add_record(rig.disk.record(0, 0).unwrap().unwrap());
    lost.add(RecordType::Notification, &rig.fixture.note(0, 7));
    let lost_head = HeadUpdate { checkpoint: lost.head(), from: 0, records: lost.records.clone() };

    let submit = Input::Submit { ticket: 2, note: rig.fixture.note(0, 8) };
    rig.engine.handle(submit, rig.now_ms, &rig.disk).unwrap();
    let gossip = Input::Gossip { from: 1, message: Gossip { heads: vec![lost_head] } };
    rig.engine.handle(gossip, rig.now_ms, &rig.disk).unwrap();
    let effects = rig.step();
    let answer = effects.iter().find_map(|effect| match effect {
        Effect::Answer { ticket: 2, outcome } => Some(outcome.clone()),
        _ => None,
    });
    assert!(matches!(answer, Some(Err(Refusal::NotSigning(_)))), "{answer:?}");
    assert!(rig.engine.fork(0).is_none());
    // Its lost part is taken back, and it goes on after that.
    for _ in 0..40 {
        rig.now_ms += 250;
        for (_, id, request) in requests(&rig.give(Input::Tick)) {
            let response = match request {
                Request::Records { log: 0, from, .. } => Response::Records {
                    log: 0,
                    from,
                    records: lost.records[from as usize..].to_vec(),
                    checkpoint: lost.head(),
                    proof: Vec::new(),
                },
                _ => Response::Heads { time_ms: rig.now_ms, heads: vec![lost.head()] },
            };
            rig.give(Input::Response { id, response: Some(response) });
        }
    }
    assert_eq!(rig.engine.size(0), 2);
    assert_eq!(rig.disk.record(0, 1).unwrap().as_ref(), Some(&lost.records[1]));
    assert_eq!(rig.engine.mode(), Mode::Signing);
    let answers = rig.give(Input::Submit { ticket: 3, note: rig.fixture.note(0, 8) });
    assert!(answers.iter().any(|e| matches!(e, Effect::Answer { ticket: 3, outcome: Ok(a) } if a.index == 2)));
}

#[test]
fn a_note_with_another_officials_signature_is_not_taken_for_the_one_that_was_logged() {
    let mut rig = Rig::new(3);
    rig.give(Input::Submit { ticket: 1, note: rig.fixture.grant(0) });
    let note = rig.fixture.note(0, 1);
    let mut answer = |note: &[u8]| {
        let effects = rig.give(Input::Submit { ticket: 2, note: note.to_vec() });
        effects.into_iter().find_map(|effect| match effect {
            Effect::Answer { outcome, .. } => Some(outcome),
            _ => None,
        })
    };
    assert!(matches!(answer(&note), Some(Ok(accepted)) if !accepted.already));
    assert!(matches!(answer(&note), Some(Ok(accepted)) if accepted.already));
    let mut two = SignedNote::parse(&note).unwrap();
    two.add(Signature { name: "trial/P0/second".into(), id: [1; 4], bytes: vec![1; 64] });
    let outcome = answer(&two.to_bytes());
    assert!(matches!(outcome, Some(Err(Refusal::OtherSignatures(1)))), "{outcome:?}");
}

#[test]
fn a_fork_that_is_proved_while_the_node_may_not_sign_outlives_a_restart_and_is_logged_once() {
    let mut rig = Rig::mute(3);
    rig.give(Input::Connected(1));
    let (ours, theirs) = forked(&rig, 2, 2);
    rig.tell_head(1, ours.head());
    let mut same = ours.clone();
    same.say("another end", 2);
    rig.tell_head(1, theirs.head());
    rig.tell_head(1, same.head());
    assert!(rig.engine.fork(2).is_some());
    assert_ne!(rig.engine.mode(), Mode::Signing);
    for _ in 0..2 {
        rig.restart();
        assert!(rig.engine.fork(2).is_some(), "a restart hides the fork");
        assert_eq!(rig.engine.size(0), 0);
    }
    rig.signs = true;
    for _ in 0..2 {
        rig.restart();
        assert_eq!(rig.engine.mode(), Mode::Signing);
        assert_eq!(rig.engine.size(0), 1);
    }
    let bytes = rig.disk.record(0, 0).unwrap().unwrap();
    assert_eq!(verbale::ledger::Record::parse(&bytes).unwrap().kind, RecordType::Evidence);
}

/// A thief with a log key that is about to be replaced signs a head that covers true records and ends in one that never was. A
/// node that takes those records by it keeps the head, and learns only later which key was in force for it. The same holds of
/// a true head at the changeover, of which the node kept no more than the line by the key that it knew.
#[test]
fn a_head_that_was_kept_before_its_records_came_is_looked_at_again_when_they_do() {
    for thief in [true, false] {
        let mut rig = Rig::new(4);
        let (old, new) = (fixture::key(1, "log"), fixture::later_key(1, "log"));
        let mut log = Log::new(&rig.fixture, 1);
        log.say("common", 1);
        let mut kept = log.clone();
        log.add(RecordType::Credential, &rig.fixture.rotation(1, "log", thief));
        if thief {
            kept.say("never said", 1);
        } else {
            kept = log.clone();
        }
        let checkpoint = kept.head();
        rig.give(Input::Connected(2));
        let mut asked = rig.tell_head(2, checkpoint.clone());
        asked.extend(rig.give(Input::Tick));
        let id = records_asked(&asked, 1).expect("its records are fetched");
        let (records, proof) = (kept.records[..1].to_vec(), kept.proof(1));
        let response = Response::Records { log: 1, from: 0, records, checkpoint: checkpoint.clone(), proof };
        let asked = rig.give(Input::Response { id, response: Some(response) });
        let next = records_asked(&asked, 1).expect("the next one is fetched");
        assert_eq!(rig.engine.size(1), 1);
        assert_eq!(rig.disk.head_from(1, 2).unwrap(), Some(checkpoint), "it is kept with the records that it covers");
        // The log goes on under its new key.
        log.say("after", 2);
        let head = log.checkpoint().sign(&new).unwrap().to_bytes();
        assert_ne!(old.public(), new.public());
        let asked = rig.tell_head(2, head.clone());
        let keys = requests(&asked).into_iter().find(|(_, _, request)| matches!(request, Request::Keys { log: 1 }));
        let notes = vec![rig.fixture.rotation(1, "log", thief)];
        let id = keys.expect("the key is asked for").1;
        rig.give(Input::Response { id, response: Some(Response::Keys { log: 1, notes }) });
        rig.tell_head(2, head.clone());
        // As far as the changeover, and from another node than the thief's: the log's own head is not reached.
        let (records, proof) = (log.records[1..2].to_vec(), log.proof(2));
        let response = Response::Records { log: 1, from: 1, records, checkpoint: head.clone(), proof };
        rig.give(Input::Response { id: next, response: Some(response) });
        assert_eq!((rig.engine.size(1), rig.engine.fork(1).is_some()), (2, false));
        assert_eq!(rig.disk.head_from(1, 2).unwrap(), Some(head), "what is stored is the log's, or still to come");
        rig.restart();
        assert_eq!((rig.engine.size(1), rig.engine.known_size(1)), (2, 4));
    }
}

fn records_asked(effects: &[Effect], log: usize) -> Option<u64> {
    let is = |request: &Request| matches!(request, Request::Records { log: of, .. } if *of == log);
    requests(effects).into_iter().find(|(_, _, request)| is(request)).map(|(_, id, _)| id)
}
