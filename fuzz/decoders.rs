//! Every decoder of bytes from outside, as a function that must neither panic nor take two byte strings for one.
//! Driven by the fuzz targets here, and by `tests/decoders.rs` in every run of the tests.

use verbale::ledger::canon::{self, Text};
use verbale::ledger::{
    Credentials, Evidence, ForkProof, Grant, Notification, Party, Profile, Receipt, Record, Treaty, check_notification,
    verify_evidence,
};
use verbale::node::message::{Gossip, Request, Response};
use verbale::note::{SignedNote, VerifierKey};
use verbale::tlog::{Checkpoint, Policy, TlogProof};

/// A decoder's name and what drives it.
pub type Decoder = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: &[Decoder] = &[
    ("note", note),
    ("key", key),
    ("checkpoint", checkpoint),
    ("policy", policy),
    ("proof", proof),
    ("canon", canonical),
    ("notification", notification),
    ("record", record),
    ("credential", credential),
    ("receipt", receipt),
    ("fork", fork),
    ("treaty", treaty_file),
    ("profile", profile),
    ("evidence", evidence),
    ("message", message),
];

/// A treaty to check against.
pub fn treaty() -> &'static Treaty {
    static TREATY: std::sync::OnceLock<Treaty> = std::sync::OnceLock::new();
    TREATY
        .get_or_init(|| Treaty::parse(include_bytes!("../tests/vectors/treaty.toml")).expect("the golden treaty file"))
}

pub fn note(bytes: &[u8]) {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_bytes(), bytes);
    }
}

pub fn key(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = VerifierKey::parse(text)
    {
        assert_eq!(key.to_string(), text);
    }
}

pub fn checkpoint(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.text(), text);
    }
}

pub fn policy(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(policy) = Policy::parse(text)
    {
        policy.is_satisfied(&|_| true);
    }
}

pub fn proof(bytes: &[u8]) {
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_text().as_bytes(), bytes);
    }
}

pub fn canonical(bytes: &[u8]) {
    if let Ok(value) = canon::parse(bytes, 1 << 16, Text::Any) {
        assert_eq!(canon::write(&value).as_bytes(), bytes);
    }
}

pub fn notification(bytes: &[u8]) {
    if let Ok((note, notification)) = Notification::of_note(bytes) {
        assert_eq!(notification.to_text(), note.text());
    }
    check_notification(bytes, 0, 1, treaty(), None, &Credentials::default());
}

pub fn record(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(record.to_bytes().as_deref(), Ok(bytes));
    }
}

pub fn credential(bytes: &[u8]) {
    let _ = Grant::verify(bytes, treaty().party(0), treaty().origin(0), &treaty().hash());
}

pub fn receipt(bytes: &[u8]) {
    let _ = Receipt::verify(bytes, 0, treaty());
}

pub fn fork(bytes: &[u8]) {
    let _ = ForkProof::parse(bytes, treaty());
}

pub fn treaty_file(bytes: &[u8]) {
    if let Ok(treaty) = Treaty::parse(bytes) {
        treaty.policy_text();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Party::from_toml(text);
    }
}

pub fn profile(bytes: &[u8]) {
    let _ = Profile::parse(bytes);
}

pub fn evidence(bytes: &[u8]) {
    if let Ok(evidence) = Evidence::parse(bytes, &treaty().hash()) {
        assert_eq!(evidence.to_bytes(&treaty().hash()), bytes);
    }
    if let Ok(verdict) = verify_evidence(bytes, treaty(), None) {
        verdict.sentences(treaty(), None);
    }
}

pub fn message(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
    if let Ok(response) = Response::parse(bytes) {
        assert_eq!(response.to_bytes(), bytes);
    }
    if let Ok(gossip) = Gossip::parse(bytes) {
        assert_eq!(gossip.to_bytes(), bytes);
    }
}
