//! The closed set of errors of services and stores. It does not depend on gRPC: `grpc::status` maps each to its status.

mod convert;
mod database;
mod shared;

use std::time::Duration;

use crate::domain::{
    duplicates::Duplicate,
    fields::path::FieldPath,
    refusal::{Blocker, Refusal},
    values::{
        enums::Role,
        ids::{BranchId, CustomerId, InvitationId, MemberId, TagId},
        violation::Violations,
    },
};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call has no token.
    #[error("no token")]
    TokenMissing,
    /// The token does not prove the caller's identity. The text says why and contains nothing of the token.
    #[error("token rejected: {0}")]
    TokenInvalid(String),
    /// The token is larger than any that is verified.
    #[error("token too large")]
    TokenTooLarge,
    /// The caller has no membership (in the tenant that it named).
    #[error("not a member")]
    NotAMember,
    /// The tenant in which the call acts is suspended.
    #[error("tenant suspended")]
    TenantSuspended,
    /// There is no such tenant.
    #[error("tenant not found")]
    TenantNotFound,
    /// The caller must name the acting account: it has no accepted membership, or several.
    #[error("no acting account named")]
    AccountRequired {
        /// Whether it has several accepted ones; else it has none.
        several: bool,
        /// How many memberships wait for its consent; counting stops at [`Error::MAX_WAITING`].
        waiting: i64,
    },
    /// The caller has no such membership.
    #[error("membership not found")]
    MembershipNotFound,
    /// The acting account has no such member.
    #[error("member not found")]
    MemberNotFound,
    /// A service principal must name its tenant.
    #[error("no tenant named")]
    TenantRequired,
    /// The caller's role is below the role that the contract, or the data, requires.
    #[error("role too low: {0:?} is required")]
    RoleTooLow(Role),
    /// The caller is not a platform operator.
    #[error("not a platform operator")]
    NotAnOperator,
    /// Fields violate rules.
    #[error("invalid request")]
    Invalid(Violations),
    /// The page token was not issued for this caller and query.
    #[error("page token rejected")]
    PageToken,
    /// An earlier call had this request_id and other content.
    #[error("request_id reused")]
    RequestIdReused {
        /// What differs: fields of the request, and what else a repeat must have in common with the first call.
        differs: Vec<&'static str>,
    },
    /// A newer release stored the answer of this request_id. The mutation is done, and is not done again.
    #[error("stored answer of a newer release")]
    AnswerOfNewerRelease,
    /// The first call with this request_id is still running.
    #[error("request in flight")]
    RequestInFlight,
    /// No such customer is visible. `at` is the position of its id in a batch, such as `customer_ids[17]`.
    #[error("customer not found")]
    CustomerNotFound {
        /// The position in a batch.
        at: Option<String>,
    },
    /// No such account is in the caller's reach.
    #[error("account not found")]
    AccountNotFound,
    /// The domain refuses the command. `at` as above.
    #[error("refused: {refusal:?}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// The position in a batch.
        at: Option<String>,
    },
    /// Another customer has the name.
    #[error("name taken")]
    NameTaken {
        /// Similar names that are free.
        free: Vec<String>,
        /// The customer that has it, if the caller sees that one. The same in every other error about what is taken.
        by: Option<CustomerId>,
    },
    /// Another customer has this custom ID.
    #[error("custom ID taken")]
    CustomIdTaken {
        /// The field with the custom ID, as in `customer.custom_ids.erp`, if it is known.
        field: Option<String>,
        /// The customer that has it.
        by: Option<CustomerId>,
    },
    /// Several customers have this custom ID in different systems.
    #[error("look-up ambiguous")]
    LookupAmbiguous,
    /// The answer would be larger than clients accept.
    #[error("answer too large")]
    AnswerTooLarge,
    /// Another customer was created from this order.
    #[error("order reference taken")]
    OrderReferenceTaken {
        /// The customer that has it.
        by: Option<CustomerId>,
    },
    /// The customer may exist already.
    #[error("possible duplicate")]
    PossibleDuplicate {
        /// The customers that may be the same, all of which the caller sees; the most likely first.
        found: Vec<Duplicate>,
    },
    /// A customer cannot go to an account, because another customer has its name or order reference there.
    #[error("taken where it goes: {blocker:?}")]
    TakenThere {
        /// What is taken.
        blocker: Blocker,
        /// The position in a batch.
        at: Option<String>,
        /// The customer that has it.
        by: Option<CustomerId>,
    },
    /// The principal is a member of the account already.
    #[error("member exists")]
    MemberExists {
        /// The member.
        by: Option<MemberId>,
    },
    /// The acting account has no such tag.
    #[error("tag not found")]
    TagNotFound,
    /// The acting account has a tag of this name already.
    #[error("tag exists")]
    TagExists {
        /// The tag.
        by: Option<TagId>,
    },
    /// The acting account has no such branch.
    #[error("branch not found")]
    BranchNotFound,
    /// The acting account has a branch of this name already.
    #[error("branch exists")]
    BranchExists {
        /// The branch.
        by: Option<BranchId>,
    },
    /// No such invitation: the token was never given, or the acting account has none with this id.
    #[error("invitation not found")]
    InvitationNotFound,
    /// The account has an open invitation of this address.
    #[error("invitation exists")]
    InvitationExists {
        /// The invitation.
        by: InvitationId,
    },
    /// What looks like a card number or an IBAN.
    #[error("card number refused")]
    CardNumberRefused(Violations),
    /// The customer has no such payment method.
    #[error("payment method not found")]
    PaymentMethodNotFound,
    /// The customer changed since the etag was read.
    #[error("etag mismatch")]
    EtagMismatch {
        /// The current one, sealed.
        etag: String,
        /// The fields that changed meanwhile, if that is still known.
        changed: Option<Vec<String>>,
    },
    /// Too many concurrent writes of one record.
    #[error("contended")]
    Contended,
    /// The statement waited too long for a lock. Nothing was written.
    #[error("lock timeout")]
    LockTimeout {
        /// Whether it waited for another call that stores an answer under the same key: for its own first call.
        on_stored_answer: bool,
    },
    /// The database stopped the statement at its time limit. Nothing was written.
    #[error("statement timeout")]
    StatementTimeout,
    /// Somebody else stopped the statement in the database. Nothing was written.
    #[error("statement cancelled")]
    StatementCancelled,
    /// The state that the call was decided on changed before its write. Nothing was written; a retry may succeed.
    #[error("lost race")]
    LostRace,
    /// The call's deadline has passed.
    #[error("deadline exceeded")]
    Deadline,
    /// The message did not arrive in time. Nothing was done.
    #[error("message not complete within {within:?}")]
    MessageIncomplete {
        /// The time that it had.
        within: Duration,
    },
    /// The maximum number of calls is in flight, the memory for callers is used up, or the pool had no free connection in time.
    #[error("overloaded")]
    Overloaded {
        /// When to retry.
        retry_after: Duration,
    },
    /// The principal exceeds its rate limit.
    #[error("rate limited")]
    RateLimited {
        /// When to retry.
        retry_after: Duration,
    },
    /// The server is stopping.
    #[error("shutting down")]
    ShuttingDown,
    /// The keys of the token's issuer could not be fetched, and there are no cached keys that are recent enough.
    #[error("no keys of the issuer {0}")]
    IssuerUnavailable(String),
    /// The database cannot be reached, or the connection was lost; a write may have been committed.
    #[error("database unavailable: {cause}")]
    Unavailable {
        /// The driver's error.
        cause: String,
    },
    /// The database's schema is older than this server needs. Nothing was done.
    #[error("schema outdated: {cause}")]
    SchemaOutdated {
        /// What is missing.
        cause: String,
    },
    /// A statement's error. `store` and `service` turn it into a more specific error where they know its meaning.
    #[error(transparent)]
    Database(sqlx::Error),
    /// A fault of the server.
    #[error("internal: {0}")]
    Internal(String),
}

/// A result of services and stores.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Where counting of memberships that wait stops.
    pub const MAX_WAITING: i64 = 100;

    /// A fault of the server, for a state that should be impossible.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal(what.to_string())
    }

    /// The domain's refusal of the customer at this position of a batch.
    #[must_use]
    pub fn refused_at(refusal: Refusal, at: String) -> Self {
        Self::Refused { refusal, at: Some(at) }
    }

    /// Returns the missing fields that a refusal names, for the error's metadata.
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
