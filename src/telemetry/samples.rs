//! Captures log lines in unit tests.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::logs::{Format, Lines};

/// The log of this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures until the guard is dropped.
    pub(crate) fn capture(format: Format) -> (Self, DefaultGuard) {
        // With a single subscriber, tracing caches for each log statement whether it is enabled, as decided by the first
        // thread that reaches it. A thread without a subscriber would disable it for all. So a global subscriber must exist;
        // setting it fails if there is one.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let log = Self::default();
        let lines = tracing_subscriber::fmt().event_format(Lines::new(format, false)).with_writer(log.clone());
        (log, tracing::subscriber::set_default(lines.with_max_level(tracing::Level::DEBUG).finish()))
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
