//! Restart certificates in the node: a log that forked goes on once its root has accepted both branches.
//!
//! A certificate is taken in only if it leaves nothing out: no head of the log that this node knows to be signed lies
//! elsewhere than on one of the two branches that it names. Then the fork is explained; what is held of the other branch is
//! set aside, where it stays readable and provable, and the records of the branch that goes on are fetched from the common
//! ones on. Heads of which only missing records tell are in doubt (`doubts`). A head on neither branch freezes the log again.

use super::branch::{about, stated};
use super::engine::{Engine, Event, FIRST_SEARCH_MS};
use super::message::Request;
use super::own::{Accepted, Refusal};
use super::recovery::Mode;
use super::replica::{Head, last_receipt_within};
use super::storage::{Cosigned, LogId, Read, ReadError, ReceiptEntry, SetAside};
use crate::ledger::{Lies, MAX_RESTARTS, Receipt, Record, RecordType, Restart, lies};
use crate::tlog::{Appender, Checkpoint, TileWrite, Tiles, leaf_hash};

/// Shortest time between two questions to one peer for the certificates of one log, in milliseconds.
const ASK_AGAIN_MS: u64 = 4 * FIRST_SEARCH_MS;
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
    #[error(
        "the records held here are of neither of the two branches which it names: make it from two exports, one of \
         them this node's"
    )]
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
        let doubts = match self.doubtful(log, &restart, stand, read)? {
            Ok(doubts) => doubts,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.turn(log, restart, note, stand, read)?;
        doubts.into_iter().for_each(|head| self.logs[log].doubt(head, None));
        self.review_heads_of(log, read)?;
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
        // Nobody is said to have records of a branch of which only the head is named.
        if leaf.is_none() || leaf != restart.other_leaf || !at(other)? {
            return Ok(Err(RestartRefusal::Neither));
        }
        let certified = replica.restarts.iter().any(|(before, _)| {
            let place = before.kept_head().size;
            place >= common && place < size
        });
        Ok(if certified { Err(RestartRefusal::TakesBack) } else { Ok(Stand::Other) })
    }

    /// Looks at every head that is known to be signed. Those in doubt come back; one on neither branch refuses the
    /// certificate.
    fn doubtful(
        &mut self,
        log: LogId,
        restart: &Restart,
        stand: Stand,
        read: &dyn Read,
    ) -> Result<Result<Vec<Head>, RestartRefusal>, ReadError> {
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
            return Ok(Err(RestartRefusal::Hides(most)));
        }
        let mut heads: Vec<(Head, Option<Checkpoint>)> = replica.suspects().map(|head| (head.clone(), None)).collect();
        if stand == Stand::Other {
            // It has to lead to the head that is named, and that the records that are still to come show.
            heads.extend(replica.anchor().map(|head| (head.clone(), None)));
        }
        if let Some(fork) = &replica.fork {
            let ((a, b), [smaller, larger]) = (fork.heads(), fork.checkpoints());
            heads.push((Head { checkpoint: smaller.clone(), note: a.clone() }, Some(larger.clone())));
            heads.push((Head { checkpoint: larger.clone(), note: b.clone() }, Some(smaller.clone())));
        }
        let mut doubts = Vec::new();
        for (head, against) in heads {
            match self.lies_by(log, restart, stand, (&head.checkpoint, against.as_ref()), read)? {
                Lies::Accepted => {}
                Lies::Elsewhere => return Ok(Err(RestartRefusal::Hides(head.checkpoint.size))),
                Lies::Unknown => doubts.push(head),
            }
        }
        Ok(Ok(doubts))
    }

    /// Where a head lies, if a certificate is taken in that is not yet.
    fn lies_by(
        &mut self,
        log: LogId,
        restart: &Restart,
        stand: Stand,
        (head, against): (&Checkpoint, Option<&Checkpoint>),
        read: &dyn Read,
    ) -> Result<Lies, ReadError> {
        let held = self.own_root(log, head.size, read)?;
        let (own, branch) = match stand {
            // What is held is the other branch.
            Stand::Other => (held.filter(|_| head.size <= restart.common), held),
            Stand::Kept | Stand::Before => (held, self.branch_root(log, restart, head, read)?),
        };
        let accepted = self.logs[log].restarts.clone();
        let mut branches = vec![(restart, branch)];
        for (before, _) in &accepted {
            branches.push((before, self.branch_root(log, before, head, read)?));
        }
        Ok(lies(head, own, against, branches))
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
        if replica.fork.take().is_some() {
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
        let (mut found, parties) = (Vec::new(), self.logs.len());
        about(read, log, parties, after, &mut |by, index, record| {
            let Some(head) = stated(record, &origin).filter(|head| head.size > after) else { return Ok(()) };
            let own = self.own_root(log, head.size, read)?;
            // Of the other branch, or contradicting what goes on.
            if own.is_some_and(|own| (own == head.root) == (stand == Stand::Other)) {
                return Ok(());
            }
            if let Ok(receipt) = Receipt::verify(record.payload, by, index, &self.keys) {
                found.push(ReceiptEntry { log, by, size: head.size, index, time: receipt.time });
            }
            Ok(())
        })?;
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
            self.pass_own_times((0, from), read)?;
        }
        Ok(())
    }

    /// The place in a page where something else stands than on the branch that goes on: where the branches part, or where
    /// the certificate should stand.
    pub(super) fn leaves_the_log(&self, log: LogId, from: u64, records: &[Vec<u8>]) -> Option<u64> {
        let at = |index: u64| index.checked_sub(from).and_then(|at| records.get(usize::try_from(at).ok()?));
        self.logs[log].restarts.iter().find_map(|(restart, note)| {
            let (common, kept) = (restart.common, restart.kept_head().size);
            let stands = |bytes: &Vec<u8>| Record::parse(bytes).is_ok_and(|record| record.payload == note);
            let parts = at(common).filter(|bytes| leaf_hash(bytes) != restart.kept_leaf).map(|_| common);
            parts.or_else(|| at(kept).filter(|bytes| !stands(bytes)).map(|_| kept))
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
        // It may have to wait for the records that come before it, and then it has no leaf yet.
        Ok(Ok(Accepted { index, leaf: logged.map(|bytes| leaf_hash(&bytes)), already: !news }))
    }
}
