//! What is said of obligations, effects, standings and quotas: for screens, for the API, for scripts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calendar::length;
use crate::ledger::Timestamp;
use crate::ledger::profile::{Deemed, Standing};

/// How it stands with something that is due, as of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Its clock has not started: what starts it has not happened.
    Waiting,
    /// Due, and there is time.
    Open,
    /// Due, and a note names a time to come at which it will be done.
    Announced,
    /// Done in time.
    Met,
    /// Done before the first time at which it could be.
    Early {
        /// By so many seconds.
        by_s: u64,
    },
    /// Done after the time had run.
    Late {
        /// By so many seconds.
        by_s: u64,
    },
    /// The time has run, and nothing is there.
    Missed {
        /// So many seconds ago.
        by_s: u64,
    },
    /// The time has run without an answer, which is taken for something.
    Deemed {
        /// For what.
        deemed: Deemed,
    },
    /// No time can be computed: a note does not say what it is counted from, or it lies outside of the years that are
    /// computed.
    NoTime {
        /// It was done; otherwise it is due.
        done: bool,
    },
    /// It is no longer due: the note was revoked, or something else came in its place.
    NotApplicable,
}

impl State {
    /// Whether something can still be done about it: it waits, is open, was missed, or is due without a time.
    pub fn is_outstanding(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Open | Self::Announced | Self::Missed { .. } | Self::NoTime { done: false }
        )
    }

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Announced => "announced",
            Self::Met => "met",
            Self::Early { .. } => "early",
            Self::Late { .. } => "late",
            Self::Missed { .. } => "missed",
            Self::Deemed { .. } => "deemed",
            Self::NoTime { .. } => "no-time",
            Self::NotApplicable => "not-applicable",
        }
    }

    /// For people: `late by 3 h 12 min`.
    pub fn words(self) -> String {
        match self {
            Self::Waiting => "waiting: its time has not begun".into(),
            Self::Open => "open".into(),
            Self::Announced => "open, announced for a time to come".into(),
            Self::Met => "met".into(),
            Self::Early { by_s } => format!("early by {}", length(by_s)),
            Self::Late { by_s } => format!("late by {}", length(by_s)),
            Self::Missed { by_s } => format!("nothing there, {} after the time had run", length(by_s)),
            Self::Deemed { deemed } => format!("deemed {}", deemed.as_str()),
            Self::NoTime { done: true } => "done; no time can be computed".into(),
            Self::NoTime { done: false } => "due; no time can be computed".into(),
            Self::NotApplicable => "no longer due".into(),
        }
    }
}

/// One step of a computation, with the records that it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// One sentence.
    pub text: String,
    /// Numbers of records, as `CA/31`.
    pub records: Vec<String>,
}

/// A note that did what was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Its number.
    pub number: String,
    /// Its kind's title.
    pub title: String,
    /// The time that counts.
    pub time: Timestamp,
}

/// Another way to count, and what it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Whose reading it is, or why.
    pub title: String,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Timestamp>,
    /// Not later than; of an effect, the time at which it would begin.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
    /// Records that say so.
    pub records: Vec<String>,
    /// How it stands by this reading, where another moment of what does it counts.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub state: Option<State>,
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Number of the note from which it follows; empty for what is due every year.
    pub number: String,
    /// That note's kind, by name; empty for what is due every year.
    pub kind: String,
    /// That kind's title, or the year.
    pub about: String,
    /// Its sender's code; empty for what is due every year.
    pub sender: String,
    /// When it was sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sent: Option<Timestamp>,
    /// The profile's rule, by its id.
    pub rule: String,
    /// What is due.
    pub title: String,
    /// Where the treaty says so.
    pub article: String,
    /// Who owes it, by code. If there are several, one of them is enough.
    pub owed_by: Vec<String>,
    /// To whom, by code.
    pub owed_to: Vec<String>,
    /// Titles of the kinds that answer it; empty if the note itself has to be in time.
    pub answers: Vec<String>,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
    /// It is due at once: no time is set, and none is missed.
    pub promptly: bool,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Timestamp>,
    /// Not later than.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
    /// What did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub act: Option<Act>,
    /// How it stands, in one sentence.
    pub text: String,
    /// What follows when the time has run, as the profile says it.
    pub then: String,
    /// How it was computed.
    pub steps: Vec<Step>,
    /// Other readings.
    pub readings: Vec<Other>,
    /// What of the rule could not be checked against the treaty's text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unconfirmed: Option<String>,
}

/// How it stands with the effect of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Force {
    /// What starts its clock has not happened.
    Waiting,
    /// No time can be computed.
    NoTime,
    /// The time has not come.
    Pending,
    /// It has taken effect.
    InEffect,
    /// It was revoked before.
    Revoked,
}

/// When a note takes effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectView {
    /// The note's number.
    pub number: String,
    /// Its kind, by name.
    pub kind: String,
    /// Whose effect it is, by code.
    pub party: Vec<String>,
    /// When it was sent.
    pub sent: Timestamp,
    /// The profile's rule, by its id.
    pub rule: String,
    /// What takes effect.
    pub title: String,
    /// Where the treaty says so.
    pub article: String,
    /// How it stands.
    pub force: Force,
    /// The earliest effect that the treaty's clock allows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub computed: Option<Timestamp>,
    /// The date that the sender names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed: Option<Timestamp>,
    /// The later of the two: when it takes effect.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective: Option<Timestamp>,
    /// The note that revoked it, or tried to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_by: Option<String>,
    /// How it stands, in one sentence.
    pub text: String,
    /// How it was computed.
    pub steps: Vec<Step>,
    /// Other readings: each depositary's receipt and words, the sender's own, and those that the profile knows.
    pub readings: Vec<Other>,
    /// What of the rule could not be checked against the treaty's text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unconfirmed: Option<String>,
}

/// What a party is from a time on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// From when on; nothing for what it was from the beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Timestamp>,
    /// What it is.
    pub standing: Standing,
    /// The note by which it is that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<String>,
    /// The amendment of the treaty file by which it is that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amendment: Option<usize>,
}

/// A party's standing over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyStanding {
    /// Its code.
    pub party: String,
    /// What it is at the time asked about.
    pub now: Standing,
    /// For people.
    pub text: String,
    /// In order of time; those to come included.
    pub changes: Vec<Change>,
}

/// A holder's quota in a year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    /// A party's code, or a group's name.
    pub holder: String,
    /// For people.
    pub title: String,
    /// How many it has to bear.
    pub passive: Option<u32>,
    /// How many were used of that.
    pub passive_used: u32,
    /// How many it may carry out; nothing if neither the profile nor a note says.
    pub active: Option<u32>,
    /// How many it carried out.
    pub active_used: u32,
    /// How many it received from others.
    pub received: u32,
    /// How many it handed over.
    pub handed_over: u32,
    /// How many of its active quota were not charged after all.
    pub not_charged: u32,
    /// Notes that were charged to its active or passive quota.
    pub charged: Vec<String>,
    /// Its active quota by whom it observes: a party's code, or a group's name.
    pub over: BTreeMap<String, OverView>,
}

/// A holder's active quota over one other in a year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverView {
    /// How many it may carry out there; nothing if no note says.
    pub active: Option<u32>,
    /// How many it carried out there.
    pub used: u32,
    /// How many it received from others.
    pub received: u32,
    /// How many it handed over.
    pub handed_over: u32,
}
