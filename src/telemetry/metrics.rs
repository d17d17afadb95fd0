//! The metrics and their text for Prometheus. Every label has a closed list of values in this code, so the number of series
//! does not grow with the number of customers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider as _},
};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

use super::{
    labels::{
        CacheResult, MailResult, RetryReason, cache_result, export_failed, mail_result, retry_reason, success_result,
    },
    names::{self, RpcName, pool},
};

/// Bucket bounds in seconds. A typical call takes a millisecond or less, one that waits for a lock two seconds, the longest
/// its deadline of 20.
const BOUNDS: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    /// Metrics are collected as long as it exists.
    _provider: SdkMeterProvider,
    pub(super) meter: Meter,
    calls: Histogram<f64>,
    statements: Histogram<f64>,
    connection_waits: Histogram<f64>,
    connects: Histogram<f64>,
    connection_timeouts: Counter<u64>,
    connections_discarded: Counter<u64>,
    write_retries: Counter<u64>,
    token_cache: Counter<u64>,
    access_cache: Counter<u64>,
    jwks_fetches: Counter<u64>,
    answers_deleted: Counter<u64>,
    cleanups: Counter<u64>,
    mails: Counter<u64>,
    panics: Counter<u64>,
    spans: Counter<u64>,
    calls_in_flight: Arc<AtomicI64>,
    mutations_in_flight: Arc<AtomicI64>,
}

impl Metrics {
    pub(super) fn new(resource: Resource) -> Self {
        let registry = Registry::new();
        // It fails only for a registry that has an exporter already.
        let reader =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false).build().ok();
        let provider = SdkMeterProvider::builder().with_resource(resource);
        let provider = match reader {
            Some(reader) => provider.with_reader(reader).build(),
            None => provider.build(),
        };
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(names::SCHEMA)
            .build();
        let meter = provider.meter_with_scope(scope);
        let seconds = |name, description| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            histogram.with_boundaries(BOUNDS.to_vec()).build()
        };
        let counter = |name, description| meter.u64_counter(name).with_description(description).build();
        let gauge = |name, description| {
            let count = Arc::new(AtomicI64::new(0));
            let observed = Arc::clone(&count);
            let gauge = meter.i64_observable_up_down_counter(name).with_description(description);
            gauge.with_callback(move |observer| observer.observe(observed.load(Ordering::Relaxed), &[])).build();
            count
        };
        let metrics = Self {
            calls: seconds("rpc.server.call.duration", "Duration of calls"),
            statements: seconds("db.client.operation.duration", "Duration of SQL statements"),
            connection_waits: seconds("db.client.connection.wait_time", "Time that work waited for a connection"),
            connects: seconds("db.client.connection.create_time", "Time to connect"),
            connection_timeouts: counter("db.client.connection.timeouts", "Work that got no connection in time"),
            connections_discarded: counter(
                "clientele.db.connections.discarded",
                "Connections closed because their work was interrupted",
            ),
            write_retries: counter("clientele.write.retries", "Retried writes"),
            token_cache: counter("clientele.token_cache.requests", "Accepted tokens, by cache result"),
            access_cache: counter("clientele.access_cache.requests", "Membership look-ups, by cache result"),
            jwks_fetches: counter("clientele.jwks.fetches", "Fetches of issuers' keys from their URLs"),
            answers_deleted: counter("clientele.stored_answers.deleted", "Expired stored answers deleted"),
            cleanups: counter("clientele.cleanup.runs", "Runs of the cleanup of expired stored answers"),
            mails: counter("clientele.invitations.mails", "Attempts to send the mail of an invitation"),
            panics: counter("clientele.panics", "Calls that panicked"),
            spans: counter("otel.sdk.exporter.span.exported", "Spans exported to the collector, or lost"),
            calls_in_flight: gauge("clientele.calls.in_flight", "Calls in flight"),
            mutations_in_flight: gauge("clientele.mutations.in_flight", "Running mutations, also after a hang-up"),
            meter,
            _provider: provider,
            registry,
        };
        metrics.start_at_zero();
        metrics
    }

    /// Makes every counter visible from the start: `rate` cannot see the first step of a counter that appears with it.
    fn start_at_zero(&self) {
        for name in [names::MAIN, names::SEARCH] {
            self.connection_timeouts.add(0, &[pool(name)]);
        }
        for counter in [&self.connections_discarded, &self.answers_deleted, &self.panics, &self.spans] {
            counter.add(0, &[]);
        }
        self.spans.add(0, &[export_failed()]);
        for counter in [&self.token_cache, &self.access_cache] {
            for result in [CacheResult::Hit, CacheResult::Miss] {
                counter.add(0, &[cache_result(result)]);
            }
        }
        for reason in [RetryReason::Conflict, RetryReason::Deadlock] {
            self.write_retries.add(0, &[retry_reason(reason)]);
        }
        for result in [MailResult::Sent, MailResult::Deferred, MailResult::Failed] {
            self.mails.add(0, &[mail_result(result)]);
        }
        for success in [true, false] {
            self.cleanups.add(0, &[success_result(success)]);
            self.jwks_fetches.add(0, &[success_result(success)]);
        }
    }

    /// Returns all metrics in Prometheus' text format.
    ///
    /// # Errors
    /// None in practice: every metric has a name.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Records a call that ended with this code; `failed` says whether it is a server error.
    pub fn call(&self, name: RpcName, code: &'static str, failed: bool, duration: Duration) {
        let labels = [
            KeyValue::new(names::RPC_SYSTEM, "grpc"),
            KeyValue::new(names::RPC_METHOD, name.as_str()),
            KeyValue::new(names::RPC_STATUS, code),
            KeyValue::new(names::ERROR, code),
        ];
        let labels = if failed { &labels[..] } else { &labels[..3] };
        self.calls.record(duration.as_secs_f64(), labels);
    }

    /// Records a statement that ended.
    pub(super) fn statement(&self, name: &'static str, error: Option<&str>, duration: Duration) {
        let labels = [KeyValue::new(names::DB_SYSTEM, "postgresql"), KeyValue::new(names::DB_SUMMARY, name)];
        match error {
            None => self.statements.record(duration.as_secs_f64(), &labels),
            Some(error) => {
                let [system, summary] = labels;
                let failed = [system, summary, KeyValue::new(names::ERROR, error.to_owned())];
                self.statements.record(duration.as_secs_f64(), &failed);
            }
        }
    }

    /// Records that work got a connection of this pool, and how long it waited.
    pub fn leased(&self, from: &'static str, waited: Duration) {
        self.connection_waits.record(waited.as_secs_f64(), &[pool(from)]);
    }

    /// Counts work that got no connection of this pool in time.
    pub fn not_leased(&self, from: &'static str) {
        self.connection_timeouts.add(1, &[pool(from)]);
    }

    /// Records a new connection of this pool.
    pub fn connected(&self, to: &'static str, duration: Duration) {
        self.connects.record(duration.as_secs_f64(), &[pool(to)]);
    }

    /// Counts a connection that was closed because its work was interrupted.
    pub fn discarded(&self) {
        self.connections_discarded.add(1, &[]);
    }

    /// Counts a retried write.
    pub fn write_retried(&self, reason: RetryReason) {
        self.write_retries.add(1, &[retry_reason(reason)]);
    }

    /// Counts an accepted token.
    pub fn token_accepted(&self, result: CacheResult) {
        self.token_cache.add(1, &[cache_result(result)]);
    }

    /// Counts a membership look-up.
    pub fn access_looked_up(&self, result: CacheResult) {
        self.access_cache.add(1, &[cache_result(result)]);
    }

    /// Counts a fetch of an issuer's keys.
    pub fn jwks_fetched(&self, success: bool) {
        self.jwks_fetches.add(1, &[success_result(success)]);
    }

    /// Counts a run of the cleanup and the stored answers that it deleted; none if it failed.
    pub fn cleaned_up(&self, deleted: Option<u64>) {
        self.answers_deleted.add(deleted.unwrap_or_default(), &[]);
        self.cleanups.add(1, &[success_result(deleted.is_some())]);
    }

    /// Counts an attempt to send a mail.
    pub fn mail(&self, result: MailResult) {
        self.mails.add(1, &[mail_result(result)]);
    }

    /// Counts a call that panicked.
    pub fn panicked(&self) {
        self.panics.add(1, &[]);
    }

    /// Counts exported or lost spans.
    pub(super) fn spans_exported(&self, spans: usize, failed: bool) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        let error = failed.then(export_failed);
        self.spans.add(spans, error.as_slice());
    }

    /// Counts a call in flight until the guard is dropped.
    pub fn count_call(&self) -> InFlightCount {
        InFlightCount::start(&self.calls_in_flight)
    }

    /// Counts a running mutation until the guard is dropped.
    pub fn count_mutation(&self) -> InFlightCount {
        InFlightCount::start(&self.mutations_in_flight)
    }
}

/// Counts one call or mutation in flight until it is dropped.
#[derive(Debug)]
#[must_use = "the count ends when it is dropped"]
pub struct InFlightCount(Arc<AtomicI64>);

impl InFlightCount {
    fn start(count: &Arc<AtomicI64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for InFlightCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
