//! Membership over time: amendments of the treaty file, through real engines, and attempts to cheat with them.

mod common;

use common::{CA, HU, Ledger, PARTIES, RU, START, US, key};
use verbale::ledger::{Amendment, AmendmentError, Change, Party, RecordType, Role, Timestamp, Treaty, verify_evidence};
use verbale::node::{Read, Refusal, prove};
use verbale::note::SignedNote;
use verbale::tlog::Hash;

/// Not one of the parties of the fixture: its keys are numbered after theirs.
fn sweden() -> Party {
    let key = |job: &str| {
        let kind = if job == "witness" { verbale::note::KeyType::Cosignature } else { verbale::note::KeyType::Ed25519 };
        let name = if job == "log" { "trial/SE".to_owned() } else { format!("trial/SE/{job}") };
        verbale::note::SigningKey::from_seed(&name, kind, &Hash::digest(format!("SE {job}").as_bytes()).0).unwrap()
    };
    Party {
        code: "SE".into(),
        name: "Sweden".into(),
        roles: vec![Role::StateParty],
        root: key("root").public().clone(),
        log: key("log").public().clone(),
        witness: key("witness").public().clone(),
        peer: "12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxSE".into(),
        addresses: Vec::new(),
    }
}

fn amendment(treaty: &Treaty, changes: Vec<Change>, issued: u64) -> Amendment {
    let (number, prev) = treaty.next_amendment();
    Amendment { changes, issued: Timestamp::from_posix(issued), ledger: treaty.hash(), number, prev }
}

fn signed(amendment: &Amendment, by: &[usize]) -> Vec<u8> {
    let mut note = SignedNote::new(amendment.to_text()).unwrap();
    by.iter().for_each(|party| note.sign(&key(*party, "root")));
    note.to_bytes()
}

fn withdrawal(from: u64) -> Vec<Change> {
    vec![Change::Status { party: "RU".into(), roles: vec![Role::Observer], from: Timestamp::from_posix(from) }]
}

/// The profile of the fixture asks for two thirds of the parties: three of four.
const MOST: [usize; 3] = [CA, HU, US];

#[test]
fn an_amendment_reads_back_and_each_deviation_is_refused() {
    let ledger = Ledger::new();
    let treaty = &ledger.treaty;
    let changes = vec![
        Change::Accede(Box::new(sweden())),
        Change::Addresses { party: "HU".into(), addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()] },
        Change::Quorum(vec!["group all any CA HU SE".into(), "quorum all".into()]),
    ];
    let whole = amendment(treaty, changes, START);
    assert_eq!(Amendment::parse(&whole.to_text()).unwrap(), whole);
    let text = whole.to_text();
    for (from, to) in [("\"v\":1", "\"v\":2"), ("amend\"", "grant\""), ("\"number\":1", "\"number\":-1"), ("[", "[ ")] {
        assert!(Amendment::parse(&text.replacen(from, to, 1)).is_err(), "{from}");
    }
    let refused = |changes: Vec<Change>| treaty.draft(&amendment(treaty, changes, START)).unwrap_err().to_string();
    let mut twice = sweden();
    twice.code = "RU".into();
    assert!(refused(vec![Change::Accede(Box::new(twice))]).contains("RU"));
    let mut stolen = sweden();
    stolen.root = key(RU, "root").public().clone();
    assert!(refused(vec![Change::Accede(Box::new(stolen))]).contains("SE"));
    assert!(refused(vec![Change::Quorum(vec!["group a any XX".into()])]).contains("quorum"));
    assert!(refused(vec![Change::Quorum(vec!["witness a b".into()])]).contains("only"));
    assert!(refused(withdrawal(START - 1)).contains("before the amendment was written"));
}

#[test]
fn one_signed_by_too_few_or_by_others_is_refused_and_counts_for_nothing_where_it_is_logged() {
    let mut ledger = Ledger::new();
    let change = amendment(&ledger.treaty, withdrawal(START + 1_000_000), START);
    let cases = [(vec![CA, US], "1 more of the 4 state parties"), (vec![RU, US, HU], "")];
    for (by, what) in cases {
        let refused = ledger.treaty.amended(&signed(&change, &by)).map(|_| ()).map_err(|e| e.to_string());
        assert_eq!(refused.is_ok(), what.is_empty(), "{refused:?}");
        assert!(refused.err().unwrap_or_default().contains(what));
    }
    // An official's key, or a log's, is not a root.
    let mut note = SignedNote::new(change.to_text()).unwrap();
    for party in MOST {
        note.sign(&key(party, "minister"));
        note.sign(&key(party, "log"));
    }
    assert!(matches!(ledger.treaty.amended(&note.to_bytes()), Err(AmendmentError::Signatures(_))));
    // A signature that does not verify spoils all.
    let mut other = SignedNote::new(amendment(&ledger.treaty, withdrawal(START + 2_000_000), START).to_text()).unwrap();
    other.sign(&key(RU, "root"));
    let mut note = SignedNote::parse(&signed(&change, &MOST)).unwrap();
    note.add(other.signatures()[0].clone());
    assert!(matches!(ledger.treaty.amended(&note.to_bytes()), Err(AmendmentError::Note(_))));

    let few = signed(&change, &[CA, US]);
    assert!(matches!(ledger.submit(CA, few.clone()), Err(Refusal::Amendment(AmendmentError::Signatures(_)))));
    // A party that logs it all the same is replicated as ever, and nothing changes anywhere.
    ledger.log_anyway(CA, RecordType::Amendment, &few);
    for node in &ledger.nodes {
        assert_eq!(node.engine.treaty().number(), 0);
        assert_eq!(node.engine.adoption(CA).last().number, 0);
        assert_eq!(node.disk.size(CA).unwrap(), ledger.nodes[CA].disk.size(CA).unwrap());
    }
}

#[test]
fn every_node_applies_it_at_the_same_place_of_each_log_and_after_a_restart() {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    let first = signed(&amendment(&ledger.treaty, withdrawal(START + 1_000_000), START), &MOST);
    let accepted = ledger.submit(HU, first.clone()).unwrap();
    assert!(!accepted.already);
    assert_eq!(ledger.submit(HU, first.clone()).unwrap().index, accepted.index);
    ledger.remark(US, 2);
    ledger.settle();
    let places = |ledger: &Ledger, node: usize| -> Vec<_> {
        (0..PARTIES.len()).map(|log| ledger.nodes[node].engine.adoption(log).clone()).collect()
    };
    let own = places(&ledger, HU);
    assert!(own.iter().all(|log| log.last().number == 1), "each party has logged it: {own:?}");
    assert_eq!(own[HU].place_of(1), Some(accepted.index));
    for node in 0..PARTIES.len() {
        assert_eq!(places(&ledger, node), own, "node {node}");
        assert_eq!(ledger.nodes[node].engine.treaty().number(), 1);
    }
    // Nothing is kept but the logs: after a restart all is as it was.
    ledger.restart();
    for node in 0..PARTIES.len() {
        assert_eq!(places(&ledger, node), own, "node {node} after a restart");
    }
    // A log that holds it twice has one place, the first.
    ledger.log_anyway(RU, RecordType::Amendment, &first);
    for node in 0..PARTIES.len() {
        assert_eq!(ledger.nodes[node].engine.adoption(RU).place_of(1), own[RU].place_of(1));
        assert_eq!(ledger.nodes[node].engine.adoption(RU).last().number, 1);
    }
}

#[test]
fn from_the_effective_date_on_a_party_is_marked_and_not_counted_and_its_past_stays_proven() {
    let mut ledger = Ledger::new();
    let before = ledger.remark(RU, 1);
    let effective = START + 10_000;
    let note = signed(&amendment(&ledger.treaty, withdrawal(effective), START), &MOST);
    ledger.submit(CA, note).unwrap();
    let between = ledger.remark(RU, 2);
    let quorum_needs_ru = |ledger: &Ledger, log: usize| {
        let engine = &ledger.nodes[CA].engine;
        !engine.treaty().is_quorum(engine.adoption(log).last(), &|by| by == CA || by == HU)
    };
    assert!(quorum_needs_ru(&ledger, US), "`others` is RU or US: until then one of them has to have given a receipt");
    ledger.now = effective * 1000 + 5_000;
    // The clocks of all have passed the date, and with their next records their logs have.
    ledger.remark(US, 3);
    // Its own node refuses what would carry the mark.
    let late = ledger.note(RU, 4, "minister");
    let Err(Refusal::Marks(marks)) = ledger.submit(RU, late.clone()) else { panic!("logged") };
    assert_eq!(marks[0].code, "former-party");
    // It logs it all the same: it is replicated, and marked, at every place.
    let after = ledger.log_anyway(RU, RecordType::Notification, &late);
    let verdict = |ledger: &Ledger, log: usize, index: u64| {
        let node = &ledger.nodes[HU];
        let file = prove(&node.disk, node.engine.treaty(), log, index).unwrap().unwrap();
        // With the treaty file and the profile alone.
        verify_evidence(&file, &ledger.treaty, Some(&ledger.profile)).unwrap()
    };
    let marks = |index| verdict(&ledger, RU, index).marks.iter().map(|mark| mark.code.clone()).collect::<Vec<_>>();
    assert_eq!(marks(before), Vec::<String>::new());
    assert_eq!(marks(between), Vec::<String>::new());
    assert_eq!(marks(after), ["former-party"]);
    assert!(verdict(&ledger, RU, before).is_final && verdict(&ledger, RU, after).is_final, "its node gets receipts on");
    // Of the other notes, its receipts are no longer counted: CA and HU alone do not make the quorum with it, and US
    // alone of `others` is left.
    let engine = &ledger.nodes[CA].engine;
    let place = engine.adoption(US).last();
    assert!(
        engine.treaty().former(place.number, RU, place.clock).is_some(),
        "the date has come in that log: {place:?}"
    );
    assert!(!engine.treaty().is_quorum(place, &|by| by == CA || by == RU));
    assert!(engine.treaty().is_quorum(place, &|by| by == CA || by == US));
}

#[test]
fn a_former_party_that_sets_its_clock_back_is_marked_by_what_it_had_seen_of_others() {
    let mut ledger = Ledger::new();
    let effective = START + 10_000;
    let note = signed(&amendment(&ledger.treaty, withdrawal(effective), START), &MOST);
    ledger.submit(CA, note).unwrap();
    ledger.now = effective * 1000 + 5_000;
    // It receipts what others logged after the date.
    ledger.remark(US, 3);
    ledger.now = (effective - 500) * 1000;
    let late = ledger.note(RU, 4, "minister");
    let index = ledger.log_anyway(RU, RecordType::Notification, &late);
    let node = &ledger.nodes[HU];
    let file = prove(&node.disk, node.engine.treaty(), RU, index).unwrap().unwrap();
    let verdict = verify_evidence(&file, &ledger.treaty, Some(&ledger.profile)).unwrap();
    assert!(verdict.logged < Timestamp::from_posix(effective), "by its own word it was in time");
    assert_eq!(verdict.marks.iter().map(|mark| mark.code.as_str()).collect::<Vec<_>>(), ["former-party"]);
}

#[test]
fn two_amendments_of_one_number_hold_nowhere_from_where_both_are_known() {
    let mut ledger = Ledger::new();
    let first = signed(&amendment(&ledger.treaty, withdrawal(START + 1_000_000), START), &MOST);
    let quorum = vec![Change::Quorum(vec!["group few any CA HU".into(), "quorum few".into()])];
    let second = signed(&amendment(&ledger.treaty, quorum, START), &[CA, RU, US]);
    ledger.submit(CA, first).unwrap();
    assert!(matches!(ledger.submit(CA, second.clone()), Err(Refusal::Amendment(AmendmentError::Order { .. }))));
    // Somebody logs it all the same. All log it too, so that it is seen; and neither holds any longer.
    ledger.log_anyway(US, RecordType::Amendment, &second);
    ledger.settle();
    ledger.settle();
    for node in 0..PARTIES.len() {
        let engine = &ledger.nodes[node].engine;
        assert_eq!(engine.treaty().contested().map(|(number, _)| number), Some(1), "node {node}");
        for log in 0..PARTIES.len() {
            assert_eq!(engine.adoption(log).contested(), Some(1), "node {node}, log {log}");
            assert_eq!(engine.adoption(log).last().number, 0);
        }
    }
    let next = amendment(ledger.nodes[CA].engine.treaty(), withdrawal(START + 2_000_000), START);
    let refused = ledger.submit(CA, signed(&next, &MOST));
    assert!(matches!(refused, Err(Refusal::Amendment(AmendmentError::Contested(1)))), "{refused:?}");
}

#[test]
fn who_may_sign_is_not_chosen_by_a_date_before_the_last_amendment_or_ahead_of_the_clock() {
    let mut ledger = Ledger::new();
    let first = signed(&amendment(&ledger.treaty, withdrawal(START + 1_000), START + 500), &MOST);
    ledger.submit(CA, first).unwrap();
    let quorum = || vec![Change::Quorum(vec!["group few any CA HU".into(), "quorum few".into()])];
    let treaty = ledger.nodes[CA].engine.treaty().clone();
    let back = signed(&amendment(&treaty, quorum(), START + 499), &MOST);
    assert!(matches!(ledger.submit(CA, back.clone()), Err(Refusal::Amendment(AmendmentError::Issued))));
    assert_eq!(treaty.amended(&back).map(|_| ()), Err(AmendmentError::Issued), "wherever it stands");
    let ahead = signed(&amendment(&treaty, quorum(), START + 40 * 86_400), &MOST);
    assert!(matches!(ledger.submit(CA, ahead), Err(Refusal::Amendment(AmendmentError::Ahead(_)))));
    ledger.submit(CA, signed(&amendment(&treaty, quorum(), START + 500), &MOST)).unwrap();
}

#[test]
fn a_note_to_a_state_that_accedes_later_is_marked_where_it_was_logged_before() {
    let mut ledger = Ledger::new();
    let body = || ("remark", serde_json::json!({"text": "welcome"}));
    let to_sweden = |ledger: &Ledger, number| {
        ledger.note_of(RU, number, body(), &["SE"], Vec::new(), &[common::key(RU, "minister")])
    };
    let early = to_sweden(&ledger, 1);
    let before = ledger.log_anyway(RU, RecordType::Notification, &early);
    let accession = amendment(&ledger.treaty, vec![Change::Accede(Box::new(sweden()))], START);
    let mut note = SignedNote::parse(&signed(&accession, &MOST)).unwrap();
    let root = Hash::digest(b"SE root").0;
    note.sign(&verbale::note::SigningKey::from_seed("trial/SE/root", verbale::note::KeyType::Ed25519, &root).unwrap());
    ledger.submit(US, note.to_bytes()).unwrap();
    ledger.settle();
    let after = ledger.submit(RU, to_sweden(&ledger, 2)).unwrap().index;
    ledger.settle();
    for (index, expected) in [(before, vec!["unknown-addressee"]), (after, vec![])] {
        let node = &ledger.nodes[HU];
        let file = prove(&node.disk, node.engine.treaty(), RU, index).unwrap().unwrap();
        let verdict = verify_evidence(&file, &ledger.treaty, Some(&ledger.profile)).unwrap();
        assert_eq!(verdict.marks.iter().map(|mark| mark.code.as_str()).collect::<Vec<_>>(), expected, "{index}");
    }
}

#[test]
fn a_state_that_accedes_is_a_party_without_a_restart() {
    let mut ledger = Ledger::new();
    let changes = vec![Change::Accede(Box::new(sweden()))];
    let accession = amendment(&ledger.treaty, changes, START);
    // Without its own root, nobody is made a party.
    let without = signed(&accession, &MOST);
    assert!(ledger.treaty.amended(&without).unwrap_err().to_string().contains("SE"));
    let mut note = SignedNote::parse(&without).unwrap();
    let root = Hash::digest(b"SE root").0;
    note.sign(&verbale::note::SigningKey::from_seed("trial/SE/root", verbale::note::KeyType::Ed25519, &root).unwrap());
    ledger.submit(US, note.to_bytes()).unwrap();
    for node in &ledger.nodes {
        assert_eq!(node.engine.treaty().find("SE"), Some(4));
        assert_eq!(node.engine.size(4), 0);
    }
    // Places of the others stay as they were, and what was final is.
    assert_eq!(ledger.nodes[CA].engine.treaty().find("US"), Some(US));
    assert_eq!(ledger.nodes[CA].engine.treaty().hash(), ledger.treaty.hash());
}
