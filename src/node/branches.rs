//! Branches that do not go on are mirrored as logs are: every node fetches their records from whoever holds them.
//!
//! A branch is kept whole or not at all, as only its end is signed: its records wait in memory until they lead there.

use super::branch::BranchTree;
use super::engine::Engine;
use super::message::{MAX_PAGE_RECORDS, Request};
use super::replica::Replica;
use super::storage::{LogId, NewRecord, Read, ReadError};
use crate::ledger::{Record, Restart};
use crate::tlog::{Appender, Hash, leaf_hash};

/// Bytes of one branch that is being fetched. A longer one stays with those who hold it.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// A branch on its way.
pub(super) struct Incoming {
    edge: Appender,
    last_leaf: Hash,
    records: Vec<NewRecord>,
    bytes: usize,
}

impl Engine {
    /// Asks for a page of each branch that is not held, of one peer after the other.
    pub(super) fn fetch_branches(&mut self, peer: LogId) {
        let mut wanted = Vec::new();
        let fetched = |replica: &&Replica| replica.fork.is_none() && !replica.turned && self.has_room(replica.log);
        for replica in self.logs.iter().filter(fetched) {
            for (restart, _) in &replica.restarts {
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
            let first = index > restart.common || leaf == restart.other_leaf;
            incoming.bytes += bytes.len();
            let kind = match Record::parse_at(&bytes, &origin, index, &incoming.last_leaf) {
                Ok(record) if first && index < end.size => record.kind,
                _ => {
                    self.fault(peer, format!("records that are not of the branch of {origin} that was left"));
                    return Ok(());
                }
            };
            if incoming.bytes > MAX_WAITING_BYTES {
                self.held_branches.insert(key);
                return Ok(());
            }
            incoming.edge.push(leaf, &mut Vec::new());
            incoming.last_leaf = leaf;
            incoming.records.push(NewRecord { log, index, kind, bytes });
        }
        if incoming.edge.size() < end.size {
            let next = incoming.edge.size();
            self.incoming.insert(key, incoming);
            if self.connected.contains_key(&peer) {
                self.request(peer, Request::Branch { log, kept, from: next, count: MAX_PAGE_RECORDS });
            }
        } else if incoming.edge.root() == end.root {
            self.spend(log, incoming.bytes);
            self.batch.branches.extend(incoming.records.into_iter().map(|record| (kept, record)));
            self.held_branches.insert(key);
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
        Ok(Incoming { edge, last_leaf, records: Vec::new(), bytes: 0 })
    }

    /// Whether the records of a branch are held.
    pub fn holds_branch(&self, log: LogId, restart: &Restart, read: &dyn Read) -> Result<bool, ReadError> {
        Ok(BranchTree::load(log, restart, read)?.is_some())
    }
}
