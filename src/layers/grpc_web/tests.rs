use bytes::Bytes;
use http::{StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tonic::Code;

use super::*;
use crate::layers::{
    ContentType,
    samples::{READ, code, reason, request, run},
};

const PORTAL: &str = "https://portal.example";

fn layer() -> GrpcWeb {
    GrpcWeb::new(config::GrpcWeb { origins: vec![HeaderValue::from_static(PORTAL)] })
}

fn asked(method: Method, version: Version, headers: &[(HeaderName, &str)]) -> Request<Body> {
    let mut asked = request(READ);
    (*asked.method_mut(), *asked.version_mut()) = (method, version);
    for (name, value) in headers {
        asked.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    asked
}

fn web(headers: &[(HeaderName, &str)]) -> Request<Body> {
    let mut asked = asked(Method::POST, Version::HTTP_11, &[(CONTENT_TYPE, BINARY[1])]);
    for (name, value) in headers {
        asked.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    asked
}

/// The layer with the one that refuses, and a handler that answers with the message it got and trailers.
async fn answer(request: Request<Body>) -> Response<Body> {
    let echo = |request: Request<Body>| async {
        let inside = IntoTower(ContentType).layer(tower::service_fn(|request: Request<Body>| async {
            assert_eq!(request.headers()[CONTENT_TYPE], "application/grpc");
            let message = request.into_body().collect().await.unwrap().to_bytes();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let frames = [Frame::data(message), Frame::trailers(trailers)].map(Ok::<_, Status>);
            Ok::<_, std::convert::Infallible>(Response::new(Body::new(StreamBody::new(tokio_stream::iter(frames)))))
        }));
        inside.run(request).await
    };
    run(layer(), request, echo).await
}

async fn body(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn headers_of_cors(response: &Response<Body>) -> Vec<&str> {
    response.headers().keys().map(HeaderName::as_str).filter(|name| name.starts_with("access-control")).collect()
}

#[tokio::test]
async fn a_call_is_translated_and_its_trailers_end_the_body() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut call = web(&[]).map(|_| Body::new(Full::from(&b"\0\0\0\0\x02hi"[..])));
        *call.version_mut() = version;
        let response = answer(call).await;
        assert_eq!(
            (response.status(), response.headers()[CONTENT_TYPE].to_str().unwrap()),
            (StatusCode::OK, BINARY[1])
        );
        assert!(headers_of_cors(&response).is_empty(), "it is of no page");
        assert_eq!(body(response).await, &b"\0\0\0\0\x02hi\x80\0\0\0\x0fgrpc-status:0\r\n"[..]);
    }
}

#[tokio::test]
async fn text_is_answered_in_text_unless_the_caller_accepts_bytes() {
    for (accepted, expected) in [(None, TEXT[1]), (Some(TEXT[0]), TEXT[1]), (Some(BINARY[0]), BINARY[1])] {
        let mut call = asked(Method::POST, Version::HTTP_11, &[(CONTENT_TYPE, TEXT[0])]);
        if let Some(accepted) = accepted {
            call.headers_mut().insert(ACCEPT, HeaderValue::from_static(accepted));
        }
        let response = answer(call.map(|_| Body::new(Full::from("AAAAAAJoaQ==")))).await;
        assert_eq!(response.headers()[CONTENT_TYPE], expected);
        let expected: &[u8] = if expected == TEXT[1] {
            b"AAAAAAJoaQ==gAAAAA9ncnBjLXN0YXR1czowDQo="
        } else {
            b"\0\0\0\0\x02hi\x80\0\0\0\x0fgrpc-status:0\r\n"
        };
        assert_eq!(body(response).await, expected);
    }
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_call_and_read_the_status() {
    let preflight = [
        (ORIGIN, PORTAL),
        (header::ACCESS_CONTROL_REQUEST_METHOD, "POST"),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type,x-grpc-web"),
    ];
    let allowed = answer(asked(Method::OPTIONS, Version::HTTP_11, &preflight)).await;
    let named = |name: HeaderName| allowed.headers()[name].to_str().unwrap();
    assert_eq!((allowed.status(), named(header::ACCESS_CONTROL_ALLOW_ORIGIN)), (StatusCode::OK, PORTAL));
    assert_eq!(named(header::ACCESS_CONTROL_ALLOW_METHODS), "POST");
    for header in ["authorization", "content-type", "x-grpc-web", "grpc-timeout", "clientele-account", "traceparent"] {
        assert!(named(header::ACCESS_CONTROL_ALLOW_HEADERS).split(',').any(|name| name == header), "{header}");
    }
    assert!(!allowed.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));

    let called = answer(web(&[(ORIGIN, PORTAL)])).await;
    assert_eq!(called.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], PORTAL);
    let exposed = called.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
    for header in ["grpc-status", "grpc-message", "grpc-status-details-bin", "clientele-not-ready"] {
        assert!(exposed.split(',').any(|name| name == header), "{header}");
    }
    let wrong = asked(Method::POST, Version::HTTP_11, &[(ORIGIN, PORTAL), (CONTENT_TYPE, "application/json")]);
    let wrong = answer(wrong).await;
    assert_eq!(wrong.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(wrong.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], PORTAL, "the page can read why");
}

#[tokio::test]
async fn an_origin_that_is_not_listed_is_refused_without_a_header_of_cors() {
    let native = asked(Method::POST, Version::HTTP_2, &[(CONTENT_TYPE, "application/grpc"), (ORIGIN, "null")]);
    for refused in [
        web(&[(ORIGIN, "https://portal.example.evil.example")]),
        web(&[(ORIGIN, "http://portal.example")]),
        web(&[(ORIGIN, PORTAL), (ORIGIN, PORTAL)]),
        asked(Method::OPTIONS, Version::HTTP_11, &[(ORIGIN, "https://evil.example")]),
        native,
    ] {
        let refused = answer(refused).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!((code(&refused), reason(&refused).as_str()), (Code::PermissionDenied, "ORIGIN_NOT_ALLOWED"));
        assert_eq!(headers_of_cors(&refused), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn over_http_1_only_grpc_web_is_served() {
    for (content_type, method, version, expected) in [
        ("application/grpc", Method::POST, Version::HTTP_2, StatusCode::OK),
        ("application/grpc", Method::POST, Version::HTTP_11, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc", Method::POST, Version::HTTP_10, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (BINARY[0], Method::GET, Version::HTTP_11, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", Method::POST, Version::HTTP_11, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc-web+json", Method::POST, Version::HTTP_11, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let given = format!("{method} {content_type} {version:?}");
        let response = answer(asked(method, version, &[(CONTENT_TYPE, content_type)])).await;
        assert_eq!(response.status(), expected, "{given}");
    }
}
