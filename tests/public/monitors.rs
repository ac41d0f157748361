//! The monitor: what it sees, how often it says it, and that what nobody has taken yet is told again.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use verbale::ledger::{Profile, RecordType, Reference, Timestamp};
use verbale::node::Read;
use verbale::note::SignedNote;
use verbale::public::alarm::Alarm;
use verbale::public::monitor::{Monitor, Rules};
use verbale::tlog::leaf_hash;

use crate::common::{self, CA, HU, Ledger, RU, US};
use crate::mirrors::{Kept, publish_to};
use crate::servers::{Server, status};

/// The kinds and keys of what a monitor finds at a time.
fn look(kept: &Kept, place: &str, rules: Rules, now: u64) -> Vec<String> {
    let mut mirror = kept.open(&[place]);
    let round = mirror.round(&mut |_, _| {}).unwrap();
    let mut monitor =
        Monitor::new(rules, mirror.ledger().treaty(), Profile::parse(common::PROFILE.as_bytes()).unwrap());
    let alarms = monitor.look(&mirror, &round, Timestamp::from_posix(now)).unwrap();
    alarms.into_iter().map(|Alarm { key, .. }| key).collect()
}

fn strict() -> Rules {
    Rules {
        stale_after: None,
        quorum_after: Some(600),
        receipts_from: Vec::new(),
        deadlines: true,
        unreachable_rounds: 1,
    }
}

#[test]
fn receipts_that_do_not_come_and_logs_that_stop_are_found() {
    let mut ledger = Ledger::new();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    ledger.remark(CA, 1);
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let kept = Kept::new();
    let now = ledger.now / 1000;
    assert_eq!(look(&kept, &place, strict(), now + 1_000_000), [""; 0], "all has its receipts");
    // Alone, so that nobody receipts: not at once, and then.
    ledger.online(&[CA]);
    ledger.remark(CA, 2);
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let now = ledger.now / 1000;
    assert_eq!(look(&kept, &place, strict(), now), [""; 0]);
    assert_eq!(look(&kept, &place, strict(), now + 700), ["no-quorum CA"]);
    // Two are a quorum, and one who was asked for by name is still missing.
    ledger.online(&[CA, HU, RU]);
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let by_name = Rules { receipts_from: vec![US, HU], ..strict() };
    assert_eq!(look(&kept, &place, strict(), now + 700), [""; 0]);
    let keys = look(&kept, &place, by_name, now + 700);
    assert!(
        keys.contains(&"no-receipt CA US".to_owned()) && !keys.contains(&"no-receipt CA HU".to_owned()),
        "{keys:?}"
    );
    let idle = Rules { stale_after: Some(86_400), ..strict() };
    assert_eq!(look(&kept, &place, idle.clone(), ledger.now / 1000 + 3600), [""; 0]);
    assert!(look(&kept, &place, idle, ledger.now / 1000 + 90_000).contains(&"stale US".to_owned()));
}

/// What was due and is not there: once the published logs show that the time has run, and until an answer is published.
#[test]
fn a_missed_deadline_is_an_alarm_until_the_answer_is_published() {
    let rule = "[[kind.remark.due]]\nid = \"answer\"\ntitle = \"An answer\"\nby = [\"HU\"]\nanswer = [\"acknowledgement\"]\n\
                start = \"received\"\nwithin = \"24 hours\"\n[amendment]";
    let profile = common::PROFILE.replace("[amendment]", rule);
    let mut ledger = Ledger::new();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let index = ledger.remark(CA, 1);
    let publish = |ledger: &Ledger| publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    publish(&ledger);
    let kept = Kept::new();
    let deadlines = |now: u64, deadlines: bool| {
        let mut mirror = kept.open(&[&place]);
        let round = mirror.round(&mut |_, _| {}).unwrap();
        let rules = Rules { deadlines, ..strict() };
        let profile = Profile::parse(profile.as_bytes()).unwrap();
        let mut monitor = Monitor::new(rules, mirror.ledger().treaty(), profile);
        let alarms = monitor.look(&mirror, &round, Timestamp::from_posix(now)).unwrap();
        alarms.into_iter().filter(|alarm| alarm.kind == "deadline").collect::<Vec<Alarm>>()
    };
    let sent = ledger.now / 1000;
    assert_eq!(deadlines(sent + 3600, true), [], "there is time");
    let missed = deadlines(sent + 90_000, true);
    assert_eq!(missed.len(), 1, "{missed:?}");
    assert_eq!(
        (missed[0].key.as_str(), missed[0].party.as_deref()),
        (format!("deadline CA/{index} answer HU").as_str(), Some("HU"))
    );
    assert!(missed[0].text.contains("due by ") && missed[0].text.contains("UTC"), "{}", missed[0].text);
    assert_eq!(deadlines(sent + 90_000, false), [], "it was not asked for");
    // An answer by somebody else, or about something else, ends nothing.
    ledger.remark(HU, 2);
    publish(&ledger);
    let key = format!("deadline CA/{index} answer HU");
    let is_on = || deadlines(sent + 90_000, true).iter().any(|alarm| alarm.key == key);
    assert!(is_on());
    let record = ledger.nodes[CA].disk.record(CA, index).unwrap().unwrap();
    let re = Reference { log: "CA".into(), index, leaf: leaf_hash(&record) };
    let text = String::from_utf8(ledger.reply(HU, 3, "clerk", vec![re])).unwrap();
    let text = text.split("\n\n").next().unwrap().replace("\"kind\":\"remark\"", "\"kind\":\"acknowledgement\"");
    let mut note = SignedNote::new(text + "\n").unwrap();
    note.sign(&common::key(HU, "clerk"));
    // With the trial's own profile it carries a field too many; what was done counts all the same.
    ledger.log_anyway(HU, RecordType::Notification, &note.to_bytes());
    publish(&ledger);
    assert!(!is_on(), "the answer is there");
}

#[test]
fn what_disappears_or_was_never_seen_is_told_and_nothing_is_missed_by_a_log_that_was_not_read() {
    let rule = "[[kind.remark.due]]\nid = \"answer\"\ntitle = \"An answer\"\nby = [\"HU\"]\nanswer = [\"acknowledgement\"]\n\
                start = \"received\"\nwithin = \"24 hours\"\n[amendment]";
    let profile = common::PROFILE.replace("[amendment]", rule);
    let mut ledger = Ledger::new();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    ledger.remark(CA, 1);
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let late = ledger.now / 1000 + 90_000;
    let kinds = |kept: &Kept, rules: Rules| {
        let mut mirror = kept.open(&[&place]);
        let round = mirror.round(&mut |_, _| {}).unwrap();
        let profile = Profile::parse(profile.as_bytes()).unwrap();
        let mut monitor = Monitor::new(rules, mirror.ledger().treaty(), profile);
        let alarms = monitor.look(&mirror, &round, Timestamp::from_posix(late)).unwrap();
        alarms.into_iter().map(|alarm| alarm.kind).collect::<Vec<_>>()
    };
    let kept = Kept::new();
    assert_eq!(kinds(&kept, strict()), ["deadline"]);
    // The log of the one who owes the answer is hidden: a rollback, and of the answer nothing can be said.
    let (hu, away) = (folder.path().join("trial/HU"), folder.path().join("trial/away"));
    std::fs::rename(&hu, &away).unwrap();
    assert_eq!(kinds(&kept, strict()), ["rollback", "rollback"]);
    // Who comes only now has never seen it.
    let fresh = Kept::new();
    assert_eq!(kinds(&fresh, strict()), [""; 0]);
    let idle = Rules { stale_after: Some(1_000_000), ..strict() };
    assert_eq!(kinds(&fresh, idle), ["stale"]);
    // Everything is gone.
    std::fs::rename(folder.path().join("trial"), folder.path().join("elsewhere")).unwrap();
    let all = kinds(&kept, strict());
    assert!(all.contains(&"nothing".to_owned()) && !all.contains(&"deadline".to_owned()), "{all:?}");
    assert_eq!(all.iter().filter(|kind| *kind == "rollback").count(), 8);
}

#[test]
fn a_clock_that_is_years_ahead_silences_no_alarm() {
    let mut ledger = Ledger::new();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let now = ledger.now / 1000;
    // Russia dates a receipt for Canada's log, and a note of its own that nobody receipts, thousands of years ahead.
    ledger.online(&[CA, HU, US]);
    ledger.remark(CA, 1);
    ledger.now += 7_000 * 31_557_600_000;
    ledger.online(&[RU, CA]);
    ledger.online(&[RU]);
    ledger.remark(RU, 2);
    publish_to(folder.path(), &ledger.nodes[RU].disk).unwrap();
    let kept = Kept::new();
    let idle = Rules { stale_after: Some(86_400), ..strict() };
    let keys = look(&kept, &place, idle, now + 200_000);
    assert!(keys.contains(&"stale CA".to_owned()), "{keys:?}");
    assert!(keys.contains(&"stale RU".to_owned()) && keys.contains(&"no-quorum RU".to_owned()), "{keys:?}");
}

fn monitor(kept: &Kept, place: &str, more: &[&str]) -> Output {
    let home = kept.dir.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("treaty.toml"), common::treaty_text()).unwrap();
    std::fs::write(home.join("profile.toml"), common::PROFILE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
    command
        .arg("--home")
        .arg(&home)
        .args(["monitor", place, "--once", "--json", "--dir"])
        .arg(kept.dir.path().join("m"));
    command.args(more).env("NO_PROXY", "127.0.0.1").output().unwrap()
}

fn kinds(output: &Output) -> Vec<String> {
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let alarms = value["alarms"].as_array().unwrap().iter();
    alarms.map(|active| active["alarm"]["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_alarm_is_told_once_and_what_was_not_taken_again() {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    let (good, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    publish_to(good.path(), &ledger.nodes[CA].disk).unwrap();
    let mut twin = Ledger::new();
    twin.remark(RU, 11);
    twin.remark(RU, 12);
    publish_to(other.path(), &twin.nodes[CA].disk).unwrap();
    let (good, other) = (good.path().to_str().unwrap(), other.path().to_str().unwrap());
    let told: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (hook, refuse) = (told.clone(), Arc::new(Mutex::new(true)));
    let closed = refuse.clone();
    let server = Server::new(move |method, _, _, body| {
        assert_eq!(method, "POST");
        if *closed.lock().unwrap() {
            return status(500);
        }
        hook.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        status(204)
    });
    let url = server.url();
    let kept = Kept::new();
    let metrics = kept.dir.path().join("verbale.prom");
    let more = ["--webhook", url.as_str(), "--metrics", metrics.to_str().unwrap()];
    let quiet = monitor(&kept, good, &more);
    assert_eq!((quiet.status.code(), kinds(&quiet)), (Some(0), vec![]), "{}", String::from_utf8_lossy(&quiet.stderr));
    // The other place shows another history of one log; nobody takes the message.
    let forked = monitor(&kept, other, &more);
    assert_eq!(forked.status.code(), Some(1));
    assert!(kinds(&forked).contains(&"fork".to_owned()), "{:?}", kinds(&forked));
    assert!(told.lock().unwrap().is_empty());
    let text = std::fs::read_to_string(&metrics).unwrap();
    assert!(
        text.contains("verbale_monitor_forked{party=\"RU\"} 1") && !text.contains("alarms{kind=\"fork\"} 0"),
        "{text}"
    );
    // Somebody does, and it is told once; the fork stays an alarm.
    *refuse.lock().unwrap() = false;
    let after = |told: &Mutex<Vec<Value>>| {
        let told = told.lock().unwrap();
        let forks = told.iter().filter(|change| change["alarm"]["key"] == "fork RU");
        forks.map(|change| change["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let waits = std::fs::read_to_string(kept.dir.path().join("m/alarms.json")).unwrap();
    let mut memory: Value = serde_json::from_str(&waits).unwrap();
    assert!(!memory["waiting"].as_array().unwrap().is_empty(), "what was not taken waits on disk");
    memory["waiting"][0]["next"] = 0.into();
    std::fs::write(kept.dir.path().join("m/alarms.json"), memory.to_string()).unwrap();
    let again = monitor(&kept, good, &more);
    assert!(kinds(&again).contains(&"fork".to_owned()), "a fork is for ever");
    assert_eq!(after(&told), ["raised"]);
    monitor(&kept, good, &more);
    assert_eq!(after(&told), ["raised"]);
    let away = monitor(&kept, "http://127.0.0.1:9", &more);
    assert!(kinds(&away).contains(&"unreachable".to_owned()));
    assert!(Path::new(&metrics).exists());
}
