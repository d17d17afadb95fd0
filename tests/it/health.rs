//! `clientele health`: its output, and how it finds the server.

use std::{fs, path::Path, process::Stdio};

use clientele::config::{Config, Reloadable, Tls};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use crate::{
    pki::{Authority, Pair},
    processes::{BOUND, clientele, failure, output, path, temp_dir, token},
    world::{World, database, until},
};

/// The command's answer once the server has checked its schema.
async fn serving(arguments: &[&str]) {
    until("it is ready", async || {
        let answer = output(clientele(arguments)).await;
        let stderr = String::from_utf8(answer.stderr).unwrap();
        if stderr.starts_with("clientele: readiness is NOT_SERVING") {
            return false;
        }
        assert_eq!(String::from_utf8(answer.stdout).unwrap(), "SERVING\n", "{arguments:?}: {stderr}");
        answer.status.success()
    })
    .await;
}

#[tokio::test]
async fn a_server_is_found_by_its_settings_or_by_its_address() {
    let world = World::start().await;
    let address = world.server.address().to_string();
    let everywhere = format!("0.0.0.0:{}", world.server.address().port());
    for arguments in [
        &["health", "--address", &address][..],
        &["health", "readiness", "--address", &address],
        &["health", "liveness", "--listen", &address],
        &["health", "--listen", &everywhere],
    ] {
        serving(arguments).await;
    }
}

#[tokio::test]
async fn a_server_without_a_database_lives_and_is_not_ready() {
    let temp_dir = temp_dir();
    token(temp_dir.path(), "operator").await;
    let issuer = format!("clientele-dev,clientele,{}", path(&temp_dir.path().join("dev-jwks.json")));
    let key = temp_dir.path().join("sealing.key");
    let mut server = clientele(&["serve", "--listen=127.0.0.1:0", "--database-url=postgres://127.0.0.1:1/nowhere"]);
    server.args(["--issuer", &issuer, "--sealing-key-file", path(&key)]).stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let address = loop {
        let line = timeout(BOUND, lines.next_line()).await.expect("it starts").unwrap().expect("it runs");
        if let Some(address) = line.strip_prefix("listening on ") {
            break address.to_owned();
        }
    };
    serving(&["health", "liveness", "--address", &address]).await;
    let stderr = failure(clientele(&["health", "--address", &address])).await;
    assert_eq!(stderr, "clientele: readiness is NOT_SERVING: DATABASE_UNAVAILABLE\n");
    server.kill().await.unwrap();
    let stderr = failure(clientele(&["health", "--address", &address])).await;
    assert!(stderr.to_lowercase().contains("connection refused"), "{stderr}");
}

#[tokio::test]
async fn over_tls_only_the_servers_own_certificate_is_accepted() {
    let authority = Authority::new();
    let held = |pair: &Pair, name: &str| {
        let [certificate, key] = ["crt", "key"].map(|ending| authority.path(&format!("{name}.{ending}")));
        fs::write(&certificate, &pair.certificate).unwrap();
        fs::write(&key, &pair.key).unwrap();
        (certificate, key)
    };
    let (certificate, key) = held(&authority.server(), "tls");
    let (files, read) = ((certificate.clone(), key.clone()), move || Tls::read(&certificate, &key, None));
    let tls = Reloadable::from_files(Vec::new(), read).unwrap();
    let world = World::start_with(database().await, |config: &mut Config| config.tls = Some(tls)).await;
    let address = world.server.address().to_string();

    let asked = |certificate: &Path, key: &Path| {
        let [certificate, key] = [certificate, key].map(|file| path(file).to_owned());
        [
            "health".to_owned(),
            format!("--listen={address}"),
            format!("--tls-cert-file={certificate}"),
            format!("--tls-key-file={key}"),
        ]
    };
    let own = asked(&files.0, &files.1);
    serving(&own.each_ref().map(String::as_str)).await;

    let (certificate, key) = held(&authority.server(), "other");
    let other = asked(&certificate, &key);
    let stderr = failure(clientele(&other.each_ref().map(String::as_str))).await;
    assert!(stderr.contains("certificate"), "{stderr}");
    failure(clientele(&["health", "--address", &address])).await;
}
