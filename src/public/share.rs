//! How much of a limited thing each reader's address may hold at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts what each address holds.
#[derive(Clone)]
pub(super) struct Shares {
    most: usize,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of them, until it is dropped.
pub(super) struct Share {
    of: Shares,
    key: IpAddr,
}

impl Shares {
    pub fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// One more for this address, if it may have one.
    pub fn take(&self, peer: IpAddr) -> Option<Share> {
        let key = network(peer);
        // A number is whole at any moment: what a panicking thread left is still right.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { of: self.clone(), key })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

/// Who counts as one reader: an IPv4 address, or the first 64 bits of an IPv6 address.
pub(super) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[8..].fill(0);
            octets.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many_and_gives_them_back() {
        let (shares, peer): (_, IpAddr) = (Shares::new(2), "192.0.2.1".parse().unwrap());
        let (one, two) = (shares.take(peer), shares.take("::ffff:192.0.2.1".parse().unwrap()));
        assert!(one.is_some() && two.is_some() && shares.take(peer).is_none());
        assert!(shares.take("192.0.2.2".parse().unwrap()).is_some());
        drop(one);
        assert!(shares.take(peer).is_some());
        drop(two);
        assert!(shares.held.lock().unwrap().is_empty(), "nobody is remembered who holds nothing");
    }
}
