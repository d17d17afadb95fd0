//! Connecting: by tasks of the pool's, never by a caller's own future, so that a caller that gives up throws no half-made session
//! away. After a failure one task at a time tries, with a backoff; callers that come meanwhile get the last failure at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::context::FutureExt as _;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio_util::task::TaskTracker;

use super::{
    session::{Held, Session},
    settings::settings,
};
use crate::{
    config::{self, Reloadable},
    error::{Error, Result},
    telemetry,
};

/// Longest time that connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Pause after the first failure to connect; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Makes sessions with the settings that hold when they are made: a rotated password is for the next one.
#[derive(Debug)]
pub(super) struct Connector {
    pool: &'static str,
    options: Reloadable<PgConnectOptions>,
    settings: Vec<(&'static str, String)>,
    /// Counts failures that are taken for the loss of all sessions made before.
    generation: AtomicU64,
    failures: Mutex<Failures>,
    /// Held by the one task that connects after a failure.
    alone: AsyncMutex<()>,
    tasks: TaskTracker,
    /// Set once it is known that every session is its client's own.
    pub(super) owns_sessions: AtomicBool,
}

#[derive(Debug, Default)]
struct Failures {
    /// In a row.
    count: u32,
    last: Option<(Instant, String)>,
}

impl Failures {
    fn pause(&self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.count.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
    }

    /// The last failure, until it is time to try again.
    fn backoff(&self) -> Option<String> {
        let (at, cause) = self.last.as_ref()?;
        (at.elapsed() < self.pause()).then(|| cause.clone())
    }
}

impl Connector {
    pub(super) fn new(pool: &'static str, config: &config::Database) -> Self {
        Self {
            pool,
            options: config.options.clone(),
            settings: settings(pool, config),
            generation: AtomicU64::default(),
            failures: Mutex::default(),
            alone: AsyncMutex::default(),
            tasks: TaskTracker::new(),
            owns_sessions: AtomicBool::new(false),
        }
    }

    /// Whether the session was made after the last failure.
    pub(super) fn is_current(&self, session: &Session) -> bool {
        session.generation == self.generation.load(Ordering::Acquire)
    }

    /// Notes that a session was lost. Those made before were most likely lost with it; those made since are not touched.
    pub(super) fn lost(&self, session: &Session) {
        let (made, next) = (session.generation, session.generation + 1);
        _ = self.generation.compare_exchange(made, next, Ordering::AcqRel, Ordering::Acquire);
    }

    /// A new session, made by a task of its own that goes on when the caller gives up: `held` keeps it then.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be reached, or could not a moment ago.
    pub(super) async fn session(self: &Arc<Self>, held: Held) -> Result<(Session, Held)> {
        let (answer, answered) = oneshot::channel();
        let connector = Arc::clone(self);
        let connecting = async move {
            let made = connector.connect().await;
            if let Err(Ok((session, held))) = answer.send(made.map(|session| (session, held))) {
                held.keep(session);
            }
        };
        self.tasks.spawn(connecting.with_current_context());
        answered.await.unwrap_or_else(|_| Err(Error::internal("the task that connects ended")))
    }

    async fn connect(&self) -> Result<Session> {
        let _alone = if self.failures().count > 0 { Some(self.alone.lock().await) } else { None };
        if let Some(cause) = self.failures().backoff() {
            return Err(Error::Unavailable { cause });
        }
        let begun = Instant::now();
        let generation = self.generation.load(Ordering::Acquire);
        let made = match tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect_with(&self.options())).await {
            Ok(Ok(connection)) => Ok(Session { connection, generation, last_used: Instant::now() }),
            // Whatever the cause is, a refused password too: there is no session, and so no row whose values it could show.
            Ok(Err(cause)) => Err(cause.to_string()),
            Err(_) => Err("connecting took too long".to_owned()),
        };
        let mut failures = self.failures();
        match &made {
            Ok(_) => {
                *failures = Failures::default();
                telemetry::measure(|metrics| metrics.connected(self.pool, begun.elapsed()));
            }
            Err(cause) => {
                failures.count = failures.count.saturating_add(1);
                failures.last = Some((Instant::now(), cause.clone()));
            }
        }
        made.map_err(|cause| Error::Unavailable { cause })
    }

    /// How to connect now.
    pub(super) fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::clone(&self.options.get());
        options.application_name("clientele").options(self.settings.iter().map(|(name, value)| (*name, value)))
    }

    /// Where it connects to: a host and port, or a folder with a socket.
    pub(super) fn server(&self) -> String {
        let options = self.options.get();
        match options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        }
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
