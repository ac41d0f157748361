//! When to dial whom: at once at the start, and then again and again, ever more slowly, for as long as a party is away.

use std::time::Duration;

use tokio::time::Instant;

use crate::node::LogId;

/// Wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that lasted this long was a good one: after it, the waits begin anew. One that is closed sooner counts
/// as a failure, since a node that refuses us lets us connect before it says so.
const STABLE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default)]
struct Party {
    failures: u32,
    /// When to dial next; none while connected, while a dial is under way, and where there is no address.
    next: Option<Instant>,
}

/// The parties to be dialled.
#[derive(Debug)]
pub(super) struct Dials {
    parties: Vec<Party>,
    random: fn() -> u64,
}

impl Dials {
    /// Nobody is to be dialled yet. `random` spreads the waits, so that nodes do not dial in step.
    pub fn new(parties: usize, random: fn() -> u64) -> Self {
        Self { parties: vec![Party::default(); parties], random }
    }

    /// There are more parties now.
    pub fn grow(&mut self, parties: usize) {
        self.parties.resize(parties.max(self.parties.len()), Party::default());
    }

    /// This party has addresses, and is to be dialled now.
    pub fn start(&mut self, log: LogId, now: Instant) {
        if let Some(party) = self.parties.get_mut(log) {
            party.next = Some(now);
        }
    }

    /// Whoever is due; each is then under way until [`Dials::failed`] or [`Dials::connected`] is called for it.
    pub fn due(&mut self, now: Instant) -> Vec<LogId> {
        let mut due = Vec::new();
        for (log, party) in self.parties.iter_mut().enumerate() {
            if party.next.is_some_and(|next| next <= now) {
                party.next = None;
                due.push(log);
            }
        }
        due
    }

    /// When somebody is due next.
    pub fn next_due(&self) -> Option<Instant> {
        self.parties.iter().filter_map(|party| party.next).min()
    }

    /// There is a connection.
    pub fn connected(&mut self, log: LogId) {
        if let Some(party) = self.parties.get_mut(log) {
            party.next = None;
        }
    }

    /// A dial came to nothing.
    pub fn failed(&mut self, log: LogId, now: Instant) {
        let random = (self.random)();
        if let Some(party) = self.parties.get_mut(log) {
            let full = FIRST_WAIT.saturating_mul(1 << party.failures.min(6)).min(LONGEST_WAIT);
            // Between half the wait and all of it.
            let part = 0.5 + 0.5 * (random >> 32) as f64 / f64::from(u32::MAX);
            party.next = Some(now + full.mul_f64(part));
            party.failures = party.failures.saturating_add(1);
        }
    }

    /// The last connection is gone, after so long.
    pub fn lost(&mut self, log: LogId, lasted: Duration, now: Instant) {
        if let Some(party) = self.parties.get_mut(log)
            && lasted >= STABLE
        {
            party.failures = 0;
        }
        self.failed(log, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_a_good_connection() {
        let mut now = Instant::now();
        let mut dials = Dials::new(2, || u64::MAX);
        assert_eq!(dials.next_due(), None);
        dials.start(1, now);
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert_eq!(dials.due(now), [1]);
            assert!(dials.due(now).is_empty(), "under way");
            dials.failed(1, now);
            let next = dials.next_due().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        dials.connected(1);
        assert_eq!(dials.next_due(), None);
        dials.lost(1, STABLE / 2, now);
        assert_eq!(dials.next_due(), Some(now + LONGEST_WAIT), "refused right after the handshake");
        dials.lost(1, STABLE, now);
        assert_eq!(dials.next_due(), Some(now + FIRST_WAIT));
    }

    #[test]
    fn waits_are_spread() {
        let now = Instant::now();
        let mut dials = Dials::new(1, || 0);
        dials.failed(0, now);
        assert_eq!(dials.next_due(), Some(now + FIRST_WAIT / 2));
    }
}
