//! The telemetry of one server, and how code finds it in OpenTelemetry's `Context`.

use std::{fmt, sync::Arc};

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

use super::{
    metrics::Metrics,
    names::{self, RpcName},
    traces::{InvalidEndpoint, Traces},
};
use crate::config;

/// The telemetry of one server. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    pub(super) metrics: Arc<Metrics>,
    pub(super) traces: Option<Arc<Traces>>,
    /// The context of work outside a call.
    base: Context,
}

impl Telemetry {
    /// Makes metrics, and traces if the configuration names a collector. Call it inside the runtime. It does not connect
    /// yet.
    ///
    /// # Errors
    /// The collector's address is invalid.
    pub fn new(config: &config::Telemetry) -> Result<Self, InvalidEndpoint> {
        let resource = names::resource();
        let metrics = Arc::new(Metrics::new(resource.clone()));
        metrics.add_runtime_gauges();
        let traces = match &config.otlp_endpoint {
            Some(endpoint) => {
                let ca_file = config.otlp_ca.as_deref();
                Some(Arc::new(Traces::new(endpoint, ca_file, config.sample_ratio, resource, &metrics)?))
            }
            None => None,
        };
        let without_base = Self { metrics, traces, base: Context::new() };
        // The base context has a copy with an empty base: a reference to itself would never be freed.
        Ok(Self { base: Context::new().with_value(without_base.clone()), ..without_base })
    }

    /// Returns the metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the context of work outside a call, such as the cleanup.
    #[must_use]
    pub fn context(&self) -> Context {
        self.base.clone()
    }

    /// Returns the context of a call, whose span continues the caller's trace or begins a new one. The span is recorded if
    /// there is a collector and the trace is sampled: by the caller's decision, or else at random.
    #[must_use]
    pub fn call_context(&self, name: RpcName, caller: &SpanContext) -> Context {
        match (&self.traces, name) {
            (Some(traces), RpcName::Contract(rpc)) => traces.start(&self.base, rpc, SpanKind::Server, caller),
            _ => self.base.with_remote_span_context(unrecorded_span(caller)),
        }
    }

    /// Sends the queued spans, within at most `traces::FLUSH_TIMEOUT`.
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

/// A span in the caller's trace, or in a new one, that is not recorded. Its ids are for logs and events.
pub(super) fn unrecorded_span(caller: &SpanContext) -> SpanContext {
    let ids = RandomIdGenerator::default();
    let trace = if caller.is_valid() { caller.trace_id() } else { ids.new_trace_id() };
    SpanContext::new(trace, ids.new_span_id(), TraceFlags::default(), false, TraceState::default())
}

/// Returns the metrics of the current work, for values that outlive its context. None in a test without a server.
#[must_use]
pub fn current() -> Option<Arc<Metrics>> {
    Context::map_current(|context| Some(Arc::clone(&context.get::<Telemetry>()?.metrics)))
}

/// Returns the context of work that goes on for several calls: the telemetry of the work at hand, without its span.
#[must_use]
pub fn context() -> Context {
    let telemetry = Context::map_current(|context| context.get::<Telemetry>().cloned());
    telemetry.map_or_else(Context::new, |telemetry| Context::new().with_value(telemetry))
}

/// Records something in the metrics of the current work.
pub fn measure(record: impl FnOnce(&Metrics)) {
    Context::map_current(|context| {
        if let Some(telemetry) = context.get::<Telemetry>() {
            record(&telemetry.metrics);
        }
    });
}

/// Returns the ids of the current trace and span, as logged; none outside a call.
#[must_use]
pub fn ids() -> Option<(String, String)> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        (span.trace_id() != TraceId::INVALID && span.span_id() != SpanId::INVALID)
            .then(|| (span.trace_id().to_string(), span.span_id().to_string()))
    })
}
