//! When notes take effect, with the known dates; standings; quotas.

use serde_json::json;
use verbale::law::Force;
use verbale::ledger::profile::Standing;

use super::fixture::*;

fn withdrawal(effect: &str) -> World {
    World::new(&format!(
        "[kind.withdrawal]\ntitle = \"Notice of withdrawal\"\nfield = [{{ name = \"effective\", title = \"Date\", type = \"date\" }}]\n\
         [[kind.withdrawal.effect]]\nid = \"withdrawal\"\ntitle = \"The withdrawal\"\nclaimed = \"effective\"\n\
         start = \"received-by-depositary\"\nmeanwhile = \"notice-given\"\nstanding = \"former-party\"\n\
         stated = [{{ kind = \"circular\", received = \"received\", effective = \"effective\" }}]\n{effect}\n\
         [[kind.withdrawal.due]]\nid = \"conference\"\ntitle = \"A conference\"\nby = [\"any depositary\"]\n\
         answer = [\"conference\"]\nact = \"field:opens\"\nstart = \"received-by-depositary\"\nwindow = [\"30 days\", \"60 days\"]\n\
         [kind.conference]\ntitle = \"Conference\"\nfield = [{{ name = \"opens\", title = \"Opens\", type = \"date\", required = true }}]\n\
         [kind.circular]\ntitle = \"Circular\"\nfield = [{{ name = \"received\", title = \"Received\", type = \"date\" }},\n\
         {{ name = \"effective\", title = \"Effective\", type = \"date\" }}]\n\
         [kind.statement]\ntitle = \"Statement\"\nnotice = false\n\
         [kind.revocation]\ntitle = \"Revocation\"\nrevokes = [\"withdrawal\"]\n"
    ))
}

/// A notice that all receive a minute later.
fn notice(w: &mut World, from: usize, at: &str, claimed: &str) -> (usize, u64) {
    let note = w.send(from, at, "withdrawal", &["CA", "HU", "*"], &[], json!({"effective": claimed}));
    let seen = verbale::ledger::Timestamp::from_posix(time(at).posix() + 60).to_string();
    (0..5).filter(|by| *by != from).for_each(|by| w.receipt(by, note, &seen));
    note
}

#[test]
fn the_known_dates_come_out() {
    for (after, sent, effective, window) in [
        ("6 months", "2020-05-22T15:00:00Z", "2020-11-22", Some(["2020-06-21", "2020-07-21"])),
        ("6 months", "2021-06-18T09:00:00Z", "2021-12-18", Some(["2021-07-18", "2021-08-17"])),
        ("150 days", "2023-06-09T10:00:00Z", "2023-11-06", None),
        ("6 months", "2025-06-27T16:00:00Z", "2025-12-27", None),
    ] {
        let mut w = withdrawal(&format!("after = \"{after}\""));
        let note = notice(&mut w, RU, sent, effective);
        let view = w.effect(note, sent.replace("2020-05-22T15", "2020-05-23T15").as_str());
        assert_eq!(w.effect(note, "2030-01-01T00:00:00Z").effective, Some(time(&format!("{effective}T00:00:00Z"))));
        assert!(matches!(view.force, Force::Pending | Force::Waiting));
        if let Some([from, to]) = window {
            let item = w.item(note, "conference", "2030-01-01T00:00:00Z");
            assert_eq!(item.from, Some(time(&format!("{from}T00:00:00Z"))));
            assert_eq!(item.until, Some(time(&format!("{to}T23:59:59Z"))));
        }
    }
    // 180 days are not six months.
    let mut w = withdrawal("after = \"180 days\"");
    let note = notice(&mut w, US, "2020-05-22T15:00:00Z", "2020-11-22");
    assert_eq!(w.effect(note, "2020-06-01T00:00:00Z").computed, Some(time("2020-11-18T00:00:00Z")));
}

#[test]
fn the_conventional_forces_treaty_has_two_readings() {
    let mut w =
        withdrawal("after = \"150 days\"\ndisputed = [{ title = \"after 150 whole days\", ends = \"end-of-day\" }]");
    let note = notice(&mut w, RU, "2023-06-09T10:00:00Z", "2023-11-07");
    let view = w.effect(note, "2023-07-01T00:00:00Z");
    assert_eq!(view.computed, Some(time("2023-11-06T00:00:00Z")));
    let reading = view.readings.iter().find(|reading| reading.title == "after 150 whole days").unwrap();
    assert_eq!(reading.until, Some(time("2023-11-07T00:00:00Z")));
}

#[test]
fn an_earlier_date_than_the_treaty_allows_is_shown_beside_it_and_a_later_one_counts() {
    let mut w = withdrawal("after = \"6 months\"");
    let early = notice(&mut w, US, "2020-05-22T15:00:00Z", "2020-08-01");
    let view = w.effect(early, "2020-09-01T00:00:00Z");
    assert_eq!(
        (view.claimed, view.effective),
        (Some(time("2020-08-01T00:00:00Z")), Some(time("2020-11-22T00:00:00Z")))
    );
    assert_eq!(view.force, Force::Pending);
    assert!(view.steps.iter().any(|step| step.text.contains("113 days before")), "{:#?}", view.steps);
    let later = notice(&mut w, RU, "2020-05-22T15:00:00Z", "2021-01-01");
    assert_eq!(w.effect(later, "2020-12-01T00:00:00Z").effective, Some(time("2021-01-01T00:00:00Z")));
}

#[test]
fn two_depositaries_that_disagree_are_both_shown() {
    let mut w = withdrawal("after = \"6 months\"");
    let note =
        w.send(RU, "2021-06-18T09:00:00Z", "withdrawal", &["CA", "HU", "*"], &[], json!({"effective": "2021-12-18"}));
    w.receipt(HU, note, "2021-06-18T10:00:00Z");
    w.receipt(CA, note, "2021-06-21T10:00:00Z");
    w.send(
        CA,
        "2021-06-22T00:00:00Z",
        "circular",
        &["*"],
        &[note],
        json!({"received": "2021-06-21", "effective": "2021-12-21"}),
    );
    let view = w.effect(note, "2021-07-01T00:00:00Z");
    assert_eq!(view.computed, Some(time("2021-12-18T00:00:00Z")));
    let told: Vec<_> = view.readings.iter().map(|r| (r.title.as_str(), r.until.unwrap().to_string())).collect();
    let expected = [
        ("RUland, in the note itself", "2021-12-18T00:00:00Z"),
        ("counted from the receipt of CAland", "2021-12-21T00:00:00Z"),
        ("counted from the receipt of HUland", "2021-12-18T00:00:00Z"),
        ("counted from the receipt that CAland states", "2021-12-21T00:00:00Z"),
        ("the date that CAland states", "2021-12-21T00:00:00Z"),
    ];
    assert_eq!(told, expected.map(|(title, date)| (title, date.to_owned())));
}

#[test]
fn a_party_is_what_its_notes_make_it_and_an_announcement_changes_nothing() {
    let mut w = withdrawal("after = \"6 months\"");
    w.send(RU, "2021-01-15T09:00:00Z", "statement", &["*"], &[], nothing());
    let standing = |w: &World, party: usize, at: &str| w.docket.standings(time(at))[party].now;
    assert_eq!(standing(&w, RU, "2021-05-01T00:00:00Z"), Standing::StateParty);
    assert!(w.docket.effects(time("2021-05-01T00:00:00Z"), None).is_empty());
    let note = notice(&mut w, RU, "2021-06-18T09:00:00Z", "2021-12-18");
    assert_eq!(standing(&w, RU, "2021-06-18T08:59:59Z"), Standing::StateParty);
    assert_eq!(standing(&w, RU, "2021-06-18T09:00:00Z"), Standing::NoticeGiven);
    assert_eq!(standing(&w, RU, "2021-12-17T23:59:59Z"), Standing::NoticeGiven);
    assert_eq!(standing(&w, RU, "2021-12-18T00:00:00Z"), Standing::FormerParty);
    assert_eq!(standing(&w, US, "2021-12-18T00:00:00Z"), Standing::StateParty);
    let text = &w.docket.standings(time("2021-07-01T00:00:00Z"))[RU].text;
    assert_eq!(text, "RUland: state party, notice given; from 2021-12-18 00:00:00 UTC: former state party");

    // Revoked in time, it is a party again; revoked too late, that is shown and changes nothing.
    let again = w.send(RU, "2022-01-10T00:00:00Z", "revocation", &["*"], &[note], nothing());
    assert_eq!(w.effect(note, "2022-02-01T00:00:00Z").force, Force::InEffect);
    assert_eq!(w.effect(note, "2022-02-01T00:00:00Z").revoked_by, Some(w.docket.number(again)));
    assert_eq!(standing(&w, RU, "2022-02-01T00:00:00Z"), Standing::FormerParty);
    let note = notice(&mut w, US, "2020-05-22T15:00:00Z", "2020-11-22");
    w.send(US, "2020-06-01T00:00:00Z", "revocation", &["*"], &[note], nothing());
    assert_eq!(w.effect(note, "2020-06-02T00:00:00Z").force, Force::Revoked);
    assert_eq!(standing(&w, US, "2020-05-30T00:00:00Z"), Standing::NoticeGiven);
    assert_eq!(standing(&w, US, "2022-02-01T00:00:00Z"), Standing::StateParty);
}

#[test]
fn quotas_are_used_handed_over_and_given_back() {
    let mut w = World::new(
        "[group.union]\ntitle = \"Union\"\nmembers = [\"RU\", \"PL\"]\n\
         [quota]\ntitle = \"Flights\"\npassive = { union = 42, US = 42 }\nactive = { US = 3, union = 5 }\nuncharged_by = [{ kind = \"prohibition\", from = [\"field:observed\", \"RU\"] }]\n\
         use = [{ kind = \"flight\", active = \"sender\", passive = \"field:observed\", year = \"arrival\" }]\n\
         transfer = { kind = \"transfer\", from = \"giver\", to = \"taker\", count = \"flights\", year = \"year\" }\n\
         [kind.flight]\ntitle = \"Flight\"\nfield = [{ name = \"observed\", title = \"O\", type = \"party\", required = true }, { name = \"arrival\", title = \"A\", type = \"time\", required = true }]\n\
         [kind.prohibition]\ntitle = \"Prohibition\"\n[kind.back]\ntitle = \"Back\"\nrevokes = [\"*\"]\n\
         [kind.transfer]\ntitle = \"Transfer\"\nfrom = [\"field:giver\"]\nfield = [{ name = \"giver\", title = \"G\", type = \"party\", required = true },\n\
         { name = \"taker\", title = \"T\", type = \"party\", required = true }, { name = \"flights\", title = \"F\", type = \"integer\", required = true }, { name = \"year\", title = \"Y\", type = \"integer\", required = true }]\n",
    );
    let flight = |at: &str| json!({"observed": "PL", "arrival": at});
    w.send(US, "2019-12-30T00:00:00Z", "flight", &["*"], &[], flight("2020-01-02T00:00:00Z"));
    let second = w.send(US, "2020-02-01T00:00:00Z", "flight", &["*"], &[], flight("2020-02-05T00:00:00Z"));
    w.send(US, "2020-02-01T00:00:00Z", "flight", &["*"], &[], flight("2021-02-05T00:00:00Z"));
    w.send(RU, "2020-02-06T00:00:00Z", "prohibition", &["*"], &[second], nothing());
    let body = json!({"giver": "US", "taker": "CA", "flights": 1, "year": 2020});
    w.send(US, "2020-03-01T00:00:00Z", "transfer", &["*"], &[], body);
    let views = w.docket.quotas(2020, time("2020-12-31T00:00:00Z"));
    let told: Vec<_> = views
        .iter()
        .map(|v| {
            (
                v.holder.as_str(),
                v.passive,
                v.passive_used,
                v.active,
                v.active_used,
                v.received,
                v.handed_over,
                v.not_charged,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("CA", None, 0, None, 0, 1, 0, 0),
            ("US", Some(42), 0, Some(3), 1, 0, 1, 1),
            ("union", Some(42), 1, Some(5), 0, 0, 0, 0)
        ]
    );
    // What is taken back counts no more, and who may not send something changes nothing by it.
    let body = json!({"giver": "US", "taker": "HU", "flights": 2, "year": 2020});
    let given = w.send(US, "2020-03-02T00:00:00Z", "transfer", &["*"], &[], body.clone());
    w.send(US, "2020-03-03T00:00:00Z", "back", &["*"], &[given], nothing());
    w.send(HU, "2020-03-04T00:00:00Z", "transfer", &["*"], &[], body);
    let third = w.send(US, "2020-04-01T00:00:00Z", "flight", &["*"], &[], flight("2020-04-05T00:00:00Z"));
    w.send(CA, "2020-04-02T00:00:00Z", "prohibition", &["*"], &[third], nothing());
    let prohibited = w.send(PL, "2020-04-03T00:00:00Z", "prohibition", &["*"], &[third], nothing());
    let counted = |at: &str| -> Vec<_> {
        let views = w.docket.quotas(2020, time(at)).into_iter();
        views.filter(|v| v.holder != "union").map(|v| (v.holder, v.active_used, v.received, v.handed_over)).collect()
    };
    let of = |us: u32| vec![("CA".to_owned(), 0, 1, 0), ("US".to_owned(), us, 0, 1)];
    assert_eq!(counted("2020-04-02T12:00:00Z"), of(2), "Canada is not observed, and prohibits nothing");
    assert_eq!(counted("2020-04-03T12:00:00Z"), of(1));
    w.send(PL, "2020-04-04T00:00:00Z", "back", &["*"], &[prohibited], nothing());
    let views = w.docket.quotas(2020, time("2020-04-04T12:00:00Z"));
    assert_eq!(views.iter().find(|view| view.holder == "US").unwrap().active_used, 2, "the prohibition was taken back");
    // Before the prohibition both were charged.
    let views = w.docket.quotas(2020, time("2020-02-05T00:00:00Z"));
    assert_eq!(views.iter().find(|view| view.holder == "union").unwrap().passive_used, 2);
}

#[test]
fn quota_is_distributed_by_who_is_observed_and_stands_until_there_is_another() {
    let mut w = World::new(
        "[quota]\ntitle = \"Flights\"\npassive = { US = 42, RU = 42, PL = 6 }\n\
         use = [{ kind = \"flight\", active = \"sender\", passive = \"field:observed\" }]\n\
         transfer = { kind = \"transfer\", from = \"giver\", to = \"taker\", count = \"flights\", year = \"year\", observed = \"observed\" }\n\
         allocation = { kind = \"decision\", year = \"year\", rows = \"rows\", holder = \"observing\", observed = \"observed\", count = \"flights\", stands = true }\n\
         [[periodic]]\nid = \"plan\"\ntitle = \"Plan\"\nby = [\"state-party\"]\nholders = true\nanswer = [\"plan\"]\n\
         days = [\"11-01\"]\nyear = \"year\"\nahead = 1\nsince = 2020\n\
         [kind.back]\ntitle = \"Back\"\nrevokes = [\"*\"]\n[kind.plan]\ntitle = \"Plan\"\nfield = [{ name = \"year\", title = \"Y\", type = \"integer\", required = true }]\n\
         [kind.flight]\ntitle = \"Flight\"\nfield = [{ name = \"observed\", title = \"O\", type = \"party\", required = true }]\n\
         [kind.decision]\ntitle = \"Decision\"\nfrom = [\"depositary\"]\nfield = [{ name = \"year\", title = \"Y\", type = \"integer\", required = true },\n\
         { name = \"rows\", title = \"R\", type = \"group\", repeatable = true, field = [\n\
         { name = \"observing\", title = \"A\", type = \"party\", required = true }, { name = \"observed\", title = \"B\", type = \"party\", required = true },\n\
         { name = \"flights\", title = \"F\", type = \"integer\", required = true }] }]\n\
         [kind.transfer]\ntitle = \"Transfer\"\nfrom = [\"field:giver\"]\nfield = [{ name = \"giver\", title = \"G\", type = \"party\", required = true },\n\
         { name = \"taker\", title = \"T\", type = \"party\", required = true }, { name = \"observed\", title = \"O\", type = \"party\", required = true },\n\
         { name = \"flights\", title = \"F\", type = \"integer\", required = true }, { name = \"year\", title = \"Y\", type = \"integer\", required = true }]\n",
    );
    let owing = |w: &World, at: &str| -> Vec<String> {
        let items = w.docket.items(time(at), &Default::default());
        items.into_iter().filter(|item| item.rule == "plan").flat_map(|item| item.owed_by).collect()
    };
    // As long as nothing is distributed each may hold some.
    assert_eq!(owing(&w, "2020-06-01T00:00:00Z"), ["CA", "HU", "RU", "US", "PL"]);
    let rows = json!([{"observing": "US", "observed": "RU", "flights": 3}, {"observing": "PL", "observed": "RU", "flights": 1},
        {"observing": "US", "observed": "PL", "flights": 1}]);
    let decision = w.send(HU, "2020-01-10T00:00:00Z", "decision", &["*"], &[], json!({"year": 2020, "rows": rows}));
    // Another, for all of it, by who may not decide; and one that is taken back.
    let rows = json!([{"observing": "PL", "observed": "RU", "flights": 42}]);
    let body = json!({"year": 2020, "rows": rows});
    w.send(PL, "2020-01-11T00:00:00Z", "decision", &["*"], &[], body.clone());
    let wrong = w.send(CA, "2020-01-12T00:00:00Z", "decision", &["*"], &[], body);
    w.send(CA, "2020-01-13T00:00:00Z", "back", &["*"], &[wrong], nothing());
    w.send(US, "2021-02-01T00:00:00Z", "flight", &["*"], &[], json!({"observed": "RU"}));
    let body = json!({"giver": "US", "taker": "CA", "observed": "RU", "flights": 1, "year": 2021});
    w.send(US, "2021-03-01T00:00:00Z", "transfer", &["*"], &[], body);
    assert_eq!(w.docket.allocation(2021, time("2021-12-01T00:00:00Z")), Some((w.docket.number(decision), 2020)));
    assert_eq!(w.docket.allocation(2019, time("2021-12-01T00:00:00Z")), None);
    let views = w.docket.quotas(2021, time("2021-12-01T00:00:00Z"));
    let over = |holder: &str, observed: &str| {
        let view = views.iter().find(|view| view.holder == holder).unwrap();
        let over = &view.over[observed];
        (over.active, over.used, over.received, over.handed_over)
    };
    assert_eq!(over("US", "RU"), (Some(3), 1, 0, 1));
    assert_eq!(over("US", "PL"), (Some(1), 0, 0, 0));
    assert_eq!(over("PL", "RU"), (Some(1), 0, 0, 0));
    assert_eq!(over("CA", "RU"), (None, 0, 1, 0));
    let us = views.iter().find(|view| view.holder == "US").unwrap();
    assert_eq!((us.active, us.active_used, us.handed_over), (Some(4), 1, 1));
    // Who holds none of the year's plans nothing: 2021 by the distribution that stands, and what was handed over in it.
    assert_eq!(owing(&w, "2020-12-01T00:00:00Z"), ["US", "PL"]);
}

#[test]
fn who_has_left_owes_nothing_that_is_due_of_all_and_has_no_quota() {
    let mut w = withdrawal(
        "after = \"6 months\"\n[[periodic]]\nid = \"yearly\"\ntitle = \"Data\"\nby = [\"state-party\"]\nto = [\"*\"]\n\
         answer = [\"statement\"]\ndays = [\"12-15\"]\nsince = 2020\n\
         [quota]\ntitle = \"Flights\"\npassive = { US = 42, RU = 42 }\nuse = []\n\
         [kind.ask]\ntitle = \"Ask\"\n[[kind.ask.due]]\nid = \"r\"\ntitle = \"R\"\nby = [\"state-party\"]\nanswer = [\"ack\"]\n\
         start = \"sent\"\nwithin = \"7 days\"",
    );
    let note = notice(&mut w, US, "2020-05-22T14:00:00Z", "2020-11-22");
    let before = w.send(RU, "2020-11-21T00:00:00Z", "ask", &["*"], &[], nothing());
    let after = w.send(RU, "2020-11-23T00:00:00Z", "ask", &["*"], &[], nothing());
    let as_of = time("2021-12-01T00:00:00Z");
    let owing = |w: &World, note: Option<(usize, u64)>, about: &str| -> Vec<String> {
        let items = w.docket.items(as_of, &verbale::law::Query { note, ..Default::default() });
        let of = items.into_iter().filter(|item| note.is_some() || item.rule == "yearly" && item.about == about);
        of.flat_map(|item| item.owed_by).collect()
    };
    assert_eq!(owing(&w, Some(before), ""), ["CA", "HU", "US", "PL"]);
    assert_eq!(owing(&w, Some(after), ""), ["CA", "HU", "PL"]);
    for year in ["2020", "2021"] {
        assert_eq!(owing(&w, None, year), ["CA", "HU", "RU", "PL"], "{year}: {note:?}");
    }
    // A notice that it gives and takes back when it is out makes it no party again; nor does a second one while it leaves.
    let mut again = withdrawal("after = \"6 months\"");
    notice(&mut again, US, "2020-05-22T14:00:00Z", "2020-11-22");
    for at in ["2020-07-01", "2021-03-01"] {
        let second = notice(&mut again, US, &format!("{at}T10:00:00Z"), "2022-01-01");
        again.send(US, &format!("{at}T12:00:00Z"), "revocation", &["*"], &[second], nothing());
        let told = |day: &str| again.docket.standings(time(day)).into_iter().find(|s| s.party == "US").unwrap().now;
        assert_eq!(
            (told("2020-10-01T00:00:00Z"), told("2021-06-01T00:00:00Z")),
            (Standing::NoticeGiven, Standing::FormerParty)
        );
    }
    // What it sends from that day on is shown as from a former party; its notice, and what it sent until then, is not.
    let last = w.send(US, "2020-11-21T23:59:59Z", "statement", &["*"], &[], nothing());
    let later = w.send(US, "2020-11-22T00:00:00Z", "statement", &["*"], &[], nothing());
    let standings = w.docket.standings(as_of);
    let former = |place| w.docket.sent_by_former_party(place, &standings);
    assert_eq!([former(note), former(last), former(before)], [None, None, None]);
    let change = former(later).unwrap();
    assert_eq!((change.from, &change.number), (Some(time("2020-11-22T00:00:00Z")), &Some(w.docket.number(note))));
    let holders = |year| w.docket.quotas(year, as_of).into_iter().map(|view| view.holder).collect::<Vec<_>>();
    assert_eq!((holders(2020), holders(2021)), (vec!["RU".to_owned(), "US".to_owned()], vec!["RU".to_owned()]));
}

#[test]
fn who_names_itself_distributes_no_quota_and_nobody_hands_over_anothers() {
    for (from, counts) in [("field:chair", false), ("sender", false), ("PL", true), ("state-party", true)] {
        let mut w = World::new(&format!(
            "[quota]\ntitle = \"Flights\"\npassive = {{ RU = 42 }}\nuse = [{{ kind = \"flight\", active = \"sender\", passive = \"field:observed\" }}]\n\
             allocation = {{ kind = \"decision\", year = \"year\", rows = \"rows\", holder = \"observing\", observed = \"observed\", count = \"flights\" }}\n\
             [kind.flight]\ntitle = \"Flight\"\nfield = [{{ name = \"observed\", title = \"O\", type = \"party\", required = true }}]\n\
             [kind.decision]\ntitle = \"Decision\"\nfrom = [\"{from}\"]\nfield = [{{ name = \"year\", title = \"Y\", type = \"integer\", required = true }},\n\
             {{ name = \"chair\", title = \"Chair\", type = \"party\", required = true }},\n\
             {{ name = \"rows\", title = \"R\", type = \"group\", repeatable = true, field = [\n\
             {{ name = \"observing\", title = \"A\", type = \"party\", required = true }}, {{ name = \"observed\", title = \"B\", type = \"party\", required = true }},\n\
             {{ name = \"flights\", title = \"F\", type = \"integer\", required = true }}] }}]\n"
        ));
        let rows = json!([{"observing": "PL", "observed": "RU", "flights": 42}]);
        let body = json!({"year": 2020, "chair": "PL", "rows": rows});
        w.send(PL, "2020-01-10T00:00:00Z", "decision", &["*"], &[], body);
        assert_eq!(w.docket.allocation(2020, time("2020-12-01T00:00:00Z")).is_some(), counts, "{from}");
    }
}
