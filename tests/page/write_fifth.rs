//! The fifth folder of golden files: a ledger that went on after a restart, with both branches and keys that were replaced
//! before and after. Exports of it, evidence of notes on either branch, and what can be done to them.

use verbale::audit::Selection;
use verbale::ledger::{Evidence, OutsidePart, RecordType, Restart, Timestamp};
use verbale::node::{BranchRead, Memory, prove};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{Cosignature, Hash};

use crate::common::bend::{bent_note, with_lines};
use crate::common::files::{Files, bent, cut, exported, swap};
use crate::common::restarted::{certificate, part_ways, signed};
use crate::common::{CA, HU, Ledger, RU, START, US, append, key, later_key};
use crate::write::{Golden, put, rewritten, twins};
use crate::write_ledger::Folder;

/// Russia's log has parted after its key was replaced, and Hungary's receipts are by a later key. Nothing is said of it yet.
struct Parted {
    ledger: Ledger,
    /// Of notes before it, on the branch that goes on, and on the other.
    common: u64,
    kept: u64,
    other: u64,
    /// The disks with the other branch, and with what all had before.
    twin: Memory,
    old: Memory,
}

fn parted() -> Parted {
    let mut ledger = Ledger::new();
    ledger.submit(HU, ledger.rotation(HU, "witness", true)).unwrap();
    let common = ledger.remark(RU, 1);
    ledger.submit(RU, ledger.rotation(RU, "log", false)).unwrap();
    let (kept, other, twin) = part_ways(&mut ledger, &[20]);
    let old = ledger.kept_copy.take().unwrap();
    Parted { ledger, common, kept, other, twin, old }
}

/// Its root has accepted both branches; all go on, and Canada's log key is replaced.
fn restarted() -> (Parted, u64) {
    let mut parted = parted();
    let ledger = &mut parted.ledger;
    let note = signed(ledger, RU, &ledger.nodes[CA].disk, &parted.twin);
    ledger.submit(RU, note).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    ledger.submit(CA, ledger.rotation(CA, "log", true)).unwrap();
    let after = ledger.remark(RU, 9);
    ledger.remark(CA, 10);
    ledger.settle();
    (parted, after)
}

fn on_the_other(ledger: &Ledger, by: usize, index: u64) -> Vec<u8> {
    let disk = &ledger.nodes[by].disk;
    let branch = BranchRead::open(disk, &ledger.treaty, RU, 1).unwrap().unwrap();
    prove(&branch, &ledger.treaty, RU, index).unwrap().unwrap()
}

pub fn golden() -> Vec<Golden> {
    let out = &mut Vec::new();
    let (Parted { ledger, common, kept, other, .. }, after) = restarted();
    let evidence = |index| prove(&ledger.nodes[HU].disk, &ledger.treaty, RU, index).unwrap().unwrap();
    put(out, "common/good", "sound", "older than both branches", evidence(common));
    put(out, "after/good", "sound", "accepted both as its own", evidence(after));
    for (kind, outcome, words, good) in [
        ("kept", "sound", "stands on the branch that goes on", evidence(kept)),
        ("other", "reserved", "was sent all the same", on_the_other(&ledger, HU, other)),
    ] {
        put(out, &format!("{kind}/good"), outcome, words, good.clone());
        twins(out, kind, &ledger, &good);
        branches(out, kind, &ledger, &good);
    }
    outside(out, &ledger, &evidence(kept));
    std::mem::take(out)
}

/// A witness outside the ledger, with a name of its own and with that of a party's key.
fn outside(out: &mut Vec<Golden>, ledger: &Ledger, kept: &[u8]) {
    for (name, outcome, words, witness) in [
        ("good", "sound", "Somebody with the key of witness.example/university", "witness.example/university"),
        ("named-like-a-party", "refused", "outside[0]", "trial/CA/witness"),
        ("named-like-a-log", "refused", "outside[0]", "trial/RU"),
    ] {
        let witness = SigningKey::from_seed(witness, KeyType::Cosignature, &[9; 32]).unwrap();
        let bytes = rewritten(ledger, kept, |e| {
            let mut checkpoint = with_lines(&e.checkpoint, |at| at == 0);
            Cosignature::sign(&mut checkpoint, &witness, START + 86_400);
            let (keys, path) = (vec![witness.public().clone()], e.record.path.clone());
            e.outside = vec![OutsidePart { checkpoint, keys, path }];
        });
        put(out, &format!("outside/{name}"), outcome, words, bytes);
    }
}

/// What can be done to a file that speaks of two branches and of later keys.
fn branches(out: &mut Vec<Golden>, kind: &str, ledger: &Ledger, good: &[u8]) {
    let mut bend = |name: &str, outcome, words, change: &dyn Fn(&mut Evidence)| {
        put(out, &format!("{kind}/{name}"), outcome, words, rewritten(ledger, good, change));
    };
    let what = "restarts[0]";
    let certificate = |e: &Evidence, change: &dyn Fn(String) -> String, by: &SigningKey| {
        let text = SignedNote::parse(e.restarts[0].certificate.as_bytes()).unwrap().text().to_owned();
        let mut note = SignedNote::new(change(text)).unwrap();
        note.sign(by);
        String::from_utf8(note.to_bytes()).unwrap()
    };
    // The certificate can be taken away, with what it says; what is left proves less.
    let (outcome, words) =
        if kind == "kept" { ("sound", "VERIFIED") } else { ("reserved", "do not make the treaty's quorum") };
    bend("without-its-certificate", outcome, words, &|e| e.restarts.clear());
    bend("without-keys", "refused", "the checkpoint", &|e| e.keys.clear());
    bend("one-key-left-out", "refused", "", &|e| drop(e.keys.remove(0)));
    bend("certificate-twice", "refused", "restarts[1]", &|e| e.restarts.push(e.restarts[0].clone()));
    bend("certificate-by-nobody", "refused", what, &|e| {
        e.restarts[0].certificate = bent_note(&e.restarts[0].certificate, 0);
    });
    bend("certificate-by-the-log-key", "refused", what, &|e| {
        e.restarts[0].certificate = certificate(e, &|text| text, &later_key(RU, "log"));
    });
    bend("certificate-of-another-party", "refused", what, &|e| {
        let change = |text: String| text.replace("\"party\":\"RU\"", "\"party\":\"CA\"");
        e.restarts[0].certificate = certificate(e, &change, &key(CA, "root"));
    });
    bend("parts-past-the-heads", "refused", what, &|e| {
        let change = |text: String| text.replace("\"common\":", "\"common\":9");
        e.restarts[0].certificate = certificate(e, &change, &key(RU, "root"));
    });
    // What the root signed a second time, it said: which branch goes on is its word.
    let (outcome, words) = if kind == "kept" {
        ("sound", "was sent all the same")
    } else {
        ("reserved", "do not make the treaty's quorum")
    };
    bend("branches-exchanged", outcome, words, &|e| {
        let change = |text: String| text.replace("\"kept_leaf\":", "\"keep\":\"smaller\",\"kept_leaf\":");
        e.restarts[0].certificate = certificate(e, &change, &key(RU, "root"));
    });
    bend("branch-path-changed", "refused", what, &|e| e.restarts[0].path[0].0[0] ^= 1);
    bend("branch-path-longer", "refused", what, &|e| e.restarts[0].path.push(Hash([0; 32])));
    bend("branch-path-shorter", "refused", what, &|e| e.restarts[0].path.truncate(1));
}

const BRANCH: &str = "branches/RU-1.txt";

pub fn folders() -> Vec<Folder> {
    let mut out = Vec::new();
    let (Parted { mut ledger, old, .. }, _) = restarted();
    let good = exported(&ledger, CA, Selection::default());
    assert!(
        ["logs/RU/keys.txt", "logs/CA/keys.txt", "logs/HU/keys.txt", BRANCH]
            .iter()
            .all(|name| good.contains_key(*name))
    );
    put_folder(&mut out, "ledger/good", "sound", "VERIFIED", good.clone());
    put_folder(
        &mut out,
        "ledger/as-another-party-has-it",
        "sound",
        "VERIFIED",
        exported(&ledger, US, Selection::default()),
    );
    folder_twins(&mut out, &good);

    let part = |parties: &[&str]| {
        let parties = parties.iter().map(|code| (*code).to_owned()).collect();
        exported(&ledger, CA, Selection { parties, ..Selection::default() })
    };
    let russias = part(&["RU"]);
    put_folder(&mut out, "part/of-the-restarted-log", "sound", "VERIFIED", russias.clone());
    put_folder(&mut out, "part/of-another-log", "sound", "VERIFIED", part(&["HU"]));
    let mut more = russias;
    more.insert(BRANCH.into(), good[BRANCH].clone());
    put_folder(&mut out, "part/with-the-other-branch", "sound", "The other branch is here", more);

    // A third branch, which no certificate names.
    let note = ledger.note(RU, 77, "minister");
    ledger.equivocate(RU, old, note, HU);
    ledger.settle();
    let third = exported(&ledger, CA, Selection::default());
    put_folder(&mut out, "ledger/a-third-branch", "reserved", "a log has forked", third.clone());
    let mut without = third;
    without.remove(BRANCH).unwrap();
    put_folder(&mut out, "ledger/a-third-branch-and-the-other-left-out", "reserved", "a log has forked", without);
    out.extend(void());
    out
}

fn put_folder(out: &mut Vec<Folder>, name: &str, outcome: &'static str, words: &'static str, files: Files) {
    out.push(Folder { name: name.into(), outcome, words, files });
}

fn folder_twins(out: &mut Vec<Folder>, good: &Files) {
    let mut bend = |name: &str, words, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        put_folder(out, &format!("ledger/{name}"), "refused", words, bent(good, file, change));
    };
    let (log, keys, receipts) = ("logs/RU/records.txt", "logs/RU/keys.txt", "logs/RU/receipts.txt");
    let letter = |bytes: &mut Vec<u8>, at: usize| bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    bend("other-branch-changed", BRANCH, BRANCH, &|b| swap(b, "remark 4", "remark 8"));
    bend("other-branch-dated-back", BRANCH, BRANCH, &|b| swap(b, "\"time\":\"2021", "\"time\":\"2020"));
    bend("other-branch-cut-short", BRANCH, BRANCH, &|b| cut(b, |items| drop(items.pop())));
    bend("other-branch-emptied", BRANCH, BRANCH, &|b| b.clear());
    bend("other-branch-without-its-beginning", BRANCH, BRANCH, &|b| cut(b, |items| drop(items.remove(0))));
    bend("other-branch-with-a-record-twice", BRANCH, BRANCH, &|b| cut(b, |items| items.push(items[1].clone())));
    bend("other-branch-turned-round", BRANCH, BRANCH, &|b| cut(b, |items| items.swap(1, 2)));
    bend("other-branch-begins-elsewhere", BRANCH, BRANCH, &|b| {
        let end = b.iter().position(|byte| *byte == b'\n').unwrap();
        letter(b, end + 7);
    });
    bend("other-branch-begins-later", BRANCH, BRANCH, &|b| swap(b, "count ", "count 1"));
    bend("certificate-changed", "logs/RU/", log, &|b| swap(b, "put back from", "got back from"));
    bend("first-record-of-the-kept-branch-changed", "logs/RU/", log, &|b| swap(b, "remark 2", "remark 8"));
    bend("receipt-for-the-other-branch-left-out", receipts, receipts, &|b| {
        let text = String::from_utf8(b.clone()).unwrap();
        let mut lines: Vec<_> = text.split_inclusive('\n').collect();
        // Those of one size and two roots.
        let word = |line: &str, at: usize| line.split(' ').nth(at).unwrap().to_owned();
        let twice = |line: &&str| lines.iter().any(|l| word(l, 1) == word(line, 1) && word(l, 3) != word(line, 3));
        let at = lines.iter().position(|line| line.contains(" by US ") && twice(line)).unwrap();
        lines.remove(at);
        *b = lines.concat().into_bytes();
    });
    bend("keys-emptied", "logs/RU/", keys, &|b| b.clear());
    for (name, as_named) in
        [("other-branch-twice", "branches/RU-2.txt"), ("other-branch-of-another-log", "branches/CA-1.txt")]
    {
        let mut more = good.clone();
        more.insert(as_named.into(), good[BRANCH].clone());
        put_folder(out, &format!("ledger/{name}"), "refused", as_named, more);
    }
    // Whoever exported may not hold the other branch: two sizes of it that others receipted cannot be told from a third one.
    let mut without = good.clone();
    without.remove(BRANCH).unwrap();
    put_folder(out, "ledger/other-branch-not-held", "reserved", "could not be compared", without);
}

/// What stands in the place of a certificate and is none: the log is forked, and its party goes on all the same.
fn void() -> Vec<Folder> {
    let mut out = Vec::new();
    let mut make = |name: &str, certificate: &dyn Fn(&Ledger, Restart) -> Vec<u8>, early: bool| {
        let Parted { ledger, twin, .. } = parted();
        let mut disk = ledger.nodes[CA].disk.clone();
        let restart = certificate_of(&ledger, &twin);
        let mut log = |kind, payload: &[u8]| {
            let time = Timestamp::from_posix(ledger.now / 1000);
            append(&mut disk, RU, ledger.treaty.hash(), &later_key(RU, "log"), (time, kind, payload));
        };
        if early {
            log(RecordType::Notification, &ledger.note(RU, 8, "minister"));
        }
        log(RecordType::Credential, &certificate(&ledger, restart));
        let mut ledger = ledger;
        ledger.nodes[CA].disk = disk;
        let files = exported(&ledger, CA, Selection::default());
        put_folder(&mut out, &format!("void/{name}"), "reserved", "a log has forked", files);
    };
    let root = key(RU, "root");
    make("by-the-log-key", &|_, r| r.sign(&later_key(RU, "log")).unwrap().to_bytes(), false);
    make("by-another-root", &|_, r| r.sign(&key(CA, "root")).unwrap().to_bytes(), false);
    make("too-late", &|_, r| r.sign(&root).unwrap().to_bytes(), true);
    make("of-another-ledger", &|_, r| Restart { ledger: Hash([1; 32]), ..r }.sign(&root).unwrap().to_bytes(), false);
    make(
        "with-another-kept-leaf",
        &|_, r| Restart { kept_leaf: Hash([1; 32]), ..r }.sign(&root).unwrap().to_bytes(),
        false,
    );
    make("parts-elsewhere", &|_, r| Restart { common: r.common - 1, ..r }.sign(&root).unwrap().to_bytes(), false);
    out
}

fn certificate_of(ledger: &Ledger, twin: &Memory) -> Restart {
    certificate(ledger, RU, &ledger.nodes[CA].disk, twin)
}
