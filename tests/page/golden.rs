//! Golden files: kept bytes of every kind of evidence, each with tampered twins. Three verifiers (this program, the page
//! in Chromium, and Python's, which shares no line with either) say the same of each, for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use verbale::ledger::{Evidence, Notification, Profile, Record, Treaty};
use verbale::message::Logged;
use verbale::page::{Carried, evidence_page, ledger_page};

use crate::driver::Browser;

/// A line of `expected.tsv`.
struct Expected {
    file: PathBuf,
    name: String,
    outcome: String,
    words: String,
}

/// The folders: each has a treaty file, a profile, `expected.tsv`, and what that lists. `VERBALE_GOLDEN` names one.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut folders: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    if let Some(name) = std::env::var_os("VERBALE_GOLDEN") {
        folders.retain(|folder| folder.file_name() == Some(&name));
    }
    folders
}

fn expected(folder: &Path) -> Vec<Expected> {
    let table = fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let rows: Vec<_> = table
        .lines()
        .map(|line| {
            let [name, outcome, words] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            Expected { file: folder.join(name), name: name.into(), outcome: outcome.into(), words: words.into() }
        })
        .collect();
    assert!(!rows.is_empty());
    rows
}

/// What the command line says: `sound`, `reserved` or `refused`; its words; and the verdict, unless it refuses.
fn by_command(folder: &Path, file: &Path) -> (String, String, Value) {
    let run = |json: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
        command.arg("verify").arg(file).arg("--treaty").arg(folder.join("treaty.toml")).env_remove("VERBALE_HOME");
        if json {
            command.arg("--json");
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(false);
    let value = serde_json::from_str(&run(true).1).unwrap_or(Value::Null);
    let outcome = match (code, &value) {
        (0, _) => "sound",
        (1, Value::Null) => "refused",
        (1, value) if [&value["faults"], &value["report"]["faults"]].iter().any(|f| f[0].is_object()) => "refused",
        (1, _) => "reserved",
        _ => panic!("{}: exit code {code}: {err}", file.display()),
    };
    (outcome.into(), format!("{out}{err}"), value)
}

/// Sentences and items of the rules of time in a file. The command line counts all; another verifier says of a rule that it
/// does not, and of no other is there anything left out.
pub fn same_rules(name: &str, theirs: &Value, ours: &Value) {
    assert_eq!(theirs.is_null(), ours.is_null(), "{name}");
    if ours.is_null() {
        return;
    }
    let list = |value: &Value, field: &str| value[field].as_array().unwrap().clone();
    let left_out: Vec<String> = list(theirs, "sentences")
        .iter()
        .filter_map(|text| {
            let (before, _) = text.as_str().unwrap().split_once(" is not recomputed here: ")?;
            Some(before.split('`').nth(1).unwrap().to_owned())
        })
        .collect();
    let counted = |item: &&Value| !left_out.iter().any(|rule| item["rule"] == **rule);
    let short = |item: &Value| {
        let steps = item["steps"].as_array().unwrap().iter();
        let steps: Value = steps.map(|step| step.get("text").unwrap_or(step).clone()).collect();
        let readings = item["readings"].as_array().unwrap().iter();
        let readings: Value = readings.map(|r| json!([r["title"], r["from"], r["until"]])).collect();
        let fields = ["rule", "owed_by", "state", "by_s", "from", "until", "act"];
        json!([fields.map(|field| item[field].clone()), steps, readings])
    };
    let items = |rules: &Value| -> Vec<Value> { list(rules, "items").iter().filter(counted).map(short).collect() };
    assert_eq!(items(theirs), items(ours), "{name}");
    assert_eq!(theirs["as_of"], ours["as_of"], "{name}");
    let theirs_said: Vec<_> = list(theirs, "sentences");
    if left_out.is_empty() {
        assert_eq!(theirs_said, list(ours, "sentences"), "{name}");
        assert_eq!(theirs["not_proven"], ours["not_proven"], "{name}");
        return;
    }
    // In the same order, with one sentence in the place of those on a rule that is left out.
    let mut ours_said = list(ours, "sentences").into_iter();
    for said in theirs_said.into_iter().filter(|said| !said.as_str().unwrap().contains("is not recomputed here")) {
        assert!(ours_said.any(|ours| ours == said), "{name}: {said}");
    }
}

/// A mark's words may be each verifier's own; its code may not. Rules of time are compared by themselves.
pub fn without_words(verdict: &Value) -> Value {
    let mut verdict = verdict.clone();
    verdict.as_object_mut().unwrap().remove("rules");
    let marks = verdict["verdict"]["marks"].as_array().unwrap();
    verdict["verdict"]["marks"] = marks.iter().map(|mark| mark["code"].clone()).collect();
    verdict
}

/// The note in an evidence file as `show --message` writes it.
fn message(bytes: &[u8], treaty: &[u8], profile: &[u8]) -> Option<String> {
    let (treaty, profile) = (Treaty::parse(treaty).unwrap(), Profile::parse(profile).unwrap());
    let evidence = Evidence::parse(bytes, &treaty.hash()).unwrap();
    let record = Record::parse(evidence.record.record.as_bytes()).unwrap();
    let (_, notification) = Notification::of_note(record.payload).ok()?;
    let logged = Logged { index: record.index, time: record.time };
    Some(verbale::message::write(&notification, Some(logged), &profile, &treaty))
}

/// Where lines are broken does not matter.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A verdict in the words of the verifier in Python.
pub fn in_pythons_words(verdict: &Value) -> Value {
    let list = |name: &str, fields: &[&str]| -> Value {
        let items = verdict[name].as_array().unwrap().iter();
        items.map(|item| fields.iter().map(|field| item[field].clone()).collect::<Value>()).collect()
    };
    let codes = |name: &str, field: &str| -> Value {
        verdict[name].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    };
    let fork = &verdict["fork"];
    json!({
        "party": verdict["party"], "index": verdict["index"], "leaf": verdict["leaf"], "logged": verdict["logged"],
        "kind": verdict["kind"], "signers": codes("signers", "title"), "marks": codes("marks", "code"),
        "fork": if fork.is_null() { Value::Null } else { json!([fork["smaller"], fork["larger"]]) },
        "receipts": list("receipts", &["party", "time", "size"]), "not_before": list("not_before", &["time", "by"]),
        "not_after": verdict["not_after"]["time"], "final": verdict["final"],
    })
}

#[test]
fn every_golden_file_is_what_the_command_line_says() {
    let mut count = 0;
    for folder in folders() {
        let rows = expected(&folder);
        for row in &rows {
            let (outcome, said, _) = by_command(&folder, &row.file);
            assert_eq!(outcome, row.outcome, "{}: {said}", row.name);
            assert!(said.contains(&row.words), "{} should say {:?}: {said}", row.name, row.words);
            count += 1;
        }
        // Nothing lies there that nobody looks at.
        for kind in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            for file in fs::read_dir(kind).unwrap().map(|entry| entry.unwrap().path()) {
                assert!(rows.iter().any(|row| row.file == file), "{} is not in expected.tsv", file.display());
            }
        }
    }
    println!("{count} golden files");
}

#[test]
fn the_page_agrees_on_every_golden_file() {
    let Some(browser) = Browser::start() else { return };
    let desk = tempfile::tempdir().unwrap();
    for folder in folders() {
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let (treaty, profile) = (read("treaty.toml"), read("profile.toml"));
        for row in expected(&folder) {
            let page = desk.path().join("page.html");
            let html = match fs::read(&row.file) {
                Ok(evidence) => evidence_page(&evidence, &treaty, Some(&profile)),
                Err(_) => ledger_page(&Carried::of_folder(&row.file).unwrap()),
            };
            fs::write(&page, html).unwrap();
            let shown = match browser.open(&page).as_str() {
                "verified" => "sound",
                "reserved" => "reserved",
                "refused" => "refused",
                other => panic!("{}: {other}", row.name),
            };
            let data = browser.ask("return document.getElementById('data').textContent");
            assert_eq!(shown, row.outcome, "{}: {data}", row.name);
            let (_, said, ours) = by_command(&folder, &row.file);
            let theirs: Value = serde_json::from_str(data.as_str().unwrap()).unwrap();
            if row.outcome == "refused" {
                // The same part is named by both. Of a ledger each names the file where it noticed first.
                let part = theirs["part"].as_str().unwrap_or_default();
                let folder = part.rsplit_once('/').filter(|_| row.file.is_dir());
                let part = folder.map_or(part, |(folder, _)| folder);
                assert!(part.is_empty() || said.contains(part), "{}: {said}\n{theirs}", row.name);
                continue;
            }
            if row.file.is_dir() {
                let logs = theirs["ledger"]["logs"].as_array().unwrap();
                for (theirs, ours) in logs.iter().zip(ours["report"]["logs"].as_array().unwrap()) {
                    for (name, value) in theirs.as_object().unwrap() {
                        assert_eq!(*value, ours[name], "{}: {name}", row.name);
                    }
                }
                assert_eq!(theirs["ledger"]["missing"], ours["report"]["missing"], "{}", row.name);
                assert_eq!(theirs["ledger"]["forks"], ours["report"]["forks"], "{}", row.name);
                continue;
            }
            assert_eq!(without_words(&theirs), without_words(&ours), "{}", row.name);
            same_rules(&row.name, &theirs["rules"], &ours["rules"]);
            let letter = browser.ask("return document.querySelector('#letter pre')?.textContent ?? null");
            let written = message(&fs::read(&row.file).unwrap(), &treaty, &profile);
            assert_eq!(letter.as_str().map(one_line), written.as_deref().map(one_line), "{}", row.name);
            // Why a payload is no notification each says in its own words.
            if theirs["verdict"]["marks"][0]["code"] == "malformed" {
                continue;
            }
            // Every sentence of the page is one of the command line's, and the other way round.
            let sentences = browser.ask(
                "return [...document.querySelectorAll('#proven li, #rules li, #not-proven li')].map((item) => item.textContent)",
            );
            // Those on rules of time were compared above.
            let of_rules = |line: &&str| {
                let said = |rules: &Value| {
                    let lists = [&rules["sentences"], &rules["not_proven"]];
                    lists.iter().filter_map(|list| list.as_array()).flatten().any(|rule| rule == line)
                };
                said(&ours["rules"]) || said(&theirs["rules"])
            };
            let printed = said.lines().filter_map(|line| line.strip_prefix("  "));
            let printed: Vec<_> = printed.filter(|line| !of_rules(line)).collect();
            let shown: Vec<_> = sentences.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
            let rules = ["sentences", "not_proven"].map(|name| theirs["rules"][name].as_array().cloned());
            let rules: Vec<_> = rules.into_iter().flatten().flatten().collect();
            assert!(rules.iter().all(|rule| shown.iter().any(|line| rule == line)), "{}", row.name);
            let shown: Vec<_> = shown.into_iter().filter(|line| !of_rules(line)).collect();
            // What is said of a schema is each verifier's own.
            let until =
                |line: &&str| line.split_once(" kind's schema").map_or((*line).to_owned(), |(start, _)| start.into());
            let shown: Vec<String> = shown.iter().map(until).collect();
            let printed: Vec<String> = printed.iter().map(until).collect();
            assert_eq!(shown, printed[..shown.len()], "{}", row.name);
        }
    }
}

#[test]
fn python_agrees_on_every_golden_file() {
    let ready = Command::new("python3").args(["-c", "import cryptography, tomllib"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: it needs Python 3.11 and its package cryptography (`make setup` installs it)");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    for folder in folders() {
        let rows = expected(&folder);
        let mut command = Command::new("python3");
        command.arg(&script).arg(folder.join("treaty.toml")).arg(folder.join("profile.toml"));
        let output = command.args(rows.iter().map(|row| &row.file)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), rows.len(), "{}", String::from_utf8_lossy(&output.stderr));
        for (row, theirs) in rows.iter().zip(answers) {
            // Of a folder it says in one word whether there is anything against it.
            let expected = if row.file.is_dir() { row.outcome == "sound" } else { row.outcome != "refused" };
            assert_eq!(theirs["verified"], expected, "{}: {theirs}", row.name);
            if row.outcome == "refused" {
                continue;
            }
            let (_, _, ours) = by_command(&folder, &row.file);
            if row.file.is_dir() {
                for (log, theirs) in
                    ours["report"]["logs"].as_array().unwrap().iter().zip(theirs["logs"].as_array().unwrap())
                {
                    let ours = [&log["party"], &log["records"], &log["final_size"]];
                    assert_eq!([&theirs["party"], &theirs["records"], &theirs["final"]], ours, "{}", row.name);
                }
                continue;
            }
            for (name, value) in in_pythons_words(&ours["verdict"]).as_object().unwrap() {
                assert_eq!(theirs[name], *value, "{}: {name}", row.name);
            }
            same_rules(&row.name, &theirs["rules"], &ours["rules"]);
        }
    }
}
