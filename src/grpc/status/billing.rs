//! The codes and reasons of refusals about plans, features and credit.

use tonic::Code;

use crate::{domain::billing::refusal::BillingRefusal, grpc::pb::ErrorReason};

pub(super) fn code_and_reason(refusal: &BillingRefusal) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    match refusal {
        BillingRefusal::FeatureNotFound => (Code::NotFound, Reason::FeatureNotFound),
        BillingRefusal::FeatureExists => (Code::AlreadyExists, Reason::FeatureExists),
        BillingRefusal::FeatureInUse => (Code::FailedPrecondition, Reason::FeatureInUse),
        BillingRefusal::FeatureRetired => (Code::FailedPrecondition, Reason::FeatureRetired),
        BillingRefusal::FeatureNotForServiceClass => (Code::FailedPrecondition, Reason::FeatureNotForServiceClass),
        BillingRefusal::PriceMissing => (Code::FailedPrecondition, Reason::PriceMissing),
        BillingRefusal::CreditLimitExceeded { .. } => (Code::FailedPrecondition, Reason::CreditLimitExceeded),
        BillingRefusal::CreditLimitMissing => (Code::FailedPrecondition, Reason::CreditLimitMissing),
        BillingRefusal::RatePlanNotFound => (Code::NotFound, Reason::RatePlanNotFound),
        BillingRefusal::RatePlanArchived => (Code::FailedPrecondition, Reason::RatePlanArchived),
        BillingRefusal::CurrencyMismatch => (Code::FailedPrecondition, Reason::CurrencyMismatch),
        BillingRefusal::CreditBelowUsed { .. } => (Code::FailedPrecondition, Reason::CreditBelowUsed),
        BillingRefusal::NoRatePlan => (Code::FailedPrecondition, Reason::NoRatePlan),
    }
}
