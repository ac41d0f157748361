//! A world of engines, with disks that lose what was not synced, and a network that loses, repeats and delays.

use std::collections::{BTreeMap, BTreeSet};

use verbale::ledger::{ForkProof, Restart, Timestamp};
use verbale::node::message::{Gossip, Request, Response};
use verbale::node::{
    Accepted, Budget, Config, Cosigned, Effect, Engine, Event, Input, LogTiles, Memory, Mode, Read, Step,
};
use verbale::node::{load_keyring, serve};
use verbale::note::SignedNote;
use verbale::tlog::{Checkpoint, Cosignature, Hash, Tiles, consistency_proof, leaf_hash, root_at};

use crate::fixture::{Fixture, key, later_key};
use crate::random::Random;

/// What happens at some time.
enum Happening {
    Tick(usize),
    Gossip { from: usize, to: usize, message: Gossip },
    Ask { from: usize, to: usize, id: u64, start: u64, request: Request },
    Answer { to: usize, id: u64, start: u64, response: Option<Response> },
    Submit { node: usize, note: Vec<u8>, party: usize },
    Attest { node: usize, log: usize },
    Amend { node: usize },
    SetClock { node: usize, skew_ms: i64 },
    Start(usize),
    Crash(usize),
    Split,
    Heal,
}

/// One running node. An equivocating party has two of them, with the same keys.
#[derive(Default)]
pub struct Node {
    pub party: usize,
    pub disk: Memory,
    pub engine: Option<Engine>,
    backups: Vec<Memory>,
    high_water: Option<Cosigned>,
    /// Number of starts: answers to an earlier life are not delivered.
    start: u64,
    connected: BTreeSet<usize>,
    evil: bool,
    /// It says what it holds, and gives no records but those of its own log.
    pub miserly: bool,
    /// By how much its clock is wrong.
    skew_ms: i64,
}

pub struct World {
    pub fixture: Fixture,
    pub nodes: Vec<Node>,
    pub random: Random,
    pub now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    /// Loss and repetition in a thousand messages; longest delay in milliseconds.
    pub loss: u64,
    pub repeat: u64,
    pub delay: u64,
    /// Crashes around commits, in a thousand steps.
    pub crash: u64,
    side: Vec<u8>,
    next_ticket: u64,
    tickets: BTreeMap<u64, usize>,
    /// Notes that were acknowledged: by party and index, the leaf.
    pub acknowledged: BTreeMap<(usize, u64), Hash>,
    /// Every head that ever left a node: by origin and size, the roots.
    pub heads: BTreeMap<(String, u64), BTreeSet<Hash>>,
    pub forks_seen: u64,
    pub stale_restores: u64,
    /// Amendments that the parties have signed.
    amendments: Vec<Vec<u8>>,
    /// The node that a party stopped for good.
    retired: Option<usize>,
    /// Heads that were cosigned on demand.
    pub attested: u64,
    pub refusals: u64,
    trace: bool,
}

pub const START_MS: u64 = 1_700_000_000_000;

impl World {
    /// `equivocator`: whether the last party runs two nodes that do not know of each other.
    pub fn new(seed: u64, parties: usize, equivocator: bool) -> Self {
        let mut nodes: Vec<_> = (0..parties).map(Node::new).collect();
        if equivocator {
            nodes.push(Node::new(parties - 1));
            for node in &mut nodes[parties - 1..] {
                node.evil = true;
            }
        }
        let count = nodes.len();
        let mut world = Self {
            fixture: Fixture::new(parties),
            nodes,
            random: Random::new(seed),
            now: START_MS,
            queue: BTreeMap::new(),
            sequence: 0,
            loss: 0,
            repeat: 0,
            delay: 100,
            crash: 0,
            side: vec![0; count],
            next_ticket: 0,
            tickets: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            heads: BTreeMap::new(),
            forks_seen: 0,
            stale_restores: 0,
            amendments: Vec::new(),
            retired: None,
            attested: 0,
            refusals: 0,
            trace: std::env::var_os("VERBALE_TRACE").is_some(),
        };
        for node in 0..count {
            let at = world.random.below(500);
            world.at(at, Happening::Start(node));
        }
        world
    }

    pub fn submit_at(&mut self, after: u64, node: usize, note: Vec<u8>) {
        let party = self.nodes[node].party;
        self.at(after, Happening::Submit { node, note, party });
    }

    /// Somebody asks a node to cosign the head of a log as of then.
    pub fn attest_at(&mut self, after: u64, node: usize, log: usize) {
        self.at(after, Happening::Attest { node, log });
    }

    /// The parties have signed the next amendment, by what a node knows then, and it is handed in there.
    pub fn amend_at(&mut self, after: u64, node: usize) {
        self.at(after, Happening::Amend { node });
    }

    pub fn crash_at(&mut self, after: u64, node: usize) {
        self.at(after, Happening::Crash(node));
    }

    /// Sets a node's clock, which is then wrong by so much.
    pub fn set_clock_at(&mut self, after: u64, node: usize, skew_ms: i64) {
        self.at(after, Happening::SetClock { node, skew_ms });
    }

    fn clock(&self, node: usize) -> u64 {
        self.now.saturating_add_signed(self.nodes[node].skew_ms)
    }

    pub fn split_at(&mut self, after: u64, until: u64) {
        self.at(after, Happening::Split);
        self.at(until, Happening::Heal);
    }

    fn at(&mut self, after: u64, what: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), what);
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(((at, sequence), _)) = self.queue.first_key_value() {
            let key = (*at, *sequence);
            if key.0 > end {
                break;
            }
            self.now = key.0;
            if let Some(what) = self.queue.remove(&key) {
                self.happen(what);
            }
        }
        self.now = end;
    }

    /// Ends all trouble: everybody runs, is connected, and nothing is lost.
    pub fn calm(&mut self) {
        (self.loss, self.repeat, self.crash) = (0, 0, 0);
        self.happen(Happening::Heal);
        for node in 0..self.nodes.len() {
            if self.nodes[node].engine.is_none() {
                self.happen(Happening::Start(node));
            }
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Tick(node) => {
                if self.nodes[node].engine.is_some() {
                    self.input(node, Input::Tick);
                    self.at(250, Happening::Tick(node));
                }
            }
            Happening::Gossip { from, to, mut message } => {
                if self.linked(from, to) {
                    self.blind(to, &mut message);
                    let from = self.nodes[from].party;
                    self.input(to, Input::Gossip { from, message });
                }
            }
            Happening::Ask { from, to, id, start, request } => {
                let response = if self.linked(from, to) { self.answer(from, to, &request) } else { None };
                let delay = self.random.between(1, self.delay + 2);
                if response.is_none() || !self.random.chance(self.loss) {
                    self.at(delay, Happening::Answer { to: from, id, start, response });
                }
            }
            Happening::Answer { to, id, start, response } => {
                if self.nodes[to].start == start {
                    self.input(to, Input::Response { id, response });
                }
            }
            Happening::Submit { node, note, party } => {
                self.next_ticket += 1;
                let ticket = self.next_ticket;
                self.tickets.insert(ticket, party);
                self.input(node, Input::Submit { ticket, note });
            }
            Happening::Attest { node, log } => {
                self.next_ticket += 1;
                self.input(node, Input::Attest { ticket: self.next_ticket, log, grown: true });
            }
            Happening::Amend { node } => {
                let Some(engine) = &self.nodes[node].engine else { return };
                // One that the parties have signed already is handed in again where it is not known.
                let known = engine.treaty().number();
                if known == self.amendments.len() {
                    self.amendments.push(self.fixture.amendment(engine.treaty(), self.now / 1000));
                }
                let note = self.amendments[known].clone();
                let party = self.nodes[node].party;
                self.happen(Happening::Submit { node, note, party });
            }
            Happening::SetClock { node, skew_ms } => self.nodes[node].skew_ms = skew_ms,
            Happening::Start(node) => self.start(node),
            Happening::Crash(node) => self.crash(node),
            Happening::Split => {
                for node in 0..self.nodes.len() {
                    self.side[node] = self.random.below(2) as u8;
                }
                self.relink();
            }
            Happening::Heal => {
                self.side.fill(0);
                self.relink();
            }
        }
    }

    /// The two nodes of an equivocating party see different halves of the world, and not each other.
    fn reachable(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.nodes[a], &self.nodes[b]);
        let half = |evil: usize, other: usize| {
            !self.nodes[evil].evil || other % 2 == usize::from(evil + 1 == self.nodes.len())
        };
        a != b
            && x.party != y.party
            && x.engine.is_some()
            && y.engine.is_some()
            && self.side[a] == self.side[b]
            && half(a, b)
            && half(b, a)
    }

    fn linked(&self, a: usize, b: usize) -> bool {
        self.nodes[a].connected.contains(&b) && self.nodes[b].connected.contains(&a)
    }

    fn relink(&mut self) {
        for a in 0..self.nodes.len() {
            for b in 0..self.nodes.len() {
                let (is, was) = (self.reachable(a, b), self.nodes[a].connected.contains(&b));
                let party = self.nodes[b].party;
                if is && !was {
                    self.nodes[a].connected.insert(b);
                    self.input(a, Input::Connected(party));
                } else if was && !is {
                    self.nodes[a].connected.remove(&b);
                    if self.nodes[a].engine.is_some() {
                        self.input(a, Input::Disconnected(party));
                    }
                }
            }
        }
    }

    /// An equivocating node looks away from what others say of its own log.
    fn blind(&self, node: usize, message: &mut Gossip) {
        if self.nodes[node].evil {
            let origin = self.fixture.treaty.origin(self.nodes[node].party);
            message.heads.retain(|head| !head.checkpoint.starts_with(format!("{origin}\n").as_bytes()));
        }
    }

    fn answer(&mut self, from: usize, to: usize, request: &Request) -> Option<Response> {
        if let Request::Records { log, .. } = request
            && self.nodes[to].miserly
            && *log != self.nodes[to].party
        {
            return None;
        }
        let it = &self.nodes[to];
        let treaty = it.engine.as_ref().map_or(&self.fixture.treaty, |engine| engine.treaty());
        let mut response = serve(request, treaty, &it.disk, self.clock(to)).unwrap();
        if let Response::Heads { heads, .. } = &mut response
            && self.nodes[from].evil
        {
            let origin = self.fixture.treaty.origin(self.nodes[from].party);
            heads.retain(|head| !head.starts_with(format!("{origin}\n").as_bytes()));
        }
        Some(response)
    }

    fn start(&mut self, node: usize) {
        let party = self.nodes[node].party;
        let it = &mut self.nodes[node];
        if it.engine.is_some() || self.retired == Some(node) {
            return;
        }
        let config = Config {
            treaty: self.fixture.treaty.clone(),
            profile: self.fixture.profile.clone(),
            me: party,
            log_keys: vec![key(party, "log"), later_key(party, "log")],
            witness_keys: vec![key(party, "witness"), later_key(party, "witness")],
            high_water: it.high_water,
            head_interval_ms: 5_000,
            settle_ms: 2_000,
            request_timeout_ms: 3_000,
            sign_without_peers: it.evil,
            // Nodes run into it, and soon may fetch on.
            budget: Budget { at_once: 4_000, a_day: 86_400 * 50_000 },
        };
        it.start += 1;
        let engine = Engine::load(config, &it.disk).unwrap();
        it.high_water = engine.high_water();
        it.engine = Some(engine);
        self.at(1, Happening::Tick(node));
        self.relink();
        let grant = self.fixture.grant(party);
        self.submit_at(4_000, node, grant);
    }

    /// Power off: what was not synced is gone. Sometimes the disk is replaced by an older copy of it.
    fn crash(&mut self, node: usize) {
        if self.nodes[node].engine.take().is_none() {
            return;
        }
        self.say(|| format!("node {node} crashes"));
        let back = self.random.between(10, 8_000);
        self.at(back, Happening::Start(node));
        let replace = self.random.chance(400) && !self.nodes[node].backups.is_empty();
        if replace && !self.nodes[node].evil && self.can_be_spared(node) {
            let which = self.random.below(self.nodes[node].backups.len() as u64) as usize;
            self.nodes[node].disk = self.nodes[node].backups[which].clone();
            self.nodes[node].backups.truncate(which);
            self.stale_restores += 1;
            self.say(|| format!("node {node} is restored from an old copy"));
        }
        self.relink();
    }

    /// A log can only be made good by those who hold the rest of it: where the last copy of a record that was signed
    /// is lost, its node rightly stays mute for ever. So no disk is lost that holds such a copy.
    fn can_be_spared(&self, node: usize) -> bool {
        self.nodes.iter().filter(|n| !n.evil).all(|own| {
            let mark = own.high_water.map_or(0, |mark| mark.size);
            let holds = |n: &Node| !n.evil && !n.miserly && n.disk.size(own.party).unwrap() >= mark;
            self.nodes.iter().enumerate().any(|(other, n)| other != node && holds(n))
        })
    }

    fn input(&mut self, node: usize, input: Input) {
        let now = self.clock(node);
        let it = &mut self.nodes[node];
        let Some(engine) = &mut it.engine else { return };
        engine.handle(input, now, &it.disk).unwrap();
        // Several inputs share one commit, as under load.
        if self.random.chance(300) {
            return;
        }
        let step = engine.step(&it.disk).unwrap();
        if self.random.chance(self.crash) {
            // Before the commit: neither the batch nor any effect ever was.
            self.crash(node);
            return;
        }
        let it = &mut self.nodes[node];
        it.disk.commit(&step.batch);
        if self.random.chance(self.crash) {
            // After the commit, before the high-water mark and the effects.
            self.crash(node);
            return;
        }
        let it = &mut self.nodes[node];
        it.high_water = step.batch.high_water.or(it.high_water);
        if self.random.chance(20) {
            let copy = it.disk.clone();
            it.backups.push(copy);
        }
        self.carry_out(node, step);
    }

    fn carry_out(&mut self, node: usize, step: Step) {
        for effect in step.effects {
            match effect {
                Effect::Gossip(gossip) => {
                    let message = Gossip::parse(&gossip.to_bytes()).unwrap();
                    self.note_heads(node, &message);
                    for to in self.nodes[node].connected.clone() {
                        let copies =
                            u64::from(!self.random.chance(self.loss)) + u64::from(self.random.chance(self.repeat));
                        for _ in 0..copies {
                            let delay = self.random.between(1, self.delay + 2);
                            self.at(delay, Happening::Gossip { from: node, to, message: message.clone() });
                        }
                    }
                }
                Effect::Request { peer, id, request } => {
                    let to = self.nodes[node].connected.iter().copied().find(|to| self.nodes[*to].party == peer);
                    let start = self.nodes[node].start;
                    let request = Request::parse(&request.to_bytes()).unwrap();
                    match to {
                        Some(to) if !self.random.chance(self.loss) => {
                            let delay = self.random.between(1, self.delay + 2);
                            self.at(delay, Happening::Ask { from: node, to, id, start, request });
                        }
                        Some(_) => {}
                        None => self.at(1, Happening::Answer { to: node, id, start, response: None }),
                    }
                }
                Effect::Answer { ticket, outcome } => {
                    let party = self.tickets[&ticket];
                    match outcome {
                        // A certificate that waits for the records before it has no leaf yet.
                        Ok(Accepted { index, leaf: Some(leaf), .. }) if !self.nodes[node].evil => {
                            let before = self.acknowledged.insert((party, index), leaf);
                            assert!(
                                before.is_none_or(|before| before == leaf),
                                "two records acknowledged at one place"
                            );
                        }
                        Ok(_) => {}
                        Err(why) => {
                            self.refusals += 1;
                            self.say(|| format!("node {node} refuses: {why}"));
                        }
                    }
                }
                Effect::Attested { note: None, .. } | Effect::Endpoint { .. } => {}
                Effect::Attested { note: Some(note), .. } => self.check_attested(node, &note),
                Effect::Event(event) => {
                    if let Event::Fork(_) = event {
                        self.forks_seen += 1;
                    }
                    let honest = |party: usize| !self.nodes.iter().any(|n| n.party == party && n.evil);
                    if let Event::Fault { peer, what } = &event
                        && !self.nodes[node].evil
                    {
                        let none = self.nodes.iter().all(|n| !n.evil);
                        assert!(!(none && honest(*peer)), "node {node} finds fault with an honest peer {peer}: {what}");
                    }
                    self.say(|| format!("node {node}: {event:?}"));
                }
            }
        }
    }

    fn note_heads(&mut self, node: usize, message: &Gossip) {
        let origin = self.fixture.treaty.origin(self.nodes[node].party);
        for head in &message.heads {
            let note = SignedNote::parse(&head.checkpoint).unwrap();
            let checkpoint = Checkpoint::parse(note.text()).unwrap();
            if checkpoint.origin == origin {
                self.heads.entry((checkpoint.origin, checkpoint.size)).or_default().insert(checkpoint.root);
            }
        }
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9} ms  {}", self.now - START_MS, text());
        }
    }

    /// By log: size and leaf hashes, as a node holds them.
    /// What leaves a node with its cosignature is on its disk up to there, and the last that it cosigned.
    fn check_attested(&mut self, node: usize, note: &[u8]) {
        let note = SignedNote::parse(note).unwrap();
        let head = Checkpoint::parse(note.text()).unwrap();
        let log = self.fixture.treaty.log_of_origin(&head.origin).unwrap();
        let Node { disk, party, evil, .. } = &self.nodes[node];
        let by = [key(*party, "witness"), later_key(*party, "witness")];
        assert!(by.iter().any(|key| Cosignature::verify(&note, key.public()).is_ok()), "node {node}: its cosignature");
        assert_eq!(disk.size(log).unwrap(), head.size, "node {node} cosigned another head of {log} than it holds");
        assert_eq!(root_at(&LogTiles { read: disk, log }, head.size).unwrap(), Some(head.root));
        assert_eq!(disk.cosigned(log).unwrap().map(|c| (c.size, c.root)), Some((head.size, head.root)));
        self.attested += u64::from(!evil);
    }

    pub fn leaves(&self, node: usize, party: usize) -> Vec<Hash> {
        let disk = &self.nodes[node].disk;
        let size = disk.size(party).unwrap();
        (0..size).map(|index| leaf_hash(&disk.record(party, index).unwrap().unwrap())).collect()
    }

    pub fn mode(&self, node: usize) -> Option<Mode> {
        self.nodes[node].engine.as_ref().map(Engine::mode)
    }

    /// Whether two contradictory heads of a party's log left its nodes.
    pub fn equivocated(&self, party: usize) -> bool {
        let origin = self.fixture.treaty.origin(party);
        self.heads.iter().any(|((of, _), roots)| of == origin && roots.len() > 1)
    }

    /// The party that ran two nodes finds out: the one that wrote less is stopped for good, its root accepts both
    /// branches, and what it has to say of them is handed in at the other one. Whether there was something to accept.
    pub fn accept_branches(&mut self, party: usize) -> bool {
        let twins: Vec<_> = (0..self.nodes.len()).filter(|node| self.nodes[*node].party == party).collect();
        let head = |world: &Self, node: usize| {
            let disk = &world.nodes[node].disk;
            let note = SignedNote::parse(&disk.head(party, disk.size(party).unwrap()).unwrap().unwrap()).unwrap();
            (Checkpoint::parse(note.text()).unwrap(), note)
        };
        let (a, b) = (head(self, twins[0]).0.size, head(self, twins[1]).0.size);
        let (long, short) = if a >= b { (twins[0], twins[1]) } else { (twins[1], twins[0]) };
        let keeps_smaller = a != b && self.random.chance(500);
        let (kept, other) = if keeps_smaller { (short, long) } else { (long, short) };
        let ((larger, larger_note), (smaller, smaller_note)) = (head(self, long), head(self, short));
        let (disk, left) = (&self.nodes[kept].disk, &self.nodes[other].disk);
        let (tiles, others) = (LogTiles { read: disk, log: party }, LogTiles { read: left, log: party });
        let whole = LogTiles { read: &self.nodes[long].disk, log: party };
        let root = root_at(&whole, smaller.size).unwrap().unwrap();
        let proof = consistency_proof(&whole, smaller.size, larger.size).unwrap().unwrap();
        let keys = load_keyring(&self.fixture.treaty, disk).unwrap();
        let Ok(fork) = ForkProof::new(&keys, &smaller_note, &larger_note, root, proof) else { return false };
        let parts = |at: &u64| disk.record(party, *at).unwrap() != left.record(party, *at).unwrap();
        let common = (0..smaller.size).find(parts).unwrap();
        // What nobody but the node that is stopped has of its branch is on its disk only.
        let last = |disk: &Memory| disk.record(party, left.size(party).unwrap() - 1).unwrap();
        let held = |node: &usize| last(&self.nodes[*node].disk) == last(left);
        if !(0..self.nodes.len()).filter(|node| !twins.contains(node)).any(|node| held(&node)) {
            return false;
        }
        let leaf = |tiles: &LogTiles| tiles.subtree(0, common).unwrap().unwrap();
        let restart = Restart {
            common,
            fork,
            issued: Timestamp::from_posix(self.now / 1000),
            keeps_smaller,
            kept_leaf: leaf(&tiles),
            ledger: self.fixture.treaty.hash(),
            other_leaf: Some(leaf(&others)),
            party: crate::fixture::code(party),
            reason: None,
        };
        let note = restart.sign(&key(party, "root")).unwrap().to_bytes();
        for node in twins {
            self.nodes[node].evil = false;
        }
        self.nodes.iter_mut().for_each(|node| node.backups.clear());
        self.nodes[other].engine = None;
        self.retired = Some(other);
        self.relink();
        // It starts again; power fails at any moment of what follows, and disks are not replaced.
        self.nodes[kept].engine = None;
        self.relink();
        self.happen(Happening::Start(kept));
        // The node may be down when it is handed in: it is handed in again.
        for after in [20_000, 45_000, 70_000] {
            self.submit_at(after, kept, note.clone());
        }
        true
    }

    pub fn honest(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| !self.nodes[*node].evil && self.retired != Some(*node)).collect()
    }
}

impl Node {
    fn new(party: usize) -> Self {
        Self { party, ..Self::default() }
    }
}
