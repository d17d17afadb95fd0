//! Refuses requests that are no gRPC: a browser, curl or a JSON client that came to the wrong port gets 415 and a sentence, instead
//! of an error that only gRPC clients can read.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use tonic::{Code, body::Body};

use super::call_layer::{CallLayer, Inner};
use crate::grpc::{pb::ErrorReason, status};

const GRPC: &str = "application/grpc";
const TEXT: &str = "This is a gRPC service: the content type must be application/grpc.";

/// Lets requests with gRPC's content type in.
#[derive(Clone, Copy, Debug)]
pub struct ContentType;

impl CallLayer for ContentType {
    async fn handle<S: Inner>(self, inner: S, request: Request<Body>) -> Response<Body> {
        if is_grpc(request.headers()) { inner.run(request).await } else { refused() }
    }
}

/// Whether the content type is gRPC's, with or without a format (`application/grpc+proto`) or parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let rest = given.get(..GRPC.len()).filter(|start| start.eq_ignore_ascii_case(GRPC)).and(given.get(GRPC.len()..));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';', ' ']))
}

/// 415, as the gRPC protocol asks. The access line has the same as for a message that cannot be decoded.
fn refused() -> Response<Body> {
    let status = status::without_cause(Code::InvalidArgument, ErrorReason::MessageMalformed, TEXT);
    let mut response = status.into_http::<Body>().map(|_| Body::new(Full::from(format!("{TEXT}\n"))));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
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
