//! Refuses requests that are no gRPC: a browser, curl or a JSON client that came to the wrong port gets 415 and a sentence, instead
//! of an error that only gRPC clients can read. Refuses also what `grpc_web` does not let in; that layer is outside `trace`, this
//! one inside, so that each refusal has its access line.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use tonic::{Code, Status, body::Body};

use super::call_layer::{CallLayer, Inner};
use crate::grpc::{pb::ErrorReason, status};

const GRPC: &str = "application/grpc";
const TEXT: &str = "This is a gRPC service: the content type must be application/grpc.";
const HTTP_1: &str =
    "This is a gRPC service: over HTTP/1.1 the request must be a POST of the content type application/grpc-web.";
const ORIGIN: &str = "Pages of this origin may not call. The server's setting grpc_web_origins lists those that may.";

/// Why `grpc_web` does not let a request in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// Its page's origin is not listed.
    Origin,
    /// It is not gRPC-Web, and HTTP/1.1 carries nothing else.
    Http1,
}

/// Lets requests with gRPC's content type in.
#[derive(Clone, Copy, Debug)]
pub struct ContentType;

impl CallLayer for ContentType {
    async fn handle<S: Inner>(self, inner: S, request: Request<Body>) -> Response<Body> {
        match request.extensions().get() {
            Some(Refusal::Origin) => origin_refused(),
            Some(Refusal::Http1) => unsupported(HTTP_1),
            None if is_grpc(request.headers()) => inner.run(request).await,
            None => unsupported(TEXT),
        }
    }
}

/// Whether the content type is gRPC's, with or without a format (`application/grpc+proto`) or parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let rest = given.get(..GRPC.len()).filter(|start| start.eq_ignore_ascii_case(GRPC)).and(given.get(GRPC.len()..));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';', ' ']))
}

/// 415, as the gRPC protocol asks. The access line has the same as for a message that cannot be decoded.
fn unsupported(text: &'static str) -> Response<Body> {
    let status = status::without_cause(Code::InvalidArgument, ErrorReason::MessageMalformed, text);
    readable(status, StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

fn origin_refused() -> Response<Body> {
    let status = status::without_cause(Code::PermissionDenied, ErrorReason::OriginNotAllowed, ORIGIN);
    readable(status, StatusCode::FORBIDDEN)
}

/// The refusal as any HTTP client reads it.
fn readable(refusal: Status, status: StatusCode) -> Response<Body> {
    let text = format!("{}\n", refusal.message());
    let mut response = refusal.into_http::<Body>().map(|_| Body::new(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::samples::{READ, code, request, run};

    #[tokio::test]
    async fn only_grpc_is_let_in() {
        for (given, is_let_in) in [
            (Some("application/grpc"), true),
            (Some("application/grpc+proto"), true),
            (Some("Application/gRPC; charset=utf-8"), true),
            (None, false),
            (Some(""), false),
            (Some("application/json"), false),
            (Some("application/grpc-web+proto"), false),
            (Some("application/grpcs"), false),
            (Some("text/html"), false),
        ] {
            let mut asked = request(READ);
            if let Some(given) = given {
                asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(given));
            }
            let answer = run(ContentType, asked, |_| async { Response::new(Body::empty()) }).await;
            if is_let_in {
                assert_eq!(answer.status(), StatusCode::OK, "{given:?}");
            } else {
                assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{given:?}");
                assert_eq!(code(&answer), Code::InvalidArgument);
                assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
            }
        }
    }
}
