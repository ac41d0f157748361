//! Attacks with keys and amendments: each fails, or is shown to everybody.

use verbale::ledger::{
    Change, Credential, Evidence, Grant, NewKey, NoteId, Record, RecordType, Revocation, Role, Rotation, Timestamp,
    Verdict, check_notification, verify_evidence,
};
use verbale::node::message::{Gossip, HeadUpdate};
use verbale::node::{Input, Read, Refusal, prove};
use verbale::note::{Signature, SignedNote, SigningKey};
use verbale::tlog::{Checkpoint, Hash};

use crate::common::{CA, HU, Ledger, PARTIES, RU, START, US, key, later_key};
use crate::rig::{Log, Rig};

fn signed(party: usize, credential: &Credential) -> Vec<u8> {
    credential.sign(&key(party, "root")).unwrap().to_bytes()
}

fn rotation(ledger: &Ledger, party: usize, job: &str, lost: bool) -> Vec<u8> {
    let public = later_key(party, job).public().clone();
    let key = if job == "log" { NewKey::Log(public) } else { NewKey::Witness(public) };
    let (ledger, party_code) = (ledger.treaty.hash(), PARTIES[party].0.to_owned());
    let issued = Timestamp::from_posix(START - 1_000_000);
    signed(party, &Credential::Rotate(Rotation { issued, key, ledger, lost, party: party_code, reason: None }))
}

fn revocation(ledger: &Ledger, party: usize, key: &SigningKey) -> Vec<u8> {
    let revocation = Revocation {
        // As if it had been so since long ago.
        issued: Timestamp::from_posix(0),
        key: key.public().clone(),
        ledger: ledger.treaty.hash(),
        party: PARTIES[party].0.into(),
        reason: Some("It had been stolen all along".into()),
    };
    signed(party, &Credential::Revoke(revocation))
}

fn evidence(ledger: &Ledger, at: usize, log: usize, index: u64) -> Vec<u8> {
    let node = &ledger.nodes[at];
    prove(&node.disk, node.engine.treaty(), log, index).unwrap().unwrap()
}

fn verdict(ledger: &Ledger, bytes: &[u8]) -> Verdict {
    verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).unwrap()
}

fn is_frozen(ledger: &Ledger, log: usize) -> Vec<bool> {
    ledger.nodes.iter().map(|node| node.engine.fork(log).is_some()).collect()
}

#[test]
fn a_thief_with_a_replaced_log_key_neither_goes_on_in_the_log_nor_freezes_it_nor_makes_evidence() {
    let mut ledger = Ledger::new();
    // What the thief has: the machine as it was, with the key of then; and an older copy.
    let older = ledger.nodes[RU].disk.clone();
    ledger.remark(RU, 1);
    ledger.remark(RU, 11);
    let stolen = ledger.nodes[RU].disk.clone();
    let stolen_size = stolen.size(RU).unwrap();
    let rotate = rotation(&ledger, RU, "log", true);
    ledger.submit(RU, rotate).unwrap();
    let honest = ledger.remark(RU, 2);
    ledger.settle();
    let sizes = |ledger: &Ledger| -> Vec<u64> { ledger.nodes.iter().map(|n| n.disk.size(RU).unwrap()).collect() };
    let before = sizes(&ledger);
    let note = ledger.note(RU, 66, "minister");
    let theirs = ledger.twin(RU, stolen, note, &[CA, HU, US]);
    assert_eq!(sizes(&ledger), before, "nobody takes a record from the thief");
    assert_eq!(is_frozen(&ledger, RU), [false; 4], "a key that is out of force freezes no log");
    // Another past, at a size for which the key had been in force: it comes after the change was receipted, too late.
    let note = ledger.note(RU, 67, "minister");
    assert!(ledger.twin(RU, older, note, &[CA, HU, US]).size(RU).unwrap() < stolen_size);
    assert_eq!(is_frozen(&ledger, RU), [false; 4], "a key that is out of force makes up no past");
    let after = ledger.remark(RU, 3);
    for index in [honest, after] {
        assert!(verdict(&ledger, &evidence(&ledger, CA, RU, index)).is_sound());
    }
    // With the thief's own disk: every byte may hold, but nobody has received it, and the file says so.
    let index = theirs.size(RU).unwrap() - 1;
    if let Ok(bytes) = prove(&theirs, &ledger.treaty, RU, index).unwrap() {
        let verdict = verdict(&ledger, &bytes);
        assert!(verdict.body["text"] == "remark 66" && verdict.receipts.is_empty() && !verdict.is_final);
        assert!(!verdict.is_sound());
    }
}

#[test]
fn a_thief_who_was_faster_than_the_rotation_is_proved_to_everybody() {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    let stolen = ledger.nodes[RU].disk.clone();
    // One party hears the thief before it hears of the change, and gives its receipt in good faith.
    ledger.online(&[CA, HU, RU]);
    let rotate = rotation(&ledger, RU, "log", true);
    ledger.submit(RU, rotate).unwrap();
    let note = ledger.note(RU, 66, "minister");
    ledger.twin(RU, stolen, note, &[US]);
    ledger.online(&[CA, HU, RU, US]);
    // The log goes on under the new key, and what it goes on from is not what the one party holds.
    ledger.remark(CA, 2);
    ledger.settle();
    assert_eq!(is_frozen(&ledger, RU), [true; 4], "two heads that the log's keys signed are a fork, whoever had them");
}

/// A head that the thief makes up with Russia's first log key.
fn made_up(ledger: &Ledger, size: u64) -> Vec<u8> {
    let origin = ledger.treaty.origin(RU).to_owned();
    let head = Checkpoint { origin, size, root: Hash::digest(b"made up") };
    head.sign(&key(RU, "log")).unwrap().to_bytes()
}

#[test]
fn a_thief_with_a_replaced_log_key_does_not_freeze_the_log_at_a_node_that_has_not_seen_the_change() {
    for ahead in [0, 3] {
        let mut ledger = Ledger::new();
        ledger.remark(RU, 1);
        ledger.online(&[CA, HU, RU]);
        ledger.submit(RU, rotation(&ledger, RU, "log", true)).unwrap();
        ledger.remark(RU, 2);
        ledger.settle();
        // As large as the log is now, or larger: the United States hear of it before they hear of anything else.
        let checkpoint = made_up(&ledger, ledger.nodes[CA].engine.size(RU) + ahead);
        let heads = vec![HeadUpdate { checkpoint, from: 0, records: Vec::new() }];
        ledger.queue.push_back((US, Input::Gossip { from: HU, message: Gossip { heads } }));
        ledger.settle();
        ledger.online(&[CA, HU, RU, US]);
        for number in 3..6 {
            ledger.remark(RU, number);
            ledger.settle();
        }
        assert_eq!(is_frozen(&ledger, RU), [false; 4], "{ahead}");
        assert_eq!(ledger.nodes[US].engine.size(RU), ledger.nodes[RU].engine.size(RU), "{ahead}");
        assert_eq!(ledger.nodes[US].engine.doubts(RU), [] as [u64; 0], "{ahead}");
        assert!(ledger.nodes[CA].engine.receipted(RU)[US] > ledger.nodes[CA].engine.size(RU) - 2);
    }
}

#[test]
fn an_official_who_dates_a_note_back_behind_the_end_of_a_key_is_marked_or_contradicted_by_other_clocks() {
    let mut ledger = Ledger::new();
    let until = START + 10_000;
    let grant = Grant {
        from: None,
        issued: Timestamp::from_posix(START),
        key: key(RU, "envoy").public().clone(),
        kinds: vec!["*".into()],
        ledger: ledger.treaty.hash(),
        party: "RU".into(),
        title: "Envoy".into(),
        until: Some(Timestamp::from_posix(until)),
    };
    ledger.submit(RU, signed(RU, &Credential::Grant(grant))).unwrap();
    ledger.now = until * 1000 + 5_000;
    ledger.remark(US, 3);
    // The note says that it was issued in time; it is logged too late.
    let late = ledger.note(RU, 4, "envoy");
    let Err(Refusal::Marks(marks)) = ledger.submit(RU, late.clone()) else { panic!("logged") };
    assert_eq!(marks[0].code, "unauthorised");
    let index = ledger.log_anyway(RU, RecordType::Notification, &late);
    let found = verdict(&ledger, &evidence(&ledger, HU, RU, index));
    assert!(found.issued.unwrap() < Timestamp::from_posix(until));
    assert_eq!((found.marks[0].code.as_str(), found.signers.len()), ("unauthorised", 0));
    // Now the party's own clock is set back as well: by its word the key was good. Another clock contradicts it.
    ledger.now = (until - 500) * 1000;
    let later = ledger.note(RU, 5, "envoy");
    let index = ledger.log_anyway(RU, RecordType::Notification, &later);
    let found = verdict(&ledger, &evidence(&ledger, HU, RU, index));
    assert!(found.logged < Timestamp::from_posix(until));
    let bound = &found.not_before[0];
    assert!(bound.by == "US" && bound.time > Timestamp::from_posix(until), "{bound:?}");
    let text = found.sentences(&ledger.treaty, Some(&ledger.profile)).join("\n");
    assert!(text.contains("It was not sent before") && text.contains("by the clock of United States"), "{text}");
}

#[test]
fn a_root_that_revokes_and_calls_keys_lost_cannot_deny_what_was_logged() {
    let mut ledger = Ledger::new();
    let denied = ledger.remark(RU, 1);
    let kept = evidence(&ledger, CA, RU, denied);
    let said = verdict(&ledger, &kept);
    assert!(said.is_sound());
    for note in [
        revocation(&ledger, RU, &key(RU, "minister")),
        rotation(&ledger, RU, "log", true),
        rotation(&ledger, RU, "witness", true),
    ] {
        ledger.submit(RU, note).unwrap();
    }
    ledger.settle();
    assert_eq!(verdict(&ledger, &kept), said, "what was handed out says the same as ever");
    // And whoever makes evidence now, from the whole log, makes the same.
    let made = verdict(&ledger, &evidence(&ledger, HU, RU, denied));
    assert!(made.is_sound() && made.marks.is_empty());
    assert_eq!((&made.signers, &made.leaf), (&said.signers, &said.leaf));
    ledger.restart();
    assert!(verdict(&ledger, &evidence(&ledger, HU, RU, denied)).is_sound(), "after a restart");
    // With the whole log at hand the revocation is known, told, and reaches nothing before it.
    let node = &ledger.nodes[HU];
    let bytes = node.disk.record(RU, denied).unwrap().unwrap();
    let record = Record::parse(&bytes).unwrap();
    let (place, officials) = (node.engine.adoption(RU).at(denied), node.engine.keys().party(RU).officials());
    let found = check_notification(&record, RU, place, &ledger.treaty, Some(&ledger.profile), officials, |_| None);
    assert!(found.marks.is_empty() && found.signers[0].revoked_at.is_some_and(|at| at > denied), "{found:?}");
    // The key signs nothing more.
    assert!(matches!(ledger.submit(RU, ledger.note(RU, 2, "minister")), Err(Refusal::Marks(_))));
}

#[test]
fn whoever_has_the_log_key_does_not_bring_a_revoked_official_back_by_the_old_grant() {
    let mut ledger = Ledger::new();
    let node = &ledger.nodes[HU];
    let places = node.disk.credentials(RU).unwrap();
    let granted = node.disk.record(RU, places[0]).unwrap().unwrap();
    let grant = Record::parse(&granted).unwrap().payload.to_vec();
    let minister = key(RU, "minister");
    ledger.submit(RU, revocation(&ledger, RU, &minister)).unwrap();
    ledger.settle();
    let revoked = *ledger.nodes[HU].disk.credentials(RU).unwrap().last().unwrap();
    // The party's own node says what became of it; a thief of the log key writes it into the log all the same.
    ledger.log_anyway(RU, RecordType::Credential, &grant);
    // A grant of the same key that was signed and never logged is no better.
    let unused = Grant {
        from: None,
        issued: Timestamp::from_posix(START + 1_000_000),
        key: minister.public().clone(),
        kinds: vec!["*".into()],
        ledger: ledger.treaty.hash(),
        party: "RU".into(),
        title: "Minister once more".into(),
        until: None,
    };
    let unused = signed(RU, &Credential::Grant(unused));
    assert_eq!(ledger.submit(RU, unused.clone()).unwrap_err(), Refusal::KeyRevoked(revoked));
    ledger.log_anyway(RU, RecordType::Credential, &unused);
    let note = ledger.note(RU, 4, "minister");
    assert!(matches!(ledger.submit(RU, note.clone()), Err(Refusal::Marks(_))));
    let index = ledger.log_anyway(RU, RecordType::Notification, &note);
    let found = verdict(&ledger, &evidence(&ledger, HU, RU, index));
    assert!(found.signers.is_empty() && found.marks[0].code == "unauthorised", "{found:?}");
    assert!(found.marks[0].text.contains(&format!("revoked in record {revoked}")), "{}", found.marks[0].text);
}

#[test]
fn a_note_that_is_logged_once_more_is_marked_by_whoever_has_the_log() {
    let mut ledger = Ledger::new();
    let first = ledger.remark(RU, 1);
    let bytes = ledger.nodes[HU].disk.record(RU, first).unwrap().unwrap();
    let payload = Record::parse(&bytes).unwrap().payload.to_vec();
    let again = ledger.log_anyway(RU, RecordType::Notification, &payload);
    let node = &ledger.nodes[HU];
    let bytes = node.disk.record(RU, again).unwrap().unwrap();
    let record = Record::parse(&bytes).unwrap();
    let (place, officials) = (node.engine.adoption(RU).at(again), node.engine.keys().party(RU).officials());
    let earlier = |id: &NoteId| node.disk.note(RU, id).unwrap().filter(|at| *at < again);
    let found = check_notification(&record, RU, place, &ledger.treaty, Some(&ledger.profile), officials, earlier);
    assert_eq!((found.marks.len(), found.marks[0].code.as_str()), (1, "repeated"));
    assert!(found.marks[0].text.contains(&format!("RU/{first}")), "{}", found.marks[0].text);
    // A file about the second one alone cannot know of the first, and says that it does not.
    let found = verdict(&ledger, &evidence(&ledger, HU, RU, again));
    assert!(found.not_proven.iter().any(|gap| gap.contains("had not logged the same note before")));
}

#[test]
fn a_party_that_logs_very_many_credentials_does_not_make_its_notes_too_large_to_be_proved() {
    let mut ledger = Ledger::new();
    for number in 0..20 {
        let grant = Grant {
            from: None,
            issued: Timestamp::from_posix(START + number),
            key: key(RU, "minister").public().clone(),
            kinds: vec!["*".into()],
            ledger: ledger.treaty.hash(),
            party: "RU".into(),
            title: format!("Minister, and {number} other offices"),
            until: None,
        };
        let grant = signed(RU, &Credential::Grant(grant));
        ledger.log_anyway(RU, RecordType::Credential, &grant);
    }
    // A line that nobody can check, under a name that stands in every credential.
    let mut note = SignedNote::parse(&ledger.note(RU, 7, "minister")).unwrap();
    note.add(Signature { name: "e".into(), id: [1, 2, 3, 4], bytes: vec![0; 64] });
    let index = ledger.log_anyway(RU, RecordType::Notification, &note.to_bytes());
    let bytes = evidence(&ledger, HU, RU, index);
    let found = verdict(&ledger, &bytes);
    assert_eq!((found.signers.len(), found.marks[0].code.as_str()), (1, "unauthorised"));
    let carried = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap().credentials.len();
    assert_eq!(carried, 1, "only what decides goes along");
}

#[test]
fn a_party_that_cosigns_two_heads_shows_it_in_its_own_log_and_makes_nothing_final() {
    let mut rig = Rig::new(5);
    let mut ours = Log::new(&rig.fixture, 4);
    ours.say("common", 2);
    let mut theirs = ours.clone();
    ours.say("to some", 3);
    theirs.say("to others", 1);
    rig.tell(&ours);
    // Three receipts of five are the quorum: this node's and party 1's here, and there party 1's, 2's and 3's.
    let mut witnesses: Vec<_> = (1..4).map(|party| Log::new(&rig.fixture, party)).collect();
    witnesses[0].receipt(&ours);
    for witness in &mut witnesses {
        witness.receipt(&theirs);
    }
    rig.tell(&witnesses[0]);
    assert!(rig.engine.fork(4).is_some(), "the second cosignature stands on a head that the log signed as well");
    let logged = rig.disk.fork(4).unwrap().unwrap();
    assert!(String::from_utf8_lossy(&logged).contains("trial/P4"));
    rig.tell(&witnesses[1]);
    rig.tell(&witnesses[2]);
    assert_eq!(rig.engine.final_size(4), 0, "receipts for the other branch are counted");
    // Its double word stands in its own signed log for ever: two receipts, one origin, roots that exclude each other.
    let heads: Vec<SignedNote> = (0..2)
        .map(|index| {
            let bytes = rig.disk.record(1, index).unwrap().unwrap();
            SignedNote::parse(Record::parse(&bytes).unwrap().payload).unwrap()
        })
        .collect();
    assert!(heads[0].text().lines().next() == heads[1].text().lines().next() && heads[0].text() != heads[1].text());
    rig.restart();
    assert!(rig.engine.fork(4).is_some());
    assert_eq!(rig.engine.final_size(4), 0, "after a restart");
}

#[test]
fn a_log_that_shows_an_amendment_at_two_places_has_forked() {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    let old = ledger.nodes[RU].disk.clone();
    let from = Timestamp::from_posix(START + 1_000_000);
    let change = Change::Status { party: "US".into(), roles: vec![Role::Observer], from };
    let note = ledger.amendment(vec![change], &[CA, HU, US]);
    ledger.submit(RU, note.clone()).unwrap();
    ledger.settle();
    let place = ledger.nodes[CA].engine.adoption(RU).place_of(1).unwrap();
    // Another reader is shown a log where it stands one record later, and judges that record by the treaty before it.
    let remark = ledger.note(RU, 66, "minister");
    let theirs = ledger.twin(RU, old, remark, &[US]);
    assert!(theirs.size(RU).unwrap() > place);
    assert_eq!(is_frozen(&ledger, RU), [true; 4]);
    for node in &ledger.nodes {
        assert_eq!(node.engine.adoption(RU).place_of(1), Some(place), "and nobody applies it anywhere else");
    }
    // The same twice in one log holds from its first place on.
    ledger.log_anyway(CA, RecordType::Amendment, &note);
    let first = ledger.nodes[HU].engine.adoption(CA).place_of(1);
    assert!(first.is_some_and(|first| first + 1 < ledger.nodes[HU].disk.size(CA).unwrap()));
    for node in &ledger.nodes {
        let log = node.engine.adoption(CA);
        assert_eq!((log.place_of(1), log.last().number, node.engine.treaty().number()), (first, 1, 1));
    }
}
