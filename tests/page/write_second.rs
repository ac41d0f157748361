//! The second folder of golden files: keys that change, several signatures, amendments, silence under later keys, a kind's
//! own schema. From fixed keys and times, so that they can be written again to the byte.

use serde_json::json;
use verbale::ledger::{Change, Evidence, Party, RecordType, Role, Timestamp};
use verbale::node::{Memory, Read, prove};
use verbale::note::{SignedNote, SigningKey};
use verbale::tlog::Cosignature;

use crate::common::bend::{bent_note, changed_line, proof_of_silence, silence_of_canada};
use crate::common::{self, CA, HU, Ledger, RU, US, append, key, later_key};
use crate::write::{Golden, put, rewritten, twins};

pub const PROFILE: &str = r#"version = 1
title = "A treaty to be tried out again"
acknowledgement = "acknowledgement"
[message]
prefix = "TT"
number = "TT/{party}/{year}/{index:3}"
precedence = "ROUTINE"
[group.north]
title = "The North"
members = ["CA", "US"]
[kind.acknowledgement]
title = "Acknowledgement"
[kind.remark]
title = "Remark"
[[kind.remark.field]]
name = "text"
title = "Text"
type = "text"
required = true
[[kind.remark.field]]
name = "secret"
title = "Not for others"
type = "text"
confidential = true
[kind.withdrawal]
title = "Notice of withdrawal"
article = "XV"
from = ["state-party"]
must_reach = ["depositary"]
signatures = 2
[[kind.withdrawal.field]]
name = "effect"
title = "Takes effect on"
type = "date"
required = true
[kind.visit]
title = "Visit"
behalf = "for"
[kind.visit.schema]
dependentRequired = { to = ["from"] }
properties = { place = { pattern = "^[A-Z][a-z]+(?: [A-Z][a-z]+)?$", maxLength = 20 }, people = { items = { minLength = 2 }, uniqueItems = true } }
if = { properties = { nights = { const = 0 } } }
then = { not = { required = ["place"] } }
else = { required = ["place"] }
[[kind.visit.field]]
name = "nights"
title = "Nights"
type = "integer"
required = true
min = 0
unit = "nights"
[[kind.visit.field]]
name = "place"
title = "Place"
type = "text"
[[kind.visit.field]]
name = "from"
title = "Begins"
type = "date"
under = "When"
[[kind.visit.field]]
name = "to"
title = "Ends"
type = "date"
under = "When"
[[kind.visit.field]]
name = "arrival"
title = "Arrival"
type = "zoned-time"
[[kind.visit.field]]
name = "people"
title = "People"
type = "list"
[[kind.visit.field]]
name = "for"
title = "On behalf of"
type = "party"
[amendment]
share = "2/3"
depositaries = 1
"#;

pub fn treaty_text() -> String {
    common::treaty_with_depositaries(PROFILE)
}

/// All parties have granted keys to a minister and a clerk.
pub fn ledger() -> Ledger {
    let mut ledger = Ledger::under(treaty_text(), PROFILE);
    for party in [CA, HU, RU, US] {
        ledger.submit(party, ledger.grant(party, "minister", "Minister", "*")).unwrap();
        ledger.submit(party, ledger.grant(party, "clerk", "Clerk", "acknowledgement")).unwrap();
    }
    ledger
}

pub fn golden() -> Vec<Golden> {
    let mut out = Vec::new();
    rotated(&mut out);
    officials(&mut out);
    signatures(&mut out);
    forms(&mut out);
    silence(&mut out);
    forked(&mut out);
    amended(&mut out);
    out
}

fn evidence(ledger: &Ledger, by: usize, log: usize, index: u64) -> Vec<u8> {
    prove(&ledger.nodes[by].disk, ledger.nodes[by].engine.treaty(), log, index).unwrap().unwrap()
}

/// Russia's log key is replaced, Canada's receipts go on under a later key, and Hungary lost its log key.
pub fn rotation() -> (Ledger, [u64; 3]) {
    let mut ledger = ledger();
    ledger.remark(CA, 1);
    let before = ledger.remark(RU, 2);
    ledger.submit(RU, ledger.rotation(RU, "log", false)).unwrap();
    let after = ledger.remark(RU, 3);
    ledger.submit(CA, ledger.rotation(CA, "witness", false)).unwrap();
    ledger.submit(HU, ledger.rotation(HU, "log", true)).unwrap();
    ledger.remark(HU, 4);
    let last = ledger.remark(RU, 5);
    (ledger, [before, after, last])
}

fn rotated(out: &mut Vec<Golden>) {
    let (ledger, [before, after, last]) = rotation();
    put(out, "keys/before-the-change", "sound", "VERIFIED", evidence(&ledger, US, RU, before));
    put(out, "keys/after-the-change", "sound", "VERIFIED", evidence(&ledger, US, RU, after));
    let good = evidence(&ledger, US, RU, last);
    put(out, "keys/good", "sound", "VERIFIED", good.clone());
    twins(out, "keys", &ledger, &good);
    let count = Evidence::parse(&good, &ledger.treaty.hash()).unwrap().keys.len();
    assert!(count >= 2, "the later keys of Russia's log and of Canada's receipts");
    let stranger = SigningKey::from_seed("trial/RU", key(RU, "log").public().kind(), &[9; 32]).unwrap();
    let others = String::from_utf8(ledger.rotation(US, "log", false)).unwrap();
    let grant = String::from_utf8(ledger.grant(RU, "minister", "Minister", "*")).unwrap();
    let mut bend = |name: &str, words, change: &dyn Fn(&mut Evidence)| {
        put(out, &format!("keys/{name}"), "refused", words, rewritten(&ledger, &good, change));
    };
    bend("without-keys", "the checkpoint", &|e| e.keys.clear());
    bend("one-key-left-out", "does not verify", &|e| drop(e.keys.remove(0)));
    bend("a-key-twice", "keys", &|e| e.keys.push(e.keys[0].clone()));
    bend("keys-swapped", "keys", &|e| e.keys.reverse());
    bend("a-key-that-nothing-needs", "keys", &|e| e.keys.push(others.clone()));
    bend("a-grant-as-key", "keys[0]", &|e| e.keys[0].clone_from(&grant));
    bend("the-roots-signature-changed", "keys[0]", &|e| e.keys[0] = bent_note(&e.keys[0], 0));
    bend("the-old-key-made-retired", "keys", &|e| {
        let at = e.keys.iter().position(|note| note.contains("\"old\":\"retired\"")).unwrap();
        e.keys[at] = e.keys[at].replace("retired", "lost");
    });
    bend("signed-by-another-key", "keys", &|e| {
        let mut note = SignedNote::new(e.checkpoint.text().to_owned()).unwrap();
        note.sign(&stranger);
        e.checkpoint.signatures().iter().skip(1).for_each(|line| note.add(line.clone()));
        e.checkpoint = note;
    });
}

/// Grants with an end and a beginning, and one that was revoked.
fn officials(out: &mut Vec<Golden>) {
    let mut ledger = ledger();
    let hour = |hours: u64| Some(Timestamp::from_posix(common::START + 3600 * hours));
    for (official, span) in [("envoy", [None, hour(1)]), ("successor", [hour(2), None])] {
        ledger.submit(RU, ledger.grant_within(RU, official, ("Envoy", "*"), span)).unwrap();
    }
    let early = ledger.note(RU, 1, "envoy");
    let early = ledger.submit(RU, early).unwrap().index;
    let soon = ledger.note(RU, 2, "successor");
    let soon = ledger.log_anyway(RU, RecordType::Notification, &soon);
    ledger.now += 3 * 3_600_000;
    let late = ledger.note(RU, 3, "envoy");
    let late = ledger.log_anyway(RU, RecordType::Notification, &late);
    let next = ledger.note(RU, 4, "successor");
    let next = ledger.submit(RU, next).unwrap().index;
    put(out, "officials/within-its-time", "sound", "VERIFIED", evidence(&ledger, US, RU, early));
    put(out, "officials/before-its-time", "reserved", "is valid from", evidence(&ledger, US, RU, soon));
    put(out, "officials/past-its-time", "reserved", "is valid from", evidence(&ledger, US, RU, late));
    put(out, "officials/in-succession", "sound", "VERIFIED", evidence(&ledger, US, RU, next));

    let before = ledger.remark(RU, 5);
    ledger.submit(RU, ledger.revocation(RU, "minister")).unwrap();
    let after = ledger.note(RU, 6, "minister");
    let after = ledger.log_anyway(RU, RecordType::Notification, &after);
    put(out, "officials/before-the-revocation", "sound", "VERIFIED", evidence(&ledger, US, RU, before));
    let revoked = evidence(&ledger, US, RU, after);
    put(out, "officials/after-the-revocation", "reserved", "had been revoked", revoked.clone());
    // To withhold the revocation is possible, and shown as what is not proven; to bend it is not.
    let mut bend = |name: &str, outcome, words, change: &dyn Fn(&mut Evidence)| {
        put(out, &format!("officials/{name}"), outcome, words, rewritten(&ledger, &revoked, change));
    };
    let is_revocation = |record: &str| record.contains("\"action\":\"revoke\"");
    bend("revocation-withheld", "sound", "had not withdrawn an official's key", &|e| {
        e.credentials.retain(|item| !is_revocation(&item.record));
    });
    bend("revocation-of-another", "refused", "credentials", &|e| {
        let item = e.credentials.iter_mut().find(|item| is_revocation(&item.record)).unwrap();
        item.record = item.record.replacen("minister", "mimister", 1);
    });
    bend("revocation-earlier", "refused", "credentials", &|e| {
        let at = e.credentials.iter().position(|item| is_revocation(&item.record)).unwrap();
        let item = e.credentials.remove(at);
        e.credentials.insert(0, item);
    });
}

/// A withdrawal needs two officials.
fn signatures(out: &mut Vec<Golden>) {
    let mut ledger = ledger();
    ledger.submit(RU, ledger.grant(RU, "president", "President", "*")).unwrap();
    // A second key under the minister's name is the minister still.
    let second = {
        let first = key(RU, "minister");
        SigningKey::from_seed(first.public().name(), first.public().kind(), &[7; 32]).unwrap()
    };
    let grant = {
        let text = SignedNote::parse(&ledger.grant(RU, "minister", "Minister", "*")).unwrap().text().to_owned();
        let text = text.replace(&key(RU, "minister").public().to_string(), &second.public().to_string());
        let mut note = SignedNote::new(text).unwrap();
        note.sign(&key(RU, "root"));
        note.to_bytes()
    };
    ledger.submit(RU, grant).unwrap();
    let signed = |ledger: &Ledger, number: u64, to: &[&str], by: &[SigningKey]| {
        ledger.note_of(RU, number, ("withdrawal", json!({"effect": "2021-12-18"})), to, Vec::new(), by)
    };
    let (minister, president) = (key(RU, "minister"), key(RU, "president"));
    let both = signed(&ledger, 1, &["*"], &[minister.clone(), president.clone()]);
    let both = ledger.submit(RU, both).unwrap().index;
    let mut bent = SignedNote::parse(&signed(&ledger, 4, &["*"], &[minister.clone(), president.clone()])).unwrap();
    bent = changed_line(&bent, 1, |bytes| bytes[9] ^= 1);
    let cases = [
        ("one-of-two", "is signed by 2 officials", signed(&ledger, 2, &["*"], std::slice::from_ref(&minister))),
        ("one-name-twice", "is signed by 2 officials", signed(&ledger, 3, &["*"], &[minister.clone(), second])),
        ("one-does-not-verify", "does not verify", bent.to_bytes()),
        ("not-to-the-depositaries", "It has to be addressed to", signed(&ledger, 5, &["US"], &[minister, president])),
    ];
    let places = cases.map(|(name, words, note)| {
        let at = ledger.log_anyway(RU, RecordType::Notification, &note);
        (name, words, at)
    });
    let good = evidence(&ledger, US, RU, both);
    put(out, "signatures/good", "sound", "VERIFIED", good.clone());
    for (name, words, at) in places {
        put(out, &format!("signatures/{name}"), "reserved", words, evidence(&ledger, US, RU, at));
    }
    let drop_line = |e: &mut Evidence| {
        let at = e.record.record.trim_end().rfind('\n').unwrap() + 1;
        e.record.record.truncate(at);
    };
    put(out, "signatures/one-taken-away", "refused", "the record", rewritten(&ledger, &good, drop_line));
}

/// What the fields say, and what the kind's own schema says beside them.
fn forms(out: &mut Vec<Golden>) {
    let mut ledger = ledger();
    let full = json!({
        "nights": 2, "place": "Open Skies", "from": "2021-06-18", "to": "2021-06-20", "people": ["Ann", "Bob"], "for": "north",
        "arrival": "2021-06-18T11:00:00+02:00[Europe/Berlin]",
    });
    let with = |name: &str, value: serde_json::Value| {
        let mut body = full.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = full.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let cases = [
        ("good", full.clone(), true),
        ("day-trip", json!({"nights": 0}), true),
        ("end-without-beginning", without("from"), false),
        ("night-without-place", without("place"), false),
        ("place-in-other-letters", with("place", json!("open skies")), false),
        ("place-too-long", with("place", json!("Abcdefghij Klmnopqrst")), false),
        ("one-person-twice", with("people", json!(["Ann", "Ann"])), false),
        ("two-faults-of-the-schema", json!({"nights": 1, "to": "2021-06-20"}), false),
        ("two-faults-of-the-fields", json!({"nights": -1, "zeal": "much"}), false),
        ("offset-of-another-zone", with("arrival", json!("2021-06-18T11:00:00+03:00[Europe/Berlin]")), false),
        ("on-behalf-of-strangers", with("for", json!("RU")), false),
    ];
    let places: Vec<_> = (10..)
        .zip(cases)
        .map(|(number, (name, body, good))| {
            let note = ledger.note_of(CA, number, ("visit", body), &["*"], Vec::new(), &[key(CA, "minister")]);
            let at = match good {
                true => ledger.submit(CA, note).unwrap().index,
                false => ledger.log_anyway(CA, RecordType::Notification, &note),
            };
            (name, good, at)
        })
        .collect();
    for (name, good, at) in places {
        let (outcome, words) = if good { ("sound", "VERIFIED") } else { ("reserved", "Not in order") };
        put(out, &format!("form/{name}"), outcome, words, evidence(&ledger, US, CA, at));
    }
}

/// Canada does not answer Russia; its log and its receipts have gone on under later keys.
fn silence(out: &mut Vec<Golden>) {
    let mut ledger = ledger();
    ledger.remark(CA, 1);
    let asked = ledger.remark(RU, 2);
    let unanswered = ledger.remark(RU, 3);
    ledger.submit(CA, ledger.rotation(CA, "log", false)).unwrap();
    ledger.submit(HU, ledger.rotation(HU, "witness", true)).unwrap();
    let answer = ledger.reply(CA, 4, "minister", ledger.refer(RU, asked));
    ledger.submit(CA, answer).unwrap();
    let query = silence_of_canada(&mut ledger, 72, Some("answer"));
    let proof = |index| proof_of_silence(&ledger, index, &query);
    put(out, "silence/answered", "reserved", "refers to this note", proof(asked));
    let good = proof(unanswered);
    put(out, "silence/good", "sound", "Canada had not answered", good.clone());
    assert!(Evidence::parse(&good, &ledger.treaty.hash()).unwrap().keys.len() >= 2);
    twins(out, "silence", &ledger, &good);
    let mut bend = |name: &str, words, change: &dyn Fn(&mut Evidence)| {
        put(out, &format!("silence/{name}"), "refused", words, rewritten(&ledger, &good, change));
    };
    bend("without-keys", "silence.head", &|e| e.keys.clear());
    bend("the-change-of-key-cut-out", "silence.records", &|e| {
        e.silence.as_mut().unwrap().records.retain(|record| !record.contains("\"action\":\"rotate\""));
    });
    bend("head-by-the-old-key", "keys", &|e| {
        let part = e.silence.as_mut().unwrap();
        let mut note = SignedNote::new(part.head.text().to_owned()).unwrap();
        note.sign(&key(CA, "log"));
        part.head.signatures().iter().skip(1).for_each(|line| note.add(line.clone()));
        part.head = note;
    });
    bend("stretched-in-time", "silence.head", &|e| {
        let part = e.silence.as_mut().unwrap();
        part.head = changed_line(&part.head, 1, |bytes| bytes[7] ^= 1);
    });
}

/// Hungary shows two histories after its log's key was replaced.
fn forked(out: &mut Vec<Golden>) {
    let mut ledger = ledger();
    ledger.submit(HU, ledger.rotation(HU, "log", false)).unwrap();
    ledger.remark(CA, 1);
    let before = ledger.nodes[HU].disk.clone();
    let index = ledger.remark(HU, 6);
    let note = ledger.note(HU, 7, "minister");
    ledger.equivocate(HU, before, note, CA);
    let good = evidence(&ledger, US, HU, index);
    put(out, "fork/good", "reserved", "the log has forked", good.clone());
    let mut bend = |name: &str, words, change: &dyn Fn(&mut String)| {
        put(
            out,
            &format!("fork/{name}"),
            "refused",
            words,
            rewritten(&ledger, &good, |e| change(e.fork.as_mut().unwrap())),
        );
    };
    let keys = |text: &str| {
        let start = text.find("\"keys\":[").unwrap();
        let end = start + text[start..].find("\"],").unwrap() + 3;
        (start, end)
    };
    bend("without-its-key", "fork", &|text| {
        let (start, end) = keys(text);
        text.replace_range(start..end, "");
    });
    bend("its-key-twice", "fork", &|text| {
        let (start, end) = keys(text);
        let note = text[start + 8..end - 2].to_owned();
        text.replace_range(start..end, &format!("\"keys\":[{note},{note}],"));
    });
    bend("its-key-changed", "fork", &|text| *text = text.replacen("retired", "lost", 1));
}

/// Sweden, whose keys are numbered after those of the others.
pub const SE: usize = 4;

pub fn sweden() -> Party {
    let public = |job| key(SE, job).public().clone();
    Party {
        code: "SE".into(),
        name: "Sweden".into(),
        roles: vec![Role::StateParty],
        root: public("root"),
        log: public("log"),
        witness: public("witness"),
        peer: "12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxSE".into(),
        addresses: Vec::new(),
    }
}

/// The treaty is amended: Sweden accedes and is heard, then Russia withdraws from a date on.
pub struct Amended {
    pub ledger: Ledger,
    /// A note by the United States before any of it, and one after the accession that Sweden has received.
    pub notes: [u64; 2],
    /// Notes by Russia before the date, after it, and dated back before it.
    pub late: [u64; 3],
}

pub fn amendments() -> Amended {
    let mut ledger = ledger();
    let first = ledger.remark(US, 1);
    let accession = vec![
        Change::Accede(Box::new(sweden())),
        Change::Quorum(vec!["group most 3 CA HU RU US SE".into(), "quorum most".into()]),
    ];
    let mut note = SignedNote::parse(&ledger.amendment(accession, &[CA, HU, US])).unwrap();
    note.sign(&key(SE, "root"));
    let accession = note.to_bytes();
    ledger.submit(CA, accession.clone()).unwrap();
    // Sweden's own log: the amendment, a grant, a note, and receipts for what the United States had said.
    let mut disk = Memory::default();
    let mut speak = |ledger: &mut Ledger, kind, payload: &[u8]| {
        let time = Timestamp::from_posix(ledger.now / 1000);
        let head = append(&mut disk, SE, ledger.treaty.hash(), &key(SE, "log"), (time, kind, payload));
        ledger.spread(SE, head);
    };
    speak(&mut ledger, RecordType::Amendment, &accession);
    let grant = ledger.grant(SE, "minister", "Minister", "*");
    speak(&mut ledger, RecordType::Credential, &grant);
    let second = ledger.remark(US, 2);
    let note =
        ledger.note_of(SE, 3, ("remark", json!({"text": "remark 3"})), &["*"], Vec::new(), &[key(SE, "minister")]);
    speak(&mut ledger, RecordType::Notification, &note);
    let head = ledger.nodes[CA].disk.head(US, u64::MAX).unwrap().unwrap();
    let mut head = SignedNote::parse(&head).unwrap();
    head.retain(|line| line.name == "trial/US");
    Cosignature::sign(&mut head, &key(SE, "witness"), ledger.now / 1000);
    speak(&mut ledger, RecordType::Receipt, &head.to_bytes());

    let from = Timestamp::from_posix(ledger.now / 1000 + 86_400);
    let leaves = vec![Change::Status { party: "RU".into(), roles: vec![Role::Observer], from }];
    // Four of five by now.
    let leaves = ledger.amendment(leaves, &[CA, HU, US, SE]);
    ledger.submit(HU, leaves.clone()).unwrap();
    speak(&mut ledger, RecordType::Amendment, &leaves);
    let before = ledger.remark(RU, 4);
    ledger.now += 2 * 86_400_000;
    let after = ledger.note(RU, 5, "minister");
    let after = ledger.log_anyway(RU, RecordType::Notification, &after);
    let back = ledger.note(RU, 6, "minister");
    let time = Timestamp::from_posix(ledger.now / 1000 - 2 * 86_400);
    let back = ledger.log_anyway_at(RU, time, key(RU, "log"), RecordType::Notification, &back);
    ledger.remark(US, 7);
    Amended { ledger, notes: [first, second], late: [before, after, back] }
}

fn amended(out: &mut Vec<Golden>) {
    let Amended { ledger, notes, late } = amendments();
    put(out, "amended/before-it", "sound", "VERIFIED", evidence(&ledger, CA, US, notes[0]));
    let good = evidence(&ledger, CA, US, notes[1]);
    put(out, "amended/good", "sound", "with its first 1 amendments", good.clone());
    put(out, "amended/before-the-date", "sound", "VERIFIED", evidence(&ledger, CA, RU, late[0]));
    let former = evidence(&ledger, CA, RU, late[1]);
    put(out, "amended/former-party", "reserved", "no longer a party", former.clone());
    let back = evidence(&ledger, CA, RU, late[2]);
    put(out, "amended/dated-back", "reserved", "no longer a party", back.clone());
    twins(out, "amended", &ledger, &good);
    let parts = Evidence::parse(&good, &ledger.treaty.hash()).unwrap().amendments;
    assert!(!parts.logged.is_empty(), "{parts:?}");
    let mut bend = |name: &str, words, from: &[u8], change: &dyn Fn(&mut Evidence)| {
        put(out, &format!("amended/{name}"), "refused", words, rewritten(&ledger, from, change));
    };
    bend("without-the-accession", "heads[0]", &good, &|e| e.amendments = Default::default());
    bend("amendment-twice", "amendments.logged[1]", &good, &|e| {
        let item = e.amendments.logged[0].clone();
        e.amendments.logged.insert(1, item);
    });
    bend("amendment-changed", "amendments.logged[0]", &good, &|e| {
        let item = &mut e.amendments.logged[0];
        item.record = item.record.replacen("Sweden", "Swoden", 1);
    });
    bend("amendment-elsewhere", "amendments.logged[0]", &good, &|e| e.amendments.logged[0].path[0].0[0] ^= 1);
    bend("an-amendment-that-nothing-needs", "amendments.known", &good, &|e| {
        let item = e.amendments.logged.pop().unwrap();
        let payload = item.record.split_once('\n').unwrap().1.to_owned();
        if e.amendments.known.is_empty() && !e.amendments.logged.is_empty() {
            e.amendments.known.push(payload);
        } else {
            e.amendments.known.push(format!("{payload}x"));
        }
    });
    bend("the-withdrawal-left-out", "amendments", &back, &|e| {
        e.amendments.logged.pop();
    });
    bend("a-clock-that-nothing-needs", "amendments.clock", &former, &|e| {
        e.amendments.clock = Some(e.amendments.logged[0].clone());
    });
}

/// The later key of a log signs where the earlier one should.
pub fn later(party: usize) -> SigningKey {
    later_key(party, "log")
}
