//! A call that was admitted is a task of its own, in the set that a stopping server waits for; its caller only waits for it. A
//! mutation runs to its end when the caller hangs up or the deadline passes, so "cancelled" never means "unknown and half done". A
//! read ends the unit of work that has begun, gives its session back clean, and begins no further one. So a caller that gives up
//! costs the database nothing.

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

use super::{Around, Deadline, InFlight, Inner, panic};
use crate::{
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
    service::call::{self, Call},
    telemetry,
};

/// Detaches calls of the contract from their callers.
#[derive(Clone, Debug)]
pub struct Detach {
    tasks: Option<TaskTracker>,
}

impl Detach {
    /// Calls become tasks of this set; without one they end with their callers.
    #[must_use]
    pub fn new(tasks: Option<TaskTracker>) -> Self {
        Self { tasks }
    }
}

impl Around for Detach {
    async fn around<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let Some(rpc) = contract::rpc(request.uri().path()) else { return inner.run(request).await };
        let call = Call::new(rpc.mutates);
        let Some(tasks) = self.tasks else { return call::scope(call, inner.run(request)).await };
        let counted = telemetry::current().filter(|_| rpc.mutates).map(|metrics| metrics.mutation_begins());
        // As long as it runs it is in flight, whether its caller still waits or not.
        let permit: Option<InFlight> = request.extensions_mut().remove();
        let work = inner.run(in_time(request));
        let work = call::scope(Arc::clone(&call), async {
            let response = work.await;
            drop((counted, permit));
            response
        });
        let _waits = Waits(call);
        // What it logs and what it asks the database belongs to the call's trace.
        match tasks.spawn(work.with_current_context()).await {
            Ok(response) => response,
            Err(ended) if ended.is_panic() => panic::answer(&*ended.into_panic()),
            // Nothing cancels these tasks but the end of the runtime.
            Err(_) => status::from_error(Error::ShuttingDown, Repeat::Unsafe).into_http(),
        }
    }
}

/// The caller waits for its call as long as this is there.
struct Waits(Arc<Call>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The same request, whose body ends with its deadline.
fn in_time(request: Request<Body>) -> Request<Body> {
    match request.extensions().get::<Deadline>() {
        Some(&Deadline(until)) => request.map(|body| Body::new(Timely { body, until: Box::pin(sleep_until(until)) })),
        None => request,
    }
}

/// A request's body that fails at the call's deadline. Its message is read inside the task: a caller that sends half of
/// one and then nothing would hold the task for ever.
struct Timely {
    body: Body,
    until: Pin<Box<Sleep>>,
}

impl HttpBody for Timely {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let frame @ Poll::Ready(_) = Pin::new(&mut self.body).poll_frame(context) {
            return frame;
        }
        ready!(self.until.as_mut().poll(context));
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

    /// Starts a call whose handler waits for a word, drops it, says the word, and tells whether the handler heard it.
    async fn dropped_midway(detach: Detach, path: &str) -> bool {
        let (go, gone) = oneshot::channel::<()>();
        let (done, heard) = oneshot::channel::<()>();
        let ends = Arc::new(Mutex::new(Some((gone, done))));
        let mut call = Box::pin(run(detach, request(path), move |_| {
            let (gone, done) = ends.lock().unwrap().take().unwrap();
            async {
                gone.await.unwrap();
                done.send(()).unwrap();
                Response::new(Body::empty())
            }
        }));
        assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);
        drop(call);
        let _still_there = go.send(());
        heard.await.is_ok()
    }

    #[tokio::test]
    async fn a_mutation_goes_on_when_its_caller_hangs_up() {
        let tasks = TaskTracker::new();
        assert!(dropped_midway(Detach::new(Some(tasks.clone())), MUTATION).await);
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_read_ends_its_unit_of_work_when_its_caller_hangs_up_and_without_this_layer_no_call_does() {
        let tasks = TaskTracker::new();
        assert!(dropped_midway(Detach::new(Some(tasks.clone())), READ).await);
        tasks.close();
        tasks.wait().await;
        for path in [READ, MUTATION] {
            assert!(!dropped_midway(Detach::new(None), path).await, "{path}");
        }
    }

    #[tokio::test]
    async fn a_mutation_that_panics_is_internal() {
        let answer = run(Detach::new(Some(TaskTracker::new())), request(MUTATION), |_| async { panic!("oh") }).await;
        assert_eq!((code(&answer), reason(&answer).as_str()), (Code::Internal, "INTERNAL"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_never_comes_to_its_end_holds_no_task() {
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
        let call = run(Detach::new(Some(tasks.clone())), request, |request| async {
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
