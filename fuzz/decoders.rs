//! Every decoder of bytes from outside, as a function that must neither panic nor take two byte strings for one.
//! Each says whether it read what it was given. Driven by the fuzz targets here, and by `tests/decoders.rs` in every
//! run of the tests.

use std::sync::{Arc, OnceLock};

use verbale::law::{Docket, Filing, Query, Seen};
use verbale::ledger::canon::{self, Text};
use verbale::ledger::{
    Adoption, Amendment, Credential, Credentials, Evidence, ForkProof, Keyring, Lies, NoteId, Notification, Party,
    Profile, Receipt, Record, RecordType, Reference, Restart, Timestamp, Treaty, check_notification, keys_of_evidence,
    lies, parse_bare_fork, verify_evidence,
};
use verbale::node::message::{Gossip, Request, Response};
use verbale::note::{KeyType, SignedNote, SigningKey, VerifierKey};
use verbale::tlog::{
    AddCheckpoint, Checkpoint, Cosignature, Policy, TilePath, TlogProof, empty_root, leaf_hash, read_bundle,
    write_bundle,
};

/// The name of a decoder's fuzz target, and what drives it.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub const ALL: &[Decoder] = &[
    ("note", note),
    ("key", key),
    ("checkpoint", checkpoint),
    ("cosignature", cosignature),
    ("policy", policy),
    ("proof", proof),
    ("canonical", canonical),
    ("time", time),
    ("notification", notification),
    ("record", record),
    ("credential", credential),
    ("amendment", amendment),
    ("restart", restart),
    ("receipt", receipt),
    ("fork", fork),
    ("treaty_file", treaty_file),
    ("party_file", party_file),
    ("profile", profile),
    ("message", message),
    ("evidence", evidence),
    ("request", request),
    ("response", response),
    ("gossip", gossip),
    ("tile_path", tile_path),
    ("bundle", bundle),
    ("add_checkpoint", add_checkpoint),
];

/// A treaty to check against.
pub fn treaty() -> &'static Treaty {
    static TREATY: OnceLock<Treaty> = OnceLock::new();
    TREATY
        .get_or_init(|| Treaty::parse(include_bytes!("../tests/vectors/treaty.toml")).expect("the golden treaty file"))
}

/// Its profile.
fn golden_profile() -> &'static Profile {
    static PROFILE: OnceLock<Profile> = OnceLock::new();
    PROFILE.get_or_init(|| Profile::parse(include_bytes!("../tests/vectors/profile.toml")).expect("the golden profile"))
}

/// Decodes text, if it is any.
fn of_text<T>(bytes: &[u8], decode: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    decode(std::str::from_utf8(bytes).ok()?)
}

/// Whether something was read; if so it has to be written as it was read.
fn same_again<T, W: AsRef<[u8]>>(read: Option<T>, bytes: &[u8], write: impl FnOnce(&T) -> W) -> bool {
    if let Some(value) = &read {
        assert_eq!(write(value).as_ref(), bytes, "written otherwise than it was read");
    }
    read.is_some()
}

pub fn note(bytes: &[u8]) -> bool {
    same_again(SignedNote::parse(bytes).ok(), bytes, SignedNote::to_bytes)
}

pub fn key(bytes: &[u8]) -> bool {
    same_again(of_text(bytes, |text| VerifierKey::parse(text).ok()), bytes, VerifierKey::to_string)
}

pub fn checkpoint(bytes: &[u8]) -> bool {
    same_again(of_text(bytes, |text| Checkpoint::parse(text).ok()), bytes, Checkpoint::text)
}

pub fn cosignature(bytes: &[u8]) -> bool {
    let Ok(note) = SignedNote::parse(bytes) else { return false };
    treaty().parties().iter().filter(|party| Cosignature::verify(&note, &party.witness).is_ok()).count() > 0
}

pub fn policy(bytes: &[u8]) -> bool {
    let policy = of_text(bytes, |text| Policy::parse(text).ok());
    if let Some(policy) = &policy {
        assert!(
            !policy.is_satisfied(&|_| false) || policy.is_satisfied(&|_| true),
            "more receipts, and less of a quorum"
        );
    }
    policy.is_some()
}

pub fn proof(bytes: &[u8]) -> bool {
    same_again(TlogProof::parse(bytes).ok(), bytes, TlogProof::to_text)
}

pub fn canonical(bytes: &[u8]) -> bool {
    let any = canon::parse(bytes, 1 << 16, Text::Any).ok();
    let plain = canon::parse(bytes, 1 << 16, Text::Plain).ok();
    assert!(plain.is_none() || plain == any, "plain text is text");
    same_again(any, bytes, canon::write)
}

pub fn time(bytes: &[u8]) -> bool {
    let time = of_text(bytes, Timestamp::parse);
    if let Some(time) = time {
        assert_eq!(Timestamp::from_posix(time.posix()), time);
        time.display();
    }
    same_again(time, bytes, Timestamp::to_string)
}

pub fn notification(bytes: &[u8]) -> bool {
    let read = Notification::of_note(bytes).ok();
    if let Some((note, notification)) = &read {
        assert_eq!(notification.to_text(), note.text());
    }
    let (prev, kind) = (treaty().hash(), RecordType::Notification);
    let record = Record { index: 1, log: treaty().origin(0), prev, time: Timestamp::default(), kind, payload: bytes };
    let credentials = Credentials::default();
    check_notification(&record, 0, Default::default(), treaty(), Some(golden_profile()), &credentials, |_| None);
    read.is_some()
}

pub fn record(bytes: &[u8]) -> bool {
    same_again(Record::parse(bytes).ok(), bytes, |record| record.to_bytes().expect("as long as it was read"))
}

pub fn credential(bytes: &[u8]) -> bool {
    let verify = |at| Credential::verify(bytes, treaty().party(at), treaty().origin(at), &treaty().hash()).ok();
    let credential = (0..treaty().parties().len()).find_map(verify);
    if let Some(credential) = &credential {
        assert_eq!(Ok(credential.to_text().as_str()), SignedNote::parse(bytes).as_ref().map(SignedNote::text));
    }
    credential.is_some()
}

pub fn restart(bytes: &[u8]) -> bool {
    let restart = (0..treaty().parties().len()).find_map(|at| Restart::verify(bytes, at, treaty()).ok());
    let Some(restart) = &restart else { return false };
    assert_eq!(Ok(restart.to_text().as_str()), SignedNote::parse(bytes).as_ref().map(SignedNote::text));
    let (kept, other) = (restart.kept_head(), restart.other_head());
    assert!(kept != other && restart.common < kept.size.min(other.size));
    for head in [kept, other] {
        assert_eq!(lies(head, None, None, [(restart, None)]), Lies::Accepted, "both ends are explained");
        let third = Checkpoint { root: empty_root(), ..head.clone() };
        assert_ne!(lies(&third, Some(head.root), None, [(restart, None)]), Lies::Accepted, "and nothing else");
    }
    true
}

/// The treaty, as one that can be amended.
fn amendable() -> &'static Treaty {
    static TREATY: OnceLock<Treaty> = OnceLock::new();
    TREATY.get_or_init(|| treaty().clone().governed_by(&with_rule()))
}

/// The profile, with a rule for amendments.
pub fn with_rule() -> Profile {
    let text = include_str!("../tests/vectors/profile.toml");
    let text =
        if text.contains("[amendment]") { text.to_owned() } else { format!("{text}\n[amendment]\nshare = \"2/3\"\n") };
    Profile::parse(text.as_bytes()).expect("the golden profile, with a rule")
}

pub fn amendment(bytes: &[u8]) -> bool {
    let Ok((note, amendment)) = Amendment::of_note(bytes) else { return false };
    assert_eq!(amendment.to_text(), note.text(), "written otherwise than it was read");
    let (treaty, mut adoption) = (amendable(), Adoption::default());
    let mut known = Arc::new(treaty.clone());
    let held = adoption.take(0, amendment.issued, bytes, &mut known);
    assert_eq!(held, treaty.amended(bytes).is_ok(), "it holds in a log if it holds at all");
    assert!(!held || treaty.draft(&amendment).is_ok() && known.number() == 1);
    if held {
        adoption.pass(1, Timestamp::from_posix(u64::MAX), &known);
        known.is_quorum(adoption.last(), &|_| true);
        known.policy_text();
        assert!(!adoption.take(2, amendment.issued, bytes, &mut known), "it holds once");
    }
    true
}

pub fn receipt(bytes: &[u8]) -> bool {
    let keys = Keyring::new(treaty());
    (0..treaty().parties().len()).any(|by| {
        let receipt = Receipt::verify(bytes, by, 0, &keys).ok();
        let open = Receipt::verify_or_open(bytes, by, 0, &keys).ok();
        assert!(receipt.is_none() || receipt == open, "what is a receipt is one without its log's later records too");
        receipt.is_some()
    })
}

pub fn fork(bytes: &[u8]) -> bool {
    let proof = ForkProof::parse(bytes, treaty()).ok();
    if let Some(proof) = &proof {
        let again = ForkProof::parse(proof.to_text().as_bytes(), treaty());
        assert_eq!(again.as_ref(), Ok(proof), "a proof that was written anew proves the same");
    }
    same_again(parse_bare_fork(bytes, treaty()).ok(), bytes, ForkProof::to_text);
    proof.is_some()
}

pub fn treaty_file(bytes: &[u8]) -> bool {
    let treaty = Treaty::parse(bytes).ok();
    if let Some(treaty) = &treaty {
        treaty.policy_text();
    }
    treaty.is_some()
}

pub fn party_file(bytes: &[u8]) -> bool {
    of_text(bytes, |text| Party::from_toml(text).ok()).is_some()
}

pub fn profile(bytes: &[u8]) -> bool {
    let Ok(profile) = Profile::parse(bytes) else { return false };
    profile.strangers(treaty());
    // Whatever it says, it can be applied: to each kind a note and an answer, asked about at the ends of time.
    let kinds: Vec<String> = profile.kind.keys().take(8).cloned().collect();
    let mut docket = Docket::new(Arc::new(treaty().clone()), Arc::new(profile));
    let mut leaf = treaty().hash();
    for (index, kind) in (0..).zip(kinds.iter().chain(&kinds)) {
        let re = (index > 0).then(|| Reference { index: index - 1, leaf, log: treaty().party(0).code.clone() });
        let note = Notification {
            attachments: Vec::new(),
            body: Default::default(),
            from: treaty().party(0).code.clone(),
            id: NoteId([index as u8; 16]),
            issued: Timestamp::from_posix(index),
            kind: kind.clone(),
            ledger: treaty().hash(),
            re: re.into_iter().collect(),
            to: vec!["*".into()],
        };
        let mut signed = SignedNote::new(note.to_text()).expect("a text");
        signed.sign(&SigningKey::from_seed("somebody", KeyType::Ed25519, &[7; 32]).expect("a key"));
        let (log, prev, payload) = (treaty().origin(0), treaty().hash(), signed.to_bytes());
        let (time, of) = (Timestamp::from_posix(index * 1_000_000), RecordType::Notification);
        let record = Record { index, log, prev, time, kind: of, payload: &payload };
        let bytes = record.to_bytes().expect("a record");
        leaf = leaf_hash(&bytes);
        docket.enter(Filing::vouched(0, index, &bytes));
        docket.apply_receipt(0, 1, Seen { size: index + 1, index, time });
    }
    for as_of in [0, 1_700_000_000, u64::MAX] {
        let as_of = Timestamp::from_posix(as_of);
        docket.items(as_of, &Query { note: Some((0, 1)), ..Query::default() });
        docket.effects(as_of, None);
        docket.standings(as_of);
        docket.quotas(2020, as_of);
    }
    true
}

/// A message of people: there is a draft for every text. It is one if it says which kind of note it is, and lacks nothing.
pub fn message(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let draft = verbale::message::read(text, None, golden_profile(), treaty());
    assert!(draft.faults.len() <= verbale::message::MAX_FAULTS);
    draft.is_complete() && draft.kind.is_some()
}

pub fn evidence(bytes: &[u8]) -> bool {
    let hash = treaty().hash();
    for profile in [None, Some(golden_profile())] {
        if let Ok(verdict) = verify_evidence(bytes, treaty(), profile) {
            verdict.sentences(treaty(), profile);
            keys_of_evidence(bytes, treaty(), profile).expect("what verifies has keys");
        }
    }
    same_again(Evidence::parse(bytes, &hash).ok(), bytes, |evidence| evidence.to_bytes(&hash))
}

pub fn request(bytes: &[u8]) -> bool {
    same_again(Request::parse(bytes).ok(), bytes, Request::to_bytes)
}

pub fn response(bytes: &[u8]) -> bool {
    same_again(Response::parse(bytes).ok(), bytes, Response::to_bytes)
}

pub fn gossip(bytes: &[u8]) -> bool {
    same_again(Gossip::parse(bytes).ok(), bytes, Gossip::to_bytes)
}

pub fn tile_path(bytes: &[u8]) -> bool {
    same_again(of_text(bytes, TilePath::parse), bytes, TilePath::to_string)
}

pub fn bundle(bytes: &[u8]) -> bool {
    same_again(read_bundle(bytes), bytes, |entries| write_bundle(entries).expect("as many as were read"))
}

pub fn add_checkpoint(bytes: &[u8]) -> bool {
    let request = AddCheckpoint::parse(bytes);
    if let Some(request) = &request {
        for party in treaty().parties() {
            let last = Some((1, empty_root()));
            let _ = request.check(request.origin(), &party.log, last);
        }
    }
    same_again(request, bytes, AddCheckpoint::to_bytes)
}
