//! Tells a caller of health why the server is not ready, in a response header: gRPC's health service has no field for it.

use http::{HeaderName, HeaderValue, Request, Response};
use tonic::body::Body;

use super::call_layer::{CallLayer, Inner};
use crate::service::readiness::Readiness;

/// The words of what is in the way, comma-separated: `DATABASE_UNAVAILABLE`, `SCHEMA_OUTDATED`… Absent if the server is ready.
pub const NOT_READY: HeaderName = HeaderName::from_static("clientele-not-ready");

/// Adds the header to the responses of a server that is not ready.
#[derive(Clone, Debug)]
pub struct SayWhyNotReady(pub Readiness);

impl CallLayer for SayWhyNotReady {
    async fn handle<S: Inner>(self, inner: S, request: Request<Body>) -> Response<Body> {
        let mut response = inner.run(request).await;
        let words = self.0.words().join(",");
        if !words.is_empty()
            && let Ok(words) = HeaderValue::from_str(&words)
        {
            response.headers_mut().insert(NOT_READY, words);
        }
        response
    }
}
