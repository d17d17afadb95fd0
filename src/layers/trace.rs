//! Every call has its place in a trace and one access line. The caller's W3C `traceparent` is continued; the call's
//! span is open around everything further in, so that each log line there carries its ids.
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
    propagation::{Extractor, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator as _, RandomIdGenerator},
};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;
use tracing::{Instrument as _, Span, debug, error, field::display, info, info_span, warn};

use super::{Around, Inner};
use crate::domain::{
    contract,
    ids::{AccountId, TenantId},
    workload::Workload,
};

/// What the access lines are filtered by.
const TARGET: &str = "clientele::access";

/// Traces calls and writes their access lines.
#[derive(Clone, Copy, Debug)]
pub struct Trace;

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
        let workload = request.extensions().get().cloned();
        let traced = Traced { trace_id: trace_id(request.headers()), acting: Arc::default(), workload };
        let name = name(request.uri().path());
        let span = match name {
            Name::Rpc(rpc) => info_span!(
                parent: None, "rpc",
                trace_id = traced.trace_id,
                span_id = display(RandomIdGenerator::default().new_span_id()),
                rpc.method = rpc,
            ),
            Name::Plumbing(_) => Span::none(),
        };
        let line = Line { name, traced: traced.clone(), started: Instant::now(), told: false };
        request.extensions_mut().insert(traced);
        let call = span.in_scope(|| inner.run(request)).instrument(span);
        async move {
            let mut line = line;
            let response = call.await;
            line.tell(&response);
            response
        }
    }
}

/// What a line calls an RPC. Never the path as it came: a caller could write anything into the log.
#[derive(Clone, Copy, Debug)]
enum Name {
    /// One of the contract, or `_OTHER`: told at info.
    Rpc(&'static str),
    /// Health and reflection, which probes call all day: told at debug.
    Plumbing(&'static str),
}

fn name(path: &str) -> Name {
    match contract::rpc(path) {
        Some(rpc) => Name::Rpc(rpc.name()),
        None if path.starts_with("/grpc.health.v1.") => Name::Plumbing("grpc.health.v1"),
        None if path.starts_with("/grpc.reflection.") => Name::Plumbing("grpc.reflection"),
        None => Name::Rpc("_OTHER"),
    }
}

/// The caller's trace id, or a new one.
fn trace_id(headers: &HeaderMap) -> String {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    let parent = parent.span();
    let parent = parent.span_context();
    let id = if parent.is_valid() { parent.trace_id() } else { RandomIdGenerator::default().new_trace_id() };
    id.to_string()
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

/// The access line of one call. It is written when the call is answered, or dropped without.
struct Line {
    name: Name,
    traced: Traced,
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
        let (Name::Rpc(rpc) | Name::Plumbing(rpc)) = self.name;
        let reason = status.and_then(StatusExt::get_details_error_info).map(|info| info.reason);
        let acting = self.traced.acting.get();
        let (tenant, account) = (acting.map(|acting| display(acting.0)), acting.map(|acting| display(acting.1)));
        let workload = self.traced.workload.as_ref().map(display);
        let cause = status.map(|status| display(Cause(status)));
        let ms = display(format_args!("{:.2}", self.started.elapsed().as_secs_f64() * 1e3)).to_string();
        let trace_id = &self.traced.trace_id;
        // One event in each arm: an event's level is part of where it stands in the code.
        macro_rules! line {
            ($level:ident $($cause:tt)*) => {
                $level!(
                    target: TARGET, parent: None,
                    rpc, code = code_name(code), reason, ms = display(&ms), tenant, account, workload, trace_id $($cause)*
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
