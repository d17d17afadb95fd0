//! An admitted call runs in its own task, in the set that a stopping server waits for; its caller only waits for it. A mutation
//! runs to its end, even if its caller hangs up or its deadline passes, so a cancelled call never leaves half a mutation. A
//! read ends the unit of work that has begun, returns its database connection clean, and begins no further unit. So a caller
//! that gives up costs the database no connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use opentelemetry::context::FutureExt as _;
use tokio::time::{Sleep, sleep_until};
use tokio_util::task::TaskTracker;
use tonic::{Status, body::Body};

use super::{
    admission::InFlight,
    call_layer::{CallLayer, Inner},
    deadline::Deadline,
    panic,
};
use crate::{
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
    service::{
        bytes::ByteBudget,
        call::{self, Call},
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
        let call = Call::new(rpc.mutates, self.budget);
        let Some(tasks) = self.tasks else { return call::scope(call, inner.run(request)).await };
        let counted = telemetry::current().filter(|_| rpc.mutates).map(|metrics| metrics.count_mutation());
        // The call keeps its permit until its work ends, even if its caller hangs up.
        let permit: Option<InFlight> = request.extensions_mut().remove();
        let work = inner.run(with_body_deadline(request));
        let work = call::scope(Arc::clone(&call), async {
            let response = work.await;
            drop((counted, permit));
            response
        });
        let _caller_waits = CallerWaits(call);
        // Its log lines and its statements belong to the call's trace.
        match tasks.spawn(work.with_current_context()).await {
            Ok(response) => response,
            Err(ended) if ended.is_panic() => panic::response(&*ended.into_panic()),
            // Only the end of the runtime cancels these tasks.
            Err(_) => status::from_error(Error::ShuttingDown, Repeat::Unsafe).into_http(),
        }
    }
}

/// The caller waits for its call until this is dropped.
struct CallerWaits(Arc<Call>);

impl Drop for CallerWaits {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Makes the request's body fail at the call's deadline.
fn with_body_deadline(request: Request<Body>) -> Request<Body> {
    match request.extensions().get::<Deadline>() {
        Some(&Deadline(at)) => {
            request.map(|body| Body::new(DeadlineBody { body, deadline: Box::pin(sleep_until(at)) }))
        }
        None => request,
    }
}

/// A request body that fails at the call's deadline. The message is read inside the task: a caller that sends half of a
/// message and then nothing would otherwise keep the task for ever.
struct DeadlineBody {
    body: Body,
    deadline: Pin<Box<Sleep>>,
}

impl HttpBody for DeadlineBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let frame @ Poll::Ready(_) = Pin::new(&mut self.body).poll_frame(context) {
            return frame;
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(status::from_error(Error::Deadline, Repeat::Unsafe))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, poll_fn},
        pin::pin,
        sync::Mutex,
        time::Duration,
    };

    use tokio::{sync::oneshot, time::Instant};
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

    #[tokio::test(start_paused = true)]
    async fn a_message_that_never_ends_does_not_keep_its_task() {
        struct Stalled;
        impl HttpBody for Stalled {
            type Data = Bytes;
            type Error = Status;
            fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
                Poll::Pending
            }
        }
        let tasks = TaskTracker::new();
        let mut request = request(MUTATION).map(|_| Body::new(Stalled));
        request.extensions_mut().insert(Deadline(Instant::now() + Duration::from_secs(1)));
        let call = run(Detach::new(Some(tasks.clone()), ByteBudget::new(0)), request, |request| async {
            let mut body = pin!(request.into_body());
            match poll_fn(|context| body.as_mut().poll_frame(context)).await {
                Some(Err(late)) => late.into_http(),
                _ => pending().await,
            }
        });
        assert_eq!(code(&call.await), Code::DeadlineExceeded);
        tasks.close();
        tasks.wait().await;
    }
}
