//! A treaty of so many parties, with keys that follow from numbers.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;
use verbale::ledger::{
    Amendment, Change, Credential, Grant, NewKey, NoteId, Notification, Profile, Revocation, Role, Rotation, Timestamp,
    Treaty,
};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::Hash;

pub const PROFILE: &str = r#"
version = 1
title = "A treaty to be tried out"
acknowledgement = "acknowledgement"
[kind.acknowledgement]
title = "Acknowledgement"
[kind.remark]
title = "Remark"
[[kind.remark.field]]
name = "text"
title = "Text"
type = "text"
required = true
[amendment]
share = "2/3"
"#;

pub struct Fixture {
    pub treaty: Arc<Treaty>,
    pub profile: Arc<Profile>,
}

/// The key of a party for a job.
pub fn key(party: usize, job: &str) -> SigningKey {
    let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
    let name = if job == "log" { origin(party) } else { format!("{}/{job}", origin(party)) };
    let seed = Hash::digest(format!("{party} {job}").as_bytes()).0;
    SigningKey::from_seed(&name, kind, &seed).unwrap()
}

/// The key that a rotation puts in the place of a party's first one.
pub fn later_key(party: usize, job: &str) -> SigningKey {
    let first = key(party, job);
    let mut seed = *first.seed();
    seed[31] ^= 0xff;
    SigningKey::from_seed(first.public().name(), first.public().kind(), &seed).unwrap()
}

pub fn code(party: usize) -> String {
    format!("P{party}")
}

fn origin(party: usize) -> String {
    format!("trial/{}", code(party))
}

impl Fixture {
    pub fn new(parties: usize) -> Self {
        let mut text = format!(
            "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"\"\"\ngroup all {}",
            Hash::digest(PROFILE.as_bytes()).to_hex(),
            parties / 2 + 1
        );
        for party in 0..parties {
            write!(text, " {}", code(party)).unwrap();
        }
        text += "\nquorum all\n\"\"\"\n";
        for party in 0..parties {
            let peer: String = format!("12D3KooWSimulated{party:035}").replace('0', "x");
            write!(
                text,
                "[[party]]\ncode = \"{}\"\nname = \"Party {party}\"\nroles = [\"state-party\"]\nroot = \"{}\"\n\
                 log = \"{}\"\nwitness = \"{}\"\npeer = \"{peer}\"\naddresses = []\n",
                code(party),
                key(party, "root").public(),
                key(party, "log").public(),
                key(party, "witness").public()
            )
            .unwrap();
        }
        let profile = Arc::new(Profile::parse(PROFILE.as_bytes()).unwrap());
        let treaty = Arc::new(Treaty::parse(text.as_bytes()).unwrap().governed_by(&profile));
        Self { treaty, profile }
    }

    /// The root's grant of the party's one official.
    pub fn grant(&self, party: usize) -> Vec<u8> {
        let grant = Grant {
            from: None,
            issued: Timestamp::from_posix(1_600_000_000),
            key: key(party, "minister").public().clone(),
            kinds: vec!["*".into()],
            ledger: self.treaty.hash(),
            party: code(party),
            title: "Minister".into(),
            until: None,
        };
        let mut note = SignedNote::new(grant.to_text()).unwrap();
        note.sign(&key(party, "root"));
        note.to_bytes()
    }

    /// An amendment that builds on what a treaty has, signed by the roots of all but the last party.
    pub fn amendment(&self, treaty: &Treaty, issued: u64) -> Vec<u8> {
        let (number, prev) = treaty.next_amendment();
        let count = self.treaty.parties().len();
        let (issued, from) = (Timestamp::from_posix(issued), Timestamp::from_posix(issued + 20));
        // The first party leaves the quorum some seconds later; whoever signs next changes nothing but an address.
        let change = match number {
            1 => Change::Status { party: code(0), roles: vec![Role::Observer], from },
            n => Change::Addresses { party: code(1), addresses: vec![format!("/ip4/192.0.2.1/tcp/{n}")] },
        };
        let amendment = Amendment { changes: vec![change], issued, ledger: self.treaty.hash(), number, prev };
        let mut note = SignedNote::new(amendment.to_text()).unwrap();
        (0..count - 1).for_each(|party| note.sign(&key(party, "root")));
        note.to_bytes()
    }

    /// The root puts another key in the place of the log's or the witness's.
    pub fn rotation(&self, party: usize, job: &str, lost: bool) -> Vec<u8> {
        let key_of = later_key(party, job).public().clone();
        let new = if job == "log" { NewKey::Log(key_of) } else { NewKey::Witness(key_of) };
        let (issued, ledger) = (Timestamp::from_posix(1_600_000_000), self.treaty.hash());
        let rotation = Rotation { issued, key: new, ledger, lost, party: code(party), reason: None };
        Credential::Rotate(rotation).sign(&key(party, "root")).unwrap().to_bytes()
    }

    /// The root takes the official's key back.
    pub fn revocation(&self, party: usize) -> Vec<u8> {
        let revocation = Revocation {
            issued: Timestamp::from_posix(1_600_000_000),
            key: key(party, "minister").public().clone(),
            ledger: self.treaty.hash(),
            party: code(party),
            reason: None,
        };
        Credential::Revoke(revocation).sign(&key(party, "root")).unwrap().to_bytes()
    }

    /// A signed notification.
    pub fn note(&self, party: usize, number: u64) -> Vec<u8> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id[8] = party as u8;
        let notification = Notification {
            attachments: Vec::new(),
            body: json!({"text": format!("remark {number}")}).as_object().unwrap().clone(),
            from: code(party),
            id: NoteId(id),
            issued: Timestamp::from_posix(1_600_000_000 + number),
            kind: "remark".into(),
            ledger: self.treaty.hash(),
            re: Vec::new(),
            to: vec!["*".into()],
        };
        let mut note = SignedNote::new(notification.to_text()).unwrap();
        note.sign(&key(party, "minister"));
        note.to_bytes()
    }
}
