//! The story's parties, with keys that follow from their codes.

use std::fmt::Write;
use std::sync::Arc;

use verbale::ledger::{Profile, Treaty};
use verbale::note::{KeyType, SigningKey};
use verbale::scenario::{Keys, Scenario};
use verbale::tlog::Hash;

pub const PROFILE: &str = include_str!("../../config/open-skies/profile.toml");
pub const STORY: &str = include_str!("../../config/open-skies/story.toml");
pub const WHAT_IF: &str = include_str!("what-if.toml");

pub fn profile() -> Profile {
    Profile::parse(PROFILE.as_bytes()).unwrap()
}

pub fn story() -> Scenario {
    Scenario::parse(STORY.as_bytes()).unwrap()
}

/// What a play needs beside its scenario.
pub struct Stage {
    pub treaty: Arc<Treaty>,
    pub profile: Arc<Profile>,
    pub keys: Vec<Keys>,
}

fn keys(code: &str) -> Keys {
    let key = |job: &str, kind| {
        let name = if job == "log" { format!("open-skies/{code}") } else { format!("open-skies/{code}/{job}") };
        SigningKey::from_seed(&name, kind, &Hash::digest(format!("{code} {job}").as_bytes()).0).unwrap()
    };
    Keys {
        root: key("root", KeyType::Ed25519),
        log: key("log", KeyType::Ed25519),
        witness: key("witness", KeyType::Cosignature),
        official: key("ministry", KeyType::Ed25519),
        title: "Foreign Ministry".into(),
    }
}

impl Stage {
    /// A treaty of a scenario's parties, in which any of the depositaries and a majority make a note final.
    pub fn new(scenario: &Scenario, profile: &str) -> Self {
        Self {
            treaty: Arc::new(Treaty::parse(treaty_text(scenario, profile).as_bytes()).unwrap()),
            profile: Arc::new(Profile::parse(profile.as_bytes()).unwrap()),
            keys: scenario.parties.iter().map(|party| keys(&party.code)).collect(),
        }
    }
}

/// The treaty file of such a treaty.
pub fn treaty_text(scenario: &Scenario, profile: &str) -> String {
    let codes: Vec<_> = scenario.parties.iter().map(|party| party.code.as_str()).collect();
    let mut text = format!(
        "version = 1\nname = \"open-skies\"\ntitle = \"Treaty on Open Skies\"\nprofile_sha256 = \"{}\"\nquorum = \"\"\"\n\
             group parties {} {}\nquorum parties\n\"\"\"\n",
        Hash::digest(profile.as_bytes()).to_hex(),
        codes.len() / 2,
        codes.join(" ")
    );
    for (at, party) in scenario.parties.iter().enumerate() {
        let keys = keys(&party.code);
        let roles = party.roles.iter().map(|role| serde_json::to_string(role).unwrap()).collect::<Vec<_>>();
        let peer = format!("12D3KooWPlayed{at:038}").replace('0', "x");
        write!(
            text,
            "[[party]]\ncode = \"{}\"\nname = \"{}\"\nroles = [{}]\nroot = \"{}\"\nlog = \"{}\"\nwitness = \"{}\"\n\
                 peer = \"{peer}\"\naddresses = []\n",
            party.code,
            party.name,
            roles.join(", "),
            keys.root.public(),
            keys.log.public(),
            keys.witness.public()
        )
        .unwrap();
    }
    text
}
