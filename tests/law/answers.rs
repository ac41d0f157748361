//! What counts as done, and what ends something: by whom, about what, as of when; and what stands without a time.

use serde_json::{Value, json};
use verbale::law::{Force, State};

use super::fixture::*;

/// An exchange about a flight, with what may go wrong.
const KINDS: &str = "[group.union]\ntitle = \"RU and PL\"\nmembers = [\"PL\", \"RU\"]\n\
    [kind.answer]\ntitle = \"Answer\"\nbehalf = \"for\"\nfield = [{ name = \"decision\", title = \"D\", type = \"text\", required = true },\n\
    { name = \"day\", title = \"Day\", type = \"date\", required = true }, { name = \"for\", title = \"For\", type = \"party\" }]\n\
    [kind.prohibition]\ntitle = \"Prohibition\"\n[kind.decision]\ntitle = \"Decision\"\nfrom = [\"depositary\"]\n\
    [kind.remark]\ntitle = \"Remark\"\n\
    [kind.revocation]\ntitle = \"Revocation\"\nrevokes = [\"*\"]\n\
    [kind.ask]\ntitle = \"Ask\"\nbehalf = \"for\"\nfield = [{ name = \"over\", title = \"Over\", type = \"party\", required = true },\n\
    { name = \"day\", title = \"Day\", type = \"date\", required = true }, { name = \"for\", title = \"For\", type = \"party\" }]\n";

fn asks(rule: &str) -> World {
    World::new(&format!("{KINDS}[[kind.ask.due]]\nid = \"it\"\ntitle = \"An answer\"\n{rule}\n"))
}

fn all(w: &World, as_of: &str) -> Vec<(Vec<String>, String)> {
    let items = w.docket.items(time(as_of), &Default::default());
    items.into_iter().map(|item| (item.owed_by, item.state.words())).collect()
}

#[test]
fn only_whom_it_concerns_ends_it_and_only_for_the_note_that_is_meant() {
    let rule = "by = [\"field:over\"]\nanswer = [\"answer\"]\nstart = \"sent\"\nwithin = \"7 days\"\n\
                ended_by = [{ kind = \"prohibition\", from = [\"field:over\", \"sender\"] }, \
                { kind = \"decision\", from = [\"field:over\"] }]";
    let state = |sender: usize, kind: &str, far: bool, back: bool| {
        let mut w = asks(rule);
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], json!({"over": "RU"}));
        let about = match far {
            true => w.send(PL, "2020-01-01T01:00:00Z", "remark", &["*"], &[ask], nothing()),
            false => ask,
        };
        let end = w.send(sender, "2020-01-02T00:00:00Z", kind, &["*"], &[about], nothing());
        if back {
            w.send(sender, "2020-01-03T00:00:00Z", "revocation", &["*"], &[end], nothing());
        }
        w.item(ask, "it", "2020-01-04T00:00:00Z").state
    };
    // Who owes, and who asked, may end it; also through a note in between.
    assert_eq!(state(RU, "prohibition", false, false), State::NotApplicable);
    assert_eq!(state(RU, "prohibition", true, false), State::NotApplicable);
    assert_eq!(state(US, "prohibition", false, false), State::NotApplicable);
    // Nobody else; nor who may not send that kind.
    assert_eq!(state(PL, "prohibition", false, false), State::Open);
    assert_eq!(state(RU, "decision", false, false), State::Open);
    // A revocation is of its sender's own note, to which it refers itself.
    assert_eq!(state(US, "revocation", false, false), State::NotApplicable);
    assert_eq!(state(US, "revocation", true, false), State::Open);
    assert_eq!(state(RU, "revocation", false, false), State::Open);
    assert_eq!(state(PL, "revocation", false, false), State::Open);
    // What was taken back ends nothing.
    assert_eq!(state(RU, "prohibition", false, true), State::Open);
}

#[test]
fn what_belongs_to_a_later_note_of_the_same_kind_ends_and_answers_that_one() {
    let mut w = asks(
        "by = [\"field:over\"]\nanswer = [\"answer\"]\nthread = true\nstart = \"sent\"\nwithin = \"7 days\"\n\
         ended_by = [{ kind = \"prohibition\", from = [\"field:over\"] }]",
    );
    let over = || json!({"over": "RU"});
    let first = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], over());
    let second = w.send(US, "2020-01-02T00:00:00Z", "ask", &["*"], &[first], over());
    let third = w.send(US, "2020-01-02T00:00:00Z", "ask", &["*"], &[first], over());
    w.send(RU, "2020-01-03T00:00:00Z", "prohibition", &["*"], &[second], nothing());
    w.send(RU, "2020-01-03T00:00:00Z", "answer", &["*"], &[third], nothing());
    let state = |note| w.item(note, "it", "2020-01-04T00:00:00Z").state;
    assert_eq!((state(first), state(second), state(third)), (State::Open, State::NotApplicable, State::Met));
}

#[test]
fn where_no_time_can_be_computed_that_is_said_with_the_field_and_the_record() {
    // Of a note itself.
    let mut w = asks("itself = true\nstart = \"field:day\"\nwithin = \"7 days\"");
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
    assert_eq!(item.state, State::NoTime { done: true });
    assert_eq!(item.text, "No time can be computed: US/0 names no date or time in its field `day`.");
    assert!(!item.state.is_outstanding());
    // Of an answer that is due: it is due all the same.
    let by = "by = [\"RU\"]\nanswer = [\"answer\"]\n";
    let mut w = asks(&format!("{by}start = \"field:day\"\nwithin = \"7 days\""));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
    assert_eq!((item.state, item.state.is_outstanding()), (State::NoTime { done: false }, true));
    w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], nothing());
    let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
    assert_eq!((item.state, item.act.unwrap().number), (State::NoTime { done: true }, "RU/0".to_owned()));
    // Before the years that are computed, and after them.
    for (day, rule) in [("1970-01-05", "before = \"30 days\""), ("9998-12-20", "within = \"30 days\"")] {
        let mut w = asks(&format!("itself = true\nstart = \"field:day\"\n{rule}"));
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], json!({"day": day}));
        let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
        assert_eq!(item.state, State::NoTime { done: true }, "{day}");
        assert!(item.text.ends_with("times are computed: 1 January 1970 to 30 December 9998."), "{}", item.text);
        assert!(item.text.contains("30 days"), "{}", item.text);
    }
    // A note that does not name the time at which it does what counts; an answer that does not is none.
    let mut w = asks("itself = true\nact = \"field:day\"\nstart = \"sent\"\nwithin = \"7 days\"");
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    assert_eq!(w.item(ask, "it", "2020-02-01T00:00:00Z").state, State::NoTime { done: true });
    let mut w = asks(&format!("{by}act = \"field:day\"\nstart = \"sent\"\nwithin = \"7 days\""));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], nothing());
    let item = w.item(ask, "it", "2020-01-03T00:00:00Z");
    assert_eq!(item.state, State::Open);
    let told = "RU/0 names no date or time in its field `day`. It does not count.";
    assert!(item.steps.iter().any(|step| step.text == told), "{:?}", item.steps);
    // What is due at once needs no time.
    let mut w = asks("itself = true\nstart = \"field:day\"\npromptly = true");
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    assert_eq!(w.item(ask, "it", "2020-02-01T00:00:00Z").state, State::Met);
    // What follows another note and refers to none of its kind.
    let mut w = asks(&format!("{by}start = {{ of = \"remark\", at = \"sent\" }}\nwithin = \"7 days\""));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    assert_eq!(w.item(ask, "it", "2020-02-01T00:00:00Z").state, State::NoTime { done: false });
    // It may refer to one that has not come yet.
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[(PL, 0)], nothing());
    assert_eq!(w.item(ask, "it", "2020-02-01T00:00:00Z").state, State::Waiting);
}

#[test]
fn an_answer_before_its_clock_has_begun_is_in_time_where_there_is_only_a_last_time() {
    for (rule, state) in [
        ("within = \"7 days\"", State::Met),
        ("promptly = true", State::Met),
        ("window = [\"1 day\", \"7 days\"]", State::NoTime { done: true }),
    ] {
        let mut w = asks(&format!("by = [\"RU\"]\nanswer = [\"answer\"]\nstart = \"received\"\n{rule}"));
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
        w.send(RU, "2020-01-01T00:10:00Z", "answer", &["US"], &[ask], nothing());
        assert_eq!(w.item(ask, "it", "2020-01-02T00:00:00Z").state, state, "{rule}");
    }
}

#[test]
fn an_effect_beyond_the_years_that_are_computed_is_no_effect_yet_and_says_why() {
    let kinds = "[kind.n]\ntitle = \"Notice\"\nfield = [{ name = \"day\", title = \"Day\", type = \"date\", required = true }]\n\
                 [[kind.n.effect]]\nid = \"e\"\ntitle = \"E\"\nafter = \"6 months\"\n";
    for (start, day, reason) in [
        ("start = \"field:day\"", json!({"day": "9998-09-01"}), "6 months after"),
        ("start = \"field:day\"", json!({}), "US/0 names no date or time in its field `day`"),
        ("start = \"sent\"\nclaimed = \"day\"", json!({"day": "9999-01-01"}), "The note names 9999-01-01"),
    ] {
        let mut w = World::new(&format!("{kinds}{start}\n"));
        let note = w.send(US, "2020-01-01T00:00:00Z", "n", &["*"], &[], day);
        let view = w.effect(note, "2021-01-01T00:00:00Z");
        assert_eq!((view.force, view.effective), (Force::NoTime, None), "{start}");
        assert!(view.text.starts_with("No time can be computed: ") && view.text.contains(reason), "{}", view.text);
    }
}

#[test]
fn an_answer_that_was_taken_back_or_replaced_does_not_count() {
    let by = "by = [\"RU\"]\nanswer = [\"answer\"]\nstart = \"sent\"\n";
    let mut w = asks(&format!("{by}within = \"7 days\""));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let answer = w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], nothing());
    // By somebody else it is not.
    w.send(PL, "2020-01-02T12:00:00Z", "revocation", &["US"], &[answer], nothing());
    assert_eq!(w.item(ask, "it", "2020-01-03T00:00:00Z").state, State::Met);
    w.send(RU, "2020-01-04T00:00:00Z", "revocation", &["US"], &[answer], nothing());
    assert_eq!(w.item(ask, "it", "2020-01-03T00:00:00Z").state, State::Met);
    let item = w.item(ask, "it", "2020-01-05T00:00:00Z");
    assert_eq!(item.state, State::Open);
    let told = "RU/0 does not count: RU/1 took it back at 2020-01-04 00:00:00 UTC.";
    assert!(item.steps.iter().any(|step| step.text == told), "{:?}", item.steps);
    w.send(RU, "2020-01-06T00:00:00Z", "answer", &["US"], &[ask], nothing());
    assert_eq!(w.item(ask, "it", "2020-01-07T00:00:00Z").act.unwrap().number, "RU/2");
    // Its last word counts: accepted, and then not; and accepted again.
    let mut w = asks(&format!("{by}within = \"7 days\"\nanswer_when = {{ decision = \"yes\" }}"));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    for (day, decision, state) in
        [("02", "yes", State::Met), ("03", "yes", State::Met), ("04", "no", State::Open), ("05", "yes", State::Met)]
    {
        let (at, body) = (format!("2020-01-{day}T00:00:00Z"), json!({"decision": decision}));
        w.send(RU, &at, "answer", &["US"], &[ask], body);
        let item = w.item(ask, "it", &at);
        assert_eq!(item.state, state, "{day}");
        let other = "RU/2 answered at 2020-01-04 00:00:00 UTC, and not with `decision` \"yes\".";
        assert_eq!(item.steps.iter().any(|step| step.text == other), decision == "no");
        let act = item.act.map(|act| act.number);
        assert_eq!(
            act.as_deref(),
            [Some("RU/0"), Some("RU/0"), None, Some("RU/3")][day[1..].parse::<usize>().unwrap() - 2]
        );
    }
    // And of two dates the later said.
    let mut w = asks(&format!("{by}act = \"field:day\"\nwindow = [\"10 days\", \"20 days\"]"));
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], json!({"day": "2020-01-15"}));
    w.send(RU, "2020-01-03T00:00:00Z", "answer", &["US"], &[ask], json!({"day": "2020-01-25"}));
    let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
    assert_eq!(item.state.words(), "late by 3 days");
    assert!(item.steps.iter().any(|step| step.text == "RU/1 came in the place of RU/0."), "{:?}", item.steps);
}

#[test]
fn what_is_announced_for_a_time_to_come_is_open_until_then() {
    let mut w = asks(
        "by = [\"RU\"]\nanswer = [\"answer\"]\nact = \"field:day\"\nstart = \"sent\"\nwindow = [\"10 days\", \"20 days\"]",
    );
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], json!({"day": "2020-01-15"}));
    let item = w.item(ask, "it", "2020-01-14T23:59:59Z");
    assert_eq!((item.state, item.state.is_outstanding()), (State::Announced, true));
    assert_eq!(
        item.text,
        "Announced: RU/0 names 2020-01-15 00:00:00 UTC; open for RU: from 2020-01-11 00:00:00 UTC until 2020-01-21 \
         23:59:59 UTC."
    );
    assert_eq!(w.item(ask, "it", "2020-01-15T00:00:00Z").state, State::Met);
    // For a time after the last one: the time runs out before.
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], json!({"day": "2020-03-01"}));
    assert_eq!(w.item(ask, "it", "2020-01-10T00:00:00Z").state, State::Announced);
    let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
    assert!(
        matches!(item.state, State::Missed { .. }) && item.text.ends_with("RU/1 names 2020-03-01 00:00:00 UTC for it.")
    );
    assert!(matches!(w.item(ask, "it", "2020-03-02T00:00:00Z").state, State::Late { .. }));
}

#[test]
fn a_rules_own_zone_counts_for_the_day_of_the_act_too() {
    // In Vladivostok 21 January begins ten hours before it does in UTC.
    let rule = |zone: &str| {
        format!(
            "by = [\"RU\"]\nanswer = [\"answer\"]\nact = \"field:day\"\nstart = \"field:day\"\nnot_before = \"10 days\"\n{zone}"
        )
    };
    for zone in ["zone = \"Asia/Vladivostok\"", "zone = \"America/Anchorage\"", ""] {
        let mut w = asks(&rule(zone));
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], json!({"day": "2020-01-11"}));
        w.send(RU, "2020-01-02T00:00:00Z", "answer", &["US"], &[ask], json!({"day": "2020-01-21"}));
        let item = w.item(ask, "it", "2020-02-01T00:00:00Z");
        assert_eq!((item.state, item.act.unwrap().time), (State::Met, item.from.unwrap()), "{zone}");
    }
}

#[test]
fn on_the_same_day_means_neither_before_nor_after() {
    let mut w = asks("itself = true\nstart = \"field:day\"\nsimultaneous = true");
    let mut state = |at: &str| {
        let ask = w.send(US, at, "ask", &["*"], &[], json!({"day": "2020-01-10"}));
        w.state(ask, "it", "2020-02-01T00:00:00Z")
    };
    let day = "[2020-01-10T00:00:00Z, 2020-01-10T23:59:59Z]";
    assert_eq!(state("2020-01-09T23:59:59Z"), format!("early by 1 s {day}"));
    assert_eq!(state("2020-01-10T00:00:00Z"), format!("met {day}"));
    assert_eq!(state("2020-01-10T23:59:59Z"), format!("met {day}"));
    assert_eq!(state("2020-01-11T00:00:00Z"), format!("late by 1 s {day}"));
}

#[test]
fn the_third_request_is_the_third_that_was_received_and_stands() {
    let rule = "by = [\"any depositary\"]\nanswer = [\"remark\"]\nwithin = \"1 hour\"\n\
                start = { nth = 3, of = \"answer\", at = \"received-by-depositary\" }";
    let mut w = asks(rule);
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let requests: Vec<_> = [(RU, "02"), (PL, "03"), (HU, "04")]
        .map(|(by, day)| w.send(by, &format!("2020-01-{day}T00:00:00Z"), "answer", &["CA"], &[ask], nothing()))
        .into();
    // The one that was sent first arrives last.
    for (request, day) in [(requests[1], "10"), (requests[2], "11"), (requests[0], "20")] {
        w.receipt(CA, request, &format!("2020-01-{day}T00:00:00Z"));
    }
    // Of HU, a depositary itself, its sending counts.
    let until = |w: &World| w.item(ask, "it", "2020-12-01T00:00:00Z").until.map(|until| until.to_string());
    assert_eq!(until(&w).as_deref(), Some("2020-01-20T01:00:00Z"));
    let item = w.item(ask, "it", "2020-12-01T00:00:00Z");
    assert!(item.steps[0].text.contains("received RU/0"), "{:?}", item.steps);
    // Two of them are not enough: one that was taken back before the third came does not count.
    w.send(PL, "2020-01-15T00:00:00Z", "revocation", &["CA"], &[requests[1]], nothing());
    assert_eq!(until(&w), None);
    assert_eq!(
        w.item(ask, "it", "2020-12-01T00:00:00Z").steps[0].text,
        "“Answer” has come from 2 parties; 3 are needed."
    );
    // Asked again, it counts from then.
    let again = w.send(PL, "2020-02-01T00:00:00Z", "answer", &["CA"], &[ask], nothing());
    w.receipt(CA, again, "2020-02-02T00:00:00Z");
    assert_eq!(until(&w).as_deref(), Some("2020-02-02T01:00:00Z"));
    // What is taken back when the third has come undoes nothing.
    w.send(RU, "2020-03-01T00:00:00Z", "revocation", &["CA"], &[requests[0]], nothing());
    assert_eq!(until(&w).as_deref(), Some("2020-02-02T01:00:00Z"));
}

#[test]
fn a_group_owes_as_one_and_acts_as_one() {
    for by in ["field:over", "group:union"] {
        let mut w =
            asks(&format!("by = [\"{by}\"]\nanswer = [\"answer\"]\nstart = \"received\"\nwithin = \"24 hours\""));
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], json!({"over": "union"}));
        let owed = vec!["RU".to_owned(), "PL".to_owned()];
        assert_eq!(
            all(&w, "2020-01-01T01:00:00Z"),
            [(owed.clone(), "waiting: its time has not begun".to_owned())],
            "{by}"
        );
        w.receipt(PL, ask, "2020-01-01T02:00:00Z");
        w.send(RU, "2020-01-01T03:00:00Z", "answer", &["US"], &[ask], nothing());
        assert_eq!(all(&w, "2020-01-03T00:00:00Z"), [(owed, "met".to_owned())]);
        let item = w.item(ask, "it", "2020-01-03T00:00:00Z");
        assert_eq!(item.steps[0].text, "RU and PL act as one: one of them is enough.");
    }
    // Who answers for its group answers for each of it; who is none of it does not.
    for (sender, group, met) in [(RU, "union", true), (RU, "US", false), (CA, "union", false)] {
        let mut w = asks("by = [\"PL\"]\nanswer = [\"answer\"]\nstart = \"sent\"\nwithin = \"24 hours\"");
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
        w.send(sender, "2020-01-01T03:00:00Z", "answer", &["US"], &[ask], json!({"for": group}));
        assert_eq!(w.item(ask, "it", "2020-01-01T04:00:00Z").state == State::Met, met, "{sender} {group}");
    }
    // What the sender owes, its group owes.
    let mut w = asks("by = [\"sender\"]\nanswer = [\"answer\"]\nstart = \"sent\"\nwithin = \"24 hours\"");
    let ask = w.send(RU, "2020-01-01T00:00:00Z", "ask", &["*"], &[], json!({"for": "union"}));
    w.send(PL, "2020-01-01T03:00:00Z", "answer", &["*"], &[ask], nothing());
    assert_eq!(w.item(ask, "it", "2020-01-01T04:00:00Z").state, State::Met);
    // Every year, too.
    let mut w = World::new(&format!(
        "{KINDS}[[periodic]]\nid = \"yearly\"\ntitle = \"Y\"\nby = [\"RU\", \"US\", \"PL\"]\nanswer = [\"answer\"]\n\
         days = [\"11-01\"]\nsince = 2020\n"
    ));
    let plan = w.send(RU, "2020-10-01T00:00:00Z", "answer", &["*"], &[], json!({"for": "union"}));
    let told = |w: &World| all(w, "2020-10-20T00:00:00Z").into_iter().map(|(_, words)| words).collect::<Vec<_>>();
    assert_eq!(told(&w), ["met", "open", "met"]);
    w.send(RU, "2020-10-02T00:00:00Z", "revocation", &["*"], &[plan], nothing());
    assert_eq!(told(&w), ["open", "open", "open"]);
    let mut w = World::new(&format!(
        "{KINDS}[[periodic]]\nid = \"yearly\"\ntitle = \"Y\"\nby = [\"group:union\", \"US\"]\nanswer = [\"answer\"]\n\
         days = [\"11-01\"]\nsince = 2020\n"
    ));
    w.send(PL, "2020-10-01T00:00:00Z", "answer", &["*"], &[], nothing());
    let (union, us) = (vec!["RU".to_owned(), "PL".to_owned()], vec!["US".to_owned()]);
    assert_eq!(all(&w, "2020-10-20T00:00:00Z"), [(union, "met".to_owned()), (us, "open".to_owned())]);
}

/// With a withdrawal that takes effect after ten days.
fn leaving(rules: &str) -> World {
    let kinds = "[kind.leave]\ntitle = \"Notice\"\n[[kind.leave.effect]]\nid = \"e\"\ntitle = \"E\"\nstart = \"sent\"\n\
                 after = \"10 days\"\nmeanwhile = \"notice-given\"\nstanding = \"former-party\"\n";
    World::with(observed(), profile(&format!("{KINDS}{kinds}[[kind.ask.due]]\nid = \"it\"\ntitle = \"T\"\n{rules}\n")))
}

#[test]
fn who_has_left_owes_nothing_whoever_names_it() {
    for by in ["field:over", "group:union", "addressee", "PL", "state-party", "*"] {
        let mut w = leaving(&format!(
            "by = [\"{by}\"]\nanswer = [\"answer\"]\nto = [\"*\"]\nstart = \"sent\"\nwithin = \"7 days\""
        ));
        w.send(PL, "2020-01-01T00:00:00Z", "leave", &["*"], &[], nothing());
        let body = || json!({"over": "union"});
        let before = w.send(US, "2020-01-10T00:00:00Z", "ask", &["*"], &[], body());
        let after = w.send(US, "2020-01-12T00:00:00Z", "ask", &["*"], &[], body());
        let of = |note, what: &dyn Fn(&verbale::law::Item) -> Vec<String>| {
            let query = verbale::law::Query { note: Some(note), ..Default::default() };
            w.docket.items(time("2020-01-13T00:00:00Z"), &query).iter().any(|item| what(item).contains(&"PL".into()))
        };
        assert_eq!(
            [of(before, &|item| item.owed_by.clone()), of(after, &|item| item.owed_by.clone())],
            [true, false],
            "{by}"
        );
        assert!(!of(after, &|item| item.owed_to.clone()), "{by}");
    }
}

#[test]
fn what_each_has_to_receive_waits_for_each_state_party_that_is_bound() {
    let mut w = leaving("by = [\"RU\"]\nanswer = [\"answer\"]\nstart = \"received-by-each\"\nwithin = \"7 days\"");
    w.send(PL, "2020-01-01T00:00:00Z", "leave", &["*"], &[], nothing());
    let send = |w: &mut World, to: &[&str]| {
        let ask = w.send(US, "2020-01-20T00:00:00Z", "ask", to, &[], nothing());
        [CA, HU, RU].iter().for_each(|party| w.receipt(*party, ask, "2020-01-21T00:00:00Z"));
        ask
    };
    // Neither the former party nor the observer, of all; the observer, if the note is addressed to it.
    let ask = send(&mut w, &["*"]);
    assert_eq!(w.item(ask, "it", "2020-01-22T00:00:00Z").state, State::Open);
    let ask = send(&mut w, &["*", "UN"]);
    assert_eq!(w.item(ask, "it", "2020-01-22T00:00:00Z").state, State::Waiting);
    w.receipt(UN, ask, "2020-01-23T00:00:00Z");
    let item = w.item(ask, "it", "2020-01-24T00:00:00Z");
    assert_eq!((item.state, item.until.unwrap().to_string().as_str()), (State::Open, "2020-01-30T23:59:59Z"));
    // To nobody who was bound.
    let ask = send(&mut w, &["PL"]);
    assert_eq!(w.item(ask, "it", "2020-01-22T00:00:00Z").state, State::NoTime { done: false });
}

#[test]
fn a_withdrawal_that_waits_for_each_does_not_wait_for_who_has_left() {
    let kinds = "[kind.leave]\ntitle = \"Notice\"\n[[kind.leave.effect]]\nid = \"e\"\ntitle = \"E\"\n\
                 start = \"received-by-each\"\nafter = \"10 days\"\nmeanwhile = \"notice-given\"\nstanding = \"former-party\"\n";
    let mut w = World::with(observed(), profile(kinds));
    let first = w.send(PL, "2020-01-01T00:00:00Z", "leave", &["*"], &[], nothing());
    [CA, HU, RU, US].iter().for_each(|party| w.receipt(*party, first, "2020-01-02T00:00:00Z"));
    let second = w.send(RU, "2020-02-01T00:00:00Z", "leave", &["*"], &[], nothing());
    [CA, HU, US].iter().for_each(|party| w.receipt(*party, second, "2020-02-02T00:00:00Z"));
    for (note, day) in [(first, "2020-01-12T00:00:00Z"), (second, "2020-02-12T00:00:00Z")] {
        assert_eq!(w.effect(note, "2020-06-01T00:00:00Z").effective, Some(time(day)));
    }
    let alone = w.docket.effects(time("2020-06-01T00:00:00Z"), Some(second));
    let all = w.docket.effects(time("2020-06-01T00:00:00Z"), None);
    assert_eq!(alone[..], all[all.len() - 2..][..1], "one by itself is as among all");
}

#[test]
fn a_flood_of_notes_hides_nothing() {
    let rules = "by = [\"field:over\"]\nanswer = [\"answer\"]\nthread = true\nstart = \"sent\"\nwithin = \"7 days\"\nended_by = [{ kind = \"prohibition\", from = [\"field:over\"] }]";
    for kind in ["answer", "prohibition"] {
        let mut w = asks(rules);
        let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], json!({"over": "RU"}));
        for n in 0..600 {
            let flood = ["remark", "answer", "prohibition"][n % 3];
            w.send(CA, "2020-01-01T01:00:00Z", flood, &["*"], &[ask], nothing());
        }
        let between = w.send(PL, "2020-01-02T00:00:00Z", "remark", &["*"], &[ask], nothing());
        w.send(RU, "2020-01-03T00:00:00Z", kind, &["*"], &[between], nothing());
        let state = w.item(ask, "it", "2020-01-04T00:00:00Z").state;
        assert_eq!(state, if kind == "answer" { State::Met } else { State::NotApplicable });
        let (thread, is_cut) = w.docket.thread(ask, time("2020-01-04T00:00:00Z"));
        assert_eq!((thread.len(), is_cut), (256, true));
    }
}

#[test]
fn how_far_answers_are_looked_for_is_told() {
    let mut w = asks("by = [\"RU\"]\nanswer = [\"answer\"]\nthread = true\nstart = \"sent\"\nwithin = \"7 days\"");
    let ask = w.send(US, "2020-01-01T00:00:00Z", "ask", &["*"], &[], nothing());
    let mut last = ask;
    for step in 1..=17 {
        let mut again = World::of(w.docket.profile().clone());
        w.entries.iter().for_each(|entry| again.replay(entry.clone()));
        again.send(RU, "2020-01-02T00:00:00Z", "answer", &["*"], &[last], nothing());
        let item = again.item(ask, "it", "2020-01-03T00:00:00Z");
        let far = "Notes more than 16 references away from US/0 were not looked at.";
        assert_eq!(item.state, if step <= 16 { State::Met } else { State::Open }, "{step}");
        assert_eq!(item.steps.iter().any(|said| said.text == far), step > 16, "{step}");
        last = w.send(PL, "2020-01-01T12:00:00Z", "remark", &["*"], &[last], nothing());
    }
}

#[test]
fn a_thread_is_told_where_a_profile_has_no_rules() {
    let mut w = World::new("[kind.remark]\ntitle = \"Remark\"\n");
    let first = w.send(US, "2020-01-01T00:00:00Z", "remark", &["*"], &[], Value::Object(Default::default()));
    let second = w.send(RU, "2020-01-02T00:00:00Z", "remark", &["*"], &[first], nothing());
    let later = w.send(RU, "2020-02-02T00:00:00Z", "remark", &["*"], &[first], nothing());
    assert_eq!(w.docket.thread(first, time("2020-01-03T00:00:00Z")), (vec![first, second], false));
    assert_eq!(w.docket.thread(second, time("2020-03-03T00:00:00Z")), (vec![first, second, later], false));
}
