//! `verbale fsck` as it is called.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use verbale::cli::Code;
use verbale::store::Store;

use crate::fixture::Fixture;
use crate::tamper::{entries, played, raw, set};

/// The exit code and what to do next, as a script reads them.
struct Outcome {
    code: i32,
    hint: String,
}

fn run(home: &Path, args: &[&str]) -> Outcome {
    let mut program = Command::new(env!("CARGO_BIN_EXE_verbale"));
    let output = program.args(["--json", "fsck"]).args(args).env("VERBALE_HOME", home).output().unwrap();
    let failure: Value = serde_json::from_slice(&output.stderr).unwrap_or_default();
    let hint = failure["hint"].as_str().unwrap_or_default().to_owned();
    Outcome { code: output.status.code().unwrap(), hint }
}

#[test]
fn the_command_says_what_is_wrong_and_what_to_do() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    let (home, data) = (dir.path(), dir.path().join("data"));
    let expect = |args: &[&str], code: i32, hint: &str| {
        let outcome = run(home, args);
        assert_eq!(outcome.code, code, "{args:?}");
        assert!(outcome.hint.contains(hint), "{args:?}: {}", outcome.hint);
    };
    expect(&[], Code::Input as i32, "");
    std::fs::write(home.join("treaty.toml"), &fixture.text).unwrap();
    std::fs::write(home.join("verbale.toml"), "party = \"P0\"\n").unwrap();
    expect(&[], Code::Input as i32, "");
    expect(&["--repair-indexes"], Code::Input as i32, "");
    assert!(!data.exists(), "a check makes no folder");

    played(&data, &fixture);
    expect(&[], 0, "");
    let store = Store::open(&data, &fixture.treaty).unwrap();
    expect(&[], Code::Locked as i32, "snapshot");
    expect(&["--repair-indexes"], Code::Locked as i32, "snapshot");
    let copy = home.join("copy");
    store.snapshot(&copy).unwrap();
    expect(&["--data", copy.to_str().unwrap()], 0, "");
    drop(store);

    let id = entries(&raw(&data), "ids").remove(0).0;
    set(&data, "ids", &id, None);
    expect(&[], Code::Damaged as i32, "--repair-indexes");
    expect(&["--repair-indexes"], 0, "");
    expect(&[], 0, "");

    let (key, mut record) = entries(&raw(&data), "records").remove(3);
    let middle = record.len() / 2;
    record[middle] ^= 1;
    set(&data, "records", &key, Some(&record));
    set(&data, "ids", &id, None);
    expect(&["--repair-indexes"], Code::Damaged as i32, "move it away");
    assert!(
        !entries(&raw(&data), "ids").iter().any(|(key, _)| *key == id),
        "indexes are not made from damaged records"
    );

    std::fs::write(home.join("treaty.toml"), Fixture::named(4, "Another trial").text).unwrap();
    expect(&[], Code::Input as i32, "--home");
}
