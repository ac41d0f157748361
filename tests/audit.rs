//! Export folders: an honest one verifies, and an altered, shortened or reordered one does not.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use common::files::{frames, paths as files};
use common::{CA, HU, Ledger, RU, US};
use tempfile::TempDir;
use verbale::audit::{AuditError, ExportError, Report, export, verify_export, verify_export_by};
use verbale::ledger::{NoteId, RecordType};
use verbale::node::{Cosigned, LogId, Memory, Read, ReadError, ReceiptEntry};
use verbale::note::SignedNote;
use verbale::tlog::Hash;

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
    verify_export(folder, Some(common::treaty_text().as_bytes()), &mut |_, _| {}).unwrap()
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
fn the_folder_is_readable_text_and_the_same_whenever_it_is_written() {
    let ledger = lively();
    let (one, two) = (exported(&ledger, CA), exported(&ledger, CA));
    for file in files(&one.folder) {
        let name = file.strip_prefix(&one.folder).unwrap();
        let text = fs::read_to_string(&file).expect("text");
        assert_eq!(text, fs::read_to_string(two.folder.join(name)).unwrap(), "{name:?}");
    }
    let readme = fs::read_to_string(one.folder.join("README.txt")).unwrap();
    assert!(readme.contains(&ledger.treaty.hash().to_hex()));
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written_stays() {
    let ledger = lively();
    let export_to = |target: &Path, profile: &str| {
        export(&ledger.nodes[CA].disk, common::treaty_text().as_bytes(), profile.as_bytes(), target, &mut |_, _| {})
    };
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("there");
    fs::write(&target, "mine").unwrap();
    assert!(matches!(export_to(&target, common::PROFILE), Err(ExportError::Exists(_))));
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    let target = dir.path().join("new");
    assert!(matches!(export_to(&target, "another"), Err(ExportError::Profile)));
    assert!(matches!(export_to(&dir.path().join("no/such/folder"), common::PROFILE), Err(ExportError::Io { .. })));
    // A disk that fails in the middle.
    let failing = Failing(&ledger.nodes[CA].disk);
    let failed =
        export(&failing, common::treaty_text().as_bytes(), common::PROFILE.as_bytes(), &target, &mut |_, _| {});
    assert!(matches!(failed, Err(ExportError::Read(_))));
    // What is there of it says that it is not finished, and is no export.
    assert!(!target.exists());
    let partial = verbale::audit::partial(&target);
    assert!(matches!(verify_export(&partial, None, &mut |_, _| {}), Err(AuditError::Unfinished)));
    assert!(matches!(export_to(&target, common::PROFILE), Err(ExportError::Interrupted(_))));
    fs::remove_dir_all(partial).unwrap();
    export_to(&target, common::PROFILE).unwrap();
}

/// Stored data whose last log cannot be read.
struct Failing<'a>(&'a Memory);

impl Read for Failing<'_> {
    fn size(&self, log: LogId) -> Result<u64, ReadError> {
        self.0.size(log)
    }
    fn record(&self, log: LogId, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.record(log, index)
    }
    fn records(&self, log: LogId, from: u64, count: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        if log == US {
            return Err(ReadError("a bad sector".into()));
        }
        self.0.records(log, from, count, max_bytes)
    }
    fn tile(&self, log: LogId, level: u8, n: u64) -> Result<Vec<Hash>, ReadError> {
        self.0.tile(log, level, n)
    }
    fn head(&self, log: LogId, at_most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.head(log, at_most)
    }
    fn head_from(&self, log: LogId, at_least: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.head_from(log, at_least)
    }
    fn cosigned(&self, log: LogId) -> Result<Option<Cosigned>, ReadError> {
        self.0.cosigned(log)
    }
    fn fork(&self, log: LogId) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.fork(log)
    }
    fn receipt_from(&self, log: LogId, by: LogId, at_least: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        self.0.receipt_from(log, by, at_least)
    }
    fn receipt_up_to(&self, log: LogId, by: LogId, at_most: u64) -> Result<Option<ReceiptEntry>, ReadError> {
        self.0.receipt_up_to(log, by, at_most)
    }
    fn restarts(&self, log: LogId) -> Result<Vec<Vec<u8>>, ReadError> {
        self.0.restarts(log)
    }
    fn branch(
        &self,
        log: LogId,
        kept: u64,
        from: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        self.0.branch(log, kept, from, count, max_bytes)
    }
    fn note(&self, log: LogId, id: &NoteId) -> Result<Option<u64>, ReadError> {
        self.0.note(log, id)
    }
    fn amendments(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        self.0.amendments(log)
    }
    fn credentials(&self, log: LogId) -> Result<Vec<u64>, ReadError> {
        self.0.credentials(log)
    }
}

/// Changes one file, and says what the audit finds.
fn altered(ledger: &Ledger, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Report {
    let export = exported(ledger, CA);
    let path = export.folder.join(name);
    let before = fs::read(&path).unwrap();
    let mut after = before.clone();
    change(&mut after);
    assert_ne!(before, after, "the test changes nothing");
    fs::write(&path, after).unwrap();
    audit(&export.folder)
}

#[test]
fn records_taken_out_added_or_moved_are_found_where_they_are() {
    let ledger = lively();
    let records = "logs/RU/records.txt";
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        altered(&ledger, records, |bytes| {
            let mut frames = frames(bytes);
            change(&mut frames);
            *bytes = frames.concat();
        })
    };
    let found = |report: Report, line: Option<u64>| {
        assert!(!report.faults.is_empty(), "{report:#?}");
        assert!(report.faults.iter().all(|fault| fault.file.starts_with("logs/")));
        assert!(report.faults[0].file.starts_with("logs/RU/"));
        assert!(line.is_none_or(|line| report.faults[0].place.line == Some(line)), "{report:#?}");
        // The other logs were looked at all the same.
        assert_eq!(report.logs.len(), 4);
        assert!(report.logs[CA].records > 5);
    };
    // Each receipt record has seven lines, and two more with its frame.
    found(with(&|f| drop(f.remove(1))), Some(10));
    found(with(&|f| f.swap(2, 3)), Some(19));
    found(with(&|f| f.insert(1, f[0].clone())), Some(10));
    found(with(&|f| drop(f.remove(0))), Some(1));
    found(with(&|f| drop(f.pop())), None);
    found(with(&|f| f.push(f[0].clone())), None);
    found(with(&|f| f.clear()), None);
    found(altered(&ledger, records, |bytes| bytes.truncate(bytes.len() - 1)), None);
    found(altered(&ledger, records, |bytes| bytes.push(b'\n')), None);
    let checkpoints = "logs/RU/checkpoints.txt";
    found(
        altered(&ledger, checkpoints, |bytes| *bytes = frames(bytes).into_iter().rev().collect::<Vec<_>>().concat()),
        None,
    );
    found(altered(&ledger, checkpoints, |bytes| bytes.clear()), None);
    // A head with somebody's further signature on it, which nobody would check.
    found(
        altered(&ledger, checkpoints, |bytes| {
            let mut frames = frames(bytes);
            let start = frames[0].iter().position(|b| *b == b'\n').unwrap() + 1;
            let mut note = SignedNote::parse(&frames[0][start..frames[0].len() - 1]).unwrap();
            note.sign(&common::key(HU, "minister"));
            let note = note.to_bytes();
            frames[0] = [format!("checkpoint 1 bytes {}\n", note.len()).into_bytes(), note, b"\n".to_vec()].concat();
            *bytes = frames.concat();
        }),
        Some(1),
    );
    let receipts = "logs/RU/receipts.txt";
    found(altered(&ledger, receipts, |bytes| bytes.clear()), None);
    let lines =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().lines().map(|l| format!("{l}\n")).collect::<Vec<_>>();
    found(altered(&ledger, receipts, |bytes| *bytes = lines(bytes)[1..].concat().into_bytes()), None);
    found(
        altered(&ledger, receipts, |bytes| {
            let mut lines = lines(bytes);
            lines.swap(0, 1);
            *bytes = lines.concat().into_bytes();
        }),
        Some(2),
    );
    found(
        altered(&ledger, receipts, |bytes| {
            let mut lines = lines(bytes);
            lines.insert(0, lines[0].clone());
            *bytes = lines.concat().into_bytes();
        }),
        Some(2),
    );
}

#[test]
fn a_log_cut_back_to_an_earlier_head_is_known_to_be_longer() {
    let ledger = lively();
    let export = exported(&ledger, CA);
    // Russia's log is made to end before its last note, in all of its own files alike.
    for (name, word) in [("records.txt", "record 10 "), ("checkpoints.txt", "checkpoint 11 ")] {
        let path = export.folder.join("logs/RU").join(name);
        let kept: Vec<_> =
            frames(&fs::read(&path).unwrap()).into_iter().take_while(|f| !f.starts_with(word.as_bytes())).collect();
        fs::write(&path, kept.concat()).unwrap();
    }
    let report = audit(&export.folder);
    assert!(!report.is_sound());
    assert!(report.missing.iter().any(|m| m.party == "RU" && m.have == 10 && m.signed == 11), "{report:#?}");
}

#[test]
fn unknown_missing_and_strange_files_are_reported() {
    let ledger = lively();
    let export = exported(&ledger, CA);
    for name in ["notes.txt", "logs/XX", "logs/CA/more.txt", "forks"] {
        fs::write(export.folder.join(name), "x").unwrap();
    }
    let names =
        |report: &Report| report.faults.iter().map(|f| f.file.clone()).collect::<std::collections::BTreeSet<_>>();
    let report = audit(&export.folder);
    let expected = ["forks", "logs/CA/more.txt", "logs/XX", "notes.txt"].map(str::to_owned);
    assert_eq!(names(&report), expected.into());
    let export = exported(&ledger, CA);
    fs::remove_file(export.folder.join("policy.txt")).unwrap();
    fs::remove_file(export.folder.join("logs/HU/checkpoints.txt")).unwrap();
    fs::remove_dir_all(export.folder.join("logs/US")).unwrap();
    let report = audit(&export.folder);
    for name in ["policy.txt", "logs/HU/checkpoints.txt", "logs/US/records.txt"] {
        assert!(names(&report).contains(name), "{report:#?}");
    }
    #[cfg(unix)]
    {
        let export = exported(&ledger, CA);
        let path = export.folder.join("logs/US/records.txt");
        fs::rename(&path, export.folder.with_file_name("elsewhere")).unwrap();
        std::os::unix::fs::symlink(export.folder.with_file_name("elsewhere"), &path).unwrap();
        assert!(!audit(&export.folder).is_sound(), "a link is not part of the export");
    }
}

#[test]
fn the_trusted_treaty_file_decides() {
    let ledger = lively();
    let export = exported(&ledger, CA);
    let other = common::treaty_text().replace("A trial", "Another");
    let refused = verify_export(&export.folder, Some(other.as_bytes()), &mut |_, _| {});
    assert!(matches!(refused, Err(AuditError::OtherTreaty { .. })));
    let own = verify_export(&export.folder, None, &mut |_, _| {}).unwrap();
    assert!(own.is_sound() && !own.treaty_given);
    assert_eq!(own.treaty, Some(ledger.treaty.hash()));
    // A forger who writes another treaty file into the folder is found out by every log's first record.
    fs::write(export.folder.join("treaty.toml"), &other).unwrap();
    let report = verify_export(&export.folder, None, &mut |_, _| {}).unwrap();
    assert!(report.faults.iter().filter(|f| f.file.ends_with("records.txt")).count() == 4, "{report:#?}");
}

#[test]
fn notes_that_are_not_in_order_are_listed_and_the_folder_still_verifies() {
    let mut ledger = lively();
    let note = ledger.note(RU, 9, "stranger");
    let index = ledger.log_anyway(RU, RecordType::Notification, &note);
    ledger.log_anyway(RU, RecordType::Credential, b"no credential\n");
    ledger.log_anyway(RU, RecordType::Receipt, b"no receipt\n");
    ledger.log_anyway(RU, RecordType::Evidence, b"no evidence\n");
    let report = audit(&exported(&ledger, CA).folder);
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!((report.marked.len(), report.marked_count), (1, 1));
    assert_eq!((report.marked[0].party.as_str(), report.marked[0].index), ("RU", index));
    assert_eq!(report.logs[RU].void, 3);
}

#[test]
fn a_forked_log_is_reported_with_its_proof() {
    let mut ledger = lively();
    let before = ledger.nodes[RU].disk.clone();
    ledger.remark(RU, 7);
    let note = ledger.note(RU, 8, "minister");
    ledger.equivocate(RU, before, note, HU);
    let export = exported(&ledger, CA);
    let report = audit(&export.folder);
    assert_eq!(report.forks.len(), 1, "{report:#?}");
    assert!(report.faults.is_empty() && !report.is_sound());
    assert_eq!(report.forks[0].party, "RU");
    // The proof can be taken away, but it stands in the others' logs as well.
    fs::remove_dir_all(export.folder.join("forks")).unwrap();
    assert_eq!(audit(&export.folder).forks.len(), 1);
    let bent = altered(&ledger, "forks/RU.txt", |bytes| {
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    });
    assert_eq!(bent.faults[0].file, "forks/RU.txt");
}

/// A ledger as small as one can be that has all kinds of signed things in it.
fn small() -> Exported {
    let mut ledger = Ledger::bare();
    ledger.online(&[CA, RU]);
    ledger.submit(RU, ledger.grant(RU, "minister", "Minister", "*")).unwrap();
    ledger.remark(RU, 1);
    exported(&ledger, CA)
}

fn flip(export: &Exported, file: &Path, bits: impl Iterator<Item = usize>) {
    let good = fs::read(file).unwrap();
    let mut bent = good.clone();
    for bit in bits {
        bent[bit / 8] ^= 1 << (bit % 8);
        fs::write(file, &bent).unwrap();
        let sound = verify_export(&export.folder, None, &mut |_, _| {}).is_ok_and(|report| report.is_sound());
        assert!(!sound, "bit {bit} of {} was flipped, and the folder verifies", file.display());
        bent[bit / 8] = good[bit / 8];
    }
    fs::write(file, &good).unwrap();
}

#[test]
fn no_bit_of_a_log_can_be_flipped() {
    let export = small();
    for file in files(&export.folder.join("logs/RU")) {
        let length = fs::metadata(&file).unwrap().len() as usize;
        println!("{}: {} bits", file.display(), length * 8);
        flip(&export, &file, 0..length * 8);
    }
}

#[test]
fn no_byte_of_any_file_can_be_altered() {
    let export = small();
    for file in files(&export.folder).into_iter().filter(|file| !file.parent().unwrap().ends_with("RU")) {
        let length = fs::metadata(&file).unwrap().len() as usize;
        println!("{}: {length} bytes", file.display());
        flip(&export, &file, (0..length).map(|byte| byte * 8 + byte % 8));
    }
}

/// What a script reads, and what does not stand in it.
fn by_threads(threads: usize, folder: &Path) -> Result<(Report, String), String> {
    let threads = NonZero::new(threads).unwrap();
    let report = verify_export_by(threads, folder, None, &mut |_, _| {}).map_err(|error| error.to_string())?;
    let text = serde_json::to_string(&report).unwrap();
    Ok((report, text))
}

#[test]
fn what_is_found_does_not_depend_on_the_threads() {
    let mut ledger = Ledger::new();
    for number in 0..100u64 {
        match number % 5 {
            0 => drop(ledger.log_anyway(RU, RecordType::Notification, format!("no note {number}\n").as_bytes())),
            1 => drop(ledger.log_anyway(RU, RecordType::Receipt, format!("no receipt {number}\n").as_bytes())),
            2 if number % 20 == 2 => {
                // A key that comes and goes: what was said before and after it is told apart.
                let name = format!("deputy-{number}");
                ledger.submit(RU, ledger.grant(RU, &name, "Deputy", "*")).unwrap();
            }
            3 if number % 20 == 13 => {
                // A note that is logged once more is marked only there.
                let again = ledger.note(RU, 3, "minister");
                ledger.log_anyway(RU, RecordType::Notification, &again);
            }
            _ => drop(ledger.remark(RU, number)),
        }
    }
    let export = exported(&ledger, CA);
    let alike = |what: &str| {
        let one = by_threads(1, &export.folder);
        for threads in [2, 7] {
            assert_eq!(by_threads(threads, &export.folder), one, "{what}, by {threads} threads");
        }
        one
    };
    let (report, _) = alike("as it is").unwrap();
    assert!(report.is_sound() && report.marked_count == 25 && report.marked.is_sorted_by_key(|note| note.index));
    for name in ["logs/RU/records.txt", "logs/RU/checkpoints.txt", "logs/RU/receipts.txt", "logs/CA/records.txt"] {
        let file = export.folder.join(name);
        let good = fs::read(&file).unwrap();
        for part in 1..5 {
            // Several places at once, so that there is an order among what is found.
            let mut bent = good.clone();
            (0..5).for_each(|at| bent[good.len() * part / 6 + at * good.len() / 70] ^= 1 << (part % 7));
            fs::write(&file, bent).unwrap();
            alike(&format!("{name}, {part}")).unwrap_or_default();
        }
        fs::write(&file, &good[..good.len() * 2 / 3]).unwrap();
        let (report, _) = alike(&format!("{name}, cut off")).unwrap();
        assert!(!report.is_sound());
        fs::write(&file, good).unwrap();
    }
}
