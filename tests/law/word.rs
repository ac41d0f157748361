//! What counts: a party's own word, by its officials, and references to the very record that they name.

use std::sync::Arc;

use serde_json::json;
use verbale::law::{Docket, Query, Registrar};
use verbale::ledger::profile::Profile;
use verbale::ledger::{RecordType, Reference, Timestamp};
use verbale::node::{Memory, Read};
use verbale::tlog::{Hash, leaf_hash};

use super::common::{CA, HU, Ledger, PARTIES, PROFILE, RU, US, key};
use super::fixture::{self, World, nothing, put};

const RULES: &str = "[[kind.remark.due]]\nid = \"answer\"\ntitle = \"An answer\"\nby = [\"US\"]\nanswer = [\"remark\"]\n\
    start = \"sent\"\nwithin = \"24 hours\"\n\
    [[kind.remark.effect]]\nid = \"e\"\ntitle = \"E\"\nstart = \"sent\"\nafter = \"1 day\"\nstanding = \"former-party\"\n\
    [kind.joint]\ntitle = \"Joint\"\nsignatures = 2\n\
    [[kind.joint.due]]\nid = \"j\"\ntitle = \"J\"\nby = [\"US\"]\nanswer = [\"remark\"]\nstart = \"sent\"\nwithin = \"24 hours\"\n";

/// The docket of all records but these.
fn docket(ledger: &Ledger, disk: &Memory, without: &[(usize, u64)]) -> Docket {
    let profile = Arc::new(Profile::parse(format!("{PROFILE}{RULES}").as_bytes()).unwrap());
    let mut registrar = Registrar::new(ledger.treaty.clone(), profile.clone());
    let mut docket = Docket::new(ledger.treaty.clone(), profile);
    for log in [US, RU, HU, CA] {
        for index in (0..disk.size(log).unwrap()).filter(|index| !without.contains(&(log, *index))) {
            registrar.apply(&mut docket, log, index, &disk.record(log, index).unwrap().unwrap());
        }
        docket.known_to(log, disk.size(log).unwrap());
    }
    docket
}

fn told(docket: &Docket, as_of: Timestamp) -> String {
    let items = docket.items(as_of, &Query::default());
    serde_json::to_string_pretty(&(items, docket.effects(as_of, None), docket.standings(as_of))).unwrap()
}

#[test]
fn nothing_follows_from_a_note_that_is_not_its_partys_word() {
    let mut ledger = Ledger::new();
    let asked = ledger.remark(RU, 1);
    let leaf = leaf_hash(&ledger.nodes[RU].disk.record(RU, asked).unwrap().unwrap());
    let re = || vec![Reference { index: asked, leaf, log: PARTIES[RU].0.into() }];
    // Officials whose keys nobody granted; a note of another party; one for another ledger; two signatures of one official.
    let envoy = ledger.reply(US, 2, "envoy", re());
    let other = ledger.reply(RU, 3, "minister", re());
    let other_ledger = String::from_utf8(ledger.reply(US, 4, "minister", re())).unwrap();
    let hash = ledger.treaty.hash().to_hex();
    let other_ledger = other_ledger.replace(&hash, &Hash([0; 32]).to_hex()).into_bytes();
    let joint = |by: &[&str], number| {
        let keys: Vec<_> = by.iter().map(|official| key(US, official)).collect();
        ledger.note_of(US, number, ("joint", json!({})), &["*"], re(), &keys)
    };
    let alone = joint(&["minister"], 5);
    let void: Vec<_> = [envoy, other, other_ledger, alone]
        .iter()
        .map(|note| (US, ledger.log_anyway(US, RecordType::Notification, note)))
        .collect();
    let as_of = Timestamp::from_posix(ledger.now / 1000 + 40 * 3600);
    let disk = &ledger.nodes[US].disk;
    let with = docket(&ledger, disk, &[]);
    assert_eq!(told(&with, as_of), told(&docket(&ledger, disk, &void), as_of));
    let items = with.items(as_of, &Query { note: Some((RU, asked)), ..Query::default() });
    assert_eq!(items.iter().map(|item| item.state.name()).collect::<Vec<_>>(), ["missed"]);
    assert_eq!(with.disregarded(as_of), void);
    let why: Vec<_> = void.iter().map(|place| with.why_disregarded(*place).unwrap()).collect();
    for (why, text) in why.iter().zip(["too few officials", "another party", "another ledger", "too few officials"]) {
        assert!(why.contains(text), "{why}");
    }
    assert_eq!(with.disregarded_about(&[(RU, asked)], as_of), void);

    // The official's own, with somebody's line more, is the party's word all the same; so is a joint note by two.
    ledger.submit(US, ledger.grant(US, "deputy", "Deputy", "*")).unwrap();
    let two = ledger.note_of(
        US,
        6,
        ("remark", json!({"text": "answered"})),
        &["*"],
        re(),
        &[key(US, "minister"), key(US, "envoy")],
    );
    let two = ledger.log_anyway(US, RecordType::Notification, &two);
    let keys = [key(US, "minister"), key(US, "deputy")];
    let joint = ledger.note_of(US, 7, ("joint", json!({})), &["*"], re(), &keys);
    let joint = ledger.log_anyway(US, RecordType::Notification, &joint);
    let with = docket(&ledger, &ledger.nodes[US].disk, &[]);
    let states = |place| {
        let items = with.items(as_of, &Query { note: Some(place), ..Query::default() });
        items.iter().map(|item| item.state.name()).collect::<Vec<_>>()
    };
    assert_eq!((states((RU, asked)), states((US, joint))), (vec!["met"], vec!["missed"]));
    assert_eq!(with.why_disregarded((US, two)), None);
}

const ASK: &str = "[kind.ask]\ntitle = \"Ask\"\n[[kind.ask.due]]\nid = \"a\"\ntitle = \"A\"\nby = [\"US\"]\nanswer = [\"ack\"]\n\
    start = \"sent\"\nwithin = \"24 hours\"\n\
    [kind.later]\ntitle = \"Later\"\n[[kind.later.due]]\nid = \"l\"\ntitle = \"L\"\nby = [\"RU\"]\nanswer = [\"ack\"]\n\
    start = { of = \"ask\", at = \"sent\" }\nwithin = \"24 hours\"\n";

#[test]
fn a_reference_counts_by_place_and_hash() {
    for (name, state) in [("right", "met"), ("leaf", "open"), ("index", "open")] {
        let mut w = World::new(ASK);
        let ask = w.send(fixture::RU, "2020-01-01T00:00:00Z", "ask", &["US"], &[], nothing());
        let decoy = w.send(fixture::RU, "2020-01-01T00:01:00Z", "ack", &["US"], &[], nothing());
        let mut re = w.reference(ask);
        match name {
            "leaf" => re.leaf = Hash([7; 32]),
            "index" => re.index = decoy.1,
            _ => {}
        }
        w.send_with(fixture::US, "2020-01-01T01:00:00Z", "ack", &["RU"], vec![re.clone()], nothing());
        let later = w.send_with(fixture::US, "2020-01-01T01:00:00Z", "later", &["RU"], vec![re], nothing());
        let as_of = "2020-01-01T02:00:00Z";
        assert_eq!(w.item(ask, "a", as_of).state.name(), state, "{name}");
        let waits = w.item(later, "l", as_of).state.name();
        assert_eq!(waits, if name == "right" { "open" } else { "no-time" }, "{name}");
        // The other way round the answer waits for what it refers to, and then it is the same.
        let mut entries = w.entries.clone();
        entries.reverse();
        let mut again = Docket::new(fixture::treaty(), Arc::new(w.docket.profile().clone()));
        entries.iter().for_each(|entry| put(&mut again, entry));
        let items = |docket: &Docket| docket.items(fixture::time(as_of), &Query::default());
        assert_eq!(items(&again), items(&w.docket), "{name}");
    }
}
