//! What nobody can have without end: records that are written because somebody asked, and room on others' disks.

use verbale::ledger::RecordType;
use verbale::node::message::{Request, Response};
use verbale::node::{Effect, Input, NoRoom};

use crate::common::Ledger;
use crate::rig::{BUDGET, Log, Rig, requests};

/// Parties of the ledger that the tests share.
const ALL: [usize; 4] = [0, 1, 2, 3];

fn sizes(ledger: &Ledger) -> Vec<Vec<u64>> {
    ledger.nodes.iter().map(|node| ALL.iter().map(|log| node.engine.size(*log)).collect()).collect()
}

#[test]
fn an_idle_ledger_stays_idle_however_often_its_nodes_are_asked_what_they_hold() {
    let mut ledger = Ledger::new();
    ledger.remark(0, 1);
    // Each log now ends with receipts, which nobody has receipted.
    let before = sizes(&ledger);
    for _ in 0..5 {
        for log in ALL {
            let given = ledger.attest(&ALL, log);
            assert_eq!(given.len(), ALL.len() - 1, "all but the log's own party say what they hold");
        }
        ledger.now += 3_600_000;
        ledger.settle();
    }
    assert_eq!(sizes(&ledger), before, "asking has written records");
    // What was cosigned on demand binds, also after a restart: it is on disk, and is what the node holds.
    for node in &ledger.nodes {
        use verbale::node::{LogTiles, Read};
        let others = ALL.into_iter().filter(|log| node.disk.cosigned(*log).unwrap().is_some());
        for log in others {
            let cosigned = node.disk.cosigned(log).unwrap().unwrap();
            assert_eq!(cosigned.size, node.disk.size(log).unwrap());
            let root = verbale::tlog::root_at(&LogTiles { read: &node.disk, log }, cosigned.size).unwrap();
            assert_eq!(root, Some(cosigned.root));
        }
    }
    ledger.restart();
    assert_eq!(ledger.attest(&[1], 0).len(), 1);
    assert_eq!(sizes(&ledger), before);
    // And a note gets its receipts as ever.
    ledger.remark(0, 2);
    assert!(ledger.nodes.iter().all(|node| node.engine.size(0) > before[0][0]));
    assert!(ledger.nodes[0].engine.final_size(0) > before[0][0], "the note is not final");
}

/// Records of about a hundred kilobytes in all.
fn talk(log: &mut Log) {
    let filler = "x".repeat(10_000);
    for n in 0..10 {
        log.add(RecordType::Notification, format!("{filler} {n}\n").as_bytes());
    }
}

/// Whether records of a log are asked for in the next ticks.
fn fetches(rig: &mut Rig, log: usize) -> bool {
    let effects: Vec<Effect> = (0..3).flat_map(|_| rig.give(Input::Tick)).collect();
    requests(&effects).iter().any(|(_, _, request)| matches!(request, Request::Records { log: of, .. } if *of == log))
}

/// A note of this node's own.
fn logs_its_own(rig: &mut Rig, submit: Vec<u8>) -> bool {
    let effects = rig.give(Input::Submit { ticket: 7, note: submit });
    effects.iter().any(|effect| matches!(effect, Effect::Answer { outcome: Ok(_), .. }))
}

#[test]
fn a_party_that_fills_disks_is_fetched_no_further_and_everything_else_goes_on() {
    let mut rig = Rig::new(4);
    let (mut flood, mut honest) = (Log::new(&rig.fixture, 1), Log::new(&rig.fixture, 2));
    rig.give(Input::Connected(3));
    let mut told = 0;
    while rig.engine.not_fetched(1).is_none() {
        talk(&mut flood);
        rig.tell(&flood);
        told += 1;
        assert!(told < 30, "nothing limits what one party stores here");
    }
    let held: usize = flood.records.iter().take(rig.engine.size(1) as usize).map(Vec::len).sum();
    assert!((BUDGET.at_once..BUDGET.at_once + 200_000).contains(&(held as u64)), "{held} bytes are held");
    assert_eq!(rig.engine.not_fetched(1), Some(NoRoom::Budget));
    // Whoever holds the rest is not asked for it, neither now nor when it is told again.
    rig.tell_head(3, flood.head());
    assert!(!fetches(&mut rig, 1));
    assert_eq!(rig.engine.known_size(1), flood.records.len() as u64, "that there is more is known");
    // The other logs, this party's own and its receipts go on.
    honest.say("note", 3);
    rig.tell(&honest);
    assert_eq!((rig.engine.size(2), rig.engine.receipted(2)[0]), (3, 3));
    let own = rig.fixture.grant(0);
    assert!(logs_its_own(&mut rig, own));
    // A quarter of a day later a quarter of the day's allowance is there.
    let before = rig.engine.size(1);
    rig.now_ms += 6 * 3_600_000;
    let asked = requests(&rig.give(Input::Tick));
    let request = asked.iter().find(|(_, _, request)| matches!(request, Request::Records { log: 1, .. }));
    let id = request.expect("it is never fetched again").1;
    let records = flood.records[before as usize..].to_vec();
    let response = Response::Records { log: 1, from: before, records, checkpoint: flood.head(), proof: Vec::new() };
    rig.give(Input::Response { id, response: Some(response) });
    assert_eq!(rig.engine.size(1), flood.records.len() as u64);
    assert!(rig.engine.size(1) > before && rig.engine.not_fetched(1).is_none());
    assert_eq!(rig.engine.receipted(1)[0], rig.engine.size(1), "what is held is receipted");
}

#[test]
fn while_the_disk_is_nearly_full_nothing_of_others_is_stored_and_the_own_log_goes_on() {
    let mut rig = Rig::new(4);
    rig.give(Input::Connected(3));
    rig.give(Input::Room(false));
    let (mut one, mut two) = (Log::new(&rig.fixture, 1), Log::new(&rig.fixture, 2));
    one.say("note", 3);
    two.say("note", 3);
    for log in [&one, &two] {
        rig.tell(log);
        rig.tell_head(3, log.head());
        assert!(!fetches(&mut rig, log.party));
        assert_eq!(rig.engine.size(log.party), 0);
        assert_eq!(rig.engine.not_fetched(log.party), Some(NoRoom::Disk));
    }
    let own = rig.fixture.grant(0);
    assert!(logs_its_own(&mut rig, own));
    let asked = requests(&rig.give(Input::Room(true)));
    assert!(asked.iter().any(|(_, _, request)| matches!(request, Request::Records { log: 1, .. })), "{asked:?}");
    assert!(rig.engine.not_fetched(1).is_none());
    let id = asked.iter().find(|(_, _, request)| matches!(request, Request::Records { log: 1, .. })).unwrap().1;
    let response =
        Response::Records { log: 1, from: 0, records: one.records.clone(), checkpoint: one.head(), proof: Vec::new() };
    rig.give(Input::Response { id, response: Some(response) });
    assert_eq!((rig.engine.size(1), rig.engine.receipted(1)[0]), (3, 3));
}
