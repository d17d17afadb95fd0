//! A cache with entries of two tenants, for tests.

use uuid::Uuid;

use super::*;
use crate::domain::{
    accounts::{
        account::{Account, Path},
        policies::Policies,
    },
    values::{enums::NameUniqueness, name::AccountName},
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

/// The key of a call by this subject that names this tenant and account.
pub(super) fn key(subject: &str, tenant: Option<TenantId>, account: Option<AccountId>) -> Key {
    Key { principal: principal(subject), tenant, account }
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
    };
    Found::ActingAccount(Arc::new(ActingAccount { tenant, account, dms_branches: Vec::new() }), Role::Admin)
}

/// A cache whose entries outlast any test: for each of the tenants 1 and 2 that of its admin, `ada` and `bob`.
pub(in crate::service) async fn cache() -> AccessCache {
    let cache = AccessCache::new(Duration::from_secs(3600));
    for (subject, number) in [("ada", 1), ("bob", 2)] {
        let found = acting_in(tenant(number), account(number));
        cache.entries.insert(key(subject, None, Some(account(number))), found).await;
    }
    cache
}

/// Whether the cache has the entries of `ada` and of `bob`.
pub(in crate::service) async fn has(cache: &AccessCache) -> (bool, bool) {
    let has = async |subject, number| cache.entries.get(&key(subject, None, Some(account(number)))).await.is_some();
    (has("ada", 1).await, has("bob", 2).await)
}
