//! The closed set of failures of services and stores. It knows nothing of gRPC: `grpc::status` says how each is told.

use std::{error::Error as StdError, time::Duration};

use crate::domain::{
    fields::path::FieldPath,
    refusal::Refusal,
    values::{enums::Role, violation::Violations},
};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call brought no token.
    #[error("no token")]
    TokenMissing,
    /// The token does not prove who calls; the text says why and holds nothing of the token.
    #[error("token refused: {0}")]
    TokenInvalid(String),
    /// The caller is a member nowhere (in the tenant it named).
    #[error("not a member")]
    NotAMember,
    /// The caller must say in which account it acts.
    #[error("no acting account named")]
    AccountRequired,
    /// A service principal must say in which tenant it acts.
    #[error("no tenant named")]
    TenantRequired,
    /// The role is below what the contract, or data, asks for.
    #[error("role too low: {0:?} is required")]
    RoleTooLow(Role),
    /// The caller is not a platform operator.
    #[error("not a platform operator")]
    NotAnOperator,
    /// Fields break rules.
    #[error("invalid request")]
    Invalid(Violations),
    /// The page token does not open for this caller and query.
    #[error("page token refused")]
    PageToken,
    /// The request_id came before with other content.
    #[error("request_id reused")]
    RequestIdReused,
    /// A newer release stored the answer of this request_id. The mutation is done, and is not done again.
    #[error("stored answer of a newer release")]
    AnswerOfNewerRelease,
    /// The first call with this request_id has not ended.
    #[error("request in flight")]
    RequestInFlight,
    /// No such customer in sight. `at` is the place of its id in a batch, such as `customer_ids[17]`.
    #[error("customer not found")]
    CustomerNotFound {
        /// Where in a batch.
        at: Option<String>,
    },
    /// No such account in reach.
    #[error("account not found")]
    AccountNotFound,
    /// The domain refuses. `at` as above.
    #[error("refused: {refusal:?}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// Where in a batch.
        at: Option<String>,
    },
    /// Another customer has the name; these are free.
    #[error("name taken")]
    NameTaken {
        /// Names that nobody has.
        free: Vec<String>,
    },
    /// Another customer has this custom ID; the field that holds it, if it is known which.
    #[error("custom ID taken")]
    CustomIdTaken {
        /// As in `customer.custom_ids.erp`.
        field: Option<String>,
    },
    /// Different systems say different customers.
    #[error("look-up ambiguous")]
    LookupAmbiguous,
    /// The answer would be larger than clients take.
    #[error("answer too large")]
    AnswerTooLarge,
    /// Another customer came from this order.
    #[error("order reference taken")]
    OrderReferenceTaken,
    /// The principal is a member of the account already.
    #[error("member exists")]
    MemberExists,
    /// The acting account has no such tag.
    #[error("tag not found")]
    TagNotFound,
    /// The acting account has a tag of this name already.
    #[error("tag exists")]
    TagExists,
    /// The acting account has no such branch.
    #[error("branch not found")]
    BranchNotFound,
    /// The acting account has a branch of this name already.
    #[error("branch exists")]
    BranchExists,
    /// The customer changed since the etag was read.
    #[error("etag mismatch")]
    EtagMismatch {
        /// The current one, sealed.
        etag: String,
        /// What changed meanwhile, if that is still known.
        changed: Option<Vec<String>>,
    },
    /// Too many writers on one record.
    #[error("contended")]
    Contended,
    /// What the call decided on changed before it wrote. Nothing was written; the same again may succeed.
    #[error("lost race")]
    LostRace,
    /// The time for the call has passed.
    #[error("deadline exceeded")]
    Deadline,
    /// As many calls are in flight as the server takes, or no connection of the pool came free in time.
    #[error("overloaded")]
    Overloaded {
        /// When to come again.
        retry_after: Duration,
    },
    /// The principal calls more often than one may.
    #[error("rate limited")]
    RateLimited {
        /// When to come again.
        retry_after: Duration,
    },
    /// The server is stopping.
    #[error("shutting down")]
    ShuttingDown,
    /// The keys of a token's issuer could not be fetched, or not for so long that they are not believed any more.
    #[error("no keys of the issuer {0}")]
    IssuerUnavailable(String),
    /// The database cannot be reached, or the session was lost; a write may have been committed then.
    #[error("database unavailable: {cause}")]
    Unavailable {
        /// What the driver said.
        cause: String,
    },
    /// A statement met this; `store` and `service` turn it into one of the others where they know what it means.
    #[error(transparent)]
    Database(sqlx::Error),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

/// A result of services and stores.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A fault of ours, for what cannot be.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal(what.to_string())
    }

    /// The domain's refusal of the customer at this place of a batch.
    #[must_use]
    pub fn refused_at(refusal: Refusal, at: String) -> Self {
        Self::Refused { refusal, at: Some(at) }
    }

    /// The same failure once more, for others who waited for the same thing.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Unavailable { cause } => Self::Unavailable { cause: cause.clone() },
            Self::Overloaded { retry_after } => Self::Overloaded { retry_after: *retry_after },
            Self::TenantRequired => Self::TenantRequired,
            Self::Deadline => Self::Deadline,
            other => Self::Internal(other.to_string()),
        }
    }

    /// The fields that a refusal or mismatch names, for the error's metadata.
    #[must_use]
    pub fn missing_fields(&self) -> Option<&[FieldPath]> {
        match self {
            Self::Refused { refusal: Refusal::RequiredToCreate(paths) | Refusal::RequiredToApprove(paths), .. } => {
                Some(paths)
            }
            _ => None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, at: None }
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<sqlx::Error> for Error {
    /// Sorts what the driver says: what only says that the database is not there, what another try may mend, and the
    /// rest, which is looked at where the statement is known.
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable { cause: error.to_string() }
            }
            // Class 08 connection, 57P0x the server stops or starts, 53300 it has too many clients, 25006 it is a standby,
            // 42P01 it is not migrated yet.
            sqlx::Error::Database(refused)
                if refused.code().is_some_and(|code| {
                    code.starts_with("08") || code.starts_with("57P0") || matches!(&*code, "53300" | "25006" | "42P01")
                }) =>
            {
                Self::Unavailable { cause: refused.code().unwrap_or_default().into_owned() }
            }
            // statement_timeout: the server's own bound on a statement.
            sqlx::Error::Database(refused) if refused.code().as_deref() == Some("57014") => Self::Deadline,
            sqlx::Error::ColumnDecode { index, source } => undecodable(&format!("column {index}"), source.as_ref()),
            sqlx::Error::Decode(source) => undecodable("a column", source.as_ref()),
            _ => Self::Database(error),
        }
    }
}

/// What the database holds is none of ours. It says where, and nothing of what stands there, as the driver's own words do.
fn undecodable(column: &str, why: &(dyn StdError + 'static)) -> Error {
    Error::Internal(match why.downcast_ref::<serde_json::Error>() {
        Some(why) => format!("{column} cannot be read, at line {}, column {} of its text", why.line(), why.column()),
        None => format!("{column} cannot be decoded"),
    })
}

/// What a statement's error says of the database's own rules, by SQLSTATE.
impl Error {
    fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Database(sqlx::Error::Database(refused)) => refused.code().map(Into::into),
            _ => None,
        }
    }

    /// A deadlock or a failed serialization: the same again may succeed.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some("40P01" | "40001"))
    }

    /// The session was lost, or there was none: what it was about to commit may be committed.
    #[must_use]
    pub fn is_lost_session(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// A lock did not come free in time.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        self.sqlstate().as_deref() == Some("55P03")
    }

    /// The unique key that a write would break.
    #[must_use]
    pub fn broken_key(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(refused)) if refused.is_unique_violation() => refused.constraint(),
            _ => None,
        }
    }

    /// What it means that this unique key would be broken; any other failure as it is.
    #[must_use]
    pub fn on_key(self, key: &str, meaning: Self) -> Self {
        if self.broken_key() == Some(key) { meaning } else { self }
    }
}
