//! Golden exports of a whole ledger, and their tampered twins.

use verbale::audit::Selection;
use verbale::ledger::RecordType;

use crate::common::files::{Files, bent, cut, exported, frames, swap};
use crate::common::{CA, HU, Ledger, RU, US};

/// A folder with what every verifier is to say of it.
pub struct Folder {
    pub name: String,
    pub outcome: &'static str,
    pub words: &'static str,
    pub files: Files,
}

pub fn folders() -> Vec<Folder> {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.online(&[CA, RU, US]);
    ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    ledger.online(&[CA, HU, RU, US]);
    let stranger = ledger.note(US, 5, "stranger");
    ledger.log_anyway(US, RecordType::Notification, &stranger);
    ledger.log_anyway(US, RecordType::Credential, b"no credential\n");
    ledger.remark(HU, 4);
    let good = exported(&ledger, CA, Selection::default());

    let mut out = Vec::new();
    let mut put = |name: &str, outcome, words, files: Files| {
        assert!(name == "good" || files != good, "{name}");
        out.push(Folder { name: format!("ledger/{name}"), outcome, words, files });
    };
    put("good", "sound", "VERIFIED", good.clone());
    let mut forked = Ledger::new();
    forked.remark(CA, 1);
    let before = forked.nodes[HU].disk.clone();
    forked.remark(HU, 6);
    let note = forked.note(HU, 7, "minister");
    forked.equivocate(HU, before, note, CA);
    put("forked", "reserved", "a log has forked", exported(&forked, RU, Selection::default()));
    let mut shorter = good.clone();
    for (name, least) in [("records", "records.txt"), ("checkpoints", "checkpoints.txt")] {
        let mut parts = frames(&shorter[&format!("logs/HU/{least}")]);
        parts.pop();
        shorter.insert(format!("logs/HU/{name}.txt"), parts.concat());
    }
    put("a-log-cut-short", "reserved", "longer than what is", shorter);

    let mut bend = |name: &str, words, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        put(name, "refused", words, bent(&good, file, change));
    };
    let (records, heads, receipts) = ("logs/RU/records.txt", "logs/RU/checkpoints.txt", "logs/RU/receipts.txt");
    // Records and heads are read side by side: where they do not fit, either may be named.
    let log = "logs/RU/";
    bend("text-changed", log, records, &|b| swap(b, "remark 2", "remark 9"));
    bend("logged-earlier", log, records, &|b| swap(b, "\"time\":\"2021", "\"time\":\"2020"));
    bend("record-taken-out", log, records, &|b| cut(b, |frames| drop(frames.remove(4))));
    bend("record-twice", log, records, &|b| cut(b, |frames| frames.insert(4, frames[4].clone())));
    bend("records-swapped", log, records, &|b| cut(b, |frames| frames.swap(4, 5)));
    bend("last-record-changed", log, records, &|b| {
        let at = b.len() - 12;
        b[at] ^= 1;
    });
    bend("last-head-taken-out", log, heads, &|b| cut(b, |frames| drop(frames.pop())));
    bend("head-signature-changed", log, heads, &|b| {
        let at = b.len() - 30;
        b[at] = if b[at] == b'A' { b'B' } else { b'A' };
    });
    bend("heads-swapped", log, heads, &|b| cut(b, |frames| frames.swap(0, 1)));
    bend("head-of-another-log", log, heads, &|b| swap(b, "trial/RU\n", "trial/US\n"));
    bend("receipt-left-out", log, receipts, &|b| {
        let end = b.iter().position(|byte| *byte == b'\n').unwrap();
        b.drain(..=end);
    });
    bend("receipt-at-another-time", log, receipts, &|b| swap(b, "time 2021", "time 2020"));
    bend("receipt-made-up", log, receipts, &|b| {
        let line = b.split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec();
        let line = String::from_utf8(line).unwrap().replace("record 1", "record 2").replace("record 3", "record 4");
        b.splice(..0, line.into_bytes());
    });
    bend("policy-changed", "policy.txt", "policy.txt", &|b| swap(b, "quorum both", "quorum others"));
    bend("profile-changed", "profile.toml", "profile.toml", &|b| swap(b, "Remark", "Demand"));
    bend("treaty-changed", "another ledger", "treaty.toml", &|b| swap(b, "A trial", "A trail"));
    bend("not-a-frame", log, records, &|b| swap(b, "record 3 bytes", "record 03 bytes"));
    let mut without = good.clone();
    without.remove("logs/US/receipts.txt");
    put("a-file-missing", "refused", "logs/US/receipts.txt", without);
    let mut more = good.clone();
    more.insert("logs/US/more.txt".into(), b"more\n".to_vec());
    put("a-file-more", "refused", "logs/US/more.txt", more);
    out
}
