//! Creates and renames during a change of the tenant's rule on names.

use std::sync::Arc;

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    name_rule::set_rule,
    world::{TestAccount, World, at_once, customer, reason, rounds},
};
use clientele::grpc::pb;

/// Makes names unique in the tenant; false if customers have the same name.
async fn tighten(acme: &TestAccount) -> bool {
    loop {
        match set_rule(&acme.admin, &acme.account, pb::NameUniqueness::Tenant).await {
            Ok(_) => return true,
            Err(refused) if reason(&refused) == "NAME_CONFLICTS" => return false,
            Err(refused) => assert_eq!(reason(&refused), "CONTENDED", "{refused:?}"),
        }
    }
}

/// Renames four customers and creates others, so many at a time; the last four creates use the names of the first.
/// Tightens the rule after so many of these calls. Returns whether the rule is in force.
async fn names_against_the_rule(world: &World, at_a_time: usize, after: u32) -> bool {
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let mut calls = Vec::new();
    for n in 0..20 {
        let client = if n % 2 == 0 { acme.admin.clone() } else { north.admin.clone() };
        let renamed = if n < 4 { Some(client.create(customer(&format!("Old {n}"))).await.unwrap()) } else { None };
        calls.push((client, renamed, format!("Name {}", n % 16)));
    }
    let (turns, done) = (Arc::new(Semaphore::new(at_a_time)), Arc::new(Semaphore::new(0)));

    let calls = calls.into_iter().map(|(client, renamed, name)| {
        let (turns, done) = (Arc::clone(&turns), Arc::clone(&done));
        async move {
            let _turn = turns.acquire().await.unwrap();
            let answer = match renamed {
                Some(old) => client.update(pb::Customer { name, ..old }, &["name"]).await,
                None => client.create(customer(&name)).await,
            };
            done.add_permits(1);
            answer
        }
    });
    let tightening = async {
        done.acquire_many(after).await.unwrap().forget();
        tighten(&acme).await
    };
    let (answers, tightened) = tokio::join!(at_once(calls), tightening);

    let mut named = 0;
    for answer in answers {
        match answer {
            Ok(_) => named += 1,
            Err(refused) => assert_eq!(reason(&refused), "NAME_TAKEN", "{refused:?}"),
        }
    }
    let (rule, customers, doubles, kept, freed): (String, i64, i64, i64, i64) = sqlx::query_as(
        "select name_uniqueness,
                (select count(*) from customers c where c.tenant_id = t.tenant_id and c.name like 'Name %'),
                (select count(*) from (
                    select from customers c where c.tenant_id = t.tenant_id group by name_key having count(*) > 1
                ) d),
                (select count(*) from customers c where c.tenant_id = t.tenant_id and c.name_scope = t.tenant_id),
                (select count(*) from customers c where c.tenant_id = t.tenant_id and c.name_scope is null)
         from tenants t where t.tenant_id = $1",
    )
    .bind(Uuid::parse_str(&acme.tenant).unwrap())
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(customers, named, "all acknowledged customers exist, and no others");
    match tightened {
        true => assert_eq!((rule.as_str(), doubles, freed), ("TENANT", 0, 0)),
        false => {
            assert_eq!((rule.as_str(), kept), ("NONE", 0));
            assert!(doubles > 0, "refused without a cause");
        }
    }
    tightened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_on_names_applies_to_all_customers_or_is_refused_during_concurrent_creates() {
    let world = World::in_production().await;
    let mut outcomes = Vec::new();
    for _ in 0..rounds(1) {
        // The call that locks the tenant's row waits for running creates, and later creates overtake it; not if they
        // come one by one.
        for (at_a_time, after) in [(20, 0), (20, 4), (20, 20), (4, 0), (4, 8), (2, 4), (2, 12), (1, 0), (1, 8), (1, 16)]
        {
            outcomes.push(names_against_the_rule(&world, at_a_time, after).await);
        }
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}
