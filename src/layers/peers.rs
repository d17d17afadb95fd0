//! Counts what one peer holds: connections, open calls without a token. A peer is an IPv4 address or an IPv6 network of 64 bits,
//! because a host usually has all addresses of such a network. This machine and trusted proxies are exempt: behind them are many
//! callers.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

/// The part of an IPv6 address that names the network.
const NETWORK: u128 = !0 << 64;

/// How many places each peer has. Clones share the counts.
#[derive(Clone, Debug)]
pub struct PeerLimit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    max: usize,
    exempt: Vec<IpNet>,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A peer's place. It is free again when this is dropped.
#[derive(Debug)]
pub struct PeerPlace(Option<(PeerLimit, IpAddr)>);

impl PeerLimit {
    /// Each peer has `max` places, those of the exempt networks any number.
    #[must_use]
    pub fn new(max: usize, exempt: Vec<IpNet>) -> Self {
        Self { inner: Arc::new(Inner { max, exempt, taken: Mutex::default() }) }
    }

    /// Takes a place of the peer with this address; none if all are taken.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> Option<PeerPlace> {
        let address = address.to_canonical();
        if self.inner.exempt.iter().any(|network| network.contains(&address)) {
            return Some(PeerPlace(None));
        }
        let peer = peer_of(address);
        let mut taken = self.taken();
        let places = taken.entry(peer).or_default();
        if *places >= self.inner.max {
            return None;
        }
        *places += 1;
        Some(PeerPlace(Some((self.clone(), peer))))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing in here panics while a count is half changed.
        self.inner.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what names the peer: the address, or the network that the address is in.
fn peer_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let Some((limit, peer)) = &self.0 else { return };
        let mut taken = limit.taken();
        if let Some(places) = taken.get_mut(peer) {
            *places -= 1;
            if *places == 0 {
                taken.remove(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_address_or_an_ipv6_network_and_has_a_limit_of_its_own() {
        for (first, same, other) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.0.0.7", "::ffff:10.0.0.7", "::ffff:10.0.0.8"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"),
        ] {
            let [first, same, other] = [first, same, other].map(|address| address.parse().unwrap());
            let limit = PeerLimit::new(2, Vec::new());
            let places = [limit.take(first).unwrap(), limit.take(same).unwrap()];
            assert!(limit.take(first).is_none() && limit.take(same).is_none(), "{first}");
            let elsewhere = limit.take(other).unwrap();
            drop(places);
            drop((limit.take(first).unwrap(), elsewhere));
            assert!(limit.taken().is_empty());
        }
    }

    #[test]
    fn an_exempt_peer_has_no_limit() {
        let limit = PeerLimit::new(1, vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let places = ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"].map(|address| {
            let address = address.parse().unwrap();
            [limit.take(address).unwrap(), limit.take(address).unwrap()]
        });
        assert!(limit.taken().is_empty());
        drop(places);
    }
}
