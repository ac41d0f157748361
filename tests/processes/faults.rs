//! What goes wrong around a node: one clear sentence each, its own exit code, and nothing lost.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use verbale::cli::Code;

use crate::ledger::{Ledger, said};

#[test]
fn alone_a_node_signs_only_if_it_is_told_to_by_name() {
    let mut ledger = Ledger::new(3);
    ledger.start(0, &[]);
    ledger.until("it answers", || ledger.status(0).is_some());
    let grant = ledger.dir.path().join("grant");
    fs::write(&grant, ledger.trial.grant(0)).unwrap();
    let (code, text) = said(&ledger.run(0, &["submit", grant.to_str().unwrap()]));
    assert_eq!(code, Code::NotSigning as i32);
    assert!(text.contains("no other party's node has answered"), "{text}");
    assert_eq!(ledger.stop(0), 0);
    ledger.start(0, &["--sign-without-peers"]);
    ledger.until("it signs", || ledger.status(0).is_some_and(|status| status.signs));
    let logged = ledger.run(0, &["submit", grant.to_str().unwrap(), "--wait", "none"]);
    assert!(logged.status.success(), "{}", said(&logged).1);
    // Nobody is there to receipt it: the wait ends, the note stays.
    let (code, text) = said(&ledger.run(0, &["submit", grant.to_str().unwrap(), "--timeout", "1"]));
    assert_eq!(code, Code::NotYet as i32);
    assert!(text.contains("logged and sent, but not all receipts"), "{text}");
}

/// A small file system, while it lasts.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(folder: &Path, options: &str) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status().is_ok_and(|status| status.success())
}

fn configure(ledger: &Ledger, party: usize, text: &str) {
    let path = ledger.trial.home(party).join("verbale.toml");
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_party_that_fills_the_disks_of_others_stops_nobody() {
    let mut ledger = Ledger::new(3);
    let data = ledger.trial.home(0).join("data");
    fs::create_dir(&data).unwrap();
    if !mount(&data, "size=100m") {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let mounted = Mounted(data.clone());
    configure(&ledger, 0, "disk_reserve_mib = 60\nlog_mib_at_once = 1024\n");
    configure(&ledger, 1, "log_mib_at_once = 4\nlog_mib_a_day = 1\n");
    (0..3).for_each(|party| ledger.start(party, &[]));
    ledger.until_signing();
    (0..3).for_each(|party| drop(ledger.submit(party, ledger.trial.grant(party)).unwrap()));
    let not_fetched =
        |ledger: &Ledger, at: usize| ledger.status(at).and_then(|status| status.logs[2].not_fetched.clone());
    let mut number = 0;
    while not_fetched(&ledger, 0).is_none() || not_fetched(&ledger, 1).is_none() {
        ledger.submit(2, ledger.trial.large_note(2, number)).unwrap();
        number += 1;
        assert!(number < 4_000, "the disk is filled to its end");
    }
    assert_eq!(
        (not_fetched(&ledger, 0).as_deref(), not_fetched(&ledger, 1).as_deref()),
        (Some("disk"), Some("budget"))
    );
    // Both say so to people, go on, and log their own notes; the one with room also has those of others.
    for (at, why) in [(0, "this disk is nearly full"), (1, "it has grown by more than its budget")] {
        let (code, text) = said(&ledger.run(at, &["status", "--json"]));
        assert_eq!(code, 0, "{text}");
        let text = String::from_utf8(ledger.run(at, &["status"]).stdout).unwrap();
        assert!(text.contains("Nothing more of the log of Party 2 is fetched") && text.contains(why), "{text}");
    }
    let accepted = ledger.submit(0, ledger.trial.note(0, 9_000)).unwrap();
    ledger.until("the other has it", || ledger.status(1).is_some_and(|s| s.logs[0].records > accepted.index));
    ledger.submit(1, ledger.trial.note(1, 9_001)).unwrap();
    // With room again, and a budget that was raised, all have everything.
    assert!(mount(&data, "remount,size=1g"), "no more room");
    assert_eq!(ledger.stop(1), 0, "{}", ledger.log(1));
    let config = ledger.trial.home(1).join("verbale.toml");
    let text = fs::read_to_string(&config).unwrap().replace("log_mib_at_once = 4\n", "log_mib_at_once = 1024\n");
    fs::write(&config, text).unwrap();
    ledger.start(1, &[]);
    ledger.until_signing();
    ledger.until_settled();
    assert_eq!((not_fetched(&ledger, 0), not_fetched(&ledger, 1)), (None, None));
    ledger.nobody_forked();
    ledger.all_sound();
    drop(mounted);
}

#[test]
fn a_full_disk_stops_the_node_plainly_and_loses_nothing_acknowledged() {
    let mut ledger = Ledger::new(2);
    let data = ledger.trial.home(0).join("data");
    fs::create_dir(&data).unwrap();
    let mount = |options: &str| mount(&data, options);
    if !mount("size=24m") {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let mounted = Mounted(data.clone());
    configure(&ledger, 0, "disk_reserve_mib = 0\n");
    for party in 0..2 {
        ledger.start(party, &[]);
    }
    ledger.until_signing();
    ledger.submit(0, ledger.trial.grant(0)).unwrap();
    let mut acknowledged = Vec::new();
    let last = loop {
        let number = acknowledged.len() as u64;
        match ledger.submit(0, ledger.trial.large_note(0, number)) {
            Ok(accepted) => acknowledged.push(accepted),
            Err(failure) => break failure,
        }
        assert!(number < 2_000, "the disk does not fill");
    };
    assert_eq!(last.code, Code::NoNode, "{last:?}");
    assert_eq!(ledger.exit_code(0), Code::Disk as i32, "{}", ledger.log(0));
    let log = ledger.log(0);
    assert!(log.contains("error: the disk is full") && log.contains("what was acknowledged is on disk"), "{log}");
    assert!(mount("remount,size=256m"), "no more room");
    ledger.start(0, &[]);
    ledger.until_signing();
    for accepted in &acknowledged {
        assert_eq!(ledger.record(0, 0, accepted.index).leaf, accepted.leaf);
    }
    ledger.submit(0, ledger.trial.note(0, 5_000)).unwrap();
    ledger.until_settled();
    ledger.nobody_forked();
    ledger.all_sound();
    drop(mounted);
}

#[test]
fn a_second_node_a_taken_port_and_a_wrong_file_for_a_socket_are_told_apart() {
    let mut ledger = Ledger::new(2);
    ledger.start(0, &[]);
    ledger.until("it answers", || ledger.status(0).is_some());
    let (code, text) = said(&ledger.run(0, &["node"]));
    assert_eq!(code, Code::Locked as i32, "{text}");
    // The other party's node, told to listen where the first one does.
    let config = ledger.trial.home(1).join("verbale.toml");
    let text = fs::read_to_string(&config).unwrap();
    let listen = format!("listen = {:?}", ledger.trial.treaty().party(0).addresses);
    fs::write(&config, text.replacen(&format!("listen = {:?}", ledger.trial.treaty().party(1).addresses), &listen, 1))
        .unwrap();
    let (code, said_text) = said(&ledger.run(1, &["node"]));
    assert_eq!(code, Code::Listen as i32, "{said_text}");
    assert!(said_text.contains("in use"), "{said_text}");
    fs::write(&config, text).unwrap();
    fs::write(ledger.trial.home(1).join("node.sock"), "not a socket").unwrap();
    let (code, text) = said(&ledger.run(1, &["node"]));
    assert_eq!(code, Code::Listen as i32, "{text}");
    assert!(text.contains("is not a socket"), "{text}");
    assert_eq!(fs::read_to_string(ledger.trial.home(1).join("node.sock")).unwrap(), "not a socket");
}

#[test]
fn notes_that_are_not_in_order_are_refused_each_with_its_reason() {
    let ledger = Ledger::running(2);
    let refused = |note: Vec<u8>, expected: &str| {
        let failure = ledger.submit(0, note).unwrap_err();
        assert_eq!(failure.code, Code::Refused, "{failure:?}");
        assert!(failure.message.contains(expected), "{:?} should say {expected:?}", failure.message);
    };
    let edited = |from: &str, to: &str| {
        let text = String::from_utf8(ledger.trial.note(0, 1)).unwrap();
        ledger.trial.sign(0, "minister", &text.split("\n\n").next().unwrap().replacen(from, to, 1))
    };
    let ledger_hash = ledger.trial.treaty().hash().to_hex();
    refused(b"hello".to_vec(), "cannot be read as a notification");
    refused(edited(&ledger_hash, &"0".repeat(64)), "for another ledger");
    refused(edited("\"kind\":\"remark\"", "\"kind\":\"remarkable\""), "does not know the kind `remarkable`");
    refused(edited("\"text\":", "\"txt\":"), "the field `text` (Text) is missing");
    refused(edited("\"to\":[\"*\"]", "\"to\":[\"ZZ\"]"), "ZZ, which is not a party");
    refused(edited("\"from\":\"P0\"", "\"from\":\"P1\""), "says to be from P1");
    let text = String::from_utf8(ledger.trial.note(0, 1)).unwrap();
    let stranger = ledger.trial.sign(0, "clerk", text.split("\n\n").next().unwrap());
    refused(stranger, "had not granted");
    // A good one, twice: logged once. Another text under its id: refused.
    let first = ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    let again = ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    assert!(!first.already && again.already && first.index == again.index);
    let failure = ledger.submit(0, edited("\"text\":\"", "\"text\":\"other ")).unwrap_err();
    assert!(failure.message.contains("another note with this id"), "{failure:?}");
    let before = ledger.status(0).unwrap().logs[0].records;
    assert_eq!(before, ledger.status(0).unwrap().logs[0].records);
}

#[test]
fn nodes_with_different_treaty_files_say_so_and_exchange_nothing() {
    let mut ledger = Ledger::new(2);
    let treaty = ledger.trial.home(1).join("treaty.toml");
    let text = fs::read_to_string(&treaty).unwrap();
    fs::write(&treaty, text.replacen("A treaty to be measured", "Another treaty", 1)).unwrap();
    ledger.start(0, &[]);
    ledger.start(1, &[]);
    for party in 0..2 {
        ledger.until("it is said", || ledger.log(party).contains("has another treaty file"));
        assert!(!ledger.status(party).unwrap().signs, "it takes the other ledger's node for a peer");
    }
}
