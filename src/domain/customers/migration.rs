//! What is kept of a customer's migration to a reseller account of its own.

use serde::{Deserialize, Serialize};

use crate::domain::{
    accounts::account::Account,
    fields::references::References,
    refusal::Blocker,
    requests::principal::Principal,
    tags::tag::TagName,
    values::{custom_id::CustomIds, email::Email, ids::AccountId, timestamp::Timestamp},
};

/// What a migration did with a customer, as the column `customers.migration` keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The account that was made of the customer.
    pub account: AccountId,
    /// The account that it came from.
    pub from: AccountId,
    /// When.
    pub at: Timestamp,
    /// The references that it lost: reverting the migration restores them.
    #[serde(flatten)]
    pub references: References,
    /// When it was taken back, if it was.
    pub reverted_at: Option<Timestamp>,
}

impl Migration {
    /// A migration can be taken back for so many days.
    pub const REVERTIBLE_DAYS: i64 = 30;

    /// Whether it is in force.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.reverted_at.is_none()
    }
}

/// The first admin of a new account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstAdmin {
    /// A member at once.
    Principal(Principal),
    /// Invited.
    Invited(Email),
}

/// What a migration does, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationPlan {
    /// The new account; none if the tree has no room for it.
    pub account: Option<Account>,
    /// Its first admin.
    pub admin: Option<FirstAdmin>,
    /// The tags that it gets.
    pub tags: Vec<TagName>,
    /// The custom IDs that it gets.
    pub custom_ids: CustomIds,
    /// The references that the customer loses.
    #[serde(flatten)]
    pub references: References,
}

/// What has become of the account that a migration made.
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
    /// What of it blocks taking the migration back.
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
