//! An account: a node of a tenant's tree.

use std::{cmp::Ordering, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::domain::{
    accounts::policies::{Policies, PolicyChoices},
    reference::industries::Industries,
    refusal::Refusal,
    values::{
        enums::NameUniqueness,
        ids::{AccountId, TenantId},
        name::AccountName,
        timestamp::Timestamp,
    },
};

/// Longest path from an account up to its provider.
pub const MAX_DEPTH: usize = 8;

/// The ids from an account itself up to its provider: 1 to 8. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(Vec<AccountId>);

impl Path {
    /// The path of a provider's account, whose id is its tenant's.
    #[must_use]
    pub fn provider(tenant: TenantId) -> Self {
        Self(vec![AccountId::from_uuid(tenant.get())])
    }

    /// A path that the database kept.
    #[must_use]
    pub fn stored(ids: Vec<AccountId>) -> Self {
        Self(ids)
    }

    /// The path of a new account below this one.
    ///
    /// # Errors
    /// `TreeTooDeep` below the eighth level.
    pub fn child(&self, id: AccountId) -> Result<Self, Refusal> {
        if self.0.len() >= MAX_DEPTH {
            return Err(Refusal::TreeTooDeep);
        }
        Ok(Self(std::iter::once(id).chain(self.0.iter().copied()).collect()))
    }

    /// Whether the account is on the path.
    #[must_use]
    pub fn contains(&self, account: AccountId) -> bool {
        self.0.contains(&account)
    }

    /// The ids, the account's own first.
    #[must_use]
    pub fn ids(&self) -> &[AccountId] {
        &self.0
    }
}

/// An account with all that its customers' commands decide by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's id.
    #[serde(rename = "id")]
    pub id: AccountId,
    /// From itself up to its provider.
    #[serde(rename = "ancestors")]
    pub path: Path,
    /// What people call it.
    #[serde(rename = "name")]
    pub name: AccountName,
    /// What it asks of its customers.
    #[serde(rename = "policies")]
    pub policies: Arc<Policies>,
    /// Where customer names must be unique in its tenant.
    #[serde(rename = "name_uniqueness")]
    pub name_uniqueness: NameUniqueness,
    /// Counts changes of the account.
    #[serde(rename = "revision")]
    pub revision: i64,
    /// Counts changes of its tenant.
    #[serde(rename = "tenant_revision")]
    pub tenant_revision: i64,
    /// When it was created.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
    /// Since when it is suspended, if it is.
    #[serde(rename = "suspended_at", default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
    /// Whether an account above it is suspended.
    #[serde(rename = "suspended_above", default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended_above: bool,
    /// The tenant's own industries, of the provider's account and of the one that a call acts in; none: the default list, or any
    /// other account.
    #[serde(rename = "industries", default, skip_serializing_if = "Option::is_none")]
    pub industries: Option<Arc<Industries>>,
}

/// New values of an account's fields; those that are none stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountEdit {
    /// The name.
    pub name: Option<AccountName>,
    /// Its policies.
    pub policies: PolicyChoices,
    /// The tenant's rule on names: a field of the provider's account.
    pub name_uniqueness: Option<NameUniqueness>,
    /// The tenant's industries: a field of the provider's account. The inner none: the default list.
    pub industries: Option<Option<Industries>>,
}

/// How much an account has: exact up to [`AccountCounts::COUNTED`], and one more says that there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountCounts {
    /// Accounts directly below it.
    pub children: i32,
    /// Customers that it owns.
    pub customers: i32,
}

impl AccountCounts {
    /// Accounts and customers are counted up to here: a count costs a look at each.
    pub const COUNTED: i32 = 100;
}

/// What a change of the tenant's rule on names is, from the rule that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// It stays.
    None,
    /// It allows more: nothing can be in its way.
    Looser,
    /// It allows less: customers may have the same name where the new rule forbids it.
    Stricter,
}

impl RuleChange {
    /// The change from one rule to another.
    ///
    /// # Errors
    /// `ValueOfNewerRelease` if this release does not know the rule that holds.
    pub fn between(now: NameUniqueness, wanted: NameUniqueness) -> Result<Self, Refusal> {
        let strictness = |rule| match rule {
            NameUniqueness::Unknown => Err(UNKNOWN_NAME_RULE),
            NameUniqueness::None => Ok(0),
            NameUniqueness::Account => Ok(1),
            NameUniqueness::Tenant => Ok(2),
        };
        Ok(match strictness(wanted)?.cmp(&strictness(now)?) {
            Ordering::Less => Self::Looser,
            Ordering::Equal => Self::None,
            Ordering::Greater => Self::Stricter,
        })
    }
}

impl Account {
    /// Whether mutations that act in it are refused.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended_at.is_some() || self.suspended_above
    }

    /// Whether it is the provider's, which has the tenant's rule on names.
    #[must_use]
    pub fn is_provider(&self) -> bool {
        self.path.ids().len() == 1
    }

    /// The account with its new values.
    #[must_use]
    pub fn edited(&self, edit: AccountEdit) -> Self {
        let AccountEdit { name, policies, name_uniqueness, industries } = edit;
        Self {
            name: name.unwrap_or_else(|| self.name.clone()),
            policies: Arc::new(policies.over(&self.policies)),
            name_uniqueness: name_uniqueness.unwrap_or(self.name_uniqueness),
            industries: industries.map_or_else(|| self.industries.clone(), |own| own.map(Arc::new)),
            ..self.clone()
        }
    }

    /// A new account below this one, in the same tenant.
    ///
    /// # Errors
    /// `TreeTooDeep` below the eighth level.
    pub fn child(
        &self,
        id: AccountId,
        name: AccountName,
        policies: Arc<Policies>,
        created_at: Timestamp,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            id,
            path: self.path.child(id)?,
            name,
            policies,
            name_uniqueness: self.name_uniqueness,
            revision: 1,
            tenant_revision: self.tenant_revision,
            created_at,
            suspended_at: None,
            suspended_above: self.is_suspended(),
            industries: None,
        })
    }

    /// Refuses what needs the tenant's rule on names if this release does not know the rule.
    ///
    /// # Errors
    /// `ValueOfNewerRelease`.
    pub fn must_know_name_rule(&self) -> Result<(), Refusal> {
        if self.name_uniqueness == NameUniqueness::Unknown { Err(UNKNOWN_NAME_RULE) } else { Ok(()) }
    }
}

/// The refusal under a rule on names that this release does not know.
pub const UNKNOWN_NAME_RULE: Refusal = Refusal::ValueOfNewerRelease("the tenant's name_uniqueness");

/// Where a customer's name must be unique under a tenant's rule: nowhere, in its owner, or in the tenant. The value that the
/// database's unique key compares.
///
/// # Errors
/// `ValueOfNewerRelease` under a rule that this release does not know.
pub fn name_scope(rule: NameUniqueness, tenant: TenantId, owner: AccountId) -> Result<Option<uuid::Uuid>, Refusal> {
    match rule {
        NameUniqueness::Unknown => Err(UNKNOWN_NAME_RULE),
        NameUniqueness::None => Ok(None),
        NameUniqueness::Account => Ok(Some(owner.get())),
        NameUniqueness::Tenant => Ok(Some(tenant.get())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_on_names_becomes_stricter_from_none_to_account_to_tenant() {
        for (at, now) in NameUniqueness::KNOWN.iter().copied().enumerate() {
            for (to, wanted) in NameUniqueness::KNOWN.iter().copied().enumerate() {
                let change = match at.cmp(&to) {
                    Ordering::Less => RuleChange::Stricter,
                    Ordering::Equal => RuleChange::None,
                    Ordering::Greater => RuleChange::Looser,
                };
                assert_eq!(RuleChange::between(now, wanted), Ok(change));
            }
            assert!(matches!(RuleChange::between(NameUniqueness::Unknown, now), Err(Refusal::ValueOfNewerRelease(_))));
        }
    }
}
