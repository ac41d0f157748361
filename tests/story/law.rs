//! What the treaty's clocks make of the story: computed from the logs that its play leaves, it gives the known dates.

use verbale::law::{Docket, EffectView, Force, Item, Place, Query, Registrar, State};
use verbale::ledger::Timestamp;
use verbale::ledger::profile::Standing;
use verbale::node::Read;
use verbale::scenario::{Play, Scenario};

use crate::fixture::{PROFILE, Stage, WHAT_IF, story};

/// A scenario that was played, as one party's records have it.
struct Played {
    docket: Docket,
    places: Vec<(String, Place)>,
}

fn docket(play: &Play, stage: &Stage, party: &str) -> Docket {
    let disk = play.nodes.disk(stage.treaty.find(party).unwrap());
    let mut registrar = Registrar::new(stage.treaty.clone(), stage.profile.clone());
    let mut docket = Docket::new(stage.treaty.clone(), stage.profile.clone());
    for log in 0..stage.treaty.parties().len() {
        for index in 0..disk.size(log).unwrap() {
            registrar.apply(&mut docket, log, index, &disk.record(log, index).unwrap().unwrap());
        }
    }
    docket
}

fn played(scenario: &Scenario) -> Played {
    let stage = Stage::new(scenario, PROFILE);
    let mut play = Play::begin(scenario, &stage.treaty, &stage.profile, &stage.keys).unwrap();
    play.finish().unwrap();
    let places = play.told.iter().map(|(id, told)| (id.clone(), (told.log, told.index))).collect();
    Played { docket: docket(&play, &stage, "HU"), places }
}

fn at(text: &str) -> Timestamp {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse(&whole).unwrap()
}

impl Played {
    fn place(&self, id: &str) -> Place {
        self.places.iter().find(|(step, _)| step == id).unwrap_or_else(|| panic!("no step {id}")).1
    }

    fn items(&self, id: &str, as_of: &str) -> Vec<Item> {
        self.docket.items(at(as_of), &Query { note: Some(self.place(id)), ..Query::default() })
    }

    fn item(&self, id: &str, rule: &str, as_of: &str) -> Item {
        let items = self.items(id, as_of);
        let found = items.iter().find(|item| item.rule == rule);
        found.unwrap_or_else(|| panic!("{id} has no {rule} as of {as_of}: {items:#?}")).clone()
    }

    fn effect(&self, id: &str, as_of: &str) -> EffectView {
        let effects = self.docket.effects(at(as_of), Some(self.place(id)));
        assert_eq!(effects.len(), 1, "{id}");
        effects.into_iter().next().unwrap()
    }

    fn standing(&self, party: &str, as_of: &str) -> Standing {
        self.docket.standings(at(as_of)).into_iter().find(|of| of.party == party).unwrap().now
    }
}

/// Each of the two withdrawals: its day, the first and last day for the conference, the conference, its day's number.
type Withdrawal =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str, u32);

const WITHDRAWALS: [Withdrawal; 2] = [
    ("us", "US", "2020-05-22", "2020-11-22", "2020-06-21", "2020-07-21", "2020-07-06", 45),
    ("ru", "RU", "2021-06-18", "2021-12-18", "2021-07-18", "2021-08-17", "2021-07-20", 32),
];

#[test]
fn the_withdrawals_take_effect_on_the_known_days_and_the_conferences_fall_into_their_windows() {
    let played = played(&story());
    for (id, party, notice, effective, opens, closes, conference, day) in WITHDRAWALS {
        let note = format!("{id}-withdrawal");
        // The last second before, and the first of the day itself.
        let eve = Timestamp::from_posix(at(effective).posix() - 1).to_string();
        for (as_of, force) in
            [("2021-06-30", None), (eve.as_str(), Some(Force::Pending)), (effective, Some(Force::InEffect))]
        {
            let view = played.effect(&note, as_of);
            assert_eq!(view.computed, Some(at(effective)), "{note}: {view:#?}");
            assert_eq!((view.claimed, view.effective), (Some(at(effective)), Some(at(effective))));
            assert!(force.is_none_or(|force| view.force == force), "{note} as of {as_of}: {:?}", view.force);
            // Both depositaries received it, both state the same, and every other reading gives the same day.
            assert!(
                view.readings.iter().all(|other| other.until == Some(at(effective))),
                "{note}: {:#?}",
                view.readings
            );
            assert!(view.steps.iter().any(|step| step.records.iter().any(|record| record.starts_with("CA/"))));
        }
        let window = (Some(at(opens)), Some(at(&format!("{closes}T23:59:59Z"))));
        let before = played.item(&note, "conference", opens);
        assert_eq!((before.from, before.until, before.state), (window.0, window.1, State::Open), "{before:#?}");
        let after = played.item(&note, "conference", "2022-01-01");
        assert_eq!((after.from, after.until, after.state), (window.0, window.1, State::Met));
        let act = after.act.unwrap();
        assert_eq!(act.time, at(conference));
        assert_eq!((at(conference).posix() - at(notice).posix()) / 86_400, u64::from(day));
        for (as_of, standing) in [
            (notice, Standing::StateParty),
            (&format!("{notice}T23:00:00Z"), Standing::NoticeGiven),
            (&eve, Standing::NoticeGiven),
            (effective, Standing::FormerParty),
            ("2022-01-01", Standing::FormerParty),
        ] {
            assert_eq!(played.standing(party, as_of), standing, "{party} as of {as_of}");
        }
    }
    for party in ["CA", "HU", "DE", "TR"] {
        assert_eq!(played.standing(party, "2022-01-01"), Standing::StateParty);
    }
}

#[test]
fn an_announcement_is_no_notice_and_starts_no_clock() {
    let played = played(&story());
    for id in ["us-announcement", "ru-announcement", "ru-law"] {
        assert_eq!(played.items(id, "2022-01-01"), [], "{id}");
        assert_eq!(played.docket.effects(at("2022-01-01"), Some(played.place(id))), [], "{id}");
    }
    // After the announcement of 15 January 2021 and up to the notice Russia is a state party, with nothing pending.
    for as_of in ["2021-01-16", "2021-06-08", "2021-06-18T08:59:59Z"] {
        assert_eq!(played.standing("RU", as_of), Standing::StateParty, "as of {as_of}");
        let pending = played.docket.effects(at(as_of), None).into_iter().filter(|view| view.force == Force::Pending);
        assert_eq!(pending.count(), 0, "as of {as_of}");
    }
}

#[test]
fn the_flight_of_2019_kept_its_times_and_is_charged_and_that_of_2016_was_not_agreed_on() {
    let played = played(&story());
    for (id, rule) in [
        ("flight-intent", "notice-time"),
        ("flight-intent", "acknowledgement"),
        ("flight-intent", "flight-window"),
        ("mission-plan", "notice-time"),
        ("mission-plan", "reply"),
        ("mission-report", "report-time"),
        ("mission-report", "signature"),
        ("tr-flight-intent", "acknowledgement"),
        ("tr-mission-plan", "reply"),
    ] {
        assert_eq!(played.item(id, rule, "2022-01-01").state, State::Met, "{id} {rule}");
    }
    assert!(matches!(played.item("tr-mission-plan", "agreement", "2016-03-01").state, State::Missed { .. }));
    // Both accounts are in the thread of the plan, each by its own side.
    let (thread, _) = played.docket.thread(played.place("tr-mission-plan"), at("2016-03-01"));
    for id in ["ru-account", "tr-account"] {
        assert!(thread.contains(&played.place(id)), "{id}");
    }
    let of = |year, holder: &str| {
        let quotas = played.docket.quotas(year, at("2022-01-01"));
        quotas.into_iter().find(|of| of.holder == holder).unwrap_or_default()
    };
    assert_eq!((of(2019, "russia-belarus").passive, of(2019, "russia-belarus").passive_used), (Some(42), 1));
    assert_eq!((of(2019, "DE").passive, of(2019, "DE").active_used), (Some(12), 1));
    let nobody_flew = played.docket.quotas(2018, at("2022-01-01"));
    assert!(nobody_flew.iter().all(|of| of.active_used == 0 && of.passive_used == 0), "{nobody_flew:#?}");
}

#[test]
fn two_parties_records_give_the_same_bytes() {
    let story = story();
    let stage = Stage::new(&story, PROFILE);
    let mut play = Play::begin(&story, &stage.treaty, &stage.profile, &stage.keys).unwrap();
    play.finish().unwrap();
    let told = |party| {
        let docket = docket(&play, &stage, party);
        let as_of = at("2021-07-01");
        let all = (docket.items(as_of, &Query::default()), docket.effects(as_of, None), docket.standings(as_of));
        serde_json::to_string(&all).unwrap()
    };
    let hungary = told("HU");
    assert!(hungary.len() > 1_000);
    assert_eq!(hungary, told("DE"));
}

#[test]
fn an_early_claim_is_shown_with_both_dates_and_so_are_depositaries_that_disagree() {
    let played = played(&Scenario::parse(WHAT_IF.as_bytes()).unwrap());
    let view = played.effect("early-claim", "2030-02-01");
    let (july_15, july_16) = (Some(at("2030-07-15")), Some(at("2030-07-16")));
    assert_eq!((view.claimed, view.computed, view.effective), (Some(at("2030-05-01")), july_15, july_15));
    assert!(view.steps.iter().any(|step| step.text.contains("2030-05-01")), "{:#?}", view.steps);
    let dates = |of: &str| view.readings.iter().filter(|r| r.title.contains(of)).map(|r| r.until).collect::<Vec<_>>();
    assert_eq!(dates("in the note itself"), [Some(at("2030-05-01"))]);
    assert!(
        dates("Canada").iter().all(|until| *until == july_15) && dates("Canada").len() >= 2,
        "{:#?}",
        view.readings
    );
    assert!(
        dates("Hungary").iter().all(|until| *until == july_16) && dates("Hungary").len() >= 2,
        "{:#?}",
        view.readings
    );
    // The claimed day passes, and nothing has taken effect.
    assert_eq!(played.effect("early-claim", "2030-06-01").force, Force::Pending);
    assert_eq!(played.standing("XA", "2030-06-01"), Standing::NoticeGiven);
    assert_eq!(played.standing("XA", "2030-07-15"), Standing::FormerParty);
}

#[test]
fn a_notice_that_was_taken_back_takes_no_effect_and_its_party_is_what_it_was() {
    let played = played(&Scenario::parse(WHAT_IF.as_bytes()).unwrap());
    assert_eq!(played.effect("taken-back", "2030-02-15").force, Force::Pending);
    let view = played.effect("taken-back", "2030-09-01");
    assert_eq!((view.force, view.effective), (Force::Revoked, Some(at("2030-08-01"))));
    assert_eq!(view.revoked_by, Some(played.docket.number(played.place("revocation"))));
    assert_eq!(played.item("taken-back", "conference", "2030-09-01").state, State::NotApplicable);
    for (as_of, standing) in [
        ("2030-02-01", Standing::StateParty),
        ("2030-02-02", Standing::NoticeGiven),
        ("2030-03-02", Standing::StateParty),
        ("2030-09-01", Standing::StateParty),
    ] {
        assert_eq!(played.standing("XB", as_of), standing, "as of {as_of}");
    }
    assert_eq!(played.standing("XC", "2031-01-01"), Standing::StateParty);
    assert_eq!(played.items("announced", "2031-01-01"), []);
}

#[test]
fn a_prohibited_flight_is_not_charged() {
    let played = played(&Scenario::parse(WHAT_IF.as_bytes()).unwrap());
    let of = |as_of: &str| {
        let quotas = played.docket.quotas(2030, at(as_of));
        quotas.into_iter().find(|of| of.holder == "XC").map(|of| (of.active_used, of.not_charged))
    };
    assert_eq!(of("2030-04-10"), Some((1, 0)));
    assert_eq!(of("2030-04-12"), Some((0, 1)));
}
