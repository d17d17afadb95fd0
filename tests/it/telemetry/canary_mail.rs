//! The sender of mails, over a mail server whose answers repeat addresses: its log, spans and metrics have no address and no token.

use std::fs::{self, File};

use serde_json::Value;
use tokio::process::Child;

use super::{
    canaries::{BIRD, canary, found},
    collector::Collector,
    scrape::scrape_at,
};
use crate::{
    invitations::{execute, invited, listed},
    mail::scripted::{Fate, Scripted},
    processes::{clientele, path},
    world::{AUDIENCE, ISSUER, OPERATOR, TestAccount, World, production, production_database, until},
};
use clientele::grpc::pb::InvitationState as State;

/// `clientele serve`, which mails over this port.
fn serve(world: &World, url: &str, smtp: u16, collector: &Collector, folder: &std::path::Path) -> Child {
    let sealing = folder.join("sealing.key");
    fs::write(&sealing, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
    let issuer = format!("{ISSUER},{AUDIENCE},{}", path(&world.keys.jwks()));
    let (operator, port) = (format!("{ISSUER} {OPERATOR}"), smtp.to_string());
    let mut serve = clientele(&["serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--log=debug"]);
    serve.args(["--log-format=json", "--issuer", &issuer, "--database-url", url, "--operator", &operator]);
    serve.args(["--sealing-key-file", path(&sealing), "--smtp-host=localhost", "--smtp-port", &port]);
    serve.args(["--smtp-security=none", "--mail-from=portal@firm.example"]);
    serve.args(["--invitation-url=https://portal.example/join#{token}", "--trace-sample-ratio=1"]);
    serve.args(["--otlp-endpoint", &collector.endpoint]);
    serve.stderr(File::create(folder.join("log")).unwrap()).spawn().unwrap()
}

/// The token in the link of a mail.
fn token_in(mail: &str) -> String {
    let text = mail.replace("=\r\n", "");
    let (_, after) = text.split_once("portal.example/join#").expect("a link");
    after.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}

async fn until_state(account: &TestAccount, invitation: &str, state: State) {
    until(&format!("it is {state:?}"), async || {
        let all = listed(&account.admin).await;
        all.iter().any(|listed| listed.invitation_id == invitation && listed.state() == state)
    })
    .await;
}

#[tokio::test]
async fn the_sender_logs_no_address_and_no_token_whatever_the_mail_server_answers() {
    let database = production_database().await;
    let url = production().await.url(database.get_database().unwrap());
    let world = World::start_with(database, |_| ()).await;
    let acme = world.tenant("acme").await;
    let (collector, folder) = (Collector::start().await, tempfile::tempdir().unwrap());
    let server = Scripted::start(Fate::Take).await;
    let mut process = serve(&world, &url, server.port, &collector, folder.path());
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    let address = |place: &str| format!("{}@{BIRD}.example", canary(place));

    let taken = invited(&acme, &address("taken")).await.invitation_id;
    until_state(&acme, &taken, State::Sent).await;
    // Each answer repeats the address, as mail servers do.
    server.set(Fate::Refuse("550 5.1.1 <kanarierefused@kanarie.example>: no such user"));
    let refused = invited(&acme, &address("refused")).await.invitation_id;
    until_state(&acme, &refused, State::Failed).await;
    server.set(Fate::Refuse("451 4.7.1 <kanarielater@kanarie.example>: greylisted"));
    let later = invited(&acme, &address("later")).await.invitation_id;
    until("it is tried again later", async || log().contains("it is tried again")).await;
    server.set(Fate::DropAfterData);
    execute(&world, "update invitations set next_attempt_at = now() where state = 'PENDING'").await;
    until("it arrived", async || server.arrived().len() == 2).await;
    server.set(Fate::Take);
    until("it is put back", async || log().matches("it is tried again").count() >= 2).await;
    execute(&world, "update invitations set next_attempt_at = now() where state = 'PENDING'").await;
    until_state(&acme, &later, State::Sent).await;

    let lines = log();
    let objects = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let address_of_metrics = objects
        .filter(|line| line["message"] == "serving metrics")
        .find_map(|line| line["address"].as_str().map(ToOwned::to_owned))
        .expect("the line with the address of the metrics");
    let metrics = scrape_at(address_of_metrics.parse().unwrap()).await.text;
    process.kill().await.unwrap();
    // The sources that are searched have what they should.
    for message in
        ["invitation sent", "invitation given up", "invitation not sent", "it answered 550", "it answered 451"]
    {
        assert!(log().contains(message), "{message}: {}", log());
    }
    assert!(metrics.contains("clientele_invitations_mails_total"), "{metrics}");
    assert!(server.arrived().iter().all(|mail| !found(mail).is_empty()), "the mails have the canaries");
    let tokens: Vec<String> = server.arrived().iter().map(|mail| token_in(mail)).collect();
    assert!(tokens.iter().all(|token| token.len() == 86), "{tokens:?}");
    for (where_, text) in [("the log", log()), ("spans", collector.everything()), ("metrics", metrics)] {
        assert_eq!(found(&text), Vec::<String>::new(), "{where_}");
        assert!(tokens.iter().all(|token| !text.contains(token)), "a token is in {where_}");
    }
    let mut sql = world.sql().await;
    let events: Vec<String> = sqlx::query_scalar("select e::text from events e").fetch_all(&mut sql).await.unwrap();
    assert!(events.iter().all(|event| found(event).is_empty()), "an event has an address");
}
