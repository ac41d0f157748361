//! Export folders: an honest one verifies, and an altered, shortened or reordered one does not.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{CA, HU, Ledger, RU, US};
use tempfile::TempDir;
use verbale::audit::{AuditError, ExportError, Report, export, verify_folder};
use verbale::ledger::RecordType;

struct Exported {
    _dir: TempDir,
    folder: PathBuf,
}

fn exported(ledger: &Ledger, by: usize) -> Exported {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("export");
    let (treaty, profile) = (common::treaty_text(), common::PROFILE);
    let mut last = (0, 0);
    export(&ledger.nodes[by].disk, treaty.as_bytes(), profile.as_bytes(), &folder, &mut |done, total| {
        last = (done, total);
    })
    .unwrap();
    assert_eq!(last.0, last.1);
    Exported { _dir: dir, folder }
}

fn audit(folder: &Path) -> Report {
    verify_folder(folder, Some(common::treaty_text().as_bytes()), &mut |_, _| {}).unwrap()
}

fn lively() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.online(&[CA, RU, US]);
    ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    ledger.online(&[CA, HU, RU, US]);
    ledger.remark(HU, 4);
    ledger
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[test]
fn an_honest_export_verifies_and_is_counted() {
    let ledger = lively();
    for by in [CA, HU, RU, US] {
        let export = exported(&ledger, by);
        let report = audit(&export.folder);
        assert!(report.is_sound(), "{report:#?}");
        assert_eq!(report.logs.len(), 4);
        for (log, it) in report.logs.iter().enumerate() {
            assert_eq!(it.records, ledger.nodes[by].engine.size(log));
            assert_eq!((it.credentials, it.void), (2, 0));
            assert_eq!(it.final_size, ledger.nodes[by].engine.final_size(log));
        }
        assert_eq!(report.logs.iter().map(|log| log.notifications).sum::<u64>(), 4);
        assert!(report.treaty_given && report.marked.is_empty());
    }
}

#[test]
#[ignore]
fn size_of_it() {
    let ledger = lively();
    let export = exported(&ledger, CA);
    for file in files(&export.folder) {
        println!("{} {}", file.display(), fs::metadata(&file).unwrap().len());
    }
    let start = std::time::Instant::now();
    for _ in 0..100 {
        audit(&export.folder);
    }
    println!("{:?}", start.elapsed() / 100);
    for name in ["logs/RU/records.txt", "logs/RU/receipts.txt", "README.txt"] {
        println!("{}", fs::read_to_string(export.folder.join(name)).unwrap());
    }
    println!("{:#?}", (ExportError::Profile, RecordType::Receipt, AuditError::Random(String::new())));
}
