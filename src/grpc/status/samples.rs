//! An error of every kind, for tests.

use std::time::Duration;

use crate::{
    domain::{
        billing::{
            money::{Amount, Money},
            refusal::BillingRefusal,
        },
        customers::merge_blocker::{MergeBlocker, UndoBlocker},
        duplicates::{Duplicate, Reason},
        fields::{field::Field, path::FieldPath},
        refusal::{Blocker, InvitationRefusal, Refusal},
        values::{
            enums::Role,
            ids::{CustomerId, InvitationId},
            text::Text,
            violation::{Rule, Violations},
        },
    },
    error::Error,
};

pub(super) fn duplicate(id: u128) -> Duplicate {
    Duplicate { customer: CustomerId::from_uuid(uuid::Uuid::from_u128(id)), reasons: vec![Reason::TaxId, Reason::Name] }
}

fn euros() -> Money {
    Money { currency: Text::parse("EUR").unwrap(), amount: Amount::stored("7.5").unwrap() }
}

pub(super) const SECRET: &str = "insert into customers at 10.0.0.7";

/// One error of each kind, with whether it has RetryInfo if repeating is unsafe, and if it is safe.
#[expect(clippy::too_many_lines, reason = "an error of every kind")]
pub(super) fn all_errors() -> Vec<(Error, bool, bool)> {
    let paths = || vec![FieldPath::Whole(Field::Email), FieldPath::Whole(Field::Phone)];
    let never = [
        Error::TokenMissing,
        Error::TokenInvalid("it has expired".to_owned()),
        Error::TokenTooLarge,
        Error::NotAMember,
        Error::TenantSuspended,
        Error::TenantNotFound,
        Error::AccountRequired { several: true, waiting: 0 },
        Error::AccountRequired { several: false, waiting: 100 },
        Error::TenantRequired,
        Error::RoleTooLow(Role::ServiceManager),
        Error::NotAnOperator,
        Error::Invalid(Violations::of("customer.name", Rule::new("must not be empty"))),
        Error::PageToken,
        Error::RequestIdReused { differs: vec!["customer", "etag"] },
        Error::CustomerNotFound { at: Some("customer_ids[17]".to_owned()) },
        Error::AccountNotFound,
        Error::from(Refusal::FleetOwnedElsewhere),
        Error::from(Refusal::RequiredToCreate(paths())),
        Error::from(Refusal::RequiredToApprove(paths())),
        Error::refused_at(Refusal::Archived, "customer_ids[2]".to_owned()),
        Error::refused_at(Refusal::Merged, "customer_ids[2]".to_owned()),
        Error::refused_at(Refusal::Erased, "customer_ids[2]".to_owned()),
        Error::refused_at(Refusal::MergeBlocked(MergeBlocker::Reseller), "merged_customer_ids[2]".to_owned()),
        Error::from(Refusal::UndoBlocked(UndoBlocker::NotMerged)),
        Error::from(Refusal::UndoBlocked(UndoBlocker::TooLate)),
        Error::from(Refusal::ChangedSinceMerge(vec!["name".to_owned()])),
        Error::from(Refusal::Blocked(Blocker::RatePlan)),
        Error::from(Refusal::IllegalTransition("an ACTIVE customer cannot be rejected")),
        Error::from(Refusal::BreaksRule(Violations::of("labels", Rule::new("must be at most 50 labels")))),
        Error::from(Refusal::Narrowed),
        Error::from(Refusal::TreeTooDeep),
        Error::from(Refusal::AccountSuspended),
        Error::from(Refusal::AccountAboveRequired(Role::Admin)),
        Error::from(Refusal::BranchInUse),
        Error::from(Refusal::NameConflicts),
        Error::refused_at(Refusal::Blocked(Blocker::NameTaken), "customer_ids[2]".to_owned()),
        Error::refused_at(Refusal::Blocked(Blocker::Hold), "customer_ids[2]".to_owned()),
        Error::from(Refusal::Blocked(Blocker::Fleet)),
        Error::from(Refusal::Blocked(Blocker::NoAdminEmail)),
        Error::from(Refusal::Blocked(Blocker::NotMigrated)),
        Error::from(Refusal::Blocked(Blocker::InUse)),
        Error::refused_at(Refusal::LimitReached("a customer has at most 100 tags"), "customer_ids[2]".to_owned()),
        Error::refused_at(Refusal::ValueOfNewerRelease("the customer's status"), "customer_ids[2]".to_owned()),
        Error::from(Refusal::RoleOfNewerRelease("a role in the account's policies")),
        Error::from(Refusal::from(BillingRefusal::FeatureNotFound)),
        Error::from(Refusal::from(BillingRefusal::FeatureExists)),
        Error::from(Refusal::from(BillingRefusal::FeatureInUse)),
        Error::from(Refusal::from(BillingRefusal::FeatureRetired)),
        Error::from(Refusal::from(BillingRefusal::FeatureNotForServiceClass)),
        Error::from(Refusal::from(BillingRefusal::PriceMissing)),
        Error::from(Refusal::from(BillingRefusal::CreditLimitMissing)),
        Error::from(Refusal::from(BillingRefusal::RatePlanNotFound)),
        Error::from(Refusal::from(BillingRefusal::RatePlanArchived)),
        Error::from(Refusal::from(BillingRefusal::CurrencyMismatch)),
        Error::from(Refusal::from(BillingRefusal::NoRatePlan)),
        Error::from(Refusal::from(BillingRefusal::CreditLimitExceeded { needed: euros(), limit: euros() })),
        Error::from(Refusal::from(BillingRefusal::CreditBelowUsed { used: euros() })),
        Error::TagNotFound,
        Error::CardNumberRefused(Violations::of("payment_method.token", Rule::new("must not hold a card number"))),
        Error::PaymentMethodNotFound,
        Error::TagExists { by: None },
        Error::BranchNotFound,
        Error::BranchExists { by: None },
        Error::NameTaken { free: vec!["Ada 2".to_owned(), "Ada 3".to_owned()], by: None },
        Error::from(Refusal::TooManyCustomIds),
        Error::LookupAmbiguous,
        Error::AnswerTooLarge,
        Error::CustomIdTaken { field: Some("customer.custom_ids.erp".to_owned()), by: None },
        Error::OrderReferenceTaken { by: None },
        Error::TakenThere { blocker: Blocker::NameTaken, at: Some("customer_ids[2]".to_owned()), by: None },
        Error::PossibleDuplicate { found: vec![duplicate(1)] },
        Error::MemberExists { by: None },
        Error::InvitationNotFound,
        Error::InvitationExists { by: InvitationId::from_uuid(uuid::Uuid::nil()) },
        Error::from(Refusal::from(InvitationRefusal::EmailMismatch)),
        Error::from(Refusal::from(InvitationRefusal::EmailUnverified)),
        Error::from(Refusal::from(InvitationRefusal::Used)),
        Error::from(Refusal::from(InvitationRefusal::Expired)),
        Error::from(Refusal::from(InvitationRefusal::Revoked)),
        Error::MemberNotFound,
        Error::MembershipNotFound,
        Error::from(Refusal::LastAdmin),
        Error::EtagMismatch { etag: "sealed".to_owned(), changed: Some(vec!["name".to_owned(), "email".to_owned()]) },
        Error::Deadline,
        Error::StatementTimeout,
        Error::Database(sqlx::Error::Configuration(SECRET.into())),
        Error::internal(SECRET),
    ];
    let always = [
        Error::AnswerOfNewerRelease,
        Error::RequestInFlight,
        Error::Contended,
        Error::LostRace,
        Error::MessageIncomplete { within: Duration::from_secs(5) },
        Error::LockTimeout { on_stored_answer: false },
        Error::StatementCancelled,
        Error::Overloaded { retry_after: Duration::from_secs(3) },
        Error::RateLimited { retry_after: Duration::from_millis(20) },
        Error::IssuerUnavailable(SECRET.to_owned()),
        Error::SchemaOutdated { cause: SECRET.to_owned() },
    ];
    let if_safe = [Error::ShuttingDown, Error::Unavailable { cause: SECRET.to_owned() }];
    let with = |retry: (bool, bool)| move |error| (error, retry.0, retry.1);
    never
        .into_iter()
        .map(with((false, false)))
        .chain(always.into_iter().map(with((true, true))))
        .chain(if_safe.into_iter().map(with((false, true))))
        .collect()
}
