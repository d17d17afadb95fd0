//! Who may act where. Roles come from memberships; the steady state asks the database nothing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use moka::future::Cache;

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
    service::pool::Pool,
    store::{
        self,
        access::{AccountAccess, Membership},
    },
    telemetry::{self, CacheResult},
};

/// How old a membership, an account or its policies may be. What was taken away works no longer than this.
const TRUST: Duration = Duration::from_secs(2);
/// Standings that are remembered at most.
const REMEMBERED: u64 = 100_000;

/// A principal, and what it named by headers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    principal: Principal,
    tenant: Option<TenantId>,
    account: Option<AccountId>,
}

/// Where that leaves it. Refusals are remembered too: they cost a query like anything else.
#[derive(Clone, Debug)]
enum Found {
    At(Arc<ActingAccount>, Role),
    NotAMember,
    AccountRequired,
    OutOfReach,
}

/// The memberships.
pub struct Access {
    pool: Pool,
    service_principals: HashMap<Principal, Role>,
    known: Cache<Asked, Found>,
}

impl Access {
    /// Memberships as the database has them, and the service principals of the configuration.
    #[must_use]
    pub fn new(pool: Pool, identity: &config::Identity) -> Self {
        Self {
            pool,
            service_principals: identity
                .service_principals
                .iter()
                .map(|service| (service.principal.clone(), service.role))
                .collect(),
            known: Cache::builder().max_capacity(REMEMBERED).time_to_live(TRUST).build(),
        }
    }

    /// The caller, if the author is a member of the account that it names or of one above; if it names none, of its only
    /// one.
    ///
    /// # Errors
    /// `NotAMember`, `AccountRequired`, `TenantRequired`, `AccountNotFound`, or what the database says.
    pub async fn caller(
        &self,
        author: Author,
        tenant: Option<TenantId>,
        account: Option<AccountId>,
        narrowed: Option<CustomerId>,
    ) -> Result<Caller> {
        let asked = Asked { principal: author.principal.clone(), tenant, account };
        let found = match self.known.get(&asked).await {
            Some(found) => {
                telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Hit));
                found
            }
            // Callers that miss together ask once.
            None => {
                self.known.try_get_with_by_ref(&asked, self.find(&asked)).await.map_err(|shared| shared.duplicate())?
            }
        };
        match found {
            Found::At(acting_account, role) => Ok(Caller::new(author, acting_account, role, narrowed)),
            Found::NotAMember => Err(Error::NotAMember),
            Found::AccountRequired => Err(Error::AccountRequired),
            Found::OutOfReach => Err(Error::AccountNotFound),
        }
    }

    async fn find(&self, asked: &Asked) -> Result<Found> {
        telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Miss));
        let mut lease = self.pool.lease().await?;
        if let Some(role) = self.service_principals.get(&asked.principal) {
            let tenant = asked.tenant.ok_or(Error::TenantRequired)?;
            let standing =
                lease.run(async |conn| store::access::find_service(conn, *role, tenant, asked.account).await).await?;
            return Ok(within_reach(standing.into_iter().collect()));
        }
        let standings = lease
            .run(async |conn| store::access::find(conn, &asked.principal, asked.tenant, asked.account).await)
            .await?;
        Ok(match standings.as_slice() {
            [] => Found::NotAMember,
            [_, _, ..] if asked.account.is_none() => Found::AccountRequired,
            _ => within_reach(standings),
        })
    }

    /// The role that the principal has in every tenant by configuration.
    #[must_use]
    pub fn service_role(&self, principal: &Principal) -> Option<Role> {
        self.service_principals.get(principal).copied()
    }

    /// Where a principal is a member.
    pub async fn memberships(&self, principal: &Principal, tenant: Option<TenantId>) -> Result<Vec<Membership>> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::access::memberships(conn, principal, tenant).await).await
    }

    /// Forgets what is known: something changed in this process.
    pub fn forget(&self) {
        self.known.invalidate_all();
    }
}

/// The wanted account with the highest role of the memberships in it or above it.
fn within_reach(standings: Vec<AccountAccess>) -> Found {
    standings
        .into_iter()
        .filter_map(|AccountAccess { tenant, member_of, role, account, dms_branches }| {
            let account = account?;
            account.path.contains(member_of).then_some((ActingAccount { tenant, account, dms_branches }, role))
        })
        .max_by_key(|(_, role)| *role)
        .map_or(Found::OutOfReach, |(acting_account, role)| Found::At(Arc::new(acting_account), role))
}
