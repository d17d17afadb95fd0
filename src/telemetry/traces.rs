//! Traces, sent by OTLP. The SDK gathers spans in a bounded queue, which its own thread empties: a collector that is slow
//! or gone costs spans, and calls nothing.

use std::{fmt, path::Path, sync::Arc, thread, time::Duration};

use http::uri::Scheme;
use hyper_rustls::HttpsConnectorBuilder;
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
use tonic::transport::Endpoint;

use super::{Metrics, names};
use crate::config::tls;

/// How long a stopping server waits until what it gathered is sent.
pub(super) const FLUSH: Duration = Duration::from_secs(3);
/// How long connecting to the collector may take, and one export.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const EXPORT_LIMIT: Duration = Duration::from_secs(5);
/// Spans that wait to be sent at most: about four megabytes. What comes then is lost.
const QUEUE: usize = 4096;
/// Spans that are sent at once, and how long they wait for others.
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(1);

/// The collector's address is none.
#[derive(Debug, thiserror::Error)]
#[error("--otlp-endpoint {endpoint}: {cause}")]
pub struct Unusable {
    endpoint: String,
    cause: String,
}

/// The traces of one server, and where they go.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Traces to the collector at this address, over TLS if it is an https one: believed by the authorities in the file, or by
    /// those that browsers trust. It connects when there is something to send.
    pub(super) fn new(
        endpoint: &str,
        authorities: Option<&Path>,
        sample_ratio: f64,
        resource: Resource,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Unusable> {
        let unusable = |cause: &dyn fmt::Display| Unusable { endpoint: endpoint.to_owned(), cause: cause.to_string() };
        let channel = Endpoint::from_shared(endpoint.to_owned()).map_err(|cause| unusable(&cause))?;
        let channel = channel.connect_timeout(CONNECT_LIMIT).timeout(EXPORT_LIMIT);
        let channel = if channel.uri().scheme() == Some(&Scheme::HTTPS) {
            let tls = tls::client(authorities).map_err(|cause| unusable(&cause))?;
            let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http2().build();
            channel.connect_with_connector_lazy(connector)
        } else {
            channel.connect_lazy()
        };
        let otlp = SpanExporter::builder().with_tonic().with_channel(channel).build();
        let exporter = Counting { to: otlp.map_err(|cause| unusable(&cause))?, metrics: Arc::clone(metrics) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(GATHER)
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

    /// A span below the caller's, or a trace's first; recorded if the trace is sampled.
    pub(super) fn open(&self, base: &Context, name: &'static str, kind: SpanKind, caller: &SpanContext) -> Context {
        let parent = if caller.is_valid() { base.with_remote_span_context(caller.clone()) } else { base.clone() };
        let span = self.tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &parent);
        base.with_span(span)
    }

    /// A statement's span, if its call's trace is recorded. The call itself may have ended: its caller hung up.
    pub(super) fn open_statement(
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

    /// Sends what is gathered and is done. The SDK blocks while it does so, whatever the collector does: it gets a thread
    /// that nobody waits for longer than `FLUSH`.
    pub(super) async fn flush(&self) {
        let (sent, done) = oneshot::channel();
        let provider = self.provider.clone();
        thread::spawn(move || {
            let _: OTelSdkResult = provider.shutdown_with_timeout(FLUSH);
            sent.send(())
        });
        if time::timeout(FLUSH, done).await.is_err() {
            tracing::warn!("the collector did not take the last spans in time; they are lost");
        }
    }
}

impl Drop for Traces {
    /// A server that is dropped rather than stopped waits for nobody, as the SDK would in its own drop.
    fn drop(&mut self) {
        let provider = self.provider.clone();
        thread::spawn(move || provider.shutdown_with_timeout(Duration::ZERO));
    }
}

/// Counts what is sent and what is lost.
struct Counting {
    to: SpanExporter,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Counting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.fmt(out)
    }
}

impl trace::SpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.to.export(batch).await;
        self.metrics.exported(spans, sent.is_err());
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.to.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.to.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.to.set_resource(resource);
    }
}
