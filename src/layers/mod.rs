//! What stands around every call, from the outside in. `server` puts the layers in this order:
//!
//! 0. `workload`: around `trace`, which tells whose connection it was; it never fails.
//! 1. `trace`: outermost of all that may refuse, so that every call, also one that is refused or dropped, has its line and its
//!    trace.
//! 2. `panic`: inside `trace`, so that a panic has a line too; around all that may panic.
//! 3. `complete`: sees the answers that tonic makes of itself, and gives them the details that every error has.
//! 4. `deadline`: around the gate, which may wait for the database.
//! 5. `admission`: outside the gate, so that a call too many costs no signature check and no query; inside the deadline, as a
//!    call may wait here.
//! 6. `detach`: outside all that may ask the database, so that a caller that gives up ends no statement half way; inside admission,
//!    so that a call keeps its permit until its work has ended.
//! 7. `authenticate`: nothing is done for a caller that it does not know, nor for one that calls too often (`rate`).
//!
//! A layer is one function around a call; the tower traits are implemented here, once.

mod active_requests;
mod admission;
mod authenticate;
mod deadline;
mod detach;
mod error_details;
mod jwks;
mod panic;
mod rate;
pub mod token;
mod trace;
mod workload;

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

pub use active_requests::ActiveRequests;
pub use admission::{Admission, InFlight};
pub use authenticate::Authenticate;
pub use deadline::{Deadline, Deadlines};
pub use detach::Detach;
pub use error_details::AddErrorDetails;
pub use panic::PanicGuard;
pub use rate::RateLimit;
pub use trace::{Trace, Traced};
pub use workload::{Peer, Workloads};

/// The paths that are the contract's own; all others are health and reflection, or nothing.
const CONTRACT: &str = "/clientele.v1.";

/// What a layer stands around: the layers further in, and the services. It is ready at any time and never fails: every
/// failure is an answer.
pub trait Inner:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static> + Clone + Send + 'static
{
    /// Begins the call.
    fn run(mut self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send + 'static {
        let call = self.call(request);
        async {
            let Ok(response) = call.await;
            response
        }
    }
}

impl<S> Inner for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static
{
}

/// One layer: what is done around a call.
pub trait Around: Clone + Send + Sync + 'static {
    /// Answers the request, most often by running `inner`. What comes before the first await is done at once.
    fn around<S: Inner>(
        self,
        inner: S,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static;
}

/// Makes a tower layer of an [`Around`].
#[derive(Clone, Debug)]
pub struct Layered<A>(pub A);

impl<A: Around, S> Layer<S> for Layered<A> {
    type Service = Surrounded<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Surrounded { around: Arc::new(self.0.clone()), inner }
    }
}

/// A service with a layer around it.
#[derive(Clone, Debug)]
pub struct Surrounded<A, S> {
    // Shared: each layer clones all that are further in.
    around: Arc<A>,
    inner: S,
}

impl<A: Around, S: Inner> Service<Request<Body>> for Surrounded<A, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that was polled ready is the one that is called; its clone stays for the next call.
        let next = self.inner.clone();
        let ready = mem::replace(&mut self.inner, next);
        let answer = A::clone(&self.around).around(ready, request);
        Box::pin(async { Ok(answer.await) })
    }
}

#[cfg(test)]
pub(crate) mod samples;
