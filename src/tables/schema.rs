//! The tables' columns: names, types, units, meanings. `docs/export.md` has the same, and a test holds them together.

use serde::Serialize;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A row for each note.
    Notifications,
    /// A row for each receipt.
    Receipts,
    /// A row for each thing that was or is due.
    Deadlines,
    /// A row for each other thing that happened, or will on a known date.
    Events,
}

/// All tables, in the order of their numbers.
pub const TABLES: [Table; 4] = [Table::Notifications, Table::Receipts, Table::Deadlines, Table::Events];

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Unicode text.
    Text,
    /// A whole number of 0 or more, below 2^63.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A moment in UTC, to the second: `2021-06-18T09:00:00Z`; in Parquet a timestamp in UTC.
    Time,
    /// JSON: itself in JSON Lines, its text elsewhere.
    Json,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What stands in it.
    #[serde(rename = "type")]
    pub of: Type,
    /// What a number counts, or whose clock a time was read from; empty where that does not apply.
    pub unit: &'static str,
    /// Whether it may be empty.
    pub optional: bool,
    /// What it means.
    pub meaning: &'static str,
}

const fn column(name: &'static str, of: Type, unit: &'static str, optional: bool, meaning: &'static str) -> Column {
    Column { name, of, unit, optional, meaning }
}

use Type::{Boolean, Integer, Json, Text, Time};

const SENDER: &str = "sender's clock";

const BRANCH: &str = "Of what stands on a branch that the log left: the number, from 1, of the restart certificate that says so. Empty for \
                      the log itself.";

const NOTIFICATIONS: &[Column] = &[
    column(
        "number",
        Text,
        "",
        false,
        "The note's number: its sender's code and its place in that log, as `US/15`, or `US~1/15` on a branch that the log left.",
    ),
    column("sender", Text, "", false, "Code of the party in whose log it stands."),
    column("record", Integer, "index", false, "Its place in that log, from 0."),
    column("leaf", Text, "", false, "Its leaf hash (RFC 9162), in hex: what references, proofs and evidence name."),
    column(
        "withheld",
        Boolean,
        "",
        false,
        "Only the leaf hash is here; of the other columns, those up to here are filled.",
    ),
    column("id", Text, "", true, "The note's own 128-bit identity, in hex."),
    column("kind", Text, "", true, "Its kind, as the profile names it."),
    column("title", Text, "", true, "That kind's title."),
    column("issued", Time, "signer's clock", true, "When the official says that it was issued."),
    column("logged", Time, SENDER, true, "When the sender's node logged it."),
    column("to", Json, "", true, "Addressees: an array of codes, `*` for all parties."),
    column("re", Json, "", true, "Notes that it refers to: an array of numbers."),
    column("signers", Json, "", true, "Titles of the officials whose signatures count: an array."),
    column(
        "marks",
        Json,
        "",
        true,
        "Stable words for what is to be said of it, as `unauthorised`: an array, empty if nothing is.",
    ),
    column("attachments", Integer, "files", true, "How many files go with it."),
    column("body", Json, "", true, "What it says: an object with the fields of its kind."),
    column("bytes", Integer, "bytes", true, "Length of its record."),
    column("received_by", Integer, "parties", true, "How many other parties' receipts for it are here."),
    column(
        "final",
        Time,
        "receivers' clocks",
        true,
        "Since when those receipts make the treaty's quorum; empty if they do not.",
    ),
    column("branch", Integer, "", true, BRANCH),
];

const RECEIPTS: &[Column] = &[
    column("number", Text, "", false, "The receipt's number: the receiver's code and its place in that log."),
    column("receiver", Text, "", false, "Code of the party that gives the receipt."),
    column("record", Integer, "index", false, "Its place in the receiver's log, from 0."),
    column("log", Text, "", false, "Code of the party whose log it is for."),
    column("size", Integer, "records", false, "It covers the records of that log below this number."),
    column("root", Text, "", false, "The root hash of that log at that size, in hex."),
    column("received", Time, "receiver's clock", false, "When the receiver had stored all of them."),
    column("logged", Time, "receiver's clock", false, "When the receiver logged the receipt."),
    column("branch", Integer, "", true, BRANCH),
    column(
        "of_branch",
        Integer,
        "",
        true,
        "The branch of `log` that it covers, by the same number; empty if it covers the log itself.",
    ),
];

const DEADLINES: &[Column] = &[
    column("note", Text, "", true, "Number of the note from which it follows; empty for what is due every year."),
    column("kind", Text, "", true, "That note's kind."),
    column("about", Text, "", false, "That kind's title, or the year."),
    column("sender", Text, "", true, "Code of that note's sender."),
    column("sent", Time, SENDER, true, "When it was logged."),
    column("rule", Text, "", false, "The profile's rule, by its id."),
    column("title", Text, "", false, "What is due."),
    column("article", Text, "", false, "Where the treaty says so."),
    column("owed_by", Json, "", false, "Codes of those who owe it: an array; one of them is enough."),
    column("owed_to", Json, "", false, "Codes of those to whom it is owed: an array."),
    column(
        "state",
        Text,
        "",
        false,
        "`waiting`, `open`, `announced`, `met`, `early`, `late`, `missed`, `deemed`, `no-time` or `not-applicable`, as of `as_of`.",
    ),
    column("by_s", Integer, "seconds", true, "By how much it was early or late; how long ago a missed time ran out."),
    column("not_before", Time, "as computed", true, "The first moment at which it may be done."),
    column("until", Time, "as computed", true, "The last moment at which it is in time."),
    column("answer", Text, "", true, "Number of the note that did it."),
    column("answered", Time, "as the rule says", true, "The time of that note that counts."),
    column("text", Text, "", false, "How it stands, in one sentence."),
    column("steps", Json, "", false, "How it was computed: an array of sentences."),
    column("readings", Json, "", false, "Other ways to count: an array of objects with `title`, `from`, `until`."),
    column("unconfirmed", Text, "", true, "What of the rule could not be checked against the treaty's text."),
    column(
        "whole",
        Boolean,
        "",
        false,
        "Computed from the whole ledger; otherwise an answer may exist that is not here.",
    ),
    column("as_of", Time, "", false, "The time as of which the state was computed."),
];

const EVENTS: &[Column] = &[
    column(
        "time",
        Time,
        "see `event`",
        true,
        "When: for a record the time at which its party logged it; otherwise as computed; empty if not known yet.",
    ),
    column(
        "event",
        Text,
        "",
        false,
        "`grant`, `revocation`, `rotation`, `amendment`, `fork`, `restart`, `void`, `effect` or `standing`.",
    ),
    column("party", Text, "", false, "Code of the party that it concerns."),
    column("number", Text, "", true, "The record in which it stands, or from which it follows."),
    column(
        "state",
        Text,
        "",
        true,
        "Of an effect `waiting`, `pending`, `in-effect`, `no-time` or `revoked`; of a standing, what the party is from then on.",
    ),
    column("rule", Text, "", true, "Of an effect, the profile's rule by its id."),
    column("article", Text, "", true, "Of an effect, where the treaty says so."),
    column("text", Text, "", false, "In one sentence."),
    column("branch", Integer, "", true, BRANCH),
];

impl Table {
    /// Its name, and that of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Receipts => "receipts",
            Self::Deadlines => "deadlines",
            Self::Events => "events",
        }
    }

    /// Its columns, in order.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Notifications => NOTIFICATIONS,
            Self::Receipts => RECEIPTS,
            Self::Deadlines => DEADLINES,
            Self::Events => EVENTS,
        }
    }
}
