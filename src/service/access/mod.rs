//! Access: who may act in which account, the members who may, and their consent. Roles come from memberships; in the steady state a
//! call asks the database nothing.

mod accept;
pub(in crate::service) mod cache;
mod consent;
mod first_admins;
pub(in crate::service) mod invitation_token;
mod invitations;
pub(in crate::service) mod inviting;
mod members;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use self::{
    cache::{AccessCache, Target},
    inviting::Inviting,
};
pub use self::{consent::Consent, invitations::Invitee};
use crate::{
    config::Config,
    domain::{
        access::caller::Caller,
        requests::{
            contract::Access as RequiredAccess,
            principal::{Author, Principal},
        },
        values::{
            enums::Role,
            ids::{AccountId, CustomerId, TenantId},
        },
    },
    error::{Error, Result},
    service::{mutation::Mutations, pool::Pool, rate::RateLimiter, seal::Sealer},
    store::{self, access::Found},
};

/// The use cases on access and members.
pub struct Access {
    pool: Pool,
    mutations: Mutations,
    sealer: Arc<Sealer>,
    inviting: Inviting,
    guesses: RateLimiter,
    /// Issuers whose tokens have no verified email address.
    emailless: HashSet<String>,
    service_principals: HashMap<Principal, Role>,
    cache: AccessCache,
}

impl Access {
    /// Memberships as the database has them, and the service principals of the configuration.
    pub(super) fn new(
        pool: Pool,
        mutations: Mutations,
        inviting: Inviting,
        cache: AccessCache,
        config: &Config,
    ) -> Self {
        let sealer = Arc::clone(&inviting.sealer);
        let services = config.identity.service_principals.iter();
        let service_principals = services.map(|service| (service.principal.clone(), service.role)).collect();
        Self {
            pool,
            mutations,
            sealer,
            inviting,
            guesses: RateLimiter::of_guesses(),
            emailless: config.mail.emailless_issuers.iter().cloned().collect(),
            service_principals,
            cache,
        }
    }

    /// The caller, if the author is a member of the account that the call names or of one above it; if the call names
    /// none, of the only account whose membership the author has accepted.
    ///
    /// # Errors
    /// `NotAMember`, `TenantSuspended`, `AccountRequired`, `TenantRequired`, `AccountNotFound`, or a failure of the database.
    pub async fn caller(
        &self,
        author: Author,
        tenant: Option<TenantId>,
        account: Option<AccountId>,
        narrowed: Option<CustomerId>,
    ) -> Result<Caller> {
        let target = Target { tenant, account };
        let principal = &author.principal;
        match self.cache.get_or_find(principal, target, || self.find(principal, target)).await? {
            Found::ActingAccount(acting_account, _) if acting_account.tenant_suspended => Err(Error::TenantSuspended),
            Found::ActingAccount(acting_account, role) => Ok(Caller::new(author, acting_account, role, narrowed)),
            Found::Stranger | Found::NotAMember => Err(Error::NotAMember),
            Found::AccountRequired { several, waiting } => Err(Error::AccountRequired { several, waiting }),
            Found::OutOfReach => Err(Error::AccountNotFound),
        }
    }

    /// The caller of a call that takes long, as it is now; refused as a new call of it would be: it is no member any more, its role
    /// is too low, or its tenant is suspended. As for any call, what is known of it is at most two seconds old.
    ///
    /// # Errors
    /// Those of `caller`, and `RoleTooLow`.
    pub(in crate::service) async fn admit_again(&self, caller: &Caller) -> Result<Caller> {
        let (author, scope) = (caller.author().clone(), caller.scope());
        let required = author.rpc.access;
        let now = self.caller(author, Some(scope.tenant()), Some(scope.root()), scope.narrowed()).await?;
        match required {
            RequiredAccess::Least(role) if now.role() < role => Err(Error::RoleTooLow(role)),
            _ => Ok(now),
        }
    }

    async fn find(&self, principal: &Principal, Target { tenant, account }: Target) -> Result<Found> {
        let service = match self.service_role(principal) {
            Some(role) => Some((role, tenant.ok_or(Error::TenantRequired)?)),
            None => None,
        };
        let mut lease = self.pool.lease().await?;
        lease
            .run(async |conn| match (service, account) {
                (Some((role, tenant)), _) => store::access::find_service(conn, role, tenant, account).await,
                (None, Some(account)) => store::access::find(conn, principal, tenant, account).await,
                (None, None) => store::access::find_sole(conn, principal, tenant).await,
            })
            .await
    }

    /// The role that the principal has in every tenant by configuration.
    #[must_use]
    pub fn service_role(&self, principal: &Principal) -> Option<Role> {
        self.service_principals.get(principal).copied()
    }
}
