//! A request body whose rest is read when the call no longer wants it. A call that is refused early is answered before its
//! message has arrived. Without this the server resets the stream then, and h2 counts what its client had sent meanwhile:
//! after 1,024 such frames, over the life of a connection, it closes the connection with all its other calls.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{runtime::Handle, task::coop::consume_budget, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long the rest of a message is read. Then the stream is reset: its client has had time to read the answer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the rests of bodies are read.
pub(super) struct Drain {
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// A request body. When it is dropped before its end, its rest is read and discarded for a while.
pub(super) struct Drained {
    body: Option<Incoming>,
    drain: Arc<Drain>,
}

impl Drained {
    pub(super) fn new(body: Incoming, drain: Arc<Drain>) -> Self {
        Self { body: Some(body), drain }
    }
}

impl Body for Drained {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        // The caller has reset the stream: nothing follows.
        let first = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        if matches!(first, Poll::Ready(None | Some(Err(_)))) {
            return;
        }
        // Without a runtime the connection is gone, too.
        let Ok(runtime) = Handle::try_current() else { return };
        let rest = self.drain.stop.clone().run_until_cancelled_owned(timeout(DRAIN_TIMEOUT, discard(body)));
        self.drain.tasks.spawn_on(rest, &runtime);
    }
}

/// Reads a body to its end.
async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        consume_budget().await;
    }
}
