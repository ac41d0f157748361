//! A rule goes by the roles that the parties had when a note was sent, as the treaty's amendments say.

use verbale::ledger::{Change, Role};

use super::fixture::*;

const RULES: &str = "[kind.notice]\ntitle = \"Notice\"\nfrom = [\"state-party\"]\n\
    [[kind.notice.due]]\nid = \"conference\"\ntitle = \"A conference\"\nby = [\"any depositary\"]\nanswer = [\"ack\"]\n\
    start = \"received-by-depositary\"\nwithin = \"30 days\"\n\
    [[kind.notice.due]]\nid = \"answer\"\ntitle = \"An answer\"\nby = [\"state-party\"]\nanswer = [\"ack\"]\n\
    start = \"received\"\nwithin = \"30 days\"\n\
    [[kind.notice.due]]\nid = \"ended\"\ntitle = \"What ends\"\nby = [\"CA\"]\nanswer = [\"ack\"]\n\
    start = \"received\"\nwithin = \"30 days\"\nended_by = [\"stop\"]\n\
    [kind.stop]\ntitle = \"Stop\"\nfrom = [\"state-party\"]\n\
    [[periodic]]\nid = \"data\"\ntitle = \"Data\"\nby = [\"state-party\"]\nanswer = [\"ack\"]\ndays = [\"05-15\", \"12-15\"]\nsince = 2019\n";

fn status(party: usize, roles: &[Role], from: &str) -> Change {
    Change::Status { party: CODES[party].into(), roles: roles.to_vec(), from: time(from) }
}

/// Who owes what follows from a note by a rule, or every year by the end of a day.
fn owing(w: &World, rule: &str, of: impl Fn(&verbale::law::Item) -> bool) -> Vec<String> {
    let items = w.docket.items(time("2021-12-31T00:00:00Z"), &verbale::law::Query::default());
    let mut owing: Vec<_> =
        items.into_iter().filter(|item| item.rule == rule && of(item)).flat_map(|item| item.owed_by).collect();
    owing.sort();
    owing
}

#[test]
fn rules_go_by_the_roles_that_parties_had_when_a_note_was_sent() {
    let mut w = World::with(observed(), profile(&format!("{AMENDABLE}{RULES}")));
    let [before, after] = ["2020-05-01T00:00:00Z", "2020-07-01T00:00:00Z"].map(|at| {
        let note = w.send(RU, at, "notice", &["*"], &[], nothing());
        // Of those that are depositary at some time, Hungary is the first to receive it.
        w.receipt(HU, note, &at.replace("T00", "T01"));
        w.receipt(PL, note, &at.replace("T00", "T05"));
        note
    });
    // Asked about before the treaty is amended as well: what was remembered must not stay.
    assert_eq!(owing(&w, "conference", |item| item.number == w.docket.number(after)), ["CA", "HU"]);
    let from = "2020-06-01T00:00:00Z";
    let changes = vec![
        status(HU, &[Role::StateParty], from),
        status(PL, &[Role::StateParty, Role::Depositary], from),
        status(UN, &[Role::StateParty], from),
    ];
    w.amend(changes, "2020-05-20T00:00:00Z");

    let of = |note, rule| owing(&w, rule, |item| item.number == w.docket.number(note));
    assert_eq!(of(before, "conference"), ["CA", "HU"]);
    assert_eq!(of(after, "conference"), ["CA", "PL"]);
    assert_eq!(of(before, "answer"), ["CA", "HU", "PL", "US"]);
    assert_eq!(of(after, "answer"), ["CA", "HU", "PL", "UN", "US"]);
    // A receipt by who is depositary no more starts no clock.
    let until = |note| w.item(note, "conference", "2020-08-01T00:00:00Z").until.map(|time| time.to_string());
    assert_eq!(until(before), Some("2020-05-31T23:59:59Z".to_owned()));
    let started =
        |note| w.item(note, "conference", "2020-08-01T00:00:00Z").steps.iter().any(|step| step.text.contains("PLland"));
    assert!(!started(before) && started(after));

    let yearly =
        |day: &str| owing(&w, "data", |item| item.until.is_some_and(|until| until.to_string().starts_with(day)));
    assert_eq!(yearly("2020-05-15"), ["CA", "HU", "PL", "RU", "US"]);
    assert_eq!(yearly("2020-12-15"), ["CA", "HU", "PL", "RU", "UN", "US"]);
}

#[test]
fn what_an_observer_might_not_send_counts_only_from_when_it_is_a_party() {
    let mut w = World::with(observed(), profile(&format!("{AMENDABLE}{RULES}")));
    let [before, after] = ["2020-05-01T00:00:00Z", "2020-07-01T00:00:00Z"].map(|at| {
        let note = w.send(UN, at, "notice", &["*"], &[], nothing());
        w.receipt(CA, note, &at.replace("T00", "T01"));
        note
    });
    let ended = |w: &mut World, note, at: &str| {
        let stop = w.send(UN, at, "stop", &["*"], &[note], nothing());
        assert_eq!(stop.0, UN);
        w.state(note, "ended", "2020-12-01T00:00:00Z")
    };
    w.amend(vec![status(UN, &[Role::StateParty], "2020-06-01T00:00:00Z")], "2020-05-20T00:00:00Z");
    // What it was not its sender's to send ends nothing.
    assert!(ended(&mut w, before, "2020-05-02T00:00:00Z").contains("nothing there"));
    assert!(ended(&mut w, after, "2020-07-02T00:00:00Z").contains("no longer due"));
}
