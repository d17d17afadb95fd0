//! What is counted and measured, and its text for Prometheus. Every label has a value from a closed list of this code, so
//! there are as many series with a million customers as with one.

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
    gauges,
    names::{self, Name},
};

/// Seconds. A call takes a millisecond or less, one that waits for a lock two seconds, the longest its deadline of 20.
const BOUNDS: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// What became of a round of sweeping.
const DONE: &str = "done";
const FAILED: &str = "failed";

/// Whether something was remembered or had to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// It was remembered.
    Hit,
    /// It had to be found out.
    Miss,
}

/// Why a write was done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// Somebody else wrote between the reading and the writing.
    LostRace,
    /// PostgreSQL undid it because of a deadlock.
    Deadlock,
}

/// The instruments of one server.
pub struct Metrics {
    registry: Registry,
    /// Metrics are gathered as long as it is there.
    _provider: SdkMeterProvider,
    pub(super) meter: Meter,
    calls: Histogram<f64>,
    statements: Histogram<f64>,
    session_waits: Histogram<f64>,
    connects: Histogram<f64>,
    session_timeouts: Counter<u64>,
    discarded: Counter<u64>,
    again: Counter<u64>,
    token_cache: Counter<u64>,
    access_cache: Counter<u64>,
    key_fetches: Counter<u64>,
    swept: Counter<u64>,
    sweeps: Counter<u64>,
    panics: Counter<u64>,
    spans: Counter<u64>,
    calls_now: Arc<AtomicI64>,
    mutations_now: Arc<AtomicI64>,
}

impl Metrics {
    pub(super) fn new(resource: Resource) -> Self {
        let registry = Registry::new();
        // It fails only for a registry that has one already.
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
            let now = Arc::new(AtomicI64::new(0));
            let observed = Arc::clone(&now);
            let gauge = meter.i64_observable_up_down_counter(name).with_description(description);
            gauge.with_callback(move |observer| observer.observe(observed.load(Ordering::Relaxed), &[])).build();
            now
        };
        gauges::runtime(&meter);
        let metrics = Self {
            calls: seconds("rpc.server.call.duration", "How long calls took"),
            statements: seconds("db.client.operation.duration", "How long statements took"),
            session_waits: seconds("db.client.connection.wait_time", "How long work waited for a session"),
            connects: seconds("db.client.connection.create_time", "How long connecting took"),
            session_timeouts: counter("db.client.connection.timeouts", "Work that got no session in time"),
            discarded: counter("clientele.db.sessions.discarded", "Sessions closed in the middle of their work"),
            again: counter("clientele.writes.repeated", "Writes that were done again, and why"),
            token_cache: counter("clientele.token_cache.requests", "Tokens accepted, remembered or verified"),
            access_cache: counter("clientele.access_cache.requests", "Memberships looked up, remembered or read"),
            key_fetches: counter("clientele.issuer.keys.fetches", "Fetches of issuers' keys from their URLs"),
            swept: counter("clientele.answers.swept", "Stored answers deleted because of their age"),
            sweeps: counter("clientele.sweeps", "Rounds of deleting old answers"),
            panics: counter("clientele.panics", "Calls that panicked"),
            spans: counter("otel.sdk.exporter.span.exported", "Spans sent to the collector, or lost"),
            calls_now: gauge("clientele.calls.in_flight", "Calls being answered"),
            mutations_now: gauge("clientele.mutations.in_flight", "Mutations running, their callers there or not"),
            meter,
            _provider: provider,
            registry,
        };
        metrics.begin_at_zero();
        metrics
    }

    /// A counter that is not there until it first counts hides its first step from whoever looks at rates.
    fn begin_at_zero(&self) {
        for name in [names::MAIN, names::SEARCH] {
            self.session_timeouts.add(0, &[pool(name)]);
        }
        for counter in [&self.discarded, &self.swept, &self.panics, &self.spans] {
            counter.add(0, &[]);
        }
        self.spans.add(0, &[lost()]);
        for counter in [&self.token_cache, &self.access_cache] {
            for known in [CacheResult::Hit, CacheResult::Miss] {
                counter.add(0, &[cache_result(known)]);
            }
        }
        for why in [RetryReason::LostRace, RetryReason::Deadlock] {
            self.again.add(0, &[reason(why)]);
        }
        for outcome in [DONE, FAILED] {
            self.sweeps.add(0, &[KeyValue::new("outcome", outcome)]);
            self.key_fetches.add(0, &[KeyValue::new("outcome", outcome)]);
        }
    }

    /// All of it, in Prometheus' text format.
    ///
    /// # Errors
    /// None that can happen: there is no metric without a name.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// A call was answered with this code; `failed` says whether by our doing.
    pub fn call(&self, name: Name, code: &'static str, failed: bool, took: Duration) {
        let labels = [
            KeyValue::new(names::RPC_SYSTEM, "grpc"),
            KeyValue::new(names::RPC_METHOD, name.as_str()),
            KeyValue::new(names::RPC_STATUS, code),
            KeyValue::new(names::ERROR, code),
        ];
        let labels = if failed { &labels[..] } else { &labels[..3] };
        self.calls.record(took.as_secs_f64(), labels);
    }

    /// A statement came to its end.
    pub(super) fn statement(&self, name: &'static str, failed: Option<&str>, took: Duration) {
        let labels = [KeyValue::new(names::DB_SYSTEM, "postgresql"), KeyValue::new(names::DB_SUMMARY, name)];
        match failed {
            None => self.statements.record(took.as_secs_f64(), &labels),
            Some(error) => {
                let [system, summary] = labels;
                let failed = [system, summary, KeyValue::new(names::ERROR, error.to_owned())];
                self.statements.record(took.as_secs_f64(), &failed);
            }
        }
    }

    /// Work got a session of this pool, after waiting for so long.
    pub fn leased(&self, from: &'static str, waited: Duration) {
        self.session_waits.record(waited.as_secs_f64(), &[pool(from)]);
    }

    /// Work got no session of this pool in time.
    pub fn not_leased(&self, from: &'static str) {
        self.session_timeouts.add(1, &[pool(from)]);
    }

    /// A session was opened for this pool.
    pub fn connected(&self, to: &'static str, took: Duration) {
        self.connects.record(took.as_secs_f64(), &[pool(to)]);
    }

    /// A session was closed in the middle of its work.
    pub fn discarded(&self) {
        self.discarded.add(1, &[]);
    }

    /// A write is done again.
    pub fn again(&self, why: RetryReason) {
        self.again.add(1, &[reason(why)]);
    }

    /// A token was accepted.
    pub fn token(&self, known: CacheResult) {
        self.token_cache.add(1, &[cache_result(known)]);
    }

    /// A membership was looked up.
    pub fn access_looked_up(&self, known: CacheResult) {
        self.access_cache.add(1, &[cache_result(known)]);
    }

    /// An issuer's keys were fetched, or could not be.
    pub fn keys_fetched(&self, done: bool) {
        self.key_fetches.add(1, &[KeyValue::new("outcome", if done { DONE } else { FAILED })]);
    }

    /// A round of sweeping ended: so many answers deleted, or a failure.
    pub fn swept(&self, deleted: Option<u64>) {
        self.swept.add(deleted.unwrap_or_default(), &[]);
        let outcome = if deleted.is_some() { DONE } else { FAILED };
        self.sweeps.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// A call panicked.
    pub fn panicked(&self) {
        self.panics.add(1, &[]);
    }

    /// So many spans were sent, or lost.
    pub(super) fn exported(&self, spans: usize, lost: bool) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        let lost = lost.then(self::lost);
        self.spans.add(spans, lost.as_slice());
    }

    /// Counts a call among those being answered until the guard is dropped.
    pub fn call_begins(&self) -> Now {
        Now::begin(&self.calls_now)
    }

    /// Counts a mutation among those running until the guard is dropped.
    pub fn mutation_begins(&self) -> Now {
        Now::begin(&self.mutations_now)
    }
}

pub(super) fn pool(name: &'static str) -> KeyValue {
    KeyValue::new(names::DB_POOL, name)
}

fn lost() -> KeyValue {
    KeyValue::new(names::ERROR, "lost")
}

fn reason(why: RetryReason) -> KeyValue {
    let why = match why {
        RetryReason::LostRace => "lost_race",
        RetryReason::Deadlock => "deadlock",
    };
    KeyValue::new("reason", why)
}

fn cache_result(known: CacheResult) -> KeyValue {
    let how = match known {
        CacheResult::Hit => "hit",
        CacheResult::Miss => "miss",
    };
    KeyValue::new("result", how)
}

/// One of those that are counted now.
#[derive(Debug)]
#[must_use = "dropped, it is counted no more"]
pub struct Now(Arc<AtomicI64>);

impl Now {
    fn begin(counted: &Arc<AtomicI64>) -> Self {
        counted.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counted))
    }
}

impl Drop for Now {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
