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
    assert_eq!(told["notes"], 35);
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

    for_people(&hungary, &withdrawal);
    bad_questions(&hungary);
    a_message_becomes_a_draft(&hungary);
    a_running_node_says_the_same(&hungary, &withdrawal);
}

/// What several owe alike is one row; who has left owes nothing more; what is long past is only counted.
fn for_people(home: &Path, withdrawal: &str) {
    let due = text(home, &["due", "--as-of", "2021-07-01"]);
    let plans: Vec<_> = due.lines().filter(|line| line.contains("planned for the next year")).collect();
    let rows: Vec<Vec<_>> = plans.iter().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 2, "{due}");
    assert_eq!(rows[0][..2], ["by 2020-11-01 23:59:59", "US, RU, DE, CA, HU, PL, BY, GE and TR"]);
    assert_eq!(rows[1][..2], ["by 2021-11-01 23:59:59", "RU, DE, CA, HU, PL, BY, GE and TR"]);
    assert!(due.contains("items whose time had run more than a year before: --all lists them."), "{due}");
    assert!(text(home, &["due", "--as-of", "2021-07-01", "--all"]).lines().count() > due.lines().count());
    let explained = text(home, &["due", "--as-of", "2021-07-01", "--explain"]);
    assert!(explained.contains("each of 9 parties") && explained.contains("each other"), "{explained}");
    assert!(explained.contains("Canada received RU/40 at 2021-06-18 09:00:01 UTC.  [RU/40, CA/40]"), "{explained}");

    let parties = text(home, &["parties", "--as-of", "2021-07-01"]);
    assert!(parties.contains("US\tUnited States of America\tformer state party\t2020-11-22 00:00:00 UTC"), "{parties}");
    assert!(parties.contains("russia-belarus\tRussia and Belarus\t0 of 42"), "{parties}");
    assert!(!parties.contains("0 of 42\t\t\t\t\t\nUS"), "no quota of who has left: {parties}");
    let flown = text(home, &["parties", "--as-of", "2019-12-31", "--year", "2019"]);
    assert!(flown.contains("DE\trussia-belarus\t1"), "{flown}");

    let thread = text(home, &["timeline", withdrawal]);
    for words in [
        "not a notice: starts no clock",
        "received by Canada, depositary, 2020-05-22 14:00:01 UTC (CA/32)",
        "CA or HU, 2020-06-21 00:00:00 – 2020-07-21 23:59:59: Met by CA/35",
        "former state party, since 2020-11-22 00:00:00 UTC",
    ] {
        assert!(thread.contains(words), "{words}: {thread}");
    }
}

/// Each says what was wrong, and how it is asked right.
fn bad_questions(home: &Path) {
    for (args, what) in [
        (&["due", "--as-of", "2020-13-45"][..], "a day is written as 2021-06-18"),
        (&["due", "--party", "XX"], "no party has the code XX"),
        (&["timeline", "US/4000"], "US/4000 is no notification"),
        (&["timeline", "XX/1"], "no party has the code XX"),
        (&["parties", "--year", "20000"], "--year"),
        (&["treaty", "explain", "withdrawl"], "did you mean withdrawal (Notice of withdrawal)"),
        (&["new", "flight"], "did you mean flight-intent"),
        (&["new", "--from-text", "nowhere.txt", "-o", "x"], "there is no file nowhere.txt"),
    ] {
        let output = run(home, args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(what), "{args:?}: {said}");
    }
}

/// What a node's own words say, read back; with what is missing told by its line.
fn a_message_becomes_a_draft(home: &Path) {
    let file = home.join("message.txt");
    let message = "PRECEDENCE: ROUTINE\nFROM: HU\nTO: ALL STATES PARTIES\nINFO: NONE\n\
                   SUBJECT: Statement or announcement (not a notice)\n1. OS MESSAGE NUMBER: OS/HU/1\n\
                   2. OS MESSAGE DATE AND TIME: 2021-07-01 14:00:00 UTC\n3. TREATY REFERENCE: NONE\n4. MESSAGE REFERENCE: NONE\n\
                   5. CONTENT:\n   A. Subject: The archive\n6. REMARKS: NONE\n7. END OF OS MESSAGE NUMBER: OS/HU/1\n";
    std::fs::write(&file, message).unwrap();
    let (file, draft) = (file.to_str().unwrap(), home.join("statement.draft"));
    let ask = ["new", "--from-text", file, "-o", draft.to_str().unwrap()];
    let output = run(home, &ask);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("line 12: the field `text` is missing: `B. Text or summary:`"), "{said}");
    assert!(said.contains("nothing was written") && !draft.exists(), "{said}");
    let said = text(home, &[&ask[..], &["--set", "text=Where it is kept"]].concat());
    assert!(said.contains("Subject: The archive") && said.contains("Issued: 2021-07-01 14:00:00 UTC"), "{said}");
    assert!(std::fs::read_to_string(&draft).unwrap().contains("\"text\":\"Where it is kept\""));
}

/// The node answers from what it keeps up record by record; a folder at rest, from all its records.
fn a_running_node_says_the_same(home: &Path, withdrawal: &str) {
    let questions: [&[&str]; 4] = [
        &["due", "--as-of", "2020-06-25"],
        &["due", "--as-of", "2021-07-01", "--all"],
        &["timeline", withdrawal, "--as-of", "2021-07-01"],
        &["parties", "--as-of", "2021-07-01", "--year", "2019"],
    ];
    let at_rest = questions.map(|args| json(home, args));
    let mut node = Command::new(env!("CARGO_BIN_EXE_verbale"));
    let log = std::fs::File::create(home.join("node.log")).unwrap();
    let mut node = node.arg("--home").arg(home).arg("node").stderr(log).spawn().unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !run(home, &["status"]).status.success() {
        let ended = node.try_wait().unwrap();
        let said = || std::fs::read_to_string(home.join("node.log")).unwrap();
        assert!(ended.is_none() && std::time::Instant::now() < end, "{}", said());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let running = questions.map(|args| json(home, args));
    let message = text(home, &["show", withdrawal, "--message"]);
    let shown = text(home, &["show", withdrawal]);
    let unknown = run(home, &["timeline", "US/4000"]);
    node.kill().unwrap();
    node.wait().unwrap();
    assert_eq!(running, at_rest);
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[1..3], ["FROM: United States of America (US)", "TO: Canada (CA); Hungary (HU)"]);
    assert!(lines.contains(&"   A. Intended date of withdrawal: 2020-11-22"), "{message}");
    assert_eq!(lines.last(), Some(&"7. END OF OS MESSAGE NUMBER: OS/US/32"));
    assert!(shown.contains("In effect since 2020-11-22 00:00:00 UTC, as computed."), "{shown}");
    assert!(!unknown.status.success());
}
