//! What the parties say to each other and how it is kept: records, notifications, credentials, receipts, fork proofs;
//! the treaty file and the profile; validity; evidence.

mod amended;
mod amendment;
pub mod calendar;
pub mod canon;
mod carried;
mod chain;
mod check;
mod credential;
mod evidence;
mod explain;
mod fault;
mod fields;
mod fork;
mod key_life;
mod keyring;
mod notification;
mod officials;
mod outside;
pub mod profile;
mod receipt;
mod record;
mod references;
mod restart;
mod silence;
mod time;
mod treaty;
mod validity;
mod verdict;

pub use amended::{Adoption, Place, StatusChange};
pub use amendment::{
    Amendment, AmendmentError, AmendmentRule, Change, MAX_AMENDMENT_BYTES, MAX_AMENDMENTS, Share, Signatures,
};
pub use carried::carried_keys;
pub use chain::AmendmentPart;
pub use check::verify_evidence;
pub use credential::{Credential, CredentialError, Grant, Job, MAX_REASON_BYTES, NewKey, Revocation, Rotation};
pub use evidence::{
    Anchor, Evidence, EvidenceError, HeadPart, Included, MAX_ANCHORS, MAX_CREDENTIALS, MAX_EVIDENCE_BYTES, MAX_KEYS,
    PartError, parse_bare_fork,
};
pub use explain::{Explanation, explain_evidence};
pub use fault::{Fault, FaultPlace};
pub use fields::FieldError;
pub use fork::{ForkError, ForkProof};
pub use key_life::{KeyEnd, KeyEvent, KeyLife, KeyUse, keys_of_evidence};
pub use keyring::{Endpoint, KeyChange, KeyHistory, Keyring, MAX_ANNOUNCED};
pub use notification::{Attachment, MAX_TEXT_BYTES, NoteId, Notification, NotificationError, Reference, is_kind_name};
pub use officials::{Credentials, Passed, Standing};
pub use outside::{MAX_OUTSIDE, OutsidePart, OutsideWitness, outside_sentences};
pub use profile::{Field, FieldType, Kind, MAX_PROFILE_BYTES, Profile, ProfileError};
pub use receipt::{Receipt, ReceiptError, VerifyHead};
pub use record::{MAX_RECORD_BYTES, Record, RecordError, RecordType};
pub use references::{References, astray};
pub use restart::{Branch, Lies, MAX_RESTART_BYTES, MAX_RESTARTS, Restart, RestartError, RestartPart, Restarted, lies};
pub use silence::{Answer, MAX_SILENCE_RECORDS, Silence, SilencePart};
pub use time::Timestamp;
pub use treaty::{
    MAX_PARTIES, MAX_TREATY_BYTES, Party, Role, Treaty, TreatyError, TreatyFile, is_ledger_name, is_party_code,
    is_peer_id,
};
pub use validity::{Disowned, Mark, Signer, Validity, check_notification, disowned};
pub use verdict::{Bound, Demanded, Forked, Received, Verdict};
