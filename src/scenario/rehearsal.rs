//! Engines of all parties in one thread, in a simulated clock: every message arrives, a moment later, at whoever is
//! within reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ledger::{Profile, Treaty};
use crate::node::{
    Accepted, Batch, Budget, Config, Cosigned, Effect, Engine, Input, LogId, Memory, ReadError, Refusal, serve,
};
use crate::note::SigningKey;

/// How long a message is under way, in milliseconds.
const HOP_MS: u64 = 1_000;
/// How long it is waited for what engines do by themselves, in milliseconds.
const TICKS: u64 = 3;
/// Nobody repeats heads for their own sake.
const HEAD_INTERVAL_MS: u64 = 1 << 50;

/// What one party's node wrote at a time.
#[derive(Debug)]
pub struct Written {
    /// Whose node.
    pub party: LogId,
    /// Its clock, in POSIX milliseconds.
    pub at_ms: u64,
    /// What.
    pub batch: Batch,
}

/// One party's node.
struct Node {
    engine: Engine,
    disk: Memory,
    away: bool,
}

/// All parties' nodes.
pub struct Rehearsal {
    treaty: Arc<Treaty>,
    nodes: Vec<Node>,
    now_ms: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), (LogId, Input)>,
    written: Vec<Written>,
    answers: Vec<Result<Accepted, Refusal>>,
}

impl Rehearsal {
    /// Starts all nodes, with nothing stored. `keys` are the parties' log and witness keys, in the treaty's order.
    pub fn start(
        treaty: &Arc<Treaty>,
        profile: &Arc<Profile>,
        keys: &[(SigningKey, SigningKey)],
        start_ms: u64,
    ) -> Result<Self, ReadError> {
        let mut nodes = Vec::new();
        for (me, (log_key, witness_key)) in keys.iter().enumerate() {
            let config = Config {
                treaty: treaty.clone(),
                profile: profile.clone(),
                me,
                log_keys: vec![log_key.clone()],
                witness_keys: vec![witness_key.clone()],
                high_water: None,
                head_interval_ms: HEAD_INTERVAL_MS,
                settle_ms: 0,
                request_timeout_ms: 60_000,
                // Nobody has signed anything before the first step.
                sign_without_peers: true,
                budget: Budget::default(),
            };
            let disk = Memory::default();
            nodes.push(Node { engine: Engine::load(config, &disk)?, disk, away: true });
        }
        let mut rehearsal = Self {
            treaty: treaty.clone(),
            nodes,
            now_ms: start_ms,
            sequence: 0,
            queue: BTreeMap::new(),
            written: Vec::new(),
            answers: Vec::new(),
        };
        for party in 0..keys.len() {
            rehearsal.reach(party, true)?;
        }
        rehearsal.settle()?;
        Ok(rehearsal)
    }

    /// The clock of all, in POSIX milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What a party's node has stored.
    pub fn disk(&self, party: LogId) -> &Memory {
        &self.nodes[party].disk
    }

    /// The highest head that a party has signed.
    pub fn high_water(&self, party: LogId) -> Option<Cosigned> {
        self.nodes[party].engine.high_water()
    }

    /// What was written since this was asked last, in order.
    pub fn take_written(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.written)
    }

    /// Sets the clock forward; it never goes back.
    pub fn advance(&mut self, to_ms: u64) {
        self.now_ms = self.now_ms.max(to_ms);
    }

    /// Brings a party's node within reach of those that are, or out of it.
    pub fn reach(&mut self, party: LogId, within: bool) -> Result<(), ReadError> {
        self.nodes[party].away = !within;
        for other in (0..self.nodes.len()).filter(|other| *other != party) {
            if self.nodes[other].away {
                continue;
            }
            let input = |peer| if within { Input::Connected(peer) } else { Input::Disconnected(peer) };
            self.later(0, party, input(other));
            self.later(0, other, input(party));
        }
        self.settle()
    }

    /// Hands a note in at a party's node, and lets all that follows from it run its course.
    pub fn submit(&mut self, party: LogId, note: Vec<u8>) -> Result<Option<Result<Accepted, Refusal>>, ReadError> {
        self.answers.clear();
        self.later(0, party, Input::Submit { ticket: 0, note });
        self.settle()?;
        Ok(self.answers.pop())
    }

    fn later(&mut self, after_ms: u64, to: LogId, input: Input) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + after_ms, self.sequence), (to, input));
    }

    fn settle(&mut self) -> Result<(), ReadError> {
        self.run()?;
        for _ in 0..TICKS {
            self.now_ms += HOP_MS;
            for party in 0..self.nodes.len() {
                self.later(0, party, Input::Tick);
            }
            self.run()?;
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), ReadError> {
        while let Some(((at, _), (to, input))) = self.queue.pop_first() {
            self.now_ms = at;
            let node = &mut self.nodes[to];
            node.engine.handle(input, at, &node.disk)?;
            let step = node.engine.step(&node.disk)?;
            node.disk.commit(&step.batch);
            if !step.batch.is_empty() {
                self.written.push(Written { party: to, at_ms: at, batch: step.batch });
            }
            for effect in step.effects {
                self.carry_out(to, effect)?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, from: LogId, effect: Effect) -> Result<(), ReadError> {
        match effect {
            Effect::Gossip(message) => {
                for to in (0..self.nodes.len()).filter(|to| *to != from) {
                    if !self.nodes[from].away && !self.nodes[to].away {
                        self.later(HOP_MS, to, Input::Gossip { from, message: message.clone() });
                    }
                }
            }
            Effect::Request { peer, id, request } => {
                let linked = !self.nodes[from].away && !self.nodes[peer].away;
                let answer = || serve(&request, &self.treaty, &self.nodes[peer].disk, self.now_ms);
                let response = if linked { Some(answer()?) } else { None };
                self.later(HOP_MS, from, Input::Response { id, response });
            }
            Effect::Answer { outcome, .. } => self.answers.push(outcome),
            // Nobody asks for cosignatures as of now here, and nobody watches.
            Effect::Attested { .. } | Effect::Endpoint { .. } | Effect::Event(_) => {}
        }
        Ok(())
    }
}
