//! A mirror follows keys that change, and amendments of the treaty.

use std::fs;
use std::sync::Arc;

use verbale::ledger::{Change, Credential, KeyUse, NewKey, Party, Role, Rotation, Timestamp};
use verbale::node::Read;
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::public::mirror::{Finding, Mirror};
use verbale::tlog::{Checkpoint, Hash};

use crate::common::{self, CA, HU, Ledger, RU, US};
use crate::mirrors::{Kept, publish_as, publish_to, remarks, shown};

/// The root puts another key in the place of a party's log or witness key.
fn rotate(ledger: &mut Ledger, party: usize, job: &str) -> u64 {
    let public = common::later_key(party, job).public().clone();
    let rotation = Rotation {
        issued: Timestamp::from_posix(common::START),
        key: if job == "log" { NewKey::Log(public) } else { NewKey::Witness(public) },
        ledger: ledger.treaty.hash(),
        lost: false,
        party: common::PARTIES[party].0.into(),
        reason: None,
    };
    let note = Credential::Rotate(rotation).sign(&common::key(party, "root")).unwrap();
    ledger.submit(party, note.to_bytes()).unwrap().index
}

#[test]
fn a_mirror_follows_keys_that_change_and_believes_no_replaced_one() {
    let mut ledger = Ledger::new();
    let (folder, kept, late) = (tempfile::tempdir().unwrap(), Kept::new(), Kept::new());
    let place = folder.path().to_str().unwrap();
    remarks(&mut ledger, RU, 0..2);
    publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    assert!(kept.follow(&[place]).1.is_sound());
    let before = fs::read(folder.path().join("trial/RU/latest")).unwrap();
    let old_size = Checkpoint::parse(SignedNote::parse(&before).unwrap().text()).unwrap().size;
    assert!(!folder.path().join("trial/RU/keys.json").exists(), "nothing to tell yet");

    let changeover = rotate(&mut ledger, RU, "log");
    rotate(&mut ledger, CA, "witness");
    remarks(&mut ledger, RU, 2..4);
    remarks(&mut ledger, US, 4..6);
    publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    // One that was there before, one that comes now, and one that is stopped after each round.
    for mirror in [&kept, &late, &kept] {
        let (round, report) = mirror.follow(&[place]);
        assert_eq!(round.findings, []);
        assert!(report.is_sound() && report.missing.is_empty(), "{report:?}");
        assert!(report.logs[RU].final_size > changeover + 1, "{:?}", report.logs[RU]);
        let keys = &report.logs[RU].keys;
        assert_eq!(keys.iter().filter(|life| life.job == KeyUse::Log).count(), 2, "{keys:?}");
    }
    let files = |kept: &Kept, name: &str| fs::read(kept.dir.path().join("ledger/logs").join(name)).unwrap();
    for name in ["RU/records.txt", "RU/keys.txt", "RU/receipts.txt", "CA/keys.txt", "US/receipts.txt"] {
        assert_eq!(files(&kept, name), files(&late, name), "{name}");
    }
    // The key is changed once more, and the mirrors go on; a second change is followed by both.
    remarks(&mut ledger, HU, 6..8);
    publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    assert!(kept.follow(&[place]).1.is_sound() && late.follow(&[place]).1.is_sound());

    // Somebody with the old key shows a head of his own making, for the size that the log has now, for a larger one, and for one
    // for which that key was in force.
    let size = ledger.nodes[HU].disk.size(RU).unwrap();
    for (at, size) in [size, size + 3, changeover, 2].into_iter().enumerate() {
        let thief = tempfile::tempdir().unwrap();
        let place = thief.path().join("trial/RU");
        fs::create_dir_all(&place).unwrap();
        let head = Checkpoint { origin: "trial/RU".into(), size, root: Hash([7; 32]) };
        let head = head.sign(&common::key(RU, "log")).unwrap();
        fs::write(place.join("latest"), head.to_bytes()).unwrap();
        let (round, report) = kept.follow(&[thief.path().to_str().unwrap()]);
        assert!(matches!(&round.findings[..], [Finding::Refused { party, .. }] if party == "RU"), "{at}: {round:?}");
        assert!(report.is_sound() && report.forks.is_empty());
    }
    // The head from before the change, signed by the key of then, is what it was: older.
    let (note, keys) = (SignedNote::parse(&before).unwrap(), Mirror::ledger(&kept.open(&[place])).keys().clone());
    assert_eq!(keys.party(RU).verify_head(&note).unwrap().size, old_size);
}

#[test]
fn a_mirror_follows_amendments_and_a_log_that_begins_meanwhile() {
    let mut ledger = Ledger::new();
    let (folder, kept, late) = (tempfile::tempdir().unwrap(), Kept::new(), Kept::new());
    let place = folder.path().to_str().unwrap();
    remarks(&mut ledger, RU, 0..2);
    publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    assert!(kept.follow(&[place]).1.is_sound());
    let key = |job: &str| {
        let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
        let name = if job == "log" { "trial/SE".to_owned() } else { format!("trial/SE/{job}") };
        SigningKey::from_seed(&name, kind, &Hash::digest(format!("SE {job}").as_bytes()).0).unwrap()
    };
    let sweden = Party {
        code: "SE".into(),
        name: "Sweden".into(),
        roles: vec![Role::StateParty],
        root: key("root").public().clone(),
        log: key("log").public().clone(),
        witness: key("witness").public().clone(),
        peer: "12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxSE".into(),
        addresses: Vec::new(),
    };
    let quorum = vec!["group few any CA HU SE".into(), "quorum few".into()];
    let note = ledger.amendment(vec![Change::Accede(Box::new(sweden)), Change::Quorum(quorum)], &[CA, HU, US]);
    let mut note = SignedNote::parse(&note).unwrap();
    note.sign(&key("root"));
    ledger.submit(CA, note.to_bytes()).unwrap();
    remarks(&mut ledger, US, 2..4);
    let shown = shown().amended(Arc::new(ledger.nodes[HU].engine.treaty().as_ref().clone()));
    assert_eq!(shown.logs().len(), 5);
    publish_as(folder.path(), &ledger.nodes[HU].disk, &shown).unwrap();
    for mirror in [&kept, &late, &kept] {
        let (round, report) = mirror.follow(&[place]);
        assert_eq!(round.findings, []);
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.logs.len(), report.logs[CA].amendments, report.logs[US].amendments), (5, 1, 1));
        assert_eq!(fs::read(mirror.dir.path().join("ledger/amendments/001.note")).unwrap(), note.to_bytes());
        let opened = mirror.open(&[place]);
        assert_eq!(opened.ledger().adoption(US).last().number, 1);
        assert_eq!(opened.ledger().treaty().find("SE"), Some(4));
    }
    // It stopped between the amendment and what follows from it: opened again, it is whole.
    for name in ["README.txt", "policy.txt", "amendments/001.note"] {
        fs::remove_file(kept.dir.path().join("ledger").join(name)).unwrap();
    }
    assert!(kept.follow(&[place]).1.is_sound());
}
