//! The access log: a line for every call, with its result. The test needs a process, because the log is its standard error.

use clientele::grpc::pb::{
    self, access_service_client::AccessServiceClient, account_service_client::AccountServiceClient,
    customer_service_client::CustomerServiceClient,
};
use nix::sys::signal::Signal;
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    processes::{Dev, clientele, eventually, temp_dir, token},
    raw,
    telemetry::scrape::scrape_at,
    world::{unknown_id, until},
};

/// The log lines of a call with this trace id.
fn lines(dev: &Dev, trace_id: &str) -> Vec<String> {
    dev.log_text().lines().filter(|line| line.contains(trace_id)).map(str::to_owned).collect()
}

fn trace_id(number: usize) -> String {
    format!("{number:032x}")
}

fn traced<T>(mut request: Request<T>, number: usize) -> Request<T> {
    let parent = format!("00-{}-b7ad6b7169203331-01", trace_id(number));
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
}

#[tokio::test]
async fn every_call_has_one_line_with_rpc_code_reason_and_trace_id() {
    let temp_dir = temp_dir();
    let dev = Dev::launch(&temp_dir.path().join("data"), clientele(&[]), &["--no-demo-data"]).ready().await;
    let channel = dev.channel().await;
    let mut access = AccessServiceClient::new(channel.clone());
    let mut accounts = AccountServiceClient::new(channel.clone());
    let mut customers = CustomerServiceClient::new(channel.clone());
    let operator = token(&dev.data, "operator").await;

    let who = dev.request("operator", pb::WhoAmIRequest::default()).await;
    access.who_am_i(traced(who, 0xaaa1)).await.unwrap();

    let get = pb::GetCustomerRequest { customer_id: unknown_id(), ..Default::default() };
    let without_token = customers.get_customer(traced(Request::new(get.clone()), 0xaaa2)).await;
    assert_eq!(without_token.unwrap_err().code(), Code::Unauthenticated);

    let no_member = customers.get_customer(traced(dev.request("stranger", get).await, 0xaaa3)).await;
    assert_eq!(no_member.unwrap_err().code(), Code::PermissionDenied);

    let create = pb::CreateTenantRequest::default();
    let incomplete = accounts.create_tenant(traced(dev.request("operator", create).await, 0xaaa4)).await;
    assert_eq!(incomplete.unwrap_err().code(), Code::InvalidArgument);

    let mut health = HealthClient::new(channel);
    health.check(traced(Request::new(HealthCheckRequest::default()), 0xaaa5)).await.unwrap();

    for (number, rpc, code, reason) in [
        (0xaaa1, "clientele.v1.AccessService/WhoAmI", "OK", None),
        (0xaaa2, "clientele.v1.CustomerService/GetCustomer", "UNAUTHENTICATED", Some("TOKEN_MISSING")),
        (0xaaa3, "clientele.v1.CustomerService/GetCustomer", "PERMISSION_DENIED", Some("NOT_A_MEMBER")),
        (0xaaa4, "clientele.v1.AccountService/CreateTenant", "INVALID_ARGUMENT", Some("INVALID_FIELDS")),
    ] {
        let id = trace_id(number);
        eventually("the line is written", || !lines(&dev, &id).is_empty()).await;
        let [line] = &lines(&dev, &id)[..] else { panic!("{:?}", lines(&dev, &id)) };
        for part in [
            Some("clientele::access".to_owned()),
            Some(format!("rpc=\"{rpc}\"")),
            Some(format!("code=\"{code}\"")),
            reason.map(|reason| format!("reason=\"{reason}\"")),
            Some("duration_ms=".to_owned()),
            Some(format!("trace_id=\"{id}\"")),
        ]
        .into_iter()
        .flatten()
        {
            assert!(line.contains(&part), "no {part} in {line}");
        }
        assert_eq!(line.contains("reason="), reason.is_some(), "{line}");
        // Who it was, where the call did not end as OK and a token proved it.
        let proved = [(0xaaa3, "stranger"), (0xaaa4, "operator")];
        let proved = proved.iter().find(|(call, _)| *call == number).map(|(_, subject)| subject);
        assert_eq!(line.contains("principal="), proved.is_some(), "{line}");
        assert!(proved.is_none_or(|subject| line.contains(&format!(" {subject}\" peer=127.0.0.1:"))), "{line}");
        assert_eq!(line.contains("peer=127.0.0.1:"), code != "OK", "{line}");
    }

    dev.signal(Signal::SIGTERM);
    let mut dev = dev;
    assert_eq!(dev.ended().await.code(), Some(0));
    let log = dev.log_text();
    assert!(lines(&dev, &trace_id(0xaaa5)).is_empty(), "probes are logged at debug");
    assert!(!log.contains(operator.trim()), "a token is in the log");
    assert!(!log.contains("eyJ"), "another token is in the log");
}

#[tokio::test]
async fn lines_are_json_objects_with_log_format_json() {
    let temp_dir = temp_dir();
    let dev = Dev::launch(&temp_dir.path().join("data"), clientele(&[]), &["--no-demo-data", "--log-format", "json"])
        .ready()
        .await;
    let mut access = AccessServiceClient::new(dev.channel().await);
    let who = dev.request("operator", pb::WhoAmIRequest::default()).await;
    access.who_am_i(traced(who, 0xbbb1)).await.unwrap();

    let id = trace_id(0xbbb1);
    eventually("the line is written", || !lines(&dev, &id).is_empty()).await;
    let [line] = &lines(&dev, &id)[..] else { panic!("{:?}", lines(&dev, &id)) };
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["level"], &line["target"], &line["rpc"], &line["code"], &line["trace_id"]),
        (
            &"INFO".into(),
            &"clientele::access".into(),
            &"clientele.v1.AccessService/WhoAmI".into(),
            &"OK".into(),
            &id.into()
        )
    );
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn the_line_of_a_call_that_its_caller_resets_in_the_middle_of_its_message_says_who_it_was() {
    let temp_dir = temp_dir();
    let options = ["--no-demo-data", "--log", "debug", "--log-format", "json", "--metrics-listen", "127.0.0.1:0"];
    let dev = Dev::launch(&temp_dir.path().join("data"), clientele(&[]), &options).ready().await;
    let log = || -> Vec<serde_json::Value> {
        let log = dev.log_text();
        log.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let metrics =
        log().into_iter().find(|line| line["message"] == "serving metrics").expect("the address of the metrics");
    let metrics = metrics["address"].as_str().unwrap().parse().unwrap();

    let stranger = token(&dev.data, "stranger").await;
    let bearer = format!("Bearer {}", stranger.trim());
    let traceparent = format!("00-{}-b7ad6b7169203331-01", trace_id(0xccc1));
    let headers = [("authorization", bearer.as_str()), ("traceparent", traceparent.as_str())];
    let connection = raw::connect(dev.url.strip_prefix("http://").unwrap().parse().unwrap()).await;
    let mut half = connection.begin("/clientele.v1.CustomerService/GetCustomer", &headers).await;
    half.send(&raw::half_message(10));
    // Then its token is verified.
    until("the message is being received", async || {
        scrape_at(metrics).await.value("clientele_memory_held_bytes", &[]) > 0.0
    })
    .await;
    half.reset();

    let id = trace_id(0xccc1);
    let line =
        || log().into_iter().find(|line| line["trace_id"] == id.as_str() && line["target"] == "clientele::access");
    eventually("the line is written", || line().is_some()).await;
    let line = line().unwrap();
    assert_eq!(line["code"], "CANCELLED", "{line}");
    assert!(line["principal"].as_str().unwrap().ends_with(" stranger"), "{line}");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    dev.stop(Signal::SIGTERM).await;
}
