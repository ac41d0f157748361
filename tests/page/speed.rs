//! How long the page takes for a ledger of some thousand records, and how long it leaves its reader without an answer.

use std::time::Instant;

use serde_json::json;
use verbale::audit::Selection;
use verbale::ledger::{RecordType, Timestamp};
use verbale::note::SignedNote;
use verbale::page::{Carried, ledger_page};
use verbale::tlog::Cosignature;

use crate::common::files::{exported, write_folder};
use crate::common::{CA, HU, Ledger, RU, US, append, key};
use crate::driver::Browser;

/// So many notes by Russia, each receipted by all others.
fn large(notes: u64) -> Ledger {
    let mut ledger = Ledger::new();
    let mut disk = ledger.nodes[CA].disk.clone();
    for number in 0..notes {
        let time = ledger.now / 1000 + number;
        let mut log = |party, kind, payload: &[u8]| {
            let place = (Timestamp::from_posix(time), kind, payload);
            append(&mut disk, party, ledger.treaty.hash(), &key(party, "log"), place)
        };
        let head = log(RU, RecordType::Notification, &ledger.note(RU, 1000 + number, "minister"));
        for by in [CA, HU, US] {
            let mut receipt = SignedNote::parse(&head.checkpoint).unwrap();
            Cosignature::sign(&mut receipt, &key(by, "witness"), time);
            log(by, RecordType::Receipt, &receipt.to_bytes());
        }
    }
    ledger.nodes[CA].disk = disk;
    ledger
}

/// `VERBALE_NOTES=1256 cargo test --test page how_long -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn how_long_the_page_takes() {
    let notes = std::env::var("VERBALE_NOTES").map_or(1256, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (folder, page) = (dir.path().join("ledger"), dir.path().join("ledger.html"));
    write_folder(&folder, &exported(&large(notes), CA, Selection::default()));
    std::fs::write(&page, ledger_page(&Carried::of_folder(&folder).unwrap())).unwrap();
    let Some(browser) = Browser::start() else { return };
    assert_eq!(browser.open(&page), "verified");
    // Once more, with somebody looking at how long nothing else runs.
    let start = Instant::now();
    browser.ask(
        "globalThis.gaps = []; let last = performance.now();
         setInterval(() => { gaps.push(performance.now() - last); last = performance.now(); }, 10);
         document.documentElement.dataset.verdict = 'pending';
         const data = new DataTransfer();
         const text = document.querySelector('script[data-name=\"treaty.toml\"]').textContent;
         data.items.add(new File([Uint8Array.from(atob(text.replace(/\\s/g, '')), (c) => c.charCodeAt(0))], 'treaty.toml'));
         const picker = document.getElementById('picker');
         picker.files = data.files;
         picker.dispatchEvent(new Event('change'));",
    );
    assert_eq!(browser.verdict(), "verified");
    let gaps = browser.ask("return [Math.max(...gaps), gaps.length]");
    let records = browser.ask(
        "return JSON.parse(document.getElementById('data').textContent).ledger.logs.reduce((sum, log) => sum + log.records, 0)",
    );
    println!("{records} records: {:.1} s, no answer for {} ms at most", start.elapsed().as_secs_f64(), gaps[0]);
    assert_ne!(gaps[1], json!(0));
}
