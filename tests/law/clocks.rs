//! Each start, each way to count, each outcome.

use serde_json::json;

use super::fixture::*;

/// One kind that asks, one that answers, and a rule.
fn asks(rule: &str) -> World {
    World::new(&format!(
        "[kind.answer]\ntitle = \"Answer\"\nfield = [{{ name = \"opens\", title = \"Opens\", type = \"date\", required = true }},\n\
         {{ name = \"response\", title = \"Response\", type = \"text\" }}]\n\
         [kind.circular]\ntitle = \"Circular\"\ninforms = true\n\
         [kind.end]\ntitle = \"End\"\n\
         [kind.revocation]\ntitle = \"Revocation\"\nrevokes = [\"*\"]\n\
         [kind.first]\ntitle = \"First\"\nfield = [{{ name = \"arrival\", title = \"Arrival\", type = \"time\", required = true }}]\n\
         [kind.ask]\ntitle = \"Ask\"\nfield = [{{ name = \"arrival\", title = \"Arrival\", type = \"time\", required = true }},\n\
         {{ name = \"effective\", title = \"Effective\", type = \"date\", required = true }},\n\
         {{ name = \"who\", title = \"Who\", type = \"party\" }}]\n\
         [[kind.ask.due]]\nid = \"it\"\ntitle = \"An answer\"\n{rule}\n"
    ))
}

const BY_RU: &str = "by = [\"RU\"]\nanswer = [\"answer\"]\n";

#[test]
fn an_hour_limit_counts_from_the_receipt_of_who_owes_and_ends_to_the_second() {
    let mut w = asks(&format!("{BY_RU}start = \"received\"\nwithin = \"24 hours\""));
    let ask = w.send(US, "2020-02-28T12:00:00Z", "ask", &["*"], &[], nothing());
    assert_eq!(w.state(ask, "it", "2020-03-05T00:00:00Z"), "waiting: its time has not begun [-, -]");
    // Another's receipt starts nothing.
    w.receipt(PL, ask, "2020-02-28T12:00:01Z");
    assert_eq!(w.state(ask, "it", "2020-03-05T00:00:00Z"), "waiting: its time has not begun [-, -]");
    w.receipt(RU, ask, "2020-02-28T13:30:05Z");
    assert_eq!(w.state(ask, "it", "2020-02-29T13:30:05Z"), "open [-, 2020-02-29T13:30:05Z]");
    assert_eq!(
        w.state(ask, "it", "2020-02-29T16:42:05Z"),
        "nothing there, 3 h 12 min after the time had run [-, 2020-02-29T13:30:05Z]"
    );
    // An answer of another party, or to nothing, is none.
    w.send(PL, "2020-02-29T13:00:00Z", "answer", &["US"], &[ask], nothing());
    w.send(RU, "2020-02-29T13:00:00Z", "answer", &["US"], &[], nothing());
    assert!(w.state(ask, "it", "2020-02-29T13:10:00Z").starts_with("open"));
    w.send(RU, "2020-02-29T16:42:05Z", "answer", &["US"], &[ask], nothing());
    assert_eq!(w.state(ask, "it", "2020-03-05T00:00:00Z"), "late by 3 h 12 min [-, 2020-02-29T13:30:05Z]");
    let item = w.item(ask, "it", "2020-03-05T00:00:00Z");
    assert_eq!((item.owed_by, item.owed_to), (vec!["RU".to_owned()], vec!["US".to_owned()]));
    assert_eq!(item.steps[0].text, "RUland received US/0 at 2020-02-28 13:30:05 UTC.");
    assert_eq!(item.steps[0].records, ["US/0", "RU/0"]);
    assert_eq!(item.act.unwrap().number, "RU/2");
    // As of then, it was open still.
    assert!(w.state(ask, "it", "2020-02-29T13:30:05Z").starts_with("open"));
}

#[test]
fn each_start_is_its_own() {
    let answer = |start: &str| {
        let mut w = asks(&format!("{BY_RU}start = {start}\nwithin = \"1 hour\""));
        let first =
            w.send(US, "2020-01-01T00:00:00Z", "first", &["RU"], &[], json!({"arrival": "2020-05-05T05:00:00Z"}));
        w.receipt(RU, first, "2020-01-01T02:00:00Z");
        let body = json!({"arrival": "2020-06-06T06:00:00Z", "effective": "2020-07-01"});
        let ask = w.send(US, "2020-01-10T00:00:00Z", "ask", &["*"], &[first], body);
        w.receipt(HU, ask, "2020-01-10T03:00:00Z");
        w.receipt(CA, ask, "2020-01-10T02:00:00Z");
        w.receipt(RU, ask, "2020-01-10T01:00:00Z");
        w.receipt(PL, ask, "2020-01-10T04:00:00Z");
        let circular = w.send(CA, "2020-01-11T00:00:00Z", "circular", &["*"], &[ask], nothing());
        w.receipt(RU, circular, "2020-01-11T05:00:00Z");
        w.item(ask, "it", "2020-12-31T00:00:00Z").until.unwrap().to_string()
    };
    for (start, until) in [
        ("\"sent\"", "2020-01-10T01:00:00Z"),
        ("\"received\"", "2020-01-10T02:00:00Z"),
        ("\"received-by-each\"", "2020-01-10T05:00:00Z"),
        ("\"received-by-depositary\"", "2020-01-10T03:00:00Z"),
        ("\"received-by-each-depositary\"", "2020-01-10T04:00:00Z"),
        ("\"informed-by-depositary\"", "2020-01-11T06:00:00Z"),
        ("\"field:arrival\"", "2020-06-06T07:00:00Z"),
        ("\"field:effective\"", "2020-07-01T01:00:00Z"),
        ("{ of = \"first\", at = \"sent\" }", "2020-01-01T01:00:00Z"),
        ("{ of = \"first\", at = \"received\" }", "2020-01-01T03:00:00Z"),
        ("{ of = \"first\", at = \"field:arrival\" }", "2020-05-05T06:00:00Z"),
    ] {
        assert_eq!(answer(start), until, "{start}");
    }
}

#[test]
fn the_third_request_starts_a_window_and_a_second_one_of_the_same_party_is_none() {
    let mut w = asks(
        "by = [\"any depositary\"]\nanswer = [\"answer\"]\nact = \"field:opens\"\nwindow = [\"30 days\", \"60 days\"]\n\
         start = { nth = 3, of = \"answer\", at = \"received-by-depositary\", when = { response = \"conference\" }, within = \"90 days\" }",
    );
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let yes = || json!({"response": "conference"});
    let ask_for = |w: &mut World, by, at: &str, body| {
        let request = w.send(by, at, "answer", &["CA"], &[ask], body);
        w.receipt(CA, request, at);
    };
    ask_for(&mut w, RU, "2020-01-10T00:00:00Z", yes());
    ask_for(&mut w, RU, "2020-01-11T00:00:00Z", yes());
    ask_for(&mut w, PL, "2020-01-12T00:00:00Z", json!({"response": "no"}));
    ask_for(&mut w, HU, "2020-01-13T00:00:00Z", yes());
    assert!(w.state(ask, "it", "2020-12-31T00:00:00Z").starts_with("waiting"));
    let why = &w.item(ask, "it", "2020-12-31T00:00:00Z").steps[0];
    assert_eq!(why.text, "“Answer” has come from 2 parties; 3 are needed.");
    ask_for(&mut w, PL, "2020-02-01T10:00:00Z", yes());
    let window = "[2020-03-02T00:00:00Z, 2020-04-01T23:59:59Z]";
    assert_eq!(w.state(ask, "it", "2020-02-02T00:00:00Z"), format!("open {window}"));
    for (opens, state) in
        [("2020-03-01", "early by 1 day"), ("2020-03-02", "met"), ("2020-04-01", "met"), ("2020-04-02", "late by 1 s")]
    {
        let mut again = replay(&w);
        again.send(HU, "2020-02-03T00:00:00Z", "answer", &["*"], &[ask], json!({"opens": opens}));
        assert_eq!(again.state(ask, "it", "2020-12-31T00:00:00Z"), format!("{state} {window}"), "{opens}");
    }
    // The requests of a party that come too late are not counted.
    let mut late = asks(
        "by = [\"any depositary\"]\nanswer = [\"end\"]\npromptly = true\n\
         start = { nth = 1, of = \"answer\", within = \"90 days\" }",
    );
    let ask = late.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    late.send(RU, "2020-04-02T00:00:00Z", "answer", &["CA"], &[ask], nothing());
    assert!(late.state(ask, "it", "2020-12-31T00:00:00Z").starts_with("waiting"));
}

fn replay(of: &World) -> World {
    let mut world = World::of(of.docket.profile().clone());
    of.entries.iter().for_each(|entry| world.replay(entry.clone()));
    world
}

#[test]
fn days_are_counted_exclusively_or_inclusively_and_end_with_the_day_or_at_the_moment() {
    let until = |rule: &str| {
        let mut w = asks(&format!("{BY_RU}start = \"sent\"\n{rule}"));
        let ask = w.send(US, "2020-02-28T22:30:00Z", "ask", &["*"], &[], nothing());
        w.item(ask, "it", "2020-03-01T00:00:00Z").until.unwrap().to_string()
    };
    for (rule, expected) in [
        ("within = \"7 days\"", "2020-03-06T23:59:59Z"),
        ("within = \"7 days\"\ncounting = \"inclusive\"", "2020-03-05T23:59:59Z"),
        ("within = \"7 days\"\nends = \"moment\"", "2020-03-06T22:30:00Z"),
        ("within = \"7 days\"\nends = \"start-of-day\"", "2020-03-06T00:00:00Z"),
        ("within = \"1 week\"", "2020-03-06T23:59:59Z"),
        ("within = \"6 months\"", "2020-08-28T23:59:59Z"),
        ("within = \"1 year\"", "2021-02-28T23:59:59Z"),
        // In Vienna it is 23:30 of the same day, in Moscow 01:30 of the next.
        ("within = \"1 day\"\nzone = \"Europe/Vienna\"", "2020-02-29T22:59:59Z"),
        ("within = \"1 day\"\nzone = \"Europe/Moscow\"", "2020-03-01T20:59:59Z"),
        ("simultaneous = true", "2020-02-28T23:59:59Z"),
    ] {
        assert_eq!(until(rule), expected, "{rule}");
    }
}

#[test]
fn a_note_answers_for_itself_before_an_event() {
    let mut w = asks("itself = true\nstart = \"field:arrival\"\nbefore = \"72 hours\"");
    let send = |w: &mut World, at: &str| w.send(US, at, "ask", &["*"], &[], json!({"arrival": "2020-03-10T08:00:00Z"}));
    let in_time = send(&mut w, "2020-03-07T08:00:00Z");
    let late = send(&mut w, "2020-03-07T08:00:01Z");
    assert_eq!(w.state(in_time, "it", "2020-03-08T00:00:00Z"), "met [-, 2020-03-07T08:00:00Z]");
    assert_eq!(w.state(late, "it", "2020-03-08T00:00:00Z"), "late by 1 s [-, 2020-03-07T08:00:00Z]");
    // By its receipt, where the rule says so: the last addressee's.
    let mut w = asks("itself = true\nact = \"received\"\nstart = \"field:effective\"\nbefore = \"30 days\"");
    let ask = w.send(US, "2020-03-01T00:00:00Z", "ask", &["RU", "PL"], &[], json!({"effective": "2020-03-31"}));
    w.receipt(RU, ask, "2020-03-01T10:00:00Z");
    assert_eq!(w.state(ask, "it", "2020-03-01T12:00:00Z"), "open [-, 2020-03-01T23:59:59Z]");
    w.receipt(PL, ask, "2020-03-02T00:00:00Z");
    assert_eq!(w.state(ask, "it", "2020-03-03T00:00:00Z"), "late by 1 s [-, 2020-03-01T23:59:59Z]");
}

#[test]
fn silence_is_deemed_only_after_the_time_has_run() {
    let mut w = asks(&format!("{BY_RU}start = \"received\"\nwithin = \"30 days\"\ndeemed = \"accepted\""));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    w.receipt(RU, ask, "2020-01-01T01:00:00Z");
    assert!(w.state(ask, "it", "2020-01-31T23:59:59Z").starts_with("open"));
    assert_eq!(w.state(ask, "it", "2020-02-01T00:00:00Z"), "deemed accepted [-, 2020-01-31T23:59:59Z]");
}

#[test]
fn a_note_is_deemed_received_where_the_profile_says_so() {
    let kinds = format!(
        "[kind.answer]\ntitle = \"Answer\"\n[kind.ask]\ntitle = \"Ask\"\ndeemed_received = \"2 days\"\n\
         [[kind.ask.due]]\nid = \"it\"\ntitle = \"An answer\"\n{BY_RU}start = \"received\"\nwithin = \"24 hours\"\n"
    );
    let mut w = World::new(&kinds);
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["RU"], &[], nothing());
    assert!(w.state(ask, "it", "2020-01-02T23:59:59Z").starts_with("waiting"));
    assert_eq!(w.state(ask, "it", "2020-01-03T00:00:00Z"), "open [-, 2020-01-04T00:00:00Z]");
    // A later receipt does not undo it.
    w.receipt(RU, ask, "2020-01-05T00:00:00Z");
    assert_eq!(w.item(ask, "it", "2020-01-05T00:00:00Z").until.unwrap().to_string(), "2020-01-04T00:00:00Z");
}

#[test]
fn what_is_revoked_or_ended_is_no_longer_due() {
    for kind in ["revocation", "end"] {
        let mut w = asks(&format!("{BY_RU}start = \"sent\"\nwithin = \"7 days\"\nended_by = [\"end\"]"));
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
        w.send(US, "2020-01-02T00:00:00Z", kind, &["*"], &[ask], nothing());
        assert!(w.state(ask, "it", "2020-01-01T12:00:00Z").starts_with("open"));
        assert!(w.state(ask, "it", "2020-01-03T00:00:00Z").starts_with("no longer due"), "{kind}");
    }
}

#[test]
fn promptly_is_never_missed_and_any_of_several_is_enough() {
    let mut w = asks("by = [\"any depositary\"]\nanswer = [\"circular\"]\nstart = \"received\"\npromptly = true");
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    w.receipt(HU, ask, "2020-01-01T01:00:00Z");
    assert_eq!(w.state(ask, "it", "2029-01-01T00:00:00Z"), "open [-, -]");
    w.send(CA, "2020-01-02T00:00:00Z", "circular", &["*"], &[ask], nothing());
    assert_eq!(w.state(ask, "it", "2029-01-01T00:00:00Z"), "met [-, -]");
    let mut w = asks("by = [\"depositary\"]\nanswer = [\"circular\"]\nstart = \"received\"\npromptly = true");
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    assert_eq!(w.docket.items(time("2020-01-02T00:00:00Z"), &Default::default()).len(), 2);
    assert_eq!(ask, (US, 0));
}

#[test]
fn another_reading_stands_beside_the_first() {
    let mut w = asks(&format!(
        "{BY_RU}start = \"sent\"\nwithin = \"30 days\"\n\
         disputed = [{{ title = \"the day of the note counts\", counting = \"inclusive\" }}]"
    ));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let item = w.item(ask, "it", "2020-01-02T00:00:00Z");
    assert_eq!(item.until.unwrap().to_string(), "2020-01-31T23:59:59Z");
    assert_eq!(item.readings[0].until.unwrap().to_string(), "2020-01-30T23:59:59Z");
}

#[test]
fn what_is_due_every_year_is_met_late_or_missed_by_each_party() {
    let mut w = World::new(
        "[kind.data]\ntitle = \"Data\"\nfield = [{ name = \"year\", title = \"Year\", type = \"integer\", required = true }]\n\
         [[periodic]]\nid = \"yearly\"\ntitle = \"Data\"\nby = [\"RU\", \"US\", \"PL\"]\nanswer = [\"data\"]\n\
         days = [\"12-15\"]\nyear = \"year\"\nahead = 1\nsince = 2020\n",
    );
    w.send(RU, "2020-12-15T23:59:59Z", "data", &["*"], &[], json!({"year": 2021}));
    w.send(US, "2020-12-16T00:00:59Z", "data", &["*"], &[], json!({"year": 2021}));
    let items = w.docket.items(time("2020-12-20T00:00:00Z"), &Default::default());
    let told: Vec<_> = items.iter().map(|i| (i.owed_by[0].as_str(), i.about.as_str(), i.state.words())).collect();
    assert_eq!(
        told,
        [
            ("RU", "2021", "met".to_owned()),
            ("US", "2021", "late by 1 min".to_owned()),
            ("PL", "2021", "nothing there, 4 days after the time had run".to_owned())
        ]
    );
    // Of what was due before its first note a ledger knows nothing.
    w.send(RU, "2022-01-10T00:00:00Z", "data", &["*"], &[], json!({"year": 2022}));
    let mut later = World::of(w.docket.profile().clone());
    later.send(RU, "2022-01-10T00:00:00Z", "ack", &["*"], &[], nothing());
    let years = |w: &World| -> std::collections::BTreeSet<String> {
        w.docket.items(time("2022-12-20T00:00:00Z"), &Default::default()).into_iter().map(|item| item.about).collect()
    };
    assert_eq!(years(&later).into_iter().collect::<Vec<_>>(), ["2023"]);
    assert_eq!(years(&w).into_iter().collect::<Vec<_>>(), ["2021", "2022", "2023"]);
}

#[test]
fn the_third_request_is_in_time_by_the_moment_that_starts_the_clock() {
    for (at, state) in [("received-by-depositary", "waiting"), ("sent", "open")] {
        let mut w = World::new(&format!(
            "[kind.proposal]\ntitle = \"Proposal\"\n[[kind.proposal.due]]\nid = \"c\"\ntitle = \"C\"\nby = [\"any depositary\"]\n\
             answer = [\"ack\"]\nstart = {{ nth = 1, of = \"request\", at = \"{at}\", within = \"90 days\" }}\nwithin = \"60 days\"\n\
             [kind.request]\ntitle = \"Request\"\n"
        ));
        let proposal = w.send(US, "2020-01-01T00:00:00Z", "proposal", &["*"], &[], nothing());
        let request = w.send(RU, "2020-03-30T00:00:00Z", "request", &["CA"], &[proposal], nothing());
        w.receipt(CA, request, "2020-04-02T00:00:00Z");
        assert_eq!(w.item(proposal, "c", "2020-04-03T00:00:00Z").state.name(), state, "{at}");
    }
}

#[test]
fn another_reading_counts_by_the_receipt_and_says_how_it_stands() {
    let mut w = World::new(
        "[kind.flight]\ntitle = \"Flight\"\nfield = [{ name = \"arrival\", title = \"A\", type = \"time\", required = true },\n\
         { name = \"observed\", title = \"O\", type = \"party\", required = true }]\n\
         [[kind.flight.due]]\nid = \"notice\"\ntitle = \"N\"\nitself = true\nto = [\"field:observed\"]\nstart = \"field:arrival\"\n\
         before = \"72 hours\"\ndisputed = [{ title = \"By receipt\", start = \"field:arrival\", act = \"received\" }]\n",
    );
    let body = json!({"arrival": "2020-01-10T12:00:00Z", "observed": "RU"});
    let flight = w.send(US, "2020-01-07T11:00:00Z", "flight", &["*"], &[], body);
    w.receipt(PL, flight, "2020-01-07T11:05:00Z");
    let reading = |w: &World, at: &str| {
        let item = w.item(flight, "notice", at);
        (item.state.words(), item.until, item.readings[0].until, item.readings[0].state.unwrap().words())
    };
    let until = Some(time("2020-01-07T12:00:00Z"));
    let waits = reading(&w, "2020-01-07T11:30:00Z");
    assert_eq!(waits, ("met".into(), until, until, "open".into()), "the observed party has not received it");
    w.receipt(RU, flight, "2020-01-07T13:00:00Z");
    assert_eq!(reading(&w, "2020-01-08T00:00:00Z"), ("met".into(), until, until, "late by 1 h".into()));
}
