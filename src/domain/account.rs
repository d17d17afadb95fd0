//! An account: a node of a tenant's tree, and what it asks of its customers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{
    custom_id::CustomIds,
    customer::Facts,
    enums::{NameUniqueness, Role},
    field::FieldPath,
    ids::{AccountId, TenantId},
    name::AccountName,
    refusal::Refusal,
    text::Text,
};

/// A point in time, to the microsecond that PostgreSQL keeps.
pub type Moment = DateTime<Utc>;

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

/// What must be filled in at some point of a customer's life. Stored as the texts of its paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub struct Requirements(Vec<FieldPath>);

impl From<Requirements> for Vec<String> {
    fn from(requirements: Requirements) -> Self {
        requirements.0.iter().map(ToString::to_string).collect()
    }
}

impl From<Vec<String>> for Requirements {
    /// Reads what was stored. A path that this server does not know, of a newer one, it cannot ask for.
    fn from(stored: Vec<String>) -> Self {
        Self(stored.iter().filter_map(|path| FieldPath::parse_required(path)).collect())
    }
}

impl Requirements {
    /// Most paths in one list.
    pub const MAX: usize = 50;

    /// Requirements of these fields; one that is named again counts once.
    #[must_use]
    pub fn new(paths: Vec<FieldPath>) -> Self {
        let mut kept: Vec<FieldPath> = Vec::with_capacity(paths.len());
        for path in paths {
            if !kept.contains(&path) {
                kept.push(path);
            }
        }
        Self(kept)
    }

    /// The fields.
    #[must_use]
    pub fn paths(&self) -> &[FieldPath] {
        &self.0
    }

    /// What is still empty. `owner_ids` are the custom IDs of the customer's owner, whoever acts. Tax and registration
    /// numbers bind companies alone.
    #[must_use]
    pub fn missing(&self, facts: &Facts, owner_ids: &CustomIds) -> Vec<FieldPath> {
        self.0.iter().filter(|path| path.binds(facts) && !path.is_filled(facts, owner_ids)).cloned().collect()
    }
}

/// What an account asks of its customers and of those who keep them: the column `accounts.policies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    /// What must be filled in when a customer is created, beside the name.
    pub required_to_create: Requirements,
    /// What must be filled in before a customer becomes ACTIVE.
    pub required_to_approve: Requirements,
    /// Whether a new customer that has it all is ACTIVE at once.
    pub auto_approve: bool,
    /// The least role that may create a customer.
    pub create_role: Role,
    /// The least role that may change a custom ID that is set.
    pub custom_id_role: Role,
    /// What a customer is billed in that names no currency.
    pub default_currency: Option<Text<100>>,
    /// The country that forms preselect.
    pub default_region: Option<Text<100>>,
}

impl Default for Policies {
    /// What a new provider has that asks for nothing else.
    fn default() -> Self {
        Self {
            required_to_create: Requirements::default(),
            required_to_approve: Requirements::default(),
            auto_approve: true,
            create_role: Role::Member,
            custom_id_role: Role::ServiceManager,
            default_currency: None,
            default_region: None,
        }
    }
}

/// Policies as a request names them: what it leaves out comes from the parent, or from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChoices {
    /// See [`Policies::required_to_create`].
    pub required_to_create: Option<Requirements>,
    /// See [`Policies::required_to_approve`].
    pub required_to_approve: Option<Requirements>,
    /// See [`Policies::auto_approve`].
    pub auto_approve: Option<bool>,
    /// See [`Policies::create_role`].
    pub create_role: Option<Role>,
    /// See [`Policies::custom_id_role`].
    pub custom_id_role: Option<Role>,
    /// See [`Policies::default_currency`]; `Some(None)` means none.
    pub default_currency: Option<Option<Text<100>>>,
    /// See [`Policies::default_region`]; `Some(None)` means none.
    pub default_region: Option<Option<Text<100>>>,
}

impl PolicyChoices {
    /// The choices, and for what they leave out the given policies.
    #[must_use]
    pub fn over(self, base: &Policies) -> Policies {
        Policies {
            required_to_create: self.required_to_create.unwrap_or_else(|| base.required_to_create.clone()),
            required_to_approve: self.required_to_approve.unwrap_or_else(|| base.required_to_approve.clone()),
            auto_approve: self.auto_approve.unwrap_or(base.auto_approve),
            create_role: self.create_role.unwrap_or(base.create_role),
            custom_id_role: self.custom_id_role.unwrap_or(base.custom_id_role),
            default_currency: self.default_currency.unwrap_or_else(|| base.default_currency.clone()),
            default_region: self.default_region.unwrap_or_else(|| base.default_region.clone()),
        }
    }
}

/// An account with all that its customers' commands decide by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's id.
    pub id: AccountId,
    /// From itself up to its provider.
    pub path: Path,
    /// What people call it.
    pub name: AccountName,
    /// What it asks of its customers.
    pub policies: Arc<Policies>,
    /// Where customer names must be unique in its tenant.
    pub name_uniqueness: NameUniqueness,
    /// Counts changes of the account.
    pub revision: i64,
    /// Counts changes of its tenant.
    pub tenant_revision: i64,
    /// When it was created.
    pub created_at: Moment,
}

impl Account {
    /// Where a new name of one of its customers must be unique: nowhere, in the account or in the tenant. What the
    /// database's unique key compares.
    #[must_use]
    pub fn name_scope(&self, tenant: TenantId) -> Option<uuid::Uuid> {
        name_scope(self.name_uniqueness, tenant, self.id)
    }
}

/// Where a customer's name must be unique under a tenant's rule: nowhere, in its owner, or in the tenant.
#[must_use]
pub fn name_scope(rule: NameUniqueness, tenant: TenantId, owner: AccountId) -> Option<uuid::Uuid> {
    match rule {
        NameUniqueness::None => None,
        NameUniqueness::Account => Some(owner.get()),
        NameUniqueness::Tenant => Some(tenant.get()),
    }
}
