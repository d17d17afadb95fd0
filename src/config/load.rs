//! How much is taken at once.

use std::{num::NonZeroU32, time::Duration};

use super::Problems;

/// What bounds the work that is taken. The defaults are those of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Calls in flight at most, searches apart.
    pub in_flight: usize,
    /// How long a call waits to be one of them. As many wait at most as may be in flight.
    pub queue_wait: Duration,
    /// Connections at most.
    pub connections: usize,
    /// How often one principal may call, if that is bounded.
    pub rate: Option<Rate>,
}

/// How often one principal may call one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls in a second, in the long run.
    pub per_second: NonZeroU32,
    /// Calls at once, after a pause.
    pub burst: NonZeroU32,
}

impl Default for Load {
    fn default() -> Self {
        // Sixteen calls for each of sixteen connections: enough to keep all busy and to gather calls into one statement,
        // and short enough a line that its last waits a fraction of a second.
        Self { in_flight: 256, queue_wait: Duration::from_millis(100), connections: 4096, rate: None }
    }
}

impl Load {
    /// Far more than one process answers in time.
    const MOST_IN_FLIGHT: usize = 1_000_000;

    /// Notes what is wrong with it.
    pub fn verify(&self, problems: &mut Problems) {
        problems.unless(self.connections > 0, || "--max-connections must be at least 1".to_owned());
        problems.unless((1..=Self::MOST_IN_FLIGHT).contains(&self.in_flight), || {
            format!("--max-in-flight must be 1 to {}", Self::MOST_IN_FLIGHT)
        });
    }
}

impl Rate {
    /// The bound that two settings describe; a rate of nothing is no bound, a burst of nothing as much as a second's.
    ///
    /// # Errors
    /// What was expected.
    pub fn of(per_second: usize, burst: usize) -> Result<Option<Self>, String> {
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
        settings::{MAX_CONNECTIONS, MAX_IN_FLIGHT, QUEUE_WAIT, RATE_BURST, RATE_LIMIT},
    };

    #[test]
    fn the_defaults_are_those_of_the_settings() {
        let [in_flight, connections, rate, burst] = [MAX_IN_FLIGHT, MAX_CONNECTIONS, RATE_LIMIT, RATE_BURST]
            .map(|setting| parse::number(setting.default).unwrap());
        let queue_wait = parse::duration(QUEUE_WAIT.default).unwrap();
        let rate = Rate::of(rate, burst).unwrap();
        assert_eq!(Load { in_flight, queue_wait, connections, rate }, Load::default());
    }

    #[test]
    fn a_burst_is_a_seconds_worth_unless_it_is_said_and_nothing_without_a_rate() {
        let [five, nine] = [5, 9].map(|number| NonZeroU32::new(number).unwrap());
        assert_eq!(Rate::of(5, 0), Ok(Some(Rate { per_second: five, burst: five })));
        assert_eq!(Rate::of(5, 9), Ok(Some(Rate { per_second: five, burst: nine })));
        assert_eq!(Rate::of(0, 0), Ok(None));
        assert!(Rate::of(0, 9).is_err() && Rate::of(usize::MAX, 0).is_err());
    }
}
