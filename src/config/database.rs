//! The database and its connection pools.

use std::{fmt, time::Duration};

use sqlx::postgres::PgConnectOptions;

use super::{problems::Problems, reloadable::Reloadable};

/// The database.
#[derive(Clone)]
pub struct Database {
    /// Host, port, name, user and password. Open connections stay open when these change.
    pub options: Reloadable<PgConnectOptions>,
    /// Maximum connections, not counting those for searches.
    pub pool_size: usize,
    /// Maximum connections for searches.
    pub search_pool_size: usize,
    /// Maximum connections for streams, and so maximum streams.
    pub stream_pool_size: usize,
    /// How long a stream may run.
    pub stream_timeout: Duration,
    /// How long a call waits for a connection.
    pub pool_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// Whether a connection whose work was interrupted is closed. False only in a fault test, to prove that the test
    /// fails without it.
    pub discard_unfinished: bool,
    /// Whether a connection that does not answer within twice the statement timeout is closed. False only in a fault
    /// test, to prove that the test fails without it.
    pub close_unresponsive: bool,
}

impl fmt::Debug for Database {
    /// Leaves the password out, which the driver's own `Debug` prints.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.pool_size + self.search_pool_size + self.stream_pool_size;
        write!(out, "{all} connections to {}", database_location(&self.options.get()))
    }
}

/// The database's host, port and name for messages, without user and password.
#[must_use]
pub fn database_location(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(folder) => format!("{name} in {}", folder.display()),
        None => format!("{name} on {}:{}", options.get_host(), options.get_port()),
    }
}

impl Database {
    /// Maximum connections of one pool: far more than one PostgreSQL server handles well.
    const MAX_POOL_SIZE: usize = 1000;

    /// Adds its problems.
    pub fn verify(&self, problems: &mut Problems) {
        let sizes = [
            ("--pool-size", self.pool_size),
            ("--search-pool-size", self.search_pool_size),
            ("--stream-pool-size", self.stream_pool_size),
        ];
        for (flag, size) in sizes {
            problems.require((1..=Self::MAX_POOL_SIZE).contains(&size), || {
                format!("{flag} must be 1 to {}", Self::MAX_POOL_SIZE)
            });
        }
        problems.require(!self.pool_timeout.is_zero(), || "--pool-timeout must be greater than zero".to_owned());
        problems.require(!self.stream_timeout.is_zero(), || "--stream-timeout must be greater than zero".to_owned());
        problems.require(!self.lock_timeout.is_zero(), || "--lock-timeout must be greater than zero".to_owned());
        problems.require(self.lock_timeout < self.statement_timeout, || {
            "--lock-timeout must be shorter than --statement-timeout, or a wait for a lock looks like a slow statement"
                .to_owned()
        });
    }
}
