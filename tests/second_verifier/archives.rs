//! Archives before the second verifier.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use verbale::audit::{Selection, verify_export};
use verbale::node::prove;

use crate::Desk;
use crate::common::files::archived;
use crate::common::{self, CA, HU, Ledger, RU};

/// An archive with another tar in it.
fn repacked(archive: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut tar = zstd::decode_all(archive).unwrap();
    change(&mut tar);
    zstd::encode_all(tar.as_slice(), 3).unwrap()
}

/// Archives, whole and in part, and each way in which one may be none: neither verifier takes less than all of it.
#[test]
fn both_verifiers_say_the_same_of_an_archive() {
    let Some(desk) = Desk::new() else { return };
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let index = ledger.remark(RU, 2);
    let evidence = prove(&ledger.nodes[HU].disk, &ledger.treaty, RU, index).unwrap().unwrap();
    let part = Selection { parties: [CA].map(|at| common::code(at).to_owned()).into(), ..Selection::default() };
    let whole = archived(&ledger, HU, Selection::default());
    let find = |tar: &[u8], name: &str| tar.windows(name.len()).position(|at| at == name.as_bytes()).unwrap();
    let header = |tar: &mut Vec<u8>, name: &str, change: &dyn Fn(&mut tar::Header)| {
        let at = find(tar, name);
        let mut header = tar::Header::from_byte_slice(&tar[at..at + 512]).clone();
        change(&mut header);
        header.set_cksum();
        tar[at..at + 512].copy_from_slice(header.as_bytes());
    };
    let mut paths = vec![
        desk.put("whole.tar.zst", &whole),
        desk.put("part.tar.zst", &archived(&ledger, HU, part)),
        desk.put("repacked.tar.zst", &repacked(&whole, |_| {})),
    ];
    let sound = paths.len();
    let two = repacked(&whole, |tar| tar.extend([0; 512]));
    let bent: Vec<(&str, Vec<u8>)> = vec![
        ("cut-off", whole[..whole.len() - 60].to_vec()),
        ("without-its-last-byte", whole[..whole.len() - 1].to_vec()),
        ("a-byte-more", [whole.as_slice(), b"x"].concat()),
        ("two-frames", [whole.as_slice(), &whole].concat()),
        ("an-empty-frame-behind", [whole.as_slice(), &zstd::encode_all(&b""[..], 3).unwrap()].concat()),
        ("a-block-more", two),
        (
            "a-record-changed",
            repacked(&whole, |tar| {
                let at = find(tar, "remark 1");
                tar[at] ^= 0x20;
            }),
        ),
        ("another-owner", repacked(&whole, |tar| header(tar, "trial/policy.txt", &|h| h.set_uid(1)))),
        ("another-time", repacked(&whole, |tar| header(tar, "trial/policy.txt", &|h| h.set_mtime(1)))),
        (
            "a-link",
            repacked(&whole, |tar| header(tar, "trial/policy.txt", &|h| h.set_entry_type(tar::EntryType::Symlink))),
        ),
        (
            "another-ledger",
            repacked(&whole, |tar| header(tar, "trial/policy.txt", &|h| h.set_path("other/policy.txt").unwrap())),
        ),
        (
            "a-file-that-is-none-of-ours",
            repacked(&whole, |tar| header(tar, "trial/policy.txt", &|h| h.set_path("trial/policy.exe").unwrap())),
        ),
        (
            "a-file-twice",
            repacked(&whole, |tar| {
                let at = find(tar, "trial/policy.txt");
                let length = tar::Header::from_byte_slice(&tar[at..at + 512]).size().unwrap() as usize;
                let whole = 512 + length.next_multiple_of(512);
                tar.splice(at..at, tar[at..at + whole].to_vec());
            }),
        ),
        (
            "files-swapped",
            repacked(&whole, |tar| {
                let (first, second) = (find(tar, "trial/README.txt"), find(tar, "trial/treaty.toml"));
                let third = find(tar, "trial/profile.toml");
                tar[first..third].rotate_left(second - first);
            }),
        ),
        (
            "bytes-between",
            repacked(&whole, |tar| {
                let at = find(tar, "trial/treaty.toml");
                tar[at - 1] = 1;
            }),
        ),
        ("no-archive", zstd::encode_all(&b"nothing"[..], 3).unwrap()),
    ];
    paths.extend(bent.iter().map(|(name, bytes)| desk.put(&format!("{name}.tar.zst"), bytes)));
    let all = desk.ask(&paths);
    for (at, (path, answer)) in paths.iter().zip(&all).enumerate() {
        let report = verify_export(path, Some(common::treaty_text().as_bytes()), &mut |_, _| {});
        let ours = report.as_ref().is_ok_and(|report| report.is_sound());
        assert_eq!(
            (answer["verified"] == true, ours),
            (at < sound, at < sound),
            "{}: {answer} {report:?}",
            path.display()
        );
        if at < sound {
            let logs = &report.unwrap().logs;
            for (theirs, ours) in answer["logs"].as_array().unwrap().iter().zip(logs) {
                assert_eq!((&theirs["party"], &theirs["final"]), (&json!(ours.party), &json!(ours.final_size)));
            }
        }
    }
    // An evidence file is read out of its compression as well.
    let packed = desk.put("note.tlog-proof.zst", &zstd::encode_all(evidence.as_slice(), 3).unwrap());
    let plain = desk.put("note.tlog-proof", &evidence);
    let answers = desk.ask(&[packed, plain]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["verified"], true);
    // Where nothing can unpack it, nothing is verified, and what is missing is named.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let files = ["treaty.toml", "profile.toml", "whole.tar.zst"].map(|name| desk.dir.path().join(name));
    let output = Command::new(python.trim())
        .args([
            "-c",
            "import sys, runpy, importlib.util as u; find = u.find_spec\n\
               u.find_spec = lambda name, *more: None if name == 'zstandard' else find(name, *more)\n\
               sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
        ])
        .arg(script)
        .args(files)
        .env("PATH", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(said.contains("install Python's package zstandard or the command zstd"), "{said}");
}
