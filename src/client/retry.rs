//! When a call is tried again, and after which pause.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;
use tower::{
    retry::{
        Policy,
        backoff::{Backoff as _, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff as _},
    },
    util::rng::HasherRng,
};

use super::{
    attempt::Call,
    policy::{RETRIES, THROTTLING},
};

/// The part of a pause by which it may be longer, at random: callers that failed together do not come back together.
const JITTER: f64 = 0.9;

/// The tokens of gRFC A6, in thousandths; all calls of a connection share them.
#[derive(Clone)]
pub(super) struct Tokens(Arc<AtomicU32>);

impl Default for Tokens {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(Self::MOST)))
    }
}

impl Tokens {
    const ONE: u32 = 1000;
    const MOST: u32 = THROTTLING.tokens * Self::ONE;

    fn succeeded(&self) {
        let add = |tokens: u32| Some(tokens.saturating_add(THROTTLING.ratio).min(Self::MOST));
        // It gives a value always.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether a call that has failed may be tried again.
    fn failed(&self) -> bool {
        let take = |tokens: u32| Some(tokens.saturating_sub(Self::ONE));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        before.saturating_sub(Self::ONE) > Self::MOST / 2
    }
}

/// Decides for one call. The server's RetryInfo says that the same request is safe and may succeed, and when. Without one, a call is
/// tried again if there was no answer (UNAVAILABLE) and it may be repeated: a read, or a mutation with a `request_id`.
#[derive(Clone)]
pub(super) struct Retrying {
    left: u32,
    may_repeat: bool,
    tokens: Tokens,
    backoff: Option<ExponentialBackoff>,
}

impl Retrying {
    /// For a call with this number of tries.
    pub(super) fn new(attempts: u32, may_repeat: bool, tokens: Tokens) -> Self {
        // Of its own for each call: calls that share a source of random numbers would wait equally long.
        let backoff = ExponentialBackoffMaker::new(RETRIES.first, RETRIES.longest, JITTER, HasherRng::default());
        let backoff = backoff.ok().map(|mut maker| maker.make_backoff());
        Self { left: attempts.saturating_sub(1), may_repeat, tokens, backoff }
    }
}

impl Policy<Call, Response<Body>, Status> for Retrying {
    type Future = Sleep;

    fn retry(&mut self, call: &mut Call, result: &mut Result<Response<Body>, Status>) -> Option<Sleep> {
        let Some(failure) = failure(result) else {
            self.tokens.succeeded();
            return None;
        };
        let asked = failure.get_details_retry_info().map(|info| info.retry_delay.unwrap_or(Duration::ZERO));
        if asked.is_none() && !(self.may_repeat && failure.code() == Code::Unavailable) {
            return None;
        }
        if !self.tokens.failed() {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let pause = match asked {
            Some(delay) => sleep(delay),
            None => self.backoff.as_mut()?.next_backoff(),
        };
        // A pause beyond the deadline would turn the reason into DEADLINE_EXCEEDED.
        call.deadline.is_none_or(|deadline| pause.deadline() < deadline).then_some(pause)
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        Some(call.clone())
    }
}

/// Why a try failed, as far as its headers show it; nothing if it has an answer. An answer that has begun is not tried again.
fn failure(result: &Result<Response<Body>, Status>) -> Option<Status> {
    match result {
        Err(status) => Some(status.clone()),
        Ok(response) => match Status::from_header_map(response.headers()) {
            Some(status) => Some(status).filter(|status| status.code() != Code::Ok),
            // A proxy's answer, which gRPC takes for UNAVAILABLE.
            None => [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ]
            .contains(&response.status())
            .then(|| Status::unavailable(response.status().to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_most_calls_fail_none_is_tried_again_until_enough_have_succeeded() {
        let tokens = Tokens::default();
        let again = (0..20).filter(|_| tokens.failed()).count();
        assert_eq!(again, 4, "of ten tokens more than five must be left");
        (0..50).for_each(|_| tokens.succeeded());
        assert!(!tokens.failed(), "five tokens, less one");
        (0..30).for_each(|_| tokens.succeeded());
        assert!(tokens.failed());
        (0..1000).for_each(|_| tokens.succeeded());
        assert_eq!((0..20).filter(|_| tokens.failed()).count(), 4, "there are never more than ten");
    }
}
