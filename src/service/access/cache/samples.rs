//! A cache with entries of two tenants, for tests.

use uuid::Uuid;

use super::*;
use crate::domain::{
    access::caller::ActingAccount,
    accounts::{
        account::{Account, Path},
        policies::Policies,
    },
    values::{
        enums::{NameUniqueness, Role},
        ids::{AccountId, TenantId},
        name::AccountName,
    },
};

/// A tenant by its number.
pub(in crate::service) fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// An account by its number; that of a tenant's number is its provider's.
pub(in crate::service) fn account(number: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number))
}

/// The principal of this subject.
pub(in crate::service) fn principal(subject: &str) -> Principal {
    Principal::new("issuer", subject)
}

/// Access as an admin to an account of the tenant.
pub(super) fn acting_in(tenant: TenantId, account: AccountId) -> Found {
    let account = Account {
        id: account,
        path: Path::provider(tenant),
        name: AccountName::stored("acme".to_owned()),
        policies: Arc::new(Policies::default()),
        name_uniqueness: NameUniqueness::None,
        revision: 1,
        tenant_revision: 1,
        created_at: crate::service::clock::now(),
        suspended_at: None,
        suspended_above: false,
        industries: None,
    };
    let acting = ActingAccount {
        tenant,
        account,
        dms_branches: Vec::new(),
        tenant_suspended: false,
        first_plan: None,
        unassigned_plan: None,
        has_features: false,
    };
    Found::ActingAccount(Arc::new(acting), Role::Admin)
}

/// Looks this up as a call does; the database says what is given.
pub(super) async fn put(cache: &AccessCache, subject: &str, target: Target, found: &Found) {
    cache.get_or_find(&principal(subject), target, async || Ok(found.clone())).await.unwrap();
}

/// Whether the cache has a result for this call.
pub(super) fn is_cached(cache: &AccessCache, subject: &str, target: Target) -> bool {
    cache.get(&principal(subject), target).is_some()
}

/// The account of this number.
fn only(number: u128) -> Target {
    Target { tenant: None, account: Some(account(number)) }
}

/// A cache whose entries outlast any test: for each of the tenants 1 and 2 that of its admin, `ada` and `bob`.
pub(in crate::service) async fn cache() -> AccessCache {
    let cache = AccessCache::new(Duration::from_secs(3600));
    for (subject, number) in [("ada", 1), ("bob", 2)] {
        put(&cache, subject, only(number), &acting_in(tenant(number), account(number))).await;
    }
    cache
}

/// Whether the cache has the entries of `ada` and of `bob`.
pub(in crate::service) fn has(cache: &AccessCache) -> (bool, bool) {
    (is_cached(cache, "ada", only(1)), is_cached(cache, "bob", only(2)))
}
