//! A small ledger played through by real engines, so that what is stored is what a node stores.

use std::collections::VecDeque;

use verbale::node::message::{Gossip, HeadUpdate, Request, Response};
use verbale::node::{Batch, Budget, Config, Effect, Engine, Input, Memory, Read, serve};
use verbale::store::Store;
use verbale::tlog::{Checkpoint, Hash};

use crate::fixture::{Fixture, key, origin};

pub const PARTIES: usize = 4;
const START_MS: u64 = 1_700_000_000_000;

enum Letter {
    Gossip { from: usize, to: usize, message: Gossip },
    Ask { from: usize, to: usize, id: u64, request: Request },
    Answer { to: usize, id: u64, response: Response },
}

/// What a party's engine is made of.
pub fn config(fixture: &Fixture, me: usize) -> Config {
    Config {
        treaty: fixture.treaty.clone(),
        profile: fixture.profile.clone(),
        me,
        log_keys: vec![key(me, "log")],
        witness_keys: vec![key(me, "witness")],
        high_water: None,
        head_interval_ms: 60_000,
        settle_ms: 0,
        request_timeout_ms: 10_000,
        sign_without_peers: false,
        budget: Budget::default(),
    }
}

/// Parties that hear each other at once. The first one keeps its data in a store as well.
pub struct Ledger<'a> {
    fixture: &'a Fixture,
    engines: Vec<Engine>,
    pub disks: Vec<Memory>,
    store: &'a Store,
    letters: VecDeque<Letter>,
    pub now_ms: u64,
}

impl<'a> Ledger<'a> {
    pub fn new(fixture: &'a Fixture, store: &'a Store) -> Self {
        let disks = vec![Memory::default(); PARTIES];
        let engines = (0..PARTIES).map(|me| Engine::load(config(fixture, me), &disks[me]).unwrap()).collect();
        let mut ledger = Self { fixture, engines, disks, store, letters: VecDeque::new(), now_ms: START_MS };
        for me in 0..PARTIES {
            for peer in (0..PARTIES).filter(|peer| *peer != me) {
                ledger.handle(me, Input::Connected(peer));
            }
            ledger.step(me);
        }
        ledger.deliver();
        ledger
    }

    fn handle(&mut self, party: usize, input: Input) {
        self.engines[party].handle(input, self.now_ms, &self.disks[party]).unwrap();
    }

    fn step(&mut self, party: usize) {
        let step = self.engines[party].step(&self.disks[party]).unwrap();
        self.commit(party, &step.batch);
        for effect in step.effects {
            match effect {
                Effect::Gossip(message) => {
                    for to in (0..PARTIES).filter(|to| *to != party) {
                        self.letters.push_back(Letter::Gossip { from: party, to, message: message.clone() });
                    }
                }
                Effect::Request { peer, id, request } => {
                    self.letters.push_back(Letter::Ask { from: party, to: peer, id, request });
                }
                Effect::Answer { outcome, .. } => {
                    outcome.unwrap();
                }
                Effect::Attested { .. } | Effect::Endpoint { .. } | Effect::Event(_) => {}
            }
        }
    }

    fn commit(&mut self, party: usize, batch: &Batch) {
        self.disks[party].commit(batch);
        if party == 0 {
            self.store.commit(batch, self.now_ms).unwrap();
        }
    }

    fn deliver(&mut self) {
        while let Some(letter) = self.letters.pop_front() {
            self.now_ms += 7;
            match letter {
                Letter::Gossip { from, to, message } => {
                    self.handle(to, Input::Gossip { from, message });
                    self.step(to);
                }
                Letter::Ask { from, to, id, request } => {
                    let response = serve(&request, &self.fixture.treaty, &self.disks[to], self.now_ms).unwrap();
                    self.letters.push_back(Letter::Answer { to: from, id, response });
                }
                Letter::Answer { to, id, response } => {
                    self.handle(to, Input::Response { id, response: Some(response) });
                    self.step(to);
                }
            }
        }
    }

    /// Notes of one party in one step; all others receive and receipt them.
    pub fn submit(&mut self, party: usize, notes: Vec<Vec<u8>>) {
        for note in notes {
            self.handle(party, Input::Submit { ticket: 0, note });
        }
        self.step(party);
        self.deliver();
    }

    /// A second head of the size that a party's log has: a fork, as its key alone can make one.
    pub fn fork(&mut self, party: usize) {
        let size = self.disks[0].size(party).unwrap();
        let second = Checkpoint { origin: origin(party), size, root: Hash([7; 32]) };
        let checkpoint = second.sign(&key(party, "log")).unwrap().to_bytes();
        let heads = vec![HeadUpdate { checkpoint, from: 0, records: Vec::new() }];
        self.handle(0, Input::Gossip { from: party, message: Gossip { heads } });
        self.step(0);
        self.deliver();
    }

    /// A ledger with some of everything: more records than a tile holds, replies, receipts and a fork.
    pub fn play(&mut self) {
        for party in 0..PARTIES {
            self.submit(party, vec![self.fixture.grant(party)]);
        }
        self.submit(1, (0..300).map(|number| self.fixture.note_re(1, number, None)).collect());
        self.submit(0, vec![self.fixture.note_re(0, 1, Some((3, 900)))]);
        for number in 0..4 {
            self.submit(2, vec![self.fixture.note_re(2, number, Some((3, 900 + number)))]);
        }
        self.submit(3, vec![self.fixture.note_re(3, 1, None)]);
        self.submit(2, vec![self.fixture.amendment()]);
        self.fork(3);
    }
}
