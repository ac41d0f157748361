//! Restart certificates in the node: a log that forked goes on once its root has accepted both branches.
//!
//! A certificate is taken in only if it leaves nothing out: every head of the log that this node knows to be signed lies
//! on one of the two branches that it names. Then the fork is explained; what is held of the other branch is set aside,
//! where it stays readable and provable, and the records of the branch that goes on are fetched from the common ones on.
//! A head that turns up later and lies on neither branch freezes the log again.

use std::sync::Arc;

use super::branch::{BranchTree, stated};
use super::engine::{Engine, Event, FIRST_SEARCH_MS};
use super::message::Request;
use super::own::{Accepted, Refusal};
use super::recovery::Mode;
use super::replica::{Head, last_receipt_within};
use super::storage::{Cosigned, LogId, Read, ReadError, ReceiptEntry, SetAside};
use crate::ledger::{ForkProof, MAX_RESTARTS, Receipt, Record, RecordType, Restart};
use crate::tlog::{Appender, Checkpoint, Hash, TileWrite, Tiles, consistency_proof, leaf_hash};

/// Shortest time between two questions to one peer for the certificates of one log, in milliseconds.
const ASK_AGAIN_MS: u64 = 4 * FIRST_SEARCH_MS;
/// Records read at a time.
const PAGE_RECORDS: u64 = 256;
const PAGE_BYTES: usize = 1 << 20;

/// Why a restart certificate was not taken in. The log stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestartRefusal {
    /// It is none of that party's root.
    #[error("it is not a restart certificate of the party: {0}")]
    Invalid(String),
    /// A head is known that is on neither of the branches that it names.
    #[error("a signed head of {0} records is known that is on neither of the two branches which it names")]
    Hides(u64),
    /// The records held are of neither branch.
    #[error("the records held here are of neither of the two branches which it names")]
    Neither,
    /// A certificate that was accepted stands on the branch that would not go on.
    #[error("the branch that it does not keep holds a restart certificate, which cannot be taken back")]
    TakesBack,
    /// The log goes on after the head that it keeps with another record.
    #[error("the log goes on with another record after the head that it keeps")]
    NotFirst,
    /// Another one for the same head was accepted, or there are as many as can be.
    #[error("another certificate was accepted already")]
    Another,
    /// Records of the log are just being stored.
    #[error("records of that log are just being stored; try again")]
    Busy,
}

/// Where the records held stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Before,
    Kept,
    Other,
}

impl Engine {
    /// Asks a peer for the restart certificates of a log.
    pub(super) fn ask_restarts(&mut self, peer: LogId, log: LogId) {
        let last = self.restarts_asked.get(&(peer, log)).copied();
        let soon = last.is_some_and(|last| self.passed_ms.saturating_sub(last) < ASK_AGAIN_MS);
        if !soon && self.connected.contains_key(&peer) {
            self.restarts_asked.insert((peer, log), self.passed_ms);
            self.request(peer, Request::Restarts { log });
        }
    }

    /// Takes in the certificates that a peer has of a log.
    pub(super) fn learn_restarts(
        &mut self,
        peer: LogId,
        log: LogId,
        notes: &[Vec<u8>],
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        for note in notes {
            match self.accept_restart(log, note, read)? {
                Ok(_) => {}
                Err(RestartRefusal::Busy) => drop(self.restarts_asked.remove(&(peer, log))),
                Err(error) => {
                    let code = self.config.treaty.party(log).code.clone();
                    self.fault(peer, format!("a restart certificate for the log of {code}: {error}"));
                }
            }
        }
        Ok(())
    }

    /// Takes in a certificate, if it leaves nothing out; whether it is news.
    pub(super) fn accept_restart(
        &mut self,
        log: LogId,
        note: &[u8],
        read: &dyn Read,
    ) -> Result<Result<bool, RestartRefusal>, ReadError> {
        let treaty = self.config.treaty.clone();
        let restart = match Restart::verify(note, log, &treaty) {
            Ok(restart) => restart,
            Err(error) => return Ok(Err(RestartRefusal::Invalid(error.to_string()))),
        };
        let known = &self.logs[log].restarts;
        if known.iter().any(|(_, other)| other == note) {
            return Ok(Ok(false));
        }
        if known.len() >= MAX_RESTARTS
            || known.iter().any(|(other, _)| other.kept_head().size == restart.kept_head().size)
        {
            return Ok(Err(RestartRefusal::Another));
        }
        if self.logs[log].turned || self.batch.records.iter().any(|record| record.log == log) {
            return Ok(Err(RestartRefusal::Busy));
        }
        let stand = match self.stand(log, &restart, note, read)? {
            Ok(stand) => stand,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(hidden) = self.hidden(log, &restart, stand, read)? {
            return Ok(Err(RestartRefusal::Hides(hidden)));
        }
        self.turn(log, restart, note, stand, read)?;
        Ok(Ok(true))
    }

    /// On which branch the records held are.
    fn stand(
        &mut self,
        log: LogId,
        restart: &Restart,
        note: &[u8],
        read: &dyn Read,
    ) -> Result<Result<Stand, RestartRefusal>, ReadError> {
        let (kept, other, common) = (restart.kept_head(), restart.other_head(), restart.common);
        let replica = &mut self.logs[log];
        let size = replica.size();
        if size <= common {
            return Ok(Ok(Stand::Before));
        }
        let leaf = replica.tiles(&self.batch, read).subtree(0, common)?;
        let mut at = |end: &Checkpoint| {
            Ok::<_, ReadError>(end.size > size || replica.root_at(end.size, &self.batch, read)? == Some(end.root))
        };
        if leaf == Some(restart.kept_leaf) {
            if !at(kept)? {
                return Ok(Err(RestartRefusal::Neither));
            }
            // It goes on, if at all, with this certificate.
            let next = read.record(log, kept.size)?;
            let is_this = |bytes: &Vec<u8>| Record::parse(bytes).is_ok_and(|record| record.payload == note);
            return Ok(if size > kept.size && !next.as_ref().is_some_and(is_this) {
                Err(RestartRefusal::NotFirst)
            } else {
                Ok(Stand::Kept)
            });
        }
        if leaf != Some(restart.other_leaf) || !at(other)? {
            return Ok(Err(RestartRefusal::Neither));
        }
        let certified = replica.restarts.iter().any(|(before, _)| {
            let place = before.kept_head().size;
            place >= common && place < size
        });
        Ok(if certified { Err(RestartRefusal::TakesBack) } else { Ok(Stand::Other) })
    }

    /// The size of a head that is known to be signed and that is on neither branch, if there is one.
    fn hidden(
        &mut self,
        log: LogId,
        restart: &Restart,
        stand: Stand,
        read: &dyn Read,
    ) -> Result<Option<u64>, ReadError> {
        let (kept, other) = (restart.kept_head().size, restart.other_head().size);
        let replica = &self.logs[log];
        let goes_on = stand == Stand::Kept && replica.size() > kept;
        let end = match stand {
            Stand::Other => other,
            Stand::Before | Stand::Kept if goes_on => u64::MAX,
            Stand::Before | Stand::Kept => kept,
        };
        // What is held, and what others have receipted of that.
        let held = replica.anchor().map_or(0, |head| head.checkpoint.size).max(replica.size());
        let most = replica.receipted.iter().copied().max().unwrap_or(0).max(held);
        if most > end {
            return Ok(Some(most));
        }
        // Receipts for larger heads may be for what follows the certificate: they are compared when the records come.
        let suspects: Vec<_> = replica.suspects().map(|head| head.checkpoint.clone()).collect();
        for head in suspects {
            let on_kept = head == *restart.kept_head();
            if !on_kept && !restart.may_be_other(head.size, &head.root) && head.size > kept {
                return Ok(Some(head.size));
            }
        }
        let Some(fork) = self.logs[log].fork.clone() else { return Ok(None) };
        let [smaller, larger] = fork.checkpoints().map(Checkpoint::clone);
        let explained = self.explains(log, restart, stand, [&smaller, &larger], read)?;
        Ok((!explained).then_some(larger.size))
    }

    /// Whether two heads that contradict each other are those of the two branches, one each.
    fn explains(
        &mut self,
        log: LogId,
        restart: &Restart,
        stand: Stand,
        heads: [&Checkpoint; 2],
        read: &dyn Read,
    ) -> Result<bool, ReadError> {
        let (mut kept, mut other) = ([false; 2], [false; 2]);
        let tree = match stand {
            Stand::Other => None,
            _ => self.branch_tree(log, restart, read)?,
        };
        for (at, head) in heads.into_iter().enumerate() {
            let replica = &mut self.logs[log];
            let own = match head.size <= replica.size() {
                true => replica.root_at(head.size, &self.batch, read)?.map(|root| root == head.root),
                false => None,
            };
            let may = restart.may_be_other(head.size, &head.root);
            let same_end = head.size == restart.kept_head().size && head.root != restart.kept_head().root;
            (kept[at], other[at]) = match stand {
                // What is held is the other branch.
                Stand::Other => (own != Some(true) && !same_end, may && own.unwrap_or(true)),
                Stand::Kept | Stand::Before => {
                    let known = match &tree {
                        Some(tree) => tree.root_at(log, head.size, read)?,
                        None => None,
                    };
                    let on_other = may && own != Some(true) && known.is_none_or(|root| root == head.root);
                    (own.unwrap_or(!same_end), on_other)
                }
            };
        }
        Ok((kept[0] && other[1]) || (kept[1] && other[0]))
    }

    /// Whether a fork's proof is explained by a certificate that was accepted.
    pub(super) fn is_explained(&mut self, proof: &ForkProof, read: &dyn Read) -> Result<bool, ReadError> {
        let log = proof.log();
        let [smaller, larger] = proof.checkpoints().map(Checkpoint::clone);
        for (restart, _) in self.logs[log].restarts.clone() {
            if self.explains(log, &restart, Stand::Kept, [&smaller, &larger], read)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a head that contradicts the records held is on a branch that was accepted and does not go on.
    pub(super) fn is_other(&mut self, log: LogId, size: u64, root: &Hash, read: &dyn Read) -> Result<bool, ReadError> {
        for (restart, _) in self.logs[log].restarts.clone() {
            if !restart.may_be_other(size, root) {
                continue;
            }
            let known = match self.branch_tree(log, &restart, read)? {
                Some(tree) => tree.root_at(log, size, read)?,
                None => None,
            };
            if known.is_none_or(|known| known == *root) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A head that contradicts the log is on no branch: the proof that it contradicts an accepted branch as well, where
    /// its records are held, so that others see it too.
    pub(super) fn prove_third(&mut self, log: LogId, head: &Head, read: &dyn Read) -> Result<bool, ReadError> {
        for (restart, _) in self.logs[log].restarts.clone() {
            let size = head.checkpoint.size;
            if !restart.may_be_other(size, &head.checkpoint.root) {
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

    fn branch_tree(
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
        if self.logs[log].turned || self.logs[log].size() < restart.common {
            return Ok(None);
        }
        let Some(tree) = BranchTree::load(log, restart, read)?.map(Arc::new) else { return Ok(None) };
        self.branches.insert(key, tree.clone());
        Ok(Some(tree))
    }

    /// The certificate holds: the fork is explained, and the log goes on with the branch that is kept.
    fn turn(
        &mut self,
        log: LogId,
        restart: Restart,
        note: &[u8],
        stand: Stand,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let (kept, common) = (restart.kept_head().clone(), restart.common);
        let found = self.receipts_since(log, common, stand, read)?;
        if stand == Stand::Other {
            self.set_aside(log, common, kept.size, read)?;
        }
        let me = self.config.me;
        let replica = &mut self.logs[log];
        if let Some(fork) = replica.fork.take() {
            replica.remember_heads(&fork);
            self.batch.explained.push(log);
            self.batch.forks.retain(|(other, _)| *other != log);
        }
        self.unlogged_forks.retain(|fork| fork.log() != log);
        replica.target = None;
        if replica.size() < kept.size {
            replica.target = Some(Head { checkpoint: kept.clone(), note: restart.notes().0.clone() });
        }
        replica.forget_suspects();
        self.batch.restarts.push((log, kept.size, note.to_vec()));
        replica.restarts.push((restart, note.to_vec()));
        replica.restarts.sort_by_key(|(restart, _)| restart.kept_head().size);
        for entry in found {
            let replica = &mut self.logs[log];
            replica.stated[entry.by] = replica.stated[entry.by].max(entry.size);
            if entry.size <= replica.size() {
                replica.receipted[entry.by] = replica.receipted[entry.by].max(entry.size);
            }
            self.batch.receipts.push(entry);
        }
        self.fetches.forget(log);
        for state in self.connected.values_mut() {
            state.sizes.remove(&log);
            state.ask_heads = true;
        }
        if log == me {
            self.mode = Mode::Unheard;
        }
        self.event(Event::Restarted(log));
        Ok(())
    }

    /// Receipts for heads of a log after a size, on the branch that goes on or of which it is not known yet: they stand in
    /// the logs of those who gave them, and in no index.
    fn receipts_since(
        &mut self,
        log: LogId,
        after: u64,
        stand: Stand,
        read: &dyn Read,
    ) -> Result<Vec<ReceiptEntry>, ReadError> {
        let origin = self.config.treaty.origin(log).to_owned();
        let mut found = Vec::new();
        for by in (0..self.logs.len()).filter(|by| *by != log) {
            let mut at = read.receipt_up_to(log, by, after)?.map_or(0, |entry| entry.index + 1);
            let end = read.size(by)?;
            while at < end {
                let page = read.records(by, at, PAGE_RECORDS.min(end - at), PAGE_BYTES)?;
                if page.is_empty() {
                    break;
                }
                for bytes in page {
                    let index = at;
                    at += 1;
                    let Ok(record) = Record::parse(&bytes) else { continue };
                    let Some(head) = stated(&record, &origin).filter(|head| head.size > after) else { continue };
                    let replica = &mut self.logs[log];
                    let held = head.size <= replica.size();
                    let same = held && replica.root_at(head.size, &self.batch, read)? == Some(head.root);
                    // Of the other branch, or contradicting what goes on.
                    if same == (stand == Stand::Other) && held {
                        continue;
                    }
                    let Ok(receipt) = Receipt::verify(record.payload, by, index, &self.keys) else { continue };
                    found.push(ReceiptEntry { log, by, size: head.size, index, time: receipt.time });
                }
            }
        }
        Ok(found)
    }

    /// The records from `from` on become a branch; the log ends before them until the others come.
    fn set_aside(&mut self, log: LogId, from: u64, kept: u64, read: &dyn Read) -> Result<(), ReadError> {
        let damaged = || ReadError(format!("the log {} is damaged", self.config.treaty.origin(log)));
        let edge = Appender::load(&self.logs[log].tiles(&self.batch, read), from)?.ok_or_else(damaged)?;
        let last_leaf = match from.checked_sub(1) {
            Some(last) => leaf_hash(&read.record(log, last)?.ok_or_else(damaged)?),
            None => self.config.treaty.hash(),
        };
        let head = match read.head(log, from)? {
            Some(bytes) => Some(Head::parse(&bytes).ok_or_else(damaged)?),
            None => None,
        };
        let root = edge.root();
        let tiles: Vec<TileWrite> = edge.partial_tiles().collect();
        let receipted: Vec<_> =
            (0..self.logs.len()).map(|by| last_receipt_within(read, log, by, from)).collect::<Result<_, _>>()?;
        self.keys.party_mut(log).forget_from(from);
        let replica = &mut self.logs[log];
        replica.cut(edge, last_leaf, head, receipted);
        // What goes on contradicts what was cosigned on the other branch, and the certificate says so: what was cosigned
        // of the common records goes on.
        if let Some(before) = replica.cosigned.filter(|before| before.size > from) {
            let cosigned = Cosigned { size: from.min(before.size), root };
            replica.cosigned = Some(cosigned);
            self.batch.cosigned.push((log, cosigned));
        }
        self.batch.set_aside.push(SetAside { log, kept, from, tiles });
        if log == self.config.me {
            self.published = from;
            self.fresh_ids.clear();
        }
        Ok(())
    }

    /// Whether records that should continue a log are those of a branch that was left.
    pub(super) fn is_of_other(&self, log: LogId, from: u64, records: &[Vec<u8>]) -> bool {
        let at = |index: u64| index.checked_sub(from).and_then(|at| records.get(usize::try_from(at).ok()?));
        let leaves = |restart: &Restart| at(restart.common).is_some_and(|bytes| leaf_hash(bytes) != restart.kept_leaf);
        self.logs[log].restarts.iter().any(|(restart, _)| leaves(restart))
    }

    /// The place in a page where the certificate with which the log goes on should stand, and something else does.
    pub(super) fn lacks_certificate(&self, log: LogId, from: u64, records: &[Vec<u8>]) -> Option<u64> {
        let at = |index: u64| index.checked_sub(from).and_then(|at| records.get(usize::try_from(at).ok()?));
        self.logs[log].restarts.iter().find_map(|(restart, note)| {
            let index = restart.kept_head().size;
            let stands = |bytes: &Vec<u8>| Record::parse(bytes).is_ok_and(|record| record.payload == note);
            at(index).filter(|bytes| !stands(bytes)).map(|_| index)
        })
    }

    /// A log that was not known to have forked holds a certificate: what it names is no contradiction.
    pub(super) fn note_restart(&mut self, log: LogId, record: &Record<'_>, read: &dyn Read) -> Result<(), ReadError> {
        let treaty = self.config.treaty.clone();
        let known = self.logs[log].restarts.iter().any(|(_, note)| note == record.payload);
        let Some(restart) = Restart::of_record(record, log, &treaty).filter(|_| !known) else { return Ok(()) };
        let kept = restart.kept_head().clone();
        let replica = &mut self.logs[log];
        let leaf = replica.tiles(&self.batch, read).subtree(0, restart.common)?;
        let fits = leaf == Some(restart.kept_leaf) && replica.root_at(kept.size, &self.batch, read)? == Some(kept.root);
        if fits && replica.restarts.len() < MAX_RESTARTS {
            self.batch.restarts.push((log, kept.size, record.payload.to_vec()));
            replica.restarts.push((restart, record.payload.to_vec()));
            replica.restarts.sort_by_key(|(restart, _)| restart.kept_head().size);
            self.event(Event::Restarted(log));
        }
        Ok(())
    }

    /// The certificate that this party's log has to go on with, if it has come to that place.
    pub(super) fn log_restart(&mut self) {
        let me = self.config.me;
        let own = &self.logs[me];
        let due = own.restarts.iter().find(|(restart, _)| restart.kept_head().size == own.size());
        if let Some((_, note)) = due.filter(|_| !own.turned) {
            let note = note.clone();
            // It was read as a record's payload may be.
            let _ = self.append_own(RecordType::Credential, &note);
        }
    }

    /// A certificate for this party's own log that was handed in.
    pub(super) fn take_in_restart(
        &mut self,
        note: &[u8],
        read: &dyn Read,
    ) -> Result<Result<Accepted, Refusal>, ReadError> {
        let me = self.config.me;
        let news = match self.accept_restart(me, note, read)? {
            Ok(news) => news,
            Err(refusal) => return Ok(Err(Refusal::Restart(refusal))),
        };
        self.review_mode(read)?;
        let place = self.logs[me].restarts.iter().find(|(_, other)| other == note).map(|(r, _)| r.kept_head().size);
        let Some(index) = place else { return Ok(Err(Refusal::TooLong)) };
        let logged = if index < self.logs[me].size() { self.record(me, index, read)? } else { None };
        // It may have to wait for the records that come before it.
        let leaf = logged.map_or(Hash([0; 32]), |bytes| leaf_hash(&bytes));
        Ok(Ok(Accepted { index, leaf, already: !news }))
    }
}
