//! `clientele token`, `migrate` and `serve`: their output and their errors.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Stdio};

use clientele::{
    embedded::{Cluster, ClusterLocation, ClusterSettings, Durability},
    grpc::pb::{self, account_service_client::AccountServiceClient},
    store::migrations,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::ChildStderr,
    time::timeout,
};

use crate::processes::{BOUND, channel, clientele, failure, output, path, request, temp_dir, token};

#[tokio::test]
async fn token_prints_a_token_and_nothing_else() {
    let temp_dir = temp_dir();
    let data = temp_dir.path().join("not/there/yet");
    let token = token(&data, "alice").await;
    assert_eq!((token.lines().count(), token.trim().split('.').count()), (1, 3), "{token}");
    assert_eq!(fs::metadata(data.join("dev-key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn serve_reports_every_problem_and_no_secret() {
    let temp_dir = temp_dir();
    let key = temp_dir.path().join("key");
    fs::write(&key, "a password of 32 characters, not a key").unwrap();
    let stderr = failure(clientele(&[
        "serve",
        "--listen=nowhere",
        "--database-url=postgres://me:hunter2@db:port/clientele",
        "--pool-size=many",
        "--lock-timeout=5",
        "--issuer=https://id.example,clientele,/no/such/jwks.json",
        "--operator=nobody",
        "--sealing-key-file",
        path(&key),
        "--deadline=20s",
        "--drain-timeout=5s",
    ]))
    .await;
    let options = [
        "listen",
        "database-url",
        "pool-size",
        "lock-timeout",
        "issuer",
        "operator",
        "sealing-key-file",
        "drain-timeout",
    ];
    for option in options.map(|option| format!("- --{option}")) {
        assert!(stderr.contains(&option), "{option} is not in: {stderr}");
    }
    assert!(!stderr.contains("hunter2") && !stderr.contains("password of"), "{stderr}");
}

async fn postgres() -> Cluster {
    let (location, durability) = (ClusterLocation::Temporary, Durability::Fast);
    Cluster::start(ClusterSettings { location, durability, max_connections: 40 }).await.unwrap()
}

async fn lines_until(lines: &mut Lines<BufReader<ChildStderr>>, beginning: &str) -> String {
    let mut stderr = String::new();
    loop {
        let line = timeout(BOUND, lines.next_line()).await.unwrap_or_else(|_| panic!("waited a minute: {stderr}"));
        let line = line.unwrap().unwrap_or_else(|| panic!("it ended: {stderr}"));
        if let Some(rest) = line.strip_prefix(beginning) {
            return rest.to_owned();
        }
        stderr.push_str(&line);
    }
}

#[tokio::test]
async fn migrate_and_serve_work_on_any_postgresql() {
    let (temp_dir, cluster) = (temp_dir(), postgres().await);
    let url = cluster.url("postgres");
    let newest = migrations::newest();
    for applied in [migrations::MIGRATOR.iter().count(), 0] {
        let migrated = output(clientele(&["migrate", "--database-url", &url])).await;
        let stderr = String::from_utf8(migrated.stderr).unwrap();
        assert!(migrated.status.success() && migrated.stdout.is_empty(), "{stderr}");
        assert!(stderr.contains(&format!("schema is at version {newest}, {applied} applied")), "{stderr}");
    }

    let (url_file, key) = (temp_dir.path().join("url"), temp_dir.path().join("key"));
    fs::write(&url_file, format!("{url}\n")).unwrap();
    fs::write(&key, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
    let operator = token(temp_dir.path(), "operator").await;
    let issuer = format!("clientele-dev,clientele,{}", path(&temp_dir.path().join("dev-jwks.json")));
    let mut serve = clientele(&["serve", "--listen", "127.0.0.1:0", "--issuer", &issuer]);
    serve.args(["--operator", "clientele-dev operator", "--sealing-key-file", path(&key)]);
    let mut child = serve.env("CLIENTELE_DATABASE_URL_FILE", &url_file).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines_until(&mut stderr, "listening on ").await;

    let mut client = AccountServiceClient::new(channel(&format!("http://{address}")).await);
    let answer = client.list_tenants(request(&operator, pb::ListTenantsRequest::default())).await;
    assert_eq!(answer.unwrap().into_inner().tenants, []);
    drop(client);
    kill(Pid::from_raw(child.id().unwrap().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(timeout(BOUND, child.wait()).await.expect("it ends").unwrap().code(), Some(0));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_without_a_utf8_character_type_is_refused() {
    let cluster = postgres().await;
    let mut conn = cluster.options("postgres").connect().await.unwrap();
    let statement = "create database deaf template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'";
    sqlx::query(statement).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let stderr = failure(clientele(&["migrate", "--database-url", &cluster.url("deaf")])).await;
    assert!(stderr.contains("outside ASCII"), "{stderr}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn concurrent_migrators_wait_for_each_other() {
    let cluster = postgres().await;
    let url = cluster.url("postgres");
    let migrate = || output(clientele(&["migrate", "--database-url", &url]));
    let (one, two, three) = tokio::join!(migrate(), migrate(), migrate());
    let stderr = [one, two, three].map(|migrated| {
        let stderr = String::from_utf8(migrated.stderr).unwrap();
        assert!(migrated.status.success(), "{stderr}");
        stderr
    });
    let worked = stderr.iter().filter(|stderr| !stderr.contains(", 0 applied")).count();
    assert_eq!(worked, 1, "{stderr:?}");
    cluster.stop().await.unwrap();
}
