//! Cosignatures by witnesses outside the ledger, as part of evidence: what they say, and that nothing in them goes
//! unchecked, by either verifier.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{CA, HU, Ledger};
use verbale::ledger::{Evidence, OutsidePart, outside_sentences, verify_evidence};
use verbale::node::{LogTiles, Read, prove};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{Checkpoint, Cosignature, inclusion_proof};

fn witness(name: &str) -> SigningKey {
    let seed = verbale::tlog::Hash::digest(name.as_bytes()).0;
    SigningKey::from_seed(name, KeyType::Cosignature, &seed).unwrap()
}

/// The evidence for a note, and heads that cover it, bare, by size.
fn evidence() -> (Ledger, Evidence, Vec<SignedNote>) {
    let mut ledger = Ledger::new();
    let index = ledger.remark(CA, 1);
    ledger.remark(CA, 2);
    ledger.remark(HU, 3);
    ledger.remark(CA, 4);
    let disk = &ledger.nodes[CA].disk;
    let proof = prove(disk, &ledger.treaty, CA, index).unwrap().unwrap();
    let evidence = Evidence::parse(&proof, &ledger.treaty.hash()).unwrap();
    let (mut heads, mut at) = (Vec::new(), index + 1);
    while let Some(bytes) = disk.head_from(CA, at).unwrap() {
        let note = SignedNote::parse(&bytes).unwrap();
        at = Checkpoint::parse(note.text()).unwrap().size + 1;
        heads.push(note);
    }
    assert!(heads.len() > 2);
    (ledger, evidence, heads)
}

fn part(ledger: &Ledger, evidence: &Evidence, head: &SignedNote, by: &[&SigningKey]) -> OutsidePart {
    let size = Checkpoint::parse(head.text()).unwrap().size;
    let tiles = LogTiles { read: &ledger.nodes[CA].disk, log: CA };
    let path = inclusion_proof(&tiles, evidence.index, size).unwrap().unwrap();
    let mut checkpoint = head.clone();
    by.iter().for_each(|key| Cosignature::sign(&mut checkpoint, key, 1_700_000_000));
    OutsidePart { checkpoint, keys: by.iter().map(|key| key.public().clone()).collect(), path }
}

#[test]
fn they_are_told_by_their_keys_and_count_for_no_quorum() {
    let (ledger, mut evidence, heads) = evidence();
    let (a, b) = (witness("witness.example/a"), witness("witness.example/b"));
    let without = verify_evidence(&evidence.to_bytes(&ledger.treaty.hash()), &ledger.treaty, None).unwrap();
    assert!(without.outside.is_empty() && !serde_json::to_string(&without).unwrap().contains("outside"));
    evidence.outside = vec![part(&ledger, &evidence, &heads[0], &[&a]), part(&ledger, &evidence, &heads[1], &[&b, &a])];
    let with = verify_evidence(&evidence.to_bytes(&ledger.treaty.hash()), &ledger.treaty, None).unwrap();
    assert_eq!((with.receipts.clone(), with.is_final), (without.receipts, without.is_final));
    let found: Vec<_> = with.outside.iter().map(|witness| (witness.key.name(), witness.size)).collect();
    let size = |head: &SignedNote| Checkpoint::parse(head.text()).unwrap().size;
    let (first, second) = (size(&heads[0]), size(&heads[1]));
    assert_eq!(found, [("witness.example/a", first), ("witness.example/b", second), ("witness.example/a", second)]);
    let said = outside_sentences(&with.outside, std::slice::from_ref(b.public())).join("\n");
    assert!(said.contains("witness.example/b, which you trust") && said.contains("That is worth as much as the key"));
    // The same name with another key is somebody else.
    let namesake = SigningKey::from_seed("witness.example/b", KeyType::Cosignature, &[7; 32]).unwrap();
    let said = outside_sentences(&with.outside, std::slice::from_ref(namesake.public())).join("\n");
    assert!(!said.contains("which you trust") && said.contains("There is no cosignature by"), "{said}");
    // Taken away, the rest proves what it did.
    evidence.outside.clear();
    assert!(verify_evidence(&evidence.to_bytes(&ledger.treaty.hash()), &ledger.treaty, None).unwrap().is_final);
}

#[test]
fn nothing_in_them_goes_unchecked_by_either_verifier() {
    let (ledger, evidence, heads) = evidence();
    let hash = ledger.treaty.hash();
    let (a, b) = (witness("witness.example/a"), witness("witness.example/b"));
    let of = |head: usize, by: &[&SigningKey]| part(&ledger, &evidence, &heads[head], by);
    let with = |outside: Vec<OutsidePart>| Evidence { outside, ..evidence.clone() };
    let changed = |change: &dyn Fn(&mut OutsidePart)| {
        let mut part = of(0, &[&a, &b]);
        change(&mut part);
        with(vec![part])
    };
    let good = with(vec![of(0, &[&a]), of(1, &[&b, &a])]);
    let other = common::key(HU, "witness");
    let bad = [
        ("sizes that fall", with(vec![of(1, &[&a]), of(0, &[&a])])),
        ("one size twice", with(vec![of(0, &[&a]), of(0, &[&b])])),
        ("nobody's cosignature", with(vec![of(0, &[])])),
        ("a party's own key", with(vec![of(0, &[&other])])),
        ("keys in another order", changed(&|part| part.keys.reverse())),
        ("a key too many", changed(&|part| part.keys.push(witness("witness.example/c").public().clone()))),
        ("a line too many", changed(&|part| part.keys.truncate(1))),
        ("a key twice", changed(&|part| part.keys[1] = part.keys[0].clone())),
        ("another path", changed(&|part| part.path.truncate(part.path.len() - 1))),
        (
            "an altered cosignature",
            changed(&|part| {
                let mut line = part.checkpoint.signatures()[1].clone();
                line.bytes[20] ^= 1;
                let lines = part.checkpoint.signatures().to_vec();
                part.checkpoint.retain(|_| false);
                part.checkpoint.add(lines[0].clone());
                part.checkpoint.add(line);
                part.checkpoint.add(lines[2].clone());
            }),
        ),
        (
            "the log's signature missing",
            changed(&|part| {
                let own = part.checkpoint.signatures()[0].clone();
                part.checkpoint.retain(|line| *line != own);
            }),
        ),
        ("another log's head", {
            let bytes = ledger.nodes[CA].disk.head(HU, u64::MAX).unwrap().unwrap();
            let mut head = SignedNote::parse(&bytes).unwrap();
            Cosignature::sign(&mut head, &a, 1);
            let path = evidence.record.path.clone();
            with(vec![OutsidePart { checkpoint: head, keys: vec![a.public().clone()], path }])
        }),
    ];
    let mut files = vec![("good", good.to_bytes(&hash))];
    for (what, evidence) in &bad {
        let bytes = evidence.to_bytes(&hash);
        assert!(verify_evidence(&bytes, &ledger.treaty, None).is_err(), "{what}");
        files.push((what, bytes));
    }
    // Every letter of the part that they add, changed.
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    let line = text.lines().nth(1).unwrap().strip_prefix("extra ").unwrap();
    let bundle = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.decode(line).unwrap()
    };
    let start = bundle.windows(10).position(|window| window == b"\"outside\":").unwrap();
    let end = bundle.windows(10).position(|window| window == b",\"record\":" && window.len() == 10);
    let end = end.filter(|end| *end > start).unwrap_or(bundle.len());
    for at in (start..end).step_by(3) {
        let mut bundle = bundle.clone();
        bundle[at] ^= 1;
        let mut proof = verbale::tlog::TlogProof::parse(&files[0].1).unwrap();
        proof.extra = bundle;
        assert!(verify_evidence(proof.to_text().as_bytes(), &ledger.treaty, None).is_err(), "byte {at}");
    }
    second_verifier(&files);
}

fn second_verifier(files: &[(&str, Vec<u8>)]) {
    let ready = Command::new("python3").args(["-c", "import cryptography, tomllib"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        return println!("SKIPPED: the second verifier needs Python 3.11 and its package cryptography");
    }
    let dir = tempfile::tempdir().unwrap();
    let put = |name: String, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let treaty = put("treaty.toml".into(), common::treaty_text().as_bytes());
    let profile = put("profile.toml".into(), common::PROFILE.as_bytes());
    let paths: Vec<_> =
        files.iter().enumerate().map(|(at, (_, bytes))| put(format!("{at}.tlog-proof"), bytes)).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let output = Command::new("python3").arg(script).arg(treaty).arg(profile).args(paths).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), files.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for ((what, _), answer) in files.iter().zip(&answers) {
        assert_eq!(answer["verified"], *what == "good", "{what}: {answer}");
    }
    assert_eq!(answers[0]["outside"].as_array().unwrap().len(), 3);
}
