//! Access: who may act in which account, and the members who may. Roles come from memberships; in the steady state a
//! call asks the database nothing.

pub(in crate::service) mod cache;
pub(in crate::service) mod invitation_token;
mod invitations;
pub(in crate::service) mod inviting;
mod members;

use std::{collections::HashMap, sync::Arc};

pub use self::invitations::Invitee;
use self::{
    cache::{AccessCache, Target},
    inviting::Inviting,
};
use crate::{
    config,
    domain::{
        access::caller::Caller,
        requests::principal::{Author, Principal},
        values::{
            enums::Role,
            ids::{AccountId, CustomerId, TenantId},
        },
    },
    error::{Error, Result},
    service::{mutation::Mutations, pool::Pool, seal::Sealer},
    store::{
        self,
        access::{Found, memberships::Membership},
    },
};

/// The use cases on access and members.
pub struct Access {
    pool: Pool,
    mutations: Mutations,
    sealer: Arc<Sealer>,
    inviting: Inviting,
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
        identity: &config::Identity,
    ) -> Self {
        let sealer = Arc::clone(&inviting.sealer);
        let services = identity.service_principals.iter();
        let service_principals = services.map(|service| (service.principal.clone(), service.role)).collect();
        Self { pool, mutations, sealer, inviting, service_principals, cache }
    }

    /// The caller, if the author is a member of the account that the call names or of one above it; if the call names
    /// none, of the author's only account.
    ///
    /// # Errors
    /// `NotAMember`, `AccountRequired`, `TenantRequired`, `AccountNotFound`, or a failure of the database.
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
            Found::ActingAccount(acting_account, role) => Ok(Caller::new(author, acting_account, role, narrowed)),
            Found::Stranger | Found::NotAMember => Err(Error::NotAMember),
            Found::AccountRequired => Err(Error::AccountRequired),
            Found::OutOfReach => Err(Error::AccountNotFound),
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

    /// Lists the memberships of a principal.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn memberships(&self, principal: &Principal, tenant: Option<TenantId>) -> Result<Vec<Membership>> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::access::memberships::list(conn, principal, tenant).await).await
    }
}
