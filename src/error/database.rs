//! What the errors of PostgreSQL and of its driver mean.

use std::error::Error as StdError;

use sqlx::{error::DatabaseError, postgres::PgDatabaseError};

use super::Error;

impl From<sqlx::Error> for Error {
    /// Classifies the driver's error: unavailable, a statement that was stopped, undecodable value; or `Database`, which the
    /// caller interprets, because the meaning depends on the statement.
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable { cause: error.to_string() }
            }
            sqlx::Error::Database(cause) => stopped(cause.as_ref()).unwrap_or(Self::Database(error)),
            sqlx::Error::ColumnDecode { index, source } => undecodable(&format!("column {index}"), source.as_ref()),
            sqlx::Error::Decode(source) => undecodable("a column", source.as_ref()),
            _ => Self::Database(error),
        }
    }
}

/// The meaning of an error that does not depend on the statement.
fn stopped(error: &dyn DatabaseError) -> Option<Error> {
    let code = error.code()?;
    match &*code {
        "55P03" => Some(Error::LockTimeout { on_stored_answer: waited_for_answer(error) }),
        // One code for two causes. In another language the text tells nothing; an operator's cancellation is rare.
        "57014" if error.message().contains("user request") => Some(Error::StatementCancelled),
        "57014" => Some(Error::StatementTimeout),
        // A table is missing: the schema is not migrated yet. The statement did nothing.
        "42P01" => Some(Error::SchemaOutdated { cause: "a table is missing (42P01)".to_owned() }),
        // Class 08: connection; 57P0x: the server stops or starts; 53300: too many connections; 25006: read-only, so a
        // standby.
        unavailable
            if unavailable.starts_with("08")
                || unavailable.starts_with("57P0")
                || matches!(unavailable, "53300" | "25006") =>
        {
            Some(Error::Unavailable { cause: unavailable.to_owned() })
        }
        _ => None,
    }
}

/// Whether a lock timeout came while another transaction stored an answer under the same key. Only the context says so: "while
/// inserting index tuple (0,2) in relation "requests_pkey"", in the server's language, but with the index's own name.
fn waited_for_answer(error: &dyn DatabaseError) -> bool {
    let context = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::r#where);
    context.is_some_and(|context| context.contains("\"requests_pkey\""))
}

/// A stored value that this program cannot decode. The error says where, but not the value, which the driver's own message
/// would repeat.
fn undecodable(column: &str, cause: &(dyn StdError + 'static)) -> Error {
    Error::Internal(match cause.downcast_ref::<serde_json::Error>() {
        Some(json) => {
            format!("{column} cannot be decoded, at line {}, column {} of its JSON", json.line(), json.column())
        }
        None => format!("{column} cannot be decoded"),
    })
}

/// Classification of a statement's error by SQLSTATE.
impl Error {
    fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().map(Into::into),
            _ => None,
        }
    }

    /// A deadlock or a serialization failure: a retry may succeed.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some("40P01" | "40001"))
    }

    /// The connection was lost, or there was none: the work that it was about to commit may be committed.
    #[must_use]
    pub fn is_lost_session(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The statement waited too long for a lock.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::LockTimeout { .. })
    }

    /// Returns the unique key that the write violates.
    #[must_use]
    pub fn broken_key(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation() => error.constraint(),
            _ => None,
        }
    }

    /// A value that must be unique is taken.
    #[must_use]
    pub fn is_of_something_taken(&self) -> bool {
        self.broken_key().is_some() || matches!(self, Self::NameTaken { .. } | Self::TakenThere { .. })
    }

    /// Whether a customer names a branch that was deleted while the statement ran: the next try finds out before it writes.
    #[must_use]
    pub fn lost_its_branch(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                error.is_foreign_key_violation() && error.constraint() == Some("customers_branch_id_fkey")
            }
            _ => false,
        }
    }

    /// Returns `meaning` if this unique key would be broken, any other error unchanged.
    #[must_use]
    pub fn on_key(self, key: &str, meaning: Self) -> Self {
        if self.broken_key() == Some(key) { meaning } else { self }
    }
}
