//! Power cuts: a node that is killed at any moment keeps what it acknowledged, and never contradicts itself.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use verbale::api::view::AcceptedView;
use verbale::cli::Code;

use crate::ledger::{Ledger, note, until};

const KILLS: u64 = 50;
const SUBMITTERS: u64 = 4;

#[test]
fn killed_fifty_times_amid_submissions_it_keeps_all_that_it_acknowledged() {
    let mut ledger = Ledger::signing();
    let (treaty, home) = (ledger.treaty.clone(), ledger.parties[0].home.clone());
    let minister =
        verbale::keys::load(&home.join("keys/officials/minister.key"), &verbale::keys::Passphrase::of("")).unwrap();
    let acknowledged: Mutex<Vec<(u64, AcceptedView)>> = Mutex::default();
    let (over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for submitter in 0..SUBMITTERS {
            let (treaty, minister, home) = (&treaty, &minister, &home);
            let (acknowledged, over, count) = (&acknowledged, &over, &count);
            scope.spawn(move || {
                let client = verbale::cli::online::client::Client::new(&home.join("node.sock")).unwrap();
                let mut number = submitter;
                while !over.load(Ordering::Relaxed) {
                    // The same note again until it is acknowledged, as the program's own advice is.
                    match client.post::<AcceptedView>("/v1/notes", note(treaty, "CA", minister, number)) {
                        Ok(accepted) => {
                            acknowledged.lock().unwrap().push((number, accepted));
                            count.fetch_add(1, Ordering::Relaxed);
                            number += SUBMITTERS;
                        }
                        Err(failure) => {
                            assert!(matches!(failure.code, Code::NoNode | Code::NotSigning), "{failure:?}");
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                }
            });
        }
        // Whatever fails below, the submitters end.
        let _over = Over(&over);
        for round in 0..KILLS {
            let target = count.load(Ordering::Relaxed) + 1 + round * 7 % 13;
            until("notes are acknowledged", || (count.load(Ordering::Relaxed) >= target).then_some(()));
            // Not right after an answer each time, but anywhere in the work on the next ones.
            let moment = Instant::now() + Duration::from_micros(round * 397 % 3000);
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            ledger.kill(0);
            ledger.start(0);
        }
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    let indexes: HashSet<_> = acknowledged.iter().map(|(_, accepted)| accepted.index).collect();
    assert_eq!(indexes.len(), acknowledged.len(), "two notes were acknowledged with one number");
    ledger.signs(0);
    let records = ledger.parties[0].log_of("CA").unwrap().records;
    assert!(records > acknowledged.len() as u64 && indexes.iter().all(|index| *index < records));
    ledger.all_hold("CA", indexes.iter().max().unwrap() + 1);
    ledger.no_forks();
    for (number, accepted) in &acknowledged {
        for at in 0..ledger.parties.len() {
            ledger.stands(at, accepted);
        }
        let again = ledger.remark(0, *number);
        assert!(again.already);
        assert_eq!((again.index, &again.leaf), (accepted.index, &accepted.leaf), "note {number}");
    }
    ledger.all_sound();
    println!("{KILLS} kills, {} notes acknowledged", acknowledged.len());
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
