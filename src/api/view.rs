//! What the local API says, as it goes over the socket and as `--json` prints it.
//!
//! Field names are stable: scripts rely on them. Times are UTC, `2021-06-18T09:00:00Z`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ledger::{Attachment, Mark, Signer, Timestamp};

/// A party, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyView {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
}

/// The node as a whole: `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// Version of the program.
    pub version: String,
    /// Whose node it is.
    pub party: PartyView,
    /// The treaty's title.
    pub treaty: String,
    /// The ledger's name.
    pub ledger: String,
    /// Amendments of the treaty file that are known.
    #[serde(default)]
    pub amendments: usize,
    /// SHA-256 of the treaty file, in hex.
    pub treaty_sha256: String,
    /// This node's clock.
    pub time: Timestamp,
    /// When it started.
    pub started: Timestamp,
    /// Whether it signs.
    pub signs: bool,
    /// `signing`, or the reason why not: `unheard`, `settling`, `behind`, `below-high-water`, `contradicted`.
    pub mode: String,
    /// The same as a sentence.
    pub mode_text: String,
    /// Parties whose nodes are connected, this one not counted.
    pub connected: usize,
    /// Every party's log.
    pub logs: Vec<LogView>,
}

/// One party's log, as this node sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogView {
    /// Whose.
    pub party: PartyView,
    /// It is this node's own.
    pub own: bool,
    /// Its node is connected.
    pub connected: bool,
    /// By how many milliseconds its clock is ahead of this one's, half a round trip more or less; `null` if not known.
    pub clock_ahead_ms: Option<i64>,
    /// Records held.
    pub records: u64,
    /// Records that the log is known to have.
    pub known: u64,
    /// Records that are final: receipted by the quorum.
    pub final_records: u64,
    /// So many amendments of the treaty file hold in it.
    #[serde(default)]
    pub amendments: usize,
    /// Its party is a former one.
    #[serde(default)]
    pub former: bool,
    /// Two contradictory heads of it exist.
    pub forked: bool,
    /// Sizes of signed heads of it of which only missing records tell whether they contradict it: until then this node gives it
    /// no receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_doubt: Vec<u64>,
    /// Why nothing more of it is fetched for the time being, although there is more: `budget`, or `disk`.
    #[serde(default)]
    pub not_fetched: Option<String>,
    /// The same in words.
    #[serde(default)]
    pub not_fetched_text: Option<String>,
    /// Up to how many records each other party has receipted.
    pub receipts: Vec<ReceiptedView>,
}

/// How far a party has receipted a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiptedView {
    /// Code of the party that receipts.
    pub party: String,
    /// Number of records that its receipts cover.
    pub records: u64,
}

/// A note that was handed in: `POST /v1/notes`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AcceptedView {
    /// Code of the party whose log it is in.
    pub party: String,
    /// Its number there.
    pub index: u64,
    /// How people call it: `US/12`.
    pub number: String,
    /// Its leaf hash, in hex. There is none yet of a restart certificate that is accepted, and becomes a record when those
    /// before it are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    /// It was there before.
    pub already: bool,
}

/// A notification in a list: `GET /v1/notes`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoteView {
    /// How people call it: `US/12`.
    pub number: String,
    /// Code of the party whose log it is in.
    pub party: String,
    /// Its number there.
    pub index: u64,
    /// Its id, in hex.
    pub id: String,
    /// Kind.
    pub kind: String,
    /// The kind's title.
    pub title: String,
    /// Who says to send it.
    pub from: String,
    /// Addressees; `*` for all.
    pub to: Vec<String>,
    /// When the official says to have issued it.
    pub issued: Timestamp,
    /// When the sender says to have logged it.
    pub logged: Timestamp,
    /// When it came to this node, by this node's clock.
    pub arrived: Option<Timestamp>,
    /// The notes that it refers to, as `US/12`.
    pub re: Vec<String>,
    /// It has the quorum's receipts.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Number of other parties that have receipted it.
    pub receipts: usize,
    /// Number of other parties.
    pub others: usize,
    /// What is not in order; empty if all is.
    pub marks: Vec<Mark>,
    /// Place in this node's order of arrival, to go on from.
    pub sequence: u64,
}

/// A notification in full: `GET /v1/notes/US/12`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoteDetail {
    /// As in a list.
    #[serde(flatten)]
    pub note: NoteView,
    /// Its leaf hash, in hex.
    pub leaf: String,
    /// The fields of its kind.
    pub body: Map<String, Value>,
    /// The fields' titles, in the profile's order.
    pub fields: Vec<(String, String)>,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
    /// The officials who signed it.
    pub signers: Vec<Signer>,
    /// Who has receipted it.
    pub receipts_by: Vec<ReceiptView>,
    /// Codes of the parties that have not.
    pub missing: Vec<String>,
    /// Notes that refer to it.
    pub replies: Vec<NoteView>,
    /// The signed note, as it was signed.
    pub signed: String,
}

/// One party's receipt on a note.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiptView {
    /// Who receipts.
    pub party: PartyView,
    /// By that party's clock.
    pub time: Timestamp,
    /// Where the receipt stands, as `CA/7`.
    pub number: String,
}

/// A record that is no notification: `GET /v1/records/US/12`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordView {
    /// How people call it.
    pub number: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When its writer says to have written it.
    pub time: Timestamp,
    /// Its leaf hash, in hex.
    pub leaf: String,
    /// Its text.
    pub text: String,
}

/// Something that happened: `GET /v1/events`, one JSON text an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventView {
    /// A notification was stored.
    Note {
        /// The note.
        note: Box<NoteView>,
    },
    /// A party's receipt was seen.
    Receipt {
        /// Code of the party whose log is receipted.
        log: String,
        /// Who receipts.
        by: PartyView,
        /// Up to how many records.
        records: u64,
        /// By the receipting party's clock.
        time: Timestamp,
        /// Records of that log that are final now.
        final_records: u64,
    },
    /// A log was proved to have forked.
    Fork {
        /// Whose.
        party: PartyView,
    },
    /// The root of a log that had forked accepted both branches, and the log goes on.
    Restarted {
        /// Whose.
        party: PartyView,
    },
    /// The node began to sign, or stopped.
    Mode {
        /// Whether it signs.
        signs: bool,
        /// Why, or why not.
        text: String,
    },
    /// The treaty file has one amendment more.
    Amended {
        /// So many it has now.
        amendments: usize,
    },
    /// Two amendments of one number are known that the parties signed; neither holds.
    Contested {
        /// The number.
        number: usize,
    },
    /// A peer sent something that does not hold.
    Fault {
        /// Which peer.
        party: PartyView,
        /// What was wrong.
        what: String,
    },
    /// A peer has another treaty file.
    OtherTreaty {
        /// Which peer.
        party: PartyView,
    },
    /// The watcher was too slow and missed events.
    Missed {
        /// How many.
        events: u64,
    },
}

/// Why a request was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorView {
    /// Stable word: `not-signing`, `refused`, `too-long`, `unknown`, `stopping`, `reading`, `request`, `not-evidence`.
    pub code: String,
    /// One sentence.
    pub error: String,
}

/// Where a copy of the database was put: `POST /v1/snapshot`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotView {
    /// The folder; whoever asked for it removes it.
    pub path: std::path::PathBuf,
}
