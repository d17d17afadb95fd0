//! `clientele dev`: its two processes and its folder, in every way of stopping it.

use std::{fs, net::TcpListener, os::unix::fs::chown, path::Path};

use clientele::{
    embedded::{Environment, binaries},
    grpc::pb::{self, customer_service_client::CustomerServiceClient},
};
use nix::{
    sys::signal::Signal,
    unistd::{Uid, User},
};

use crate::embedded::copy_program;
use crate::processes::{Dev, clientele, clientele_at, eventually, failure, path, processes_of, runs, temp_dir};

#[tokio::test]
async fn dev_reports_when_it_is_ready_and_accepts_its_own_tokens() {
    let temp_dir = temp_dir();
    let dev = Dev::start(&temp_dir.path().join("data")).await;

    assert!(!dev.log_text().contains("clientele::access"), "the demo's calls are not logged: {}", dev.log_text());
    let alice = dev.who_am_i("alice").await;
    eventually("a call of the test is logged", || dev.log_text().contains("clientele::access")).await;
    assert_eq!(alice.memberships.len(), 1);
    assert_eq!(alice.memberships[0].role(), pb::Role::Member);
    assert!(dev.who_am_i("operator").await.platform_operator);
    assert_eq!(dev.accounts().await.len(), 6);
    assert!(
        dev.log_text().contains("grpcurl -plaintext") && dev.log_text().contains(dev.url.trim_start_matches("http://"))
    );

    assert!(dev.log_text().contains("psql ") && dev.log_text().contains("  # "), "{}", dev.log_text());

    let log = dev.log.clone();
    dev.stop(Signal::SIGTERM).await;
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("\nstopping PostgreSQL\nstopped; the data stays in "), "{log}");
}

#[tokio::test]
async fn dev_keeps_its_data_over_a_restart() {
    let temp_dir = temp_dir();
    let data = temp_dir.path().join("data");
    let dev = Dev::start(&data).await;
    let mut client = CustomerServiceClient::new(dev.channel().await);
    let customer = Some(pb::Customer { name: "Ada".to_owned(), ..Default::default() });
    let message = pb::CreateCustomerRequest { customer, ..Default::default() };
    let created =
        client.create_customer(dev.request("alice", message).await).await.unwrap().into_inner().customer.unwrap();
    drop(client);
    dev.stop(Signal::SIGINT).await;

    let dev = Dev::start(&data).await;
    let mut client = CustomerServiceClient::new(dev.channel().await);
    let message = pb::GetCustomerRequest { customer_id: created.id.clone(), view: pb::CustomerView::Full.into() };
    let kept = client.get_customer(dev.request("alice", message).await).await.unwrap().into_inner().customer.unwrap();
    assert_eq!(kept, created, "even its etag: the sealing key is kept too");
    assert_eq!((dev.tenants().await.len(), dev.accounts().await.len()), (1, 6), "the demo data is made once");
    drop(client);
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn an_empty_dev_has_no_tenant() {
    let temp_dir = temp_dir();
    let dev = Dev::launch(&temp_dir.path().join("data"), clientele(&[]), &["--no-demo-data"]);
    let dev = dev.ready().await;
    assert_eq!(dev.tenants().await, []);
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_killed_dev_leaves_nothing_running() {
    let temp_dir = temp_dir();
    let mut dev = Dev::start(&temp_dir.path().join("data")).await;
    let postmaster = dev.postmaster();
    dev.signal(Signal::SIGKILL);
    dev.ended().await;
    eventually("PostgreSQL ends", || !runs(postmaster) && processes_of(&dev.data).is_empty()).await;
}

#[tokio::test]
async fn a_dev_that_is_stopped_while_it_starts_leaves_nothing_running() {
    let temp_dir = temp_dir();
    let mut dev = Dev::launch(&temp_dir.path().join("data"), clientele(&[]), &[]);
    let log = dev.log.clone();
    eventually("PostgreSQL is being started", || fs::read_to_string(&log).unwrap().contains("starting PostgreSQL"))
        .await;
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.ended().await.code(), Some(0), "{}", dev.log_text());
    eventually("PostgreSQL ends", || processes_of(&dev.data).is_empty()).await;
}

#[tokio::test]
async fn a_second_dev_on_a_folder_reports_the_first() {
    let temp_dir = temp_dir();
    let dev = Dev::start(&temp_dir.path().join("data")).await;
    let stderr = failure(clientele(&["dev", "--listen", "127.0.0.1:0", "--data-dir", path(&dev.data)])).await;
    assert!(stderr.contains(path(&dev.data)) && stderr.contains("--data-dir"), "{stderr}");
    assert!(stderr.contains(&format!("process {}", dev.child.id().unwrap())), "{stderr}");
    assert_eq!(dev.tenants().await.len(), 1, "the first one still runs");
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_port_in_use_is_named_before_anything_starts() {
    let temp_dir = temp_dir();
    let data = temp_dir.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _listener = TcpListener::bind(taken).unwrap();
    let stderr = failure(clientele(&["dev", "--listen", &taken.to_string(), "--data-dir", path(&data)])).await;
    assert!(stderr.contains(&format!("port {} is in use", taken.port())), "{stderr}");
    assert!(stderr.contains("--listen 127.0.0.1:0"), "{stderr}");
    assert!(!data.join("postgres").exists());
}

#[tokio::test]
async fn dev_runs_for_an_ordinary_user() {
    if !Uid::effective().is_root() {
        return; // then all other tests cover it
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let temp_dir = temp_dir();
    let (program, data) = (temp_dir.path().join("clientele"), temp_dir.path().join("data"));
    // The user `nobody` may not be able to enter the build folder.
    copy_program(Path::new(env!("CARGO_BIN_EXE_clientele")), &program);
    fs::create_dir(&data).unwrap();
    chown(&data, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    let mut command = clientele_at(&program, &[]);
    let bin = binaries(&Environment::read()).await.unwrap(); // the user `nobody` has no folder to download one into
    command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw()).current_dir(temp_dir.path());
    command.env("CLIENTELE_PG_BIN", bin);
    let dev = Dev::launch(&data, command, &[]).ready().await;
    assert_eq!(dev.accounts().await.len(), 6);
    dev.stop(Signal::SIGINT).await;
}
