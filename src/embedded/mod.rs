//! A private PostgreSQL out of installed or fetched binaries, for `clientele dev`, tests and benchmarks.
//!
//! Rule: nothing of it survives us. A small shell (`guard.sh`) runs the server and stops it when a pipe that we hold
//! ends, which it does by any death of ours. It listens on a Unix socket in a folder of its own and nowhere else.

mod error;
mod fetch;
mod find;
mod location;
mod process;
mod server_options;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub use error::Error;
pub use find::{Environment, binaries, find_binaries};
use location::{Layout, settle};
use process::{Guard, cut, until};
use server_options::Orders;

/// The superuser's name; `initdb` is told the same.
const USER: &str = "clientele";
/// How long a start may take, a recovery after a crash included.
const STARTING: Duration = Duration::from_secs(60);
/// How long a stop may take: longer than the guard's last resort, after 30 s.
const STOPPING: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(10);

/// What kind of cluster to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its data lies, and for how long.
    pub place: Place,
    /// What it does for the data to survive a crash.
    pub durability: Durability,
    /// How many sessions it takes at once, three of them for superusers.
    pub max_connections: u16,
}

/// Where a cluster's data lies, and for how long.
#[derive(Clone, Debug)]
pub enum Place {
    /// In `postgres` in this folder, kept over restarts; the log lies beside it.
    Kept(PathBuf),
    /// In a folder of its own that is gone when the cluster stops; in memory if [`Durability::Fast`].
    Temporary,
}

/// What a cluster does for its data to survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: for tests that start anew anyway.
    Fast,
    /// PostgreSQL's own defaults, on a disk: for `dev`, tests of faults and races, and benchmarks.
    Production,
}

/// A running PostgreSQL; dropping it, or dying, stops it. Needs no particular runtime to live in.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    bin: PathBuf,
    layout: Layout,
    guard: Guard,
    postmaster: Pid,
}

impl Cluster {
    /// Starts a cluster, made by `initdb` if there is none yet, and waits until it accepts connections (60 s at most).
    /// On a machine without PostgreSQL it first fetches one.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let bin = binaries(&Environment::read()).await?;
        let major = find::major_version(&bin)?;
        let layout = Layout::prepare(&settings, &bin, major).await?;
        let orders = Orders::new(&settings, &bin, &layout)?.making(&settings, &layout, major);
        let (guard, postmaster) = launch(orders, &layout).await?;
        let mut cluster = Self { settings, bin, layout, guard, postmaster };
        match cluster.ready().await {
            Ok(()) => Ok(cluster),
            // Of the two failures the first says more.
            Err(error) => cluster.stop().await.and(Err(error)),
        }
    }

    /// How to connect to one of its databases as the superuser; `postgres` is always there.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        // Everything is set, or sqlx takes it from PGPORT and the like. TLS over our own socket costs a round trip.
        let options = PgConnectOptions::new_without_pgpass().socket(&self.layout.room).port(5432);
        options.username(USER).database(database).ssl_mode(PgSslMode::Disable)
    }

    /// The same as a URL that `psql`, `pgbench` and sqlx read alike.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&port=5432&user={USER}&sslmode=disable", self.layout.room.display())
    }

    /// The folder of the binaries: `psql` and `pgbench` lie beside the server.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The folder of its Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.layout.room
    }

    /// The superuser's name.
    #[expect(clippy::unused_self, reason = "that every cluster has the same is nobody's business")]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Ends the server and all its processes at once, as a power cut does, and waits until they are gone.
    pub async fn crash(&mut self) -> Result<(), Error> {
        cut(self.postmaster).map_err(|error| doing("cannot kill PostgreSQL")(error.into()))?;
        if until(STOPPING, || self.guard.ended().unwrap_or(true)).await {
            return Ok(());
        }
        Err(Error::NotStopped { seconds: STOPPING.as_secs() })
    }

    /// Starts the server again on the same data and the same socket after [`Cluster::crash`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        settle(&self.layout.data).await?;
        // The new guard is there before the old one goes: at no moment would our death leave the room behind.
        let orders = Orders::new(&self.settings, &self.bin, &self.layout)?;
        let (guard, postmaster) = launch(orders, &self.layout).await?;
        let mut old = std::mem::replace(&mut self.guard, guard);
        self.postmaster = postmaster;
        old.keep().map_err(doing("cannot reach PostgreSQL's guard"))?;
        drop(old);
        self.ready().await
    }

    /// Stops the server, open sessions included, and waits until it is down and its socket's folder is gone.
    pub async fn stop(self) -> Result<(), Error> {
        let gone = self.guard.release(STOPPING).await;
        if gone.map_err(doing("cannot wait for PostgreSQL's guard"))? {
            return Ok(());
        }
        Err(Error::NotStopped { seconds: STOPPING.as_secs() })
    }

    /// Waits until it accepts connections, then looks whether it knows letters.
    async fn ready(&mut self) -> Result<(), Error> {
        let end = Instant::now() + STARTING;
        let mut connection = loop {
            if self.guard.ended().map_err(doing("cannot hear PostgreSQL"))? {
                return Err(Error::Ended { log: self.layout.log.tail() });
            }
            // A session that hangs is given up with the rest: the time is for all of the start.
            match timeout_at(end, self.options("postgres").connect()).await {
                Ok(Ok(connection)) => break connection,
                Ok(Err(cause)) if Instant::now() >= end => return Err(late(&cause.to_string(), &self.layout)),
                Ok(Err(_)) => sleep(POLL).await,
                Err(_) => return Err(late("it does not answer", &self.layout)),
            }
        };
        must_know_letters(&mut connection).await?;
        connection.close().await.map_err(Error::from)
    }
}

/// Refuses a cluster whose new databases would take no letter outside ASCII for one: pg_trgm drops what is no letter.
async fn must_know_letters(connection: &mut PgConnection) -> Result<(), Error> {
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

/// Starts a guard, lets it make the cluster if there is one to make, and lets it start the server.
async fn launch(orders: Orders<'_>, layout: &Layout) -> Result<(Guard, Pid), Error> {
    let ended = || Error::Ended { log: layout.log.tail() };
    let makes = orders.initdb.is_some();
    let mut guard = Guard::spawn(&layout.run_as, orders)?;
    if makes {
        let made = timeout(STARTING, guard.hear()).await.map_err(|_| late("initdb is still at work", layout))?;
        made.map_err(doing("cannot hear initdb"))?.ok_or_else(ended)?;
        layout.put_in_place()?;
    }
    let postmaster = guard.go().await.map_err(doing("cannot start PostgreSQL"))?.ok_or_else(ended)?;
    Ok((guard, postmaster))
}

fn late(cause: &str, layout: &Layout) -> Error {
    Error::NotReady { seconds: STARTING.as_secs(), cause: cause.to_owned(), log: layout.log.tail() }
}

/// A closure for `map_err`: what failed, and with what.
fn doing(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { doing: what.to_owned(), source }
}
