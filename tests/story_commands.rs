//! `verbale demo --story`, and what its folders answer: the program itself, as people use it.
#![cfg(feature = "node")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_verbale")).arg("--home").arg(home).args(args).output().unwrap()
}

fn text(home: &Path, args: &[&str]) -> String {
    let output = run(home, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(home: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&text(home, &[&["--json"], args].concat())).unwrap()
}

/// The values of a property in an iCalendar file, its folded lines joined; each line within the standard's bounds.
fn values(file: &str, name: &str) -> Vec<String> {
    assert!(file.ends_with("END:VCALENDAR\r\n"));
    let line = |line: &str| line.len() <= 77 && !line.trim_end_matches("\r\n").contains(['\r', '\n']);
    assert!(file.split_inclusive("\r\n").all(line));
    let whole = file.replace("\r\n ", "");
    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned);
    whole.split("\r\n").filter_map(of).collect()
}

#[test]
fn the_story_is_played_into_folders_that_answer_with_the_historical_dates() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("story");
    let told = json(folder.path(), &["demo", "--story", "--dir", dir.to_str().unwrap()]);
    assert_eq!(told["notes"], 34);
    assert!(told["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["verified"] == true));
    let hungary = dir.join("HU");

    // While the first clock runs: what is due, and from when on the United States are no longer bound.
    let due = json(&hungary, &["due", "--as-of", "2020-06-25"]);
    let item = |rule: &str| {
        let items = due["items"].as_array().unwrap().iter();
        items.into_iter().find(|item| item["rule"] == rule).unwrap_or_else(|| panic!("no {rule}: {due:#}")).clone()
    };
    let conference = item("withdrawal/conference");
    assert_eq!(conference["from"], "2020-06-21T00:00:00Z");
    assert_eq!(conference["until"], "2020-07-21T23:59:59Z");
    assert_eq!(conference["state"], "open");
    let effect = item("withdrawal/withdrawal");
    assert_eq!((&effect["until"], &effect["state"]), (&"2020-11-22T00:00:00Z".into(), &"pending".into()));

    // The announcement of 15 January 2021 starts nothing; the notice of 18 June does.
    let calm = json(&hungary, &["due", "--as-of", "2021-01-16", "--party", "RU"]);
    assert!(calm["items"].as_array().unwrap().iter().all(|item| item["effect"] == false), "{calm:#}");
    let standing = |day: &str, party: &str| {
        let view = json(&hungary, &["parties", "--as-of", day]);
        let of = view["standing"].as_array().unwrap().iter().find(|s| s["party"]["code"] == party && s["now"] == true);
        of.unwrap()["standing"].as_str().unwrap().to_owned()
    };
    for (day, us, ru) in [
        ("2020-05-22", "state-party", "state-party"),
        ("2020-11-21", "notice-given", "state-party"),
        ("2021-01-16", "former-party", "state-party"),
        ("2021-12-17", "former-party", "notice-given"),
        ("2021-12-18", "former-party", "former-party"),
    ] {
        assert_eq!((standing(day, "US").as_str(), standing(day, "RU").as_str()), (us, ru), "as of {day}");
    }

    // The thread, from any of its notes.
    let withdrawal = effect["note"].as_str().unwrap().to_owned();
    let thread = json(&hungary, &["timeline", &withdrawal]);
    let notes = thread["notes"].as_array().unwrap();
    let kinds: Vec<_> = notes.iter().map(|note| note["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds[..5],
        ["statement", "withdrawal", "depositary-circular", "depositary-circular", "withdrawal-conference"]
    );
    assert_eq!((&notes[0]["notice"], &notes[1]["notice"]), (&false.into(), &true.into()));
    let received: Vec<_> = notes[1]["depositaries"].as_array().unwrap().iter().map(|d| &d["received"]).collect();
    assert_eq!(received, ["2020-05-22T14:00:01Z", "2020-05-22T14:00:01Z"]);
    assert_eq!(json(&hungary, &["timeline", notes[2]["number"].as_str().unwrap()])["notes"], thread["notes"]);

    // A calendar reads it, and reads it as the same entries another time.
    let file = text(&hungary, &["due", "--as-of", "2020-06-25", "--ics"]);
    let uids = values(&file, "UID");
    assert_eq!(uids.iter().collect::<std::collections::BTreeSet<_>>().len(), uids.len(), "each entry is itself");
    assert!(values(&file, "DUE").contains(&"20200721T235959Z".to_owned()));
    assert!(values(&file, "DTSTART").contains(&"20201122T000000Z".to_owned()));
    let later = values(&text(&hungary, &["due", "--as-of", "2020-06-30", "--ics"]), "UID");
    assert!(uids.iter().all(|uid| later.contains(uid)), "{uids:?} {later:?}");

    // Another party's folder says the same.
    for args in [&["due", "--as-of", "2021-07-01", "--all"][..], &["timeline", &withdrawal, "--as-of", "2021-07-01"]] {
        assert_eq!(json(&hungary, args), json(&dir.join("DE"), args), "{args:?}");
    }
}
