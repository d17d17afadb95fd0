use super::{
    samples::{account, acting_in, cache, has, key, principal, tenant},
    *,
};

/// Whether a commit drops each of these entries.
async fn dropped<const N: usize>(stale: Stale, entries: [(Key, Found); N]) -> [bool; N] {
    let cache = AccessCache::new(Duration::from_secs(3600));
    for (key, found) in &entries {
        cache.entries.insert(key.clone(), found.clone()).await;
    }
    cache.drop_stale(stale);
    let mut dropped = [false; N];
    for (dropped, (key, _)) in dropped.iter_mut().zip(entries) {
        *dropped = cache.entries.get(&key).await.is_none();
    }
    dropped
}

#[tokio::test]
async fn a_new_membership_drops_the_entries_of_its_principal_that_it_may_change() {
    let ada = |tenant, account| key("ada", tenant, account);
    let (here, there) = (tenant(1), tenant(2));
    let stale = Stale::Memberships(here, principal("ada"));
    let entries = [
        (ada(None, None), Found::NotAMember),
        (ada(Some(here), None), Found::NotAMember),
        (ada(None, Some(account(11))), Found::OutOfReach),
        (ada(None, Some(account(1))), acting_in(here, account(1))),
        // With the new membership it is no longer the only account.
        (ada(Some(here), Some(account(12))), acting_in(here, account(12))),
    ];
    assert_eq!(dropped(stale.clone(), entries).await, [true; 5]);

    let sole = [(ada(None, None), acting_in(there, account(2)))];
    assert_eq!(dropped(stale.clone(), sole).await, [true], "it is no longer the only account");

    let others = [
        (ada(Some(there), None), acting_in(there, account(2))),
        (ada(None, Some(account(2))), acting_in(there, account(2))),
        (key("bob", None, None), Found::NotAMember),
        (key("bob", None, Some(account(1))), acting_in(here, account(1))),
    ];
    assert_eq!(dropped(stale, others).await, [false; 4]);
}

#[tokio::test]
async fn a_changed_branch_drops_the_entries_of_its_account_alone() {
    let entries = [
        (key("ada", None, Some(account(11))), acting_in(tenant(1), account(11))),
        (key("bob", None, None), acting_in(tenant(1), account(11))),
        (key("ada", None, Some(account(1))), acting_in(tenant(1), account(1))),
        (key("eve", None, Some(account(11))), Found::OutOfReach),
        (key("ada", None, Some(account(2))), acting_in(tenant(2), account(2))),
    ];
    let dropped = dropped(Stale::Account(tenant(1), account(11)), entries).await;
    assert_eq!(dropped, [true, true, false, false, false]);
}

#[tokio::test]
async fn a_tenants_change_drops_the_entries_of_that_tenant_alone() {
    let cache = cache().await;
    assert_eq!(has(&cache).await, (true, true));
    cache.drop_stale(Stale::Tenant(tenant(1)));
    assert_eq!(has(&cache).await, (false, true));
}

#[tokio::test]
async fn an_entry_that_is_found_after_the_drop_is_cached() {
    let cache = AccessCache::new(Duration::from_secs(3600));
    let ada = key("ada", None, None);
    let before = cache.get_or_find(ada.clone(), async { Ok(Found::NotAMember) }).await.unwrap();
    assert!(matches!(before, Found::NotAMember));
    cache.drop_stale(Stale::Memberships(tenant(1), principal("ada")));
    let member = async { Ok(acting_in(tenant(1), account(1))) };
    assert!(matches!(cache.get_or_find(ada.clone(), member).await.unwrap(), Found::ActingAccount(..)));
    let cached = cache.get_or_find(ada, async { panic!("it is cached") }).await.unwrap();
    assert!(matches!(cached, Found::ActingAccount(..)));
}
