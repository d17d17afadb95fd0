//! The pool of database sessions: the only way to reach the database.
//!
//! A call is cancelled by dropping its future, at any await: its session may then be inside a transaction, or hold an
//! answer that was not read. So all work goes through a lease, which notes when work begins and ends. A lease that is
//! dropped in between closes its session; only a reusable session returns to the pool.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{self, Manager, Object, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType},
};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    config::{self, Reloadable},
    error::{Error, Result},
    telemetry::{self, Metrics, Sessions, Statement as _},
};

/// A session that was idle for longer is pinged before it is used.
const IDLE_TRUST: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a ping.
const PING_LIMIT: Duration = Duration::from_millis(500);
/// A unit of work may take as long as this many statements at the statement timeout.
const STATEMENTS: u32 = 2;
/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// The delay after which a caller may retry that got no session in time.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Connects with the current options: a rotated password applies to the next session.
struct Connect {
    pool: &'static str,
    options: Reloadable<PgConnectOptions>,
    settings: [(&'static str, String); 8],
}

impl Manager for Connect {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> std::result::Result<PgConnection, sqlx::Error> {
        let start = Instant::now();
        let options = PgConnectOptions::clone(&self.options.get());
        let options =
            options.application_name("clientele").options(self.settings.iter().map(|(name, value)| (*name, value)));
        // Boxed: the future of a connect is large, and every lease would carry it.
        let session = Box::pin(PgConnection::connect_with(&options)).await?;
        telemetry::measure(|metrics| metrics.connected(self.pool, start.elapsed()));
        Ok(session)
    }

    async fn recycle(&self, session: &mut PgConnection, metrics: &managed::Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.last_used() < IDLE_TRUST {
            return Ok(());
        }
        match tokio::time::timeout(PING_LIMIT, session.ping()).await {
            Ok(alive) => alive.map_err(RecycleError::Backend),
            Err(_) => Err(RecycleError::Message(Cow::Borrowed("silent"))),
        }
    }
}

/// Settings sent at connect. docs/operations.md lists them for a pooler that does not pass them on.
fn settings(config: &config::Database) -> [(&'static str, String); 8] {
    let millis = |limit: Duration| limit.as_millis().to_string();
    [
        ("statement_timeout", millis(config.statement_timeout)),
        ("lock_timeout", millis(config.lock_timeout)),
        ("idle_in_transaction_session_timeout", "5000".to_owned()),
        // The server notices within two seconds that the client has gone.
        ("client_connection_check_interval", "2000".to_owned()),
        // A role may set this one itself: see `store::server_log`.
        ("log_parameter_max_length_on_error", "0".to_owned()),
        // The default suits spinning disks: with it a search reads every tenant's candidates instead of looking up two
        // thousand customers by their keys (66 ms instead of 10).
        ("random_page_cost", "1.1".to_owned()),
        // One session is one PostgreSQL process: so the number of sessions bounds the processors that all calls, and a
        // flood of searches, can use.
        ("max_parallel_workers_per_gather", "0".to_owned()),
        // Compiling costs more than executing any of our statements.
        ("jit", "off".to_owned()),
    ]
}

/// The sessions of this process.
#[derive(Clone)]
pub struct Pool {
    name: &'static str,
    sessions: managed::Pool<Connect>,
    /// Longest unit of work. The server ends each statement in time, so a session that stays silent for longer is lost.
    /// A mutation, which nothing else ends, would hold its session for ever.
    work_timeout: Duration,
    discard_unfinished: bool,
}

impl Pool {
    /// A pool of at most `connections` sessions, under this name in metrics. It connects on the first lease.
    ///
    /// # Errors
    /// A fault of ours: the settings are complete.
    pub fn new(name: &'static str, config: &config::Database, connections: usize) -> Result<Self> {
        let sessions =
            managed::Pool::builder(Connect { pool: name, options: config.options.clone(), settings: settings(config) })
                .max_size(connections)
                .runtime(Runtime::Tokio1)
                // The most recently used session first: its caches are warm, and the others may idle.
                .queue_mode(QueueMode::Lifo)
                .wait_timeout(Some(config.wait))
                .create_timeout(Some(CONNECT_LIMIT))
                .build()
                .map_err(Error::internal)?;
        let work_timeout = if config.give_up_silent { config.statement_timeout * STATEMENTS } else { Duration::MAX };
        Ok(Self { name, sessions, work_timeout, discard_unfinished: config.discard_unfinished })
    }

    /// Leases a session.
    ///
    /// # Errors
    /// `Overloaded` if none came free in time, `Unavailable` if the database cannot be reached.
    pub async fn lease(&self) -> Result<Lease> {
        let start = Instant::now();
        let session = self.sessions.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                telemetry::measure(|metrics| metrics.not_leased(self.name));
                Error::Overloaded { retry_after: RETRY_AFTER }
            }
            PoolError::Timeout(_) => Error::Unavailable { cause: "connecting took too long".to_owned() },
            PoolError::Backend(cause) => Error::from(cause),
            other => Error::internal(other),
        })?;
        let metrics = telemetry::current();
        if let Some(metrics) = &metrics {
            metrics.leased(self.name, start.elapsed());
        }
        Ok(Lease { session: Some(session), reusable: true, pool: self.clone(), metrics })
    }

    /// Its current sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        let status = self.sessions.status();
        let idle = status.available;
        let used = status.size.saturating_sub(idle);
        Sessions { pool: self.name, idle, used, max: status.max_size, waiting: status.waiting }
    }
}

/// How a transaction without an error ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It commits.
    Commit,
    /// It rolls back: it only checked whether the write is possible.
    Rollback,
}

/// A session, for one unit of work.
pub struct Lease {
    session: Option<Object<Connect>>,
    /// Whether the session is between two units of work and was not lost.
    reusable: bool,
    pool: Pool,
    /// The call's metrics: when a call is cancelled, its lease is dropped outside the call's context.
    metrics: Option<Arc<Metrics>>,
}

impl Lease {
    /// Runs statements, each its own transaction.
    pub async fn run<T>(&mut self, work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let session = self.session.as_mut().ok_or_else(|| Error::internal("a lease without a session"))?;
        self.reusable = false;
        let done = tokio::time::timeout(self.pool.work_timeout, work(session)).await;
        let done =
            done.unwrap_or_else(|_| Err(Error::Unavailable { cause: "the session did not answer in time".to_owned() }));
        self.reusable = !matches!(done, Err(Error::Unavailable { .. }));
        if !self.reusable {
            // The other sessions were most likely lost with it: the next callers connect instead of failing one by one.
            self.pool.sessions.retain(|_, _| false);
        }
        done
    }

    /// Runs statements in one READ COMMITTED transaction: all or nothing.
    pub async fn transaction<T>(
        &mut self,
        end: End,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        self.run(async |session| {
            sqlx::raw_sql("begin").execute(&mut *session).named("begin").await?;
            let done = work(session).await;
            let last = if done.is_ok() && end == End::Commit { "commit" } else { "rollback" };
            match sqlx::raw_sql(last).execute(&mut *session).named(last).await {
                Ok(_) => done,
                // The first error says more; but a session that cannot roll back is not returned.
                Err(lost) if last == "commit" || done.is_ok() => Err(lost.into()),
                Err(_) => Err(done.err().unwrap_or(Error::Contended)),
            }
        })
        .await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && !self.reusable
            && self.pool.discard_unfinished
        {
            if let Some(metrics) = &self.metrics {
                metrics.discarded();
            }
            // Out of the pool; the drop closes it and the server rolls back.
            drop(Object::take(session));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::samples;

    const OPERATIONS: &str = include_str!("../../docs/operations.md");

    #[test]
    fn operations_md_lists_every_setting_for_a_pooler() {
        let mut config = samples::config("/".as_ref()).database;
        (config.statement_timeout, config.lock_timeout) = (Duration::from_secs(4), Duration::from_secs(2));
        let listed: Vec<(&str, String)> = OPERATIONS
            .lines()
            .filter_map(|line| line.strip_prefix("alter role clientele set ")?.strip_suffix(';')?.split_once(" = "))
            .map(|(name, value)| match value.strip_prefix('\'').and_then(|value| value.strip_suffix("s'")) {
                Some(seconds) => (name, format!("{seconds}000")),
                None => (name, value.to_owned()),
            })
            .collect();
        assert_eq!(listed, settings(&config));
    }
}
