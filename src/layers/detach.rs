//! An admitted call runs in its own task, in the set that a stopping server waits for; its caller only waits for it. A mutation
//! runs to its end, even if its caller hangs up or its deadline passes, so a cancelled call never leaves half a mutation. A
//! read ends the unit of work that has begun, returns its database connection clean, and begins no further unit. So a caller
//! that gives up costs the database no connection.
//!
//! A stream names its own unit of work (`service::streams`), which goes on after its head: the permit and the bytes are its own
//! until it has ended, and its caller waits as long as it takes the answer.

use std::sync::Arc;

use http::{Request, Response};
use opentelemetry::context::FutureExt as _;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use super::{
    admission::InFlight,
    call_layer::{CallLayer, Inner},
    kept_body::KeptBody,
    panic,
    receive::MessageCost,
    verify::share_of,
};
use crate::{
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
    service::{
        bytes::ByteBudget,
        call::{self, CallContext},
    },
    telemetry,
};

/// Detaches calls of the contract from their callers.
#[derive(Clone, Debug)]
pub struct Detach {
    tasks: Option<TaskTracker>,
    budget: ByteBudget,
}

impl Detach {
    /// Calls run as tasks of this set; without one they end with their callers. What they hold in memory is counted in `budget`.
    #[must_use]
    pub fn new(tasks: Option<TaskTracker>, budget: ByteBudget) -> Self {
        Self { tasks, budget }
    }
}

impl CallLayer for Detach {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let Some(rpc) = contract::rpc(request.uri().path()) else { return inner.run(request).await };
        // The call keeps its permit, and what its message costs stays counted, until its work ends, even if its caller hangs up.
        let extensions = request.extensions_mut();
        let (permit, message): (Option<InFlight>, Option<MessageCost>) = (extensions.remove(), extensions.remove());
        let message = message.map(|MessageCost(held)| held);
        let call = CallContext::new(share_of(&request), rpc.mutates, self.budget, message);
        let permit = if rpc.streams {
            call.keep(permit);
            None
        } else {
            permit
        };
        let Some(tasks) = self.tasks else { return call::scope(call, inner.run(request)).await };
        let counted = telemetry::current().filter(|_| rpc.mutates).map(|metrics| metrics.count_mutation());
        let work = inner.run(request);
        let work = call::scope(Arc::clone(&call), async {
            let response = work.await;
            drop((counted, permit));
            response
        });
        let caller_waits = CallerWaits(call);
        // Its log lines and its statements belong to the call's trace.
        match tasks.spawn(work.with_current_context()).await {
            Ok(response) if rpc.streams => response.map(|body| Body::new(KeptBody::new(body, caller_waits))),
            Ok(response) => response,
            Err(ended) if ended.is_panic() => panic::response(&*ended.into_panic()),
            // Only the end of the runtime cancels these tasks.
            Err(_) => status::from_error(Error::ShuttingDown, Repeat::Unsafe).into_http(),
        }
    }
}

/// The caller waits for its call until this is dropped.
struct CallerWaits(Arc<CallContext>);

impl Drop for CallerWaits {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Mutex, task::Poll};

    use tokio::sync::oneshot;
    use tonic::Code;

    use super::*;
    use crate::layers::samples::{MUTATION, READ, code, reason, request, run};

    /// Starts a call whose handler waits, drops the call, and returns whether the handler still ran to its end.
    async fn runs_on_after_a_drop(detach: Detach, path: &str) -> bool {
        let (go, may_go) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel::<()>();
        let ends = Arc::new(Mutex::new(Some((may_go, done))));
        let mut call = Box::pin(run(detach, request(path), move |_| {
            let (may_go, done) = ends.lock().unwrap().take().unwrap();
            async {
                may_go.await.unwrap();
                done.send(()).unwrap();
                Response::new(Body::empty())
            }
        }));
        assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);
        drop(call);
        let _handler_exists = go.send(());
        ended.await.is_ok()
    }

    #[tokio::test]
    async fn a_mutation_runs_on_when_its_caller_hangs_up() {
        let tasks = TaskTracker::new();
        assert!(runs_on_after_a_drop(Detach::new(Some(tasks.clone()), ByteBudget::new(0)), MUTATION).await);
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_read_ends_its_unit_of_work_when_its_caller_hangs_up_and_without_this_layer_no_call_does() {
        let tasks = TaskTracker::new();
        assert!(runs_on_after_a_drop(Detach::new(Some(tasks.clone()), ByteBudget::new(0)), READ).await);
        tasks.close();
        tasks.wait().await;
        for path in [READ, MUTATION] {
            assert!(!runs_on_after_a_drop(Detach::new(None, ByteBudget::new(0)), path).await, "{path}");
        }
    }

    #[tokio::test]
    async fn a_mutation_that_panics_is_internal() {
        let answer = run(Detach::new(Some(TaskTracker::new()), ByteBudget::new(0)), request(MUTATION), |_| async {
            panic!("oh")
        })
        .await;
        assert_eq!((code(&answer), reason(&answer).as_str()), (Code::Internal, "INTERNAL"));
    }
}
