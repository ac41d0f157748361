//! Pictures of a page of every kind, for the eye: wide, on a telephone, by night, and on paper.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use verbale::audit::Selection;
use verbale::node::Read;
use verbale::page::{Carried, evidence_page, ledger_page};

use crate::common::files::exported;
use crate::common::{CA, Ledger};
use crate::driver::Browser;

const KINDS: [(&str, &str); 9] = [
    ("first", "note/good.tlog-proof"),
    ("first", "fork/good.tlog-proof"),
    ("first", "note/text-changed.tlog-proof"),
    ("second", "amended/former-party.tlog-proof"),
    ("second", "rotated/good"),
    ("second", "part/redacted"),
    ("third", "restart/other.tlog-proof"),
    ("fourth", "deadline/good.tlog-proof"),
    ("fourth", "deadline/every-rule.tlog-proof"),
];

#[test]
#[ignore = "writes pictures into the folder that VERBALE_PICTURES names"]
fn pictures_of_every_kind() {
    let Some(browser) = Browser::start() else { return };
    let Some(folder) = std::env::var_os("VERBALE_PICTURES") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (golden, name) in KINDS {
        let golden = root.join(golden);
        let read = |name: &str| fs::read(golden.join(name)).unwrap();
        let html = match fs::read(golden.join(name)) {
            Ok(evidence) => evidence_page(&evidence, &read("treaty.toml"), Some(&read("profile.toml"))),
            Err(_) => ledger_page(&Carried::of_folder(&golden.join(name)).unwrap()),
        };
        let short = name.trim_end_matches(".tlog-proof").replace('/', "-");
        let page = Path::new(&folder).join(format!("{short}.html"));
        fs::write(&page, html).unwrap();
        for (shape, width, height, scheme) in
            [("wide", 1280, 900, "light"), ("narrow", 390, 844, "light"), ("night", 1280, 900, "dark")]
        {
            let media = json!({"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]});
            browser.devtools("Emulation.setEmulatedMedia", &media);
            let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
            browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
            browser.open(&page);
            browser.picture(&format!("{short}-{shape}"));
            let overflow = browser.ask("return document.documentElement.scrollWidth - innerWidth");
            println!("{short} {shape}: {overflow} px too wide");
        }
        fs::write(Path::new(&folder).join(format!("{short}.pdf")), browser.printed()).unwrap();
    }
}

#[test]
#[ignore = "measures how long a page of 5,000 records takes to open"]
fn a_page_of_five_thousand_records() {
    let Some(browser) = Browser::start() else { return };
    let mut ledger = Ledger::new();
    let size = |ledger: &Ledger| (0..4).map(|log| ledger.nodes[CA].disk.size(log).unwrap()).sum::<u64>();
    while size(&ledger) < 5_000 {
        // Sixteen notes share their receipts, as on a busy day.
        for number in 0..16 {
            let note = ledger.note((number % 4) as usize, size(&ledger) * 16 + number, "minister");
            ledger.submit_only((number % 4) as usize, note);
        }
        ledger.settle();
    }
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("large.html");
    let html = ledger_page(&Carried(exported(&ledger, CA, Selection::default()).into_iter().collect()));
    fs::write(&page, &html).unwrap();
    let start = Instant::now();
    assert_eq!(browser.open(&page), "verified");
    println!("{} records, {} KiB: {} ms", size(&ledger), html.len() / 1024, start.elapsed().as_millis());
    browser.picture("large");
}
