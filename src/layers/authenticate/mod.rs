//! Who calls, and may they: a verified token, the acting account, the least role that the contract names. Identity
//! comes from the request's headers here, and from here on only from its extensions: tonic merges request trailers into
//! the metadata that handlers see, after the layers ran.

use std::{collections::HashSet, sync::Arc};

use http::{HeaderMap, HeaderName, Request, Response, header::AUTHORIZATION};
use tonic::{Code, body::Body};

use super::{Around, CONTRACT, Deadline, Inner, RateLimit, Traced, token::Verifier};
use crate::{
    domain::{
        access::caller::{Authenticated, Caller, Operator},
        requests::{
            contract::{self, Access as Least, Rpc},
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
/// Names the account in which the call acts.
const ACCOUNT: HeaderName = HeaderName::from_static("clientele-account");

/// Lets in who may call.
#[derive(Clone)]
pub struct Authenticate {
    verifier: Verifier,
    access: Arc<Access>,
    operators: Arc<HashSet<Principal>>,
    rate: Option<Arc<RateLimit>>,
}

impl Authenticate {
    /// A gate that believes the verifier's issuers, asks `access` for memberships, and knows these platform operators.
    #[must_use]
    pub fn new(verifier: Verifier, access: Arc<Access>, operators: impl IntoIterator<Item = Principal>) -> Self {
        Self { verifier, access, operators: Arc::new(operators.into_iter().collect()), rate: None }
    }

    /// The same gate, where each principal may call so often.
    #[must_use]
    pub fn limited(self, rate: Option<RateLimit>) -> Self {
        Self { rate: rate.map(Arc::new), ..self }
    }

    /// Decides by what the headers say.
    async fn admit(&self, rpc: Rpc, arrival: Arrival, claims: Claims) -> Result<Admitted> {
        let verified = self.verifier.verify(claims.token()?).await?;
        if let Some(rate) = &self.rate {
            rate.count(&verified.principal).await?;
        }
        call::made_by(&verified.principal);
        let Arrival { traced, workload, deadline } = arrival;
        let author = Author {
            principal: verified.principal.clone(),
            actors: verified.actors.clone(),
            workload,
            rpc,
            trace_id: traced.trace_id.clone(),
            deadline: deadline.map(|Deadline(until)| until.into_std()),
        };
        let Acting { tenant, account, customer } = claims.acting()?;
        match rpc.access {
            Least::Authenticated => {
                let operator = self.operators.contains(&author.principal);
                Ok(Admitted::Authenticated(Authenticated { author, tenant, operator }))
            }
            Least::Platform if self.operators.contains(&author.principal) => {
                Ok(Admitted::Operator(Operator { author }))
            }
            Least::Platform => Err(Error::NotAnOperator),
            Least::Least(role) => {
                let caller = self.access.caller(author, tenant, account, customer).await?;
                traced.acts_in(caller.scope().tenant(), caller.scope().root());
                if caller.role() >= role { Ok(Admitted::Caller(caller)) } else { Err(Error::RoleTooLow(role)) }
            }
        }
    }
}

impl Around for Authenticate {
    async fn around<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let claims = Claims::take(&mut request);
        let path = request.uri().path();
        let Some(rpc) = contract::rpc(path) else {
            // Fail closed: what the contract does not know is not reached, even if some service would answer.
            return if path.starts_with(CONTRACT) { unknown() } else { inner.run(request).await };
        };
        let arrival = Arrival::of(&request);
        match self.admit(rpc, arrival, claims).await {
            Ok(admitted) => {
                admitted.note(&mut request);
                inner.run(request).await
            }
            // Whether a mutation may be sent again its message says, which is not read here: its handler refuses it.
            Err(error @ Error::Unavailable { .. }) if rpc.mutates => {
                request.extensions_mut().insert(AccessUnavailable(Arc::new(error)));
                inner.run(request).await
            }
            Err(error) => status::from_error(error, Repeat::of(rpc, false)).into_http(),
        }
    }
}

fn unknown() -> Response<Body> {
    let message = "There is no such RPC. Look at this server's protos.";
    status::bare(Code::Unimplemented, ErrorReason::RpcUnknown, message).into_http()
}

/// What the outer layers noted in the request's extensions.
struct Arrival {
    traced: Traced,
    workload: Option<Workload>,
    deadline: Option<Deadline>,
}

impl Arrival {
    fn of(request: &Request<Body>) -> Self {
        let extensions = request.extensions();
        Self {
            traced: extensions.get().cloned().unwrap_or_default(),
            workload: extensions.get().cloned(),
            deadline: extensions.get().copied(),
        }
    }
}

/// Who was let in.
enum Admitted {
    Authenticated(Authenticated),
    Operator(Operator),
    Caller(Caller),
}

impl Admitted {
    fn note(self, request: &mut Request<Body>) {
        let extensions = request.extensions_mut();
        match self {
            Self::Authenticated(identified) => drop(extensions.insert(identified)),
            Self::Operator(operator) => drop(extensions.insert(operator)),
            Self::Caller(caller) => drop(extensions.insert(caller)),
        }
    }
}

/// What a request's headers claim: not believed yet.
struct Claims {
    authorization: Header,
    tenant: Header,
    account: Header,
    customer: Header,
}

/// In which place the call wants to act.
struct Acting {
    tenant: Option<TenantId>,
    account: Option<AccountId>,
    customer: Option<CustomerId>,
}

/// A header that may be there at most once, and is text.
type Header = Result<Option<String>, Rule>;

impl Claims {
    /// Takes them out of the request, so that nothing further in sees the token or an identity that the gate did not
    /// put there.
    fn take(request: &mut Request<Body>) -> Self {
        let headers = request.headers_mut();
        let claims = Self {
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
        claims
    }

    /// The bearer token.
    fn token(&self) -> Result<&str> {
        let broken = |why: &str| Error::TokenInvalid(format!("the header authorization {why}"));
        let header = self.authorization.as_ref().map_err(|rule| broken(rule.text()))?;
        let header = header.as_deref().ok_or(Error::TokenMissing)?;
        match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
            _ => Err(broken("must be Bearer, a space and the token")),
        }
    }

    /// The tenant, the account and the customer that the call names.
    fn acting(&self) -> Result<Acting> {
        let mut violations = Violations::default();
        let tenant = violations.check(TENANT.as_str(), parsed(&self.tenant, TenantId::parse));
        let account = violations.check(ACCOUNT.as_str(), parsed(&self.account, AccountId::parse));
        let customer = violations.check(CUSTOMER.as_str(), parsed(&self.customer, CustomerId::parse));
        let acting =
            tenant.zip(account).zip(customer).map(|((tenant, account), customer)| Acting { tenant, account, customer });
        Ok(violations.finish(acting)?)
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
