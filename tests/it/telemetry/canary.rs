//! Nothing of a customer, and nothing of who calls, is in logs, spans, metrics, messages of errors, or PostgreSQL's own log.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{
    canaries::{NUMBERS, PLANTED, Planting, canary, customer, found, told, trace},
    collector::Collector,
    scrape::scrape_at,
};
use crate::{
    processes::{Dev, clientele, eventually, room, token},
    world::{Client, assert_refused, unknown_id},
};

/// Dev's own PostgreSQL, for its superuser, of whose own statements it logs none.
async fn sql(dev: &Dev) -> PgConnection {
    let socket = fs::read_to_string(dev.data.join("postgres/postmaster.pid")).unwrap();
    let socket = socket.lines().nth(4).expect("the socket's folder");
    let quiet = [("log_statement", "none"), ("log_min_duration_statement", "-1"), ("log_min_error_statement", "panic")];
    PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .username("clientele")
        .database("clientele")
        .options(quiet)
        .connect()
        .await
        .unwrap()
}

/// What the log would show by PostgreSQL's defaults: the values of a statement, and the keys that an error names.
async fn as_by_default(dev: &Dev) -> String {
    let mut sql = sql(dev).await;
    let usual = "set log_error_verbosity = 'default'; set log_parameter_max_length = -1; set log_statement = 'all'";
    sqlx::raw_sql(usual).execute(&mut sql).await.unwrap();
    let again = "insert into customers select * from customers where name = $1";
    sqlx::query(again).bind(canary("name")).execute(&mut sql).await.expect_err("it is there already");
    postgresqls_log(dev)
}

fn postgresqls_log(dev: &Dev) -> String {
    String::from_utf8_lossy(&fs::read(dev.data.join("postgres.log")).unwrap()).into_owned()
}

fn objects(dev: &Dev) -> Vec<Value> {
    let said = dev.said();
    said.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Everything that the database holds, as text.
async fn stored(dev: &Dev) -> String {
    let mut sql = sql(dev).await;
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&mut sql)
        .await
        .unwrap();
    let mut text = String::new();
    for table in tables {
        let all = sqlx::AssertSqlSafe(format!("select coalesce(string_agg(t::text, ''), '') from {table} t"));
        text += &sqlx::query_scalar::<_, String>(all).fetch_one(&mut sql).await.unwrap();
    }
    text.to_lowercase()
}

/// What goes wrong inside: a constraint that names no reason, and a row that cannot be read.
async fn faults(dev: &Dev, admin: &Client) {
    let mut sql = sql(dev).await;
    let never = format!("alter table customers add check (name <> '{}')", canary("never"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(never)).execute(&mut sql).await.unwrap();
    let mut never = customer();
    never.name = canary("never");
    never.order_reference.clear();
    never.custom_ids.clear();
    let never = admin.create(never).await;
    let never = assert_refused(never, Code::Internal, "INTERNAL");
    assert_eq!(found(&told(&never)), Vec::<String>::new());

    let id: uuid::Uuid = sqlx::query_scalar("select id from customers limit 1").fetch_one(&mut sql).await.unwrap();
    let spoil = format!("update customers set profile = '\"{}\"'", canary("spoilt"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(spoil)).execute(&mut sql).await.unwrap();
    let spoilt = assert_refused(admin.get(&id.to_string()).await, Code::Internal, "INTERNAL");
    assert_eq!(found(&told(&spoilt)), Vec::<String>::new());
}

#[tokio::test]
async fn no_canary_sings_in_what_the_service_tells() {
    let collector = Collector::start().await;
    let room = room();
    let more = [
        "--no-demo-data",
        "--log",
        "debug",
        "--log-format",
        "json",
        "--metrics-listen",
        "127.0.0.1:0",
        "--trace-sample-ratio",
        "1",
        "--otlp-endpoint",
        &collector.endpoint,
    ];
    let dev = Dev::launch(&room.path().join("data"), clientele(&[]), &more).ready().await;
    let serving = "serving metrics";
    let metrics = objects(&dev).into_iter().find(|line| line["message"] == serving).expect("the address of metrics");
    let metrics = metrics["address"].as_str().unwrap().parse().unwrap();
    // PostgreSQL logs every statement, as an operator in need would have it.
    let mut postgresql = sql(&dev).await;
    for set in [
        "alter system set log_statement = 'all'",
        "alter system set log_min_duration_statement = 0",
        "select pg_reload_conf()",
    ] {
        sqlx::raw_sql(set).execute(&mut postgresql).await.unwrap();
    }
    eventually("it does", || postgresqls_log(&dev).contains("log_statement")).await;

    let channel = dev.channel().await;
    let planting = Planting::of(channel.clone(), async |subject: &str| token(&dev.data, subject).await).await;
    // They are there, where they belong: in the database.
    let kept = stored(&dev).await;
    let missing: Vec<_> = PLANTED.iter().map(|place| canary(place)).filter(|canary| !kept.contains(canary)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(NUMBERS.iter().all(|number| kept.contains(number)), "{kept}");

    let admin = token(&dev.data, &canary("admin")).await.trim().to_owned();
    let admin = Client { channel, token: Some(admin), account: None, tenant: None, customer: None, traceparent: None };
    faults(&dev, &admin).await;
    assert_refused(admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let told_metrics = scrape_at(metrics).await.text;
    eventually("all calls' lines are there", || {
        let lines = objects(&dev);
        (1..=planting.calls()).all(|call| lines.iter().any(|line| line["trace_id"] == trace(call)))
    })
    .await;
    eventually("all calls' spans are there", || {
        let spans = collector.spans();
        (1..=planting.calls()).all(|call| spans.iter().any(|span| span.trace == trace(call)))
    })
    .await;
    let statements = postgresqls_log(&dev);
    assert!(!found(&as_by_default(&dev).await).is_empty(), "what would be there is found");
    dev.signal(Signal::SIGTERM);
    let mut dev = dev;
    assert_eq!(dev.ended().await.code(), Some(0));

    // What was heard is what there was to hear.
    let lines = objects(&dev);
    assert!(lines.iter().any(|line| line["level"] == "DEBUG"), "debug is logged");
    assert!(
        lines.iter().any(|line| line["cause"].as_str().is_some_and(|cause| cause.contains("_check"))),
        "causes are"
    );
    assert!(collector.spans().iter().any(|span| span.name == "customers.create" && span.failed), "failures are traced");
    assert!(told_metrics.contains("db_query_summary=\"customers.create\""), "{told_metrics}");
    assert!(statements.contains("insert into customers"), "PostgreSQL logs statements");
    assert!(statements.contains("customers_name_key"), "and errors");
    for (where_, text) in [
        ("the log", dev.said()),
        ("spans", collector.everything()),
        ("metrics", told_metrics),
        ("PostgreSQL's log", statements),
    ] {
        assert_eq!(found(&text), Vec::<String>::new(), "{where_}");
        assert!(!text.contains("eyJ"), "a token is in {where_}");
    }
    for status in &planting.errors {
        // Free names are near the one that the caller asked for: the contract's own exception.
        if status.get_details_error_info().is_none_or(|info| info.reason != "NAME_TAKEN") {
            assert_eq!(found(&told(status)), Vec::<String>::new(), "{status:?}");
        }
    }
}
