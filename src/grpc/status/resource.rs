//! The resource that an error is about.

use crate::{domain::duplicates::Duplicate, error::Error, grpc::pb::ErrorReason};

/// The most duplicates that an error names.
const NAMED: usize = 5;

/// The type of the resource that is missing, or exists already.
pub(super) fn resource_type(reason: ErrorReason) -> Option<&'static str> {
    match reason {
        ErrorReason::CustomerNotFound
        | ErrorReason::NameTaken
        | ErrorReason::CustomIdTaken
        | ErrorReason::PossibleDuplicate
        | ErrorReason::OrderReferenceTaken => Some("clientele.v1.Customer"),
        ErrorReason::TenantNotFound => Some("clientele.v1.Tenant"),
        ErrorReason::AccountNotFound => Some("clientele.v1.Account"),
        ErrorReason::MemberExists | ErrorReason::MemberNotFound => Some("clientele.v1.Member"),
        ErrorReason::MembershipNotFound => Some("clientele.v1.Membership"),
        ErrorReason::TagNotFound | ErrorReason::TagExists => Some("clientele.v1.Tag"),
        ErrorReason::BranchNotFound | ErrorReason::BranchExists => Some("clientele.v1.Branch"),
        ErrorReason::FeatureNotFound | ErrorReason::FeatureExists => Some("clientele.v1.Feature"),
        ErrorReason::RatePlanNotFound => Some("clientele.v1.RatePlan"),
        ErrorReason::InvitationNotFound | ErrorReason::InvitationExists => Some("clientele.v1.Invitation"),
        ErrorReason::PaymentMethodNotFound => Some("clientele.v1.PaymentMethod"),
        _ => None,
    }
}

/// The id of the resource that exists already, if the caller sees it. What is missing has none: the answer is the same
/// whether it is hidden or does not exist.
pub(super) fn holder(error: &Error) -> Option<String> {
    match error {
        Error::NameTaken { by, .. }
        | Error::CustomIdTaken { by, .. }
        | Error::OrderReferenceTaken { by }
        | Error::TakenThere { by, .. } => by.map(|id| id.to_string()),
        Error::PossibleDuplicate { found } => found.first().map(|found| found.customer.to_string()),
        Error::MemberExists { by } => by.map(|id| id.to_string()),
        Error::TagExists { by } => by.map(|id| id.to_string()),
        Error::BranchExists { by } => by.map(|id| id.to_string()),
        Error::InvitationExists { by } => Some(by.to_string()),
        _ => None,
    }
}

/// The metadata of an error about duplicates: which ones, and how like the first is.
pub(super) fn duplicates(found: &[Duplicate]) -> Vec<(&'static str, String)> {
    let join = |all: Vec<String>| all.join(",");
    let mut metadata = vec![("duplicates", join(found.iter().take(NAMED).map(|it| it.customer.to_string()).collect()))];
    if let Some(first) = found.first() {
        metadata.push(("score", first.score().to_string()));
        metadata.push(("reasons", join(first.reasons.iter().map(|reason| reason.as_str().to_owned()).collect())));
    }
    metadata
}
