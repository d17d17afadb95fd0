//! What unit tests listen with.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::logs::{Format, Lines};

/// What was logged, on this thread alone.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens until the guard is dropped.
    pub(crate) fn listen(format: Format) -> (Self, DefaultGuard) {
        // While there is a single subscriber, tracing asks whichever thread comes to a line first whether anybody wants it, for
        // all and for good: so one where nobody listens must not say no. It fails where one is there already.
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
