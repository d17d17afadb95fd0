//! Limits the calls in flight. A short queue holds calls for a moment; when it is full, a call is rejected at once with a time
//! to retry. A server that accepts more calls than it can answer answers none in time.
//!
//! Permits are shared fairly among principals (`service::shares`): one has at most three quarters of them, and no more than a
//! quarter while others wait. A call takes its permit when its message is complete.
//!
//! Searches have a limit of their own, because they have database connections of their own: a flood of searches does not
//! affect other calls. So do streams, each of which has a connection: a stream takes no permit of a call. Health and reflection take no permit: an overloaded server must not look dead.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::body::Body;

use super::{
    active_requests::ActiveRequests,
    call_layer::{CallLayer, Inner},
    verify::share_of,
};
use crate::{
    config::Config,
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
    service::{
        call::Share,
        shares::{Permit, Shares},
    },
};

/// The RPCs that search.
const SEARCHES: [&str; 1] = ["/clientele.v1.CustomerService/SearchCustomers"];
/// Searches in flight for each of their connections: the next search is decoded and its caller's rights are known before a
/// connection is free.
const SEARCHES_PER_CONNECTION: usize = 4;
/// Permits for each call in the queue. The queue is for bursts: in a longer queue most calls would wait in vain.
const PERMITS_PER_QUEUED: usize = 4;
/// When a rejected caller should retry.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Admits as many calls as may be in flight.
#[derive(Clone)]
pub struct Admission {
    // Shared: a layer is cloned for each call.
    calls: Arc<ConcurrencyLimit>,
    searches: Arc<ConcurrencyLimit>,
    streams: Arc<ConcurrencyLimit>,
    // Built once: encoding it is the most expensive part of a rejection.
    rejection: Arc<Response<()>>,
}

/// A call's permit. It is returned when the last clone is dropped: a call that outlives its caller keeps one.
#[derive(Clone)]
pub struct InFlight {
    _permit: Arc<(Permit<Share>, TaskTrackerToken)>,
}

impl Admission {
    /// Admitted calls are counted in `active`.
    #[must_use]
    pub fn new(config: &Config, active: &ActiveRequests) -> Self {
        let limit = |permits| Arc::new(ConcurrencyLimit::new(permits, config.load.queue_timeout, active));
        Self {
            calls: limit(config.load.max_in_flight),
            searches: limit(config.database.search_pool_size * SEARCHES_PER_CONNECTION),
            streams: limit(config.database.stream_pool_size),
            // Nothing was done, so any call may be sent again.
            rejection: Arc::new(
                status::from_error(Error::Overloaded { retry_after: RETRY_AFTER }, Repeat::Safe).into_http(),
            ),
        }
    }
}

impl CallLayer for Admission {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        // A path that is not an RPC of the contract is cheap to answer and needs no permit.
        let Some(rpc) = contract::rpc(path) else { return inner.run(request).await };
        let limit = match rpc {
            _ if rpc.streams => &self.streams,
            _ if SEARCHES.contains(&rpc.path) => &self.searches,
            _ => &self.calls,
        };
        match limit.admit(share_of(&request)).await {
            Some(permit) => {
                request.extensions_mut().insert(permit.clone());
                let response = inner.run(request).await;
                drop(permit);
                response
            }
            None => self.rejection.as_ref().clone().map(|()| Body::empty()),
        }
    }
}

/// Permits, and a queue for them.
struct ConcurrencyLimit {
    permits: Shares<Share>,
    queue_timeout: Duration,
    active: ActiveRequests,
}

impl ConcurrencyLimit {
    fn new(permits: usize, queue_timeout: Duration, active: &ActiveRequests) -> Self {
        let permits = Shares::with_room(permits, (permits / PERMITS_PER_QUEUED).max(1));
        Self { permits, queue_timeout, active: active.clone() }
    }

    async fn admit(&self, share: Share) -> Option<InFlight> {
        let permit = timeout(self.queue_timeout, self.permits.acquire(share)).await.ok()?.ok()?;
        Some(InFlight { _permit: Arc::new((permit, self.active.start())) })
    }
}

#[cfg(test)]
mod tests;
