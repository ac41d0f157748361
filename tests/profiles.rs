//! The Open Skies profile. The story that is told with it has its own tests, in `story.rs`.

use verbale::ledger::{FieldType, Profile, is_party_code};

fn profile() -> Profile {
    Profile::parse(include_bytes!("../config/open-skies/profile.toml")).unwrap()
}

#[test]
fn the_profile_is_in_form_and_addresses_only_parties() {
    let profile = profile();
    assert_eq!(profile.acknowledgement, "acknowledgement");
    for (name, kind) in &profile.kind {
        assert!(!kind.title.is_empty(), "{name} has no title");
        assert!(
            kind.to.iter().map(ToString::to_string).all(|to| to == "*" || is_party_code(&to)),
            "{name}: {:?}",
            kind.to
        );
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
