//! docs/operations.md: runs the restore drill as printed, on a database in use; compares the alerts with the chart's.

use std::process::Command;

use clientele::{grpc::pb, store::migrations};
use tonic::Code;
use uuid::Uuid;

use crate::{
    rows::rows,
    world::{World, assert_refused, customer, full_customer, production, production_database, request_id},
};

const DOCUMENT: &str = include_str!("../../docs/operations.md");

/// The commands of the drill.
fn drill() -> &'static str {
    let (_, drill) = DOCUMENT.split_once("<!-- drill -->\n```sh\n").expect("the drill");
    drill.split_once("```").expect("its end").0
}

#[tokio::test]
async fn a_dump_restored_as_the_document_says_serves_the_same_data() {
    let cluster = production().await;
    if !cluster.bin().join("pg_dump").exists() {
        println!("SKIPPED: no pg_dump beside this PostgreSQL, so the restore drill is NOT run");
        return;
    }
    let from = production_database().await;
    let world = World::start_with(from.clone(), |_| ()).await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let create = pb::CreateCustomerRequest {
        customer: Some(full_customer("Zoë & Söhne")),
        request_id: request_id(),
        ..Default::default()
    };
    let made = acme.admin.customers().create_customer(create.clone()).await.unwrap().into_inner().customer.unwrap();
    acme.admin.tag(&[&made.id], &["vip"], &[]).await.unwrap();
    let migrated = acme.admin.create(customer("Migrated")).await.unwrap();
    acme.admin.migrate(&migrated.id).await.unwrap();
    let before = acme.admin.get(&made.id).await.unwrap();

    let name = format!("restored_{}", Uuid::new_v4().simple());
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}:/usr/bin:/bin", cluster.bin().display());
    let url = |database: &str| cluster.url(database);
    let done = Command::new("sh")
        .args(["-euc", drill()])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("FROM", url(from.get_database().unwrap()))
        .env("TO", url(&name))
        .env("ADMIN", url("postgres"))
        .env("NAME", &name)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let restored = cluster.options(&name);
    let current = migrations::migrate(&restored, || ()).await.unwrap();
    assert_eq!((current.version, current.applied), (migrations::newest(), 0));
    // Otherwise the same server: its issuer and its sealing key are configuration.
    let again = World::start_with(restored.clone(), |config| *config = world.keys.config(restored.clone())).await;
    let (mut was, mut is) = (rows(&world).await, rows(&again).await);
    assert_ne!(was.remove("feed_epoch"), is.remove("feed_epoch"), "a copy is another database");
    assert_eq!(was, is);
    let admin = acme.admin.over(again.channel());
    assert_eq!(admin.get(&made.id).await.unwrap(), before, "with the same etag, because the sealing key is the same");
    let replayed = admin.customers().create_customer(create).await.unwrap().into_inner();
    assert!(replayed.replayed);
    let query = pb::SearchCustomersRequest { query: "sohne".to_owned(), ..Default::default() };
    assert_eq!(admin.customers().search_customers(query).await.unwrap().into_inner().results.len(), 1);
    // The service continues: unique values stay unique, and new customers can be created.
    let twin = admin.create(customer("ZOË & söhne")).await;
    assert_refused(twin, Code::AlreadyExists, "NAME_TAKEN");
    admin.create(customer("New")).await.unwrap();
}

#[test]
fn every_alert_of_the_chart_has_a_section() {
    let rules = include_str!("../../helm/clientele/alerts.yaml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 5, "{alerts:?}");
    let parts: Vec<&str> = DOCUMENT.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(parts, alerts, "docs/operations.md has a section for each alert, in the order of the rules");
    for alert in alerts {
        assert!(rules.contains(&format!("operations.md#{}\n", alert.to_lowercase())), "{alert} links to its section");
    }
}
