//! Every call has its place in a trace, its measures and one access line. The caller's W3C `traceparent` is continued;
//! everything further in runs in the call's context, so that each log line there carries its ids and each statement is a
//! span below the call's. The span itself is recorded only if the trace is sampled.
//!
//! The line is written when the answer's head is there. A unary error is all head; a unary success is OK from there on;
//! a stream (health's Watch, reflection) is told by how it began. A call that is dropped before, because its caller
//! hung up, has a line too: CANCELLED.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
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

use super::{Around, Inner};
use crate::{
    domain::{
        requests::contract,
        values::{
            ids::{AccountId, TenantId},
            workload::Workload,
        },
    },
    telemetry::{
        Now, Telemetry, logs,
        names::{self, Name},
    },
};

/// Traces calls, measures them and writes their access lines.
#[derive(Clone, Debug)]
pub struct Trace {
    telemetry: Telemetry,
}

impl Trace {
    /// Calls are told of to this.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self { telemetry }
    }
}

/// The call's place in its trace, in the request's extensions; and where the gate notes for whom the call is, so that
/// the access line can say it.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    /// The W3C trace id: 32 hexadecimal digits.
    pub trace_id: String,
    acting: Arc<OnceLock<(TenantId, AccountId)>>,
    workload: Option<Workload>,
}

impl Traced {
    /// Notes in which tenant and account the call acts.
    pub fn acts_in(&self, tenant: TenantId, account: AccountId) {
        // The first note stays; there is one gate.
        let _ = self.acting.set((tenant, account));
    }
}

impl Around for Trace {
    fn around<S: Inner>(
        self,
        inner: S,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let started = Instant::now();
        let workload = request.extensions().get().cloned();
        let name = name(request.uri().path());
        let context = self.telemetry.call(name, &caller(request.headers()));
        let trace_id = context.span().span_context().trace_id().to_string();
        let traced = Traced { trace_id, acting: Arc::default(), workload };
        request.extensions_mut().insert(traced.clone());
        let call = {
            let _here = context.clone().attach();
            inner.run(request)
        };
        let call = call.with_context(context.clone());
        let counted = self.telemetry.metrics().call_begins();
        let line = Line { name, traced, context, telemetry: self.telemetry, _counted: counted, started, told: false };
        async move {
            let mut line = line;
            let response = call.await;
            line.tell(&response);
            response
        }
    }
}

fn name(path: &str) -> Name {
    match contract::rpc(path) {
        Some(rpc) => Name::Rpc(rpc.name()),
        None if path.starts_with("/grpc.health.v1.") => Name::Plumbing("grpc.health.v1"),
        None if path.starts_with("/grpc.reflection.") => Name::Plumbing("grpc.reflection"),
        None => Name::Rpc("_OTHER"),
    }
}

/// The caller's place in its trace; an invalid one if it names none that can be read.
fn caller(headers: &HeaderMap) -> SpanContext {
    // Without what happens to be current here.
    let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    let caller = caller.span();
    let caller = caller.span_context();
    // Without its `tracestate`, in which it may have written anything, and which would go to the collector with each span.
    SpanContext::new(caller.trace_id(), caller.span_id(), caller.trace_flags(), true, TraceState::NONE)
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

/// The access line of one call, its measures and its span's end. All are written when the call is answered, or dropped
/// without.
struct Line {
    name: Name,
    traced: Traced,
    context: Context,
    telemetry: Telemetry,
    _counted: Now,
    started: Instant,
    told: bool,
}

impl Line {
    fn tell(&mut self, response: &Response<Body>) {
        let code =
            response.headers().get(Status::GRPC_STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
        self.write(code, response.extensions().get());
    }

    fn write(&mut self, code: Code, status: Option<&Status>) {
        self.told = true;
        let took = self.started.elapsed();
        self.telemetry.metrics().call(self.name, code_name(code), ours(code), took);
        let reason = status.and_then(StatusExt::get_details_error_info).map(|info| info.reason);
        self.end_span(code, reason.as_deref());
        let rpc = self.name.as_str();
        let acting = self.traced.acting.get();
        let (tenant, account) = (acting.map(|acting| display(acting.0)), acting.map(|acting| display(acting.1)));
        let workload = self.traced.workload.as_ref().map(display);
        let cause = status.map(|status| display(Cause(status)));
        let ms = (took.as_secs_f64() * 1e5).round() / 1e2;
        let trace_id = &self.traced.trace_id;
        let span_id = display(self.context.span().span_context().span_id()).to_string();
        // One event in each arm: an event's level is part of where it stands in the code.
        macro_rules! line {
            ($level:ident $($cause:tt)*) => {
                $level!(
                    target: logs::ACCESS, parent: None,
                    rpc, code = code_name(code), reason, ms, tenant, account, workload, trace_id, span_id $($cause)*
                )
            };
        }
        match (code, self.name) {
            (Code::Unknown | Code::Internal | Code::DataLoss, _) => line!(error, cause),
            (Code::Unavailable, _) => line!(warn, cause),
            (_, Name::Rpc(_)) => line!(info),
            (_, Name::Plumbing(_)) => line!(debug),
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
        if let Some((tenant, account)) = self.traced.acting.get() {
            span.set_attribute(KeyValue::new(names::TENANT, tenant.to_string()));
            span.set_attribute(KeyValue::new(names::ACCOUNT, account.to_string()));
        }
        if let Some(reason) = reason {
            span.set_attribute(KeyValue::new(names::REASON, reason.to_owned()));
        }
        if ours(code) {
            span.set_attribute(KeyValue::new(names::ERROR, code_name(code)));
            span.set_status(trace::Status::error(""));
        }
        span.end();
    }
}

/// Whether a call that ended so failed by the server's doing, as the conventions have it; anything else is the caller's.
fn ours(code: Code) -> bool {
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

impl Drop for Line {
    fn drop(&mut self) {
        if !self.told {
            self.write(Code::Cancelled, None);
        }
    }
}

/// Why an answer is an error, down to the first cause: what the caller is not told.
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
