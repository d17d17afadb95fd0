//! Whether the server can serve calls, and if not, why: found by the server's background work; read by health, by the metrics,
//! and by calls. Rule: hosts, versions and issuers are for the log; what leaves the server is the word.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    error::{Error, Result},
    telemetry::names,
};

/// Why a server is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There are no keys of these issuers, and so of no issuer.
    IssuerUnavailable {
        /// The issuers.
        issuers: Vec<String>,
    },
    /// The database cannot be reached, or refuses.
    DatabaseUnavailable {
        /// Its host and port, or its socket.
        server: String,
        /// The driver's error.
        cause: String,
    },
    /// A pooler in transaction mode is between the server and the database.
    PoolerInTransactionMode {
        /// Its host and port.
        server: String,
    },
    /// The schema is older than the server needs.
    SchemaOutdated {
        /// The version of the schema; 0 if there is none.
        found: i64,
        /// The version that the server needs.
        needed: i64,
    },
    /// The server is stopping.
    ShuttingDown,
}

impl Obstacle {
    /// Its word: where calls fail for the same reason, the reason of their errors.
    #[must_use]
    pub fn word(&self) -> &'static str {
        let [issuer, database, pooler, schema, stop] = names::NOT_READY;
        match self {
            Self::IssuerUnavailable { .. } => issuer,
            Self::DatabaseUnavailable { .. } => database,
            Self::PoolerInTransactionMode { .. } => pooler,
            Self::SchemaOutdated { .. } => schema,
            Self::ShuttingDown => stop,
        }
    }

    /// What the operator can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::IssuerUnavailable { .. } => {
                "check the URL of the keys in --issuer, and that this machine reaches it; the keys are fetched again every 15 s"
            }
            Self::DatabaseUnavailable { .. } => {
                "check --database-url, and that PostgreSQL runs there and lets this user in; the server connects by itself"
            }
            Self::PoolerInTransactionMode { .. } => {
                "use pool_mode = session, or connect to PostgreSQL directly: docs/operations.md, pgbouncer"
            }
            Self::SchemaOutdated { .. } => {
                "run: clientele migrate, with the same --database-url; the server notices by itself"
            }
            Self::ShuttingDown => "nothing: the process ends when its calls have ended",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IssuerUnavailable { issuers } => {
                write!(out, "no signing keys of the issuer {}", issuers.join(" or "))
            }
            Self::DatabaseUnavailable { server, cause } => write!(out, "the database at {server}: {cause}"),
            Self::PoolerInTransactionMode { server } => {
                write!(
                    out,
                    "a pooler in transaction mode answers at {server}, and the server needs sessions of its own"
                )
            }
            Self::SchemaOutdated { found: 0, needed } => {
                write!(out, "the database has no schema yet; this server needs version {needed}")
            }
            Self::SchemaOutdated { found, needed } => {
                write!(out, "the database's schema has version {found}; this server needs version {needed}")
            }
            Self::ShuttingDown => out.write_str("the server is stopping"),
        }
    }
}

/// What is in the way now; nothing if the server is ready. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<RwLock<Vec<Obstacle>>>);

impl Readiness {
    /// Sets what is in the way; returns whether that is something else than before.
    pub fn set(&self, obstacles: &[Obstacle]) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *current != obstacles;
        if changed {
            obstacles.clone_into(&mut current);
        }
        changed
    }

    /// The words of what is in the way.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().map(Obstacle::word).collect()
    }

    /// Refuses a call that an outdated schema would answer wrongly, or half: a table or column of it may be missing. Every other
    /// obstacle shows by itself.
    ///
    /// # Errors
    /// `SchemaOutdated`.
    pub fn check_schema(&self) -> Result<()> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_outdated = current.iter().any(|obstacle| matches!(obstacle, Obstacle::SchemaOutdated { .. }));
        if is_outdated { Err(Error::SchemaOutdated { cause: "the schema's version".to_owned() }) } else { Ok(()) }
    }
}
