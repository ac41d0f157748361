//! Golden exports of the second folder: a ledger whose keys have changed, an amended one, and parts.

use serde_json::json;
use verbale::audit::Selection;
use verbale::ledger::{RecordType, Timestamp};
use verbale::node::Read;
use verbale::note::SignedNote;
use verbale::tlog::leaf_hash;

use crate::common::files::{Files, bent, cut, exported, frames, swap};
use crate::common::{self, CA, HU, Ledger, RU, US, key};
use crate::write_ledger::Folder;
use crate::write_second::{self, amendments, later, rotation};

pub fn folders() -> Vec<Folder> {
    let mut out = Vec::new();
    rotated(&mut out);
    amended(&mut out);
    parts(&mut out);
    out
}

fn put(out: &mut Vec<Folder>, name: &str, outcome: &'static str, words: &'static str, files: Files) {
    out.push(Folder { name: name.into(), outcome, words, files });
}

/// A head's frame with another note in it.
fn head(frame: &mut Vec<u8>, change: impl FnOnce(SignedNote) -> SignedNote) {
    let end = frame.iter().position(|b| *b == b'\n').unwrap();
    let line = String::from_utf8(frame[..end].to_vec()).unwrap();
    let note = change(SignedNote::parse(&frame[end + 1..frame.len() - 1]).unwrap()).to_bytes();
    let size = line.split(' ').nth(1).unwrap();
    *frame = [format!("checkpoint {size} bytes {}\n", note.len()).into_bytes(), note, b"\n".to_vec()].concat();
}

fn rotated(out: &mut Vec<Folder>) {
    let (ledger, _) = rotation();
    let good = exported(&ledger, CA, Selection::default());
    put(out, "rotated/good", "sound", "VERIFIED", good.clone());
    let (keys, heads, receipts) = ("logs/RU/keys.txt", "logs/RU/checkpoints.txt", "logs/RU/receipts.txt");
    let mut bend = |name: &str, words, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        put(out, &format!("rotated/{name}"), "refused", words, bent(&good, file, change));
    };
    // Without the key, either the heads that need it or the list itself may be named.
    let log = "logs/RU/";
    bend("a-list-emptied", log, keys, &|b| b.clear());
    bend("a-list-with-another-time", keys, keys, &|b| swap(b, "\"time\":\"2021-06-18T09", "\"time\":\"2021-06-18T08"));
    bend("a-list-with-the-same-twice", keys, keys, &|b| b.extend(b.clone()));
    let grant = {
        let records = frames(&good["logs/RU/records.txt"]);
        records.into_iter().find(|record| String::from_utf8_lossy(record).contains("\"action\":\"grant\"")).unwrap()
    };
    bend("a-grant-in-the-list", keys, keys, &|b| drop(b.splice(..0, grant.clone())));
    bend("the-reason-why-changed", log, keys, &|b| swap(b, "retired", "retirex"));
    bend("a-head-by-the-old-key", heads, heads, &|b| {
        cut(b, |heads| {
            head(heads.last_mut().unwrap(), |note| {
                let mut old = SignedNote::new(note.text().to_owned()).unwrap();
                old.sign(&key(RU, "log"));
                old
            });
        });
    });
    bend("a-head-by-the-later-key", heads, heads, &|b| {
        cut(b, |heads| {
            head(&mut heads[0], |note| {
                let mut new = SignedNote::new(note.text().to_owned()).unwrap();
                new.sign(&later(RU));
                new
            });
        });
    });
    let both = |frame: &Vec<u8>| String::from_utf8_lossy(frame).matches('—').count() == 2;
    bend("the-changeover-without-the-old-key", heads, heads, &|b| {
        cut(b, |heads| {
            let at = heads.iter().position(both).unwrap();
            head(&mut heads[at], |note| common::bend::with_lines(&note, |at| at == 1));
        });
    });
    bend("the-changeover-without-the-new-key", heads, heads, &|b| {
        cut(b, |heads| {
            let at = heads.iter().position(both).unwrap();
            head(&mut heads[at], |note| common::bend::with_lines(&note, |at| at == 0));
        });
    });
    bend("the-changeover-turned-round", heads, heads, &|b| {
        cut(b, |heads| {
            let at = heads.iter().position(both).unwrap();
            head(&mut heads[at], |note| {
                let mut turned = SignedNote::new(note.text().to_owned()).unwrap();
                note.signatures().iter().rev().for_each(|line| turned.add(line.clone()));
                turned
            });
        });
    });
    bend("a-receipt-left-out", receipts, receipts, &|b| {
        let end = b.iter().position(|byte| *byte == b'\n').unwrap();
        b.drain(..=end);
    });
    let mut without = good.clone();
    without.remove("logs/CA/keys.txt");
    put(out, "rotated/a-list-missing", "refused", "logs/CA/keys.txt", without);
    let mut more = good.clone();
    more.insert("logs/US/keys.txt".into(), good[keys].clone());
    put(out, "rotated/a-list-of-another", "refused", "logs/US/keys.txt", more);
}

fn amended(out: &mut Vec<Folder>) {
    let ledger = amendments().ledger;
    let good = exported(&ledger, CA, Selection::default());
    // A note after the date is marked, as is the one dated back; the folder verifies.
    put(out, "amended-ledger/good", "sound", "VERIFIED", good.clone());
    let mut bend = |name: &str, words, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        put(out, &format!("amended-ledger/{name}"), "refused", words, bent(&good, file, change));
    };
    bend("accession-changed", "amendments/001.note", "amendments/001.note", &|b| swap(b, "Sweden", "Swoden"));
    bend("a-signature-changed", "amendments/002.note", "amendments/002.note", &|b| {
        let at = b.len() - 30;
        b[at] = if b[at] == b'A' { b'B' } else { b'A' };
    });
    bend("too-few-signed", "amendments/002.note", "amendments/002.note", &|b| {
        let note = SignedNote::parse(b).unwrap();
        *b = common::bend::with_lines(&note, |at| at < 2).to_bytes();
    });
    bend("swedens-note-changed", "logs/SE/", "logs/SE/records.txt", &|b| swap(b, "remark 3", "remark 9"));
    bend("swedens-receipt-left-out", "logs/US/receipts.txt", "logs/US/receipts.txt", &|b| {
        let text = String::from_utf8(b.clone()).unwrap();
        *b = text.split_inclusive('\n').filter(|line| !line.contains(" by SE ")).collect::<String>().into_bytes();
    });
    let mut without = good.clone();
    without.remove("amendments/002.note");
    put(out, "amended-ledger/the-last-one-missing", "refused", "records.txt", without);
    let mut gap = good.clone();
    gap.remove("amendments/001.note");
    put(out, "amended-ledger/the-first-one-missing", "refused", "amendments/002.note", gap);
    let mut more = good.clone();
    more.insert("amendments/003.note".into(), good["amendments/002.note"].clone());
    put(out, "amended-ledger/one-more", "refused", "amendments/003.note", more);
}

/// A thread, a confidential note, and a change of key: what of it is asked for, and what is withheld.
fn parted() -> Ledger {
    let mut ledger = write_second::ledger();
    ledger.remark(CA, 1);
    let asked = ledger.remark(RU, 2);
    ledger.submit(RU, ledger.rotation(RU, "log", false)).unwrap();
    let secret = json!({"text": "remark 3", "secret": "for nobody else"});
    let secret = ledger.note_of(RU, 3, ("remark", secret), &["*"], Vec::new(), &[key(RU, "minister")]);
    ledger.submit(RU, secret).unwrap();
    let answer = ledger.reply(CA, 4, "minister", ledger.refer(RU, asked));
    ledger.submit(CA, answer).unwrap();
    ledger.now += 86_400_000;
    ledger.remark(RU, 5);
    ledger.remark(US, 6);
    let clerk = ledger.note(US, 7, "clerk");
    ledger.log_anyway(US, RecordType::Notification, &clerk);
    ledger.remark(HU, 8);
    ledger
}

fn parts(out: &mut Vec<Folder>) {
    let ledger = parted();
    let later = Timestamp::from_posix(common::START + 43_200);
    let asked = ledger.nodes[RU].disk.size(RU).unwrap() - 3;
    let part = |selection: Selection| exported(&ledger, HU, selection);
    let by_party = part(Selection { parties: vec!["RU".into()], ..Selection::default() });
    put(out, "part/by-party", "sound", "VERIFIED", by_party.clone());
    let kinds = vec!["withdrawal".into(), "acknowledgement".into()];
    put(out, "part/by-kind", "sound", "VERIFIED", part(Selection { kinds, ..Selection::default() }.sorted()));
    put(out, "part/by-time", "sound", "VERIFIED", part(Selection { since: Some(later), ..Selection::default() }));
    let until = Selection { parties: vec!["US".into(), "CA".into()], until: Some(later), ..Selection::default() };
    put(out, "part/by-party-and-time", "sound", "VERIFIED", part(until.sorted()));
    let thread = ledger.nodes[RU].disk.records(RU, 0, 64, 1 << 20).unwrap();
    let thread = thread.iter().position(|record| String::from_utf8_lossy(record).contains("remark 2")).unwrap();
    let threads = vec![format!("RU/{thread}").parse().unwrap()];
    put(out, "part/by-thread", "sound", "VERIFIED", part(Selection { threads, ..Selection::default() }));
    let ranges = vec![format!("RU/2..{asked}").parse().unwrap()];
    let parties = vec!["CA".into()];
    let range = part(Selection { parties, ranges, ..Selection::default() });
    put(out, "part/by-range", "sound", "VERIFIED", range.clone());
    let redact = vec!["confidential".parse().unwrap()];
    let redacted = part(Selection { redact, ..Selection::default() });
    put(out, "part/redacted", "sound", "VERIFIED", redacted.clone());
    let both =
        Selection { parties: vec!["RU".into()], redact: vec!["kind:remark".parse().unwrap()], ..Selection::default() };
    put(out, "part/by-party-redacted", "sound", "VERIFIED", part(both));

    let mut bend = |name: &str, words, from: &Files, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        put(out, &format!("part/{name}"), "refused", words, bent(from, file, change));
    };
    let (log, records) = ("logs/RU/", "logs/RU/records.txt");
    let is = |word: &'static str| move |frame: &Vec<u8>| frame.starts_with(word.as_bytes());
    let letter = |frame: &mut Vec<u8>, at: usize| frame[at] = if frame[at] == b'A' { b'B' } else { b'A' };
    bend("withheld-hash-changed", log, &redacted, records, &|b| {
        cut(b, |items| {
            let at = items.iter().position(is("redacted")).unwrap();
            let end = items[at].len() - 20;
            letter(&mut items[at], end);
        });
    });
    bend("withheld-without-saying-so", "records.txt", &by_party, "logs/RU/records.txt", &|b| {
        cut(b, |items| {
            let at = items.iter().position(|item| String::from_utf8_lossy(item).contains("remark 2")).unwrap();
            let end = items[at].iter().position(|byte| *byte == b'\n').unwrap();
            let leaf = leaf_hash(&items[at][end + 1..items[at].len() - 1]).to_base64();
            items[at] = format!("redacted {at} leaf {leaf}\n").into_bytes();
        });
    });
    let omitted = "logs/CA/records.txt";
    bend("left-out-hash-changed", "logs/CA/", &by_party, omitted, &|b| {
        cut(b, |items| {
            let at = items.iter().position(is("omitted")).unwrap();
            let end = items[at].len() - 20;
            letter(&mut items[at], end);
        });
    });
    bend("left-out-one-more", "logs/CA/", &by_party, omitted, &|b| {
        cut(b, |items| {
            let at = items.iter().position(is("omitted")).unwrap();
            let text = String::from_utf8(items[at].clone()).unwrap();
            let count = text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
            let more = (count.parse::<u64>().unwrap() + 1).to_string();
            items[at] = text.replacen(&format!("count {count}"), &format!("count {more}"), 1).into_bytes();
        });
    });
    bend("a-record-changed", log, &by_party, records, &|b| swap(b, "remark 2", "remark 9"));
    bend("a-record-taken-out", log, &by_party, records, &|b| {
        cut(b, |items| {
            let at = items.iter().position(|item| String::from_utf8_lossy(item).contains("remark 2")).unwrap();
            drop(items.remove(at));
        });
    });
    bend("asked-for-out-of-order", "part.json", &by_party, "part.json", &|b| swap(b, "[\"RU\"]", "[\"US\",\"RU\"]"));
    bend("asked-for-nobody", "part.json", &by_party, "part.json", &|b| swap(b, "[\"RU\"]", "[\"XX\"]"));
    bend("asked-for-everything", "part.json", &by_party, "part.json", &|b| swap(b, "[\"RU\"]", "[]"));
    bend("a-range-that-is-not-there", "part.json", &range, "part.json", &|b| swap(b, "RU/2..", "RU/0.."));
    bend("a-field-more", "part.json", &range, "part.json", &|b| swap(b, ",\"v\":1", ",\"v\":1,\"zeal\":1"));
    let mut whole = by_party.clone();
    whole.remove("part.json");
    put(out, "part/said-to-be-whole", "refused", "records.txt", whole);
    let mut none = by_party;
    none.remove("logs/RU/keys.txt");
    put(out, "part/without-its-keys", "refused", "logs/RU/", none);
}
