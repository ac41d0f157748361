//! Branches that do not go on are mirrored as logs are: every node fetches their records from whoever holds them.
//!
//! A branch is kept whole or not at all, as only its end is signed: its records wait in memory until they lead there. Then
//! every head that may be of it is compared with it.

use std::sync::Arc;

use super::branch::BranchTree;
use super::engine::Engine;
use super::message::{MAX_PAGE_RECORDS, Request};
use super::storage::{LogId, NewRecord, Read, ReadError};
use crate::ledger::{Record, Restart};
use crate::tlog::{Appender, Hash, TileWrite, leaf_hash};

/// Bytes of one branch that is being fetched. Of a longer one only the hashes are kept, until the node stops; its records
/// stay with those who hold them.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Most records of a branch, after the common ones, that are looked at: 32 bytes of memory each.
const MAX_BRANCH_RECORDS: u64 = 1 << 20;

/// A branch on its way.
pub(super) struct Incoming {
    edge: Appender,
    last_leaf: Hash,
    full: Vec<TileWrite>,
    records: Vec<NewRecord>,
    bytes: usize,
}

impl Engine {
    /// Asks for a page of each branch that is not held, of one peer after the other.
    pub(super) fn fetch_branches(&mut self, peer: LogId) {
        let mut wanted = Vec::new();
        for replica in self.logs.iter().filter(|replica| replica.fork.is_none() && !replica.turned) {
            for (restart, _) in replica.restarts.iter().filter(|(restart, _)| can_be_held(restart)) {
                let kept = restart.kept_head().size;
                let key = (replica.log, kept);
                if !self.held_branches.contains(&key) && replica.size() >= kept {
                    let from = self.incoming.get(&key).map_or(restart.common, |incoming| incoming.edge.size());
                    wanted.push((replica.log, kept, from));
                }
            }
        }
        for (log, kept, from) in wanted {
            self.request(peer, Request::Branch { log, kept, from, count: MAX_PAGE_RECORDS });
        }
    }

    /// Which branches are held, of those that were accepted.
    pub(super) fn note_held_branches(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        for log in 0..self.logs.len() {
            if self.logs[log].turned {
                continue;
            }
            for (restart, _) in self.logs[log].restarts.clone() {
                let key = (log, restart.kept_head().size);
                // A node that held only its beginning fetches it anew.
                let last = restart.other_head().size.saturating_sub(1);
                if !self.held_branches.contains(&key) && !read.branch(log, key.1, last, 1, 1)?.is_empty() {
                    self.held_branches.insert(key);
                }
            }
        }
        Ok(())
    }

    /// After a start: what stands in others' logs about a branch that is not here is in doubt, as it was before.
    pub(super) fn review_missing_branches(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        self.note_held_branches(read)?;
        for log in 0..self.logs.len() {
            let lacks = |restart: &Restart| {
                can_be_held(restart) && !self.held_branches.contains(&(log, restart.kept_head().size))
            };
            if self.logs[log].fork.is_none() && self.logs[log].restarts.iter().any(|(restart, _)| lacks(restart)) {
                self.review_heads_of(log, read)?;
            }
        }
        Ok(())
    }

    /// Takes in a page of a branch; stores the branch when it is whole.
    pub(super) fn take_branch(
        &mut self,
        peer: LogId,
        (log, kept, from): (LogId, u64, u64),
        records: Vec<Vec<u8>>,
        read: &dyn Read,
    ) -> Result<(), ReadError> {
        let key = (log, kept);
        let known = self.logs.get(log).and_then(|r| r.restarts.iter().find(|(r, _)| r.kept_head().size == kept));
        let Some((restart, _)) = known.cloned().filter(|_| !self.held_branches.contains(&key)) else { return Ok(()) };
        if self.logs[log].turned || self.logs[log].size() < kept {
            return Ok(());
        }
        let mut incoming = match self.incoming.remove(&key) {
            Some(incoming) => incoming,
            None => self.begin_branch(log, &restart, read)?,
        };
        if incoming.edge.size() != from {
            self.incoming.insert(key, incoming);
            return Ok(());
        }
        let origin = self.config.treaty.origin(log).to_owned();
        let end = restart.other_head();
        for bytes in records {
            let index = incoming.edge.size();
            let leaf = leaf_hash(&bytes);
            let first = index > restart.common || restart.other_leaf == Some(leaf);
            incoming.bytes += bytes.len();
            let kind = match Record::parse_at(&bytes, &origin, index, &incoming.last_leaf) {
                Ok(record) if first && index < end.size => record.kind,
                _ => {
                    self.fault(peer, format!("records that are not of the branch of {origin} that was left"));
                    return Ok(());
                }
            };
            incoming.edge.push(leaf, &mut incoming.full);
            incoming.last_leaf = leaf;
            if incoming.bytes <= MAX_WAITING_BYTES {
                incoming.records.push(NewRecord { log, index, kind, bytes });
            } else {
                incoming.records = Vec::new();
            }
        }
        if incoming.edge.size() < end.size {
            let next = incoming.edge.size();
            self.incoming.insert(key, incoming);
            if self.connected.contains_key(&peer) {
                self.request(peer, Request::Branch { log, kept, from: next, count: MAX_PAGE_RECORDS });
            }
        } else if incoming.edge.root() == end.root {
            self.batch.branches.extend(incoming.records.into_iter().map(|record| (kept, record)));
            self.held_branches.insert(key);
            let tree = BranchTree::new(restart.common, incoming.edge, incoming.full);
            self.branches.insert(key, Arc::new(tree));
            self.settle_doubts(log, read)?;
            self.review_heads_of(log, read)?;
        } else {
            self.fault(peer, format!("records that do not lead to the head of the branch of {origin} that was left"));
        }
        Ok(())
    }

    fn begin_branch(&self, log: LogId, restart: &Restart, read: &dyn Read) -> Result<Incoming, ReadError> {
        let damaged = || ReadError(format!("the log {} is damaged", self.config.treaty.origin(log)));
        let tiles = self.logs[log].tiles(&self.batch, read);
        let edge = Appender::load(&tiles, restart.common)?.ok_or_else(damaged)?;
        let last_leaf = match restart.common.checked_sub(1) {
            Some(last) => leaf_hash(&self.record(log, last, read)?.ok_or_else(damaged)?),
            None => self.config.treaty.hash(),
        };
        Ok(Incoming { edge, last_leaf, full: Vec::new(), records: Vec::new(), bytes: 0 })
    }

    /// Whether the records of a branch are held.
    pub fn holds_branch(&self, log: LogId, restart: &Restart, read: &dyn Read) -> Result<bool, ReadError> {
        Ok(BranchTree::load(log, restart, read)?.is_some())
    }
}

/// Whether anybody is said to have a branch's records, and not too many of them.
fn can_be_held(restart: &Restart) -> bool {
    restart.other_leaf.is_some() && restart.other_head().size - restart.common <= MAX_BRANCH_RECORDS
}
