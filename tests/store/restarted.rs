//! A log is restarted, with the real store under a node that held the other branch: after each of its writes the machine
//! may stop, and what is on disk then is whole.

use std::fs;
use std::path::Path;

use verbale::node::{Budget, Config, Engine, Read};
use verbale::store::Store;
use verbale::store::fsck::fsck;

use crate::common::restarted::{forked, signed};
use crate::common::{CA, PARTIES, RU, US, key};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn wherever_a_node_stops_while_it_sets_a_branch_aside_its_data_is_whole_and_it_starts_again() {
    let (mut ledger, _, _, twin) = forked();
    let before = ledger.commits.iter().filter(|(node, _)| *node == US).count();
    let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    ledger.submit(RU, note.clone()).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    ledger.remark(RU, 9);
    ledger.settle();
    let batches: Vec<_> = ledger.commits.iter().filter(|(node, _)| *node == US).map(|(_, batch)| batch).collect();
    assert!(batches[before..].iter().any(|batch| !batch.set_aside.is_empty()), "this node held the other branch");
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data"), &ledger.treaty).unwrap();
    let (mut turned, mut open) = (0, 0);
    for (step, batch) in batches.iter().enumerate() {
        store.commit(batch, 1_000 * step as u64).unwrap();
        if step < before {
            continue;
        }
        // As the disk is when the process is killed now: with its write-ahead log, and nothing closed.
        let killed = dir.path().join(format!("killed-{step}"));
        copy(&dir.path().join("data"), &killed);
        let after = Store::open(&killed, &ledger.treaty).unwrap();
        let report = fsck(&after, &mut |_, _| {}).unwrap();
        // Until the branch that goes on is fetched, nobody can tell of which branch some receipts are, and that is no fault.
        assert!(report.is_sound(), "after write {step}: {:?}", report.faults);
        open += report.open.get("RU").copied().unwrap_or(0);
        let config = Config {
            treaty: ledger.treaty.clone(),
            profile: ledger.profile.clone(),
            me: US,
            log_keys: vec![key(US, "log")],
            witness_keys: vec![key(US, "witness")],
            high_water: None,
            budget: Budget::default(),
            head_interval_ms: 5_000,
            settle_ms: 0,
            request_timeout_ms: 3_000,
            sign_without_peers: true,
        };
        let engine = Engine::load(config, &after).unwrap();
        let restarted = !after.restarts(RU).unwrap().is_empty();
        assert_eq!(engine.fork(RU).is_some(), !restarted, "after write {step}: forked before, and explained after");
        turned += usize::from(restarted);
        // The indexes say the same when they are made anew.
        after.rebuild_indexes(&mut |_, _| {}).unwrap();
        let rebuilt = fsck(&after, &mut |_, _| {}).unwrap();
        assert!(rebuilt.is_sound(), "after write {step}, rebuilt: {:?}", rebuilt.faults);
        drop(after);
        fs::remove_dir_all(&killed).unwrap();
    }
    assert!(turned > 1 && open > 0, "{turned} {open}");
    // In the end the store has what the model has, on both branches.
    let model = &ledger.nodes[US].disk;
    for log in 0..PARTIES.len() {
        let size = model.size(log).unwrap();
        assert_eq!(store.size(log).unwrap(), size);
        for index in 0..size {
            assert_eq!(store.record(log, index).unwrap(), model.record(log, index).unwrap());
        }
    }
    let kept = verbale::ledger::Restart::verify(&note, RU, &ledger.treaty).unwrap().kept_head().size;
    assert_eq!(store.branch(RU, kept, 0, 100, 1 << 20).unwrap(), model.branch(RU, kept, 0, 100, 1 << 20).unwrap());
}
