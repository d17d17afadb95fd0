//! Maps each error to its gRPC status: one table from the closed set of errors to code and reason, with a message and
//! details. The cause is never sent.

mod billing;
mod blockers;
mod cause;
mod details;
mod field;
mod message;
mod resource;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

pub(super) use self::field::RequestFields;
pub use self::message::{INTERNAL, RPC_UNKNOWN};
use self::{
    blockers::{
        blocker_code_and_reason, invitation_code_and_reason, merge_blocker_code_and_reason,
        undo_blocker_code_and_reason,
    },
    cause::Cause,
    details::{error_info, in_order, with_violations},
    field::{CUSTOM_IDS, field},
    message::{MAX_FIELD, TOO_MANY_CUSTOM_IDS, join, truncate},
    resource::{duplicates, holder, resource_type},
};
use super::pb::ErrorReason;
use crate::{
    domain::{
        refusal::Refusal,
        requests::contract::Rpc,
        values::violation::{Rule, Violations},
    },
    error::Error,
};

/// Whether the same bytes may be sent again if the outcome of the call is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A read, or a mutation with a `request_id`.
    Safe,
    /// A mutation without one.
    Unsafe,
}

impl Repeat {
    /// Returns whether a call of this RPC may be repeated.
    #[must_use]
    pub fn for_rpc(rpc: Rpc, has_request_id: bool) -> Self {
        if rpc.mutates && !has_request_id { Self::Unsafe } else { Self::Safe }
    }
}

/// Returns the status of an error. Its source is the error itself, which is never sent; the access line logs it.
#[must_use]
pub fn from_error(error: Error, repeat: Repeat) -> Status {
    of_request(error, repeat, &[])
}

/// The same for an error of the use case that a request `M` asked for: it names the field of the request that it is about.
pub(super) fn for_request<M: RequestFields>(error: Error, repeat: Repeat) -> Status {
    of_request(error, repeat, M::PATHS)
}

fn of_request(error: Error, repeat: Repeat, paths: &[&str]) -> Status {
    let (code, reason) = code_and_reason(&error);
    let message = message::for_error(&error);
    let field = field(&error, paths);
    let mut metadata = metadata(&error);
    if let Some(field) = &field {
        metadata.insert("field".to_owned(), truncate(field, MAX_FIELD).to_owned());
    }
    let mut details = error_info(reason, metadata);
    if let Some(resource) = resource_type(reason) {
        details.set_resource_info(resource, holder(&error).unwrap_or_default(), "", "");
    }
    if let Some(delay) = retry_delay(&error, repeat) {
        details.set_retry_info(Some(delay));
    }
    let mut status = match &error {
        Error::Invalid(violations) | Error::CardNumberRefused(violations) => {
            with_violations(code, &message, &details, violations)
        }
        Error::Refused { refusal: Refusal::BreaksRule(broken), .. } => {
            let mut violations = Violations::default();
            violations.nest::<()>("customer", Err(broken.clone()));
            with_violations(code, &message, &details, &violations)
        }
        Error::Refused { refusal: Refusal::RequiredToCreate(missing), .. } => {
            let mut violations = Violations::default();
            missing.iter().for_each(|path| violations.push(format!("customer.{path}"), Rule::REQUIRED_BY_POLICY));
            with_violations(code, &message, &details, &violations)
        }
        Error::Refused { refusal: Refusal::TooManyCustomIds, .. } => {
            let field = field.unwrap_or_else(|| CUSTOM_IDS[1].to_owned());
            with_violations(code, &message, &details, &Violations::of(field, TOO_MANY_CUSTOM_IDS))
        }
        _ => Status::with_error_details(code, message, details),
    };
    status = in_order(status);
    status.set_source(Arc::new(Cause(error)));
    status
}

/// Returns a status without a cause, for errors that are found before a service is called, such as bytes that do not decode.
#[must_use]
pub fn without_cause(code: Code, reason: ErrorReason, message: &str) -> Status {
    Status::with_error_details(code, message, error_info(reason, HashMap::new()))
}

/// The table of all errors.
fn code_and_reason(error: &Error) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    match error {
        Error::TokenMissing => (Code::Unauthenticated, Reason::TokenMissing),
        Error::TokenInvalid(_) => (Code::Unauthenticated, Reason::TokenInvalid),
        Error::TokenTooLarge => (Code::Unauthenticated, Reason::TokenTooLarge),
        Error::NotAMember => (Code::PermissionDenied, Reason::NotAMember),
        Error::TenantSuspended => (Code::PermissionDenied, Reason::TenantSuspended),
        Error::TenantNotFound => (Code::NotFound, Reason::TenantNotFound),
        Error::AccountRequired { .. } => (Code::InvalidArgument, Reason::AccountRequired),
        Error::TenantRequired => (Code::InvalidArgument, Reason::TenantRequired),
        Error::RoleTooLow(_) | Error::NotAnOperator => (Code::PermissionDenied, Reason::RoleTooLow),
        Error::Invalid(_) => (Code::InvalidArgument, Reason::InvalidFields),
        Error::PageToken => (Code::InvalidArgument, Reason::PageTokenInvalid),
        Error::RequestIdReused { .. } => (Code::InvalidArgument, Reason::RequestIdReused),
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
            Refusal::Merged => (Code::FailedPrecondition, Reason::CustomerMerged),
            Refusal::Erased => (Code::FailedPrecondition, Reason::CustomerErased),
            Refusal::MergeBlocked(blocker) => merge_blocker_code_and_reason(blocker),
            Refusal::UndoBlocked(blocker) => undo_blocker_code_and_reason(*blocker),
            Refusal::ChangedSinceMerge(_) => (Code::FailedPrecondition, Reason::ChangedSinceMerge),
            Refusal::Held => (Code::FailedPrecondition, Reason::CustomerHeld),
            Refusal::IllegalTransition(_) => (Code::FailedPrecondition, Reason::IllegalTransition),
            Refusal::BreaksRule(..) => (Code::InvalidArgument, Reason::InvalidFields),
            Refusal::TooManyCustomIds => (Code::InvalidArgument, Reason::InvalidFields),
            Refusal::Narrowed => (Code::PermissionDenied, Reason::NarrowedToCustomer),
            Refusal::AccountSuspended => (Code::FailedPrecondition, Reason::AccountSuspended),
            Refusal::AccountAboveRequired(_) => (Code::PermissionDenied, Reason::AccountAboveRequired),
            Refusal::BranchInUse => (Code::FailedPrecondition, Reason::BranchInUse),
            Refusal::NameConflicts => (Code::FailedPrecondition, Reason::NameConflicts),
            Refusal::LimitReached(_) => (Code::FailedPrecondition, Reason::LimitReached),
            Refusal::TreeTooDeep => (Code::FailedPrecondition, Reason::TreeTooDeep),
            Refusal::LastAdmin => (Code::FailedPrecondition, Reason::LastAdmin),
            Refusal::Blocked(blocker) => blocker_code_and_reason(*blocker),
            Refusal::Invitation(refusal) => invitation_code_and_reason(*refusal),
            Refusal::Billing(refusal) => billing::code_and_reason(refusal),
            Refusal::ValueOfNewerRelease(_) | Refusal::RoleOfNewerRelease(_) => {
                (Code::FailedPrecondition, Reason::ValueOfNewerRelease)
            }
        },
        Error::NameTaken { .. } => (Code::AlreadyExists, Reason::NameTaken),
        Error::CustomIdTaken { .. } => (Code::AlreadyExists, Reason::CustomIdTaken),
        Error::LookupAmbiguous => (Code::FailedPrecondition, Reason::LookupAmbiguous),
        Error::AnswerTooLarge => (Code::ResourceExhausted, Reason::AnswerTooLarge),
        Error::OrderReferenceTaken { .. } => (Code::AlreadyExists, Reason::OrderReferenceTaken),
        Error::PossibleDuplicate { .. } => (Code::AlreadyExists, Reason::PossibleDuplicate),
        Error::TakenThere { blocker, .. } => blocker_code_and_reason(*blocker),
        Error::MemberExists { .. } => (Code::AlreadyExists, Reason::MemberExists),
        Error::MemberNotFound => (Code::NotFound, Reason::MemberNotFound),
        Error::MembershipNotFound => (Code::NotFound, Reason::MembershipNotFound),
        Error::TagNotFound => (Code::NotFound, Reason::TagNotFound),
        Error::TagExists { .. } => (Code::AlreadyExists, Reason::TagExists),
        Error::BranchNotFound => (Code::NotFound, Reason::BranchNotFound),
        Error::BranchExists { .. } => (Code::AlreadyExists, Reason::BranchExists),
        Error::InvitationNotFound => (Code::NotFound, Reason::InvitationNotFound),
        Error::InvitationExists { .. } => (Code::AlreadyExists, Reason::InvitationExists),
        Error::CardNumberRefused(_) => (Code::InvalidArgument, Reason::CardNumberRefused),
        Error::PaymentMethodNotFound => (Code::NotFound, Reason::PaymentMethodNotFound),
        Error::EtagMismatch { .. } => (Code::Aborted, Reason::EtagMismatch),
        Error::Contended | Error::LostRace | Error::LockTimeout { .. } => (Code::Aborted, Reason::Contended),
        Error::StatementTimeout => (Code::DeadlineExceeded, Reason::StatementTimeout),
        Error::StatementCancelled => (Code::Aborted, Reason::StatementCancelled),
        Error::Deadline => (Code::DeadlineExceeded, Reason::DeadlineExceeded),
        Error::MessageIncomplete { .. } => (Code::DeadlineExceeded, Reason::MessageIncomplete),
        Error::Overloaded { .. } => (Code::ResourceExhausted, Reason::Overloaded),
        Error::RateLimited { .. } => (Code::ResourceExhausted, Reason::RateLimited),
        Error::ShuttingDown => (Code::Unavailable, Reason::ShuttingDown),
        Error::IssuerUnavailable(_) => (Code::Unavailable, Reason::IssuerUnavailable),
        Error::Unavailable { .. } => (Code::Unavailable, Reason::DatabaseUnavailable),
        Error::SchemaOutdated { .. } => (Code::Unavailable, Reason::SchemaOutdated),
        Error::Database(_) | Error::Internal(_) => (Code::Internal, Reason::Internal),
    }
}

/// The metadata: only keys that `error_reason.proto` names.
fn metadata(error: &Error) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    let mut insert = |key: &str, value: String| drop(metadata.insert(key.to_owned(), value));
    match error {
        Error::RoleTooLow(least)
        | Error::Refused { refusal: Refusal::RoleTooLow(least) | Refusal::AccountAboveRequired(least), .. } => {
            insert("required_role", least.as_str().to_owned());
        }
        Error::NameTaken { free, .. } if !free.is_empty() => insert("free_names", message::list(free)),
        Error::NotAnOperator => insert("required_role", "PLATFORM".to_owned()),
        Error::AccountRequired { waiting, .. } => insert("waiting_memberships", message::count(*waiting)),
        Error::PossibleDuplicate { found } => duplicates(found).into_iter().for_each(|(key, value)| insert(key, value)),
        Error::Refused { refusal: Refusal::ChangedSinceMerge(changed), .. } => {
            insert("changed_fields", join(changed, ","));
        }
        Error::EtagMismatch { etag, changed } => {
            insert("etag", etag.clone());
            if let Some(changed) = changed {
                insert("changed_fields", join(changed, ","));
            }
        }
        _ => {}
    }
    if let Some(paths) = error.missing_fields() {
        let paths: Vec<String> = paths.iter().map(|path| format!("customer.{path}")).collect();
        insert("missing_fields", join(&paths, ","));
    }
    metadata
}

/// Returns when to send the same bytes again, if that is safe and may succeed.
fn retry_delay(error: &Error, repeat: Repeat) -> Option<Duration> {
    match error {
        Error::Overloaded { retry_after } | Error::RateLimited { retry_after } => Some(*retry_after),
        Error::RequestInFlight => Some(Duration::from_secs(1)),
        // Nothing was done.
        Error::MessageIncomplete { .. } => Some(Duration::from_secs(1)),
        // Nothing was done, and the keys are fetched again meanwhile.
        Error::IssuerUnavailable(_) => Some(Duration::from_secs(5)),
        // Nothing was done, and the server notices a migration within a second.
        Error::SchemaOutdated { .. } => Some(Duration::from_secs(5)),
        // Another server may be of the newer release. Nothing was done.
        Error::AnswerOfNewerRelease => Some(Duration::from_secs(1)),
        Error::Contended | Error::LostRace | Error::LockTimeout { .. } => Some(Duration::from_millis(100)),
        // Nothing was written.
        Error::StatementCancelled => Some(Duration::from_secs(1)),
        Error::Unavailable { .. } | Error::ShuttingDown if repeat == Repeat::Safe => Some(Duration::from_secs(1)),
        _ => None,
    }
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
