//! The story that the demonstration plays, as `config/open-skies/story.toml` tells it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::{Code, Failure};
use crate::ledger::Role;

/// The Treaty on Open Skies, 2014 to 2021.
const STORY: &str = include_str!("../../../../config/open-skies/story.toml");
/// Its profile.
pub const PROFILE: &str = include_str!("../../../../config/open-skies/profile.toml");

/// A story: the parties and what they sent, in order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Format version: 1.
    pub version: u32,
    /// For the screen.
    pub title: String,
    /// Who takes part.
    #[serde(rename = "party")]
    pub parties: Vec<StoryParty>,
    /// What was sent, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// A party of the story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoryParty {
    /// ISO 3166 code.
    pub code: String,
    /// Name, for people.
    pub name: String,
    /// Roles in the treaty.
    pub roles: Vec<Role>,
}

/// One note of the story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name by which later steps refer to it.
    pub id: String,
    /// Historical day, shortened to month or year where the day is not known: `2021-06-18`, `2017-09`, `2014`.
    pub date: String,
    /// What the step rests on.
    pub basis: Basis,
    /// Code of the sender.
    pub from: String,
    /// Kind, as the profile names it.
    pub kind: String,
    /// Addressees: codes, or `*` for all.
    pub to: Vec<String>,
    /// Ids of earlier steps that the note refers to.
    #[serde(default)]
    pub re: Vec<String>,
    /// One sentence for the screen.
    pub title: String,
    /// What there is to notice.
    pub narration: String,
    /// The note's body.
    pub body: Map<String, Value>,
}

/// What a step rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Public texts and press.
    Public,
    /// Public, but not checked against a text.
    Unconfirmed,
    /// Made up, and standing for many of its kind.
    Illustration,
}

/// Reads the story.
pub fn story() -> Result<Story, Failure> {
    let fail = |what: String| Failure::new(Code::Other, format!("the story cannot be read: {what}"));
    let story: Story = toml::from_str(STORY).map_err(|error| fail(error.to_string()))?;
    if story.version == 1 { Ok(story) } else { Err(fail(format!("version {} is not known", story.version))) }
}
