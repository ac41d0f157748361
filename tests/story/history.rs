//! The story played: real engines, a simulated clock, and what their logs say.

use verbale::ledger::{Record, Timestamp};
use verbale::node::{Read, final_size};
use verbale::scenario::Play;

use crate::fixture::{PROFILE, Stage, story};

#[test]
fn the_whole_history_is_logged_at_its_own_times_and_receipted() {
    let story = story();
    let stage = Stage::new(&story, PROFILE);
    let mut play = Play::begin(&story, &stage.treaty, &stage.profile, &stage.keys).unwrap();
    play.finish().unwrap();
    let hungary = stage.treaty.find("HU").unwrap();
    let disk = play.nodes.disk(hungary);
    for step in &story.steps {
        let told = &play.told[&step.id];
        let bytes = disk.record(told.log, told.index).unwrap().unwrap();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.time, step.at, "{}", step.id);
        let receipted = |by| disk.receipt_from(told.log, by, told.index + 1).unwrap();
        let sizes: Vec<_> = (0..story.parties.len()).map(|by| receipted(by).map_or(0, |r| r.size)).collect();
        assert!(final_size(&stage.treaty, &Default::default(), &sizes) > told.index, "{} is not final", step.id);
        for (by, party) in story.parties.iter().enumerate().filter(|(by, _)| *by != told.log) {
            let away = story.away.iter().any(|away| away.party == party.code && away.from <= step.at);
            match receipted(by) {
                Some(receipt) if !away => {
                    let after = receipt.time.posix() - step.at.posix();
                    assert!(after < 10, "{}: {} received it {after} s later", step.id, party.code);
                }
                receipt => assert!(away && receipt.is_none(), "{}: {} and {receipt:?}", step.id, party.code),
            }
        }
    }
    assert!(Timestamp::from_posix(play.nodes.now_ms() / 1000).to_string().starts_with("2021-07-20"));
}

#[test]
fn played_twice_it_is_the_same_to_the_byte() {
    let story = story();
    let stage = Stage::new(&story, PROFILE);
    let records = || {
        let mut play = Play::begin(&story, &stage.treaty, &stage.profile, &stage.keys).unwrap();
        play.finish().unwrap();
        let disk = play.nodes.disk(0);
        let logs = 0..story.parties.len();
        logs.map(|log| disk.records(log, 0, u64::MAX, usize::MAX).unwrap()).collect::<Vec<_>>()
    };
    let first = records();
    assert!(first.iter().all(|log| log.len() > 20));
    assert_eq!(first, records());
}
