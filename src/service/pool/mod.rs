//! Sessions with the database: the one way to reach it.
//!
//! A unit of work, once begun, runs to its end in a task that its caller only waits for (`layers/detach.rs`), so that a caller that
//! gives up costs the database nothing: the session comes back clean. A session whose work did not come to its end, as it panicked
//! or the session fell silent, is closed. Sessions are shared fairly among principals, as permits of calls are.

mod connect;
mod part;
mod probe;
mod session;
mod settings;

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection};
use tokio::time::error::Elapsed;

pub(in crate::service) use self::part::part;
use self::{
    connect::Connector,
    session::{Held, Idle, Session},
};
use crate::{
    config,
    error::{Error, Result},
    service::{
        call::{self, Share},
        shares::Shares,
    },
    telemetry::{self, Metrics, PoolStatus, Statement as _},
};

/// A session that has idled longer is asked whether it is still there before it is used.
const IDLE_TRUST: Duration = Duration::from_secs(5);
/// How long that question may take.
const PING_LIMIT: Duration = Duration::from_millis(500);
/// A unit of work may take as long as this many statements that take as long as they may.
const STATEMENTS: u32 = 2;
/// Units of work that may wait for each session.
const WAITING_PER_SESSION: usize = 64;
/// When a caller should come again that no session came free for.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The sessions of this process. Clones share them.
#[derive(Clone)]
pub struct Pool {
    name: &'static str,
    permits: Shares<Share>,
    /// Longest time that a unit of work waits for a session.
    wait: Duration,
    max: usize,
    idle: Arc<Idle>,
    connector: Arc<Connector>,
    /// Longest time that a unit of work may take. The server ends each statement in time; a session that says nothing for longer
    /// is gone, and a unit of work, which nothing else ends, would hold its permit for ever.
    work_timeout: Duration,
    discard_unfinished: bool,
}

impl Pool {
    /// A pool of at most `max` sessions, with this name in metrics. It connects when the first session is needed.
    #[must_use]
    pub fn new(name: &'static str, config: &config::Database, max: usize) -> Self {
        Self {
            name,
            permits: Shares::new(max, max * WAITING_PER_SESSION),
            wait: config.pool_timeout,
            max,
            idle: Arc::default(),
            connector: Arc::new(Connector::new(name, config)),
            work_timeout: if config.close_unresponsive { config.statement_timeout * STATEMENTS } else { Duration::MAX },
            discard_unfinished: config.discard_unfinished,
        }
    }

    /// Leases a session for a unit of work.
    ///
    /// # Errors
    /// `Overloaded` if none came free in time, `Unavailable` if the database cannot be reached, `Deadline` for a read whose caller
    /// has gone: it begins no further unit of work.
    pub async fn lease(&self) -> Result<Lease> {
        if call::is_pointless() {
            return Err(Error::Deadline);
        }
        let begun = Instant::now();
        let Ok(Ok(permit)) = tokio::time::timeout(self.wait, self.permits.acquire(call::share())).await else {
            telemetry::measure(|metrics| metrics.not_leased(self.name));
            return Err(Error::Overloaded { retry_after: RETRY_AFTER });
        };
        let held = Held { idle: Arc::clone(&self.idle), _permit: permit };
        let (session, held) = match self.usable().await {
            Some(session) => (session, held),
            None => self.connector.session(held).await?,
        };
        let metrics = telemetry::current();
        if let Some(metrics) = &metrics {
            metrics.leased(self.name, begun.elapsed());
        }
        Ok(Lease { used: Some((session, held)), reusable: true, rolls_back: false, pool: self.clone(), metrics })
    }

    /// An idle session that is still there.
    async fn usable(&self) -> Option<Session> {
        loop {
            let mut session = self.idle.lock().pop()?;
            if !self.connector.is_current(&session) {
                continue;
            }
            if session.last_used.elapsed() < IDLE_TRUST {
                return Some(session);
            }
            match tokio::time::timeout(PING_LIMIT, session.connection.ping()).await {
                Ok(Ok(())) => return Some(session),
                Ok(Err(_)) | Err(_) => self.lost(&session),
            }
        }
    }

    /// Notes that a session was lost, and closes the idle ones that were made before.
    fn lost(&self, session: &Session) {
        self.connector.lost(session);
        self.idle.lock().retain(|idle| self.connector.is_current(idle));
    }

    /// Where its sessions go: a host and port, or a folder with a socket.
    #[must_use]
    pub fn server(&self) -> String {
        self.connector.server()
    }

    /// Whether a pooler in transaction mode is between this process and the database. Once none was found, this does not ask again.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be reached.
    pub async fn shares_sessions(&self) -> Result<bool> {
        self.connector.shares_sessions().await
    }

    /// Its sessions now.
    #[must_use]
    pub fn sessions(&self) -> PoolStatus {
        let idle = self.idle.lock().len();
        PoolStatus { pool: self.name, idle, used: self.permits.held(), max: self.max, waiting: self.permits.waiting() }
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

/// A session, for as long as one unit of work needs it.
pub struct Lease {
    used: Option<(Session, Held)>,
    reusable: bool,
    /// Whether nothing that it runs is committed.
    rolls_back: bool,
    pool: Pool,
    /// Kept, as a lease may be dropped outside its call's context.
    metrics: Option<Arc<Metrics>>,
}

impl Lease {
    /// The same session, in which nothing is committed: what its work writes is checked, and rolled back.
    #[must_use]
    pub fn rolling_back(self) -> Self {
        let mut lease = self;
        lease.rolls_back = true;
        lease
    }

    /// Runs statements, each its own transaction.
    pub async fn run<T>(&mut self, work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        self.work(self.rolls_back.then_some(End::Rollback), work).await
    }

    /// Runs statements in one READ COMMITTED transaction: all or nothing.
    pub async fn transaction<T>(
        &mut self,
        end: End,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        self.work(Some(if self.rolls_back { End::Rollback } else { end }), work).await
    }

    /// Runs statements, in one transaction if it says how that ends.
    async fn work<T>(
        &mut self,
        transaction: Option<End>,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        let (session, _) = self.used.as_mut().ok_or_else(|| Error::internal("a lease without a session"))?;
        self.reusable = false;
        let mut rolled_back = true;
        let done = in_time(self.pool.work_timeout, async {
            let session = &mut session.connection;
            if transaction.is_some() {
                sqlx::raw_sql("begin").execute(&mut *session).named("begin").await?;
            }
            let done = work(session).await;
            let Some(end) = transaction else { return done };
            let last = if done.is_ok() && end == End::Commit { "commit" } else { "rollback" };
            match sqlx::raw_sql(last).execute(&mut *session).named(last).await {
                Ok(_) => done,
                // The first error says more; but a session that cannot roll back is not used again.
                Err(lost) if last == "commit" || done.is_ok() => Err(lost.into()),
                Err(_) => {
                    rolled_back = false;
                    Err(done.err().unwrap_or(Error::Contended))
                }
            }
        });
        let done = done.await;
        let done =
            done.unwrap_or_else(|_| Err(Error::Unavailable { cause: "the session did not answer in time".to_owned() }));
        self.reusable = rolled_back && !matches!(done, Err(Error::Unavailable { .. }));
        if !self.reusable {
            self.pool.lost(session);
        }
        done
    }
}

/// Waits for a unit of work, or for each of its parts, as long as one may take.
async fn in_time<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut work = pin!(work);
    loop {
        let parts = call::progress();
        match tokio::time::timeout(limit, &mut work).await {
            Err(_) if call::progress() > parts => {}
            done => return done,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((mut session, held)) = self.used.take() else { return };
        if self.reusable || !self.pool.discard_unfinished {
            session.last_used = Instant::now();
            held.keep(session);
        } else {
            if let Some(metrics) = &self.metrics {
                metrics.discarded();
            }
            // Closed by being dropped: the server rolls back.
            drop(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{layers::samples, service::bytes::ByteBudget, telemetry::names};

    const OPERATIONS: &str = include_str!("../../../docs/operations.md");

    #[tokio::test(start_paused = true)]
    async fn each_part_of_a_unit_of_work_may_take_as_long_as_a_whole_one() {
        let (limit, pause) = (Duration::from_secs(8), Duration::from_secs(5));
        let call = || call::CallContext::new(Share::default(), true, ByteBudget::new(1), None);
        let silent = tokio::time::sleep(pause * 2);
        assert!(call::scope(call(), in_time(limit, silent)).await.is_err());
        let in_parts = async {
            for _ in 0..4 {
                tokio::time::sleep(pause).await;
                call::note_progress();
            }
        };
        assert!(call::scope(call(), in_time(limit, in_parts)).await.is_ok());
    }

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
        assert_eq!(listed, settings::settings(names::MAIN, &config));
    }
}
