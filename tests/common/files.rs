//! Exports as the files that they are, to be bent.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use verbale::audit::{Form, Job, Selection};

use super::Ledger;

/// A folder's files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a party exports of what was asked for.
pub fn exported(ledger: &Ledger, by: usize, selection: Selection) -> Files {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("export");
    job(ledger, by, selection, Form::Folder, &target);
    read_folder(&target)
}

/// The same in one archive.
pub fn archived(ledger: &Ledger, by: usize, selection: Selection) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("export.tar.zst");
    job(ledger, by, selection, Form::Archive, &target);
    fs::read(target).unwrap()
}

fn job(ledger: &Ledger, by: usize, selection: Selection, form: Form, target: &Path) {
    let (treaty, profile) = (ledger.treaty_text.as_bytes(), ledger.profile_text.as_bytes());
    let read = &ledger.nodes[by].disk;
    Job { read, treaty, profile, selection, form, target, resume: false }.run(&mut |_, _, _| {}).unwrap();
}

/// The files of a folder.
pub fn read_folder(folder: &Path) -> Files {
    paths(folder)
        .into_iter()
        .map(|path| (path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

/// The paths of all files in a folder, in order.
pub fn paths(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Writes a folder's files.
pub fn write_folder(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The items of a framed file, each with its line, and with the lines of hashes below it.
pub fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut out: Vec<Vec<u8>> = Vec::new();
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let length = match words.as_slice() {
            [_, _, "bytes", length] => end + 1 + length.parse::<usize>().unwrap() + 1,
            _ => end + 1,
        };
        let (frame, tail) = rest.split_at(length);
        match out.last_mut() {
            // A hash of what was left out.
            Some(last) if words.len() == 1 => last.extend_from_slice(frame),
            _ => out.push(frame.to_vec()),
        }
        rest = tail;
    }
    out
}

/// The same files with one changed.
pub fn bent(good: &Files, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = good.clone();
    let bytes = files.get_mut(file).unwrap();
    let before = bytes.clone();
    change(bytes);
    assert_ne!(*bytes, before, "{file}");
    files
}

/// One text put in the place of another one, once.
pub fn swap(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(from), "{from}");
    *bytes = text.replacen(from, to, 1).into_bytes();
}

/// The items of a framed file, changed.
pub fn cut(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut parts = frames(bytes);
    change(&mut parts);
    *bytes = parts.concat();
}
