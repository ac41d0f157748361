//! Clocks, as a treaty states them: from where a time is counted, how, and what follows when it has run.
//!
//! Nothing here computes; [`crate::ledger`] only says what the profile says.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::address::Address;
use super::ender::Ender;
use super::start::Start;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 3,600 seconds.
    Hour,
    /// A calendar day in the rule's zone.
    Day,
    /// Seven calendar days.
    Week,
    /// A calendar month: the same day of a later month, or its last day where it has no such day.
    Month,
    /// Twelve calendar months.
    Year,
}

impl Unit {
    /// How many of them a hundred years have: the longest time that a treaty may name.
    fn most(self) -> u32 {
        match self {
            Self::Hour => 876_600,
            Self::Day => 36_525,
            Self::Week => 5_218,
            Self::Month => 1_200,
            Self::Year => 100,
        }
    }
}

/// A length of time as treaties name it: `24 hours`, `7 days`, `6 months`; at most a hundred years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub n: u32,
    /// Of what.
    pub unit: Unit,
}

impl Count {
    /// Reads `24 hours`, `1 day`, `6 months`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let n = number.parse::<u32>().ok().filter(|n| n.to_string() == number)?;
        let unit = match unit {
            "hour" | "hours" => Unit::Hour,
            "day" | "days" => Unit::Day,
            "week" | "weeks" => Unit::Week,
            "month" | "months" => Unit::Month,
            "year" | "years" => Unit::Year,
            _ => return None,
        };
        (n <= unit.most()).then_some(Self { n, unit })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Year => "year",
        };
        write!(f, "{} {unit}{}", self.n, if self.n == 1 { "" } else { "s" })
    }
}

/// A moment in a note's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// `sent`: its sender logged it.
    Sent,
    /// `received`: by whoever owes what the rule is about; where nobody does, by each addressee.
    Received,
    /// `received-by-each`: the last of its addressees has received it.
    ReceivedByEach,
    /// `received-by-depositary`: the first depositary among its addressees has received it.
    ReceivedByDepositary,
    /// `received-by-each-depositary`: the last depositary among its addressees has received it.
    ReceivedByEachDepositary,
    /// `informed-by-depositary`: whoever owes has received a depositary's note about it (a kind with `informs`).
    InformedByDepositary,
    /// `field:arrival`: the date or time that the note names in a field.
    Field(String),
}

impl Point {
    /// Whether the note and its sender's log alone say when it was, without a receipt.
    pub fn is_its_own(&self) -> bool {
        matches!(self, Self::Sent | Self::Field(_))
    }

    /// Reads its word.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "sent" => Self::Sent,
            "received" => Self::Received,
            "received-by-each" => Self::ReceivedByEach,
            "received-by-depositary" => Self::ReceivedByDepositary,
            "received-by-each-depositary" => Self::ReceivedByEachDepositary,
            "informed-by-depositary" => Self::InformedByDepositary,
            _ => Self::Field(text.strip_prefix("field:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::ReceivedByEach => "received-by-each",
            Self::ReceivedByDepositary => "received-by-depositary",
            Self::ReceivedByEachDepositary => "received-by-each-depositary",
            Self::InformedByDepositary => "informed-by-depositary",
            Self::Field(name) => return write!(f, "field:{name}"),
        })
    }
}

/// Whether the day of the event counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// It does not: day 1 is the day after. The usual rule.
    #[default]
    Exclusive,
    /// It does: day 1 is the day of the event.
    Inclusive,
}

/// Which moment of the last day a time that is counted in days or longer ends at. Hours end to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// At 00:00, when the day begins.
    StartOfDay,
    /// At the clock time of the start.
    Moment,
    /// With the day: a deadline at 23:59:59, an effect at 00:00 of the day after.
    EndOfDay,
}

/// What is taken to have happened when the time has run without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deemed {
    /// Deemed accepted.
    Accepted,
    /// Deemed received.
    Received,
    /// Deemed approved.
    Approved,
    /// Deemed declined.
    Declined,
}

impl Deemed {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Received => "received",
            Self::Approved => "approved",
            Self::Declined => "declined",
        }
    }
}

/// Another way to count, which somebody holds: computed beside the first. What is not given is as in the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Who reads it so, or why, for people.
    pub title: String,
    /// Another start.
    #[serde(default)]
    pub start: Option<Start>,
    /// Another length: of `within`, `before` or an effect's `after`.
    #[serde(default)]
    pub length: Option<Count>,
    /// Whether the day of the event counts.
    #[serde(default)]
    pub counting: Option<Counting>,
    /// Where the last day ends.
    #[serde(default)]
    pub ends: Option<Ends>,
    /// IANA time zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// Another moment of what does it that counts: `sent`, `received` or `field:NAME`. Such a reading says by itself how it
    /// stands.
    #[serde(default)]
    pub act: Option<Point>,
}

/// `[[kind.X.due]]`: what is due when a note of the kind is sent, from whom, and by when.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// Names the rule within its kind: lower-case words with hyphens. A proof of silence names it.
    pub id: String,
    /// What is due, for people.
    pub title: String,
    /// Where the treaty says so.
    #[serde(default)]
    pub article: String,
    /// Who owes it: each of them; with `any` one of them is enough. Not with `itself`: there it is the sender.
    #[serde(default)]
    pub by: Vec<Address>,
    /// To whom it is owed; the sender, unless others are named.
    #[serde(default)]
    pub to: Vec<Address>,
    /// Kinds of notes that answer it; they refer to the note.
    #[serde(default)]
    pub answer: Vec<String>,
    /// Only answers whose fields are so.
    #[serde(default)]
    pub answer_when: BTreeMap<String, Value>,
    /// The note itself has to be in time: it answers for itself.
    #[serde(default)]
    pub itself: bool,
    /// Which moment of the answer has to be in time: `sent` (unless another is named), `received`, or a field of it.
    #[serde(default)]
    pub act: Option<Point>,
    /// An answer may also refer to a note that refers to this one, and so on.
    #[serde(default)]
    pub thread: bool,
    /// From where it is counted.
    pub start: Start,
    /// Not later than so long after the start.
    #[serde(default)]
    pub within: Option<Count>,
    /// Not later than so long before the start, which is an event to come.
    #[serde(default)]
    pub before: Option<Count>,
    /// Not before so long after the start.
    #[serde(default)]
    pub not_before: Option<Count>,
    /// Both: not before the first, not later than the second.
    #[serde(default)]
    pub window: Option<[Count; 2]>,
    /// At once, without a number: no time is computed, and none is missed.
    #[serde(default)]
    pub promptly: bool,
    /// On the same day as the start.
    #[serde(default)]
    pub simultaneous: bool,
    /// Whether the day of the start counts.
    #[serde(default)]
    pub counting: Counting,
    /// Which moment of the last day it is; its end, unless another is named.
    #[serde(default)]
    pub ends: Option<Ends>,
    /// IANA time zone of its days; the profile's, unless it is given.
    #[serde(default)]
    pub zone: Option<String>,
    /// Only for notes whose fields are so.
    #[serde(default)]
    pub when: BTreeMap<String, Value>,
    /// What ends this without an answer: kinds of notes that refer to the note. That its sender takes the note back ends
    /// it too, and is not named here.
    #[serde(default)]
    pub ended_by: Vec<Ender>,
    /// Fields on which this rests and which a note may leave out: without them no time is computed, and nobody owes.
    #[serde(default)]
    pub optional: Vec<String>,
    /// What silence is taken for.
    #[serde(default)]
    pub deemed: Option<Deemed>,
    /// What follows when the time has run, for people.
    #[serde(default)]
    pub then: String,
    /// Other readings, computed beside this one.
    #[serde(default)]
    pub disputed: Vec<Reading>,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

impl Due {
    /// Whether it sets a last time.
    pub fn has_limit(&self) -> bool {
        self.simultaneous || self.before.is_some() || self.window.is_some() || self.within.is_some()
    }
}

/// What a party is, over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Bound by the treaty.
    StateParty,
    /// Bound, and has given notice that it will not be.
    NoticeGiven,
    /// Was bound.
    FormerParty,
    /// Has asked to be bound.
    Acceding,
}

impl Standing {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::StateParty => "state party",
            Self::NoticeGiven => "state party, notice given",
            Self::FormerParty => "former state party",
            Self::Acceding => "acceding state",
        }
    }
}

/// What a kind of note says of the same thing in its own words: a depositary's circular about a withdrawal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The kind; its notes refer to the note.
    pub kind: String,
    /// Its field with the day or time on which its sender received the note.
    #[serde(default)]
    pub received: Option<String>,
    /// Its field with the day on which, its sender says, the note takes effect.
    #[serde(default)]
    pub effective: Option<String>,
}

/// `[[kind.X.effect]]`: when a note of the kind takes effect, and what its sender is then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Names the rule within its kind.
    pub id: String,
    /// What takes effect, for people.
    pub title: String,
    /// Where the treaty says so.
    #[serde(default)]
    pub article: String,
    /// From where it is counted.
    pub start: Start,
    /// How long after the start. Without it, at the start.
    #[serde(default)]
    pub after: Option<Count>,
    /// Whether the day of the start counts.
    #[serde(default)]
    pub counting: Counting,
    /// Which moment of the last day it is; its beginning, unless another is named.
    #[serde(default)]
    pub ends: Option<Ends>,
    /// IANA time zone of its days.
    #[serde(default)]
    pub zone: Option<String>,
    /// The field in which the sender names the date. A later date than the computed one counts; an earlier one is shown
    /// beside it.
    #[serde(default)]
    pub claimed: Option<String>,
    /// What others state of it, each shown with its own date.
    #[serde(default)]
    pub stated: Vec<Statement>,
    /// What the sender (or whom `of` names) is between the note and its effect.
    #[serde(default)]
    pub meanwhile: Option<Standing>,
    /// What it is from then on.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// Whose standing: the sender's, unless a field is named.
    #[serde(default)]
    pub of: Option<Address>,
    /// Only for notes whose fields are so.
    #[serde(default)]
    pub when: BTreeMap<String, Value>,
    /// Fields from which it is counted and which a note may leave out: without them no time is computed.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Other readings, computed beside this one.
    #[serde(default)]
    pub disputed: Vec<Reading>,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

/// A day of every year: `12-15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct YearDay {
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31; a day that each year has.
    pub day: i8,
}

impl YearDay {
    /// Reads `12-15`. 29 February is refused: not every year has one.
    pub fn parse(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = format!("2001-{text}").parse().ok()?;
        (text.len() == 5).then(|| Self { month: date.month(), day: date.day() })
    }
}

impl fmt::Display for YearDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

/// `[[periodic]]`: what is due every year, without a note that asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Periodic {
    /// Names the rule; no kind's rule has the same id.
    pub id: String,
    /// What is due, for people.
    pub title: String,
    /// Where the treaty says so.
    #[serde(default)]
    pub article: String,
    /// Who owes it: each of them.
    pub by: Vec<Address>,
    /// Of these only who holds active quota of the year that the answer is about owes it; each of them as long as no
    /// note says who does.
    #[serde(default)]
    pub holders: bool,
    /// To whom.
    #[serde(default)]
    pub to: Vec<Address>,
    /// Kinds of notes that answer it.
    pub answer: Vec<String>,
    /// Not later than the end of these days of each year.
    pub days: Vec<YearDay>,
    /// The integer field of the answer that names the year it is about. Without it a note answers for the period between
    /// two of the days in which it was sent.
    #[serde(default)]
    pub year: Option<String>,
    /// The year that the answer is about is so many after that of the day: 1 for a plan of the next year.
    #[serde(default)]
    pub ahead: i8,
    /// IANA time zone of the days.
    #[serde(default)]
    pub zone: Option<String>,
    /// The first year in which it was due. Without it: the year after that of the ledger's first note.
    #[serde(default)]
    pub since: Option<i16>,
    /// What follows when the day has passed, for people.
    #[serde(default)]
    pub then: String,
    /// What of this could not be checked against the treaty's text.
    #[serde(default)]
    pub unconfirmed: Option<String>,
}

/// Serde for what is written as one word: read by a function, written by `Display`.
macro_rules! as_text {
    ($type:ty, $read:path, $expected:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                $read(&text).ok_or_else(|| D::Error::custom(format!(concat!("`{}` is not ", $expected), text)))
            }
        }
    };
}

as_text!(
    Count,
    Count::parse,
    "a length of time as `24 hours`, `7 days`, `2 weeks`, `6 months` or `1 year`, at most 100 years"
);
as_text!(YearDay, YearDay::parse, "a day of every year as `12-15` for 15 December");
as_text!(
    Point,
    Point::parse,
    "a moment: `sent`, `received`, `received-by-each`, `received-by-depositary`, `received-by-each-depositary`, \
     `informed-by-depositary` or `field:NAME`"
);
