//! The profiles' clocks on known and made-up cases, through the engine that applies the law: each profile as it is.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use verbale::law::{Docket, Filing, Query, Seen};
use verbale::ledger::{NoteId, Notification, Profile, Record, RecordType, Timestamp, Treaty};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::Hash;

fn key(name: &str, job: &str) -> SigningKey {
    let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
    let name = if job == "log" { format!("trial/{name}") } else { format!("trial/{name}/{job}") };
    SigningKey::from_seed(&name, kind, &Hash::digest(name.as_bytes()).0).unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// A docket of three parties: `AA`, `BB`, and the depositary `DD`; or others of that number.
struct Case {
    docket: Docket,
    codes: [&'static str; 3],
}

impl Case {
    fn new(profile: &str, codes: [&'static str; 3]) -> Self {
        let mut text = format!(
            "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"quorum none\"\n",
            Hash::digest(b"").to_hex()
        );
        for (at, code) in codes.iter().enumerate() {
            let roles = if at == 2 { "\"depositary\"" } else { "\"state-party\"" };
            text += &format!(
                "[[party]]\ncode = \"{code}\"\nname = \"{code}\"\nroles = [{roles}]\nroot = \"{}\"\nlog = \"{}\"\n\
                 witness = \"{}\"\npeer = \"12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{at}\"\naddresses = []\n",
                key(code, "root").public(),
                key(code, "log").public(),
                key(code, "witness").public()
            );
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(profile).join("profile.toml");
        let profile = Profile::parse(&std::fs::read(path).unwrap()).unwrap();
        let treaty = Treaty::parse(text.as_bytes()).unwrap();
        Self { docket: Docket::new(Arc::new(treaty), Arc::new(profile)), codes }
    }

    fn record(&mut self, log: usize, index: u64, at: &str, kind: RecordType, payload: &[u8]) {
        let origin = self.docket.treaty().origin(log).to_owned();
        let record = Record { index, log: &origin, prev: Hash([0; 32]), time: time(at), kind, payload };
        self.docket.enter(Filing::vouched(log, index, &record.to_bytes().unwrap()));
    }

    /// The first party's note to all, received by the two others at these times.
    fn note(mut self, kind: &str, body: Value, sent: &str, received: [&str; 2]) -> Self {
        let faults = self.docket.profile().faults(kind, body.as_object().unwrap());
        assert_eq!(faults, Vec::<String>::new());
        let note = Notification {
            attachments: Vec::new(),
            body: body.as_object().unwrap().clone(),
            from: self.codes[0].into(),
            id: NoteId([1; 16]),
            issued: time(sent),
            kind: kind.into(),
            ledger: self.docket.treaty().hash(),
            re: Vec::new(),
            to: vec![self.codes[2].into(), "*".into()],
        };
        let mut signed = SignedNote::new(note.to_text()).unwrap();
        signed.sign(&key(self.codes[0], "minister"));
        self.record(0, 0, sent, RecordType::Notification, &signed.to_bytes());
        for (by, at) in [(1, received[0]), (2, received[1])] {
            self.record(by, 0, at, RecordType::Receipt, b"a receipt\n");
            self.docket.apply_receipt(0, by, Seen { size: 1, index: 0, time: time(at) });
        }
        self
    }

    /// The computed effect, the one that counts, and that of another reading.
    fn effect(&self, as_of: &str) -> (Option<Timestamp>, Option<Timestamp>, Option<Timestamp>) {
        let effects = self.docket.effects(time(as_of), Some((0, 0)));
        let effect = &effects[0];
        (effect.computed, effect.effective, effect.readings.first().and_then(|reading| reading.until))
    }

    /// By when a rule's item is due.
    fn until(&self, rule: &str, as_of: &str) -> Option<Timestamp> {
        let query = Query { note: Some((0, 0)), ..Query::default() };
        let items = self.docket.items(time(as_of), &query);
        let item = items.iter().find(|item| item.rule == rule);
        item.unwrap_or_else(|| panic!("no rule {rule} in {items:#?}")).until
    }
}

#[test]
fn the_conventional_forces_treaty_ends_on_6_november_2023_and_in_the_other_reading_on_the_7th() {
    let body = json!({ "effective": "2023-11-07", "reasons": "Given in the notice (summary)" });
    let sent = ["2023-06-09T09:00:00Z", "2023-06-09T09:01:00Z"];
    let case = Case::new("cfe", ["RU", "DE", "NL"]).note("withdrawal", body, sent[0], [sent[1], sent[1]]);
    let (computed, effective, other) = case.effect("2023-12-01T00:00:00Z");
    assert_eq!(computed, Some(time("2023-11-06T00:00:00Z")));
    assert_eq!(other, Some(time("2023-11-07T00:00:00Z")));
    // The notice itself names the later day, and may.
    assert_eq!(effective, Some(time("2023-11-07T00:00:00Z")));
}

#[test]
fn the_ottawa_convention_ends_six_months_after_the_secretary_general_received_the_notice() {
    let body = json!({ "reasons": "Given in the notice (summary)" });
    let case = Case::new("ottawa", ["EE", "DE", "UN"]);
    // What another party received earlier or later starts no clock.
    let case = case.note("withdrawal", body, "2025-06-26T09:00:00Z", ["2025-06-30T09:00:00Z", "2025-06-27T14:00:00Z"]);
    assert_eq!(case.effect("2026-01-01T00:00:00Z").1, Some(time("2025-12-27T00:00:00Z")));
}

#[test]
fn the_non_proliferation_treaty_asks_for_three_calendar_months_whatever_the_notice_claims() {
    let body = json!({ "reasons": "Given in the notice (summary)", "effective": "2003-01-11" });
    let at = ["2003-01-10T12:00:00Z", "2003-01-10T12:05:00Z"];
    let case = Case::new("npt", ["KP", "GB", "UNSC"]).note("withdrawal", body, at[0], [at[1], at[1]]);
    let (computed, effective, _) = case.effect("2003-05-01T00:00:00Z");
    assert_eq!((computed, effective), (Some(time("2003-04-10T00:00:00Z")), Some(time("2003-04-10T00:00:00Z"))));
}

#[test]
fn open_skies_withdrawals_end_when_they_did() {
    for (sent, claimed, effective) in
        [("2020-05-22T14:00:00Z", "2020-11-22", "2020-11-22"), ("2021-06-18T09:00:00Z", "2021-12-01", "2021-12-18")]
    {
        let case = Case::new("open-skies", ["US", "DE", "CA"]);
        let case = case.note("withdrawal", json!({ "effective": claimed }), sent, [sent, sent]);
        assert_eq!(case.effect("2022-01-01T00:00:00Z").1, Some(time(&format!("{effective}T00:00:00Z"))));
    }
}

#[test]
fn an_open_skies_flight_is_acknowledged_within_24_hours_and_completed_within_96() {
    let body = json!({ "observed": "RU", "point_of_entry": "Moscow", "arrival": "2019-08-12T08:00:00Z" });
    let case = Case::new("open-skies", ["DE", "RU", "CA"]);
    let case =
        case.note("flight-intent", body, "2019-08-05T10:00:00Z", ["2019-08-05T10:05:00Z", "2019-08-05T10:01:00Z"]);
    let as_of = "2019-08-05T12:00:00Z";
    assert_eq!(case.until("acknowledgement", as_of), Some(time("2019-08-06T10:05:00Z")));
    assert_eq!(case.until("flight-window", as_of), Some(time("2019-08-16T08:00:00Z")));
    assert_eq!(case.until("notice-time", as_of), Some(time("2019-08-09T08:00:00Z")));
}

#[test]
fn the_vienna_document_gives_hours_and_days() {
    let at = ["2030-02-10T12:00:00Z", "2030-02-10T12:30:00Z"];
    let case = || Case::new("vienna-document", ["DE", "PL", "AT"]);
    let asked =
        case().note("unusual-activity-request", json!({ "asked": "PL", "concern": "Movement" }), at[0], [at[1], at[1]]);
    assert_eq!(asked.until("reply", at[1]), Some(time("2030-02-12T12:30:00Z")));
    let body = json!({ "receiving": "PL", "area": "As on the map", "arrival": "2030-02-14T12:00:00Z" });
    let inspection = case().note("inspection-request", body, at[0], [at[1], at[1]]);
    assert_eq!(inspection.until("reply", at[1]), Some(time("2030-02-11T12:30:00Z")));
    let body = json!({ "designation": "Autumn", "begins": "2030-04-01", "area": "North", "troops": 9000 });
    let exercise = case().note("exercise-notification", body, at[0], [at[1], at[1]]);
    // 42 days before 1 April is 18 February.
    let until = exercise.until("notice-time", at[1]).unwrap().to_string();
    assert!(until.starts_with("2030-02-18") || until == "2030-02-17T23:59:59Z", "{until}");
}

#[test]
fn the_hague_code_counts_to_the_opening_of_the_launch_window() {
    let body = json!({ "vehicle": "Space launch vehicle", "window_opens": "2030-05-01T10:00:00Z", "area": "A", "direction": "East" });
    let at = ["2030-04-30T10:00:00Z", "2030-04-30T10:01:00Z"];
    let case = Case::new("hague-code", ["DE", "RU", "AT"]).note("pre-launch-notification", body, at[0], [at[1], at[1]]);
    assert_eq!(case.until("notice-time", at[1]), Some(time("2030-05-01T10:00:00Z")));
    // To relay it promptly has no number.
    assert_eq!(case.until("relay", at[1]), None);
}

#[test]
fn yearly_declarations_are_due_on_their_days() {
    let statement = json!({ "subject": "A", "text": "B" });
    for (profile, rule, as_of, until) in [
        ("hague-code", "annual-declaration", "2030-02-01T00:00:00Z", "2030-03-31T23:59:59Z"),
        ("vienna-document", "annual-information", "2030-02-01T00:00:00Z", "2030-12-15T23:59:59Z"),
        ("open-skies", "planned-flights", "2030-02-01T00:00:00Z", "2030-11-01T23:59:59Z"),
    ] {
        let case = Case::new(profile, ["DE", "RU", "AT"]);
        let at = "2029-01-10T00:00:00Z";
        let case = case.note("statement", statement.clone(), at, [at, at]);
        let items = case.docket.items(time(as_of), &Query::default());
        let due: Vec<_> = items.iter().filter(|item| item.rule == rule).filter_map(|item| item.until).collect();
        assert!(due.contains(&time(until)), "{profile}: {due:?}");
    }
}
