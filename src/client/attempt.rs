//! One try of a call.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION, request::Parts};
use http_body_util::Full;
use tokio::time::Instant;
use tonic::{
    Code, Status, TimeoutExpired,
    body::Body,
    transport::{self, Channel},
};
use tower::{Service, ServiceExt as _};

use super::token::Token;

/// The header of a call's time limit.
pub(super) const TIMEOUT: &str = "grpc-timeout";

/// A call as it is sent, once or several times.
#[derive(Clone)]
pub(super) struct Call {
    /// Path and headers.
    pub(super) parts: Parts,
    /// The request's message, as it goes over the wire.
    pub(super) message: Bytes,
    /// The end of the time for all tries.
    pub(super) deadline: Option<Instant>,
}

/// Sends a call with the token of this moment and what is left of its time.
#[derive(Clone)]
pub(super) struct Attempt {
    /// The connection.
    pub(super) channel: Channel,
    /// Where the token comes from; none for calls without one.
    pub(super) token: Option<Token>,
}

impl Attempt {
    async fn send(self, call: Call) -> Result<Response<Body>, Status> {
        let Call { mut parts, message, deadline } = call;
        if let Some(token) = &self.token
            && !parts.headers.contains_key(AUTHORIZATION)
        {
            parts.headers.insert(AUTHORIZATION, token.header().await?);
        }
        if let Some(deadline) = deadline {
            parts.headers.insert(TIMEOUT, time_left(deadline)?);
        }
        let request = Request::from_parts(parts, Body::new(Full::new(message)));
        self.channel.oneshot(request).await.map_err(no_answer)
    }
}

impl Service<Call> for Attempt {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(self.clone().send(call))
    }
}

/// The header of the time that is left: a number of at most eight digits and its unit.
fn time_left(deadline: Instant) -> Result<HeaderValue, Status> {
    let left = deadline.saturating_duration_since(Instant::now());
    let (number, unit) = match left.as_millis() {
        0 => return Err(out_of_time()),
        milliseconds if milliseconds < 100_000_000 => (milliseconds, 'm'),
        _ => (u128::from(left.as_secs()).min(99_999_999), 'S'),
    };
    HeaderValue::try_from(format!("{number}{unit}")).map_err(|_| out_of_time())
}

/// The error of a call whose time is over.
pub(super) fn out_of_time() -> Status {
    Status::deadline_exceeded("the call's time is over; whether a mutation was made is unknown until it is repeated")
}

/// The error of a call that was not answered: its innermost cause. tonic's own text is only "transport error".
pub(super) fn no_answer(error: transport::Error) -> Status {
    let mut cause: &dyn Error = &error;
    let mut expired = cause.is::<TimeoutExpired>();
    while let Some(inner) = cause.source() {
        cause = inner;
        expired |= cause.is::<TimeoutExpired>();
    }
    if expired {
        return out_of_time();
    }
    let message = cause.to_string();
    match Status::from_error(Box::new(error)).code() {
        // A connection that was closed, as by a server that ends.
        Code::Unknown | Code::Cancelled => Status::unavailable(message),
        code => Status::new(code, message),
    }
}
