//! `clientele serve` says why it is not ready: in its log, its metrics and health; and a call says it too.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use clientele::{
    grpc::pb::{self, access_service_client::AccessServiceClient},
    store::migrations,
};
use nix::unistd::{Uid, User};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tonic::Code;
use uuid::Uuid;

use crate::{
    processes::{channel, clientele, eventually, failure, output, path, request, temp_dir},
    telemetry::scrape::scrape_at,
    world::{AUDIENCE, ISSUER, Keys, assert_refused, production, production_database, retry_delay, until},
};

const NOWHERE: &str = "postgres://127.0.0.1:1/nowhere";

/// A process `clientele serve`.
struct Serve {
    child: Child,
    log: PathBuf,
    address: String,
    metrics: SocketAddr,
    keys: Keys,
    _folder: TempDir,
}

impl Serve {
    /// Starts one on this database, with keys from a file or at this URL, and waits until it listens.
    async fn start(url: &str, keys_url: Option<&str>) -> Self {
        let (folder, keys) = (temp_dir(), Keys::new());
        let (sealing, log) = (folder.path().join("sealing.key"), folder.path().join("log"));
        fs::write(&sealing, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
        let file = keys.jwks();
        let issuer = format!("{ISSUER},{AUDIENCE},{}", keys_url.unwrap_or(path(&file)));
        let mut serve =
            clientele(&["serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--issuer", &issuer]);
        serve.args(["--database-url", url, "--sealing-key-file", path(&sealing)]);
        let mut child = serve.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let after = |log: &str, words: &str| {
            let (_, rest) = log.split_once(words)?;
            Some(rest.split_whitespace().next()?.to_owned())
        };
        let mut found = None;
        eventually("it listens", || {
            let log = fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it ended: {log}");
            let metrics = after(&log, "serving metrics address=");
            found = after(&log, "listening on ").zip(metrics.and_then(|address| address.parse().ok()));
            found.is_some()
        })
        .await;
        let (address, metrics) = found.unwrap();
        Self { child, log, address, metrics, keys, _folder: folder }
    }

    /// The lines of its log that say why it is not ready.
    fn said(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains("not ready")).map(ToOwned::to_owned).collect()
    }

    /// Waits until its log says why it is not ready; every other way of asking says the same.
    async fn says(&self, reason: &str, parts: &[&str]) {
        let is_said = |line: &String| line.contains(&format!("reason=\"{reason}\""));
        eventually(reason, || self.said().iter().any(is_said)).await;
        let line = self.said().into_iter().find(is_said).unwrap();
        for part in parts {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(line.contains("remedy="), "{line}");
        let stderr = failure(clientele(&["health", "--address", &self.address])).await;
        assert_eq!(stderr, format!("clientele: readiness is NOT_SERVING: {reason}\n"));
        let alive = output(clientele(&["health", "liveness", "--address", &self.address])).await;
        assert_eq!(String::from_utf8(alive.stdout).unwrap(), "SERVING\n");
        let measured = scrape_at(self.metrics).await;
        for sample in measured.samples.iter().filter(|sample| sample.name == "clientele_not_ready") {
            assert_eq!(sample.value > 0.0, sample.labels["reason"] == reason, "{sample:?}");
        }
        assert!(measured.value("clientele_not_ready", &[("reason", reason)]) > 0.0);
    }

    /// A call that reads the database ends like this.
    async fn refuses(&self, reason: &str) {
        let mut client = AccessServiceClient::new(channel(&format!("http://{}", self.address)).await);
        let message = request(&self.keys.token("max"), pb::WhoAmIRequest::default());
        let refused = assert_refused(client.who_am_i(message).await, Code::Unavailable, reason);
        assert!(retry_delay(&refused).is_some());
        let said = format!("{refused:?}");
        assert!(!said.contains("127.0.0.1") && !said.contains("/tmp"), "no hosts: {said}");
    }

    async fn becomes_ready(&self) {
        until("it is ready", async || {
            output(clientele(&["health", "--address", &self.address])).await.status.success()
        })
        .await;
        let measured = scrape_at(self.metrics).await;
        assert_eq!(measured.value("clientele_not_ready", &[]), 0.0);
    }

    async fn end(mut self) {
        self.child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_a_database_names_the_host_and_its_remedy() {
    let serve = Serve::start(NOWHERE, None).await;
    serve.says("DATABASE_UNAVAILABLE", &["127.0.0.1:1", "Connection refused", "--database-url"]).await;
    serve.refuses("DATABASE_UNAVAILABLE").await;
    serve.end().await;
}

#[tokio::test]
async fn a_server_on_a_database_without_a_schema_is_ready_once_it_is_migrated() {
    let cluster = production().await;
    let name = format!("empty_{}", Uuid::new_v4().simple());
    let mut admin = cluster.options("postgres").connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
    let serve = Serve::start(&cluster.url(&name), None).await;
    let needed = format!("needs version {}", migrations::newest());
    serve.says("SCHEMA_OUTDATED", &["has no schema yet", &needed, "clientele migrate"]).await;
    serve.refuses("SCHEMA_OUTDATED").await;

    let migrated = output(clientele(&["migrate", "--database-url", &cluster.url(&name)])).await;
    assert!(migrated.status.success(), "{migrated:?}");
    serve.becomes_ready().await;
    serve.end().await;
}

#[tokio::test]
async fn calls_on_an_older_schema_are_refused_before_they_read_anything() {
    let database = production_database().await;
    let mut sql = database.connect().await.unwrap();
    let older =
        "update _sqlx_migrations set success = false where version = (select max(version) from _sqlx_migrations)";
    sqlx::raw_sql(older).execute(&mut sql).await.unwrap();
    let serve = Serve::start(&production().await.url(database.get_database().unwrap()), None).await;
    serve.says("SCHEMA_OUTDATED", &["has version ", &format!("needs version {}", migrations::newest())]).await;
    serve.refuses("SCHEMA_OUTDATED").await;
    sqlx::raw_sql("update _sqlx_migrations set success = true").execute(&mut sql).await.unwrap();
    serve.becomes_ready().await;
    serve.end().await;
}

#[tokio::test]
async fn a_server_without_any_keys_names_the_issuer() {
    let database = production_database().await;
    let url = production().await.url(database.get_database().unwrap());
    let serve = Serve::start(&url, Some("https://127.0.0.1:1/keys")).await;
    serve.says("ISSUER_UNAVAILABLE", &[ISSUER, "--issuer"]).await;
    serve.refuses("ISSUER_UNAVAILABLE").await;
    serve.end().await;
}

/// A pgbouncer before the shared PostgreSQL.
struct Pgbouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Pgbouncer {
    /// Starts one; nothing where it is not installed.
    async fn start(mode: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];
        let program = program.iter().map(Path::new).find(|program| program.exists())?;
        let cluster = production().await;
        let folder = temp_dir();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ini = folder.path().join("pgbouncer.ini");
        let options = cluster.options("postgres");
        let (host, to, user) = (path(cluster.socket_dir()), options.get_port(), options.get_username());
        let text = format!(
            "[databases]\n* = host={host} port={to} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\nignore_startup_parameters = extra_float_digits, options\n"
        );
        fs::write(&ini, text).unwrap();
        let mut command = Command::new(program);
        if Uid::effective().is_root() {
            // It does not run as root; PostgreSQL's own user can use its socket.
            let user = ["postgres", "nobody"].into_iter().find(|name| User::from_name(name).unwrap().is_some());
            command.args(["-u", user.unwrap()]);
        }
        let log = File::create(folder.path().join("log")).unwrap();
        let child = command.arg(&ini).stderr(log).kill_on_drop(true).spawn().unwrap();
        eventually("pgbouncer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Some(Self { child, port, _folder: folder })
    }

    async fn url(&self) -> String {
        let database = production_database().await;
        let user = production().await.user();
        format!("postgres://{user}@127.0.0.1:{}/{}", self.port, database.get_database().unwrap())
    }

    async fn end(mut self) {
        self.child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_recognised_and_named() {
    let Some(pgbouncer) = Pgbouncer::start("transaction").await else {
        println!("SKIPPED: no pgbouncer here (apt-get install pgbouncer), so poolers are NOT tested");
        return;
    };
    let serve = Serve::start(&pgbouncer.url().await, None).await;
    let at = format!("127.0.0.1:{}", pgbouncer.port);
    serve.says("POOLER_IN_TRANSACTION_MODE", &[&at, "pool_mode = session"]).await;
    serve.end().await;
    pgbouncer.end().await;
}

#[tokio::test]
async fn a_server_behind_a_pooler_in_session_mode_becomes_ready() {
    let Some(pgbouncer) = Pgbouncer::start("session").await else {
        println!("SKIPPED: no pgbouncer here (apt-get install pgbouncer), so poolers are NOT tested");
        return;
    };
    let serve = Serve::start(&pgbouncer.url().await, None).await;
    serve.becomes_ready().await;
    assert_eq!(serve.said(), Vec::<String>::new());
    serve.end().await;
    pgbouncer.end().await;
}
