//! The story that the demonstration plays, as `config/open-skies/story.toml` tells it.

use crate::cli::{Code, Failure};
use crate::scenario::Scenario;

/// The Treaty on Open Skies, 1992 to 2021.
const STORY: &str = include_str!("../../../../config/open-skies/story.toml");
/// Its profile.
pub const PROFILE: &str = include_str!("../../../../config/open-skies/profile.toml");

/// Reads the whole story.
pub fn story() -> Result<Scenario, Failure> {
    Scenario::parse(STORY.as_bytes())
        .map_err(|error| Failure::new(Code::Other, format!("the story cannot be read: {error}")))
}

/// Its short form, for running nodes: the parties and steps that are marked so.
pub fn live() -> Result<Scenario, Failure> {
    let mut story = story()?;
    story.parties.retain(|party| party.live);
    story.steps.retain(|step| step.live);
    story.away.clear();
    Ok(story)
}
