//! Deadlines and the stop sequence.

use std::time::Duration;

use super::problems::Problems;

/// Deadlines and the stop sequence.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The deadline of a call that names none, and the maximum that a call may name.
    pub deadline: Duration,
    /// How long a stopping server still accepts calls after its health reports NOT_SERVING.
    pub drain_delay: Duration,
    /// How long a stopping server waits for running calls.
    pub drain_timeout: Duration,
    /// Whether calls run on when the caller hangs up: a mutation to its end, a read to the end of its unit of work. False only in a fault test, to prove that the test
    /// fails without it.
    pub detach: bool,
}

impl Limits {
    /// Adds their problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require(!self.deadline.is_zero(), || "--deadline must be greater than zero".to_owned());
        problems.require(self.drain_timeout >= self.deadline, || {
            "--drain-timeout is shorter than --deadline: a stopping server would abort calls that may still run"
                .to_owned()
        });
    }
}
