//! The readers of exports survive every byte string: garbage, and good files with something done to them.
//!
//! With `VERBALE_CORPUS=FOLDER` good files are written there as well, to begin fuzzing with.
#![cfg(feature = "cli")]

#[path = "../fuzz/audit.rs"]
mod audit;
mod common;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use common::{CA, Ledger, RU};
use proptest::prelude::*;
use verbale::audit::{Form, Job, Selection};
use verbale::tlog::Hash;

/// A good file for each reader, and the export in which they are tried.
fn samples() -> &'static [(&'static str, Vec<u8>)] {
    static SAMPLES: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let mut ledger = Ledger::new();
        ledger.remark(CA, 1);
        let place = format!("RU/{}", ledger.remark(RU, 2));
        let dir = tempfile::tempdir().unwrap().keep();
        let (treaty, profile) = (common::treaty_text(), common::PROFILE.as_bytes());
        let export = |name: &str, form, selection| -> PathBuf {
            let target = dir.join(name);
            let (read, treaty) = (&ledger.nodes[CA].disk, treaty.as_bytes());
            Job { read, treaty, profile, selection, form, target: &target, resume: false }
                .run(&mut |_, _, _| {})
                .unwrap();
            target
        };
        let part = Selection {
            parties: vec!["RU".into()],
            redact: vec![place.parse().unwrap()],
            threads: vec![place.parse().unwrap()],
            ..Selection::default()
        };
        let folder = export("whole", Form::Folder, Selection::default());
        let archive = std::fs::read(export("whole.tar.zst", Form::Archive, Selection::default())).unwrap();
        let small = std::fs::read(export("part.tar.zst", Form::Archive, part.clone())).unwrap();
        audit::within(&folder);
        let records = std::fs::read(folder.join("logs/CA/records.txt")).unwrap();
        vec![
            ("archive", archive),
            ("archive", small),
            ("export_records", records),
            ("part_file", part.sorted().to_text().into_bytes()),
        ]
    })
}

/// One export is shared by all: only one file of it is replaced at a time.
fn drive(name: &str, bytes: &[u8]) -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    audit::ALL.iter().find(|(reader, _)| *reader == name).unwrap().1(bytes)
}

#[test]
fn each_reader_reads_a_sample_of_its_own() {
    let corpus = std::env::var_os("VERBALE_CORPUS").map(PathBuf::from);
    for (name, _) in audit::ALL {
        let mut read = 0;
        for (_, sample) in samples().iter().filter(|(of, _)| of == name) {
            assert!(drive(name, sample), "{name}");
            read += 1;
            let Some(folder) = corpus.as_ref().map(|corpus| corpus.join(name)) else { continue };
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(Hash::digest(sample).to_hex()), sample).unwrap();
        }
        assert!(read > 0, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_survived(which in 0..3usize, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(!drive(audit::ALL[which].0, &bytes));
    }

    #[test]
    fn good_files_with_something_done_to_them_are_survived(
        which in 0..4usize,
        at in any::<prop::sample::Index>(),
        length in 0..40usize,
        patch in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (name, good) = &samples()[which];
        let mut bent = good.clone();
        let from = at.index(bent.len());
        let to = (from + length).min(bent.len());
        bent.splice(from..to, patch);
        drive(name, &bent);
    }

    /// What is in an archive is compressed: damage behind the compression is found as well.
    #[test]
    fn damage_within_an_archive_is_found(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (name, good) = &samples()[0];
        let mut tar = zstd::decode_all(good.as_slice()).unwrap();
        let place = at.index(tar.len());
        tar[place] ^= 1 << bit;
        let packed = zstd::encode_all(tar.as_slice(), 3).unwrap();
        prop_assert!(!drive(name, &packed), "byte {place} of the archive");
    }
}

/// The beginning of an archive, as `docs/format.md` has it.
#[test]
fn the_worked_header_of_the_format_is_the_one_that_is_written() {
    let archive = &samples()[0].1;
    assert_eq!(archive[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    let tar = zstd::decode_all(archive.as_slice()).unwrap();
    let length = |header: &[u8]| usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
    let second = 512 + length(&tar).next_multiple_of(512);
    let header = &tar[second..second + 512];
    assert_eq!(length(header), common::treaty_text().len());
    let mut text = String::new();
    let mut at = 0;
    while let Some(start) = header[at..].iter().position(|byte| *byte != 0).map(|start| at + start) {
        let end = start + header[start..].iter().position(|byte| *byte == 0).unwrap_or(header.len() - start);
        text += &format!("    {start:3}  {}\n", String::from_utf8_lossy(&header[start..end]));
        at = end;
    }
    text += &format!("\n    SHA-256 of the header: {}\n", Hash::digest(header).to_hex());
    assert!(include_str!("../docs/format.md").contains(&text), "docs/format.md should have:\n{text}<<<");
}
