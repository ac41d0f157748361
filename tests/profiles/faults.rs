//! What a profile may not say: each fault is refused with its line and the reason, and what is nearest to it is taken.

use std::sync::Arc;

use verbale::law::{Docket, Query};
use verbale::ledger::Timestamp;
use verbale::ledger::profile::{Count, Profile, ProfileError};

use super::{OPEN_SKIES, treaty};

/// Five lines: what is tried begins at line 6.
const HEAD: &str = "version = 1\ntitle = \"T\"\nacknowledgement = \"ack\"\n[kind.ack]\ntitle = \"Ack\"\n";

fn told(rest: &str) -> String {
    let text = format!("{HEAD}{rest}");
    match Profile::check(text.as_bytes()) {
        Ok(_) => String::new(),
        Err(error) => {
            is_read_all_the_same(&text, &error);
            error.to_string()
        }
    }
}

/// What contradicts itself is a fault of its author. What was signed under it is still read and counted, by this version and
/// by later ones, unless it cannot be: it is over a limit, names an unknown time zone, or has what is no schema.
fn is_read_all_the_same(text: &str, error: &ProfileError) {
    let ProfileError::Faults(faults) = error else { return };
    let limits = [
        "is not an IANA time zone",
        "nested more than 4 deep",
        "JSON Schema",
        "a `schema` here has no",
        "there are at most",
        "it has over",
    ];
    if faults.iter().any(|fault| limits.iter().any(|limit| fault.what.contains(limit))) {
        return assert!(Profile::parse(text.as_bytes()).is_err(), "{text}");
    }
    let profile = Profile::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}\nis not read: {error}"));
    for kind in profile.kind.keys() {
        assert!(profile.explain(kind).is_some() && profile.schema(kind).is_some(), "{text}");
    }
    let docket = Docket::new(Arc::new(treaty(OPEN_SKIES)), Arc::new(profile));
    for time in [0, 1_800_000_000, u64::MAX] {
        let as_of = Timestamp::from_posix(time);
        docket.items(as_of, &Query::default());
        docket.effects(as_of, None);
        docket.quotas(1992, as_of);
    }
}

/// That this line is refused for this reason, and for nothing else.
fn refused(rest: &str, line: usize, why: &str) {
    let told = told(rest);
    let lines: Vec<_> = told.lines().collect();
    let is_it = |told: &&str| told.starts_with(&format!("line {line}: ")) && told.contains(why);
    assert!(lines.len() == 1 && lines.iter().all(is_it), "line {line}, {why}, of\n{rest}\nis not:\n{told}");
}

fn taken(rest: &str) {
    assert_eq!(told(rest), "", "{rest}");
}

/// A kind `ask` with fields and one rule, whose lines begin at line 13.
fn asks(rule: &str) -> String {
    format!(
        "[kind.ask]\ntitle = \"Ask\"\nfield = [{{ name = \"day\", title = \"Day\", type = \"date\" }}, {{ name = \"who\", title = \"Who\", type = \"party\" }}]\n\
         [[kind.ask.due]]\nid = \"r\"\ntitle = \"R\"\nanswer = [\"reply\"]\n{rule}\n\
         [kind.reply]\ntitle = \"Reply\"\nfield = [{{ name = \"held\", title = \"Held\", type = \"date\" }}]\n\
         [kind.stop]\ntitle = \"Stop\"\n[kind.back]\ntitle = \"Back\"\nrevokes = [\"ask\"]\n[kind.any-back]\ntitle = \"Any back\"\nrevokes = [\"*\"]\n\
         [kind.circular]\ntitle = \"Circular\"\nfrom = [\"depositary\"]\n[kind.later]\ntitle = \"Later\"\nafter = [\"reply\"]\n"
    )
}

const OWED: &str = "by = [\"*\"]\nstart = \"sent\"\nwithin = \"7 days\"\n";

#[test]
fn a_kind_that_takes_the_note_back_is_not_what_ends_it() {
    for kind in ["back", "any-back"] {
        refused(&asks(&format!("{OWED}ended_by = [\"{kind}\"]")), 16, "takes a `ask` back");
        refused(&asks(&format!("{OWED}ended_by = [{{ kind = \"{kind}\", from = [\"sender\"] }}]")), 16, "back");
    }
    taken(&asks(&format!("{OWED}ended_by = [\"stop\"]")));
    taken(&asks(&format!("{OWED}ended_by = [{{ kind = \"stop\", from = [\"field:who\", \"sender\"] }}]")));
    refused(
        &asks(&format!("{OWED}ended_by = [{{ kind = \"stop\", from = [\"field:whom\"] }}]")),
        16,
        "no field `whom`",
    );
    refused(
        &asks(&format!("{OWED}ended_by = [{{ kind = \"stop\", from = [\"field:day\"] }}]")),
        16,
        "does not name a party",
    );
    refused(
        &asks(&format!("{OWED}ended_by = [{{ kind = \"stop\", from = [\"any depositary\"] }}]")),
        16,
        "leave `any` out",
    );
    refused(&asks(&format!("{OWED}ended_by = [\"halt\"]")), 16, "`halt`, which is not a kind");
    let odd = told(&asks(&format!("{OWED}ended_by = [{{ kind = \"stop\", by = [\"sender\"] }}]")));
    assert!(odd.contains("line 16") && odd.contains("unknown field `by`"), "{odd}");
}

#[test]
fn a_rule_does_not_rest_on_a_field_that_a_note_may_leave_out() {
    let by = "by = [\"*\"]\nwithin = \"7 days\"\n";
    refused(
        &asks(&format!("{by}start = \"field:day\"")),
        15,
        "counted from the field `day`, which a note may leave out",
    );
    refused(
        &asks("by = [\"field:who\"]\nstart = \"sent\"\nwithin = \"7 days\""),
        13,
        "who owes it stands in the field `who`",
    );
    refused(
        &asks(&format!("{OWED}act = \"field:held\"")),
        16,
        "the field `held`, which a note may leave out (“Reply”)",
    );
    refused(
        &asks(&format!("{by}start = {{ nth = 2, of = \"reply\", at = \"field:held\" }}")),
        15,
        "counted from the field `held`",
    );
    refused(&asks(&format!("{OWED}disputed = [{{ title = \"O\", start = \"field:day\" }}]")), 16, "the reading “O”");
    // The way out is said, and said of what is so.
    taken(&asks(&format!("{by}start = \"field:day\"\noptional = [\"day\"]")));
    taken(&asks(&format!("{OWED}act = \"field:held\"\noptional = [\"held\"]")));
    refused(&asks(&format!("{OWED}optional = [\"day\"]")), 16, "`optional` names `day`");
    let required = asks(&format!("{by}start = \"field:day\""))
        .replace("type = \"date\" }, ", "type = \"date\", required = true }, ");
    taken(&required);
    let effect = "[kind.out]\ntitle = \"Out\"\nfield = [{ name = \"day\", title = \"Day\", type = \"date\" }]\n\
                  [[kind.out.effect]]\nid = \"e\"\ntitle = \"E\"\nstart = \"field:day\"\n";
    refused(effect, 12, "counted from the field `day`");
    taken(&format!("{effect}optional = [\"day\"]\n"));
    let informed = asks("by = [\"*\"]\nstart = \"informed-by-depositary\"\nwithin = \"7 days\"");
    refused(&informed, 14, "no kind of note does: write `informs = true`");
    taken(&informed.replace("title = \"Circular\"", "title = \"Circular\"\ninforms = true"));
    // What is only compared may be left out.
    taken(&effect.replace("start = \"field:day\"", "start = \"sent\"\nclaimed = \"day\""));
}

#[test]
fn a_window_is_open_from_whatever_day_it_is_counted() {
    let window = |lines: &str| asks(&format!("by = [\"*\"]\nstart = \"sent\"\n{lines}"));
    // From 30 January 30 days later is 1 March; one month later is 28 February.
    refused(&window("window = [\"30 days\", \"1 month\"]"), 15, "counted from 2027-01-30 it opens at 2027-03-01");
    refused(&window("window = [\"60 days\", \"2 months\"]"), 15, "impossible window");
    refused(&window("window = [\"366 days\", \"1 year\"]"), 15, "impossible window");
    refused(&window("window = [\"60 days\", \"30 days\"]"), 15, "impossible window");
    refused(&window("not_before = \"30 days\"\nwithin = \"1 month\""), 15, "impossible window");
    refused(&window("window = [\"24 hours\", \"1 day\"]\ncounting = \"inclusive\""), 15, "impossible window");
    // Where clocks are set forward, a day has 23 hours.
    let moment = "window = [\"24 hours\", \"1 day\"]\nends = \"moment\"";
    refused(&window(&format!("{moment}\nzone = \"Europe/Vienna\"")), 15, "counted from 2027-03-27");
    taken(&window(moment));
    let reading = "disputed = [{ title = \"O\", length = \"1 month\" }]";
    refused(
        &window(&format!("window = [\"30 days\", \"60 days\"]\n{reading}")),
        16,
        "the reading “O”: an impossible window",
    );
    for fine in [
        "[\"28 days\", \"1 month\"]",
        "[\"1 month\", \"31 days\"]",
        "[\"24 hours\", \"1 day\"]",
        "[\"365 days\", \"1 year\"]",
        "[\"2 weeks\", \"14 days\"]",
        "[\"12 months\", \"1 year\"]",
        "[\"1 month\", \"6 months\"]",
        "[\"48 hours\", \"3 days\"]",
    ] {
        taken(&window(&format!("window = {fine}")));
    }
}

#[test]
fn who_owes_can_answer() {
    let owed = |by: &str, answer: &str| {
        asks(OWED)
            .replace("[\"*\"]\nstart", &format!("[{by}]\nstart"))
            .replace("[\"reply\"]\nby", &format!("[{answer}]\nby"))
    };
    refused(&owed("\"observer\"", "\"reply\""), 13, "owe nothing");
    refused(&owed("\"*\"", "\"circular\""), 12, "may not send: that kind is sent by depositary");
    refused(&owed("\"sender\"", "\"circular\""), 12, "may not send");
    refused(
        &owed("\"state-party\", \"any depositary\"", "\"circular\""),
        12,
        "`state-party` owes it, and may send none",
    );
    taken(&owed("\"depositary\"", "\"circular\""));
    taken(&owed("\"any *\"", "\"circular\""));
    taken(&owed("\"field:who\"", "\"circular\"").replace("type = \"party\" }", "type = \"party\", required = true }"));
    // What answers refers to the note; in a thread, to what stands behind it.
    refused(
        &owed("\"*\"", "\"later\""),
        12,
        "answered by `later`, which does not refer to a `ask`: it comes `after` reply",
    );
    taken(&owed("\"*\"", "\"later\"").replace("within", "thread = true\nwithin"));
    taken(&owed("\"*\"", "\"later\"").replace("after = [\"reply\"]", "after = [\"reply or ask\"]"));
}

#[test]
fn a_condition_is_of_the_fields_type() {
    for (condition, why) in [
        ("{ day = 3 }", "3 is not what the field `day` holds, a date"),
        ("{ day = \"tomorrow\" }", "is not what the field `day` holds"),
        ("{ who = true }", "true is not what the field `who` holds"),
    ] {
        refused(&asks(&format!("{OWED}when = {condition}")), 16, why);
    }
    taken(&asks(&format!("{OWED}when = {{ day = \"2030-01-01\" }}")));
}

#[test]
fn lengths_end_within_a_hundred_years() {
    for text in ["101 years", "1201 months", "36526 days", "5219 weeks", "876601 hours", "100000 years"] {
        assert_eq!(Count::parse(text), None, "{text}");
        let told = told(&asks(&format!("by = [\"*\"]\nstart = \"sent\"\nwithin = \"{text}\"")));
        assert!(told.contains("line 15") && told.contains("at most 100 years"), "{told}");
    }
    for text in ["100 years", "1200 months", "36525 days", "5218 weeks", "876600 hours", "0 hours"] {
        assert!(Count::parse(text).is_some(), "{text}");
    }
}

#[test]
fn titles_are_words_on_one_line() {
    for empty in ["\"\"", "\" \"", "\"a\\nb\""] {
        let why = if empty.contains('\\') { "not one line" } else { "is empty" };
        refused(&format!("[kind.a]\ntitle = {empty}\n"), 7, why);
        refused(&asks(OWED).replace("title = \"R\"", &format!("title = {empty}")), 11, why);
        refused(&format!("[group.g]\ntitle = {empty}\nmembers = [\"CA\"]\n"), 7, why);
        refused(&format!("[message]\nprefix = {empty}\nnumber = \"{{party}}/{{index}}\"\n"), 7, why);
        refused(&format!("[quota]\ntitle = {empty}\nuse = []\n"), 7, why);
        refused(
            &format!("[kind.a]\ntitle = \"A\"\nfield = [{{ name = \"x\", title = {empty}, type = \"text\" }}]\n"),
            8,
            "not one line of words",
        );
        let head = Profile::check(HEAD.replace("\"T\"", empty).as_bytes()).unwrap_err().to_string();
        assert!(head.starts_with("line 2: ") && head.contains(why), "{head}");
    }
    let same = "[kind.a]\ntitle = \"ACK\"\n";
    refused(&format!("{same}[message]\nprefix = \"P\"\nnumber = \"{{party}}/{{index}}\"\n"), 5, "have one `title`");
    taken(same);
    let choice = |choices: &str| {
        format!(
            "[kind.a]\ntitle = \"A\"\nfield = [{{ name = \"x\", title = \"X\", type = \"choice\", choices = [{choices}] }}]\n"
        )
    };
    refused(&choice("\"\""), 8, "a choice that is empty");
    refused(&choice("\"a\", \"a\""), 8, "the same choice twice");
}

#[test]
fn yearly_rules_name_who_owes_and_each_day_once() {
    let rule = |by: &str, days: &str| {
        format!("[[periodic]]\nid = \"p\"\ntitle = \"P\"\nby = [{by}]\nanswer = [\"ack\"]\ndays = [{days}]\n")
    };
    refused(&rule("", "\"11-01\""), 9, "names nobody");
    refused(&rule("\"observer\"", "\"11-01\""), 9, "owe nothing");
    refused(&rule("\"*\"", "\"11-01\", \"12-15\", \"11-01\""), 11, "11-01 stands there twice");
    taken(&rule("\"*\"", "\"11-01\", \"12-15\""));
    let year = |required: &str| {
        let field = format!("field = [{{ name = \"y\", title = \"Y\", type = \"integer\"{required} }}]\n");
        rule("\"*\"", "\"11-01\"").replace("\"ack\"", "\"data\"")
            + "year = \"y\"\n[kind.data]\ntitle = \"Data\"\n"
            + &field
    };
    refused(&year(""), 12, "“Data” may leave out the field `y`");
    taken(&year(", required = true"));
}

/// A profile is agreed among parties, and yet whatever is one is read at once.
#[test]
fn large_profiles_are_read_or_refused_at_once() {
    let mut chain = asks(&OWED.replace("within", "thread = true\nwithin"));
    let mut kinds = chain.clone();
    for at in 0..900 {
        chain += &format!("[kind.k{:04}]\ntitle = \"K\"\nafter = [\"k{:04}\"]\n", 900 - at, 899 - at);
    }
    chain += "[kind.k0000]\ntitle = \"K\"\nafter = [\"ask\"]\n";
    taken(&chain);
    for at in 0..30_000 {
        kinds += &format!("[kind.k{at}]\ntitle = \"K\"\n");
    }
    assert!(told(&kinds).contains("there are at most 1024 kinds"));
    let mut windows = String::from("[kind.a]\ntitle = \"A\"\n");
    for at in 0..33 {
        let (days, months) = (300 + at * 28, 10 + at);
        windows += &format!(
            "[[kind.a.due]]\nid = \"r{at}\"\ntitle = \"R\"\nby = [\"*\"]\nanswer = [\"ack\"]\nstart = \"sent\"\n\
             window = [\"{days} days\", \"{months} months\"]\n"
        );
    }
    assert!(told(&windows).contains("over 32 different windows"));
}

/// A quota with a group, a use, a transfer and an allocation; its lines begin at line 6.
const QUOTA: &str = "[quota]\ntitle = \"Q\"\npassive = { union = 6, US = 4 }\nuncharged_by = [\"stop\"]\n\
    use = [{ kind = \"use\", active = \"sender\", passive = \"field:of\" }]\n\
    [quota.transfer]\nkind = \"give\"\nfrom = \"giver\"\nto = \"taker\"\ncount = \"n\"\nyear = \"year\"\n\
    [quota.allocation]\nkind = \"decide\"\nyear = \"year\"\nrows = \"rows\"\nholder = \"who\"\nobserved = \"whom\"\ncount = \"n\"\n\
    [group.union]\ntitle = \"Union\"\nmembers = [\"RU\", \"BY\"]\n\
    [kind.stop]\ntitle = \"Stop\"\n[kind.back]\ntitle = \"Back\"\nrevokes = [\"use\"]\n\
    [kind.use]\ntitle = \"Use\"\nfield = [{ name = \"of\", title = \"Of\", type = \"party\", required = true }]\n\
    [kind.give]\ntitle = \"Give\"\nfrom = [\"field:giver\"]\nfield = [{ name = \"giver\", title = \"G\", type = \"party\", required = true }, { name = \"taker\", title = \"T\", type = \"party\", required = true },\n\
    { name = \"n\", title = \"N\", type = \"integer\", required = true }, { name = \"year\", title = \"Y\", type = \"integer\", required = true }]\n\
    [kind.decide]\ntitle = \"Decide\"\nfrom = [\"state-party\"]\nfield = [{ name = \"year\", title = \"Y\", type = \"integer\", required = true },\n\
    { name = \"rows\", title = \"R\", type = \"group\", repeatable = true, field = [\n\
    { name = \"who\", title = \"W\", type = \"party\", required = true }, { name = \"whom\", title = \"O\", type = \"party\", required = true }, { name = \"n\", title = \"N\", type = \"integer\", required = true }] }]\n";

#[test]
fn quota_is_for_who_may_and_nobody_counts_twice() {
    taken(QUOTA);
    for (from, to, line, why) in [
        ("US = 4 }", "US = 4, RU = 2 }", 8, "RU counts for `RU` and for `union`"),
        (
            "{ union = 6, US = 4 }",
            "{ union = 6, US = 4 }\nactive = { BY = 1 }",
            9,
            "BY counts for `union` and for `BY`",
        ),
        ("[\"stop\"]", "[\"back\"]", 9, "takes a `use` back"),
        ("[\"stop\"]", "[{ kind = \"stop\", from = [\"field:off\"] }]", 9, "no field `off`"),
        ("from = [\"field:giver\"]\n", "", 12, "`give` has no `from`"),
        ("from = [\"state-party\"]\n", "", 18, "`decide` has no `from`"),
        ("repeatable = true, ", "", 17, "is not `repeatable`"),
        (
            "title = \"O\", type = \"party\"",
            "title = \"O\", type = \"date\"",
            17,
            "`whom` of the rows is of another type",
        ),
        (
            "title = \"O\", type = \"party\", required = true",
            "title = \"O\", type = \"party\"",
            17,
            "`whom` of the rows is not `required`",
        ),
        (
            "title = \"T\", type = \"party\", required = true",
            "title = \"T\", type = \"party\"",
            11,
            "“Give” may leave out the field `taker`",
        ),
        (
            "title = \"Of\", type = \"party\", required = true",
            "title = \"Of\", type = \"party\"",
            10,
            "“Use” may leave out the field `of`",
        ),
        (
            "type = \"integer\", required = true }] }]",
            "type = \"text\" }] }]",
            17,
            "`n` of the rows is of another type",
        ),
    ] {
        assert!(QUOTA.contains(from), "{from}");
        refused(&QUOTA.replace(from, to), line, why);
    }
}

#[test]
fn what_is_no_text_or_nested_too_deep_is_refused_with_its_line() {
    let mut bytes = HEAD.as_bytes().to_vec();
    bytes.extend(b"[kind.a]\ntitle = \"\xff\"\n");
    let error = Profile::check(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("line 7: ") && error.contains("UTF-8"), "{error}");
    for (open, close) in [("[", "]"), ("{ a = ", "}")] {
        let deep = format!("{HEAD}[kind.a]\ntitle = \"A\"\nschema = {}1{}\n", open.repeat(500), close.repeat(500));
        let error = Profile::check(deep.as_bytes()).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
        assert!(!matches!(error, ProfileError::Faults(_)) && error.to_string().contains("line 8"), "{error}");
    }
    let dotted = format!("{HEAD}[kind.a]\ntitle = \"A\"\nschema.{} = 1\n", "a.".repeat(500).trim_end_matches('.'));
    let error = Profile::check(dotted.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("line 8"), "{error}");
    let later = Profile::check(HEAD.replace("version = 1", "\nversion = 2").as_bytes()).unwrap_err().to_string();
    assert!(later.starts_with("line 2: `version` 2 is not known"), "{later}");
}
