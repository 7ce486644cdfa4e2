//! What clients may take up: connections, and time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// What a server gives its clients. Whoever asks for more is refused or let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, sockets included.
    pub connections: usize,
    /// Connections at a time of one address (an IPv6 network of 64 bits counts as one). Of this
    /// machine's own there may be all of them: a proxy in front brings everybody's.
    pub per_peer: usize,
    /// Until a request's line and headers are there.
    pub head: Duration,
    /// Until the next request, or until the client takes in any of an answer.
    pub idle: Duration,
    /// Until a body is there.
    pub body: Duration,
    /// In which a body gets on by a kilobyte, or ends.
    pub body_step: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            per_peer: 5_000,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body: Duration::from_secs(60),
            body_step: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The defaults, with no more connections than this process can have files open: a quarter of
    /// those is left to databases.
    pub fn of_this_process() -> Self {
        let usual = Self::default();
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let share = usize::try_from(files / 4 * 3).unwrap_or(usize::MAX);
        Self {
            connections: usual.connections.min(share),
            per_peer: usual.per_peer.min(share / 4),
            ..usual
        }
    }
}

/// The connections there are.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    per_peer: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    peer: IpAddr,
}

impl Slots {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            total: limits.connections,
            per_peer: limits.per_peer,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection of `peer`, if there is one.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Slot> {
        let peer = network(peer);
        let mut taken = self.locked();
        let held = taken.by_peer.get(&peer).copied().unwrap_or_default();
        if taken.all >= self.total || (held >= self.per_peer && !peer.is_loopback()) {
            return None;
        }
        taken.all += 1;
        taken.by_peer.insert(peer, held + 1);
        drop(taken);
        let slots = Arc::clone(self);
        Some(Slot { slots, peer })
    }

    fn locked(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while the lock is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.locked();
        taken.all = taken.all.saturating_sub(1);
        if let Some(held) = taken.by_peer.get_mut(&self.peer) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
    }
}

/// Whom an address counts for: an IPv6 client has 64 bits to choose from at will.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(connections: usize, per_peer: usize) -> Arc<Slots> {
        Slots::new(&Limits {
            connections,
            per_peer,
            ..Limits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_place_is_free_again_once_its_connection_is_gone() {
        let slots = slots(2, 2);
        let first = slots.take(ip("192.0.2.1"));
        let _second = slots.take(ip("192.0.2.2")).expect("the second");
        assert!(slots.take(ip("192.0.2.3")).is_none());
        drop(first);
        assert!(slots.take(ip("192.0.2.3")).is_some());
    }

    #[test]
    fn one_address_does_not_take_all_places() {
        let slots = slots(10, 2);
        let peer = ip("192.0.2.1");
        let held = [slots.take(peer), slots.take(peer)];
        assert!(held.iter().all(Option::is_some));
        // The same address as an IPv4 mapped into IPv6.
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(slots.take(ip(same)).is_none(), "{same}");
        }
        assert!(slots.take(ip("192.0.2.2")).is_some());
        drop(held);
        assert!(slots.take(peer).is_some());
        assert!(slots.locked().by_peer.is_empty(), "nobody is remembered");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let slots = slots(10, 1);
        let _first = slots.take(ip("2001:db8::1")).expect("the first");
        assert!(slots.take(ip("2001:db8::ffff:2")).is_none());
        assert!(slots.take(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn this_machine_may_have_all_places() {
        let slots = slots(2, 1);
        for peer in ["127.0.0.1", "::1"] {
            let _first = slots.take(ip(peer)).expect("the first");
            assert!(slots.take(ip(peer)).is_some(), "{peer}");
        }
    }
}
