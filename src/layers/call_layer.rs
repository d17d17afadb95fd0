//! A layer as one function around a call, and its tower service.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

/// The prefix of the contract's paths; all others are health and reflection, or unknown.
pub(super) const CONTRACT_PREFIX: &str = "/clientele.v1.";

/// The inner service: the layers further in, and the gRPC services. It is always ready and never fails: every failure is a
/// response.
pub trait Inner:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// Runs the call.
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
        + Sync
        + 'static
{
}

/// One layer: a function around a call.
pub trait CallLayer: Clone + Send + Sync + 'static {
    /// Answers the request, usually by running `inner`. The code before the first await runs at once.
    fn handle<S: Inner>(
        self,
        inner: S,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static;
}

/// Turns a [`CallLayer`] into a tower layer.
#[derive(Clone, Debug)]
pub struct IntoTower<L>(pub L);

impl<L: CallLayer, S> Layer<S> for IntoTower<L> {
    type Service = LayeredService<L, S>;

    fn layer(&self, inner: S) -> Self::Service {
        LayeredService { layered: Arc::new((self.0.clone(), inner)) }
    }
}

/// A service with a layer around it. A clone shares both: a call clones what is further in, once for each layer.
#[derive(Debug)]
pub struct LayeredService<L, S> {
    layered: Arc<(L, S)>,
}

impl<L, S> Clone for LayeredService<L, S> {
    fn clone(&self) -> Self {
        Self { layered: Arc::clone(&self.layered) }
    }
}

impl<L: CallLayer, S: Inner> Service<Request<Body>> for LayeredService<L, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // As every inner service is.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (layer, inner) = &*self.layered;
        let response = layer.clone().handle(inner.clone(), request);
        Box::pin(async { Ok(response.await) })
    }
}
