//! Which connections are accepted: a number of them in all, and a number of each peer, so that one peer cannot shut all others
//! out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tracing::{info, warn};

use crate::{
    config::Connections,
    layers::{PeerLimit, PeerPlace},
};

/// At most one line in this time about peers that have too many connections.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The limits on connections, and what was logged about them.
pub(super) struct ConnectionLimits {
    all: Arc<Semaphore>,
    peers: PeerLimit,
    is_full: bool,
    /// Connections of peers with too many that were closed since the last line.
    refused: u64,
    next_line: Instant,
}

/// The place of a connection. It is free again when this is dropped.
pub(super) struct ConnectionPlace {
    _of_all: OwnedSemaphorePermit,
    _of_peer: PeerPlace,
}

impl ConnectionLimits {
    pub(super) fn new(config: &Connections) -> Self {
        Self {
            all: Arc::new(Semaphore::new(config.max)),
            peers: PeerLimit::new(config.max_per_peer, config.exempt.clone()),
            is_full: false,
            refused: 0,
            next_line: Instant::now(),
        }
    }

    /// Takes a place for a connection from this address; none if a limit is reached.
    pub(super) fn take(&mut self, address: IpAddr) -> Option<ConnectionPlace> {
        let Some(of_peer) = self.peers.take(address) else {
            self.log_refused(address);
            return None;
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned();
        if of_all.is_err() != self.is_full {
            self.is_full = of_all.is_err();
            if self.is_full {
                warn!("maximum number of client connections reached: more are closed at once");
            } else {
                info!("client connections are accepted again");
            }
        }
        Some(ConnectionPlace { _of_all: of_all.ok()?, _of_peer: of_peer })
    }

    fn log_refused(&mut self, address: IpAddr) {
        self.refused += 1;
        let now = Instant::now();
        if now >= self.next_line {
            let closed = self.refused;
            warn!(peer = %address, closed, "maximum number of connections of one peer reached: more are closed at once");
            (self.refused, self.next_line) = (0, now + LOG_INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_takes_no_place_of_its_peer_or_of_all() {
        let config = Connections { max: 2, max_per_peer: 1, exempt: Vec::new(), ..Connections::default() };
        let mut limits = ConnectionLimits::new(&config);
        let [first, second, third] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let of_first = limits.take(first).unwrap();
        assert!(limits.take(first).is_none(), "the peer has its one");
        let of_second = limits.take(second).unwrap();
        assert!(limits.take(third).is_none() && limits.is_full);
        drop(of_first);
        let of_third = limits.take(third).expect("neither refusal took a place");
        assert!(!limits.is_full && limits.refused == 0);
        drop((of_second, of_third));
    }
}
