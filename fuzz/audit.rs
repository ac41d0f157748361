//! The readers of exports, as functions that must not panic, must not verify what they were not given, and must not take more
//! memory than they say. They read files: what is tried stands in a folder of its own below the system's temporary one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use verbale::audit::{Selection, peek, unpack_small, verify_export};
use verbale::ledger::MAX_EVIDENCE_BYTES;

/// The name of a reader's fuzz target, and what drives it.
pub type Reader = (&'static str, fn(&[u8]) -> bool);

/// All of them. Each says whether it read what it was given to its end.
pub const ALL: &[Reader] = &[("archive", archive), ("export_records", export_records), ("part_file", part_file)];

/// An export that verifies, made once for all; `None` where nobody has set one up.
static EXPORT: OnceLock<PathBuf> = OnceLock::new();

/// Sets up the export in which files are replaced.
pub fn within(folder: &Path) {
    EXPORT.get_or_init(|| folder.to_owned());
}

fn export() -> &'static Path {
    EXPORT.get_or_init(|| {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/first/ledger/good");
        let copy = std::env::temp_dir().join(format!("verbale-fuzz-{}", std::process::id()));
        copy_folder(Path::new(golden), &copy);
        copy
    })
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for what is tried");
    for entry in fs::read_dir(from).expect("the golden export") {
        let path = entry.expect("the golden export").path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, target).expect("a copy of the golden export");
        }
    }
}

/// A whole archive, and a compressed evidence file.
pub fn archive(bytes: &[u8]) -> bool {
    let path = export().with_extension(format!("archive-{:?}", std::thread::current().id()));
    fs::write(&path, bytes).expect("a file for what is tried");
    if let Ok(start) = peek(&path) {
        assert!(start.len() <= 64);
    }
    if let Ok(unpacked) = unpack_small(&path, MAX_EVIDENCE_BYTES) {
        assert!(unpacked.len() <= MAX_EVIDENCE_BYTES);
    }
    let read = verify_export(&path, None, &mut |done, total| assert!(done <= total));
    fs::remove_file(&path).expect("the file is still there");
    read.is_ok_and(|report| report.is_sound())
}

/// The records of one log of a good export: other ones do not verify.
pub fn export_records(bytes: &[u8]) -> bool {
    let logs = fs::read_dir(export().join("logs")).expect("logs of the export");
    let mut codes: Vec<_> = logs.map(|entry| entry.expect("a log").path()).collect();
    codes.sort();
    let path = codes[0].join("records.txt");
    let good = fs::read(&path).expect("records of the export");
    fs::write(&path, bytes).expect("a file for what is tried");
    let report = verify_export(export(), None, &mut |_, _| {});
    fs::write(&path, &good).expect("the good records again");
    let sound = report.is_ok_and(|report| report.is_sound());
    assert_eq!(sound, good == bytes, "other records verify, or the good ones do not");
    sound
}

/// What an export says that it is a part of; written as it was read.
pub fn part_file(bytes: &[u8]) -> bool {
    let Ok(selection) = Selection::parse(bytes) else { return false };
    assert_eq!(selection.to_text().as_bytes(), bytes, "written otherwise than it was read");
    true
}
