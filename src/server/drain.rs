//! An orderly end.

use std::time::Duration;

use tokio::time;
use tracing::info;

use super::Running;

/// How long connections have to end once the last call has, and for how long none may have come: answers are sent, and peers
/// that listen hang up. Those that do not would be waited for until keepalive finds out.
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
        drop(self.stop);
        let over = async {
            tokio::select! {
                () = self.tasks.wait() => {}
                () = self.calls.quiet(LINGER) => {}
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
