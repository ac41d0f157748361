//! `verbale verify` as a person and a script see it: words, JSON, exit codes.
#![cfg(feature = "cli")]

mod common;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Output};

use common::{CA, HU, Ledger, RU, US};
use serde_json::Value;
use verbale::audit::export;
use verbale::ledger::{Record, RecordType, Timestamp};
use verbale::node::prove;
use verbale::tlog::{Appender, Checkpoint, leaf_hash};

fn verify(home: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
    command.current_dir(home).env_remove("VERBALE_HOME").arg("verify").args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A folder with the treaty file, evidence for a note of each kind of trouble, and an export.
fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    put("treaty.toml", common::treaty_text().as_bytes());
    put("profile.toml", common::PROFILE.as_bytes());
    put("other.toml", common::treaty_text().replace("A trial", "Another").as_bytes());
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let good = ledger.remark(RU, 2);
    let note = ledger.note(US, 3, "stranger");
    let marked = ledger.log_anyway(US, RecordType::Notification, &note);
    let evidence =
        |ledger: &Ledger, log, index| prove(&ledger.nodes[RU].disk, &ledger.treaty, log, index).unwrap().unwrap();
    let bytes = evidence(&ledger, RU, good);
    put("good", &bytes);
    put("cut", &bytes[..bytes.len() / 2]);
    put("marked", &evidence(&ledger, US, marked));
    let folder = |ledger: &Ledger, name: &str| {
        let (treaty, profile) = (common::treaty_text(), common::PROFILE);
        let path = dir.path().join(name);
        export(&ledger.nodes[RU].disk, treaty.as_bytes(), profile.as_bytes(), &path, &mut |_, _| {}).unwrap();
    };
    folder(&ledger, "export");
    folder(&ledger, "bent");
    let path = dir.path().join("bent/logs/HU/records.txt");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Minister", "Monister")).unwrap();
    let before = ledger.nodes[HU].disk.clone();
    let forked = ledger.remark(HU, 4);
    let note = ledger.note(HU, 5, "minister");
    ledger.equivocate(HU, before, note, CA);
    put("forked", &evidence(&ledger, HU, forked));
    folder(&ledger, "split");
    ledger.online(&[RU]);
    let lonely = ledger.remark(RU, 6);
    put("lonely", &evidence(&ledger, RU, lonely));
    dir
}

#[test]
fn a_person_reads_sentences_and_a_script_reads_codes() {
    let dir = desk();
    let cases: [(&[&str], i32, &str); 12] = [
        (&["good"], 0, "VERIFIED"),
        (&["good", "--treaty", "treaty.toml", "--profile", "profile.toml"], 0, "Russia sent this note: “Remark”"),
        (&["marked"], 1, "the note is not in order"),
        (&["lonely"], 1, "do not make the treaty's quorum"),
        (&["forked"], 1, "the log has forked"),
        (&["cut"], 1, "does not verify"),
        (&["good", "--treaty", "other.toml"], 1, "for another ledger"),
        (&["good", "--profile", "other.toml"], 3, "other.toml"),
        (&["nothing"], 3, "nothing"),
        (&["export"], 0, "Compare its SHA-256"),
        (&["export", "--treaty", "other.toml"], 1, "of another ledger"),
        (&["bent"], 1, "was altered after Hungary signed for it"),
    ];
    for (arguments, expected, words) in cases {
        let (code, out, err) = verify(dir.path(), arguments);
        println!("$ verbale verify {}\n{out}{err}", arguments.join(" "));
        assert_eq!(code, expected, "{arguments:?}: {out}{err}");
        assert!(format!("{out}{err}").contains(words), "{arguments:?} should say {words:?}: {out}{err}");
        assert!(!format!("{out}{err}").contains('\x1b'), "no colour in a pipe");
        assert_eq!(code == 0, err.is_empty(), "{arguments:?}: {err}");
    }
    assert_eq!(verify(dir.path(), &["split"]).0, 1);
}

/// A folder in which Canada's log has so many records of 60 kB each, under one head.
#[cfg(unix)]
fn long(folder: &Path, records: u64) -> u64 {
    let mut ledger = Ledger::bare();
    ledger.online(&[]);
    let (treaty, profile) = (common::treaty_text(), common::PROFILE);
    export(&ledger.nodes[CA].disk, treaty.as_bytes(), profile.as_bytes(), folder, &mut |_, _| {}).unwrap();
    let mut out = BufWriter::new(File::create(folder.join("logs/CA/records.txt")).unwrap());
    let payload = [b"x".repeat(60_000), b"\n".to_vec()].concat();
    let (mut edge, mut prev) = (Appender::default(), ledger.treaty.hash());
    for index in 0..records {
        let time = Timestamp::from_posix(common::START + index);
        let (log, kind) = (ledger.treaty.origin(CA), RecordType::Credential);
        let bytes = Record { index, log, prev, time, kind, payload: &payload }.to_bytes().unwrap();
        writeln!(out, "record {index} bytes {}", bytes.len()).unwrap();
        out.write_all(&bytes).unwrap();
        out.write_all(b"\n").unwrap();
        prev = leaf_hash(&bytes);
        edge.push(prev, &mut Vec::new());
    }
    out.into_inner().unwrap();
    let origin = ledger.treaty.origin(CA).to_owned();
    let head =
        Checkpoint { origin, size: records, root: edge.root() }.sign(&common::key(CA, "log")).unwrap().to_bytes();
    let head = [format!("checkpoint {records} bytes {}\n", head.len()).into_bytes(), head, b"\n".to_vec()].concat();
    fs::write(folder.join("logs/CA/checkpoints.txt"), head).unwrap();
    fs::metadata(folder.join("logs/CA/records.txt")).unwrap().len()
}

#[test]
#[cfg(unix)]
fn a_folder_larger_than_the_memory_that_is_allowed_is_audited() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("export");
    let bytes = long(&folder, 6_000);
    // All of the address space, the program itself included.
    let kilobytes = 192 * 1024;
    assert!(bytes > kilobytes * 1024 * 3 / 2, "the folder has {bytes} bytes");
    let script = format!("ulimit -v {kilobytes} && exec \"$0\" verify \"$1\"");
    let output = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_verbale")]).arg(&folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("CA: 6000 records"), "{text}");
}

#[test]
fn json_has_the_verdict_whatever_it_is() {
    let dir = desk();
    for (name, sound) in [("good", true), ("marked", false), ("lonely", false), ("forked", false)] {
        let (code, out, _) = verify(dir.path(), &[name, "--json"]);
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &value["sound"]), (i32::from(!sound), &Value::from(sound)));
        assert_eq!(value["verdict"]["title"], "Remark");
    }
    for (name, sound) in [("export", true), ("bent", false), ("split", false)] {
        let (code, out, _) = verify(dir.path(), &[name, "--json", "--treaty", "treaty.toml"]);
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &value["sound"]), (i32::from(!sound), &Value::from(sound)));
        assert_eq!(value["report"]["logs"].as_array().unwrap().len(), 4);
    }
}

#[test]
fn compressed_evidence_says_the_same_and_nothing_may_hide_in_it() {
    let dir = desk();
    let plain = fs::read(dir.path().join("good")).unwrap();
    let pack = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    put("note.tlog-proof.zst", &pack(&plain));
    put("named-otherwise", &pack(&plain));
    let good = verify(dir.path(), &["good"]);
    assert_eq!(verify(dir.path(), &["note.tlog-proof.zst"]), good);
    assert_eq!(verify(dir.path(), &["named-otherwise"]), good);
    // Altered, cut off, with something behind it, twice, and unpacking to more than evidence may be.
    let mut bent = plain.clone();
    let at = bent.len() - 40;
    bent[at] ^= 1;
    put("bent.zst", &pack(&bent));
    let packed = pack(&plain);
    put("cut.zst", &packed[..packed.len() - 5]);
    put("more.zst", &[packed.clone(), b"more".to_vec()].concat());
    put("twice.zst", &[packed.clone(), packed.clone()].concat());
    let noise: Vec<u8> =
        (0..verbale::ledger::MAX_EVIDENCE_BYTES as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    put("long.zst", &pack(&[b"c2sp.org/tlog-proof@v1\n".to_vec(), noise].concat()));
    put("bomb.zst", &pack(&[b"c2sp.org/tlog-proof@v1\n".to_vec(), vec![b'A'; 64 << 20]].concat()));
    for name in ["bent.zst", "cut.zst", "more.zst", "twice.zst", "long.zst", "bomb.zst"] {
        let (code, out, error) = verify(dir.path(), &[name]);
        assert!(code != 0 && !out.starts_with("VERIFIED") && error.contains("error: "), "{name}: {code} {out} {error}");
        assert!(!error.contains("panicked"), "{name}: {error}");
    }
    let (_, _, error) = verify(dir.path(), &["bomb.zst"]);
    assert!(error.contains("unpacks to more than"), "{error}");
}
