//! The resource that an error is about.

use crate::{error::Error, grpc::pb::ErrorReason};

/// The type of the resource that is missing, or exists already.
pub(super) fn resource_type(reason: ErrorReason) -> Option<&'static str> {
    match reason {
        ErrorReason::CustomerNotFound
        | ErrorReason::NameTaken
        | ErrorReason::CustomIdTaken
        | ErrorReason::OrderReferenceTaken => Some("clientele.v1.Customer"),
        ErrorReason::TenantNotFound => Some("clientele.v1.Tenant"),
        ErrorReason::AccountNotFound => Some("clientele.v1.Account"),
        ErrorReason::MemberExists | ErrorReason::MemberNotFound => Some("clientele.v1.Member"),
        ErrorReason::MembershipNotFound => Some("clientele.v1.Membership"),
        ErrorReason::TagNotFound | ErrorReason::TagExists => Some("clientele.v1.Tag"),
        ErrorReason::BranchNotFound | ErrorReason::BranchExists => Some("clientele.v1.Branch"),
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
        Error::MemberExists { by } => by.map(|id| id.to_string()),
        Error::TagExists { by } => by.map(|id| id.to_string()),
        Error::BranchExists { by } => by.map(|id| id.to_string()),
        Error::InvitationExists { by } => Some(by.to_string()),
        _ => None,
    }
}
