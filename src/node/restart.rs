//! A forked log that goes on: its party's root has named both branches.
//!
//! A node that holds the branch that goes on simply goes on. One that holds the other keeps what it has as an archived
//! branch, and takes the log anew. Until then, and for good without a certificate, the log stays frozen. A head that is
//! on neither branch freezes it again.

use super::engine::{Engine, Event};
use super::message::{MAX_RESTARTS, Request};
use super::own::{Accepted, Refusal};
use super::recovery::Mode;
use super::replica::{Head, Replica};
use super::storage::{Cosigned, LogId, LogTiles, Read, ReadError, RestartEntry, archived};
use crate::ledger::{ForkProof, RecordType, Restart, RestartError, Tip};
use crate::tlog::{Checkpoint, consistency_proof, root_at};

impl Engine {
    /// Certificates by which a log goes on, in the order in which they were accepted.
    pub fn restarts(&self, log: LogId) -> &[Restart] {
        &self.logs[log].restarts
    }

    /// Takes in what a peer answered about a frozen log.
    pub(super) fn take_restarts(
        &mut self,
        peer: LogId,
        log: LogId,
        notes: Vec<Vec<u8>>,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        for note in notes.into_iter().take(MAX_RESTARTS) {
            if let Err(error) = self.accept_restart(log, &note, read)?
                && error != RestartError::NoFork
            {
                self.fault(peer, format!("a restart certificate of {log} is not accepted: {error}"));
            }
        }
        Ok(())
    }

    /// The log goes on, if the certificate is one for the fork that is known.
    fn accept_restart(
        &mut self,
        log: LogId,
        note: &[u8],
        read: &dyn Read,
    ) -> Result<Result<(), RestartError>, ReadError> {
        let treaty = self.config.treaty.clone();
        let restart = match Restart::verify(note, treaty.party(log), &treaty.hash()) {
            Ok(restart) => restart,
            Err(error) => return Ok(Err(error)),
        };
        let replica = &mut self.logs[log];
        let (kept, dropped) = (restart.kept, restart.dropped);
        let Some(fork) = replica.fork.clone() else {
            return Ok(match replica.restarts.last() {
                Some(before) if before.agrees(&restart) => Ok(()),
                Some(_) => Err(RestartError::Another),
                None => Err(RestartError::NoFork),
            });
        };
        if let Err(error) = restart.check_fork(&fork) {
            return Ok(Err(error));
        }
        // Every head that this node knows has to be on one of the two branches, and so has what it holds.
        let signed = replica.signed_tips().chain(replica.cosigned.map(|c| Tip { size: c.size, root: c.root }));
        if let Some(third) = signed.into_iter().find(|tip| !restart.covers(tip)) {
            return Ok(Err(restart.hides(third.size)));
        }
        let held = replica.size();
        let mut is_at = |tip: Tip| -> Result<Option<bool>, ReadError> {
            if held < tip.size {
                return Ok(None);
            }
            Ok(Some(replica.root_at(tip.size, &self.batch, read)? == Some(tip.root)))
        };
        let (on_kept, on_dropped) = (is_at(kept)?, is_at(dropped)?);
        if held > kept.size || (on_kept != Some(true) && on_dropped == Some(false)) {
            return Ok(Err(restart.hides(held)));
        }
        let me = log == self.config.me;
        let mark = self.config.high_water.filter(|_| me);
        if mark.is_some_and(|mark| mark.size > kept.size || (mark.size == kept.size && mark.root != kept.root)) {
            return Ok(Err(restart.hides(mark.map_or(0, |mark| mark.size))));
        }
        let switched = on_kept != Some(true);
        if switched {
            let mut fresh = Replica::load(log, &treaty, &super::Memory::default())?;
            fresh.restarts = std::mem::take(&mut self.logs[log].restarts);
            self.logs[log] = fresh;
            self.batch.receipts.retain(|entry| entry.log != log && entry.by != log);
        }
        let replica = &mut self.logs[log];
        replica.fork = None;
        replica.forget_suspects();
        replica.restarts.push(restart);
        self.batch.restarts.push(RestartEntry { log, note: note.to_vec(), fork: fork.to_text().into_bytes(), switched });
        self.unlogged_forks.retain(|unlogged| unlogged.log() != log || *unlogged == fork);
        // The head that goes on may be one of the two that prove the fork; if it is not, somebody will tell it.
        for note in [fork.heads().0, fork.heads().1] {
            if let Ok((_, head)) = Head::verify(note.clone(), &treaty)
                && Tip::of(&head.checkpoint) == kept
                && switched
            {
                self.logs[log].target = Some(head);
            }
        }
        if me {
            if switched {
                self.credentials.forget_from(0);
                self.published = 0;
            }
            self.raise_high_water(Cosigned { size: kept.size, root: kept.root });
            self.mode = Mode::Unheard;
        }
        self.connected.values_mut().for_each(|peer| {
            peer.sizes.remove(&log);
            peer.ask_heads = true;
        });
        self.event(Event::Restarted(log));
        Ok(Ok(()))
    }

    /// A certificate for this party's own log was handed in.
    pub(super) fn take_in_restart(
        &mut self,
        note: &[u8],
        read: &dyn Read,
    ) -> Result<Result<Accepted, Refusal>, ReadError> {
        let me = self.config.me;
        if let Err(error) = self.accept_restart(me, note, read)? {
            return Ok(Err(Refusal::Restart(error)));
        }
        self.review_mode(read)?;
        let Some(at) = self.logs[me].restarts.last().map(|restart| restart.kept.size) else {
            return Ok(Err(Refusal::NotSigning(self.mode.to_string())));
        };
        match self.record(me, at, read)? {
            Some(bytes) => {
                let leaf = crate::tlog::leaf_hash(&bytes);
                Ok(Ok(Accepted { index: at, leaf, already: false }))
            }
            None => {
                let text = format!(
                    "the certificate is accepted and kept, and will be record {at} of the log; until then, {}",
                    self.mode
                );
                Ok(Err(Refusal::NotSigning(text)))
            }
        }
    }

    /// The certificate is the first record after the head that goes on: it is logged as soon as the node signs.
    pub(super) fn log_restart(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        let me = self.config.me;
        let Some(kept) = self.logs[me].restarts.last().map(|restart| restart.kept) else { return Ok(()) };
        if self.logs[me].size() != kept.size || !self.mode.signs() {
            return Ok(());
        }
        let pending = self.batch.restarts.iter().rev().find(|entry| entry.log == me).map(|entry| entry.note.clone());
        let note = match pending {
            Some(note) => Some(note),
            None => read.restarts(me)?.pop(),
        };
        if let Some(note) = note {
            // A certificate is far below a record's limit.
            let _ = self.append_own(RecordType::Credential, &note);
        }
        Ok(())
    }

    /// Whether a fork proof says no more than what certificates of that log have said: one of its heads is on the branch
    /// that goes on and the other on one that does not, as far as this node holds either.
    pub(super) fn is_explained(&mut self, proof: &ForkProof, read: &dyn Read) -> Result<bool, ReadError> {
        let log = proof.log();
        if !self.logs[log].restarts.iter().any(|restart| restart.check_fork(proof).is_ok()) {
            return Ok(false);
        }
        let heads = [proof.heads().0, proof.heads().1].map(|note| Checkpoint::parse(note.text()).map(|c| Tip::of(&c)));
        let [Ok(a), Ok(b)] = heads else { return Ok(false) };
        let held = self.logs[log].size();
        let mut on_kept = Vec::new();
        for tip in [a, b] {
            let known = tip.size <= held;
            let root = if known { self.logs[log].root_at(tip.size, &self.batch, read)? } else { None };
            on_kept.push((tip, known, root == Some(tip.root)));
        }
        if on_kept.iter().all(|(_, known, fits)| *known && !fits) {
            return Ok(false);
        }
        for (tip, known, fits) in on_kept {
            if known && !fits && !self.is_on_an_archived_branch(log, tip, read)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a head that is not on the branch that goes on is on another that the party named, as far as this node
    /// holds it.
    pub(super) fn is_on_a_named_branch(&self, log: LogId, tip: Tip, read: &dyn Read) -> Result<bool, ReadError> {
        let named = self.logs[log].restarts.iter().any(|restart| restart.covers(&tip));
        Ok(named && self.is_on_an_archived_branch(log, tip, read)?)
    }

    fn is_on_an_archived_branch(&self, log: LogId, tip: Tip, read: &dyn Read) -> Result<bool, ReadError> {
        let (mut looked, mut found) = (false, false);
        for branch in 0..read.branches(log)? {
            let at = archived(log, branch);
            if tip.size <= read.size(at)? {
                looked = true;
                found |= root_at(&LogTiles { read, log: at }, tip.size)? == Some(tip.root);
            }
        }
        Ok(found || !looked)
    }

    /// A head is on neither branch: against the archived one that proves it to those who hold only the other.
    pub(super) fn prove_third_branch(&mut self, log: LogId, head: &Head, read: &dyn Read) -> Result<(), ReadError> {
        let tip = Tip::of(&head.checkpoint);
        for branch in 0..read.branches(log)? {
            let at = archived(log, branch);
            let size = read.size(at)?;
            let Some(note) = read.head(at, size)? else { continue };
            let Ok(note) = crate::note::SignedNote::parse(&note) else { continue };
            let Ok((_, archived)) = Head::verify(note, &self.config.treaty) else { continue };
            let larger = archived.checkpoint.size;
            if tip.size > larger {
                continue;
            }
            let tiles = LogTiles { read, log: at };
            if let (Some(root), Some(proof)) = (root_at(&tiles, tip.size)?, consistency_proof(&tiles, tip.size, larger)?)
                && let Ok(proof) = ForkProof::new(&self.config.treaty, head.note.clone(), archived.note, root, proof)
            {
                self.record_fork(proof, read)?;
            }
        }
        Ok(())
    }

    /// Peers are asked for certificates of logs that are frozen here.
    pub(super) fn ask_for_restarts(&mut self, peer: LogId) {
        for log in 0..self.logs.len() {
            if self.logs[log].fork.is_some() && !self.fetches.is_asked_for_restarts(peer, log) {
                self.request(peer, Request::Restarts { log });
            }
        }
    }
}
