//! Signed heads of a log that was restarted: on the log, on a branch that its root accepted, or on neither.
//!
//! A certificate explains the heads of the two branches that it names and no others, and which those are, only records
//! tell. While the records of the other branch are not here, a head that may be of it is *in doubt*: it is remembered, and
//! the log gets no receipts from this node. When the records come, it is compared; if it is of neither branch the log is
//! frozen again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::branch::{BranchTree, about, stated};
use super::engine::Engine;
use super::rekey::Place;
use super::replica::Head;
use super::storage::{LogId, LogTiles, Read, ReadError};
use crate::ledger::{ForkProof, Lies, RecordType, Restart, Treaty, lies};
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, Hash, consistency_proof, root_at};

impl Engine {
    /// Where a head of a log lies. `against` is a head that is proved to contradict it.
    fn head_lies(
        &mut self,
        log: LogId,
        head: &Checkpoint,
        against: Option<&Checkpoint>,
        read: &dyn Read,
    ) -> Result<Lies, ReadError> {
        let own = self.own_root(log, head.size, read)?;
        let restarts = self.logs[log].restarts.clone();
        let mut branches = Vec::with_capacity(restarts.len());
        for (restart, _) in &restarts {
            branches.push((restart, self.branch_root(log, restart, head, read)?));
        }
        Ok(lies(head, own, against, branches))
    }

    /// The root of the records held at a size, `None` if they do not reach so far.
    pub(super) fn own_root(&mut self, log: LogId, size: u64, read: &dyn Read) -> Result<Option<Hash>, ReadError> {
        let replica = &mut self.logs[log];
        if size > replica.size() { Ok(None) } else { replica.root_at(size, &self.batch, read) }
    }

    /// The root that a branch has at a head's size, if that is asked and its records are held.
    pub(super) fn branch_root(
        &mut self,
        log: LogId,
        restart: &Restart,
        head: &Checkpoint,
        read: &dyn Read,
    ) -> Result<Option<Hash>, ReadError> {
        if restart.covers(head.size, &head.root, None).is_some() {
            return Ok(None);
        }
        match self.branch_tree(log, restart, read)? {
            Some(tree) => tree.root_at(log, head.size, read),
            None => Ok(None),
        }
    }

    /// Whether a head is on a branch that was accepted and does not go on; `None` if only records tell that are not held.
    pub(super) fn on_branch(
        &mut self,
        log: LogId,
        size: u64,
        root: &Hash,
        read: &dyn Read,
    ) -> Result<Option<bool>, ReadError> {
        let head = Checkpoint { origin: self.config.treaty.origin(log).to_owned(), size, root: *root };
        let mut known = true;
        for (restart, _) in self.logs[log].restarts.clone() {
            let branch = self.branch_root(log, &restart, &head, read)?;
            match restart.covers(size, root, branch) {
                Some(true) => return Ok(Some(true)),
                Some(false) => {}
                None => known = false,
            }
        }
        Ok(known.then_some(false))
    }

    /// Whether a fork's proof is held against the log. What of it is in doubt is remembered.
    pub(super) fn is_unexplained(
        &mut self,
        proof: &ForkProof,
        seen: Option<Place>,
        read: &dyn Read,
    ) -> Result<bool, ReadError> {
        let log = proof.log();
        if self.logs[log].restarts.is_empty() {
            return Ok(true);
        }
        let [smaller, larger] = proof.checkpoints().map(Checkpoint::clone);
        let found =
            [self.head_lies(log, &smaller, Some(&larger), read)?, self.head_lies(log, &larger, Some(&smaller), read)?];
        match Lies::of_fork(found) {
            Lies::Accepted => Ok(false),
            Lies::Elsewhere => Ok(true),
            Lies::Unknown => {
                let notes = [proof.heads().0, proof.heads().1];
                let heads = [smaller, larger].into_iter().zip(notes).zip(found);
                for ((checkpoint, note), _) in heads.filter(|(_, lies)| *lies == Lies::Unknown) {
                    self.logs[log].doubt(Head { checkpoint, note: note.clone() }, seen);
                }
                Ok(false)
            }
        }
    }

    /// Compares the heads that are in doubt with what has come in.
    pub(super) fn settle_doubts(&mut self, log: LogId, read: &dyn Read) -> Result<(), ReadError> {
        if self.logs[log].turned || self.logs[log].fork.is_some() {
            return Ok(());
        }
        for (head, seen) in self.logs[log].take_doubts() {
            match self.head_lies(log, &head.checkpoint, None, read)? {
                Lies::Accepted => {}
                Lies::Unknown => self.logs[log].doubt(head, seen),
                Lies::Elsewhere => self.contradicts(log, head, (self.config.me, seen), read)?,
            }
        }
        Ok(())
    }

    /// Compares every head of a log that stands in another party's log, in a receipt or in a fork's proof, since the
    /// branches parted: records have come that tell more.
    pub(super) fn review_heads_of(&mut self, log: LogId, read: &dyn Read) -> Result<(), ReadError> {
        let treaty = self.config.treaty.clone();
        let Some(after) = self.logs[log].restarts.iter().map(|(restart, _)| restart.common).min() else {
            return Ok(());
        };
        let parties = treaty.parties().len();
        about(read, log, parties, after, &mut |by, index, record| {
            if self.logs[log].fork.is_some() {
                return Ok(());
            }
            let seen = (by, index);
            if record.kind == RecordType::Evidence {
                if let Ok(proof) = ForkProof::parse(record.payload, &treaty)
                    && proof.log() == log
                    && !self.is_late_proof(&proof, seen, read)?
                    && self.is_unexplained(&proof, Some(seen), read)?
                {
                    self.record_fork(proof);
                }
                return Ok(());
            }
            let Some(head) = stated(record, treaty.origin(log)).filter(|head| head.size > after) else { return Ok(()) };
            let on_branch = self.on_branch(log, head.size, &head.root, read)?;
            // Of what is larger than the records held, a receipt is compared when they come.
            if on_branch == Some(true) || (on_branch == Some(false) && head.size > self.logs[log].size()) {
                return Ok(());
            }
            if self.own_root(log, head.size, read)? != Some(head.root)
                && let Ok(note) = SignedNote::parse(record.payload)
                && let Ok((_, head)) = Head::verify(&note, &self.keys)
            {
                self.contradicts(log, head, (by, Some(seen)), read)?;
            }
            Ok(())
        })
    }

    /// A head that contradicts the log is on no branch: the proof that it contradicts an accepted branch as well, where
    /// its records are held, so that others see it too.
    pub(super) fn prove_third(&mut self, log: LogId, head: &Head, read: &dyn Read) -> Result<bool, ReadError> {
        for (restart, _) in self.logs[log].restarts.clone() {
            let size = head.checkpoint.size;
            if restart.covers(size, &head.checkpoint.root, None).is_some() {
                continue;
            }
            let Some(tree) = self.branch_tree(log, &restart, read)? else { continue };
            let end = restart.other_head().size;
            let proof = consistency_proof(&tree.tiles(log, read), size, end)?;
            let (proof, root) = (proof, tree.root_at(log, size, read)?);
            if let (Some(proof), Some(root)) = (proof, root)
                && let Ok(proof) = ForkProof::new(&self.keys, &head.note, restart.notes().1, root, proof)
            {
                self.record_fork(proof);
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn branch_tree(
        &mut self,
        log: LogId,
        restart: &Restart,
        read: &dyn Read,
    ) -> Result<Option<Arc<BranchTree>>, ReadError> {
        let key = (log, restart.kept_head().size);
        if let Some(tree) = self.branches.get(&key) {
            return Ok(Some(tree.clone()));
        }
        // What is set aside in this step is not stored yet, and neither is anything about it asked in this step.
        if self.logs[log].turned || self.logs[log].size() < restart.common || restart.other_leaf.is_none() {
            return Ok(None);
        }
        let Some(tree) = BranchTree::load(log, restart, read)?.map(Arc::new) else { return Ok(None) };
        self.branches.insert(key, tree.clone());
        Ok(Some(tree))
    }

    /// What others have receipted of a branch of this log may be larger than what goes on: as the log grows past it, that
    /// turns out to be about something else.
    pub(super) fn count_own_receipts(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        let me = self.config.me;
        let own = &self.logs[me];
        let (signed, size) = (own.head_size(), own.size());
        if size > signed && own.stated.iter().any(|stated| *stated > signed) {
            self.count_receipts(me, signed, me, read)?;
        }
        Ok(())
    }

    /// Restart certificates of a log that were accepted, by the size of the head that goes on.
    pub fn restarts(&self, log: LogId) -> impl Iterator<Item = &Restart> {
        self.logs[log].restarts.iter().map(|(restart, _)| restart)
    }

    /// Sizes of the heads of a log of which it is not known whether they are on a branch that its root accepted.
    pub fn doubts(&self, log: LogId) -> Vec<u64> {
        self.logs[log].doubts().map(|head| head.checkpoint.size).collect()
    }
}

/// The restart certificates in stored data, with what is held of the branches that do not go on.
#[derive(Debug, Default)]
pub struct AcceptedBranches(BTreeMap<LogId, Vec<(Restart, Option<BranchTree>)>>);

impl AcceptedBranches {
    /// Reads all of them. A branch takes 32 bytes of memory for each of its records.
    pub fn load(treaty: &Treaty, read: &dyn Read) -> Result<Self, ReadError> {
        let mut all = BTreeMap::new();
        for log in 0..treaty.parties().len() {
            let mut of_log = Vec::new();
            for note in read.restarts(log)? {
                if let Ok(restart) = Restart::verify(&note, log, treaty) {
                    let held = restart.other_leaf.is_some() && read.size(log)? >= restart.common;
                    let tree = if held { BranchTree::load(log, &restart, read)? } else { None };
                    of_log.push((restart, tree));
                }
            }
            if !of_log.is_empty() {
                all.insert(log, of_log);
            }
        }
        Ok(Self(all))
    }

    /// Whether a log has any.
    pub fn has(&self, log: LogId) -> bool {
        self.0.contains_key(&log)
    }

    /// Where a head of a log lies. `against` is a head that is proved to contradict it.
    pub fn lies(
        &self,
        log: LogId,
        head: &Checkpoint,
        against: Option<&Checkpoint>,
        read: &dyn Read,
    ) -> Result<Lies, ReadError> {
        let own = if head.size > read.size(log)? { None } else { root_at(&LogTiles { read, log }, head.size)? };
        let mut branches = Vec::new();
        for (restart, tree) in self.0.get(&log).into_iter().flatten() {
            let root = match tree {
                Some(tree) => tree.root_at(log, head.size, read)?,
                None => None,
            };
            branches.push((restart, root));
        }
        Ok(lies(head, own, against, branches))
    }

    /// Whether a fork's proof is held against the log: one of its heads is of no branch that was accepted.
    pub fn leave_open(&self, proof: &ForkProof, read: &dyn Read) -> Result<bool, ReadError> {
        if !self.0.contains_key(&proof.log()) {
            return Ok(true);
        }
        let [a, b] = proof.checkpoints();
        let found = [self.lies(proof.log(), a, Some(b), read)?, self.lies(proof.log(), b, Some(a), read)?];
        Ok(Lies::of_fork(found) == Lies::Elsewhere)
    }
}
