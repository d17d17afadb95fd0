//! Errors that concern more than one call.

use super::Error;

impl Error {
    /// Copies the error, for other calls that waited for the same result.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Unavailable { cause } => Self::Unavailable { cause: cause.clone() },
            Self::SchemaOutdated { cause } => Self::SchemaOutdated { cause: cause.clone() },
            Self::Overloaded { retry_after } => Self::Overloaded { retry_after: *retry_after },
            Self::TenantRequired => Self::TenantRequired,
            Self::Deadline => Self::Deadline,
            Self::StatementTimeout => Self::StatementTimeout,
            Self::StatementCancelled => Self::StatementCancelled,
            Self::LockTimeout { on_stored_answer } => Self::LockTimeout { on_stored_answer: *on_stored_answer },
            other => Self::Internal(other.to_string()),
        }
    }

    /// Whether any other call would meet the same now: the fault is none of the request's.
    #[must_use]
    pub fn concerns_all_calls(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::SchemaOutdated { .. }
                | Self::Overloaded { .. }
                | Self::RateLimited { .. }
                | Self::ShuttingDown
                | Self::Deadline
        )
    }
}
