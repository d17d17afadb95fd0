//! Authenticates the caller and checks its rights: a verified token, the acting account, the role that the contract requires.
//! Identity comes from the request's headers here, and further in only from its extensions: tonic merges request trailers
//! into the metadata that handlers see, after the layers ran.

use std::{collections::HashSet, sync::Arc};

use http::{HeaderMap, HeaderName, Request, Response, header::AUTHORIZATION};
use tonic::{Code, body::Body};

use super::{
    call_layer::{CONTRACT_PREFIX, CallLayer, Inner},
    deadline::Deadline,
    rate::RateLimiter,
    token::Verifier,
    trace::TraceInfo,
};
use crate::{
    domain::{
        access::caller::{Authenticated, Caller, Operator},
        requests::{
            contract::{self, Access as RequiredAccess, Rpc},
            principal::{Author, Principal},
        },
        values::{
            ids::{AccountId, CustomerId, TenantId},
            violation::{Rule, Violations},
            workload::Workload,
        },
    },
    error::{Error, Result},
    grpc::{
        AccessUnavailable,
        pb::ErrorReason,
        status::{self, Repeat},
    },
    service::{access::Access, call},
};

/// Names the tenant in which a service principal acts.
const TENANT: HeaderName = HeaderName::from_static("clientele-tenant");
/// Narrows the call to one customer.
const CUSTOMER: HeaderName = HeaderName::from_static("clientele-customer");
/// Names the acting account.
const ACCOUNT: HeaderName = HeaderName::from_static("clientele-account");

/// Authenticates callers and checks their rights.
#[derive(Clone)]
pub struct Authenticate {
    verifier: Verifier,
    access: Arc<Access>,
    operators: Arc<HashSet<Principal>>,
    rate_limiter: Option<Arc<RateLimiter>>,
}

impl Authenticate {
    /// Trusts the verifier's issuers, looks memberships up in `access`, and knows these platform operators.
    #[must_use]
    pub fn new(verifier: Verifier, access: Arc<Access>, operators: impl IntoIterator<Item = Principal>) -> Self {
        Self { verifier, access, operators: Arc::new(operators.into_iter().collect()), rate_limiter: None }
    }

    /// Adds a rate limit.
    #[must_use]
    pub fn with_rate_limit(self, limiter: Option<RateLimiter>) -> Self {
        Self { rate_limiter: limiter.map(Arc::new), ..self }
    }

    /// Decides by the headers.
    async fn admit(&self, rpc: Rpc, arrival: Arrival, headers: IdentityHeaders) -> Result<Admitted> {
        let verified = self.verifier.verify(headers.token()?).await?;
        if let Some(limiter) = &self.rate_limiter {
            limiter.count(&verified.principal).await?;
        }
        call::made_by(&verified.principal);
        let Arrival { trace, workload, deadline } = arrival;
        let author = Author {
            principal: verified.principal.clone(),
            actors: verified.actors.clone(),
            workload,
            rpc,
            trace_id: trace.trace_id.clone(),
            deadline: deadline.map(|Deadline(at)| at.into_std()),
        };
        let Target { tenant, account, customer } = headers.target()?;
        match rpc.access {
            RequiredAccess::Authenticated => {
                let operator = self.operators.contains(&author.principal);
                Ok(Admitted::Authenticated(Authenticated { author, tenant, operator }))
            }
            RequiredAccess::Platform if self.operators.contains(&author.principal) => {
                Ok(Admitted::Operator(Operator { author }))
            }
            RequiredAccess::Platform => Err(Error::NotAnOperator),
            RequiredAccess::Least(role) => {
                let caller = self.access.caller(author, tenant, account, customer).await?;
                trace.set_account(caller.scope().tenant(), caller.scope().root());
                if caller.role() >= role { Ok(Admitted::Caller(caller)) } else { Err(Error::RoleTooLow(role)) }
            }
        }
    }
}

impl CallLayer for Authenticate {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let headers = IdentityHeaders::take(&mut request);
        let path = request.uri().path();
        let Some(rpc) = contract::rpc(path) else {
            // Fail closed: a path that is unknown to the contract is rejected, even if some service would answer it.
            return if path.starts_with(CONTRACT_PREFIX) { unknown_rpc() } else { inner.run(request).await };
        };
        let arrival = Arrival::of(&request);
        match self.admit(rpc, arrival, headers).await {
            Ok(admitted) => {
                admitted.insert_into(&mut request);
                inner.run(request).await
            }
            // Whether a mutation may be repeated depends on its message, which is not decoded here. So its handler rejects
            // the call.
            Err(error @ Error::Unavailable { .. }) if rpc.mutates => {
                request.extensions_mut().insert(AccessUnavailable(Arc::new(error)));
                inner.run(request).await
            }
            Err(error) => status::from_error(error, Repeat::for_rpc(rpc, false)).into_http(),
        }
    }
}

fn unknown_rpc() -> Response<Body> {
    status::without_cause(Code::Unimplemented, ErrorReason::RpcUnknown, status::RPC_UNKNOWN).into_http()
}

/// What the outer layers put into the request's extensions.
struct Arrival {
    trace: TraceInfo,
    workload: Option<Workload>,
    deadline: Option<Deadline>,
}

impl Arrival {
    fn of(request: &Request<Body>) -> Self {
        let extensions = request.extensions();
        Self {
            trace: extensions.get().cloned().unwrap_or_default(),
            workload: extensions.get().cloned(),
            deadline: extensions.get().copied(),
        }
    }
}

/// An admitted caller.
enum Admitted {
    Authenticated(Authenticated),
    Operator(Operator),
    Caller(Caller),
}

impl Admitted {
    fn insert_into(self, request: &mut Request<Body>) {
        let extensions = request.extensions_mut();
        match self {
            Self::Authenticated(authenticated) => drop(extensions.insert(authenticated)),
            Self::Operator(operator) => drop(extensions.insert(operator)),
            Self::Caller(caller) => drop(extensions.insert(caller)),
        }
    }
}

/// The request's headers on identity, not verified yet.
struct IdentityHeaders {
    authorization: Header,
    tenant: Header,
    account: Header,
    customer: Header,
}

/// The tenant, account and customer that the headers name.
struct Target {
    tenant: Option<TenantId>,
    account: Option<AccountId>,
    customer: Option<CustomerId>,
}

/// An optional header, which must be text and not repeated.
type Header = Result<Option<String>, Rule>;

impl IdentityHeaders {
    /// Takes them out of the request, so that nothing further in sees the token, or an identity that this layer did not
    /// insert.
    fn take(request: &mut Request<Body>) -> Self {
        let headers = request.headers_mut();
        let taken = Self {
            authorization: single(headers, &AUTHORIZATION),
            tenant: single(headers, &TENANT),
            account: single(headers, &ACCOUNT),
            customer: single(headers, &CUSTOMER),
        };
        headers.remove(AUTHORIZATION);
        let extensions = request.extensions_mut();
        extensions.remove::<Authenticated>();
        extensions.remove::<Operator>();
        extensions.remove::<Caller>();
        taken
    }

    /// Returns the bearer token.
    fn token(&self) -> Result<&str> {
        let invalid = |rule: &str| Error::TokenInvalid(format!("the header authorization {rule}"));
        let header = self.authorization.as_ref().map_err(|rule| invalid(rule.text()))?;
        let header = header.as_deref().ok_or(Error::TokenMissing)?;
        match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
            _ => Err(invalid("must be Bearer, a space and the token")),
        }
    }

    /// Parses the tenant, the account and the customer.
    fn target(&self) -> Result<Target> {
        let mut violations = Violations::default();
        let tenant = violations.check(TENANT.as_str(), parsed(&self.tenant, TenantId::parse));
        let account = violations.check(ACCOUNT.as_str(), parsed(&self.account, AccountId::parse));
        let customer = violations.check(CUSTOMER.as_str(), parsed(&self.customer, CustomerId::parse));
        let target =
            tenant.zip(account).zip(customer).map(|((tenant, account), customer)| Target { tenant, account, customer });
        Ok(violations.finish(target)?)
    }
}

fn single(headers: &HeaderMap, name: &HeaderName) -> Header {
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

fn parsed<T>(header: &Header, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Result<Option<T>, Rule> {
    header.as_ref().map_err(Clone::clone)?.as_deref().map(parse).transpose()
}

#[cfg(test)]
mod tests;
