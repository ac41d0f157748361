//! A profile that contradicts itself is refused with the line of each fault; a body is what the fields and the schema say.

use proptest::prelude::*;
use serde_json::{Value, json};
use verbale::ledger::profile::{Profile, ProfileError};

use super::fixture::{profile, treaty};

const HEAD: &str = "version = 1\ntitle = \"T\"\nacknowledgement = \"ack\"\n[kind.ack]\ntitle = \"A\"\n";

fn faults(rest: &str) -> Vec<String> {
    match Profile::check(format!("{HEAD}{rest}").as_bytes()) {
        Ok(_) => Vec::new(),
        Err(ProfileError::Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn each_contradiction_is_named_with_its_line() {
    // The text begins at line 6.
    let rule = |lines: &str| {
        format!(
            "[kind.a]\ntitle = \"A\"\n[[kind.a.due]]\nid = \"r\"\ntitle = \"R\"\nby = [\"*\"]\nanswer = [\"ack\"]\n{lines}\n"
        )
    };
    for (text, line, what) in [
        ("[kind.a]\ntitle = \"A\"\nreply = \"b\"\n".to_owned(), 8, "`reply` is `b`, which is not a kind"),
        ("[kind.a]\ntitle = \"A\"\nafter = [\"b\"]\n[kind.b]\ntitle = \"B\"\nafter = [\"a\"]\n".into(), 8, "a cycle"),
        ("[kind.a]\ntitle = \"A\"\nafter = [\"a\"]\n".into(), 8, "a cycle"),
        ("[kind.a]\ntitle = \"A\"\nto = [\"group:x\"]\n".into(), 8, "no group `x`"),
        ("[kind.a]\ntitle = \"A\"\nto = [\"field:x\"]\n".into(), 8, "no field `x`"),
        ("[kind.a]\ntitle = \"A\"\nbehalf = \"x\"\n".into(), 8, "no field `x`"),
        ("[kind.a]\ntitle = \"A\"\nsignatures = 0\n".into(), 8, "`signatures` is from 1"),
        ("[kind.a]\ntitle = \"A\"\nschema = { type = \"nonsense\" }\n".into(), 8, "is not a JSON Schema"),
        ("[kind.a]\ntitle = \"A\"\nschema = { \"$ref\" = \"#\" }\n".into(), 8, "no `$ref`"),
        (rule("start = \"sent\"\nwindow = [\"60 days\", \"30 days\"]"), 14, "impossible window"),
        (rule("start = \"sent\"\nnot_before = \"2 months\"\nwithin = \"30 days\""), 14, "impossible"),
        (rule("start = \"sent\"\nwithin = \"1 day\"\npromptly = true"), 15, "in two ways"),
        (rule("start = \"sent\""), 8, "does not say by when"),
        (rule("start = \"sent\"\nbefore = \"1 day\""), 14, "counted back from an event"),
        (rule("start = \"field:x\"\nbefore = \"1 day\""), 13, "no field `x`"),
        (rule("start = \"predecessor-received\"\nwithin = \"1 day\""), 13, "the kind has no `after`"),
        (rule("start = { nth = 3, of = \"b\" }\npromptly = true"), 13, "`b`, which is not a kind"),
        (rule("start = \"sent\"\nwithin = \"1 day\"\nzone = \"Europe/Atlantis\""), 15, "not an IANA time zone"),
        (rule("start = \"sent\"\npromptly = true\ndeemed = \"accepted\""), 15, "needs a time that runs out"),
        (
            rule(
                "start = \"sent\"\npromptly = true\n[[kind.a.due]]\nid = \"r\"\ntitle = \"R\"\nitself = true\nstart = \"sent\"\npromptly = true",
            ),
            16,
            "two rules have the id `r`",
        ),
        (rule("start = \"sent\"\npromptly = true").replace("\"ack\"", "\"b\""), 12, "answered by `b`"),
        (
            rule("start = \"sent\"\npromptly = true").replace("title = \"A\"\n[[", "title = \"A\"\nnotice = false\n[["),
            8,
            "starts no clock",
        ),
        ("[quota]\ntitle = \"Q\"\nuse = []\npassive = { nobody = 3 }\n".into(), 9, "`nobody` is neither"),
        (
            "[[periodic]]\nid = \"p\"\ntitle = \"P\"\nby = [\"state-party\"]\nholders = true\nanswer = [\"ack\"]\ndays = [\"11-01\"]\n".into(),
            10,
            "no `quota.allocation`",
        ),
        (
            "[[periodic]]\nid = \"p\"\ntitle = \"P\"\nby = [\"state-party\"]\nanswer = [\"ack\"]\ndays = [\"11-01\"]\nsince = -32768\n".into(),
            12,
            "a year from 1800 to 9998",
        ),
    ] {
        let found = faults(&text);
        assert!(
            found.iter().any(|fault| fault.starts_with(&format!("line {line}: ")) && fault.contains(what)),
            "{text}\n{found:#?}"
        );
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_files_order() {
    let found = faults(
        "[kind.a]\ntitle = \"A\"\nreply = \"x\"\nafter = [\"y\"]\n[kind.b]\ntitle = \"B\"\nto = [\"group:z\"]\n",
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    let lines = found.iter().map(|fault| fault.split(':').next().unwrap());
    assert_eq!(lines.collect::<Vec<_>>(), ["line 8", "line 9", "line 12"]);
    // What reads as something else is told by the reader, with its line.
    let error = Profile::check(format!("{HEAD}[kind.a]\ntitle = \"A\"\nto = [\"somebody\"]\n").as_bytes()).unwrap_err();
    assert!(error.to_string().contains("line 8") && error.to_string().contains("`somebody` says nobody"), "{error}");
}

#[test]
fn a_kind_that_waits_for_itself_or_another_can_be_sent() {
    assert_eq!(
        faults("[kind.p]\ntitle = \"P\"\n[kind.a]\ntitle = \"A\"\nafter = [\"p or a\"]\n"),
        Vec::<String>::new()
    );
}

fn kinds() -> Profile {
    profile(
        "[group.union]\ntitle = \"U\"\nmembers = [\"RU\"]\n[kind.k]\ntitle = \"K\"\nfield = [\n\
         { name = \"text\", title = \"T\", type = \"text\", required = true },\n\
         { name = \"n\", title = \"N\", type = \"integer\", unit = \"km\", min = 1, max = 9 },\n\
         { name = \"d\", title = \"D\", type = \"date\" },\n{ name = \"t\", title = \"T\", type = \"time\" },\n\
         { name = \"z\", title = \"Z\", type = \"zoned-time\" },\n{ name = \"l\", title = \"L\", type = \"list\", at_most = 2 },\n\
         { name = \"c\", title = \"C\", type = \"choice\", choices = [\"yes\", \"no\"] },\n\
         { name = \"p\", title = \"P\", type = \"party\" },\n\
         { name = \"g\", title = \"G\", type = \"group\", repeatable = true, at_most = 2, field = [{ name = \"x\", title = \"X\", type = \"date\", required = true }] },\n]\n",
    )
}

#[test]
fn a_fault_names_field_and_place() {
    let profile = kinds();
    let told = |body: Value| profile.faults("k", body.as_object().unwrap());
    assert_eq!(
        told(
            json!({"text": "a", "z": "2021-06-18T11:00:00+02:00[Europe/Berlin]", "p": "union", "g": [{"x": "2021-01-01"}]})
        ),
        Vec::<String>::new()
    );
    assert_eq!(told(json!({})), ["the field `text` (T) is missing"]);
    for (field, value, what) in [
        ("n", json!(10), "the field `n` (N) is not an integer in km from 1 to 9"),
        ("d", json!("2021-02-30"), "the field `d` (D) is not a date as 2021-12-18"),
        ("z", json!("2021-06-18T11:00:00+03:00[Europe/Berlin]"), "the field `z` (Z) is not a time with its zone"),
        ("l", json!(["a", "b", "c"]), "the field `l` (L) is not a list of texts, at most 2"),
        ("c", json!("maybe"), "the field `c` (C) is not one of “yes”, “no”"),
        ("p", json!("benelux"), "the field `p` (P) is not a party's code"),
        ("g", json!([{"x": "2021-01-01"}, {"x": "then"}]), "the field `g[1].x` (X) is not a date"),
        ("g", json!([{"y": 1}]), "the field `g[0].x` (X) is missing"),
        ("u", json!(1), "the field `u` is not one of this kind"),
    ] {
        let found = told(json!({"text": "a", field: value}));
        assert!(found[0].starts_with(what), "{found:?}");
    }
    assert_eq!(treaty().parties().len(), 5);
}

#[test]
fn a_kinds_own_schema_binds_beside_its_fields() {
    let profile = profile(
        "[kind.k]\ntitle = \"K\"\nfield = [{ name = \"a\", title = \"A\", type = \"text\" }, { name = \"b\", title = \"B\", type = \"text\" }]\n\
         schema = { dependentRequired = { a = [\"b\"] } }\n",
    );
    assert!(profile.faults("k", json!({"b": "x"}).as_object().unwrap()).is_empty());
    let faults = profile.faults("k", json!({"a": "x"}).as_object().unwrap());
    assert!(faults.len() == 1 && faults[0].contains("schema"), "{faults:?}");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (-20i64..20).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "x",
            "yes",
            "CA",
            "union",
            "2021-12-18",
            "2021-02-30",
            "2021-06-18T09:00:00Z",
            "2021-06-18T11:00:00+02:00[Europe/Berlin]",
            "2021-06-18T09:00:60Z"
        ])
        .prop_map(Value::from),
    ];
    let list = prop::collection::vec(leaf.clone(), 0..4).prop_map(Value::from);
    let table = leaf.clone().prop_map(|x| json!({"x": x}));
    let tables = prop::collection::vec(table.clone(), 0..4).prop_map(Value::from);
    prop_oneof![3 => leaf, 1 => list, 1 => table, 1 => tables]
}

proptest! {
    /// The sentences and the schema that is given out accept and refuse the same bodies.
    #[test]
    fn the_schema_says_what_the_fields_say(body in prop::collection::btree_map(prop::sample::select(vec!["text", "n", "d", "t", "z", "l", "c", "p", "g", "u"]), value(), 0..6)) {
        let profile = kinds();
        let body = json!(body);
        let schema = jsonschema::options()
            .should_validate_formats(true)
            .with_format("utc-time", |text: &str| verbale::ledger::Timestamp::parse(text).is_some())
            .with_format("zoned-time", |text: &str| text.parse::<jiff::ZonedDateTime>().is_ok_and(|z| z.to_string() == text))
            .build(&profile.schema("k").unwrap())
            .unwrap();
        let sentences = profile.faults("k", body.as_object().unwrap());
        prop_assert_eq!(sentences.is_empty(), schema.is_valid(&body), "{:?} of {}", sentences, body);
    }
}
