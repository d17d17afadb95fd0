//! gRPC-Web over HTTP/1.1: what a page in a browser calls, and what it is refused. `.ci/browser` does it in a real browser.

mod bounds;
mod page;

use clientele::{
    config::{Config, GrpcWeb, grpc_web::origin},
    grpc::pb,
};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use self::page::{Answer, BINARY, PORTAL, Page, TEXT};
use crate::{
    telemetry::scrape::scrape,
    world::{World, assert_refused, bad_fields, customer, database, reason, unknown_id},
};

const CREATE: &str = "/clientele.v1.CustomerService/CreateCustomer";
const GET: &str = "/clientele.v1.CustomerService/GetCustomer";
const REPORT: &str = "/clientele.v1.BillingService/StreamBillingReport";
const OTHER: &str = "https://portal.example.other.example";

/// Serves gRPC-Web to pages of the portal.
pub fn with_grpc_web(config: &mut Config) {
    config.grpc_web = Some(GrpcWeb { origins: vec![origin(PORTAL).unwrap()] });
}

async fn world() -> World {
    World::start_with(database().await, |config| {
        with_grpc_web(config);
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await
}

async fn page(world: &World) -> Page {
    Page::open(world.server.address()).await
}

fn creating(name: &str) -> pb::CreateCustomerRequest {
    pb::CreateCustomerRequest { customer: Some(customer(name)), ..Default::default() }
}

fn getting(id: &str) -> pb::GetCustomerRequest {
    pb::GetCustomerRequest { customer_id: id.to_owned(), view: pb::CustomerView::Full.into() }
}

#[tokio::test]
async fn a_page_creates_and_reads_customers_in_bytes_and_in_text() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    let mut page = page(&world).await;
    for (content_type, name) in [(BINARY, "Ada"), ("application/grpc-web", "Bob"), (TEXT, "Cy")] {
        let created = page.call(content_type, &acme.admin, CREATE, &creating(name), &[("origin", PORTAL)]).await;
        let expected = if content_type == TEXT { "application/grpc-web-text+proto" } else { BINARY };
        assert_eq!(
            (created.http_status, created.headers["content-type"].to_str().unwrap()),
            (StatusCode::OK, expected)
        );
        assert_eq!(created.headers["access-control-allow-origin"], PORTAL);
        assert!(created.trailers.is_some(), "the status is in the body: {created:?}");
        let created = created.message::<pb::CreateCustomerResponse>().customer.unwrap();

        let read = page.call(content_type, &acme.admin, GET, &getting(&created.id), &[("origin", PORTAL)]).await;
        assert_eq!(read.message::<pb::GetCustomerResponse>().customer.unwrap(), created);
        assert_eq!(acme.admin.get(&created.id).await.unwrap(), created, "as a gRPC client sees it");
    }
}

#[tokio::test]
async fn a_page_reads_why_it_was_refused_with_details() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    let mut page = page(&world).await;
    for content_type in [BINARY, TEXT] {
        let unnamed = page.call(content_type, &acme.admin, CREATE, &creating(""), &[("origin", PORTAL)]).await;
        let refused = assert_refused(unnamed.result(), Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.name"]);
        // Such an answer is a head alone: the page may read it because the headers are exposed.
        let exposed = unnamed.headers["access-control-expose-headers"].to_str().unwrap();
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            assert!(unnamed.headers.contains_key(name) && exposed.contains(name), "{name}: {exposed}");
        }
    }
    let mut blocking = world.sql().await;
    sqlx::raw_sql("begin; lock table customers in access exclusive mode").execute(&mut blocking).await.unwrap();
    let late = page.call(BINARY, &acme.admin, GET, &getting(&unknown_id()), &[("grpc-timeout", "100m")]).await;
    assert_refused(late.result(), Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    sqlx::raw_sql("rollback").execute(&mut blocking).await.unwrap();
    let nobody = page.call(BINARY, &world.without_token(), GET, &getting(&unknown_id()), &[]).await;
    assert_refused(nobody.result(), Code::Unauthenticated, "TOKEN_MISSING");
    let no_base64 = Request::post(GET).header("content-type", TEXT).header("host", "server");
    let no_base64 = no_base64.header("authorization", format!("Bearer {}", acme.admin.token.as_ref().unwrap()));
    let no_base64 = page.send(no_base64.body(Full::from("no base64!")).unwrap()).await;
    assert_refused(Answer::read(no_base64, true).result(), Code::InvalidArgument, "MESSAGE_MALFORMED");
}

#[tokio::test]
async fn a_call_by_grpc_web_is_measured_as_any_call() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let mut page = page(&world).await;
    page.call(BINARY, &acme.admin, GET, &getting(&ada.id), &[]).await.message::<pb::GetCustomerResponse>();
    page.call(TEXT, &acme.admin, GET, &getting(&unknown_id()), &[]).await.result().unwrap_err();
    page.send(page::request(BINARY, &acme.admin, GET, &getting(&ada.id), &[("origin", OTHER)])).await;
    let metrics = scrape(&world).await;
    for code in ["OK", "NOT_FOUND", "PERMISSION_DENIED"] {
        let labels = [("rpc_method", "clientele.v1.CustomerService/GetCustomer"), ("rpc_status_code", code)];
        let calls = metrics.value("rpc_server_call_duration_seconds_count", &labels);
        assert!((calls - 1.0).abs() < 0.1, "{code}: {calls}");
    }
}

#[tokio::test]
async fn a_page_reads_a_stream_and_its_status() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    world.copies(&ada.id, 2_999).await;
    let mut page = page(&world).await;
    for content_type in [BINARY, TEXT] {
        let report = pb::StreamBillingReportRequest::default();
        let report = page.call(content_type, &acme.admin, REPORT, &report, &[("origin", PORTAL)]).await;
        report.result().unwrap();
        let messages: Vec<_> = report
            .messages
            .iter()
            .map(|message| pb::StreamBillingReportResponse::decode(message.as_slice()).unwrap())
            .collect();
        assert!(messages.len() > 2, "{}", messages.len());
        assert_eq!(messages.iter().map(|message| message.rows.len()).sum::<usize>(), 3_000);
    }
}

#[tokio::test]
async fn health_answers_by_grpc_web() {
    let world = world().await;
    let mut page = page(&world).await;
    let asked = HealthCheckRequest { service: "liveness".to_owned() };
    let answer = page.call(BINARY, &world.without_token(), "/grpc.health.v1.Health/Check", &asked, &[]).await;
    assert_eq!(answer.message::<HealthCheckResponse>().status, 1);
}

/// What a browser asks before the first call of a page.
async fn preflight(page: &mut Page, origin: &str) -> http::Response<bytes::Bytes> {
    let preflight = Request::builder().method(Method::OPTIONS).uri(CREATE).header("host", "server");
    let preflight = preflight
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,clientele-account,content-type,x-grpc-web");
    page.send(preflight.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn a_browser_learns_which_origin_may_call() {
    let world = world().await;
    let mut page = page(&world).await;
    let allowed = preflight(&mut page, PORTAL).await;
    assert_eq!(allowed.status(), StatusCode::OK);
    assert_eq!(allowed.headers()["access-control-allow-origin"], PORTAL);
    assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("clientele-account"));

    let refused = preflight(&mut page, OTHER).await;
    let cors = refused.headers().keys().filter(|name| name.as_str().starts_with("access-control"));
    assert_eq!((refused.status(), cors.count()), (StatusCode::FORBIDDEN, 0));
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_and_does_nothing() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    let before = world.stored().await;
    let mut page = page(&world).await;
    for origin in [OTHER, "null", "http://portal.example", "https://portal.example:8443"] {
        let sent = page::request(BINARY, &acme.admin, CREATE, &creating("Ada"), &[("origin", origin)]);
        let refused = page.send(sent).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
        assert!(!refused.headers().keys().any(|name| name.as_str().starts_with("access-control")));
        assert!(refused.body().starts_with(b"Pages of this origin may not call."));
        let status = tonic::Status::from_header_map(refused.headers()).unwrap();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "ORIGIN_NOT_ALLOWED"));
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn other_content_types_and_grpc_over_http_1_get_415_and_a_sentence() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    let mut page = page(&world).await;
    for content_type in ["application/grpc", "application/json", "application/grpc-web+json", "text/html"] {
        let refused = page.send(page::request(content_type, &acme.admin, GET, &getting(&unknown_id()), &[])).await;
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
        assert!(String::from_utf8_lossy(refused.body()).contains("application/grpc-web"), "{refused:?}");
    }
}

#[tokio::test]
async fn without_the_setting_http_1_is_not_served() {
    let world = World::start().await;
    let mut browser = TcpStream::connect(world.server.address()).await.unwrap();
    browser.write_all(b"POST / HTTP/1.1\r\nhost: server\r\ncontent-type: application/grpc-web\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The end, or a reset, as the system wants.
    let _ = browser.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1"), "{answer:?}");
}
