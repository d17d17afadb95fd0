//! A customer's migration to a reseller account of its own, and what blocks moving a customer. The commands and
//! `allowed_actions` call the same functions, one for each kind of move.

use serde::{Deserialize, Serialize};

use crate::domain::{
    accounts::account::{Account, MAX_DEPTH},
    customers::{customer::Customer, status::Status},
    refusal::Blocker,
    requests::principal::Principal,
    tags::tag::TagName,
    values::{
        custom_id::CustomIds,
        email::Email,
        enums::Reach,
        ids::{AccountId, BranchId, MemberId},
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
    /// The customer's branch before.
    #[serde(rename = "branch_id", default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchId>,
    /// The customer's sales person before.
    #[serde(rename = "sales_person_id", default, skip_serializing_if = "Option::is_none")]
    pub sales_person: Option<MemberId>,
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
    /// The branch that the customer leaves.
    #[serde(rename = "branch_id")]
    pub branch: Option<BranchId>,
    /// The sales person that the customer loses.
    #[serde(rename = "sales_person_id")]
    pub sales_person: Option<MemberId>,
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

impl Customer {
    /// The migration that is in force.
    #[must_use]
    pub fn migrated(&self) -> Option<&Migration> {
        self.migration.as_ref().filter(|migration| migration.is_in_force())
    }

    /// Whether migrating it would change something. Who becomes the new account's admin is not looked at.
    ///
    /// # Errors
    /// Everything that blocks it.
    pub fn may_migrate(&self) -> Result<bool, Vec<Blocker>> {
        if self.migrated().is_some_and(|migration| migration.account == self.owner) {
            return Ok(false);
        }
        blocked([
            (self.archived_at.is_some(), Blocker::Archived),
            (self.status != Status::Active, Blocker::NotActive),
            (self.path.ids().len() >= MAX_DEPTH, Blocker::TreeTooDeep),
            (self.fields.reach == Reach::Fleet, Blocker::Fleet),
            (!self.holds.is_empty(), Blocker::Hold),
        ])
    }

    /// Whether reverting its migration would change something. Only the customer itself is looked at.
    ///
    /// # Errors
    /// Everything that blocks it.
    pub fn may_revert(&self, at: Timestamp) -> Result<bool, Vec<Blocker>> {
        let Some(migration) = &self.migration else { return Err(vec![Blocker::NotMigrated]) };
        if !migration.is_in_force() {
            return Ok(false);
        }
        blocked([
            (at - migration.at > chrono::TimeDelta::days(Migration::REVERTIBLE_DAYS), Blocker::TooLate),
            (self.owner != migration.account, Blocker::MovedOn),
            (!self.holds.is_empty(), Blocker::Hold),
        ])
    }

    /// Whether transferring it to this account would change something. Only the customer itself is looked at.
    ///
    /// # Errors
    /// Everything that blocks it.
    pub fn may_transfer(&self, to: AccountId) -> Result<bool, Vec<Blocker>> {
        if self.owner == to {
            return Ok(false);
        }
        blocked([(!self.holds.is_empty(), Blocker::Hold)])
    }

    /// The email address of the primary contact, else the customer's.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        let profile = &self.fields.profile;
        profile.contacts.primary().and_then(|contact| contact.email.as_ref()).or(profile.email.as_ref())
    }
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

fn blocked<const N: usize>(found: [(bool, Blocker); N]) -> Result<bool, Vec<Blocker>> {
    let blockers: Vec<Blocker> = found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker)).collect();
    if blockers.is_empty() { Ok(true) } else { Err(blockers) }
}
