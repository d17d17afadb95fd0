//! A call is one tree of spans below its caller's span.

use std::collections::BTreeMap;

use clientele::grpc::pb;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tonic::Code;

use super::collector::{Collector, Span};
use crate::world::{Client, World, assert_refused, customer, database, unknown_id, until};

const CALLERS_SPAN: &str = "b7ad6b7169203331";

/// A server that sends the spans of every trace that starts there, or of none.
pub async fn watched(collector: &Collector, sample_ratio: f64) -> World {
    World::start_with(database().await, |config| {
        config.telemetry.otlp_endpoint = Some(collector.endpoint.clone());
        config.telemetry.sample_ratio = sample_ratio;
    })
    .await
}

/// The same client, in the middle of a trace.
fn traced(client: &Client, trace: &str, flags: &str) -> Client {
    Client { traceparent: Some(format!("00-{trace}-{CALLERS_SPAN}-{flags}")), ..client.clone() }
}

fn trace(number: u8) -> String {
    format!("{:032x}", 0xabc0_0000_u64 + u64::from(number))
}

/// The trace's one RPC and its statements, in the order of their start.
fn tree(spans: &[Span]) -> (&Span, Vec<&Span>) {
    let (rpcs, statements): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.kind == SpanKind::Server);
    let [rpc] = rpcs[..] else { panic!("{spans:#?}") };
    for statement in &statements {
        assert_eq!((&statement.parent, statement.kind), (&rpc.id, SpanKind::Client), "{statement:#?}");
    }
    (rpc, statements)
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_call_is_a_tree_of_spans_below_its_callers() {
    let collector = Collector::start().await;
    let world = watched(&collector, 0.0).await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let client = traced(&acme.admin, &trace(1), "01");
    client.update(pb::Customer { name: "Bob".to_owned(), ..ada.clone() }, &["name"]).await.unwrap();
    let (tenant, account) = (acme.tenant.clone(), acme.account.clone());
    world.server.stop().await;

    let spans = collector.trace(&trace(1));
    let (rpc, statements) = tree(&spans);
    assert_eq!((rpc.name.as_str(), rpc.parent.as_str()), ("clientele.v1.CustomerService/UpdateCustomer", CALLERS_SPAN));
    let expected = attributes(&[
        ("rpc.system.name", "grpc"),
        ("rpc.method", "clientele.v1.CustomerService/UpdateCustomer"),
        ("rpc.status_code", "OK"),
        ("clientele.tenant.id", &tenant),
        ("clientele.account.id", &account),
    ]);
    assert_eq!((&rpc.attributes, rpc.failed), (&expected, false));
    let names: Vec<_> = statements.iter().map(|statement| statement.name.as_str()).collect();
    assert_eq!(names, ["customers.load", "customers.save_fields"]);
    for statement in &statements {
        let expected = attributes(&[("db.system.name", "postgresql"), ("db.query.summary", &statement.name)]);
        assert_eq!((&statement.attributes, statement.failed), (&expected, false));
        assert!(statement.nanos > 0 && statement.nanos < rpc.nanos, "{statement:?} within {rpc:?}");
    }
    assert_eq!(rpc.resource["service.name"], "clientele");
    assert_eq!(rpc.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(rpc.resource["service.instance.id"].parse::<uuid::Uuid>().is_ok(), "{:?}", rpc.resource);
    let others: Vec<_> = collector.spans().into_iter().filter(|span| span.trace != trace(1)).collect();
    assert!(others.is_empty(), "traces that start here are not recorded: {others:#?}");
}

#[tokio::test]
async fn a_transaction_shows_each_of_its_statements() {
    let collector = Collector::start().await;
    let world = watched(&collector, 0.0).await;
    let admin = world.tenant("acme").await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    traced(&admin, &trace(1), "01").archive(&[&ada.id]).await.unwrap();
    world.server.stop().await;

    let spans = collector.trace(&trace(1));
    let names: Vec<_> = tree(&spans).1.iter().map(|statement| statement.name.as_str()).collect();
    assert_eq!(names, ["begin", "customers.lock_all", "customers.read_locked", "customers.save_archiving", "commit"]);
}

#[tokio::test]
async fn a_trace_that_starts_here_has_the_calls_span_as_root() {
    let collector = Collector::start().await;
    let world = watched(&collector, 1.0).await;
    let admin = world.tenant("acme").await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    let id = admin.events(&ada.id).await.unwrap()[0].trace_id.clone();
    world.server.stop().await;

    let spans = collector.trace(&id);
    let (rpc, statements) = tree(&spans);
    assert_eq!((rpc.name.as_str(), rpc.parent.as_str()), ("clientele.v1.CustomerService/CreateCustomer", ""));
    assert_eq!(statements.last().unwrap().name, "customers.create");
}

#[tokio::test]
async fn a_trace_that_its_caller_does_not_record_is_not_recorded_and_still_on_the_event() {
    let collector = Collector::start().await;
    let world = watched(&collector, 1.0).await;
    let admin = world.tenant("acme").await.admin;
    let ada = traced(&admin, &trace(1), "00").create(customer("Ada")).await.unwrap();
    let events = traced(&admin, &trace(2), "01").events(&ada.id).await.unwrap();
    assert_eq!(events[0].trace_id, trace(1));
    world.server.stop().await;

    assert!(collector.trace(&trace(1)).is_empty(), "{:#?}", collector.trace(&trace(1)));
    assert!(!collector.trace(&trace(2)).is_empty());
}

#[tokio::test]
async fn an_error_has_code_and_reason_and_is_a_failure_only_if_it_is_the_servers() {
    let collector = Collector::start().await;
    let world = watched(&collector, 0.0).await;
    let admin = world.tenant("acme").await.admin;
    let client = traced(&admin, &trace(1), "01");
    assert_refused(client.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    // An error that the client caused is not a failure of the server.
    let ada = admin.create(customer("Ada")).await.unwrap();
    let spoil = r#"update customers set profile = '"nonsense"'"#;
    sqlx::raw_sql(spoil).execute(&mut world.sql().await).await.unwrap();
    assert_refused(traced(&admin, &trace(2), "01").get(&ada.id).await, Code::Internal, "INTERNAL");
    world.server.stop().await;

    for (number, code, reason, failed) in
        [(1, "NOT_FOUND", "CUSTOMER_NOT_FOUND", false), (2, "INTERNAL", "INTERNAL", true)]
    {
        let spans = collector.trace(&trace(number));
        let (rpc, _) = tree(&spans);
        assert_eq!(rpc.attributes["rpc.status_code"], code);
        assert_eq!(rpc.attributes.get("error.type").map(String::as_str), failed.then_some(code));
        assert_eq!(rpc.attributes["clientele.error.reason"], reason);
        assert_eq!(rpc.failed, failed, "{rpc:?}");
    }
}

#[tokio::test]
async fn a_mutation_whose_caller_is_gone_continues_in_its_calls_trace() {
    let collector = Collector::start().await;
    let world = watched(&collector, 0.0).await;
    let admin = world.tenant("acme").await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();

    let client = traced(&admin, &trace(1), "01").over(world.channel());
    let id = ada.id.clone();
    let call = tokio::spawn(async move { client.archive(&[&id]).await });
    let waits = "select exists (select from pg_stat_activity
                 where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock')";
    until("the mutation waits for the row", async || {
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut world.sql().await).await.unwrap()
    })
    .await;
    call.abort();
    until("the call's own span arrives", async || {
        collector.trace(&trace(1)).iter().any(|span| span.kind == SpanKind::Server)
    })
    .await;
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    world.server.stop().await;

    let spans = collector.trace(&trace(1));
    let (rpc, statements) = tree(&spans);
    assert_eq!(rpc.attributes["rpc.status_code"], "CANCELLED");
    let names: Vec<_> = statements.iter().map(|statement| statement.name.as_str()).collect();
    assert_eq!(names.last(), Some(&"commit"), "{names:?}");
    assert!(statements.iter().all(|statement| !statement.failed), "{statements:?}");
}

#[tokio::test]
async fn a_failed_statement_has_postgresqls_code_and_not_its_message() {
    let collector = Collector::start().await;
    let world = watched(&collector, 0.0).await;
    let admin = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await.admin;
    admin.create(customer("Ada")).await.unwrap();
    let client = traced(&admin, &trace(1), "01");
    assert_refused(client.create(customer("Ada")).await, Code::AlreadyExists, "NAME_TAKEN");
    world.server.stop().await;

    let spans = collector.trace(&trace(1));
    let (_, statements) = tree(&spans);
    let failed: Vec<_> = statements.iter().filter(|statement| statement.failed).collect();
    let [create] = failed[..] else { panic!("{statements:#?}") };
    let expected = attributes(&[
        ("db.system.name", "postgresql"),
        ("db.query.summary", "customers.create"),
        ("db.response.status_code", "23505"),
        ("error.type", "23505"),
    ]);
    assert_eq!((create.name.as_str(), &create.attributes), ("customers.create", &expected));
}
