//! Other nodes' news: heads, pages of records, proofs; and forks, where two signed heads contradict each other.

use super::engine::{Engine, Event, FIRST_SEARCH_MS};
use super::fetch::{Arrived, answers};
use super::message::{HeadUpdate, Request, Response};
use super::recovery::Mode;
use super::rekey::Place;
use super::replica::Head;
use super::storage::{Cosigned, LogId, Read, ReadError, ReceiptEntry};
use crate::ledger::{ForkProof, Receipt, Record, RecordType};
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, CheckpointError, Hash, consistency_proof, verify_consistency};

/// Heads of one log that a node tells at most: its largest, and the two of a fork.
const HEADS_PER_LOG: usize = 3;

impl Engine {
    /// Takes in the heads that `from` told, up to the first that does not hold: an honest node tells none, and each
    /// costs a signature's verification.
    pub(super) fn observe_updates(
        &mut self,
        from: LogId,
        updates: impl IntoIterator<Item = HeadUpdate>,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        for update in updates.into_iter().take(HEADS_PER_LOG * self.logs.len()) {
            if !self.observe_update(from, update, read)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes in a head that `from` told, with the records that came along; whether it is one.
    fn observe_update(&mut self, from: LogId, update: HeadUpdate, read: &dyn Read) -> Result<bool, ReadError> {
        if self.is_of_a_newcomer(&update.checkpoint) {
            return Ok(true);
        }
        let Some((log, stated)) = self.read_head(&update.checkpoint) else {
            self.fault(from, "a head that is not a checkpoint of a party's log");
            return Ok(false);
        };
        // What is known already says only that this peer has it: nothing is taken from it, so nothing is verified.
        if self.logs[log].knows(&stated) {
            self.peer_has(from, log, stated.size);
            return Ok(true);
        }
        if self.logs[log].turned {
            return Ok(true);
        }
        if let Some(fork) = &self.logs[log].fork {
            // A head that is none of the two may be of a log that goes on: its root may have accepted both branches.
            if !fork.checkpoints().contains(&&stated) {
                self.ask_restarts(from, log);
            }
            return Ok(true);
        }
        let head = match self.verify_head(&update.checkpoint) {
            Ok(head) => head,
            Err(error) => return Ok(self.bad_head(from, log, &error)),
        };
        if self.is_passed_by(log, &stated, read)? {
            return Ok(true);
        }
        self.peer_has(from, log, stated.size);
        self.yield_to(log, &head);
        let size = self.logs[log].size();
        let end = update.from.saturating_add(update.records.len() as u64);
        if update.from <= size && size < end && end == head.checkpoint.size && self.has_room(log) {
            let page =
                Arrived { peer: from, records: update.records, checkpoint: update.checkpoint, proof: Vec::new() };
            if self.take_page(log, update.from, page, read)? {
                return Ok(true);
            }
        }
        self.observe_head(log, head, (from, None), read)?;
        Ok(true)
    }

    /// Takes the answer to a request of this engine; `None` if none came.
    pub(super) fn respond(&mut self, id: u64, response: Option<Response>, read: &dyn Read) -> Result<(), ReadError> {
        let Some((peer, request, sent_ms)) = self.fetches.end(id) else { return Ok(()) };
        let Some(response) = response else {
            self.ask_again(peer, &request);
            return Ok(());
        };
        if !answers(&request, &response) {
            self.fault(peer, "an answer to something else than was asked");
            self.ask_again(peer, &request);
            return Ok(());
        }
        match response {
            Response::Heads { time_ms, heads } => {
                let passed_ms = self.passed_ms;
                let middle = self.now_ms.saturating_sub(passed_ms.saturating_sub(sent_ms) / 2);
                if let Some(state) = self.connected.get_mut(&peer) {
                    state.ask_heads = false;
                    state.clock_offset_ms = Some(time_ms.cast_signed().saturating_sub(middle.cast_signed()));
                }
                let bare = |checkpoint| HeadUpdate { checkpoint, from: 0, records: Vec::new() };
                self.observe_updates(peer, heads.into_iter().map(bare), read)?;
                self.answered.insert(peer);
                self.first_answer_ms.get_or_insert(passed_ms);
            }
            // The engine itself never asks for it.
            Response::Attested { .. } => {}
            Response::Records { log, from, records, checkpoint, proof } => {
                self.fetches.keep(log, from, Arrived { peer, records, checkpoint, proof });
                while let Some((from, page)) = self.fetches.take(log, self.logs[log].size()) {
                    if !self.take_page(log, from, page, read)? {
                        self.fetches.forget(log);
                        break;
                    }
                }
            }
            Response::Proof { log, old, root, checkpoint, proof } => {
                self.compare(peer, log, (old, root), &checkpoint, proof, read)?;
            }
            Response::Keys { log, notes } => self.learn_keys(peer, log, &notes),
            Response::Restarts { log, notes } => self.learn_restarts(peer, log, &notes, read)?,
            Response::Branch { log, kept, from, records } => {
                self.take_branch(peer, (log, kept, from), records, read)?
            }
            Response::OtherTreaty { .. } => {
                if let Some(state) = self.connected.get_mut(&peer) {
                    state.ask_heads = false;
                }
                self.event(Event::OtherTreaty(peer));
            }
            Response::Nothing => self.peer_lacks(peer, &request),
        }
        Ok(())
    }

    /// An answer that did not come: the peer is asked for its heads again, and others for what it was asked for.
    pub(super) fn ask_again(&mut self, peer: LogId, request: &Request) {
        self.peer_lacks(peer, request);
        if let Some(state) = self.connected.get_mut(&peer) {
            state.ask_heads = true;
        }
    }

    fn peer_has(&mut self, peer: LogId, log: LogId, size: u64) {
        if let Some(state) = self.connected.get_mut(&peer) {
            let known = state.sizes.entry(log).or_default();
            *known = (*known).max(size);
        }
    }

    /// Reads a head without verifying it.
    fn read_head(&self, bytes: &[u8]) -> Option<(LogId, Checkpoint)> {
        let note = SignedNote::parse(bytes).ok()?;
        let stated = Checkpoint::parse(note.text()).ok()?;
        Some((self.config.treaty.log_of_origin(&stated.origin)?, stated))
    }

    fn verify_head(&self, bytes: &[u8]) -> Result<Head, CheckpointError> {
        Head::verify(&SignedNote::parse(bytes)?, &self.keys).map(|(_, head)| head)
    }

    /// What comes of a head that does not verify. A key that is not known may be a new one: that is nobody's fault.
    fn bad_head(&mut self, peer: LogId, log: LogId, error: &CheckpointError) -> bool {
        if matches!(error, CheckpointError::UnknownKey(_)) {
            self.ask_keys(peer, log);
            return true;
        }
        self.fault(peer, format!("a head that does not verify: {error}"));
        false
    }

    /// A head of this party's own log that this node does not know it has signed comes before what it has not signed yet.
    fn yield_to(&mut self, log: LogId, head: &Head) {
        let (have, known) = (self.logs[log].head_size(), head.checkpoint.size);
        if log == self.config.me && known > have {
            self.take_back_unsigned(Mode::Behind { have, known });
        }
    }

    /// Takes in a verified head: something to catch up with, something known, or a contradiction.
    fn observe_head(
        &mut self,
        log: LogId,
        head: Head,
        from: (LogId, Option<Place>),
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let size = head.checkpoint.size;
        if self.logs[log].fork.is_some() || self.logs[log].turned || size == 0 {
            return Ok(());
        }
        if self.is_passed_by(log, &head.checkpoint, read)? {
            return Ok(());
        }
        self.yield_to(log, &head);
        let replica = &mut self.logs[log];
        if size <= replica.size() {
            if replica.root_at(size, &self.batch, read)? != Some(head.checkpoint.root) {
                return self.contradicts(log, head, from, read);
            }
            if size == replica.size() && size > replica.head_size() {
                replica.set_head(head, &mut self.batch);
            }
            return Ok(());
        }
        match &replica.target {
            Some(target) if target.checkpoint.size == size && target.checkpoint.root != head.checkpoint.root => {
                let (a, b, root) = (target.note.clone(), head.note.clone(), head.checkpoint.root);
                if let Ok(proof) = ForkProof::new(&self.keys, &a, &b, root, Vec::new())
                    && self.waits_for_keys(&proof, from.1)
                {
                    // Whichever it is, the log goes on under the key that its root has put in force last.
                    if self.is_by_unplaced(log, &head) {
                        self.logs[log].target = Some(head);
                    }
                    return Ok(());
                }
                self.prove_fork(&a, &b, root, Vec::new(), read)?;
            }
            Some(target) if target.checkpoint.size >= size => {}
            _ => replica.target = Some(head),
        }
        Ok(())
    }

    /// Checks a page and takes it in whole, or not at all.
    fn take_page(&mut self, log: LogId, from: u64, page: Arrived, read: &dyn Read) -> Result<bool, ReadError> {
        let Arrived { peer, mut records, checkpoint, proof } = page;
        if self.logs[log].turned {
            return Ok(false);
        }
        let size = self.logs[log].size();
        let skip = size.saturating_sub(from).min(records.len() as u64) as usize;
        records.drain(..skip);
        let treaty = self.config.treaty.clone();
        let origin = treaty.origin(log);
        let lacks = Request::Records { log, from: size, count: 1 };
        let end = size + records.len() as u64;
        let checked = self.logs[log].check(origin, &records);
        // The keys as they are if this page holds: a rotation in it says who signs the head over it.
        let rekeyed = checked.as_ref().ok().and_then(|page| self.rekeyed(log, size, page.kinds(), &records));
        let head = match self.logs[log].known_head(&checkpoint) {
            Some(head) if rekeyed.is_none() && head.checkpoint.size > end => Ok(head),
            _ => match (SignedNote::parse(&checkpoint), checked.is_ok()) {
                (Err(error), _) => Err(error.into()),
                (Ok(note), true) => Head::verify_by(&note, rekeyed.as_ref().unwrap_or(self.keys.party(log)), end),
                (Ok(note), false) => Head::verify_by(&note, self.keys.party(log), size),
            },
        };
        let head = match head {
            Ok(head) => head,
            Err(error) => {
                self.bad_head(peer, log, &error);
                self.peer_lacks(peer, &lacks);
                return Ok(false);
            }
        };
        let checked = checked.and_then(|page| page.covered_by(&head.checkpoint, &proof).map(|()| page));
        let page = match checked {
            Ok(page) => page,
            Err(error) => {
                self.fault(peer, format!("records of {origin} that do not continue what is held: {error}"));
                self.peer_lacks(peer, &lacks);
                self.contradicts(log, head, (peer, None), read)?;
                return Ok(false);
            }
        };
        if let Some(index) = self.leaves_the_log(log, size, &records) {
            // Where the branches part, whoever gives the other one may not have heard of the certificate yet.
            if self.logs[log].restarts.iter().all(|(restart, _)| restart.common != index) {
                let what = format!("record {index} of {origin} is not that of the branch with which that log goes on");
                self.fault(peer, what);
            }
            // It leads to a branch, not on: what else is known of the log is asked for.
            self.logs[log].give_up(&head.checkpoint);
            self.peer_lacks(peer, &lacks);
            self.ask_restarts(peer, log);
            return Ok(false);
        }
        let special: Vec<_> = (size..)
            .zip(&records)
            .zip(page.kinds())
            .filter(|(_, kind)| **kind != RecordType::Notification)
            .map(|((index, bytes), kind)| (index, *kind, bytes.clone()))
            .collect();
        let to = size + records.len() as u64;
        self.search_wait_ms = FIRST_SEARCH_MS;
        self.fetches.trust(peer, log);
        let times = page.times.clone();
        self.take_keys(log, rekeyed, to);
        self.spend(log, records.iter().map(Vec::len).sum());
        let replica = &mut self.logs[log];
        replica.adopt(page, records, &mut self.batch);
        replica.cover(head, &mut self.batch);
        self.event(Event::Stored { log, from: size, to });
        if log == self.config.me {
            (size..).zip(&times).for_each(|(index, time)| self.keys.party_mut(log).pass(index, *time));
            self.published = self.published.max(to);
            let own = &self.logs[log];
            if own.head_size() == own.size() {
                self.raise_high_water(Cosigned { size: own.size(), root: own.root() });
            }
        }
        self.pass_heads(log, (size, to), peer, read)?;
        self.count_receipts(log, size, peer, read)?;
        let mut passed = size;
        for (index, kind, bytes) in special {
            // The page was checked: these are records.
            let Ok(record) = Record::parse(&bytes) else { continue };
            match kind {
                RecordType::Receipt => self.take_receipt(log, index, record.payload, peer, read)?,
                RecordType::Evidence => {
                    if let Ok(proof) = ForkProof::parse(record.payload, &self.config.treaty)
                        && !self.is_late_proof(&proof, (log, index), read)?
                        && !self.waits_for_keys(&proof, Some((log, index)))
                        && self.is_unexplained(&proof, Some((log, index)), read)?
                    {
                        let forked = proof.log();
                        self.record_fork(proof);
                        if log == self.config.me {
                            // Taken back from peers: it is in this log already.
                            self.unlogged_forks.retain(|fork| fork.log() != forked);
                        }
                    }
                }
                RecordType::Amendment => {
                    // Dates come in the order of the records: those of the records before it, by what held until then.
                    let before = (passed - size) as usize..(index - size) as usize;
                    self.pass_times(log, passed, times.get(before).unwrap_or_default());
                    passed = index + 1;
                    self.take_amendment(log, &record, read)?;
                }
                RecordType::Credential => self.note_restart(log, &record, read)?,
                RecordType::Notification => {}
            }
        }
        self.pass_times(log, passed, times.get((passed - size) as usize..).unwrap_or_default());
        self.settle_doubts(log, read)?;
        Ok(true)
    }

    /// Takes in a receipt that stands in the log of party `by`. What is not one stays in that log and counts for nothing.
    fn take_receipt(
        &mut self,
        by: LogId,
        index: u64,
        payload: &[u8],
        peer: LogId,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let Ok(receipt) = Receipt::verify_or_open(payload, by, index, &self.keys) else { return Ok(()) };
        let (log, size, time) = (receipt.log, receipt.checkpoint.size, receipt.time);
        let replica = &mut self.logs[log];
        let held = size <= replica.size();
        let agrees = !held || replica.root_at(size, &self.batch, read)? == Some(receipt.checkpoint.root);
        if agrees {
            // Of a head whose records are not held nobody can say yet of which branch it is: it counts later.
            replica.stated[by] = replica.stated[by].max(size);
            if held {
                replica.receipted[by] = replica.receipted[by].max(size);
            }
            // A node that takes its own log back learns from it again what it must not contradict.
            if by == self.config.me && replica.cosigned.is_none_or(|before| before.size < size) {
                let cosigned = Cosigned { size, root: receipt.checkpoint.root };
                replica.cosigned = Some(cosigned);
                self.batch.cosigned.push((log, cosigned));
            }
            self.batch.receipts.push(ReceiptEntry { log, by, size, index, time });
            if held {
                self.event(Event::Receipt { log, by, size, time });
            }
        }
        if receipt.open {
            self.ask_keys(peer, log);
        } else if (!held || !agrees)
            && let Ok(note) = SignedNote::parse(payload)
            && let Ok((_, head)) = Head::verify(&note, &self.keys)
        {
            self.observe_head(log, head, (peer, Some((by, index))), read)?;
        }
        Ok(())
    }

    /// Records of a log came in after this size: earlier receipts for them count now, or show the other branch of a fork.
    pub(super) fn count_receipts(
        &mut self,
        log: LogId,
        after: u64,
        peer: LogId,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        for by in 0..self.logs.len() {
            if self.logs[log].stated[by] <= after {
                continue;
            }
            for entry in self.receipts_after(log, by, after, read)? {
                // An entry stands for a record that was verified when it came.
                let Some(bytes) = self.record(by, entry.index, read)? else { continue };
                let Ok(record) = Record::parse(&bytes) else { continue };
                let Ok(note) = SignedNote::parse(record.payload) else { continue };
                let Ok((_, head)) = Head::verify(&note, &self.keys) else {
                    // It was signed with a key that turns out not to be in force there.
                    self.batch.receipts.retain(|other| *other != entry);
                    self.batch.refuted.push(entry);
                    continue;
                };
                let replica = &mut self.logs[log];
                if replica.root_at(entry.size, &self.batch, read)? == Some(head.checkpoint.root) {
                    replica.receipted[by] = replica.receipted[by].max(entry.size);
                    self.event(Event::Receipt { log, by, size: entry.size, time: entry.time });
                } else {
                    self.batch.receipts.retain(|other| *other != entry);
                    self.batch.refuted.push(entry);
                    self.contradicts(log, head, (peer, Some((by, entry.index))), read)?;
                }
            }
        }
        Ok(())
    }

    /// A party's receipts for heads of a log after this size, as far as its records are held.
    fn receipts_after(
        &self,
        log: LogId,
        by: LogId,
        after: u64,
        read: &dyn Read,
    ) -> Result<Vec<ReceiptEntry>, ReadError> {
        let held = self.logs[log].size();
        let fits = |e: &&ReceiptEntry| e.log == log && e.by == by && e.size > after && e.size <= held;
        let mut entries: Vec<_> = self.batch.receipts.iter().filter(fits).copied().collect();
        let mut from = after + 1;
        while let Some(entry) = read.receipt_from(log, by, from)?.filter(|entry| entry.size <= held) {
            from = entry.size + 1;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// What this party cosigned before is no prefix of what it holds now: its own receipt has the other head.
    pub(super) fn contradicts_own_receipt(
        &mut self,
        log: LogId,
        before: Cosigned,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let me = self.config.me;
        let Some(entry) = read.receipt_from(log, me, before.size)? else { return Ok(()) };
        if let Some(bytes) = self.record(me, entry.index, read)?
            && let Ok(record) = Record::parse(&bytes)
            && let Ok(note) = SignedNote::parse(record.payload)
            && let Ok((_, head)) = Head::verify(&note, &self.keys)
        {
            self.contradicts(log, head, (me, Some((me, entry.index))), read)?;
        }
        Ok(())
    }

    /// Whether a head beyond the records held is of a branch that does not go on, and nothing to catch up with. Up to the
    /// head that is kept, that one leads the way.
    fn is_passed_by(&mut self, log: LogId, head: &Checkpoint, read: &dyn Read) -> Result<bool, ReadError> {
        if head.size <= self.logs[log].size() || self.logs[log].restarts.is_empty() {
            return Ok(false);
        }
        let kept = self.logs[log].restarts.last().map_or(0, |(restart, _)| restart.kept_head().size);
        Ok(match self.on_branch(log, head.size, &head.root, read)? {
            Some(on_branch) => on_branch,
            None => head.size < kept,
        })
    }

    /// A verified head that does not fit the records held. Proves the fork, or asks for what proves it. Says who told
    /// of it, and where in a log it stands.
    pub(super) fn contradicts(
        &mut self,
        log: LogId,
        head: Head,
        (peer, seen): (LogId, Option<Place>),
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        if self.logs[log].fork.is_some() {
            return Ok(());
        }
        if self.is_late(log, &head, seen, read)? {
            self.fault(peer, "a head signed with a key that the log has replaced since, which proves nothing");
            return Ok(());
        }
        match self.on_branch(log, head.checkpoint.size, &head.checkpoint.root, read)? {
            Some(true) => return Ok(()),
            None => {
                self.logs[log].give_up(&head.checkpoint);
                self.logs[log].doubt(head, seen);
                return Ok(());
            }
            Some(false) if self.prove_third(log, &head, read)? => return Ok(()),
            Some(false) => {}
        }
        let replica = &mut self.logs[log];
        let size = head.checkpoint.size;
        if let Some(held) = &replica.head
            && size <= held.checkpoint.size
        {
            let tiles = replica.tiles(&self.batch, read);
            let proof = consistency_proof(&tiles, size, held.checkpoint.size)?;
            let (larger, root) = (held.note.clone(), replica.root_at(size, &self.batch, read)?);
            if let (Some(proof), Some(root)) = (proof, root) {
                self.prove_fork(&head.note, &larger, root, proof, read)?;
            }
            return Ok(());
        }
        let Some(anchor) = replica.anchor().map(|anchor| anchor.checkpoint.size) else { return Ok(()) };
        replica.suspect(head);
        // Whoever holds the tree of the larger head is asked what root it has at the size of the smaller one.
        let (old, peer) = if size >= anchor {
            (anchor, Some(peer))
        } else {
            let holds = |state: &super::engine::PeerState| state.sizes.get(&log).is_some_and(|s| *s >= anchor);
            (size, self.connected.iter().find(|(id, state)| **id != peer && holds(state)).map(|(id, _)| *id))
        };
        if let Some(peer) = peer
            && self.connected.contains_key(&peer)
            && !self.fetches.is_asked_for_proof(log, old)
        {
            self.request(peer, Request::Proof { log, old });
        }
        Ok(())
    }

    /// Compares the root that a peer's tree has at a size with the heads of that size that are known to be signed.
    fn compare(
        &mut self,
        peer: LogId,
        log: LogId,
        at: (u64, Hash),
        checkpoint: &[u8],
        proof: Vec<Hash>,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let (old, root) = at;
        let larger = match self.verify_head(checkpoint) {
            Ok(larger) => larger,
            Err(error) => {
                self.bad_head(peer, log, &error);
                return Ok(());
            }
        };
        let sound = larger.checkpoint.origin == self.config.treaty.origin(log)
            && verify_consistency(old, &root, larger.checkpoint.size, &larger.checkpoint.root, &proof).is_ok();
        if !sound {
            self.fault(peer, "a consistency proof that does not hold");
            return Ok(());
        }
        let smaller = self.logs[log].signed_at(old).find(|head| head.checkpoint.root != root);
        match smaller.map(|head| head.note.clone()) {
            Some(smaller) => self.prove_fork(&smaller, &larger.note, root, proof, read)?,
            None => self.fault(peer, "records that contradict its own heads"),
        }
        Ok(())
    }

    fn prove_fork(
        &mut self,
        smaller: &SignedNote,
        larger: &SignedNote,
        root: Hash,
        proof: Vec<Hash>,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        if let Ok(proof) = ForkProof::new(&self.keys, smaller, larger, root, proof)
            && self.is_unexplained(&proof, None, read)?
        {
            self.record_fork(proof);
        }
        Ok(())
    }

    /// Marks a log as forked, and keeps the proof at once. It becomes a record of this party's log as soon as it signs.
    pub(super) fn record_fork(&mut self, proof: ForkProof) {
        let log = proof.log();
        let replica = &mut self.logs[log];
        if replica.fork.is_some() {
            return;
        }
        replica.target = None;
        replica.fork = Some(proof.clone());
        self.fetches.forget(log);
        self.batch.forks.push((log, proof.to_text().into_bytes()));
        if log != self.config.me {
            self.unlogged_forks.push(proof);
        }
        self.event(Event::Fork(log));
    }
}
