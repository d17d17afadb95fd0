//! Traces, sent by OTLP. The SDK collects spans in a bounded queue, and its own thread sends them: a collector that is slow or
//! down loses spans but delays no call.

use std::{fmt, path::Path, sync::Arc, thread, time::Duration};

use http::uri::Scheme;
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{SpanBuilder, SpanContext, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_otlp::{SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{self, BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData},
};
use tokio::{sync::oneshot, time};
use tonic::transport::{ClientTlsConfig, Endpoint};

use super::{metrics::Metrics, names};
use crate::config::tls;

/// How long a stopping server waits for the last export.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// How long connecting to the collector may take, and one export.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum spans in the queue: about four megabytes. More are lost.
const MAX_QUEUED: usize = 4096;
/// Maximum spans in one export, and how often spans are exported.
const MAX_BATCH: usize = 512;
const EXPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The collector's address is invalid.
#[derive(Debug, thiserror::Error)]
#[error("--otlp-endpoint {endpoint}: {cause}")]
pub struct InvalidEndpoint {
    endpoint: String,
    cause: String,
}

/// The traces of one server, and the exporter.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Sends traces to the collector at this address, over TLS if it is an https URL. TLS trusts the file's certificate
    /// authorities, or without a file the built-in Mozilla roots. It connects at the first export.
    pub(super) fn new(
        endpoint: &str,
        ca_file: Option<&Path>,
        sample_ratio: f64,
        resource: Resource,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, InvalidEndpoint> {
        let invalid =
            |cause: &dyn fmt::Display| InvalidEndpoint { endpoint: endpoint.to_owned(), cause: cause.to_string() };
        let channel = Endpoint::from_shared(endpoint.to_owned()).map_err(|cause| invalid(&cause))?;
        let channel = channel.connect_timeout(CONNECT_TIMEOUT).timeout(EXPORT_TIMEOUT);
        let channel = if channel.uri().scheme() == Some(&Scheme::HTTPS) {
            let trusted = tls::trusted(ca_file).map_err(|cause| invalid(&cause))?;
            let tls = ClientTlsConfig::new().trust_anchors(trusted.roots);
            channel.tls_config(tls).map_err(|cause| invalid(&cause))?
        } else {
            channel
        };
        let channel = channel.connect_lazy();
        let otlp = SpanExporter::builder().with_tonic().with_channel(channel).build();
        let exporter = CountingExporter { inner: otlp.map_err(|cause| invalid(&cause))?, metrics: Arc::clone(metrics) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_QUEUED)
            .with_max_export_batch_size(MAX_BATCH)
            .with_scheduled_delay(EXPORT_INTERVAL)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio))))
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .build();
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(names::SCHEMA)
            .build();
        let tracer = provider.tracer_with_scope(scope);
        Ok(Self { provider, tracer })
    }

    /// Starts a child span of the caller's span, or a root span; it is recorded if the trace is sampled.
    pub(super) fn start(&self, base: &Context, name: &'static str, kind: SpanKind, caller: &SpanContext) -> Context {
        let parent = if caller.is_valid() { base.with_remote_span_context(caller.clone()) } else { base.clone() };
        let span = self.tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &parent);
        base.with_span(span)
    }

    /// Starts a statement's span, if its call's trace is recorded. The call's own span may have ended, because its caller
    /// hung up.
    pub(super) fn start_statement(
        &self,
        context: &Context,
        name: &'static str,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Option<trace::Span> {
        if !context.span().span_context().is_sampled() {
            return None;
        }
        let span = SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes());
        Some(self.tracer.build_with_context(span, context))
    }

    /// Exports the queued spans and shuts down. The SDK blocks meanwhile, so it runs in a thread of its own; the wait is at most
    /// `FLUSH_TIMEOUT`.
    pub(super) async fn flush(&self) {
        let (sent, done) = oneshot::channel();
        let provider = self.provider.clone();
        thread::spawn(move || {
            let _: OTelSdkResult = provider.shutdown_with_timeout(FLUSH_TIMEOUT);
            sent.send(())
        });
        if time::timeout(FLUSH_TIMEOUT, done).await.is_err() {
            tracing::warn!("the collector did not accept the last spans in time; they are lost");
        }
    }
}

impl Drop for Traces {
    /// A server that is dropped without being stopped does not wait; the SDK's own drop would.
    fn drop(&mut self) {
        let provider = self.provider.clone();
        thread::spawn(move || provider.shutdown_with_timeout(Duration::ZERO));
    }
}

/// Counts exported and lost spans.
struct CountingExporter {
    inner: SpanExporter,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for CountingExporter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(out)
    }
}

impl trace::SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        self.metrics.spans_exported(spans, result.is_err());
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
