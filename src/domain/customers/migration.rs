//! What is kept of a customer's migration to a reseller account of its own.

use serde::{Deserialize, Serialize};

use crate::domain::{
    accounts::account::Account,
    fields::references::References,
    refusal::Blocker,
    requests::principal::Principal,
    tags::tag::TagName,
    values::{
        custom_id::CustomIds,
        email::Email,
        ids::{AccountId, RatePlanId},
        timestamp::Timestamp,
        unknown_fields::UnknownFields,
    },
};

/// What a migration did with a customer: the column `customers.migration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The account that was made of the customer.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// The owner before.
    #[serde(rename = "from_account_id")]
    pub from: AccountId,
    /// When.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The references that it lost: reverting the migration restores them.
    #[serde(flatten)]
    pub references: References,
    /// When it was reverted, if it was.
    #[serde(rename = "reverted_at", default, skip_serializing_if = "Option::is_none")]
    pub reverted_at: Option<Timestamp>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl Migration {
    /// A migration can be reverted within this many days.
    pub const REVERTIBLE_DAYS: i64 = 30;

    /// Whether it is in force.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.reverted_at.is_none()
    }
}

/// The first admin of a new account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstAdmin {
    /// A member at once.
    #[serde(rename = "principal")]
    Principal(Principal),
    /// Invited by email.
    #[serde(rename = "invited")]
    Invited(Email),
}

/// What a migration does, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationPlan {
    /// The new account; none if the tree has no room for it.
    #[serde(rename = "account")]
    pub account: Option<Account>,
    /// Its first admin.
    #[serde(rename = "admin")]
    pub admin: Option<FirstAdmin>,
    /// The tags that it gets.
    #[serde(rename = "tags")]
    pub tags: Vec<TagName>,
    /// The custom IDs that it gets.
    #[serde(rename = "custom_ids")]
    pub custom_ids: CustomIds,
    /// The references that the customer loses.
    #[serde(flatten)]
    pub references: References,
    /// The rate plan that the customer is on there.
    #[serde(rename = "rate_plan_id", default, skip_serializing_if = "Option::is_none")]
    pub rate_plan: Option<RatePlanId>,
    /// The rate plan that this one replaces, if the list there does not have it.
    #[serde(rename = "replaced_rate_plan_id", default, skip_serializing_if = "Option::is_none")]
    pub replaced_rate_plan: Option<RatePlanId>,
}

impl MigrationPlan {
    /// Notes the plan that the customer is on before and after.
    pub fn take(&mut self, before: Option<RatePlanId>, after: Option<RatePlanId>) {
        self.rate_plan = after;
        self.replaced_rate_plan = before.filter(|_| before != after);
    }
}

/// How the account that a migration made is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four findings that do not depend on one another")]
pub struct AccountUsage {
    /// It has a branch.
    pub branch: bool,
    /// It has an account below it.
    pub account: bool,
    /// It has another customer.
    pub customer: bool,
    /// One of its own members has written something there.
    pub written: bool,
}

impl AccountUsage {
    /// What in it blocks reverting the migration.
    pub fn blockers(self) -> impl Iterator<Item = Blocker> {
        let found = [
            (self.branch, Blocker::HasBranch),
            (self.account, Blocker::HasAccount),
            (self.customer, Blocker::HasCustomer),
            (self.written, Blocker::InUse),
        ];
        found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker))
    }
}
