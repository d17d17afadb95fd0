//! Limits on client connections.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net};

use super::problems::Problems;

/// Limits on client connections. The defaults are those of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Maximum client connections.
    pub max: usize,
    /// Maximum client connections of one peer.
    pub max_per_peer: usize,
    /// The networks whose peers have no limit of their own: this machine and the trusted proxies, behind which are many callers.
    pub exempt: Vec<IpNet>,
    /// Maximum calls at once on one connection.
    pub max_streams: u32,
    /// How long a connection may be without a call.
    pub idle_timeout: Duration,
    /// How long a peer may take nothing of an answer; then the answer is freed and its stream is reset. A connection whose peer
    /// reads nothing at all for as long is closed. Other than [`Connections::ANSWER_TIMEOUT`] only in a test.
    pub answer_timeout: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 2048,
            max_per_peer: 512,
            exempt: this_machine().to_vec(),
            max_streams: 256,
            idle_timeout: Duration::from_secs(300),
            answer_timeout: Self::ANSWER_TIMEOUT,
        }
    }
}

impl Connections {
    /// The time for an answer that no test has changed.
    pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
    /// One peer holds at most one of this many parts of all connections, if no number is set.
    const PARTS: usize = 4;
    /// More would need windows of megabytes for one connection.
    const MAX_STREAMS: u32 = 4096;

    /// The number for one peer that a setting means: 0 is a quarter of all connections.
    #[must_use]
    pub fn per_peer(setting: usize, max: usize) -> usize {
        if setting == 0 { (max / Self::PARTS).max(1) } else { setting }
    }

    /// Adds its problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require(self.max > 0, || "--max-client-connections must be at least 1".to_owned());
        problems.require(self.max_per_peer > 0, || "--max-connections-per-peer must be at least 1".to_owned());
        problems.require((1..=Self::MAX_STREAMS).contains(&self.max_streams), || {
            format!("--max-streams-per-connection must be 1 to {}", Self::MAX_STREAMS)
        });
        problems
            .require(!self.idle_timeout.is_zero(), || "--idle-connection-timeout must be greater than zero".to_owned());
    }
}

/// The networks of this machine.
pub(super) fn this_machine() -> [IpNet; 2] {
    [IpNet::new_assert(Ipv4Addr::LOCALHOST.into(), 8), IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128)]
}

/// Parses an IP address, or a network: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
///
/// # Errors
/// What was expected.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network =
        network.map_err(|_| format!("{text} is neither an IP address nor a network such as 10.0.0.0/8 or fd00::/8"))?;
    // Peers are compared in the same form.
    Ok(match (network.addr().to_canonical(), network) {
        (IpAddr::V4(address), IpNet::V6(mapped)) => {
            Ipv4Net::new(address, mapped.prefix_len().saturating_sub(96)).map_or(network, IpNet::V4)
        }
        _ => network,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        parse,
        settings::{
            IDLE_CONNECTION_TIMEOUT, MAX_CLIENT_CONNECTIONS, MAX_CONNECTIONS_PER_PEER, MAX_STREAMS_PER_CONNECTION,
        },
    };

    #[test]
    fn the_defaults_are_those_of_the_settings() {
        let number = |setting: crate::config::settings::Setting| parse::number(setting.default).unwrap();
        let max = number(MAX_CLIENT_CONNECTIONS);
        let read = Connections {
            max,
            max_per_peer: Connections::per_peer(number(MAX_CONNECTIONS_PER_PEER), max),
            exempt: this_machine().to_vec(),
            max_streams: u32::try_from(number(MAX_STREAMS_PER_CONNECTION)).unwrap(),
            idle_timeout: parse::duration(IDLE_CONNECTION_TIMEOUT.default).unwrap(),
            answer_timeout: Connections::ANSWER_TIMEOUT,
        };
        assert_eq!(read, Connections::default());
    }

    #[test]
    fn without_a_number_one_peer_may_hold_a_quarter() {
        assert_eq!([(0, 4096), (0, 3), (7, 4096)].map(|(set, max)| Connections::per_peer(set, max)), [1024, 1, 7]);
    }

    #[test]
    fn a_network_is_an_address_or_has_a_length() {
        for (text, contained, other) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.1"),
        ] {
            let network = network(text).unwrap();
            assert!(network.contains(&contained.parse::<IpAddr>().unwrap()), "{text}");
            assert!(!network.contains(&other.parse::<IpAddr>().unwrap()), "{text}");
        }
        for wrong in ["", "10.0.0", "10.0.0.0/33", "proxy.example"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
