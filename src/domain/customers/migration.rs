//! A customer's migration to a reseller account of its own, and what keeps a customer from being moved at all. One function
//! a move, which the command and `allowed_actions` share.

use serde::{Deserialize, Serialize};

use crate::domain::{
    accounts::account::{Account, MAX_DEPTH},
    customers::customer::{Customer, Status},
    refusal::Blocker,
    requests::principal::Principal,
    tags::tag::TagName,
    values::{
        custom_id::CustomIds,
        email::Email,
        enums::Reach,
        ids::{AccountId, BranchId, MemberId},
        timestamp::Timestamp,
    },
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
    /// The branch that it left.
    pub branch: Option<BranchId>,
    /// The sales person who looked after it.
    pub sales_person: Option<MemberId>,
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
    /// The branch that the customer leaves.
    pub branch: Option<BranchId>,
    /// The sales person who looks after it no more.
    pub sales_person: Option<MemberId>,
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

impl Customer {
    /// The migration that is in force.
    #[must_use]
    pub fn migrated(&self) -> Option<&Migration> {
        self.migration.as_ref().filter(|migration| migration.stands())
    }

    /// Whether migrating it would change something; what blocks that, whoever is to be the new account's admin.
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

    /// Whether taking its migration back would change something; what of the customer itself blocks that.
    ///
    /// # Errors
    /// Everything that blocks it.
    pub fn may_revert(&self, at: Timestamp) -> Result<bool, Vec<Blocker>> {
        let Some(migration) = &self.migration else { return Err(vec![Blocker::NotMigrated]) };
        if !migration.stands() {
            return Ok(false);
        }
        blocked([
            (at - migration.at > chrono::TimeDelta::days(Migration::REVERTIBLE_DAYS), Blocker::TooLate),
            (self.owner != migration.account, Blocker::MovedOn),
            (!self.holds.is_empty(), Blocker::Hold),
        ])
    }

    /// Whether transferring it to this account would change something; what of the customer itself blocks that.
    ///
    /// # Errors
    /// Everything that blocks it.
    pub fn may_transfer(&self, to: AccountId) -> Result<bool, Vec<Blocker>> {
        if self.owner == to {
            return Ok(false);
        }
        blocked([(!self.holds.is_empty(), Blocker::Hold)])
    }

    /// Who is written to if nobody else is named: the primary contact, else the customer.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        let profile = &self.fields.profile;
        profile.contacts.primary().and_then(|contact| contact.email.as_ref()).or(profile.email.as_ref())
    }
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

fn blocked<const N: usize>(found: [(bool, Blocker); N]) -> Result<bool, Vec<Blocker>> {
    let blockers: Vec<Blocker> = found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker)).collect();
    if blockers.is_empty() { Ok(true) } else { Err(blockers) }
}
