//! What is done for every call before, between and after its tries.

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, request::Parts};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use tonic::{Status, body::Body, transport::Channel};
use tower::{Service, ServiceExt as _, retry::Retry};

use super::{
    answer::until,
    attempt::{Attempt, Call, TIMEOUT, out_of_time},
    error::Error,
    policy::policy,
    request_id::with_request_id,
    retry::{Retrying, Tokens},
    token::Token,
};

/// The header of the acting account.
pub(super) const ACCOUNT: &str = "clientele-account";
/// The header of the customer that calls are narrowed to.
pub(super) const CUSTOMER: &str = "clientele-customer";
/// The header by which a service principal names the tenant.
pub(super) const TENANT: &str = "clientele-tenant";

/// The connection, with what the client does for every call. Generated clients call through it.
#[derive(Clone)]
pub struct Calls {
    channel: Channel,
    token: Option<Token>,
    headers: HeaderMap,
    deadline: Option<Duration>,
    attempts: u32,
    tokens: Tokens,
}

impl fmt::Debug for Calls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Calls")
            .field("headers", &self.headers)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Calls {
    pub(super) fn new(
        channel: Channel,
        token: Option<Token>,
        headers: HeaderMap,
        deadline: Option<Duration>,
        attempts: u32,
    ) -> Self {
        Self { channel, token, headers, deadline, attempts, tokens: Tokens::default() }
    }

    /// The same, with a header for every call.
    pub(super) fn with_header(&self, name: &'static str, value: &str) -> Result<Self, Error> {
        let value = header(name, value)?;
        let mut calls = self.clone();
        calls.headers.insert(name, value);
        Ok(calls)
    }

    async fn call(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (mut parts, body) = request.into_parts();
        let policy = policy(parts.uri.path());
        let limit = timeout(&parts).or(self.deadline).or(policy.map(|policy| policy.timeout));
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        for (name, value) in &self.headers {
            // Those of a call go before those of the client.
            parts.headers.entry(name).or_insert_with(|| value.clone());
        }
        // No RPC has a stream of requests, so the body is one message.
        let message = body.collect().await?.to_bytes();
        let (message, may_repeat) = match policy {
            None => (message, false),
            Some(policy) => match policy.request_id {
                Some(field) => with_request_id(message, field),
                None => (message, policy.retries),
            },
        };
        let call = Call { parts, message, deadline };
        let attempt = Attempt { channel: self.channel, token: self.token };
        let answer = Retry::new(Retrying::new(self.attempts, may_repeat, self.tokens), attempt).oneshot(call);
        match deadline {
            None => answer.await,
            Some(deadline) => {
                let answer = timeout_at(deadline, answer).await.map_err(|_| out_of_time())??;
                Ok(answer.map(|body| until(deadline, body)))
            }
        }
    }
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Status;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    /// Each try waits for the connection.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(Self::call(self.clone(), request))
    }
}

/// The value of a header.
pub(super) fn header(name: &str, value: &str) -> Result<HeaderValue, Error> {
    let invalid = |_| Status::invalid_argument(format!("{name}: {value:?} cannot be a header"));
    Ok(HeaderValue::try_from(value).map_err(invalid)?)
}

/// The time limit that the call itself has.
fn timeout(parts: &Parts) -> Option<Duration> {
    let text = parts.headers.get(TIMEOUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        "M" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}
