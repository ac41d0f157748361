//! Nodes that are killed, restored from old copies, or away for long.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use verbale::cli::Code;

use crate::ledger::Ledger;

#[test]
fn killed_fifty_times_in_the_middle_of_submits_a_node_loses_nothing_and_does_not_fork() {
    const KILLS: usize = 50;
    let mut ledger = Ledger::running(4);
    let acknowledged = Mutex::new(BTreeMap::new());
    let (next, over) = (AtomicU64::new(1), AtomicBool::new(false));
    // Handed in over and over until it is acknowledged, as a careful person would.
    let work = |trial: &crate::trial::Trial, client: &dyn Fn() -> verbale::cli::online::client::Client| {
        while !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let note = trial.note(0, number);
            while !over.load(Ordering::Relaxed) {
                let accepted = client().post::<verbale::api::view::AcceptedView>("/v1/notes", note.clone());
                match accepted {
                    Ok(accepted) => {
                        acknowledged.lock().unwrap().insert(number, (accepted.index, accepted.leaf));
                        break;
                    }
                    Err(failure) => {
                        assert!(matches!(failure.code, Code::NoNode | Code::NotSigning), "{failure:?}");
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                }
            }
        }
    };
    let socket = ledger.trial.home(0).join("node.sock");
    let trial = crate::trial::Trial::load(ledger.dir.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| work(&trial, &|| verbale::cli::online::client::Client::new(&socket).unwrap()));
        }
        for kill in 0..KILLS {
            let before = acknowledged.lock().unwrap().len();
            // A different moment each time: after the next acknowledgement, or some later one.
            ledger.until("notes are acknowledged", || acknowledged.lock().unwrap().len() > before + kill % 7);
            ledger.kill(0);
            ledger.start(0, &[]);
        }
        over.store(true, Ordering::Relaxed);
    });
    ledger.until_signing();
    ledger.until_settled();
    ledger.nobody_forked();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= KILLS);
    for (number, (index, leaf)) in &acknowledged {
        for node in 0..ledger.parties() {
            assert_eq!(Some(&ledger.record(node, 0, *index).leaf), leaf.as_ref(), "note {number} at node {node}");
        }
        let again = ledger.submit(0, ledger.trial.note(0, *number)).unwrap();
        assert!(again.already && again.index == *index, "note {number} was logged twice");
    }
    ledger.all_sound();
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn restored_from_an_old_copy_a_node_takes_its_own_records_back_and_does_not_fork() {
    let mut ledger = Ledger::running(3);
    let data = ledger.trial.home(0).join("data");
    let old = ledger.dir.path().join("old");
    ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    ledger.until_settled();
    assert_eq!(ledger.stop(0), 0);
    copy(&data, &old);
    ledger.start(0, &[]);
    ledger.until_signing();
    for number in 2..11 {
        ledger.submit(0, ledger.trial.note(0, number)).unwrap();
    }
    let last = ledger.submit(0, ledger.trial.note(0, 11)).unwrap();
    ledger.until_settled();
    assert_eq!(ledger.stop(0), 0);

    // The others are away: nobody can tell it what it has signed since the copy was made.
    assert_eq!((ledger.stop(1), ledger.stop(2)), (0, 0));
    fs::remove_dir_all(&data).unwrap();
    copy(&old, &data);
    ledger.start(0, &[]);
    ledger.until("it answers", || ledger.status(0).is_some());
    let refused = ledger.submit(0, ledger.trial.note(0, 12)).unwrap_err();
    assert_eq!(refused.code, Code::NotSigning);
    assert!(refused.message.contains("no other party's node has answered"), "{}", refused.message);

    ledger.start(1, &[]);
    ledger.start(2, &[]);
    ledger.until_signing();
    let after = ledger.submit(0, ledger.trial.note(0, 12)).unwrap();
    assert!(after.index > last.index, "{} should stand behind {}", after.number, last.number);
    assert_eq!(Some(ledger.record(0, 0, last.index).leaf), last.leaf);
    ledger.until_settled();
    ledger.nobody_forked();
    ledger.all_sound();
}

#[test]
fn with_its_tail_lost_everywhere_a_node_says_so_and_does_not_sign() {
    let mut ledger = Ledger::running(3);
    let homes: Vec<_> = (0..3).map(|party| ledger.trial.home(party)).collect();
    ledger.until_settled();
    for (party, home) in homes.iter().enumerate() {
        assert_eq!(ledger.stop(party), 0);
        copy(&home.join("data"), &home.join("old"));
        ledger.start(party, &[]);
    }
    ledger.until_signing();
    ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    ledger.until_settled();
    for (party, home) in homes.iter().enumerate() {
        assert_eq!(ledger.stop(party), 0);
        fs::remove_dir_all(home.join("data")).unwrap();
        copy(&home.join("old"), &home.join("data"));
    }
    for party in 0..3 {
        ledger.start(party, &[]);
    }
    ledger.until("it knows that its tail is lost", || {
        ledger.status(0).is_some_and(|status| status.mode == "below-high-water")
    });
    let refused = ledger.submit(0, ledger.trial.note(0, 2)).unwrap_err();
    assert_eq!(refused.code, Code::NotSigning);
    assert!(refused.message.contains("no party that answered has the missing ones"), "{}", refused.message);
}

#[test]
fn a_node_that_was_away_has_all_of_it_soon_after() {
    let mut ledger = Ledger::running(3);
    ledger.until_settled();
    assert_eq!(ledger.stop(2), 0);
    for number in 0..500 {
        ledger.submit(0, ledger.trial.note(0, number)).unwrap();
    }
    ledger.start(2, &[]);
    ledger.until_signing();
    ledger.until_settled();
    let own = ledger.status(0).unwrap().logs[0].clone();
    assert!(own.records > 500 && own.receipts.iter().all(|receipt| receipt.records > 500), "{own:?}");
    ledger.all_sound();
}
