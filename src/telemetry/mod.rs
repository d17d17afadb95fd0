//! What the service tells of itself: logs, metrics and traces. Rule: nothing in here costs a call more than
//! microseconds, nothing waits for whoever reads it, and nothing carries what a customer is: names are constants of this
//! code, values are counts, times, codes and ids of tenants and accounts.
//!
//! A call carries its [`Telemetry`] and its place in a trace in OpenTelemetry's `Context`, so that whatever is done for it,
//! however deep, tells of itself without being handed anything: [`current`] finds it. Each server has its own, so that
//! several in one process do not mix.

mod gauges;
pub mod logs;
mod metrics;
pub mod names;
mod port;
#[cfg(test)]
pub(crate) mod samples;
mod statement;
mod traces;

use std::{fmt, sync::Arc};

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

pub use self::{
    gauges::Sessions,
    logs::{Format, Passing, filter, init},
    metrics::{CacheResult, Metrics, Now, RetryReason},
    port::{MetricsPort, expose},
    statement::{Statement, Told},
    traces::Unusable,
};
use self::{names::Name, traces::Traces};
use crate::config;

/// What one server tells of itself. Its clones are one.
#[derive(Clone)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    traces: Option<Arc<Traces>>,
    /// The context of whatever is done outside a call.
    base: Context,
}

impl Telemetry {
    /// Metrics, and traces if the configuration says where to send them. It must be called inside the runtime, and
    /// connects to nothing yet.
    ///
    /// # Errors
    /// A collector's address that is none.
    pub fn new(config: &config::Telemetry) -> Result<Self, Unusable> {
        let resource = names::resource();
        let metrics = Arc::new(Metrics::new(resource.clone()));
        let traces = match &config.otlp_endpoint {
            Some(endpoint) => {
                let authorities = config.otlp_ca.as_deref();
                Some(Arc::new(Traces::new(endpoint, authorities, config.sample_ratio, resource, &metrics)?))
            }
            None => None,
        };
        let unbased = Self { metrics, traces, base: Context::new() };
        // Without itself inside, or it would hold itself for ever.
        Ok(Self { base: Context::new().with_value(unbased.clone()), ..unbased })
    }

    /// What it counts and measures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The context of what is done outside a call, such as sweeping.
    #[must_use]
    pub fn context(&self) -> Context {
        self.base.clone()
    }

    /// The context of a call that goes on where its caller's span is, or begins a trace. Its span is recorded if there
    /// is a collector and the trace is sampled: as the caller says, or else by lot.
    #[must_use]
    pub fn call(&self, name: Name, caller: &SpanContext) -> Context {
        match (&self.traces, name) {
            (Some(traces), Name::Rpc(rpc)) => traces.open(&self.base, rpc, SpanKind::Server, caller),
            _ => self.base.with_remote_span_context(unrecorded(caller)),
        }
    }

    /// Sends what is still to be sent, for as long as `traces::FLUSH` at most.
    pub async fn flush(&self) {
        if let Some(traces) = &self.traces {
            traces.flush().await;
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Telemetry with{} traces", if self.traces.is_some() { "" } else { "out" })
    }
}

/// A place in the caller's trace, or in a new one, that nobody records: for logs and events.
fn unrecorded(caller: &SpanContext) -> SpanContext {
    let ids = RandomIdGenerator::default();
    let trace = if caller.is_valid() { caller.trace_id() } else { ids.new_trace_id() };
    SpanContext::new(trace, ids.new_span_id(), TraceFlags::default(), false, TraceState::default())
}

/// What counts and measures the work at hand, for what outlives its context. None in a test without a server.
#[must_use]
pub fn current() -> Option<Arc<Metrics>> {
    Context::map_current(|context| Some(Arc::clone(&context.get::<Telemetry>()?.metrics)))
}

/// Counts or measures something of the work at hand.
pub fn measure(tell: impl FnOnce(&Metrics)) {
    Context::map_current(|context| {
        if let Some(telemetry) = context.get::<Telemetry>() {
            tell(&telemetry.metrics);
        }
    });
}

/// The ids of the trace and the span at hand, as logs have them; none outside a call.
#[must_use]
pub fn ids() -> Option<(String, String)> {
    Context::map_current(|context| {
        let span = context.span();
        let place = span.span_context();
        (place.trace_id() != opentelemetry::trace::TraceId::INVALID && place.span_id() != SpanId::INVALID)
            .then(|| (place.trace_id().to_string(), place.span_id().to_string()))
    })
}
