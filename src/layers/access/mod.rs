//! Checks the caller's rights: the acting account, and the role that the contract requires. It may ask the database, so it runs
//! inside admission, in the call's own task.

use std::{collections::HashSet, sync::Arc};

use http::{HeaderName, Request, Response};
use tonic::body::Body;

use super::{
    call_layer::{CallLayer, Inner},
    deadline::Deadline,
    token::Verified,
    trace::TraceInfo,
    verify::{Header, single},
};
use crate::{
    domain::{
        access::caller::{Authenticated, Caller, Operator},
        refusal::Refusal,
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
        status::{self, Repeat},
    },
    service::{access::Access, readiness::Readiness},
};

/// Names the tenant in which a service principal acts.
pub const TENANT: HeaderName = HeaderName::from_static("clientele-tenant");
/// Narrows the call to one customer.
pub const CUSTOMER: HeaderName = HeaderName::from_static("clientele-customer");
/// Names the acting account.
pub const ACCOUNT: HeaderName = HeaderName::from_static("clientele-account");

/// Checks the rights of verified callers.
#[derive(Clone)]
pub struct CheckAccess {
    access: Arc<Access>,
    operators: Arc<HashSet<Principal>>,
    readiness: Readiness,
}

impl CheckAccess {
    /// Looks memberships up in `access`, and knows these platform operators. Calls are refused while the schema is outdated.
    #[must_use]
    pub fn new(access: Arc<Access>, operators: impl IntoIterator<Item = Principal>, readiness: Readiness) -> Self {
        Self { access, operators: Arc::new(operators.into_iter().collect()), readiness }
    }

    /// Decides by the headers.
    async fn admit(&self, rpc: Rpc, arrival: Arrival, headers: TargetHeaders) -> Result<Admitted> {
        let Arrival { verified, trace, workload, deadline } = arrival;
        let verified = verified.ok_or_else(|| Error::internal("a call without a verified token"))?;
        let author = Author {
            principal: Principal::clone(&verified.principal),
            actors: verified.actors.clone(),
            workload,
            rpc,
            trace_id: trace.trace_id.clone(),
            deadline: deadline.map(|Deadline(at)| at.into_std()),
        };
        let Target { tenant, account, customer } = headers.target()?;
        self.readiness.check_schema()?;
        match rpc.access {
            RequiredAccess::Authenticated => {
                let operator = self.operators.contains(&author.principal);
                Ok(Admitted::Authenticated(Authenticated {
                    author,
                    tenant,
                    operator,
                    narrowed: customer,
                    email: verified.email.clone(),
                }))
            }
            // No mutation of an operator names a customer.
            RequiredAccess::Platform if self.operators.contains(&author.principal) => {
                if customer.is_some() && rpc.mutates {
                    return Err(Refusal::Narrowed.into());
                }
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

impl CallLayer for CheckAccess {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let headers = TargetHeaders::take(&mut request);
        // `verify` has rejected all other paths of the package.
        let Some(rpc) = contract::rpc(request.uri().path()) else { return inner.run(request).await };
        let arrival = Arrival::of(&mut request);
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

/// What the outer layers put into the request's extensions.
struct Arrival {
    verified: Option<Arc<Verified>>,
    trace: TraceInfo,
    workload: Option<Workload>,
    deadline: Option<Deadline>,
}

impl Arrival {
    fn of(request: &mut Request<Body>) -> Self {
        let extensions = request.extensions_mut();
        Self {
            verified: extensions.remove(),
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

/// The request's headers on what the call acts in, not checked yet.
struct TargetHeaders {
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

impl TargetHeaders {
    /// Reads them, and removes any identity that this layer did not insert.
    fn take(request: &mut Request<Body>) -> Self {
        let extensions = request.extensions_mut();
        extensions.remove::<Authenticated>();
        extensions.remove::<Operator>();
        extensions.remove::<Caller>();
        let headers = request.headers();
        Self {
            tenant: single(headers, &TENANT),
            account: single(headers, &ACCOUNT),
            customer: single(headers, &CUSTOMER),
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

fn parsed<T>(header: &Header, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Result<Option<T>, Rule> {
    header.as_ref().map_err(Clone::clone)?.as_deref().map(parse).transpose()
}

#[cfg(test)]
mod tests;
