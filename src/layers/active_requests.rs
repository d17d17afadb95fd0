//! The calls in flight, for whoever waits until there are no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// The calls in flight. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct ActiveRequests {
    now: TaskTracker,
    ever: Arc<AtomicU64>,
}

impl ActiveRequests {
    /// Counts a call as long as the token is there.
    pub fn begin(&self) -> TaskTrackerToken {
        self.ever.fetch_add(1, Ordering::Relaxed);
        self.now.token()
    }

    /// How many are in flight.
    #[must_use]
    pub fn now(&self) -> usize {
        self.now.len()
    }

    /// Waits until none is in flight and none has begun for so long. Those that begin and end meanwhile count: somebody
    /// has not heard yet that there shall be no more.
    pub async fn quiet(&self, long: Duration) {
        self.now.close();
        loop {
            self.now.wait().await;
            let before = self.ever.load(Ordering::Relaxed);
            time::sleep(long).await;
            if self.now.is_empty() && self.ever.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_once_none_is_in_flight_and_none_came_for_a_while() {
        let (calls, began) = (ActiveRequests::default(), Instant::now());
        calls.quiet(LONG).await;
        assert_eq!(began.elapsed(), LONG);

        let call = calls.begin();
        assert_eq!(calls.now(), 1);
        assert!(timeout(LONG * 10, calls.quiet(LONG)).await.is_err(), "it is in flight");
        drop(call);

        // Short ones, one a second: at most moments none is in flight.
        let coming = calls.clone();
        let caller = async move {
            for _ in 0..10 {
                drop(coming.begin());
                time::sleep(LONG / 2).await;
            }
        };
        let began = Instant::now();
        tokio::join!(calls.quiet(LONG), caller);
        assert_eq!(began.elapsed(), LONG * 6, "the last came after nine seconds, and two intervals are whole");
    }
}
