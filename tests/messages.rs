//! Messages: whatever fits a kind reads back as it was; what people write by hand is understood, or said to be missing.

#[path = "../fuzz/decoders.rs"]
#[allow(dead_code, reason = "the decoders have a test of their own")]
mod decoders;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use verbale::ledger::{Attachment, Field, FieldType, NoteId, Notification, Profile, Reference, Timestamp};
use verbale::message::{self, Draft, Logged, MAX_MESSAGE_BYTES, Weight};
use verbale::tlog::Hash;

/// A profile with every type of field, alone and repeated, under headings and in groups.
const PROFILE: &str = r#"
version = 1
title = "Everything"
acknowledgement = "everything"
[message]
prefix = "OS"
number = "OS/{party}/{year}/{index:4}"
[group.north]
title = "The North"
members = ["CA", "US"]
[kind.everything]
title = "Notice of everything: a trial"
article = "XV.2"
field = [
    { name = "text", title = "Words: many", type = "text" },
    { name = "integer", title = "Distance", under = "Numbers and days", type = "integer", unit = "km" },
    { name = "date", title = "Day", under = "Numbers and days", type = "date" },
    { name = "time", title = "Moment", under = "Numbers and days", type = "time" },
    { name = "list", title = "List", type = "list" },
    { name = "choice", title = "Choice", type = "choice", choices = ["Yes", "No: not now"] },
    { name = "party", title = "Party", type = "party" },
    { name = "dates", title = "Days", type = "date", repeatable = true },
    { name = "lists", title = "Lists", type = "list", repeatable = true },
    { name = "one", title = "One", type = "group", field = [
        { name = "text", title = "Words", type = "text" },
        { name = "rows", title = "Rows", type = "group", repeatable = true, field = [
            { name = "party", title = "Party", type = "party" },
            { name = "list", title = "List", type = "list" },
        ] },
    ] },
    { name = "many", title = "Many", type = "group", repeatable = true, field = [
        { name = "text", title = "Words", type = "text" },
        { name = "count", title = "Count", type = "integer" },
    ] },
    { name = "remarks", title = "Remarks", type = "text" },
]
[kind.small]
title = "Small notice"
article = "I"
field = [
    { name = "effective", title = "Intended date", type = "date", required = true },
    { name = "distance", title = "Distance", type = "integer", unit = "km" },
    { name = "when", title = "When", type = "time" },
    { name = "sensors", title = "Sensors", type = "list" },
]
"#;

fn profile() -> Profile {
    Profile::parse(PROFILE.as_bytes()).unwrap()
}

fn note(kind: &str, body: Map<String, Value>) -> Notification {
    Notification {
        attachments: vec![],
        body,
        from: "RU".into(),
        id: NoteId([7; 16]),
        issued: Timestamp::parse("2021-06-18T09:00:00Z").unwrap(),
        kind: kind.into(),
        ledger: decoders::treaty().hash(),
        re: vec![],
        to: vec!["CA".into(), "*".into()],
    }
}

fn read(text: &str) -> Draft {
    message::read(text, None, &profile(), decoders::treaty())
}

/// Texts that are easily taken for something else.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zé]{1,12}",
        prop::sample::select(vec![
            "A.",
            "(1)",
            "(a)",
            "(zzz)",
            "1)",
            "6.",
            "7) END",
            "FROM:",
            "TO:",
            "5. CONTENT:",
            "REMARKS:",
            "ATTACHMENT:",
            "((2))",
            "NONE",
            "\"",
            "\"NONE\"",
            "-",
            "Words:",
            "U.S.",
            "B.x",
            ";",
            "",
            "OS/RU/2021/0007",
            "\u{a0}",
            ":",
        ])
        .prop_map(str::to_owned),
    ];
    let sentence = prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "));
    sentence.prop_filter("a note has plain text", |text| verbale::ledger::canon::check_plain(text).is_ok())
}

fn value(field: &Field) -> BoxedStrategy<Value> {
    let one = match field.kind {
        FieldType::Text => text().prop_filter("not empty", |text| !text.is_empty()).prop_map(Value::from).boxed(),
        FieldType::Integer => (-(1i64 << 53)..1 << 53).prop_map(Value::from).boxed(),
        FieldType::Date => (1970u32..9998, 1u32..13, 1u32..29)
            .prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}").into())
            .boxed(),
        FieldType::Time => (0u64..250_000_000_000).prop_map(|seconds| json!(Timestamp::from_posix(seconds))).boxed(),
        FieldType::List => prop::collection::vec(text(), 0..5).prop_map(Value::from).boxed(),
        FieldType::Choice => prop::sample::select(field.choices.clone()).prop_map(Value::from).boxed(),
        FieldType::Party => prop::sample::select(vec!["CA", "RU", "north", "KG"]).prop_map(Value::from).boxed(),
        FieldType::Group => body(field.fields.clone()).prop_map(Value::Object).boxed(),
        other => panic!("{other:?} has no values here"),
    };
    match field.repeatable {
        true => prop::collection::vec(one, 0..4).prop_map(Value::from).boxed(),
        false => one,
    }
}

fn body(fields: Vec<Field>) -> BoxedStrategy<Map<String, Value>> {
    let each: Vec<_> = fields.iter().map(|field| prop::option::of(value(field))).collect();
    each.prop_map(move |values| {
        let there = fields.iter().zip(values).filter_map(|(field, value)| Some((field.name.clone(), value?)));
        there.collect()
    })
    .boxed()
}

fn any_body() -> BoxedStrategy<Map<String, Value>> {
    body(profile().kind["everything"].fields.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_note_in_form_reads_back_as_it_was(body in any_body(), index in 0u64..100_000, re in 0usize..4, name in text()) {
        let mut note = note("everything", body);
        note.re = (0..re).map(|at| Reference { index: at as u64, leaf: Hash([1; 32]), log: "US".into() }).collect();
        let name = format!("{name}.pdf").replace(['/', '\\'], "");
        note.attachments = vec![Attachment { media: "application/pdf".into(), name, sha256: Hash([9; 32]), size: 12 }];
        prop_assert_eq!(profile().faults("everything", &note.body), Vec::<String>::new());
        let logged = Logged { index, time: note.issued };
        let text = message::write(&note, Some(logged), &profile(), decoders::treaty());
        let draft = read(&text);
        prop_assert_eq!(&draft.body, &note.body, "{}", &text);
        prop_assert_eq!(&draft.faults, &vec![], "{}", &text);
        prop_assert_eq!(draft.kind.as_deref(), Some("everything"));
        prop_assert_eq!(&draft.attachments, &note.attachments, "{}", &text);
        prop_assert_eq!((draft.to, draft.from, draft.issued), (note.to, Some(note.from), Some(note.issued)));
        prop_assert_eq!(draft.references.len(), re);
        // Other programs end lines in their own way, and indent in theirs.
        let mangled = text.replace('\n', "\r\n").replace("   ", "\t");
        let again = read(&mangled);
        prop_assert!(again.is_complete(), "{:?}", again.faults);
    }

    #[test]
    fn no_line_that_is_lost_goes_unnoticed(at in any::<prop::sample::Index>()) {
        let body = json!({ "effective": "2021-12-18", "sensors": ["one", "two"] });
        let note = note("small", body.as_object().unwrap().clone());
        let text = message::write(&note, None, &profile(), decoders::treaty());
        let lines: Vec<_> = text.lines().collect();
        let at = at.index(lines.len());
        let less: String = lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| format!("{line}\n")).collect();
        let draft = read(&less);
        // An item of a list can be left out without anything missing; so can what the form numbers with a gap.
        prop_assert!(!draft.faults.is_empty() || lines[at].contains("(2) two") || lines[at].contains("(1) one"), "{}", less);
    }
}

const BY_HAND: &str = "Sent by telex, 18 June\n\n\
    Precedence: priority\n\
    from:  russia\n\
    TO : Canada, HU\n\
    INFO: all other States Parties\n\
    subject: SMALL NOTICE of the Russian Federation\n\
    1.OS Message Number: OS/RU/2021/7\n\
    2. MESSAGE DATE AND TIME: 180900Z JUN 2021\n\
    3. Treaty reference: Article I\n\
    4. MESSAGE REFERENCE: OS/US/2020/0015, OS/CA/2020/16\n\
    5. CONTENT\n\
    A. INTENDED DATE: 18 December 2021\n\
    B. 5,000 KM\n\
    D. Sensors: camera; infrared\n\
    device\n\
    6. REMARKS: N/A\n\
    7. END OF OS MESSAGE: OS/RU/2021/7\n\
    page 1 of 1\n";

#[test]
fn what_people_write_by_hand_is_understood_and_told() {
    let draft = read(&BY_HAND.replace("TO :", "TO:").replace("END OF OS MESSAGE:", "END OF OS MESSAGE NUMBER:"));
    assert!(draft.is_complete(), "{:#?}", draft.faults);
    let expected = json!({ "effective": "2021-12-18", "distance": 5000, "sensors": ["camera", "infrared device"] });
    assert_eq!(Value::Object(draft.body), expected);
    assert_eq!((draft.from.as_deref(), draft.to), (Some("RU"), vec!["CA".to_owned(), "HU".into(), "*".into()]));
    assert_eq!(draft.references, [("US".to_owned(), 15), ("CA".into(), 16)]);
    assert_eq!(draft.issued, Timestamp::parse("2021-06-18T09:00:00Z"));
    let told = |line: usize, part: &str| draft.faults.iter().any(|f| f.line == line && f.what.contains(part));
    assert!(told(1, "precedes the first item"), "{:#?}", draft.faults);
    assert!(told(7, "Small notice"), "{:#?}", draft.faults);
    assert!(told(9, "2021-06-18 09:00:00 UTC"), "{:#?}", draft.faults);
    assert!(told(13, "2021-12-18"), "{:#?}", draft.faults);
    assert!(told(14, "by its label"), "{:#?}", draft.faults);
    assert!(told(15, "semicolons"), "{:#?}", draft.faults);
    assert!(told(19, "follows the end"), "{:#?}", draft.faults);
}

#[test]
fn what_is_missing_or_wrong_is_told_with_its_line() {
    let whole = "PRECEDENCE: ROUTINE\nFROM: RU\nTO: CA\nINFO: NONE\nSUBJECT: Small notice\n1. OS MESSAGE NUMBER: OS/RU/2021/0007\n\
        2. OS MESSAGE DATE AND TIME: 2021-06-18 09:00:00 UTC\n3. TREATY REFERENCE: I\n4. MESSAGE REFERENCE: NONE\n5. CONTENT:\n\
        A. Intended date: 2021-12-18\nC. When: 2021-06-18 09:00 UTC\n6. REMARKS: NONE\n7. END OF OS MESSAGE NUMBER: OS/RU/2021/0007\n";
    assert!(read(whole).is_complete(), "{:#?}", read(whole).faults);
    for (from, to, line, weight, part) in [
        ("FROM: RU\n", "", 2, Weight::Missing, "who sends the note"),
        ("FROM: RU", "FROM: Ruritania", 2, Weight::Wrong, "names no party"),
        ("TO: CA", "TO: ", 3, Weight::Missing, "names nobody"),
        ("TO: CA", "TO: CA; Atlantis", 3, Weight::Wrong, "`Atlantis` names no party"),
        ("SUBJECT: Small notice\n", "SUBJECT: Weather\n", 5, Weight::Noted, "taken for `Small notice`"),
        (
            "A. Intended date: 2021-12-18\n",
            "",
            11,
            Weight::Missing,
            "`A. Intended date:` should stand before this line",
        ),
        ("A. Intended date: 2021-12-18", "A. Intended date: NONE", 11, Weight::Missing, "is empty"),
        (
            "A. Intended date: 2021-12-18",
            "A. Intended date: 12/18/2021",
            11,
            Weight::Wrong,
            "`12/18/2021` is not a date",
        ),
        ("09:00 UTC", "09:00", 12, Weight::Wrong, "zone"),
        ("C. When", "F. Whence", 12, Weight::Wrong, "no such item"),
        ("C. When", "A. Intended date: 2021-12-19\nC. When", 12, Weight::Wrong, "stands there twice"),
        ("REMARKS: NONE", "REMARKS: urgent", 13, Weight::Wrong, "no field for remarks"),
        (
            "END OF OS MESSAGE NUMBER: OS/RU/2021/0007",
            "END OF OS MESSAGE NUMBER: OS/RU/2021/0008",
            14,
            Weight::Wrong,
            "it may be two",
        ),
        ("7. END OF OS MESSAGE NUMBER: OS/RU/2021/0007\n", "", 14, Weight::Missing, "cut off"),
        ("1. OS MESSAGE NUMBER: OS/RU", "1. OS MESSAGE NUMBER: OS/US", 6, Weight::Wrong, "one of US"),
        ("REFERENCE: NONE", "REFERENCE: yesterday's", 9, Weight::Wrong, "is not the number"),
    ] {
        assert!(whole.contains(from), "{from}");
        let draft = read(&whole.replacen(from, to, 1));
        let told = draft.faults.iter().any(|f| f.line == line && f.weight == weight && f.what.contains(part));
        assert!(told, "{to:?}: {:#?}", draft.faults);
    }
    let long = read(&"A".repeat(MAX_MESSAGE_BYTES + 1));
    assert!(long.faults[0].what.contains("longer than"), "{:?}", long.faults);
}
