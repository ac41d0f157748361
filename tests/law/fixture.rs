//! A treaty of five parties and an observer, one that may accede, and records written by hand: nothing is signed, as the docket takes verified receipts.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use verbale::law::{Docket, Filing, Place, Seen};
use verbale::ledger::profile::Profile;
use verbale::ledger::{
    Amendment, Change, NoteId, Notification, Party, Record, RecordType, Reference, Role, Timestamp, Treaty,
};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{Hash, leaf_hash};

/// The last one is no party until the treaty is amended.
pub const CODES: [&str; 7] = ["CA", "HU", "RU", "US", "PL", "UN", "KG"];
pub const CA: usize = 0;
pub const HU: usize = 1;
pub const RU: usize = 2;
pub const US: usize = 3;
pub const PL: usize = 4;
pub const UN: usize = 5;
pub const KG: usize = 6;

fn key(party: usize, job: &str) -> SigningKey {
    let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
    let origin = format!("trial/{}", CODES[party]);
    let name = if job == "log" { origin } else { format!("{origin}/{job}") };
    SigningKey::from_seed(&name, kind, &Hash::digest(format!("{party} {job}").as_bytes()).0).unwrap()
}

/// CA and HU are depositaries.
pub fn treaty() -> Arc<Treaty> {
    treaty_of(5)
}

/// The same with an observer.
pub fn observed() -> Arc<Treaty> {
    treaty_of(6)
}

fn treaty_of(parties: usize) -> Arc<Treaty> {
    let mut text = format!(
        "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"quorum none\\n\"\n",
        Hash::digest(b"").to_hex()
    );
    for party in 0..parties {
        text += &format!("[[party]]\n{}", entry(party));
    }
    Arc::new(Treaty::parse(text.as_bytes()).unwrap())
}

fn entry(party: usize) -> String {
    let code = CODES[party];
    let roles = match party {
        CA | HU => "[\"state-party\", \"depositary\"]",
        UN => "[\"observer\"]",
        _ => "[\"state-party\"]",
    };
    format!(
        "code = \"{code}\"\nname = \"{code}land\"\nroles = {roles}\nroot = \"{}\"\nlog = \"{}\"\n\
         witness = \"{}\"\npeer = \"12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{party}\"\naddresses = []\n",
        key(party, "root").public(),
        key(party, "log").public(),
        key(party, "witness").public()
    )
}

/// What lets a profile's treaty be amended.
pub const AMENDABLE: &str = "[amendment]\nshare = \"2/3\"\n";

/// The accession of KG.
pub fn accession() -> Change {
    Change::Accede(Box::new(Party::from_toml(&entry(KG)).unwrap()))
}

/// A party leaves by the parties' common decision.
pub fn departure(party: usize, from: &str) -> Change {
    let roles: Vec<Role> = Vec::new();
    Change::Status { party: CODES[party].into(), roles, from: time(from) }
}

/// The treaty with its next amendment, which all sign.
pub fn amended(treaty: &Treaty, profile: &Profile, changes: Vec<Change>, issued: &str) -> Arc<Treaty> {
    let treaty = treaty.clone().governed_by(profile);
    let (number, prev) = treaty.next_amendment();
    let amendment = Amendment { changes, issued: time(issued), ledger: treaty.hash(), number, prev };
    let mut note = SignedNote::new(amendment.to_text()).unwrap();
    (0..CODES.len()).filter(|party| *party != UN).for_each(|party| note.sign(&key(party, "root")));
    Arc::new(treaty.amended(&note.to_bytes()).unwrap())
}

/// A profile with an acknowledgement and these kinds.
pub fn profile(kinds: &str) -> Profile {
    let head = "version = 1\ntitle = \"T\"\nacknowledgement = \"ack\"\n[kind.ack]\ntitle = \"Acknowledgement\"\n";
    Profile::parse(format!("{head}{kinds}").as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("{text} is not a time"))
}

/// What is put into a docket, in the order in which it was put.
#[derive(Clone, Debug)]
pub enum Entry {
    Record(usize, u64, Vec<u8>),
    Receipt(usize, usize, Seen),
    /// The treaty is amended.
    Amend(Arc<Treaty>),
}

pub struct World {
    pub docket: Docket,
    pub entries: Vec<Entry>,
    leaves: HashMap<Place, Hash>,
    sizes: [u64; 7],
    ids: u128,
}

impl World {
    pub fn new(kinds: &str) -> Self {
        Self::of(profile(kinds))
    }

    pub fn of(profile: Profile) -> Self {
        Self::with(treaty(), profile)
    }

    pub fn with(treaty: Arc<Treaty>, profile: Profile) -> Self {
        Self {
            docket: Docket::new(treaty, Arc::new(profile)),
            entries: Vec::new(),
            leaves: HashMap::new(),
            sizes: [0; 7],
            ids: 0,
        }
    }

    /// The treaty is amended.
    pub fn amend(&mut self, changes: Vec<Change>, issued: &str) {
        let treaty = amended(self.docket.treaty(), self.docket.profile(), changes, issued);
        self.put(Entry::Amend(treaty));
    }

    /// Logs a note.
    pub fn send(&mut self, from: usize, at: &str, kind: &str, to: &[&str], re: &[Place], body: Value) -> Place {
        let re = re.iter().map(|place| self.reference(*place)).collect();
        self.send_with(from, at, kind, to, re, body)
    }

    /// A reference to a note; to none, if there is none at that place.
    pub fn reference(&self, place: Place) -> Reference {
        let leaf = self.leaves.get(&place).copied().unwrap_or(Hash([1; 32]));
        Reference { index: place.1, leaf, log: CODES[place.0].into() }
    }

    /// Logs a note that refers to records in so many words.
    pub fn send_with(
        &mut self,
        from: usize,
        at: &str,
        kind: &str,
        to: &[&str],
        re: Vec<Reference>,
        body: Value,
    ) -> Place {
        self.ids += 1;
        let note = Notification {
            attachments: Vec::new(),
            body: body.as_object().unwrap().clone(),
            from: CODES[from].into(),
            id: NoteId(self.ids.to_be_bytes()),
            issued: time(at),
            kind: kind.into(),
            ledger: self.docket.treaty().hash(),
            re,
            to: to.iter().map(|to| (*to).into()).collect(),
        };
        let mut signed = SignedNote::new(note.to_text()).unwrap();
        signed.sign(&key(from, "minister"));
        self.log(from, at, RecordType::Notification, &signed.to_bytes())
    }

    fn log(&mut self, from: usize, at: &str, kind: RecordType, payload: &[u8]) -> Place {
        let index = self.sizes[from];
        self.sizes[from] += 1;
        let log = self.docket.treaty().origin(from).to_owned();
        let record = Record { index, log: &log, prev: Hash([0; 32]), time: time(at), kind, payload };
        self.put(Entry::Record(from, index, record.to_bytes().unwrap()));
        (from, index)
    }

    /// A party receipts all of a log up to a note.
    pub fn receipt(&mut self, by: usize, note: Place, at: &str) {
        let (_, index) = self.log(by, at, RecordType::Receipt, b"a receipt\n");
        self.put(Entry::Receipt(note.0, by, Seen { size: note.1 + 1, index, time: time(at) }));
    }

    fn put(&mut self, entry: Entry) {
        put(&mut self.docket, &entry);
        if let Entry::Record(log, index, bytes) = &entry {
            self.leaves.insert((*log, *index), leaf_hash(bytes));
        }
        self.entries.push(entry);
    }

    /// The one item of a rule.
    pub fn item(&self, note: Place, rule: &str, as_of: &str) -> verbale::law::Item {
        let query = verbale::law::Query { note: Some(note), ..Default::default() };
        let mut items = self.docket.items(time(as_of), &query);
        items.retain(|item| item.rule == rule);
        assert_eq!(items.len(), 1, "{items:#?}");
        items.remove(0)
    }

    /// The state and the bounds of the one item of a rule.
    pub fn state(&self, note: Place, rule: &str, as_of: &str) -> String {
        let item = self.item(note, rule, as_of);
        let bound = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
        format!("{} [{}, {}]", item.state.words(), bound(item.from), bound(item.until))
    }

    pub fn effect(&self, note: Place, as_of: &str) -> verbale::law::EffectView {
        let mut effects = self.docket.effects(time(as_of), Some(note));
        assert_eq!(effects.len(), 1);
        effects.remove(0)
    }
}

pub fn put(docket: &mut Docket, entry: &Entry) {
    match entry {
        Entry::Record(log, index, bytes) => docket.enter(Filing::vouched(*log, *index, bytes)),
        Entry::Receipt(log, by, seen) => docket.apply_receipt(*log, *by, *seen),
        Entry::Amend(treaty) => docket.amend(treaty.clone()),
    }
}

pub fn nothing() -> Value {
    json!({})
}

impl World {
    /// Puts what another world held.
    pub fn replay(&mut self, entry: Entry) {
        if let Entry::Record(log, ..) = &entry {
            self.sizes[*log] += 1;
            self.ids += 1000;
        }
        self.put(entry);
    }
}
