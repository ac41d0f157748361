//! What a profile has to keep to so that it can be read and counted with at all. What was signed under a profile rests on
//! its being readable: this never becomes stricter.

use super::check::way;
use super::clock::Reading;
use super::field::{Field, MAX_NESTING};
use super::locate::Way;
use super::{MAX_PROFILE_ITEMS, Profile};

/// What of a profile is over a limit, or names a time zone that is not known, each with the way to it.
pub(super) fn exceeded(profile: &Profile) -> Vec<(Way, String)> {
    let mut faults = Vec::new();
    let count = profile.kind.len().max(profile.group.len()).max(profile.periodic.len());
    if count > MAX_PROFILE_ITEMS {
        // What is checked besides compares kinds with kinds.
        return vec![(
            way(&["kind"]),
            format!("there are at most {MAX_PROFILE_ITEMS} kinds, groups and periodic rules"),
        )];
    }
    for (name, kind) in &profile.kind {
        if kind.due.len() + kind.effect.len() > MAX_PROFILE_ITEMS {
            faults.push((way(&["kind", name]), format!("kind `{name}`: it has over {MAX_PROFILE_ITEMS} rules")));
        }
        if let Some(field) = kind.fields.iter().find(|field| is_nested(field, 1)) {
            let what = format!("kind `{name}`: the field `{}` is nested more than {MAX_NESTING} deep", field.name);
            faults.push((way(&["kind", name, "field"]), what));
        }
    }
    zones(profile, &mut |here, owner, zone| {
        if let Some(zone) = zone.filter(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            let what = format!("{owner}: `{zone}` is not an IANA time zone, as `Europe/Vienna` or `UTC`");
            faults.push((here, what));
        }
    });
    faults
}

fn is_nested(field: &Field, depth: usize) -> bool {
    depth > MAX_NESTING || field.fields.iter().any(|inner| is_nested(inner, depth + 1))
}

/// Every time zone that the profile names: where, for what, and which.
fn zones(profile: &Profile, told: &mut dyn FnMut(Way, &str, Option<&String>)) {
    told(way(&["zone"]), "the profile", profile.zone.as_ref());
    for (at, rule) in profile.periodic.iter().enumerate() {
        let owner = format!("periodic rule `{}`", rule.id);
        told(way(&["periodic", &at.to_string(), "zone"]), &owner, rule.zone.as_ref());
    }
    for (name, kind) in &profile.kind {
        let due = kind.due.iter().enumerate().map(|(at, rule)| ("due", at, &rule.id, &rule.zone, &rule.disputed));
        let effects = kind.effect.iter().enumerate();
        let effects = effects.map(|(at, rule)| ("effect", at, &rule.id, &rule.zone, &rule.disputed));
        for (table, at, id, zone, disputed) in due.chain(effects) {
            let (at, owner) = (at.to_string(), format!("kind `{name}`, rule `{id}`"));
            told(way(&["kind", name, table, &at, "zone"]), &owner, zone.as_ref());
            for (place, Reading { title, zone, .. }) in disputed.iter().enumerate() {
                let owner = format!("{owner}, the reading “{title}”");
                let here = way(&["kind", name, table, &at, "disputed", &place.to_string()]);
                told(here, &owner, zone.as_ref());
            }
        }
    }
}
