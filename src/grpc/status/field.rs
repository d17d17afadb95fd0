//! Which field of the request an error is about, so that a form can show it there. A path is written as in `BadRequest`: the names
//! of the contract with dots between them, `[3]` for an entry of a list, `.KEY` for an entry of a map.

use crate::{
    domain::{
        billing::refusal::BillingRefusal,
        refusal::{Blocker, Refusal},
    },
    error::Error,
};

/// The fields of a request, by which an error finds the one that it is about. `build.rs` writes the implementations for the
/// requests of all RPCs.
pub(in crate::grpc) trait RequestFields {
    /// Its fields, and those of the messages of the contract that they hold, one level deep.
    const PATHS: &'static [&'static str];
}

include!(concat!(env!("OUT_DIR"), "/request_fields.rs"));

/// The field of a request with these fields that an error is about; none if it is about something else.
pub(super) fn field(error: &Error, paths: &[&str]) -> Option<String> {
    match error {
        Error::Invalid(violations) | Error::CardNumberRefused(violations) => {
            first(violations.all().iter().map(|violation| violation.field.clone()))
        }
        Error::CustomerNotFound { at: Some(at) }
        | Error::Refused { at: Some(at), .. }
        | Error::TakenThere { at: Some(at), .. }
        | Error::CustomIdTaken { field: Some(at), .. } => Some(at.clone()),
        Error::Refused { refusal: Refusal::BreaksRule(violations), .. } => {
            first(violations.all().iter().map(|violation| format!("customer.{}", violation.field)))
        }
        Error::Refused { refusal: Refusal::RequiredToCreate(missing), .. } => {
            find(&["custom_id"], paths).or_else(|| first(missing.iter().map(|path| format!("customer.{path}"))))
        }
        _ => find(candidates(error), paths),
    }
}

fn first(mut fields: impl Iterator<Item = String>) -> Option<String> {
    fields.next().filter(|field| !field.is_empty())
}

fn find(candidates: &[&str], paths: &[&str]) -> Option<String> {
    candidates.iter().find(|path| paths.contains(path)).map(|path| (*path).to_owned())
}

/// The field of one refusal of too many custom IDs: where the request gives them.
pub(super) const CUSTOM_IDS: [&str; 2] = ["custom_id", "customer.custom_ids"];

/// The fields that an error can be about; the first that the request has is the one. Every error has an arm, so that a new one
/// does not compile until it says its field.
fn candidates(error: &Error) -> &'static [&'static str] {
    match error {
        Error::CustomerNotFound { .. } => &["customer_id", "customer.id"],
        Error::AccountNotFound => &["account_id", "account.id"],
        Error::TenantNotFound => &["tenant_id"],
        Error::MemberNotFound | Error::MembershipNotFound => &["member_id"],
        Error::TagNotFound => &["tag_id"],
        Error::PaymentMethodNotFound => &["payment_method_id"],
        Error::BranchNotFound => &["branch_id", "branch.id"],
        Error::InvitationNotFound => &["invitation_id", "token"],
        Error::NameTaken { .. } => &["customer.name", "customer_id"],
        Error::PossibleDuplicate { .. } => &["customer"],
        Error::OrderReferenceTaken { .. } => &["customer.order_reference", "customer_id"],
        Error::TakenThere { .. } => &["customer_id"],
        Error::CustomIdTaken { .. } => &CUSTOM_IDS,
        Error::TagExists { .. } => &["name"],
        Error::BranchExists { .. } => &["branch.name"],
        Error::MemberExists { .. } => &["principal"],
        Error::InvitationExists { .. } => &["email", "admin_email"],
        Error::PageToken => &["page_token"],
        Error::RequestIdReused { .. } => &["request_id"],
        Error::EtagMismatch { .. } => &["etag", "customer.etag"],
        Error::LookupAmbiguous => &["system"],
        Error::Refused { refusal, .. } => of_refusal(refusal),
        Error::Invalid(_)
        | Error::CardNumberRefused(_)
        | Error::TokenMissing
        | Error::TokenInvalid(_)
        | Error::TokenTooLarge
        | Error::NotAMember
        | Error::TenantSuspended
        | Error::AccountRequired { .. }
        | Error::TenantRequired
        | Error::RoleTooLow(_)
        | Error::NotAnOperator
        | Error::AnswerOfNewerRelease
        | Error::RequestInFlight
        | Error::AnswerTooLarge
        | Error::Contended
        | Error::LockTimeout { .. }
        | Error::StatementTimeout
        | Error::StatementCancelled
        | Error::LostRace
        | Error::Deadline
        | Error::MessageIncomplete { .. }
        | Error::Overloaded { .. }
        | Error::RateLimited { .. }
        | Error::ShuttingDown
        | Error::IssuerUnavailable(_)
        | Error::Unavailable { .. }
        | Error::SchemaOutdated { .. }
        | Error::Database(_)
        | Error::Internal(_) => &[],
    }
}

fn of_refusal(refusal: &Refusal) -> &'static [&'static str] {
    match refusal {
        Refusal::TooManyCustomIds => &CUSTOM_IDS,
        Refusal::NameConflicts => &["account.name_uniqueness"],
        Refusal::BranchInUse => &["branch_id"],
        Refusal::LastAdmin => &["member_id"],
        Refusal::Blocked(Blocker::NoAdminEmail) => &["first_admin"],
        Refusal::Billing(refusal) => of_billing(refusal),
        Refusal::Blocked(_)
        | Refusal::RoleTooLow(_)
        | Refusal::FleetOwnedElsewhere
        | Refusal::RequiredToCreate(_)
        | Refusal::RequiredToApprove(_)
        | Refusal::Archived
        | Refusal::Merged
        | Refusal::Erased
        | Refusal::Held
        | Refusal::MergeBlocked(_)
        | Refusal::UndoBlocked(_)
        | Refusal::ChangedSinceMerge(_)
        | Refusal::IllegalTransition(_)
        | Refusal::BreaksRule(_)
        | Refusal::Narrowed
        | Refusal::AccountSuspended
        | Refusal::AccountAboveRequired(_)
        | Refusal::LimitReached(_)
        | Refusal::TreeTooDeep
        | Refusal::Invitation(_)
        | Refusal::ValueOfNewerRelease(_)
        | Refusal::RoleOfNewerRelease(_) => &[],
    }
}

fn of_billing(refusal: &BillingRefusal) -> &'static [&'static str] {
    match refusal {
        BillingRefusal::FeatureNotFound => &["code", "feature.code", "rate_plan.prices"],
        BillingRefusal::FeatureExists => &["feature.code"],
        BillingRefusal::FeatureRetired | BillingRefusal::PriceMissing => &["code", "rate_plan_id"],
        BillingRefusal::FeatureNotForServiceClass => &["code", "customer.service_class"],
        BillingRefusal::RatePlanNotFound => &["rate_plan_id", "rate_plan.id", "customer.rate_plan_id"],
        BillingRefusal::RatePlanArchived => &["rate_plan_id", "customer.rate_plan_id"],
        BillingRefusal::CurrencyMismatch => {
            &["credit_limit", "rate_plan_id", "rate_plan.prices", "customer.credit_limit"]
        }
        BillingRefusal::CreditBelowUsed { .. } => &["credit_limit"],
        BillingRefusal::FeatureInUse
        | BillingRefusal::CreditLimitExceeded { .. }
        | BillingRefusal::CreditLimitMissing
        | BillingRefusal::NoRatePlan => &[],
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::{
        domain::values::violation::{Rule, Violations},
        grpc::{
            pb,
            status::{Repeat, for_request},
        },
    };

    #[test]
    fn an_error_names_the_field_of_the_request_that_it_is_about() {
        fn named<M: RequestFields>(error: Error) -> Option<String> {
            let info = for_request::<M>(error, Repeat::Safe).get_details_error_info().unwrap();
            info.metadata.get("field").cloned()
        }
        let taken = || Error::NameTaken { free: Vec::new(), by: None };
        let text = |field: &str| Some(field.to_owned());
        assert_eq!(named::<pb::CreateCustomerRequest>(taken()), text("customer.name"));
        assert_eq!(named::<pb::RevertCustomerMigrationRequest>(taken()), text("customer_id"));
        let order = || Error::OrderReferenceTaken { by: None };
        assert_eq!(named::<pb::UpdateCustomerRequest>(order()), text("customer.order_reference"));
        let too_many = || Error::from(Refusal::TooManyCustomIds);
        assert_eq!(named::<pb::UpdateCustomIdRequest>(too_many()), text("custom_id"));
        assert_eq!(named::<pb::UpsertCustomerRequest>(too_many()), text("customer.custom_ids"));
        let batch = Error::CustomerNotFound { at: text("customer_ids[2]") };
        assert_eq!(named::<pb::ArchiveCustomersRequest>(batch), text("customer_ids[2]"));
        assert_eq!(named::<pb::GetCustomerRequest>(Error::CustomerNotFound { at: None }), text("customer_id"));
        assert_eq!(named::<pb::GetCustomerRequest>(Error::Contended), None);
        let mut violations = Violations::of("view", Rule::new("must be one"));
        violations.push("customer_id", Rule::new("must be a UUID"));
        assert_eq!(named::<pb::GetCustomerRequest>(Error::Invalid(violations)), text("view"));
    }
}
