//! Gauges that are read only when metrics are scraped: the connection pools, memory, the certificate and the runtime.

use opentelemetry::{KeyValue, metrics::Meter};
use tokio::runtime::Handle;

use super::{
    metrics::Metrics,
    names::{self, pool},
};
use crate::config::Validity;

/// The connections of a pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// The pool's name.
    pub pool: &'static str,
    /// Idle connections.
    pub idle: usize,
    /// Connections in use.
    pub used: usize,
    /// Maximum connections.
    pub max: usize,
    /// Work that waits for a connection.
    pub waiting: usize,
}

/// The queue of mails at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Mails that wait; counting stops at 10,000.
    pub waiting: i64,
    /// Since when the oldest of them waits, in seconds since 1970.
    pub since: Option<i64>,
}

impl Metrics {
    /// Adds the gauges of the connection pools.
    pub fn add_pool_gauges(&self, status: impl Fn() -> [PoolStatus; 2] + Clone + Send + Sync + 'static) {
        let read = status.clone();
        let gauge = self.meter.i64_observable_up_down_counter("db.client.connection.count");
        gauge
            .with_description("Database connections")
            .with_callback(move |observer| {
                for PoolStatus { pool: name, idle, used, .. } in read() {
                    observer.observe(count(idle), &[pool(name), KeyValue::new(names::DB_STATE, "idle")]);
                    observer.observe(count(used), &[pool(name), KeyValue::new(names::DB_STATE, "used")]);
                }
            })
            .build();
        let read = status.clone();
        let gauge = self.meter.i64_observable_up_down_counter("db.client.connection.max");
        gauge
            .with_description("Maximum database connections")
            .with_callback(move |observer| {
                read().iter().for_each(|status| observer.observe(count(status.max), &[pool(status.pool)]));
            })
            .build();
        let gauge = self.meter.i64_observable_up_down_counter("db.client.connection.pending_requests");
        gauge
            .with_description("Work that waits for a database connection")
            .with_callback(move |observer| {
                status().iter().for_each(|status| observer.observe(count(status.waiting), &[pool(status.pool)]));
            })
            .build();
    }

    /// Adds the gauge of what keeps the server from being ready: 1 for what is in the way, 0 for everything else that could be.
    pub fn add_readiness_gauge(&self, in_the_way: impl Fn() -> Vec<&'static str> + Send + Sync + 'static) {
        self.meter
            .i64_observable_gauge("clientele.not_ready")
            .with_description("Whether this keeps the server from being ready")
            .with_callback(move |observer| {
                let now = in_the_way();
                for reason in names::NOT_READY {
                    observer
                        .observe(i64::from(now.contains(&reason)), &[KeyValue::new(names::NOT_READY_REASON, reason)]);
                }
            })
            .build();
    }

    /// Adds the gauges of the queue of mails, as it was measured last: how many wait, and how long the oldest has waited.
    pub fn add_outbox_gauges(&self, status: impl Fn() -> OutboxStatus + Clone + Send + Sync + 'static) {
        let read = status.clone();
        self.meter
            .i64_observable_up_down_counter("clientele.invitations.waiting")
            .with_description("Mails of invitations that wait to be sent")
            .with_callback(move |observer| observer.observe(read().waiting, &[]))
            .build();
        self.meter
            .i64_observable_gauge("clientele.invitations.oldest.timestamp")
            .with_unit("s")
            .with_description("Since when the oldest waiting mail of an invitation waits; 0 if none waits")
            .with_callback(move |observer| observer.observe(status().since.unwrap_or_default(), &[]))
            .build();
    }

    /// Adds the gauges of the memory that is held for callers: now, and at most.
    pub fn add_memory_gauges(&self, limit: usize, held: impl Fn() -> usize + Send + Sync + 'static) {
        self.meter
            .i64_observable_up_down_counter("clientele.memory.held")
            .with_unit("By")
            .with_description("Memory held for callers")
            .with_callback(move |observer| observer.observe(count(held()), &[]))
            .build();
        self.meter
            .i64_observable_up_down_counter("clientele.memory.limit")
            .with_unit("By")
            .with_description("Maximum memory held for callers")
            .with_callback(move |observer| observer.observe(count(limit), &[]))
            .build();
    }

    /// Adds the gauges of the server certificate in use.
    pub fn add_certificate_gauges(&self, validity: impl Fn() -> Validity + Clone + Send + Sync + 'static) {
        let read = validity.clone();
        self.meter
            .i64_observable_gauge("clientele.tls.certificate.not_before.timestamp")
            .with_unit("s")
            .with_description("Start of the server certificate's validity")
            .with_callback(move |observer| observer.observe(read().not_before, &[]))
            .build();
        self.meter
            .i64_observable_gauge("clientele.tls.certificate.not_after.timestamp")
            .with_unit("s")
            .with_description("End of the server certificate's validity")
            .with_callback(move |observer| observer.observe(validity().not_after, &[]))
            .build();
    }

    /// Adds the gauges of the runtime, if there is one: a unit test of a synchronous function has none.
    pub(super) fn add_runtime_gauges(&self) {
        if let Ok(runtime) = Handle::try_current() {
            add_runtime_gauges(&self.meter, &runtime);
        }
    }
}

fn add_runtime_gauges(meter: &Meter, runtime: &Handle) {
    let (tasks, queue) = (runtime.clone(), runtime.clone());
    meter
        .i64_observable_up_down_counter("clientele.runtime.tasks")
        .with_description("Tasks that have not ended")
        .with_callback(move |observer| observer.observe(count(tasks.metrics().num_alive_tasks()), &[]))
        .build();
    meter
        .i64_observable_up_down_counter("clientele.runtime.queue_depth")
        .with_description("Tasks that wait for a thread")
        .with_callback(move |observer| observer.observe(count(queue.metrics().global_queue_depth()), &[]))
        .build();
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
