//! The cache of look-ups of access. A commit of this process drops the entries that it made stale, and no other
//! tenant's; commits of other processes are seen when an entry has reached its maximum age.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use crate::{
    domain::{
        access::caller::ActingAccount,
        requests::principal::Principal,
        values::{
            enums::Role,
            ids::{AccountId, TenantId},
        },
    },
    error::{Error, Result},
    telemetry::{self, CacheResult},
};

/// Maximum age of an entry: a right that was taken away works no longer than this.
pub(in crate::service) const MAX_AGE: Duration = Duration::from_secs(2);
/// Maximum number of entries.
const MAX_ENTRIES: u64 = 100_000;

/// What a look-up depends on: the principal, and the tenant and the account that the call names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) principal: Principal,
    pub(super) tenant: Option<TenantId>,
    pub(super) account: Option<AccountId>,
}

/// The result of a look-up. Refusals are cached too: they cost a query like any other result.
#[derive(Clone, Debug)]
pub(super) enum Found {
    ActingAccount(Arc<ActingAccount>, Role),
    NotAMember,
    AccountRequired,
    OutOfReach,
}

/// Entries that a commit makes stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum Stale {
    /// Those of a principal whose memberships in the tenant change.
    Memberships(TenantId, Principal),
    /// Those of calls that act in the account, whose branches change.
    Account(TenantId, AccountId),
    /// Those of calls that act in the tenant, whose rules change.
    Tenant(TenantId),
}

impl Stale {
    fn covers(&self, key: &Key, found: &Found) -> bool {
        let acting = match found {
            Found::ActingAccount(acting, _) => Some(acting),
            Found::NotAMember | Found::AccountRequired | Found::OutOfReach => None,
        };
        match self {
            Self::Memberships(tenant, principal) => {
                key.principal == *principal
                    && key.tenant.is_none_or(|named| named == *tenant)
                    // A call that names no account acts in the only one, so a membership elsewhere changes its result.
                    && (key.account.is_none() || acting.is_none_or(|acting| acting.tenant == *tenant))
            }
            Self::Account(tenant, account) => {
                acting.is_some_and(|acting| acting.tenant == *tenant && acting.account.id == *account)
            }
            Self::Tenant(tenant) => acting.is_some_and(|acting| acting.tenant == *tenant),
        }
    }
}

/// The cache. Its clones share the entries.
#[derive(Clone)]
pub(in crate::service) struct AccessCache {
    entries: Cache<Key, Found>,
}

impl AccessCache {
    pub(in crate::service) fn new(max_age: Duration) -> Self {
        let entries =
            Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(max_age).support_invalidation_closures().build();
        Self { entries }
    }

    /// The entry of this key, or what `find` returns. Callers that miss together share one look-up.
    pub(super) async fn get_or_find(&self, key: Key, find: impl Future<Output = Result<Found>>) -> Result<Found> {
        if let Some(found) = self.entries.get(&key).await {
            telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Hit));
            return Ok(found);
        }
        let counted = async {
            telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Miss));
            find.await
        };
        self.entries.try_get_with(key, counted).await.map_err(|shared: Arc<Error>| shared.duplicate())
    }

    /// Drops the entries that a commit made stale.
    pub(in crate::service) fn drop_stale(&self, stale: Stale) {
        let dropped = self.entries.invalidate_entries_if(move |key, found| stale.covers(key, found));
        if dropped.is_err() {
            // The cache was built without support for conditions: every entry may be stale.
            self.entries.invalidate_all();
        }
    }
}

#[cfg(test)]
pub(in crate::service) mod samples;
#[cfg(test)]
mod tests;
