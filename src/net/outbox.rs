//! Events that wait to be read.

use std::collections::VecDeque;

use super::NetEvent;
use super::limits::{MAX_EVENTS_WAITING, MAX_GOSSIP_UNREAD};

/// The queue in front of the events' channel. Whoever reads may be slow; then the oldest gossip goes, so that the
/// network need not wait, and with it everybody's requests.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    events: VecDeque<NetEvent>,
    gossip: usize,
}

fn is_gossip(event: &NetEvent) -> bool {
    matches!(event, NetEvent::Gossip { .. })
}

impl Outbox {
    /// Adds an event.
    pub fn push(&mut self, event: NetEvent) {
        if is_gossip(&event) {
            if self.gossip >= MAX_GOSSIP_UNREAD
                && let Some(oldest) = self.events.iter().position(is_gossip)
            {
                self.events.remove(oldest);
            } else {
                self.gossip += 1;
            }
        }
        self.events.push_back(event);
    }

    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<NetEvent> {
        let event = self.events.pop_front()?;
        self.gossip -= usize::from(is_gossip(&event));
        Some(event)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether more may be taken on that leads to events.
    pub fn has_room(&self) -> bool {
        self.events.len() < MAX_EVENTS_WAITING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::message::Gossip;

    #[test]
    fn only_old_gossip_is_dropped() {
        let mut outbox = Outbox::default();
        for party in 0..2 * MAX_GOSSIP_UNREAD {
            outbox.push(NetEvent::Connected(party));
            outbox.push(NetEvent::Gossip { from: party, message: Gossip { heads: Vec::new() } });
        }
        let (mut connected, mut gossip) = (Vec::new(), Vec::new());
        while let Some(event) = outbox.pop() {
            match event {
                NetEvent::Connected(party) => connected.push(party),
                NetEvent::Gossip { from, .. } => gossip.push(from),
                other => panic!("{other:?}"),
            }
        }
        assert!(connected.into_iter().eq(0..2 * MAX_GOSSIP_UNREAD));
        assert!(gossip.into_iter().eq(MAX_GOSSIP_UNREAD..2 * MAX_GOSSIP_UNREAD));
        assert_eq!(outbox.gossip, 0);
    }
}
