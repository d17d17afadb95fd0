//! What is looked at only when metrics are read: the pools, the certificate and the runtime.

use opentelemetry::{KeyValue, metrics::Meter};
use tokio::runtime::Handle;

use super::{Metrics, metrics::pool, names};
use crate::config::Validity;

/// A pool's sessions at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// The pool's name.
    pub pool: &'static str,
    /// Those that wait to be used.
    pub idle: usize,
    /// Those that are used.
    pub used: usize,
    /// As many as there may be.
    pub max: usize,
    /// Whoever waits for one.
    pub waiting: usize,
}

impl Metrics {
    /// Looks at the pools whenever metrics are read.
    pub fn watch(&self, sessions: impl Fn() -> [Sessions; 2] + Clone + Send + Sync + 'static) {
        let look = sessions.clone();
        let gauge = self.meter.i64_observable_up_down_counter("db.client.connection.count");
        gauge
            .with_description("Sessions with the database")
            .with_callback(move |observer| {
                for Sessions { pool: name, idle, used, .. } in look() {
                    observer.observe(count(idle), &[pool(name), KeyValue::new(names::DB_STATE, "idle")]);
                    observer.observe(count(used), &[pool(name), KeyValue::new(names::DB_STATE, "used")]);
                }
            })
            .build();
        let look = sessions.clone();
        let gauge = self.meter.i64_observable_up_down_counter("db.client.connection.max");
        gauge
            .with_description("As many sessions as there may be")
            .with_callback(move |observer| {
                look().iter().for_each(|sessions| observer.observe(count(sessions.max), &[pool(sessions.pool)]));
            })
            .build();
        let gauge = self.meter.i64_observable_up_down_counter("db.client.connection.pending_requests");
        gauge
            .with_description("Work that waits for a session")
            .with_callback(move |observer| {
                sessions()
                    .iter()
                    .for_each(|sessions| observer.observe(count(sessions.waiting), &[pool(sessions.pool)]));
            })
            .build();
    }
}

impl Metrics {
    /// Looks at the certificate that is shown whenever metrics are read.
    pub fn watch_certificate(&self, shown: impl Fn() -> Validity + Clone + Send + Sync + 'static) {
        let look = shown.clone();
        self.meter
            .i64_observable_gauge("clientele.tls.certificate.not_before.timestamp")
            .with_unit("s")
            .with_description("Since when the server's certificate is valid")
            .with_callback(move |observer| observer.observe(look().from, &[]))
            .build();
        self.meter
            .i64_observable_gauge("clientele.tls.certificate.not_after.timestamp")
            .with_unit("s")
            .with_description("Until when the server's certificate is valid")
            .with_callback(move |observer| observer.observe(shown().until, &[]))
            .build();
    }
}

/// The runtime, if there is one: in a unit test of a synchronous function there is none.
pub(super) fn runtime(meter: &Meter) {
    let Ok(runtime) = Handle::try_current() else { return };
    let tasks = runtime.clone();
    meter
        .i64_observable_up_down_counter("clientele.runtime.tasks")
        .with_description("Tasks that have begun and not ended")
        .with_callback(move |observer| observer.observe(count(tasks.metrics().num_alive_tasks()), &[]))
        .build();
    meter
        .i64_observable_up_down_counter("clientele.runtime.queue")
        .with_description("Tasks that wait for a thread")
        .with_callback(move |observer| observer.observe(count(runtime.metrics().global_queue_depth()), &[]))
        .build();
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
