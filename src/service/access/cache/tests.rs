use std::{
    future::poll_fn,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    task::Poll,
};

use tokio::sync::Notify;

use super::{
    samples::{account, acting_in, cache, has, is_cached, principal, put, tenant},
    *,
};
use crate::domain::values::ids::{AccountId, TenantId};

const HOUR: Duration = Duration::from_secs(3600);

fn target(tenant: Option<TenantId>, account: Option<AccountId>) -> Target {
    Target { tenant, account }
}

/// A call that names the account of this number.
fn at(number: u128) -> Target {
    target(None, Some(account(number)))
}

/// Begins a call, or goes on with it, and says whether it waits.
async fn waits<F: Future>(call: &mut Pin<Box<F>>) -> bool {
    poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await
}

/// Whether a commit drops each of these entries.
async fn dropped<const N: usize>(stale: Stale, entries: [(&str, Target, Found); N]) -> [bool; N] {
    let mut dropped = [false; N];
    for (dropped, (subject, target, found)) in dropped.iter_mut().zip(entries) {
        let cache = AccessCache::new(HOUR);
        put(&cache, subject, target, &found).await;
        assert!(is_cached(&cache, subject, target));
        cache.drop_stale(stale.clone());
        *dropped = !is_cached(&cache, subject, target);
    }
    dropped
}

#[tokio::test]
async fn a_new_membership_drops_the_entries_of_its_principal_that_it_may_change() {
    let (here, there) = (tenant(1), tenant(2));
    let stale = Stale::Memberships(here, principal("ada"));
    let entries = [
        ("ada", target(None, None), Found::Stranger),
        ("ada", target(Some(here), None), Found::NotAMember),
        // Whatever the call named: a stranger is one everywhere.
        ("ada", target(Some(there), Some(account(2))), Found::Stranger),
        ("ada", at(11), Found::OutOfReach),
        ("ada", at(1), acting_in(here, account(1))),
        // With the new membership it is no longer the only account.
        ("ada", target(Some(here), None), acting_in(here, account(1))),
        ("ada", target(None, None), acting_in(there, account(2))),
    ];
    assert_eq!(dropped(stale.clone(), entries).await, [true; 7]);

    let others = [
        ("ada", target(Some(there), None), acting_in(there, account(2))),
        ("ada", target(Some(there), None), Found::NotAMember),
        ("ada", at(2), acting_in(there, account(2))),
        ("bob", target(None, None), Found::Stranger),
        ("bob", at(1), acting_in(here, account(1))),
    ];
    assert_eq!(dropped(stale, others).await, [false; 5]);
}

#[tokio::test]
async fn a_membership_that_waits_drops_only_the_entries_for_which_it_counts() {
    let (here, there) = (tenant(1), tenant(2));
    let entries = [
        ("ada", target(None, None), Found::Stranger),
        ("ada", target(None, None), Found::AccountRequired { several: false, waiting: 1 }),
        ("ada", target(Some(here), None), Found::NotAMember),
        ("ada", at(11), Found::OutOfReach),
        ("ada", at(1), acting_in(here, account(1))),
        ("ada", target(None, None), acting_in(here, account(1))),
        ("ada", target(Some(here), None), acting_in(here, account(1))),
        ("ada", at(2), acting_in(there, account(2))),
        ("bob", at(1), acting_in(here, account(1))),
    ];
    let dropped = dropped(Stale::WaitingMemberships(here, principal("ada")), entries).await;
    assert_eq!(dropped, [true, true, true, true, true, false, false, false, false]);
}

#[tokio::test]
async fn a_changed_branch_drops_the_entries_of_its_account_alone() {
    let entries = [
        ("ada", at(11), acting_in(tenant(1), account(11))),
        ("bob", target(None, None), acting_in(tenant(1), account(11))),
        ("ada", at(1), acting_in(tenant(1), account(1))),
        ("eve", at(11), Found::OutOfReach),
        ("ada", at(2), acting_in(tenant(2), account(2))),
    ];
    let dropped = dropped(Stale::Account(tenant(1), account(11)), entries).await;
    assert_eq!(dropped, [true, true, false, false, false]);
}

#[tokio::test]
async fn a_tenants_change_drops_the_entries_of_that_tenant_alone() {
    let cache = cache().await;
    assert_eq!(has(&cache), (true, true));
    cache.drop_stale(Stale::Tenant(tenant(1)));
    assert_eq!(has(&cache), (false, true));
}

#[tokio::test]
async fn more_changes_than_are_told_apart_drop_everything() {
    let cache = cache().await;
    for number in 0..=10_000 {
        cache.drop_stale(Stale::Tenant(tenant(100 + number)));
    }
    assert_eq!(has(&cache), (false, false));
    put(&cache, "ada", at(1), &acting_in(tenant(1), account(1))).await;
    assert_eq!(has(&cache), (true, false));
}

/// The result of a call that finds it cached.
async fn cached(cache: &AccessCache, target: Target) -> Found {
    cache.get_or_find(&principal("ada"), target, async || panic!("it is cached")).await.unwrap()
}

#[tokio::test]
async fn an_entry_that_is_found_after_the_drop_is_cached() {
    let (cache, sole) = (AccessCache::new(HOUR), target(None, None));
    put(&cache, "ada", sole, &Found::Stranger).await;
    cache.drop_stale(Stale::Memberships(tenant(1), principal("ada")));
    put(&cache, "ada", sole, &acting_in(tenant(1), account(1))).await;
    assert!(matches!(cached(&cache, sole).await, Found::ActingAccount(..)));
}

#[tokio::test]
async fn a_look_up_that_began_before_a_commit_is_neither_cached_nor_shared_after_it() {
    let (cache, ada, answered) = (AccessCache::new(HOUR), principal("ada"), Notify::new());
    let slow = async || {
        answered.notified().await;
        Ok(Found::Stranger)
    };
    let mut first = Box::pin(cache.get_or_find(&ada, at(1), slow));
    assert!(waits(&mut first).await);
    // Another tenant's commit does not concern it.
    cache.drop_stale(Stale::Tenant(tenant(2)));
    cache.drop_stale(Stale::Memberships(tenant(1), ada.clone()));

    // The client knows of the commit, and calls.
    let fresh = async || Ok(acting_in(tenant(1), account(1)));
    let mut second = Box::pin(cache.get_or_find(&ada, at(1), fresh));
    assert!(waits(&mut second).await, "it waits for the look-up that runs");
    answered.notify_one();
    assert!(matches!(first.await.unwrap(), Found::Stranger), "this call began before the commit");
    assert!(!is_cached(&cache, "ada", at(1)));
    assert!(matches!(second.await.unwrap(), Found::ActingAccount(..)));
    assert!(matches!(cached(&cache, at(1)).await, Found::ActingAccount(..)));
}

#[tokio::test]
async fn another_tenants_commit_during_a_look_up_changes_nothing() {
    let (cache, ada, answered) = (AccessCache::new(HOUR), principal("ada"), Notify::new());
    let slow = async || {
        answered.notified().await;
        Ok(acting_in(tenant(1), account(1)))
    };
    let mut first = Box::pin(cache.get_or_find(&ada, at(1), slow));
    assert!(waits(&mut first).await);
    cache.drop_stale(Stale::Tenant(tenant(2)));
    cache.drop_stale(Stale::Memberships(tenant(2), ada.clone()));
    cache.drop_stale(Stale::Account(tenant(1), account(11)));
    answered.notify_one();
    first.await.unwrap();
    cached(&cache, at(1)).await;
}

#[tokio::test]
async fn calls_that_miss_together_share_one_look_up() {
    let (cache, ada, answered, asked) = (AccessCache::new(HOUR), principal("ada"), Notify::new(), AtomicU32::new(0));
    let slow = async || {
        asked.fetch_add(1, Ordering::Relaxed);
        answered.notified().await;
        Ok(Found::OutOfReach)
    };
    let mut calls: Vec<_> = (0..50).map(|_| Box::pin(cache.get_or_find(&ada, at(1), &slow))).collect();
    for call in &mut calls {
        assert!(waits(call).await);
    }
    answered.notify_one();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Found::OutOfReach));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(cache.state().flights.is_empty());
}

#[tokio::test]
async fn a_caller_that_gives_up_takes_no_result_from_those_that_wait_with_it() {
    let (cache, ada, answered) = (AccessCache::new(HOUR), principal("ada"), Notify::new());
    let never = async || std::future::pending().await;
    let gone = async || {
        answered.notified().await;
        Err(Error::Deadline)
    };
    let find = async || Ok(acting_in(tenant(1), account(1)));

    // It is dropped.
    let mut first = Box::pin(cache.get_or_find(&ada, at(1), &never));
    assert!(waits(&mut first).await);
    let mut second = Box::pin(cache.get_or_find(&ada, at(1), &find));
    assert!(waits(&mut second).await);
    drop(first);
    assert!(matches!(second.await.unwrap(), Found::ActingAccount(..)));

    // It begins no unit of work, as its caller has gone.
    let mut first = Box::pin(cache.get_or_find(&ada, at(2), gone));
    assert!(waits(&mut first).await);
    let mut second = Box::pin(cache.get_or_find(&ada, at(2), &find));
    assert!(waits(&mut second).await);
    answered.notify_one();
    assert!(matches!(first.await, Err(Error::Deadline)));
    assert!(matches!(second.await.unwrap(), Found::ActingAccount(..)));

    // All give up.
    let mut alone = Box::pin(cache.get_or_find(&ada, at(3), &never));
    assert!(waits(&mut alone).await);
    drop(alone);
    assert!(cache.state().flights.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_entry_lasts_two_seconds_from_the_begin_of_its_look_up() {
    let (cache, ada) = (AccessCache::new(MAX_AGE), principal("ada"));
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(acting_in(tenant(1), account(1)))
    };
    cache.get_or_find(&ada, at(1), slow).await.unwrap();
    tokio::time::advance(Duration::from_millis(499)).await;
    cached(&cache, at(1)).await;
    tokio::time::advance(Duration::from_millis(2)).await;
    assert!(!is_cached(&cache, "ada", at(1)));
    let slower = async || {
        tokio::time::sleep(MAX_AGE).await;
        Ok(Found::OutOfReach)
    };
    cache.get_or_find(&ada, at(2), slower).await.unwrap();
    assert!(!is_cached(&cache, "ada", at(2)));
}

#[tokio::test]
async fn a_stranger_is_one_whatever_it_names() {
    let cache = AccessCache::new(HOUR);
    put(&cache, "eve", target(Some(tenant(7)), Some(account(70))), &Found::Stranger).await;
    for number in 0..100 {
        for named in [None, Some(tenant(number))] {
            assert!(is_cached(&cache, "eve", target(named, Some(account(1000 + number)))));
        }
    }
    // One that is a member somewhere is none in this tenant, whatever account it names there.
    put(&cache, "ada", target(Some(tenant(7)), Some(account(70))), &Found::NotAMember).await;
    for number in 0..100 {
        assert!(is_cached(&cache, "ada", target(Some(tenant(7)), Some(account(1000 + number)))));
    }
    assert!(!is_cached(&cache, "ada", at(70)) && !is_cached(&cache, "ada", target(Some(tenant(8)), None)));
}

#[tokio::test]
async fn a_principal_that_names_thousands_of_accounts_displaces_no_others_entry() {
    let limits = Limits { entries: 1_000, bytes: 4 << 20 };
    let cache = AccessCache::with_limits(HOUR, limits);
    for number in 0..300 {
        put(&cache, &format!("s{number}"), at(1), &acting_in(tenant(1), account(1))).await;
    }
    for number in 0..10_000 {
        put(&cache, "eve", at(1_000 + number), &Found::OutOfReach).await;
    }
    assert!((0..300).all(|number| is_cached(&cache, &format!("s{number}"), at(1))));
    let of_eve = (0..10_000).filter(|number| is_cached(&cache, "eve", at(1_000 + number))).count();
    assert_eq!(of_eve, limits.entries / 4);
}

#[tokio::test]
async fn the_cache_is_bounded_in_entries_and_in_bytes() {
    let by_entries = AccessCache::with_limits(HOUR, Limits { entries: 100, bytes: 4 << 20 });
    let by_bytes = AccessCache::with_limits(HOUR, Limits { entries: 1_000_000, bytes: 100_000 });
    for cache in [&by_entries, &by_bytes] {
        let one = |number| format!("s{number}");
        for number in 0..2_000 {
            put(cache, &one(number), at(1), &acting_in(tenant(1), account(1))).await;
        }
        let kept: Vec<u32> = (0..2_000).filter(|number| is_cached(cache, &one(*number), at(1))).collect();
        assert!((50..=150).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), Some(&1_999), "the oldest ones make room");
        assert!(kept.is_sorted_by(|one, next| one + 1 == *next));
    }
    assert!(by_bytes.state().entries.bytes() <= 100_000);
}
