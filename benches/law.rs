//! What a new record costs the docket, and what asking costs, in a ledger of a thousand notes and of a hundred thousand.
//!
//! `cargo bench --no-default-features --bench law`. The ratio is the result: a new record costs as much in the larger one.
//! What takes milliseconds is asked twenty times and the least time counts: on a busy machine a single one tells of the others.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use verbale::law::{Docket, Filing, Query, Registrar, Seen};
use verbale::ledger::profile::Profile;
use verbale::ledger::{Credential, Grant, NoteId, Notification, Record, RecordType, Reference, Timestamp, Treaty};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{Hash, leaf_hash};

const PROFILE: &str = "version = 1\ntitle = \"T\"\nacknowledgement = \"ack\"\n[kind.ack]\ntitle = \"A\"\n\
    [kind.ask]\ntitle = \"Ask\"\nfield = [{ name = \"day\", title = \"D\", type = \"date\" }]\n\
    [[kind.ask.due]]\nid = \"r\"\ntitle = \"R\"\nby = [\"P1\"]\nanswer = [\"ack\"]\nstart = \"received\"\nwithin = \"7 days\"\n";
/// Records whose cost is measured.
const MORE: u64 = 2_000;

fn key(party: usize, job: &str) -> SigningKey {
    let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
    let name = if job == "log" { format!("trial/P{party}") } else { format!("trial/P{party}/{job}") };
    SigningKey::from_seed(&name, kind, &Hash::digest(format!("{party} {job}").as_bytes()).0).unwrap()
}

fn treaty() -> Arc<Treaty> {
    let mut text = format!(
        "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"quorum none\\n\"\n",
        Hash::digest(b"").to_hex()
    );
    for party in 0..2 {
        text += &format!(
            "[[party]]\ncode = \"P{party}\"\nname = \"P{party}\"\nroles = [\"state-party\"]\nroot = \"{}\"\nlog = \"{}\"\n\
             witness = \"{}\"\npeer = \"12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{party}\"\naddresses = []\n",
            key(party, "root").public(),
            key(party, "log").public(),
            key(party, "witness").public()
        );
    }
    Arc::new(Treaty::parse(text.as_bytes()).unwrap())
}

/// The n-th exchange: P0 asks, P1 receipts and answers a quarter of an hour later; one in a hundred gets no answer.
fn exchange(treaty: &Treaty, n: u64) -> (Vec<u8>, Option<Vec<u8>>, Seen) {
    let at = Timestamp::from_posix(1_600_000_000 + n * 600);
    let note = |from: usize, kind: &str, re: Vec<Reference>, at: Timestamp| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        id[8] = from as u8;
        let to = vec![format!("P{}", 1 - from)];
        let (attachments, body) = (Vec::new(), json!({}).as_object().unwrap().clone());
        let (from, kind, ledger) = (format!("P{from}"), kind.to_owned(), treaty.hash());
        let note = Notification { attachments, body, from, id: NoteId(id), issued: at, kind, ledger, re, to };
        SignedNote::new(note.to_text()).unwrap()
    };
    let record = |from: usize, note: SignedNote, index: u64, time: Timestamp| {
        let mut note = note;
        note.sign(&key(from, "minister"));
        let (log, prev, payload) = (format!("trial/P{from}"), Hash([0; 32]), note.to_bytes());
        Record { index, log: &log, prev, time, kind: RecordType::Notification, payload: &payload }.to_bytes().unwrap()
    };
    let ask = record(0, note(0, "ask", Vec::new(), at), n, at);
    let later = Timestamp::from_posix(at.posix() + 900);
    let re = vec![Reference { index: n, leaf: leaf_hash(&ask), log: "P0".into() }];
    let answer = (!n.is_multiple_of(100)).then(|| record(1, note(1, "ack", re, later), n, later));
    (ask, answer, Seen { size: n + 1, index: n, time: Timestamp::from_posix(at.posix() + 60) })
}

fn apply(docket: &mut Docket, n: u64, (ask, answer, seen): &(Vec<u8>, Option<Vec<u8>>, Seen)) {
    docket.enter(Filing::vouched(0, n, ask));
    docket.apply_receipt(0, 1, *seen);
    if let Some(answer) = answer {
        docket.enter(Filing::vouched(1, n, answer));
    }
}

/// Microseconds for each record, and milliseconds for asking what is outstanding: at first, and again.
fn measure(treaty: &Arc<Treaty>, notes: u64) -> [f64; 3] {
    let profile = Arc::new(Profile::parse(PROFILE.as_bytes()).unwrap());
    let mut docket = Docket::new(treaty.clone(), profile);
    for n in 0..notes / 2 {
        apply(&mut docket, n, &exchange(treaty, n));
    }
    let more: Vec<_> = (notes / 2..notes / 2 + MORE).map(|n| (n, exchange(treaty, n))).collect();
    let start = Instant::now();
    more.iter().for_each(|(n, exchange)| apply(&mut docket, *n, exchange));
    let each = start.elapsed().as_secs_f64() * 1e6 / (3 * MORE) as f64;
    let as_of = Timestamp::from_posix(1_600_000_000 + (notes + MORE) * 600);
    let ask = || {
        let start = Instant::now();
        let items = docket.items(as_of, &Query { outstanding: true, ..Query::default() });
        assert!(!items.is_empty());
        start.elapsed().as_secs_f64() * 1e3
    };
    let first = ask();
    let again = (0..20).map(|_| ask()).fold(f64::INFINITY, f64::min);
    [each, first, again]
}

/// Microseconds to verify whose word a note is: once for each, before the docket takes it.
fn verified(treaty: &Arc<Treaty>) -> f64 {
    let minister = key(0, "minister");
    let (issued, kinds) = (Timestamp::from_posix(1_600_000_000), vec!["*".to_owned()]);
    let (public, ledger, party) = (minister.public().clone(), treaty.hash(), "P0".to_owned());
    let grant = Grant { from: None, issued, key: public, kinds, ledger, party, title: "Minister".into(), until: None };
    let payload = Credential::Grant(grant).sign(&key(0, "root")).unwrap().to_bytes();
    let (log, prev, kind) = ("trial/P0", Hash([0; 32]), RecordType::Credential);
    let mut registrar = Registrar::new(treaty.clone(), Arc::new(Profile::parse(PROFILE.as_bytes()).unwrap()));
    registrar.learn(0, &Record { index: 0, log, prev, time: issued, kind, payload: &payload });
    let asks: Vec<_> = (1..=MORE).map(|n| (n, exchange(treaty, n).0)).collect();
    let start = Instant::now();
    asks.iter().for_each(|(n, ask)| drop(registrar.file(0, *n, ask)));
    start.elapsed().as_secs_f64() * 1e6 / MORE as f64
}

fn main() {
    let treaty = treaty();
    let (small, large) = (measure(&treaty, 1_000), measure(&treaty, 100_000));
    println!("{:46} {:>12} {:>12} {:>8}", "", "1,000 notes", "100,000", "ratio");
    for (row, what) in
        ["a new record, µs", "what is outstanding, first time, ms", "what is outstanding, again, ms"].iter().enumerate()
    {
        println!("{what:46} {:>12.2} {:>12.2} {:>8.2}", small[row], large[row], large[row] / small[row]);
    }
    println!("{:46} {:>12.2}", "whose word a note is, once a note, µs", verified(&treaty));
}
