//! The signals that stop a command, and the orderly stop of a server.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::print_message;
use crate::server::{DrainOutcome, RunningServer};

/// The signals Ctrl-C and SIGTERM, caught from the moment this is created.
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Replaces the signals' default action, which ends the process at once.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next signal.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Runs work and returns its result; none if a signal comes first. The work is then dropped.
    pub(super) async fn run_until_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            result = work => Some(result),
            () = self.wait() => None,
        }
    }
}

/// Stops a server: running calls may end, until the drain timeout or a second signal.
pub(super) async fn drain(server: RunningServer, signals: &mut StopSignals) {
    if signals.run_until_stopped(server.stop()).await != Some(DrainOutcome::Complete) {
        print_message("calls were still running; they were aborted");
    }
}
