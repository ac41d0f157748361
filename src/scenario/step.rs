//! The scenario's file: parties, steps, who is out of reach when, and what is expected to come of it.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ledger::{Role, Timestamp, is_party_code};

/// Longest scenario, in bytes.
pub const MAX_SCENARIO_BYTES: usize = 1 << 20;

/// Why a scenario was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// Over 1 MiB.
    #[error("a scenario is at most {MAX_SCENARIO_BYTES} bytes long")]
    TooLong,
    /// Not TOML, or with unknown or missing fields; the message has line and column.
    #[error("{0}")]
    Toml(String),
    /// A step, or a party's absence, contradicts the rest.
    #[error("`{id}`: {what}")]
    Step {
        /// Which.
        id: String,
        /// What is wrong.
        what: String,
    },
}

/// A scenario that was checked: steps run forward in time and refer to earlier ones and to its own parties.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Format version: 2.
    pub version: u32,
    /// For the screen.
    pub title: String,
    /// Who takes part, in the order of the treaty file.
    #[serde(rename = "party")]
    pub parties: Vec<Player>,
    /// What was sent, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// Whose node is out of reach, and when.
    #[serde(default)]
    pub away: Vec<Away>,
}

/// A party of the scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Player {
    /// ISO 3166 code.
    pub code: String,
    /// Name, for people.
    pub name: String,
    /// Roles in the treaty.
    pub roles: Vec<Role>,
    /// It takes part in the short, live demonstration too.
    #[serde(default)]
    pub live: bool,
}

/// One note.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name by which later steps refer to it.
    pub id: String,
    /// When it is logged.
    pub at: Timestamp,
    /// How much of `at` is known; the rest is chosen, so that it can be played.
    pub known: Known,
    /// What the step rests on.
    pub basis: Basis,
    /// It is played by the short, live demonstration too.
    #[serde(default)]
    pub live: bool,
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

/// How much of a moment is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// To the second.
    Time,
    /// The day.
    Day,
    /// The month.
    Month,
    /// The year.
    Year,
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

/// A party's node cannot be reached for a while.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Away {
    /// Code.
    pub party: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when; for good without it.
    pub until: Option<Timestamp>,
}

impl Step {
    /// Its day as far as it is known: `2021-06-18`, `2017-09`, `2014`; the moment where it is known to the second.
    pub fn date(&self) -> String {
        let text = self.at.to_string();
        let length = match self.known {
            Known::Time => return self.at.display(),
            Known::Day => 10,
            Known::Month => 7,
            Known::Year => 4,
        };
        text.chars().take(length).collect()
    }
}

impl Scenario {
    /// Reads and checks a scenario. Whether the bodies fit a profile is for the engines to say.
    pub fn parse(bytes: &[u8]) -> Result<Self, ScenarioError> {
        if bytes.len() > MAX_SCENARIO_BYTES {
            return Err(ScenarioError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| ScenarioError::Toml(format!("not UTF-8: {e}")))?;
        let scenario: Self = toml::from_str(text).map_err(|e| ScenarioError::Toml(e.to_string()))?;
        if scenario.version != 2 {
            return Err(ScenarioError::Toml(format!("`version` {} is not known", scenario.version)));
        }
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let fail = |id: &str, what: String| Err(ScenarioError::Step { id: id.to_owned(), what });
        let mut codes = BTreeSet::new();
        for party in &self.parties {
            if !is_party_code(&party.code) || !codes.insert(party.code.as_str()) {
                return fail(&party.code, "not a party's code, or there twice".into());
            }
        }
        let unknown = |code: &&String| !codes.contains(code.as_str());
        let (mut earlier, mut latest) = (BTreeSet::new(), Timestamp::default());
        for step in &self.steps {
            let id = step.id.as_str();
            let named = [&step.from].into_iter().chain(step.to.iter().filter(|to| *to != "*"));
            if let Some(code) = named.into_iter().find(unknown) {
                return fail(id, format!("{code} is not a party of the scenario"));
            }
            if let Some(re) = step.re.iter().find(|re| !earlier.contains(re.as_str())) {
                return fail(id, format!("it refers to `{re}`, which is no earlier step"));
            }
            if step.at < latest {
                return fail(id, format!("{} is before the step in front of it", step.at));
            }
            if !earlier.insert(id) {
                return fail(id, "it stands there twice".into());
            }
            latest = step.at;
        }
        for away in &self.away {
            if unknown(&&away.party) || away.until.is_some_and(|until| until <= away.from) {
                return fail(&away.party, "its absence is of no party, or ends before it begins".into());
            }
        }
        Ok(())
    }
}
