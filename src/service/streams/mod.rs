//! Streams: answers of many messages, which may run for an hour.
//!
//! The work of a stream is a task of its own, so that a caller that hangs up interrupts no statement: the work ends at its next
//! message, and its session comes back clean. Its messages go through a channel that has room for one: work that is ahead of its
//! peer waits. Streams have sessions of their own, one for each stream that the server admits, so that they never hold up
//! anything else.
//!
//! A stream ends as its work does, or early with an error after a whole message: with `ShuttingDown` when the server stops, with
//! `Deadline` when its time is over. It never ends as if it were complete without being so: work that panicked is an error.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use opentelemetry::context::FutureExt as _;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_stream::Stream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use super::{
    call,
    pool::{Lease, Pool},
};
use crate::error::{Error, Result};

/// How often the work that waits for its peer notes that its session is not silent, but has nothing to do.
const NOTED: Duration = Duration::from_secs(1);

/// Starts streams. Clones share the sessions and the stop.
#[derive(Clone)]
pub struct Streams {
    pool: Pool,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What goes through the channel.
enum Item<T> {
    Message(T),
    /// The last: how the work ended.
    End(Result<()>),
}

/// Where the work of a stream sends its messages.
pub struct Outlet<T> {
    messages: mpsc::Sender<Item<T>>,
    pool: Pool,
    stop: CancellationToken,
    deadline: Option<Instant>,
}

/// The messages of a stream.
pub struct Messages<T> {
    messages: mpsc::Receiver<Item<T>>,
    /// One that was taken to see how the work begins.
    first: Option<T>,
    has_ended: bool,
}

impl Streams {
    /// Streams with sessions of this pool.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// The pool of their sessions.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Ends all streams, and those that begin later, with `ShuttingDown`: each after the message that it sends.
    pub fn shut_down(&self) {
        self.stop.cancel();
    }

    /// Starts the work of a stream that must end at `deadline`, and waits for its first message: an error before it is the
    /// call's own.
    ///
    /// # Errors
    /// That of the work, if it fails before its first message.
    pub async fn start<T, F>(
        &self,
        deadline: Option<std::time::Instant>,
        work: impl FnOnce(Outlet<T>) -> F,
    ) -> Result<Messages<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(1);
        let last = sender.clone();
        let work = work(Outlet {
            messages: sender,
            pool: self.pool.clone(),
            stop: self.stop.clone(),
            deadline: deadline.map(Instant::from_std),
        });
        let work = call::rejoined(async move {
            let done = work.await;
            if let Err(failure @ (Error::Internal(_) | Error::Database(_) | Error::Unavailable { .. })) = &done {
                error!(cause = %failure, "a stream failed");
            }
            // Nobody waits for it if the caller has gone.
            _ = last.send(Item::End(done)).await;
        });
        self.tasks.spawn(work.with_current_context());
        let mut messages = Messages { messages: receiver, first: None, has_ended: false };
        match messages.messages.recv().await {
            Some(Item::Message(first)) => messages.first = Some(first),
            Some(Item::End(Ok(()))) => messages.has_ended = true,
            Some(Item::End(Err(failure))) => return Err(failure),
            None => return Err(unfinished()),
        }
        Ok(messages)
    }
}

impl<T> Outlet<T> {
    /// A session of the streams' own.
    ///
    /// # Errors
    /// See [`Pool::lease`].
    pub async fn lease(&self) -> Result<Lease> {
        self.pool.lease().await
    }

    /// Sends a message, when the peer has taken those before it, if the caller is `admitted` then. While it waits it asks that every
    /// second.
    ///
    /// # Errors
    /// `ShuttingDown`; `Deadline` if the stream's time is over or its caller has gone; that of `admitted`: the work ends with it.
    pub async fn send<A>(&self, message: T, admitted: impl Fn() -> A) -> Result<()>
    where
        A: Future<Output = Result<()>>,
    {
        let place = self.messages.reserve();
        tokio::pin!(place);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Error::ShuttingDown),
                () = passed(self.deadline) => return Err(Error::Deadline),
                place = &mut place => {
                    let place = place.map_err(|_| Error::Deadline)?;
                    admitted().await?;
                    place.send(Item::Message(message));
                    call::note_progress();
                    return Ok(());
                }
                () = sleep(NOTED) => {
                    call::note_progress();
                    admitted().await?;
                }
            }
        }
    }
}

/// Waits until the deadline has passed, if there is one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn unfinished() -> Error {
    Error::internal("the work of a stream did not come to its end")
}

impl<T> Unpin for Messages<T> {}

impl<T> Stream for Messages<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.has_ended {
            return Poll::Ready(None);
        }
        let item = ready!(self.messages.poll_recv(context));
        let item = match item {
            Some(Item::Message(message)) => return Poll::Ready(Some(Ok(message))),
            Some(Item::End(Ok(()))) => None,
            Some(Item::End(Err(failure))) => Some(Err(failure)),
            None => Some(Err(unfinished())),
        };
        self.has_ended = true;
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests;
