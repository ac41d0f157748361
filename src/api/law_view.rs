//! What the local API says of what follows from the notes: what is due, what takes effect, what a party is, and how
//! much of its quota is used.
//!
//! Words are neutral: the ledger counts and compares, and says how it did.

use serde::{Deserialize, Serialize};

use super::view::PartyView;
use crate::law::{QuotaView, Step};
use crate::ledger::Timestamp;
use crate::ledger::profile::Standing;

/// What is due, as of a time: `GET /v1/due`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DueList {
    /// As of when it was computed.
    pub as_of: Timestamp,
    /// The treaty's title.
    pub treaty: String,
    /// The ledger's name.
    pub ledger: String,
    /// The items, in the order of their times.
    pub items: Vec<ItemView>,
    /// Notes that stand in the logs and count for nothing, in sentences; the last 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disregarded: Vec<String>,
    /// What is not held and might change all that, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_held: Vec<String>,
}

/// Something that is due, or that takes effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemView {
    /// The profile's rule: kind and name, as `withdrawal/conference`.
    pub rule: String,
    /// What is due, or takes effect.
    pub title: String,
    /// Where the treaty says so.
    pub article: String,
    /// The note from which it follows, as `US/15`; empty for what is due every year.
    pub note: String,
    /// That note's kind, in words.
    pub note_title: String,
    /// Who owes it, of whom one is enough; whose standing changes, where something takes effect.
    pub by: Vec<PartyView>,
    /// To whom it is owed.
    pub to: Vec<PartyView>,
    /// `waiting`, `open`, `announced`, `met`, `early`, `late`, `missed`, `deemed`, `no-time`, `not-applicable`; of an
    /// effect `waiting`, `pending`, `in-effect`, `no-time`, `revoked`.
    pub state: String,
    /// The same in words: `late by 3 h 12 min`.
    pub state_text: String,
    /// It is due at once: no time is set.
    pub promptly: bool,
    /// How it stands, in one sentence.
    pub text: String,
    /// What follows when the time has run, as the profile says it.
    pub then: String,
    /// Something takes effect; otherwise something is due.
    pub effect: bool,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not later than; or when it takes effect.
    pub until: Option<Timestamp>,
    /// When it takes effect in the words of the note itself.
    pub claimed: Option<Timestamp>,
    /// The note that answers it, as `CA/16`; that revoked it.
    pub answer: Option<String>,
    /// The moment of that answer which counts.
    pub answered: Option<Timestamp>,
    /// How it was computed, step by step.
    pub steps: Vec<Step>,
    /// What others make of it: another reading of the treaty, a date that a note names.
    pub readings: Vec<ReadingView>,
    /// What of the rule could not be checked against the treaty's text.
    pub unconfirmed: Option<String>,
}

/// Another reading of the same rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadingView {
    /// Whose, or why.
    pub title: String,
    /// Not before, by this reading.
    pub from: Option<Timestamp>,
    /// Not later than, or in effect from, by this reading.
    pub until: Option<Timestamp>,
    /// Numbers of the records that say so.
    pub records: Vec<String>,
    /// How it stands by this reading, in words, where another moment of what does it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_text: Option<String>,
    /// It comes to something else than what was computed.
    pub differs: bool,
}

/// One thread of notes with what follows from them: `GET /v1/timeline/US/15`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimelineView {
    /// As of when it was computed.
    pub as_of: Timestamp,
    /// The treaty's title.
    pub treaty: String,
    /// The note that was asked about, as `US/15`.
    pub number: String,
    /// The notes of the thread, in the order of their times.
    pub notes: Vec<ThreadNote>,
    /// There are more: only the 256 nearest notes are told.
    pub is_cut: bool,
    /// What follows from them.
    pub items: Vec<ItemView>,
    /// What the senders are, over time, as far as notes of this thread change it.
    pub standing: Vec<StandingView>,
}

/// A note of a thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThreadNote {
    /// How people call it: `US/15`.
    pub number: String,
    /// Kind.
    pub kind: String,
    /// The kind's title.
    pub title: String,
    /// Who sent it.
    pub from: PartyView,
    /// Addressees; `*` for all.
    pub to: Vec<String>,
    /// When its sender says to have logged it.
    pub logged: Timestamp,
    /// The notes that it refers to, as `US/14`.
    pub re: Vec<String>,
    /// It is a notice: `false` for an announcement, which starts no clock.
    pub notice: bool,
    /// What it says, in the profile's words: titles of fields and their values.
    pub says: Vec<(String, String)>,
    /// What is said about it beside its kind: that it revokes another one, was revoked itself, names an earlier date.
    pub remarks: Vec<String>,
    /// When each depositary received it, as far as it is addressed to them by name.
    pub depositaries: Vec<DepositaryView>,
}

/// A depositary's receipt of a note.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DepositaryView {
    /// Which.
    pub party: PartyView,
    /// When its node receipted it, by its clock; not yet, without it.
    pub received: Option<Timestamp>,
    /// Where that receipt stands, as `CA/12`.
    pub number: Option<String>,
}

/// What every party is, and what it has used of its quota: `GET /v1/parties`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartiesView {
    /// As of when it was computed.
    pub as_of: Timestamp,
    /// The treaty's title.
    pub treaty: String,
    /// Every party, over time.
    pub standing: Vec<StandingView>,
    /// What the quota counts; `None` if the profile has none.
    pub quota: Option<QuotasView>,
}

/// What a party is, from a moment on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StandingView {
    /// Which party.
    pub party: PartyView,
    /// `state-party`, `notice-given`, `former-party`, `acceding`.
    pub standing: Standing,
    /// In words.
    pub words: String,
    /// Since when; from the beginning of the ledger without it.
    pub since: Option<Timestamp>,
    /// Until when; `None` as far as can be said.
    pub until: Option<Timestamp>,
    /// The note from which it follows.
    pub note: Option<String>,
    /// It is what the party is at the time asked about.
    pub now: bool,
}

/// A year's quota.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotasView {
    /// What is counted, for people.
    pub title: String,
    /// Where the treaty speaks of it.
    pub article: String,
    /// Which year.
    pub year: i16,
    /// The note whose distribution of active quota counts, if one does.
    pub distribution: Option<String>,
    /// The year that this note names, which may be an earlier one.
    pub distribution_year: Option<i64>,
    /// The holders.
    pub holders: Vec<QuotaView>,
    /// What of it could not be checked against the treaty's text.
    pub unconfirmed: Option<String>,
}
