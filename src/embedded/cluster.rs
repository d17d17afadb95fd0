//! A running private PostgreSQL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::binaries::binaries;
use super::environment::Environment;
use super::error::Error;
use super::location::{Layout, recover};
use super::process::{Supervisor, kill_server, wait_until};
use super::server_options::ServerOptions;
use super::settings::{ClusterSettings, POLL, USER};
use super::versions::major_version;

/// How long a start may take, including recovery after a crash.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stop may take: longer than the supervisor, which kills the server after 30 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);

/// A running PostgreSQL. It stops when it is dropped, or when this process dies. It is not bound to a runtime.
#[derive(Debug)]
pub struct Cluster {
    settings: ClusterSettings,
    bin: PathBuf,
    layout: Layout,
    supervisor: Supervisor,
    postmaster: Pid,
}

impl Cluster {
    /// Starts a cluster, created with `initdb` if there is none yet, and waits until it accepts connections (at most 60 s).
    /// On a machine without PostgreSQL it fetches one first.
    pub async fn start(settings: ClusterSettings) -> Result<Self, Error> {
        let bin = binaries(&Environment::read()).await?;
        let major = major_version(&bin)?;
        let layout = Layout::prepare(&settings, &bin, major).await?;
        let options = ServerOptions::new(&settings, &bin, &layout)?.with_initdb(&settings, &layout, major);
        let (supervisor, postmaster) = launch(options, &layout).await?;
        let mut cluster = Self { settings, bin, layout, supervisor, postmaster };
        match cluster.wait_until_ready().await {
            Ok(()) => Ok(cluster),
            // The first of two errors is the cause.
            Err(error) => cluster.stop().await.and(Err(error)),
        }
    }

    /// Returns how to connect to a database as the superuser; the database `postgres` always exists.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        // Everything is set: sqlx would otherwise use PGPORT and the like. TLS over a local socket would cost a round trip.
        let options = PgConnectOptions::new_without_pgpass().socket(&self.layout.temp_dir).port(5432);
        options.username(USER).database(database).ssl_mode(PgSslMode::Disable)
    }

    /// Returns the same as a URL that `psql`, `pgbench` and sqlx accept.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&port=5432&user={USER}&sslmode=disable", self.layout.temp_dir.display())
    }

    /// Returns the folder of the binaries, which also has `psql` and `pgbench`.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Returns the folder of its Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.layout.temp_dir
    }

    /// Returns the superuser's name.
    #[expect(clippy::unused_self, reason = "callers need not know that all clusters have the same")]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Kills the server and all its processes at once, like a power cut, and waits until they have ended.
    pub async fn crash(&mut self) -> Result<(), Error> {
        kill_server(self.postmaster).map_err(|error| io_error("cannot kill PostgreSQL")(error.into()))?;
        if wait_until(STOP_TIMEOUT, || self.supervisor.has_ended().unwrap_or(true)).await {
            return Ok(());
        }
        Err(Error::NotStopped { seconds: STOP_TIMEOUT.as_secs() })
    }

    /// Starts the server again after [`Cluster::crash`], on the same data and the same socket.
    pub async fn restart(&mut self) -> Result<(), Error> {
        recover(&self.layout.data).await?;
        // The new supervisor starts before the old one ends: if this process dies, one of them removes the temporary folder.
        let options = ServerOptions::new(&self.settings, &self.bin, &self.layout)?;
        let (supervisor, postmaster) = launch(options, &self.layout).await?;
        let mut old = std::mem::replace(&mut self.supervisor, supervisor);
        self.postmaster = postmaster;
        old.keep_temp_dir().map_err(io_error("cannot write to PostgreSQL's supervisor"))?;
        drop(old);
        self.wait_until_ready().await
    }

    /// Stops the server and ends open connections. Waits until it is down and its temporary folder is removed.
    pub async fn stop(self) -> Result<(), Error> {
        let ended = self.supervisor.stop(STOP_TIMEOUT).await;
        if ended.map_err(io_error("cannot wait for PostgreSQL's supervisor"))? {
            return Ok(());
        }
        Err(Error::NotStopped { seconds: STOP_TIMEOUT.as_secs() })
    }

    /// Waits until it accepts connections, then checks its locale.
    async fn wait_until_ready(&mut self) -> Result<(), Error> {
        let end = Instant::now() + START_TIMEOUT;
        let mut connection = loop {
            if self.supervisor.has_ended().map_err(io_error("cannot read PostgreSQL's output"))? {
                return Err(Error::Ended { log: self.layout.log.tail() });
            }
            // The timeout covers the whole start, including a connection that hangs.
            match timeout_at(end, self.options("postgres").connect()).await {
                Ok(Ok(connection)) => break connection,
                Ok(Err(cause)) if Instant::now() >= end => return Err(not_ready(&cause.to_string(), &self.layout)),
                Ok(Err(_)) => sleep(POLL).await,
                Err(_) => return Err(not_ready("no response", &self.layout)),
            }
        };
        check_locale(&mut connection).await?;
        connection.close().await.map_err(Error::from)
    }
}

/// Rejects a cluster in whose new databases characters outside ASCII are not letters: pg_trgm ignores non-letters.
async fn check_locale(connection: &mut PgConnection) -> Result<(), Error> {
    let (ctype, encoding): (String, String) = sqlx::query_as(
        "select datctype::text, pg_encoding_to_char(encoding)::text from pg_database where datname = 'template1'",
    )
    .fetch_one(connection)
    .await?;
    if encoding == "UTF8" && !["C", "POSIX"].contains(&ctype.as_str()) {
        return Ok(());
    }
    Err(Error::Locale { ctype, encoding })
}

/// Starts a supervisor, creates the cluster if there is none, and starts the server.
async fn launch(options: ServerOptions<'_>, layout: &Layout) -> Result<(Supervisor, Pid), Error> {
    let ended = || Error::Ended { log: layout.log.tail() };
    let creates = options.initdb.is_some();
    let mut supervisor = Supervisor::spawn(&layout.run_as, options)?;
    if creates {
        let created = timeout(START_TIMEOUT, supervisor.read_line()).await;
        let created = created.map_err(|_| not_ready("initdb is still running", layout))?;
        created.map_err(io_error("cannot read initdb's output"))?.ok_or_else(ended)?;
        layout.move_new_data()?;
    }
    let postmaster = supervisor.start_server().await.map_err(io_error("cannot start PostgreSQL"))?.ok_or_else(ended)?;
    Ok((supervisor, postmaster))
}

fn not_ready(cause: &str, layout: &Layout) -> Error {
    Error::NotReady { seconds: START_TIMEOUT.as_secs(), cause: cause.to_owned(), log: layout.log.tail() }
}

/// Returns a closure for `map_err` that puts what failed before the error.
fn io_error(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { doing: what.to_owned(), source }
}
