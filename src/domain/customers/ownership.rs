//! Moves of a customer to another account, and what blocks them. Each `may_…` function decides for the command and for
//! `allowed_actions`.

use crate::domain::{
    accounts::account::{Account, MAX_DEPTH},
    customers::{customer::Customer, migration::Migration, status::Status},
    fields::references::References,
    refusal::Blocker,
    values::{email::Email, enums::Reach, ids::AccountId, timestamp::Timestamp},
};

impl Customer {
    /// Gives it another owner. Its references are the former owner's: they are cleared, and returned.
    pub fn go_to(&mut self, account: &Account) -> References {
        self.owner = account.id;
        self.path = account.path.clone();
        std::mem::take(&mut self.fields.references)
    }

    /// The migration that is in force.
    #[must_use]
    pub fn migrated(&self) -> Option<&Migration> {
        self.migration.as_ref().filter(|migration| migration.is_in_force())
    }

    /// Whether migrating it would change something. The new account's admin is not checked here.
    ///
    /// # Errors
    /// All blockers.
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

    /// Whether reverting its migration would change something. The new account's usage is not checked here.
    ///
    /// # Errors
    /// All blockers.
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

    /// Whether transferring it to this account would change something. Conflicts there are not checked here.
    ///
    /// # Errors
    /// All blockers.
    pub fn may_transfer(&self, to: AccountId) -> Result<bool, Vec<Blocker>> {
        if self.owner == to {
            return Ok(false);
        }
        blocked([(!self.holds.is_empty(), Blocker::Hold)])
    }

    /// The default recipient of email: the primary contact, else the customer.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        let profile = &self.fields.profile;
        profile.contacts.primary().and_then(|contact| contact.email.as_ref()).or(profile.email.as_ref())
    }
}

fn blocked<const N: usize>(found: [(bool, Blocker); N]) -> Result<bool, Vec<Blocker>> {
    let blockers: Vec<Blocker> = found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker)).collect();
    if blockers.is_empty() { Ok(true) } else { Err(blockers) }
}
