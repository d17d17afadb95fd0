//! Runs the streams of connections, each in a task of its own: a call, and the sending of its answer.

use std::time::Duration;

use hyper::rt::Executor;
use tokio_util::task::TaskTracker;

use crate::layers::EndUntaken;

/// Runs streams. Not in the set that a stopping server waits for: a stream can last as long as its peer wants.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    tasks: TaskTracker,
    answer_timeout: Duration,
}

impl Streams {
    /// A stream whose peer takes nothing of an answer for `answer_timeout` ends.
    pub(super) fn new(answer_timeout: Duration) -> Self {
        Self { tasks: TaskTracker::new(), answer_timeout }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.tasks.spawn(EndUntaken::new(stream, self.answer_timeout));
    }
}
