//! Runs the streams of connections, each in a task of its own: a call, and the sending of its answer.

use std::time::Duration;

use hyper::rt::Executor;
use tokio_util::task::TaskTracker;

use crate::layers::EndUntaken;

/// How long a peer may take nothing of an answer; then the answer is freed and its stream is reset. A connection whose peer reads
/// nothing at all for as long is closed.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs streams. Not in the set that a stopping server waits for: a stream can last as long as its peer wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.spawn(EndUntaken::new(stream, ANSWER_TIMEOUT));
    }
}
