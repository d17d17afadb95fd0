//! Connections to the database: the one way to reach it.
//!
//! A call is cancelled by dropping its future, at any await: a session may then be inside a transaction, or hold an answer
//! that nobody read. So whoever works with a session works through a lease, which notes when work begins and when it came
//! to its end; a lease that is dropped in between closes its session, and only a clean one goes back.

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
    telemetry::{self, Metrics, PoolStatus, Statement as _},
};

/// A session that has idled longer is asked whether it is still there before it is used.
const IDLE_TRUST: Duration = Duration::from_secs(5);
/// How long that question may take.
const PING_LIMIT: Duration = Duration::from_millis(500);
/// A unit of work may take as long as this many statements that take as long as they may.
const STATEMENTS: u32 = 2;
/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// When a caller should come again that no session came free for.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Makes sessions by what holds when they are made: a rotated password is for the next one.
struct Connect {
    pool: &'static str,
    options: Reloadable<PgConnectOptions>,
    settings: [(&'static str, String); 8],
}

impl Manager for Connect {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> std::result::Result<PgConnection, sqlx::Error> {
        let begun = Instant::now();
        let options = PgConnectOptions::clone(&self.options.get());
        let options =
            options.application_name("clientele").options(self.settings.iter().map(|(name, value)| (*name, value)));
        // Boxed: connecting is a large future, and every lease would carry it.
        let session = Box::pin(PgConnection::connect_with(&options)).await?;
        telemetry::measure(|metrics| metrics.connected(self.pool, begun.elapsed()));
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

/// What every session is told. docs/operations.md has them too, for a pooler that passes none on.
fn settings(config: &config::Database) -> [(&'static str, String); 8] {
    let millis = |limit: Duration| limit.as_millis().to_string();
    [
        ("statement_timeout", millis(config.statement_timeout)),
        ("lock_timeout", millis(config.lock_timeout)),
        ("idle_in_transaction_session_timeout", "5000".to_owned()),
        // The server notices within two seconds that whoever asked has gone.
        ("client_connection_check_interval", "2000".to_owned()),
        // A role's own to set, unlike the others: see `store::server_log`.
        ("log_parameter_max_length_on_error", "0".to_owned()),
        // The default is that of turning disks: with it a search reads every tenant's candidates rather than look two
        // thousand customers up by their keys (66 ms for 10).
        ("random_page_cost", "1.1".to_owned()),
        // A session is one of PostgreSQL's processes and stays one: how many there are says what all calls, and a flood of
        // searches, may take of its processors.
        ("max_parallel_workers_per_gather", "0".to_owned()),
        // Compiling a statement costs more than executing any of ours.
        ("jit", "off".to_owned()),
    ]
}

/// The sessions of this process.
#[derive(Clone)]
pub struct Pool {
    name: &'static str,
    sessions: managed::Pool<Connect>,
    /// How long a unit of work may take. The server ends each statement in time; one that says nothing for longer is
    /// gone without a word, and a mutation, which nothing else ends, would hold its place in the pool for ever.
    patience: Duration,
    discard_unfinished: bool,
}

impl Pool {
    /// A pool of so many sessions, that metrics call so, that connects when it is first asked to.
    ///
    /// # Errors
    /// None that can happen: the settings are complete.
    pub fn new(name: &'static str, config: &config::Database, connections: usize) -> Result<Self> {
        let sessions =
            managed::Pool::builder(Connect { pool: name, options: config.options.clone(), settings: settings(config) })
                .max_size(connections)
                .runtime(Runtime::Tokio1)
                // The most recently used session first: the rest may idle away, and its caches are warm.
                .queue_mode(QueueMode::Lifo)
                .wait_timeout(Some(config.pool_timeout))
                .create_timeout(Some(CONNECT_LIMIT))
                .build()
                .map_err(Error::internal)?;
        let patience = if config.close_unresponsive { config.statement_timeout * STATEMENTS } else { Duration::MAX };
        Ok(Self { name, sessions, patience, discard_unfinished: config.discard_unfinished })
    }

    /// Leases a session.
    ///
    /// # Errors
    /// `Overloaded` if none came free in time, `Unavailable` if the database cannot be reached.
    pub async fn lease(&self) -> Result<Lease> {
        let begun = Instant::now();
        let session = self.sessions.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                telemetry::measure(|metrics| metrics.not_leased(self.name));
                Error::Overloaded { retry_after: RETRY_AFTER }
            }
            PoolError::Timeout(_) => Error::Unavailable { cause: "connecting took too long".to_owned() },
            PoolError::Backend(cause) => Error::from(cause),
            other => Error::internal(other),
        })?;
        let told = telemetry::current();
        if let Some(told) = &told {
            told.leased(self.name, begun.elapsed());
        }
        Ok(Lease { session: Some(session), clean: true, pool: self.clone(), told })
    }

    /// Its sessions now.
    #[must_use]
    pub fn sessions(&self) -> PoolStatus {
        let status = self.sessions.status();
        let idle = status.available;
        let used = status.size.saturating_sub(idle);
        PoolStatus { pool: self.name, idle, used, max: status.max_size, waiting: status.waiting }
    }
}

/// How a transaction ends that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is kept.
    Commit,
    /// It was only to see whether it could be.
    Rollback,
}

/// A session, for as long as one unit of work needs it.
pub struct Lease {
    session: Option<Object<Connect>>,
    clean: bool,
    pool: Pool,
    /// Kept, as a lease is dropped outside its call's context when the call is cancelled.
    told: Option<Arc<Metrics>>,
}

impl Lease {
    /// Runs statements, each its own transaction.
    pub async fn run<T>(&mut self, work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let session = self.session.as_mut().ok_or_else(|| Error::internal("a lease without a session"))?;
        self.clean = false;
        let done = tokio::time::timeout(self.pool.patience, work(session)).await;
        let done = done.unwrap_or_else(|_| Err(Error::Unavailable { cause: "the session fell silent".to_owned() }));
        self.clean = !matches!(done, Err(Error::Unavailable { .. }));
        if !self.clean {
            // The others were most likely lost with it: the next callers connect anew rather than fail one by one.
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
                // What went wrong first tells more; but a session that cannot roll back is not given back.
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
            && !self.clean
            && self.pool.discard_unfinished
        {
            if let Some(told) = &self.told {
                told.discarded();
            }
            // Out of the pool, and closed by being dropped: the server rolls back.
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
    fn operations_tell_a_pooler_every_setting_of_ours() {
        let mut config = samples::config("/".as_ref()).database;
        (config.statement_timeout, config.lock_timeout) = (Duration::from_secs(4), Duration::from_secs(2));
        let told: Vec<(&str, String)> = OPERATIONS
            .lines()
            .filter_map(|line| line.strip_prefix("alter role clientele set ")?.strip_suffix(';')?.split_once(" = "))
            .map(|(name, value)| match value.strip_prefix('\'').and_then(|value| value.strip_suffix("s'")) {
                Some(seconds) => (name, format!("{seconds}000")),
                None => (name, value.to_owned()),
            })
            .collect();
        assert_eq!(told, settings(&config));
    }
}
