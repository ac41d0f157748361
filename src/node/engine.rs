//! The protocol engine: a state machine without I/O, clock or randomness of its own.
//!
//! The shell hands it [`Input`]s and the time; after a few of them it asks for a [`Step`]: one batch to be written
//! and synced, and the effects to be carried out *after that*. An answer, a checkpoint or a receipt can therefore not
//! leave the process before what it promises is on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::attest::Attest;
use super::branch::BranchTree;
use super::branches::Incoming;
use super::budget::{Budget, Left};
use super::fetch::Fetches;
use super::message::{Gossip, HeadUpdate, Request, Response};
use super::own::{Accepted, Refusal, Unsigned};
use super::recovery::Mode;
use super::rekey::load_keyring;
use super::replica::{Head, Replica};
use super::storage::{Batch, Cosigned, LogId, Read, ReadError, ReceiptEntry};
use crate::ledger::{Adoption, Endpoint, ForkProof, Keyring, NoteId, Profile, Record, RecordType, Timestamp, Treaty};
use crate::note::{SignedNote, SigningKey};
use crate::tlog::Cosignature;

/// Most bytes of records that go along with a gossiped head; what is larger is fetched.
const MAX_INLINE_BYTES: usize = 128 << 10;

/// How soon, at first, peers are asked again for what nobody is known to hold, in milliseconds.
pub(super) const FIRST_SEARCH_MS: u64 = 250;

/// What an engine is made of.
pub struct Config {
    /// The treaty.
    pub treaty: Arc<Treaty>,
    /// The treaty's profile.
    pub profile: Arc<Profile>,
    /// This party.
    pub me: LogId,
    /// Sign this party's checkpoints: the log says which of them does so where.
    pub log_keys: Vec<SigningKey>,
    /// Cosign others' checkpoints, likewise.
    pub witness_keys: Vec<SigningKey>,
    /// The highest head that this party is known to have signed, from outside the database.
    pub high_water: Option<Cosigned>,
    /// How often all heads are gossiped, in milliseconds.
    pub head_interval_ms: u64,
    /// How long after the first peer's answer to wait for the others before signing, in milliseconds.
    pub settle_ms: u64,
    /// How long a request may take, in milliseconds.
    pub request_timeout_ms: u64,
    /// The operator says by name that this node may sign without having heard from any peer.
    pub sign_without_peers: bool,
    /// What each other party's log may take of the disk.
    pub budget: Budget,
}

/// What happens to the node.
#[derive(Debug)]
pub enum Input {
    /// A note was handed in to be logged; `ticket` comes back with the answer.
    Submit {
        /// The shell's mark for the answer.
        ticket: u64,
        /// The signed note.
        note: Vec<u8>,
    },
    /// The head of a log is to be cosigned again as of now; `ticket` comes back with it.
    Attest {
        /// The shell's mark for the answer.
        ticket: u64,
        /// Which log.
        log: LogId,
        /// Also if the log has grown since, by records that ask for no receipt.
        grown: bool,
    },
    /// A connection to a party's node is up.
    Connected(LogId),
    /// The last connection to a party's node is down.
    Disconnected(LogId),
    /// A gossiped message; `from` wrote it, and holds what it tells of.
    Gossip {
        /// Who wrote it.
        from: LogId,
        /// The message.
        message: Gossip,
    },
    /// The answer to a request; `None` if none came.
    Response {
        /// The request's number.
        id: u64,
        /// What was answered.
        response: Option<Response>,
    },
    /// Whether the disk has room for more of others' logs; it has until this is said.
    Room(bool),
    /// Time has passed.
    Tick,
}

/// What the shell is to do, once the step's batch is synced.
#[derive(Debug)]
pub enum Effect {
    /// Publish to all.
    Gossip(Gossip),
    /// Ask one peer.
    Request {
        /// Whom.
        peer: LogId,
        /// Comes back with the response.
        id: u64,
        /// What.
        request: Request,
    },
    /// Answer a submission.
    Answer {
        /// The submission's mark.
        ticket: u64,
        /// What became of it.
        outcome: Result<Accepted, Refusal>,
    },
    /// Answer who asked for a head to be cosigned again.
    Attested {
        /// The asker's mark.
        ticket: u64,
        /// The log's head with this party's cosignature; `None` if it cannot be given now.
        note: Option<Vec<u8>>,
    },
    /// From now on, this is where a party's node is to be reached, and as whom it may come.
    Endpoint {
        /// Which party.
        party: LogId,
        /// Peer ids and addresses.
        endpoint: Endpoint,
    },
    /// Tell whoever watches.
    Event(Event),
}

/// Something that a watching person or program wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Records of a log were stored: from this index up to, not including, the other.
    Stored {
        /// Which log.
        log: LogId,
        /// First new index.
        from: u64,
        /// Number of records held now.
        to: u64,
    },
    /// A party's receipt for a log was seen.
    Receipt {
        /// Which log.
        log: LogId,
        /// Who receipted.
        by: LogId,
        /// Up to which size.
        size: u64,
        /// When, by the receipting party's clock.
        time: Timestamp,
    },
    /// A log was proved to have forked.
    Fork(LogId),
    /// The root of a log that forked has accepted both branches, and the log goes on.
    Restarted(LogId),
    /// The treaty has one amendment more: it has so many now.
    Amended(usize),
    /// Two amendments of this number are known that the parties signed.
    Contested(usize),
    /// The node began to sign, or stopped.
    Mode(Mode),
    /// A peer sent something that does not hold.
    Fault {
        /// Which peer.
        peer: LogId,
        /// What was wrong.
        what: String,
    },
    /// A peer has another treaty file.
    OtherTreaty(LogId),
}

/// One step's outcome: first the batch, synced; then the effects.
#[derive(Debug, Default)]
pub struct Step {
    /// To be written and synced.
    pub batch: Batch,
    /// To be carried out after that.
    pub effects: Vec<Effect>,
}

/// The engine of one node.
pub struct Engine {
    pub(super) config: Config,
    pub(super) logs: Vec<Replica>,
    /// Which keys are in force where, by the records held.
    pub(super) keys: Keyring,
    /// By peer and log: when it was last asked for that log's keys.
    pub(super) keys_asked: BTreeMap<(LogId, LogId), u64>,
    /// By peer and log: when it was last asked for that log's restart certificates.
    pub(super) restarts_asked: BTreeMap<(LogId, LogId), u64>,
    /// Trees of branches that do not go on, by log and size of the kept head, as far as they were needed.
    pub(super) branches: BTreeMap<(LogId, u64), Arc<BranchTree>>,
    /// Branches whose records are held, or are too large to be fetched.
    pub(super) held_branches: BTreeSet<(LogId, u64)>,
    /// Branches on their way.
    pub(super) incoming: BTreeMap<(LogId, u64), Incoming>,
    pub(super) mode: Mode,
    /// The high-water mark on disk is on a branch that does not go on, and counts for nothing.
    pub(super) left_high_water: bool,
    pub(super) connected: BTreeMap<LogId, PeerState>,
    pub(super) fetches: Fetches,
    pub(super) batch: Batch,
    pub(super) effects: Vec<Effect>,
    /// Ids logged in this step, not yet to be found in stored data.
    pub(super) fresh_ids: HashMap<NoteId, u64>,
    /// Set while this party's log has records of this step over which no head was signed yet.
    pub(super) unsigned: Option<Unsigned>,
    /// Forks whose proofs are kept, and are to be records of this party's log as soon as it signs.
    pub(super) unlogged_forks: Vec<ForkProof>,
    pub(super) now_ms: u64,
    /// Grows by what the clock goes forward and never falls: what has to wait goes by this, so that nothing waits for
    /// ever when the clock is set back.
    pub(super) passed_ms: u64,
    /// Parties that have answered, since this node started, which heads they hold.
    pub(super) answered: BTreeSet<LogId>,
    /// When the first of them did.
    pub(super) first_answer_ms: Option<u64>,
    /// Who asked for heads to be cosigned again, in this step.
    pub(super) attests: Vec<Attest>,
    /// By log: what is left of its budget, since it first used some.
    pub(super) budgets: BTreeMap<LogId, Left>,
    pub(super) disk_has_room: bool,
    next_heads_ms: u64,
    next_asked: LogId,
    /// When to look again for who holds what is missing, and how long to wait after that.
    pub(super) next_search_ms: u64,
    pub(super) search_wait_ms: u64,
    /// Own log's size up to which others were told.
    pub(super) published: u64,
}

/// What is known of a connected peer.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerState {
    /// It is to be asked which heads it holds: it was not yet, or something that was asked of it got lost.
    pub ask_heads: bool,
    /// By log: the size that it is known to hold.
    pub sizes: BTreeMap<LogId, u64>,
    /// By how much its clock is ahead of this one's, in milliseconds, half a round trip more or less.
    pub clock_offset_ms: Option<i64>,
}

impl Engine {
    /// Loads a node's state from stored data, verifying each log's edge.
    pub fn load(config: Config, read: &dyn Read) -> Result<Self, ReadError> {
        let mut config = config;
        let adoptions = super::amend::load(&mut config.treaty, read)?;
        let treaty = config.treaty.clone();
        let keys = load_keyring(&treaty, read)?;
        let mut logs: Vec<_> = (0..treaty.parties().len())
            .map(|log| Replica::load(log, &treaty, &keys, read))
            .collect::<Result<_, _>>()?;
        logs.iter_mut().zip(adoptions).for_each(|(log, adoption)| log.adoption = adoption);
        let unlogged_forks = unlogged_forks(&logs, config.me, &treaty, read)?;
        let published = logs[config.me].size();
        // A head that is stored may be told to whoever asks, also if the node stopped before its mark was raised.
        if let Some(head) = &logs[config.me].head
            && config.high_water.is_none_or(|mark| mark.size < head.checkpoint.size)
        {
            config.high_water = Some(Cosigned { size: head.checkpoint.size, root: head.checkpoint.root });
        }
        let mut engine = Self {
            config,
            logs,
            keys,
            keys_asked: BTreeMap::new(),
            restarts_asked: BTreeMap::new(),
            branches: BTreeMap::new(),
            held_branches: BTreeSet::new(),
            incoming: BTreeMap::new(),
            mode: Mode::Unheard,
            left_high_water: false,
            connected: BTreeMap::new(),
            fetches: Fetches::default(),
            batch: Batch::default(),
            effects: Vec::new(),
            fresh_ids: HashMap::new(),
            unsigned: None,
            unlogged_forks,
            now_ms: 0,
            passed_ms: 0,
            answered: BTreeSet::new(),
            first_answer_ms: None,
            attests: Vec::new(),
            budgets: BTreeMap::new(),
            disk_has_room: true,
            next_heads_ms: 0,
            next_asked: 0,
            next_search_ms: 0,
            search_wait_ms: FIRST_SEARCH_MS,
            published,
        };
        engine.pass_own_times((0, published), read)?;
        engine.review_missing_branches(read)?;
        Ok(engine)
    }

    /// Takes in what happened. `now_ms` is the clock in POSIX milliseconds.
    pub fn handle(&mut self, input: Input, now_ms: u64, read: &dyn Read) -> Result<(), ReadError> {
        self.passed_ms = self.passed_ms.saturating_add(now_ms.saturating_sub(self.now_ms));
        self.now_ms = now_ms;
        match input {
            Input::Submit { ticket, note } => self.submit(ticket, note, read)?,
            Input::Attest { ticket, log, grown } => self.attests.push(Attest { ticket, log, grown }),
            Input::Connected(peer) => self.connect(peer),
            Input::Disconnected(peer) => {
                self.connected.remove(&peer);
                self.fetches.peer_gone(peer);
            }
            Input::Gossip { from, message } => {
                self.observe_updates(from, message.heads, read)?;
            }
            Input::Response { id, response } => self.respond(id, response, read)?,
            Input::Room(has_room) => self.disk_has_room = has_room,
            Input::Tick => self.tick(read)?,
        }
        self.schedule_fetches();
        self.review_mode(read)
    }

    /// Ends the step: issues the receipts that are due, signs this log's new head, and hands out what is to be done.
    pub fn step(&mut self, read: &dyn Read) -> Result<Step, ReadError> {
        if self.mode.signs() && !self.logs[self.config.me].turned {
            for fork in std::mem::take(&mut self.unlogged_forks) {
                let text = fork.to_text().into_bytes();
                // Two checkpoints and a proof of at most 64 hashes always fit a record.
                let _ = self.append_own(RecordType::Evidence, &text);
            }
            self.log_amendments();
            self.issue_receipts(read)?;
        }
        self.answer_attests(read)?;
        self.count_own_receipts(read)?;
        self.sign_own_head();
        self.unsigned = None;
        for replica in &mut self.logs {
            replica.finish(&mut self.batch);
        }
        self.fresh_ids.clear();
        Ok(Step { batch: std::mem::take(&mut self.batch), effects: std::mem::take(&mut self.effects) })
    }

    fn connect(&mut self, peer: LogId) {
        if self.connected.contains_key(&peer) {
            return;
        }
        self.connected.insert(peer, PeerState::default());
        self.ask_heads(peer);
    }

    pub(super) fn ask_heads(&mut self, peer: LogId) {
        if !self.fetches.is_asked_for_heads(peer) {
            let treaty = self.config.treaty.hash();
            self.request(peer, Request::Heads { treaty });
        }
    }

    pub(super) fn request(&mut self, peer: LogId, request: Request) -> u64 {
        let id = self.fetches.begin(peer, &request, self.passed_ms);
        self.effects.push(Effect::Request { peer, id, request });
        id
    }

    pub(super) fn event(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }

    pub(super) fn fault(&mut self, peer: LogId, what: impl Into<String>) {
        self.event(Event::Fault { peer, what: what.into() });
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_posix(self.now_ms / 1000)
    }

    fn tick(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        for (peer, request) in self.fetches.expire(self.passed_ms, self.config.request_timeout_ms) {
            self.ask_again(peer, &request);
        }
        for log in 0..self.logs.len() {
            self.settle_doubts(log, read)?;
        }
        self.search();
        let waiting: Vec<_> = self.connected.iter().filter(|(_, s)| s.ask_heads).map(|(peer, _)| *peer).collect();
        for peer in waiting {
            self.ask_heads(peer);
        }
        if self.passed_ms < self.next_heads_ms {
            return Ok(());
        }
        self.next_heads_ms = self.passed_ms.saturating_add(self.config.head_interval_ms);
        let mut heads = Vec::new();
        for replica in &self.logs {
            // Both heads of a forked log: whoever has seen only one of them proves the fork at once.
            if let Some(fork) = &replica.fork {
                heads.extend([fork.heads().0, fork.heads().1].map(head_only));
            }
            heads.extend(replica.head.as_ref().map(|head| head_only(&head.note)));
        }
        if !heads.is_empty() {
            self.effects.push(Effect::Gossip(Gossip { heads }));
        }
        // Gossip is a hint. One peer after the other is asked as well, so that a loss never lasts.
        let after = self.connected.range(self.next_asked..).next().or_else(|| self.connected.iter().next());
        if let Some(peer) = after.map(|(peer, _)| *peer) {
            self.next_asked = peer + 1;
            self.ask_heads(peer);
            self.note_held_branches(read)?;
            self.fetch_branches(peer);
        }
        Ok(())
    }

    /// Cosigns and logs the head of every log that has something new to be receipted.
    fn issue_receipts(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        for log in 0..self.logs.len() {
            let replica = &self.logs[log];
            let before = replica.cosigned;
            let due = log != self.config.me
                && log < self.config.treaty.settled_parties()
                && replica.fork.is_none()
                && replica.doubts().next().is_none()
                && replica.head_size() == replica.size()
                && replica.wants_until > before.map_or(0, |c| c.size);
            let Some(head) = replica.head.clone().filter(|_| due) else { continue };
            if let Some(before) = before
                && !self.extends(log, Some(before), read)?
            {
                self.contradicts_own_receipt(log, before, read)?;
                continue;
            }
            let mut note: SignedNote = head.note;
            let Some(key) = self.witness_key() else { continue };
            Cosignature::sign(&mut note, key, self.now().posix());
            let (size, time) = (head.checkpoint.size, self.now());
            // A checkpoint with two signatures always fits a record.
            let Ok(receipt) = self.append_own(RecordType::Receipt, &note.to_bytes()) else { continue };
            let (me, cosigned) = (self.config.me, Cosigned { size, root: head.checkpoint.root });
            self.logs[log].cosigned = Some(cosigned);
            self.logs[log].receipted[me] = size;
            self.batch.cosigned.push((log, cosigned));
            self.batch.receipts.push(ReceiptEntry { log, by: me, size, index: receipt.index, time });
            self.event(Event::Receipt { log, by: me, size, time });
        }
        Ok(())
    }

    /// Signs the head over the records appended in this step: never two heads of one size, as the size has grown.
    fn sign_own_head(&mut self) {
        let me = self.config.me;
        let replica = &self.logs[me];
        let size = replica.size();
        if size == replica.head_size() || !self.mode.signs() {
            return;
        }
        self.sign_head(size);
    }

    /// Signs the head over all records that this log has now. What it covers is not taken back any more.
    pub(super) fn sign_head(&mut self, size: u64) {
        let me = self.config.me;
        let Some(Head { checkpoint, note }) = self.signed_head(size) else { return };
        self.unsigned = None;
        self.raise_high_water(Cosigned { size, root: checkpoint.root });
        self.logs[me].set_head(Head { checkpoint, note: note.clone() }, &mut self.batch);
        let records: Vec<_> = self
            .batch
            .records
            .iter()
            .filter(|record| record.log == me && record.index >= self.published)
            .map(|record| record.bytes.clone())
            .collect();
        let from = self.published;
        self.event(Event::Stored { log: me, from, to: size });
        let small = records.iter().map(Vec::len).sum::<usize>() <= MAX_INLINE_BYTES;
        let whole = records.len() as u64 == size - from;
        let records = if small && whole { records } else { Vec::new() };
        self.effects
            .push(Effect::Gossip(Gossip { heads: vec![HeadUpdate { checkpoint: note.to_bytes(), from, records }] }));
        self.published = size;
    }

    /// Says where a party is to be reached now.
    pub(super) fn tell_endpoint(&mut self, party: LogId) {
        let endpoint = self.keys.party(party).endpoint();
        self.effects.push(Effect::Endpoint { party, endpoint });
    }

    // What the shell may ask, for status and waiting.

    /// Which keys are in force where, by the records held.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// The own log's highest head that was ever signed. After loading it has to be on disk, outside the database,
    /// before the node answers anybody.
    pub fn high_water(&self) -> Option<Cosigned> {
        self.config.high_water
    }

    /// Whether the node signs, and if not, why.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// By how much a connected peer's clock is ahead of this one's, in milliseconds; `None` within if not yet known.
    pub fn peer(&self, peer: LogId) -> Option<Option<i64>> {
        self.connected.get(&peer).map(|state| state.clock_offset_ms)
    }

    /// Number of records held of a log.
    pub fn size(&self, log: LogId) -> u64 {
        self.logs[log].size()
    }

    /// The largest size of a log that was seen signed, held or not.
    pub fn known_size(&self, log: LogId) -> u64 {
        self.logs[log].known_size()
    }

    /// The proof that a log forked.
    pub fn fork(&self, log: LogId) -> Option<&ForkProof> {
        self.logs[log].fork.as_ref()
    }

    /// By party: up to which size it has receipted a log.
    pub fn receipted(&self, log: LogId) -> &[u64] {
        &self.logs[log].receipted
    }

    /// Up to which size a log has the quorum's receipts.
    pub fn final_size(&self, log: LogId) -> u64 {
        final_size(&self.config.treaty, &self.logs[log].adoption, &self.logs[log].receipted)
    }
}

/// Proofs that are kept and are not in this party's log: the node stopped before it could sign again.
fn unlogged_forks(logs: &[Replica], me: LogId, treaty: &Treaty, read: &dyn Read) -> Result<Vec<ForkProof>, ReadError> {
    let mut forks: Vec<_> = logs.iter().filter(|log| log.log != me).filter_map(|log| log.fork.clone()).collect();
    for index in (0..logs[me].size()).rev() {
        if forks.is_empty() {
            break;
        }
        if let Some(bytes) = read.record(me, index)?
            && let Ok(record) = Record::parse(&bytes)
            && record.kind == RecordType::Evidence
            && let Ok(proof) = ForkProof::parse(record.payload, treaty)
        {
            forks.retain(|fork| fork.log() != proof.log());
        }
    }
    Ok(forks)
}

/// Up to which size a log is final, given what each party has receipted of it: a head is, if the quorum holds as the
/// treaty stands at its last record.
pub fn final_size(treaty: &Treaty, adoption: &Adoption, receipted: &[u64]) -> u64 {
    let mut sizes: Vec<_> = receipted.to_vec();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    let by = |size: u64| move |party: usize| receipted.get(party).is_some_and(|s| *s >= size);
    let holds = |size: &u64| *size > 0 && treaty.is_quorum(adoption.of_size(*size), &by(*size));
    sizes.into_iter().find(holds).unwrap_or(0)
}

fn head_only(note: &SignedNote) -> HeadUpdate {
    HeadUpdate { checkpoint: note.to_bytes(), from: 0, records: Vec::new() }
}
