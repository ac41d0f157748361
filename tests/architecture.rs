//! The rules of ARCHITECTURE.md that a program can check: floors, purity, size of files, and words.
//!
//! The floors are read from that page's table, so the page cannot drift from the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines.
const MAX_LINES: usize = 600;

/// The highest floor that does no I/O, knows no clock and no async, and never panics on purpose.
const LAST_PURE_FLOOR: u8 = 3;

/// What a pure floor does without. `std::fmt` and the like are fine.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "Zoned::now",
    "Timestamp::now",
    "async ",
    ".await",
    "tokio::",
    "libp2p::",
    "rocksdb::",
    "println!",
    ".unwrap()",
    ".expect(",
    "panic!",
    "unreachable!",
];

/// Left-overs of unfinished work, which do not belong in what is published.
const LEFT_OVERS: &[&str] = &["TODO", "FIXME", "todo!", "unimplemented!", "dbg!"];
/// Folders of somebody's machine: a path that goes through one is a left-over too.
const MACHINE: &[&str] = &["home", "root", "Users", "work"];

/// The ledger records facts and judges no state: such words do not appear where a diplomat could read them.
const JUDGEMENTS: &[&str] = &["violat", "illegal", "unlawful"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the tree, with their text. What is not UTF-8 is left out.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                out.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    out.sort();
    out
}

/// The table of floors in ARCHITECTURE.md: rows `| 2 | `ledger` | … |`.
fn floors() -> BTreeMap<String, u8> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut floors = BTreeMap::new();
    for line in page.lines() {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let Some(floor) = cells.next().and_then(|cell| cell.parse().ok()) else { continue };
        let modules = cells.next().unwrap();
        for module in modules.split('`').skip(1).step_by(2) {
            assert_eq!(floors.insert(module.to_owned(), floor), None, "{module} stands twice in ARCHITECTURE.md");
        }
    }
    assert!(floors.len() >= 5, "ARCHITECTURE.md has no table of floors: {floors:?}");
    floors
}

/// The top-level module that a file of `src` belongs to.
fn module_of(path: &Path) -> Option<String> {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    let name = Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap();
    (name != "lib").then(|| name.to_owned())
}

/// The text without its comments, each line with its number. Strings stay: a name of a floor in one is a rare thing.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.map(|(at, line)| (at, line.split("//").next().unwrap_or_default()))
}

/// The code before the file's unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// The top-level modules that a file names as `crate::x`, `verbale::x`, `crate::{x, y::{z}}` or by climbing with
/// `super::` up to the crate, each with its line.
fn uses(path: &Path, text: &str) -> Vec<(usize, String)> {
    let mut stripped = String::new();
    let mut starts = Vec::new();
    for (at, line) in code(text) {
        starts.push((stripped.len(), at));
        stripped.push_str(line);
        stripped.push('\n');
    }
    let line_of = |offset: usize| starts.iter().rev().find(|(start, _)| *start <= offset).unwrap().1;
    // How many `super::` lead from this file to the crate: one for src/x/mod.rs, two for src/x/y.rs.
    let depth = path.components().count() - 1 - usize::from(path.ends_with("mod.rs"));
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", "verbale::", climb.as_str()] {
        for (offset, _) in stripped.match_indices(prefix) {
            let rest = &stripped[offset + prefix.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group_names(group),
                None => vec![rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()],
            };
            found.extend(names.into_iter().map(|name| (line_of(offset), name.to_owned())));
        }
    }
    found
}

/// The first names in a braced group of a `use`, its inner groups left out.
fn group_names(group: &str) -> Vec<&str> {
    let mut depth = 1;
    let mut start = 0;
    let mut names = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            names.push(group[start..at].trim().split("::").next().unwrap_or_default());
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Every use of one top-level module by another: the place, who, whom.
fn edges(floors: &BTreeMap<String, u8>) -> Vec<(String, String, String)> {
    let mut edges = Vec::new();
    for (path, text) in files("src") {
        let Some(module) = module_of(&path) else { continue };
        for (line, used) in uses(&path, &text) {
            // A module's own part may be called as a floor is: `super::keys` in `cli` is `cli::keys`.
            let own_part = ["rs", ""].map(|ext| root().join("src").join(&module).join(&used).with_extension(ext));
            if used != module && floors.contains_key(&used) && !own_part.iter().any(|part| part.exists()) {
                edges.push((format!("{}:{line}", path.display()), module.clone(), used));
            }
        }
    }
    edges
}

#[test]
fn every_module_has_a_floor_and_none_imports_a_higher_one() {
    let floors = floors();
    for (path, _) in files("src") {
        let Some(module) = module_of(&path) else { continue };
        assert!(floors.contains_key(&module), "{} has no floor in ARCHITECTURE.md", path.display());
    }
    let edges = edges(&floors);
    assert!(edges.len() > 10, "the sources were not understood: {edges:?}");
    let climbs: Vec<_> = edges.iter().filter(|(_, who, whom)| floors[whom] > floors[who]).collect();
    assert!(climbs.is_empty(), "a lower floor imports a higher one: {climbs:#?}");
}

#[test]
fn the_map_of_the_crate_has_every_module_on_its_floor() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut mapped = BTreeMap::new();
    for line in map.lines() {
        let Some((floor, rest)) = line.strip_prefix("//! | ").and_then(|row| row.split_once(" | ")) else { continue };
        if let (Ok(floor), Some(module)) = (floor.parse::<u8>(), rest.split('`').nth(1)) {
            assert_eq!(mapped.insert(module.to_owned(), floor), None, "{module} stands twice in src/lib.rs");
        }
    }
    let mut floors = floors();
    // The program is no module of the library.
    floors.remove("main");
    assert_eq!(mapped, floors);
}

/// The feature `cli` promises commands that need neither network nor database: they do not even name them.
#[test]
fn only_the_online_commands_name_what_runs_a_node() {
    let online = Path::new("src/cli/online");
    let mut named = 0;
    for (path, text) in files("src") {
        if module_of(&path).is_none_or(|module| module != "cli") {
            continue;
        }
        for (line, used) in uses(&path, &text) {
            if !["api", "daemon", "net", "store"].contains(&used.as_str()) {
                continue;
            }
            assert!(path.starts_with(online), "{}:{line}: an offline command names {used}", path.display());
            named += 1;
        }
    }
    assert!(named > 5, "the sources were not understood: {named}");
}

#[test]
fn neighbours_on_a_floor_do_not_need_each_other() {
    let edges = edges(&floors());
    for (place, who, whom) in &edges {
        let back = edges.iter().find(|(_, other, back)| other == whom && back == who);
        assert!(back.is_none(), "{who} and {whom} import each other: {place} and {back:?}");
    }
}

#[test]
fn the_pure_floors_do_no_io_know_no_clock_and_do_not_panic() {
    let floors = floors();
    for (path, text) in files("src") {
        if module_of(&path).is_none_or(|module| floors[&module] > LAST_PURE_FLOOR) {
            continue;
        }
        for (line, code) in code(without_tests(&text)) {
            for word in IMPURE {
                assert!(!code.contains(word), "{}:{line}: {word:?} on a pure floor", path.display());
            }
        }
    }
}

#[test]
fn no_source_file_is_too_long() {
    for (path, text) in files("src").into_iter().chain(files("tests")) {
        let lines = text.lines().count();
        let is_source = path.extension().is_some_and(|ext| ext == "rs");
        assert!(!is_source || lines <= MAX_LINES, "{} has {lines} lines; {MAX_LINES} is the most", path.display());
    }
}

#[test]
fn nothing_is_left_over_and_nobody_is_judged() {
    let this = Path::new(file!()).file_name().unwrap();
    let folders = ["src", "tests", "benches", "config", "docs", "docker", "fuzz/fuzz_targets"];
    let mut files: Vec<_> = folders.iter().flat_map(|folder| files(folder)).collect();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "Makefile",
        "Cargo.toml",
        "fuzz/decoders.rs",
    ] {
        files.extend(fs::read_to_string(root().join(name)).ok().map(|text| (name.into(), text)));
    }
    let paths = MACHINE.iter().map(|folder| format!("/{folder}/"));
    let left_overs: Vec<_> = LEFT_OVERS.iter().map(|word| (*word).to_owned()).chain(paths).collect();
    for (path, text) in files.iter().filter(|(path, _)| path.file_name() != Some(this)) {
        for (at, line) in text.lines().enumerate() {
            let left = left_overs.iter().find(|word| line.contains(*word));
            assert!(left.is_none(), "{}:{}: {left:?}", path.display(), at + 1);
        }
        // Comments are ours: only what a program says, and what the configuration holds, is read by the parties.
        let is_source = path.starts_with("src");
        for (line, said) in code(text).filter(|_| is_source || path.starts_with("config")) {
            let judged = JUDGEMENTS.iter().find(|word| said.to_lowercase().contains(**word));
            assert!(judged.is_none(), "{}:{line}: {judged:?}", path.display());
        }
    }
}

#[test]
fn uses_are_found_however_they_are_written() {
    let text = "use crate::{\n    ledger::{self, Record},\n    note,\n};\n// crate::api\nfn f() { crate::net::go() }\n";
    let found = uses(Path::new("src/store/log.rs"), &format!("{text}use super::super::daemon::X;\n"));
    let found: Vec<_> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
    assert_eq!(found, [(1, "ledger"), (1, "note"), (1, ""), (6, "net"), (7, "daemon")]);
}
