//! The Open Skies profile and the story that the demonstration plays: the story fits the profile, and the facts stand.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value};
use verbale::ledger::{FieldType, Profile, Role, is_party_code};

/// A story: the parties and what they sent, in order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    /// Format version: 1.
    version: u32,
    /// For the screen.
    title: String,
    /// Who takes part.
    #[serde(rename = "party")]
    parties: Vec<StoryParty>,
    /// What was sent, in order.
    #[serde(rename = "step")]
    steps: Vec<Step>,
}

/// A party of the story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoryParty {
    /// ISO 3166 code.
    code: String,
    /// Name, for people.
    name: String,
    /// Roles in the treaty.
    roles: Vec<Role>,
}

/// One note of the story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Name by which later steps refer to it.
    id: String,
    /// Historical day, shortened to month or year where the day is not known: `2021-06-18`, `2017-09`, `2014`.
    date: String,
    /// What the step rests on.
    basis: Basis,
    /// Code of the sender.
    from: String,
    /// Kind, as the profile names it.
    kind: String,
    /// Addressees: codes, or `*` for all.
    to: Vec<String>,
    /// Ids of earlier steps that the note refers to.
    #[serde(default)]
    re: Vec<String>,
    /// One sentence for the screen.
    title: String,
    /// What there is to notice.
    narration: String,
    /// The note's body.
    body: Map<String, Value>,
}

/// What a step rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Basis {
    /// Public texts and press.
    Public,
    /// Public, but not checked against a text.
    Unconfirmed,
    /// Made up, and standing for many of its kind.
    Illustration,
}

impl Step {
    /// The first and the last day that `date` may mean.
    fn days(&self) -> (Date, Date) {
        let (first, span) = match self.date.len() {
            4 => (format!("{}-01-01", self.date), 1.year()),
            7 => (format!("{}-01", self.date), 1.month()),
            _ => (self.date.clone(), 1.day()),
        };
        let first: Date = first.parse().unwrap_or_else(|e| panic!("{}: date {}: {e}", self.id, self.date));
        (first, first + span - 1.day())
    }

    fn day(&self, field: &str) -> Date {
        self.body[field].as_str().unwrap().parse().unwrap()
    }
}

fn profile() -> Profile {
    Profile::parse(include_bytes!("../config/open-skies/profile.toml")).unwrap()
}

fn story() -> Story {
    toml::from_str(include_str!("../config/open-skies/story.toml")).unwrap()
}

fn step<'a>(story: &'a Story, id: &str) -> &'a Step {
    story.steps.iter().find(|step| step.id == id).unwrap_or_else(|| panic!("no step {id}"))
}

#[test]
fn the_profile_is_in_form_and_addresses_only_parties() {
    let profile = profile();
    assert_eq!(profile.acknowledgement, "acknowledgement");
    for (name, kind) in &profile.kind {
        assert!(!kind.title.is_empty(), "{name} has no title");
        assert!(kind.to.iter().all(|to| to == "*" || is_party_code(to)), "{name}: {:?}", kind.to);
        assert!(kind.fields.iter().all(|field| !field.title.is_empty()), "{name} has a field without title");
    }
    for name in [
        "flight-intent",
        "flight-acknowledgement",
        "transit-notice",
        "mission-plan",
        "mission-plan-change",
        "prohibition",
        "no-show",
        "declination",
        "deviation",
        "flight-completion",
        "mission-report",
        "data-request",
        "quota-review",
        "quota-transfer",
        "planned-flights",
        "group-formation",
        "aircraft-designation",
        "aircraft-deletion",
        "certification-notice",
        "site-change",
        "hazardous-airspace-source",
        "personnel-list",
        "restriction",
        "objection",
        "amendment",
        "accession",
        "withdrawal",
        "withdrawal-conference",
        "depositary-circular",
        "statement",
    ] {
        assert!(profile.kind.contains_key(name), "the kind {name} is missing");
    }
    let withdrawal = &profile.kind["withdrawal"];
    assert_eq!((withdrawal.article.as_str(), withdrawal.to.len()), ("XV.2", 3));
    let effective = withdrawal.fields.iter().find(|field| field.name == "effective").unwrap();
    assert!(effective.required && effective.kind == FieldType::Date);
    // What starts no clock asks for no answer.
    assert_eq!(profile.kind["statement"].reply, None);
}

#[test]
fn every_step_of_the_story_fits_the_profile() {
    let (profile, story) = (profile(), story());
    assert_eq!(story.version, 1);
    assert!(!story.title.is_empty());
    let codes: BTreeSet<&str> = story.parties.iter().map(|party| party.code.as_str()).collect();
    assert_eq!(codes, BTreeSet::from(["CA", "DE", "HU", "PL", "RU", "US"]));
    assert!(story.parties.iter().all(|party| is_party_code(&party.code) && !party.name.is_empty()));
    let depositaries = story.parties.iter().filter(|party| party.roles.contains(&Role::Depositary));
    assert_eq!(depositaries.map(|party| party.code.as_str()).collect::<Vec<_>>(), ["CA", "HU"]);

    let mut earlier = BTreeSet::new();
    for step in &story.steps {
        let id = &step.id;
        assert_eq!(profile.faults(&step.kind, &step.body), Vec::<String>::new(), "{id}");
        assert!(codes.contains(step.from.as_str()), "{id}: from {}", step.from);
        assert!(!step.to.is_empty() && !step.to.contains(&step.from), "{id}: to {:?}", step.to);
        assert!(step.to.iter().all(|to| to == "*" || codes.contains(to.as_str())), "{id}: to {:?}", step.to);
        assert!(step.re.iter().all(|re| earlier.contains(re.as_str())), "{id}: re {:?}", step.re);
        assert!(step.title.ends_with('.') && !step.title.contains('\n'), "{id}: {}", step.title);
        assert!(step.narration.ends_with('.'), "{id}: {}", step.narration);
        assert!(earlier.insert(step.id.as_str()), "{id} stands there twice");
    }
}

#[test]
fn dates_do_not_run_backwards() {
    let mut latest_start = Date::MIN;
    for step in &story().steps {
        let (first, last) = step.days();
        assert!(latest_start <= last, "{}: {} comes after {latest_start}", step.id, step.date);
        latest_start = latest_start.max(first);
    }
}

#[test]
fn an_answer_is_of_the_kind_that_the_profile_asks_for() {
    let (profile, story) = (profile(), story());
    for (note, answer) in [
        ("kaliningrad-limit", "kaliningrad-objection-us"),
        ("kaliningrad-limit", "kaliningrad-objection-pl"),
        ("flight-intent", "flight-acknowledgement"),
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
    for (party, notice, effective, conference, day, announced) in [
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
        assert_eq!(withdrawal.kind, "withdrawal");
        assert_eq!(withdrawal.date, notice);
        assert_eq!(withdrawal.to, ["CA", "HU", "*"]);
        assert_eq!(withdrawal.body["effective"], effective);
        // Calendar months, not 180 days.
        assert_eq!(withdrawal.days().0 + 6.months(), withdrawal.day("effective"));
        for (id, date) in announced {
            let announcement = step(&story, id);
            assert_eq!((announcement.kind.as_str(), announcement.date.as_str()), ("statement", date));
        }
        for depositary in ["ca", "hu"] {
            let circular = step(&story, &format!("{party}-circular-{depositary}"));
            assert_eq!(circular.from, depositary.to_uppercase());
            assert_eq!((&circular.body["received"], &circular.body["effective"]), (&notice.into(), &effective.into()));
        }
        let meeting = step(&story, &format!("{party}-conference"));
        assert_eq!((meeting.date.as_str(), &meeting.body["opens"]), (conference, &conference.into()));
        assert_eq!(meeting.body["day"], day);
        let received = meeting.day("notice_received");
        assert_eq!(received, withdrawal.days().0);
        assert_eq!((meeting.day("opens") - received).get_days(), day);
        assert_eq!(meeting.day("window_from"), received + 30.days());
        assert_eq!(meeting.day("window_to"), received + 60.days());
    }
    assert_eq!(step(&story, "ru-conference").body["attending"], 33);
    for (id, date) in [("ru-assurances-1", "2020-11-22"), ("ru-assurances-2", "2020-12-14")] {
        let request = step(&story, id);
        assert_eq!((request.kind.as_str(), request.date.as_str()), ("assurance-request", date));
    }
}

#[test]
fn the_story_says_what_it_rests_on_and_judges_nobody() {
    let story = story();
    let made_up: Vec<&str> =
        story.steps.iter().filter(|step| step.basis == Basis::Illustration).map(|step| step.id.as_str()).collect();
    assert_eq!(made_up, ["flight-intent", "flight-acknowledgement"]);
    assert_eq!(step(&story, "segment-refused").basis, Basis::Unconfirmed);
    let text = include_str!("../config/open-skies/story.toml").to_lowercase();
    for word in ["violat", "illegal", "unlawful", "guilty", "lied", "“", "«"] {
        assert!(!text.contains(word), "the story says {word:?}");
    }
}
