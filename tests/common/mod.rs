//! A small ledger of a few parties, driven in a straight line: every message arrives, at once and in order.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod bend;
#[cfg(feature = "cli")]
pub mod files;
pub mod restarted;

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use verbale::ledger::{
    Amendment, Change, Credential, Grant, NewKey, NoteId, Notification, Profile, Record, RecordType, Reference,
    Revocation, Rotation, Timestamp, Treaty,
};
use verbale::node::message::{Gossip, HeadUpdate, Request, Response};
use verbale::node::{
    Accepted, Batch, Budget, Config, Effect, Engine, Input, LogTiles, Memory, NewRecord, Read, Refusal, serve,
};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{Appender, Checkpoint, Hash, leaf_hash};

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

/// Codes and names of the parties.
pub const PARTIES: [(&str, &str); 4] = [("CA", "Canada"), ("HU", "Hungary"), ("RU", "Russia"), ("US", "United States")];
pub const CA: usize = 0;
pub const HU: usize = 1;
pub const RU: usize = 2;
pub const US: usize = 3;

/// 2021-06-18T09:00:00Z
pub const START: u64 = 1_624_006_800;

/// The key of a party for a job.
pub fn key(party: usize, job: &str) -> SigningKey {
    let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
    let origin = format!("trial/{}", code(party));
    let name = if job == "log" { origin } else { format!("{origin}/{job}") };
    let seed = Hash::digest(format!("{party} {job}").as_bytes()).0;
    SigningKey::from_seed(&name, kind, &seed).unwrap()
}

/// A party's code.
pub fn code(party: usize) -> &'static str {
    PARTIES.get(party).map_or("SE", |(code, _)| code)
}

/// The key that a rotation puts in the place of a party's first one.
#[allow(dead_code)]
pub fn later_key(party: usize, job: &str) -> SigningKey {
    let first = key(party, job);
    let mut seed = *first.seed();
    seed[31] ^= 0xff;
    SigningKey::from_seed(first.public().name(), first.public().kind(), &seed).unwrap()
}

/// A depositary and two more parties make the quorum.
pub fn treaty_text() -> String {
    treaty_text_with(PROFILE, |_| "\"state-party\"")
}

/// The same under a profile by which Canada and Hungary are depositaries.
pub fn treaty_with_depositaries(profile: &str) -> String {
    treaty_text_with(profile, |party| match party {
        CA | HU => "\"state-party\", \"depositary\"",
        _ => "\"state-party\"",
    })
}

/// The same with another profile and other roles.
pub fn treaty_text_with(profile: &str, roles: impl Fn(usize) -> &'static str) -> String {
    let mut text = format!(
        "version = 1\nname = \"trial\"\ntitle = \"A trial\"\nprofile_sha256 = \"{}\"\nquorum = \"\"\"\n\
         group depositaries any CA HU\ngroup others any RU US\ngroup both all depositaries others\nquorum both\n\"\"\"\n",
        Hash::digest(profile.as_bytes()).to_hex(),
    );
    for (party, (code, name)) in PARTIES.iter().enumerate() {
        let roles = roles(party);
        let peer = format!("12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxx{party}").replace('0', "x");
        write!(
            text,
            "[[party]]\ncode = \"{code}\"\nname = \"{name}\"\nroles = [{roles}]\nroot = \"{}\"\nlog = \"{}\"\n\
             witness = \"{}\"\npeer = \"{peer}{party}\"\naddresses = []\n",
            key(party, "root").public(),
            key(party, "log").public(),
            key(party, "witness").public()
        )
        .unwrap();
    }
    text
}

pub struct Node {
    pub disk: Memory,
    pub engine: Engine,
    pub online: bool,
}

pub struct Ledger {
    pub treaty_text: String,
    pub profile_text: &'static str,
    pub treaty: Arc<Treaty>,
    pub profile: Arc<Profile>,
    pub nodes: Vec<Node>,
    /// POSIX milliseconds.
    pub now: u64,
    pub queue: VecDeque<(usize, Input)>,
    answers: Vec<Result<Accepted, Refusal>>,
    attested: Vec<Vec<u8>>,
    /// Given to whoever asks for the restart certificates of this log.
    offered: Option<(usize, Vec<u8>)>,
    /// What each node has written while messages ran their course.
    pub commits: Vec<(usize, Batch)>,
    /// A copy of a disk that a test keeps for later.
    pub kept_copy: Option<Memory>,
}

impl Ledger {
    /// All parties online, and each has granted its minister a key for all kinds, its clerk one for acknowledgements.
    pub fn new() -> Self {
        let mut ledger = Self::bare();
        for party in 0..PARTIES.len() {
            ledger.submit(party, ledger.grant(party, "minister", "Minister", "*")).unwrap();
            ledger.submit(party, ledger.grant(party, "clerk", "Clerk", "acknowledgement")).unwrap();
        }
        ledger
    }

    /// All parties online, and nothing logged.
    pub fn bare() -> Self {
        Self::under(treaty_text(), PROFILE)
    }

    /// The same under another treaty file of the same parties.
    pub fn under(treaty_text: String, profile_text: &'static str) -> Self {
        let profile = Arc::new(Profile::parse(profile_text.as_bytes()).unwrap());
        let treaty = Arc::new(Treaty::parse(treaty_text.as_bytes()).unwrap().governed_by(&profile));
        let nodes = (0..PARTIES.len()).map(|party| node(party, &treaty, &profile, Memory::default())).collect();
        let mut ledger = Self {
            treaty_text,
            profile_text,
            treaty,
            profile,
            nodes,
            now: START * 1000,
            queue: VecDeque::new(),
            answers: Vec::new(),
            attested: Vec::new(),
            offered: None,
            commits: Vec::new(),
            kept_copy: None,
        };
        for a in 0..PARTIES.len() {
            for b in (0..PARTIES.len()).filter(|b| *b != a) {
                ledger.queue.push_back((a, Input::Connected(b)));
            }
        }
        ledger.settle();
        ledger
    }

    /// Sets who is connected to whom: those that are online, to each other.
    pub fn online(&mut self, parties: &[usize]) {
        for a in 0..PARTIES.len() {
            self.nodes[a].online = true;
            for b in (0..PARTIES.len()).filter(|b| *b != a) {
                let linked = parties.contains(&a) && parties.contains(&b);
                self.queue.push_back((a, if linked { Input::Connected(b) } else { Input::Disconnected(b) }));
            }
        }
        self.settle();
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.online = parties.contains(&at);
        }
        self.settle();
    }

    /// All nodes stop and start again on what their disks hold.
    pub fn restart(&mut self) {
        for party in 0..PARTIES.len() {
            self.nodes[party] = node(party, &self.treaty, &self.profile, self.nodes[party].disk.clone());
            for to in (0..PARTIES.len()).filter(|to| *to != party) {
                self.queue.push_back((party, Input::Connected(to)));
            }
        }
        self.settle();
    }

    /// Hands a note in, and lets all messages run their course.
    pub fn submit(&mut self, party: usize, note: Vec<u8>) -> Result<Accepted, Refusal> {
        self.answers.clear();
        self.queue.push_back((party, Input::Submit { ticket: 0, note }));
        self.settle();
        self.answers[0].clone()
    }

    /// Hands a note in, and lets no message run yet.
    pub fn submit_only(&mut self, party: usize, note: Vec<u8>) {
        self.queue.push_back((party, Input::Submit { ticket: 0, note }));
    }

    /// Asks parties to cosign the head of a log as of now; what they gave.
    pub fn attest(&mut self, parties: &[usize], log: usize) -> Vec<Vec<u8>> {
        self.attested.clear();
        for party in parties {
            self.queue.push_back((*party, Input::Attest { ticket: 0, log, grown: true }));
        }
        self.settle();
        self.attested.clone()
    }

    /// Submits a remark; its index.
    pub fn remark(&mut self, party: usize, number: u64) -> u64 {
        let note = self.note(party, number, "minister");
        self.submit(party, note).unwrap().index
    }

    /// Ticks, one second apart, until nothing is under way.
    pub fn settle(&mut self) {
        for _ in 0..8 {
            self.run();
            self.now += 1000;
            for party in 0..PARTIES.len() {
                self.queue.push_back((party, Input::Tick));
            }
        }
        self.run();
    }

    fn run(&mut self) {
        while let Some((to, input)) = self.queue.pop_front() {
            let node = &mut self.nodes[to];
            node.engine.handle(input, self.now, &node.disk).unwrap();
            let step = node.engine.step(&node.disk).unwrap();
            node.disk.commit(&step.batch);
            if !step.batch.is_empty() {
                self.commits.push((to, step.batch));
            }
            self.carry_out(to, step.effects);
        }
    }

    pub fn carry_out(&mut self, from: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Gossip(message) => {
                    for to in (0..PARTIES.len()).filter(|to| *to != from) {
                        if self.nodes[from].online && self.nodes[to].online {
                            self.queue.push_back((to, Input::Gossip { from, message: message.clone() }));
                        }
                    }
                }
                Effect::Request { peer, id, request } => {
                    // Engines never ask for cosignatures as of now; whoever runs them does.
                    let linked = self.nodes[from].online && self.nodes[peer].online;
                    if let Request::Restarts { log } = request
                        && let Some((offered, note)) = self.offered.as_ref().filter(|(offered, _)| *offered == log)
                    {
                        let response = Response::Restarts { log: *offered, notes: vec![note.clone()] };
                        self.queue.push_back((from, Input::Response { id, response: Some(response) }));
                        continue;
                    }
                    let serve =
                        || serve(&request, self.nodes[peer].engine.treaty(), &self.nodes[peer].disk, self.now).unwrap();
                    self.queue.push_back((from, Input::Response { id, response: linked.then(serve) }));
                }
                Effect::Answer { outcome, .. } => self.answers.push(outcome),
                Effect::Attested { note, .. } => self.attested.extend(note),
                Effect::Endpoint { .. } | Effect::Event(_) => {}
            }
        }
    }

    /// A second node of the same party starts from an old copy of its disk, logs a note, and tells one other party.
    pub fn equivocate(&mut self, party: usize, old: Memory, note: Vec<u8>, tell: usize) {
        self.twin(party, old, note, &[tell]);
    }

    /// The same, telling these; its disk.
    pub fn twin(&mut self, party: usize, old: Memory, note: Vec<u8>, tell: &[usize]) -> Memory {
        let mut twin = node(party, &self.treaty, &self.profile, old);
        let mut effects = Vec::new();
        for input in [Input::Tick, Input::Submit { ticket: 0, note }] {
            twin.engine.handle(input, self.now, &twin.disk).unwrap();
            let step = twin.engine.step(&twin.disk).unwrap();
            twin.disk.commit(&step.batch);
            effects.extend(step.effects);
        }
        for effect in effects {
            if let Effect::Gossip(message) = effect {
                for to in tell {
                    self.queue.push_back((*to, Input::Gossip { from: party, message: message.clone() }));
                }
            }
        }
        self.settle();
        twin.disk
    }

    /// The same, at once: nothing that was under way arrives at the others any more.
    pub fn only_online(&mut self, parties: &[usize]) {
        for a in 0..PARTIES.len() {
            self.nodes[a].online = parties.contains(&a);
            for b in (0..PARTIES.len()).filter(|b| *b != a) {
                let linked = parties.contains(&a) && parties.contains(&b);
                self.queue.push_back((a, if linked { Input::Connected(b) } else { Input::Disconnected(b) }));
            }
        }
        self.settle();
    }

    /// A second node of the same party starts from an old copy of its disk, with one other party as its peer, and logs
    /// notes there; its disk.
    pub fn fork_with(&mut self, party: usize, old: Memory, notes: &[Vec<u8>], peer: usize) -> Memory {
        let own = std::mem::replace(&mut self.nodes[party], node(party, &self.treaty, &self.profile, old));
        let online: Vec<_> = self.nodes.iter().map(|node| node.online).collect();
        self.only_online(&[party, peer]);
        for note in notes {
            self.submit(party, note.clone()).unwrap();
        }
        self.settle();
        self.only_online(&[]);
        let disk = std::mem::replace(&mut self.nodes[party], own).disk;
        let up: Vec<_> = (0..PARTIES.len()).filter(|at| online[*at]).collect();
        self.only_online(&up);
        disk
    }

    /// A party's node goes on with another disk.
    pub fn put_back(&mut self, party: usize, disk: Memory) {
        self.nodes[party] = node(party, &self.treaty, &self.profile, disk);
        for to in (0..PARTIES.len()).filter(|to| *to != party) {
            self.queue.push_back((party, Input::Connected(to)));
        }
        self.settle();
    }

    /// The newest head of a log on a disk is told to a party, by the log's own party.
    pub fn tell(&mut self, to: usize, log: usize, disk: &Memory) {
        let checkpoint = disk.head(log, u64::MAX).unwrap().unwrap();
        let heads = vec![HeadUpdate { checkpoint, from: 0, records: Vec::new() }];
        self.queue.push_back((to, Input::Gossip { from: log, message: Gossip { heads } }));
        self.settle();
    }

    /// A party is offered a restart certificate, as an answer to its question.
    pub fn offer_restart(&mut self, to: usize, note: &[u8], log: usize) {
        self.offered = Some((log, note.to_vec()));
        // A head that the party does not know makes it ask.
        let origin = self.treaty.origin(log).to_owned();
        let head = Checkpoint { origin, size: 1 << 40, root: Hash([5; 32]) };
        let checkpoint = head.sign(&key(log, "log")).unwrap().to_bytes();
        let heads = vec![HeadUpdate { checkpoint, from: 0, records: Vec::new() }];
        self.queue.push_back((to, Input::Gossip { from: log, message: Gossip { heads } }));
        self.settle();
        self.offered = None;
    }

    /// What an honest node would never log: a record with any payload, under a proper head.
    pub fn log_anyway(&mut self, party: usize, kind: RecordType, payload: &[u8]) -> u64 {
        let time = Timestamp::from_posix(self.now / 1000);
        self.log_anyway_at(party, time, key(party, "log"), kind, payload)
    }

    /// The same with another time in the record, or signed with another of the log's keys.
    pub fn log_anyway_at(
        &mut self,
        party: usize,
        time: Timestamp,
        signer: SigningKey,
        kind: RecordType,
        payload: &[u8],
    ) -> u64 {
        let disk = &mut self.nodes[party].disk;
        let head = append(disk, party, self.treaty.hash(), &signer, (time, kind, payload));
        self.nodes[party] = node(party, &self.treaty, &self.profile, disk.clone());
        for to in (0..PARTIES.len()).filter(|to| *to != party) {
            self.queue.push_back((party, Input::Connected(to)));
        }
        let index = head.from;
        self.spread(party, head);
        index
    }

    /// A head with its records reaches every other party.
    pub fn spread(&mut self, from: usize, head: HeadUpdate) {
        for to in (0..PARTIES.len()).filter(|to| *to != from) {
            let message = Gossip { heads: vec![head.clone()] };
            self.queue.push_back((to, Input::Gossip { from, message }));
        }
        self.settle();
    }

    /// The root's grant of a key to an official.
    pub fn grant(&self, party: usize, official: &str, title: &str, kind: &str) -> Vec<u8> {
        self.grant_within(party, official, (title, kind), [None, None])
    }

    /// The same, for what is logged from a time and until one.
    pub fn grant_within(
        &self,
        party: usize,
        official: &str,
        (title, kind): (&str, &str),
        [from, until]: [Option<Timestamp>; 2],
    ) -> Vec<u8> {
        let grant = Grant {
            from,
            issued: Timestamp::from_posix(START - 86_400),
            key: key(party, official).public().clone(),
            kinds: vec![kind.into()],
            ledger: self.treaty.hash(),
            party: code(party).into(),
            title: title.into(),
            until,
        };
        let mut note = SignedNote::new(grant.to_text()).unwrap();
        note.sign(&key(party, "root"));
        note.to_bytes()
    }

    /// The treaty's next amendment by what a party knows, signed by the roots of these.
    pub fn amendment(&self, changes: Vec<Change>, by: &[usize]) -> Vec<u8> {
        let treaty = self.nodes[by[0]].engine.treaty();
        let (number, prev) = treaty.next_amendment();
        let issued = Timestamp::from_posix(self.now / 1000);
        let amendment = Amendment { changes, issued, ledger: treaty.hash(), number, prev };
        let mut note = SignedNote::new(amendment.to_text()).unwrap();
        by.iter().for_each(|party| note.sign(&key(*party, "root")));
        note.to_bytes()
    }

    /// The id of a party's remark with this number.
    pub fn id(&self, party: usize, number: u64) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id[8] = party as u8;
        id
    }

    /// A remark to all, signed by an official.
    pub fn note(&self, party: usize, number: u64, official: &str) -> Vec<u8> {
        self.reply(party, number, official, Vec::new())
    }

    /// The same, about earlier notes.
    pub fn reply(&self, party: usize, number: u64, official: &str, re: Vec<Reference>) -> Vec<u8> {
        let body = json!({"text": format!("remark {number}")});
        self.note_of(party, number, ("remark", body), &["CA", "*"], re, &[key(party, official)])
    }

    /// What a note says that is about a record of a log.
    pub fn refer(&self, log: usize, index: u64) -> Vec<Reference> {
        let leaf = leaf_hash(&self.nodes[log].disk.record(log, index).unwrap().unwrap());
        vec![Reference { log: code(log).into(), index, leaf }]
    }

    /// A note of any kind to anybody, signed with these keys.
    pub fn note_of(
        &self,
        party: usize,
        number: u64,
        (kind, body): (&str, Value),
        to: &[&str],
        re: Vec<Reference>,
        signers: &[SigningKey],
    ) -> Vec<u8> {
        let id = self.id(party, number);
        let notification = Notification {
            attachments: Vec::new(),
            body: body.as_object().unwrap().clone(),
            from: code(party).into(),
            id: NoteId(id),
            issued: Timestamp::from_posix(START + number),
            kind: kind.into(),
            ledger: self.treaty.hash(),
            re,
            to: to.iter().map(|code| (*code).to_owned()).collect(),
        };
        let mut note = SignedNote::new(notification.to_text()).unwrap();
        signers.iter().for_each(|signer| note.sign(signer));
        note.to_bytes()
    }

    /// What a party's root says of the party's keys, signed by it.
    pub fn credential(&self, party: usize, credential: &Credential) -> Vec<u8> {
        credential.sign(&key(party, "root")).unwrap().to_bytes()
    }

    /// A rotation to the party's later key.
    pub fn rotation(&self, party: usize, job: &str, lost: bool) -> Vec<u8> {
        let public = later_key(party, job).public().clone();
        let key = if job == "log" { NewKey::Log(public) } else { NewKey::Witness(public) };
        let (issued, party_code) = (Timestamp::from_posix(self.now / 1000), code(party).to_owned());
        let reason = lost.then(|| "The machine was stolen.".to_owned());
        let rotation = Rotation { issued, key, ledger: self.treaty.hash(), lost, party: party_code, reason };
        self.credential(party, &Credential::Rotate(rotation))
    }

    /// A revocation of an official's key.
    pub fn revocation(&self, party: usize, official: &str) -> Vec<u8> {
        let revocation = Revocation {
            issued: Timestamp::from_posix(START - 86_400),
            key: key(party, official).public().clone(),
            ledger: self.treaty.hash(),
            party: code(party).into(),
            reason: Some("It had been stolen before, we say.".into()),
        };
        self.credential(party, &Credential::Revoke(revocation))
    }
}

/// Adds a record with any payload to a log on a disk, under a head; gives both as others are told of them.
pub fn append(
    disk: &mut Memory,
    log: usize,
    ledger: Hash,
    signer: &SigningKey,
    (time, kind, payload): (Timestamp, RecordType, &[u8]),
) -> HeadUpdate {
    let index = disk.size(log).unwrap();
    let prev = index.checked_sub(1).map_or(ledger, |last| leaf_hash(&disk.record(log, last).unwrap().unwrap()));
    let origin = format!("trial/{}", code(log));
    let bytes = Record { index, log: &origin, prev, time, kind, payload }.to_bytes().unwrap();
    let mut edge = Appender::load(&LogTiles { read: disk, log }, index).unwrap().unwrap();
    let mut tiles = Vec::new();
    edge.push(leaf_hash(&bytes), &mut tiles);
    tiles.extend(edge.partial_tiles());
    let head = Checkpoint { origin, size: index + 1, root: edge.root() };
    let checkpoint = head.sign(signer).unwrap().to_bytes();
    disk.commit(&Batch {
        records: vec![NewRecord { log, index, kind, bytes: bytes.clone() }],
        tiles: tiles.into_iter().map(|tile| (log, tile)).collect(),
        heads: vec![(log, index + 1, checkpoint.clone())],
        ..Batch::default()
    });
    HeadUpdate { checkpoint, from: index, records: vec![bytes] }
}

fn node(party: usize, treaty: &Arc<Treaty>, profile: &Arc<Profile>, disk: Memory) -> Node {
    let config = Config {
        treaty: treaty.clone(),
        profile: profile.clone(),
        me: party,
        log_keys: vec![key(party, "log"), later_key(party, "log")],
        witness_keys: vec![key(party, "witness"), later_key(party, "witness")],
        high_water: None,
        head_interval_ms: 5_000,
        settle_ms: 0,
        request_timeout_ms: 3_000,
        sign_without_peers: true,
        budget: Budget::default(),
    };
    let engine = Engine::load(config, &disk).unwrap();
    Node { disk, engine, online: true }
}
