//! Evidence files: the verdict is right, no bit of a file may be changed, and nothing makes the verifier panic.

mod common;

use common::{CA, HU, Ledger, RU, US};
use verbale::ledger::{Verdict, verify_evidence};
use verbale::node::{LogId, prove};

fn evidence(ledger: &Ledger, by: usize, log: LogId, index: u64) -> Vec<u8> {
    prove(&ledger.nodes[by].disk, &ledger.treaty, log, index).unwrap().unwrap()
}

fn verdict(ledger: &Ledger, bytes: &[u8]) -> Verdict {
    verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).unwrap()
}

#[test]
fn the_verdict_says_who_what_when_and_to_whom() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let index = ledger.remark(RU, 2);
    ledger.remark(HU, 3);
    let bytes = evidence(&ledger, US, RU, index);
    let verdict = verdict(&ledger, &bytes);
    println!("{}\n{:#?}", bytes.len(), verdict);
    for line in verdict.sentences(&ledger.treaty, Some(&ledger.profile)) {
        println!("{line}");
    }
    assert_eq!((verdict.party.as_str(), verdict.index, verdict.title.as_str()), ("RU", index, "Remark"));
    assert_eq!(verdict.signers.len(), 1);
    assert_eq!(verdict.signers[0].title, "Minister");
    assert!(verdict.is_sound());
    assert_eq!(verdict.receipts.len(), 3);
    assert!(!verdict.not_before.is_empty());
}
