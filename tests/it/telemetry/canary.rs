//! Logs, spans, metrics, error messages and PostgreSQL's own log contain no data of customers or callers, except for the caller's
//! principal in the access line of a call that did not end as OK.

use std::fs;

use clientele::{
    domain::fields::field::Field,
    grpc::{DESCRIPTORS, pb},
};
use nix::sys::signal::Signal;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use strum::VariantArray as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{
    canaries::{CARDS, NUMBERS, PLANTED, Planting, canary, customer, error_text, found, trace},
    collector::Collector,
    scrape::scrape_at,
};
use crate::{
    processes::{Dev, clientele, eventually, temp_dir, token},
    world::{Client, assert_refused, unknown_id},
};

/// A connection to dev's PostgreSQL as superuser; its statements are not logged.
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

/// The part of the log with PostgreSQL's default settings: values of a statement, and keys in an error.
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
    let log = dev.log_text();
    log.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The log without the principals of access lines: the line of a call that did not end as OK names its caller.
fn without_callers(log: &str) -> String {
    let line = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(mut line)) => {
            if line.get("target").is_some_and(|target| target == "clientele::access" && line["code"] != "OK") {
                line.remove("principal");
            }
            Value::Object(line).to_string()
        }
        _ => line.to_owned(),
    };
    log.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The token in the link that dev prints instead of a mail.
fn printed_token(log: &str) -> String {
    let line = log.lines().find(|line| line.starts_with("invitation ")).expect("dev prints the link");
    line.rsplit('#').next().unwrap().to_owned()
}

/// All data in the database, as text.
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

/// Internal errors: a constraint without a reason, and a row that cannot be read.
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
    assert_eq!(found(&error_text(&never)), Vec::<String>::new());

    let id: uuid::Uuid = sqlx::query_scalar("select id from customers limit 1").fetch_one(&mut sql).await.unwrap();
    let spoil = format!("update customers set profile = '\"{}\"'", canary("spoilt"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(spoil)).execute(&mut sql).await.unwrap();
    let spoilt = assert_refused(admin.get(&id.to_string()).await, Code::Internal, "INTERNAL");
    assert_eq!(found(&error_text(&spoilt)), Vec::<String>::new());
}

#[test]
fn every_field_of_personal_data_has_a_canary() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let descriptor = pool.get_message_by_name("clientele.v1.Customer").unwrap();
    let customer = DynamicMessage::decode(descriptor, customer().encode_to_vec().as_slice()).unwrap();
    // A language tag has no room for one, and the others are codes of a table.
    let codes = [Field::Language, Field::Currency, Field::Industry];
    let personal = Field::VARIANTS.iter().filter(|field| field.spec().personal && !codes.contains(field));
    for field in personal {
        let value = format!("{:?}", customer.get_field_by_name(field.name()).unwrap());
        assert!(!found(&value).is_empty(), "{field:?}: give it a canary in canaries::customer()");
    }
}

#[tokio::test]
async fn no_canary_is_in_logs_spans_metrics_or_errors() {
    let collector = Collector::start().await;
    let temp_dir = temp_dir();
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
    let dev = Dev::launch(&temp_dir.path().join("data"), clientele(&[]), &more).ready().await;
    let message = "serving metrics";
    let metrics = objects(&dev)
        .into_iter()
        .find(|line| line["message"] == message)
        .expect("the line with the address of the metrics");
    let metrics = metrics["address"].as_str().unwrap().parse().unwrap();
    // PostgreSQL logs every statement, as an operator might set it to find a problem.
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
    // The canaries are in the database, where they belong.
    let kept = stored(&dev).await;
    let missing: Vec<_> = PLANTED.iter().map(|place| canary(place)).filter(|canary| !kept.contains(canary)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(NUMBERS.iter().all(|number| kept.contains(number)), "{kept}");
    assert!(CARDS.iter().all(|number| !kept.contains(number)), "a card number is stored");

    let admin = token(&dev.data, &canary("admin")).await.trim().to_owned();
    let admin = Client { channel, token: Some(admin), account: None, tenant: None, customer: None, traceparent: None };
    faults(&dev, &admin).await;
    assert_refused(admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    // The token of an invitation is on dev's terminal, and nowhere else: neither when it is right nor when it is refused.
    eventually("the link is printed", || dev.log_text().contains("invitation ")).await;
    let invitation = printed_token(&dev.log_text());
    let accept = pb::AcceptInvitationRequest { token: invitation.clone(), ..Default::default() };
    let unverified = admin.access().accept_invitation(accept).await;
    let unverified = assert_refused(unverified, Code::PermissionDenied, "INVITATION_EMAIL_UNVERIFIED");
    assert!(!error_text(&unverified).contains(&invitation));
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
    assert!(!found(&as_by_default(&dev).await).is_empty(), "the check finds canaries in a default log");
    dev.signal(Signal::SIGTERM);
    let mut dev = dev;
    assert_eq!(dev.ended().await.code(), Some(0));

    // The sources that were searched are complete.
    let lines = objects(&dev);
    assert!(lines.iter().any(|line| line["level"] == "DEBUG"), "debug is logged");
    assert!(
        lines.iter().any(|line| line["cause"].as_str().is_some_and(|cause| cause.contains("_check"))),
        "causes are logged"
    );
    assert!(collector.spans().iter().any(|span| span.name == "customers.create" && span.failed), "failures are traced");
    assert!(told_metrics.contains("db_query_summary=\"customers.create\""), "{told_metrics}");
    assert!(statements.contains("insert into customers"), "PostgreSQL logs statements");
    assert!(statements.contains("customers_name_key"), "and errors");
    for (where_, text) in [
        ("the log", without_callers(&dev.log_text())),
        ("spans", collector.everything()),
        ("metrics", told_metrics),
        ("PostgreSQL's log", statements),
    ] {
        assert_eq!(found(&text), Vec::<String>::new(), "{where_}");
        assert!(!text.contains("eyJ"), "a token is in {where_}");
        let others = text.lines().filter(|line| !line.starts_with("invitation "));
        assert!(others.into_iter().all(|line| !line.contains(&invitation)), "an invitation's token is in {where_}");
    }
    for status in &planting.errors {
        // Suggested names are similar to the requested one: this is the contract's own exception.
        if status.get_details_error_info().is_none_or(|info| info.reason != "NAME_TAKEN") {
            assert_eq!(found(&error_text(status)), Vec::<String>::new(), "{status:?}");
        }
    }
}
