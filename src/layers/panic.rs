//! A panic becomes INTERNAL. Without this layer the caller would see a stream that is reset, with no status.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::{Request, Response};
use tonic::body::Body;

use super::call_layer::{CallLayer, Inner};
use crate::{
    error::Error,
    grpc::status::{self, Repeat},
    telemetry::{self, Metrics},
};

/// Catches panics further in.
#[derive(Clone, Copy, Debug)]
pub struct PanicGuard;

impl CallLayer for PanicGuard {
    fn handle<S: Inner>(
        self,
        inner: S,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        // Unwind safe: nothing of the call is used again after it panicked.
        let call = catch_unwind(AssertUnwindSafe(|| inner.run(request)));
        async {
            let mut call = match call {
                Ok(call) => pin!(call),
                Err(panic) => return response(&*panic),
            };
            poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
                Ok(poll) => poll,
                Err(panic) => Poll::Ready(response(&*panic)),
            })
            .await
        }
    }
}

/// Returns the response after a panic: INTERNAL, without the panic's message.
pub(super) fn response(panic: &(dyn Any + Send)) -> Response<Body> {
    telemetry::measure(Metrics::panicked);
    let message = telemetry::logs::panic_message(panic);
    status::from_error(Error::internal(format_args!("panic: {message}")), Repeat::Unsafe).into_http()
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::layers::samples::{code, reason, request, run};

    #[tokio::test]
    async fn a_panic_is_internal_and_its_message_is_not_sent() {
        let refused = run(PanicGuard, request("/x"), |_| async { panic!("secret") }).await;
        assert_eq!((code(&refused), reason(&refused)), (Code::Internal, "INTERNAL".to_owned()));
        let message = refused.headers()["grpc-message"].to_str().unwrap();
        assert!(!message.contains("secret"), "{message}");
    }

    #[tokio::test]
    async fn a_panic_after_waiting_is_caught_too() {
        let refused = run(PanicGuard, request("/x"), |_| async {
            tokio::task::yield_now().await;
            panic!("{}", "late")
        })
        .await;
        assert_eq!(code(&refused), Code::Internal);
    }
}
