//! Every call has a span, metrics and one access line. The caller's W3C `traceparent` is continued. Everything further in runs
//! in the call's context, so that its log lines have the trace's ids and its statements are child spans. The span is recorded
//! only if the trace is sampled.
//!
//! The access line is written when the response's head is there. A unary error has its status in the head; a unary success is
//! OK from there on; health's Watch and reflection are logged with the status of their start. The line of a stream of the
//! contract is written at its end, with the status that it ended with (`stream`). A call that is dropped before, because its
//! caller hung up, has an access line too: CANCELLED.
//!
//! The line of a call that did not end as OK names the peer, and the principal if a token proved one: so the log says who floods a
//! server, or sends half messages.

mod stream;

use std::{
    error::Error as StdError,
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use opentelemetry::{
    Context, KeyValue,
    context::FutureExt as _,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{self, SpanContext, TraceContextExt as _, TraceState},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;
use tracing::{debug, error, field::display, info, warn};

use self::stream::Streamed;
use super::{
    call_layer::{CallLayer, Inner},
    workload::Peer,
};
use crate::{
    domain::{
        requests::{contract, principal::Principal},
        values::{
            ids::{AccountId, TenantId},
            workload::Workload,
        },
    },
    telemetry::{
        InFlightCount, Telemetry, logs,
        names::{self, RpcName},
    },
};

/// Traces and measures calls and writes their access lines.
#[derive(Clone, Debug)]
pub struct Trace {
    telemetry: Telemetry,
}

impl Trace {
    /// Reports calls to this telemetry.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self { telemetry }
    }
}

/// The call's trace id, in the request's extensions. `verify` adds the principal and `access` the acting account for the access
/// line.
#[derive(Clone, Debug, Default)]
pub struct TraceInfo {
    /// The W3C trace id: 32 hexadecimal digits.
    pub trace_id: String,
    caller: Arc<OnceLock<Arc<Principal>>>,
    account: Arc<OnceLock<(TenantId, AccountId)>>,
    workload: Option<Workload>,
    peer: Option<SocketAddr>,
}

impl TraceInfo {
    /// Sets the principal that the call's token proves.
    pub fn set_principal(&self, principal: Arc<Principal>) {
        // Set once, by `verify`.
        let _ = self.caller.set(principal);
    }

    /// Sets the tenant and the acting account of the call.
    pub fn set_account(&self, tenant: TenantId, account: AccountId) {
        // Set once, by `access`.
        let _ = self.account.set((tenant, account));
    }
}

impl CallLayer for Trace {
    fn handle<S: Inner>(
        self,
        inner: S,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let started = Instant::now();
        let workload = request.extensions().get().cloned();
        let peer = request.extensions().get().map(|peer: &Peer| peer.address);
        let name = rpc_name(request.uri().path());
        let streams = contract::rpc(request.uri().path()).is_some_and(|rpc| rpc.streams);
        let context = self.telemetry.call_context(name, &parent_span(request.headers()));
        let trace_id = context.span().span_context().trace_id().to_string();
        let info = TraceInfo { trace_id, caller: Arc::default(), account: Arc::default(), workload, peer };
        request.extensions_mut().insert(info.clone());
        let call = {
            let _attached = context.clone().attach();
            inner.run(request)
        };
        let call = call.with_context(context.clone());
        let counted = self.telemetry.metrics().count_call();
        let line =
            AccessLine { name, info, context, telemetry: self.telemetry, _counted: counted, started, written: false };
        async move {
            let mut line = line;
            let response = call.await;
            if streams && !response.body().is_end_stream() {
                let ended = move |code: Code, status: Option<&Status>| line.write(code, status);
                return response.map(|body| Body::new(Streamed::new(body, ended)));
            }
            line.write_response(&response);
            response
        }
    }
}

fn rpc_name(path: &str) -> RpcName {
    match contract::rpc(path) {
        Some(rpc) => RpcName::Contract(rpc.name()),
        None if path.starts_with("/grpc.health.v1.") => RpcName::Infrastructure("grpc.health.v1"),
        None if path.starts_with("/grpc.reflection.") => RpcName::Infrastructure("grpc.reflection"),
        None => RpcName::Contract("_OTHER"),
    }
}

/// Returns the caller's span; invalid if the headers have none that can be parsed.
fn parent_span(headers: &HeaderMap) -> SpanContext {
    // An empty context, so that no current span is used instead.
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    let parent = parent.span();
    let parent = parent.span_context();
    // Without the caller's `tracestate`: it may contain anything, and would be sent to the collector with each span.
    SpanContext::new(parent.trace_id(), parent.span_id(), parent.trace_flags(), true, TraceState::NONE)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// The access line of one call, its metrics and the end of its span. All are written when the call has its response, or is
/// dropped.
struct AccessLine {
    name: RpcName,
    info: TraceInfo,
    context: Context,
    telemetry: Telemetry,
    _counted: InFlightCount,
    started: Instant,
    written: bool,
}

impl AccessLine {
    fn write_response(&mut self, response: &Response<Body>) {
        let code =
            response.headers().get(Status::GRPC_STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
        self.write(code, response.extensions().get());
    }

    fn write(&mut self, code: Code, status: Option<&Status>) {
        self.written = true;
        let duration = self.started.elapsed();
        self.telemetry.metrics().call(self.name, code_name(code), is_server_error(code), duration);
        let reason = status.and_then(StatusExt::get_details_error_info).map(|info| info.reason);
        self.end_span(code, reason.as_deref());
        let rpc = self.name.as_str();
        let ids = self.info.account.get();
        let (tenant, account) = (ids.map(|ids| display(ids.0)), ids.map(|ids| display(ids.1)));
        let workload = self.info.workload.as_ref().map(display);
        let (principal, peer) = if code == Code::Ok { (None, None) } else { (self.info.caller.get(), self.info.peer) };
        // Recorded as a text: it is quoted, so that a subject cannot look like another field.
        let principal = principal.map(|principal| format!("{} {}", principal.issuer(), principal.subject()));
        let (principal, peer) = (principal.as_deref(), peer.map(display));
        let cause = status.map(|status| display(Cause(status)));
        let duration_ms = (duration.as_secs_f64() * 1e5).round() / 1e2;
        let trace_id = &self.info.trace_id;
        let span_id = display(self.context.span().span_context().span_id()).to_string();
        // One event in each arm: tracing needs a constant level for each event.
        macro_rules! line {
            ($level:ident $($cause:tt)*) => {
                $level!(
                    target: logs::ACCESS, parent: None,
                    rpc, code = code_name(code), reason, duration_ms, tenant, account, workload, principal,
                    peer, trace_id, span_id $($cause)*
                )
            };
        }
        match (code, self.name) {
            (Code::Unknown | Code::Internal | Code::DataLoss, _) => line!(error, cause),
            (Code::Unavailable, _) => line!(warn, cause),
            (_, RpcName::Contract(_)) => line!(info),
            (_, RpcName::Infrastructure(_)) => line!(debug),
        }
    }

    fn end_span(&self, code: Code, reason: Option<&str>) {
        let span = self.context.span();
        if !span.is_recording() {
            return;
        }
        span.set_attribute(KeyValue::new(names::RPC_SYSTEM, "grpc"));
        span.set_attribute(KeyValue::new(names::RPC_METHOD, self.name.as_str()));
        span.set_attribute(KeyValue::new(names::RPC_STATUS, code_name(code)));
        if let Some((tenant, account)) = self.info.account.get() {
            span.set_attribute(KeyValue::new(names::TENANT, tenant.to_string()));
            span.set_attribute(KeyValue::new(names::ACCOUNT, account.to_string()));
        }
        if let Some(reason) = reason {
            span.set_attribute(KeyValue::new(names::REASON, reason.to_owned()));
        }
        if is_server_error(code) {
            span.set_attribute(KeyValue::new(names::ERROR, code_name(code)));
            span.set_status(trace::Status::error(""));
        }
        span.end();
    }
}

/// Whether the code is a server error by OpenTelemetry's conventions; all other errors are the caller's.
fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.written {
            self.write(Code::Cancelled, None);
        }
    }
}

/// The error behind a status, with all its causes. It is logged and never sent to the caller.
struct Cause<'a>(&'a Status);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mut cause) = self.0.source() else { return out.write_str(self.0.message()) };
        write!(out, "{cause}")?;
        while let Some(deeper) = cause.source() {
            write!(out, ": {deeper}")?;
            cause = deeper;
        }
        Ok(())
    }
}

/// The code's name in the gRPC specification.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests;
