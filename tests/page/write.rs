//! How the golden files were made. They are kept as bytes: nothing here writes over one.
//!
//! `cargo test --test page write -- --ignored` writes those that are missing, and their lines in `expected.tsv`.

use std::fs;
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use verbale::ledger::{Evidence, OutsidePart, RecordType};
use verbale::node::prove;
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{Cosignature, Hash, TlogProof};

use crate::common::bend::{self, changed_line, late_hungary, proof_of_silence, silent_canada, with_lines as lines};
use crate::common::files::{read_folder, write_folder};
use crate::common::{self, CA, HU, Ledger, RU, US};
use crate::write_ledger::{self, Folder};
use crate::{write_fifth, write_fourth, write_second, write_second_ledger, write_third};

/// A file with what every verifier is to say of it.
pub struct Golden {
    pub name: String,
    /// `sound`, `reserved` (every byte verifies, but there is something to be said against it) or `refused`.
    pub outcome: &'static str,
    /// Words that the command line says.
    pub words: &'static str,
    pub bytes: Vec<u8>,
}

/// The profile that the first folder was made with.
const FIRST_PROFILE: &str = include_str!("../golden/first/profile.toml");

/// All of the first folder, from fixed keys and times.
fn golden() -> Vec<Golden> {
    let mut out = Vec::new();
    notes(&mut out);
    silence(&mut out);
    fork(&mut out);
    outside(&mut out);
    out
}

pub fn put(out: &mut Vec<Golden>, name: &str, outcome: &'static str, words: &'static str, bytes: Vec<u8>) {
    let name = format!("{name}.tlog-proof");
    assert!(out.iter().all(|golden| golden.name != name), "{name} is made twice");
    out.push(Golden { name, outcome, words, bytes });
}

fn evidence(ledger: &Ledger, log: usize, index: u64) -> Vec<u8> {
    prove(&ledger.nodes[US].disk, &ledger.treaty, log, index).unwrap().unwrap()
}

fn notes(out: &mut Vec<Golden>) {
    let (ledger, index) = late_hungary();
    let good = evidence(&ledger, RU, index);
    put(out, "note/good", "sound", "VERIFIED", good.clone());
    let other = Evidence::parse(&evidence(&ledger, RU, index + 1), &ledger.treaty.hash()).unwrap();

    // What a note can be while every byte verifies.
    let mut troubled = Ledger::new();
    let stranger = troubled.note(US, 4, "stranger");
    let at = troubled.log_anyway(US, RecordType::Notification, &stranger);
    put(out, "note/by-a-stranger", "reserved", "the note is not in order", evidence(&troubled, US, at));
    let clerk = troubled.note(US, 5, "clerk");
    let at = troubled.log_anyway(US, RecordType::Notification, &clerk);
    put(out, "note/by-a-clerk", "reserved", "may not sign notes of the kind", evidence(&troubled, US, at));
    let at = troubled.log_anyway(US, RecordType::Notification, b"no note at all\n");
    put(out, "note/no-note-at-all", "reserved", "cannot be read as a notification", evidence(&troubled, US, at));
    let mut lonely = Ledger::new();
    lonely.online(&[US, RU]);
    let at = lonely.remark(RU, 6);
    put(out, "note/without-quorum", "reserved", "do not make the treaty's quorum", evidence(&lonely, RU, at));

    twins(out, "note", &ledger, &good);
    let mut bend = |name: &str, words, change: &dyn Fn(&mut Evidence)| {
        let bytes = rewritten(&ledger, &good, change);
        put(out, &format!("note/{name}"), "refused", words, bytes);
    };
    bend("other-record", "the record", &|e| e.record.record = other.record.record.clone());
    bend("receipt-as-record", "the record", &|e| e.record.record = e.anchors[0].receipt.record.clone());
    bend("head-changed", "heads[0]", &|e| {
        let text = String::from_utf8(e.heads[0].checkpoint.to_bytes()).unwrap();
        let size = text.split('\n').nth(1).unwrap();
        let larger = (size.parse::<u64>().unwrap() + 1).to_string();
        e.heads[0].checkpoint = SignedNote::parse(text.replacen(size, &larger, 1).as_bytes()).unwrap();
    });
    bend("head-path-changed", "heads[0]", &|e| e.heads[0].path[0].0[31] ^= 1);
    bend("head-twice", "heads[1]", &|e| e.heads.push(e.heads[0].clone()));
    bend("head-without-receipt", "heads[0]", &|e| e.heads[0].checkpoint = lines(&e.heads[0].checkpoint, |at| at == 0));
    bend("anchor-record-changed", "anchors[0]", &|e| {
        let record = &mut e.anchors[0].record.record;
        *record = record.replacen("\"time\":\"2021", "\"time\":\"2031", 1);
    });
    bend("anchor-path-longer", "anchors[1]", &|e| e.anchors[1].record.path.push(Hash([0; 32])));
    bend("anchors-swapped", "anchors[1]", &|e| e.anchors.swap(0, 1));
}

/// A day on which Canada did not answer Russia, and one on which it did.
fn silence(out: &mut Vec<Golden>) {
    let (ledger, [asked, unanswered, unheard], query) = silent_canada();
    let proof = |index| proof_of_silence(&ledger, index, &query);
    put(out, "silence/answered", "reserved", "refers to this note", proof(asked));
    put(out, "silence/unheard", "sound", "No receipt by Canada", proof(unheard));
    let good = proof(unanswered);
    put(out, "silence/good", "sound", "Canada had not answered", good.clone());
    let few = rewritten(&ledger, &good, |e| {
        let part = e.silence.as_mut().unwrap();
        part.head = lines(&part.head, |at| at < 2);
    });
    put(out, "silence/seen-by-too-few", "reserved", "these are not a quorum", few);

    twins(out, "silence", &ledger, &good);
    let answered = proof(asked);
    let mut bend = |name: &str, from: &[u8], words, change: &dyn Fn(&mut Evidence)| {
        let bytes = rewritten(&ledger, from, change);
        put(out, &format!("silence/{name}"), "refused", words, bytes);
    };
    bend("answer-cut-out", &answered, "silence.records", &|e| {
        e.silence.as_mut().unwrap().records.retain(|record| !record.contains("\"type\":\"notification\""));
    });
    bend("record-cut-off", &good, "silence.records", &|e| drop(e.silence.as_mut().unwrap().records.pop()));
    bend("record-changed", &good, "silence.records", &|e| {
        let record = &mut e.silence.as_mut().unwrap().records[0];
        *record = record.replacen("\"time\":\"2021", "\"time\":\"2020", 1);
    });
    bend("begins-elsewhere", &good, "silence.roots", &|e| e.silence.as_mut().unwrap().roots[0].0[0] ^= 1);
    bend("without-since", &good, "silence.", &|e| e.silence.as_mut().unwrap().since = None);
    bend("of-another-party", &good, "silence.", &|e| e.silence.as_mut().unwrap().party = "HU".into());
    bend("of-itself", &good, "silence.party", &|e| e.silence.as_mut().unwrap().party = "RU".into());
    bend("stretched-in-time", &good, "silence.head", &|e| {
        let part = e.silence.as_mut().unwrap();
        let last = part.head.signatures().len() - 1;
        part.head = changed_line(&part.head, last, |bytes| bytes[7] ^= 1);
    });
}

/// Hungary shows two histories.
fn fork(out: &mut Vec<Golden>) {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let before = ledger.nodes[HU].disk.clone();
    let index = ledger.remark(HU, 6);
    let note = ledger.note(HU, 7, "minister");
    ledger.equivocate(HU, before, note, CA);
    let good = evidence(&ledger, HU, index);
    put(out, "fork/good", "reserved", "the log has forked", good.clone());
    twins(out, "fork", &ledger, &good);
    let mut bend = |name: &str, words, change: &dyn Fn(&mut String)| {
        let bytes = rewritten(&ledger, &good, |e| change(e.fork.as_mut().unwrap()));
        put(out, &format!("fork/{name}"), "refused", words, bytes);
    };
    bend("root-changed", "fork", &|text| {
        let at = text.find("\"root\":\"").unwrap() + 8;
        let digit = if &text[at..=at] == "0" { "1" } else { "0" };
        text.replace_range(at..=at, digit);
    });
    bend("signature-changed", "fork", &|text| {
        let at = text.find("trial/HU ").unwrap() + 40;
        let letter = if &text[at..=at] == "A" { "B" } else { "A" };
        text.replace_range(at..=at, letter);
    });
    bend("one-head-twice", "fork", &|text| {
        let field = |name: &str| text.split(&format!("\"{name}\":\"")).nth(1).unwrap().split("\",\"").next().unwrap();
        let (smaller, larger) = (field("smaller").to_owned(), field("larger").to_owned());
        *text = text.replace(&smaller, &larger);
    });
}

/// A university has cosigned a head as well.
fn outside(out: &mut Vec<Golden>) {
    let (ledger, index) = late_hungary();
    let witness =
        |seed| SigningKey::from_seed("witness.example/university", KeyType::Cosignature, &[seed; 32]).unwrap();
    let part = |evidence: &Evidence, key: &SigningKey| {
        let mut checkpoint = lines(&evidence.checkpoint, |at| at == 0);
        Cosignature::sign(&mut checkpoint, key, common::START + 86_400);
        OutsidePart { checkpoint, keys: vec![key.public().clone()], path: evidence.record.path.clone() }
    };
    let good = rewritten(&ledger, &evidence(&ledger, RU, index), |e| e.outside = vec![part(e, &witness(9))]);
    put(out, "outside/good", "sound", "Somebody with the key of witness.example/university", good.clone());
    let mut bend = |name: &str, words, change: &dyn Fn(&mut Evidence)| {
        put(out, &format!("outside/{name}"), "refused", words, rewritten(&ledger, &good, change));
    };
    bend("another-key", "outside[0]", &|e| e.outside[0].keys = vec![witness(8).public().clone()]);
    bend("without-a-key", "outside[0]", &|e| e.outside[0].keys.clear());
    bend("time-changed", "outside[0]", &|e| {
        let part = &mut e.outside[0];
        part.checkpoint = changed_line(&part.checkpoint, 1, |bytes| bytes[7] ^= 1);
    });
    bend("path-changed", "outside[0]", &|e| e.outside[0].path[0].0[0] ^= 1);
    bend("a-party-as-outsider", "outside[0]", &|e| {
        let key = common::key(CA, "witness");
        e.outside = vec![part(e, &key)];
    });
    bend("twice", "outside[1]", &|e| e.outside.push(e.outside[0].clone()));
}

/// What can be done to any evidence file.
pub fn twins(out: &mut Vec<Golden>, kind: &str, ledger: &Ledger, good: &[u8]) {
    let text = String::from_utf8(good.to_vec()).unwrap();
    let mut raw = |name: &str, words, bytes: Vec<u8>| {
        assert_ne!(bytes, good, "{name}");
        put(out, &format!("{kind}/{name}"), "refused", words, bytes);
    };
    raw("cut-off", "does not verify", good[..good.len() - 40].to_vec());
    raw("a-byte-more", "does not verify", [good, b"\n"].concat());
    raw("first-line", "line 1", text.replacen("@v1", "@v2", 1).into_bytes());
    let extra = text.find("extra ").unwrap() + 6;
    raw("unused-bits-in-base64", "does not verify", unused_bits(&text, extra));
    let index = text.split('\n').find(|line| line.starts_with("index ")).unwrap();
    let next = format!("index {}", index[6..].parse::<u64>().unwrap() + 1);
    raw("other-index", "does not verify", text.replacen(index, &next, 1).into_bytes());
    let leading = format!("index 0{}", &index[6..]);
    raw("index-with-a-zero", "line 3", text.replacen(index, &leading, 1).into_bytes());
    let proof = TlogProof::parse(good).unwrap();
    let with_extra = |change: &dyn Fn(String) -> String| {
        let extra = change(String::from_utf8(proof.extra.clone()).unwrap()).into_bytes();
        TlogProof { extra, ..proof.clone() }.to_text().into_bytes()
    };
    raw("a-space-in-the-bundle", "extra data", with_extra(&|text| text.replacen(':', ": ", 1)));
    raw("an-unknown-field", "`zeal`", with_extra(&|text| text.replacen(",\"v\":1}", ",\"v\":1,\"zeal\":1}", 1)));
    raw("a-version-to-come", "`v`", with_extra(&|text| text.replacen(",\"v\":1}", ",\"v\":2}", 1)));

    let hash = ledger.treaty.hash();
    let mut bend = |name: &str, words, change: &dyn Fn(&mut Evidence)| {
        let bytes = rewritten(ledger, good, change);
        put(out, &format!("{kind}/{name}"), "refused", words, bytes);
    };
    bend("text-changed", "the record", &|e| e.record.record = e.record.record.replacen("remark ", "Remark ", 1));
    bend("addressee-changed", "the record", &|e| {
        e.record.record = e.record.record.replacen("\"to\":[\"CA\"", "\"to\":[\"HU\"", 1);
    });
    bend("logged-earlier", "the record", &|e| {
        e.record.record = e.record.record.replacen("\"time\":\"2021-06-18T09:0", "\"time\":\"2021-06-18T08:0", 1);
    });
    bend("path-changed", "the record", &|e| e.record.path[0].0[0] ^= 1);
    bend("path-longer", "the record", &|e| e.record.path.push(Hash([0; 32])));
    bend("path-shorter", "the record", &|e| e.record.path.truncate(e.record.path.len() - 1));
    bend("log-signature-changed", "the checkpoint", &|e| {
        e.checkpoint = changed_line(&e.checkpoint, 0, |bytes| bytes[0] ^= 1);
    });
    bend("log-signature-with-another-s", "the checkpoint", &|e| {
        e.checkpoint = changed_line(&e.checkpoint, 0, |bytes| add_order(&mut bytes[32..]));
    });
    bend("receipt-with-another-s", "the checkpoint", &|e| {
        e.checkpoint = changed_line(&e.checkpoint, 1, |bytes| add_order(&mut bytes[40..]));
    });
    bend("receipt-signature-changed", "the checkpoint", &|e| {
        e.checkpoint = changed_line(&e.checkpoint, 1, |bytes| bytes[70] ^= 1);
    });
    bend("receipt-time-changed", "the checkpoint", &|e| {
        e.checkpoint = changed_line(&e.checkpoint, 1, |bytes| bytes[7] ^= 1);
    });
    bend("receipt-by-a-stranger", "the checkpoint", &|e| {
        let mut line = e.checkpoint.signatures()[1].clone();
        line.name = "trial/XX/witness".into();
        e.checkpoint.add(line);
    });
    bend("log-signature-last", "the checkpoint", &|e| {
        let first = e.checkpoint.signatures()[0].clone();
        e.checkpoint = lines(&e.checkpoint, |at| at > 0);
        e.checkpoint.add(first);
    });
    let words = if ["keys", "other"].contains(&kind) { "keys" } else { "the checkpoint" };
    bend("without-log-signature", words, &|e| e.checkpoint = lines(&e.checkpoint, |at| at > 0));
    bend("credential-changed", "credentials[0]", &|e| {
        e.credentials[0].record = e.credentials[0].record.replacen("Minister", "Monister", 1);
    });
    bend("credential-twice", "credentials[1]", &|e| e.credentials.push(e.credentials[0].clone()));
    bend("anchor-without-its-receipt", "anchors[0]", &|e| e.anchors[0].receipt = e.anchors[0].record.clone());
    let other = Evidence::parse(good, &hash).unwrap().to_bytes(&Hash([7; 32]));
    put(out, &format!("{kind}/for-another-treaty"), "refused", "another ledger", other);
}

/// The same file with another content.
pub fn rewritten(ledger: &Ledger, bytes: &[u8], change: impl FnOnce(&mut Evidence)) -> Vec<u8> {
    let changed = bend::rewritten(ledger, bytes, change);
    assert_ne!(changed, bytes, "nothing was changed");
    changed
}

/// S + L: the same number modulo the group's order, which a lax verifier takes.
fn add_order(s: &mut [u8]) {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, l) in s.iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
}

/// Base64 that decodes to the same bytes for a lax reader: a bit is set that means nothing; or the padding is left out.
fn unused_bits(text: &str, extra: usize) -> Vec<u8> {
    let end = extra + text[extra..].find('\n').unwrap();
    let encoded = &text[extra..end];
    let bent = match encoded.len() - encoded.trim_end_matches('=').len() {
        0 => format!("{encoded}===="),
        padding => {
            let at = encoded.len() - padding - 1;
            let letter = char::from(encoded.as_bytes()[at] + 1);
            let bent = format!("{}{letter}{}", &encoded[..at], &encoded[at + 1..]);
            assert!(BASE64.decode(&bent).is_err());
            bent
        }
    };
    format!("{}{bent}{}", &text[..extra], &text[end..]).into_bytes()
}

#[test]
#[ignore = "writes golden files that are missing"]
fn write_golden_files() {
    let folders = write_ledger::folders();
    keep("first", &common::treaty_text(), FIRST_PROFILE, golden(), folders);
    let (treaty, profile) = (write_second::treaty_text(), write_second::PROFILE);
    keep("second", &treaty, profile, write_second::golden(), write_second_ledger::folders());
    keep("third", write_third::TREATY, common::PROFILE, write_third::golden(), Vec::new());
    keep("fourth", &write_fourth::treaty_text(), write_fourth::profile(), write_fourth::golden(), Vec::new());
    keep("fifth", &common::treaty_text(), common::PROFILE, write_fifth::golden(), write_fifth::folders());
}

/// Writes what is missing, and its lines in `expected.tsv`.
fn keep(name: &str, treaty: &str, profile: &str, golden: Vec<Golden>, folders: Vec<Folder>) {
    let folder = &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut table = fs::read_to_string(folder.join("expected.tsv")).unwrap_or_default();
    fs::create_dir_all(folder).unwrap();
    for (name, text) in [("treaty.toml", treaty), ("profile.toml", profile)] {
        if !folder.join(name).exists() {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for golden in golden {
        let path = folder.join(&golden.name);
        if path.exists() {
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, golden.bytes).unwrap();
        table.push_str(&format!("{}\t{}\t{}\n", golden.name, golden.outcome, golden.words));
    }
    for made in folders.into_iter().filter(|made| !folder.join(&made.name).exists()) {
        write_folder(&folder.join(&made.name), &made.files);
        table.push_str(&format!("{}\t{}\t{}\n", made.name, made.outcome, made.words));
    }
    fs::write(folder.join("expected.tsv"), table).unwrap();
}

/// Written again, every file of the later folders is the one that is kept: the same keys and times give the same bytes.
#[test]
fn the_later_folders_are_written_again_to_the_byte() {
    let kept = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    for (name, made) in [
        ("second", write_second::golden()),
        ("third", write_third::golden()),
        ("fourth", write_fourth::golden()),
        ("fifth", write_fifth::golden()),
    ] {
        for golden in made {
            let path = kept(name).join(&golden.name);
            assert!(fs::read(path).is_ok_and(|kept| kept == golden.bytes), "{}", golden.name);
        }
    }
    for (name, made) in [("second", write_second_ledger::folders()), ("fifth", write_fifth::folders())] {
        for made in made {
            assert!(read_folder(&kept(name).join(&made.name)) == made.files, "{}", made.name);
        }
    }
}
