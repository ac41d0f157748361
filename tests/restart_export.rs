//! Exports of a log that was restarted: both branches are in them, and two verifiers compare every head with both.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::files::{Files, exported, frames, write_folder};
use common::restarted::{forked, keeping_the_smaller, signed};
use common::{CA, HU, Ledger, RU};
use serde_json::{Value, json};
use verbale::audit::{Form, Job, Selection, verify_export};

/// What the second verifier says about each path; `None` where Python or its library is missing.
fn ask(dir: &Path, paths: &[PathBuf]) -> Option<Vec<Value>> {
    let ready = Command::new("python3").args(["-c", "import cryptography, tomllib"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: the second verifier needs Python 3.11 and its package cryptography");
        return None;
    }
    let (treaty, profile) = (dir.join("treaty.toml"), dir.join("profile.toml"));
    fs::write(&treaty, common::treaty_text()).unwrap();
    fs::write(&profile, common::PROFILE).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let output = Command::new("python3").arg(script).args([treaty, profile]).args(paths).output().unwrap();
    let answers: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), paths.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(answers)
}

/// A log that was restarted, as Canada exports it: with a third branch in others' logs or without.
fn restarted(keeps_smaller: bool, third: bool) -> Ledger {
    let (mut ledger, twin, note) = match keeps_smaller {
        true => keeping_the_smaller(),
        false => {
            let (ledger, _, _, twin) = forked();
            let note = signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
            (ledger, twin, note)
        }
    };
    let old = ledger.kept_copy.take().unwrap();
    if keeps_smaller {
        ledger.put_back(RU, twin);
    }
    ledger.submit(RU, note).unwrap();
    for _ in 0..6 {
        ledger.settle();
    }
    ledger.remark(RU, 30);
    ledger.settle();
    if third {
        let note = ledger.note(RU, 77, "minister");
        ledger.equivocate(RU, old, note, HU);
    }
    for _ in 0..4 {
        ledger.settle();
    }
    ledger
}

#[test]
fn both_verifiers_explain_the_two_branches_of_a_certificate_and_no_third_one() {
    let dir = tempfile::tempdir().unwrap();
    let branch = "branches/RU-1.txt";
    for keeps_smaller in [false, true] {
        let name = |what: &str| format!("{keeps_smaller}-{what}");
        let good = exported(&restarted(keeps_smaller, false), CA, Selection::default());
        let third = exported(&restarted(keeps_smaller, true), CA, Selection::default());
        assert!(good.contains_key(branch) && third.contains_key(branch));
        let without = |files: &Files| {
            let mut files = files.clone();
            files.remove(branch).unwrap();
            files
        };
        let mut bent = good.clone();
        let at = bent[branch].len() / 2;
        bent.get_mut(branch).unwrap()[at] ^= 1;
        let mut shorter = good.clone();
        let whole = frames(&shorter[branch]);
        shorter.insert(branch.into(), whole[..whole.len() - 1].concat());
        let mut twice = good.clone();
        twice.insert("branches/RU-2.txt".into(), good[branch].clone());
        // Whether it verifies, whether Russia's log is said to have forked, and whether that could not be told.
        let mut paths = Vec::new();
        for (what, files, expected) in [
            ("good", good.clone(), (true, false, false)),
            ("third", third.clone(), (false, true, false)),
            // Others' logs prove that it contradicts the other branch's head as well.
            ("third-without", without(&third), (false, true, true)),
            ("bent", bent, (false, false, false)),
            ("shorter", shorter, (false, false, false)),
            ("twice", twice, (false, false, false)),
        ] {
            let folder = dir.path().join(name(what));
            write_folder(&folder, &files);
            paths.push((folder, expected, files));
        }
        let answers = ask(dir.path(), &paths.iter().map(|(path, ..)| path.clone()).collect::<Vec<_>>());
        let Some(answers) = answers else { return };
        for ((path, (sound, forked, unchecked), _), theirs) in paths.iter().zip(answers) {
            let report = verify_export(path, None, &mut |_, _| {}).unwrap();
            let ours = (report.is_sound(), !report.forks.is_empty(), !report.unchecked.is_empty());
            println!("{}: {ours:?}", path.display());
            let refused = !sound && !forked && !unchecked;
            if refused {
                assert!(report.faults.iter().any(|fault| fault.file.starts_with("branches/")), "{}", path.display());
            } else {
                assert_eq!(ours, (*sound, *forked, *unchecked), "{}: {report:#?}", path.display());
                assert_eq!(theirs["forks"], if *forked { json!(["RU"]) } else { json!([]) }, "{theirs}");
                assert_eq!(theirs.get("unchecked"), unchecked.then_some(&json!(["RU"])), "{theirs}");
            }
            assert_eq!(theirs["verified"], *sound, "{}: {theirs}", path.display());
        }
        // Without the branch, what only its records explain is neither explained nor a fork.
        let folder = dir.path().join(name("without"));
        write_folder(&folder, &without(&good));
        let report = verify_export(&folder, None, &mut |_, _| {}).unwrap();
        assert!(report.forks.is_empty() && report.is_sound() == report.unchecked.is_empty(), "{report:#?}");
        let theirs = &ask(dir.path(), std::slice::from_ref(&folder)).unwrap()[0];
        assert_eq!(theirs["verified"], report.is_sound(), "{theirs}");
        let report = verify_export(&paths[0].0, None, &mut |_, _| {}).unwrap();
        assert_eq!(report.restarts[0].branch.unwrap().notifications, if keeps_smaller { 6 } else { 2 });
    }
}

/// An archive is read in its order, and says the same.
#[test]
fn an_archive_has_both_branches_too() {
    for (third, expected) in [(false, true), (true, false)] {
        let ledger = restarted(true, third);
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("ledger.tar.zst");
        let (treaty, profile) = (ledger.treaty_text.as_bytes(), ledger.profile_text.as_bytes());
        let (read, selection, form) = (&ledger.nodes[CA].disk, Selection::default(), Form::Archive);
        let job = Job { read, treaty, profile, selection, form, target: &target, resume: false };
        job.run(&mut |_, _, _| {}).unwrap();
        let report = verify_export(&target, Some(treaty), &mut |_, _| {}).unwrap();
        assert_eq!(report.is_sound(), expected, "{report:#?}");
        assert!(report.restarts[0].branch.is_some() && report.faults.is_empty());
        assert_eq!(report.forks.len(), usize::from(third));
    }
}
