//! One engine, and parties whose logs the test writes itself, as it likes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use verbale::ledger::{Record, RecordType, Timestamp};
use verbale::node::message::{Gossip, HeadUpdate, Request};
use verbale::node::{Budget, Config, Effect, Engine, Event, Input, Memory};
use verbale::note::SignedNote;
use verbale::tlog::{Appender, Checkpoint, Cosignature, Hash, TileWrite, Tiles, consistency_proof, leaf_hash};

use crate::fixture::{Fixture, key};

pub const START_MS: u64 = 1_700_000_000_000;
pub const INTERVAL_MS: u64 = 5_000;
/// What each other log may take: far more than the tests of anything else need.
pub const BUDGET: Budget = Budget { at_once: 1 << 20, a_day: 1 << 20 };

/// The node of party 0.
pub struct Rig {
    pub fixture: Fixture,
    pub engine: Engine,
    pub disk: Memory,
    pub now_ms: u64,
    /// Whether it signs although it has heard from nobody.
    pub signs: bool,
}

impl Rig {
    pub fn new(parties: usize) -> Self {
        Self::of(parties, true)
    }

    /// A node that signs only when it has heard from the others.
    pub fn mute(parties: usize) -> Self {
        Self::of(parties, false)
    }

    fn of(parties: usize, signs: bool) -> Self {
        let fixture = Fixture::new(parties);
        let disk = Memory::default();
        let engine = load(&fixture, &disk, signs);
        let mut rig = Self { fixture, engine, disk, now_ms: START_MS, signs };
        rig.give(Input::Tick);
        rig
    }

    /// Stops the node and starts it again on the same disk.
    pub fn restart(&mut self) {
        self.engine = load(&self.fixture, &self.disk, self.signs);
        self.give(Input::Tick);
    }

    /// One input, one step, one commit; what the node does then.
    pub fn give(&mut self, input: Input) -> Vec<Effect> {
        self.engine.handle(input, self.now_ms, &self.disk).unwrap();
        self.step()
    }

    pub fn step(&mut self) -> Vec<Effect> {
        let step = self.engine.step(&self.disk).unwrap();
        self.disk.commit(&step.batch);
        step.effects
    }

    /// A log's head with all of its records, as its own node gossips it.
    pub fn tell(&mut self, log: &Log) -> Vec<Effect> {
        self.tell_from(log.party, log, log.head())
    }

    pub fn tell_from(&mut self, from: usize, log: &Log, checkpoint: Vec<u8>) -> Vec<Effect> {
        let heads = vec![HeadUpdate { checkpoint, from: 0, records: log.records.clone() }];
        self.give(Input::Gossip { from, message: Gossip { heads } })
    }

    /// A head alone.
    pub fn tell_head(&mut self, from: usize, checkpoint: Vec<u8>) -> Vec<Effect> {
        let heads = vec![HeadUpdate { checkpoint, from: 0, records: Vec::new() }];
        self.give(Input::Gossip { from, message: Gossip { heads } })
    }
}

fn load(fixture: &Fixture, disk: &Memory, signs: bool) -> Engine {
    let config = Config {
        treaty: fixture.treaty.clone(),
        profile: fixture.profile.clone(),
        me: 0,
        log_keys: vec![key(0, "log")],
        witness_keys: vec![key(0, "witness")],
        high_water: None,
        head_interval_ms: INTERVAL_MS,
        settle_ms: 2_000,
        request_timeout_ms: 3_000,
        sign_without_peers: signs,
        budget: BUDGET,
    };
    Engine::load(config, disk).unwrap()
}

pub fn requests(effects: &[Effect]) -> Vec<(usize, u64, Request)> {
    let request = |effect: &Effect| match effect {
        Effect::Request { peer, id, request } => Some((*peer, *id, request.clone())),
        _ => None,
    };
    effects.iter().filter_map(request).collect()
}

pub fn events(effects: &[Effect]) -> Vec<Event> {
    let event = |effect: &Effect| match effect {
        Effect::Event(event) => Some(event.clone()),
        _ => None,
    };
    effects.iter().filter_map(event).collect()
}

/// A log as its owner writes it, without a node that would keep it from anything.
#[derive(Clone)]
pub struct Log {
    pub party: usize,
    pub records: Vec<Vec<u8>>,
    origin: String,
    last: Hash,
    edge: Appender,
    tiles: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl Tiles for Log {
    type Error = Infallible;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Infallible> {
        Ok(self.tiles.get(&(level, n)).cloned().unwrap_or_default())
    }
}

impl Log {
    pub fn new(fixture: &Fixture, party: usize) -> Self {
        let origin = fixture.treaty.origin(party).to_owned();
        let (last, edge) = (fixture.treaty.hash(), Appender::default());
        Self { party, records: Vec::new(), origin, last, edge, tiles: BTreeMap::new() }
    }

    pub fn add(&mut self, kind: RecordType, payload: &[u8]) -> &mut Self {
        let origin = self.origin.clone();
        let record = Record {
            index: self.records.len() as u64,
            log: &origin,
            prev: self.last,
            time: Timestamp::from_posix(1_700_000_000),
            kind,
            payload,
        };
        self.add_record(record.to_bytes().unwrap())
    }

    pub fn add_record(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.last = leaf_hash(&bytes);
        let mut full: Vec<TileWrite> = Vec::new();
        self.edge.push(self.last, &mut full);
        for tile in full.into_iter().chain(self.edge.partial_tiles()) {
            self.tiles.insert((tile.level, tile.n), tile.hashes);
        }
        self.records.push(bytes);
        self
    }

    /// So many notifications, which say this.
    pub fn say(&mut self, what: &str, count: usize) -> &mut Self {
        for number in 0..count {
            self.add(RecordType::Notification, format!("{what} {number}\n").as_bytes());
        }
        self
    }

    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.edge.size(), root: self.edge.root() }
    }

    pub fn head(&self) -> Vec<u8> {
        self.sign(&self.checkpoint()).to_bytes()
    }

    /// A head of any size, signed as if it were true.
    pub fn false_head(&self, size: u64) -> Vec<u8> {
        let root = Hash::digest(&size.to_be_bytes());
        self.sign(&Checkpoint { origin: self.origin.clone(), size, root }).to_bytes()
    }

    fn sign(&self, checkpoint: &Checkpoint) -> SignedNote {
        checkpoint.sign(&key(self.party, "log")).unwrap()
    }

    pub fn proof(&self, old: u64) -> Vec<Hash> {
        consistency_proof(self, old, self.edge.size()).unwrap().unwrap()
    }

    /// Logs a receipt for another log's head as it is now.
    pub fn receipt(&mut self, of: &Log) -> &mut Self {
        let mut note = of.sign(&of.checkpoint());
        Cosignature::sign(&mut note, &key(self.party, "witness"), 1_700_000_000);
        self.add(RecordType::Receipt, &note.to_bytes())
    }
}
