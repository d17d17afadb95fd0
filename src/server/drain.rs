//! An orderly end.

use std::time::Duration;

use tokio::time;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::Running;

/// How long connections have to end once the last call has: answers are sent, and peers that listen hang up. Those that
/// do not would be waited for until keepalive finds out.
const LINGER: Duration = Duration::from_secs(2);

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every call and every mutation came to its end.
    Whole,
    /// The time was up first.
    CutOff,
}

impl Running {
    /// Is ready no more, and says so to health's watchers; for a moment, if one is asked for, it still takes calls. Then it
    /// takes no more, says so to every connection (GOAWAY), and waits for what runs: calls, and the mutations whose
    /// callers are gone; then, for a moment, until what they told of is sent. Peers that are stuck it does not wait for.
    pub async fn stop(self) -> Drained {
        info!("stopping");
        self.leaving.cancel();
        time::sleep(self.drain_delay).await;
        self.tasks.close();
        self.calls.close();
        drop(self.stop);
        let over = async {
            tokio::select! {
                () = self.tasks.wait() => {}
                () = quiet(&self.calls) => {}
            }
        };
        let drained = match time::timeout(self.drain, over).await {
            Ok(()) => Drained::Whole,
            Err(_) => Drained::CutOff,
        };
        self.telemetry.flush().await;
        drained
    }
}

/// Waits until no call is in flight, and none came for a while after the last.
async fn quiet(calls: &TaskTracker) {
    loop {
        calls.wait().await;
        time::sleep(LINGER).await;
        // One that a connection brought before it heard that there shall be no more.
        if calls.is_empty() {
            return;
        }
    }
}
