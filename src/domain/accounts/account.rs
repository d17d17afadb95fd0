//! An account: a node of a tenant's tree.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    accounts::policies::Policies,
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
}

impl Account {
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
