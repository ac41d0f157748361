//! An accident, and how a log goes on after it: a restart certificate, with real nodes.

use std::fs;

use serde_json::Value;
use verbale::api::view::AcceptedView;
use verbale::cli::Code;

use crate::crashes::copy;
use crate::ledger::{Ledger, said};

/// P0's log after its disk was put back and it was let sign alone: two branches, and an export with each.
struct Forked {
    ledger: Ledger,
    /// On the branch that the others hold.
    theirs: Vec<AcceptedView>,
    /// On the shorter one that P0 holds.
    mine: Vec<AcceptedView>,
    /// The exports.
    files: [String; 2],
}

fn forked() -> Forked {
    let mut ledger = Ledger::with_roots(3);
    ledger.run_all();
    let (home, old) = (ledger.trial.home(0), ledger.dir.path().join("old"));
    ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    ledger.until_settled();
    assert_eq!(ledger.stop(0), 0);
    copy(&home.join("data"), &old);
    ledger.start(0, &[]);
    ledger.until_signing();
    let theirs: Vec<_> = (2..8).map(|number| ledger.submit(0, ledger.trial.note(0, number)).unwrap()).collect();
    ledger.until_settled();
    for party in 0..3 {
        assert_eq!(ledger.stop(party), 0);
    }
    // The disk is put back from the old copy, its mark is lost as well, and the operator lets the node sign alone.
    fs::remove_dir_all(home.join("data")).unwrap();
    fs::remove_file(home.join("high-water")).unwrap();
    copy(&old, &home.join("data"));
    ledger.start(0, &["--sign-without-peers"]);
    ledger.until("it signs alone", || ledger.status(0).is_some_and(|status| status.signs));
    let mine: Vec<_> = (20..22).map(|number| ledger.submit(0, ledger.trial.note(0, number)).unwrap()).collect();
    assert!(mine[0].index <= theirs[0].index, "it says anew what it had said otherwise");
    ledger.start(1, &[]);
    ledger.start(2, &[]);
    ledger.until("all know that it forked", || {
        (0..3).all(|party| ledger.status(party).is_some_and(|status| status.logs[0].forked))
    });
    assert_eq!(ledger.submit(0, ledger.trial.note(0, 30)).unwrap_err().code, Code::NotSigning);

    let files = [ledger.path("mine"), ledger.path("theirs")];
    ledger.json(0, &["export", &files[0]]);
    ledger.json(1, &["export", &files[1]]);
    Forked { ledger, theirs, mine, files }
}

/// P0 hands in its certificate, and all go on by it.
fn goes_on(ledger: &Ledger, note: &str) -> AcceptedView {
    ledger.json(0, &["submit", note, "--wait", "none"]);
    ledger.until("all have accepted it", || {
        (0..3).all(|party| ledger.status(party).is_some_and(|status| !status.logs[0].forked && status.signs))
    });
    let after = ledger.submit(0, ledger.trial.note(0, 30)).unwrap();
    ledger.until_settled();
    after
}

/// All are stopped, each is started again.
fn started_again(ledger: &mut Ledger) {
    for party in 0..3 {
        assert_eq!(ledger.stop(party), 0);
        ledger.start(party, &[]);
    }
    ledger.until_signing();
}

/// All have that record of the branch that does not go on.
fn until_all_have(ledger: &Ledger, number: &str) {
    ledger.until("each has the other branch", || {
        (0..3).all(|party| ledger.run(party, &["--json", "show", number]).status.success())
    });
}

/// The file of a party's evidence.
#[track_caller]
fn proved(ledger: &Ledger, party: usize, number: &str) -> String {
    let file = ledger.path(&format!("{party}-{}.tlog-proof", number.replace('/', "-")));
    ledger.json(party, &["prove", number, "-o", &file]);
    file
}

/// What is found in a party's export.
#[track_caller]
fn audited(ledger: &Ledger, party: usize) -> Value {
    let export = ledger.path(&format!("export-{party}"));
    ledger.json(party, &["export", &export]);
    ledger.json(party, &["verify", &export])
}

#[test]
fn a_log_that_forked_by_accident_goes_on_by_its_roots_certificate() {
    let Forked { mut ledger, theirs: kept, mine: other, files: [mine, theirs] } = forked();
    let note = ledger.path("restart.note");
    let tried = ledger.run(0, &["restart", &mine, &theirs]);
    let text = String::from_utf8(tried.stdout.clone()).unwrap();
    assert!(tried.status.success(), "{}", said(&tried).1);
    assert!(text.contains("has two branches") && text.contains("Nothing was signed"), "{text}");
    ledger.fails(0, &["restart", &mine, &mine], Code::Refused, &["neither contradicts the other"]);
    let shown = ledger.json(0, &["restart", &mine, &theirs, "--reason", "an old copy was put back", "-o", &note]);
    assert_eq!(shown["other"]["notes"].as_array().map(Vec::len), Some(2), "{shown}");
    assert_eq!(shown["kept"]["notes"].as_array().map(Vec::len), Some(6), "{shown}");
    // Another party's node does not take it: it is not for its log.
    ledger.fails(1, &["submit", &note], Code::Refused, &["it is not a restart certificate of the party"]);
    let after = goes_on(&ledger, &note);
    assert!(after.index > kept.last().unwrap().index);
    // Stopped and started again, all of it is still so.
    started_again(&mut ledger);
    until_all_have(&ledger, &format!("P0~1/{}", other[1].index));
    for party in 0..3 {
        for (number, branch) in [
            (kept[0].number.clone(), "kept"),
            (after.number.clone(), "kept"),
            (format!("P0~1/{}", other[0].index), "other"),
            (format!("P0~1/{}", other[1].index), "other"),
        ] {
            let file = proved(&ledger, party, &number);
            let text = String::from_utf8(ledger.run(1, &["verify", &file]).stdout).unwrap();
            let verdict: Value = serde_json::from_slice(&ledger.run(1, &["--json", "verify", &file]).stdout).unwrap();
            assert_eq!(verdict["verdict"]["restarts"][0]["branch"], branch, "{number}: {verdict}");
            assert!(text.contains("accepted both as its own"), "{text}");
        }
        let report = audited(&ledger, party);
        assert_eq!(report["report"]["restarts"].as_array().map(Vec::len), Some(1), "{report}");
    }
    ledger.all_sound();
}

#[test]
fn the_smaller_branch_goes_on_if_the_root_says_so() {
    let Forked { mut ledger, theirs: other, mine: kept, files: [mine, theirs] } = forked();
    let note = ledger.path("restart.note");
    let shown = ledger
        .json(0, &["restart", &theirs, &mine, "--keep", "second", "--reason", "what I hold goes on", "-o", &note]);
    assert_eq!(shown["other"]["notes"].as_array().map(Vec::len), Some(other.len()), "{shown}");
    let after = goes_on(&ledger, &note);
    // The certificate is the record behind the kept ones.
    assert!(after.index > kept.last().unwrap().index && after.index < other.last().unwrap().index + 1, "{after:?}");
    started_again(&mut ledger);
    let last = format!("P0~1/{}", other.last().unwrap().index);
    until_all_have(&ledger, &last);
    for party in 0..3 {
        for number in [&kept[0].number, &after.number, &last] {
            let file = proved(&ledger, party, number);
            let verdict = ledger.run(1, &["--json", "verify", &file]);
            assert!(verdict.status.success(), "{number}: {}", said(&verdict).1);
        }
    }
    ledger.all_sound();
}

#[test]
fn a_head_is_accepted_by_the_proof_of_the_fork_where_nobody_gives_its_records() {
    let Forked { mut ledger, theirs: kept, mine: _, files: [_, theirs] } = forked();
    let note = ledger.path("restart.note");
    let proof = format!("{theirs}/forks/P0.txt");
    ledger.fails(0, &["restart", &theirs], Code::Usage, &["<SECOND>"]);
    ledger.fails(
        0,
        &["restart", &theirs, "--proof", &format!("{theirs}/README.txt")],
        Code::Input,
        &["proves no fork"],
    );
    ledger
        .json(0, &["restart", &theirs, "--proof", &proof, "--reason", "the log's key was used elsewhere", "-o", &note]);
    // As long as its own node holds those records, they are not given up for one head of them.
    ledger.fails(0, &["submit", &note], Code::Refused, &["neither of the two branches", "export"]);
    assert_eq!(ledger.stop(0), 0);
    let home = ledger.trial.home(0);
    fs::remove_dir_all(home.join("data")).unwrap();
    fs::remove_file(home.join("high-water")).unwrap();
    ledger.start(0, &[]);
    ledger.until("it has taken its log back", || {
        ledger.status(0).is_some_and(|status| status.logs[0].records > kept.last().unwrap().index)
    });
    let after = goes_on(&ledger, &note);
    assert!(after.index > kept.last().unwrap().index);
    started_again(&mut ledger);
    for party in 0..3 {
        assert_eq!(audited(&ledger, party)["sound"], true);
    }
    ledger.all_sound();
}
