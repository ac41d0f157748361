//! Two nodes of a real ledger, each from its own disk, in another order of logs: the same bytes.

use std::sync::Arc;

use verbale::law::{Docket, Query, Registrar};
use verbale::ledger::Timestamp;
use verbale::ledger::profile::Profile;
use verbale::node::{Memory, Read};

use super::common::{CA, HU, Ledger, PARTIES, PROFILE, RU, US};

const RULE: &str = "[[kind.remark.due]]\nid = \"answer\"\ntitle = \"An answer\"\nby = [\"*\"]\nanswer = [\"remark\"]\n\
    start = \"received\"\nwithin = \"24 hours\"\n";

fn docket(ledger: &Ledger, disk: &Memory, logs: [usize; 4]) -> Docket {
    let profile = Profile::parse(format!("{PROFILE}{RULE}").as_bytes()).unwrap();
    let profile = Arc::new(profile);
    let mut registrar = Registrar::new(ledger.treaty.clone(), profile.clone());
    let mut docket = Docket::new(ledger.treaty.clone(), profile);
    for log in logs {
        for index in 0..disk.size(log).unwrap() {
            registrar.apply(&mut docket, log, index, &disk.record(log, index).unwrap().unwrap());
        }
    }
    docket
}

#[test]
fn two_nodes_say_the_same_of_real_receipts() {
    let mut ledger = Ledger::new();
    let asked = ledger.remark(RU, 1);
    let leaf = verbale::tlog::leaf_hash(&ledger.nodes[RU].disk.record(RU, asked).unwrap().unwrap());
    let re = verbale::ledger::Reference { index: asked, leaf, log: PARTIES[RU].0.into() };
    let answer = ledger.reply(US, 2, "minister", vec![re]);
    ledger.submit(US, answer).unwrap();
    let as_of = Timestamp::from_posix(ledger.now / 1000);
    let told = |party: usize, logs| {
        let docket = docket(&ledger, &ledger.nodes[party].disk, logs);
        let items = docket.items(as_of, &Query { note: Some((RU, asked)), ..Query::default() });
        let told: Vec<_> = items.iter().map(|item| (item.owed_by[0].clone(), item.state.words())).collect();
        let words =
            ["CA", "HU", "US"].map(|code| (code.to_owned(), if code == "US" { "met" } else { "open" }.to_owned()));
        assert_eq!(told, words);
        // The step rests on the receipt itself.
        let record = items[2].steps[0].records[1].clone();
        assert!(record.starts_with("US/"), "{record}");
        serde_json::to_string(&docket.items(as_of, &Query::default())).unwrap()
    };
    assert_eq!(told(CA, [CA, HU, RU, US]), told(US, [US, RU, HU, CA]));
}

#[test]
fn nothing_follows_from_a_note_that_is_logged_once_more() {
    let mut ledger = Ledger::new();
    let asked = ledger.remark(RU, 1);
    let bytes = ledger.nodes[RU].disk.record(RU, asked).unwrap().unwrap();
    let payload = verbale::ledger::Record::parse(&bytes).unwrap().payload.to_vec();
    ledger.now += 40 * 86_400_000;
    let again = ledger.log_anyway(RU, verbale::ledger::RecordType::Notification, &payload);
    let docket = docket(&ledger, &ledger.nodes[RU].disk, [CA, HU, RU, US]);
    let of = |index| {
        let query = Query { note: Some((RU, index)), ..Query::default() };
        docket.items(Timestamp::from_posix(ledger.now / 1000), &query).len()
    };
    assert_eq!((of(asked), of(again)), (3, 0));
}

#[test]
fn a_receipt_that_does_not_hold_counts_for_nothing() {
    let mut ledger = Ledger::new();
    let asked = ledger.remark(RU, 1);
    let disk = &ledger.nodes[CA].disk;
    let profile = Profile::parse(format!("{PROFILE}{RULE}").as_bytes()).unwrap();
    let profile = Arc::new(profile);
    let mut registrar = Registrar::new(ledger.treaty.clone(), profile.clone());
    let mut docket = Docket::new(ledger.treaty.clone(), profile);
    for log in [RU, CA] {
        for index in 0..disk.size(log).unwrap() {
            let mut record = String::from_utf8(disk.record(log, index).unwrap().unwrap()).unwrap();
            if log == CA {
                // Another root than was signed.
                record = record.replacen("\ntrial/RU\n", "\ntrial/RU\n9", 1);
            }
            registrar.apply(&mut docket, log, index, record.as_bytes());
        }
    }
    let as_of = Timestamp::from_posix(ledger.now / 1000);
    assert_eq!(docket.received((RU, asked), CA, as_of), None);
}
