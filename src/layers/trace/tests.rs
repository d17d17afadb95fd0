use std::{
    future::{pending, poll_fn},
    task::Poll,
};

use tracing::{info, subscriber::DefaultGuard};

use super::*;
use crate::{
    config,
    error::Error,
    grpc::status::{self, Repeat},
    layers::samples::{READ, STREAM, request, run},
    telemetry::{logs::Format, samples::Log},
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn layer() -> Trace {
    Trace::new(Telemetry::new(&config::Telemetry::default()).unwrap())
}

fn capture() -> (Log, DefaultGuard) {
    Log::capture(Format::Text)
}

fn with_parent(parent: &str) -> Request<Body> {
    let mut request = request(READ);
    request.headers_mut().insert("traceparent", parent.parse().unwrap());
    request
}

#[tokio::test]
async fn a_call_has_one_access_line_and_its_log_lines_have_its_trace_id() {
    let (log, _capturing) = capture();
    let (tenant, account) = (TenantId::from_uuid(uuid::Uuid::max()), AccountId::from_uuid(uuid::Uuid::max()));
    run(layer(), with_parent(PARENT), move |request| async move {
        let trace: &TraceInfo = request.extensions().get().unwrap();
        assert_eq!(trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
        trace.set_account(tenant, account);
        info!("inside");
        Response::new(Body::empty())
    })
    .await;
    let [inside, line] = &log.lines()[..] else { panic!("{:?}", log.lines()) };
    assert!(
        inside.contains("trace_id=\"0af7651916cd43dd8448eb211c80319c\"") && inside.contains("span_id="),
        "{inside}"
    );
    assert!(
        line.contains("INFO clientele::access: rpc=\"clientele.v1.CustomerService/GetCustomer\" code=\"OK\""),
        "{line}"
    );
    assert!(line.contains(&format!("tenant={tenant} account={account} trace_id=\"0af7651916cd43dd8448eb211c80319c\"")));
    assert!(
        !line.contains("b7ad6b7169203331") && !inside.contains("b7ad6b7169203331"),
        "the span id is not the parent's"
    );
}

#[tokio::test]
async fn an_invalid_traceparent_begins_a_new_trace() {
    for broken in [
        "",
        "00-0-0-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        PARENT.trim_end_matches("-01"),
        "ä",
    ] {
        let mut request = request(READ);
        request.headers_mut().insert("traceparent", http::HeaderValue::from_bytes(broken.as_bytes()).unwrap());
        run(layer(), request, |request| async move {
            let id = &request.extensions().get::<TraceInfo>().unwrap().trace_id;
            assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) && id != &"0".repeat(32));
            assert_ne!(id, "0af7651916cd43dd8448eb211c80319c");
            Response::new(Body::empty())
        })
        .await;
    }
}

#[tokio::test]
async fn an_error_is_logged_with_its_reason_and_a_server_error_with_its_cause() {
    let (log, _capturing) = capture();
    run(layer(), request(READ), |_| async { status::from_error(Error::NotAMember, Repeat::Safe).into_http() }).await;
    run(layer(), request(READ), |_| async { status::from_error(Error::internal("the dog"), Repeat::Safe).into_http() })
        .await;
    let lost = || Error::Unavailable { cause: "connection refused".to_owned() };
    run(layer(), request(READ), move |_| async move { status::from_error(lost(), Repeat::Safe).into_http() }).await;
    let [refused, fault, lost] = &log.lines()[..] else { panic!("{:?}", log.lines()) };
    assert!(
        refused.contains("INFO") && refused.contains("code=\"PERMISSION_DENIED\" reason=\"NOT_A_MEMBER\""),
        "{refused}"
    );
    assert!(!refused.contains("cause"), "{refused}");
    assert!(fault.contains("ERROR") && fault.contains("cause=internal: the dog"), "{fault}");
    assert!(lost.contains("WARN") && lost.contains("connection refused"), "{lost}");
}

#[tokio::test]
async fn a_dropped_call_has_an_access_line_too() {
    let (log, _capturing) = capture();
    let mut call = Box::pin(run(layer(), request(READ), |_| pending()));
    assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);
    drop(call);
    let [line] = &log.lines()[..] else { panic!("{:?}", log.lines()) };
    assert!(line.contains("code=\"CANCELLED\""), "{line}");
}

#[tokio::test]
async fn probes_are_logged_at_debug_and_a_path_is_never_logged() {
    let (log, _capturing) = capture();
    for path in ["/grpc.health.v1.Health/Check", "/secret%0Apath"] {
        run(layer(), request(path), |_| async { Response::new(Body::empty()) }).await;
    }
    let [probe, other] = &log.lines()[..] else { panic!("{:?}", log.lines()) };
    assert!(probe.contains("DEBUG") && probe.contains("rpc=\"grpc.health.v1\""), "{probe}");
    assert!(other.contains("INFO") && other.contains("rpc=\"_OTHER\"") && !other.contains("secret"), "{other}");
}

#[tokio::test]
async fn the_line_of_a_stream_is_written_at_its_end_with_the_status_that_it_ended_with() {
    let (log, _capturing) = capture();
    let streamed = |status: Status| async move {
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        let frame = http_body::Frame::<bytes::Bytes>::trailers(trailers);
        let frames = tokio_stream::once(Ok::<_, Status>(frame));
        Response::new(Body::new(http_body_util::StreamBody::new(frames)))
    };
    for ended in [Status::ok(""), status::from_error(Error::ShuttingDown, Repeat::Safe)] {
        let answer = run(layer(), request(STREAM), move |_| streamed(ended.clone())).await;
        let before = log.lines().len();
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
        assert_eq!(log.lines().len(), before + 1);
    }
    let dropped = run(layer(), request(STREAM), move |_| streamed(Status::ok(""))).await;
    drop(dropped);
    let [complete, stopped, dropped] = &log.lines()[..] else { panic!("{:?}", log.lines()) };
    assert!(complete.contains("StreamBillingReport\" code=\"OK\""), "{complete}");
    assert!(stopped.contains("code=\"UNAVAILABLE\" reason=\"SHUTTING_DOWN\""), "{stopped}");
    assert!(dropped.contains("code=\"CANCELLED\""), "{dropped}");
}
