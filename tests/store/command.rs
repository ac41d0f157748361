//! `verbale fsck` as it is called.

use std::path::Path;

use clap::Parser;
use verbale::cli::{Code, Context, Failure, Output, fsck};
use verbale::store::Store;

use crate::fixture::Fixture;
use crate::tamper::{entries, played, raw, set};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: fsck::Args,
}

fn run(home: &Path, args: &[&str]) -> Result<(), Failure> {
    let program = Program::parse_from([&["fsck"], args].concat());
    fsck::run(&program.args, &Context { home: home.to_owned(), out: Output { json: true, terminal: false } })
}

#[test]
fn the_command_says_what_is_wrong_and_what_to_do() {
    let (fixture, dir) = (Fixture::new(4), tempfile::tempdir().unwrap());
    let (home, data) = (dir.path(), dir.path().join("data"));
    let failure = |args: &[&str]| run(home, args).unwrap_err();
    assert_eq!(failure(&[]).code, Code::Input, "no treaty file");
    std::fs::write(home.join("treaty.toml"), &fixture.text).unwrap();
    std::fs::write(home.join("verbale.toml"), "party = \"P0\"\n").unwrap();
    assert_eq!(failure(&[]).code, Code::Input, "no data");
    assert_eq!(failure(&["--repair-indexes"]).code, Code::Input, "no data");
    assert!(!data.exists(), "a check makes no folder");

    played(&data, &fixture);
    run(home, &[]).unwrap();
    let store = Store::open(&data, &fixture.treaty).unwrap();
    let locked = failure(&[]);
    assert_eq!(locked.code, Code::Locked);
    assert!(locked.hint.unwrap().contains("snapshot"));
    assert_eq!(failure(&["--repair-indexes"]).code, Code::Locked);
    let copy = home.join("copy");
    store.snapshot(&copy).unwrap();
    run(home, &["--data", copy.to_str().unwrap()]).unwrap();
    drop(store);

    let id = entries(&raw(&data), "ids").remove(0).0;
    set(&data, "ids", &id, None);
    let broken = failure(&[]);
    assert_eq!(broken.code, Code::Damaged);
    assert!(broken.hint.unwrap().contains("--repair-indexes"));
    run(home, &["--repair-indexes"]).unwrap();
    run(home, &[]).unwrap();

    let (key, mut record) = entries(&raw(&data), "records").remove(3);
    let middle = record.len() / 2;
    record[middle] ^= 1;
    set(&data, "records", &key, Some(&record));
    set(&data, "ids", &id, None);
    let broken = failure(&["--repair-indexes"]);
    assert_eq!(broken.code, Code::Damaged);
    assert!(
        !entries(&raw(&data), "ids").iter().any(|(key, _)| *key == id),
        "indexes are not made from damaged records"
    );
    assert!(!broken.hint.unwrap().contains("--repair-indexes"), "no index puts that right");

    std::fs::write(home.join("treaty.toml"), Fixture::named(4, "Another trial").text).unwrap();
    assert_eq!(failure(&[]).code, Code::Input);
}
