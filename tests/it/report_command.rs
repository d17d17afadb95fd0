//! `clientele report billing`.

use std::{fs, path::Path, process::Stdio, time::Duration};

use clientele::grpc::pb;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpListener,
    process::Command,
};

use crate::{
    billing_report::{Reporting, rows},
    custom_ids::with_custom_ids,
    processes::{clientele, failure, output, path, temp_dir},
    world::{TestAccount, World, customer, database},
};

/// A server, an account with customers, and a folder with the file of a token.
async fn started() -> (World, TestAccount, TempDir) {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let email = pb::Customer { billing_email: "a@b.example".to_owned(), ..customer("Ada, \"the first\"") };
    acme.admin.create(email).await.unwrap();
    acme.admin.create(with_custom_ids("Bob", &[("erp", "7")])).await.unwrap();
    let archived = acme.child("north").await.admin.create(customer("Zoë")).await.unwrap().id;
    acme.admin.archive(&[&archived]).await.unwrap();
    let folder = with_token(&acme);
    (world, acme, folder)
}

fn with_token(account: &TestAccount) -> TempDir {
    let folder = temp_dir();
    fs::write(folder.path().join("token"), format!("{}\n", account.admin.token.as_ref().unwrap())).unwrap();
    folder
}

fn billing(address: &str, folder: &Path, more: &[&str]) -> Command {
    let token = folder.join("token");
    let first = ["report", "billing", "--address", address, "--token-file", path(&token)];
    clientele(&[&first, more].concat())
}

async fn printed(command: Command) -> String {
    let done = output(command).await;
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn a_report_is_written_as_csv_or_json_with_the_columns_that_are_asked_for() {
    let (world, acme, folder) = started().await;
    let address = world.server.address().to_string();
    let report = |more: &[&str]| {
        let account = ["--account", acme.account.as_str(), "--include-descendants"];
        printed(billing(&address, folder.path(), &[&account, more].concat()))
    };
    let expected = rows(&acme.admin, &Reporting { include_descendants: true, ..Default::default() }).await.unwrap();
    let csv = report(&[]).await;
    let lines: Vec<&str> = csv.lines().collect();
    let names = "customer_id,account_id,name,custom_ids,status,archived_at,billing_email,currency,rate_plan_id,rate_plan_name,\
                 rate_plan_currency,features,total,credit_limit,credit_available";
    assert_eq!(lines[0], names);
    assert_eq!(lines.len(), 4);
    assert!(lines[1].contains(r#","Ada, ""the first""",{},ACTIVE,,a@b.example,"#), "{csv}");
    assert!(lines[2].contains(r#",Bob,"{""erp"":""7""}",ACTIVE,,,"#), "{csv}");
    let json = report(&["--format", "ndjson"]).await;
    for (line, row) in json.lines().zip(&expected) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["customer_id"], row.customer_id);
        assert_eq!((line["name"].as_str().unwrap(), line["custom_ids"].is_object()), (row.name.as_str(), true));
        assert_eq!(line["archived_at"].is_null(), row.archived_at.is_none());
    }
    let file = folder.path().join("report.csv");
    let quiet = report(&["--columns", "name,customer_id", "--output", path(&file)]).await;
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!((quiet.as_str(), written.lines().next()), ("", Some("name,customer_id")));
    assert_eq!(written.lines().last().unwrap(), format!("Zoë,{}", expected[2].customer_id));
    let rest = report(&["--columns", "name", "--after", &expected[1].customer_id]).await;
    assert_eq!(rest, "Zoë\n", "the rest of a file has no second line of names");
}

#[tokio::test]
async fn what_cannot_be_reported_is_a_failure_and_says_why() {
    let (world, acme, folder) = started().await;
    let address = world.server.address().to_string();
    let unknown = failure(billing(&address, folder.path(), &["--columns", "name,unheard_of"])).await;
    assert!(unknown.contains("no column unheard_of") && unknown.contains("billing_email"), "{unknown}");
    let after = ["--account", acme.account.as_str(), "--after", "7"];
    let refused = failure(billing(&address, folder.path(), &after)).await;
    assert!(refused.contains("InvalidArgument") && refused.contains("after_id"), "{refused}");
    let nowhere = folder.path().join("none/report.csv");
    let nowhere = failure(billing(&address, folder.path(), &["--output", path(&nowhere)])).await;
    assert!(nowhere.contains("--output"), "{nowhere}");
    fs::remove_file(folder.path().join("token")).unwrap();
    let tokenless = failure(billing(&address, folder.path(), &[])).await;
    assert!(tokenless.contains("--token-file"), "{tokenless}");
}

#[tokio::test]
async fn a_report_goes_on_with_the_next_server_without_a_gap_or_a_double() {
    // A port that nobody else has meanwhile.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let listening = |config: &mut clientele::config::Config| {
        config.listen = address;
        config.limits.drain_timeout = Duration::from_secs(2);
    };
    let world = World::start_with(database().await, listening).await;
    let acme = world.tenant("acme").await;
    let first = acme.admin.create(pb::Customer { name: "n".repeat(120), ..customer("") }).await.unwrap();
    let mut ids = world.copies(&first.id, 19_999).await;
    ids.push(first.id);
    ids.sort();
    let folder = with_token(&acme);
    let mut command = billing(&address.to_string(), folder.path(), &["--account", &acme.account]);
    let mut report = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(report.stdout.take().unwrap());
    let (mut text, mut said) = (String::new(), String::new());
    out.read_line(&mut text).await.unwrap();
    // Nobody reads on: it is in the middle of the report.
    let (database, keys) = (world.database.clone(), world.keys.clone());
    world.server.stop().await;
    let next = World::start_with(database, |config| {
        listening(config);
        config.identity.issuers[0].jwks = clientele::config::Jwks::File(keys.jwks());
    })
    .await;
    out.read_to_string(&mut text).await.unwrap();
    report.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert!(report.wait().await.unwrap().success(), "{said}");
    let seen: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(seen, ids);
    assert!(said.contains("interrupted") && said.contains("the rows that follow are as of"), "{said}");
    drop(next);
}
