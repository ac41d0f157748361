//! The profiles: every kind has an example that fits it, a message, and an explanation in plain words. The story that is
//! told with that of Open Skies has its own tests, in `tests/story`.
//!
//! With `VERBALE_BLESS=1` messages and explanations are written anew: look at the difference before it is kept.

mod faults;

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Map, Value};
use verbale::ledger::profile::Explained;
use verbale::ledger::{FieldType, NoteId, Notification, Profile, Reference, Role, Timestamp, Treaty};
use verbale::message::{self, Logged};
use verbale::note::{KeyType, SigningKey};
use verbale::tlog::Hash;

/// Code, name and roles of each.
type States = &'static [(&'static str, &'static str, &'static [Role])];

/// Each profile, and the parties with which its examples are written.
const PROFILES: [(&str, States); 6] = [
    ("open-skies", OPEN_SKIES),
    ("vienna-document", OPEN_SKIES),
    ("hague-code", &[("DE", "Germany", PARTY), ("RU", "Russian Federation", PARTY), ("AT", "Austria", BOTH)]),
    ("cfe", &[("RU", "Russian Federation", PARTY), ("DE", "Germany", PARTY), ("NL", "Netherlands", BOTH)]),
    (
        "npt",
        &[("DE", "Germany", PARTY), ("GB", "United Kingdom", BOTH), ("UNSC", "Security Council", &[Role::Observer])],
    ),
    ("ottawa", &[("EE", "Estonia", PARTY), ("LV", "Latvia", PARTY), ("UN", "Secretary-General", &[Role::Depositary])]),
];
const PARTY: &[Role] = &[Role::StateParty];
const BOTH: &[Role] = &[Role::StateParty, Role::Depositary];
const OPEN_SKIES: &[(&str, &str, &[Role])] = &[
    ("DE", "Germany", PARTY),
    ("RU", "Russian Federation", PARTY),
    ("CA", "Canada", BOTH),
    ("HU", "Hungary", BOTH),
    ("FR", "France", PARTY),
    ("PL", "Poland", PARTY),
    ("BY", "Belarus", PARTY),
    ("BE", "Belgium", PARTY),
    ("NL", "Netherlands", PARTY),
    ("LU", "Luxembourg", PARTY),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn profile(name: &str) -> Profile {
    let path = folder().join("config").join(name).join("profile.toml");
    Profile::check(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn examples(name: &str) -> Map<String, Value> {
    let path = folder().join("tests/profiles").join(name).join("examples.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A treaty file with these parties.
fn treaty(parties: &[(&str, &str, &[Role])]) -> Treaty {
    let mut text = format!(
        "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"quorum none\"\n",
        Hash::digest(b"").to_hex()
    );
    for (at, (code, name, roles)) in parties.iter().enumerate() {
        let key = |job: &str| {
            let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
            let name = if job == "log" { format!("trial/{code}") } else { format!("trial/{code}/{job}") };
            SigningKey::from_seed(&name, kind, &Hash::digest(name.as_bytes()).0).unwrap().public().to_string()
        };
        let roles: Vec<_> = roles.iter().map(|role| serde_json::to_string(role).unwrap()).collect();
        let peer = format!("12D3KooWTriedOut{}", "x".repeat(30 - at / 10)) + &at.to_string();
        write!(
            text,
            "[[party]]\ncode = \"{code}\"\nname = \"{name}\"\nroles = [{}]\nroot = \"{}\"\nlog = \"{}\"\n\
             witness = \"{}\"\npeer = \"{peer}\"\naddresses = []\n",
            roles.join(", "),
            key("root"),
            key("log"),
            key("witness")
        )
        .unwrap();
    }
    Treaty::parse(text.as_bytes()).unwrap()
}

/// A note of a kind with a body, from the treaty's first party to the second and to all.
fn note(kind: &str, body: &Value, treaty: &Treaty, refers: bool) -> Notification {
    let [from, other] = [0, 1].map(|at| treaty.party(at).code.clone());
    Notification {
        attachments: vec![],
        body: body.as_object().unwrap().clone(),
        from,
        id: NoteId([7; 16]),
        issued: Timestamp::parse("2021-06-18T09:00:00Z").unwrap(),
        kind: kind.into(),
        ledger: treaty.hash(),
        re: if refers { vec![Reference { index: 12, leaf: Hash([1; 32]), log: other.clone() }] } else { vec![] },
        to: vec![other, "*".into()],
    }
}

/// Compares with what is kept, or keeps it.
fn golden(name: &str, file: &str, text: &str) {
    let path = folder().join("tests/profiles").join(name).join(file);
    if std::env::var_os("VERBALE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
    assert!(kept == text, "{} is not what is written now, from line {:?}", path.display(), differs.map(|at| at + 1));
}

#[test]
fn every_kind_has_an_example_that_fits_it() {
    for (name, parties) in PROFILES {
        let (profile, examples) = (profile(name), examples(name));
        treaty(parties);
        assert!(profile.kind.keys().eq(examples.keys()), "{name}: examples are of other kinds than the profile's");
        for (kind, body) in &examples {
            assert_eq!(profile.faults(kind, body.as_object().unwrap()), Vec::<String>::new(), "{name}: {kind}");
            for field in profile.kind[kind].fields.iter().filter(|field| field.required) {
                let mut less = body.as_object().unwrap().clone();
                less.remove(&field.name);
                assert_eq!(profile.faults(kind, &less).len(), 1, "{name}: {kind} without {}", field.name);
            }
        }
    }
}

#[test]
fn titles_tell_kinds_apart() {
    for (name, _) in PROFILES {
        let profile = profile(name);
        let mut titles: Vec<_> = profile.kind.values().map(|kind| kind.title.to_lowercase()).collect();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), profile.kind.len(), "{name}: a message's SUBJECT would mean two kinds");
    }
}

#[test]
fn every_kind_is_written_as_a_message_that_reads_back_without_a_word() {
    for (name, parties) in PROFILES {
        let (profile, treaty) = (profile(name), treaty(parties));
        let mut all = String::new();
        for (kind, body) in &examples(name) {
            let note = note(kind, body, &treaty, !profile.kind[kind].after.is_empty());
            let logged = Logged { index: 23, time: note.issued };
            let text = message::write(&note, Some(logged), &profile, &treaty);
            let draft = message::read(&text, None, &profile, &treaty);
            assert_eq!(draft.faults, [], "{name}: {kind}\n{text}");
            assert_eq!(draft.kind.as_deref(), Some(kind.as_str()), "{text}");
            assert_eq!(
                (&draft.body, &draft.to, &draft.from),
                (&note.body, &note.to, &Some(note.from.clone())),
                "{text}"
            );
            assert_eq!((draft.issued, draft.references.len()), (Some(note.issued), note.re.len()), "{text}");
            writeln!(all, "{text}").unwrap();
        }
        golden(name, "messages.txt", &all);
    }
}

#[test]
fn every_kind_is_explained_in_plain_words() {
    for (name, _) in PROFILES {
        let profile = profile(name);
        let mut all = String::new();
        for kind in profile.kind.keys() {
            writeln!(all, "{}", sentences(&profile.explain(kind).unwrap())).unwrap();
        }
        for word in ["`", "field:", "received-by", "{", "  \u{201c}\u{201d}"] {
            assert!(!all.contains(word), "{name}: an explanation says {word:?}");
        }
        golden(name, "explained.txt", &all);
    }
}

fn sentences(of: &Explained) -> String {
    let mut out = format!("{} ({}, {})\n", of.title, of.kind, if of.article.is_empty() { "-" } else { &of.article });
    for (part, sentences) in [
        ("Who", &of.who),
        ("To whom", &of.to),
        ("What", &of.what),
        ("By when", &of.when),
        ("Then", &of.then),
        ("Unconfirmed", &of.unconfirmed),
    ] {
        for sentence in sentences {
            writeln!(out, "  {part}: {sentence}").unwrap();
        }
    }
    out
}

/// Everything that is known from memory only is unconfirmed in the profile, and shown so.
#[test]
fn what_is_unconfirmed_says_so() {
    let profile = profile("open-skies");
    for (kind, word) in [
        ("flight-intent", "weekends"),
        ("flight-intent", "number of the paragraph"),
        ("mission-plan", "may then decline"),
        ("mission-plan-change", "may then decline"),
        ("declination", "7 days"),
        ("deviation", "mission report"),
        ("certification-notice", "60 days"),
        ("site-change", "not found"),
        ("hazardous-airspace-source", "not found"),
        ("flight-intent", "from its sending, not from its receipt"),
        ("group-formation", "six months are counted"),
        ("aircraft-designation", "from its sending, not from its receipt"),
        ("amendment", "90 days are counted"),
        ("quota-transfer", "From when"),
        ("quota-decision", "Who notifies"),
        ("withdrawal", "where a depositary itself withdraws"),
    ] {
        let explained = profile.explain(kind).unwrap();
        assert!(explained.unconfirmed.iter().any(|what| what.contains(word)), "{kind}: {:?}", explained.unconfirmed);
    }
    assert!(profile.message.unwrap().unconfirmed.is_some());
}

#[test]
fn open_skies_has_every_notification_that_practice_knows() {
    let profile = profile("open-skies");
    assert_eq!(profile.acknowledgement, "acknowledgement");
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
        "mission-report-signature",
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
    let effective = withdrawal.fields.iter().find(|field| field.name == "effective").unwrap();
    assert!(effective.required && effective.kind == FieldType::Date);
    // What starts no clock asks for no answer.
    assert!(!profile.kind["statement"].notice && profile.kind["statement"].reply.is_none());
    let passive = &profile.quota.as_ref().unwrap().passive;
    assert_eq!((passive["US"], passive["russia-belarus"], passive["benelux"], passive["PT"]), (42, 42, 6, 2));
    assert_eq!((passive["czech-slovak"], passive.len()), (4, 21));
}

/// The clocks of the treaty's notifications, each as it is told.
#[test]
fn open_skies_counts_as_the_treaty_does() {
    let profile = profile("open-skies");
    for (kind, sentence) in [
        ("flight-intent", "at least 72 hours before “Estimated arrival at the point of entry”"),
        ("flight-intent", "to its sender, not later than 24 hours after whoever owes it received it"),
        ("flight-intent", "not later than 96 hours after “Estimated arrival at the point of entry”"),
        (
            "transit-notice",
            "on the same day as the “Intent to conduct an observation flight” to which it refers was sent",
        ),
        ("mission-plan", "not before “Arrival at the airfield”; what counts is “When it was handed over”"),
        ("mission-plan", "at least 24 hours before “Intended start of the flight”"),
        ("mission-plan", "not later than 4 hours after whoever owes it received it"),
        ("mission-plan", "not later than 8 hours after “When it was handed over”"),
        ("mission-plan-change", "not later than 8 hours after “When it was handed over”"),
        ("prohibition", "not later than 7 days after “Day of the prohibition”"),
        ("no-show", "not before 24 hours after “Notified arrival”"),
        ("declination", "not later than 7 days after “Day on which it was declined”"),
        ("deviation", "The deviation is told at once (VIII.II-III): promptly"),
        ("deviation", "whom it names under “Whose crew it was” to all parties, promptly"),
        ("flight-completion", "not later than 96 hours after “Arrival at the point of entry”"),
        ("mission-report", "not later than 7 days after “Departure from the point of exit”"),
        ("data-request", "whom it names under “Observing party” to its sender, promptly"),
        ("quota-review", "Then: Without consensus the previous year's distribution stands."),
        ("quota-transfer", "The transfer is notified at once (III.I.9): promptly"),
        (
            "planned-flights",
            "that holds active quota of that year to all parties, every year by 1 November for the next year",
        ),
        ("group-formation", "6 months after the last addressee received it"),
        ("group-formation", "From its sending"),
        ("aircraft-designation", "at least 30 days before “Intended date”"),
        ("aircraft-deletion", "at least 90 days before “Intended date”"),
        ("certification-notice", "at least 60 days before “First day”"),
        ("certification-attendance", "at least 30 days before “First day”"),
        ("personnel-list", "not later than 30 days after whoever owes it received it"),
        ("personnel-list", "Silence counts as accepted."),
        ("personnel-list", "not later than 6 months after it was sent"),
        ("amendment", "not before 30 days and not later than 60 days after the first depositary received note no. 3"),
        ("amendment", "of those that had come within 90 days after it was sent"),
        ("amendment", "of those that had come within 90 days after its addressee was informed of it by a depositary"),
        ("accession", "each depositary to all parties, promptly"),
        ("accession", "Decision of the Consultative Commission on the request (XVII.5)"),
        ("withdrawal", "each depositary to all parties, promptly"),
        ("withdrawal", "not before 30 days and not later than 60 days after the first depositary received it"),
        ("withdrawal", "6 months after the first depositary received it"),
        ("withdrawal", "(counted from when the last depositary received it)"),
    ] {
        let told = profile.explain(kind).unwrap();
        let all = [told.when, told.then].concat();
        assert!(all.iter().any(|said| said.contains(sentence)), "{kind}: {sentence:?} is not said: {all:#?}");
    }
    // To attend a certification is a right, and who is invited owes nothing.
    assert!(profile.kind["certification-notice"].due.iter().all(|due| due.itself));
    // The Chair is told of a transfer, after two messages that come first.
    let transfer = &profile.kind["quota-transfer"];
    assert!(transfer.to.iter().any(|to| to.to_string() == "field:chair"));
    assert_eq!(transfer.after.iter().map(ToString::to_string).collect::<Vec<_>>(), ["os-format-36", "os-format-37"]);
    // No note of anybody else's ends what is due of a flight, or gives its quota back.
    let enders = profile.kind.values().flat_map(|kind| &kind.due).flat_map(|due| &due.ended_by);
    let uncharged = &profile.quota.as_ref().unwrap().uncharged_by;
    assert!(enders.chain(uncharged).all(|ender| !ender.from.is_empty()));
}

/// The indented blocks of a page, without their indentation.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in page.lines() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(code), Some(block)) => *block += &format!("{code}\n"),
            (None, Some(block)) if line.is_empty() && !block.is_empty() => block.push('\n'),
            (None, Some(block)) if !block.is_empty() => blocks.push(String::new()),
            _ => {}
        }
    }
    blocks
}

/// What the page for authors shows is a profile in order, and what it quotes is what the program says.
#[test]
fn the_page_for_authors_is_true() {
    let page = std::fs::read_to_string(folder().join("docs/profiles.md")).unwrap();
    let blocks = blocks(&page);
    let starting = |with: &str| {
        let of = blocks.iter().find(|block| block.starts_with(with));
        of.unwrap_or_else(|| panic!("the page shows no {with}"))
    };
    let first = starting("version = 1\n");
    assert!(Profile::check(first.as_bytes()).is_ok());
    let wrong = first.replace("answer = [\"inspection-reply\"]", "answer = [\"inspection-replay\"]");
    let fault = Profile::check(wrong.as_bytes()).unwrap_err().to_string();
    assert!(page.contains(&format!("profile.toml, {fault}\n")), "{fault}");

    // Whatever else the page shows fits into one profile.
    let whole = format!(
        "{first}\n{}\n{}\n{}\n{}\n[kind.annual-data]\ntitle = \"Data\"\nfield = [{{ name = \"year\", title = \"Year\", type = \"integer\", required = true }}]\n\
         [group.benelux]\ntitle = \"Benelux\"\nmembers = [\"BE\", \"NL\", \"LU\"]\n[kind.refusal]\ntitle = \"Refusal\"\n\
         [kind.withdrawal]\ntitle = \"Withdrawal\"\nfield = [{{ name = \"effective\", title = \"Date\", type = \"date\" }}]\n\
         [kind.depositary-circular]\ntitle = \"Circular\"\nfield = [{{ name = \"effective\", title = \"Date\", type = \"date\" }}]\n\
         [kind.quota-decision]\ntitle = \"Decision\"\nfrom = [\"depositary\"]\nfield = [{{ name = \"year\", title = \"Year\", type = \"integer\", required = true }},\n\
         {{ name = \"distribution\", title = \"Rows\", type = \"group\", repeatable = true, field = [\n\
         {{ name = \"observing\", title = \"Who\", type = \"party\", required = true }}, {{ name = \"observed\", title = \"Whom\", type = \"party\", required = true }},\n\
         {{ name = \"flights\", title = \"How often\", type = \"integer\", required = true }}] }}]\n",
        starting("[quota]\n"),
        starting("[[kind.withdrawal.effect]]\n"),
        starting("[message]\n"),
        starting("[[periodic]]\n"),
    );
    Profile::check(whole.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{whole}"));

    // What ends a rule, and a window that shuts.
    let ended = starting("ended_by = [").trim().to_owned();
    let ended = first.replace("within = \"24 hours\"", &format!("within = \"24 hours\"\n{ended}"))
        + "[kind.refusal]\ntitle = \"Refusal\"\n[kind.cancellation]\ntitle = \"Cancellation\"\n";
    Profile::check(ended.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{ended}"));
    let shut = format!(
        "{first}[kind.conference-request]\ntitle = \"Request for a conference\"\n[[kind.conference-request.due]]\n\
         id = \"conference\"\ntitle = \"Conference\"\nby = [\"any depositary\"]\nanswer = [\"acknowledgement\"]\n\
         start = \"sent\"\nwindow = [\"30 days\", \"1 month\"]\n"
    );
    let fault = Profile::check(shut.as_bytes()).unwrap_err().to_string();
    assert!(page.contains(&format!("    error: profile.toml, {fault}\n")), "{fault}");

    // Quoted sentences, where the page has not cut them short.
    let explained = profile("cfe").explain("withdrawal").unwrap();
    let said = format!("{} {}", explained.to.join(" "), explained.then.join(" "));
    let quoted = starting("$ verbale treaty check").replace('\n', " ");
    let quoted = quoted.split_once("To whom").unwrap().1.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in quoted.replace(" Then ", " … ").split(" … ").map(|part| part.trim_matches(['…', ' '])) {
        assert!(said.contains(part), "{part:?} is not said: {said}");
    }
}
