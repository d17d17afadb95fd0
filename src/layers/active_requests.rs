//! Counts the calls in flight, so that a stopping server can wait for their end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// The calls in flight. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct ActiveRequests {
    in_flight: TaskTracker,
    started: Arc<AtomicU64>,
}

impl ActiveRequests {
    /// Counts a call until the token is dropped.
    pub fn start(&self) -> TaskTrackerToken {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.in_flight.token()
    }

    /// Returns the number of calls in flight.
    #[must_use]
    pub fn count(&self) -> usize {
        self.in_flight.len()
    }

    /// Waits until no call is in flight and none has started for `idle`. Calls that start and end in between count too: a
    /// client has not received GOAWAY yet.
    pub async fn wait_until_idle(&self, idle: Duration) {
        self.in_flight.close();
        loop {
            self.in_flight.wait().await;
            let before = self.started.load(Ordering::Relaxed);
            time::sleep(idle).await;
            if self.in_flight.is_empty() && self.started.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    const IDLE: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_when_no_call_is_in_flight_and_none_started_for_a_while() {
        let (requests, began) = (ActiveRequests::default(), Instant::now());
        requests.wait_until_idle(IDLE).await;
        assert_eq!(began.elapsed(), IDLE);

        let call = requests.start();
        assert_eq!(requests.count(), 1);
        assert!(timeout(IDLE * 10, requests.wait_until_idle(IDLE)).await.is_err(), "it is in flight");
        drop(call);

        // Short calls, one a second: most of the time none is in flight.
        let clone = requests.clone();
        let caller = async move {
            for _ in 0..10 {
                drop(clone.start());
                time::sleep(IDLE / 2).await;
            }
        };
        let began = Instant::now();
        tokio::join!(requests.wait_until_idle(IDLE), caller);
        assert_eq!(began.elapsed(), IDLE * 6, "the last call started after nine seconds; two whole intervals follow");
    }
}
