//! A running server, and how it stops.

use std::{net::SocketAddr, time::Duration};

use tokio::time;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::info;

use crate::{layers::ActiveRequests, service::Services, telemetry::Telemetry};

/// How long connections have to end after the last call has ended, and for how long no call may have started: responses are
/// sent, and peers that received GOAWAY close. Peers that do not would stay until the keepalive timeout.
const LINGER: Duration = Duration::from_secs(2);

/// How a server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainOutcome {
    /// Every call and every mutation ended.
    Complete,
    /// The drain timeout passed before.
    TimedOut,
}

/// A running server. Dropping it stops it without waiting.
pub struct RunningServer {
    pub(super) address: SocketAddr,
    pub(super) metrics_address: Option<SocketAddr>,
    pub(super) services: Services,
    pub(super) tasks: TaskTracker,
    pub(super) requests: ActiveRequests,
    pub(super) drain_delay: Duration,
    pub(super) drain_timeout: Duration,
    /// Cancelled first: health reports NOT_SERVING.
    pub(super) not_ready: CancellationToken,
    pub(super) stop: DropGuard,
    pub(super) telemetry: Telemetry,
    pub(super) _stop_metrics: DropGuard,
}

impl RunningServer {
    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the metrics port, if there is one.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Returns its services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Stops the server. Health reports NOT_SERVING; during the drain delay it still accepts calls. Then it closes its port,
    /// sends GOAWAY on every connection, and waits for running calls and for mutations whose callers hung up; then flushes
    /// telemetry. Does not wait for idle peers.
    pub async fn stop(self) -> DrainOutcome {
        info!("stopping");
        self.not_ready.cancel();
        time::sleep(self.drain_delay).await;
        self.tasks.close();
        drop(self.stop);
        let drained = async {
            tokio::select! {
                () = self.tasks.wait() => {}
                () = self.requests.wait_until_idle(LINGER) => {}
            }
        };
        let outcome = match time::timeout(self.drain_timeout, drained).await {
            Ok(()) => DrainOutcome::Complete,
            Err(_) => DrainOutcome::TimedOut,
        };
        self.telemetry.flush().await;
        outcome
    }
}
