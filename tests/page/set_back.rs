//! A party that sets its clock back, so that a key which has come to its end by the log's own time goes on: a forged ledger and
//! a file of evidence before three verifiers.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use verbale::audit::Selection;
use verbale::ledger::{RecordType, Timestamp};
use verbale::node::{Refusal, prove};
use verbale::page::{Carried, evidence_page, ledger_page};

use crate::common::files::{exported, write_folder};
use crate::common::{self, CA, HU, Ledger, RU, START, US};
use crate::driver::Browser;
use crate::golden::without_words;

/// Seconds for which the envoy's key is good.
const GOOD: u64 = 10_000;

/// Who shows that the end of the key had come before the note that is dated back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    /// Russia's own log.
    Own,
    /// Others, so many, by what they had logged and Russia had received.
    Others(usize),
}

/// Russia's envoy signs in time, and once more after the end of that key, dated back.
fn forged(shown: Shown) -> (Ledger, u64, u64) {
    let mut ledger = Ledger::new();
    let until = Timestamp::from_posix(START + GOOD);
    let grant = ledger.grant_within(RU, "envoy", ("Envoy", "*"), [None, Some(until)]);
    ledger.submit(RU, grant).unwrap();
    let note = ledger.note(RU, 1, "envoy");
    let in_time = ledger.submit(RU, note).unwrap().index;
    ledger.settle();
    match shown {
        Shown::Own => {
            let (late, signer) = (Timestamp::from_posix(START + 2 * GOOD), common::key(RU, "log"));
            ledger.log_anyway_at(RU, late, signer, RecordType::Evidence, b"nothing\n");
        }
        Shown::Others(many) => {
            ledger.now = (START + GOOD + 500) * 1000;
            for other in [CA, US].into_iter().take(many) {
                ledger.online(&[other]);
                ledger.remark(other, 10);
            }
        }
    }
    ledger.now = (START + GOOD - 500) * 1000;
    ledger.online(&[CA, HU, RU, US]);
    ledger.settle();
    let late = ledger.note(RU, 2, "envoy");
    if shown == Shown::Own {
        // The party's own node sees it, also after a restart.
        for _ in 0..2 {
            let Err(Refusal::Marks(marks)) = ledger.submit(RU, late.clone()) else { panic!("its own node logs it") };
            assert_eq!(marks[0].code, "unauthorised");
            ledger.restart();
            ledger.settle();
        }
    }
    let late = ledger.log_anyway(RU, RecordType::Notification, &late);
    ledger.settle();
    (ledger, in_time, late)
}

struct Desk {
    dir: tempfile::TempDir,
    browser: Option<Browser>,
}

impl Desk {
    /// What the command line, the page and Python say of a path.
    fn ask(&self, path: &Path) -> (String, Value, Option<Value>, Option<Value>) {
        let (treaty, profile) = (self.dir.path().join("treaty.toml"), self.dir.path().join("profile.toml"));
        std::fs::write(&treaty, common::treaty_text()).unwrap();
        std::fs::write(&profile, common::PROFILE).unwrap();
        let verify = |json: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
            command.args(["verify", "--treaty"]).arg(&treaty).arg(path).args(json).env_remove("VERBALE_HOME");
            if path.is_file() {
                command.arg("--profile").arg(&profile);
            }
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let ours = serde_json::from_str(&verify(&["--json"])).unwrap();
        let page = self.browser.as_ref().map(|browser| {
            let html = match std::fs::read(path) {
                Ok(bytes) => evidence_page(&bytes, common::treaty_text().as_bytes(), Some(common::PROFILE.as_bytes())),
                Err(_) => ledger_page(&Carried::of_folder(path).unwrap()),
            };
            let file = self.dir.path().join("page.html");
            std::fs::write(&file, html).unwrap();
            browser.open(&file);
            let data = browser.ask("return document.getElementById('data').textContent");
            serde_json::from_str(data.as_str().unwrap()).unwrap()
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
        let python = Command::new("python3").arg(script).args([&treaty, &profile]).arg(path).output().unwrap();
        let python = String::from_utf8(python.stdout).unwrap();
        (verify(&[]), ours, page, python.lines().next().and_then(|line| serde_json::from_str(line).ok()))
    }
}

#[test]
fn a_key_that_has_come_to_its_end_signs_no_more_however_the_clock_is_set() {
    let desk = Desk { dir: tempfile::tempdir().unwrap(), browser: Browser::start() };
    for shown in [Shown::Own, Shown::Others(1), Shown::Others(2)] {
        let (ledger, in_time, late) = forged(shown);
        let folder = desk.dir.path().join(format!("{shown:?}"));
        write_folder(&folder, &exported(&ledger, HU, Selection::default()));
        let (said, ours, page, python) = desk.ask(&folder);
        let marked = &ours["report"]["marked"];
        let back = &ours["report"]["logs"][RU]["set_back"];
        let own = shown == Shown::Own;
        assert_eq!(marked.as_array().unwrap().len(), usize::from(own), "{said}");
        if own {
            assert_eq!((marked[0]["party"].as_str(), marked[0]["index"].as_u64()), (Some("RU"), Some(late)), "{said}");
            let text = marked[0]["marks"][0]["text"].as_str().unwrap();
            assert!(text.contains("The key of Envoy is valid until") && text.contains("the log had come to"), "{text}");
            assert!(said.contains("The clock of RU goes back in its own log, once at record"), "{said}");
            assert_eq!(back["count"], 1, "{back}");
            assert!(ours["report"]["logs"][CA]["set_back"].is_null());
        }
        let expected = if own { serde_json::json!([format!("RU/{late}")]) } else { serde_json::json!([]) };
        assert!(page.is_none_or(|page| page["ledger"]["marked"] == expected));
        assert!(python.is_none_or(|python| python["logs"][RU]["marked"] == usize::from(own)));
        // In a file of evidence, as far as it goes: one other clock does not decide, two do.
        for (index, marks) in [(in_time, 0), (late, usize::from(shown == Shown::Others(2)))] {
            let bytes = prove(&ledger.nodes[HU].disk, &ledger.treaty, RU, index).unwrap().unwrap();
            let path = desk.dir.path().join("note.tlog-proof");
            std::fs::write(&path, bytes).unwrap();
            let (said, ours, page, python) = desk.ask(&path);
            let found = ours["verdict"]["marks"].as_array().unwrap();
            // A file may hold the log's own record for another reason.
            assert!(own || found.len() == marks, "{shown:?}: {said}");
            if marks > 0 {
                assert!(
                    said.contains("what CA and US had logged") || said.contains("what US and CA had logged"),
                    "{said}"
                );
            }
            if let Some(page) = page {
                assert_eq!(without_words(&page), without_words(&ours), "{shown:?}");
                assert_eq!(page["verdict"]["marks"], ours["verdict"]["marks"], "the same words");
            }
            if let Some(python) = python {
                let codes: Value = found.iter().map(|mark| mark["code"].clone()).collect();
                assert_eq!(python["marks"], codes, "{shown:?}");
            }
        }
    }
}
