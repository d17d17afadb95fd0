//! A call of the contract ends in time: after what its caller names in `grpc-timeout`, at most after the server's own
//! bound, with DEADLINE_EXCEEDED. It covers unary calls up to their answer's head; a stream needs its own.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use super::{Around, Inner};
use crate::{
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
};

/// When the call's answer must be sent. The request's extensions have it, and from there the call's author.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// Gives every call of the contract its deadline and keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    longest: Duration,
}

impl Deadlines {
    /// A caller may name less than `longest`, never more.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        Self { longest }
    }

    /// How long a call with these headers may take.
    fn of(self, headers: &HeaderMap) -> Duration {
        match named(headers) {
            // tonic reads the same header, further out, and would answer CANCELLED: be there before it.
            Some(named) => self.longest.min(named - (named / 10).min(Duration::from_millis(2))),
            None => self.longest,
        }
    }
}

impl Around for Deadlines {
    fn around<S: Inner>(
        self,
        inner: S,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let until = Instant::now() + self.of(request.headers());
        let rpc = contract::rpc(request.uri().path());
        if rpc.is_some() {
            request.extensions_mut().insert(Deadline(until));
        }
        let call = inner.run(request);
        async move {
            if rpc.is_none() {
                return call.await;
            }
            match timeout_at(until, call).await {
                Ok(response) => response,
                Err(_) => status::from_error(Error::Deadline, Repeat::Unsafe).into_http(),
            }
        }
    }
}

/// The header `grpc-timeout`: up to eight digits and a unit. A malformed one is as good as none, as tonic has it.
fn named(headers: &HeaderMap) -> Option<Duration> {
    let header = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    // As tonic reads it, which takes a plus sign too: what it takes for a deadline must be one here.
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use proptest::prelude::*;
    use tonic::Code;

    use super::*;
    use crate::layers::samples::{READ, code, reason, request, run};

    const LONGEST: Deadlines = Deadlines { longest: Duration::from_secs(30) };

    fn with_timeout(named: &str) -> Request<Body> {
        let mut request = request(READ);
        request.headers_mut().insert("grpc-timeout", named.parse().unwrap());
        request
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_deadline_exceeded_before_tonic_would_cancel_it() {
        for (named, tonics) in [("50m", 50_000), ("+50m", 50_000), ("2S", 2_000_000), ("900u", 900)] {
            let started = Instant::now();
            let call = LONGEST.of(with_timeout(named).headers());
            assert!(call < Duration::from_micros(tonics), "{named}");
            let answer = run(LONGEST, with_timeout(named), |_| pending()).await;
            assert_eq!((code(&answer), reason(&answer).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
            assert!(started.elapsed() <= Duration::from_micros(tonics.max(1000)), "{:?}", started.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_bound_holds_for_a_caller_that_names_none_or_more() {
        for request in [request(READ), with_timeout("99999999H"), with_timeout("soon")] {
            let started = Instant::now();
            let answer = run(LONGEST, request, |_| pending()).await;
            assert_eq!(code(&answer), Code::DeadlineExceeded);
            assert!((30_000..30_010).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        }
    }

    #[tokio::test]
    async fn services_can_see_the_deadline() {
        let answer = run(LONGEST, request(READ), |request| async move {
            assert!(request.extensions().get::<Deadline>().is_some_and(|deadline| deadline.0 > Instant::now()));
            Response::new(Body::empty())
        })
        .await;
        assert_eq!(code(&answer), Code::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_health_watch_has_no_deadline() {
        let watch = run(LONGEST, request("/grpc.health.v1.Health/Watch"), |_| async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Response::new(Body::empty())
        })
        .await;
        assert_eq!(code(&watch), Code::Ok);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_ignored(raw in "[ -~]{0,12}") {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", raw.parse().unwrap());
            prop_assert!(LONGEST.of(&headers) <= LONGEST.longest);
        }
    }
}
