//! Metrics, as Prometheus reads them.

use std::{collections::BTreeMap, net::SocketAddr};

use http::uri::PathAndQuery;
use tonic::{Code, Request, client::Grpc};
use tonic_prost::ProstCodec;
use uuid::Uuid;

use super::scrape::{Scrape, get, scrape};
use crate::world::{Client, World, assert_refused, customer, database, unknown_id, until};
use crate::{pki::Authority, tls::Files};
use clientele::{grpc::pb, server};

async fn measured() -> World {
    let world = World::start_with(database().await, |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    // The last statement that a server sends by itself.
    let asked = [("db_query_summary", "server_log.indiscreet")];
    let count = "db_client_operation_duration_seconds_count";
    until("it is ready", async || scrape(&world).await.value(count, &asked) > 0.0).await;
    world
}

fn port(world: &World) -> SocketAddr {
    world.server.metrics_address().unwrap()
}

/// The calls of a tenant: successes, refusals, a database error.
async fn a_day(world: &World, name: &str) {
    let admin = world.tenant_with(name, pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    assert_refused(admin.create(customer("Ada")).await, Code::AlreadyExists, "NAME_TAKEN");
    assert_refused(admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    admin.get(&ada.id).await.unwrap();
    admin.archive(&[&ada.id]).await.unwrap();
    call(&admin, "/clientele.v1.CustomerService/NoSuchRpc").await;
    call(&admin, &format!("/{name}.Service/{}", Uuid::new_v4().simple())).await;
    call(&admin, "/grpc.health.v1.Health/NoSuchRpc").await;
}

/// Calls any path.
async fn call(client: &Client, path: &str) {
    let mut grpc = Grpc::new(client.intercepted());
    grpc.ready().await.unwrap();
    let path: PathAndQuery = path.parse().unwrap();
    let answer = grpc.unary::<(), (), _>(Request::new(()), path, ProstCodec::default()).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
}

/// The rows of the table in docs/telemetry.md: name, type and labels.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let (_, metrics) = include_str!("../../../docs/telemetry.md").split_once("\n## Metrics\n").expect("the section");
    let (metrics, _) = metrics.split_once("\n## ").expect("the end of the section");
    let rows = metrics.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, meaning] = cells[..] else { return None };
        assert!(meaning.len() > 10, "{row}");
        let labels =
            labels.split(", ").filter_map(|label| Some(label.strip_prefix('`')?.strip_suffix('`')?.to_owned()));
        Some((name.strip_suffix('`')?.to_owned(), (kind.to_owned(), labels.collect())))
    });
    rows.collect()
}

fn labels(scrape: &Scrape) -> BTreeMap<String, (String, Vec<String>)> {
    let mut found: BTreeMap<_, _> =
        scrape.types.iter().map(|(name, kind)| (name.clone(), (kind.clone(), Vec::<String>::new()))).collect();
    for sample in &scrape.samples {
        let known = &mut found.get_mut(&scrape.family(sample)).unwrap_or_else(|| panic!("{sample:?} has no type")).1;
        known.extend(sample.labels.keys().filter(|key| *key != "le").cloned());
        known.sort();
        known.dedup();
    }
    found
}

#[tokio::test]
async fn the_metrics_are_those_of_the_document() {
    let world = measured().await;
    a_day(&world, "acme").await;
    let mut metrics = labels(&scrape(&world).await);
    let authority = Authority::new();
    let encrypted = Files::of(&authority, &authority.server()).served();
    let encrypted = World::start_with(database().await, |config| {
        encrypted(config);
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let of_certificates =
        labels(&scrape(&encrypted).await).into_iter().filter(|(name, _)| name.starts_with("clientele_tls_"));
    metrics.extend(of_certificates);
    let mut documented = documented();
    for (_, labels) in documented.values_mut() {
        labels.sort();
    }
    assert_eq!(metrics, documented, "docs/telemetry.md");
}

#[tokio::test]
async fn more_tenants_customers_and_unknown_paths_add_no_series() {
    let world = measured().await;
    a_day(&world, "acme").await;
    let before = scrape(&world).await;
    a_day(&world, "globex").await;
    a_day(&world, "initech").await;
    let after = scrape(&world).await;
    assert_eq!(after.series(), before.series());
    for sample in &after.samples {
        for (key, value) in &sample.labels {
            let id = value.parse::<Uuid>().is_ok();
            assert_eq!(id, key == "service_instance_id", "{sample:?}");
        }
    }
    let methods = after.samples.iter().filter_map(|sample| sample.labels.get("rpc_method"));
    let unknown =
        |method: &&String| !clientele::domain::requests::contract::RPCS.iter().any(|rpc| rpc.name() == method.as_str());
    let mut others: Vec<_> = methods.filter(unknown).collect();
    others.sort();
    others.dedup();
    assert_eq!(others, ["_OTHER", "grpc.health.v1"]);
    let other = [("rpc_method", "_OTHER"), ("rpc_status_code", "UNIMPLEMENTED")];
    assert!((after.value("rpc_server_call_duration_seconds_count", &other) - 6.0).abs() < 0.1);
}

#[tokio::test]
async fn calls_and_statements_are_counted_and_measured_to_the_millisecond() {
    let world = measured().await;
    let admin = world.tenant("acme").await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    for _ in 0..7 {
        admin.get(&ada.id).await.unwrap();
    }
    assert_refused(admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let metrics = scrape(&world).await;
    let get = |code| {
        [
            ("rpc_system_name", "grpc"),
            ("rpc_method", "clientele.v1.CustomerService/GetCustomer"),
            ("rpc_status_code", code),
        ]
    };
    let load = [("db_system_name", "postgresql"), ("db_query_summary", "customers.get")];
    for (name, labels, count) in [
        ("rpc_server_call_duration_seconds", &get("OK")[..], 7.0),
        ("rpc_server_call_duration_seconds", &get("NOT_FOUND"), 1.0),
        ("db_client_operation_duration_seconds", &load, 8.0),
    ] {
        let value = |part: &str| metrics.value(&format!("{name}_{part}"), labels);
        assert!((value("count") - count).abs() < 0.1, "{name} {labels:?}: {}", value("count"));
        assert!(value("sum") > 0.0 && value("sum") < 60.0 * count, "{name}: {}", value("sum"));
        for bound in ["0.0005", "0.001", "0.002", "0.003", "10", "+Inf"] {
            let bucket: Vec<_> = labels.iter().copied().chain([("le", bound)]).collect();
            let found = metrics.samples.iter().any(|sample| {
                sample.name == format!("{name}_bucket")
                    && bucket.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|its| its == value))
            });
            assert!(found, "{name} has no bucket of {bound} s");
        }
    }
    let remembered = metrics.value("clientele_token_cache_requests_total", &[("result", "hit")]);
    assert!(remembered > 6.0, "{remembered}");
}

#[tokio::test]
async fn a_mutation_whose_caller_is_gone_is_in_flight_until_its_end() {
    let world = measured().await;
    let admin = world.tenant("acme").await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();
    let in_flight = async |calls: f64, mutations: f64| {
        let metrics = scrape(&world).await;
        let now = |name: &str| metrics.value(&format!("clientele_{name}_in_flight"), &[]);
        let used = metrics.value("db_client_connection_count", &[("db_client_connection_state", "used")]);
        (now("calls") - calls).abs() < 0.1
            && (now("mutations") - mutations).abs() < 0.1
            && (used - mutations).abs() < 0.1
    };
    let (client, id) = (admin.over(world.channel()), ada.id.clone());
    let call = tokio::spawn(async move { client.archive(&[&id]).await });
    until("call and mutation are in flight", || in_flight(1.0, 1.0)).await;
    call.abort();
    until("only the mutation is in flight", || in_flight(0.0, 1.0)).await;
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    until("it has ended", || in_flight(0.0, 0.0)).await;
}

#[tokio::test]
async fn the_port_has_metrics_and_nothing_else() {
    let world = measured().await;
    for (method, path, status) in
        [("GET", "/", "404"), ("GET", "/metrics/", "404"), ("POST", "/metrics", "405"), ("HEAD", "/metrics", "200")]
    {
        let (head, body) = get(port(&world), method, path).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
        assert!(body.is_empty(), "{method} {path}: {body}");
    }
    let mut same = world.keys.config(world.database.clone());
    same.telemetry.metrics_listen = Some(port(&world));
    let Err(refused) = server::start(same).await else { panic!("two servers on one port") };
    let refused = refused.to_string();
    assert!(refused.contains(&port(&world).to_string()) && refused.contains("--metrics-listen"), "{refused}");
    let elsewhere = World::start().await;
    assert_eq!(elsewhere.server.metrics_address(), None, "no port without the setting");
}
