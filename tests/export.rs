//! Whole and part: what is chosen, what is withheld, one archive or a folder, and going on after an interruption.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{CA, HU, Ledger, RU, US};
use tempfile::TempDir;
use verbale::audit::{AuditError, ExportError, Form, Job, Report, Selection, Stage, partial, verify_export};
use verbale::ledger::{Reference, Timestamp};
use verbale::node::Read;
use verbale::tlog::leaf_hash;

/// A ledger with a thread in it: Russia's note, Canada's answer to it, and Hungary's to that.
struct Desk {
    dir: TempDir,
    ledger: Ledger,
    thread: u64,
}

fn reference(ledger: &Ledger, log: usize, index: u64) -> Reference {
    let leaf = leaf_hash(&ledger.nodes[RU].disk.record(log, index).unwrap().unwrap());
    Reference { log: common::PARTIES[log].0.into(), index, leaf }
}

impl Desk {
    fn new() -> Self {
        let mut ledger = Ledger::new();
        ledger.remark(CA, 1);
        let thread = ledger.remark(RU, 2);
        ledger.remark(US, 3);
        let answer = ledger.reply(CA, 4, "minister", vec![reference(&ledger, RU, thread)]);
        let answer = ledger.submit(CA, answer).unwrap().index;
        ledger.now += 86_400_000;
        let answer = ledger.reply(HU, 5, "minister", vec![reference(&ledger, CA, answer)]);
        ledger.submit(HU, answer).unwrap();
        ledger.remark(RU, 6);
        Self { dir: tempfile::tempdir().unwrap(), ledger, thread }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn try_export(&self, by: usize, selection: Selection, name: &str, resume: bool) -> Result<PathBuf, ExportError> {
        let target = self.path(name);
        let form = if name.ends_with(".tar.zst") { Form::Archive } else { Form::Folder };
        let (treaty, profile) = (common::treaty_text(), common::PROFILE.as_bytes());
        let read = &self.ledger.nodes[by].disk;
        Job { read, treaty: treaty.as_bytes(), profile, selection, form, target: &target, resume }
            .run(&mut |_, done, total| assert!(done <= total))?;
        Ok(target)
    }

    fn export(&self, by: usize, selection: Selection, name: &str) -> PathBuf {
        self.try_export(by, selection, name, false).unwrap()
    }
}

fn audit(path: &Path) -> Report {
    verify_export(path, Some(common::treaty_text().as_bytes()), &mut |_, _| {}).unwrap()
}

fn sound(path: &Path) -> Report {
    let report = audit(path);
    assert!(report.is_sound(), "{report:#?}");
    report
}

/// Every file of a folder, by name.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_logs_give_the_same_bytes_at_every_node() {
    // The parties hear of each other's heads at different times: each holds other heads than the next.
    let mut desk = Desk::new();
    desk.ledger.online(&[CA, RU, US]);
    for number in 10..14 {
        desk.ledger.remark(RU, number);
    }
    desk.ledger.online(&[CA, HU, RU, US]);
    desk.ledger.remark(CA, 20);
    let heads = |by: usize| {
        let (mut at, mut count) = (1, 0);
        while desk.ledger.nodes[by].disk.head_from(RU, at).unwrap().is_some() {
            (at, count) = (at + 1, count + 1);
        }
        count
    };
    println!("heads of Russia at Hungary and Canada: {} {}", heads(HU), heads(CA));
    for (name, selection) in
        [("whole", Selection::default()), ("part", Selection { parties: vec!["RU".into()], ..Selection::default() })]
    {
        let folders: Vec<_> =
            [CA, HU, RU, US].map(|by| files(&desk.export(by, selection.clone(), &format!("{name}-{by}")))).into();
        assert!(folders.iter().all(|folder| *folder == folders[0]));
        let archives =
            [CA, HU].map(|by| fs::read(desk.export(by, selection.clone(), &format!("{name}-{by}.tar.zst"))).unwrap());
        assert_eq!(archives[0], archives[1]);
    }
}

#[test]
fn a_part_has_what_was_asked_for_with_all_that_its_proofs_need() {
    let desk = Desk::new();
    let all = sound(&desk.export(CA, Selection::default(), "all"));
    let part = |name: &str, selection: Selection, notes: [u64; 4]| {
        let folder = desk.export(HU, selection.clone(), name);
        let report = sound(&folder);
        assert_eq!(report.logs.iter().map(|log| log.notifications).collect::<Vec<_>>(), notes, "{name}: {report:#?}");
        for (log, whole) in report.logs.iter().zip(&all.logs) {
            // All records are accounted for, and what is said of receipts is what the whole says.
            assert_eq!((log.records, log.proven), (whole.records, whole.records), "{name}");
            assert_eq!((log.final_size, log.credentials), (whole.final_size, whole.credentials), "{name}");
        }
        assert_eq!(report.part, Some(selection.sorted()));
        let archive = desk.export(HU, report.part.clone().unwrap(), &format!("{name}.tar.zst"));
        assert_eq!(sound(&archive), report);
        report
    };
    let none = Selection::default;
    part("party", Selection { parties: vec!["RU".into()], ..none() }, [0, 0, 2, 0]);
    part("kind", Selection { kinds: vec!["remark".into()], ..none() }, [2, 1, 2, 1]);
    part("thread", Selection { threads: vec![format!("RU/{}", desk.thread).parse().unwrap()], ..none() }, [1, 1, 1, 0]);
    let late = Timestamp::from_posix(common::START + 86_400);
    part("since", Selection { since: Some(late), ..none() }, [0, 1, 1, 0]);
    part("until", Selection { until: Some(late), parties: vec!["CA".into(), "RU".into()], ..none() }, [2, 0, 1, 0]);
    let (first, last) = (desk.thread - 1, desk.thread + 1);
    let range = format!("RU/{first}..{last}");
    let report = part("range", Selection { ranges: vec![range.parse().unwrap()], ..none() }, [0, 0, 1, 0]);
    assert!(report.logs[RU].stretches.iter().any(|(from, to)| *from <= first && *to >= last));
    let said = report.part_sentences().join(" ");
    assert!(said.contains(&range) && said.contains("were left out") && said.contains("Nothing follows"), "{said}");
}

#[test]
fn what_cannot_be_had_is_refused_and_leaves_nothing() {
    let desk = Desk::new();
    let none = Selection::default;
    for selection in [
        Selection { parties: vec!["XX".into()], ..none() },
        Selection { kinds: vec!["treason".into()], ..none() },
        Selection { ranges: vec!["RU/3..600".parse().unwrap()], ..none() },
        Selection { threads: vec!["RU/0".parse().unwrap()], ..none() },
        Selection { redact: vec!["RU/999".parse().unwrap()], ..none() },
    ] {
        let refused = desk.try_export(CA, selection, "refused", false);
        assert!(matches!(refused, Err(ExportError::Selection(_))), "{refused:?}");
        assert_eq!(fs::read_dir(desk.dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_withheld_note_leaves_its_hash_and_no_trace_of_its_words() {
    let desk = Desk::new();
    let place = format!("RU/{}", desk.thread);
    for redaction in [place.as_str(), "kind:remark", "field:text"] {
        let selection = Selection { redact: vec![redaction.parse().unwrap()], ..Selection::default() };
        let name = redaction.replace(['/', ':'], "-");
        let folder = desk.export(CA, selection, &name);
        let report = sound(&folder);
        assert!(report.logs[RU].redacted_at.contains(&desk.thread));
        let text = fs::read_to_string(folder.join("logs/RU/records.txt")).unwrap();
        assert!(!text.contains("\"remark 2\""), "the note's words are there");
        assert_eq!(report.logs.iter().map(|log| log.omitted).sum::<u64>(), 0);
        assert!(report.part_sentences().join(" ").contains("Nothing follows about the content of a withheld note"));
        // Another hash in its place leads to no root.
        let bent = text.replacen("leaf ", "leaf A", 1).replacen("=\n", "\n", 1);
        fs::write(folder.join("logs/RU/records.txt"), bent).unwrap();
        assert!(!audit(&folder).is_sound());
    }
}

#[test]
fn no_line_of_a_part_can_be_altered_left_out_or_moved() {
    let desk = Desk::new();
    let selection = Selection {
        parties: vec!["RU".into()],
        ranges: vec!["CA/2..5".parse().unwrap()],
        redact: vec![format!("RU/{}", desk.thread).parse().unwrap()],
        ..Selection::default()
    };
    let folder = desk.export(CA, selection, "part");
    sound(&folder);
    let mut tried = 0;
    for (name, good) in files(&folder) {
        let path = folder.join(&name);
        let mut twin = |bent: &[u8]| {
            fs::write(&path, bent).unwrap();
            let found = verify_export(path.ancestors().find(|p| p.ends_with("part")).unwrap(), None, &mut |_, _| {});
            assert!(!found.is_ok_and(|report| report.is_sound()), "{}", name.display());
            tried += 1;
        };
        for at in (0..good.len()).step_by(37) {
            let mut bent = good.clone();
            bent[at] ^= 1 << (at % 8);
            twin(&bent);
        }
        let lines: Vec<_> = good.split_inclusive(|b| *b == b'\n').collect();
        for at in (0..lines.len()).step_by(5) {
            let without = [&lines[..at], &lines[at + 1..]].concat().concat();
            twin(&without);
        }
        fs::write(&path, &good).unwrap();
    }
    sound(&folder);
    println!("{tried} altered parts");
    // A part does not pass for the whole, nor for another part.
    let part = fs::read_to_string(folder.join("part.json")).unwrap();
    fs::remove_file(folder.join("part.json")).unwrap();
    assert!(!audit(&folder).is_sound());
    fs::write(folder.join("part.json"), part.replace("CA/2..5", "CA/2..8")).unwrap();
    assert!(!audit(&folder).is_sound());
}

/// Stored data that fails after so many pages.
struct Failing<'a>(&'a verbale::node::Memory, std::cell::Cell<u32>);

macro_rules! pass_on {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        fn $name(&self, $($argument: $kind),*) -> Result<$result, verbale::node::ReadError> {
            self.0.$name($($argument),*)
        }
    )*};
}

impl Read for Failing<'_> {
    fn records(&self, log: usize, from: u64, count: u64, max: usize) -> Result<Vec<Vec<u8>>, verbale::node::ReadError> {
        self.1.set(self.1.get().checked_sub(1).ok_or_else(|| verbale::node::ReadError("the power fails".into()))?);
        // Small pages: there are many moments at which it can fail.
        self.0.records(log, from, count.min(2), max)
    }
    pass_on! {
        size(log: usize) -> u64;
        record(log: usize, index: u64) -> Option<Vec<u8>>;
        tile(log: usize, level: u8, n: u64) -> Vec<verbale::tlog::Hash>;
        head(log: usize, at: u64) -> Option<Vec<u8>>;
        head_from(log: usize, at: u64) -> Option<Vec<u8>>;
        cosigned(log: usize) -> Option<verbale::node::Cosigned>;
        fork(log: usize) -> Option<Vec<u8>>;
        receipt_from(log: usize, by: usize, at: u64) -> Option<verbale::node::ReceiptEntry>;
        receipt_up_to(log: usize, by: usize, at: u64) -> Option<verbale::node::ReceiptEntry>;
        last_receipt(log: usize, by: usize) -> Option<verbale::node::ReceiptEntry>;
        note(log: usize, id: &verbale::ledger::NoteId) -> Option<u64>;
        credentials(log: usize) -> Vec<u64>;
        amendments(log: usize) -> Vec<u64>;
        restarts(log: usize) -> Vec<Vec<u8>>;
        branch(log: usize, kept: u64, from: u64, count: u64, max: usize) -> Vec<Vec<u8>>;
    }
}

#[test]
fn an_export_that_was_interrupted_anywhere_goes_on_to_the_same_bytes() {
    let mut desk = Desk::new();
    let whole = files(&desk.export(CA, Selection::default(), "whole"));
    let (treaty, profile) = (common::treaty_text(), common::PROFILE.as_bytes());
    let target = desk.path("again");
    let job = |read: &dyn Read, resume: bool| {
        let (treaty, selection) = (treaty.as_bytes(), Selection::default());
        Job { read, treaty, profile, selection, form: Form::Folder, target: &target, resume }
            .run(&mut |_: Stage, _, _| {})
    };
    let mut interrupted = 0;
    for pages in 0.. {
        let disk = Failing(&desk.ledger.nodes[CA].disk, pages.into());
        if job(&disk, false).is_ok() {
            fs::remove_dir_all(&target).unwrap();
            break;
        }
        interrupted += 1;
        let there = partial(&target);
        assert!(matches!(verify_export(&there, None, &mut |_, _| {}), Err(AuditError::Unfinished)));
        assert!(matches!(job(&disk, false), Err(ExportError::Interrupted(_))));
        // What a torn write may leave behind what was synced.
        if let Ok(bytes) = fs::read(there.join("logs/CA/records.txt")) {
            fs::write(there.join("logs/CA/records.txt"), [bytes, vec![0; 100]].concat()).unwrap();
        }
        job(&desk.ledger.nodes[CA].disk, true).unwrap();
        assert_eq!(files(&target), whole, "after {pages} pages");
        fs::remove_dir_all(&target).unwrap();
    }
    assert!(interrupted > 20, "{interrupted}");
    // The logs grow while it waits: it ends where it was to end.
    let disk = Failing(&desk.ledger.nodes[CA].disk, 3.into());
    job(&disk, false).unwrap_err();
    desk.ledger.remark(CA, 30);
    job(&desk.ledger.nodes[CA].disk, true).unwrap();
    assert_eq!(files(&target), whole);
    assert!(matches!(desk.try_export(CA, Selection::default(), "never", true), Err(ExportError::Resume(_))));
}

/// The bytes of an archive's tar.
fn tar_of(archive: &Path) -> Vec<u8> {
    zstd::decode_all(fs::File::open(archive).unwrap()).unwrap()
}

#[test]
fn an_archive_is_an_ordinary_one_and_holds_the_folder_bit_by_bit() {
    let desk = Desk::new();
    let folder = desk.export(CA, Selection::default(), "folder");
    let archive = desk.export(CA, Selection::default(), "whole.tar.zst");
    assert_eq!(sound(&archive), sound(&folder));
    let mut unpacked = Vec::new();
    for entry in tar::Archive::new(tar_of(&archive).as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        unpacked.push((entry.path().unwrap().strip_prefix("trial").unwrap().to_owned(), bytes));
    }
    unpacked.sort();
    assert_eq!(unpacked, files(&folder));
}

#[test]
fn an_altered_archive_is_refused_or_says_the_same() {
    let desk = Desk::new();
    let archive = desk.export(CA, Selection::default(), "whole.tar.zst");
    let (good, report) = (fs::read(&archive).unwrap(), sound(&archive));
    let bent_path = desk.path("bent.tar.zst");
    let mut refused = 0;
    for at in (0..good.len()).step_by(23) {
        let mut bent = good.clone();
        bent[at] ^= 1 << (at % 8);
        fs::write(&bent_path, bent).unwrap();
        match verify_export(&bent_path, None, &mut |_, _| {}) {
            // A bit of the compression that does not matter to what it holds.
            Ok(found) if found.is_sound() => assert_eq!(found.logs, report.logs),
            _ => refused += 1,
        }
    }
    assert!(refused * 23 > good.len() * 9 / 10);
    for cut in [1, 100, good.len() / 2] {
        fs::write(&bent_path, &good[..good.len() - cut]).unwrap();
        assert!(!verify_export(&bent_path, None, &mut |_, _| {}).is_ok_and(|r| r.is_sound()));
    }
    fs::write(&bent_path, [good.as_slice(), b"x"].concat()).unwrap();
    assert!(!verify_export(&bent_path, None, &mut |_, _| {}).is_ok_and(|r| r.is_sound()), "bytes after the end");
}

#[test]
fn bombs_and_tricks_with_paths_are_refused() {
    let desk = Desk::new();
    let tar = tar_of(&desk.export(CA, Selection::default(), "whole.tar.zst"));
    let path = desk.path("trick.tar.zst");
    let refused = |tar: &[u8], why: &str| {
        fs::write(&path, zstd::encode_all(tar, 3).unwrap()).unwrap();
        let found = verify_export(&path, None, &mut |_, _| {});
        assert!(!found.as_ref().is_ok_and(|report| report.is_sound()), "{why}");
    };
    let renamed = |from: &str, to: &str| {
        let mut bent = tar.clone();
        let at = bent.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bent[at..at + to.len()].copy_from_slice(to.as_bytes());
        let header = at - at % 512;
        let mut fixed = tar::Header::from_byte_slice(&bent[header..header + 512]).clone();
        fixed.set_cksum();
        bent[header..header + 512].copy_from_slice(fixed.as_bytes());
        bent
    };
    refused(&renamed("trial/logs/CA/records.txt", "trial/logs/../records.txt"), "a path that climbs");
    refused(&renamed("trial/README.txt", "/rial/README.txt"), "an absolute path");
    refused(&renamed("trial/policy.txt", "trial/policy.exe"), "another file");
    let at = tar.windows(16).position(|w| w == b"trial/policy.txt").unwrap();
    refused(&[&tar[..at], &tar[at..at + 2048], &tar[at..]].concat(), "a file twice");
    let mut link = tar.clone();
    let mut header = tar::Header::from_byte_slice(&link[at..at + 512]).clone();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_cksum();
    link[at..at + 512].copy_from_slice(header.as_bytes());
    refused(&link, "a link");
    refused(&[tar.as_slice(), &[0; 512]].concat(), "more after the end");
    // A gigabyte of nothing in a few kilobytes.
    let mut out = zstd::Encoder::new(fs::File::create(&path).unwrap(), 3).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("trial/README.txt").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    std::io::Write::write_all(&mut out, header.as_bytes()).unwrap();
    for _ in 0..1 << 10 {
        std::io::Write::write_all(&mut out, &vec![0; 1 << 20]).unwrap();
    }
    out.finish().unwrap();
    let bomb = verify_export(&path, None, &mut |_, _| {});
    assert!(matches!(bomb, Err(AuditError::Io { .. })), "{bomb:?}");
    // The same where a long file may stand: the ratio gives it away.
    let at = tar.windows(25).position(|w| w == b"trial/logs/CA/records.txt").unwrap();
    let mut header = tar::Header::from_byte_slice(&tar[at..at + 512]).clone();
    header.set_size(1 << 32);
    header.set_cksum();
    let mut out = zstd::Encoder::new(fs::File::create(&path).unwrap(), 3).unwrap();
    std::io::Write::write_all(&mut out, &[&tar[..at], header.as_bytes()].concat()).unwrap();
    for _ in 0..1 << 8 {
        std::io::Write::write_all(&mut out, &vec![b'\n'; 1 << 20]).unwrap();
    }
    out.finish().unwrap();
    let bomb = verify_export(&path, None, &mut |_, _| {}).unwrap();
    assert!(bomb.faults.iter().any(|fault| fault.found.contains("unpacks to more than")), "{bomb:#?}");
}

#[test]
fn an_altered_record_is_named_and_the_others_still_stand() {
    let desk = Desk::new();
    let folder = desk.export(CA, Selection::default(), "bent");
    let path = folder.join("logs/RU/records.txt");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"remark 2\"", "\"remark 7\"")).unwrap();
    let report = audit(&folder);
    let fault = &report.faults[0];
    assert_eq!((report.faults.len(), fault.place.record), (1, Some(desk.thread)), "{report:#?}");
    assert!(fault.place.line.is_some() && fault.place.byte.is_some());
    assert!(fault.means.contains("was altered") && fault.means.contains("stand"), "{}", fault.means);
    assert_eq!(report.logs[RU].proven, report.logs[RU].records);
    // A receipt that was altered: who is no longer proved to have received what.
    let folder = desk.export(CA, Selection::default(), "receipt");
    let path = folder.join("logs/HU/records.txt");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with("— trial/HU/witness ")).unwrap();
    let place = line.len() - 10;
    let bent =
        format!("{}{}{}", &line[..place], if &line[place..=place] == "A" { "B" } else { "A" }, &line[place + 1..]);
    fs::write(&path, text.replacen(line, &bent, 1)).unwrap();
    let report = audit(&folder);
    let said: Vec<_> = report.faults.iter().map(|fault| fault.means.as_str()).collect();
    assert!(said.iter().any(|means| means.contains("Nothing here proves that Hungary received")), "{said:#?}");
}
