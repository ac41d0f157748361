//! A treaty of so many parties, with keys that follow from numbers.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;
use verbale::ledger::{Amendment, Change, Grant, NoteId, Notification, Profile, Reference, Timestamp, Treaty};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::Hash;

const PROFILE: &str = r#"
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
    /// The treaty file.
    pub text: String,
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

pub fn code(party: usize) -> String {
    format!("P{party}")
}

pub fn origin(party: usize) -> String {
    format!("trial/{}", code(party))
}

pub fn note_id(party: usize, number: u64) -> NoteId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[8] = party as u8;
    NoteId(id)
}

impl Fixture {
    pub fn new(parties: usize) -> Self {
        Self::named(parties, "A trial")
    }

    /// Another title is another treaty file.
    pub fn named(parties: usize, title: &str) -> Self {
        let profile = Hash::digest(PROFILE.as_bytes()).to_hex();
        let mut text = format!(
            "version = 1\nname = \"trial\"\ntitle = \"{title}\"\nprofile_sha256 = \"{profile}\"\n\
             quorum = \"\"\"\ngroup all {}",
            parties / 2 + 1
        );
        for party in 0..parties {
            write!(text, " {}", code(party)).unwrap();
        }
        text += "\nquorum all\n\"\"\"\n";
        for party in 0..parties {
            let peer = format!("12D3KooWSimulated{party:035}").replace('0', "x");
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
        Self { text, treaty, profile }
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

    /// The treaty's first amendment, signed by all: new addresses of a party.
    pub fn amendment(&self) -> Vec<u8> {
        let (number, prev) = self.treaty.next_amendment();
        let addresses = vec!["/ip4/192.0.2.1/tcp/4001".to_owned()];
        let changes = vec![Change::Addresses { party: code(2), addresses }];
        let issued = Timestamp::from_posix(1_600_000_000);
        let amendment = Amendment { changes, issued, ledger: self.treaty.hash(), number, prev };
        let mut note = SignedNote::new(amendment.to_text()).unwrap();
        (0..self.treaty.parties().len()).for_each(|party| note.sign(&key(party, "root")));
        note.to_bytes()
    }

    /// A signed notification, which may refer to a record that nobody needs to hold.
    pub fn note_re(&self, party: usize, number: u64, re: Option<(usize, u64)>) -> Vec<u8> {
        let reference = |(log, index)| Reference { index, leaf: Hash([1; 32]), log: code(log) };
        let notification = Notification {
            attachments: Vec::new(),
            body: json!({"text": format!("remark {number}")}).as_object().unwrap().clone(),
            from: code(party),
            id: note_id(party, number),
            issued: Timestamp::from_posix(1_600_000_000 + number),
            kind: "remark".into(),
            ledger: self.treaty.hash(),
            re: re.into_iter().map(reference).collect(),
            to: vec!["*".into()],
        };
        let mut note = SignedNote::new(notification.to_text()).unwrap();
        note.sign(&key(party, "minister"));
        note.to_bytes()
    }
}
