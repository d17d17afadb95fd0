//! gRPC-Web, for pages in browsers: translated to gRPC (tonic-web) outside all other layers, so that those see gRPC alone, whatever
//! the caller speaks: its access line, deadline, rate and memory are the same.
//!
//! A browser lets a page call only if the server allows the page's origin (CORS, by tower-http). A request of another origin is
//! refused, and gets no header of CORS. Refusals are made further in (`content_type`), so that they have an access line.
//!
//! No cookie identifies a caller, so credentials are not allowed: a page sends its token in a header.

mod text;

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN},
};
use tonic::{Status, body::Body};
use tonic_web::GrpcWebLayer;
use tower::Layer as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

use self::text::as_text;
use super::{
    access,
    call_layer::{CallLayer, Inner, IntoTower},
    content_type::Refusal,
    not_ready::NOT_READY,
};
use crate::config;

const BINARY: [&str; 2] = ["application/grpc-web", "application/grpc-web+proto"];
const TEXT: [&str; 2] = ["application/grpc-web-text", "application/grpc-web-text+proto"];

/// The request headers that a page may set, besides those that any page may.
const ALLOWED: [HeaderName; 12] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    access::ACCOUNT,
    access::TENANT,
    access::CUSTOMER,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];
/// The response headers that a page may read, besides those that any page may.
const EXPOSED: [HeaderName; 6] = [
    Status::GRPC_STATUS,
    Status::GRPC_MESSAGE,
    Status::GRPC_STATUS_DETAILS,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    NOT_READY,
];
/// How long a browser may remember what an origin may do: the longest that Chromium accepts.
const PREFLIGHT_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Serves gRPC-Web.
#[derive(Clone, Debug)]
pub struct GrpcWeb {
    origins: Vec<HeaderValue>,
    cors: CorsLayer,
}

impl GrpcWeb {
    /// Serves pages of the configured origins.
    #[must_use]
    pub fn new(config: config::GrpcWeb) -> Self {
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(config.origins.clone()))
            .allow_methods([Method::POST])
            .allow_headers(ALLOWED)
            .expose_headers(EXPOSED)
            .max_age(PREFLIGHT_AGE);
        Self { origins: config.origins, cors }
    }

    /// Whether the request may come from where its page is. One without an origin is of no page.
    fn allows(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => self.origins.contains(origin),
            (Some(_), Some(_)) => false,
        }
    }
}

impl CallLayer for GrpcWeb {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        if !self.allows(request.headers()) {
            request.extensions_mut().insert(Refusal::Origin);
            return inner.run(request).await;
        }
        let is_of_a_page = request.headers().contains_key(ORIGIN);
        let translated = IntoTower(Translate).layer(inner);
        if is_of_a_page { self.cors.layer(translated).run(request).await } else { translated.run(request).await }
    }
}

/// Translates a call by gRPC-Web to gRPC and its answer back. Lets everything else pass.
#[derive(Clone, Copy, Debug)]
struct Translate;

impl CallLayer for Translate {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let headers = request.headers_mut();
        let (is_text, is_binary) = (names(headers, &CONTENT_TYPE, &TEXT), names(headers, &CONTENT_TYPE, &BINARY));
        if request.method() != Method::POST || !(is_text || is_binary) {
            if request.version() < Version::HTTP_2 {
                // Trailers, and so gRPC itself, need HTTP/2.
                request.extensions_mut().insert(Refusal::Http1);
            }
            return inner.run(request).await;
        }
        let headers = request.headers_mut();
        let wants_text = names(headers, &ACCEPT, &TEXT) || (is_text && !names(headers, &ACCEPT, &BINARY));
        // tonic-web would make the text. It would drop what counts the bytes of an answer with the bytes.
        headers.remove(ACCEPT);
        let response = GrpcWebLayer::new().layer(inner).run(request).await;
        if wants_text { as_text(response) } else { response }
    }
}

/// Whether the header is one of these content types.
fn names(headers: &HeaderMap, header: &HeaderName, types: &[&str]) -> bool {
    headers.get(header).is_some_and(|given| types.iter().any(|name| given == name))
}

#[cfg(test)]
mod tests;
