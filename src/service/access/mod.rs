//! Access: who may act in which account, and the members who may. Roles come from memberships; in the steady state a
//! call asks the database nothing.

pub(in crate::service) mod cache;
mod members;

use std::{collections::HashMap, sync::Arc};

use self::cache::{AccessCache, Found, Key};
use crate::{
    config,
    domain::{
        access::caller::{ActingAccount, Caller},
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
        access::{AccountAccess, Membership},
    },
};

/// The use cases on access and members.
pub struct Access {
    pool: Pool,
    mutations: Mutations,
    sealer: Arc<Sealer>,
    service_principals: HashMap<Principal, Role>,
    cache: AccessCache,
}

impl Access {
    /// Memberships as the database has them, and the service principals of the configuration.
    pub(super) fn new(
        pool: Pool,
        mutations: Mutations,
        sealer: Arc<Sealer>,
        cache: AccessCache,
        identity: &config::Identity,
    ) -> Self {
        let services = identity.service_principals.iter();
        let service_principals = services.map(|service| (service.principal.clone(), service.role)).collect();
        Self { pool, mutations, sealer, service_principals, cache }
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
        let key = Key { principal: author.principal.clone(), tenant, account };
        let found = self.cache.get_or_find(key, self.find(&author.principal, tenant, account)).await?;
        match found {
            Found::ActingAccount(acting_account, role) => Ok(Caller::new(author, acting_account, role, narrowed)),
            Found::NotAMember => Err(Error::NotAMember),
            Found::AccountRequired => Err(Error::AccountRequired),
            Found::OutOfReach => Err(Error::AccountNotFound),
        }
    }

    async fn find(&self, principal: &Principal, tenant: Option<TenantId>, account: Option<AccountId>) -> Result<Found> {
        let mut lease = self.pool.lease().await?;
        if let Some(role) = self.service_principals.get(principal) {
            let tenant = tenant.ok_or(Error::TenantRequired)?;
            let access =
                lease.run(async |conn| store::access::find_service(conn, *role, tenant, account).await).await?;
            return Ok(within_reach(access.into_iter().collect()));
        }
        let access = lease.run(async |conn| store::access::find(conn, principal, tenant, account).await).await?;
        Ok(match access.as_slice() {
            [] => Found::NotAMember,
            [_, _, ..] if account.is_none() => Found::AccountRequired,
            _ => within_reach(access),
        })
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
        lease.run(async |conn| store::access::memberships(conn, principal, tenant).await).await
    }
}

/// The acting account with the highest role of the memberships in it or above it.
fn within_reach(access: Vec<AccountAccess>) -> Found {
    access
        .into_iter()
        .filter_map(|AccountAccess { tenant, member_of, role, account, dms_branches }| {
            let account = account?;
            account.path.contains(member_of).then_some((ActingAccount { tenant, account, dms_branches }, role))
        })
        .max_by_key(|(_, role)| *role)
        .map_or(Found::OutOfReach, |(acting_account, role)| Found::ActingAccount(Arc::new(acting_account), role))
}
