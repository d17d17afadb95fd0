//! A collector: a server that receives spans by OTLP over gRPC and keeps them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{self, span::SpanKind, status::StatusCode},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Request, Response, Status,
    transport::server::{Server, TcpIncoming},
};

/// A received span.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub kind: SpanKind,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub attributes: BTreeMap<String, String>,
    pub failed: bool,
    pub nanos: u64,
    /// The resource that sent it.
    pub resource: BTreeMap<String, String>,
}

/// Everything that was received.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A running collector; when dropped, it ends at once.
pub struct Collector {
    pub endpoint: String,
    kept: Kept,
    serving: JoinHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let kept = Kept::default();
        let server = Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        let serving = server.serve_with_incoming(TcpIncoming::from(listener));
        let serving = tokio::spawn(async { serving.await.unwrap() });
        Self { endpoint, kept, serving }
    }

    /// All received spans, in order.
    pub fn spans(&self) -> Vec<Span> {
        let kept = self.kept.0.lock().unwrap();
        let of_resource = kept.iter().flat_map(|request| &request.resource_spans).flat_map(|sent| {
            let resource = texts(&sent.resource.as_ref().unwrap().attributes);
            let spans = sent.scope_spans.iter().flat_map(|scope| &scope.spans);
            spans.map(move |span| Span::of(span, &resource))
        });
        of_resource.collect()
    }

    /// The spans of one trace.
    pub fn trace(&self, id: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace == id).collect()
    }

    /// Everything that was received, as text.
    pub fn everything(&self) -> String {
        format!("{:?}", self.kept.0.lock().unwrap())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Span {
    fn of(span: &v1::Span, resource: &BTreeMap<String, String>) -> Self {
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        let status = span.status.clone().unwrap_or_default();
        assert_eq!(status.message, "", "a status has no message");
        Self {
            name: span.name.clone(),
            kind: span.kind(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            attributes: texts(&span.attributes),
            failed: status.code() == StatusCode::Error,
            nanos: span.end_time_unix_nano - span.start_time_unix_nano,
            resource: resource.clone(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{attribute:?}: {other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}
