//! Who calls, in which account, and so what the call may touch.

use std::sync::Arc;

use crate::domain::{
    access::invitation::EmailClaim,
    accounts::account::{Account, Path},
    billing::rate_plan::PlanTerms,
    refusal::Refusal,
    requests::principal::Author,
    values::{
        enums::Role,
        ids::{AccountId, BranchId, CustomerId, TenantId},
    },
};

/// What a call may see: one tenant, and in it the acting account, what is below it, and the FLEET customers of what is
/// above it. Every store function takes one; there is no other way to come by a tenant for a statement.
#[derive(Clone, Debug)]
pub struct Scope {
    tenant: TenantId,
    path: Path,
    narrowed: Option<CustomerId>,
}

impl Scope {
    /// The tenant: the first predicate of every statement.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The acting account.
    #[must_use]
    pub fn root(&self) -> AccountId {
        self.path.ids()[0]
    }

    /// The one customer that the call is narrowed to.
    #[must_use]
    pub fn narrowed(&self) -> Option<CustomerId> {
        self.narrowed
    }

    /// Whether the call may touch this customer at all: of a call that is narrowed to one, another does not exist.
    #[must_use]
    pub fn admits(&self, customer: CustomerId) -> bool {
        self.narrowed.is_none_or(|only| only == customer)
    }

    /// From the acting account up to the provider: whose FLEET customers it sees.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A caller with a role in the account it acts in.
#[derive(Clone, Debug)]
pub struct Caller {
    author: Author,
    scope: Scope,
    role: Role,
    acting_account: Arc<ActingAccount>,
}

/// Where a caller acts: the account, and what of it every look at a customer needs. At most two seconds old.
#[derive(Clone, Debug)]
pub struct ActingAccount {
    /// The tenant.
    pub tenant: TenantId,
    /// The acting account.
    pub account: Account,
    /// Its branches that work with a dealer management system.
    pub dms_branches: Vec<BranchId>,
    /// Whether the tenant is suspended: every call in it is refused.
    pub tenant_suspended: bool,
    /// The first plan of the list that applies to the account, without its prices.
    pub first_plan: Option<PlanTerms>,
    /// The plan of its customers that were never put on one, without its prices.
    pub unassigned_plan: Option<PlanTerms>,
    /// Whether the tenant's catalogue has a feature.
    pub has_features: bool,
}

impl Caller {
    /// Only layers/access makes one, from a verified token and the memberships. `narrowed` is the one customer that the call
    /// may touch, if it says so itself.
    #[must_use]
    pub fn new(author: Author, acting_account: Arc<ActingAccount>, role: Role, narrowed: Option<CustomerId>) -> Self {
        Self {
            author,
            scope: Scope { tenant: acting_account.tenant, path: acting_account.account.path.clone(), narrowed },
            role,
            acting_account,
        }
    }

    /// What the call may see.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Who does it, and by which RPC.
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// The role in the acting account.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The acting account, at most two seconds old. A write that decides by it names its revision.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.acting_account.account
    }

    /// The acting account's branches that work with a dealer management system.
    #[must_use]
    pub fn dms_branches(&self) -> &[BranchId] {
        &self.acting_account.dms_branches
    }

    /// The first plan of the list that applies to the acting account, at most two seconds old: the default of new customers.
    #[must_use]
    pub fn first_plan(&self) -> Option<&PlanTerms> {
        self.acting_account.first_plan.as_ref()
    }

    /// The plan of the acting account's customers that were never put on one, at most two seconds old and without its prices.
    #[must_use]
    pub fn unassigned_plan(&self) -> Option<&PlanTerms> {
        self.acting_account.unassigned_plan.as_ref()
    }

    /// Whether the tenant's catalogue has a feature that could be activated.
    #[must_use]
    pub fn has_features(&self) -> bool {
        self.acting_account.has_features
    }

    /// Refuses a caller that does not act in the provider's account, which has the tenant's catalogue.
    ///
    /// # Errors
    /// `AccountAboveRequired`.
    pub fn must_act_in_provider(&self) -> Result<(), Refusal> {
        if self.account().is_provider() { Ok(()) } else { Err(Refusal::AccountAboveRequired(Role::Admin)) }
    }

    /// Whether the acting account or one above it is suspended: mutations that would change something are refused.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.account().is_suspended()
    }

    /// Whether the acting account is above this one: its admins may stop it.
    ///
    /// # Errors
    /// `AccountAboveRequired`.
    pub fn must_be_above(&self, account: AccountId) -> Result<(), Refusal> {
        if account == self.scope.root() { Err(Refusal::AccountAboveRequired(Role::Admin)) } else { Ok(()) }
    }

    /// Refuses a mutation that names no customer where the call is narrowed to one.
    ///
    /// # Errors
    /// `Narrowed`.
    pub fn must_not_be_narrowed(&self) -> Result<(), Refusal> {
        if self.scope.narrowed.is_some() { Err(Refusal::Narrowed) } else { Ok(()) }
    }

    /// Refuses a caller below a role that data, not the contract's floor, asks for.
    ///
    /// # Errors
    /// `RoleTooLow` with the least role; `RoleOfNewerRelease` for a role that this release does not know.
    pub fn must_be(&self, least: Role) -> Result<(), Refusal> {
        match least {
            Role::Unknown => Err(Refusal::RoleOfNewerRelease("the required role")),
            _ if self.role >= least => Ok(()),
            _ => Err(Refusal::RoleTooLow(least)),
        }
    }
}

/// A platform operator: creates and lists tenants, and has no rights in any.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Who, and by which RPC.
    pub author: Author,
}

/// A caller with a valid token, a member of some account or not.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who, and by which RPC.
    pub author: Author,
    /// The tenant that the call names, if it does.
    pub tenant: Option<TenantId>,
    /// Whether it is a platform operator.
    pub operator: bool,
    /// The one customer that the call is narrowed to.
    pub narrowed: Option<CustomerId>,
    /// The email address that its token claims.
    pub email: Option<EmailClaim>,
}

impl Authenticated {
    /// Refuses a mutation where the call is narrowed to one customer: it names none.
    ///
    /// # Errors
    /// `Narrowed`.
    pub fn must_not_be_narrowed(&self) -> Result<(), Refusal> {
        if self.narrowed.is_some() { Err(Refusal::Narrowed) } else { Ok(()) }
    }
}
