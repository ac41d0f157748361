//! What can be said of the story without playing it.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use verbale::ledger::Role;
use verbale::scenario::{Basis, Known, Scenario, Step};

use crate::fixture::{STORY, profile, story};

fn step<'a>(story: &'a Scenario, id: &str) -> &'a Step {
    story.steps.iter().find(|step| step.id == id).unwrap_or_else(|| panic!("no step {id}"))
}

fn day(step: &Step, field: &str) -> Date {
    step.body[field].as_str().unwrap().parse().unwrap()
}

fn played_on(step: &Step) -> Date {
    step.at.to_string()[..10].parse().unwrap()
}

#[test]
fn every_step_fits_the_profile() {
    let (profile, story) = (profile(), story());
    assert!(!story.title.is_empty());
    let live: BTreeSet<_> = story.parties.iter().filter(|party| party.live).map(|p| p.code.as_str()).collect();
    assert_eq!(live, BTreeSet::from(["CA", "DE", "HU", "PL", "RU", "US"]));
    let depositaries = story.parties.iter().filter(|party| party.roles.contains(&Role::Depositary));
    assert_eq!(depositaries.map(|party| party.code.as_str()).collect::<Vec<_>>(), ["CA", "HU"]);
    for step in &story.steps {
        let id = &step.id;
        assert_eq!(profile.faults(&step.kind, &step.body), Vec::<String>::new(), "{id}");
        assert!(!step.to.is_empty() && !step.to.contains(&step.from), "{id}: to {:?}", step.to);
        assert!(step.title.ends_with('.') && !step.title.contains('\n'), "{id}: {}", step.title);
        assert!(step.narration.ends_with('.'), "{id}: {}", step.narration);
        // What the short demonstration plays stands on its own.
        let others = step.re.iter().map(|re| story.steps.iter().find(|other| other.id == *re).unwrap());
        let parties = step.to.iter().filter(|to| *to != "*").chain([&step.from]);
        let whole =
            others.into_iter().all(|other| other.live) && parties.into_iter().all(|p| live.contains(p.as_str()));
        assert!(!step.live || whole, "{id} needs what the short demonstration leaves out");
    }
    assert_eq!(story.steps.iter().filter(|step| step.live).count(), 21);
}

#[test]
fn an_answer_is_of_the_kind_that_the_profile_asks_for() {
    let (profile, story) = (profile(), story());
    for (note, answer) in [
        ("kaliningrad-limit", "kaliningrad-objection-us"),
        ("kaliningrad-limit", "kaliningrad-objection-pl"),
        ("flight-intent", "flight-acknowledgement"),
        ("mission-plan", "mission-plan-accepted"),
        ("tr-mission-plan", "tr-plan-refused"),
        ("us-withdrawal", "us-circular-ca"),
        ("us-withdrawal", "us-circular-hu"),
        ("ru-withdrawal", "ru-circular-ca"),
        ("ru-withdrawal", "ru-circular-hu"),
    ] {
        let (note, answer) = (step(&story, note), step(&story, answer));
        assert_eq!(profile.kind[&note.kind].reply.as_deref(), Some(answer.kind.as_str()), "{}", answer.id);
        assert!(answer.re.contains(&note.id), "{} does not refer to {}", answer.id, note.id);
    }
}

#[test]
fn the_withdrawals_stand_as_history_has_them() {
    let story = story();
    for (party, notice, effective, conference, day_count, announced) in [
        ("us", "2020-05-22", "2020-11-22", "2020-07-06", 45, vec![("us-announcement", "2020-05-21")]),
        (
            "ru",
            "2021-06-18",
            "2021-12-18",
            "2021-07-20",
            32,
            vec![("ru-announcement", "2021-01-15"), ("ru-law", "2021-06-07")],
        ),
    ] {
        let withdrawal = step(&story, &format!("{party}-withdrawal"));
        assert_eq!((withdrawal.kind.as_str(), withdrawal.known), ("withdrawal", Known::Day));
        assert_eq!(withdrawal.date(), notice);
        assert_eq!(withdrawal.to, ["CA", "HU", "*"]);
        assert_eq!(withdrawal.body["effective"], effective);
        // Calendar months, not 180 days.
        assert_eq!(played_on(withdrawal) + 6.months(), day(withdrawal, "effective"));
        for (id, date) in announced {
            let announcement = step(&story, id);
            assert_eq!((announcement.kind.as_str(), announcement.date().as_str()), ("statement", date));
        }
        for depositary in ["ca", "hu"] {
            let circular = step(&story, &format!("{party}-circular-{depositary}"));
            assert_eq!(circular.from, depositary.to_uppercase());
            assert_eq!((&circular.body["received"], &circular.body["effective"]), (&notice.into(), &effective.into()));
        }
        let meeting = step(&story, &format!("{party}-conference"));
        assert_eq!((meeting.date().as_str(), &meeting.body["opens"]), (conference, &conference.into()));
        assert_eq!(meeting.body["day"], day_count);
        let received = day(meeting, "notice_received");
        assert_eq!(received, played_on(withdrawal));
        assert_eq!((day(meeting, "opens") - received).get_days(), day_count);
        assert_eq!(day(meeting, "window_from"), received + 30.days());
        assert_eq!(day(meeting, "window_to"), received + 60.days());
    }
    assert_eq!(step(&story, "ru-conference").body["attending"], 33);
    for (id, date) in [
        ("signature", "1992-03-24"),
        ("entry-into-force", "2002-01-01"),
        ("ru-airfields", "2017-12-27"),
        ("ru-assurances-1", "2020-11-22"),
        ("ru-assurances-2", "2020-12-14"),
    ] {
        assert_eq!(step(&story, id).date(), date, "{id}");
    }
}

/// Each side's word and dates, in its own note, about the same plan.
#[test]
fn the_dispute_of_2016_has_both_accounts() {
    let story = story();
    let (ru, tr) = (step(&story, "ru-account"), step(&story, "tr-account"));
    for (account, from, dates, word) in
        [(ru, "RU", "1 to 5 February 2016", "prohibition"), (tr, "TR", "2 to 5 February 2016", "No agreement")]
    {
        assert_eq!((account.from.as_str(), account.kind.as_str(), account.basis), (from, "dispute", Basis::Public));
        assert!(account.body["subject"].as_str().unwrap().contains(dates), "{}", account.id);
        assert!(account.body["account"].as_str().unwrap().contains(word), "{}", account.id);
        assert!(account.re.contains(&"tr-mission-plan".to_owned()));
    }
}

#[test]
fn the_story_says_what_it_rests_on_and_judges_nobody() {
    let story = story();
    let made_up: BTreeSet<&str> =
        story.steps.iter().filter(|step| step.basis == Basis::Illustration).map(|step| step.id.as_str()).collect();
    for id in
        ["flight-intent", "flight-acknowledgement", "mission-report", "mission-report-signature", "tr-flight-intent"]
    {
        assert!(made_up.contains(id), "{id} is made up, and does not say so");
    }
    let withdrawals = story.steps.iter().filter(|step| step.kind.starts_with("withdrawal"));
    assert!(withdrawals.into_iter().all(|step| step.basis == Basis::Public));
    assert_eq!(step(&story, "segment-refused").basis, Basis::Unconfirmed);
    let text = STORY.to_lowercase();
    for word in ["violat", "illegal", "unlawful", "guilty", "lied", "“", "«"] {
        assert!(!text.contains(word), "the story says {word:?}");
    }
}
