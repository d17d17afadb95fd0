//! Verifies the caller's token, before anything is held or done for the call: it needs no database, and a flood of calls without
//! a valid token costs signature checks and nothing else. Further in, the principal whose call it is shares memory, places and
//! sessions with others.
//!
//! The token comes from the request's headers here, and identity comes further in only from its extensions.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Request, Response, header::AUTHORIZATION};
use tonic::{Code, body::Body};

use super::{
    call_layer::{CONTRACT_PREFIX, CallLayer, Inner},
    token::{Verified, Verifier},
    trace::TraceInfo,
};
use crate::{
    domain::{requests::contract, values::violation::Rule},
    error::{Error, Result},
    grpc::{
        pb::ErrorReason,
        status::{self, Repeat},
    },
    service::{call::Share, rate::RateLimiter},
};

/// Verifies tokens, and limits the rate of each principal.
#[derive(Clone)]
pub struct VerifyToken {
    verifier: Verifier,
    rate_limiter: Option<Arc<RateLimiter>>,
}

impl VerifyToken {
    /// Trusts the verifier's issuers.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, rate_limiter: None }
    }

    /// Adds a rate limit.
    #[must_use]
    pub fn with_rate_limit(self, limiter: Option<RateLimiter>) -> Self {
        Self { rate_limiter: limiter.map(Arc::new), ..self }
    }

    async fn verify(&self, authorization: Header, trace: Option<TraceInfo>) -> Result<Arc<Verified>> {
        let verified = self.verifier.verify(bearer(&authorization)?).await?;
        if let Some(trace) = trace {
            trace.set_principal(Arc::clone(&verified.principal));
        }
        if let Some(limiter) = &self.rate_limiter {
            limiter.count(&verified.principal).await?;
        }
        Ok(verified)
    }
}

impl CallLayer for VerifyToken {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let authorization = take_token(&mut request);
        let path = request.uri().path();
        let Some(rpc) = contract::rpc(path) else {
            // Fail closed: a path that is unknown to the contract is rejected, even if some service would answer it.
            return if path.starts_with(CONTRACT_PREFIX) { unknown_rpc() } else { inner.run(request).await };
        };
        let trace = request.extensions().get().cloned();
        match self.verify(authorization, trace).await {
            Ok(verified) => {
                request.extensions_mut().insert(verified);
                inner.run(request).await
            }
            Err(error) => status::from_error(error, Repeat::for_rpc(rpc, false)).into_http(),
        }
    }
}

fn unknown_rpc() -> Response<Body> {
    status::without_cause(Code::Unimplemented, ErrorReason::RpcUnknown, status::RPC_UNKNOWN).into_http()
}

/// Whose share the call takes: its principal's, as its token proved it.
pub(super) fn share_of(request: &Request<Body>) -> Share {
    request.extensions().get::<Arc<Verified>>().map(|verified| Arc::clone(&verified.principal))
}

/// An optional header, which must be text and not repeated.
pub(super) type Header = Result<Option<String>, Rule>;

/// Reads a header.
pub(super) fn single(headers: &HeaderMap, name: &HeaderName) -> Header {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(Rule::new("must be printable ASCII")),
        },
        (Some(_), Some(_)) => Err(Rule::new("must be given once")),
    }
}

/// Takes the token out of the request, so that nothing further in sees it, or an identity that this layer did not insert.
fn take_token(request: &mut Request<Body>) -> Header {
    request.extensions_mut().remove::<Arc<Verified>>();
    let headers = request.headers_mut();
    let authorization = single(headers, &AUTHORIZATION);
    headers.remove(AUTHORIZATION);
    authorization
}

/// Returns the bearer token.
fn bearer(authorization: &Header) -> Result<&str> {
    let invalid = |rule: &str| Error::TokenInvalid(format!("the header authorization {rule}"));
    let header = authorization.as_ref().map_err(|rule| invalid(rule.text()))?;
    let header = header.as_deref().ok_or(Error::TokenMissing)?;
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(invalid("must be Bearer, a space and the token")),
    }
}

#[cfg(test)]
mod tests;
