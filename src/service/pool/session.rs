//! Sessions, those that are idle, and the permit to use one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use sqlx::PgConnection;

use crate::service::{call::Share, shares::Permit};

/// A session with the database.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: PgConnection,
    /// The generation in which it was made; one of an earlier generation is not used again.
    pub(super) generation: u64,
    pub(super) last_used: Instant,
}

/// Idle sessions, the most recently used last: the others may idle away, and the last one's caches are warm.
#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Vec<Session>>);

impl Idle {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permit to use one session, and where the session goes afterwards. The permit is given back after the session.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) idle: Arc<Idle>,
    pub(super) _permit: Permit<Share>,
}

impl Held {
    /// Keeps a session for the next unit of work.
    pub(super) fn keep(self, session: Session) {
        self.idle.lock().push(session);
    }
}
