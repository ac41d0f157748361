//! A kind of note by the name that somebody typed.

use super::{Code, Failure};
use crate::ledger::{Kind, Profile};

/// How alike two names are, from 0 to 1, for one to be taken for the other mistyped.
const ALIKE: f64 = 0.8;

/// The kind of that name, or a refusal that names what may have been meant.
pub fn find<'a>(name: &str, profile: &'a Profile) -> Result<&'a Kind, Failure> {
    profile.kind.get(name).ok_or_else(|| {
        let mut near: Vec<_> = profile
            .kind
            .iter()
            .map(|(known, kind)| (strsim::jaro_winkler(&name.to_lowercase(), known), known, kind))
            .filter(|(alike, known, _)| *alike >= ALIKE || known.split('-').any(|part| part == name))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let hint = match near.as_slice() {
            [] => "`verbale treaty explain` lists the profile's kinds".to_owned(),
            near => {
                let titled = near.iter().take(3).map(|(_, known, kind)| format!("{known} ({})", kind.title));
                format!("did you mean {}?", titled.collect::<Vec<_>>().join(", or "))
            }
        };
        Failure::new(Code::Refused, format!("the treaty's profile has no kind {name:?}")).hint(hint)
    })
}
