//! Codes and reasons of what blocks a command. A blocker that other RPCs also report has the same reason here.

use tonic::Code;

use crate::{
    domain::{
        customers::merge_blocker::{MergeBlocker, UndoBlocker},
        refusal::{Blocker, InvitationRefusal},
    },
    grpc::pb::ErrorReason,
};

/// Why an invitation cannot be accepted.
pub(super) fn invitation_code_and_reason(refusal: InvitationRefusal) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    match refusal {
        InvitationRefusal::EmailMismatch => (Code::PermissionDenied, Reason::InvitationEmailMismatch),
        InvitationRefusal::EmailUnverified => (Code::PermissionDenied, Reason::InvitationEmailUnverified),
        InvitationRefusal::Used => (Code::FailedPrecondition, Reason::InvitationUsed),
        InvitationRefusal::Expired => (Code::FailedPrecondition, Reason::InvitationExpired),
        InvitationRefusal::Revoked => (Code::FailedPrecondition, Reason::InvitationRevoked),
    }
}

/// Why a customer cannot be moved.
pub(super) fn blocker_code_and_reason(blocker: Blocker) -> (Code, ErrorReason) {
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
        Blocker::RatePlan => (Code::FailedPrecondition, Reason::RatePlanUnsuitable),
        Blocker::NotMigrated => (Code::FailedPrecondition, Reason::NotMigrated),
        Blocker::TooLate
        | Blocker::MovedOn
        | Blocker::HasBranch
        | Blocker::HasAccount
        | Blocker::HasCustomer
        | Blocker::InUse => (Code::FailedPrecondition, Reason::MigrationFinal),
    }
}

/// Why customers cannot be merged.
pub(super) fn merge_blocker_code_and_reason(blocker: &MergeBlocker) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    let reason = match blocker {
        MergeBlocker::Hold => Reason::CustomerHeld,
        MergeBlocker::Merged => Reason::CustomerMerged,
        MergeBlocker::Erased => Reason::CustomerErased,
        MergeBlocker::OtherOwner | MergeBlocker::Reseller | MergeBlocker::ActiveFeatures => Reason::MergeBlocked,
        MergeBlocker::CreditLimit { limit: Some(_), .. } => Reason::CreditLimitExceeded,
        MergeBlocker::CreditLimit { limit: None, .. } => Reason::CreditLimitMissing,
        MergeBlocker::PriceMissing(_) => Reason::PriceMissing,
        MergeBlocker::Currency { .. } => Reason::CurrencyMismatch,
        MergeBlocker::ServiceClass(_) => Reason::FeatureNotForServiceClass,
        MergeBlocker::TooManyContacts
        | MergeBlocker::TooManyLabels
        | MergeBlocker::TooManyCustomIds
        | MergeBlocker::TooManyTags
        | MergeBlocker::TooManyLinks
        | MergeBlocker::TooManySources
        | MergeBlocker::TooManyPaymentMethods
        | MergeBlocker::TooManyFeatures => Reason::LimitReached,
    };
    (Code::FailedPrecondition, reason)
}

/// Why a merge cannot be undone.
pub(super) fn undo_blocker_code_and_reason(blocker: UndoBlocker) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    match blocker {
        UndoBlocker::NotMerged => (Code::FailedPrecondition, Reason::NotMerged),
        UndoBlocker::TooLate | UndoBlocker::LaterMerge | UndoBlocker::MovedOn | UndoBlocker::Erased => {
            (Code::FailedPrecondition, Reason::MergeFinal)
        }
        UndoBlocker::Features => (Code::FailedPrecondition, Reason::MergeFinal),
        UndoBlocker::NameTaken => (Code::AlreadyExists, Reason::NameTaken),
        UndoBlocker::OrderReferenceTaken => (Code::AlreadyExists, Reason::OrderReferenceTaken),
    }
}
