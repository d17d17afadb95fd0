//! What the peer of one HTTP/2 stream has not taken yet, and the end of a stream whose peer takes nothing.
//!
//! hyper polls no body while a frame waits for the peer's window. So a body cannot end its own stream. The stream's whole
//! future is watched instead: dropping it frees the body, and makes h2 drop the frames that it has and reset the stream.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::info;

tokio::task_local! {
    static STREAM: Arc<Untaken>;
}

/// The frames of one stream that its peer has not taken.
#[derive(Debug, Default)]
pub(super) struct Untaken(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    frames: usize,
    /// When the last frame was given to the connection, or taken by the peer.
    progress: Option<Instant>,
    /// The body, which waits until all are taken.
    waiting: Option<Waker>,
}

/// A frame that the connection has. It is dropped when the peer has taken it, or the stream has ended.
#[derive(Debug)]
pub(super) struct UntakenFrame(Arc<Untaken>);

impl Untaken {
    /// That of the stream whose body is polled.
    pub(super) fn of_this_stream() -> Arc<Self> {
        STREAM.try_with(Arc::clone).unwrap_or_default()
    }

    /// Counts a frame.
    pub(super) fn count(self: &Arc<Self>) -> UntakenFrame {
        let mut state = self.state();
        state.frames += 1;
        state.progress = Some(Instant::now());
        UntakenFrame(Arc::clone(self))
    }

    /// Waits until the peer has taken all frames.
    pub(super) fn poll_taken(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.frames == 0 {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// When the peer last took something, if there is something to take.
    fn waits_since(&self) -> Option<Instant> {
        let state = self.state();
        state.progress.filter(|_| state.frames > 0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while the state is half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UntakenFrame {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.frames -= 1;
        state.progress = Some(Instant::now());
        let waiting = if state.frames == 0 { mem::take(&mut state.waiting) } else { None };
        drop(state);
        if let Some(body) = waiting {
            body.wake();
        }
    }
}

pin_project! {
    /// The future of a stream, as hyper gives it to its executor. It ends if the peer takes no frame for a while.
    pub struct EndUntaken<F> {
        #[pin]
        stream: F,
        untaken: Arc<Untaken>,
        timeout: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F> EndUntaken<F> {
    /// Ends the stream if the peer takes no frame of a counted answer for so long.
    pub fn new(stream: F, timeout: Duration) -> Self {
        Self { stream, untaken: Arc::default(), timeout, timer: None }
    }
}

impl<F: Future<Output = ()>> Future for EndUntaken<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let stream = this.stream;
        if STREAM.sync_scope(Arc::clone(this.untaken), || stream.poll(context)).is_ready() {
            return Poll::Ready(());
        }
        // Most answers are taken at once, and need no timer.
        while let Some(since) = this.untaken.waits_since() {
            let end = since + *this.timeout;
            if Instant::now() >= end {
                info!(timeout = ?this.timeout, "a peer does not take its answer: its stream is reset");
                return Poll::Ready(());
            }
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            ready!(timer.as_mut().poll(context));
            // There was progress since it was set.
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, poll_fn},
        pin::pin,
    };

    use tokio::time::{sleep, timeout};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_its_peer_has_taken_nothing_for_the_timeout() {
        let began = Instant::now();
        let stream = EndUntaken::new(
            async {
                let stream = Untaken::of_this_stream();
                let (first, second) = (stream.count(), stream.count());
                sleep(Duration::from_secs(15)).await;
                drop(first);
                sleep(Duration::from_secs(15)).await;
                drop(second);
                sleep(Duration::from_secs(60)).await;
                let _third = stream.count();
                pending::<()>().await;
            },
            TIMEOUT,
        );
        stream.await;
        assert_eq!(began.elapsed().as_secs(), 15 + 15 + 60 + 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_frames_does_not_end() {
        assert!(timeout(TIMEOUT * 100, EndUntaken::new(pending(), TIMEOUT)).await.is_err());
    }

    #[tokio::test]
    async fn the_body_waits_until_all_frames_are_taken() {
        let stream = Arc::<Untaken>::default();
        let frames = [stream.count(), stream.count()];
        let mut waiting = pin!(poll_fn(|context| stream.poll_taken(context)));
        for frame in frames {
            assert!(poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await);
            drop(frame);
        }
        waiting.await;
    }
}
