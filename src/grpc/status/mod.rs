//! Turns errors into statuses: one table from the closed set of errors to code and reason, with a message and details.
//! The cause stays on the server.

mod message;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

pub use self::message::INTERNAL;
use self::message::{FIELD, RULE, TOO_MANY_CUSTOM_IDS, cut, listed};
use super::pb::ErrorReason;
use crate::{
    domain::{
        refusal::{Blocker, Refusal},
        requests::contract::Rpc,
        values::violation::Violations,
    },
    error::Error,
};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "clientele";
/// Largest message and details in bytes on the wire: clients cut trailers at 8 KiB.
const LIMIT: usize = 4096;

/// Whether the same bytes can be sent again safely if the result of the call is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A read, or a mutation with a `request_id`.
    Safe,
    /// A mutation without one.
    Unsafe,
}

impl Repeat {
    /// Whether a call of this RPC can be repeated.
    #[must_use]
    pub fn of(rpc: Rpc, has_request_id: bool) -> Self {
        if rpc.mutates && !has_request_id { Self::Unsafe } else { Self::Safe }
    }
}

/// The status of an error. Its source is the error itself, which is not sent: the access log has it.
#[must_use]
pub fn from_error(error: Error, repeat: Repeat) -> Status {
    let (code, reason) = code_and_reason(&error);
    let message = message::text(&error);
    let mut details = info(reason, metadata(&error));
    if let Some(resource) = resource(reason) {
        details.set_resource_info(resource, "", "", "");
    }
    if let Some(delay) = retry(&error, repeat) {
        details.set_retry_info(Some(delay));
    }
    let mut status = match &error {
        Error::Invalid(violations) => with_violations(code, &message, &details, violations),
        Error::Refused { refusal: Refusal::BreaksRule(field, rule), .. } => {
            let field = format!("customer.{field}");
            with_violations(code, &message, &details, &Violations::of(field, rule.clone()))
        }
        Error::Refused { refusal: Refusal::TooManyCustomIds, .. } => {
            with_violations(code, &message, &details, &Violations::of("custom_ids", TOO_MANY_CUSTOM_IDS))
        }
        _ => Status::with_error_details(code, message, details),
    };
    status.set_source(Arc::new(Cause(error)));
    status
}

/// A status without an error of the service, such as that of bytes that are no message.
#[must_use]
pub fn bare(code: Code, reason: ErrorReason, message: &str) -> Status {
    Status::with_error_details(code, message, info(reason, HashMap::new()))
}

/// The table of codes and reasons.
fn code_and_reason(error: &Error) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    match error {
        Error::TokenMissing => (Code::Unauthenticated, Reason::TokenMissing),
        Error::TokenInvalid(_) => (Code::Unauthenticated, Reason::TokenInvalid),
        Error::NotAMember => (Code::PermissionDenied, Reason::NotAMember),
        Error::AccountRequired => (Code::InvalidArgument, Reason::AccountRequired),
        Error::TenantRequired => (Code::InvalidArgument, Reason::TenantRequired),
        Error::RoleTooLow(_) | Error::NotAnOperator => (Code::PermissionDenied, Reason::RoleTooLow),
        Error::Invalid(_) => (Code::InvalidArgument, Reason::InvalidFields),
        Error::PageToken => (Code::InvalidArgument, Reason::PageTokenInvalid),
        Error::RequestIdReused => (Code::InvalidArgument, Reason::RequestIdReused),
        Error::AnswerOfNewerRelease => (Code::Unavailable, Reason::AnswerOfNewerRelease),
        Error::RequestInFlight => (Code::Aborted, Reason::RequestInFlight),
        Error::CustomerNotFound { .. } => (Code::NotFound, Reason::CustomerNotFound),
        Error::AccountNotFound => (Code::NotFound, Reason::AccountNotFound),
        Error::Refused { refusal, .. } => match refusal {
            Refusal::RoleTooLow(_) => (Code::PermissionDenied, Reason::RoleTooLow),
            Refusal::FleetOwnedElsewhere => (Code::PermissionDenied, Reason::FleetOwnedElsewhere),
            Refusal::RequiredToCreate(_) => (Code::InvalidArgument, Reason::RequiredFieldsMissing),
            Refusal::RequiredToApprove(_) => (Code::FailedPrecondition, Reason::RequirementsNotMet),
            Refusal::Archived => (Code::FailedPrecondition, Reason::CustomerArchived),
            Refusal::IllegalTransition(_) => (Code::FailedPrecondition, Reason::IllegalTransition),
            Refusal::BreaksRule(..) => (Code::InvalidArgument, Reason::InvalidFields),
            Refusal::TooManyCustomIds => (Code::InvalidArgument, Reason::InvalidFields),
            Refusal::Narrowed => (Code::PermissionDenied, Reason::NarrowedToCustomer),
            Refusal::LimitReached(_) => (Code::FailedPrecondition, Reason::LimitReached),
            Refusal::TreeTooDeep => (Code::FailedPrecondition, Reason::TreeTooDeep),
            Refusal::Blocked(blocker) => blocked(*blocker),
            Refusal::ValueOfNewerRelease(_) | Refusal::RoleOfNewerRelease(_) => {
                (Code::FailedPrecondition, Reason::ValueOfNewerRelease)
            }
        },
        Error::NameTaken { .. } => (Code::AlreadyExists, Reason::NameTaken),
        Error::CustomIdTaken { .. } => (Code::AlreadyExists, Reason::CustomIdTaken),
        Error::LookupAmbiguous => (Code::FailedPrecondition, Reason::LookupAmbiguous),
        Error::AnswerTooLarge => (Code::ResourceExhausted, Reason::AnswerTooLarge),
        Error::OrderReferenceTaken => (Code::AlreadyExists, Reason::OrderReferenceTaken),
        Error::MemberExists => (Code::AlreadyExists, Reason::MemberExists),
        Error::TagNotFound => (Code::NotFound, Reason::TagNotFound),
        Error::TagExists => (Code::AlreadyExists, Reason::TagExists),
        Error::BranchNotFound => (Code::NotFound, Reason::BranchNotFound),
        Error::BranchExists => (Code::AlreadyExists, Reason::BranchExists),
        Error::EtagMismatch { .. } => (Code::Aborted, Reason::EtagMismatch),
        Error::Contended | Error::LostRace => (Code::Aborted, Reason::Contended),
        Error::Deadline => (Code::DeadlineExceeded, Reason::DeadlineExceeded),
        Error::Overloaded { .. } => (Code::ResourceExhausted, Reason::Overloaded),
        Error::RateLimited { .. } => (Code::ResourceExhausted, Reason::RateLimited),
        Error::ShuttingDown => (Code::Unavailable, Reason::ShuttingDown),
        Error::IssuerUnavailable(_) => (Code::Unavailable, Reason::IssuerUnavailable),
        Error::Unavailable { .. } => (Code::Unavailable, Reason::DatabaseUnavailable),
        Error::Database(_) | Error::Internal(_) => (Code::Internal, Reason::Internal),
    }
}

/// Why a customer cannot be moved; the same reason as in other RPCs, if there is one.
fn blocked(blocker: Blocker) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    match blocker {
        Blocker::Archived => (Code::FailedPrecondition, Reason::CustomerArchived),
        Blocker::NotActive => (Code::FailedPrecondition, Reason::IllegalTransition),
        Blocker::NameTaken => (Code::AlreadyExists, Reason::NameTaken),
        Blocker::NoAdminEmail => (Code::FailedPrecondition, Reason::AdminEmailMissing),
        Blocker::TreeTooDeep => (Code::FailedPrecondition, Reason::TreeTooDeep),
        Blocker::Fleet => (Code::FailedPrecondition, Reason::CustomerFleet),
        Blocker::Hold => (Code::FailedPrecondition, Reason::CustomerHeld),
        Blocker::OrderReferenceTaken => (Code::AlreadyExists, Reason::OrderReferenceTaken),
        Blocker::NotMigrated => (Code::FailedPrecondition, Reason::NotMigrated),
        Blocker::TooLate
        | Blocker::MovedOn
        | Blocker::HasBranch
        | Blocker::HasAccount
        | Blocker::HasCustomer
        | Blocker::InUse => (Code::FailedPrecondition, Reason::MigrationFinal),
    }
}

/// The metadata: only keys that `error_reason.proto` names.
fn metadata(error: &Error) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    let mut note = |key: &str, value: String| drop(metadata.insert(key.to_owned(), value));
    match error {
        Error::RoleTooLow(least) | Error::Refused { refusal: Refusal::RoleTooLow(least), .. } => {
            note("required_role", least.as_str().to_owned());
        }
        Error::NotAnOperator => note("required_role", "PLATFORM".to_owned()),
        Error::EtagMismatch { etag, changed } => {
            note("etag", etag.clone());
            if let Some(changed) = changed {
                note("changed_fields", listed(changed, ","));
            }
        }
        _ => {}
    }
    match error {
        Error::CustomerNotFound { at: Some(field) }
        | Error::Refused { at: Some(field), .. }
        | Error::CustomIdTaken { field: Some(field) } => note("field", cut(field, FIELD).to_owned()),
        _ => {}
    }
    if let Some(paths) = error.missing_fields() {
        note("missing_fields", listed(paths, ","));
    }
    metadata
}

/// The type of the resource that does not exist, or exists already. Never its name: it might be another customer's.
fn resource(reason: ErrorReason) -> Option<&'static str> {
    match reason {
        ErrorReason::CustomerNotFound
        | ErrorReason::NameTaken
        | ErrorReason::CustomIdTaken
        | ErrorReason::OrderReferenceTaken => Some("clientele.v1.Customer"),
        ErrorReason::AccountNotFound => Some("clientele.v1.Account"),
        ErrorReason::MemberExists => Some("clientele.v1.Member"),
        ErrorReason::TagNotFound | ErrorReason::TagExists => Some("clientele.v1.Tag"),
        ErrorReason::BranchNotFound | ErrorReason::BranchExists => Some("clientele.v1.Branch"),
        _ => None,
    }
}

/// The delay after which the same bytes may be sent again, if that is safe and may succeed.
fn retry(error: &Error, repeat: Repeat) -> Option<Duration> {
    match error {
        Error::Overloaded { retry_after } | Error::RateLimited { retry_after } => Some(*retry_after),
        Error::RequestInFlight => Some(Duration::from_secs(1)),
        // Nothing was done, and the keys are fetched again in the meantime.
        Error::IssuerUnavailable(_) => Some(Duration::from_secs(5)),
        // Another server may be of the newer release. Nothing was done.
        Error::AnswerOfNewerRelease => Some(Duration::from_secs(1)),
        Error::Contended | Error::LostRace => Some(Duration::from_millis(100)),
        Error::Unavailable { .. } | Error::ShuttingDown if repeat == Repeat::Safe => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn info(reason: ErrorReason, metadata: HashMap<String, String>) -> ErrorDetails {
    let name = reason.as_str_name();
    ErrorDetails::with_error_info(name.strip_prefix("ERROR_REASON_").unwrap_or(name), DOMAIN, metadata)
}

/// The status with every violation, or with as many as fit and the number of the others.
fn with_violations(code: Code, message: &str, details: &ErrorDetails, violations: &Violations) -> Status {
    let listed: Vec<FieldViolation> = violations
        .all()
        .iter()
        // More do not fit.
        .take(LIMIT / 16)
        .map(|violation| FieldViolation::new(cut(&violation.field, FIELD), cut(violation.rule.text(), RULE)))
        .collect();
    let all = violations.all().len();
    let with_first = |count: usize| {
        let mut first = listed[..count].to_vec();
        if count < all {
            first.push(FieldViolation::new("", format!("and {} more", all - count)));
        }
        let mut details = details.clone();
        details.set_bad_request(first);
        Status::with_error_details(code, message, details)
    };
    let whole = with_first(listed.len());
    if on_the_wire(&whole) <= LIMIT {
        return whole;
    }
    let counts: Vec<usize> = (1..listed.len()).collect();
    with_first(counts.partition_point(|count| on_the_wire(&with_first(*count)) <= LIMIT))
}

/// Bytes of message and details on HTTP/2: percent-encoded, and in base64.
fn on_the_wire(status: &Status) -> usize {
    let escaped = |byte: u8| !byte.is_ascii_graphic() || b"\"#%<>`?{}".contains(&byte);
    let message: usize = status.message().bytes().map(|byte| if escaped(byte) { 3 } else { 1 }).sum();
    message + (status.details().len() * 4).div_ceil(3)
}

/// The error behind a status, for the log. tonic's own source would show the error's `Debug`, which for a database
/// error has values of rows; this one does not.
struct Cause(Error);

impl fmt::Debug for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

#[cfg(test)]
mod tests;
