//! Every call of the contract has a deadline: the caller's `grpc-timeout`, at most the server's own maximum, or that of the RPC
//! if it may take longer. A late call ends with DEADLINE_EXCEEDED. It covers unary calls up to the response's head; a stream would need its own deadline.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use super::call_layer::{CallLayer, Inner};
use crate::{
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
};

/// When the call must have its response. It is in the request's extensions, and from there in the call's author.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// Sets and enforces the deadline of every call of the contract.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    max: Duration,
}

impl DeadlineLayer {
    /// A caller may name less than `max`, never more, unless the contract gives the RPC more.
    #[must_use]
    pub fn new(max: Duration) -> Self {
        Self { max }
    }

    /// Returns how long a call of an RPC, which may take `longest`, may take with these headers.
    fn time_limit(self, headers: &HeaderMap, longest: Duration) -> Duration {
        let max = self.max.max(longest);
        match grpc_timeout(headers) {
            // The caller counts too, and gives up at the end. End the call just before that, so that it gets the answer.
            Some(timeout) => max.min(timeout - (timeout / 10).min(Duration::from_millis(2))),
            None => max,
        }
    }
}

impl CallLayer for DeadlineLayer {
    fn handle<S: Inner>(
        self,
        inner: S,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let rpc = contract::rpc(request.uri().path());
        let longest = rpc.map_or(Duration::ZERO, |rpc| rpc.longest);
        let deadline = Instant::now() + self.time_limit(request.headers(), longest);
        if rpc.is_some() {
            request.extensions_mut().insert(Deadline(deadline));
        }
        let call = inner.run(request);
        async move {
            if rpc.is_none() {
                return call.await;
            }
            match timeout_at(deadline, call).await {
                Ok(response) => response,
                Err(_) => status::from_error(Error::Deadline, Repeat::Unsafe).into_http(),
            }
        }
    }
}

/// Parses the header `grpc-timeout`: up to eight digits and a unit. A malformed header is ignored, as tonic does.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let header = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    // Like tonic, which also accepts a plus sign.
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

    const LAYER: DeadlineLayer = DeadlineLayer { max: Duration::from_secs(30) };

    fn with_timeout(named: &str) -> Request<Body> {
        let mut request = request(READ);
        request.headers_mut().insert("grpc-timeout", named.parse().unwrap());
        request
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_deadline_exceeded_before_its_caller_gives_up() {
        for (named, tonics) in [("50m", 50_000), ("+50m", 50_000), ("2S", 2_000_000), ("900u", 900)] {
            let started = Instant::now();
            let limit = LAYER.time_limit(with_timeout(named).headers(), Duration::ZERO);
            assert!(limit < Duration::from_micros(tonics), "{named}");
            let answer = run(LAYER, with_timeout(named), |_| pending()).await;
            assert_eq!((code(&answer), reason(&answer).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
            assert!(started.elapsed() <= Duration::from_micros(tonics.max(1000)), "{:?}", started.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_maximum_applies_to_a_caller_that_names_none_or_more() {
        for request in [request(READ), with_timeout("99999999H"), with_timeout("soon")] {
            let started = Instant::now();
            let answer = run(LAYER, request, |_| pending()).await;
            assert_eq!(code(&answer), Code::DeadlineExceeded);
            assert!((30_000..30_010).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_rpc_that_the_contract_gives_more_time_has_it_and_its_caller_may_name_less() {
        const LONG: &str = "/clientele.v1.AccountService/UpdateAccount";
        let longest = contract::rpc(LONG).unwrap().longest;
        assert!(longest > LAYER.max);
        for (named, limit) in [(None, longest), (Some("50S"), Duration::from_secs(50)), (Some("9H"), longest)] {
            let mut request = request(LONG);
            if let Some(named) = named {
                request.headers_mut().insert("grpc-timeout", named.parse().unwrap());
            }
            let started = Instant::now();
            let answer = run(LAYER, request, |_| pending()).await;
            assert_eq!(code(&answer), Code::DeadlineExceeded);
            assert!(limit - started.elapsed() < Duration::from_millis(10), "{named:?}: {:?}", started.elapsed());
        }
    }

    #[tokio::test]
    async fn services_can_see_the_deadline() {
        let answer = run(LAYER, request(READ), |request| async move {
            assert!(request.extensions().get::<Deadline>().is_some_and(|deadline| deadline.0 > Instant::now()));
            Response::new(Body::empty())
        })
        .await;
        assert_eq!(code(&answer), Code::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_health_watch_has_no_deadline() {
        let watch = run(LAYER, request("/grpc.health.v1.Health/Watch"), |_| async {
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
            prop_assert!(LAYER.time_limit(&headers, Duration::ZERO) <= LAYER.max);
        }
    }
}
