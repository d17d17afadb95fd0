//! Bounds on concurrent work.

use std::{num::NonZeroU32, time::Duration};

use super::problems::Problems;

/// Bounds on concurrent work. The defaults are those of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Maximum calls in flight, not counting searches.
    pub max_in_flight: usize,
    /// How long a call waits in the queue for a permit.
    pub queue_timeout: Duration,
    /// How long a message may take to arrive.
    pub message_timeout: Duration,
    /// Maximum memory that is held for callers, in bytes.
    pub max_bytes_in_flight: usize,
    /// The rate limit of one principal, if there is one.
    pub rate_limit: Option<RateLimit>,
}

/// The rate limit of one principal on one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls per second on average.
    pub per_second: NonZeroU32,
    /// Calls at once after a pause.
    pub burst: NonZeroU32,
}

impl Default for Load {
    fn default() -> Self {
        // Sixteen calls for each of sixteen connections: enough to keep all connections busy and to batch calls into one
        // statement, and a queue short enough that its last call waits a fraction of a second.
        Self {
            max_in_flight: 256,
            queue_timeout: Duration::from_millis(100),
            message_timeout: Duration::from_secs(5),
            max_bytes_in_flight: 64 * 1024 * 1024,
            rate_limit: None,
        }
    }
}

impl Load {
    /// Far more than one process answers in time.
    const MAX_IN_FLIGHT: usize = 1_000_000;
    /// A principal's quarter holds the largest answer.
    const MIN_BYTES: usize = 16 * 1024 * 1024;

    /// Adds its problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require((1..=Self::MAX_IN_FLIGHT).contains(&self.max_in_flight), || {
            format!("--max-in-flight must be 1 to {}", Self::MAX_IN_FLIGHT)
        });
        problems.require(!self.message_timeout.is_zero(), || "--message-timeout must be greater than zero".to_owned());
        problems.require(self.max_bytes_in_flight >= Self::MIN_BYTES, || {
            "--max-bytes-in-flight must be at least 16MiB: one principal gets a quarter of it, and an answer has up to 4 MiB"
                .to_owned()
        });
    }
}

impl RateLimit {
    /// The limit that two settings describe. A rate of 0 is no limit; a burst of 0 is one second's rate.
    ///
    /// # Errors
    /// What was expected.
    pub fn from_settings(per_second: usize, burst: usize) -> Result<Option<Self>, String> {
        let small = |number: usize| u32::try_from(number).map_err(|_| format!("must be at most {}", u32::MAX));
        let Some(per_second) = NonZeroU32::new(small(per_second)?) else {
            return if burst == 0 { Ok(None) } else { Err("needs --rate-limit".to_owned()) };
        };
        Ok(Some(Self { per_second, burst: NonZeroU32::new(small(burst)?).unwrap_or(per_second) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        parse,
        settings::{MAX_BYTES_IN_FLIGHT, MAX_IN_FLIGHT, MESSAGE_TIMEOUT, QUEUE_TIMEOUT, RATE_BURST, RATE_LIMIT},
    };

    #[test]
    fn the_defaults_are_those_of_the_settings() {
        let [max_in_flight, rate, burst] =
            [MAX_IN_FLIGHT, RATE_LIMIT, RATE_BURST].map(|setting| parse::number(setting.default).unwrap());
        let [queue_timeout, message_timeout] =
            [QUEUE_TIMEOUT, MESSAGE_TIMEOUT].map(|setting| parse::duration(setting.default).unwrap());
        let defaults = Load {
            max_in_flight,
            queue_timeout,
            message_timeout,
            max_bytes_in_flight: parse::size(MAX_BYTES_IN_FLIGHT.default).unwrap(),
            rate_limit: RateLimit::from_settings(rate, burst).unwrap(),
        };
        assert_eq!(defaults, Load::default());
    }

    #[test]
    fn a_burst_defaults_to_one_seconds_rate_and_needs_a_rate() {
        let [five, nine] = [5, 9].map(|number| NonZeroU32::new(number).unwrap());
        let limit = RateLimit::from_settings;
        assert_eq!(limit(5, 0), Ok(Some(RateLimit { per_second: five, burst: five })));
        assert_eq!(limit(5, 9), Ok(Some(RateLimit { per_second: five, burst: nine })));
        assert_eq!(limit(0, 0), Ok(None));
        assert!(limit(0, 9).is_err() && limit(usize::MAX, 0).is_err());
    }
}
